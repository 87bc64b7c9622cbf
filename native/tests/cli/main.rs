//! The command line as its users meet it: the built program in a folder of its own, its exit status, what it prints,
//! and what it leaves behind.
//!
//! Every file that a test needs is made here: small networks, arrays, pictures, and videos by `ffmpeg`, which must be
//! installed. Paths in arguments are relative to the folder, so whole sentences can be compared.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod arrays;
mod batch;
mod bench;
mod claims;
mod classify;
mod convert;
mod datasets;
mod devices;
mod eval;
mod first_use;
mod fixtures;
mod flow;
mod inflate;
mod killed;
mod limits;
mod models;
mod outputs;
mod own_models;
mod pipes;
mod precision;
mod pulls;
mod selftest;
mod special;
mod streams;
mod synth;
mod systems;
mod timeline;
mod tools;
mod train;
mod videos;
mod weights;

#[path = "../../../tests/weights/flat.rs"]
mod flat;
#[path = "../../../tests/weights/pickle.rs"]
#[allow(dead_code, reason = "written for the tests of the readers, which use more of it")]
mod pickle;
#[path = "../../../tests/weights/tf_writer.rs"]
#[allow(dead_code, reason = "written for the tests of the readers, which use more of it")]
mod tf_writer;

// What the writers take from the crate around them.
use fixtures::{Tensors, bytes, names};

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A temporary folder in which the program runs.
struct Sandbox(tempfile::TempDir);

impl Sandbox {
    fn new() -> Sandbox {
        Sandbox(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and the folders on the way to it.
    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("the folder is made");
        std::fs::write(path, bytes).expect("the file is written");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The program with `arguments`, separated by spaces, ready to start.
    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_i3d"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        for variable in ["RUST_LOG", "WGPU_BACKEND", "I3D_FFMPEG", "I3D_FFPROBE", "I3D_MODEL", "I3D_OFFLINE"]
        {
            command.env_remove(variable);
        }
        command.env("I3D_CACHE", self.path("cache"));
        command
    }

    fn i3d(&self, arguments: &str) -> Run {
        self.finish(&mut self.command(arguments))
    }

    /// `i3d classify` on the CPU.
    fn classify(&self, arguments: &str) -> Run {
        self.i3d(&format!("classify --device cpu {arguments}"))
    }

    /// Runs to the end. Whatever happens, no half-written file may stay.
    fn finish(&self, command: &mut Command) -> Run {
        let output = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
        let run =
            Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        let left: Vec<PathBuf> = files(self.0.path()).into_iter().filter(|p| is_partial(p)).collect();
        assert!(left.is_empty(), "left behind: {left:?} by {run:?}");
        run
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn is_partial(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(".i3d-") || name.ends_with(".part")
}

/// How a run of the program ended.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    /// Exit status 0 and no error.
    #[track_caller]
    fn ok(self) -> Run {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.errors(), Vec::<&str>::new());
        self
    }

    #[track_caller]
    fn exits(self, code: i32) -> Run {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// What follows `error: `, line by line. Other people's drivers may print there too.
    fn errors(&self) -> Vec<&str> {
        let ours = |line: &&str| !line.contains("XDG_RUNTIME_DIR");
        self.stderr.lines().filter_map(|line| line.strip_prefix("error: ")).filter(ours).collect()
    }

    /// Fails with exactly this sentence, and nothing on standard output.
    #[track_caller]
    fn fails(self, code: i32, sentence: &str) {
        assert_eq!((self.code, self.errors()), (Some(code), vec![sentence]), "{self:?}");
        assert_eq!(self.stdout, "");
    }

    /// Fails with one sentence that begins with `place` and holds every one of `parts`; names no path twice.
    #[track_caller]
    fn fails_with(self, code: i32, place: &str, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "");
        let errors = self.errors();
        let [sentence] = errors[..] else { panic!("one sentence was expected: {errors:?}") };
        assert!(sentence.starts_with(place), "{sentence:?} does not begin with {place:?}");
        assert_eq!(sentence.matches(place).count(), 1, "the place stands more than once: {sentence:?}");
        for part in parts {
            assert!(sentence.contains(part), "{sentence:?} lacks {part:?}");
        }
    }

    /// Standard output, which must be one JSON value and nothing else.
    #[track_caller]
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// The logits of a stream in a result.
#[track_caller]
fn logits(result: &serde_json::Value, stream: &str) -> Vec<f64> {
    let logits = result["streams"][stream]["logits"].as_array();
    let logits = logits.unwrap_or_else(|| panic!("no {stream} logits in {result}"));
    logits.iter().map(|l| l.as_f64().expect("a number")).collect()
}

#[track_caller]
fn assert_close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= tolerance, "{a:?} and {b:?} are {worst:e} apart");
}
