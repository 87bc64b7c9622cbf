//! Pictures and animations (GIF, WebP, PNG, JPEG, BMP) as frames, through the `image` crate.
//!
//! Transparent parts are shown over black. Frame times add up the delays of the file; a delay of at most 10 ms is
//! played as 100 ms, as all browsers do. A picture that does not move is one frame at time zero, turned upright as
//! its EXIF entry says.

use super::{Color, Frame, FrameSource, Orientation, PixelAspect, Pixels, VideoInfo};
use crate::error::{Error, Result};
use image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbaImage};
use std::io::{BufRead, Cursor, Seek};

/// Formats that are decoded here; all others are for ffmpeg.
const FORMATS: [(ImageFormat, &str); 5] = [
    (ImageFormat::Gif, "gif"),
    (ImageFormat::Png, "png"),
    (ImageFormat::Jpeg, "jpeg"),
    (ImageFormat::WebP, "webp"),
    (ImageFormat::Bmp, "bmp"),
];

fn format_of(start: &[u8]) -> Option<(ImageFormat, &'static str)> {
    let format = image::guess_format(start).ok()?;
    // Texts may begin with "BM" too; only in a picture four zeros follow the file size.
    if format == ImageFormat::Bmp && start.get(6..10) != Some(&[0; 4]) {
        return None;
    }
    FORMATS.into_iter().find(|known| known.0 == format)
}

/// True where the file begins like a picture of a known format.
#[cfg(not(target_arch = "wasm32"))]
pub fn is_image(path: &std::path::Path) -> Result<bool> {
    use std::io::Read;
    let mut start = Vec::with_capacity(64);
    let read = std::fs::File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
    read.map_err(|source| Error::io(path.display(), source))?;
    Ok(format_of(&start).is_some())
}

/// Opens a picture or animation.
#[cfg(not(target_arch = "wasm32"))]
pub fn open(path: &std::path::Path) -> Result<Box<dyn FrameSource + Send>> {
    let file = std::fs::File::open(path).map_err(|source| Error::io(path.display(), source))?;
    Ok(Box::new(Animation::new(&path.display().to_string(), std::io::BufReader::new(file))?))
}

/// A picture or animation that is in memory already; `place` names it in messages.
pub fn from_image_bytes(place: &str, bytes: Vec<u8>) -> Result<Animation> {
    Animation::new(place, Cursor::new(bytes))
}

#[cfg(not(target_arch = "wasm32"))]
type FrameIterator = Box<dyn Iterator<Item = Result<Frame>> + Send>;
#[cfg(target_arch = "wasm32")]
type FrameIterator = Box<dyn Iterator<Item = Result<Frame>>>;

/// The frames of a picture or animation.
pub struct Animation {
    info: VideoInfo,
    frames: FrameIterator,
    broken: bool,
}

impl std::fmt::Debug for Animation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Animation").field("info", &self.info).finish_non_exhaustive()
    }
}

impl FrameSource for Animation {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.broken {
            return Ok(None);
        }
        self.frames.next().transpose().inspect_err(|_| self.broken = true)
    }
}

