//! One run for every line of standard input, so that other programs can take turns with this one.

use std::io::BufRead;
use std::path::Path;
use std::time::Duration;

use i3d::clip::Clip;
use i3d::{Error, Result};
use serde_json::json;

use super::Bench;
use crate::checkpoint::read_file;
use crate::output::print;
use crate::run::Outcome;
use crate::talk::Talk;

/// Answers every line with `{"ms": .., "logits": [..]}`, and with `per_layer` also `"launches": [[name, ms], ..]`, until
/// standard input ends.
pub fn run(path: &Path, mut bench: Bench, per_layer: bool, talk: Talk) -> Result<Outcome> {
    let clip = Clip::from_npy(&path.display().to_string(), &read_file(path)?)?;
    let plan = bench.plan(1, clip.frames)?;
    bench.device.check(&plan)?;
    talk.note(format!("running on {}, one run for every line of standard input", bench.device.info()));
    for line in std::io::stdin().lock().lines() {
        line.map_err(|e| Error::io("standard input", e))?;
        let (time, logits) = bench.once(&plan, &clip.data)?;
        let mut answer = json!({ "ms": ms(time), "logits": logits });
        if per_layer {
            // Every endpoint by itself, as other programs compute it.
            let launches = pollster::block_on(bench.model.profile(&plan, &clip.data, &plan.observable()))?;
            answer["launches"] =
                launches.iter().map(|launch| json!([launch.name, ms(launch.time)])).collect();
        }
        print(format_args!("{answer}\n"))?;
    }
    Ok(Outcome::Done)
}

fn ms(time: Duration) -> f64 {
    1e3 * time.as_secs_f64()
}
