//! The whole program on one screen: a device, one network per stream, labels; clips in, ranked actions out.

mod long;
mod result;
mod timeline;

pub use long::{Arrival, LongClip};
pub use result::{Classification, Prediction, StreamResult};
pub use timeline::{Segment, Timeline, Windows};

use crate::backend::{Device, Head, Model, Output, Progress, Run, RunOptions};
use crate::clip::Clip;
use crate::error::{Error, Result};
use crate::feed::{Feed, FeedOptions};
use crate::fusion::Fusion;
use crate::labels;
use crate::network::{FEATURES, LOGITS_PER_STEP, Network, Stream, System};
use crate::plan::Plan;
use crate::video::FrameSource;
use crate::weights::{Checkpoint, Weights};

/// Where a stream's weights came from; part of every result.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ModelSource {
    /// File, or a description of what stands in for one.
    pub source: String,
    /// SHA-256 of the file in hex, where there is a file.
    pub sha256: Option<String>,
}

struct Loaded {
    stream: Stream,
    model: Model,
    source: ModelSource,
}

/// Loaded networks on a device.
///
/// ```
/// # use i3d::{Error, network::{Network, Stream}, plan::Precision, weights::{Checkpoint, Format, Metadata, Tensor}};
/// # let network = Network { width: 0.0625, input_size: 32, ..Network::i3d(Stream::Rgb, 400) };
/// # let tensor = |shape: Vec<usize>| Tensor { data: vec![0.1; shape.iter().product()], shape };
/// # let tensors = network.variables().into_iter().map(|(name, shape)| (name, tensor(shape))).collect();
/// # let metadata = Metadata { width: Some(0.0625), input_size: Some(32), ..Metadata::default() };
/// # let (place, sha256) = ("rgb".to_string(), String::new());
/// # let checkpoint = Checkpoint { place, format: Format::Safetensors, sha256, tensors, metadata, skipped: vec![] };
/// # let weights = checkpoint.to_safetensors(None, Precision::F32)?;
/// # let path = std::path::Path::new("samples/jumping_jacks.gif");
/// # pollster::block_on(async {
/// use i3d::backend::{Device, DeviceRequest};
///
/// let device = Device::open(&DeviceRequest::Auto, 0).await?;
/// let checkpoint = Checkpoint::from_bytes("rgb.safetensors", &weights)?;
/// let mut classifier = i3d::Classifier::new(device).with_checkpoint(&checkpoint)?;
/// let clip = classifier.rgb_clip(i3d::video::open(path)?, 64).await?;
/// let result = classifier.classify(&[&clip], &mut |_, _| ()).await?;
/// for action in result.top(5) {
///     println!("{:.3} {}", action.probability, action.label);
/// }
/// # assert_eq!(result.top(5).len(), 5);
/// # Ok::<(), Error>(())
/// # })?;
/// # Ok::<(), Error>(())
/// ```
pub struct Classifier {
    device: Device,
    options: RunOptions,
    networks: Vec<Loaded>,
    labels: Vec<String>,
    fusion: Fusion,
}

impl Classifier {
    /// A classifier without a network; add one or two with [`Classifier::with_checkpoint`].
    pub fn new(device: Device) -> Classifier {
        let options = RunOptions::default();
        Classifier { device, options, networks: Vec::new(), labels: Vec::new(), fusion: Fusion::default() }
    }

    /// Chooses how networks are run, before the first of them is added.
    pub fn with_options(mut self, options: RunOptions) -> Classifier {
        self.options = options;
        self
    }

    /// How its networks are run.
    pub fn options(&self) -> &RunOptions {
        &self.options
    }

    /// Adds the network of a checkpoint, the stream being that of its input channels. Labels come with the checkpoint,
    /// or are those of Kinetics where the number of classes is 400 or 600, or plain numbers.
    ///
    /// # Errors
    /// As [`Classifier::add_checkpoint`].
    pub fn with_checkpoint(mut self, checkpoint: &Checkpoint) -> Result<Classifier> {
        self.add_checkpoint(checkpoint)?;
        Ok(self)
    }

