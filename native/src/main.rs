//! The `i3d` command line.
fn main() {}
