//! RGB and flow: which weights and clips belong together, and how two results become one.

use serde_json::Value;

use crate::fixtures::npy;
use crate::{Sandbox, assert_close, logits};

const CLIPS: &str = "--rgb-clip rgb.npy --flow-clip flow.npy";
const WEIGHTS: &str = "--rgb rgb.safetensors --flow flow.safetensors";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_weights();
    sandbox.write("rgb.npy", npy(10, 3));
    sandbox.write("flow.npy", npy(9, 2));
    sandbox
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let sum: f64 = logits.iter().map(|l| l.exp()).sum();
    logits.iter().map(|l| l.exp() / sum).collect()
}

/// Probabilities by class.
fn probabilities(result: &Value) -> Vec<f64> {
    let mut by_class = vec![0.0; 5];
    for top in result["top"].as_array().expect("a ranking") {
        by_class[top["index"].as_u64().expect("a number") as usize] =
            top["probability"].as_f64().expect("a number");
    }
    by_class
}

#[test]
fn fusions_are_what_they_say() {
    let sandbox = sandbox();
    let run = |fusion: &str| sandbox.classify(&format!("{CLIPS} {WEIGHTS} --json - {fusion}")).ok().json();
    let result = run("");
    let (rgb, flow) = (logits(&result, "rgb"), logits(&result, "flow"));
    let sum: Vec<f64> = rgb.iter().zip(&flow).map(|(a, b)| a + b).collect();
    let mean: Vec<f64> = sum.iter().map(|x| x / 2.0).collect();
    assert_close(&numbers(&result["fused"]["logits"]), &sum, 1e-6);
    assert_close(&probabilities(&result), &softmax(&sum), 1e-6);
    assert_eq!(run("--fusion logit-sum")["fused"], result["fused"]);
    let halved = run("--fusion logit-mean");
    assert_close(&numbers(&halved["fused"]["logits"]), &mean, 1e-6);
    assert_close(&probabilities(&halved), &softmax(&mean), 1e-6);
    let averaged: Vec<f64> = softmax(&rgb).iter().zip(softmax(&flow)).map(|(a, b)| (a + b) / 2.0).collect();
    assert_close(&probabilities(&run("--fusion prob-mean")), &averaged, 1e-6);
    let top = &result["top"][0];
    let index = top["index"].as_u64().expect("a number") as usize;
    assert_eq!(numbers(&serde_json::json!([top["rgb_logit"], top["flow_logit"]])), [rgb[index], flow[index]]);
    assert_eq!(result["model"]["flow"]["source"], "flow.safetensors");
    assert_eq!(result["input"], "rgb.npy + flow.npy");
    // The table shows where the sum comes from.
    let text = sandbox.classify(&format!("{CLIPS} {WEIGHTS}")).ok().stdout;
    assert!(
        text.lines().nth(1).is_some_and(|line| line.ends_with("logit       rgb      flow  label")),
        "{text}"
    );
    sandbox.classify(&format!("{CLIPS} {WEIGHTS} --fusion loud")).exits(2);
}

#[test]
fn one_stream_alone_says_what_it_says_in_company() {
    let sandbox = sandbox();
    let both = sandbox.classify(&format!("{CLIPS} {WEIGHTS} --json -")).ok().json();
    for (arguments, stream) in [
        ("flow.npy --flow flow.safetensors", "flow"),
        ("--flow-clip flow.npy --flow flow.safetensors", "flow"),
        ("rgb.npy --rgb rgb.safetensors", "rgb"),
        ("--rgb-clip rgb.npy --rgb rgb.safetensors", "rgb"),
        ("rgb.npy --rgb rgb.safetensors --flow flow.safetensors", "rgb"),
    ] {
        let one = sandbox.classify(&format!("{arguments} --json -")).ok().json();
        assert_eq!(logits(&one, stream), logits(&both, stream), "{arguments}");
        assert_eq!((&one["fused"], one["model"]["name"].as_str()), (&Value::Null, Some("custom")));
        let other = if stream == "rgb" { "flow" } else { "rgb" };
        assert_eq!(one["model"][other], Value::Null, "a network that did not run is no part of the result");
    }
}

#[test]
fn a_video_and_its_flow_clip_are_fused() {
    let sandbox = sandbox();
    sandbox.video("a.mp4", 10);
    let run = sandbox.classify(&format!("a.mp4 --flow-clip flow.npy {WEIGHTS} --json -")).ok();
    let result = run.json();
    assert_eq!(result["input"], "a.mp4 + flow.npy");
    assert_eq!(result["video"]["sampled_frames"], 10);
    assert_eq!(numbers(&result["fused"]["logits"]).len(), 5);
}

#[test]
fn what_does_not_belong_together_is_told_before_any_work() {
    let sandbox = sandbox();
    sandbox.video("a.mp4", 10);
    let on = |arguments: &str| sandbox.classify(arguments);
    on(&format!("a.mp4 {WEIGHTS} --streams rgb")).ok();
    let missing = "--streams both needs flow weights; give --flow PATH";
    on("rgb.npy --rgb rgb.safetensors --streams both").fails(2, missing);
    let missing = "--streams flow needs flow weights; give --flow PATH";
    on("rgb.npy --rgb rgb.safetensors --streams flow").fails(2, missing);
    let beside = "--rgb-clip goes alone or with --flow-clip, and --flow-clip alone, with --rgb-clip or with one INPUT; \
                  leave the others out";
    on(&format!("a.mp4 {CLIPS} {WEIGHTS}")).fails(2, beside);
    on(&format!("a.mp4 rgb.npy --flow-clip flow.npy {WEIGHTS}")).fails(2, beside);
    on(&format!("--rgb-clip flow.npy {WEIGHTS}")).fails(
        2,
        "flow.npy: this is a clip for flow (2 channels) where one for rgb (3 channels) is expected; give it as --flow-clip",
    );
    on(&format!("rgb.npy --flow-clip rgb.npy {WEIGHTS}")).fails(
        2,
        "rgb.npy: this is a clip for rgb (3 channels) where one for flow (2 channels) is expected; give it as --rgb-clip",
    );
    on(&format!("flow.npy --flow-clip flow.npy {WEIGHTS}")).exits(2);
    on("flow.npy --rgb rgb.safetensors").fails(
        2,
        "flow.npy: the clip has 2 channels and needs the flow network, but only rgb weights are loaded; give --flow PATH",
    );
    on("--rgb rgb.safetensors").fails(
        2,
        "nothing to classify; give a video, a GIF, a folder of images, a quoted glob, or a .npy/.npz clip",
    );
}

#[test]
fn weights_given_for_the_other_stream_are_told() {
    let sandbox = sandbox();
    sandbox.classify("rgb.npy --rgb flow.safetensors").fails(
        2,
        "flow.safetensors: its first convolution takes 2 channels, the rgb stream has 3; give it as --flow",
    );
    sandbox.classify("flow.npy --flow rgb.safetensors").fails(
        2,
        "rgb.safetensors: its first convolution takes 3 channels, the flow stream has 2; give it as --rgb",
    );
}
