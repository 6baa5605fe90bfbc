//! Posta: a complete mail system in one binary.
fn main() {}
