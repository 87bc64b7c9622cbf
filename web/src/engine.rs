//! A device with networks, and the way of one video through them.

use i3d::backend::{Device, DeviceRequest, Progress};
use i3d::classifier::{Classification, Classifier, Segment};
use i3d::fusion::Fusion;
use i3d::network::{MIN_FRAMES, Stream};
use i3d::preprocess::Preprocess;
use i3d::report::{Parts, Report, Timings, VideoSummary, segments};
use i3d::weights::Checkpoint;
use i3d::{Error, Result};
use js_sys::{Array, Function, Object, Reflect, Uint8ClampedArray};
use wasm_bindgen::prelude::*;

use crate::convert::{ModelFile, checkpoint};
use crate::frame::frame;
use crate::pass::{FPS, Pass, Seen, Watched};
use crate::types::{FrameLayout, NetworkInfo, PartialSegment, PartialTop, PassOptions, VideoFacts};
use crate::{Answer, plain, thrown};

/// Classes that a result names.
const TOP_K: usize = 5;

/// Classes that a window under way names.
const PARTIAL_TOP_K: usize = 3;

/// Networks on a device. A video goes through once per stream: [`Engine::begin`], then for every frame [`Engine::offer`] and
/// where that says so [`Engine::push`], then [`Engine::finish`].
#[wasm_bindgen]
pub struct Engine {
    classifier: Classifier,
    model: String,
    pass: Option<(Stream, Pass)>,
    watched: Vec<(Stream, Watched)>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens a device: `auto` (a hardware GPU, else the CPU), `cpu`, `gpu`, or a part of an adapter's name (`webgpu` is any).
    /// A `cautious` engine works in small pieces, for devices that were lost.
    pub async fn open(device: String, cautious: bool) -> Answer<Engine> {
        let Ok(request) = device.parse::<DeviceRequest>();
        let device = Device::open(&request, 0).await.map_err(thrown)?;
        let device = if cautious { device.cautious() } else { device };
        let classifier = Classifier::new(device);
        Ok(Engine { classifier, model: "custom".to_string(), pass: None, watched: Vec::new() })
    }

    /// The device.
    #[wasm_bindgen(unchecked_return_type = "DeviceInfo")]
    pub fn device(&self) -> Answer<JsValue> {
        plain(&self.classifier.device().info())
    }

    /// Lets go of all networks and results; `name` is what results call the model that comes next.
    pub fn clear(&mut self, name: &str) {
        self.classifier = Classifier::new(self.classifier.device().clone());
        self.model = name.to_string();
        self.pass = None;
        self.watched.clear();
    }

    /// Loads a network from the files of a checkpoint: one of safetensors or PyTorch, or the index and then the data files of
    /// TensorFlow's. The stream is that of its input channels. After an error the engine is as it was.
    #[wasm_bindgen(unchecked_return_type = "NetworkInfo")]
    pub fn load(&mut self, place: &str, files: Vec<ModelFile>) -> Answer<JsValue> {
        let info = self.add(&checkpoint(place, &files).map_err(thrown)?).map_err(thrown)?;
        plain(&info)
    }

    fn add(&mut self, checkpoint: &Checkpoint) -> Result<NetworkInfo> {
        let network = checkpoint.network()?;
        // It knows best what it cannot run.
        self.classifier.add_checkpoint(checkpoint)?;
        let stream = network
            .stream()
            .ok_or_else(|| Error::checkpoint(&checkpoint.place, "its input is neither RGB nor flow"))?;
        let name = checkpoint.metadata.name.clone();
        let (classes, input_size, width) = (network.classes, network.input_size, network.width);
        Ok(NetworkInfo { stream, classes, input_size, width, name })
    }

    /// Begins a pass of a stream over a video; the results of the last video are forgotten when RGB begins, or the only stream.
    pub fn begin(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Stream")] stream: &str,
        #[wasm_bindgen(unchecked_param_type = "PassOptions")] options: JsValue,
    ) -> Answer<()> {
        let stream = stream_of(stream).map_err(thrown)?;
        let options: PassOptions = serde_wasm_bindgen::from_value(options)?;
        let pass = Pass::new(&self.classifier, stream, options).map_err(thrown)?;
        match stream {
            Stream::Flow if options.both_streams => self.watched.retain(|(of, _)| *of == Stream::Rgb),
            _ => self.watched.clear(),
        }
        self.pass = Some((stream, pass));
        Ok(())
    }

