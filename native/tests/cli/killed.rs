//! Training that is cut off: by a kill that nothing can catch, and by a disk that is full.
#![cfg(unix)]

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::fixtures::npy;
use crate::train::clips;
use crate::{Sandbox, files, is_partial};

/// A network whose checkpoints take a while to write.
const TRAIN: &str = "train clips --frames 9 --batch 2 --width 0.25 --input-size 32 --warm-up 2 --threads 2";

/// Steps that the journal of `run` tells of.
fn steps(sandbox: &Sandbox) -> usize {
    std::fs::read_to_string(sandbox.path("run/train.jsonl")).map_or(0, |text| text.lines().count())
}

/// Starts `command`, waits until `ready`, and kills it without a warning. Gives whether it was still running then.
pub fn kill_when(sandbox: &Sandbox, command: &str, ready: impl Fn() -> bool) -> bool {
    let mut child: Child = sandbox.command(command).stderr(Stdio::null()).spawn().expect("starts");
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(120), "not ready after two minutes");
        if child.try_wait().expect("it can be asked").is_some() {
            return false;
        }
        std::thread::yield_now();
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("it ends").code().is_none()
}

#[test]
fn a_killed_run_loses_the_steps_since_its_checkpoint_and_nothing_else() {
    let sandbox = Sandbox::new();
    clips(&sandbox, 3);
    sandbox.i3d(&format!("{TRAIN} -o whole --steps 12 --checkpoint-every 5")).ok();
    let go_on = format!("{TRAIN} -o run --steps 12 --checkpoint-every 5 --resume");
    assert!(kill_when(&sandbox, &go_on, || steps(&sandbox) >= 7), "it ended before it was killed");
    let run = sandbox.i3d(&go_on).ok();
    assert!(run.stderr.contains("going on after step 5"), "{run:?}");
    for file in ["train.jsonl", "model.safetensors"] {
        assert!(sandbox.read(&format!("run/{file}")) == sandbox.read(&format!("whole/{file}")), "{file}");
    }
}

#[test]
fn a_checkpoint_that_was_being_written_when_the_run_was_killed_costs_nothing() {
    let sandbox = Sandbox::new();
    clips(&sandbox, 3);
    sandbox.i3d(&format!("{TRAIN} -o whole --steps 12 --checkpoint-every 1")).ok();
    let go_on = format!("{TRAIN} -o run --steps 12 --checkpoint-every 1 --resume");
    let half_written = || -> Vec<u64> {
        let run = sandbox.path("run");
        let found = if run.exists() { files(&run) } else { Vec::new() };
        let sizes = found.iter().filter(|path| is_partial(path)).filter_map(|path| path.metadata().ok());
        sizes.map(|file| file.len()).filter(|&size| size > 0).collect()
    };
    let whole = sandbox.read("whole/state.safetensors").len() as u64;
    // The moment is short: a kill may come too late for it, and then the next checkpoint is waited for.
    let mut caught = 0;
    for _ in 0..20 {
        let before = steps(&sandbox);
        if !kill_when(&sandbox, &go_on, || steps(&sandbox) > before && !half_written().is_empty()) {
            break;
        }
        caught += half_written().iter().filter(|&&size| size < whole).count();
    }
    assert!(caught > 0, "no kill came while a checkpoint was being written");
    // No half-written file may stay, which is checked of every run that ends by itself.
    sandbox.i3d(&go_on).ok();
    for file in ["train.jsonl", "model.safetensors"] {
        assert!(sandbox.read(&format!("run/{file}")) == sandbox.read(&format!("whole/{file}")), "{file}");
    }
}

#[test]
fn a_disk_that_is_full_is_told_and_the_last_checkpoint_stays() {
    let sandbox = Sandbox::new();
    clips(&sandbox, 3);
    let train = |steps: u32| format!("{TRAIN} -o run --checkpoint-every 1 --resume --steps {steps}");
    sandbox.i3d(&train(2)).ok();
    let state = sandbox.read("run/state.safetensors");
    // A limit on the size of files stands for the disk: the same write fails, at the same place. The signal that comes with it
    // is ignored, as programs do that would rather see the error.
    let program = env!("CARGO_BIN_EXE_i3d");
    let script = format!("trap '' XFSZ; ulimit -f 1024; exec {program} {}", train(4));
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script]).current_dir(sandbox.path("")).env("I3D_CACHE", sandbox.path("cache"));
    sandbox.finish(&mut shell).fails_with(
        2,
        "run/state.safetensors: ",
        &["cannot be written", "File too large"],
    );
    assert!(sandbox.read("run/state.safetensors") == state, "the checkpoint of step 2");
    let run = sandbox.i3d(&train(4)).ok();
    assert!(run.stderr.contains("going on after step 2"), "{run:?}");
}

