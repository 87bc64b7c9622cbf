//! A plan run forwards so that it can be run backwards: every activation is kept, and of every unit what its gradient
//! needs.
//!
//! Results do not depend on how many threads there are: every sum over positions is taken in parts of a fixed size, and
//! the parts in order; matrix products get blocks of a fixed size.

use super::gemm::SharedRows;
use super::memory::Scratch;
use super::{Source, conv, gradient, lstm, norm, pool};
use crate::backend::Pass;
use crate::backend::params::{LstmParams, MeanParams};
use crate::network::{Network, Shape, Unit};
use crate::plan::{BufferId, INPUT, Kernel, Plan, Step, Window};
use crate::weights::{Moments, Parameters};

/// Gradients of a loss, one entry per unit in the order of [`Network::units`].
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// Those of every unit.
    pub units: Vec<UnitGradients>,
}

/// Gradients with respect to a unit's parameters.
///
/// # Shapes
/// `kernel` `[kT, kH, kW, Cin, Cout]`, `offset` `[Cout]`.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitGradients {
    /// Convolution weights.
    pub kernel: Vec<f32>,
    /// Batch norm's beta, or the classifier's bias.
    pub offset: Vec<f32>,
}

impl Gradients {
    /// Zeros for every parameter of `network`.
    pub fn zeros(network: &Network) -> Gradients {
        let unit = |unit: &Unit| UnitGradients {
            kernel: vec![0.0; unit.weights()],
            offset: vec![0.0; unit.out_channels],
        };
        Gradients { units: network.units().iter().map(unit).collect() }
    }
}

/// What a unit's gradient needs besides its input and output.
#[derive(Default)]
struct UnitTape {
    /// The convolution's values, normalised where there is batch norm, `[positions, Cout]`.
    normal: Vec<f32>,
    /// `1 / sqrt(variance + eps)` of every channel.
    inverse: Vec<f32>,
    /// The statistics of the batch.
    moments: Option<Moments>,
    /// What an LSTM remembers.
    lstm: lstm::Trace,
}

/// A plan with memory for one pass forwards and backwards.
pub struct CpuTape {
    plan: Plan,
    units: Vec<Unit>,
    /// Values and gradients of every buffer as they are stored; the input's are not kept here.
    values: Vec<Vec<f32>>,
    grads: Vec<Vec<f32>>,
    input: Vec<f32>,
    tape: Vec<UnitTape>,
    /// Of every step that is a max pool, which tap won.
    winners: Vec<Vec<u8>>,
    /// Of every step that dropout follows, what it multiplied the features by; empty without dropout.
    dropout: Vec<Vec<f32>>,
    pass: Pass,
    scratch: Scratch,
}

