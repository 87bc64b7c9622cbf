//! Every WGSL kernel against its twin on the test device: odd sizes, outputs that begin as NaN.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::cases::Case;
use i3d::backend::gpu::manifest;
use i3d::backend::params::Params;
use i3d::plan::Precision;

#[test]
fn kernels_compute_what_their_twins_compute() {
    let Some(gpu) = common::gpu() else { return };
    if !gpu.adapter.shader_f16 {
        eprintln!("SKIPPED: the cases in f16, which {} does not have", gpu.adapter);
    }
    let cases = common::cases::all();
    let cases = cases.iter().filter(|case| case.runs_on(&gpu));
    let failures: Vec<String> = cases.filter_map(|case| case.check(&gpu, &case.source()).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn long_launches_can_be_cut() {
    let Some(gpu) = common::gpu() else { return };
    for case in common::cases::all().iter().filter(|case| case.runs_on(&gpu)) {
        // These are never long.
        if matches!(case.params, Params::Mean(_) | Params::Flow(_)) {
            continue;
        }
        let outputs = case.run_in(&gpu, &case.source(), 3).expect("it runs");
        assert_eq!(case.compare(&outputs), Ok(()), "{} in parts", case.name);
    }
}

#[test]
fn what_is_no_number_is_not_lost() {
    let Some(gpu) = common::gpu() else { return };
    let kept = |case: &&Case| !case.kernel.stored.is_empty() || case.source().contains("fn relu(");
    for case in common::cases::all().iter().filter(|case| case.runs_on(&gpu)).filter(kept) {
        let pools = case.kernel.name == "max_pool3d" || case.constants.contains(&("POOL", 1.0));
        for (index, (read, _)) in case.kernel.reads.iter().enumerate() {
            // The last is the NaN that graphics cards make: all of its bits but the sign are set.
            let broken = [f32::INFINITY, f32::NEG_INFINITY, f32::from_bits(0x7fff_ffff)];
            let broken = match *read {
                // ReLU and rounding have made infinite what is broken.
                "input" if pools => &broken[..1],
                "input" | "values" => &broken,
                // 32 bits even where the others have 16; the head's features do not see it.
                "bias" if case.kernel.name != "head" => &broken,
                _ => continue,
            };
            for &broken in broken {
                let mut filled = case.clone();
                filled.reads[index].fill(broken);
                let outputs = filled.run(&gpu, &case.source()).expect("it runs");
                let names = case.kernel.writes.iter().map(|(name, _)| name);
                for ((name, got), want) in names.zip(&outputs).zip(case.expected()) {
                    let half = case.precision == Precision::F16 && case.kernel.stored.contains(name);
                    let seen = |value: f32| if half { value == f32::INFINITY } else { !value.is_finite() };
                    let written = got.iter().zip(&want).filter(|(_, want)| !want.is_nan());
                    let lost = written.filter(|(got, _)| !seen(**got)).count();
                    assert_eq!(lost, 0, "{}: {read} {broken}, so many of {name} do not show it", case.name);
                }
            }
        }
    }
}

#[test]
fn every_variant_of_every_kernel_has_a_case() {
    let cases = common::cases::all();
    for kernel in manifest::ALL {
        for (&variant, &precision) in
            kernel.variants.iter().flat_map(|v| kernel.precisions().iter().map(move |p| (v, p)))
        {
            let form = (kernel.name, variant, precision);
            let tested = cases.iter().any(|c| (c.kernel.name, c.constants, c.precision) == form);
            assert!(tested, "{form:?} has no test case");
        }
    }
}
