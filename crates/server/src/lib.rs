//! Configuration, listeners, session drivers and control socket of a Posta node.

mod account_name;
mod body;
pub mod config;
mod connection;
pub mod control;
mod descriptors;
mod listener;
pub mod logging;
mod maildrops;
mod memory;
mod node;
pub mod passwords;
mod pop3_service;
mod shared;
mod smtp_service;
mod target;
mod tls;
mod verifier;

pub use node::{Node, NodeError, StartError};
pub use target::StoreTarget;
