//! Tests: whole clips, the centre of the picture, the network as inference runs it.

use std::borrow::Cow;

use i3d::backend::{RunOptions, reference};
use i3d::train::Views;
use i3d::weights::Parameters;
use i3d::{Error, Result};

use serde::Serialize;

use super::Run;
use super::dataset::Dataset;
use crate::examples::Example;
use crate::input::DEFAULT_FRAMES;
use crate::output::Output;
use crate::protocol::Tested;

/// What a test found.
#[derive(Debug, Clone, Copy)]
pub struct Score {
    /// Mean loss.
    pub loss: f64,
    /// Share of the clips whose best class was theirs.
    pub accuracy: f64,
}

/// What the model says of the test clips, a line of JSON for each.
pub const TEST: &str = "test.jsonl";

/// A line of it.
#[derive(Serialize)]
struct Verdict<'a> {
    path: Cow<'a, str>,
    /// What the clip is said to show.
    label: &'a str,
    /// The class with the highest logit.
    best: &'a str,
    /// One per class, in the order of the model's labels.
    logits: &'a [f32],
}

impl Run<'_> {
    /// Mean loss and accuracy over `examples`, of which there must be some.
    pub(super) fn evaluate(&self, parameters: &Parameters, examples: &[Example]) -> Result<Score> {
        self.score(parameters, examples, &mut |_| Ok(()))
    }

    /// Tests the model on the clips that are for that, where there are such, and writes what it says of each.
    pub(super) fn test(&self, parameters: &Parameters) -> Result<()> {
        let Dataset { labels, test, .. } = &self.dataset;
        if test.is_empty() {
            return Ok(());
        }
        let mut lines = String::new();
        let score = self.score(parameters, test, &mut |verdict| {
            let failed = |e| Error::io(TEST, std::io::Error::other(e));
            lines += &(serde_json::to_string(&verdict).map_err(failed)? + "\n");
            Ok(())
        })?;
        Output::create(&self.args.output.join(TEST))?.finish(lines.as_bytes())?;
        let (right, count) = (100.0 * score.accuracy, test.len());
        let classes = labels.len();
        self.talk.note(format!("test: {right:.1} % right of {count} clips of {classes} classes; see {TEST}"));
        Ok(())
    }

    fn score(
        &self,
        parameters: &Parameters,
        examples: &[Example],
        take: &mut dyn FnMut(Verdict<'_>) -> Result<()>,
    ) -> Result<Score> {
        let classes = self.network.classes;
        let labels = &self.dataset.labels;
        let (mut loss, mut correct) = (0.0, 0);
        self.observe(parameters, examples, |tested, example, views, frames| {
            let logits = &tested.logits(views, frames)?;
            loss += reference::cross_entropy(logits, classes, &[example.label], &mut vec![0.0; classes]);
            let best = (0..classes).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0);
            correct += usize::from(best == example.label);
            take(Verdict {
                path: example.path.to_string_lossy(),
                label: &labels[example.label],
                best: &labels[best],
                logits,
            })
        })?;
        let count = examples.len().max(1) as f64;
        Ok(Score { loss: loss / count, accuracy: correct as f64 / count })
    }

    /// The features of every clip, averaged over time.
    ///
    /// # Shapes
    /// Returns `[examples, features]`.
    pub(super) fn features(&self, parameters: &Parameters, examples: &[Example]) -> Result<Vec<f32>> {
        let mut all = Vec::new();
        self.observe(parameters, examples, |tested, _, views, frames| {
            all.extend(tested.features(views, frames)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Shows every example to `look`, and how many of its frames a test sees.
    fn observe(
        &self,
        parameters: &Parameters,
        examples: &[Example],
        mut look: impl FnMut(&mut Tested, &Example, &Views, usize) -> Result<()>,
    ) -> Result<()> {
        let mut tested = Tested::new(&self.device, parameters.folded()?, RunOptions::default())?;
        for example in examples {
            let views = self.views(example)?;
            let frames = views.frames();
            let views = match self.args.single_frame {
                true => views.still(frames / 2),
                false => views,
            };
            // Colours have a frame more than flow, of which a test sees no more than this.
            look(&mut tested, example, &views, frames.min(DEFAULT_FRAMES))?;
        }
        Ok(())
    }
}
