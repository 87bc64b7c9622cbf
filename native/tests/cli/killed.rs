//! Training that is cut off: by a kill that nothing can catch, and by a disk that is full.
#![cfg(unix)]

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

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
