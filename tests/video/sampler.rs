//! Which frame stands at which output.

use i3d::backend::Device;
use i3d::feed::{CHUNK, Feed, FeedOptions};
use i3d::network::Stream;
use i3d::video::{Clock, Frame, FrameSource, Rate, Sampler, Samples, VideoInfo};

/// The index of the frame at each output, for frames at `times`.
fn sample(times: &[f64], rate: Rate) -> Vec<usize> {
    let mut sampler = Sampler::new(rate, Clock::new(None, false)).expect("a good rate");
    let mut outputs = Vec::new();
    for (index, &seconds) in times.iter().enumerate() {
        outputs.extend(sampler.push(seconds, index));
    }
    outputs.extend(sampler.finish());
    outputs.iter().flat_map(|sample| std::iter::repeat_n(sample.frame, sample.times)).collect()
}

fn at(fps: f64, count: usize) -> Vec<f64> {
    (0..count).map(|i| i as f64 / fps).collect()
}

/// The rule, word by word: nearest in time, ties to the earlier, until the time of the last frame.
fn plain(times: &[f64], fps: f64) -> Vec<usize> {
    let (first, last) = (times[0], times[times.len() - 1]);
    let wanted = (0..).map(|k| first + f64::from(k) / fps).take_while(|&t| t <= last + 5e-6);
    let nearest = |t: f64| {
        let far = |i: usize| (times[i] - t).abs();
        (0..times.len()).fold(0, |best, i| if far(i) < far(best) - 1e-5 { i } else { best })
    };
    wanted.map(nearest).collect()
}

#[test]
fn table() {
    let r = Rate::I3D;
    assert_eq!(sample(&at(25.0, 5), r), [0, 1, 2, 3, 4]);
    assert_eq!(sample(&at(50.0, 7), r), [0, 2, 4, 6]);
    assert_eq!(sample(&at(10.0, 3), r), [0, 0, 1, 1, 2, 2], "outputs at 0, 40, 80, 120, 160, 200 ms");
    assert_eq!(sample(&at(12.5, 3), r), [0, 0, 1, 1, 2], "ties go to the earlier frame");
    assert_eq!(sample(&[7.0], r), [0], "one frame is one output");
    assert_eq!(sample(&[], r), [0usize; 0]);
    assert_eq!(sample(&at(24.0, 25), r).len(), 26);
    assert_eq!(sample(&at(30000.0 / 1001.0, 300), r).len(), 250);
    assert_eq!(sample(&[0.0, 0.0, 0.04, 0.02, 0.08], r), [0, 2, 4], "times that do not grow are left out");
    assert_eq!(sample(&[0.0, f64::NAN, 0.04], r), [0, 2]);
    assert_eq!(sample(&at(25.0, 3), Rate::Fps(12.5)), [0, 2]);
}

#[test]
fn agrees_with_the_rule() {
    let varying: Vec<f64> = (0..200).map(|i| i as f64 * 0.031 + f64::from(i * 7919 % 13) * 0.002).collect();
    let mut cases: Vec<Vec<f64>> =
        [24.0, 25.0, 30.0, 30000.0 / 1001.0, 24000.0 / 1001.0, 50.0, 60.0, 10.0, 12.5, 19.62]
            .map(|f| at(f, 150))
            .into();
    cases.push(varying);
    for times in cases {
        for shift in [0.0, -0.5, 1234.567] {
            let times: Vec<f64> = times.iter().map(|t| t + shift).collect();
            for fps in [25.0, 10.0, 30.0] {
                assert_eq!(
                    sample(&times, Rate::Fps(fps)),
                    plain(&times, fps),
                    "{fps} from {:?}",
                    &times[..3]
                );
            }
        }
    }
}

#[test]
fn times_in_microseconds_give_the_same_outputs() {
    for fps in [12.5, 24.0, 30000.0 / 1001.0, 50.0, 37.5] {
        let exact = at(fps, 500);
        let rounded: Vec<f64> = exact.iter().map(|t| (t * 1e6).floor() / 1e6).collect();
        assert_eq!(sample(&exact, Rate::I3D), sample(&rounded, Rate::I3D), "{fps} fps");
    }
}

#[test]
fn native_takes_every_frame() {
    assert_eq!(sample(&[0.0, 0.0, 5.0, 1.0], Rate::Native), [0, 1, 2, 3]);
}

