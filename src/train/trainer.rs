//! Steps of training, and all that a run needs to go on after it was cut off.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::Sgd;
use crate::backend::cpu::{Gradients, UnitGradients};
use crate::backend::{Pass, Tape, reference};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::plan::Precision;
use crate::random::SplitMix64;
use crate::weights::{Checkpoint, Metadata, Parameters};

/// What stays the same from step to step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// Share of the velocity that stays.
    pub momentum: f32,
    /// Weight decay.
    pub weight_decay: f32,
    /// Share of batch norm's moving averages that a step leaves as it was: Sonnet's 0.999 is for a hundred thousand steps.
    pub averaging: f32,
    /// Whether batch norm keeps its moving averages and uses them.
    pub frozen: bool,
    /// Whether half of the features are dropped.
    pub dropout: bool,
    /// Seed of the dropout.
    pub seed: u64,
}

/// Clips that run at once: the input of the plan's first buffer, `[N, T, H, W, C]`, and a label for each.
pub type Portion = (Vec<f32>, Vec<usize>);

/// What a step found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Mean loss of its clips.
    pub loss: f64,
    /// Clips whose best class was theirs.
    pub correct: usize,
}

/// A network in training.
pub struct Trainer {
    /// Its parameters now.
    pub parameters: Parameters,
    sgd: Sgd,
    recipe: Recipe,
    tape: Tape,
    gradients: Gradients,
    step: u64,
}

/// Key of the metadata that holds the number of steps.
const STEP: &str = "step";
/// Names of velocities end as TensorFlow's optimizer slots do, so that every reader of checkpoints leaves them out.
const KERNEL_VELOCITY: &str = "conv_3d/w/Momentum";
const OFFSET_VELOCITY: &str = "offset/Momentum";

