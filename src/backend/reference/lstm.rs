//! Twins of `shaders/lstm.wgsl` and `shaders/lstm_grad.wgsl`: one time step of long short-term memory with recurrent batch
//! norm, there and back. [`crate::network::Form::Lstm`] has the formulas.

use super::Real;
use crate::backend::params::LstmParams;

/// Where things are in the weights and the trace.
struct Layout {
    n: usize,
    steps: usize,
    c: usize,
    h: usize,
    t: usize,
    batch: bool,
    epsilon: f64,
    /// The step whose fixed statistics are used.
    fixed: usize,
    fixed_steps: usize,
}

impl Layout {
    fn new(p: &LstmParams) -> Layout {
        let [n, steps, c, h] = p.sizes();
        let [t, batch, fixed_steps, _] = p.step.map(|v| v as usize);
        let (batch, epsilon, fixed) = (batch == 1, f64::from(p.factors[0]), t.min(fixed_steps - 1));
        Layout { n, steps, c, h, t, batch, epsilon, fixed, fixed_steps }
    }

    /// Weight from row `row`, inputs and then hidden units, to a gate of unit `j`.
    fn weight(&self, row: usize, j: usize, gate: usize) -> usize {
        (row * self.h + j) * 4 + gate
    }

    fn bias(&self, j: usize, gate: usize) -> usize {
        self.weight(self.c + self.h, j, gate)
    }

    /// The fixed mean, or variance, of value `k` of unit `j`: gates from the input, gates from the state, the cell.
    fn fixed(&self, variance: bool, j: usize, k: usize) -> usize {
        let h = self.h;
        let first = self.bias(0, 0) + 4 * h + (usize::from(variance) * self.fixed_steps + self.fixed) * 9 * h;
        first + if k < 8 { k / 4 * 4 * h + 4 * j + k % 4 } else { 8 * h + j }
    }

    /// Value `k` of the trace of a clip's unit at time step `t`.
    fn trace(&self, t: usize, n: usize, j: usize, k: usize) -> usize {
        ((t * self.n + n) * self.h + j) * LstmParams::TRACE + k
    }

    /// Value `k` of a unit's statistics.
    fn statistic(&self, j: usize, k: usize) -> usize {
        let behind = self.steps * self.n * self.h * LstmParams::TRACE;
        behind + (self.t * self.h + j) * LstmParams::STATISTICS + k
    }
}

/// Places in the trace.
const GATES: usize = 8;
const CELL: usize = 12;
const NORMAL_CELL: usize = 13;
const CARRY: usize = 14;

