//! Outputs that are no files of their own: devices, pipes, standard output by all its names, and links.
#![cfg(unix)]

use std::fs::File;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::fixtures::npy;
use crate::{Run, Sandbox};

/// Small networks, a clip and a moving picture.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    sandbox.gif("a.gif", 4);
    sandbox
}

/// A character device like one of Linux's, in the sandbox: a program that replaces it must not meet the real one. False
/// where the system does not allow that.
fn device(sandbox: &Sandbox, name: &str, minor: &str) -> bool {
    let made = Command::new("mknod").arg(sandbox.path(name)).args(["c", "1", minor]).output();
    let made = made.is_ok_and(|output| output.status.success());
    let usable = made && File::options().write(true).open(sandbox.path(name)).is_ok();
    if !usable {
        eprintln!("skipped: device nodes can be neither made nor opened here; that takes the rights of root");
    }
    usable
}

fn is_device(sandbox: &Sandbox, name: &str) -> bool {
    let found = std::fs::symlink_metadata(sandbox.path(name)).expect("it is there");
    found.file_type().is_char_device()
}

/// Every command with an output, up to its name.
const COMMANDS: [&str; 9] = [
    "classify a.npy --device cpu --rgb rgb.safetensors --json",
    "classify a.npy --device cpu --rgb rgb.safetensors --csv",
    "classify a.npy --device cpu --rgb rgb.safetensors --timeline --window 9 --step 9 --srt",
    "classify a.npy --device cpu --rgb rgb.safetensors --timeline --window 9 --step 9 --vtt",
    "convert rgb.safetensors",
    "dump a.npy --device cpu --rgb rgb.safetensors --endpoint Logits -o",
    "flow a.gif --short-side 32 -o",
    "bench --device cpu --width 0.0625 --input-size 32 --frames 9 --runs 1 --json",
    "bench --width 0.0625 --input-size 32 --save-weights",
];

#[test]
fn a_device_is_written_to_as_it_is() {
    let sandbox = sandbox();
    if !device(&sandbox, "null", "3") {
        return;
    }
    symlink("null", sandbox.path("link")).expect("a link");
    for command in COMMANDS {
        for name in ["null", "link"] {
            sandbox.i3d(&format!("{command} {name}")).ok();
            assert!(is_device(&sandbox, "null"), "{command} {name}");
        }
    }
    let link = std::fs::symlink_metadata(sandbox.path("link")).expect("it is there");
    assert!(link.is_symlink());
    // Nothing is lost by writing twice to where nothing is kept.
    sandbox.classify("a.npy --rgb rgb.safetensors --json null --csv null").ok();
    // These are folders.
    sandbox
        .i3d("synth null")
        .fails(2, "null: it is not a folder; give a new folder, or a name that ends in .mp4 or .gif");
    sandbox
        .i3d("train clips -o null")
        .fails(2, "null: cannot be written, because it is not a folder; give the name of a folder");
    assert!(is_device(&sandbox, "null"));
}

#[test]
fn a_device_that_takes_nothing_is_told() {
    let sandbox = sandbox();
    if !device(&sandbox, "full", "7") {
        return;
    }
    for command in COMMANDS {
        let run = sandbox.i3d(&format!("{command} full")).exits(2);
        let said = run.errors();
        assert!(
            matches!(said[..], [said] if said.starts_with("full: cannot be written, because No space left")),
            "{command}: {run:?}"
        );
        assert!(is_device(&sandbox, "full"), "{command}");
    }
}

fn pipe(sandbox: &Sandbox, name: &str) {
    let made = Command::new("mkfifo").arg(sandbox.path(name)).status().expect("mkfifo runs");
    assert!(made.success());
}

