//! The paper's five systems: counted, planned, trained, tested, and kept from commands that run I3D.

use serde_json::Value;

use crate::Sandbox;
use crate::train::clips;

/// Every network that the systems have, and time steps for clips of twelve frames.
const NETWORKS: [(&str, &str, usize); 10] = [
    ("convnet-lstm", "rgb", 3),
    ("convnet-lstm", "flow", 2),
    ("3d-convnet", "rgb", 16),
    ("two-stream", "rgb", 1),
    ("two-stream", "flow", 1),
    ("two-stream", "both", 1),
    ("3d-fused", "rgb", 3),
    ("3d-fused", "both", 2),
    ("i3d", "rgb", 9),
    ("i3d", "flow", 9),
];

const SMALL: &str =
    "--width 0.0625 --input-size 32 --batch 4 --rate 0.02 --warm-up 2 --threads 2 --device cpu --no-dropout";

fn lines(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    let text = String::from_utf8(sandbox.read(name)).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Clips of two classes, all of them to learn from, and two of each to test on.
fn set(sandbox: &Sandbox) {
    clips(sandbox, 4);
    let mut csv = String::from("path,label,split\n");
    for class in ["falling", "rising"] {
        for index in 0..4 {
            csv += &format!("clips/{class}/{index:02}.gif,{class},train\n");
        }
        for index in 0..2 {
            csv += &format!("clips/{class}/{index:02}.gif,{class},test\n");
        }
    }
    sandbox.write("clips.csv", csv);
}

#[test]
fn table_1_is_counted_from_the_networks() {
    let sandbox = Sandbox::new();
    let table = sandbox.i3d("systems").ok().stdout;
    for (name, parameters) in [
        ("(a) ConvNet+LSTM", "8945600"),
        ("(b) 3D-ConvNet", "79634576"),
        ("(c) Two-Stream", "12058560"),
        ("(d) 3D-Fused", "39755824"),
        ("(e) Two-Stream I3D", "25358016"),
    ] {
        assert!(table.lines().any(|line| line.contains(name) && line.contains(parameters)), "{table}");
    }
    let json: Value =
        serde_json::from_str(&sandbox.i3d("systems --json --classes 101").ok().stdout).expect("JSON");
    assert_eq!(json[3]["system"], "3d-fused");
    assert_eq!(json[3]["parameters"], 39_755_824 - 299 * 513);
    assert_eq!((&json[2]["train"]["flow_frames"], &json[1]["test"]["rgb_frames"]), (&10.into(), &240.into()));
}

#[test]
fn every_system_has_a_plan() {
    let sandbox = Sandbox::new();
    for (system, input, _) in NETWORKS {
        let plan = sandbox.i3d(&format!("plan --system {system} --stream {input} --width 0.25")).ok().stdout;
        assert!(plan.contains("\nparameters   "), "{plan}");
    }
    let plan = sandbox.i3d("plan --system 3d-convnet").ok().stdout;
    assert!(plan.contains("clip         16x112x112x3\nparameters   79,634,576"), "{plan}");
    // Nine frames are I3D's affair.
    sandbox
        .i3d("plan --frames 5")
        .fails(2, "5 frames are too few: the network needs at least 9; loop the clip or give a longer one");
    sandbox
        .i3d("plan --system two-stream --frames 0")
        .fails(2, "invalid value '0' for '--frames <N>': give a number of frames, at least 1");
    sandbox
        .i3d("plan --system i3d --stream both")
        .fails(2, "i3d has a network for each stream; give --stream rgb or flow");
}

#[test]
fn every_system_is_trained_and_tested_alike() {
    let sandbox = Sandbox::new();
    set(&sandbox);
    for (system, input, frames) in NETWORKS {
        let run = format!("{system}_{input}");
        let own = format!("--system {system} --stream {input} --frames {frames}");
        sandbox.i3d(&format!("train clips.csv {own} --steps 6 {SMALL} -o {run}")).ok();
        let losses: Vec<f64> = lines(&sandbox, &format!("{run}/train.jsonl"))
            .iter()
            .filter_map(|entry| entry["loss"].as_f64())
            .collect();
        assert!(losses.len() == 6 && losses.iter().all(|loss| loss.is_finite()), "{run}: {losses:?}");
        // What training says of a clip in the end, evaluation says too.
        let flag = if input == "both" { "both" } else { input };
        let eval = format!("eval --dataset folder --data clips --{flag} {run}/model.safetensors --frames 12");
        sandbox.i3d(&format!("{eval} -o {run}/eval --threads 2 --device cpu")).ok();
        let predictions = lines(&sandbox, &format!("{run}/eval/predictions.jsonl"));
        let verdicts = lines(&sandbox, &format!("{run}/test.jsonl"));
        assert_eq!((verdicts.len(), predictions.len()), (4, 1 + 8));
        for verdict in &verdicts {
            let path = verdict["path"].as_str().expect("a path");
            let same = |line: &&Value| line["path"].as_str().is_some_and(|found| path.ends_with(found));
            let prediction = predictions.iter().find(same).expect("the same clip");
            // A flow clip has one frame less, after which it begins again.
            if input == "rgb" {
                assert_eq!(prediction["logits"][flag], verdict["logits"], "{run} {path}");
            }
            assert_eq!(prediction["label"], verdict["label"]);
        }
    }
}

#[test]
fn an_lstm_goes_on_as_if_nothing_had_happened() {
    let sandbox = Sandbox::new();
    set(&sandbox);
    let train = format!("train clips.csv --system convnet-lstm --frames 3 {SMALL} --checkpoint-every 2");
    sandbox.i3d(&format!("{train} --steps 6 -o whole")).ok();
    sandbox.i3d(&format!("{train} --steps 4 -o half")).ok();
    sandbox.i3d(&format!("{train} --steps 6 -o half --resume")).ok();
    assert_eq!(sandbox.read("half/model.safetensors"), sandbox.read("whole/model.safetensors"));
    // A model trained on, with its statistics kept, and a classifier alone.
    for mode in ["full", "fixed"] {
        let from = format!("--from whole/model.safetensors --mode {mode}");
        sandbox.i3d(&format!("train clips.csv {from} --frames 3 --steps 2 {SMALL} -o {mode}")).ok();
    }
    sandbox
        .i3d("train clips.csv --system convnet-lstm --batch 1 --steps 1 -o one")
        .fails(2, "batch norm of LSTM would have a single value for its statistics; give --batch 2 or more");
}

#[test]
fn networks_of_other_systems_stay_where_they_belong() {
    let sandbox = Sandbox::new();
    set(&sandbox);
    let train = |own: &str, run: &str| {
        sandbox.i3d(&format!("train clips.csv {own} --steps 1 {SMALL} -o {run}")).ok();
    };
    train("--system two-stream --stream rgb", "rgb");
    train("--system two-stream --stream both", "both");
    sandbox.classify("clips/rising/00.gif --rgb rgb/model.safetensors").fails(
        2,
        "rgb/model.safetensors: is a two-stream, and this command runs I3D; `i3d eval` and `i3d train` take it",
    );
    sandbox.i3d("eval --dataset folder --data clips --rgb both/model.safetensors -o out").fails(
        2,
        "both/model.safetensors: its first convolution takes 24 channels, the rgb stream has 3; give it as --both",
    );
    sandbox
        .i3d(&format!(
            "train clips.csv --stream both --from both/model.safetensors --mode fixed {SMALL} -o f"
        ))
        .fails(2, "this network has a classifier for each stream; --mode fixed fits one, take --mode full");
    // The flat network of one stream is what inflation begins with.
    sandbox.i3d("inflate rgb/model.safetensors start.safetensors --stream flow --classes 2").ok();
    let from = "--stream flow --from start.safetensors --frames 9";
    train(from, "inflated");
    sandbox.classify("clips/rising/00.gif --flow inflated/model.safetensors --frames 9").ok();
}
