//! Models by name: none installed, some installed, damaged, and the random one.

use i3d::network::Stream;
use i3d::weights::Checkpoint;
use serde_json::{Value, json};

use crate::fixtures::{npy, safetensors};
use crate::{Sandbox, logits};

/// Puts a small network where a pull would have put the real one.
pub fn install(sandbox: &Sandbox, model: &str, stream: Stream) {
    let weights = safetensors(stream, 5);
    let sha256 = Checkpoint::from_bytes("", &weights).expect("a checkpoint").sha256;
    let (size, nothing) = (weights.len(), "");
    let record =
        json!({ "url": nothing, "blob": nothing, "sha256": sha256, "size": size, "version": nothing });
    sandbox.write(&format!("cache/i3d/models/{model}/{stream}.safetensors"), weights);
    sandbox.write(&format!("cache/i3d/models/{model}/{stream}.source.json"), record.to_string());
}

#[test]
fn an_empty_cache() {
    let sandbox = Sandbox::new();
    let list = sandbox.i3d("models list").ok().stdout;
    assert!(list.lines().any(|line| line.starts_with("kinetics-400 ")), "{list}");
    let verify = sandbox.i3d("models verify").ok();
    assert_eq!(verify.stdout, "");
    assert!(verify.stderr.contains("no model is installed; see `i3d models list`"), "{verify:?}");
    let missing = "kinetics-400 is not on this machine; fetch it with `i3d models pull kinetics-400`";
    for command in ["path", "verify", "remove"] {
        sandbox.i3d(&format!("models {command} kinetics-400")).fails(2, missing);
        let unknown = sandbox.i3d(&format!("models {command} kinetics"));
        unknown.fails_with(2, "there is no model called \"kinetics\"", &["choose one of kinetics-400, "]);
    }
    assert!(!sandbox.path("cache").exists(), "looking creates nothing");
}

#[test]
fn an_installed_model_is_listed_found_verified_and_removed() {
    let sandbox = Sandbox::new();
    install(&sandbox, "kinetics-400", Stream::Rgb);
    install(&sandbox, "kinetics-400", Stream::Flow);
    let list = sandbox.i3d("models list").ok().stdout;
    assert!(list.lines().any(|line| line.starts_with("kinetics-400 ") && line.contains(" MiB ")), "{list}");
    let paths = sandbox.i3d("models path kinetics-400").ok().stdout;
    let names = ["rgb.safetensors", "flow.safetensors"];
    assert!(paths.lines().zip(names).all(|(line, name)| line.ends_with(name)), "{paths}");
    assert!(paths.lines().all(|line| std::path::Path::new(line).is_file()), "{paths}");
    assert_eq!(sandbox.i3d("models verify").ok().stdout.matches("  ok\n").count(), 2);

    let flow = "cache/i3d/models/kinetics-400/flow.safetensors";
    let mut weights = sandbox.read(flow);
    *weights.last_mut().expect("a byte") ^= 1;
    sandbox.write(flow, weights);
    let verify = sandbox.i3d("models verify kinetics-400").exits(1);
    let damaged = verify.stdout.lines().nth(1).unwrap_or_default();
    assert!(damaged.contains("flow  damaged: expected SHA-256"), "{verify:?}");
    let repair = "repair it with `i3d models pull kinetics-400 --streams flow`";
    assert!(damaged.ends_with(repair), "{verify:?}");

    let removed = sandbox.i3d("models remove kinetics-400").ok();
    assert!(removed.stderr.starts_with("kinetics-400: removed, 0."), "{removed:?}");
    assert!(!sandbox.path(flow).exists());
}

