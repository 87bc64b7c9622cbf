//! A machine without any model: who is asked, who is told, and what the demo model may answer.

use i3d::network::Stream;

use crate::fixtures::npy;
use crate::models::install;
use crate::{Run, Sandbox};

const NONE: &str = "no model is installed; run `i3d models pull kinetics-400` once (102 MB), or give --rgb PATH; `--model demo` knows \
                    16 drawn actions and nothing of the world";

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

fn sample(sandbox: &Sandbox, name: &str) {
    let path = format!("{}/../samples/opening_a_door.gif", env!("CARGO_MANIFEST_DIR"));
    sandbox.write(name, std::fs::read(path).expect("the sample is there"));
}

#[test]
fn without_a_terminal_it_fails_with_the_command_to_run() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4", 10);
    sandbox.write("rgb.npy", npy(9, 3));
    for command in
        ["classify a.mp4", "classify rgb.npy", "dump a.mp4 --endpoint Logits -o x.npy", "compare a.mp4"]
    {
        sandbox.i3d(command).fails(2, NONE);
    }
    sample(&sandbox, "door.gif");
    sandbox.i3d("classify door.gif a.mp4").fails(2, NONE);
    // One changed byte, and it is somebody's video.
    let mut changed = sandbox.read("door.gif");
    *changed.last_mut().expect("a byte") ^= 1;
    sandbox.write("changed.gif", changed);
    sandbox.i3d("classify changed.gif").fails(2, NONE);
    sandbox.classify("door.gif --streams rgb").ok();
    sandbox.classify("a.mp4 --model demo --streams rgb").ok();
    assert!(!sandbox.path("cache/i3d/models").exists());
    // What is not there is told first.
    let missing = "none.mp4: there is no such file or folder; check the name";
    sandbox.i3d("classify none.mp4").fails(2, missing);
}

#[test]
fn the_variable_names_the_model() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4", 10);
    let with = |value: &str, arguments: &str| -> Run {
        sandbox.finish(sandbox.command(&format!("{arguments} --device cpu")).env("I3D_MODEL", value))
    };
    let result = with("demo", "classify a.mp4 --streams rgb --json -").ok().json();
    assert_eq!(result["model"]["name"], "demo");
    with("", "classify a.mp4").fails(2, NONE);
    with("tennis", "classify a.mp4").fails_with(2, "there is no model called \"tennis\"", &["choose one of"]);
    let result = with("tennis", "classify a.mp4 --model demo --streams rgb --json -").ok().json();
    assert_eq!(result["model"]["name"], "demo");
}

#[test]
fn yes_fetches_and_offline_never_does() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4", 10);
    let run = sandbox.finish(sandbox.command("classify a.mp4 --yes").env("I3D_MODELS_URL", NOWHERE)).exits(2);
    assert!(run.errors()[0].contains("no answer"), "{run:?}");
    let offline = sandbox.finish(
        sandbox.command("classify a.mp4 --yes").env("I3D_MODELS_URL", NOWHERE).env("I3D_OFFLINE", "1"),
    );
    offline.fails(2, NONE);
}

/// The program on a terminal, where somebody types; what it shows.
#[cfg(target_os = "linux")]
fn at_a_terminal(sandbox: &Sandbox, arguments: &str, typed: &str, offline: &str) -> (Option<i32>, String) {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let program = format!("{} {arguments}", env!("CARGO_BIN_EXE_i3d"));
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &program, "/dev/null"])
        .current_dir(sandbox.path(""))
        .env("I3D_CACHE", sandbox.path("cache"))
        .env("I3D_MODELS_URL", NOWHERE)
        .env("I3D_OFFLINE", offline)
        .env_remove("I3D_MODEL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tests need script, of util-linux");
    let mut keyboard = child.stdin.take().expect("it is piped");
    keyboard.write_all(typed.as_bytes()).expect("it is read");
    // Whoever types does not leave before the answer.
    let output = child.wait_with_output().expect("it ends");
    drop(keyboard);
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(target_os = "linux")]
#[test]
fn at_a_terminal_somebody_is_asked() {
    const QUESTION: &str = "No model is installed. Fetch Kinetics-400 (102 MB, once)? [Y/n]";
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4", 10);
    for no in ["n\n", "No\n", "what\nn\n", "\u{4}"] {
        let (code, shown) = at_a_terminal(&sandbox, "classify a.mp4", no, "");
        assert!(shown.contains(QUESTION) && shown.contains("no model is installed; run"), "{shown}");
        assert_eq!((code, shown.contains("answer y or n")), (Some(2), no.starts_with('w')), "{shown}");
    }
    // Enter agrees, and the download is tried.
    for yes in ["\n", "YES\n"] {
        let (code, shown) = at_a_terminal(&sandbox, "classify a.mp4", yes, "");
        assert!(shown.contains(QUESTION) && shown.contains("127.0.0.1:9"), "{shown}");
        assert_eq!(code, Some(2));
    }
    for (arguments, offline) in [("classify a.mp4", "1"), ("classify a.mp4 --quiet", "")] {
        let (code, shown) = at_a_terminal(&sandbox, arguments, "\n", offline);
        assert!(!shown.contains(QUESTION) && shown.contains("no model is installed; run"), "{shown}");
        assert_eq!(code, Some(2));
    }
}

#[test]
fn the_only_model_that_is_installed_runs() {
    let sandbox = Sandbox::new();
    sandbox.write("rgb.npy", npy(9, 3));
    install(&sandbox, "kinetics-600", Stream::Rgb);
    let run = sandbox.classify("rgb.npy --json -").ok();
    assert!(run.stderr.contains("the model is kinetics-600, the only one that is installed"), "{run:?}");
    assert_eq!(run.json()["model"]["name"], "kinetics-600");
    install(&sandbox, "charades", Stream::Rgb);
    let several = "several models are installed; choose one with --model: kinetics-600, charades";
    sandbox.classify("rgb.npy").fails(2, several);
    install(&sandbox, "kinetics-400", Stream::Rgb);
    assert_eq!(sandbox.classify("rgb.npy --json -").ok().json()["model"]["name"], "kinetics-400");
}
