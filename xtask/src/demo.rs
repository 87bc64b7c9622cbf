//! `cargo xtask demo-table`: the demo model from nothing, and what it is worth.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use i3d_synth::{CLASSES, REVERSED};
use serde_json::Value;
use xshell::Shell;

use crate::recipe::{Kitchen, Verdict, percent, replace_block};

const DOCUMENT: &str = "docs/demo-model.md";

/// The set of clips: for training, validation and test.
const SYNTH: &str = "synth set --split train,val,test --clips 160,10,25 --frames 32 --seed 1";

/// What all three trainings have in common.
const RECIPE: &str =
    "--frames 16 --batch 8 --rate 0.01 --warm-up 50 --no-dropout --validate-every 400 --cache-mb 8192";

/// The networks: name, stream and what is particular to it.
const NETWORKS: [(&str, &str); 3] = [
    ("rgb", "--stream rgb --steps 7600 --tenths 6700,7400"),
    ("flow", "--stream flow --preset fast --steps 3000 --tenths 2500,2900"),
    ("single", "--stream rgb --single-frame --steps 3000 --tenths 2500,2900"),
];

/// Trains what is not trained yet in `folder`, converts it into `samples/`, and writes the tables.
pub fn run(shell: &Shell, folder: &str) -> Result<()> {
    let samples = shell.current_dir().join("samples");
    let mut kitchen = Kitchen::open(shell, folder)?;
    kitchen.stage("synth", "set/clips.csv", SYNTH)?;
    for (name, own) in NETWORKS {
        kitchen.train(name, &format!("set/clips.csv {own} {RECIPE}"))?;
    }
    let mut commands = format!("i3d {SYNTH}\n");
    for (name, own) in NETWORKS {
        writeln!(commands, "i3d train set/clips.csv {own} {RECIPE} -o {name}")?;
    }
    for stream in ["rgb", "flow"] {
        let to = samples.join(format!("demo_{stream}.safetensors"));
        let (from, to) = (format!("{stream}/model.safetensors"), to.display().to_string());
        kitchen.output(&["convert".into(), from.clone(), to, "--precision".into(), "f16".into()])?;
        writeln!(commands, "i3d convert {from} samples/demo_{stream}.safetensors --precision f16")?;
    }
    replace_block(shell, DOCUMENT, "commands", &format!("```sh\n{commands}```\n"))?;
    replace_block(shell, DOCUMENT, "table", &table(&kitchen, shell)?)
}

/// What was said of the test clips by the two networks as they are shipped, by both together, and by the one that never saw
/// motion.
fn table(kitchen: &Kitchen<'_>, shell: &Shell) -> Result<String> {
    let samples = shell.current_dir().join("samples");
    let mut arguments: Vec<String> = ["classify", "--quiet", "--json", "-"].map(String::from).to_vec();
    for stream in ["rgb", "flow"] {
        let weights = samples.join(format!("demo_{stream}.safetensors"));
        arguments.extend([format!("--{stream}"), weights.display().to_string()]);
    }
    let clips = shell.read_file(kitchen.path("set/clips.csv"))?;
    let clips: Vec<&str> = clips.lines().filter(|line| line.ends_with(",test")).collect();
    arguments.extend(clips.iter().map(|line| format!("set/{}", line.split(',').next().unwrap_or_default())));
    let results: Vec<Value> = serde_json::from_str(&kitchen.output(&arguments)?)?;
    // Models that `i3d train` makes have their labels sorted.
    let mut labels = CLASSES;
    labels.sort_unstable();
    let said = |logits: &dyn Fn(&Value) -> &Value| -> Result<Vec<Verdict>> {
        let verdict = |(line, result): (&&str, &Value)| {
            let mut columns = line.split(',').map(str::to_owned);
            let (Some(path), Some(label)) = (columns.next(), columns.next()) else {
                bail!("a line of clips.csv lacks its label");
            };
            let logits: Vec<f64> = serde_json::from_value(logits(result).clone())?;
            let best = (0..labels.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0);
            Ok(Verdict { path, label, best: labels[best].to_owned(), logits })
        };
        clips.iter().zip(&results).map(verdict).collect()
    };
    let rows = [
        ("RGB", said(&|result| &result["streams"]["rgb"]["logits"])?, kitchen.minutes("rgb")),
        ("flow", said(&|result| &result["streams"]["flow"]["logits"])?, kitchen.minutes("flow")),
        ("both, logits added", said(&|result| &result["fused"]["logits"])?, None),
        ("RGB, a single frame", kitchen.verdicts("single")?, kitchen.minutes("single")),
    ];
    let mut text = String::from(
        "| network | right of all 16 classes, % | right of the six reversed pairs, % | training, minutes |\n\
         |---|---|---|---|\n",
    );
    for (name, verdicts, minutes) in rows {
        let paired = |label: &str| REVERSED.iter().any(|&(a, b)| CLASSES[a] == label || CLASSES[b] == label);
        let pairs: Vec<&Verdict> = verdicts.iter().filter(|verdict| paired(&verdict.label)).collect();
        let right = |verdict: &Verdict| verdict.best == verdict.label;
        let (all, pairs) = (percent(&verdicts, right), percent(&pairs, |verdict| right(verdict)));
        let minutes = minutes.map_or(String::new(), |minutes| format!("{minutes:.0}"));
        writeln!(text, "| {name} | {all:.1} | {pairs:.1} | {minutes} |")?;
    }
    writeln!(text, "\n{} test clips.", clips.len())?;
    let stages = ["synth", "rgb", "flow"].map(|stage| kitchen.minutes(stage));
    if let [Some(synth), Some(rgb), Some(flow)] = stages {
        let total = synth + rgb + flow;
        writeln!(
            text,
            "Drawing the set took {synth:.0} minutes, and all that the demo model needs {total:.0}; training includes \
             decoding the set, and flow its optical flow."
        )?;
    }
    Ok(text)
}
