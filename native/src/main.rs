//! The `i3d` command line.

mod args;
mod bench;
mod cache;
mod checkpoint;
mod claims;
mod classify;
mod compare;
mod device;
mod eval;
mod examples;
mod film;
mod flow;
mod footage;
mod inflate;
mod input;
mod models;
mod networks;
mod output;
mod protocol;
mod run;
mod selftest;
mod signals;
mod spool;
mod stages;
mod synth;
mod systems;
mod talk;
mod train;
mod watch;

use clap::Parser;

fn main() -> std::process::ExitCode {
    quiet_drivers();
    // Before anything starts a thread.
    signals::at_end(|| {
        i3d::video::end_decoders();
        output::remove_temporaries();
    });
    let cli = args::Cli::parse();
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => log::LevelFilter::Error,
        (false, 0) => log::LevelFilter::Warn,
        (false, 1) => log::LevelFilter::Info,
        (false, _) => log::LevelFilter::Debug,
    };
    // wgpu tells of things that no user can act on; its errors come back as values.
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Error)
        .filter_module("i3d", level)
        .format(|out, record| {
            use std::io::Write;
            writeln!(out, "{}", record.args())
        })
        .init();
    run::run(cli)
}

/// Mesa's device-select layer asks the display server which GPU to prefer, and prints an error of its own where there is
/// none, as on every server. The preference is about displays, so the layer is left out.
fn quiet_drivers() {
    const SWITCH: &str = "NODEVICE_SELECT";
    if std::env::var_os(SWITCH).is_none() {
        // SAFETY: this is the first thing that the program does, so no other thread reads the environment.
        unsafe { std::env::set_var(SWITCH, "1") };
    }
}
