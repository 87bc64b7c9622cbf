//! Recipes: commands of `i3d` one after the other in a folder, each done once, its time written down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use xshell::{Shell, cmd};

/// A folder in which a recipe is carried out.
pub struct Kitchen<'a> {
    shell: &'a Shell,
    folder: PathBuf,
    /// Seconds that every finished stage took.
    times: BTreeMap<String, f64>,
}

impl<'a> Kitchen<'a> {
    /// Builds the program, and opens `folder` with what was done in it before.
    pub fn open(shell: &'a Shell, folder: &str) -> Result<Kitchen<'a>> {
        cmd!(shell, "cargo build --release -p i3d-cli").run()?;
        shell.create_dir(folder)?;
        let folder = shell.current_dir().join(folder);
        let times = match shell.read_file(folder.join(TIMES)) {
            Ok(text) => serde_json::from_str(&text).context("times.json is damaged; remove it")?,
            Err(_) => BTreeMap::new(),
        };
        Ok(Kitchen { shell, folder, times })
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs `i3d` with `arguments` in the folder, unless what it makes, `result`, is there.
    pub fn stage(&mut self, name: &str, result: &str, arguments: &str) -> Result<()> {
        if self.path(result).exists() {
            return Ok(());
        }
        println!("\n{name}: i3d {arguments}");
        let _back = self.shell.push_dir(&self.folder);
        let resumed = arguments.ends_with(" --resume");
        let arguments = arguments.split_whitespace();
        let (program, start) = (program(), Instant::now());
        // Decoded clips stay in the folder, so that times do not depend on what ran before.
        let cache = self.folder.join("cache");
        cmd!(self.shell, "{program} {arguments...}").quiet().env("XDG_CACHE_HOME", cache).run()?;
        let whole = start.elapsed().as_secs_f64();
        // The time of what was left of a run says nothing.
        if !resumed {
            self.times.insert(name.to_owned(), whole);
        }
        self.shell.write_file(self.folder.join(TIMES), serde_json::to_string_pretty(&self.times)?)?;
        Ok(())
    }

    /// Trains the network of the folder `run`, from nothing or from where it was stopped.
    pub fn train(&mut self, run: &str, arguments: &str) -> Result<()> {
        let begun = self.path(run).join("state.safetensors").exists();
        let go_on = if begun { " --resume" } else { "" };
        self.stage(run, &format!("{run}/test.jsonl"), &format!("train {arguments} -o {run}{go_on}"))
    }

    /// Minutes that a stage took, where it ran from beginning to end.
    pub fn minutes(&self, stage: &str) -> Option<f64> {
        self.times.get(stage).map(|seconds| seconds / 60.0)
    }

    /// What `i3d train` found in the test clips of the run in folder `run`.
    pub fn verdicts(&self, run: &str) -> Result<Vec<Verdict>> {
        let path = self.folder.join(run).join("test.jsonl");
        let text = self.shell.read_file(&path)?;
        let lines = text.lines().map(serde_json::from_str).collect::<serde_json::Result<Vec<_>>>();
        lines.with_context(|| format!("{} cannot be read", path.display()))
    }

    /// What the program prints.
    pub fn output(&self, arguments: &[String]) -> Result<String> {
        let _back = self.shell.push_dir(&self.folder);
        let program = program();
        Ok(cmd!(self.shell, "{program} {arguments...}").quiet().read()?)
    }
}

const TIMES: &str = "times.json";

/// The program as `cargo build --release` leaves it.
fn program() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("target");
    target.unwrap_or(root).join("release").join(format!("i3d{}", std::env::consts::EXE_SUFFIX))
}

/// A line of `test.jsonl`.
#[derive(Debug, Deserialize)]
pub struct Verdict {
    /// What the clip shows.
    pub label: String,
    /// What it is said to show.
    pub best: String,
    /// Its file.
    pub path: String,
    /// One score per class.
    pub logits: Vec<f64>,
}

/// Puts `text` between the lines `<!-- NAME -->` and `<!-- end of NAME -->` of a document.
pub fn replace_block(shell: &Shell, document: &str, name: &str, text: &str) -> Result<()> {
    let whole = shell.read_file(document)?;
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let Some((before, rest)) = whole.split_once(&begin) else {
        bail!("{document} has no line {begin:?}");
    };
    let Some((_, after)) = rest.split_once(&end) else {
        bail!("{document} has no line {end:?}");
    };
    shell.write_file(document, format!("{before}{begin}{text}{end}{after}"))?;
    println!("{document}: {name} written");
    Ok(())
}

/// Percent of those for which `right` holds.
pub fn percent<T>(all: &[T], right: impl Fn(&T) -> bool) -> f64 {
    100.0 * all.iter().filter(|item| right(item)).count() as f64 / all.len().max(1) as f64
}
