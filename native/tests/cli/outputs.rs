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

#[test]
fn names_that_no_file_can_have_are_told_before_any_work() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    let long = "x".repeat(300);
    for command in ["classify missing.mp4 --json", "convert missing.pt", "flow missing.mp4 -o"] {
        // A folder for flow, which has no ending.
        let ending = if command.starts_with("flow") { ".npy" } else { "" };
        let run = sandbox.i3d(&format!("{command} {long}{ending}")).exits(2);
        assert!(
            matches!(run.errors()[..], [error] if error.starts_with("xxx") && error.contains("cannot be written, because ")),
            "{run:?}"
        );
        let run = sandbox.i3d(&format!("{command} a.npy/x{ending}")).exits(2);
        assert!(run.errors()[0].starts_with("a.npy/x"), "{run:?}");
    }
    sandbox.i3d("classify missing.mp4 --json out/").fails(
        2,
        "out/: cannot be written, because its name ends as that of a folder does; give the name of a file",
    );
    let run = sandbox.i3d(&format!("flow missing.mp4 -o {long}")).exits(2);
    assert!(run.errors()[0].starts_with("xxx"), "{run:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn names_may_be_any_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::with_weights();
    sandbox.gif("a.gif", 4);
    let name = |bytes: &'static [u8]| std::ffi::OsStr::from_bytes(bytes);
    std::fs::create_dir(sandbox.path("").join(name(b"f\xff"))).expect("a folder");
    for (command, output) in [
        ("classify a.gif --device cpu --rgb rgb.safetensors --json", name(b"f\xff/\xfe.json")),
        ("convert rgb.safetensors", name(b"f\xff/\xfe")),
        ("flow a.gif --short-side 32 -o", name(b"\xfe.npy")),
        ("flow a.gif --short-side 32 -o", name(b"\xfe.gif")),
        ("flow a.gif --short-side 32 -o", name(b"\xfe.mp4")),
        ("flow a.gif --short-side 32 -o", name(b"\xfe")),
    ] {
        sandbox.finish(sandbox.command(command).arg(output)).ok();
        assert!(sandbox.path("").join(output).exists(), "{command} {output:?}");
    }
    // Also where videos have such names, and a run writes about them.
    crate::train::clips(&sandbox, 2);
    let odd = sandbox.path("clips/rising").join(name(b"\xff.gif"));
    std::fs::copy(sandbox.path("clips/rising/00.gif"), odd).expect("copied");
    let train = "train clips --steps 1 --width 0.0625 --input-size 32 --frames 9 --batch 2 --device cpu -o";
    sandbox.finish(sandbox.command(train).arg(name(b"run\xff"))).ok();
}

