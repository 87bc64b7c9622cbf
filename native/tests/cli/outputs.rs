//! Files to write, and standard output: found wanting before the work, whole or not there.

use std::process::Stdio;

use crate::fixtures::npy;
use crate::{Sandbox, files};

#[test]
fn paths_that_cannot_be_written_are_told_before_any_work() {
    // Nothing else exists, so whoever looked at the inputs or weights first would say something else.
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("folder")).expect("it is made");
    for command in [
        "classify a.mp4 --rgb r.safetensors --json",
        "dump a.mp4 --rgb r.safetensors --endpoint Logits -o",
        "convert r.safetensors",
    ] {
        sandbox
            .i3d(&format!("{command} nowhere/out"))
            .fails(2, "nowhere/out: cannot be written, because its folder does not exist; create that first");
        sandbox
            .i3d(&format!("{command} folder"))
            .fails(2, "folder: cannot be written, because it is a folder; give the name of a file");
    }
    assert_eq!(files(&sandbox.path("")), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_failure_leaves_an_older_file_as_it_was() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("out.json", "an older result");
    sandbox.classify("missing.mp4 --rgb rgb.safetensors --json out.json").exits(2);
    assert_eq!(sandbox.read("out.json"), b"an older result");
    sandbox.i3d("convert missing.pt new.safetensors").exits(2);
    assert!(!sandbox.path("new.safetensors").exists());
}

#[test]
#[cfg(unix)]
fn files_are_as_readable_as_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    sandbox.classify("a.npy --rgb rgb.safetensors --json out.json").ok();
    let mode = |name: &str| std::fs::metadata(sandbox.path(name)).expect("it exists").permissions().mode();
    assert_eq!(mode("out.json"), mode("a.npy"));
}

#[test]
#[cfg(unix)]
fn a_reader_that_goes_away_ends_the_program_without_a_word() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    for arguments in ["plan", "models list", "classify a.npy --device cpu --rgb rgb.safetensors --quiet"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let child =
            sandbox.command(arguments).stdout(writer).stderr(Stdio::piped()).spawn().expect("it starts");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments}");
        assert_eq!(output.status.code(), Some(0), "{arguments}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_behind_standard_output_is_told() {
    let sandbox = Sandbox::new();
    for arguments in ["plan", "models list"] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
        let child =
            sandbox.command(arguments).stdout(full).stderr(Stdio::piped()).spawn().expect("it starts");
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with("error: standard output: "), "{said}");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_ends_at_once_and_leaves_nothing() {
    use std::time::{Duration, Instant};
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4", 2000);
    let mut child =
        sandbox.command("flow a.mp4 -o a.npy").stderr(std::process::Stdio::null()).spawn().expect("starts");
    // The first flow makes the temporary file.
    let start = Instant::now();
    while !crate::files(&sandbox.path("")).iter().any(|p| crate::is_partial(p)) {
        assert!(start.elapsed() < Duration::from_secs(60), "no flow after a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    let killed = std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill runs");
    assert!(killed.success());
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    let left: Vec<_> = crate::files(&sandbox.path(""));
    assert_eq!(left, [sandbox.path("a.mp4")]);
}
