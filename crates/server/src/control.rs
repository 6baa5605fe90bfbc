//! How `posta` on the command line asks a running node, and the store where none runs.
//!
//! One implementation of the requests ([`answer`]) over a [`ControlTarget`], two transports: a Unix domain
//! socket `control.sock` in the data folder, which only the owner of the folder may open, and a call within
//! the process. On the socket a request is one line of JSON, and so is a response; the content of a message
//! follows its response as lines of base64.
//!
//! Left out on purpose: access from other machines, and rights: who may read the data folder may do all.

mod answer;
mod client;
mod protocol;
mod socket;
mod trace;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use store::embedded::{CheckReport, StoreStats};
use store::{Store, StoreError};

pub use answer::{Answer, answer};
pub(crate) use client::reachable;
pub use client::{Client, ClientError};
pub use protocol::{
    AccountSummary, ControlError, ErrorKind, MailboxSummary, MessageSummary, REQUEST_LINE_BYTES_MAX, Request,
    Response, Status, VERSION,
};
pub use socket::{ControlSocket, Server};
pub use trace::EventSummary;

/// What the requests are about.
#[async_trait]
pub trait ControlTarget: Send + Sync {
    /// Messages and accounts.
    fn store(&self) -> &Arc<dyn Store>;

    /// What is running; `None` where nothing is.
    fn status(&self) -> Option<Status>;

    /// Verifies every checksum and cross-reference.
    ///
    /// # Errors
    /// Where the store cannot be read at all.
    async fn check(&self) -> Result<CheckReport, StoreError>;

    /// Figures about the store, by name.
    ///
    /// # Errors
    /// Where the store cannot be read.
    async fn stats(&self) -> Result<StoreStats, StoreError>;
}
