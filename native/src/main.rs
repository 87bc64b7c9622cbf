//! The `i3d` command line.

#[allow(
    dead_code,
    unused_imports,
    reason = "the commands that call it are not written yet"
)]
mod models;

fn main() {}
