//! What a network sees of a video: one stream or both, at its own time steps.

use super::{Crop, Footage};
use crate::error::{Error, Result};
use crate::network::{Input, Network, Stream};
use crate::random::SplitMix64;

/// Which frames the time steps of a network's input are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Time steps.
    pub steps: usize,
    /// Frames from one to the next.
    pub every: usize,
    /// Flow frames of a step, from its own frame on.
    pub stack: usize,
}

impl Sampling {
    /// `steps` steps as the network's system samples them; colours are not stacked.
    pub fn of(network: &Network, steps: usize) -> Sampling {
        let protocol = network.system.protocol();
        let stack = if network.input() == Some(Input::One(Stream::Rgb)) { 1 } else { protocol.stack };
        Sampling { steps, every: protocol.every, stack }
    }

    /// Frames from the first to the last that it looks at.
    pub fn span(&self) -> usize {
        self.steps.saturating_sub(1) * self.every + self.stack
    }

    /// How the system's tests look at `frames` frames: the sampling, and from which frames on it is applied. The paper's, for its
    /// 250 frames; as many windows and whole steps of other numbers of frames as lie in them, but always one, and of steps
    /// as many as give a logit.
    pub fn test(network: &Network, frames: usize) -> (Sampling, Vec<usize>) {
        let protocol = network.system.protocol();
        let whole = Sampling::of(network, protocol.test_steps);
        if protocol.test_windows > 1 {
            let windows = (frames / protocol.test_steps).max(1);
            let starts = (0..windows).map(|window| window * protocol.test_steps * protocol.every);
            return (whole, starts.collect());
        }
        let steps = frames.saturating_sub(whole.stack) / whole.every + 1;
        (Sampling { steps: steps.max(network.min_frames()), ..whole }, vec![0])
    }
}

/// A video as a network sees it: colours, flow, or colours and flow of the same frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Views(Vec<Footage>);

impl Views {
    /// Footage of one stream, or of RGB and then flow.
    ///
    /// # Errors
    /// No footage, and pictures of different sizes.
    pub fn new(clips: Vec<Footage>) -> Result<Views> {
        let size = |clip: &Footage| (clip.height, clip.width);
        match &clips[..] {
            [] => Err(Error::clip("clip", "it has no footage; give that of one stream or of both")),
            [first, rest @ ..] if rest.iter().any(|clip| size(clip) != size(first)) => {
                Err(Error::clip("clip", "its streams differ in size; resize both to one size"))
            }
            _ => Ok(Views(clips)),
        }
    }

    /// The clips, RGB first.
    pub fn clips(&self) -> &[Footage] {
        &self.0
    }

    /// Frames that all streams have.
    pub fn frames(&self) -> usize {
        self.0.iter().map(|clip| clip.frames).min().unwrap_or(0)
    }

    /// One of the frames, as a video that stands still when it is repeated.
    #[must_use]
    pub fn still(&self, frame: usize) -> Views {
        Views(self.0.iter().map(|clip| clip.still(frame)).collect())
    }

    /// The middle of the picture, from frame `start` on: what a network is tested with.
    pub fn centre(&self, size: usize, start: usize) -> Crop {
        Crop { start, ..self.0[0].centre(size) }
    }

    /// The augmentations of the paper, see [`Footage::augmented`].
    pub fn augmented(&self, size: usize, sampling: Sampling, random: &mut SplitMix64) -> Crop {
        let shortest = self.0.iter().min_by_key(|clip| clip.frames);
        shortest.map_or_else(|| self.centre(size, 0), |clip| clip.augmented(size, sampling.span(), random))
    }

