//! The stages before the networks, each in a thread of its own: decoding, then optical flow.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use i3d::feed::{FlowInputs, Picture};
use i3d::flow::Gray;
use i3d::network::Stream;
use i3d::{Error, Result};

use crate::input::VideoFeed;

/// What the stages have made.
pub enum Event {
    /// Consecutive inputs of a stream, `[H, W, C]` each. RGB may be ahead of flow.
    Frames(Stream, Vec<Vec<f32>>),
    /// Decoding is done: each stream has so many frames, of which flow may still be missing some.
    Length(usize),
}

/// The stages when they are done.
pub struct Done {
    /// The video.
    pub feed: VideoFeed,
    /// Time in which a picture was being decoded or preprocessed.
    pub decode_ms: f64,
    /// Time in which flow was being computed.
    pub flow_ms: f64,
}

/// Hands everything that comes of `feed` and `flow` to `take`, on the calling thread, while the next is being made. `ahead`
/// chunks of pictures may wait for flow, and as many of each stream for `take`. `progress` hears of the frames so far.
pub fn run(
    feed: VideoFeed,
    flow: Option<FlowInputs>,
    ahead: usize,
    progress: &(dyn Fn(usize) + Sync),
    mut take: impl FnMut(Event) -> Result<()>,
) -> Result<Done> {
    let fault = || Error::video("video", "a thread failed; this is a fault of the program");
    std::thread::scope(|scope| {
        let streams = 1 + usize::from(flow.is_some());
        let (events, received) = sync_channel(streams * ahead);
        let (pictures, waiting) = sync_channel::<Vec<Gray>>(ahead);
        let flow = flow.map(|mut flow| {
            let events = events.clone();
            scope.spawn(move || {
                let (mut busy, mut frames) = (0.0, 0);
                for pictures in waiting {
                    let start = Instant::now();
                    let inputs = pollster::block_on(flow.push(pictures));
                    busy += milliseconds(start);
                    frames += inputs.as_ref().map_or(0, Vec::len);
                    progress(frames);
                    let failed = inputs.is_err();
                    let event = inputs.map(|inputs| Event::Frames(Stream::Flow, inputs));
                    if events.send(event).is_err() || failed {
                        break;
                    }
                }
                busy
            })
        });
        let to_flow = flow.is_some().then_some(pictures);
        let decoder = scope.spawn(move || decode(feed, to_flow, events, progress));
        for event in received {
            take(event?)?;
        }
        let flow_ms = flow.map_or(Ok(0.0), |thread| thread.join().map_err(|_| fault()))?;
        let (feed, decode_ms) = decoder.join().map_err(|_| fault())?;
        Ok(Done { feed, decode_ms, flow_ms })
    })
}

/// Decodes to the end, or until nobody listens any more because a later stage has failed.
fn decode(
    mut feed: VideoFeed,
    to_flow: Option<SyncSender<Vec<Gray>>>,
    events: SyncSender<Result<Event>>,
    progress: &(dyn Fn(usize) + Sync),
) -> (VideoFeed, f64) {
    let mut busy = 0.0;
    // With flow the last picture is no frame, and which one is the last is known only when no other comes.
    let mut last = None;
    loop {
        let start = Instant::now();
        let chunk = feed.next_chunk();
        busy += milliseconds(start);
        let pictures = match chunk {
            Ok(pictures) if !pictures.is_empty() => pictures,
            end => {
                let _ = events.send(end.map(|_| Event::Length(feed.frames())));
                return (feed, busy);
            }
        };
        let (mut rgb, mut gray) = (Vec::from_iter(last.take()), Vec::new());
        for picture in pictures {
            let Picture { rgb: input, gray: more } = picture;
            rgb.push(input);
            gray.extend(more);
        }
        match &to_flow {
            Some(flow) => {
                last = rgb.pop();
                if flow.send(gray).is_err() {
                    return (feed, busy);
                }
            }
            None => progress(feed.frames()),
        }
        // Without an RGB stream the inputs are empty, and nobody takes them.
        if events.send(Ok(Event::Frames(Stream::Rgb, rgb))).is_err() {
            return (feed, busy);
        }
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
