//! `cargo xtask bench peers`: i3d beside other programs, on this machine, in one run. Writes `docs/benchmarks.md`.

mod machine;
mod report;
pub mod web;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use xshell::{Cmd, Shell, cmd};

/// Where everything that the comparison installs and builds goes.
const FOLDER: &str = "target/peers";

/// What the scripts cannot do without.
const NEEDED: &[(&str, &str)] = &[("numpy", "numpy"), ("onnx", "onnx")];

/// The peers that are Python packages: package and module. One that cannot be installed is left out of the tables.
const PEERS: &[(&str, &str)] = &[
    ("onnxruntime", "onnxruntime"),
    ("openvino", "openvino"),
    ("opencv-contrib-python-headless", "cv2"),
    // Last and largest: for Linux it brings CUDA's libraries, without which it does not start.
    ("torch", "torch"),
];

/// Height and width of the clip whose convolutions are compared on a GPU.
const LAYER_SIZE: usize = 224;

/// The same on a software adapter, on which Burn would tune for hours: the fewest frames that the network takes, and a
/// quarter of the pixels.
const SOFTWARE_FRAMES: usize = 9;
const SOFTWARE_SIZE: usize = 112;

/// Options of the command.
#[derive(Debug, PartialEq)]
pub struct Options {
    /// Timed turns of each program.
    runs: usize,
    /// Frames of the clip.
    frames: usize,
    /// Threads of each program on the CPU.
    threads: usize,
    /// An adapter for i3d's GPU backend; else a hardware GPU where there is one.
    device: Option<String>,
}

impl Options {
    /// Reads what follows `bench peers`.
    pub fn parse(arguments: &[String]) -> Result<Options> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut options = Options { runs: 7, frames: 64, threads, device: None };
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { bail!("{} needs a value", pair.join(" ")) };
            let number = || match value.parse() {
                Ok(number) if number > 0 => Ok(number),
                _ => bail!("{name} {value}: give a number from 1"),
            };
            match name.as_str() {
                "--runs" => options.runs = number()?,
                "--frames" => options.frames = number()?,
                "--threads" => options.threads = number()?,
                "--device" => options.device = Some(value.clone()),
                _ => bail!("there is no option {name}; give --runs, --frames, --threads or --device"),
            }
        }
        Ok(options)
    }

    /// The command that gives the same comparison elsewhere.
    fn command(&self) -> String {
        let Options { runs, frames, threads, device } = self;
        let device = device.as_ref().map(|d| format!(" --device {d:?}")).unwrap_or_default();
        format!("cargo xtask bench peers --runs {runs} --frames {frames} --threads {threads}{device}")
    }
}

/// The answer of `i3d devices --json`.
#[derive(Debug, Deserialize)]
struct Devices {
    auto: Named,
    adapters: Vec<Adapter>,
}

#[derive(Debug, Deserialize)]
struct Named {
    backend: String,
    name: String,
}

/// An adapter as i3d sees it.
#[derive(Debug, Clone, Deserialize)]
struct Adapter {
    backend: String,
    name: String,
    driver: String,
    kind: String,
}

/// One program's row of a table.
#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    #[serde(default)]
    version: String,
    /// The layer, where the table has layers.
    layer: Option<String>,
    /// Milliseconds of every turn.
    #[serde(default)]
    ms: Vec<f64>,
    /// Milliseconds of the first turn of a program that tunes in it.
    first_ms: Option<f64>,
    /// Largest difference of its logits from those of i3d on the CPU.
    difference: Option<f64>,
    /// Why it did not run.
    skipped: Option<String>,
}

/// What `network.py` and `conv3d.py` write.
#[derive(Debug, Deserialize)]
struct Comparison {
    frames: usize,
    /// Height and width of the clip.
    size: usize,
    rows: Vec<Row>,
}

/// What `tvl1.py` writes.
#[derive(Debug, Deserialize)]
struct FlowComparison {
    width: usize,
    height: usize,
    pairs: usize,
    rows: Vec<Row>,
    apart_px: Option<f64>,
    within_tenth: Option<f64>,
    largest_px: Option<f64>,
}

/// Everything that was measured; a part that could not run says why.
struct Results {
    network: Result<Comparison>,
    layers: Result<(Adapter, Comparison)>,
    burn_version: String,
    flow: Result<FlowComparison>,
}

