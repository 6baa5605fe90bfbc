//! Configuration, listeners, session drivers and control socket of a Posta node.

mod account_name;
#[allow(dead_code, reason = "parts are for SMTP, which comes next")]
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

pub use node::{Node, NodeError, StartError};
pub use target::StoreTarget;
