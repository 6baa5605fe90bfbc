//! Scripted hosts over streams in memory, in paused time.

mod hostile;
mod messages;
mod peer;
mod slow;
