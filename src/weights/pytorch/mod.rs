//! PyTorch's files: pickled descriptions of tensors beside raw storages, as a legacy stream or as a zip.
//!
//! The pickles are interpreted by [`super::pickle`], which runs nothing.

mod legacy;
mod zip_file;

pub(super) use legacy::{is_legacy, read as read_legacy};
pub(super) use zip_file::read as read_zip;
