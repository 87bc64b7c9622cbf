//! A clip in an archive: any, and a sound one around any array.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| match data.split_first() {
    Some((0, array)) => i3d_fuzz::clip(&i3d_fuzz::archive(&[("rgb.npy", array)], true)),
    Some((_, file)) => i3d_fuzz::clip(file),
    None => {}
});
