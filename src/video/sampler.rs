//! Turns frames at any times into frames at a steady rate, holding one frame at a time.

use super::{Clock, Frame, FrameSource, VideoInfo};
use crate::error::{Error, Result};

/// Two distances in time that differ by less than this are equal: browsers round frame times to microseconds, and
/// a tie must stay a tie there.
const TIE_SECONDS: f64 = 5e-6;

/// How often to take a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// So many frames per second.
    Fps(f64),
    /// Every frame as it comes, whatever its time.
    Native,
}

impl Rate {
    /// The rate at which I3D was trained.
    pub const I3D: Rate = Rate::Fps(25.0);

    /// Fails with a sentence where the rate cannot be used.
    pub fn validate(self) -> Result<()> {
        match self {
            Rate::Fps(fps) if !(fps.is_finite() && (0.001..=1000.0).contains(&fps)) => {
                Err(Error::Usage(format!(
                    "{fps} frames per second is out of range: give 0.001 to 1000, or `native` for every frame"
                )))
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rate::Fps(fps) => write!(f, "{fps}"),
            Rate::Native => f.write_str("native"),
        }
    }
}

impl std::str::FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rate> {
        if text == "native" {
            return Ok(Rate::Native);
        }
        let Ok(fps) = text.parse() else {
            return Err(Error::Usage(format!(
                "`{text}` is no frame rate: give a number such as 25, or `native` for every frame"
            )));
        };
        Rate::Fps(fps).validate()?;
        Ok(Rate::Fps(fps))
    }
}

impl serde::Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Rate::Fps(fps) => serializer.serialize_f64(*fps),
            Rate::Native => serializer.serialize_str("native"),
        }
    }
}

/// A frame and how many times in a row it stands in the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled<F = Frame> {
    /// The frame.
    pub frame: F,
    /// Consecutive outputs that show it, at least 1.
    pub times: usize,
}

/// Streaming nearest-in-time sampling.
///
/// Output `k` is the frame nearest in time to `k / fps` seconds after the first frame; of two equally near frames,
/// the earlier. The last output is the last `k` whose time is not after the last frame. Of frames with one time the first
/// stands, except at [`Rate::Native`], which takes every frame. Times are those of a [`Clock`], which goes on where they go back or
/// jump.
///
/// `F` is the frame or whatever stands for it, so that frames which nobody wants need not be copied.
#[derive(Debug)]
pub struct Sampler<F = Frame> {
    rate: Rate,
    clock: Clock,
    first_seconds: Option<f64>,
    held: Option<(f64, F)>,
    /// The next output.
    next: u64,
}

impl<F> Sampler<F> {
    /// A sampler at `rate` of frames whose times `clock` sets right.
    pub fn new(rate: Rate, clock: Clock) -> Result<Self> {
        rate.validate()?;
        Ok(Sampler { rate, clock, first_seconds: None, held: None, next: 0 })
    }

    /// The time of the first frame, once there is one: where the outputs begin on the container's clock.
    pub fn first_seconds(&self) -> Option<f64> {
        self.first_seconds
    }

    /// Takes the frame shown from `seconds` on and gives back the frame before it, if the output shows that one.
    pub fn push(&mut self, seconds: f64, frame: F) -> Option<Sampled<F>> {
        let seconds = self.clock.at(seconds);
        if self.first_seconds.is_none() && seconds.is_finite() {
            self.first_seconds = Some(seconds);
        }
        let Rate::Fps(fps) = self.rate else {
            return Some(Sampled { frame, times: 1 });
        };
        let Some((held_seconds, held)) = self.held.take() else {
            if seconds.is_finite() {
                self.held = Some((seconds, frame));
            }
            return None;
        };
        // The comparison is written so that NaN is left out too.
        if !(seconds > held_seconds && seconds.is_finite()) {
            self.held = Some((held_seconds, held));
            return None;
        }
        let middle = (held_seconds + seconds) / 2.0 - self.first_seconds.unwrap_or(0.0);
        let times = self.advance(middle, fps);
        self.held = Some((seconds, frame));
        (times > 0).then_some(Sampled { frame: held, times })
    }

    /// The last frame, if the output shows it.
    pub fn finish(&mut self) -> Option<Sampled<F>> {
        let (seconds, frame) = self.held.take()?;
        let Rate::Fps(fps) = self.rate else { return None };
        let times = self.advance(seconds - self.first_seconds.unwrap_or(0.0), fps);
        (times > 0).then_some(Sampled { frame, times })
    }

    /// Moves past every output at or before `until` seconds after the first frame; returns how many those were.
    fn advance(&mut self, until: f64, fps: f64) -> usize {
        // The saturating casts keep absurd times harmless; whoever repeats frames decides how many are too many.
        let after = ((until + TIE_SECONDS) * fps).floor() as u64 + 1;
        let times = after.saturating_sub(self.next);
        self.next = self.next.max(after);
        usize::try_from(times).unwrap_or(usize::MAX)
    }
}

/// A source seen through a [`Sampler`].
#[derive(Debug)]
pub struct Samples<S> {
    source: S,
    sampler: Sampler,
    state: State,
    decoded: u64,
}

#[derive(Debug)]
enum State {
    Running,
    /// The source broke; the frame that was held has been handed out and the error comes next.
    Broken(Error),
    Done,
}

impl<S: FrameSource> Samples<S> {
    /// The frames of `source` at `rate`.
    pub fn new(source: S, rate: Rate) -> Result<Self> {
        let VideoInfo { fps, states_durations, .. } = *source.info();
        let sampler = Sampler::new(rate, Clock::new(fps, states_durations))?;
        Ok(Samples { source, sampler, state: State::Running, decoded: 0 })
    }

    /// The time of the first frame on the container's clock; 0 before there is one.
    pub fn start_seconds(&self) -> f64 {
        self.sampler.first_seconds().unwrap_or(0.0)
    }

    /// What the source says about itself.
    pub fn info(&self) -> &VideoInfo {
        self.source.info()
    }

    /// Frames decoded so far.
    pub fn decoded(&self) -> u64 {
        self.decoded
    }

    /// The next frame with the number of outputs that show it, `None` after the last. When the source breaks, the
    /// frames before the break come first, then the error once.
    pub fn next_sample(&mut self) -> Result<Option<Sampled>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Ok(None),
                State::Broken(error) => return Err(error),
                State::Running => {}
            }
            let last = match self.source.next_frame() {
                Ok(Some(frame)) => {
                    self.state = State::Running;
                    self.decoded += 1;
                    self.sampler.push(frame.seconds, frame)
                }
                Ok(None) => return Ok(self.sampler.finish()),
                Err(error) => {
                    self.state = State::Broken(error);
                    self.sampler.finish()
                }
            };
            if last.is_some() {
                return Ok(last);
            }
        }
    }
}
