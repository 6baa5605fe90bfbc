//! What makes a message one that is not taken.

use types::{Reply, ReplyKind};

/// Limits of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLimits {
    /// Octets of a text line with its CRLF (RFC 5321 §4.5.3.1.6: at least 1000).
    pub line_bytes_max: usize,
    /// Octets of a message (RFC 5321 §4.5.3.1.7: at least 64 KiB).
    pub message_bytes_max: u64,
}

/// The first thing that is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// CR that no LF follows.
    BareCr,
    /// LF that no CR precedes.
    BareLf,
    /// NUL, which RFC 5322 §4 calls obsolete and on which readers disagree.
    Nul,
    /// A line over that many octets.
    LineTooLong(usize),
    /// More octets than that.
    TooBig(u64),
}

impl Fault {
    /// What the sender is told after the end of data.
    #[must_use]
    pub fn reply(self) -> Reply {
        match self {
            Self::BareCr => malformed("The message holds a CR without LF: lines must end in CRLF"),
            Self::BareLf => malformed("The message holds an LF without CR: lines must end in CRLF"),
            Self::Nul => {
                malformed("The message holds a NUL octet: encode binary content, or send it as BINARYMIME")
            }
            Self::LineTooLong(max) => ReplyKind::MessageMalformed
                .with(format_args!("The message holds a line of more than {max} octets: encode it")),
            Self::TooBig(max) => ReplyKind::MessageTooBig.with(max),
        }
    }
}

fn malformed(text: &'static str) -> Reply {
    ReplyKind::MessageMalformed.with(text)
}