    /// Hears of the next frame's time, and says how often the frame before it is shown at 25 frames per second: 0 where the
    /// networks do not want it, -1 where the next frame is to be left out, because it is not later.
    pub fn offer(&mut self, seconds: f64) -> i32 {
        let Some((_, pass)) = &mut self.pass else { return 0 };
        pass.offer(seconds).map_or(-1, |times| i32::try_from(times).unwrap_or(i32::MAX))
    }

    /// After the last frame: how often that one is shown.
    pub fn last(&mut self) -> usize {
        self.pass.as_mut().map_or(0, |(_, pass)| pass.last())
    }

    /// Takes a frame that is shown so many `times`. `progress` hears of the share of a network's run that is done.
    pub async fn push(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "FrameLayout")] layout: JsValue,
        bytes: Vec<u8>,
        times: usize,
        #[wasm_bindgen(unchecked_param_type = "(share: number) => void")] progress: Function,
    ) -> Answer<()> {
        let layout: FrameLayout = serde_wasm_bindgen::from_value(layout)?;
        let frame = frame(&layout, &bytes).map_err(thrown)?;
        drop(bytes);
        let Some((_, pass)) = &mut self.pass else { return Err(thrown(no_pass())) };
        let pushed = pass.push(&mut self.classifier, frame, times, &mut share(progress)).await;
        pushed.map_err(thrown)
    }

    /// Ends the pass: [`Engine::report`] has its result.
    pub async fn finish(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "(share: number) => void")] progress: Function,
    ) -> Answer<()> {
        let Some((stream, pass)) = self.pass.take() else { return Err(thrown(no_pass())) };
        let watched = pass.finish(&mut self.classifier, &mut share(progress)).await.map_err(thrown)?;
        self.watched.push((stream, watched));
        Ok(())
    }

    /// Sampled frames of the pass that is under way.
    pub fn frames(&self) -> usize {
        self.pass.as_ref().map_or(0, |(_, pass)| pass.frames())
    }

    /// The windows of the pass that is under way, as far as they are classified.
    #[wasm_bindgen(unchecked_return_type = "PartialSegment[]")]
    pub fn segments(&self) -> Answer<JsValue> {
        let start = self.start_seconds();
        let segment = |segment: &Segment| PartialSegment {
            start_seconds: start + segment.frames.start as f64 / FPS,
            end_seconds: start + segment.frames.end as f64 / FPS,
            top: segment
                .classification
                .top(PARTIAL_TOP_K)
                .into_iter()
                .map(|p| PartialTop { label: p.label.to_string(), probability: p.probability })
                .collect(),
        };
        let segments = self.pass.as_ref().map_or(&[][..], |(_, pass)| pass.segments());
        plain(&segments.iter().map(segment).collect::<Vec<_>>())
    }

    /// What the network of the pass saw, since the last call.
    #[wasm_bindgen(unchecked_return_type = "Preview[]")]
    pub fn previews(&mut self) -> Answer<Array> {
        let seen = self.pass.as_mut().map_or_else(Vec::new, |(_, pass)| pass.previews());
        let start = self.start_seconds();
        seen.iter().map(|seen| preview(seen, start)).collect::<Answer<Array>>()
    }

    /// The result of a stream, or of both fused, as the command line writes it: JSON, rows of a table, or subtitles (WebVTT).
    pub fn report(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Stream | \"fused\"")] which: &str,
        #[wasm_bindgen(unchecked_param_type = "\"json\" | \"csv\" | \"vtt\"")] format: &str,
        #[wasm_bindgen(unchecked_param_type = "VideoFacts")] facts: JsValue,
    ) -> Answer<String> {
        let facts: VideoFacts = serde_wasm_bindgen::from_value(facts)?;
        let report = self.made(which, &facts).map_err(thrown)?;
        match format {
            "csv" => Ok(format!("{}{}", segments::CSV_HEADER, segments::csv(&report))),
            "vtt" => Ok(segments::vtt(&report.segments)),
            _ => {
                serde_json::to_string_pretty(&report).map_err(|error| JsError::new(&error.to_string()).into())
            }
        }
    }
}

impl Engine {
    /// Where the video of the pass begins on its clock.
    fn start_seconds(&self) -> f64 {
        self.pass.as_ref().map_or(0.0, |(_, pass)| pass.start_seconds())
    }

