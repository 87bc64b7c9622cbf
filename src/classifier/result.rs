//! What a classifier says: logits per stream, one distribution, a ranking.

use super::Classifier;
use crate::backend::{Activation, Head};
use crate::error::{Error, Result};
use crate::fusion::{Fusion, softmax};
use crate::network::Stream;

/// What one stream's network says.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamResult {
    /// The stream.
    pub stream: Stream,
    /// Mean over time of the logits, `[classes]`.
    pub logits: Vec<f32>,
    /// Logits per time step, `[1, T', 1, 1, classes]`.
    pub per_step: Activation,
    /// Features per time step, `[1, T', 1, 1, 1024]`.
    pub features: Activation,
    /// Time that the network took.
    pub seconds: f64,
}

impl StreamResult {
    /// The result of a head's values.
    ///
    /// # Errors
    /// Logits that are not finite.
    pub(super) fn new(
        stream: Stream,
        head: Head,
        seconds: f64,
        classifier: &Classifier,
    ) -> Result<StreamResult> {
        let logits = head.finite_logits(&classifier.device, classifier.options.precision)?;
        let Head { features, per_step } = head;
        Ok(StreamResult { stream, logits, per_step, features, seconds })
    }
}

/// The result for one video.
#[derive(Debug, Clone, PartialEq)]
pub struct Classification {
    /// One or two streams, RGB first.
    pub streams: Vec<StreamResult>,
    /// Fused logits; those of the only stream where there is one.
    pub logits: Vec<f32>,
    /// Probabilities, which sum to one.
    pub probabilities: Vec<f32>,
    pub(super) labels: Vec<String>,
}

/// One class of the ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction<'a> {
    /// Index of the class.
    pub index: usize,
    /// Its name.
    pub label: &'a str,
    /// Its probability.
    pub probability: f32,
    /// Its (fused) logit.
    pub logit: f32,
}

impl Classification {
    /// One stream alone, or both fused.
    ///
    /// # Errors
    /// No stream, or one twice.
    pub(super) fn new(
        mut streams: Vec<StreamResult>,
        fusion: Fusion,
        labels: &[String],
    ) -> Result<Classification> {
        streams.sort_by_key(|s| s.stream);
        let (logits, probabilities) = match &streams[..] {
            [one] => (one.logits.clone(), softmax(&one.logits)),
            [rgb, flow] if rgb.stream != flow.stream => fusion.fuse(&rgb.logits, &flow.logits),
            _ => return Err(Error::Usage("give one clip, or one of each stream".into())),
        };
        Ok(Classification { streams, logits, probabilities, labels: labels.to_vec() })
    }

    /// The results of streams that ran one after the other, fused as one; labels are those of the first.
    ///
    /// # Errors
    /// More than two streams, and one twice.
    pub fn fused(&self, other: &Classification, fusion: Fusion) -> Result<Classification> {
        let streams = self.streams.iter().chain(&other.streams).cloned().collect();
        Classification::new(streams, fusion, &self.labels)
    }

    /// The `k` most probable classes, best first; equal ones in the order of the labels.
    pub fn top(&self, k: usize) -> Vec<Prediction<'_>> {
        let mut order: Vec<usize> = (0..self.logits.len()).collect();
        order.sort_by(|&a, &b| self.logits[b].total_cmp(&self.logits[a]).then(a.cmp(&b)));
        let prediction = |index: usize| Prediction {
            index,
            label: &self.labels[index],
            probability: self.probabilities[index],
            logit: self.logits[index],
        };
        order.into_iter().take(k).map(prediction).collect()
    }

    /// The result of a stream.
    pub fn stream(&self, stream: Stream) -> Option<&StreamResult> {
        self.streams.iter().find(|s| s.stream == stream)
    }
}
