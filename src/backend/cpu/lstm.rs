//! Long short-term memory with recurrent batch norm, there and back. [`crate::network::Form::Lstm`] has the formulas.
//!
//! The products of all inputs are one matrix product, those of the state one per time step. A time step of one clip is a row;
//! rows of a time step lie side by side, `[T, N, ..]`, so that a batch's statistics are those of neighbouring rows.

use super::gemm::{Matrix, Product, multiply, multiply_transposed};
use super::norm;
use crate::backend::params::LstmParams;
use crate::weights::{Moments, UnitParameters};

/// What the forward pass leaves for the way back.
#[derive(Default)]
pub(super) struct Trace {
    /// Inputs `[T, N, C]`.
    inputs: Vec<f32>,
    /// Outputs `[T, N, H]`.
    outputs: Vec<f32>,
    /// Gates from the input, normalised `[T, N, 4 H]`.
    input_gates: Vec<f32>,
    /// Gates from the state, normalised `[T, N, 4 H]`.
    state_gates: Vec<f32>,
    /// Activations of the gates `[T, N, 4 H]`.
    gates: Vec<f32>,
    /// Cells `[T, N, H]`, and the same normalised.
    cells: Vec<f32>,
    normal_cells: Vec<f32>,
    /// Reciprocal deviations of every time step, of both kinds of gates and of the cells.
    inverses: Vec<[Vec<f32>; 3]>,
}

