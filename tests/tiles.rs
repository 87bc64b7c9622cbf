//! Clips in tiles of time: the same numbers as in one piece, on both sides of every boundary.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::{Random, Tolerance, compare};
use i3d::backend::{Device, Model, RunOptions, TiledRun, Tiling, reference};
use i3d::classifier::{Arrival, Classification, Classifier, LongClip, ModelSource, Timeline, Windows};
use i3d::clip::Clip;
use i3d::network::{FEATURES, LOGITS, LOGITS_PER_STEP, Network, Stream};
use i3d::plan::{DeviceLimits, INPUT, Part, Plan, Precision};
use i3d::weights::Weights;

fn network() -> Network {
    Network { classes: 3, width: 0.0625, input_size: 32, ..Network::i3d(Stream::Flow, 1) }
}

/// Runs a clip in one piece and in tiles; both must agree.
fn check(model: &mut Model, frames: usize, tilings: &[Tiling]) {
    let network = *model.network();
    let plan = Plan::new(&network, 1, frames).expect("plans");
    let input = Random(frames as u64).vec(plan.buffers[INPUT].shape.len());
    let mut quiet = |_| ();
    let run = model.run(&plan, &input, &[FEATURES, LOGITS_PER_STEP], &mut quiet);
    let whole = pollster::block_on(run).expect("runs");
    for &tiling in tilings {
        let mut last = 0;
        let mut progress = |p: i3d::backend::Progress| {
            assert!(p.done_macs >= last);
            last = p.done_macs;
        };
        let mut run = TiledRun::new(&network, frames, tiling, Precision::F32).expect("plans");
        for frame in input.chunks_exact(input.len() / frames) {
            pollster::block_on(run.push(model, frame.to_vec(), &mut progress)).expect("the tiles run");
        }
        let head = run.finish().expect("all frames came");
        assert_eq!(last, plan.macs(), "progress ends at the end");
        for (name, got) in [(FEATURES, &head.features), (LOGITS_PER_STEP, &head.per_step)] {
            let want = whole.get(name).expect(name);
            assert_eq!(got.shape, want.shape);
            compare(&got.data, &want.data, Tolerance::NETWORK)
                .unwrap_or_else(|e| panic!("{frames} frames, {tiling:?}, {name}: {e}"));
        }
    }
}

#[test]
fn tiles_give_the_logits_of_the_whole_clip_on_the_cpu() {
    let device = Device::Cpu { threads: 2 };
    let mut model =
        Model::new(&device, Weights::random(&network(), 3), &RunOptions::default()).expect("the model loads");
    let tilings = [(1, 1), (3, 2), (4, 1), (32, 32)].map(|(front, back)| Tiling { front, back });
    // Every remainder of the strides (8 in all), tiles that end with the clip, and just before and after that.
    for frames in (9..=18).chain(30..=42).chain([64, 79, 97]) {
        check(&mut model, frames, &tilings);
        check(&mut model, frames, &[Tiling::WHOLE, Tiling::ahead(frames)]);
    }
}

/// A classifier of both streams, and a clip of so many frames for each.
fn two_streams(frames: usize) -> (Classifier, [Clip; 2]) {
    let mut classifier = Classifier::new(Device::Cpu { threads: 2 });
    let clips = [Stream::Rgb, Stream::Flow].map(|stream| {
        let network = Network { in_channels: stream.channels(), ..network() };
        let source = ModelSource { source: "random".into(), sha256: None };
        let (size, channels) = (network.input_size, stream.channels());
        let data = Random(frames as u64).vec(frames * size * size * channels);
        (network, source, Clip { frames, height: size, width: size, channels, data })
    });
    let clips = clips.map(|(network, source, clip)| {
        let empty = Classifier::new(Device::Cpu { threads: 2 });
        let before = std::mem::replace(&mut classifier, empty);
        classifier = before.with_weights(Weights::random(&network, 3), source, None).expect("it fits");
        clip
    });
    (classifier, clips)
}

fn frames_of(clip: &Clip) -> impl Iterator<Item = (Stream, &[f32])> {
    let stream = clip.stream().expect("a stream");
    clip.data.chunks_exact(clip.frame_len()).map(move |frame| (stream, frame))
}

fn assert_same(got: &Classification, want: &Classification, what: &str) {
    assert_eq!(got.streams.len(), want.streams.len());
    for (got, want) in got.streams.iter().zip(&want.streams) {
        assert_eq!((got.stream, got.per_step.shape), (want.stream, want.per_step.shape));
        compare(&got.per_step.data, &want.per_step.data, Tolerance::NETWORK)
            .unwrap_or_else(|e| panic!("{what}, {}: {e}", got.stream));
    }
}

#[test]
fn flow_may_come_after_everything_else() {
    let streams = [Stream::Rgb, Stream::Flow];
    for frames in [9, 20, 37, 70] {
        let (mut classifier, [rgb, flow]) = two_streams(frames);
        let whole = pollster::block_on(classifier.classify(&[&rgb, &flow], &mut |_, _| ())).expect("runs");
        for arrival in [Arrival::FlowLast, Arrival::InStep] {
            let mut clip = LongClip::new(&classifier, &streams, frames, arrival).expect("plans");
            for (stream, frame) in frames_of(&rgb).chain(frames_of(&flow)) {
                let mut quiet = |_, _| ();
                let push = clip.push(&mut classifier, stream, frame.to_vec(), &mut quiet);
                pollster::block_on(push).expect("the tiles run");
            }
            let got = clip.finish(&classifier).expect("all frames came");
            assert_same(&got, &whole, &format!("{frames} frames, {arrival:?}"));
        }
    }
}