impl Animation {
    fn new<R: BufRead + Seek + Send + 'static>(place: &str, mut reader: R) -> Result<Self> {
        let damaged =
            |error: image::ImageError| Error::video(place, format!("the picture is damaged: {error}"));
        let start = reader.fill_buf().map_err(|source| Error::io(place, source))?;
        let Some((format, codec)) = format_of(start) else {
            return Err(Error::video(
                place,
                "this is no picture of a known format; give GIF, PNG, JPEG, WebP or BMP",
            ));
        };
        match format {
            ImageFormat::Gif => Ok(Self::animated(place, codec, GifDecoder::new(reader).map_err(damaged)?)),
            ImageFormat::WebP => {
                let decoder = WebPDecoder::new(reader).map_err(damaged)?;
                match decoder.has_animation() {
                    true => Ok(Self::animated(place, codec, decoder)),
                    false => Self::still(codec, upright(decoder).map_err(damaged)?),
                }
            }
            ImageFormat::Png => {
                let decoder = PngDecoder::new(reader).map_err(damaged)?;
                match decoder.is_apng().map_err(damaged)? {
                    true => {
                        let (width, height) = decoder.dimensions();
                        let decoder = decoder.apng().map_err(damaged)?;
                        Ok(Self::moving(place, info(codec, width, height), decoder))
                    }
                    false => Self::still(codec, upright(decoder).map_err(damaged)?),
                }
            }
            _ => {
                let decoder = ImageReader::with_format(reader, format).into_decoder().map_err(damaged)?;
                Self::still(codec, upright(decoder).map_err(damaged)?)
            }
        }
    }

    fn still(codec: &str, image: DynamicImage) -> Result<Self> {
        let info = VideoInfo { frames: Some(1), ..info(codec, image.width(), image.height()) };
        let frame = frame_from_image(image, 0.0);
        Ok(Animation { info, frames: Box::new(std::iter::once(Ok(frame))), broken: false })
    }

    fn animated<D>(place: &str, codec: &str, decoder: D) -> Self
    where
        D: ImageDecoder + AnimationDecoder<'static> + Send + 'static,
    {
        let (width, height) = decoder.dimensions();
        Self::moving(place, info(codec, width, height), decoder)
    }

    fn moving<D: AnimationDecoder<'static> + Send + 'static>(
        place: &str,
        info: VideoInfo,
        decoder: D,
    ) -> Self {
        let place = place.to_owned();
        #[cfg(target_arch = "wasm32")]
        let frames = Box::new(timed_frames(place, decoder));
        // The iterator of the `image` crate cannot change threads, but a source must; so it stays on a thread of its
        // own, which waits while one decoded frame is not taken and ends when the source is dropped.
        #[cfg(not(target_arch = "wasm32"))]
        let frames = {
            let (sender, receiver) = std::sync::mpsc::sync_channel(1);
            std::thread::spawn(move || {
                for frame in timed_frames(place, decoder) {
                    if sender.send(frame).is_err() {
                        return;
                    }
                }
            });
            Box::new(receiver.into_iter())
        };
        Animation { info, frames, broken: false }
    }
}

fn info(codec: &str, width: u32, height: u32) -> VideoInfo {
    VideoInfo {
        width: width as usize,
        height: height as usize,
        codec: Some(codec.to_owned()),
        ..VideoInfo::default()
    }
}

/// The frames with their times; after a break, one error that says where.
fn timed_frames<D: AnimationDecoder<'static>>(
    place: String,
    decoder: D,
) -> impl Iterator<Item = Result<Frame>> {
    let mut frames = decoder.into_frames();
    let (mut count, mut milliseconds, mut ended) = (0u64, 0.0, false);
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let problem = match frames.next() {
            Some(Ok(frame)) => {
                let (numerator, denominator) = frame.delay().numer_denom_ms();
                let delay = f64::from(numerator) / f64::from(denominator.max(1));
                let seconds = milliseconds / 1000.0;
                milliseconds += if delay <= 10.0 { 100.0 } else { delay };
                count += 1;
                return Some(Ok(frame_from_rgba(&frame.into_buffer(), seconds)));
            }
            None if count > 0 => return None,
            None => "the animation holds no frame".to_owned(),
            Some(Err(error)) => {
                format!("the animation breaks after {count} frames ({:.2} s): {error}", milliseconds / 1000.0)
            }
        };
        ended = true;
        Some(Err(Error::video(&place, problem)))
    })
}

/// Decodes a picture and turns or mirrors it as its EXIF entry says.
fn upright(mut decoder: impl ImageDecoder) -> image::ImageResult<DynamicImage> {
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Opens a picture file for decoding, by its content.
#[cfg(not(target_arch = "wasm32"))]
fn picture(path: &std::path::Path) -> image::ImageResult<impl ImageDecoder> {
    ImageReader::open(path)?.with_guessed_format()?.into_decoder()
}

/// Width and height of the upright picture in a file, from its header alone.
#[cfg(not(target_arch = "wasm32"))]
pub fn picture_size(path: &std::path::Path) -> image::ImageResult<(usize, usize)> {
    use image::metadata::Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    let mut decoder = picture(path)?;
    let (width, height) = decoder.dimensions();
    Ok(match decoder.orientation()? {
        Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH => (height as usize, width as usize),
        _ => (width as usize, height as usize),
    })
}

/// The picture in a file as the frame at `seconds`; of an animation, the first.
#[cfg(not(target_arch = "wasm32"))]
pub fn picture_frame(path: &std::path::Path, seconds: f64) -> image::ImageResult<Frame> {
    Ok(frame_from_image(upright(picture(path)?)?, seconds))
}

fn frame_from_image(image: DynamicImage, seconds: f64) -> Frame {
    if image.color().has_alpha() {
        return frame_from_rgba(&image.into_rgba8(), seconds);
    }
    let (width, height) = (image.width() as usize, image.height() as usize);
    rgb_frame(width, height, seconds, image.into_rgb8().into_raw())
}

fn frame_from_rgba(image: &RgbaImage, seconds: f64) -> Frame {
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