    /// Adds a network by its folded weights.
    ///
    /// # Errors
    /// As [`Classifier::add_checkpoint`].
    pub fn with_weights(
        mut self,
        weights: Weights,
        source: ModelSource,
        labels: Option<Vec<String>>,
    ) -> Result<Classifier> {
        self.add_weights(weights, source, labels)?;
        Ok(self)
    }

    /// Adds the network of a checkpoint as [`Classifier::with_checkpoint`] does. After an error the classifier is as it was.
    ///
    /// # Errors
    /// Checkpoints that lack something or hold what the network does not have, networks that are of no stream or have other
    /// classes than the first, and what the device reports.
    pub fn add_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let network = checkpoint.network()?;
        let (weights, report) = checkpoint.load(&network)?;
        log::info!("{}: {report}", checkpoint.place);
        let source =
            ModelSource { source: checkpoint.place.clone(), sha256: Some(checkpoint.sha256.clone()) };
        self.add_weights(weights, source, checkpoint.metadata.labels.clone())
    }

    fn add_weights(
        &mut self,
        weights: Weights,
        source: ModelSource,
        labels: Option<Vec<String>>,
    ) -> Result<()> {
        let network = weights.network;
        let place = source.source.clone();
        if network.system != System::I3d {
            let problem = format!(
                "is a {}; give an I3D model, `i3d eval` tests those of other systems",
                network.system
            );
            return Err(Error::checkpoint(place, problem));
        }
        let stream = network.stream().ok_or_else(|| {
            let found = network.in_channels;
            Error::checkpoint(
                &place,
                format!("the network has {found} input channels; expected 3 (rgb) or 2 (flow)"),
            )
        })?;
        if let Some(other) = self.networks.first() {
            let (had, classes) = (other.model.network().classes, network.classes);
            if had != classes {
                let first = &other.source.source;
                let problem =
                    format!("has {classes} classes where {first} has {had}; give two streams of one model");
                return Err(Error::checkpoint(place, problem));
            }
        }
        let numbers = || (0..network.classes).map(|i| format!("class {i}")).collect();
        let labels = match self.labels.is_empty() {
            true => labels.or_else(|| labels::for_classes(network.classes)).unwrap_or_else(numbers),
            false => self.labels.clone(),
        };
        labels::check(&place, &labels, network.classes)?;
        let model = Model::new(&self.device, weights, &self.options)?;
        self.labels = labels;
        self.networks.retain(|n| n.stream != stream);
        self.networks.push(Loaded { stream, model, source });
        self.networks.sort_by_key(|n| n.stream);
        Ok(())
    }

    /// Replaces the labels; `place` names them in errors.
    pub fn with_labels(mut self, place: &str, labels: Vec<String>) -> Result<Classifier> {
        for network in &self.networks {
            labels::check(place, &labels, network.model.network().classes)?;
        }
        self.labels = labels;
        Ok(self)
    }

    /// Chooses how two streams are fused.
    pub fn with_fusion(mut self, fusion: Fusion) -> Classifier {
        self.fusion = fusion;
        self
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The names of the classes.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The network of a stream.
    pub fn network(&self, stream: Stream) -> Option<&Network> {
        self.networks.iter().find(|n| n.stream == stream).map(|n| n.model.network())
    }

    /// Where the weights of a stream came from.
    pub fn source(&self, stream: Stream) -> Option<&ModelSource> {
        self.networks.iter().find(|n| n.stream == stream).map(|n| &n.source)
    }

    /// The first `frames` frames of a video at 25 frames per second, as the RGB network wants them; a shorter video is
    /// repeated from its start, as in the paper.
    ///
    /// # Errors
    /// Videos that break, and classifiers without an RGB network.
    pub async fn rgb_clip(&self, video: impl FrameSource, frames: usize) -> Result<Clip> {
        let options =
            FeedOptions { most: frames, ..FeedOptions::new(self.required(Stream::Rgb)?.input_size) };
        let mut feed = Feed::new(video, &[Stream::Rgb], options)?;
        let clips = feed.clips(&self.device, &mut |_| ()).await?;
        match feed.broken() {
            Some(error) => Err(error),
            None => Ok(clips.into_iter().next().unwrap_or_else(|| Clip::empty(0, 0, 3)).looped_to(frames)),
        }
    }

    /// The network that takes `clip`, which errors call `place`.
    ///
    /// # Errors
    /// Clips of a stream without a network here, and of another size than the network's input.
    pub fn network_for(&self, place: &str, clip: &Clip) -> Result<&Network> {
        self.index_for(place, clip).map(|index| self.networks[index].model.network())
    }

    fn index_for(&self, place: &str, clip: &Clip) -> Result<usize> {
        let Clip { height, width, channels, .. } = clip;
        let fail = |problem| Error::clip(place, problem);
        let Some(stream) = clip.stream() else {
            return Err(fail(format!("the clip has {channels} channels; expected 3 (rgb) or 2 (flow)")));
        };
        let Some(index) = self.networks.iter().position(|n| n.stream == stream) else {
            let loaded = match self.networks.first() {
                Some(other) => format!("only {} weights are loaded", other.stream),
                None => "no weights are loaded".to_string(),
            };
            return Err(fail(format!(
                "the clip has {channels} channels and needs the {stream} network, but {loaded}; give --{stream} PATH"
            )));
        };
        let size = self.networks[index].model.network().input_size;
        if (*height, *width) != (size, size) {
            return Err(fail(format!(
                "the clip has {height}x{width} pixels where the {stream} network takes {size}x{size}; make the clip \
                 of that size"
            )));
        }
        Ok(index)
    }

    /// Runs the network of the clip's stream and gives the values of the endpoints named in `observe`.
    ///
    /// # Errors
    /// Clips without a network, of another size than the network's input, shorter than
    /// [`MIN_FRAMES`](crate::network::MIN_FRAMES), or beyond the device's limits.
    pub async fn endpoints(
        &mut self,
        clip: &Clip,
        observe: &[&str],
        progress: &mut dyn FnMut(Stream, Progress),
    ) -> Result<Output> {
        let index = self.index_for("clip", clip)?;
        let Loaded { stream, model, .. } = &mut self.networks[index];
        let plan = Plan::new(model.network(), 1, clip.frames)?.with_precision(self.options.precision);
        model.run(&plan, &clip.data, observe, &mut |p| progress(*stream, p)).await
    }

    /// Classifies one clip per stream: one clip for one stream, or one of each to be fused.
    pub async fn classify(
        &mut self,
        clips: &[&Clip],
        progress: &mut dyn FnMut(Stream, Progress),
    ) -> Result<Classification> {
        // Asked before the first of them costs time.
        if matches!(clips, [a, b] if a.channels == b.channels) {
            return Err(Error::Usage("give one clip, or one of each stream".into()));
        }
        let mut streams = Vec::new();
        for clip in clips {
            streams.push(self.stream_result(clip, progress).await?);
        }
        Classification::new(streams, self.fusion, &self.labels)
    }

    /// Begins `batch` clips of a stream at once, for features and logits per time step.
    ///
    /// # Shapes
    /// `input` `[batch, frames, H, W, C]`
    async fn begin_batch(
        &mut self,
        stream: Stream,
        batch: usize,
        frames: usize,
        input: &[f32],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Run> {
        let precision = self.options.precision;
        let model = self.model(stream)?;
        let plan = Plan::new(model.network(), batch, frames)?.with_precision(precision);
        model.begin(&plan, input, &[FEATURES, LOGITS_PER_STEP], progress).await
    }

    /// One stream, in one piece where the clip is small enough for that, else in tiles of time.
    async fn stream_result(
        &mut self,
        clip: &Clip,
        progress: &mut dyn FnMut(Stream, Progress),
    ) -> Result<StreamResult> {
        let start = web_time::Instant::now();
        let index = self.index_for("clip", clip)?;
        let Loaded { stream, model, .. } = &mut self.networks[index];
        let stream = *stream;
        let mut progress = |p| progress(stream, p);
        let precision = self.options.precision;
        let head = Head::of_clip(model, &self.device, precision, clip, &mut progress).await?;
        StreamResult::new(stream, head, start.elapsed().as_secs_f64(), self)
    }
}
