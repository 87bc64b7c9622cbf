#![doc = include_str!("../README.md")]
//!
//! The modules stand in the order in which data flows through them.

pub mod video;

pub mod preprocess;

pub mod flow;

pub mod clip;

pub mod feed;

pub mod network;

pub mod plan;

mod queue;

pub mod random;

pub mod weights;

pub mod models;

pub mod backend;

pub mod train;

pub mod fusion;

pub mod labels;

pub mod classifier;

pub mod report;

pub mod error;

pub use classifier::Classifier;
pub use error::{Error, Result};