impl Trainer {
    /// Training from `parameters`; the plan of `tape` says how many clips of how many frames run at once.
    pub fn new(parameters: Parameters, tape: Tape, recipe: Recipe) -> Trainer {
        let network = parameters.network;
        Trainer {
            sgd: Sgd::new(&network, recipe.momentum, recipe.weight_decay),
            tape,
            gradients: Gradients::zeros(&network),
            parameters,
            recipe,
            step: 0,
        }
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// One step of `rate` on portions of clips, whose gradients are averaged; each is as large as the plan's batch.
    ///
    /// # Errors
    /// A loss or gradient that is no number, and what the device reports; then nothing has changed.
    pub async fn step(&mut self, portions: &[Portion], rate: f32) -> Result<StepReport> {
        let network = self.parameters.network;
        self.gradients = Gradients::zeros(&network);
        let (mut report, mut clips) = (StepReport { loss: 0.0, correct: 0 }, 0);
        let mut moments = Vec::new();
        for (index, (input, labels)) in portions.iter().enumerate() {
            let seed = || SplitMix64::with_path(self.recipe.seed, &[self.step, index as u64]).word();
            let pass = Pass { frozen: self.recipe.frozen, dropout: self.recipe.dropout.then(seed) };
            let logits = self.tape.forward(&self.parameters, input, pass).await?;
            let (loss, correct, mut grad) = scored(&logits, network.classes, labels);
            if !loss.is_finite() {
                return Err(self.diverged(format!("the loss is {loss}")));
            }
            grad.iter_mut().for_each(|grad| *grad /= portions.len() as f32);
            self.tape.backward(&self.parameters, &grad, &mut self.gradients).await?;
            moments.push(self.tape.moments());
            report.loss += loss * labels.len() as f64;
            report.correct += correct;
            clips += labels.len();
        }
        report.loss /= clips.max(1) as f64;
        let finite =
            |unit: &UnitGradients| unit.kernel.iter().chain(&unit.offset).all(|grad| grad.is_finite());
        if let Some(unit) = self.gradients.units.iter().position(|unit| !finite(unit)) {
            return Err(
                self.diverged(format!("the gradient of {} is not finite", network.units()[unit].name))
            );
        }
        self.sgd.step(&mut self.parameters, &self.gradients, rate);
        let kept = self.recipe.averaging;
        for batch in moments {
            for (own, batch) in self.parameters.units.iter_mut().zip(batch) {
                let (Some(own), Some(batch)) = (&mut own.moments, batch) else { continue };
                let average = |own: &mut [f32], batch: &[f32]| {
                    own.iter_mut().zip(batch).for_each(|(own, new)| *own += (1.0 - kept) * (new - *own));
                };
                average(&mut own.mean, &batch.mean);
                average(&mut own.variance, &batch.variance);
            }
        }
        self.step += 1;
        Ok(report)
    }

    fn diverged(&self, found: String) -> Error {
        let advice = "take a lower learning rate, or more steps of warm-up";
        Error::training(format!("step {}", self.step + 1), format!("{found}; {advice}"))
    }

    /// Everything that [`Trainer::restore`] needs, as a safetensors file that is also a checkpoint of the network.
    ///
    /// # Errors
    /// Metadata that is no text.
    pub fn state(&self, metadata: Metadata) -> Result<Vec<u8>> {
        let place = "training";
        let checkpoint = self.parameters.to_checkpoint(place, metadata);
        let bytes = checkpoint.to_safetensors(checkpoint.metadata.labels.as_deref(), Precision::F32)?;
        let failed =
            |e: safetensors::SafeTensorError| Error::checkpoint(place, format!("cannot be written: {e}"));
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(failed)?;
        let mut words: HashMap<String, String> = header.metadata().clone().unwrap_or_default();
        words.insert(STEP.into(), self.step.to_string());
        let model = SafeTensors::deserialize(&bytes).map_err(failed)?;
        let mut tensors: Vec<(String, TensorView<'_>)> = model.tensors();
        for (unit, velocity) in self.parameters.network.units().iter().zip(&self.sgd.velocity.units) {
            for (name, values) in [(KERNEL_VELOCITY, &velocity.kernel), (OFFSET_VELOCITY, &velocity.offset)] {
                let view = TensorView::new(Dtype::F32, vec![values.len()], bytemuck::cast_slice(values));
                tensors.push((format!("{}/{name}", unit.name), view.map_err(failed)?));
            }
        }
        safetensors::serialize(tensors, Some(words)).map_err(failed)
    }

    /// Goes on where the run was that wrote `bytes`, which `place` names in errors.
    ///
    /// # Errors
    /// Files of another network, and files that hold no training.
    pub fn restore(&mut self, place: &str, bytes: &[u8]) -> Result<()> {
        let checkpoint = Checkpoint::from_bytes(place, bytes)?;
        let (found, own) = (checkpoint.network()?, self.parameters.network);
        if found.system != own.system || found.in_channels != own.in_channels {
            let kind = |n: &Network| format!("a {} of {} input channels", n.system, n.in_channels);
            let problem = format!(
                "the run is one of {}, expected {}; go on with its own options",
                kind(&found),
                kind(&own)
            );
            return Err(Error::checkpoint(place, problem));
        }
        let parameters = Parameters::from_checkpoint(&checkpoint, &own)?;
        let no_state =
            || Error::checkpoint(place, "holds a model and no state of training; start from it with --from");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|_| no_state())?;
        let step = header.metadata().as_ref().and_then(|words| words.get(STEP)?.parse().ok());
        let file = SafeTensors::deserialize(bytes).map_err(|_| no_state())?;
        let mut velocity = Gradients::zeros(&parameters.network);
        for (unit, velocity) in parameters.network.units().iter().zip(&mut velocity.units) {
            let UnitGradients { kernel, offset } = velocity;
            for (name, values) in [(KERNEL_VELOCITY, kernel), (OFFSET_VELOCITY, offset)] {
                let tensor = file.tensor(&format!("{}/{name}", unit.name)).map_err(|_| no_state())?;
                let stored: Vec<f32> = bytemuck::pod_collect_to_vec(tensor.data());
                if tensor.dtype() != Dtype::F32 || stored.len() != values.len() {
                    return Err(no_state());
                }
                *values = stored;
            }
        }
        self.step = step.ok_or_else(no_state)?;
        (self.parameters, self.sgd.velocity) = (parameters, velocity);
        Ok(())
    }
}

/// [`cross_entropy`] of clips that may have logits for every time step, the last of which says what a clip is taken for.
fn scored(logits: &[f32], classes: usize, labels: &[usize]) -> (f64, usize, Vec<f32>) {
    let stored = classes.next_multiple_of(4);
    let steps = logits.len() / (stored * labels.len()).max(1);
    let each: Vec<usize> = labels.iter().flat_map(|label| std::iter::repeat_n(*label, steps)).collect();
    let mut grad = vec![0.0; logits.len()];
    let loss = reference::cross_entropy(logits, classes, &each, &mut grad);
    let last = logits.chunks_exact(stored * steps).map(|clip| &clip[stored * (steps - 1)..]);
    (loss, correct(last, classes, labels), grad)
}

/// Mean loss, clips whose best class is theirs, and the gradient; see `backend::reference::cross_entropy`.
pub(super) fn cross_entropy(logits: &[f32], classes: usize, labels: &[usize]) -> (f64, usize, Vec<f32>) {
    let mut grad = vec![0.0; logits.len()];
    let loss = reference::cross_entropy(logits, classes, labels, &mut grad);
    let stride = logits.len() / labels.len().max(1);
    (loss, correct(logits.chunks_exact(stride), classes, labels), grad)
}

/// How many rows have their highest logit at their label.
fn correct<'a>(rows: impl Iterator<Item = &'a [f32]>, classes: usize, labels: &[usize]) -> usize {
    let best = |row: &[f32]| (0..classes).max_by(|&a, &b| row[a].total_cmp(&row[b]));
    rows.zip(labels).filter(|(row, label)| best(row) == Some(**label)).count()
}
