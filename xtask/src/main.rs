//! Project chores: `cargo xtask setup|test`.
fn main() {}
