//! `train`: a model from a folder of videos, and what stands in the way.

use image::codecs::gif::GifEncoder;
use image::{Delay, Frame, Rgba, RgbaImage};
use serde_json::Value;

use crate::Sandbox;

/// A bar on a dark ground that rises or falls: each picture alone says nothing, and a mirror changes nothing.
fn moving(down: bool, phase: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for t in 0..12u32 {
        let at = (if down { 4 * t } else { 4 * (11 - t) } + 5 * phase) % 40;
        let mut picture = RgbaImage::from_pixel(48, 40, Rgba([20, 30, 50, 255]));
        for (_, y, pixel) in picture.enumerate_pixels_mut() {
            if (y + 40 - at) % 40 < 10 {
                *pixel = Rgba([230, 180, 60, 255]);
            }
        }
        encoder
            .encode_frame(Frame::from_parts(picture, 0, 0, Delay::from_numer_denom_ms(40, 1)))
            .expect("encodes");
    }
    drop(encoder);
    bytes
}

/// A folder of two classes with so many clips each.
pub fn clips(sandbox: &Sandbox, count: u32) {
    for (class, down) in [("rising", false), ("falling", true)] {
        for index in 0..count {
            sandbox.write(&format!("clips/{class}/{index:02}.gif"), moving(down, index));
        }
    }
}

pub const SMALL: &str =
    "--width 0.0625 --input-size 32 --frames 9 --batch 4 --rate 0.02 --warm-up 2 --threads 2 --device cpu";

fn journal(sandbox: &Sandbox, folder: &str) -> Vec<Value> {
    let text = String::from_utf8(sandbox.read(&format!("{folder}/train.jsonl"))).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn losses(journal: &[Value], split: &str) -> Vec<f64> {
    journal
        .iter()
        .filter(|entry| entry["split"] == split)
        .filter_map(|entry| entry["loss"].as_f64())
        .collect()
}

#[test]
fn a_network_learns_and_classifies() {
    let sandbox = Sandbox::new();
    clips(&sandbox, 10);
    let run =
        sandbox.i3d(&format!("train clips -o run --steps 30 --validate-every 15 {SMALL} --no-dropout")).ok();
    assert!(run.stderr.contains("step 15: validation loss "), "{run:?}");
    let journal = journal(&sandbox, "run");
    let train = losses(&journal, "train");
    assert_eq!((train.len(), losses(&journal, "validation").len()), (30, 2));
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&train[25..]) < 0.8 * mean(&train[..3]), "{train:?}");
    let svg = String::from_utf8(sandbox.read("run/curve.svg")).expect("text");
    assert!(svg.starts_with("<svg") && svg.contains("validation"), "a picture");
    for model in ["model", "best", "state"] {
        let result =
            sandbox.classify(&format!("clips/rising/00.gif --rgb run/{model}.safetensors --json -")).ok();
        let text = result.stdout;
        assert!(text.contains("\"rising\"") && text.contains("\"falling\""), "{text}");
    }
}

