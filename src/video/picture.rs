//! One picture of a known format: recognised, decoded in bounded memory, turned upright.

use super::jpeg::Jpeg;
use super::{Color, Frame, MAX_PIXELS, Orientation, PixelAspect, Pixels};
use image::codecs::{bmp::BmpDecoder, gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, Limits, RgbaImage};
use std::io::{BufRead, Seek, SeekFrom};

/// Formats that are decoded here; all others are for ffmpeg.
const FORMATS: [(ImageFormat, &str); 5] = [
    (ImageFormat::Gif, "gif"),
    (ImageFormat::Png, "png"),
    (ImageFormat::Jpeg, "jpeg"),
    (ImageFormat::WebP, "webp"),
    (ImageFormat::Bmp, "bmp"),
];

/// The most memory that a decoder may take: three RGBA pictures of the largest size, as an animation needs.
const MAX_BYTES: u64 = 12 * MAX_PIXELS;

/// The most memory for what lies beside the pixels of a PNG: rows, colour profiles, texts.
const MAX_PNG_EXTRA: u64 = 1 << 27;

/// What is said of a file that is not all there.
pub(super) const CUT: &str = "the file ends in the middle of the picture";

/// Why a picture cannot be read, as the end of a sentence.
pub(super) type Result<T> = std::result::Result<T, String>;

/// The format of a file that begins with `start`, and its name.
pub(super) fn format_of(start: &[u8]) -> Option<(ImageFormat, &'static str)> {
    let format = image::guess_format(start).ok()?;
    // Texts may begin with "BM" too; only in a picture four zeros follow the file size.
    if format == ImageFormat::Bmp && start.get(6..10) != Some(&[0; 4]) {
        return None;
    }
    FORMATS.into_iter().find(|known| known.0 == format)
}

/// The limits of every decoder.
pub(super) fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    limits
}

/// The words for an error of the `image` crate.
pub(super) fn reason(error: ImageError) -> String {
    match error {
        ImageError::Limits(_) => {
            format!(
                "it needs more memory than one of {MAX_PIXELS} pixels, and larger ones are not read; make it smaller"
            )
        }
        ImageError::Unsupported(error) => error.to_string(),
        error => format!("it is damaged: {error}"),
    }
}

/// Fails where a picture has more than [`MAX_PIXELS`] pixels, before memory is taken for them.
pub(super) fn check_size(decoder: &impl ImageDecoder) -> Result<()> {
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) <= MAX_PIXELS {
        return Ok(());
    }
    Err(format!("it has {width}x{height} pixels, and at most {MAX_PIXELS} are read; make it smaller"))
}

/// The decoder of a GIF, within limits.
pub(super) fn gif<R: BufRead + Seek>(reader: R) -> Result<GifDecoder<R>> {
    let mut decoder = GifDecoder::new(reader).map_err(reason)?;
    check_size(&decoder)?;
    decoder.set_limits(limits()).map_err(reason)?;
    Ok(decoder)
}

/// The decoder of a PNG, within limits.
pub(super) fn png<R: BufRead + Seek>(reader: R) -> Result<PngDecoder<R>> {
    let mut beside = limits();
    beside.max_alloc = Some(MAX_PNG_EXTRA);
    let mut decoder = PngDecoder::with_limits(reader, beside).map_err(reason)?;
    check_size(&decoder)?;
    decoder.set_limits(limits()).map_err(reason)?;
    Ok(decoder)
}

/// The decoder of a WebP, within limits.
pub(super) fn webp<R: BufRead + Seek>(reader: R) -> Result<WebPDecoder<R>> {
    let mut decoder = WebPDecoder::new(reader).map_err(reason)?;
    check_size(&decoder)?;
    decoder.set_limits(limits()).map_err(reason)?;
    Ok(decoder)
}

/// The decoder of a BMP, within limits.
fn bmp<R: BufRead + Seek>(reader: R) -> Result<BmpDecoder<R>> {
    let decoder = BmpDecoder::new(reader).map_err(reason)?;
    check_size(&decoder)?;
    Ok(decoder)
}

/// The picture in a file of this format, upright; of an animation, the first frame.
pub(super) fn still<R: BufRead + Seek>(mut reader: R, format: ImageFormat) -> Result<DynamicImage> {
    match format {
        ImageFormat::Gif => upright(gif(reader)?),
        ImageFormat::Png => upright(png(reader)?),
        ImageFormat::WebP => {
            if cut_webp(&mut reader).map_err(|error| error.to_string())?.is_some() {
                return Err(CUT.to_owned());
            }
            upright(webp(reader)?)
        }
        ImageFormat::Jpeg => {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            let jpeg = Jpeg::new(bytes);
            let mut decoder = jpeg.decoder().map_err(reason)?;
            check_size(&decoder)?;
            let orientation = decoder.orientation().map_err(reason)?;
            let mut image = DynamicImage::from_decoder(decoder).map_err(reason)?;
            if !jpeg.is_whole(&image) {
                return Err(CUT.to_owned());
            }
            image.apply_orientation(orientation);
            Ok(image)
        }
        _ => upright(bmp(reader)?),
    }
}

