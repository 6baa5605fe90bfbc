//! Configuration, listeners, session drivers and control socket of a Posta node.

mod account_name;
mod admission;
mod auth;
mod authenticity;
mod body;
pub mod client_login;
pub mod config;
mod connection;
pub mod control;
mod counts_file;
mod delivery;
mod descriptors;
mod directory;
mod dkim;
mod expunged;
mod filing;
mod http;
mod imap_service;
mod listener;
mod local_delivery;
pub mod logging;
mod mail_index;
mod mail_models;
mod mail_search;
mod maildrops;
mod memory;
mod metrics;
mod node;
pub mod outside;
pub mod passwords;
mod pop3_service;
mod proxy_protocol;
mod quotas;
mod rates;
mod reputation;
mod reversal;
mod room;
mod secrets;
mod shared;
mod signing;
pub mod simulation;
mod smtp_service;
mod socket;
mod structures;
mod target;
mod timeline;
mod tls;

pub use delivery::preview::{
    Preview, PreviewHost, PreviewOptions, PreviewRule, PreviewSkipped, PreviewTls, PreviewWay, preview,
    rule_in_words,
};
pub use delivery::{PolicyHosts, dns_options};
pub use directory::DEV_ACCOUNT;
pub use node::{Node, NodeError, StartError};
pub use secrets::{SecretError, Secrets};
pub use target::StoreTarget;
