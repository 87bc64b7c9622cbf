//! Telling formats apart by their first bytes, and naming what people give by mistake.

use super::cursor::Problem;
use super::{Format, pickle, pytorch, safetensors_file, tf_bundle};

/// The format of a single-file checkpoint, or a sentence about what the bytes are instead.
pub(super) fn format(bytes: &[u8]) -> Result<Format, Problem> {
    if bytes.is_empty() {
        return Err("is empty: download it again".into());
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Ok(Format::PyTorchZip);
    }
    if pytorch::is_legacy(bytes) {
        return Ok(Format::PyTorchLegacy);
    }
    if safetensors_file::looks_like(bytes) {
        return Ok(Format::Safetensors);
    }
    if bytes.ends_with(&tf_bundle::MAGIC) {
        return Ok(Format::TensorFlowV1);
    }
    if pickle::looks_like(bytes) {
        return Ok(Format::Flax);
    }
    Err(mistake(bytes))
}

fn mistake(bytes: &[u8]) -> Problem {
    let text: String = bytes.iter().take(200).map(|&b| char::from(b).to_ascii_lowercase()).collect();
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || "\u{ef}\u{bb}\u{bf}".contains(c));
    if text.starts_with("version https://git-lfs") {
        return "is a Git LFS pointer, not the file itself: run `git lfs pull` or download the real file"
            .into();
    }
    if text.starts_with("<!doctype") || text.starts_with("<html") || text.starts_with("<?xml") {
        return "is a web page, not a checkpoint: the download answered with a page; download the file itself".into();
    }
    if bytes.starts_with(b"\x89HDF") {
        return "is an HDF5 file, which is not supported: give DeepMind's checkpoint, a PyTorch or a safetensors file".into();
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return "is a tar file, perhaps of PyTorch before 0.1.10, which is not supported: \
                load and save it with a newer PyTorch"
            .into();
    }
    if bytes.starts_with(b"\x93NUMPY") {
        return "is a NumPy array, not a checkpoint: give a safetensors file, a TensorFlow checkpoint or a PyTorch file"
            .into();
    }
    let start: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!(
        "is in no known checkpoint format (it starts with {}): give a safetensors file, a PyTorch file, \
         or a TensorFlow checkpoint by its prefix",
        start.join(" ")
    )
}
