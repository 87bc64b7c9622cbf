//! `i3d systems`: the paper's Table 1, counted from the networks.

use i3d::network::{Network, Protocol, Stream, System};
use i3d::{Error, Result};
use serde::Serialize;

use crate::args::SystemsArgs;
use crate::output::print;
use crate::run::Outcome;

/// A line of the table.
#[derive(Serialize)]
struct Line {
    system: System,
    title: &'static str,
    /// Trainable parameters of all its networks.
    parameters: usize,
    train: Seen,
    test: Seen,
}

/// What a system sees of a video.
#[derive(Serialize)]
struct Seen {
    rgb_frames: usize,
    flow_frames: usize,
    seconds: f64,
}

impl Line {
    fn new(system: System, classes: usize) -> Line {
        let networks = system.inputs().iter().map(|&input| Network::new(system, input, classes));
        let streams = |stream| system.inputs().iter().any(|input| input.streams().any(|own| own == stream));
        let protocol = system.protocol();
        let Protocol { train_steps, test_steps, test_windows, stack, .. } = protocol;
        let seen = |steps: usize, seconds| Seen {
            rgb_frames: if streams(Stream::Rgb) { steps } else { 0 },
            flow_frames: if streams(Stream::Flow) { steps * stack } else { 0 },
            seconds,
        };
        Line {
            system,
            title: system.title(),
            parameters: networks.map(|network| network.parameters()).sum(),
            train: seen(train_steps, protocol.train_seconds()),
            test: seen(test_steps * test_windows, protocol.test_seconds()),
        }
    }
}

impl Seen {
    fn text(&self) -> String {
        match self {
            Seen { rgb_frames, flow_frames: 0, .. } => format!("{rgb_frames} rgb"),
            Seen { rgb_frames, flow_frames, .. } => format!("{rgb_frames} rgb, {flow_frames} flow"),
        }
    }
}

/// Runs the command.
pub fn run(args: &SystemsArgs) -> Result<Outcome> {
    let lines: Vec<Line> = System::ALL.into_iter().map(|system| Line::new(system, args.classes)).collect();
    if args.json {
        let text = serde_json::to_string_pretty(&lines);
        print(text.map_err(|e| Error::io("systems", std::io::Error::other(e)))? + "\n")?;
        return Ok(Outcome::Done);
    }
    print(format_args!(
        "{:<13} {:<20} {:>11}  {:<16} {:>8}  {:<17} {:>7}\n",
        "system", "in the paper", "parameters", "training", "seconds", "test", "seconds"
    ))?;
    for Line { system, title, parameters, train, test } in lines {
        print(format_args!(
            "{:<13} {title:<20} {parameters:>11}  {:<16} {:>8.2}  {:<17} {:>7.1}\n",
            system.name(),
            train.text(),
            train.seconds,
            test.text(),
            test.seconds
        ))?;
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use i3d::network::Input;

    use super::*;

    #[test]
    fn the_table_is_the_papers() {
        for (system, parameters, train, test, seconds) in [
            (System::ConvNetLstm, 8_945_600, "25 rgb", "50 rgb", [5.0, 10.0]),
            (System::ConvNet3d, 79_634_576, "16 rgb", "240 rgb", [0.64, 9.6]),
            (System::TwoStream, 12_058_560, "1 rgb, 10 flow", "25 rgb, 250 flow", [0.4, 10.0]),
            (System::Fused, 39_755_824, "5 rgb, 50 flow", "25 rgb, 250 flow", [2.0, 10.0]),
            (System::I3d, 25_358_016, "64 rgb, 64 flow", "250 rgb, 250 flow", [2.56, 10.0]),
        ] {
            let line = Line::new(system, 400);
            assert_eq!(
                (line.parameters, line.train.text(), line.test.text()),
                (parameters, train.into(), test.into())
            );
            assert_eq!([line.train.seconds, line.test.seconds], seconds, "{system}");
        }
        let networks = |input| Network::new(System::TwoStream, input, 400).parameters();
        assert_eq!(networks(Input::Both), Line::new(System::TwoStream, 400).parameters);
    }
}
