//! PyTorch's stream of pickles.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| i3d_fuzz::checkpoint(&i3d_fuzz::with_magic(data)));
