//! `cargo xtask bench web`: i3d beside other programs in one browser, in one run. Writes `docs/benchmarks-web.md`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use xshell::{Shell, cmd};

use super::machine::{self, Facts};
use super::report::{number, quantile, table};
use crate::web;

/// Where weights, graph and results go.
const FOLDER: &str = "target/peers/web";

/// The page that is written.
const PAGE: &str = "docs/benchmarks-web.md";

const TEMPLATE: &str = include_str!("benchmarks_web.md");

/// The contenders' names, as in `benches/web/bench.mjs`.
const OURS_GPU: &str = "i3d, WebGPU";
const OURS_CPU: &str = "i3d, WASM";
const ORT_GPU: &str = "ONNX Runtime Web, WebGPU";
const ORT_CPU: &str = "ONNX Runtime Web, WASM";

/// Options of the command.
#[derive(Debug, PartialEq)]
pub struct Options {
    /// Timed turns of each program that is not too slow for that.
    runs: usize,
}

impl Options {
    /// Reads what follows `bench web`.
    pub fn parse(arguments: &[String]) -> Result<Options> {
        match arguments {
            [] => Ok(Options { runs: 5 }),
            [name, value] if name == "--runs" => match value.parse() {
                Ok(runs) if runs > 0 => Ok(Options { runs }),
                _ => bail!("--runs {value}: give a number from 1"),
            },
            _ => bail!("bench web has the option --runs N and no other"),
        }
    }

    /// The command that gives the same comparison elsewhere.
    fn command(&self) -> String {
        format!("cargo xtask bench web --runs {}", self.runs)
    }
}

/// What `bench.mjs` writes.
#[derive(Debug, Deserialize)]
struct Comparison {
    browser: String,
    /// What the browser tells of its adapter.
    adapter: String,
    frames: usize,
    /// Height and width of the clip.
    size: usize,
    /// Multiply-accumulates of the network by height and width of the kernels.
    macs: BTreeMap<usize, f64>,
    /// The largest logit.
    largest: Option<f64>,
    /// Version of TensorFlow.js.
    tensorflow: String,
    networks: Vec<Row>,
    /// Layers of TensorFlow.js.
    layers: Vec<Row>,
}

/// A program, or a layer of TensorFlow.js.
#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    version: String,
    /// Milliseconds of every turn.
    ms: Vec<f64>,
    /// Of these, what i3d reports for the network.
    #[serde(default)]
    network_ms: Vec<f64>,
    /// Multiply-accumulates of a layer.
    macs: Option<f64>,
    /// Difference from i3d's logits, or from the host's number.
    difference: Option<f64>,
    /// Why it did not run.
    skipped: Option<String>,
}

impl Row {
    fn median(&self) -> Option<f64> {
        (self.skipped.is_none() && !self.ms.is_empty()).then(|| quantile(&self.ms, 0.5))
    }

    /// Billions of operations in a second, two for a multiply-accumulate.
    fn gflops(&self, macs: f64) -> Option<f64> {
        Some(rate(macs, self.median()?))
    }
}

fn rate(macs: f64, ms: f64) -> f64 {
    2.0 * macs / ms / 1e6
}

impl Comparison {
    fn total_macs(&self) -> f64 {
        self.macs.values().sum()
    }

    fn network(&self, name: &str) -> Option<&Row> {
        self.networks.iter().find(|row| row.name == name)
    }

    /// The layer of TensorFlow.js with kernels of this height and width.
    fn layer(&self, kernel: usize) -> Option<&Row> {
        self.layers.iter().find(|row| row.name.ends_with(&format!("{kernel}x{kernel}")))
    }

    /// Milliseconds that TensorFlow.js would take for all convolutions, each kind at the speed of its layer.
    fn estimate(&self) -> Option<f64> {
        let part = |(&kernel, &macs): (&usize, &f64)| {
            let layer = self.layer(kernel)?;
            Some(macs / layer.macs? * layer.median()?)
        };
        self.macs.iter().map(part).sum()
    }
}