#[test]
fn rates_are_checked() {
    for bad in ["0", "-1", "nan", "inf", "1e9", "fast", ""] {
        let error = bad.parse::<Rate>().expect_err(bad).to_string();
        assert!(error.contains("native"), "{error}");
    }
    assert_eq!("native".parse::<Rate>().ok(), Some(Rate::Native));
    assert_eq!("29.97".parse::<Rate>().ok(), Some(Rate::Fps(29.97)));
    assert_eq!(serde_json::json!([Rate::I3D, Rate::Native]).to_string(), r#"[25.0,"native"]"#);
}

struct Breaking(u32, VideoInfo);

impl FrameSource for Breaking {
    fn info(&self) -> &VideoInfo {
        &self.1
    }

    fn next_frame(&mut self) -> i3d::Result<Option<Frame>> {
        self.0 += 1;
        match self.0 {
            1..=3 => Ok(Some(crate::grey(2, 2, f64::from(self.0) * 0.04, |_, _| 0))),
            4 => Err(i3d::Error::video("x", "broken")),
            _ => Ok(None),
        }
    }
}

#[test]
fn a_break_comes_after_the_frames_before_it() {
    let mut samples = Samples::new(Breaking(0, VideoInfo::default()), Rate::I3D).expect("a good rate");
    let mut outputs = 0;
    let error = loop {
        match samples.next_sample() {
            Ok(Some(sample)) => outputs += sample.times,
            Ok(None) => panic!("the error is lost"),
            Err(error) => break error,
        }
    };
    assert_eq!((outputs, error.to_string().as_str()), (3, "x: broken"));
    assert!(matches!(samples.next_sample(), Ok(None)));
    assert_eq!(samples.decoded(), 3);
}

/// Frames of 8x8 pixels at given times.
struct Timed(Vec<f64>, VideoInfo);

impl FrameSource for Timed {
    fn info(&self) -> &VideoInfo {
        &self.1
    }

    fn next_frame(&mut self) -> i3d::Result<Option<Frame>> {
        let seconds = (!self.0.is_empty()).then(|| self.0.remove(0));
        Ok(seconds.map(|seconds| crate::grey(8, 8, seconds, |x, _| (x * 30) as u8)))
    }
}

fn feed(times: &[f64], streams: &[Stream], most: usize) -> Feed<Timed> {
    let options = FeedOptions { most, ..FeedOptions::new(32) };
    let info = VideoInfo { states_durations: true, ..VideoInfo::default() };
    Feed::new(Timed(times.to_vec(), info), streams, options).expect("a good rate")
}

#[test]
fn a_picture_that_stands_for_hours_comes_a_chunk_at_a_time() {
    let streams = [Stream::Rgb, Stream::Flow];
    let mut endless = feed(&[0.0, 3000.0], &streams, usize::MAX);
    for chunk in 1..4 {
        assert_eq!(endless.next_chunk().expect("pictures").len(), CHUNK);
        assert_eq!(endless.frames(), chunk * CHUNK - 1, "one picture has no flow yet");
    }
    // As many as are wanted, and with flow one picture more.
    for (streams, pictures) in [(&streams[..1], 20), (&streams[..], 21)] {
        let mut feed = feed(&[0.0, 3000.0], streams, 20);
        let chunks: Vec<usize> =
            std::iter::from_fn(|| Some(feed.next_chunk().expect("pictures").len()).filter(|&n| n > 0))
                .collect();
        assert_eq!((chunks, feed.frames()), (vec![CHUNK, pictures - CHUNK], 20));
    }
}

#[test]
fn clips_of_both_streams_have_one_length() {
    for count in [2, CHUNK, CHUNK + 1, CHUNK + 2, 2 * CHUNK + 1] {
        let mut feed = feed(&at(25.0, count), &[Stream::Rgb, Stream::Flow], usize::MAX);
        let clips = pollster::block_on(feed.clips(&Device::Cpu { threads: 1 }, &mut |_| ())).expect("clips");
        assert_eq!(clips.iter().map(|clip| clip.frames).collect::<Vec<_>>(), [count - 1, count - 1]);
    }
    let single = feed(&[0.0], &[Stream::Flow], usize::MAX).next_chunk().expect_err("no flow");
    assert!(single.to_string().contains("single frame"), "{single}");
}
