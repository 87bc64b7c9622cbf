//! The stream of frames from `ffmpeg`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| i3d::video::fuzzing::nut(data));
