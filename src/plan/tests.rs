//! Totals of the paper's network, aliasing rules, and the limits sentence.

use super::*;
use crate::network::{FEATURES, Network, Stream};

fn rgb(frames: usize) -> Plan {
    Plan::new(&Network::i3d(Stream::Rgb, 400), 1, frames).expect("the paper's network plans")
}

#[test]
fn work_is_that_of_the_paper() {
    assert_eq!((rgb(64).macs() as f64 / 1e7).round() / 100.0, 111.15);
    assert_eq!((rgb(79).macs() as f64 / 1e7).round() / 100.0, 138.94);
    assert_eq!((rgb(250).macs() as f64 / 1e7).round() / 100.0, 434.95);
    let flow = Plan::new(&Network::i3d(Stream::Flow, 400), 1, 64).expect("the flow network plans");
    assert_eq!((flow.macs() as f64 / 1e7).round() / 100.0, 102.34);
}

#[test]
fn shapes_are_those_of_the_released_network() {
    let plan = rgb(64);
    for (name, t, hw, c) in [
        ("Conv3d_1a_7x7", 32, 112, 64),
        ("Conv3d_2c_3x3", 32, 56, 192),
        ("Mixed_3c", 32, 28, 480),
        ("Mixed_4e", 16, 14, 528),
        ("Mixed_5c", 8, 7, 1024),
        (FEATURES, 7, 1, 1024),
        (LOGITS_PER_STEP, 7, 1, 400),
        (LOGITS, 1, 1, 400),
    ] {
        let (id, _) = plan.find(name).expect(name);
        assert_eq!(plan.buffers[id].shape, Shape::new(1, t, hw, hw, c), "{name}");
    }
}

#[test]
fn an_unknown_endpoint_is_named_with_the_known_ones() {
    let message = rgb(16).find("Mixed_9z").expect_err("no such endpoint").to_string();
    assert!(message.contains("Mixed_9z") && message.contains("Mixed_5c"), "{message}");
}

#[test]
fn no_step_reads_and_writes_one_arena_and_living_buffers_do_not_overlap() {
    for (batch, frames) in [(1, 9), (1, 64), (3, 17)] {
        let plan = Plan::new(&Network { width: 0.3, ..Network::i3d(Stream::Flow, 5) }, batch, frames)
            .expect("plans");
        for step in &plan.steps {
            assert_ne!(plan.buffers[step.input].arena, plan.buffers[step.output].arena, "{}", step.name);
        }
        for group in plan.groups(&[]) {
            let steps = &plan.steps[group.steps()];
            // What lies between their steps is not read from memory.
            let fused = matches!(group, Group::PoolConv(_) | Group::ConvPool(_) | Group::Head(_));
            for writer in steps.iter().filter(|_| fused) {
                let (from, to) = (&plan.buffers[steps[0].input], &plan.buffers[writer.output]);
                assert_ne!(from.arena, to.arena, "{group:?}");
            }
        }
        for (i, a) in plan.buffers.iter().enumerate() {
            assert_eq!(a.offset % ALIGNMENT, 0);
            for b in &plan.buffers[i + 1..] {
                let together = a.first <= b.last && b.first <= a.last && a.arena == b.arena;
                let apart =
                    a.offset + a.stored_bytes() <= b.offset || b.offset + b.stored_bytes() <= a.offset;
                assert!(!together || apart, "{} and {}", a.name, b.name);
            }
        }
        assert!(plan.arenas().len() <= 3);
    }
}

