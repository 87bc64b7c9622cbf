//! `i3d classify`: what it prints and writes.

use serde_json::Value;

use crate::fixtures::{clip_values, npy};
use crate::{Sandbox, assert_close, logits};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn text_shows_the_ranking_on_standard_output_and_notes_beside_it() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 12);
    let run = sandbox.classify("a.mp4 --rgb rgb.safetensors --top-k 3").ok();
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{run:?}");
    assert!(lines[0].starts_with("a.mp4  (12 frames, "), "{run:?}");
    assert_eq!(lines[1], "  probability     logit  label");
    assert!(lines[2..].iter().all(|line| line.contains("class ")), "{run:?}");
    assert!(run.stderr.contains("running on "), "{run:?}");
    let quiet = sandbox.classify("a.mp4 --rgb rgb.safetensors --top-k 3 --quiet").ok();
    assert_eq!(quiet.stderr, "");
    assert_eq!(quiet.stdout.lines().skip(1).collect::<Vec<_>>(), lines[1..]);
}

#[test]
fn json_on_standard_output_is_one_object_with_every_key() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 30);
    let run = sandbox.classify("a.mp4 --rgb rgb.safetensors --json - --frames 16").ok();
    let result = run.json();
    assert_eq!(
        keys(&result),
        [
            "device",
            "fused",
            "input",
            "model",
            "precision",
            "preprocess",
            "segments",
            "streams",
            "timings",
            "top",
            "version",
            "video"
        ]
    );
    assert_eq!(result["input"], "a.mp4");
    assert_eq!(result["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(keys(&result["device"]), ["backend", "driver", "name"]);
    assert_eq!(result["device"]["backend"], "cpu");
    let model = &result["model"];
    assert_eq!((keys(model), &model["flow"]), (vec!["flow", "name", "rgb"], &Value::Null));
    assert_eq!(model["rgb"]["source"], "rgb.safetensors");
    assert_eq!(model["rgb"]["sha256"].as_str().map(str::len), Some(64));
    let preprocess = &result["preprocess"];
    assert_eq!((&preprocess["fps"], &preprocess["crop"]), (&25.0.into(), &32.into()));
    assert_eq!((&preprocess["short_side"], &preprocess["range"][0]), (&37.into(), &(-1.0).into()));
    let video = &result["video"];
    for (key, value) in [("frames", 30), ("width", 64), ("height", 48), ("rotation", 0)] {
        assert_eq!(video[key], value, "{key}");
    }
    assert_eq!((&video["sampled_frames"], &video["clip_frames"]), (&16.into(), &16.into()));
    assert_eq!((&video["fps"], &video["duration_seconds"]), (&25.0.into(), &1.2.into()));
    assert_eq!(video["looped"], false);
    assert_eq!((result["streams"]["flow"].clone(), result["fused"].clone()), (Value::Null, Value::Null));
    let logits = logits(&result, "rgb");
    let norm = logits.iter().map(|l| l * l).sum::<f64>().sqrt();
    assert!((result["streams"]["rgb"]["norm"].as_f64().unwrap() - norm).abs() < 1e-6);
    let top = result["top"].as_array().expect("a ranking");
    assert_eq!((top.len(), keys(&top[0])), (5, vec!["index", "label", "logit", "probability", "rgb_logit"]));
    let index = top[0]["index"].as_u64().expect("a number") as usize;
    assert_eq!(top[0]["label"], format!("class {index}"));
    assert_eq!(logits[index], logits.iter().copied().fold(f64::MIN, f64::max), "the best comes first");
    let sum: f64 = top.iter().map(|t| t["probability"].as_f64().expect("a number")).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    // People read it too: what comes first in the contract comes first in the text.
    let first = [
        "input",
        "version",
        "device",
        "precision",
        "model",
        "preprocess",
        "video",
        "streams",
        "fused",
        "top",
        "timings",
    ];
    let places = first.map(|key| run.stdout.find(&format!("\n  \"{key}\": ")));
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{run:?}");
    assert_eq!(keys(&result["timings"]), ["decode_ms", "flow_ms", "flow_network_ms", "rgb_ms", "total_ms"]);
}

#[test]
fn json_in_a_file_leaves_the_text_on_standard_output() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    sandbox.write("out.json", "an older result");
    let run = sandbox.classify("a.npy --rgb rgb.safetensors --json out.json").ok();
    assert!(run.stdout.starts_with("a.npy\n"), "{run:?}");
    let result: Value = serde_json::from_slice(&sandbox.read("out.json")).expect("JSON");
    assert_eq!(result["input"], "a.npy");
    assert_eq!((&result["video"], &result["preprocess"]), (&Value::Null, &Value::Null));
}

