//! A video as the networks see it, frame by frame: decoded, sampled and preprocessed, in bounded memory.
//!
//! [`Feed`] decodes and [`FlowInputs`] computes flow; each can have a thread of its own.

use crate::backend::Device;
use crate::clip::Clip;
use crate::error::{Error, Result};
use crate::flow::{FlowEngine, FlowPreprocess, Gray, Quantize, Tvl1, flow_clip};
use crate::network::Stream;
use crate::preprocess::{Preprocess, Resize, RgbPreprocess, Size};
use crate::video::{Color, FrameSource, Pixels, Rate, Sampled, Samples, VideoInfo};

/// Frames that are made at a time.
pub const CHUNK: usize = 16;

/// Which frames of a video to take, and how.
#[derive(Debug, Clone, Copy)]
pub struct FeedOptions {
    /// Sampling rate.
    pub rate: Rate,
    /// Height and width of the networks' input in pixels.
    pub input_size: usize,
    /// How pictures are made smaller.
    pub resize: Resize,
    /// Takes pixels for square whatever the video says.
    pub ignore_aspect: bool,
    /// Most frames to give.
    pub most: usize,
    /// How optical flow is computed.
    pub tvl1: Tvl1,
    /// How flow is rounded.
    pub quantize: Quantize,
}

impl FeedOptions {
    /// All frames at 25 per second, for networks with inputs of `input_size` pixels; flow as OpenCV computes it.
    pub fn new(input_size: usize) -> FeedOptions {
        let (tvl1, quantize) = (Tvl1::REFERENCE, Quantize::None);
        let (resize, ignore_aspect) = (Resize::Antialias, false);
        FeedOptions { rate: Rate::I3D, input_size, resize, ignore_aspect, most: usize::MAX, tvl1, quantize }
    }
}

