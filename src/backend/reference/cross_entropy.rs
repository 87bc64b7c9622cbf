//! Softmax and cross-entropy.

use super::Real;

/// Mean over clips of `-log softmax(logits)[label]`, and its gradient.
///
/// # Shapes
/// `logits` and `logits_grad` `[clips, stride]`, of which the first `classes` of a row are logits; `labels` `[clips]`,
/// each below `classes`. The gradient of the rest of a row is zero.
pub fn cross_entropy<T: Real>(logits: &[T], classes: usize, labels: &[usize], logits_grad: &mut [T]) -> f64 {
    let (clips, stride) = (labels.len(), logits.len() / labels.len());
    let mut loss = 0.0;
    for (clip, &label) in labels.iter().enumerate() {
        let row = &logits[clip * stride..][..classes];
        let most = row.iter().map(|logit| logit.get()).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|logit| (logit.get() - most).exp()).sum();
        loss += sum.ln() + most - row[label].get();
        for (class, grad) in logits_grad[clip * stride..][..stride].iter_mut().enumerate() {
            let softmax = row.get(class).map_or(0.0, |logit| (logit.get() - most).exp() / sum);
            *grad = T::of((softmax - f64::from(u8::from(class == label))) / clips as f64);
        }
    }
    loss / clips as f64
}
