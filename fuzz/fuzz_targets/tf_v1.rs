//! TensorFlow's V1 checkpoint: any file, and a sound table around any records.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| match data.split_first() {
    Some((0, records)) => i3d_fuzz::checkpoint(&i3d_fuzz::table_around(records)),
    Some((_, file)) => i3d_fuzz::checkpoint(file),
    None => {}
});
