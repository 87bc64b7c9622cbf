//! A clip as `.npy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| i3d_fuzz::clip(data));