#[test]
fn f16_halves_everything_but_the_head() {
    let plan = Plan::new(&Network::i3d(Stream::Rgb, 400), 2, 64).expect("plans");
    let half = plan.clone().with_precision(Precision::F16);
    let mut head = Vec::new();
    for (full, half) in plan.buffers.iter().zip(&half.buffers) {
        match half.precision {
            Precision::F16 => assert_eq!(2 * half.stored_bytes(), full.stored_bytes(), "{}", half.name),
            Precision::F32 => head.push(half.name.as_str()),
        }
        assert_eq!((full.first, full.last), (half.first, half.last), "{}", half.name);
    }
    assert_eq!(head, [FEATURES, LOGITS_PER_STEP, LOGITS]);
    assert!(half.activation_bytes() * 10 < plan.activation_bytes() * 6, "{}", half.activation_bytes());
    // A 4-byte bias per channel, and a classifier of 32 bits.
    let (classifier, biases) = (1024 * 400, half.weight_bytes() - plan.weight_bytes() / 2);
    assert!(biases > 2 * classifier && biases < 2 * classifier + 4 * 10_000, "{biases}");
    assert_eq!(half.with_precision(Precision::F32), plan, "and back");
}

#[test]
fn aliasing_saves_most_of_the_memory() {
    let plan = rgb(64);
    let all: u64 = plan.buffers.iter().map(Buffer::stored_bytes).sum();
    assert!(plan.activation_bytes() * 2 < all, "{} of {all}", plan.activation_bytes());
}

#[test]
fn the_webgpu_baseline_holds_82_frames() {
    assert!(rgb(82).check(&DeviceLimits::WEBGPU).is_ok());
    let message = rgb(83).check(&DeviceLimits::WEBGPU).expect_err("83 frames are too many").to_string();
    assert_eq!(
        message,
        "Conv3d_1a_7x7 output needs 128.6 MiB in one binding, this device allows 128.0 MiB; \
         use at most 82 frames (--frames 82) or --device cpu"
    );
}

#[test]
fn the_webgpu_baseline_holds_twice_as_many_in_f16() {
    let half = |frames| rgb(frames).with_precision(Precision::F16);
    assert!(half(166).check(&DeviceLimits::WEBGPU).is_ok());
    let message = half(167).check(&DeviceLimits::WEBGPU).expect_err("167 frames are too many").to_string();
    assert!(
        message.ends_with("use at most 166 frames (--frames 166) or --device cpu --precision f32"),
        "{message}"
    );
}

#[test]
fn clips_below_nine_frames_are_refused() {
    let message = Plan::new(&Network::i3d(Stream::Rgb, 400), 1, 8).expect_err("too short").to_string();
    assert!(message.contains("8 frames") && message.contains("at least 9"), "{message}");
}

#[test]
fn groups_cover_every_step_once_and_bring_the_launches_to_33() {
    let plan = rgb(64);
    let groups = plan.groups(&[]);
    let covered: Vec<usize> = groups.iter().flat_map(Group::steps).collect();
    assert_eq!(covered, (0..plan.steps.len()).collect::<Vec<_>>());
    // 1a, 2a with 2b, 2c with 3a; three for each of nine modules; 4a, 5a; the head.
    assert_eq!(groups.len(), 3 + 9 * 3 + 2 + 1);
    let of = |name: &str| {
        let step = plan.steps.iter().position(|s| s.name == name).expect(name);
        groups.iter().find(|g| g.steps().contains(&step)).expect(name).clone()
    };
    let module = of("Mixed_4b/Branch_0/Conv3d_0a_1x1");
    assert!(matches!(&module, Group::Siblings(steps) if steps.len() == 3), "{module:?}");
    assert!(matches!(of("Mixed_5b/Branch_2/Conv3d_0a_3x3"), Group::Branches(steps) if steps.len() == 2));
    assert!(matches!(of("Mixed_3c/Branch_3/Conv3d_0b_1x1"), Group::PoolConv(_)));
    assert!(matches!(of("MaxPool3d_3a_3x3"), Group::ConvPool(_)));
    assert!(matches!(of(FEATURES), Group::Head(_)));
}

#[test]
fn what_is_observed_is_stored() {
    let plan = rgb(64);
    for name in plan.observable() {
        let (id, _) = plan.find(name).expect(name);
        for group in plan.groups(&[id]) {
            if let Group::PoolConv(first) | Group::ConvPool(first) = group {
                assert_ne!(plan.steps[first].output, id, "{name} lies inside {group:?}");
            }
        }
    }
}
