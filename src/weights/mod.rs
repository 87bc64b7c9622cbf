//! Checkpoints in: every public format of I3D weights, read from bytes.
