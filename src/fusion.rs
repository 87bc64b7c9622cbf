//! Two streams to one distribution.

/// How the logits of the streams become one result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fusion {
    /// `softmax(rgb + flow)`, as in DeepMind's released code.
    #[default]
    LogitSum,
    /// `softmax((rgb + flow) / 2)`, the wording of the paper: the same ranking, softer probabilities.
    LogitMean,
    /// `(softmax(rgb) + softmax(flow)) / 2`.
    ProbMean,
}

impl Fusion {
    /// Fused logits and probabilities. For [`Fusion::ProbMean`] the logits are the logarithms of the probabilities.
    ///
    /// # Shapes
    /// `rgb` and `flow` `[classes]`, results the same.
    pub fn fuse(self, rgb: &[f32], flow: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let pairs = || rgb.iter().zip(flow);
        match self {
            Fusion::LogitSum | Fusion::LogitMean => {
                let scale = if self == Fusion::LogitSum { 1.0 } else { 0.5 };
                let logits: Vec<f32> = pairs().map(|(r, f)| scale * (r + f)).collect();
                let probabilities = softmax(&logits);
                (logits, probabilities)
            }
            Fusion::ProbMean => {
                let (rgb, flow) = (softmax(rgb), softmax(flow));
                let probabilities: Vec<f32> = rgb.iter().zip(&flow).map(|(r, f)| 0.5 * (r + f)).collect();
                let logits = probabilities.iter().map(|p| p.max(f32::MIN_POSITIVE).ln()).collect();
                (logits, probabilities)
            }
        }
    }
}

/// Probabilities of logits.
///
/// # Shapes
/// `[classes]` to `[classes]`; the result sums to one.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = logits.iter().map(|&l| f64::from(l - largest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|e| (e / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_sums_to_one_and_survives_large_logits() {
        let p = softmax(&[1000.0, 999.0, -1000.0]);
        assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((p[0] / p[1] - std::f32::consts::E).abs() < 1e-4);
    }

    #[test]
    fn sum_and_mean_rank_alike_and_differ_in_sharpness() {
        let (rgb, flow) = ([2.0, 1.0, 0.0], [0.5, 1.0, 0.0]);
        let (sum, sharp) = Fusion::LogitSum.fuse(&rgb, &flow);
        let (mean, soft) = Fusion::LogitMean.fuse(&rgb, &flow);
        assert_eq!(sum, [2.5, 2.0, 0.0]);
        assert_eq!(mean, [1.25, 1.0, 0.0]);
        assert!(sharp[0] > soft[0] && soft[0] > soft[1]);
    }

    #[test]
    fn mean_of_probabilities_is_a_distribution() {
        let (_, p) = Fusion::ProbMean.fuse(&[5.0, 0.0], &[0.0, 5.0]);
        assert!((p[0] - 0.5).abs() < 1e-6 && (p[1] - 0.5).abs() < 1e-6);
    }
}
