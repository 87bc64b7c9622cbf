//! Shapes and TensorFlow's SAME padding.

/// Shape of a channels-last activation, `[N, T, H, W, C]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Shape {
    /// Clips in the batch.
    pub n: usize,
    /// Time steps.
    pub t: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

impl Shape {
    /// `[n, t, h, w, c]`.
    pub const fn new(n: usize, t: usize, h: usize, w: usize, c: usize) -> Shape {
        Shape { n, t, h, w, c }
    }

    /// Positions over clips, time and space: everything but channels.
    pub const fn positions(&self) -> usize {
        self.n * self.t * self.h * self.w
    }

    /// Values in the tensor.
    pub const fn len(&self) -> usize {
        self.positions() * self.c
    }

    /// Whether the tensor holds no value.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same positions with another channel count.
    pub const fn with_channels(self, c: usize) -> Shape {
        Shape { c, ..self }
    }

    /// `[T, H, W]`.
    pub const fn thw(&self) -> [usize; 3] {
        [self.t, self.h, self.w]
    }

    /// The coordinates `[n, t, y, x, c]` of the flat index `i`.
    pub const fn coordinates(&self, i: usize) -> [usize; 5] {
        let (i, c) = (i / self.c, i % self.c);
        let (i, x) = (i / self.w, i % self.w);
        let (i, y) = (i / self.h, i % self.h);
        [i / self.t, i % self.t, y, x, c]
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.n != 1 {
            write!(f, "{}x", self.n)?;
        }
        write!(f, "{}x{}x{}x{}", self.t, self.h, self.w, self.c)
    }
}

/// TensorFlow's SAME padding on one axis: `(output length, padding before, padding after)`.
///
/// `out = ceil(length / stride)`, `total = max((out - 1) * stride + kernel - length, 0)`, half of it (rounded down)
/// before, the rest after. The padding depends on the length at run time, so nothing may fix it earlier.
pub const fn same_padding(length: usize, kernel: usize, stride: usize) -> (usize, usize, usize) {
    let out = length.div_ceil(stride);
    let total = ((out.saturating_sub(1)) * stride + kernel).saturating_sub(length);
    (out, total / 2, total - total / 2)
}
