//! Which device runs, and what happens where there is none.

use crate::fixtures::npy;
use crate::{Run, Sandbox};

/// Runs with every adapter out of sight.
pub fn without_adapters(sandbox: &Sandbox, arguments: &str) -> Run {
    let mut command = sandbox.command(arguments);
    // An unknown backend's name leaves none to look at; the loader finds no driver either.
    command
        .env("WGPU_BACKEND", "none")
        .env("VK_DRIVER_FILES", "/dev/null")
        .env("VK_ICD_FILENAMES", "/dev/null");
    sandbox.finish(&mut command)
}

#[test]
fn a_device_that_is_not_there_is_told_with_what_was_found() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    let classify = |device: &str| {
        without_adapters(&sandbox, &format!("classify a.npy --rgb rgb.safetensors --device {device}"))
    };
    let advice = "no adapter at all was found; try --device cpu, or see `i3d devices`";
    classify("gpu").fails(3, &format!("there is no hardware GPU here; {advice}"));
    classify("radeon").fails(3, &format!("no adapter is called \"radeon\"; {advice}"));
    without_adapters(&sandbox, "plan --device gpu")
        .fails(3, &format!("there is no hardware GPU here; {advice}"));
    let run = classify("auto").exits(0);
    assert!(run.stderr.contains("running on ") && run.stderr.contains("(cpu)"), "{run:?}");
    sandbox.i3d("classify a.npy --rgb rgb.safetensors --device NoSuchCard").exits(3);
}

#[test]
fn devices_are_listed_as_text_and_as_json() {
    let sandbox = Sandbox::new();
    let text = without_adapters(&sandbox, "devices").ok().stdout;
    assert!(text.starts_with("auto chooses  ") && text.contains("--device cpu  "), "{text}");
    assert!(text.ends_with("no GPU adapter was found; i3d runs on the CPU\n"), "{text}");
    let json = without_adapters(&sandbox, "devices --json").ok().json();
    assert_eq!((&json["auto"]["backend"], &json["cpu"]["backend"]), (&"cpu".into(), &"cpu".into()));
    assert_eq!(json["adapters"], serde_json::json!([]));
    // Whatever this machine has.
    let json = sandbox.i3d("devices --json").exits(0).json();
    for adapter in json["adapters"].as_array().expect("a list") {
        assert!(adapter["max_binding_bytes"].as_u64().is_some_and(|bytes| bytes >= 128 << 20), "{adapter}");
        let name = adapter["name"].as_str().expect("a name");
        assert!(sandbox.i3d("devices").exits(0).stdout.contains(name), "{name}");
    }
    let hardware = |a: &serde_json::Value| a["kind"] != "software" && a["kind"] != "other";
    if !json["adapters"].as_array().expect("a list").iter().any(hardware) {
        sandbox.write("a.npy", npy(9, 3));
        let run = sandbox.i3d("classify a.npy --model random --device gpu").exits(3);
        let errors = run.errors();
        assert!(errors.last().is_some_and(|e| e.starts_with("there is no hardware GPU here; ")), "{run:?}");
        for adapter in json["adapters"].as_array().expect("a list") {
            assert!(errors.iter().any(|e| e.contains(adapter["name"].as_str().expect("a name"))), "{run:?}");
        }
    }
}
