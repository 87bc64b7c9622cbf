//! `i3d` watches a video and says what people in it are doing.
//!
//! The modules stand in the order in which data flows through them.

pub mod video;

pub mod preprocess;

pub mod clip;

pub mod network;

pub mod weights;

pub mod error;

pub use error::{Error, Result};
