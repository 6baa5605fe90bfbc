//! Why a submitted header section is refused.

use types::{Mailbox, Reply, ReplyKind};

/// What is wrong with a header section.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderProblem {
    /// Over its limit of octets, which is this.
    #[error("the header section is larger than {0} octets")]
    TooBig(usize),
    /// Over [`FIELDS_MAX`](super::FIELDS_MAX).
    #[error("The header section has more than {} fields", super::FIELDS_MAX)]
    TooManyFields,
    /// A line before the empty line that is no field.
    #[error("Line {line} of the header section is no field: there is no name with a colon")]
    NotAField {
        /// Counted from 1.
        line: usize,
    },
    /// `From : …`: obsolete, and not read by all.
    #[error("White space stands before the colon of {0}")]
    SpaceBeforeColon(String),
    /// A folded line with nothing in it.
    #[error("The field {0} has a folded line of white space alone")]
    WhiteLine(String),
    /// Octets over 127 without SMTPUTF8.
    #[error("The field {0} holds octets that are not ASCII, without SMTPUTF8")]
    EightBit(String),
    /// With SMTPUTF8.
    #[error("The field {0} is not UTF-8")]
    NotUtf8(String),
    /// More than once.
    #[error("The field {0} stands there more than once")]
    Repeated(&'static str),
    /// No `From`.
    #[error("The message has no From")]
    NoFrom,
    /// A `From` with an empty group.
    #[error("From names nobody")]
    NoAuthor,
    /// A field of addresses that holds something else.
    #[error("The addresses of {0} cannot be read")]
    Unreadable(&'static str),
    /// Several authors without `Sender`.
    #[error("From names several authors, and there is no Sender")]
    SeveralAuthors,
    /// Somebody whom the account may not write as.
    #[error("{field} names {mailbox}, whom the account may not write as")]
    NotOwned {
        /// In which field.
        field: &'static str,
        /// Who.
        mailbox: Mailbox,
    },
}

impl HeaderProblem {
    /// What the client is told (RFC 6409 §6.3: 554 for the syntax, 550 for the rights).
    #[must_use]
    pub fn reply(&self) -> Reply {
        match self {
            Self::TooBig(bytes_max) => ReplyKind::HeaderTooBig.with(bytes_max),
            Self::NotOwned { mailbox, .. } => {
                ReplyKind::AuthorNotOwned.with(crate::admission::in_reply(mailbox))
            }
            problem => ReplyKind::MessageMalformed.with(problem),
        }
    }
}
