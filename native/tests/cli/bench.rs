//! `bench`: what it reports, not how fast it is.

use std::io::Write;
use std::process::Stdio;

use i3d::network::Stream;
use i3d::plan::Plan;
use serde_json::Value;

use crate::fixtures::{network, npy};
use crate::{Sandbox, assert_close, logits};

const TINY: &str = "--width 0.0625 --input-size 32 --frames 9 --device cpu --threads 1 --runs 3";

#[track_caller]
fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("no number {name} in {value}"))
}

#[test]
fn the_numbers_make_sense() {
    let entry = Sandbox::new().i3d(&format!("bench {TINY} --batch 2 --json -")).ok().json();
    let plan = Plan::new(&network(Stream::Rgb, 400), 2, 9).expect("a plan");
    let gflop = 2.0 * plan.macs() as f64 / 1e9;
    assert_eq!(number(&entry, "gflop"), gflop);
    let [q1, median, q3] = ["q1_ms", "median_ms", "q3_ms"].map(|name| number(&entry, name));
    assert!(0.0 < q1 && q1 <= median && median <= q3, "{entry}");
    assert!((number(&entry, "gflops") * median / 1e3 - gflop).abs() < 1e-9 * gflop, "{entry}");
    assert!(number(&entry, "cold_ms") > 0.0, "{entry}");
    assert_eq!(entry["device"]["backend"], "cpu");
    assert_eq!(entry["gpu_memory_bytes"], Value::Null);
    if cfg!(target_os = "linux") {
        assert!(number(&entry, "peak_memory_bytes") >= plan.activation_bytes() as f64, "{entry}");
    }
    for (name, value) in [("frames", 9), ("batch", 2), ("runs", 3), ("input_size", 32)] {
        assert_eq!(entry[name], value, "{entry}");
    }
    let stated = [&entry["version"], &entry["stream"], &entry["weights"]];
    assert_eq!(stated, [env!("CARGO_PKG_VERSION"), "rgb", "random weights, seed 0"]);
    assert_eq!(entry.get("layers"), None);
}

#[test]
fn every_layer_is_timed() {
    let sandbox = Sandbox::new();
    let plan = Plan::new(&network(Stream::Rgb, 400), 1, 9).expect("a plan");
    sandbox.i3d(&format!("bench {TINY} --per-layer --json bench.json")).ok();
    let entry: Value = serde_json::from_slice(&sandbox.read("bench.json")).expect("JSON");
    let layers = &entry["layers"];
    let launches = layers["launches"].as_array().expect("a list");
    let sum = |name: &str| launches.iter().map(|launch| number(launch, name)).sum::<f64>();
    assert_close(&[sum("gflop")], &[2.0 * plan.macs() as f64 / 1e9], 1e-9);
    assert!((sum("share") - 1.0).abs() < 1e-9 && sum("ms") > 0.0, "{layers}");
    assert_close(&[sum("ms")], &[number(layers, "sum_ms")], 1e-6);
    assert!(number(layers, "peak_gflops") > 0.0 && number(layers, "peak_gbytes_per_second") > 0.0);
    assert_eq!(layers["clock"], "host");
    for launch in launches {
        assert!(number(launch, "bytes") > 0.0 && number(launch, "roof_ms") > 0.0, "{launch}");
        let slow = number(launch, "roof_share") < 0.4 && number(launch, "share") > 0.05;
        assert_eq!(launch["slow"], slow, "{launch}");
    }
    let text = sandbox.i3d(&format!("bench {TINY} --per-layer")).ok().stdout;
    assert!(text.contains("\nmedian   ") && text.contains("\nConv3d_1a_7x7 "), "{text}");
}

#[test]
fn two_streams_give_two_entries() {
    let sandbox = Sandbox::with_weights();
    let command =
        "bench --rgb rgb.safetensors --flow flow.safetensors --frames 9 --device cpu --runs 1 --json -";
    let entries = sandbox.i3d(command).ok().json();
    let of = |index: usize, name: &str| entries[index][name].clone();
    assert_eq!([of(0, "stream"), of(1, "stream")], ["rgb", "flow"]);
    assert_eq!([of(0, "weights"), of(1, "weights")], ["rgb.safetensors", "flow.safetensors"]);
    assert!(number(&entries[0], "gflop") > number(&entries[1], "gflop"), "{entries}");
}

