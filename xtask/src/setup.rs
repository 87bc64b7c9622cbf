//! Installs what the test suite needs, says what it does, and skips what is there.

use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::web;

/// Targets that the suite compiles for besides the host.
pub const TARGETS: &[&str] = &[web::WASM, "x86_64-pc-windows-msvc", "aarch64-apple-darwin"];

pub fn run(shell: &Shell) -> Result<()> {
    rust(shell)?;
    let mut packages = Vec::new();
    if !installed("/usr/share/vulkan/icd.d", "lvp_icd") {
        packages.push("mesa-vulkan-drivers");
    }
    if cmd!(shell, "ffmpeg -version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        packages.push("ffmpeg");
    }
    if chromium(shell).is_none() {
        packages.push("chromium");
    }
    match packages[..] {
        [] => println!("setup: system packages are all there"),
        _ if cmd!(shell, "apt-get --version").quiet().ignore_stdout().ignore_stderr().run().is_ok() => {
            apt(shell, &packages)?;
        }
        _ => println!("setup: {}", advice(&packages)),
    }
    Ok(())
}

/// The browser of the tests: what `I3D_CHROMIUM` names, or where systems keep it.
pub fn chromium(shell: &Shell) -> Option<PathBuf> {
    let known = [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "C:/Program Files/Google/Chrome/Application/chrome.exe",
    ];
    let named = std::env::var_os("I3D_CHROMIUM").map(PathBuf::from);
    named.into_iter().chain(known.map(PathBuf::from)).find(|path| shell.path_exists(path))
}

/// The standard libraries of compile targets.
pub fn targets(shell: &Shell, targets: &[&str]) -> Result<()> {
    let Ok(present) = cmd!(shell, "rustup target list --installed").quiet().ignore_stderr().read() else {
        println!("setup: no rustup here; install the standard libraries for {}", targets.join(", "));
        return Ok(());
    };
    let missing: Vec<_> =
        targets.iter().filter(|target| !present.lines().any(|line| line.trim() == **target)).collect();
    if missing.is_empty() {
        println!("setup: Rust targets are all there");
        return Ok(());
    }
    cmd!(shell, "rustup target add {missing...}").run().context("installing Rust targets")
}

/// Compile targets and the two components that check the sources.
fn rust(shell: &Shell) -> Result<()> {
    targets(shell, TARGETS)?;
    if cmd!(shell, "rustup --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        println!("setup: no rustup here; install rustfmt and clippy");
        return Ok(());
    }
    for component in ["fmt", "clippy"] {
        if cmd!(shell, "cargo {component} --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
            let name = if component == "fmt" { "rustfmt" } else { component };
            cmd!(shell, "rustup component add {name}").run().with_context(|| format!("installing {name}"))?;
        }
    }
    Ok(())
}

/// Debian and Ubuntu, as root or through sudo.
fn apt(shell: &Shell, packages: &[&str]) -> Result<()> {
    println!("setup: installing {} with apt-get", packages.join(", "));
    let root = cmd!(shell, "id -u").quiet().read()? == "0";
    let sudo: &[&str] = if root { &[] } else { &["sudo"] };
    let [update, install] =
        [vec!["update"], vec!["install", "--yes", "--no-install-recommends"]].map(|arguments| {
            let command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"];
            [sudo, &command[..], &arguments[..]].concat()
        });
    for command in [update, [&install[..], packages].concat()] {
        let (program, arguments) = command.split_first().context("an empty command")?;
        cmd!(shell, "{program} {arguments...}").run().context("installing system packages")?;
    }
    Ok(())
}

/// What a person has to do where there is no apt-get.
fn advice(packages: &[&str]) -> String {
    let need = |package| match package {
        "mesa-vulkan-drivers" => {
            "a Vulkan driver (Mesa's lavapipe does without hardware; macOS and Windows need none)"
        }
        "chromium" => "Chromium, for the tests of the page",
        package => package,
    };
    let needs: Vec<_> = packages.iter().copied().map(need).collect();
    format!("this system has no apt-get; install with its own means: {}", needs.join("; "))
}

/// Whether `folder` has a file that begins with `prefix`: the name goes on with the processor's.
fn installed(folder: &str, prefix: &str) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
}
