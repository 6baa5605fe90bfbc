//! A mailbox at one moment ([`Snapshot`], shared by all sessions that have it open), and what one client knows of it
//! ([`View`]).

mod known;
mod snapshot;

pub use known::{Allowed, Update, View};
pub use snapshot::{Delta, Message, Snapshot};