    fn of(&self, stream: Stream) -> Option<&Watched> {
        self.watched.iter().find(|(of, _)| *of == stream).map(|(_, watched)| watched)
    }

    fn made(&self, which: &str, facts: &VideoFacts) -> Result<Report> {
        let missing = || Error::Usage(format!("there is no result of {which} yet"));
        match which {
            "fused" => {
                let rgb = self.of(Stream::Rgb).ok_or_else(missing)?;
                let flow = self.of(Stream::Flow).ok_or_else(missing)?;
                let fuse = |a: &Classification, b: &Classification| a.fused(b, Fusion::default());
                let segment = |(a, b): (&Segment, &Segment)| {
                    let classification = fuse(&a.classification, &b.classification)?;
                    Ok(Segment { frames: a.frames.clone(), classification })
                };
                let pairs = rgb.segments.iter().zip(&flow.segments);
                let segments: Vec<Segment> = pairs.map(segment).collect::<Result<_>>()?;
                let preprocess = Preprocess { flow: flow.preprocess.flow, ..rgb.preprocess.clone() };
                Ok(self.reported(&fuse(&rgb.result, &flow.result)?, &segments, preprocess, rgb, facts))
            }
            _ => {
                let watched = self.of(stream_of(which)?).ok_or_else(missing)?;
                let Watched { result, segments, preprocess, .. } = watched;
                Ok(self.reported(result, segments, preprocess.clone(), watched, facts))
            }
        }
    }

    fn reported(
        &self,
        result: &Classification,
        segments: &[Segment],
        preprocess: Preprocess,
        watched: &Watched,
        facts: &VideoFacts,
    ) -> Report {
        let network_ms = |stream| result.stream(stream).map_or(0.0, |s| s.seconds * 1e3);
        let timings = Timings {
            decode_ms: facts.decode_ms,
            flow_ms: self.of(Stream::Flow).map_or(0.0, |flow| flow.flow_ms),
            rgb_ms: network_ms(Stream::Rgb),
            flow_network_ms: network_ms(Stream::Flow),
            total_ms: facts.total_ms,
        };
        let info = &facts.info;
        let clip_frames = segments.iter().map(|segment| segment.frames.end).max().unwrap_or(0);
        let video = VideoSummary {
            frames: info.frames.unwrap_or(facts.decoded),
            fps: info.fps,
            width: info.width,
            height: info.height,
            rotation: info.rotation,
            mirrored: info.mirrored,
            pixel_aspect: info.pixel_aspect,
            duration_seconds: info.duration_seconds,
            start_seconds: watched.start_seconds,
            sampled_frames: watched.frames,
            clip_frames,
            looped: watched.frames < MIN_FRAMES,
            planes_crc32c: watched.planes_crc32c.clone(),
        };
        let parts = Parts {
            input: &facts.name,
            model: &self.model,
            classifier: &self.classifier,
            preprocess: Some(preprocess),
            video: Some(video),
            timings,
            broken: None,
            top_k: TOP_K,
            segments,
            fps: FPS,
        };
        Report::new(result, parts)
    }
}

/// The stream by the name that JavaScript has for it.
pub fn stream_of(name: &str) -> Result<Stream> {
    match name {
        "rgb" => Ok(Stream::Rgb),
        "flow" => Ok(Stream::Flow),
        other => Err(Error::Usage(format!("there is no stream {other}; give rgb or flow"))),
    }
}

fn no_pass() -> Error {
    Error::Usage("no pass is under way; call begin first".into())
}

/// Tells JavaScript how much of a run is done.
fn share(progress: Function) -> impl FnMut(Progress) {
    move |Progress { done_macs, total_macs }| {
        let share = done_macs as f64 / total_macs.max(1) as f64;
        // A page that fails to show progress is no reason to stop.
        let _ = progress.call1(&JsValue::NULL, &share.into());
    }
}

fn preview(seen: &Seen, start: f64) -> Answer<JsValue> {
    let object = Object::new();
    Reflect::set(&object, &"seconds".into(), &(start + seen.frame as f64 / FPS).into())?;
    Reflect::set(&object, &"size".into(), &(seen.size as f64).into())?;
    Reflect::set(&object, &"rgba".into(), &Uint8ClampedArray::from(&seen.rgba[..]))?;
    Ok(object.into())
}
