//! Y'CbCr to RGB.

use crate::video::Color;

/// `r = y·luma + offset + v·v_to_r` and so on, with chroma centred at zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coefficients {
    luma: f32,
    offset: f32,
    v_to_r: f32,
    u_to_g: f32,
    v_to_g: f32,
    u_to_b: f32,
}

impl Coefficients {
    /// RGB of a sample, clamped to `[0, 255]`.
    #[inline(always)]
    pub fn rgb(&self, y: f32, u: f32, v: f32) -> [f32; 3] {
        let luma = y * self.luma + self.offset;
        let r = luma + v * self.v_to_r;
        let g = luma + u * self.u_to_g + v * self.v_to_g;
        let b = luma + u * self.u_to_b;
        [r.clamp(0.0, 255.0), g.clamp(0.0, 255.0), b.clamp(0.0, 255.0)]
    }

    /// The coefficients of a colour description.
    pub fn new(color: Color) -> Self {
        let (kr, kb) = color.matrix.luma_weights();
        let kg = 1.0 - kr - kb;
        let (luma, black, chroma) =
            if color.full_range { (1.0, 0.0, 1.0) } else { (255.0 / 219.0, 16.0, 255.0 / 224.0) };
        Coefficients {
            luma: luma as f32,
            offset: (-black * luma) as f32,
            v_to_r: (2.0 * (1.0 - kr) * chroma) as f32,
            u_to_g: (-2.0 * (1.0 - kb) * kb / kg * chroma) as f32,
            v_to_g: (-2.0 * (1.0 - kr) * kr / kg * chroma) as f32,
            u_to_b: (2.0 * (1.0 - kb) * chroma) as f32,
        }
    }
}
