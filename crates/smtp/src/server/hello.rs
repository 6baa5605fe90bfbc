//! EHLO and HELO (RFC 5321 §4.1.1.1), LHLO (RFC 2033 §4.1).

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use types::{Host, Reply, ReplyKind, Timestamp};

use super::{AuthNeed, Role, Session, State};
use crate::grammar::command::HelloVerb;
use crate::grammar::xclient;

/// How the client introduced itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// EHLO or LHLO rather than HELO: extensions may be used.
    pub verb: HelloVerb,
    /// What it calls itself; nothing is decided by it.
    pub host: Host,
}

impl<R> Session<R> {
    /// From now on it is asked whether the name that a client says for itself is taken.
    pub const fn ask_about_hello(&mut self) {
        self.hello_asked = true;
    }

    pub(super) fn hello_command(&mut self, verb: HelloVerb, host: Host) {
        let hello = Hello { verb, host };
        if self.hello_asked {
            let before = std::mem::replace(&mut self.state, State::Idle);
            self.state = State::AskedHello(Box::new(before), hello);
        } else {
            self.take_hello(hello);
        }
    }

    /// Answers the question about EHLO, HELO or LHLO: the name is taken. The reply is made here.
    pub fn greeted(&mut self) {
        if let State::AskedHello(_, hello) = &self.state {
            let hello = hello.clone();
            self.take_hello(hello);
        }
    }

    fn take_hello(&mut self, hello: Hello) {
        let Hello { verb, host } = hello;
        // As RSET (RFC 5321 §4.1.4).
        self.state = State::Idle;
        // RFC 6531 §3.7.1: domains in the reply are A-labels.
        let client = match &host {
            Host::Domain(domain) => Cow::Borrowed(domain.ascii()),
            Host::Literal(literal) => Cow::Owned(literal.to_string()),
        };
        let mut text = format!("{} greets {client}", self.config.host_name);
        if verb.is_extended() {
            self.write_extensions(&mut text);
        }
        self.hello = Some(Hello { verb, host });
        self.reply(&Reply { text: Cow::Owned(text), ..ReplyKind::Hello.reply() });
    }

    /// Writing to a String cannot fail.
    fn write_extensions(&self, text: &mut String) {
        if self.config.role == Role::OnDemand {
            text.push_str("\nENHANCEDSTATUSCODES");
        } else {
            self.write_mail_extensions(text);
        }
        if self.offers_tls() {
            text.push_str("\nSTARTTLS");
        }
        if self.config.auth.need != AuthNeed::Off && !self.mechanisms().is_empty() && !self.needs_tls() {
            let _ = write!(text, "\nAUTH {}", self.mechanisms().join(" "));
        }
        if self.config.role != Role::OnDemand {
            self.write_optional_extensions(text);
        }
        if self.xclient_allowed {
            let _ = write!(text, "\nXCLIENT {}", xclient::ATTRIBUTES);
        }
        self.write_requests_for_mail(text);
        text.push_str(if self.config.role == Role::OnDemand { "\nHELP" } else { "\nEXPN\nHELP" });
    }

    /// What every listener has that takes mail.
    fn write_mail_extensions(&self, text: &mut String) {
        let _ = write!(text, "\nSIZE {}", self.config.message.message_bytes_max);
        text.push_str("\n8BITMIME\nPIPELINING\nENHANCEDSTATUSCODES\nSMTPUTF8\nCHUNKING\nBINARYMIME");
        // RFC 9422: at most six digits.
        let _ = write!(text, "\nLIMITS RCPTMAX={}", self.config.recipients_max.min(999_999));
    }

    /// RFC 2645 §5.1.1: ATRN is listed before AUTH too. TURN has its keyword in RFC 1869 §4.1.
    fn write_requests_for_mail(&self, text: &mut String) {
        let extensions = &self.config.extensions;
        for (keyword, is_offered) in
            [("ETRN", extensions.etrn), ("ATRN", extensions.atrn), ("TURN", self.offers_turn())]
        {
            if is_offered {
                let _ = write!(text, "\n{keyword}");
            }
        }
    }

    fn write_optional_extensions(&self, text: &mut String) {
        let extensions = &self.config.extensions;
        if extensions.dsn {
            text.push_str("\nDSN");
        }
        if self.offers_require_tls() {
            text.push_str("\nREQUIRETLS");
        }
        if let Some((max_s, now)) = self.future_release() {
            // RFC 4865 §3: the longest interval, and the latest time, to the second.
            let latest = now.plus(Duration::from_secs(max_s.into()));
            let latest = Timestamp::from_millis(latest.seconds() * 1000);
            let _ = write!(text, "\nFUTURERELEASE {max_s} {latest}");
        }
        match extensions.deliver_by_min_s {
            None => {}
            Some(0) => text.push_str("\nDELIVERBY"),
            Some(min_s) => {
                let _ = write!(text, "\nDELIVERBY {min_s}");
            }
        }
        if extensions.mt_priority {
            text.push_str("\nMT-PRIORITY");
        }
        if let Some(window_s) = extensions.idempotency_window_s {
            let _ = write!(text, "\nXIDEMPOTENCY {window_s}");
        }
    }
}
