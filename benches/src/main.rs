//! ship-bench
fn main() {}