    /// Network input; a video that is too short is repeated from its start.
    ///
    /// # Shapes
    /// Returns `[steps, size, size, C]` in `[-1, 1]`: RGB, or u and v of every stacked flow frame, or both, the latter from the
    /// fifth channel on and the fourth zero. The crop must lie inside the picture.
    pub fn crop(&self, crop: Crop, size: usize, sampling: Sampling) -> Vec<f32> {
        let widths: Vec<usize> = self.0.iter().map(|clip| clip.step_channels(sampling)).collect();
        let last = widths.len() - 1;
        // Streams begin where four channels do.
        let stored: usize = widths[..last].iter().map(|width| width.next_multiple_of(4)).sum();
        let channels = stored + widths[last];
        let mut values = vec![0.0; sampling.steps * size * size * channels];
        let mut first = 0;
        for (clip, width) in self.0.iter().zip(&widths) {
            clip.crop_into(crop, size, (sampling, self.frames()), (&mut values, channels, first));
            first += width.next_multiple_of(4);
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Flow, Quantize};
    use crate::network::System;

    /// Six frames of 2x2 and the five flows between them, all values of a frame telling its number.
    fn clips() -> [Footage; 2] {
        let frames: Vec<Vec<f32>> = (0..6).map(|t| vec![10.0 * t as f32; 12]).collect();
        let flow = |t: usize| Flow { width: 2, height: 2, data: [t as f32, -(t as f32)].repeat(4) };
        let flows: Vec<Flow> = (0..5).map(flow).collect();
        [Footage::rgb(2, 2, &frames).expect("frames"), Footage::flow(&flows, Quantize::None).expect("flows")]
    }

    const CROP: Crop = Crop { start: 1, left: 0, top: 0, flipped: false };

    #[test]
    fn steps_stack_flow_beside_their_frame() {
        let [rgb, flow] = clips();
        let views = Views::new(vec![rgb, flow]).expect("of one size");
        let sampling = Sampling { steps: 2, every: 3, stack: 2 };
        let values = views.crop(CROP, 2, sampling);
        assert_eq!(values.len(), 2 * 4 * 8);
        // Frames 1 and 4; flows 1, 2 and 4, 0: there are five, and the video begins again.
        for (step, frame, flows) in [(0, 1, [1.0, 2.0]), (1, 4, [4.0, 0.0])] {
            let pixel = &values[step * 4 * 8..][..8];
            let red = ((pixel[0] + 1.0) * 127.5).round() as usize;
            assert_eq!((red, pixel[3]), (10 * frame, 0.0));
            let close = |got: f32, want: f32| (got - want / 20.0).abs() < 1e-4;
            assert!(close(pixel[4], flows[0]) && close(pixel[5], -flows[0]), "{pixel:?}");
            assert!(close(pixel[6], flows[1]) && close(pixel[7], -flows[1]), "{pixel:?}");
        }
        // A mirror turns u of every stacked flow around.
        let mirrored = views.crop(Crop { flipped: true, ..CROP }, 2, sampling);
        assert!(mirrored[4] == -values[4] && mirrored[6] == -values[6] && mirrored[5] == values[5]);
        assert_eq!(views.frames(), 5);
    }

    #[test]
    fn tests_are_those_of_table_1() {
        let network = |system| Network::new(system, Input::One(Stream::Rgb), 2);
        for (system, steps, windows) in [
            (System::ConvNetLstm, 50, 1),
            (System::ConvNet3d, 16, 15),
            (System::TwoStream, 25, 1),
            (System::Fused, 25, 1),
            (System::I3d, 250, 1),
        ] {
            let (sampling, starts) = Sampling::test(&network(system), 250);
            let protocol = system.protocol();
            assert_eq!((sampling.steps, starts.len()), (steps, windows), "{system}");
            assert_eq!((protocol.test_steps, protocol.test_windows), (steps, windows), "{system}");
            let last = starts.last().expect("a window");
            assert!(last + sampling.span() <= 250, "{system}");
        }
        // Stacks that do not fit are left out; colours have none.
        let both = Network::new(System::Fused, Input::Both, 2);
        assert_eq!(Sampling::test(&both, 47).0, Sampling { steps: 4, every: 10, stack: 10 });
        assert_eq!(Sampling::test(&network(System::Fused), 47).0, Sampling { steps: 5, every: 10, stack: 1 });
        // A short video still has a step, a window, and for I3D nine frames.
        assert_eq!(Sampling::test(&network(System::TwoStream), 4).0.steps, 1);
        assert_eq!(Sampling::test(&network(System::ConvNet3d), 4).1, [0]);
        assert_eq!(Sampling::test(&network(System::I3d), 4).0.steps, 9);
    }

    #[test]
    fn streams_must_be_of_one_size() {
        let [rgb, _] = clips();
        let wide = Footage::flow(&[Flow { width: 3, height: 2, data: vec![0.0; 12] }], Quantize::None);
        assert!(Views::new(vec![rgb, wide.expect("a flow")]).is_err());
        assert!(Views::new(Vec::new()).is_err());
    }
}
