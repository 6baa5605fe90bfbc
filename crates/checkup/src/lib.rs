//! What the DNS should say of a domain, and what is wrong with a domain or a message: in words, with the mend.
//!
//! Standards: those of what is looked at; each module names them. Whoever looks asks the outside by a trait
//! ([`Outside`]), so that a table answers in tests, and what is found is a list of [`Finding`]s, which others print.
//!
//! Invariant: no socket is opened here and nothing is printed. Left out on purpose: deciding about mail, which is
//! `mta::admission`'s, and changing anything in the DNS.

pub mod domain;
mod finding;
mod lists;
pub mod message;
mod outside;
pub mod records;
mod spf;

pub use finding::{Finding, Topic, Verdict, worst};
pub use outside::{Meeting, Outside, Secured, Unmet};