#[test]
fn a_timeline_takes_one_stream_ahead_of_the_other() {
    let (mut classifier, [rgb, flow]) = two_streams(61);
    let mut segments = |ahead: usize| {
        let windows = Windows { window: 16, step: 8 };
        let streams = [Stream::Rgb, Stream::Flow];
        let mut timeline = Timeline::new(&classifier, &streams, windows).expect("it fits");
        // Flow frame by frame, RGB as far ahead of it as asked.
        let (mut rgb, mut pushed) = (frames_of(&rgb), 0);
        for (frame, flow) in frames_of(&flow).enumerate() {
            let more = (frame + 1 + ahead).saturating_sub(pushed);
            for (stream, values) in rgb.by_ref().take(more).chain([flow]) {
                pollster::block_on(timeline.push(&mut classifier, stream, values, &mut |_| ()))
                    .expect("it runs");
            }
            pushed += more;
        }
        pollster::block_on(timeline.finish(&mut classifier, &mut |_| ())).expect("it ends").0
    };
    let in_step = segments(0);
    assert_eq!(in_step.len(), 7);
    for ahead in [1, 20, 61] {
        for (got, want) in segments(ahead).iter().zip(&in_step) {
            assert_eq!(got.frames, want.frames);
            assert_same(&got.classification, &want.classification, &format!("{ahead} ahead"));
        }
    }
}

#[test]
fn tiles_give_the_logits_of_the_whole_clip_on_the_gpu() {
    let Some(gpu) = common::gpu() else { return };
    let device = Device::Gpu(gpu);
    let mut model =
        Model::new(&device, Weights::random(&network(), 3), &RunOptions::default()).expect("the model loads");
    for frames in [17, 40, 41] {
        check(&mut model, frames, &[Tiling { front: 3, back: 2 }]);
    }
}

#[test]
fn a_part_computes_what_the_whole_computes() {
    let network = network();
    let weights = Weights::random(&network, 3);
    let whole = Plan::new(&network, 2, 27).expect("plans");
    let input = Random(1).vec(whole.buffers[INPUT].shape.len());
    let all = reference::run(&whole, &weights, &input, &whole.observable()).expect("runs");
    for (from, to, wanted) in [
        (None, "MaxPool3d_4a_3x3", 2..4),
        (None, "Mixed_3b", 13..14),
        (Some("Conv3d_2c_3x3"), "Mixed_3c", 0..5),
        (Some("MaxPool3d_4a_3x3"), "Mixed_4d", 3..7),
        (Some("Mixed_3b"), "MaxPool3d_4a_3x3", 0..7),
        (Some("MaxPool3d_3a_3x3"), LOGITS, 0..1),
    ] {
        let (plan, needs) = Plan::part(&network, 2, 27, Part { from, to }, wanted.clone()).expect("plans");
        // Time steps `range` of every clip of a tensor [N, T, ...].
        let cut = |data: &[f32], steps: usize, range: std::ops::Range<usize>| -> Vec<f32> {
            let step = data.len() / (2 * steps);
            let clips = data.chunks_exact(data.len() / 2);
            clips.flat_map(|clip| clip[range.start * step..range.end * step].to_vec()).collect()
        };
        let source = from.map(|name| all.get(name).expect(name));
        let fed = match source {
            Some(s) => cut(&s.data, s.shape.t, needs),
            None => cut(&input, 27, needs),
        };
        let got = reference::run(&plan, &weights, &fed, &[to]).expect("the part runs");
        let want = all.get(to).expect(to);
        let want = cut(&want.data, want.shape.t, wanted.clone());
        compare(&got.get(to).expect(to).data, &want, Tolerance::EXACT)
            .unwrap_or_else(|e| panic!("{from:?} to {to} {wanted:?}: {e}"));
    }
}

#[test]
fn wrong_parts_are_refused() {
    let part = Part { from: None, to: "Mixed_5c" };
    let message = Plan::part(&network(), 1, 64, part, 7..9).expect_err("only 8 time steps").to_string();
    assert!(message.contains("7..9") && message.contains("Mixed_5c") && message.contains('8'), "{message}");
    let part = Part { from: Some("Mixed_5c"), to: "Mixed_3b" };
    assert!(Plan::part(&network(), 1, 64, part, 0..1).is_err(), "backwards");
}

#[test]
fn the_webgpu_baseline_holds_full_size_tiles() {
    let network = Network::i3d(Stream::Rgb, 400);
    let tiling = Tiling::within(&network, &DeviceLimits::WEBGPU, Precision::F32).expect("a tile fits");
    assert!(tiling.front >= 8 && tiling.back >= 8, "{tiling:?}");
    let tiny = DeviceLimits { max_binding_bytes: 1 << 20, ..DeviceLimits::WEBGPU };
    assert!(Tiling::within(&network, &tiny, Precision::F32).is_err());
}

#[test]
fn a_clip_that_ends_early_is_an_error() {
    let run = TiledRun::new(&network(), 40, Tiling::DEFAULT, Precision::F32).expect("plans");
    let message = run.finish().expect_err("no frame came").to_string();
    assert!(message.contains("0 frames") && message.contains("40"), "{message}");
}
