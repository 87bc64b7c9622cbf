//! Choosing kernel variants: what wins computes what it must, and what does not compute it cannot win.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::{Arc, Mutex};

use common::Random;
use i3d::backend::gpu::{Adapter, Class, DeviceStore, Gpu, Reference, Trial, Variants, Verdict, tune};
use i3d::network::{Network, Stream};
use i3d::plan::Precision;
use i3d::weights::Weights;

fn problem() -> (Weights, Reference) {
    let network = Network { classes: 7, width: 0.125, input_size: 32, ..Network::i3d(Stream::Rgb, 1) };
    let weights = Weights::random(&network, 3);
    let reference =
        Reference::new(&weights, 12, |count| Random(count as u64).vec(count)).expect("the CPU runs");
    (weights, reference)
}

#[test]
fn the_winner_is_the_fastest_of_those_that_are_right() {
    let Some(gpu) = common::gpu() else { return };
    let (weights, reference) = problem();
    let mut trials = Vec::new();
    let mut report = |trial: &Trial| trials.push(trial.clone());
    let tuning = tune(&gpu, &weights, &reference, 2, &mut report);
    let chosen = pollster::block_on(tuning).expect("something is right");
    assert_eq!(trials[0].variants, gpu.variants, "the table's choice is the first");
    let seconds = |verdict: &Verdict| match verdict {
        Verdict::Seconds(seconds) | Verdict::TooSlow(seconds) => *seconds,
        Verdict::Rejected(problem) => panic!("a kernel is wrong: {problem}"),
    };
    let fastest = trials.iter().min_by(|a, b| seconds(&a.verdict).total_cmp(&seconds(&b.verdict)));
    assert_eq!(fastest.expect("there are trials").variants, chosen);
    // The own variants; five more kernels for products, two more sizes of chunk, two more of both walks, one more head.
    let distinct = trials.iter().filter(|a| trials.iter().filter(|b| a.variants == b.variants).count() == 1);
    assert_eq!((trials.len(), distinct.count()), (13, 13));
    assert!(trials.iter().all(|trial| trial.variants.exist()));
}

#[test]
fn what_computes_something_else_is_rejected() {
    let Some(gpu) = common::gpu() else { return };
    let (weights, mut reference) = problem();
    let features = reference.timed.expected.endpoints.values_mut().next().expect("the head");
    features.data[1] += 1.0;
    let mut rejected = 0;
    let mut report = |trial: &Trial| {
        let Verdict::Rejected(problem) = &trial.verdict else { panic!("{trial:?} is right?") };
        assert!(problem.contains(" is wrong by ") && problem.contains(&gpu.adapter.name), "{problem}");
        rejected += 1;
    };
    let tuning = tune(&gpu, &weights, &reference, 1, &mut report);
    let error = pollster::block_on(tuning).expect_err("nothing is right").to_string();
    assert!(error.contains("no variant of the kernels computes what it should; use --device cpu"), "{error}");
    assert_eq!(rejected, 13);
}

/// A host's memory.
struct Memory {
    variants: Option<Variants>,
    pipelines: Mutex<Option<Vec<u8>>>,
}

impl DeviceStore for Memory {
    fn variants(&self, _: &Adapter) -> Option<Variants> {
        self.variants
    }

    fn pipelines(&self, _: &Adapter) -> Option<Vec<u8>> {
        self.pipelines.lock().expect("nobody panicked").clone()
    }

    fn keep_pipelines(&self, _: &Adapter, bytes: &[u8]) {
        *self.pipelines.lock().expect("nobody panicked") = Some(bytes.to_vec());
    }
}

#[test]
fn a_device_opens_with_what_the_host_remembers() {
    let Some(adapter) = common::gpu().map(|gpu| gpu.adapter.clone()) else { return };
    let open = |memory: &Arc<Memory>| {
        pollster::block_on(Gpu::open_with(&adapter, Some(memory.clone()))).expect("the adapter opens")
    };
    let tuned = Variants::of(Class::Apple);
    let memory = Arc::new(Memory { variants: Some(tuned), pipelines: Mutex::default() });
    for _ in 0..2 {
        // The second time with the pipelines of the first, where the backend hands them out.
        let gpu = open(&memory);
        assert_eq!(gpu.variants, tuned);
        let kernel = &i3d::backend::gpu::manifest::TIME_MEAN;
        gpu.pipeline(kernel, kernel.variants[0], Precision::F32).expect("it compiles");
        drop(gpu);
        if adapter.backend == "vulkan" {
            assert!(memory.pipelines.lock().expect("nobody panicked").is_some(), "nothing was kept");
        }
    }
    let gone = Variants { chunk_mib: 1, ..tuned };
    let memory = Arc::new(Memory { variants: Some(gone), pipelines: Mutex::default() });
    assert_eq!(open(&memory).variants, Variants::of(Class::of(&adapter)), "variants that no longer exist");
}
