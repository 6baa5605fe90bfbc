//! Configuration, listeners, session drivers and control socket of a Posta node.

pub mod config;
pub mod control;
pub mod logging;
pub mod passwords;