/// Places among the statistics: reciprocal deviations, mean and variance of value `k` of a unit.
fn inverse(k: usize) -> usize {
    k
}
fn moments(k: usize) -> [usize; 2] {
    match k {
        0..4 => [12 + k, 16 + k],
        4..8 => [20 + k - 4, 24 + k - 4],
        _ => [9, 10],
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// A time step.
///
/// # Shapes
/// `input` `[N, T, C]`, `weights` `[C + H, H, 4]`, `[H, 4]`, `[2, steps, 9 H]`; `trace` as [`LstmParams`] says, `output`
/// `[N, T, H]`, of both those of the steps before are read.
pub fn lstm<T: Real>(p: &LstmParams, input: &[T], weights: &[T], trace: &mut [T], output: &mut [T]) {
    let at = Layout::new(p);
    let Layout { n, steps, c, h, t, .. } = at;
    for j in 0..h {
        let normalise = |k: usize, values: &[f64], trace: &mut [T]| -> Vec<f64> {
            let (mean, variance) = if at.batch {
                let mean = values.iter().sum::<f64>() / n as f64;
                (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64)
            } else {
                (weights[at.fixed(false, j, k)].get(), weights[at.fixed(true, j, k)].get())
            };
            let scale = 1.0 / (variance + at.epsilon).sqrt();
            let [place, other] = moments(k);
            trace[at.statistic(j, inverse(k))] = T::of(scale);
            trace[at.statistic(j, place)] = T::of(mean);
            trace[at.statistic(j, other)] = T::of(variance);
            trace[at.statistic(j, 11)] = T::of(0.0);
            values.iter().map(|v| (v - mean) * scale).collect()
        };
        for k in 0..8 {
            let (gate, state) = (k % 4, k >= 4);
            let product = |n: usize| -> f64 {
                let terms = |rows: usize, first: usize, values: &[T]| -> f64 {
                    let term = |i: usize| values[i].get() * weights[at.weight(first + i, j, gate)].get();
                    (0..rows).map(term).sum()
                };
                match state {
                    false => terms(c, 0, &input[(n * steps + t) * c..]),
                    true if t == 0 => 0.0,
                    true => terms(h, c, &output[(n * steps + t - 1) * h..]),
                }
            };
            let products: Vec<f64> = (0..n).map(product).collect();
            let normal = normalise(k, &products, trace);
            (0..n).for_each(|n| trace[at.trace(t, n, j, k)] = T::of(normal[n]));
        }
        let mut cells = Vec::new();
        for n in 0..n {
            for gate in 0..4 {
                let of = |k: usize| trace[at.trace(t, n, j, k)].get();
                let z = of(gate) + of(4 + gate) + weights[at.bias(j, gate)].get();
                trace[at.trace(t, n, j, GATES + gate)] = T::of(if gate == 2 { z.tanh() } else { sigmoid(z) });
            }
            let gate = |k: usize| trace[at.trace(t, n, j, GATES + k)].get();
            let before = if t == 0 { 0.0 } else { trace[at.trace(t - 1, n, j, CELL)].get() };
            cells.push(gate(1) * before + gate(0) * gate(2));
        }
        let normal = normalise(8, &cells, trace);
        for n in 0..n {
            trace[at.trace(t, n, j, CELL)] = T::of(cells[n]);
            trace[at.trace(t, n, j, NORMAL_CELL)] = T::of(normal[n]);
            (CARRY..LstmParams::TRACE).for_each(|k| trace[at.trace(t, n, j, k)] = T::of(0.0));
            let open = trace[at.trace(t, n, j, GATES + 3)].get();
            output[(n * steps + t) * h + j] = T::of(open * normal[n].tanh());
        }
    }
}

/// A time step on the way back; the steps behind it have been there.
///
/// # Shapes
/// `weights` and `trace` as in [`lstm`], `output_grad` as `output` there; into `input_gates` and `state_gates` `[N, T, H, 4]` go
/// the gradients of the gates' products, and the bias' is added to `bias_grad` `[H, 4]`.
pub fn lstm_grad<T: Real>(
    p: &LstmParams,
    weights: &[T],
    output_grad: &[T],
    trace: &mut [T],
    [input_gates, state_gates, bias_grad]: [&mut [T]; 3],
) {
    let at = Layout::new(p);
    let Layout { n: clips, steps, c, h, t, .. } = at;
    // Through batch norm: fixed statistics do not move with the values.
    let through = |scale: f64, grads: &[f64], normals: &[f64]| -> Vec<f64> {
        let mean = |values: &mut dyn Iterator<Item = f64>| match at.batch {
            true => values.sum::<f64>() / clips as f64,
            false => 0.0,
        };
        let sum = mean(&mut grads.iter().copied());
        let product = mean(&mut grads.iter().zip(normals).map(|(g, x)| g * x));
        grads.iter().zip(normals).map(|(g, x)| scale * (g - sum - x * product)).collect()
    };
    for j in 0..h {
        let of = |trace: &[T], n: usize, k: usize| trace[at.trace(t, n, j, k)].get();
        let column = |trace: &[T], k: usize| -> Vec<f64> { (0..clips).map(|n| of(trace, n, k)).collect() };
        let scale = |trace: &[T], k: usize| trace[at.statistic(j, inverse(k))].get();
        let ahead = |n: usize| {
            let own = output_grad[(n * steps + t) * h + j].get();
            let later = |i: usize| {
                let grad = state_gates[((n * steps + t + 1) * h + i / 4) * 4 + i % 4].get();
                grad * weights[at.weight(c + j, i / 4, i % 4)].get()
            };
            own + if t + 1 < steps { (0..4 * h).map(later).sum::<f64>() } else { 0.0 }
        };
        let ahead: Vec<f64> = (0..clips).map(ahead).collect();
        let normals = column(trace, NORMAL_CELL);
        let grad = |n: usize| ahead[n] * of(trace, n, GATES + 3) * (1.0 - normals[n].tanh().powi(2));
        let normal_grads: Vec<f64> = (0..clips).map(grad).collect();
        let mut cells = through(scale(trace, 8), &normal_grads, &normals);
        let mut gates = [const { Vec::new() }; 4];
        for n in 0..clips {
            if t + 1 < steps {
                cells[n] += trace[at.trace(t + 1, n, j, CARRY)].get();
            }
            let gate = |k: usize| of(trace, n, GATES + k);
            let [i, f, g, o] = [gate(0), gate(1), gate(2), gate(3)];
            let before = if t == 0 { 0.0 } else { trace[at.trace(t - 1, n, j, CELL)].get() };
            gates[0].push(cells[n] * g * i * (1.0 - i));
            gates[1].push(cells[n] * before * f * (1.0 - f));
            gates[2].push(cells[n] * i * (1.0 - g * g));
            gates[3].push(ahead[n] * normals[n].tanh() * o * (1.0 - o));
            trace[at.trace(t, n, j, CARRY)] = T::of(cells[n] * f);
        }
        for (gate, grads) in gates.iter().enumerate() {
            let bias = &mut bias_grad[4 * j + gate];
            *bias = T::of(bias.get() + grads.iter().sum::<f64>());
            for (k, to) in [(gate, &mut *input_gates), (4 + gate, &mut *state_gates)] {
                let values = through(scale(trace, k), grads, &column(trace, k));
                for n in 0..clips {
                    trace[at.trace(t, n, j, GATES + gate)] = T::of(grads[n]);
                    to[((n * steps + t) * h + j) * 4 + gate] = T::of(values[n]);
                }
            }
        }
    }
}