#[test]
fn a_model_by_name_loads_the_streams_that_the_inputs_need() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("rgb.npy", npy(9, 3));
    sandbox.write("flow.npy", npy(9, 2));
    // This one was released without a flow network.
    install(&sandbox, "kinetics-600", Stream::Rgb);
    let result = sandbox.classify("rgb.npy --model kinetics-600 --json -").ok().json();
    assert_eq!(result["model"]["name"], "kinetics-600");
    let by_path = sandbox.classify("rgb.npy --rgb rgb.safetensors --json -").ok().json();
    assert_eq!(logits(&result, "rgb"), logits(&by_path, "rgb"));
    let none = "kinetics-600 has no flow stream; none was released";
    sandbox.classify("flow.npy --model kinetics-600").fails(2, none);

    // The default model, both streams of it.
    install(&sandbox, "kinetics-400", Stream::Rgb);
    sandbox.video("a.mp4", 10);
    let result = sandbox.classify("a.mp4 rgb.npy --json -").ok().json();
    assert_eq!(
        (&result[0]["model"]["name"], &result[1]["model"]["flow"]),
        (&"kinetics-400".into(), &Value::Null)
    );
    let advice = "the flow stream of kinetics-400 is not on this machine; fetch it with `i3d models pull kinetics-400 --streams flow`";
    sandbox.classify("flow.npy").fails(2, advice);
    sandbox.classify("a.mp4 --streams both").fails(2, advice);
    sandbox.classify("flow.npy --flow kinetics-400").fails(2, advice);
    assert_eq!(sandbox.i3d("models path kinetics-400").ok().stdout.lines().count(), 1);
    assert_eq!(sandbox.i3d("models verify kinetics-400").ok().stdout.lines().count(), 1);
    let list = sandbox.i3d("models list").ok().stdout;
    assert!(
        list.lines().any(|line| line.starts_with("kinetics-400 ") && line.contains("rgb only")),
        "{list}"
    );
    install(&sandbox, "kinetics-400", Stream::Flow);
    let result = sandbox.classify("rgb.npy flow.npy --json -").ok().json();
    assert_eq!((logits(&result[0], "rgb").len(), logits(&result[1], "flow").len()), (5, 5));
    let result = sandbox.classify("--rgb-clip rgb.npy --flow-clip flow.npy --json -").ok().json();
    assert_eq!(result["fused"]["logits"].as_array().map(Vec::len), Some(5));
    sandbox.i3d("dump flow.npy --device cpu --endpoint Logits -o x.npy").ok();
    // A video now runs through both, unless somebody says otherwise.
    let result = sandbox.classify("a.mp4 --json -").ok().json();
    assert_eq!(result["fused"]["logits"].as_array().map(Vec::len), Some(5));
    let result = sandbox.classify("a.mp4 --streams rgb --json -").ok().json();
    assert_eq!(result["fused"], Value::Null);
}

#[test]
fn the_demo_model_knows_the_samples_where_nothing_is_installed() {
    let sandbox = Sandbox::new();
    for action in SAMPLES {
        let name = format!("{}.gif", action.replace(' ', "_"));
        let path = format!("{}/../samples/{name}", env!("CARGO_MANIFEST_DIR"));
        let film = std::fs::read(&path).expect("the sample is there");
        assert!(film.len() <= 300_000, "{name}: {} bytes", film.len());
        sandbox.write(&name, film);
        let run = sandbox.classify(&format!("{name} --json -")).ok();
        assert!(run.stderr.contains("this is the demo model, which knows 16 drawn actions"), "{run:?}");
        let result = run.json();
        assert_eq!(result["top"][0]["label"], action, "{result}");
        assert_eq!(result["model"]["name"], "demo");
        assert_eq!(result["fused"]["logits"].as_array().map(Vec::len), Some(16));
    }
    // By its name it needs no remark.
    let run = sandbox.classify("jumping_jacks.gif --model demo --streams flow --json -").ok();
    assert!(!run.stderr.contains("no model is installed"), "{run:?}");
    sandbox.i3d("dump jumping_jacks.gif --device cpu --endpoint Logits -o x.npy").ok();
    let list = sandbox.i3d("models list").ok().stdout;
    assert!(list.lines().any(|line| line.starts_with("demo ") && line.contains("16 classes")), "{list}");
    let part = "demo is part of this program: it is always here, and there is no file to fetch or to remove";
    for command in ["pull", "path", "verify", "remove"] {
        sandbox.i3d(&format!("models {command} demo")).fails(2, part);
    }
}

/// What the clips in `samples/` show.
const SAMPLES: [&str; 3] = ["opening a door", "taking off a hat", "jumping jacks"];

#[test]
fn random_weights_run_and_warn() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4", 9);
    let run = sandbox.classify("a.mp4 --model random --json -").ok();
    assert!(run.stderr.starts_with("warning: the weights are random (--model random)"), "{run:?}");
    let result = run.json();
    assert_eq!(result["model"]["rgb"]["source"], "random weights, seed 0");
    assert_eq!(logits(&result, "rgb").len(), 400);
    assert!(result["top"][0]["label"].as_str().is_some_and(|label| !label.starts_with("class ")), "{result}");
}
