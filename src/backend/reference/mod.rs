//! Twins: one plain, obviously right function per WGSL kernel, the oracle of the tests.
//!
//! They see the same buffers as the shaders: channels stored in fours, weights with the output channels padded to
//! fours, the same parameter structs. Sums run in `f64`, so that a twin's own rounding never blurs a comparison.

mod avg_pool3d;
mod batch_norm;
mod conv3d;
mod cross_entropy;
mod flow;
mod flow_dual;
mod flow_gradient;
mod flow_median;
mod flow_resize;
mod flow_step;
mod flow_stop;
mod flow_warp;
mod gemm;
mod head;
mod lstm;
mod max_pool3d;
mod norm;
mod parts;
mod run;
mod time_mean;
mod train;
mod winograd;

pub use avg_pool3d::{avg_pool3d, avg_pool3d_grad};
pub use batch_norm::{batch_norm, batch_norm_grad, moments};
pub use conv3d::{conv3d, conv3d_bias_grad, conv3d_input_grad, conv3d_weight_grad, conv3d_weight_parts};
pub use cross_entropy::cross_entropy;
pub use flow::flow;
pub use flow_dual::flow_dual;
pub use flow_gradient::flow_gradient;
pub use flow_median::flow_median;
pub use flow_resize::flow_resize;
pub use flow_step::flow_step;
pub use flow_stop::flow_stop;
pub use flow_warp::flow_warp;
pub use gemm::gemm;
pub use head::head;
pub use lstm::{lstm, lstm_grad};
pub use max_pool3d::{max_pool3d, max_pool3d_grad, max_pool3d_winners, max_pool3d_winners_grad};
pub use norm::{norm_grad, norm_moments, norm_output, norm_sums};
pub use parts::{dropout, sum_parts};
pub use run::run;
pub use time_mean::{time_mean, time_mean_grad};
pub use train::{UnitGradients, train};
pub use winograd::{wino_in, wino_out, wino_pool};

/// A number that twins read and write: `f32` beside the kernels, `f64` where differences are taken. They compute in `f64`.
pub trait Real: Copy {
    /// The nearest number of this type.
    fn of(value: f64) -> Self;
    /// Its value.
    fn get(self) -> f64;
}

impl Real for f32 {
    fn of(value: f64) -> f32 {
        value as f32
    }
    fn get(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn of(value: f64) -> f64 {
        value
    }
    fn get(self) -> f64 {
        self
    }
}

/// Every `[n, t, y, x]` of a shape, in memory order.
fn positions([n, t, h, w]: [u32; 4]) -> impl Iterator<Item = [usize; 4]> {
    let [n, t, h, w] = [n, t, h, w].map(|v| v as usize);
    (0..n * t * h * w).map(move |i| [i / (t * h * w), i / (h * w) % t, i / w % h, i % w])
}

/// Index of position `[n, t, y, x]` in a tensor of `[N, T, H, W]`.
fn index([_, t, h, w]: [u32; 4], [n, it, iy, ix]: [usize; 4]) -> usize {
    ((n * t as usize + it) * h as usize + iy) * w as usize + ix
}

/// The taps of a window at output position `at` that fall inside the input: `(tap [t, y, x], input position)`.
/// Taps in the padding are skipped, never read.
fn taps(
    input: [u32; 4],
    window: [u32; 4],
    stride: [u32; 4],
    pad: [u32; 4],
    at: [usize; 4],
) -> impl Iterator<Item = ([usize; 3], [usize; 4])> {
    let size = [window[0], window[1], window[2]].map(|v| v as usize);
    let all = (0..size[0] * size[1] * size[2])
        .map(move |i| [i / (size[1] * size[2]), i / size[2] % size[1], i % size[2]]);
    all.filter_map(move |tap| {
        let mut position = at;
        for axis in 0..3 {
            // The padding is signed: see `Window::pad_before`.
            let first = (at[axis + 1] * stride[axis] as usize) as i64 - i64::from(pad[axis] as i32);
            let p = usize::try_from(first + tap[axis] as i64).ok()?;
            if p >= input[axis + 1] as usize {
                return None;
            }
            position[axis + 1] = p;
        }
        Some((tap, position))
    })
}
