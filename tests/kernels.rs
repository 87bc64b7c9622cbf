//! Every WGSL kernel against its twin on the test device: odd sizes, outputs that begin as NaN.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use i3d::backend::gpu::manifest;

#[test]
fn kernels_compute_what_their_twins_compute() {
    let Some(gpu) = common::gpu() else { return };
    let failures: Vec<String> =
        common::cases::all().iter().filter_map(|case| case.check(&gpu, case.kernel.source).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_variant_of_every_kernel_has_a_case() {
    let cases = common::cases::all();
    for kernel in manifest::ALL {
        for &variant in kernel.variants {
            let tested = cases.iter().any(|c| c.kernel.name == kernel.name && c.constants == variant);
            assert!(tested, "{} {variant:?} has no test case", kernel.name);
        }
    }
}
