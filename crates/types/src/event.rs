//! What happened on a connection, one decision at a time: the stuff that a timeline is drawn from.

use crate::{MailId, Timestamp};

/// One decision, with its reason. Made by whoever decides, kept by the store's trace, read by the operator.
///
/// What a peer said may stand in `address` and in `reply`, so whoever shows an event escapes it. No field ever
/// carries a password, a token or the content of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was decided.
    pub at: Timestamp,
    /// The connection. Ids are made like those of messages, so that one form of id can be quoted and searched.
    pub session_id: MailId,
    /// The message, from MAIL on; `None` for what concerns the connection alone.
    pub mail_id: Option<MailId>,
    /// What it was about.
    pub step: EventStep,
    /// What was decided.
    pub verdict: Verdict,
    /// The sender, recipient or account that it is about.
    pub address: Option<String>,
    /// What the peer was told, on one line: code, enhanced status and text.
    pub reply: Option<String>,
    /// Why, in plain words: no secrets, no control characters.
    pub reason: String,
}

impl Event {
    /// An event about a connection, with neither address nor reply.
    #[must_use]
    pub fn new(
        at: Timestamp,
        session_id: MailId,
        step: EventStep,
        verdict: Verdict,
        reason: impl Into<String>,
    ) -> Self {
        let reason = reason.into();
        Self { at, session_id, mail_id: None, step, verdict, address: None, reply: None, reason }
    }

    /// The same about a message.
    #[must_use]
    pub const fn of_mail(mut self, mail_id: MailId) -> Self {
        self.mail_id = Some(mail_id);
        self
    }

    /// The same about a sender, recipient or account.
    #[must_use]
    pub fn about(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// The same with what the peer was told.
    #[must_use]
    pub fn replied(mut self, reply: impl Into<String>) -> Self {
        self.reply = Some(reply.into());
        self
    }
}

/// Declares an enum whose variants have a number for files and a name for JSON; neither is ever given anew.
macro_rules! coded {
    ($( $(#[doc = $doc:literal])* $name:ident {
        $( $(#[doc = $variant_doc:literal])* $variant:ident = $code:literal $text:literal, )*
    } )*) => { $(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[doc = $variant_doc])* $variant = $code, )* }

        impl $name {
            /// All, in the order of their numbers.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// Its number in files, never given anew.
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The inverse of [`code`](Self::code); `None` for what a newer version wrote.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $( $code => Some(Self::$variant), )*
                    _ => None,
                }
            }

            /// Its name in JSON and in metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }

            /// The inverse of [`name`](Self::name).
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|each| each.name() == name)
            }
        }
    )* };
}

coded! {
    /// What an event is about.
    EventStep {
        /// A connection came, or was turned away at once; the reason names the peer's address and the listener.
        Connected = 1 "connected",
        /// A trusted proxy said who the client really is (PROXY protocol, XCLIENT).
        Proxied = 2 "proxied",
        /// TLS began, or failed to; the reason names version and cipher.
        Tls = 3 "tls",
        /// HELO, EHLO or LHLO; the address is the name that the client gave itself.
        Hello = 4 "hello",
        /// AUTH, USER and PASS, APOP; the address is the account.
        Authentication = 5 "authentication",
        /// MAIL; the address is the reverse-path.
        Sender = 6 "sender",
        /// RCPT; the address is the forward-path.
        Recipient = 7 "recipient",
        /// DATA or BDAT, and what was decided about the content.
        Content = 8 "content",
        /// The message and all its deliveries are on stable storage.
        Stored = 9 "stored",
        /// A copy is in a mailbox, or was handed to a peer; the address is the recipient.
        Delivered = 10 "delivered",
        /// Any other command: VRFY, EXPN, RSET, syntax errors.
        Command = 11 "command",
        /// A limit or a rate was reached.
        Limit = 12 "limit",
        /// The connection ended, and how.
        Closed = 13 "closed",
        /// The trace itself has a gap here: events were dropped, or cannot be read any more. Of no session: its
        /// ids are zero.
        Gap = 14 "gap",
        /// The message waits for other hosts; the address is the destination, or the recipient.
        Queued = 15 "queued",
        /// A host was tried for the message; the reason names it, its address, TLS and what happened.
        Attempt = 16 "attempt",
        /// Another host has taken responsibility for a recipient, which is the address.
        Relayed = 17 "relayed",
        /// A recipient was not reached yet; the reason says why, what comes next and when.
        Postponed = 18 "postponed",
        /// A recipient is given up: refused for good, or out of time.
        Failed = 19 "failed",
        /// A report was made, or was due and left out; the address is who gets it.
        Reported = 20 "reported",
        /// What waits is set aside until somebody releases it.
        Held = 21 "held",
        /// What became of a site: suspended, or tried again.
        Site = 22 "site",
        /// What an operator did.
        Operator = 23 "operator",
        /// What nobody gets any more, by whose wish.
        Discarded = 24 "discarded",
        /// What a check of who sent the message came to: SPF, DKIM, ARC, DMARC, iprev; the address is the domain, or the
        /// client's address.
        Verified = 25 "verified",
        /// The message leaves with signatures, or why it does not; the address is the domain that signs.
        Signed = 26 "signed",
    }

    /// What was decided.
    Verdict {
        /// Nothing: it is told for information.
        Noted = 1 "noted",
        /// Yes.
        Accepted = 2 "accepted",
        /// No, for good (5yz).
        Refused = 3 "refused",
        /// Not now (4yz).
        Deferred = 4 "deferred",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_and_verdict_is_found_by_its_number_and_its_name() {
        for step in EventStep::ALL {
            assert_eq!(EventStep::from_code(step.code()), Some(*step));
            assert_eq!(EventStep::named(step.name()), Some(*step));
        }
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::from_code(verdict.code()), Some(*verdict));
            assert_eq!(Verdict::named(verdict.name()), Some(*verdict));
        }
        assert_eq!((EventStep::from_code(0), EventStep::from_code(255)), (None, None));
        assert_eq!(Verdict::named("Accepted"), None);
    }

    #[test]
    fn an_event_is_built_in_steps() {
        let (at, session, mail) = (
            Timestamp::from_millis(5),
            MailId::new(Timestamp::default(), 1),
            MailId::new(Timestamp::default(), 2),
        );
        let event = Event::new(at, session, EventStep::Recipient, Verdict::Refused, "no such mailbox")
            .of_mail(mail)
            .about("x@example.org")
            .replied("550 5.1.1 No such mailbox here: <x@example.org>");
        assert_eq!((event.session_id, event.mail_id), (session, Some(mail)));
        assert_eq!(event.address.as_deref(), Some("x@example.org"));
        assert!(event.reply.is_some_and(|reply| reply.starts_with("550")));
    }
}