#[test]
fn a_pipe_gets_the_bytes() {
    let sandbox = sandbox();
    pipe(&sandbox, "pipe");
    symlink("pipe", sandbox.path("link")).expect("a link");
    for command in COMMANDS {
        for name in ["pipe", "link"] {
            let path = sandbox.path(name);
            let reader = std::thread::spawn(move || std::fs::read(path).expect("it is read"));
            sandbox.i3d(&format!("{command} {name}")).ok();
            let got = reader.join().expect("it ends");
            assert!(got.len() > 20, "{command}: {got:?}");
            if command.ends_with("--json") {
                serde_json::from_slice::<Value>(&got).expect("JSON");
            }
            let found = std::fs::symlink_metadata(sandbox.path("pipe")).expect("it is there");
            assert!(found.file_type().is_fifo(), "{command} {name}");
        }
    }
    // An array through a pipe is the one in a file, though its length is known at the end alone.
    let path = sandbox.path("pipe");
    let reader = std::thread::spawn(move || std::fs::read(path).expect("it is read"));
    sandbox.i3d("flow a.gif --short-side 32 -o pipe").ok();
    sandbox.i3d("flow a.gif --short-side 32 -o file.npy").ok();
    assert!(reader.join().expect("it ends") == sandbox.read("file.npy"));
    let said = "pipe: --json and --csv are one file; give each its own";
    sandbox.classify("a.npy --rgb rgb.safetensors --json pipe --csv pipe").fails(2, said);
}

#[test]
fn a_pipe_without_a_reader_and_a_socket_are_told() {
    let sandbox = sandbox();
    pipe(&sandbox, "pipe");
    let said = "pipe: cannot be written, because it is a pipe that nobody reads; start the program that reads it first";
    sandbox.classify("a.npy --rgb rgb.safetensors --json pipe").fails(2, said);
    let _socket = std::os::unix::net::UnixListener::bind(sandbox.path("socket")).expect("a socket");
    let said =
        "socket: cannot be written, because it is a socket; give the name of a file, a pipe or a device";
    sandbox.classify("a.npy --rgb rgb.safetensors --json socket").fails(2, said);
}

#[test]
fn standard_output_has_several_names() {
    let sandbox = sandbox();
    let classify = "classify a.npy --device cpu --rgb rgb.safetensors --timeline --window 9 --step 9";
    let names = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    let names = names.into_iter().filter(|name| *name == "-" || std::path::Path::new(name).exists());
    for name in names.collect::<Vec<_>>() {
        for (option, begins) in
            [("csv", "input,start_seconds,"), ("srt", "1\n00:00:00,000 --> "), ("vtt", "WEBVTT\n")]
        {
            let run = sandbox.i3d(&format!("{classify} --{option} {name}")).ok();
            assert!(run.stdout.starts_with(begins), "{name}: {run:?}");
            sandbox.i3d(&format!("{classify} --{option} file.{option}")).ok();
            assert_eq!(
                run.stdout.as_bytes(),
                sandbox.read(&format!("file.{option}")),
                "nothing but the file"
            );
        }
        sandbox.i3d(&format!("{classify} --json {name}")).ok().json();
        for command in
            COMMANDS.iter().filter(|command| command.starts_with("convert") || command.starts_with("dump"))
        {
            let output = sandbox.command(&format!("{command} {name}")).output().expect("it starts");
            assert_eq!(output.status.code(), Some(0), "{command} {name}: {output:?}");
            sandbox.i3d(&format!("{command} file --overwrite")).ok();
            assert!(output.stdout == sandbox.read("file"), "{command} {name}");
        }
        let flow =
            sandbox.command(&format!("flow a.gif --short-side 32 -o {name}")).output().expect("it starts");
        assert!(flow.status.success() && flow.stdout.starts_with(b"\x93NUMPY"), "{flow:?}");
        // Into a file that the shell has opened.
        let file = File::create(sandbox.path("opened")).expect("a file");
        let mut command = sandbox.command(&format!("{classify} --json {name}"));
        let run =
            command.stdout(file).stderr(Stdio::piped()).spawn().expect("it starts").wait().expect("it ends");
        assert_eq!(run.code(), Some(0), "{name}");
        serde_json::from_slice::<Value>(&sandbox.read("opened")).expect("JSON and nothing else");
    }
    assert!(!sandbox.path("-").exists());
    sandbox.i3d(&format!("{classify} --csv ./-")).ok();
    assert!(sandbox.path("-").exists(), "a file may have the name all the same");
    sandbox
        .i3d(&format!("{classify} --csv - --srt /dev/stdout"))
        .fails(2, "--csv and --srt: both go to standard output; give at most one of them as `-`");
}

#[test]
fn a_folder_does_not_go_to_standard_output() {
    let sandbox = sandbox();
    let said = "-: a folder of files does not go to standard output; give the name of a folder, be it ./-";
    for command in
        ["synth -", "train clips -o -", "eval --dataset folder --data clips --rgb rgb.safetensors -o -"]
    {
        sandbox.i3d(command).fails(2, said);
    }
    assert!(!sandbox.path("-").exists());
}