/// Runs the command.
pub fn run(shell: &Shell, options: &Options) -> Result<()> {
    let mut facts = machine::describe(shell);
    shell.create_dir(FOLDER)?;
    let python = super::install(shell, &[])?;
    // Whoever changed the library since builds the module again with `cargo xtask web`.
    if !shell.path_exists("web/pkg/i3d_web_bg.wasm") {
        web::module(shell)?;
    }
    // The browser is driven by what the page's tests use.
    for folder in ["web", "benches/web"] {
        web::packages(shell, folder)?;
    }
    cmd!(shell, "{python} benches/peers/random_network.py {FOLDER}")
        .run()
        .context("making random weights")?;
    let out = Path::new(FOLDER).join("comparison.json");
    let runs = options.runs.to_string();
    cmd!(shell, "node benches/web/bench.mjs {FOLDER} {out} {runs}").run().context("the comparison failed")?;
    let comparison: Comparison = serde_json::from_str(&shell.read_file(&out)?)
        .with_context(|| format!("{} is unreadable", out.display()))?;
    facts.push(("Browser", comparison.browser.clone()));
    facts.push(("WebGPU adapter", comparison.adapter.clone()));
    let page = markdown(options, &facts, &comparison);
    println!("\n{page}");
    shell.write_file(PAGE, page)?;
    println!("{PAGE} is written");
    Ok(())
}

/// Fills the template.
fn markdown(options: &Options, facts: &Facts, comparison: &Comparison) -> String {
    let Comparison { frames, size, .. } = comparison;
    let facts = facts.iter().map(|(name, value)| vec![name.to_string(), value.clone()]).collect();
    let largest =
        comparison.largest.map(|logit| format!(", whose largest is {logit:.1}")).unwrap_or_default();
    let parts = [
        ("command", options.command()),
        ("machine", table(&["", ""], facts)),
        ("clip", format!("{frames}x{size}x{size}")),
        ("gflop", format!("{:.1}", 2.0 * comparison.total_macs() / 1e9)),
        ("largest", largest),
        ("network", network_table(comparison)),
        ("tensorflow_version", comparison.tensorflow.clone()),
        ("layers", layer_table(comparison)),
        ("estimate", estimate(comparison)),
        ("ratios", ratios(comparison)),
    ];
    let fill = |page: String, (name, text): &(&str, String)| page.replace(&format!("{{{{{name}}}}}"), text);
    parts.iter().fold(TEMPLATE.to_string(), fill)
}

fn network_table(comparison: &Comparison) -> String {
    let cells = |row: &Row| {
        let version = if row.name.starts_with("i3d") { "`web/pkg`" } else { &row.version };
        let alone = (!row.network_ms.is_empty()).then(|| number(quantile(&row.network_ms, 0.5)));
        let mut cells = vec![row.name.clone(), version.to_string()];
        cells.extend(times(row, comparison.total_macs()));
        cells.push(alone.unwrap_or_default());
        cells.push(difference(row));
        cells
    };
    let heads = [
        "program",
        "version",
        "median ms",
        "from, to",
        "turns",
        "GFLOP/s",
        "network alone ms",
        "logits differ by",
    ];
    table(&heads, comparison.networks.iter().map(cells).collect())
}

fn layer_table(comparison: &Comparison) -> String {
    let cells = |row: &Row| {
        let mut cells = vec![row.name.clone()];
        cells.extend(times(row, row.macs.unwrap_or(f64::NAN)));
        cells.push(difference(row));
        cells
    };
    let heads = ["layer", "median ms", "from, to", "turns", "GFLOP/s", "differs by"];
    table(&heads, comparison.layers.iter().map(cells).collect())
}

/// Median, range, turns and speed, or why there are none.
fn times(row: &Row, macs: f64) -> [String; 4] {
    let (Some(median), Some(gflops)) = (row.median(), row.gflops(macs)) else {
        let reason = row.skipped.as_deref().unwrap_or("it had no turn");
        return [format!("not run: {reason}"), String::new(), String::new(), String::new()];
    };
    let range = [0.0, 1.0].map(|share| number(quantile(&row.ms, share))).join(" to ");
    [number(median), range, row.ms.len().to_string(), number(gflops)]
}

fn difference(row: &Row) -> String {
    let told = row.difference.filter(|&d| d > 0.0 && row.skipped.is_none());
    told.map(|d| format!("{d:.1e}")).unwrap_or_default()
}