/// The number of frames that a feed would give, found by decoding.
///
/// # Errors
/// Sources that break before the first frame. A later break ends the count.
pub fn count_frames(source: impl FrameSource, streams: &[Stream], options: FeedOptions) -> Result<usize> {
    let mut samples = Samples::new(source, options.rate)?;
    let flow = usize::from(streams.contains(&Stream::Flow));
    let mut count = 0usize;
    while count < options.most.saturating_add(flow) {
        match samples.next_sample() {
            Ok(Some(sample)) => count = count.saturating_add(sample.times),
            Ok(None) => break,
            Err(_) if count > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(count.saturating_sub(flow).min(options.most))
}

/// A sampled frame, as far as the streams need it.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Input of the RGB network, `[H, W, 3]`; empty without an RGB stream.
    pub rgb: Vec<f32>,
    /// What flow is computed from; none without a flow stream.
    pub gray: Option<Gray>,
}

/// Sampled frames to pictures, one by one: for those who are handed their frames instead of asking for them.
#[derive(Debug)]
pub struct Pictures {
    options: FeedOptions,
    preprocess: RgbPreprocess,
    streams: Vec<Stream>,
    color: Option<Color>,
    planes_crc32c: u32,
}

impl Pictures {
    /// Pictures for `streams`.
    ///
    /// # Errors
    /// Sizes that cannot be.
    pub fn new(streams: &[Stream], options: FeedOptions) -> Result<Pictures> {
        let FeedOptions { input_size, resize, ignore_aspect, .. } = options;
        let preprocess = RgbPreprocess { resize, ignore_aspect, ..RgbPreprocess::for_input(input_size) };
        preprocess.validate()?;
        Ok(Pictures { options, preprocess, streams: streams.to_vec(), color: None, planes_crc32c: 0 })
    }

    /// The picture of the next sampled frame.
    ///
    /// # Errors
    /// Frames whose planes are too short.
    pub fn picture(&mut self, sample: &Sampled) -> Result<Picture> {
        let Sampled { frame, times } = sample;
        let planes: &[&[u8]] = match &frame.pixels {
            Pixels::I420 { y, u, v } => {
                self.color = self.color.or(Some(frame.color));
                &[y, u, v]
            }
            Pixels::Rgb(rgb) => &[rgb],
        };
        // How often it is shown counts too; repeating the planes themselves would say no more.
        let times = u64::try_from(*times).unwrap_or(u64::MAX).to_le_bytes();
        for bytes in planes.iter().copied().chain([&times[..]]) {
            self.planes_crc32c = crc32c::crc32c_append(self.planes_crc32c, bytes);
        }
        let wants = |stream| self.streams.contains(&stream);
        let rgb = if wants(Stream::Rgb) { self.preprocess.rgb_from_frame(frame) } else { Vec::new() };
        let region = self.preprocess.wide_region(frame);
        let gray =
            wants(Stream::Flow).then(|| Gray::from_frame(frame, &self.preprocess, region)).transpose()?;
        Ok(Picture { rgb, gray })
    }

    /// CRC-32C over the planes of the frames so far and how often each is shown, 8 hexadecimal digits.
    pub fn planes_crc32c(&self) -> String {
        format!("{:08x}", self.planes_crc32c)
    }

    /// Every parameter of the way from the video to the inputs.
    pub fn describe(&self) -> Preprocess {
        let FeedOptions { tvl1, quantize, rate, .. } = self.options;
        let flow = self.streams.contains(&Stream::Flow).then(|| FlowPreprocess::new(tvl1, quantize));
        Preprocess { flow, ..self.preprocess.describe(rate, self.color) }
    }
}

/// A video on its way to the networks: pictures, decoded, sampled and preprocessed.
///
/// With the flow stream among the streams there is one picture more than there are frames, because flow lies between two.
pub struct Feed<S> {
    samples: Samples<S>,
    pictures: Pictures,
    most: usize,
    /// A picture that is shown so many times more.
    repeated: Option<(Picture, usize)>,
    taken: usize,
    broken: Option<Error>,
}

impl<S: FrameSource> Feed<S> {
    /// The pictures of `source` for `streams`.
    ///
    /// # Errors
    /// Rates and sizes that cannot be.
    pub fn new(source: S, streams: &[Stream], options: FeedOptions) -> Result<Feed<S>> {
        let samples = Samples::new(source, options.rate)?;
        let pictures = Pictures::new(streams, options)?;
        Ok(Feed { samples, pictures, most: options.most, repeated: None, taken: 0, broken: None })
    }

    fn has_flow(&self) -> bool {
        self.pictures.streams.contains(&Stream::Flow)
    }

    /// The next pictures, at most [`CHUNK`], none after the last. A source that breaks in the middle ends there: see
    /// [`Feed::broken`].
    ///
    /// # Errors
    /// Sources that break before the first frame, and flow of a video with a single frame.
    pub fn next_chunk(&mut self) -> Result<Vec<Picture>> {
        let most = self.most.saturating_add(usize::from(self.has_flow()));
        let wanted = CHUNK.min(most - self.taken);
        let mut pictures = Vec::new();
        while pictures.len() < wanted {
            // A slow video repeats its frames.
            let Some((picture, times)) =
                self.repeated.take().map_or_else(|| self.decode(pictures.len()), |r| Ok(Some(r)))?
            else {
                break;
            };
            let now = times.min(wanted - pictures.len());
            if times > now {
                self.repeated = Some((picture.clone(), times - now));
            }
            pictures.extend(std::iter::repeat_n(picture, now));
        }
        self.taken += pictures.len();
        if self.taken == 1 && self.has_flow() {
            let problem = "the video has a single frame, and optical flow needs two; use --streams rgb";
            return Err(Error::video("video", problem));
        }
        Ok(pictures)
    }

    /// The next picture and how often it is shown; `before` were made since the last chunk.
    fn decode(&mut self, before: usize) -> Result<Option<(Picture, usize)>> {
        if self.broken.is_some() {
            return Ok(None);
        }
        let sample = match self.samples.next_sample() {
            Ok(Some(sample)) => sample,
            Ok(None) => return Ok(None),
            Err(error) if self.taken + before > 0 => {
                self.broken = Some(error);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        Ok(Some((self.pictures.picture(&sample)?, sample.times)))
    }

    /// All frames, one clip per stream, in the order in which the streams were named; flow is computed on `device`.
    /// `progress` hears of the frames so far.
    ///
    /// # Errors
    /// As [`Feed::next_chunk`] and [`FlowInputs::push`].
    pub async fn clips(&mut self, device: &Device, progress: &mut dyn FnMut(usize)) -> Result<Vec<Clip>> {
        let FeedOptions { input_size: size, .. } = self.pictures.options;
        let empty = |stream: &Stream| Clip::empty(size, size, stream.channels());
        let mut clips: Vec<Clip> = self.pictures.streams.iter().map(empty).collect();
        let mut flow = self.has_flow().then(|| FlowInputs::new(self.pictures.options, device)).transpose()?;
        loop {
            let mut chunk = self.next_chunk()?;
            if chunk.is_empty() {
                // The last picture has no flow, so no stream shows it.
                let frames = self.frames();
                return Ok(clips.into_iter().map(|clip| clip.first(frames)).collect());
            }
            let flows = match &mut flow {
                Some(flow) => flow.push(chunk.iter_mut().filter_map(|picture| picture.gray.take())).await?,
                None => Vec::new(),
            };
            for (clip, stream) in clips.iter_mut().zip(&self.pictures.streams) {
                match stream {
                    Stream::Rgb => chunk.iter().try_for_each(|picture| clip.push_frame(&picture.rgb))?,
                    Stream::Flow => flows.iter().try_for_each(|input| clip.push_frame(input))?,
                }
            }
            progress(self.frames());
        }
    }

    /// Frames for the networks that the pictures so far make.
    pub fn frames(&self) -> usize {
        self.taken.saturating_sub(usize::from(self.has_flow()))
    }

    /// Memory that a picture takes, by the size that the container promises.
    pub fn picture_bytes(&self) -> usize {
        let Pictures { streams, preprocess, .. } = &self.pictures;
        let rgb = usize::from(streams.contains(&Stream::Rgb)) * 3 * preprocess.crop.pow(2);
        let size = preprocess.resized_size_of(self.info());
        let Size { width, height } = preprocess.wide_region_of(size).size;
        4 * (rgb + usize::from(self.has_flow()) * width * height)
    }

    /// What the container says.
    pub fn info(&self) -> &VideoInfo {
        self.samples.info()
    }

    /// Frames decoded so far.
    pub fn decoded(&self) -> u64 {
        self.samples.decoded()
    }

    /// The time of the first frame on the container's clock.
    pub fn start_seconds(&self) -> f64 {
        self.samples.start_seconds()
    }

    /// What broke the video in the middle, if anything did; the pictures before the break were given.
    pub fn broken(&mut self) -> Option<Error> {
        self.broken.take()
    }

    /// What makes its pictures.
    pub fn pictures(&self) -> &Pictures {
        &self.pictures
    }
}

/// Pictures to the inputs of the flow network. The flow at a frame is that to the next frame, so the last one has none.
pub struct FlowInputs {
    engine: FlowEngine,
    crop: usize,
    quantize: Quantize,
    /// The last picture, which waits for the next one.
    last: Option<Gray>,
}

impl FlowInputs {
    /// Flow on `device`.
    ///
    /// # Errors
    /// Parameters of flow that cannot be.
    pub fn new(options: FeedOptions, device: &Device) -> Result<FlowInputs> {
        let FeedOptions { input_size: crop, tvl1, quantize, .. } = options;
        Ok(FlowInputs { engine: FlowEngine::new(device, &tvl1)?, crop, quantize, last: None })
    }

    /// The inputs that more pictures make possible: one per picture, but none for the first of all.
    ///
    /// # Shapes
    /// Returns `[H, W, 2]` each.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn push(&mut self, pictures: impl IntoIterator<Item = Gray>) -> Result<Vec<Vec<f32>>> {
        let mut grays: Vec<Gray> = self.last.take().into_iter().chain(pictures).collect();
        let inputs = if grays.len() < 2 {
            Vec::new()
        } else {
            let flows = self.engine.flows(&grays).await?;
            let clip = flow_clip(&flows, self.crop, self.quantize)?;
            clip.data.chunks_exact(clip.frame_len()).map(<[f32]>::to_vec).collect()
        };
        self.last = grays.pop();
        Ok(inputs)
    }
}
