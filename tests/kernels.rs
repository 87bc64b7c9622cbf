//! Every WGSL kernel against its twin on the test device: odd sizes, outputs that begin as NaN.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use i3d::backend::gpu::manifest;
use i3d::backend::params::Params;

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
