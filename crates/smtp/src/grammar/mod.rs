//! What was said: commands and replies.

pub mod auth;
pub mod command;
mod date_time;
mod parameters;
pub mod reply;
pub mod reversal;
mod verb;
pub mod xclient;
pub mod xtext;