/// Kills `command` at ever later moments, until it ends before it is killed, and has each state that it leaves looked at.
fn kill_at_any_time(sandbox: &Sandbox, command: &str, look: impl Fn()) {
    let mut killed = 0;
    for delay in (0..).map(|n| Duration::from_micros(500 * n * n)) {
        let start = Instant::now();
        let was_killed = kill_when(sandbox, command, || start.elapsed() >= delay);
        look();
        if !was_killed {
            break;
        }
        killed += 1;
    }
    assert!(killed > 2, "it was killed {killed} times");
    // Whatever was left unfinished is gone, which is checked of every run that ends by itself.
    sandbox.i3d(command).ok();
    look();
}

#[test]
fn a_killed_command_leaves_the_older_result_or_the_new_one() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(40, 3));
    for command in [
        "classify a.npy --rgb rgb.safetensors --device cpu --json out",
        "convert rgb.safetensors out",
        "dump a.npy --rgb rgb.safetensors --device cpu --endpoint Mixed_3b -o out",
        "bench --width 0.25 --input-size 32 --save-weights out",
    ] {
        for older in [false, true] {
            let _ = std::fs::remove_file(sandbox.path("out"));
            sandbox.i3d(command).ok();
            let whole = sandbox.read("out").len();
            if !older {
                std::fs::remove_file(sandbox.path("out")).expect("it is there");
            }
            kill_at_any_time(&sandbox, command, || match sandbox.path("out").metadata() {
                // Times in a result have some digits more or less.
                Ok(found) => {
                    assert!(found.len().abs_diff(whole as u64) < 50, "{command}: {} bytes", found.len())
                }
                Err(_) => assert!(!older, "{command}: the older result is gone"),
            });
        }
    }
}

#[test]
fn a_killed_folder_of_pictures_is_not_there() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4", 200);
    let flow = "flow a.mp4 -o flow --short-side 48 --threads 1";
    let pictures = |folder: &std::path::Path| std::fs::read_dir(folder).map_or(0, |found| found.count());
    let partial = || {
        let found = std::fs::read_dir(sandbox.path("")).expect("it is read").flatten();
        found.map(|entry| entry.path()).find(|path| is_partial(path))
    };
    for empty_before in [false, true] {
        if empty_before {
            std::fs::create_dir(sandbox.path("flow")).expect("a folder");
        }
        assert!(kill_when(&sandbox, flow, || partial().is_some_and(|folder| pictures(&folder) > 20)));
        assert_eq!(pictures(&sandbox.path("flow")), 0);
        assert!(partial().is_some(), "nobody could delete what was begun");
        // The next one does.
        sandbox.i3d(&format!("{flow} --frames 30")).ok();
        assert_eq!(pictures(&sandbox.path("flow")), 58);
        std::fs::remove_dir_all(sandbox.path("flow")).expect("it is there");
    }
}

#[test]
fn what_another_program_is_writing_is_no_leftover() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4", 200);
    let mut slow = sandbox.command("flow a.mp4 -o slow --short-side 48 --threads 1");
    let mut slow = slow.stderr(Stdio::null()).spawn().expect("starts");
    let start = Instant::now();
    let begun =
        || std::fs::read_dir(sandbox.path("")).expect("it is read").flatten().any(|e| is_partial(&e.path()));
    while !begun() {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing was begun");
        std::thread::sleep(Duration::from_millis(5));
    }
    for output in ["quick", "quick.npy", "quick.gif"] {
        let quick = format!("flow a.mp4 -o {output} --short-side 48 --frames 3");
        let ended = sandbox.command(&quick).stderr(Stdio::null()).status().expect("starts");
        assert!(ended.success(), "{output}");
    }
    assert!(slow.wait().expect("it ends").success());
    assert_eq!(std::fs::read_dir(sandbox.path("slow")).expect("it is there").count(), 2 * 199);
    assert!(!begun());
}

#[test]
fn one_run_at_a_time_writes_into_a_folder() {
    let sandbox = Sandbox::with_weights();
    clips(&sandbox, 3);
    std::fs::create_dir(sandbox.path("run")).expect("a folder");
    // As another process holds it.
    let held = std::fs::File::open(sandbox.path("run")).expect("it is there");
    held.lock().expect("nobody else has it");
    let said = "run: another i3d is writing there; wait until it ends, or give another folder";
    let train = format!("{TRAIN} -o run --steps 2");
    sandbox.i3d(&train).fails(2, said);
    sandbox.i3d(&format!("{train} --resume")).fails(2, said);
    sandbox.i3d(&format!("{train} --from run/none.safetensors")).exits(2);
    assert_eq!(files(&sandbox.path("run")), Vec::<std::path::PathBuf>::new());
    drop(held);
    // A run that is killed holds it no longer.
    let long = format!("{TRAIN} -o run --steps 1000 --checkpoint-every 1 --resume");
    assert!(kill_when(&sandbox, &long, || steps(&sandbox) >= 2), "it ended before it was killed");
    sandbox.i3d(&format!("{TRAIN} -o run --steps 4 --checkpoint-every 1 --resume")).exits(0);
}