impl CpuTape {
    /// Memory for `plan`, on the threads of the current pool.
    pub fn new(plan: Plan) -> CpuTape {
        let floats = |id: BufferId| match id {
            INPUT => 0,
            id => plan.buffers[id].stored_bytes() as usize / 4,
        };
        let zeros = || (0..plan.buffers.len()).map(|id| vec![0.0; floats(id)]).collect::<Vec<_>>();
        let (values, grads) = (zeros(), zeros());
        let units = plan.network.units();
        let tape = units.iter().map(|_| UnitTape::default()).collect();
        let (winners, dropout) = (vec![Vec::new(); plan.steps.len()], vec![Vec::new(); plan.steps.len()]);
        let scratch = Scratch::new(rayon::current_num_threads());
        let (input, pass) = (Vec::new(), Pass::default());
        CpuTape { plan, units, values, grads, input, tape, winners, dropout, pass, scratch }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs the plan.
    ///
    /// # Shapes
    /// `input` `[N, T, H, W, C]` of the plan's first buffer; returns the logits of [`Plan::scored`], `[N, classes padded to
    /// fours]` or `[N, T, ..]`.
    pub fn forward(&mut self, parameters: &Parameters, input: &[f32], pass: Pass) -> &[f32] {
        self.input.clear();
        self.input.extend_from_slice(input);
        self.pass = pass;
        let steps = self.plan.steps.clone();
        for (index, step) in steps.iter().enumerate() {
            let mut output = std::mem::take(&mut self.values[step.output]);
            let source = source(&self.plan, &self.values, &self.input, step);
            let (from, to) = self.shapes(step);
            match step.kernel {
                Kernel::Conv { unit, window, .. } => {
                    let mut tape = std::mem::take(&mut self.tape[unit]);
                    self.unit_forward(parameters, unit, (source, from, window, to), &mut tape);
                    self.finish_unit(parameters, unit, step, &tape, &mut output);
                    self.tape[unit] = tape;
                }
                Kernel::MaxPool(window) => {
                    pool::max_pool3d(source, from, window, to, &self.scratch, &mut output);
                    let winners = &mut self.winners[index];
                    winners.resize(output.len(), 0);
                    gradient::winners(source, from, window, to, &output, winners);
                }
                Kernel::AvgPool(window) => {
                    pool::avg_pool3d(source, from, window, to, &mut output);
                    self.dropout[index] = self.pass.factors(index, output.len());
                    output.iter_mut().zip(&self.dropout[index]).for_each(|(value, kept)| *value *= kept);
                }
                Kernel::Lstm { unit } => {
                    let mut tape = std::mem::take(&mut self.tape[unit]);
                    let params = LstmParams::new(&self.plan, step, !pass.frozen);
                    let own = &parameters.units[unit];
                    tape.moments = lstm::forward(&params, own, source.data, &mut tape.lstm, &mut output);
                    self.tape[unit] = tape;
                }
                Kernel::TimeMean(_) => {
                    pool::time_mean(&MeanParams::new(&self.plan, step), source.data, &mut output);
                }
            }
            self.values[step.output] = output;
        }
        &self.values[self.plan.scored()]
    }

    /// The gradients of everything that the last forward pass used, added to `gradients`.
    ///
    /// # Shapes
    /// `logits_grad` as the logits that [`CpuTape::forward`] gave.
    pub fn backward(&mut self, parameters: &Parameters, logits_grad: &[f32], gradients: &mut Gradients) {
        let steps = self.plan.steps.clone();
        self.grads.iter_mut().for_each(|grads| grads.fill(0.0));
        self.grads[self.plan.scored()].copy_from_slice(logits_grad);
        for (index, step) in steps.iter().enumerate().rev() {
            let mut output_grad = std::mem::take(&mut self.grads[step.output]);
            let mut input_grad = std::mem::take(&mut self.grads[step.input]);
            let (from, to) = self.shapes(step);
            match step.kernel {
                Kernel::Conv { unit, window, .. } => {
                    let mut tape = std::mem::take(&mut self.tape[unit]);
                    let grads = &mut gradients.units[unit];
                    self.through_norm(step, &output_grad, &mut tape, &mut grads.offset);
                    let source = source(&self.plan, &self.values, &self.input, step);
                    let conv = gradient::Conv { from, to, window, channels: step.channels };
                    conv.weights(source, &tape.normal, &mut grads.kernel, &self.scratch);
                    if step.input != INPUT {
                        let stride = self.plan.buffers[step.input].stored_channels();
                        let kernel = &parameters.units[unit].kernel;
                        let to = (&mut input_grad[..], stride, step.input_offset);
                        conv.input(kernel, &tape.normal, to, &self.scratch);
                    }
                    self.tape[unit] = tape;
                }
                Kernel::MaxPool(window) => {
                    let winners = &self.winners[index];
                    gradient::max_pool3d(&output_grad, winners, (from, window, to), &mut input_grad);
                }
                Kernel::AvgPool(window) => {
                    output_grad.iter_mut().zip(&self.dropout[index]).for_each(|(grad, kept)| *grad *= kept);
                    gradient::avg_pool3d(&output_grad, (from, window, to), &mut input_grad);
                }
                Kernel::Lstm { unit } => {
                    let params = LstmParams::new(&self.plan, step, !self.pass.frozen);
                    let UnitGradients { kernel: kernel_grad, offset } = &mut gradients.units[unit];
                    let (kernel, trace) = (&parameters.units[unit].kernel, &self.tape[unit].lstm);
                    let to = (&mut input_grad[..], &mut kernel_grad[..], &mut offset[..]);
                    lstm::backward(&params, kernel, trace, &output_grad, to);
                }
                Kernel::TimeMean(_) => {
                    gradient::time_mean(&MeanParams::new(&self.plan, step), &output_grad, &mut input_grad);
                }
            }
            self.grads[step.output] = output_grad;
            self.grads[step.input] = input_grad;
        }
    }

    /// The batch's statistics of every unit, where the last forward pass used them.
    pub fn moments(&self) -> impl Iterator<Item = Option<&Moments>> {
        self.tape.iter().map(|unit| unit.moments.as_ref())
    }

    /// The values of a buffer by its endpoint's name, as they are stored.
    pub fn values(&self, name: &str) -> Option<&[f32]> {
        let id = self.plan.buffers.iter().position(|buffer| buffer.name == name)?;
        Some(&self.values[id])
    }

    /// Shapes of a step's input, with the channels that it reads, and output.
    fn shapes(&self, step: &Step) -> (Shape, Shape) {
        let Plan { buffers, .. } = &self.plan;
        (buffers[step.input].shape.with_channels(step.input_channels), buffers[step.output].shape)
    }

    /// The convolution itself, and batch norm's normalisation.
    fn unit_forward(
        &self,
        parameters: &Parameters,
        unit: usize,
        (source, from, window, to): (Source<'_>, Shape, Window, Shape),
        tape: &mut UnitTape,
    ) {
        let channels = self.units[unit].out_channels;
        let own = &parameters.units[unit];
        tape.normal.resize(to.positions() * channels, 0.0);
        let none = vec![0.0; channels];
        let output = SharedRows::new(&mut tape.normal, channels);
        let part = conv::Part { kernel: &own.kernel, bias: &none, relu: false, output, offset: 0 };
        let rows = conv::Rows::Taps(window);
        conv::conv3d(source, from, &rows, to, &[part], conv::FIXED_BLOCKS, &self.scratch);
        tape.moments = None;
        let Some(moving) = &own.moments else { return };
        let batch = (!self.pass.frozen).then(|| norm::moments(&tape.normal, channels));
        tape.inverse = norm::normalise(&mut tape.normal, batch.as_ref().unwrap_or(moving));
        tape.moments = batch;
    }

    /// Offset and ReLU, into the unit's channels of the output.
    fn finish_unit(
        &self,
        parameters: &Parameters,
        unit: usize,
        step: &Step,
        tape: &UnitTape,
        output: &mut [f32],
    ) {
        let (offset, relu) = (&parameters.units[unit].offset, self.units[unit].batch_norm());
        let stride = self.plan.buffers[step.output].stored_channels();
        norm::finish(&tape.normal, offset, relu, (output, stride, step.channel_offset));
    }

    /// From the gradient of the unit's output to that of its convolution's values, which takes the place of the
    /// normalised values in the tape.
    fn through_norm(&self, step: &Step, output_grad: &[f32], tape: &mut UnitTape, offset_grad: &mut [f32]) {
        let stride = self.plan.buffers[step.output].stored_channels();
        let place = (output_grad, stride, step.channel_offset);
        if tape.inverse.is_empty() {
            return norm::classifier_grad(place, &mut tape.normal, offset_grad);
        }
        let values = &self.values[step.output];
        norm::norm_grad(place, values, !self.pass.frozen, &tape.inverse, &mut tape.normal, offset_grad);
    }
}

/// What a step reads: channels from its own first on.
fn source<'a>(plan: &Plan, values: &'a [Vec<f32>], input: &'a [f32], step: &Step) -> Source<'a> {
    let from = &plan.buffers[step.input];
    match step.input {
        INPUT => Source { data: &input[step.input_offset..], stride: from.shape.c },
        id => Source { data: &values[id][step.input_offset..], stride: from.stored_channels() },
    }
}
