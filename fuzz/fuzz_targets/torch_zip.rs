//! PyTorch's zip file: any, and a sound one around any pickle, since no fuzzer finds checksums.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| match data.split_first() {
    Some((0, pickle)) => i3d_fuzz::checkpoint(&i3d_fuzz::zip_around(pickle)),
    Some((_, file)) => i3d_fuzz::checkpoint(file),
    None => {}
});