/// A disk with no room, for a command in the folder of the sandbox: no file may be longer than 512 bytes. The signal that
/// comes with it is ignored, as programs do that would rather see the error.
fn on_a_full_disk(sandbox: &Sandbox, command: &str) -> crate::Run {
    let mut shell = std::process::Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f 1; exec {} {command}", env!("CARGO_BIN_EXE_i3d"));
    shell.args(["-c", &script]).current_dir(sandbox.path("")).env("I3D_CACHE", sandbox.path("cache"));
    sandbox.finish(&mut shell)
}

#[test]
fn a_full_disk_is_told_and_older_results_stay() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    sandbox.video("a.mp4", 9);
    clips(&sandbox, 4);
    let classify = "classify a.npy --rgb rgb.safetensors --device cpu --timeline --window 9 --step 1";
    for (command, output) in [
        (format!("{classify} --json out.json"), "out.json"),
        ("convert rgb.safetensors out.safetensors".into(), "out.safetensors"),
        ("dump a.npy --rgb rgb.safetensors --device cpu --endpoint input -o out.npy".into(), "out.npy"),
        ("flow a.mp4 --short-side 48 -o flow.npy".into(), "flow.npy"),
        ("flow a.mp4 --short-side 48 -o out.gif".into(), "out.gif"),
        ("flow a.mp4 --short-side 48 -o out.mp4".into(), "out.mp4"),
        ("synth film.gif --classes walking --size 64x48".into(), "film.gif"),
        ("bench --width 0.0625 --input-size 32 --save-weights w.safetensors".into(), "w.safetensors"),
        (
            "bench --width 0.0625 --input-size 32 --frames 9 --runs 1 --device cpu --per-layer --json b.json"
                .into(),
            "b.json",
        ),
    ] {
        on_a_full_disk(&sandbox, &command).exits(2);
        assert!(!sandbox.path(output).exists(), "{command}");
        sandbox.i3d(&command).ok();
        let older = sandbox.read(output);
        let run = on_a_full_disk(&sandbox, &command).exits(2);
        let errors = run.errors();
        let told =
            matches!(errors[..], [error] if error.starts_with(&format!("{output}: cannot be written")));
        assert!(told, "{run:?}");
        assert!(sandbox.read(output) == older, "{command}");
    }
    for command in [
        "flow a.mp4 --short-side 256 --frames 3 -o folder",
        "synth folder --classes walking --clips 1 --size 64x48 --format gif",
    ] {
        let run = on_a_full_disk(&sandbox, command).exits(2);
        assert!(matches!(run.errors()[..], [error] if error.starts_with("folder: ")), "{run:?}");
        assert!(!sandbox.path("folder").exists(), "{command}");
    }
    // Clips that cannot be kept are decoded again.
    let run = on_a_full_disk(&sandbox, &format!("{TRAIN} -o run --steps 1")).exits(2);
    assert!(run.errors()[0].starts_with("run/"), "{run:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_small_file_system_is_filled_and_nothing_on_it_is_lost() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 60);
    std::fs::create_dir(sandbox.path("disk")).expect("a folder");
    let at = |program: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(program);
        let output = command.args(arguments).arg(sandbox.path("disk")).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !at("mount", &["-t", "tmpfs", "-o", "size=200k", "tmpfs"]) {
        eprintln!("skipped: file systems cannot be mounted here; that takes the rights of root");
        return;
    }
    let runs = std::panic::catch_unwind(|| {
        // A folder that is a file system of its own cannot be replaced by another.
        let flow = |more: &str| sandbox.i3d(&format!("flow a.mp4 -o disk --short-side 48 {more}"));
        flow("--frames 9").ok();
        assert_eq!(files(&sandbox.path("disk")).len(), 16);
        let cleared = || {
            files(&sandbox.path("disk"))
                .iter()
                .for_each(|file| std::fs::remove_file(file).expect("it is there"))
        };
        cleared();
        let full = flow("").exits(2);
        assert!(
            full.errors()[0].starts_with("disk: ") && full.errors()[0].contains("No space left"),
            "{full:?}"
        );
        assert_eq!(files(&sandbox.path("disk")), Vec::<std::path::PathBuf>::new());
        sandbox.write("disk/out.safetensors", b"\x02\0\0\0\0\0\0\0{}");
        sandbox.i3d("convert rgb.safetensors disk/out.safetensors").fails(
            2,
            "disk/out.safetensors: cannot be written, because No space left on device (os error 28)",
        );
        assert_eq!(sandbox.read("disk/out.safetensors"), b"\x02\0\0\0\0\0\0\0{}");
        cleared();
    });
    assert!(at("umount", &[]));
    runs.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}
