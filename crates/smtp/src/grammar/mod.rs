//! What was said: commands and replies.

pub mod command;
pub mod reply;
