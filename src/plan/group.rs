//! Steps that a backend can run as one: what they save is memory traffic and launches, never a value that somebody reads.

use std::ops::Range;

use super::{BufferId, Kernel, Plan, Step, Window};

/// Neighbouring steps of a plan that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// A step by itself.
    Single(usize),
    /// 1x1x1 convolutions of one tensor: one matrix product over all their output channels.
    Siblings(Range<usize>),
    /// 3x3x3 convolutions of the channels of one tensor into neighbouring channels of one output, in the same order.
    Branches(Range<usize>),
    /// A max pool, and the 1x1x1 convolution that alone reads it.
    PoolConv(usize),
    /// A 3x3x3 convolution, and the max pool that alone reads it.
    ConvPool(usize),
    /// Average pool, the classifier behind it, and the mean over time where there is one.
    Head(Range<usize>),
}

impl Group {
    /// The steps, by their index in [`Plan::steps`].
    pub fn steps(&self) -> Range<usize> {
        match self {
            Group::Single(first) => *first..first + 1,
            Group::Siblings(range) | Group::Branches(range) | Group::Head(range) => range.clone(),
            Group::PoolConv(first) | Group::ConvPool(first) => *first..first + 2,
        }
    }
}

impl Plan {
    /// All steps in order, grouped. What lies between the two steps of a [`Group::PoolConv`] or [`Group::ConvPool`] is
    /// never stored, so none of `observed` lies there; the other groups store everything that their steps write.
    pub fn groups(&self, observed: &[BufferId]) -> Vec<Group> {
        let mut groups = Vec::new();
        let mut next = 0;
        while next < self.steps.len() {
            let group = self.group(next, observed);
            next = group.steps().end;
            groups.push(group);
        }
        groups
    }

    /// The group that begins with step `first`.
    fn group(&self, first: usize, observed: &[BufferId]) -> Group {
        let steps = &self.steps[first..];
        let run = |belongs: &dyn Fn(&Step, &Step) -> bool| {
            1 + steps.windows(2).take_while(|pair| belongs(&pair[0], &pair[1])).count()
        };
        let pointwise = |step: &Step| convolves(step, [1; 3]);
        let cubic = |step: &Step| convolves(step, [3; 3]);
        match steps {
            [a, b, rest @ ..] if matches!(a.kernel, Kernel::AvgPool(_)) && pointwise(b) => {
                let mean = rest.first().is_some_and(|step| step.kernel == Kernel::TimeMean(0));
                Group::Head(first..first + 2 + usize::from(mean))
            }
            [a, b, ..] if pointwise(a) && pointwise(b) && self.side_by_side(a, b) => {
                let count = run(&|a, b| pointwise(b) && self.side_by_side(a, b));
                Group::Siblings(first..first + count)
            }
            [a, b, ..] if cubic(a) && follows(a, b) && cubic(b) => {
                let count = run(&|a, b| cubic(b) && follows(a, b));
                Group::Branches(first..first + count)
            }
            [a, b, ..]
                if matches!(a.kernel, Kernel::MaxPool(_))
                    && pointwise(b)
                    && self.hands_over(a, b, observed) =>
            {
                Group::PoolConv(first)
            }
            [a, b, ..]
                if cubic(a) && matches!(b.kernel, Kernel::MaxPool(_)) && self.hands_over(a, b, observed) =>
            {
                Group::ConvPool(first)
            }
            _ => Group::Single(first),
        }
    }

    /// Whether both steps compute the same positions from the same input. In a part of a clip the units of a module need
    /// not: those before a 3x3x3 unit are wanted for more time steps.
    fn side_by_side(&self, a: &Step, b: &Step) -> bool {
        let window = |step: &Step| match step.kernel {
            Kernel::Conv { window, .. } => Some(window),
            _ => None,
        };
        let positions = |step: &Step| self.buffers[step.output].shape.thw();
        a.input == b.input && window(a) == window(b) && positions(a) == positions(b)
    }

    /// Whether the step is a fully connected layer: every output position sees a row of inputs of its own.
    pub fn is_linear(&self, step: &Step) -> bool {
        let (from, to) = (self.buffers[step.input].shape, self.buffers[step.output].shape);
        let covers = |window: Window| window.size == [1, from.h, from.w] && window.pad_before == [0; 3];
        matches!(step.kernel, Kernel::Conv { window, .. } if covers(window))
            && from.t == to.t
            && [to.h, to.w] == [1; 2]
    }

    /// Whether `b` alone reads what `a` alone writes.
    fn hands_over(&self, a: &Step, b: &Step, observed: &[BufferId]) -> bool {
        let others = |step: &&Step| step.input == a.output || step.output == a.output;
        a.output == b.input && !observed.contains(&a.output) && self.steps.iter().filter(others).count() == 2
    }
}

/// Whether the step is a convolution of that size with stride 1.
fn convolves(step: &Step, size: [usize; 3]) -> bool {
    matches!(step.kernel, Kernel::Conv { window, .. } if window.size == size && window.stride == [1; 3])
}

/// Whether `b` reads and writes the channels behind those of `a`.
fn follows(a: &Step, b: &Step) -> bool {
    a.input == b.input
        && a.output == b.output
        && a.input_offset + a.input_channels == b.input_offset
        && a.channel_offset + a.channels == b.channel_offset
}
