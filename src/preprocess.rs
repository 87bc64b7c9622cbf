//! Frames to network input.