#[test]
fn test_clips_are_judged_in_the_end() {
    let sandbox = Sandbox::new();
    clips(&sandbox, 6);
    let row = |class: &str, index: u32| {
        let split = ["train", "train", "train", "train", "val", "test"][index as usize];
        format!("clips/{class}/{index:02}.gif,{class},{split}\n")
    };
    let rows: String = ["rising", "falling"].iter().flat_map(|class| (0..6).map(|i| row(class, i))).collect();
    sandbox.write("list.csv", format!("path,label,split\n{rows}"));
    let train = |folder: &str, more: &str| {
        sandbox.i3d(&format!("train list.csv -o {folder} --steps 30 {SMALL} --no-dropout {more}")).ok()
    };
    let run = train("moving", "--cosine");
    assert!(run.stderr.contains(" % right of 2 clips of 2 classes; see test.jsonl"), "{run:?}");
    let rates: Vec<f64> = journal(&sandbox, "moving").iter().filter_map(|e| e["rate"].as_f64()).collect();
    assert!(rates.len() == 30 && rates[29] < 0.01 * rates[2], "{rates:?}");
    let verdicts = |folder: &str| -> Vec<Value> {
        let text = String::from_utf8(sandbox.read(&format!("{folder}/test.jsonl"))).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    };
    let said = verdicts("moving");
    let labels: Vec<_> = said.iter().map(|verdict| &verdict["label"]).collect();
    assert_eq!(labels, ["rising", "falling"]);
    for verdict in &said {
        let logits = verdict["logits"].as_array().expect("logits");
        let falling = logits[0].as_f64() > logits[1].as_f64();
        assert_eq!(
            verdict["best"],
            if falling { "falling" } else { "rising" },
            "labels are sorted: {verdict}"
        );
    }
    // The same file by way of the model.
    let clip = said[0]["path"].as_str().expect("a path");
    let result = sandbox.classify(&format!("{clip} --rgb moving/model.safetensors --json -")).ok().json();
    let logits = |value: &Value| -> Vec<f64> {
        value.as_array().expect("logits").iter().filter_map(Value::as_f64).collect()
    };
    // Training rounds colours to whole numbers.
    crate::assert_close(&logits(&said[0]["logits"]), &crate::logits(&result, "rgb"), 0.05);
    // The middle frames of a rising and a falling bar are one picture here, so a network that sees nothing else says the same.
    train("still", "--single-frame");
    let said = verdicts("still");
    assert_ne!(said[0]["logits"], verdicts("moving")[0]["logits"]);
    sandbox.i3d(&format!("train list.csv -o x {SMALL} --cosine --tenths 5")).exits(2);
}

