//! Pictures and animations (GIF, WebP, PNG, JPEG, BMP) as frames, through the `image` crate.
//!
//! Transparent parts are shown over black. Frame times add up the delays of the file; a delay of at most 10 ms is
//! played as 100 ms, as all browsers do. A picture that does not move is one frame at time zero, turned upright as
//! its EXIF entry says.

use super::picture::{self, frame_from_image, frame_from_rgba};
use super::{Frame, FrameSource, VideoInfo, gif};
use crate::error::{Error, Result};
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageFormat};
use std::io::{BufRead, Cursor, Read, Seek};

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
        let io = |source| Error::io(place, source);
        let unreadable =
            |reason: String| Error::video(place, format!("the picture cannot be read: {reason}"));
        let start = reader.fill_buf().map_err(io)?;
        let Some((format, codec)) = picture::format_of(start) else {
            return Err(Error::video(
                place,
                "this is no picture of a known format; give GIF, PNG, JPEG, WebP or BMP",
            ));
        };
        match format {
            ImageFormat::Gif => match gif::with_trailer(&mut reader).map_err(io)? {
                Some(bytes) => {
                    log::info!("{place}: the GIF has no trailer, but all of its pictures");
                    let decoder = picture::gif(Cursor::new(bytes)).map_err(unreadable)?;
                    Ok(Self::animated(place, codec, decoder, false))
                }
                None => Ok(Self::animated(place, codec, picture::gif(reader).map_err(unreadable)?, false)),
            },
            ImageFormat::WebP => {
                if let Some(end) = picture::cut_webp(&mut reader).map_err(io)? {
                    let mut bytes = Vec::new();
                    reader.take(end).read_to_end(&mut bytes).map_err(io)?;
                    // The frames before the break can be shown.
                    let decoder = picture::webp(Cursor::new(bytes)).ok().filter(WebPDecoder::has_animation);
                    let decoder = decoder.ok_or_else(|| unreadable(picture::CUT.to_owned()))?;
                    return Ok(Self::animated(place, codec, decoder, true));
                }
                let moves = picture::webp(&mut reader).map_err(unreadable)?.has_animation();
                reader.rewind().map_err(io)?;
                match moves {
                    true => {
                        Ok(Self::animated(place, codec, picture::webp(reader).map_err(unreadable)?, false))
                    }
                    false => Self::still(codec, picture::still(reader, format).map_err(unreadable)?),
                }
            }
            ImageFormat::Png => {
                let decoder = picture::png(&mut reader).map_err(unreadable)?;
                let moves = decoder.is_apng().map_err(|error| unreadable(picture::reason(error)))?;
                drop(decoder);
                reader.rewind().map_err(io)?;
                if !moves {
                    return Self::still(codec, picture::still(reader, format).map_err(unreadable)?);
                }
                let decoder = picture::png(reader).map_err(unreadable)?;
                let (width, height) = decoder.dimensions();
                let decoder = decoder.apng().map_err(|error| unreadable(picture::reason(error)))?;
                Ok(Self::moving(place, info(codec, width, height), decoder, false))
            }
            _ => Self::still(codec, picture::still(reader, format).map_err(unreadable)?),
        }
    }

    fn still(codec: &str, image: DynamicImage) -> Result<Self> {
        let info = VideoInfo { frames: Some(1), ..info(codec, image.width(), image.height()) };
        let frame = frame_from_image(image, 0.0);
        Ok(Animation { info, frames: Box::new(std::iter::once(Ok(frame))), broken: false })
    }

    fn animated<D>(place: &str, codec: &str, decoder: D, cut: bool) -> Self
    where
        D: ImageDecoder + AnimationDecoder<'static> + Send + 'static,
    {
        let (width, height) = decoder.dimensions();
        Self::moving(place, info(codec, width, height), decoder, cut)
    }

    /// The frames of `decoder`; where the file is known to be `cut`, the last is followed by an error.
    fn moving<D: AnimationDecoder<'static> + Send + 'static>(
        place: &str,
        info: VideoInfo,
        decoder: D,
        cut: bool,
    ) -> Self {
        let place = place.to_owned();
        #[cfg(target_arch = "wasm32")]
        let frames = Box::new(timed_frames(place, decoder, cut));
        // The iterator of the `image` crate cannot change threads, but a source must; so it stays on a thread of its
        // own, which waits while one decoded frame is not taken and ends when the source is dropped.
        #[cfg(not(target_arch = "wasm32"))]
        let frames = {
            let (sender, receiver) = std::sync::mpsc::sync_channel(1);
            let failed =
                Error::video(&place, "the decoder gave up on this file; it is damaged, copy it again");
            std::thread::spawn(move || {
                let frames = std::panic::AssertUnwindSafe(|| {
                    timed_frames(place, decoder, cut).all(|frame| sender.send(frame).is_ok())
                });
                // Decoders of pictures are large, and what stops one is damage that it did not foresee.
                if std::panic::catch_unwind(frames).is_err() {
                    let _ = sender.send(Err(failed));
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
    cut: bool,
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
            None if cut => breaks(count, milliseconds, "the file ends there"),
            None if count > 0 => return None,
            None => "the animation holds no frame".to_owned(),
            Some(Err(error)) => breaks(count, milliseconds, &picture::reason(error)),
        };
        ended = true;
        Some(Err(Error::video(&place, problem)))
    })
}

fn breaks(count: u64, milliseconds: f64, reason: &str) -> String {
    format!("the animation breaks after {count} frames ({:.2} s): {reason}", milliseconds / 1000.0)
}
