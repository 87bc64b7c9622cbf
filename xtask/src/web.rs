//! `cargo xtask web`: the module and its package in `web/pkg`, the page in `dist`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

/// Where programs go that the build needs and that no system package has.
const TOOLS: &str = "target/tools";

/// Builds everything; whatever is missing is installed.
pub fn run(shell: &Shell) -> Result<()> {
    module(shell)?;
    packages(shell, "web")?;
    cmd!(shell, "npm run build --prefix web").run().context("building the page")?;
    println!(
        "the page is in dist/; any static server shows it, for example: python3 -m http.server --directory dist"
    );
    Ok(())
}

/// The module and its package.
pub fn module(shell: &Shell) -> Result<()> {
    let bindgen = bindgen(shell)?;
    cmd!(shell, "cargo build --package i3d-web --target wasm32-unknown-unknown --profile web").run()?;
    let module = target(shell)?.join("wasm32-unknown-unknown/web/i3d_web.wasm");
    cmd!(shell, "{bindgen} --target web --out-dir web/pkg {module}").run()?;
    for file in ["package.json", "README.md", "example.html"] {
        shell.copy_file(format!("web/npm/{file}"), format!("web/pkg/{file}"))?;
    }
    Ok(())
}

/// The packages of a folder, exactly those of its lock file.
pub fn packages(shell: &Shell, folder: &str) -> Result<()> {
    if cmd!(shell, "npm --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        bail!("npm is missing; install Node.js 20.19 or newer (nodejs.org, or your system's packages)");
    }
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
