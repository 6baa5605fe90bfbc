//! Who sent a message: SPF, DKIM, DMARC and ARC.
//!
//! Standards: RFC 7208 (SPF), RFC 6376 with RFC 8301 and RFC 8463 (DKIM), RFC 8616 (both, where mail is not ASCII),
//! RFC 8617 (ARC), RFC 9989 (DMARC, after the working group's last draft), RFC 8601 (`Authentication-Results`, iprev).
//!
//! Invariant: sans-IO. `now` is an argument, and the DNS is whatever [`Names`] says: a resolver, a cache filled before,
//! a table. The functions that ask it are `async`, and wait for nothing else, so they run on any runtime or none, and whoever
//! calls them sets the time limit of the whole (RFC 7208 §4.6.4 wants 20 seconds or more). What the DNS or a message says
//! costs no more than the limits that each module names.
//!
//! Left out on purpose: what is done about a result, which is policy and belongs to `mta::admission`; reports; DNS lists.

pub mod arc;
pub mod dkim;
pub mod dmarc;
mod fields;
pub mod iprev;
mod names;
pub mod results;
pub mod spf;

pub use fields::{Field, fields};
pub use names::{Names, Texts, is_name};
