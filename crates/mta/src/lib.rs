//! Pure decisions of the mail transfer agent: whom mail is taken for, what is written on top of it, and whether
//! it runs in a loop. Facts go in, decisions come out.
//!
//! Invariant: this crate knows no sockets, clocks, files or randomness.

pub mod admission;
pub mod hops;
pub mod trace_fields;
