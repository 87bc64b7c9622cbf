//! A clip as `.npy`.
#![no_main]

use i3d::clip::Clip;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = Clip::from_npy("fuzz", data);
});
