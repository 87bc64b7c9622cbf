//! Several inputs, some of them bad.

use serde_json::Value;

use crate::Sandbox;
use crate::fixtures::npy;

#[test]
fn one_bad_input_stops_no_other_and_is_listed_at_the_end() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    sandbox.write("b.npy", "words");
    sandbox.write("c.npy", npy(10, 3));
    sandbox.video("whole.mkv", 60);
    let whole = sandbox.read("whole.mkv");
    sandbox.write("d.mkv", &whole[..whole.len() / 2]);
    let run = sandbox.classify("a.npy b.npy d.mkv c.npy --rgb rgb.safetensors --json out.json").exits(1);
    let shown: Vec<&str> = run.stdout.lines().filter(|line| !line.starts_with(' ')).collect();
    assert!(matches!(shown[..], ["a.npy", d, "c.npy"] if d.starts_with("d.mkv  (")), "{run:?}");
    let errors = run.errors();
    assert_eq!(errors.len(), 3, "each once, then the list: {run:?}");
    assert!(errors[0].starts_with("b.npy: this is no .npy file"), "{run:?}");
    assert!(errors[1].starts_with("d.mkv: the video breaks after"), "{run:?}");
    assert_eq!(errors[2], "2 of 4 inputs failed:");
    let list = run.stderr.lines().skip_while(|line| !line.ends_with("inputs failed:")).skip(1);
    assert_eq!(
        list.collect::<Vec<_>>(),
        ["  b.npy (not classified)", "  d.mkv (classified up to the break)"]
    );
    let result: Value = serde_json::from_slice(&sandbox.read("out.json")).expect("JSON");
    assert_eq!(result.as_array().map(Vec::len), Some(4));
    assert_eq!((&result[1]["input"], &result[1]["error"]["code"]), (&"b.npy".into(), &"clip".into()));
    assert_eq!(result[1]["error"]["message"], errors[0]);
    assert_eq!((&result[0]["error"], &result[2]["error"]["code"]), (&Value::Null, &"video".into()));

    let quiet = sandbox.classify("a.npy b.npy --rgb rgb.safetensors --quiet").exits(1);
    assert_eq!(quiet.stderr.lines().count(), 3, "errors are said also when quiet: {quiet:?}");
}

#[test]
fn all_bad() {
    let sandbox = Sandbox::with_weights();
    let run = sandbox.classify("x.mp4 y.npy --rgb rgb.safetensors --json -").exits(1);
    assert_eq!(
        run.errors(),
        [
            "x.mp4: there is no such file or folder; check the name",
            "y.npy: there is no such file or folder; check the name",
            "2 of 2 inputs failed:"
        ]
    );
    let result = run.json();
    assert_eq!((&result[0]["input"], &result[1]["input"]), (&"x.mp4".into(), &"y.npy".into()));
    assert_eq!(result[0]["error"]["code"], "io");
}

#[test]
fn numbers_out_of_range_are_told_before_any_work() {
    let sandbox = Sandbox::new();
    for command in ["classify a.mp4", "dump a.mp4 --endpoint Logits -o x.npy", "compare a.mp4"] {
        for (frames, said) in [
            ("0", "the network needs at least 9 frames"),
            ("5", "the network needs at least 9 frames"),
            ("many", "give a number of frames, at least 9"),
        ] {
            let run = sandbox.i3d(&format!("{command} --frames {frames}")).exits(2);
            let expected = format!("invalid value '{frames}' for '--frames <N>': {said}, or `all`");
            assert_eq!(run.errors(), [expected], "{command}");
        }
    }
    for threads in ["100000", "-1", "all"] {
        let run = sandbox.i3d(&format!("classify a.mp4 --threads={threads}")).exits(2);
        assert!(run.errors()[0].ends_with(": give a number of threads, at most 1024"), "{run:?}");
    }
    for (fps, said) in [("0", "out of range"), ("fast", "or `native`"), ("-5", "")] {
        let run = sandbox.classify(&format!("a.mp4 --fps {fps}")).exits(2);
        assert!(run.errors()[0].contains(said), "{run:?}");
    }
}
