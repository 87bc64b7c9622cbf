//! `i3d selftest` without the released models: what it says, and that it never calls that a success. Its comparisons are
//! tested beside them, in `native/src/selftest/`.

use i3d::network::Stream;
use serde_json::Value;

use crate::Sandbox;
use crate::models::install;

#[test]
fn nothing_pulled_is_nothing_checked() {
    let sandbox = Sandbox::new();
    let run = sandbox.i3d("selftest --device cpu").exits(1);
    let advice = "nothing could be checked; run `i3d models pull kinetics-400` and `i3d selftest --pull`";
    assert_eq!(run.errors(), [advice]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 8, "{run:?}");
    assert!(lines.iter().all(|line| line.starts_with("not checked  kinetics-")), "{run:?}");
    for (line, what, model) in [
        (0, "rgb", "kinetics-400"),
        (2, "joint", "kinetics-400"),
        (6, "fvd", "kinetics-400-scratch"),
        (7, "rgb", "kinetics-600"),
    ] {
        let words = format!("{model:<20} {what:<5}  not pulled: run `i3d models pull {model}`");
        assert!(lines[line].ends_with(&words), "{:?} is not about {words:?}", lines[line]);
    }
    assert!(!sandbox.path("cache").join("i3d/models").exists(), "looking creates nothing");
}

#[test]
fn other_weights_under_a_released_name_are_wrong() {
    let sandbox = Sandbox::new();
    install(&sandbox, "kinetics-400-scratch", Stream::Rgb);
    let run = sandbox.i3d("selftest --device cpu --json -").exits(1);
    let document = run.json();
    assert_eq!(document["device"]["backend"], "cpu");
    let checks = document["checks"].as_array().expect("a list");
    let of = |model: &str, what: &str| -> &Value {
        let found = checks.iter().find(|check| check["model"] == model && check["what"] == what);
        found.unwrap_or_else(|| panic!("no check of {model} {what}"))
    };
    let fvd = of("kinetics-400-scratch", "fvd");
    assert_eq!(fvd["status"], "wrong");
    assert!(fvd["difference"].as_f64().is_some_and(|off| off > 0.5), "{fvd}");
    assert!(
        fvd["detail"].as_str().is_some_and(|text| text.contains("off for 21 of 21 lengths: 10 frames")),
        "{fvd}"
    );
    let rgb = of("kinetics-400-scratch", "rgb");
    assert_eq!((&rgb["status"], &rgb["difference"]), (&"not-checked".into(), &Value::Null));
    assert_eq!(rgb["detail"], "the sample clip is not here: run `i3d selftest --pull`");
    // The same to a file, and as text.
    let run = sandbox.i3d("selftest --device cpu --json checks.json --threads 1").exits(1);
    assert!(
        run.stdout.lines().any(|line| line.starts_with("wrong        kinetics-400-scratch fvd")),
        "{run:?}"
    );
    let written: Value = serde_json::from_slice(&sandbox.read("checks.json")).expect("JSON");
    assert_eq!(written["checks"], document["checks"]);
}

#[test]
fn one_stream_alone_lacks_the_checks_of_the_other() {
    let sandbox = Sandbox::new();
    install(&sandbox, "kinetics-600", Stream::Rgb);
    install(&sandbox, "kinetics-400", Stream::Flow);
    let run = sandbox.i3d("selftest --device cpu --model kinetics-400").exits(1);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{run:?}");
    let advice = "no rgb stream is here: run `i3d models pull kinetics-400 --streams rgb`";
    assert!(lines[0].ends_with(advice) && lines[2].ends_with(advice), "{run:?}");
    assert!(lines[1].ends_with("the sample clip is not here: run `i3d selftest --pull`"), "{run:?}");
    let run = sandbox.i3d("selftest --device cpu --model kinetics-400 --streams flow").exits(1);
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
    for (arguments, sentence) in [
        ("--model charades", "nothing was published for that model and these streams; choose others"),
        (
            "--model kinetics-600 --streams flow",
            "nothing was published for that model and these streams; choose others",
        ),
    ] {
        sandbox.i3d(&format!("selftest --device cpu {arguments}")).fails(2, sentence);
    }
}

#[test]
fn bad_input() {
    let sandbox = Sandbox::new();
    sandbox
        .i3d("selftest --device cpu --json missing/x.json")
        .fails(2, "missing/x.json: cannot be written, because its folder does not exist; create that first");
    sandbox.i3d("selftest --device nosuchgpu").exits(3);
    // A sample that somebody else put there.
    let clip = "cache/i3d/models/samples/v_CricketShot_g04_c01_flow.npy";
    sandbox.write(clip, crate::fixtures::npy(9, 2));
    let run = sandbox.i3d("selftest --device cpu").exits(2);
    let [error] = run.errors()[..] else { panic!("{run:?}") };
    assert!(error.contains("v_CricketShot_g04_c01_flow.npy: expected git blob ee00e78e"), "{error}");
    assert!(error.ends_with("fetch it again with `i3d selftest --pull`"), "{error}");
}
