//! A whole layer of long short-term memory through its twins, in f64.

use super::{Statistics, UnitGradients};
use crate::backend::params::LstmParams;
use crate::backend::reference::lstm_grad;
use crate::plan::{Plan, Step};
use crate::weights::UnitParameters;

/// A layer as the twins of its time steps see it.
pub(super) struct Lstm {
    pub params: LstmParams,
    /// Kernel, bias, means and variances.
    pub weights: Vec<f64>,
}

impl Lstm {
    pub fn new(plan: &Plan, step: &Step, own: &UnitParameters, batch: bool) -> Lstm {
        let fixed = own.moments.iter().flat_map(|moments| moments.mean.iter().chain(&moments.variance));
        let weights = own.kernel.iter().chain(&own.offset).chain(fixed).map(|&value| f64::from(value));
        Lstm { params: LstmParams::new(plan, step, batch), weights: weights.collect() }
    }

    /// The gradients of its weights; that of its input is added to `input_grad`.
    ///
    /// # Shapes
    /// `input` and `input_grad` `[N, T, C]`, `output` and `output_grad` `[N, T, H]`
    pub fn back(
        &self,
        trace: &mut [f64],
        input: &[f64],
        output: &[f64],
        output_grad: &[f64],
        input_grad: &mut [f64],
    ) -> UnitGradients {
        let [n, steps, c, h] = self.params.sizes();
        let columns = 4 * h;
        let (mut of_input, mut of_state) = (vec![0.0; n * steps * columns], vec![0.0; n * steps * columns]);
        let mut offset = vec![0.0; columns];
        for t in (0..steps).rev() {
            let to = [&mut of_input[..], &mut of_state[..], &mut offset[..]];
            lstm_grad(&self.params.at(t), &self.weights, output_grad, trace, to);
        }
        let mut kernel = vec![0.0; (c + h) * columns];
        for row in 0..n * steps {
            let gates = &of_input[row * columns..][..columns];
            for i in 0..c {
                let weights = &self.weights[i * columns..];
                input_grad[row * c + i] += gates.iter().zip(weights).map(|(g, w)| g * w).sum::<f64>();
            }
            let mut add = |i: usize, value: f64, gates: &[f64]| {
                let to = &mut kernel[i * columns..][..columns];
                to.iter_mut().zip(gates).for_each(|(sum, grad)| *sum += value * grad);
            };
            (0..c).for_each(|i| add(i, input[row * c + i], gates));
            if row % steps > 0 {
                let gates = &of_state[row * columns..][..columns];
                (0..h).for_each(|i| add(c + i, output[(row - 1) * h + i], gates));
            }
        }
        UnitGradients { kernel, offset }
    }

    /// The statistics of the steps that have some of their own; those beyond the last are like it.
    pub fn statistics(&self, trace: &[f64]) -> Statistics {
        let [n, steps, _, h] = self.params.sizes();
        let behind = steps * n * h * LstmParams::TRACE;
        let of = |variance: usize| -> Vec<f64> {
            let value = |t: usize, j: usize, k: usize| {
                trace[behind + (t.min(steps - 1) * h + j) * LstmParams::STATISTICS + k]
            };
            let step = |t: usize| {
                let gates = |first: usize| {
                    (0..4 * h).map(move |column| value(t, column / 4, first + 4 * variance + column % 4))
                };
                gates(12).chain(gates(20)).chain((0..h).map(move |j| value(t, j, 9 + variance)))
            };
            (0..self.params.step[2] as usize).flat_map(step).collect()
        };
        (of(0), of(1))
    }
}
