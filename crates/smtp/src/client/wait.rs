//! The timeouts of RFC 5321 §4.5.3.2.

use std::time::Duration;

use types::limits::{
    CLIENT_DATA_DONE_TIMEOUT, CLIENT_DATA_TIMEOUT, CLIENT_GREETING_TIMEOUT, CLIENT_MAIL_TIMEOUT,
    CLIENT_RCPT_TIMEOUT, DATA_BLOCK_TIMEOUT,
};

/// A client waits this long for the reply to QUIT. The RFC names no time, and nothing depends on the reply.
pub const CLIENT_QUIT_TIMEOUT: Duration = Duration::from_secs(30);

/// A timeout that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// What is waited for.
    pub wait_for: WaitFor,
    /// A timer that runs starts again when this changes, and only then: single octets of a reply change nothing,
    /// so a server that drips them gains no time.
    pub number: u64,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// The 220.
    Greeting,
    /// The reply to EHLO, HELO or LHLO: the RFC names no time; that of the greeting.
    Hello,
    /// The reply to STARTTLS, for which no RFC names a time either.
    StartTls,
    /// The reply to AUTH or to a response; the same.
    Login,
    /// The reply to MAIL, or to RSET before it.
    Mail,
    /// The reply to RCPT.
    Rcpt,
    /// The 354.
    Data,
    /// The server to take more octets, or the reply to a BDAT that is not the last.
    DataBlock,
    /// The reply to the end of data.
    DataDone,
    /// The reply to QUIT.
    Quit,
}

impl WaitFor {
    /// How long.
    #[must_use]
    pub const fn limit(self) -> Duration {
        match self {
            Self::Greeting | Self::Hello | Self::StartTls | Self::Login => CLIENT_GREETING_TIMEOUT,
            Self::Mail => CLIENT_MAIL_TIMEOUT,
            Self::Rcpt => CLIENT_RCPT_TIMEOUT,
            Self::Data => CLIENT_DATA_TIMEOUT,
            Self::DataBlock => DATA_BLOCK_TIMEOUT,
            Self::DataDone => CLIENT_DATA_DONE_TIMEOUT,
            Self::Quit => CLIENT_QUIT_TIMEOUT,
        }
    }
}

impl std::fmt::Display for WaitFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Greeting => "its greeting",
            Self::Hello => "the reply to EHLO",
            Self::StartTls => "the reply to STARTTLS",
            Self::Login => "the reply to AUTH",
            Self::Mail => "the reply to MAIL",
            Self::Rcpt => "the reply to RCPT",
            Self::Data => "the reply to DATA",
            Self::DataBlock => "taking a block of the message",
            Self::DataDone => "the reply to the end of the message",
            Self::Quit => "the reply to QUIT",
        })
    }
}
