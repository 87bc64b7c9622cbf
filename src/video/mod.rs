//! Video in: frames with planes, timestamps, colour and rotation, from files or from memory.
