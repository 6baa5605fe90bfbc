//! What ends a command, and what the driver's refusals become.

use std::borrow::Cow;

use super::Refusal;
use crate::command::Tag;
use crate::response::{Response, ResponseCode, Status};

/// A tagged response without its tag.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    response: Response,
    code: Option<ResponseCode>,
    argument: Cow<'static, str>,
}

impl Reply {
    /// `OK … completed`.
    pub(super) const fn completed(verb: &'static str) -> Self {
        Self { response: Response::Completed, code: None, argument: Cow::Borrowed(verb) }
    }

    /// With a code in the place of the row's.
    pub(super) fn with(self, code: ResponseCode) -> Self {
        Self { code: Some(code), ..self }
    }

    /// With the argument of the row.
    pub(super) fn saying(self, argument: impl Into<Cow<'static, str>>) -> Self {
        Self { argument: argument.into(), ..self }
    }

    /// BAD, with what was expected.
    pub(super) fn syntax(text: &'static str) -> Self {
        Self::from(Response::Syntax).saying(text)
    }

    pub(super) fn status(&self) -> Status {
        self.response.entry().status
    }

    /// Whether it says `OK` and no code.
    pub(super) fn has_room(&self) -> bool {
        let entry = self.response.entry();
        entry.status == Status::Ok && entry.code.is_none() && self.code.is_none()
    }

    /// Whether it has this code.
    pub(super) fn has(&self, code: &ResponseCode) -> bool {
        self.code.as_ref() == Some(code)
    }

    pub(super) fn write(&self, tag: &Tag, out: &mut Vec<u8>) {
        self.response.tagged_with(tag, self.code.as_ref(), &*self.argument, out);
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self { response, code: None, argument: Cow::Borrowed("") }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let response = match refusal {
            Refusal::NoSuchMailbox => Response::NoSuchMailbox,
            Refusal::Exists => Response::MailboxExists,
            Refusal::Cannot => Response::Cannot,
            Refusal::HasChildren => Response::HasChildren,
            Refusal::UseTaken => Response::UseTaken,
            Refusal::OverQuota => Response::OverQuota,
            Refusal::TooBig => Response::TooBig,
            Refusal::Limit => Response::LimitReached,
            Refusal::MessageGone => Response::MessageGone,
            Refusal::BadUrl => Response::BadUrl,
            Refusal::UnknownEncoding => Response::UnknownEncoding,
            Refusal::Malformed => {
                return Self::from(Response::MalformedMessage).saying("it has a NUL, or lines without CRLF");
            }
            Refusal::Temporary => Response::Unavailable,
            Refusal::Damaged => Response::Damaged,
        };
        response.into()
    }
}

impl Reply {
    /// The same where a message was to go there: the client may create the mailbox and try again (RFC 9051 §6.3.12).
    pub(super) fn of_destination(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchMailbox => Response::TryCreate.into(),
            other => other.into(),
        }
    }
}
