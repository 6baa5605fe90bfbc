//! The session machine (RFC 9051 §3): what may be said when, and what is answered.

mod config;
mod event;
mod task;

use std::sync::Arc;

pub use config::{Compression, Config, Plaintext, Security, TlsOffer};
pub use event::{Event, ShutDown};
pub use task::{
    AppendOutcome, AppendTask, CatenateUrl, FolderFacts, Login, Outcome, QuotaFacts, Refusal, SearchKind,
    Selected, Step, Structures, Task,
};

use crate::view::Snapshot;

/// From so many octets of output on, the machine reads and writes no more until they are written. It passes this by one
/// response, or by what one call of [`Session::content`] brings.
pub const OUTPUT_BYTES_SOFT_MAX: usize = 32 * 1024;

/// One connection.
///
/// The driver writes out [`Self::output`], clears it, and gives [`Self::receive`] what it read; it does what the
/// returned [`Step`] asks, and again. Octets that were not consumed stay with the driver and come first next time. While
/// the driver owes an answer, nothing is consumed. Whatever the machine is told (an answer, [`Self::mailbox_changed`],
/// [`Self::event`], [`Self::shut_down`]), the driver calls [`Self::receive`] next, with nothing where nothing came: only
/// there does the machine go on, and write.
pub struct Session {
    config: Arc<Config>,
    security: Security,
    output: Vec<u8>,
}

impl Session {
    /// A session whose output holds the greeting. With [`Security::Tls`] the handshake is done already, as on port 993
    /// (RFC 8314 §3.2).
    #[must_use]
    pub fn new(config: Arc<Config>, security: Security) -> Self {
        Self { config, security, output: Vec::new() }
    }

    /// Consumes octets until it needs the driver or more octets; returns how many it consumed, and what it wants.
    pub fn receive(&mut self, input: &[u8]) -> (usize, Step) {
        (input.len(), Step::NeedInput)
    }

    /// What is to be written to the client. The driver clears it when it has written it.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Answers [`Step::StartTls`] when the handshake is done. Nothing that was said in clear counts any more.
    pub fn secured(&mut self) {
        self.security = Security::Tls;
    }

    /// Answers [`Step::StartCompression`].
    pub fn compressed(&mut self) {}

    /// Sends a challenge of the mechanism, which may be empty: an answer to [`Step::SaslBegin`] and
    /// [`Step::SaslRespond`].
    pub fn challenge(&mut self, _challenge: &[u8]) {}

    /// Answers [`Step::LogIn`], and ends an exchange that [`Step::SaslBegin`] began.
    pub fn authenticated(&mut self, _login: Login) {
        let _ = &self.config;
    }

    /// Answers [`Step::Task`] and [`AppendTask::Commit`].
    pub fn done(&mut self, _outcome: Outcome) {}

    /// Answers [`AppendTask::Check`] and [`AppendTask::Url`].
    pub fn append_checked(&mut self, _result: Result<(), Refusal>) {}

    /// Answers [`Step::Structures`].
    pub fn structures(&mut self, _structures: Structures) {}

    /// Takes octets that [`Step::Content`] asked for. The driver writes the output out where it has grown beyond
    /// [`OUTPUT_BYTES_SOFT_MAX`] before it gives more.
    pub fn content(&mut self, _octets: &[u8]) {}

    /// Says that all octets came, or that they cannot be read.
    pub fn content_end(&mut self, _result: Result<(), Refusal>) {}

    /// The newest state of the selected mailbox; told to the client when that is allowed, at once in IDLE. Where the
    /// driver did a [`Task`] that changed the mailbox, it says this before [`Self::done`], so that the client does not
    /// hear twice of what it did.
    pub fn mailbox_changed(&mut self, _snapshot: Arc<Snapshot>) {}

    /// Something that nobody asked for happened.
    pub fn event(&mut self, _event: Event) {}

    /// Whether the client is in IDLE: whoever waits for it waits 30 minutes (RFC 9051 §5.4).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        false
    }

    /// Whether somebody is logged in.
    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        false
    }

    /// Ends the session with BYE; the next step is [`Step::Close`].
    pub fn shut_down(&mut self, _why: ShutDown) {}

    /// Tells the client that a long task goes on (RFC 9585); the driver says it every ten seconds or so.
    pub fn progress(&mut self, _done: u64, _of: Option<u64>) {}
}
