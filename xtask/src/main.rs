//! ship
fn main() {}