/// The program as a user of whom the system knows nothing, not even a home. None where that cannot be.
#[cfg(target_os = "linux")]
fn as_nobody(sandbox: &Sandbox, arguments: &str) -> Option<crate::Run> {
    use std::os::unix::process::CommandExt;
    let mut command = sandbox.command(arguments);
    command.env_remove("HOME").env_remove("I3D_CACHE").env_remove("XDG_CACHE_HOME");
    command.uid(54_321).gid(54_321);
    if let Err(error) = command.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        eprintln!(
            "skipped: the program cannot be run as somebody else ({error}); that takes the rights of root"
        );
        return None;
    }
    Some(sandbox.finish(command.stdout(Stdio::piped()).stderr(Stdio::piped())))
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_home_or_a_cache_everything_else_works() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    crate::train::clips(&sandbox, 2);
    let train = "train clips --steps 1 --width 0.0625 --input-size 32 --frames 9 --batch 2 --device cpu";
    let eval = "eval --dataset folder --data clips --rgb run/model.safetensors --frames 9 --device cpu";
    // A file where the cache should be.
    sandbox.write("file", "");
    let broken =
        |arguments: &str| sandbox.finish(sandbox.command(arguments).env("I3D_CACHE", sandbox.path("file")));
    let run = broken(&format!("{train} -o run")).ok();
    assert!(
        run.stderr.contains("/file/i3d/footage: ") && run.stderr.contains("so clips are not kept"),
        "{run:?}"
    );
    broken(&format!("{eval} -o out")).ok();
    broken("classify a.npy --device cpu --rgb rgb.safetensors").ok();
    let pull = broken("models pull kinetics-400").exits(2);
    assert!(pull.errors()[0].contains("/file/i3d/models/kinetics-400"), "{pull:?}");
    // Somebody without a home.
    std::fs::set_permissions(sandbox.path(""), PermissionsExt::from_mode(0o777)).expect("its owner may");
    std::fs::remove_dir_all(sandbox.path("run")).expect("it is there");
    std::fs::remove_dir_all(sandbox.path("out")).expect("it is there");
    let Some(run) = as_nobody(&sandbox, "classify a.npy --device cpu --rgb rgb.safetensors --json out.json")
    else {
        return;
    };
    run.ok();
    as_nobody(&sandbox, &format!("{train} -o run")).expect("as before").exits(2);
    let Some(list) = as_nobody(&sandbox, "models list") else { return };
    let list = list.exits(2);
    assert!(
        list.errors()[0].starts_with("no cache folder (")
            && list.errors()[0].ends_with("; name one with I3D_CACHE")
    );
    // Folders that are somebody else's.
    std::fs::create_dir(sandbox.path("theirs")).expect("a folder");
    let said = "cannot be written, because its folder is write-protected; choose another";
    for (command, output) in [
        ("classify missing.mp4 --json", "theirs/x"),
        ("convert missing.pt", "theirs/x"),
        ("flow missing.mp4 -o", "theirs/x.npy"),
        ("flow missing.mp4 -o", "theirs/x"),
        ("synth", "theirs/x"),
    ] {
        let run = as_nobody(&sandbox, &format!("{command} {output}")).expect("as before");
        run.fails(2, &format!("{output}: {said}"));
    }
    let train = as_nobody(&sandbox, &format!("{train} -o theirs/run")).expect("as before").exits(2);
    assert!(
        train.errors()[0].starts_with("theirs/run: cannot be written, because Permission denied"),
        "{train:?}"
    );
}

#[cfg(unix)]
fn signal(child: &std::process::Child, signal: &str) {
    let kill = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_ends_at_once_and_leaves_nothing() {
    use std::time::{Duration, Instant};
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4", 2000);
    for (name, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        for output in ["a.npy", "a.gif", "a.mp4.mp4", "folder"] {
            let mut child = sandbox.command(&format!("flow a.mp4 -o {output}"));
            let mut child = child.stderr(Stdio::piped()).spawn().expect("starts");
            // The first flow makes the temporary file.
            let begun = || {
                let entries = std::fs::read_dir(sandbox.path("")).expect("it is read").flatten();
                let partial = entries.map(|entry| entry.path()).find(|path| crate::is_partial(path));
                partial.is_some_and(|path| match path.is_dir() {
                    true => path.join("flow_x_00001.jpg").exists(),
                    false => path.metadata().is_ok_and(|file| file.len() > 0) || output.ends_with("mp4"),
                })
            };
            let start = Instant::now();
            while !begun() {
                assert!(start.elapsed() < Duration::from_secs(60), "no flow after a minute");
                std::thread::sleep(Duration::from_millis(20));
            }
            signal(&child, name);
            assert_eq!(child.wait().expect("it ends").code(), Some(code), "{output}");
            let mut said = String::new();
            let mut stderr = child.stderr.take().expect("it is piped");
            std::io::Read::read_to_string(&mut stderr, &mut said).expect("text");
            assert_eq!(said, "", "{name} {output}");
            let left: Vec<_> = crate::files(&sandbox.path(""));
            assert_eq!(left, [sandbox.path("a.mp4")], "{name} {output}");
            let _ = std::fs::remove_dir(sandbox.path("folder"));
        }
    }
}

/// Whoever starts a program with `nohup` wants it to outlive the terminal.
#[cfg(unix)]
#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4", 60);
    let script =
        format!("trap '' HUP INT; exec {} flow a.mp4 -o a.npy --short-side 48", env!("CARGO_BIN_EXE_i3d"));
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script]).current_dir(sandbox.path("")).env("I3D_CACHE", sandbox.path("cache"));
    let mut child = shell.stderr(Stdio::null()).spawn().expect("starts");
    while child.try_wait().expect("it can be asked").is_none() {
        for name in ["-HUP", "-INT"] {
            let mut kill = std::process::Command::new("kill");
            // It may have ended in between.
            let _ = kill.args([name, &child.id().to_string()]).stderr(Stdio::null()).status();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(child.wait().expect("it ends").success());
    assert!(sandbox.read("a.npy").len() > 1000);
}
