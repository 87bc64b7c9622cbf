//! `cargo xtask table2`: the paper's table 2 in miniature. Narrow versions of its five systems learn a few classes of the
//! synthetic set, from colours, flow and both.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use xshell::Shell;

use crate::recipe::{Kitchen, Verdict, percent, replace_block};

const DOCUMENT: &str = "docs/experiments.md";

/// Three actions and their reversals, which no single frame tells apart, and two that repeat.
const CLASSES: [&str; 8] = [
    "opening a door",
    "closing a door",
    "sitting down",
    "standing up",
    "throwing a ball",
    "catching a ball",
    "clapping",
    "walking",
];

/// Clips of a class to learn from and to test on.
const CLIPS: [usize; 2] = [32, 16];

/// Three draws of everything that is random.
const SEEDS: std::ops::Range<usize> = 0..3;

const RECIPE: &str = "--batch 8 --warm-up 30 --no-dropout --no-flip --preset fast --cache-mb 8192";

/// A system: its name, what its networks see, their time steps in training, steps, rate, and the paper's numbers for UCF-101
/// (table 2, split 1): RGB, flow, both.
struct Row {
    system: &'static str,
    title: &'static str,
    /// Whether there is one network for both streams; otherwise their logits are added.
    joint: bool,
    training: &'static str,
    paper: [&'static str; 3],
}

/// Time steps are the paper's for (b) and (c); the clips, of 48 frames and 47 flows, are too short for those of the others.
const ROWS: [Row; 5] = [
    Row {
        system: "convnet-lstm",
        title: "(a) ConvNet+LSTM",
        joint: false,
        training: "--frames 8 --steps 600 --rate 0.01 --tenths 500",
        paper: ["81.0", "-", "-"],
    },
    Row {
        system: "3d-convnet",
        title: "(b) 3D-ConvNet",
        joint: false,
        training: "--frames 16 --steps 600 --rate 0.01 --tenths 500",
        paper: ["51.6", "-", "-"],
    },
    Row {
        system: "two-stream",
        title: "(c) Two-Stream",
        joint: true,
        training: "--steps 600 --rate 0.01 --tenths 500",
        paper: ["83.6", "85.6", "91.2"],
    },
    Row {
        system: "3d-fused",
        title: "(d) 3D-Fused",
        joint: true,
        training: "--frames 4 --steps 600 --rate 0.01 --tenths 500",
        paper: ["83.2", "85.8", "89.3"],
    },
    Row {
        system: "i3d",
        title: "(e) Two-Stream I3D",
        joint: false,
        training: "--frames 16 --steps 600 --rate 0.01 --tenths 500",
        paper: ["84.5", "90.6", "93.4"],
    },
];

/// Mean and sample deviation.
fn spread(percents: &[f64]) -> (f64, f64) {
    let count = percents.len() as f64;
    let mean = percents.iter().sum::<f64>() / count;
    let squares = percents.iter().map(|percent| (percent - mean).powi(2)).sum::<f64>();
    (mean, (squares / (count - 1.0)).sqrt())
}

/// Trains what is not trained yet in `folder` and writes the table.
pub fn run(shell: &Shell, folder: &str) -> Result<()> {
    let mut kitchen = Kitchen::open(shell, folder)?;
    let [train, test] = CLIPS;
    let synth = format!("synth set --split train,test --clips {train},{test} --frames 48 --seed 2");
    kitchen.stage("synth", "set/clips.csv", &synth)?;
    let clips = shell.read_file(kitchen.path("set/clips.csv"))?;
    let wanted = |line: &&str| line.split(',').nth(1).is_some_and(|class| CLASSES.contains(&class));
    let rows: String = clips.lines().filter(wanted).map(|line| format!("set/{line}\n")).collect();
    shell.write_file(kitchen.path("few.csv"), format!("path,label,split\n{rows}"))?;
    let mut commands = format!("i3d {synth}\n");
    let mut table = String::from(
        "| system | RGB, % | flow, % | both, % | a training, min | paper: RGB | flow | both |\n|---|---|---|---|---|---|---|---|\n",
    );
    for Row { system, title, joint, training, paper } in ROWS {
        let inputs: &[&str] = if joint { &["rgb", "flow", "both"] } else { &["rgb", "flow"] };
        let mut all: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut minutes = Vec::new();
        for &input in inputs {
            let own = format!("few.csv --system {system} --stream {input} {training} {RECIPE}");
            writeln!(commands, "i3d train {own} --seed N -o {system}_{input}_N")?;
            for seed in SEEDS {
                let name = format!("{system}_{input}_{seed}");
                kitchen.train(&name, &format!("{own} --seed {seed}"))?;
                let right = percent(&kitchen.verdicts(&name)?, |verdict| verdict.best == verdict.label);
                all.entry(input).or_default().push(right);
                minutes.extend(kitchen.minutes(&name));
            }
        }
        if !joint {
            for seed in SEEDS {
                let of = |input: &str| kitchen.verdicts(&format!("{system}_{input}_{seed}"));
                let right = fused(&of("rgb")?, &of("flow")?)?;
                all.entry("both").or_default().push(right);
            }
        }
        let cell = |input: &str| -> Result<String> {
            let (mean, deviation) = spread(all.get(input).context("a system has every column")?);
            Ok(format!("{mean:.1} ± {deviation:.1}"))
        };
        let time = median(&mut minutes).map_or("-".into(), |minutes| format!("{minutes:.1}"));
        let [rgb, flow, both] = paper;
        writeln!(
            table,
            "| {title} | {} | {} | {} | {time} | {rgb} | {flow} | {both} |",
            cell("rgb")?,
            cell("flow")?,
            cell("both")?
        )?;
    }
    let classes = CLASSES.len();
    writeln!(
        table,
        "\nMean and sample deviation of {} draws, {} test clips of {classes} classes each ({:.1} % by chance); the time is the median \
         of a system's trainings, decoding and flow included where they are the first to need them.",
        SEEDS.len(),
        test * classes,
        100.0 / classes as f64
    )?;
    writeln!(commands, "# few.csv are the lines of set/clips.csv of {}", CLASSES.join(", "))?;
    replace_block(shell, DOCUMENT, "commands", &format!("```sh\n{commands}```\n"))?;
    replace_block(shell, DOCUMENT, "table", &table)
}

/// Percent of clips that are right by the sum of both networks' logits.
fn fused(rgb: &[Verdict], flow: &[Verdict]) -> Result<f64> {
    // Models that `i3d train` makes have their labels sorted.
    let mut labels: Vec<&String> = rgb.iter().map(|verdict| &verdict.label).collect();
    labels.sort_unstable();
    labels.dedup();
    let pairs: Vec<(&Verdict, &Verdict)> = rgb.iter().zip(flow).collect();
    let same = |(rgb, flow): &(&Verdict, &Verdict)| rgb.path == flow.path;
    ensure!(
        rgb.len() == flow.len() && pairs.iter().all(same),
        "two networks have been tested on different clips"
    );
    Ok(percent(&pairs, |(rgb, flow)| {
        let sum = |class: &usize| rgb.logits[*class] + flow.logits[*class];
        let best = (0..labels.len()).max_by(|a, b| sum(a).total_cmp(&sum(b)));
        best.is_some_and(|best| *labels[best] == rgb.label)
    }))
}

fn median(minutes: &mut [f64]) -> Option<f64> {
    minutes.sort_unstable_by(f64::total_cmp);
    minutes.get(minutes.len() / 2).copied()
}
