//! `cargo xtask web`: the module and its package in `web/pkg`, the page in `dist`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::setup;

/// The browser's compile target.
pub const WASM: &str = "wasm32-unknown-unknown";

/// Where programs go that the build needs and that no system package has.
const TOOLS: &str = "target/tools";

/// Where the page is seen once a server runs.
const ADDRESS: &str = "http://127.0.0.1:8000/";

/// Builds everything. Node.js, which cannot be installed from here, is looked for before anything is compiled; the rest is installed.
pub fn run(shell: &Shell) -> Result<()> {
    packages(shell, "web")?;
    module(shell)?;
    cmd!(shell, "npm run build --prefix web").run().context("building the page")?;
    println!(
        "the page is in dist/; any static server shows it, for example:\n\n    \
         python3 -m http.server 8000 --bind 127.0.0.1 --directory dist\n\nThen open {ADDRESS}"
    );
    Ok(())
}

/// Fails with a sentence unless Node.js and npm are here, new enough for the page's build.
fn node(shell: &Shell) -> Result<()> {
    let said = cmd!(shell, "node --version").quiet().ignore_stderr().read().unwrap_or_default();
    if !is_enough(&said) {
        let found = if said.is_empty() { "there is none here" } else { said.as_str() };
        bail!(
            "the page is built with Node.js 20.19 or newer of version 20, or 22.12 or newer ({found}); \
             install it (nodejs.org, or your system's packages)"
        );
    }
    if cmd!(shell, "npm --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        bail!("npm is missing beside Node.js {said}; install it (nodejs.org, or your system's packages)");
    }
    Ok(())
}

/// Whether the page's build runs on the Node.js that says this about its version, such as `v20.19.0`. The versions are those of Vite.
fn is_enough(version: &str) -> bool {
    let numbers = version.trim().trim_start_matches('v').split('.').map_while(|number| number.parse().ok());
    match numbers.collect::<Vec<u32>>()[..] {
        [20, minor, ..] => minor >= 19,
        [22, minor, ..] => minor >= 12,
        [major, ..] => major > 22,
        [] => false,
    }
}

/// The module and its package.
pub fn module(shell: &Shell) -> Result<()> {
    setup::targets(shell, &[WASM])?;
    let bindgen = bindgen(shell)?;
    cmd!(shell, "cargo build --package i3d-web --target {WASM} --profile web").run()?;
    let module = target(shell)?.join(WASM).join("web/i3d_web.wasm");
    cmd!(shell, "{bindgen} --target web --out-dir web/pkg {module}").run()?;
    for file in ["package.json", "README.md", "example.html"] {
        shell.copy_file(format!("web/npm/{file}"), format!("web/pkg/{file}"))?;
    }
    Ok(())
}

/// The packages of a folder, exactly those of its lock file.
pub fn packages(shell: &Shell, folder: &str) -> Result<()> {
    node(shell)?;
    cmd!(shell, "npm ci --prefix {folder} --no-audit --no-fund")
        .run()
        .with_context(|| format!("installing the packages of {folder}"))
}

/// `wasm-bindgen` of the version that the lock file has of its crate: the two must agree.
fn bindgen(shell: &Shell) -> Result<PathBuf> {
    let lock = shell.read_file("Cargo.lock")?;
    let version = lock
        .split("[[package]]")
        .find(|package| package.contains("name = \"wasm-bindgen\"\n"))
        .and_then(|package| package.split("version = \"").nth(1)?.split('"').next())
        .context("Cargo.lock has no wasm-bindgen")?;
    let name = "wasm-bindgen";
    let is_it = |program: &Path| {
        let said = cmd!(shell, "{program} --version").quiet().ignore_stderr().read();
        said.is_ok_and(|said| said.trim() == format!("wasm-bindgen {version}"))
    };
    let own = shell.current_dir().join(TOOLS).join("bin").join(name);
    for program in [PathBuf::from(name), own.clone()] {
        if is_it(&program) {
            return Ok(program);
        }
    }
    println!("setup: installing wasm-bindgen-cli {version} into {TOOLS}");
    cmd!(shell, "cargo install wasm-bindgen-cli --version {version} --root {TOOLS}")
        .run()
        .context("installing wasm-bindgen-cli")?;
    Ok(own)
}

/// Where cargo builds.
pub fn target(shell: &Shell) -> Result<PathBuf> {
    let metadata = cmd!(shell, "cargo metadata --format-version 1 --no-deps").quiet().read()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let folder = metadata["target_directory"].as_str().context("cargo has no target directory")?;
    Ok(PathBuf::from(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node() {
        for version in ["v20.19.0", "v20.20.2\n", "v22.12.0", "v23.0.0", "v24.1.0-nightly", "26.0.0"] {
            assert!(is_enough(version), "{version}");
        }
        for version in ["", "v", "node", "v12.22.9", "v18.20.4", "v20.18.3", "v21.7.3", "v22.11.0"] {
            assert!(!is_enough(version), "{version}");
        }
    }
}