/// Statistics of a time step: gates from the input, gates from the state, cells.
fn fixed(moments: &Moments, p: &LstmParams, t: usize) -> [Moments; 3] {
    let [_, _, _, h] = p.sizes();
    let first = t.min(p.step[2] as usize - 1) * 9 * h;
    [0..4 * h, 4 * h..8 * h, 8 * h..9 * h].map(|range| {
        let of = |values: &[f32]| values[first + range.start..first + range.end].to_vec();
        Moments { mean: of(&moments.mean), variance: of(&moments.variance) }
    })
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Runs the layer. `own` has its moving averages, which are used unless the statistics are those of the batch; then those are
/// given back, where the moving averages have them: steps beyond the last that the batch has are like that one.
///
/// # Shapes
/// `input` `[N, T, C]`, `output` `[N, T, H]`
pub(super) fn forward(
    p: &LstmParams,
    own: &UnitParameters,
    input: &[f32],
    trace: &mut Trace,
    output: &mut [f32],
) -> Option<Moments> {
    let [n, steps, c, h] = p.sizes();
    let batch = p.step[1] == 1;
    let zeros = |width: usize| vec![0.0; steps * n * width];
    let (input_kernel, state_kernel) = own.kernel.split_at(c * 4 * h);
    *trace = Trace {
        inputs: by_step(input, [n, steps, c]),
        outputs: zeros(h),
        input_gates: zeros(4 * h),
        state_gates: zeros(4 * h),
        gates: zeros(4 * h),
        cells: zeros(h),
        normal_cells: zeros(h),
        inverses: Vec::new(),
    };
    let product = |rows: &[f32], depth: usize, kernel: &[f32], to: &mut [f32]| {
        let (lhs, rhs) = (Matrix { data: rows, stride: depth }, Matrix { data: kernel, stride: 4 * h });
        let size = [rows.len() / depth, 4 * h, depth];
        multiply(lhs, rhs, size, Product { data: to, stride: 4 * h, add: false });
    };
    product(&trace.inputs, c, input_kernel, &mut trace.input_gates);
    let mut found = Moments { mean: Vec::new(), variance: Vec::new() };
    for t in 0..steps {
        let row = |width: usize| t * n * width..(t + 1) * n * width;
        let before = |width: usize| (t.max(1) - 1) * n * width..t.max(1) * n * width;
        if t > 0 {
            let state = &trace.outputs[before(h)];
            product(state, h, state_kernel, &mut trace.state_gates[row(4 * h)]);
        }
        let given = own.moments.as_ref().filter(|_| !batch).map(|moments| fixed(moments, p, t));
        let mut normalise = |which: usize, values: &mut [f32], width: usize| {
            let moments = match &given {
                Some(given) => given[which].clone(),
                None => norm::moments(values, width),
            };
            if given.is_none() {
                found.mean.extend(&moments.mean);
                found.variance.extend(&moments.variance);
            }
            norm::normalise(values, &moments)
        };
        let inverse = normalise(0, &mut trace.input_gates[row(4 * h)], 4 * h);
        let state_inverse = normalise(1, &mut trace.state_gates[row(4 * h)], 4 * h);
        let rows = row(4 * h);
        let sums = trace.input_gates[rows.clone()].iter().zip(&trace.state_gates[rows.clone()]);
        for (index, (gate, (x, state))) in trace.gates[rows.clone()].iter_mut().zip(sums).enumerate() {
            let z = x + state + own.offset[index % (4 * h)];
            *gate = if index % 4 == 2 { z.tanh() } else { sigmoid(z) };
        }
        let gates = trace.gates[rows].as_chunks::<4>().0;
        for (index, [i, f, g, _]) in gates.iter().enumerate() {
            let last = if t == 0 { 0.0 } else { trace.cells[before(h).start + index] };
            trace.cells[t * n * h + index] = f * last + i * g;
        }
        let (cells, normal) = (&trace.cells[row(h)], &mut trace.normal_cells[row(h)]);
        normal.copy_from_slice(cells);
        let cell_inverse = normalise(2, normal, h);
        for (index, (to, [.., o])) in trace.outputs[row(h)].iter_mut().zip(gates).enumerate() {
            *to = o * normal[index].tanh();
        }
        trace.inverses.push([inverse, state_inverse, cell_inverse]);
    }
    for (row, values) in trace.outputs.chunks_exact(h).enumerate() {
        let (t, clip) = (row / n, row % n);
        output[(clip * steps + t) * h..][..h].copy_from_slice(values);
    }
    batch.then(|| {
        let kept = p.step[2] as usize * 9 * h;
        let last = (steps - 1) * 9 * h;
        for values in [&mut found.mean, &mut found.variance] {
            let step = values[last..].to_vec();
            values.extend(step.iter().cycle().take(kept.saturating_sub(values.len())));
            values.truncate(kept);
        }
        found
    })
}

/// The way back: adds the gradients of the weights and the bias, and that of the input.
///
/// # Shapes
/// `output_grad` `[N, T, H]`, `input_grad` `[N, T, C]`, `kernel_grad` `[C + H, 4 H]`, `bias_grad` `[4 H]`
pub(super) fn backward(
    p: &LstmParams,
    kernel: &[f32],
    trace: &Trace,
    output_grad: &[f32],
    (input_grad, kernel_grad, bias_grad): (&mut [f32], &mut [f32], &mut [f32]),
) {
    let [n, steps, c, h] = p.sizes();
    let batch = p.step[1] == 1;
    let (input_kernel, state_kernel) = kernel.split_at(c * 4 * h);
    let mut ahead = by_step(output_grad, [n, steps, h]);
    // Gradients of the products, where the forward pass had their normalised values.
    let (mut input_gates, mut state_gates) = (trace.input_gates.clone(), trace.state_gates.clone());
    let state_turned = turned(state_kernel, h);
    let mut carried = vec![0.0; n * h];
    for t in (0..steps).rev() {
        let row = |width: usize| t * n * width..(t + 1) * n * width;
        let grads = &ahead[row(h)];
        let gates = trace.gates[row(4 * h)].as_chunks::<4>().0;
        let bent: Vec<f32> = trace.normal_cells[row(h)].iter().map(|normal| normal.tanh()).collect();
        let [inverse, state_inverse, cell_inverse] = &trace.inverses[t];
        let slope = |index: usize| grads[index] * gates[index][3] * (1.0 - bent[index] * bent[index]);
        let normal_grad: Vec<f32> = (0..n * h).map(slope).collect();
        let mut cells = trace.normal_cells[row(h)].to_vec();
        through(&normal_grad, batch, cell_inverse, &mut cells);
        let mut gate_grads = vec![0.0; 4 * n * h];
        for (index, to) in gate_grads.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let cell = cells[index] + carried[index];
            let last = if t == 0 { 0.0 } else { trace.cells[(t - 1) * n * h + index] };
            let [i, f, g, o] = gates[index];
            *to = [
                cell * g * i * (1.0 - i),
                cell * last * f * (1.0 - f),
                cell * i * (1.0 - g * g),
                grads[index] * bent[index] * o * (1.0 - o),
            ];
            carried[index] = cell * f;
        }
        for rows in gate_grads.chunks_exact(4 * h) {
            bias_grad.iter_mut().zip(rows).for_each(|(sum, grad)| *sum += grad);
        }
        through(&gate_grads, batch, inverse, &mut input_gates[row(4 * h)]);
        through(&gate_grads, batch, state_inverse, &mut state_gates[row(4 * h)]);
        if t > 0 {
            // Into the output of the step before, through the state's kernel.
            let to = &mut ahead[(t - 1) * n * h..t * n * h];
            back(&state_gates[row(4 * h)], &state_turned, h, to);
        }
    }
    let (input_part, state_part) = kernel_grad.split_at_mut(c * 4 * h);
    let weights = |rows: &[f32], depth: usize, gates: &[f32], to: &mut [f32]| {
        let (lhs, rhs) = (Matrix { data: rows, stride: depth }, Matrix { data: gates, stride: 4 * h });
        let size = [depth, 4 * h, rows.len() / depth];
        multiply_transposed(lhs, rhs, size, Product { data: to, stride: 4 * h, add: true });
    };
    weights(&trace.inputs, c, &input_gates, input_part);
    if steps > 1 {
        let states = &trace.outputs[..(steps - 1) * n * h];
        weights(states, h, &state_gates[n * 4 * h..], state_part);
    }
    let mut grads = vec![0.0; steps * n * c];
    back(&input_gates, &turned(input_kernel, c), c, &mut grads);
    for (row, values) in grads.chunks_exact(c).enumerate() {
        let (t, clip) = (row / n, row % n);
        let to = &mut input_grad[(clip * steps + t) * c..][..c];
        to.iter_mut().zip(values).for_each(|(sum, grad)| *sum += grad);
    }
}

