//! GIFs, moving and still, and other pictures.
#![no_main]

use i3d::video::FrameSource;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(mut pictures) = i3d::video::from_image_bytes("fuzz", data.to_vec()) else { return };
    for _ in 0..16 {
        match pictures.next_frame() {
            Ok(Some(_)) => {}
            _ => break,
        }
    }
});
