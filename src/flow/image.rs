//! Planes of one value per pixel, and bilinear resizing.

use crate::preprocess::Size;

/// Values of one kind for every pixel of a level.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plane {
    pub size: Size,
    /// `[H, W]`
    pub data: Vec<f32>,
}

/// The two source pixels of a destination pixel along one axis, and the share of the second.
struct Tap {
    first: usize,
    second: usize,
    share: f32,
}

/// Half-pixel centres, edges repeated. In f32, as the shader does it: TV-L1 passes rounding differences on enlarged.
fn taps(source: usize, count: usize, step: f32) -> Vec<Tap> {
    let last = source - 1;
    let tap = |i: usize| {
        let center = ((i as f32 + 0.5) * step - 0.5).clamp(0.0, last as f32);
        let first = center as usize;
        Tap { first, second: (first + 1).min(last), share: center - first as f32 }
    };
    (0..count).map(tap).collect()
}

impl Plane {
    /// The plane at another size: `step` source pixels per destination pixel along x and y, values times `factor`.
    pub fn resized(&self, size: Size, step: [f32; 2], factor: f32) -> Plane {
        let columns = taps(self.size.width, size.width, step[0]);
        let rows = taps(self.size.height, size.height, step[1]);
        let mut data = Vec::with_capacity(size.width * size.height);
        let line = |row: usize| &self.data[row * self.size.width..][..self.size.width];
        let mut mixed = vec![0.0; self.size.width];
        for row in &rows {
            for (m, (a, b)) in mixed.iter_mut().zip(line(row.first).iter().zip(line(row.second))) {
                *m = a + (b - a) * row.share;
            }
            data.extend(columns.iter().map(|c| {
                let (a, b) = (mixed[c.first], mixed[c.second]);
                (a + (b - a) * c.share) * factor
            }));
        }
        Plane { size, data }
    }
}
