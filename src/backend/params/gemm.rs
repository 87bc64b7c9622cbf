//! Parameters of matrix products and of Winograd's transforms.

use bytemuck::{Pod, Zeroable};

use super::PoolParams;

/// Parameters of `gemm.wgsl` and `gemm_uniform.wgsl`: rows of an input times the weights of up to three ranges of output
/// channels, for several points at once.
///
/// The sum runs over taps, which are rows that lie a fixed number of rows apart, and over input channels. Every range has
/// input channels of its own, and writes to one of two outputs.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable, PartialEq, Eq)]
pub struct GemmParams {
    /// Rows; first work group of this dispatch; taps; rows from one tap to the next.
    pub rows: [u32; 4],
    /// In fours: channels stored of an input row, from one point to the next. Ranges, points.
    pub input: [u32; 4],
    /// In fours: channels stored of a row of the first output, of the other; from one point to the next. 1 for ReLU.
    pub output: [u32; 4],
    /// Per range, in fours: first input channel (or any other offset), input channels, output channels, first weight.
    pub channels: [[u32; 4]; 3],
    /// Per range: 1 for the other output. In fours: first output channel (or any other offset), first bias, weights per row.
    pub place: [[u32; 4]; 3],
    /// Where rows are maxima over a window (the override `POOL`): `[T, H, W]` of the input.
    pub image: [u32; 4],
    /// `[T, H, W]` of the rows.
    pub pooled: [u32; 4],
    /// Window `[T, H, W]`.
    pub window: [u32; 4],
    /// Stride `[T, H, W]`.
    pub stride: [u32; 4],
    /// Padding before `[T, H, W]` (signed).
    pub pad: [u32; 4],
}

impl GemmParams {
    /// With rows that are pooled as `pool` says.
    pub fn pooling(self, pool: &PoolParams) -> GemmParams {
        let [_, t, h, w] = pool.input;
        let [_, to, ho, wo] = pool.output;
        let [pad_t, pad_y, pad_x, _] = pool.pad;
        GemmParams {
            image: [t, h, w, 0],
            pooled: [to, ho, wo, 0],
            window: pool.window,
            stride: pool.stride,
            pad: [pad_t, pad_y, pad_x, 0],
            ..self
        }
    }

    /// What [`GemmParams::pooling`] was given, for rows of `clips` clips.
    pub fn pool(&self) -> PoolParams {
        let clips = self.rows[0] / (self.pooled[0] * self.pooled[1] * self.pooled[2]).max(1);
        let four = |[a, b, c, _]: [u32; 4]| [clips, a, b, c];
        PoolParams {
            input: four(self.image),
            output: four(self.pooled),
            window: [self.window[0], self.window[1], self.window[2], self.input[0]],
            stride: self.stride,
            pad: self.pad,
        }
    }
}

/// Parameters of `wino_in.wgsl`, `wino_out.wgsl` and `wino_pool.wgsl`.
///
/// Frames are counted along all clips of the batch, each with a frame of zeros before it and one behind, so that every
/// frame's products need the frame itself and the two that follow.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable, PartialEq, Eq)]
pub struct WinoParams {
    /// `[N, T, H, W]` of the tensor that is read, written or pooled.
    pub image: [u32; 4],
    /// Rows of tiles, tiles per row; first frame of this chunk, frames of it.
    pub tiles: [u32; 4],
    /// Frames of a clip with its zeros; first work group of this dispatch; 1 for ReLU; first bias in fours.
    pub frames: [u32; 4],
    /// Padding before `[T, H, W]` (signed); the input transform alone needs it.
    pub pad: [u32; 4],
    /// In fours: channels stored, first of them, channels transformed.
    pub channels: [u32; 4],
    /// Where outputs are pooled: height and width of the pooled output, tiles of a row that one invocation walks along.
    pub pool: [u32; 4],
}

impl WinoParams {
    /// Values of one point, in fours.
    pub fn fours(&self) -> usize {
        [self.tiles[3], self.tiles[0], self.tiles[1], self.channels[2]].iter().map(|&v| v as usize).product()
    }

    /// Walks along rows of tiles, for four channels each.
    pub fn walks(&self) -> usize {
        let walks = self.tiles[1].div_ceil(self.pool[2].max(1));
        [self.tiles[3], self.tiles[0], walks, self.channels[2]].iter().map(|&v| v as usize).product()
    }
}
