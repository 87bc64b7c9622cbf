//! Project chores: `cargo xtask setup`, `cargo xtask test`, and what writes the tables in `docs/`.

mod bench;
mod demo;
mod fuzz;
mod real;
mod recipe;
mod setup;
mod table2;
mod test;
mod transfer;
mod web;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use xshell::Shell;

const USAGE: &str = "\
usage: cargo xtask setup                   install what the test suite needs, skipping what is there
       cargo xtask test  [--full]          setup, then the whole suite; stops at the first failure
       cargo xtask real  [--quick]         the released weights against Flax: CPU, software GPU and WASM; --quick: short clips, CPU
       cargo xtask web                     builds the page into dist/ and its module's package into web/pkg
       cargo xtask fuzz [--minutes N] [TARGET...]
                                           fuzzes every parser of untrusted bytes, N minutes each (10), with a nightly compiler
       cargo xtask bench peers [--runs N] [--frames N] [--threads N] [--device NAME]
                                           i3d beside other programs; installs those, writes docs/benchmarks.md
       cargo xtask bench web [--runs N]    the same in a browser, 10 minutes on a software GPU; writes docs/benchmarks-web.md
       cargo xtask demo-table FOLDER       trains the demo model in a folder, or goes on there, and tests it;
                                           writes samples/demo_*.safetensors and docs/demo-model.md
       cargo xtask table2 FOLDER           the paper's five systems in miniature; writes docs/experiments.md
       cargo xtask transfer-table FOLDER   the paper's three ways to transfer, in miniature, with the set of demo-table

  --full          also the tests that are ignored because they take long";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let shell = Shell::new()?;
    // Cargo runs this from wherever it was called; everything here speaks of the repository's root.
    let root =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    shell.change_dir(root);

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["setup"] => setup::run(&shell),
        ["test"] => test::run(&shell, false),
        ["test", "--full"] => test::run(&shell, true),
        ["real"] => real::run(&shell, real::Extent::Full, true),
        ["real", "--quick"] => real::run(&shell, real::Extent::Quick, true),
        ["web"] => web::run(&shell),
        ["fuzz", ..] => fuzz::run(&shell, &fuzz::Options::parse(&arguments[1..])?),
        ["demo-table", folder] => demo::run(&shell, folder),
        ["table2", folder] => table2::run(&shell, folder),
        ["transfer-table", folder] => transfer::run(&shell, folder),
        ["bench", "peers", ..] => bench::run(&shell, &bench::Options::parse(&arguments[2..])?),
        ["bench", "web", ..] => bench::web::run(&shell, &bench::web::Options::parse(&arguments[2..])?),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("{USAGE}"),
    }
}
