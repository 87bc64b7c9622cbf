//! Fuzzing: every parser of untrusted bytes with libFuzzer, one after the other.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::web;

/// The targets, `fuzz/fuzz_targets/NAME.rs` each.
const TARGETS: [&str; 12] = [
    "tf_v1",
    "tf_index",
    "torch_legacy",
    "torch_zip",
    "flax",
    "safetensors",
    "npy",
    "npz",
    "nut",
    "probe",
    "pictures",
    "labels",
];

/// What is fuzzed, and how long each.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    seconds: u64,
    targets: Vec<&'static str>,
}

impl Options {
    /// `--minutes N [TARGET...]`
    pub fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options { seconds: 600, targets: TARGETS.to_vec() };
        let mut named = Vec::new();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument == "--minutes" {
                let minutes: f64 = arguments
                    .next()
                    .and_then(|minutes| minutes.parse().ok())
                    .filter(|minutes| (0.01..=100_000.0).contains(minutes))
                    .context("--minutes wants a number of minutes per target")?;
                options.seconds = (minutes * 60.0).ceil() as u64;
                continue;
            }
            match TARGETS.iter().find(|target| **target == argument) {
                Some(target) => named.push(*target),
                None => bail!("there is no target {argument:?}; choose some of {}", TARGETS.join(", ")),
            }
        }
        if !named.is_empty() {
            options.targets = named;
        }
        Ok(options)
    }
}

/// Runs the targets; what one finds ends the run and stays in `fuzz/artifacts/`.
pub fn run(shell: &Shell, options: &Options) -> Result<()> {
    let target_folder = web::target(shell)?;
    let tools = target_folder.join("tools");
    let builds = target_folder.join("fuzz");
    install(shell, &tools)?;
    let path = path_with(&tools.join("bin"))?;
    let corpus = target_folder.join("fuzz-corpus");
    let seeds = target_folder.join("fuzz-seeds");
    cmd!(shell, "cargo run --quiet --release --manifest-path fuzz/Cargo.toml --target-dir {builds} --bin seeds -- {seeds}")
        .run()
        .context("writing the seeds")?;
    for target in &options.targets {
        println!("\n=== {target} ===");
        let (own, seed) = (corpus.join(target), seeds.join(target));
        shell.create_dir(&own)?;
        shell.create_dir(&seed)?;
        let seconds = options.seconds.to_string();
        cmd!(
            shell,
            "cargo +nightly fuzz run --target-dir {builds} {target} {own} {seed} -- -max_total_time={seconds} -rss_limit_mb=2048
             -timeout=10 -max_len=65536 -print_final_stats=1"
        )
        .env("PATH", &path)
        .run()
        .with_context(|| format!("{target} found something: see fuzz/artifacts/{target}"))?;
    }
    Ok(())
}

/// The nightly compiler and `cargo-fuzz`, where they are not there.
fn install(shell: &Shell, tools: &std::path::Path) -> Result<()> {
    if cmd!(shell, "cargo +nightly --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        cmd!(shell, "rustup toolchain install nightly --profile minimal")
            .run()
            .context("installing a nightly compiler")?;
    }
    if !shell.path_exists(tools.join("bin/cargo-fuzz")) {
        cmd!(shell, "cargo install --locked --root {tools} cargo-fuzz@0.13")
            .run()
            .context("installing cargo-fuzz")?;
    }
    Ok(())
}

/// The search path of programs with a folder in front.
fn path_with(folder: &std::path::Path) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(PathBuf::from(folder)).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context("the search path of programs cannot be extended")
}
