//! A safetensors file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| i3d_fuzz::checkpoint(data));
