//! What a connection is told before it begins.

use types::Host;

/// How one connection behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who we are: the argument of EHLO, HELO and LHLO (RFC 5321 §4.1.1.1).
    pub hello_name: Host,
    /// SMTP or LMTP.
    pub mode: Mode,
    /// How bodies travel where the message leaves the choice.
    pub transfer: Transfer,
    /// Whether commands go in groups.
    pub pipelining: Pipelining,
    /// Whether each command and reply becomes an event.
    pub transcript: Transcript,
}

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// EHLO, one reply for all recipients.
    #[default]
    Smtp,
    /// LHLO, a reply for each recipient after the data (RFC 2033).
    Lmtp,
}

/// DATA or BDAT. A BINARYMIME message always goes by BDAT (RFC 3030 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transfer {
    /// DATA.
    #[default]
    Data,
    /// BDAT where the server offers CHUNKING, otherwise DATA.
    ChunksWhereOffered,
}

/// RFC 2920.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pipelining {
    /// Groups of commands where the server offers PIPELINING.
    #[default]
    WhereOffered,
    /// Each command waits for the reply to the one before, as a person would type.
    Never,
}

/// Whether [`super::Event::Said`] and [`super::Event::Heard`] are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transcript {
    /// No.
    #[default]
    Off,
    /// Yes.
    On,
}

impl Config {
    /// SMTP with everything as offered.
    #[must_use]
    pub fn new(hello_name: Host) -> Self {
        Self {
            hello_name,
            mode: Mode::default(),
            transfer: Transfer::default(),
            pipelining: Pipelining::default(),
            transcript: Transcript::default(),
        }
    }
}