#[test]
fn other_programs_take_turns_on_the_same_weights_and_clip() {
    let sandbox = Sandbox::new();
    sandbox.i3d("bench --width 0.0625 --input-size 32 --save-weights rgb.safetensors").ok();
    sandbox.write("clip.npy", npy(9, 3));
    let mut command =
        sandbox.command("-q bench --rgb rgb.safetensors --turns clip.npy --per-layer --device cpu");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(b"\n\n").expect("it listens");
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("text");
    let answers: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(answers.len(), 2, "{text}");
    let result = sandbox.classify("clip.npy --rgb rgb.safetensors --json -").ok().json();
    for answer in &answers {
        assert!(number(answer, "ms") > 0.0);
        assert_eq!(answer["launches"][0][0], "Conv3d_1a_7x7");
        let found = answer["logits"].as_array().expect("a list").iter().filter_map(Value::as_f64);
        assert_close(&found.collect::<Vec<_>>(), &logits(&result, "rgb"), 1e-5);
    }
}

#[test]
fn options_that_make_no_sense_are_told() {
    let sandbox = Sandbox::with_weights();
    sandbox.i3d("bench --batch 0").fails(2, "the batch is empty: give at least one clip");
    sandbox.i3d("bench --width 0").fails(2, "width 0 is out of range: give a number in (0, 16]");
    sandbox.i3d("bench --flow rgb.safetensors --frames 9").fails_with(
        2,
        "rgb.safetensors",
        &["takes 3 channels, the flow stream has 2; give it as --rgb"],
    );
    sandbox.i3d("bench --runs 0").exits(2);
    sandbox.i3d("bench --frames 8").exits(2);
}

#[test]
fn tuning_keeps_what_it_chose() {
    let sandbox = Sandbox::new();
    let adapters = || sandbox.i3d("devices --json").exits(0).json()["adapters"].clone();
    let first = || adapters()[0].clone();
    // Whatever this machine has.
    if first().is_null() {
        return;
    }
    assert_eq!(first()["tuned"], false);
    let device = first()["name"].as_str().expect("a name").split(' ').next().expect("a word").to_string();
    let tiny = format!("--width 0.0625 --input-size 32 --frames 9 --device {device} --runs 1");
    let report = sandbox.i3d(&format!("bench --tune {tiny} --json -")).exits(0).json();
    let trials = report["trials"].as_array().expect("a list");
    assert!(trials.iter().any(|trial| trial["variants"] == report["chosen"]), "{report}");
    let times = |trial: &Value| ["seconds", "too_slow"].map(|name| trial["verdict"][name].as_f64());
    assert!(trials.iter().all(|trial| times(trial).into_iter().flatten().any(|time| time > 0.0)), "{report}");
    assert_eq!((&first()["tuned"], &first()["variants"]), (&true.into(), &report["chosen"]));
    // A second tuning begins with the table's choice again.
    let again = sandbox.i3d(&format!("bench --tune {tiny} --json again.json")).exits(0);
    assert!(again.stdout.starts_with("chosen   ") && again.stderr.contains(" ms  products "), "{again:?}");
    let again: Value = serde_json::from_slice(&sandbox.read("again.json")).expect("JSON");
    assert_eq!(again["trials"][0]["variants"], report["trials"][0]["variants"]);
    // What cannot be understood is told, and counts as absent.
    let kept = std::path::PathBuf::from(report["kept"].as_str().expect("a path"));
    std::fs::write(&kept, "{}").expect("it can be written");
    let run = sandbox.i3d("devices --json");
    assert!(run.stderr.contains("variants.json is no longer understood"), "{run:?}");
    assert_eq!(run.exits(0).json()["adapters"][0]["tuned"], false);
}

#[test]
fn there_is_nothing_to_tune_on_the_cpu() {
    let run = Sandbox::new().i3d("bench --tune --device cpu --threads 1").exits(2);
    let problem = "--tune compares GPU kernels, and this is ";
    let advice = "; name an adapter with --device, see `i3d devices`";
    let errors = run.errors();
    assert!(errors.iter().any(|e| e.starts_with(problem) && e.ends_with(advice)), "{errors:?}");
}
