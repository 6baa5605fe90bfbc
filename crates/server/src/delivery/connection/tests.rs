//! Scripted hosts over streams in memory, in paused time.

mod flight;
mod hostile;
mod login;
mod messages;
mod pair;
mod peer;
mod secure;
mod slow;
