//! What `ffprobe` says of a file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| i3d::video::fuzzing::probe(data));
