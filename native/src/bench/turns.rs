//! One run for every line of standard input, so that other programs can take turns with this one.

use std::io::BufRead;
use std::path::Path;

use i3d::clip::Clip;
use i3d::plan::Plan;
use i3d::{Error, Result};

use super::Bench;
use crate::checkpoint::read_file;
use crate::output::print;
use crate::run::Outcome;
use crate::talk::Talk;

/// Answers every line with `{"ms": .., "logits": [..]}` until standard input ends.
pub fn run(path: &Path, mut bench: Bench, talk: Talk) -> Result<Outcome> {
    let clip = Clip::from_npy(&path.display().to_string(), &read_file(path)?)?;
    let plan = Plan::new(bench.model.network(), 1, clip.frames)?;
    bench.device.check(&plan)?;
    talk.note(format!("running on {}, one run for every line of standard input", bench.device.info()));
    for line in std::io::stdin().lock().lines() {
        line.map_err(|e| Error::io("standard input", e))?;
        let (time, logits) = bench.once(&plan, &clip.data)?;
        let answer = serde_json::json!({ "ms": 1e3 * time.as_secs_f64(), "logits": logits });
        print(format_args!("{answer}\n"))?;
    }
    Ok(Outcome::Done)
}
