//! A pickle of NumPy arrays.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| i3d_fuzz::checkpoint(data));
