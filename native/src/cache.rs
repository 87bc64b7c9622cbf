//! The folder of things that can be made again: pulled models, and what was found out about GPUs.

use std::path::PathBuf;

use etcetera::BaseStrategy;
use i3d::{Error, Result};

/// Environment variable that replaces the user's cache folder.
pub const CACHE_VARIABLE: &str = "I3D_CACHE";

/// `i3d` in [`CACHE_VARIABLE`], or else in the user's cache folder; nothing is created yet.
pub fn folder() -> Result<PathBuf> {
    if let Some(cache) = std::env::var_os(CACHE_VARIABLE).filter(|cache| !cache.is_empty()) {
        return Ok(PathBuf::from(cache).join("i3d"));
    }
    let user = etcetera::choose_base_strategy().map_err(|error| {
        Error::Usage(format!("no cache folder ({error}); name one with {CACHE_VARIABLE}"))
    })?;
    Ok(user.cache_dir().join("i3d"))
}