/// Runs the command.
pub fn run(shell: &Shell, options: &Options) -> Result<()> {
    let machine = machine::describe(shell);
    shell.create_dir(FOLDER)?;
    let python = install(shell, PEERS)?;
    cmd!(shell, "cargo build --release -p i3d-cli").run().context("building i3d")?;
    let i3d = Path::new("target/release").join(format!("i3d{}", std::env::consts::EXE_SUFFIX));
    let weights = Path::new(FOLDER).join("random.safetensors");
    cmd!(shell, "{i3d} bench --save-weights {weights}").run().context("making random weights")?;
    let devices: Devices = serde_json::from_str(&cmd!(shell, "{i3d} devices --json").quiet().read()?)?;

    let Options { runs, frames, threads, device } = options;
    let [runs, frames, threads] = [runs, frames, threads].map(usize::to_string);
    // A software adapter takes minutes for a whole clip, so it has to be named.
    let hardware = (devices.auto.backend != "cpu").then_some(&devices.auto.name);
    let gpu = device.as_ref().or(hardware);
    let on_gpu = gpu.into_iter().flat_map(|name| ["--device", name]).collect::<Vec<_>>();
    let network = compare(shell, "network", |out| {
        let common = ["--frames", &frames, "--threads", &threads, "--runs", &runs];
        cmd!(shell, "{python} benches/peers/network.py {i3d} {weights} {out} {common...} {on_gpu...}")
    });
    let layers = layers(shell, &python, &i3d, &devices, gpu.map(String::as_str), options);
    let flow = compare(shell, "flow", |out| {
        let sample = "samples/jumping_jacks.gif";
        cmd!(shell, "{python} benches/peers/tvl1.py {out} {sample} --threads {threads} --runs {runs}")
    });
    let tree = cmd!(shell, "cargo tree --manifest-path benches/burn/Cargo.toml --package burn --depth 0");
    // `burn v1.2.3`
    let burn_version = tree.quiet().ignore_stderr().read().unwrap_or_default();
    let burn_version =
        burn_version.split_whitespace().nth(1).unwrap_or("").trim_start_matches('v').to_string();
    let results = Results { network, layers, burn_version, flow };
    shell
        .write_file("docs/benchmarks.md", report::markdown(options, &machine, &devices.adapters, &results))?;
    println!("\ndocs/benchmarks.md is written");
    Ok(())
}

/// A Python of its own with these peers in it, as far as they can be installed; gives the interpreter.
fn install(shell: &Shell, peers: &[(&str, &str)]) -> Result<PathBuf> {
    let folder = Path::new(FOLDER).join("venv");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !shell.path_exists(&python) {
        let program = if cfg!(windows) { "python" } else { "python3" };
        cmd!(shell, "{program} -m venv {folder}").run().context("making a Python environment")?;
    }
    let python = std::path::absolute(shell.current_dir().join(python))?;
    for (package, module) in NEEDED.iter().chain(peers) {
        let import = format!("import {module}");
        if cmd!(shell, "{python} -c {import}").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
            continue;
        }
        println!(
            "peers: installing {package}{}",
            if *package == "torch" { ", about 3 GB on Linux" } else { "" }
        );
        let installed = cmd!(shell, "{python} -m pip install --quiet {package}").run();
        if NEEDED.contains(&(package, module)) {
            installed.with_context(|| format!("installing {package}"))?;
        } else if let Err(error) = installed {
            println!("peers: going on without {package}: {error}");
        }
    }
    Ok(python)
}

/// i3d's convolutions beside Burn's, on the GPU that was chosen, else on whatever adapter there is.
fn layers(
    shell: &Shell,
    python: &Path,
    i3d: &Path,
    devices: &Devices,
    gpu: Option<&str>,
    options: &Options,
) -> Result<(Adapter, Comparison)> {
    let matches = |adapter: &&Adapter| {
        let Adapter { backend, name, driver, .. } = adapter;
        let all = format!("{name} {driver} {backend}").to_lowercase();
        gpu.is_none_or(|gpu| all.contains(&gpu.to_lowercase()))
    };
    let adapter = devices.adapters.iter().find(matches).context("there is no adapter for wgpu here")?;
    let target = std::path::absolute(shell.current_dir().join(FOLDER).join("burn"))?;
    cmd!(shell, "cargo build --release --manifest-path benches/burn/Cargo.toml")
        .env("CARGO_TARGET_DIR", &target)
        .run()
        .context("building Burn")?;
    let burn = target.join("release").join(format!("burn-conv3d{}", std::env::consts::EXE_SUFFIX));
    let (frames, size) = match adapter.kind.as_str() {
        "software" => (SOFTWARE_FRAMES.min(options.frames), SOFTWARE_SIZE),
        _ => (options.frames, LAYER_SIZE),
    };
    let (name, kind) = (&adapter.name, &adapter.kind);
    let [frames, size, runs] = [frames, size, options.runs].map(|n| n.to_string());
    let comparison = compare(shell, "conv3d", |out| {
        let files = [i3d, &burn];
        let options = ["--frames", &frames, "--size", &size, "--runs", &runs];
        cmd!(shell, "{python} benches/peers/conv3d.py {files...} {name} {kind} {out} {options...}")
    })?;
    Ok((adapter.clone(), comparison))
}

/// Runs a script that writes its results to the file that it is given, and reads them.
fn compare<'a, T: DeserializeOwned>(
    shell: &'a Shell,
    name: &str,
    command: impl FnOnce(&Path) -> Cmd<'a>,
) -> Result<T> {
    println!("\n=== {name} ===");
    let out = Path::new(FOLDER).join(format!("{name}.json"));
    let outcome = command(&out).run().with_context(|| format!("the comparison {name} failed"));
    if let Err(error) = &outcome {
        eprintln!("{error:#}");
    }
    outcome?;
    serde_json::from_str(&shell.read_file(&out)?).with_context(|| format!("{} is unreadable", out.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_told_again() {
        let parse =
            |text: &str| Options::parse(&text.split_whitespace().map(String::from).collect::<Vec<_>>());
        let options = parse("--runs 5 --threads 2 --device llvmpipe").expect("they make sense");
        let command = "cargo xtask bench peers --runs 5 --frames 64 --threads 2 --device \"llvmpipe\"";
        assert_eq!(options.command(), command);
        for (wrong, said) in [("--runs 0", "from 1"), ("--runs", "needs a value"), ("--run 1", "no option")] {
            let error = parse(wrong).expect_err(wrong).to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
