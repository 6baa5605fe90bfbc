//! EHLO and HELO (RFC 5321 §4.1.1.1).

use std::borrow::Cow;
use std::fmt::Write as _;

use types::{Host, Reply, ReplyKind};

use super::{Session, State};
use crate::grammar::command::HelloVerb;

/// How the client introduced itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// EHLO rather than HELO: extensions may be used.
    pub verb: HelloVerb,
    /// What it calls itself; nothing is decided by it.
    pub host: Host,
}

impl<R> Session<R> {
    pub(super) fn hello_command(&mut self, verb: HelloVerb, host: Host) {
        // As RSET (RFC 5321 §4.1.4).
        self.state = State::Idle;
        // RFC 6531 §3.7.1: domains in the reply are A-labels.
        let client = match &host {
            Host::Domain(domain) => Cow::Borrowed(domain.ascii()),
            Host::Literal(literal) => Cow::Owned(literal.to_string()),
        };
        let mut text = format!("{} greets {client}", self.config.host_name);
        if verb == HelloVerb::Ehlo {
            self.write_extensions(&mut text);
        }
        self.hello = Some(Hello { verb, host });
        self.reply(&Reply { text: Cow::Owned(text), ..ReplyKind::Hello.reply() });
    }

    fn write_extensions(&self, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\nSIZE {}", self.config.message.message_bytes_max);
        text.push_str("\n8BITMIME\nPIPELINING\nENHANCEDSTATUSCODES\nSMTPUTF8\nCHUNKING\nBINARYMIME");
        // RFC 9422: at most six digits.
        let _ = write!(text, "\nLIMITS RCPTMAX={}", self.config.recipients_max.min(999_999));
        if self.offers_tls() {
            text.push_str("\nSTARTTLS");
        }
        text.push_str("\nEXPN\nHELP");
    }
}
