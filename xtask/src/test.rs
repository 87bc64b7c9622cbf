//! The whole test suite, step by step; each step prints what its own runner prints.

use anyhow::{Context, Result, bail};
use xshell::{Cmd, Shell, cmd};

use crate::{real, setup, web};

/// Test targets of the library that open a GPU. Elsewhere they run with `I3D_GPU=off`.
const GPU_TESTS: &[&str] =
    &["kernels", "harness", "endpoints", "tiles", "flow_gpu", "golden", "tune", "training_gpu"];

/// Where Debian's Chromium keeps its software GPU's Vulkan manifest.
const SWIFTSHADER: &str = "/usr/lib/chromium/vk_swiftshader_icd.json";

pub fn run(shell: &Shell, full: bool) -> Result<()> {
    heading("setup");
    setup::run(shell)?;

    step("formatting", cmd!(shell, "cargo fmt --all --check"))?;
    step("lints", cmd!(shell, "cargo clippy --workspace --all-targets -- -D warnings"))?;
    let wasm = web::WASM;
    step(
        "lints for the browser",
        cmd!(shell, "cargo clippy -p i3d -p i3d-synth -p i3d-web --target {wasm} -- -D warnings"),
    )?;
    for target in setup::TARGETS.iter().filter(|target| **target != wasm) {
        // Checking needs no linker and, with the system's TLS on Windows and macOS, no C compiler for the target.
        step(&format!("types for {target}"), cmd!(shell, "cargo check -p i3d -p i3d-cli --target {target}"))?;
    }
    let documentation = cmd!(shell, "cargo doc --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings");
    step("documentation", documentation)?;

    let ignored: &[&str] = if full { &["--", "--include-ignored"] } else { &[] };
    let tests = cmd!(shell, "cargo test --release --workspace {ignored...}").env("I3D_GPU", "off");
    step("tests without a GPU", tests)?;
    gpu(shell, ignored)?;
    heading("the released weights");
    let extent = if full { real::Extent::Full } else { real::Extent::Quick };
    real::run(shell, extent, full).context("step failed: the released weights")?;
    browser(shell)
}

/// The GPU tests, once on the system's adapter and once on SwiftShader where it is installed.
fn gpu(shell: &Shell, ignored: &[&str]) -> Result<()> {
    let policy = std::env::var("I3D_GPU").unwrap_or_else(|_| "require".to_owned());
    match policy.as_str() {
        "require" | "auto" => {}
        "off" => {
            println!("\nSKIPPED: the GPU tests, because I3D_GPU=off");
            return Ok(());
        }
        other => bail!("I3D_GPU={other}: give require, auto or off"),
    }
    // Vulkan drivers complain about a missing runtime folder where nobody is logged in.
    let runtime = shell.create_temp_dir()?;
    let targets = &GPU_TESTS.iter().flat_map(|name| ["--test", name]).collect::<Vec<_>>();
    // The whole workspace, although the targets are the library's: another choice of packages has other features, and
    // every dependency would be compiled once more.
    let tests = || {
        cmd!(shell, "cargo test --release --workspace {targets...} {ignored...}")
            .env("I3D_GPU", &policy)
            .env("XDG_RUNTIME_DIR", runtime.path())
    };
    step("tests with a GPU", tests())?;
    if shell.path_exists(SWIFTSHADER) {
        let swiftshader = tests().env("VK_DRIVER_FILES", SWIFTSHADER).env("I3D_DEVICE", "swiftshader");
        step("tests with SwiftShader", swiftshader)?;
    } else {
        println!("\nSKIPPED: the GPU tests on SwiftShader, because {SWIFTSHADER} is not there");
    }
    Ok(())
}

/// The page in a browser, against the command line.
fn browser(shell: &Shell) -> Result<()> {
    heading("the page");
    web::run(shell)?;
    let chromium = setup::chromium(shell).context(
        "no Chromium was found for the tests of the page; install one, or name it in I3D_CHROMIUM",
    )?;
    let built = cmd!(shell, "cargo build --release --workspace --bin i3d --example browser_fixtures");
    step("what the page is compared with", built)?;
    let target = web::target(shell)?;
    let fixtures = target.join("browser-fixtures");
    shell.create_dir(&fixtures)?;
    let writer = target.join("release/examples/browser_fixtures");
    cmd!(shell, "{writer} {fixtures}").run()?;
    let tests = cmd!(shell, "npm test --prefix web")
        .env("I3D_CHROMIUM", chromium)
        .env("I3D_BIN", target.join("release/i3d"))
        .env("I3D_FIXTURES", fixtures);
    step("browser tests", tests)
}

fn step(name: &str, command: Cmd) -> Result<()> {
    heading(name);
    command.run().with_context(|| format!("step failed: {name}"))
}

fn heading(name: &str) {
    println!("\n=== {name} ===");
}