#[test]
fn a_run_goes_on_as_if_nothing_had_happened() {
    let sandbox = Sandbox::new();
    clips(&sandbox, 4);
    let train = |folder: &str, more: &str| {
        sandbox
            .i3d(&format!("train clips -o {folder} {SMALL} --checkpoint-every 2 --validate-every 3 {more}"))
    };
    train("whole", "--steps 6").ok();
    train("parts", "--steps 4").ok();
    // As if the program had been killed in the middle of a line, after a step that no checkpoint holds.
    let mut text = sandbox.read("parts/train.jsonl");
    text.extend(br#"{"step":5,"split":"train","loss":9.0,"accuracy":0.0,"rate":0.1}"#);
    text.extend(b"\n{\"step\":6,\"spl");
    sandbox.write("parts/train.jsonl", text);
    let run = train("parts", "--steps 6 --resume").ok();
    assert!(run.stderr.contains("going on after step 4"), "{run:?}");
    assert_eq!(sandbox.read("parts/train.jsonl"), sandbox.read("whole/train.jsonl"));
    assert_eq!(sandbox.read("parts/model.safetensors"), sandbox.read("whole/model.safetensors"));
    train("whole", "--steps 8")
        .fails(2, "whole: there is a run already; go on with --resume, or give another folder");
}

#[test]
fn a_classifier_is_fitted_to_features_and_a_model_is_trained_on() {
    let sandbox = Sandbox::new();
    clips(&sandbox, 10);
    sandbox.i3d(&format!("train clips -o first --steps 3 {SMALL}")).ok();
    let from = "--from first/model.safetensors";
    sandbox.i3d(&format!("train clips -o head {from} --mode fixed --steps 200 {SMALL}")).ok();
    let curve = losses(&journal(&sandbox, "head"), "train");
    assert!(curve.len() == 200 && curve[199] < curve[0], "{curve:?}");
    sandbox.i3d(&format!("train clips -o full {from} --steps 3 {SMALL}")).ok();
    let bytes = |folder: &str| sandbox.read(&format!("{folder}/model.safetensors"));
    assert!(bytes("first") != bytes("head") && bytes("first") != bytes("full"));
    sandbox
        .i3d(&format!("train clips -o x {from} --mode original {SMALL}"))
        .fails(2, "--mode original begins with random weights; leave --from out, or take --mode full");
    sandbox
        .i3d(&format!("train clips -o x --mode fixed {SMALL}"))
        .fails(2, "--mode fixed and full begin with a model; give it as --from MODEL");
}

#[test]
fn a_gpu_begins_with_the_losses_of_the_cpu() {
    let sandbox = Sandbox::new();
    clips(&sandbox, 10);
    let small = SMALL.replace("--device cpu", "");
    let missing = format!("train clips -o run {small} --device NoSuchCard");
    sandbox.i3d(&missing).exits(3);
    assert!(!sandbox.path("run").exists(), "nothing is begun");
    // Whatever this machine has.
    let adapters = sandbox.i3d("devices --json").exits(0).json()["adapters"].clone();
    let Some(name) = adapters[0]["name"].as_str() else { return };
    let device = name.split(' ').next().expect("a word");
    let train = |device: &str| {
        let run = sandbox
            .i3d(&format!("train clips -o on-{device} --steps 1 --accumulate 2 {small} --device {device}"))
            .ok();
        let journal = journal(&sandbox, &format!("on-{device}"));
        let loss = |split: &str| losses(&journal, split)[0];
        (run.stderr, loss("train"), loss("validation"))
    };
    let ((_, want, want_after), (talk, got, got_after)) = (train("cpu"), train(device));
    assert!(talk.contains(&format!("on {name}")), "{talk}");
    assert!((got - want).abs() < 1e-4 * want, "{got} {want}");
    // A step makes differences of rounding larger; a validation also runs there.
    assert!((got_after - want_after).abs() < 2e-2 * want_after, "{got_after} {want_after}");
}

#[test]
fn flow_is_trained_too_and_a_broken_video_costs_itself_alone() {
    let sandbox = Sandbox::new();
    clips(&sandbox, 4);
    sandbox.write("clips/rising/broken.gif", b"GIF89a, but no more");
    let run = sandbox.i3d(&format!("train clips -o run --stream flow --steps 2 {SMALL}")).exits(1);
    assert!(run.errors().iter().any(|e| e.contains("broken.gif")), "{run:?}");
    assert!(run.stderr.contains("1 of 9 clips were left out"), "{run:?}");
    let skipped = String::from_utf8(sandbox.read("run/skipped.txt")).expect("text");
    assert!(skipped.lines().count() == 1 && skipped.contains("broken.gif"), "{skipped}");
    assert_eq!(losses(&journal(&sandbox, "run"), "train").len(), 2);
}

#[test]
fn lists_that_make_no_sense_are_told() {
    let sandbox = Sandbox::new();
    clips(&sandbox, 2);
    let csv = |text: &str| {
        sandbox.write("list.csv", text);
        sandbox.i3d(&format!("train list.csv -o run --steps 1 {SMALL}"))
    };
    let one = "clips/rising/00.gif";
    csv(&format!("path,label,split\n{one},rising,train\n"))
        .fails(2, "list.csv: it has a single class, \"rising\"; a network needs two or more to choose from");
    csv(&format!("path,label,split\n{one},rising,train\n{one},falling,test\n"))
        .fails(2, "list.csv: the class \"falling\" has no clip to train on; add some, or remove the class");
    csv(&format!("path,label,split\n{one},rising,train\n{one},falling,trian\n"))
        .fails(2, "list.csv, line 3: its split is \"trian\"; it must be train, val or test");
    csv(&format!("path,class,split\n{one},rising,train\n")).fails(
        2,
        "list.csv: its first line is \"path,class,split\", without label; it must be path,label,split",
    );
    csv(&format!("path,label,split\n{one},,train\n"))
        .fails(2, "list.csv, line 2: it lacks a path or a label; give both");
    std::fs::create_dir(sandbox.path("clips/nothing")).expect("a folder");
    sandbox
        .i3d(&format!("train clips -o run {SMALL}"))
        .fails(2, "clips: the class \"nothing\" has no clip to train on; add some, or remove the class");
    std::fs::create_dir(sandbox.path("empty")).expect("a folder");
    sandbox
        .i3d(&format!("train empty -o run {SMALL}"))
        .fails(2, "empty: it has no folders; give a folder with a folder of videos per class, or a CSV file");
    assert!(!sandbox.path("run").exists(), "nothing is begun");
}
