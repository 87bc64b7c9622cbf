//! Parts of the computation: some endpoints of the network, for a range of output time steps.
//!
//! A clip that is too long for a device, or for memory, is computed in such parts. Every buffer of a part holds exactly
//! the time steps that the wanted output depends on, so parts overlap in their inputs (the halo) and their outputs are
//! those of the whole clip: padding stands only where the clip really begins and ends.

use std::ops::Range;

use super::{Builder, INPUT, Kernel, Plan, buffer};
use crate::error::{Error, Result};
use crate::network::{Network, System};

/// Which endpoints a part computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The observable output that it reads, `None` for the clip itself.
    pub from: Option<&'static str>,
    /// The observable output that it computes last.
    pub to: &'static str,
}

/// Time steps of a tensor, as positions in the tensor of the whole clip.
pub type TimeRange = Range<usize>;

impl Plan {
    /// Plans the endpoints of `part` for clips of `frames` frames, such that the last output's time steps `wanted` come
    /// out; also gives the time steps of the input that they need.
    ///
    /// # Errors
    /// As [`Plan::new`]; networks of other systems than I3D; unknown names; a range that the output does not have.
    pub fn part(
        network: &Network,
        batch: usize,
        frames: usize,
        part: Part,
        wanted: TimeRange,
    ) -> Result<(Plan, TimeRange)> {
        network.validate()?;
        if network.system != System::I3d {
            let problem = format!("a {} runs whole clips only; give a shorter one", network.system);
            return Err(Error::Usage(problem));
        }
        if batch == 0 || frames < network.min_frames() {
            // The whole plan has the sentence for it.
            return Plan::new(network, batch, frames).map(|plan| (plan, 0..frames));
        }
        let whole = Builder::whole(network, batch, frames);
        let find = |name: &str| {
            let found = whole.buffers.iter().position(|b| b.name == name);
            found.ok_or_else(|| Error::Usage(format!("there is no endpoint {name:?}")))
        };
        let source = part.from.map_or(Ok(INPUT), find)?;
        let target = find(part.to)?;
        let length = whole.buffers[target].shape.t;
        if wanted.is_empty() || wanted.end > length || source >= target {
            let Range { start, end } = wanted;
            let name = part.to;
            return Err(Error::Usage(format!(
                "time steps {start}..{end} are no part of {name}, which has {length}"
            )));
        }

        // From the output back: which time steps of each buffer does anybody need?
        let mut needed: Vec<Option<TimeRange>> = vec![None; whole.buffers.len()];
        needed[target] = Some(wanted);
        for step in whole.steps.iter().rev().filter(|s| s.output > source) {
            let Some(out) = needed[step.output].clone() else { continue };
            let reads = reads(&step.kernel, &out, whole.buffers[step.input].shape.t);
            let union = match &needed[step.input] {
                Some(other) => other.start.min(reads.start)..other.end.max(reads.end),
                None => reads,
            };
            needed[step.input] = Some(union);
        }

        // The steps that are left, on buffers that hold just that.
        let mut ids = vec![None; whole.buffers.len()];
        let mut steps: Vec<super::Step> = Vec::new();
        let mut buffers = Vec::new();
        for (id, (old, range)) in whole.buffers.iter().zip(&needed).enumerate() {
            let Some(range) = range.as_ref().filter(|_| id >= source) else { continue };
            ids[id] = Some(buffers.len());
            let name = if id == source { "input" } else { &old.name };
            buffers.push(buffer(name, super::Shape { t: range.len(), ..old.shape }, usize::MAX));
        }
        for step in whole.steps {
            let (Some(input), Some(output)) =
                (ids[step.input], ids[step.output].filter(|_| step.output > source))
            else {
                continue;
            };
            let (Some(reads), Some(writes)) = (&needed[step.input], &needed[step.output]) else { continue };
            let kernel = shifted(step.kernel, reads, writes);
            let macs = step.macs * writes.len() as u64 / whole.buffers[step.output].shape.t as u64;
            let index = steps.len();
            for id in [input, output] {
                buffers[id].first = buffers[id].first.min(index);
                buffers[id].last = index;
            }
            steps.push(super::Step { kernel, input, output, macs, ..step });
        }
        let input = needed[source].clone().unwrap_or(0..0);
        Ok((Builder { steps, buffers }.place(network, batch, input.len()), input))
    }
}

/// The input time steps that `kernel` reads for its outputs `out`; the input has `length` of them.
fn reads(kernel: &Kernel, out: &TimeRange, length: usize) -> TimeRange {
    let window = match kernel {
        Kernel::Conv { window, .. } | Kernel::MaxPool(window) | Kernel::AvgPool(window) => window,
        Kernel::Lstm { .. } => return 0..out.end,
        Kernel::TimeMean(first) => return *first..length,
    };
    let first = |at: usize| (at * window.stride[0]) as isize - window.pad_before[0];
    let start = first(out.start).max(0) as usize;
    let end = (first(out.end - 1) + window.size[0] as isize).max(0) as usize;
    start..end.min(length)
}

/// The kernel on buffers that begin at `reads.start` and `writes.start`: only its padding changes.
fn shifted(mut kernel: Kernel, reads: &TimeRange, writes: &TimeRange) -> Kernel {
    if let Kernel::Conv { window, .. } | Kernel::MaxPool(window) | Kernel::AvgPool(window) = &mut kernel {
        let first = (writes.start * window.stride[0]) as isize - window.pad_before[0];
        window.pad_before[0] = reads.start as isize - first;
        let last = (writes.len() - 1) * window.stride[0] + window.size[0];
        window.pad_after[0] =
            (last as isize - window.pad_before[0]).saturating_sub(reads.len() as isize).max(0) as usize;
    }
    kernel
}
