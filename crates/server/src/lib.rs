//! Configuration, listeners, session drivers and control socket of a Posta node.

mod account_name;
#[expect(dead_code, reason = "becomes part of SMTP")]
mod auth;
mod admission;
mod body;
pub mod config;
mod connection;
pub mod control;
mod descriptors;
mod http;
mod listener;
pub mod logging;
mod maildrops;
mod memory;
mod metrics;
mod node;
pub mod passwords;
mod pop3_service;
mod proxy_protocol;
mod shared;
mod smtp_service;
mod socket;
mod target;
mod tls;
mod verifier;

pub use node::{Node, NodeError, StartError};
pub use target::StoreTarget;
