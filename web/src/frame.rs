//! Bytes of the browser's frames to frames of the library.

use i3d::video::{Color, Frame, Matrix, Orientation, PixelAspect, Pixels, Rotation};
use i3d::{Error, Result};

use wasm_bindgen::prelude::*;

use crate::types::{FrameLayout, PlaneLayout, Upright};
use crate::{Answer, plain};

/// How a container's display matrix `[a, b, c, d]`, which maps a point of the planes to `(a x + c y, b x + d y)`, brings them upright.
#[wasm_bindgen(unchecked_return_type = "Orientation")]
pub fn orientation(a: f64, b: f64, c: f64, d: f64) -> Answer<JsValue> {
    let Orientation { mirrored, rotation } = Orientation::from_matrix([a, b, c, d]);
    plain(&Upright { rotation: rotation.degrees(), mirrored })
}

/// The frame that `layout` says `bytes` are.
///
/// # Errors
/// Formats that are not known, and bytes that are too few.
pub fn frame(layout: &FrameLayout, bytes: &[u8]) -> Result<Frame> {
    let FrameLayout { width, height, seconds, .. } = *layout;
    let unspecified = Color::unspecified(height);
    let matrix = layout.matrix.as_deref().and_then(matrix).unwrap_or(unspecified.matrix);
    let full_range = layout.full_range.unwrap_or(unspecified.full_range);
    let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
    let plane = |index: usize, width: usize, height: usize| plane(layout, bytes, index, width, height);
    let rgb = |order: [usize; 3], stride: usize| {
        let packed = plane(0, stride * width, height)?;
        let pixels = packed.chunks_exact(stride).flat_map(|pixel| order.map(|channel| pixel[channel]));
        Ok::<_, Error>(Pixels::Rgb(pixels.collect()))
    };
    let pixels = match layout.format.as_str() {
        "I420" => Pixels::I420 {
            y: plane(0, width, height)?,
            u: plane(1, chroma_width, chroma_height)?,
            v: plane(2, chroma_width, chroma_height)?,
        },
        "NV12" => {
            let chroma = plane(1, 2 * chroma_width, chroma_height)?;
            let every_other = |first: usize| chroma.iter().skip(first).step_by(2).copied().collect();
            Pixels::I420 { y: plane(0, width, height)?, u: every_other(0), v: every_other(1) }
        }
        "RGBA" | "RGBX" => rgb([0, 1, 2], 4)?,
        "BGRA" | "BGRX" => rgb([2, 1, 0], 4)?,
        "RGB" => rgb([0, 1, 2], 3)?,
        other => {
            let problem = format!(
                "frames have the sample format {other}; expected I420, NV12, RGB or RGBA, so convert them before"
            );
            return Err(Error::video("video", problem));
        }
    };
    let color = Color { matrix, full_range };
    let orientation =
        Orientation { mirrored: layout.mirrored, rotation: Rotation::from_degrees(layout.rotation) };
    let pixel_aspect = layout.pixel_aspect.map_or(PixelAspect::SQUARE, |[w, h]| PixelAspect::new(w, h));
    Ok(Frame { width, height, seconds, pixels, color, orientation, pixel_aspect })
}

/// The rows of a plane without what lies between them.
fn plane(layout: &FrameLayout, bytes: &[u8], index: usize, width: usize, height: usize) -> Result<Vec<u8>> {
    let short = || {
        let (format, found) = (&layout.format, bytes.len());
        let size = format!("{}x{}", layout.width, layout.height);
        Error::video("video", format!("a frame of {found} bytes is too short for {size} pixels in {format}"))
    };
    let &PlaneLayout { offset, stride } = layout.planes.get(index).ok_or_else(short)?;
    let mut rows = Vec::with_capacity(width * height);
    for row in 0..height {
        let start = row.checked_mul(stride).and_then(|at| at.checked_add(offset)).ok_or_else(short)?;
        let end = start.checked_add(width).ok_or_else(short)?;
        rows.extend_from_slice(bytes.get(start..end).ok_or_else(short)?);
    }
    Ok(rows)
}

/// The matrix by the name that WebCodecs has for it.
fn matrix(name: &str) -> Option<Matrix> {
    match name {
        "bt470bg" | "smpte170m" => Some(Matrix::Bt601),
        "bt709" => Some(Matrix::Bt709),
        "bt2020-ncl" => Some(Matrix::Bt2020),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(format: &str, planes: &[(usize, usize)]) -> FrameLayout {
        let planes = planes.iter().map(|&(offset, stride)| PlaneLayout { offset, stride }).collect();
        let format = format.to_string();
        FrameLayout {
            format,
            width: 3,
            height: 2,
            planes,
            seconds: 0.5,
            rotation: 90.0,
            mirrored: false,
            pixel_aspect: None,
            matrix: None,
            full_range: None,
        }
    }

    #[test]
    fn strides_are_left_out_and_nv12_is_taken_apart() -> Result<()> {
        let luma = [1, 2, 3, 99, 4, 5, 6, 99];
        let planar = [&luma[..], &[7, 8, 99, 9, 10, 99]].concat();
        let interleaved = [&luma[..], &[7, 9, 8, 10]].concat();
        let a = frame(&layout("I420", &[(0, 4), (8, 3), (11, 3)]), &planar)?;
        let b = frame(&layout("NV12", &[(0, 4), (8, 4)]), &interleaved)?;
        let expected = Pixels::I420 { y: vec![1, 2, 3, 4, 5, 6], u: vec![7, 8], v: vec![9, 10] };
        assert_eq!(a.pixels, expected);
        assert_eq!(a, b);
        assert_eq!((a.orientation, a.color), (Orientation::turned(Rotation::R90), Color::unspecified(2)));
        Ok(())
    }

    #[test]
    fn every_order_of_colours_gives_rgb() -> Result<()> {
        let rgba: Vec<u8> = (0..24).collect();
        let bgra: Vec<u8> = rgba.chunks(4).flat_map(|p| [p[2], p[1], p[0], p[3]]).collect();
        let a = frame(&layout("RGBA", &[(0, 12)]), &rgba)?;
        let b = frame(&layout("BGRX", &[(0, 12)]), &bgra)?;
        assert_eq!(a.pixels, b.pixels);
        Ok(())
    }

    #[test]
    fn short_and_unknown_frames_are_refused() {
        let message = |layout: FrameLayout| frame(&layout, &[0; 8]).expect_err("too short").to_string();
        assert!(message(layout("I420", &[(0, 4), (8, 3), (11, 3)])).contains("8 bytes is too short for 3x2"));
        assert!(message(layout("I420", &[(usize::MAX, 4)])).contains("too short"));
        assert!(message(layout("I420A", &[])).contains("I420A"));
    }
}