/// Decodes a picture and turns or mirrors it as its EXIF entry says.
fn upright(mut decoder: impl ImageDecoder) -> Result<DynamicImage> {
    let orientation = decoder.orientation().map_err(reason)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(reason)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Where the last whole chunk of a WebP ends that is cut off behind it; none for one that is all there. The reader is then at the
/// file's start.
pub(super) fn cut_webp<R: BufRead + Seek>(reader: &mut R) -> std::io::Result<Option<u64>> {
    let length = reader.seek(SeekFrom::End(0))?;
    let mut whole = 12;
    while whole < length {
        reader.seek(SeekFrom::Start(whole + 4))?;
        let mut size = [0; 4];
        let read = reader.read_exact(&mut size);
        let end = whole + 8 + u64::from(u32::from_le_bytes(size));
        if read.is_err() || end > length {
            reader.rewind()?;
            return Ok(Some(whole));
        }
        // A byte that fills up the last chunk is often left out.
        whole = end + end % 2;
    }
    reader.rewind()?;
    Ok(None)
}

/// A picture as a frame: transparent parts are over black.
pub(super) fn frame_from_image(image: DynamicImage, seconds: f64) -> Frame {
    if image.color().has_alpha() {
        return frame_from_rgba(&image.into_rgba8(), seconds);
    }
    let (width, height) = (image.width() as usize, image.height() as usize);
    rgb_frame(width, height, seconds, image.into_rgb8().into_raw())
}

/// [`frame_from_image`] for a picture that may be transparent.
pub(super) fn frame_from_rgba(image: &RgbaImage, seconds: f64) -> Frame {
    let pixels = image.pixels().flat_map(|pixel| over_black(pixel.0));
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut rgb = Vec::with_capacity(width * height * 3);
    rgb.extend(pixels);
    rgb_frame(width, height, seconds, rgb)
}

/// RGB of a pixel with alpha, over black.
pub(super) fn over_black([r, g, b, alpha]: [u8; 4]) -> [u8; 3] {
    [r, g, b].map(|value| ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8)
}

fn rgb_frame(width: usize, height: usize, seconds: f64, rgb: Vec<u8>) -> Frame {
    let color = Color { full_range: true, ..Color::unspecified(height) };
    let (orientation, pixel_aspect) = (Orientation::UPRIGHT, PixelAspect::SQUARE);
    Frame { width, height, seconds, pixels: Pixels::Rgb(rgb), color, orientation, pixel_aspect }
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) use files::{is_image, picture_frame, picture_size};

#[cfg(not(target_arch = "wasm32"))]
mod files {
    use super::*;
    use crate::error::Error;
    use image::codecs::jpeg::JpegDecoder;
    use image::metadata::Orientation as Exif;
    use std::fs::File;
    use std::io::{BufReader, Read};
    use std::path::Path;

    /// True where the file begins like a picture of a known format.
    pub fn is_image(path: &Path) -> crate::error::Result<bool> {
        let mut start = Vec::with_capacity(64);
        let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
        read.map_err(|source| Error::io(path.display(), source))?;
        Ok(format_of(&start).is_some())
    }

    fn open(path: &Path) -> Result<(BufReader<File>, ImageFormat)> {
        let mut reader = BufReader::new(File::open(path).map_err(|error| error.to_string())?);
        let format = format_of(reader.fill_buf().map_err(|error| error.to_string())?);
        let (format, _) = format.ok_or("this is not a GIF, PNG, JPEG, WebP or BMP")?;
        Ok((reader, format))
    }

    /// Width and height of the upright picture in a file, from its header alone.
    pub fn picture_size(path: &Path) -> Result<(usize, usize)> {
        let (mut reader, format) = open(path)?;
        match format {
            ImageFormat::Gif => upright_size(gif(reader)?),
            ImageFormat::Png => upright_size(png(reader)?),
            ImageFormat::WebP => match cut_webp(&mut reader).map_err(|error| error.to_string())? {
                Some(_) => Err(CUT.to_owned()),
                None => upright_size(webp(reader)?),
            },
            ImageFormat::Jpeg => upright_size(JpegDecoder::new(reader).map_err(reason)?),
            _ => upright_size(bmp(reader)?),
        }
    }

    fn upright_size(mut decoder: impl ImageDecoder) -> Result<(usize, usize)> {
        check_size(&decoder)?;
        let (width, height) = decoder.dimensions();
        let (width, height) = (width as usize, height as usize);
        Ok(match decoder.orientation().map_err(reason)? {
            Exif::Rotate90 | Exif::Rotate90FlipH | Exif::Rotate270 | Exif::Rotate270FlipH => (height, width),
            _ => (width, height),
        })
    }

    /// The picture in a file as the frame at `seconds`; of an animation, the first.
    pub fn picture_frame(path: &Path, seconds: f64) -> Result<Frame> {
        let (reader, format) = open(path)?;
        Ok(frame_from_image(still(reader, format)?, seconds))
    }
}
