//! A list of class names.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = i3d::labels::parse("fuzz", text);
    }
});