fn estimate(comparison: &Comparison) -> String {
    let Some(ms) = comparison.estimate() else {
        return "A layer is missing, so there is no estimate for the network.".into();
    };
    let total = comparison.total_macs();
    let share = |(kernel, macs): (&usize, &f64)| {
        let percent = 100.0 * macs / total;
        format!("{percent:.0} % with {kernel}x{kernel}x{kernel} kernels")
    };
    let shares = comparison.macs.iter().map(share).collect::<Vec<_>>().join(", ");
    format!(
        "An estimate, not a measurement: if every convolution of the network ran at the speed of the layer with such \
         a kernel ({shares} of the multiply-accumulates), the convolutions alone would take {} ms, {} GFLOP/s.",
        number(ms),
        number(rate(total, ms))
    )
}

/// Who is how much faster than whom.
fn ratios(comparison: &Comparison) -> String {
    let time = |name| comparison.network(name).and_then(Row::median);
    let quotient = |a: Option<f64>, b: Option<f64>| Some(a? / b?);
    let ours = comparison.network(OURS_GPU).and_then(|row| row.gflops(comparison.total_macs()));
    let layer = comparison.layer(3).and_then(|row| row.gflops(row.macs?));
    let lines = [
        ("WebGPU, time of ONNX Runtime Web divided by that of i3d", quotient(time(ORT_GPU), time(OURS_GPU))),
        (
            "WebGPU, GFLOP/s of i3d's whole network divided by those of TensorFlow.js in its 3x3x3 layer",
            quotient(ours, layer),
        ),
        (
            "WebGPU, estimated time of TensorFlow.js divided by that of i3d",
            quotient(comparison.estimate(), time(OURS_GPU)),
        ),
        ("WASM, time of i3d divided by that of ONNX Runtime Web", quotient(time(OURS_CPU), time(ORT_CPU))),
    ];
    let line = |(what, ratio): (&str, Option<f64>)| {
        let ratio = ratio.map_or("unknown, one of the two did not run".into(), |ratio| format!("{ratio:.2}"));
        format!("- {what}: {ratio}")
    };
    lines.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_told_again() {
        let parse =
            |text: &str| Options::parse(&text.split_whitespace().map(String::from).collect::<Vec<_>>());
        assert_eq!(parse("").expect("the default"), Options { runs: 5 });
        assert_eq!(parse("--runs 3").expect("three").command(), "cargo xtask bench web --runs 3");
        for wrong in ["--runs 0", "--runs", "--run 1", "--runs 1 2"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_page_has_every_row_or_the_reason_why_not() {
        let comparison = r#"{"browser": "Chrome/1", "adapter": "a", "frames": 16, "size": 128, "largest": 9.3,
            "macs": {"1": 1e6, "3": 3e6}, "tensorflow": "4.2", "networks": [
            {"name": "i3d, WebGPU", "version": "", "ms": [3, 1, 2], "network_ms": [1], "difference": 2e-6},
            {"name": "i3d, WASM", "version": "", "ms": [4], "difference": 0},
            {"name": "ONNX Runtime Web, WebGPU", "version": "1.3", "ms": [20]},
            {"name": "ONNX Runtime Web, WASM", "version": "1.3", "ms": [], "skipped": "it is not here"}], "layers": [
            {"name": "Conv3d_2b_1x1", "version": "", "ms": [2], "macs": 1e6},
            {"name": "Conv3d_2c_3x3", "version": "", "ms": [8], "macs": 1e6}]}"#;
        let comparison: Comparison = serde_json::from_str(comparison).expect("JSON");
        let page = markdown(&Options { runs: 3 }, &vec![("Processor", "a fast one".into())], &comparison);
        for line in [
            "| Processor | a fast one |",
            "| i3d, WebGPU | `web/pkg` | 2.00 | 1.00 to 3.00 | 3 | 4.00 | 1.00 | 2.0e-6 |",
            "| ONNX Runtime Web, WebGPU | 1.3 | 20.0 | 20.0 to 20.0 | 1 | 0.40 |  |  |",
            "| ONNX Runtime Web, WASM | 1.3 | not run: it is not here |  |  |  |  |  |",
            "| Conv3d_2c_3x3 | 8.00 | 8.00 to 8.00 | 1 | 0.25 |  |",
            // 1 million at 2 ms, 3 million at 8 ms each.
            "would take 26.0 ms, 0.31 GFLOP/s",
            "- WebGPU, time of ONNX Runtime Web divided by that of i3d: 10.00",
            "in its 3x3x3 layer: 16.00",
            "- WASM, time of i3d divided by that of ONNX Runtime Web: unknown",
        ] {
            assert!(page.contains(line), "{line} is not in {page}");
        }
        assert!(!page.contains("{{"), "{page}");
    }
}
