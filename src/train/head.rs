//! The paper's "Fixed": a softmax layer on features that do not change.

use super::trainer::cross_entropy;
use crate::error::{Error, Result};
use crate::random::SplitMix64;

/// A linear layer and softmax in training.
///
/// The network's logits are the mean over time of a linear function of the features, which is that function of the mean of the
/// features, or an LSTM's that of its last step; so one vector per clip is all that has to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadTrainer {
    /// `[features, classes]`
    pub kernel: Vec<f32>,
    /// `[classes]`
    pub bias: Vec<f32>,
    velocity: Vec<f32>,
}

/// Clips of a step.
const BATCH: usize = 32;
/// Share of the velocity that stays.
const MOMENTUM: f32 = 0.9;

impl HeadTrainer {
    /// A layer of zeros, which gives every class the same probability.
    pub fn new(features: usize, classes: usize) -> HeadTrainer {
        let zeros = |count: usize| vec![0.0; count];
        HeadTrainer {
            kernel: zeros(features * classes),
            bias: zeros(classes),
            velocity: zeros((features + 1) * classes),
        }
    }

    /// One pass over all clips in an order drawn from `random`; gives the mean loss and how many were right.
    ///
    /// # Shapes
    /// `features` `[clips, features]`, `labels` `[clips]`
    ///
    /// # Errors
    /// A loss that is no number.
    pub fn epoch(
        &mut self,
        features: &[f32],
        labels: &[usize],
        rate: f32,
        random: &mut SplitMix64,
    ) -> Result<(f64, usize)> {
        let width = features.len() / labels.len().max(1);
        let mut order: Vec<usize> = (0..labels.len()).collect();
        random.shuffle(&mut order);
        let (mut total, mut correct) = (0.0, 0);
        for clips in order.chunks(BATCH) {
            let rows: Vec<&[f32]> = clips.iter().map(|&clip| &features[clip * width..][..width]).collect();
            let wanted: Vec<usize> = clips.iter().map(|&clip| labels[clip]).collect();
            let (loss, right, grad) = self.gradient(&rows, &wanted);
            if !loss.is_finite() {
                return Err(Error::training(
                    "features",
                    format!("the loss is {loss}; take a lower learning rate"),
                ));
            }
            total += loss * clips.len() as f64;
            correct += right;
            let parameters = self.kernel.iter_mut().chain(&mut self.bias);
            for ((value, velocity), grad) in parameters.zip(&mut self.velocity).zip(grad) {
                *velocity = MOMENTUM * *velocity + grad;
                *value -= rate * *velocity;
            }
        }
        Ok((total / labels.len().max(1) as f64, correct))
    }

    /// Loss, clips that are right, and the gradient of kernel and bias.
    fn gradient(&self, rows: &[&[f32]], labels: &[usize]) -> (f64, usize, Vec<f32>) {
        let classes = self.bias.len();
        let logits: Vec<f32> = rows.iter().flat_map(|row| self.logits(row)).collect();
        let (loss, right, logits_grad) = cross_entropy(&logits, classes, labels);
        let mut grad = vec![0.0; self.velocity.len()];
        for (row, ahead) in rows.iter().zip(logits_grad.chunks_exact(classes)) {
            let (kernel, bias) = grad.split_at_mut(self.kernel.len());
            for (feature, grads) in row.iter().zip(kernel.chunks_exact_mut(classes)) {
                grads.iter_mut().zip(ahead).for_each(|(grad, ahead)| *grad += feature * ahead);
            }
            bias.iter_mut().zip(ahead).for_each(|(grad, ahead)| *grad += ahead);
        }
        (loss, right, grad)
    }

    /// The logits of a clip's mean features.
    pub fn logits(&self, features: &[f32]) -> Vec<f32> {
        let mut logits = self.bias.clone();
        for (feature, row) in features.iter().zip(self.kernel.chunks_exact(self.bias.len())) {
            logits.iter_mut().zip(row).for_each(|(logit, weight)| *logit += feature * weight);
        }
        logits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_learns_what_features_tell() {
        let mut random = SplitMix64::new(1);
        let labels: Vec<usize> = (0..90).map(|clip| clip % 3).collect();
        let clip = |random: &mut SplitMix64, label: usize| -> Vec<f32> {
            (0..8).map(|i| random.symmetric() + if i == label { 1.5 } else { 0.0 }).collect()
        };
        let features: Vec<f32> = labels.iter().flat_map(|&label| clip(&mut random, label)).collect();
        let mut head = HeadTrainer::new(8, 3);
        let (first, _) = head.epoch(&features, &labels, 0.0, &mut random).expect("finite");
        assert!((first - 3f64.ln()).abs() < 1e-6, "{first}");
        let mut last = (first, 0);
        for _ in 0..50 {
            last = head.epoch(&features, &labels, 0.1, &mut random).expect("finite");
        }
        assert!(last.0 < 0.4 && last.1 > 80, "{last:?}");
        assert!(head.epoch(&[f32::NAN; 16], &[0, 1], 0.1, &mut random).is_err());
    }
}