/// A kernel `[rows, columns]` as `[columns, rows]`.
fn turned(kernel: &[f32], rows: usize) -> Vec<f32> {
    let columns = kernel.len() / rows;
    (0..kernel.len()).map(|at| kernel[at % rows * columns + at / rows]).collect()
}

/// Back through batch norm: `grads` are those of the normalised values, whose place in `normal` those of the values take. Fixed
/// statistics do not move with the values.
///
/// # Shapes
/// `grads` and `normal` `[rows, channels]`, `inverse` `[channels]`
fn through(grads: &[f32], batch: bool, inverse: &[f32], normal: &mut [f32]) {
    let channels = inverse.len();
    let rows = (grads.len() / channels) as f32;
    for (c, inverse) in inverse.iter().enumerate() {
        let column = || grads.iter().zip(&*normal).skip(c).step_by(channels);
        let mean = |sum: f32| if batch { sum / rows } else { 0.0 };
        let (sum, product) = (mean(column().map(|(g, _)| g).sum()), mean(column().map(|(g, x)| g * x).sum()));
        for (x, g) in normal.iter_mut().zip(grads).skip(c).step_by(channels) {
            *x = inverse * (g - sum - *x * product);
        }
    }
}

/// Adds the gradient of a product's rows: `gates` `[rows, 4 H]` times the turned kernel `[4 H, width]`.
fn back(gates: &[f32], turned: &[f32], width: usize, to: &mut [f32]) {
    let columns = turned.len() / width;
    let (lhs, rhs) = (Matrix { data: gates, stride: columns }, Matrix { data: turned, stride: width });
    let size = [gates.len() / columns, width, columns];
    multiply(lhs, rhs, size, Product { data: to, stride: width, add: true });
}

/// `[N, T, C]` as `[T, N, C]`.
fn by_step(values: &[f32], [n, steps, c]: [usize; 3]) -> Vec<f32> {
    let row = |row: usize| {
        let (t, clip) = (row / n, row % n);
        &values[(clip * steps + t) * c..][..c]
    };
    (0..steps * n).flat_map(row).copied().collect()
}