#[test]
fn several_inputs_become_an_array_in_their_order() {
    let sandbox = Sandbox::with_weights();
    for (name, frames) in [("b.npy", 9), ("a.npy", 12)] {
        sandbox.write(name, npy(frames, 3));
    }
    let result = sandbox.classify("b.npy a.npy --rgb rgb.safetensors --json -").ok().json();
    let names: Vec<&Value> = result.as_array().expect("an array").iter().map(|r| &r["input"]).collect();
    assert_eq!(names, ["b.npy", "a.npy"]);
    assert_ne!(logits(&result[0], "rgb"), logits(&result[1], "rgb"));
}

#[test]
fn labels_come_from_the_file_and_top_k_may_ask_for_more_than_there_are() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    sandbox.write("labels.txt", "run\r\nwalk\r\nsit\r\nstand\r\nswim\r\n");
    let run = sandbox.classify("a.npy --rgb rgb.safetensors --labels labels.txt --json - --top-k 99").ok();
    let result = run.json();
    let mut labels: Vec<&str> =
        result["top"].as_array().unwrap().iter().map(|t| t["label"].as_str().unwrap()).collect();
    labels.sort();
    assert_eq!(labels, ["run", "sit", "stand", "swim", "walk"]);
}

#[test]
fn frames_cuts_and_loops() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 20);
    sandbox.video("short.mp4", 4);
    let video = |arguments: &str| {
        let run = sandbox.classify(&format!("--rgb rgb.safetensors --json - {arguments}")).ok();
        run.json()["video"].clone()
    };
    let sizes = |v: &Value| (v["sampled_frames"].as_u64(), v["clip_frames"].as_u64(), v["looped"].as_bool());
    assert_eq!(sizes(&video("a.mp4")), (Some(20), Some(20), Some(false)));
    assert_eq!(sizes(&video("a.mp4 --frames 9")), (Some(9), Some(9), Some(false)));
    assert_eq!(sizes(&video("a.mp4 --frames 30")), (Some(20), Some(30), Some(true)));
    // Too short for a single logit: looped to the length of training.
    assert_eq!(sizes(&video("short.mp4")), (Some(4), Some(64), Some(true)));
    let run = sandbox.classify("--rgb rgb.safetensors short.mp4 --frames 12").ok();
    assert!(run.stderr.contains("short.mp4: 4 frames, looped to 12\n"), "{run:?}");

    sandbox.write("a.npy", npy(12, 3));
    let values = &clip_values(12, 3);
    let looped = [&values[..], &values[..values.len() / 3]].concat();
    let shape = [16, 32, 32, 3];
    sandbox.write("looped.npy", i3d::clip::npy_bytes(&shape, &looped));
    let of = |arguments: &str| {
        logits(&sandbox.classify(&format!("--rgb rgb.safetensors --json - {arguments}")).ok().json(), "rgb")
    };
    assert_eq!(of("a.npy --frames 16"), of("looped.npy"));
    assert_ne!(of("a.npy --frames 9"), of("a.npy"));
}

#[test]
fn fps_native_takes_every_frame() {
    let sandbox = Sandbox::with_weights();
    sandbox.ffmpeg("-f lavfi -i testsrc2=size=64x48:rate=50 -frames:v 40 -c:v mpeg4 fast.mp4");
    let video = |arguments: &str| {
        let run = sandbox.classify(&format!("fast.mp4 --rgb rgb.safetensors --json - {arguments}")).ok();
        (run.json()["video"]["sampled_frames"].as_u64(), run.json()["preprocess"]["fps"].clone())
    };
    assert_eq!(video(""), (Some(20), 25.0.into()));
    assert_eq!(video("--fps native"), (Some(40), "native".into()));
    assert_eq!(video("--fps 12.5"), (Some(10), 12.5.into()));
}

#[test]
fn threads_do_not_change_the_result() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 16);
    let of = |threads: usize| {
        let run = sandbox.classify(&format!("a.mp4 --rgb rgb.safetensors --json - --threads {threads}")).ok();
        assert!(run.stderr.contains(if threads == 1 { " 1 thread " } else { " 2 threads " }), "{run:?}");
        logits(&run.json(), "rgb")
    };
    assert_eq!(of(1), of(1), "the same run twice");
    assert_close(&of(1), &of(2), 1e-5);
}
