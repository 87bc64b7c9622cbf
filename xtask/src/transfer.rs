//! `cargo xtask transfer-table`: the paper's table 4 in miniature. A network learns most classes of the synthetic set, then
//! the others from ten clips each, in the paper's three ways.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use xshell::Shell;

use crate::recipe::{Kitchen, percent, replace_block};

const DOCUMENT: &str = "docs/demo-model.md";

/// Classes that the first training does not see: a reversed pair and two that repeat.
const HELD_OUT: [&str; 4] = ["putting on a hat", "taking off a hat", "waving a hand", "jumping jacks"];

/// Clips of each of them to learn from.
const CLIPS: usize = 10;

/// Three draws of these clips and of everything else that is random.
const SEEDS: std::ops::Range<usize> = 0..3;

const COMMON: &str = "--frames 16 --batch 8 --no-dropout --validate-every 400 --cache-mb 8192";
const PRETRAINING: &str = "--steps 2000 --rate 0.01 --warm-up 50 --tenths 1600,1900 --seed 7";

/// The ways of table 4: name, and how they are trained. Steps of `fixed` are passes over features.
const MODES: [(&str, &str); 3] = [
    ("original", "--steps 300 --rate 0.01 --warm-up 50 --tenths 240"),
    ("fixed", "--from before/model.safetensors --mode fixed --steps 300 --rate 0.05"),
    (
        "full",
        "--from before/model.safetensors --mode full --steps 300 --rate 0.002 --warm-up 50 --tenths 240",
    ),
];

/// Trains what is not trained yet in `folder`, which `cargo xtask demo-table` has filled, and writes the table.
pub fn run(shell: &Shell, folder: &str) -> Result<()> {
    let mut kitchen = Kitchen::open(shell, folder)?;
    let clips = kitchen.path("set/clips.csv");
    ensure!(clips.exists(), "{} is missing; run `cargo xtask demo-table {folder}` first", clips.display());
    let clips = shell.read_file(clips)?;
    let held_out = |line: &&str| HELD_OUT.iter().any(|class| line.split(',').nth(1) == Some(class));
    let (others, held): (Vec<&str>, Vec<&str>) = clips.lines().skip(1).partition(|line| !held_out(line));
    let write = |name: &str, lines: &[&str]| -> Result<()> {
        let rows: String = lines.iter().map(|line| format!("set/{line}\n")).collect();
        Ok(shell.write_file(kitchen.path(name), format!("path,label,split\n{rows}"))?)
    };
    write("before.csv", &others)?;
    for seed in SEEDS {
        let drawn = |class: &str| {
            let of = move |line: &&&str| line.ends_with(",train") && line.split(',').nth(1) == Some(class);
            held.iter().filter(of).skip(seed * CLIPS).take(CLIPS).copied().collect::<Vec<_>>()
        };
        let mut lines: Vec<&str> = HELD_OUT.iter().flat_map(|class| drawn(class)).collect();
        lines.extend(held.iter().filter(|line| line.ends_with(",test")));
        write(&format!("after_{seed}.csv"), &lines)?;
    }
    kitchen.train("before", &format!("before.csv {PRETRAINING} {COMMON}"))?;
    let mut commands = format!("i3d train before.csv {PRETRAINING} {COMMON} -o before\n");
    let mut text = String::from("| mode | mean, % | of the draws, % |\n|---|---|---|\n");
    for (mode, own) in MODES {
        let mut found = Vec::new();
        for seed in SEEDS {
            let name = format!("{mode}_{seed}");
            kitchen.train(&name, &format!("after_{seed}.csv {own} {COMMON} --seed {seed}"))?;
            found.push(percent(&kitchen.verdicts(&name)?, |verdict| verdict.best == verdict.label));
        }
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        let each: Vec<String> = found.iter().map(|percent| format!("{percent:.1}")).collect();
        writeln!(text, "| {mode} | {mean:.1} | {} |", each.join(", "))?;
        writeln!(commands, "i3d train after_N.csv {own} {COMMON} --seed N -o {mode}_N")?;
    }
    let tests = held.iter().filter(|line| line.ends_with(",test")).count();
    writeln!(
        text,
        "\n{tests} test clips of {}; {CLIPS} clips of each to learn from. The first network has seen the other classes alone \
         and tells {:.1} % of their test clips.",
        HELD_OUT.join(", "),
        percent(&kitchen.verdicts("before")?, |verdict| verdict.best == verdict.label)
    )?;
    replace_block(shell, DOCUMENT, "transfer commands", &format!("```sh\n{commands}```\n"))?;
    replace_block(shell, DOCUMENT, "transfer", &text)
}