/// The program by way of a shell, which opens files for it.
fn shell(sandbox: &Sandbox, script: &str) -> Run {
    let mut shell = Command::new("sh");
    let script = script.replace("i3d", env!("CARGO_BIN_EXE_i3d"));
    shell.args(["-c", &script]).current_dir(sandbox.path("")).env("I3D_CACHE", sandbox.path("cache"));
    sandbox.finish(&mut shell)
}

#[test]
fn files_that_the_shell_has_opened() {
    let sandbox = sandbox();
    let classify = "i3d classify a.npy --device cpu --rgb rgb.safetensors";
    sandbox.write("log", "begun\n");
    shell(&sandbox, &format!("exec 7>>log; {classify} --csv /dev/fd/7; echo done >&7")).ok();
    let log = String::from_utf8(sandbox.read("log")).expect("text");
    assert!(log.starts_with("begun\ninput,") && log.ends_with("done\n"), "{log}");
    let closed = shell(&sandbox, &format!("{classify} --csv /dev/fd/9")).exits(2);
    assert!(
        closed.errors()[0].starts_with("/dev/fd/9: cannot be written, because Bad file descriptor"),
        "{closed:?}"
    );
    let reading = shell(&sandbox, &format!("{classify} --csv /dev/fd/6 6<log")).exits(2);
    assert!(reading.errors()[0].starts_with("/dev/fd/6: cannot be written, because "), "{reading:?}");
    let both = shell(&sandbox, &format!("{classify} --json out.json > out.json")).exits(2);
    assert_eq!(both.errors(), ["out.json: standard output goes there too; give another file"]);
    let both = shell(&sandbox, &format!("exec 7>x; {classify} --csv x --json /dev/fd/7")).exits(2);
    assert_eq!(both.errors(), ["x: --json and --csv are one file; give each its own"]);
}

#[test]
fn a_link_stays_and_its_file_is_written() {
    let sandbox = sandbox();
    let classify = |name: &str| sandbox.classify(&format!("a.npy --rgb rgb.safetensors --json {name}"));
    std::fs::create_dir(sandbox.path("folder")).expect("a folder");
    sandbox.write("folder/old.json", "{}");
    symlink("folder/old.json", sandbox.path("old")).expect("a link");
    symlink("old", sandbox.path("older")).expect("a link");
    symlink("folder/new.json", sandbox.path("new")).expect("a link");
    for (link, file) in [("older", "folder/old.json"), ("new", "folder/new.json")] {
        classify(link).ok();
        assert!(std::fs::symlink_metadata(sandbox.path(link)).expect("it is there").is_symlink());
        let found = std::fs::symlink_metadata(sandbox.path(file)).expect("it is there");
        assert!(found.is_file() && found.len() > 100, "{file}");
    }
    symlink("nowhere/x", sandbox.path("lost")).expect("a link");
    classify("lost")
        .fails(2, "lost: cannot be written, because its folder does not exist; create that first");
    symlink("self", sandbox.path("self")).expect("a link");
    classify("self")
        .fails(2, "self: cannot be written, because it is a link that leads to itself; give another name");
    // A folder by a link is the folder.
    std::fs::create_dir(sandbox.path("empty")).expect("a folder");
    symlink("empty", sandbox.path("to-empty")).expect("a link");
    sandbox.i3d("flow a.gif --short-side 32 -o to-empty").ok();
    assert!(sandbox.path("empty/flow_x_00001.jpg").exists());
    assert!(std::fs::symlink_metadata(sandbox.path("to-empty")).expect("it is there").is_symlink());
}

#[test]
fn an_older_file_leaves_its_permissions_and_a_new_one_has_those_of_the_mask() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = sandbox();
    let mode =
        |name: &str| std::fs::metadata(sandbox.path(name)).expect("it is there").permissions().mode() & 0o777;
    sandbox.write("old.json", "{}");
    std::fs::set_permissions(sandbox.path("old.json"), PermissionsExt::from_mode(0o640))
        .expect("its owner may");
    let classify = "i3d classify a.npy --device cpu --rgb rgb.safetensors --json";
    shell(
        &sandbox,
        &format!(
            "umask 077; {classify} old.json; {classify} new.json; i3d flow a.gif -o new --short-side 32"
        ),
    )
    .ok();
    assert_eq!((mode("old.json"), mode("new.json"), mode("new")), (0o640, 0o600, 0o700));
}
