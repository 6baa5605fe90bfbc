//! Who sent a message: SPF, DKIM, DMARC and ARC.
//!
//! Standards: RFC 7208 with RFC 8616 (SPF).
//!
//! Invariant: sans-IO. `now` is an argument, and the DNS is whatever [`Names`] says: a resolver, a cache filled before,
//! a table. The functions that ask it are `async`, and wait for nothing else, so they run on any runtime or none, and whoever
//! calls them sets the time limit of the whole (RFC 7208 §4.6.4 wants 20 seconds or more). What the DNS or a message says
//! costs no more than the limits that each module names.
//!
//! Left out on purpose: what is done about a result, which is policy and belongs to `mta::admission`; reports; DNS lists.

mod names;
pub mod spf;

pub use names::{Names, is_name};
