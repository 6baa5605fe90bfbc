//! The envelope (RFC 5321 §2.3.1, RFC 5598 §2.1): what the SMTP transaction said, apart from the message.

use std::fmt;

use crate::{ForwardPath, Mailbox, ReversePath, Timestamp};

/// Who sent a message, who is to get it, and what the client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// MAIL FROM.
    pub reverse_path: ReversePath,
    /// RCPT TO, in the order given, each accepted one once or more.
    pub recipients: Vec<EnvelopeRecipient>,
    /// The parameters of MAIL.
    pub parameters: MailParameters,
}

/// One accepted RCPT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeRecipient {
    /// RCPT TO.
    pub forward_path: ForwardPath,
    /// What its sender wants to hear about it.
    pub dsn: RecipientDsn,
}

/// The parameters of RCPT (RFC 3461 §4.1 and §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecipientDsn {
    /// NOTIFY=; where it was not said, the server that gives up reports failures, and may report delays
    /// (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// ORCPT=
    pub original_recipient: Option<OriginalRecipient>,
}

/// NOTIFY= of RCPT (RFC 3461 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    /// `NEVER`: not even of a failure.
    Never,
    /// At least one of them.
    When {
        /// `SUCCESS`
        success: bool,
        /// `FAILURE`
        failure: bool,
        /// `DELAY`
        delay: bool,
    },
}

/// ORCPT= of RCPT (RFC 3461 §4.2): what the sender wrote to, before any alias or list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginalRecipient {
    /// `rfc822`, `utf-8` …, as written.
    pub address_type: String,
    /// In the form of that type: xtext decoded.
    pub address: String,
}

/// The parameters of MAIL, but SIZE, which is of no use once the message is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailParameters {
    /// BODY=
    pub body_type: BodyType,
    /// SMTPUTF8 (RFC 6531): addresses and header fields may hold UTF-8.
    pub smtputf8: bool,
    /// REQUIRETLS (RFC 8689): every further hop must be over TLS to an authenticated server.
    pub require_tls: bool,
    /// RET= (RFC 3461 §4.3)
    pub ret: Option<DsnReturn>,
    /// ENVID= (RFC 3461 §4.4), xtext decoded: at most 100 printable octets of ASCII.
    pub envelope_id: Option<String>,
    /// AUTH= (RFC 4954 §5): the identity that submitted the message, as the client claims.
    pub auth: Option<AuthParameter>,
    /// HOLDFOR= or HOLDUNTIL= (RFC 4865)
    pub hold: Option<Hold>,
    /// BY= (RFC 2852)
    pub deliver_by: Option<DeliverBy>,
    /// MT-PRIORITY= (RFC 6710): -9 to 9.
    pub priority: Option<i8>,
    /// XIDEMPOTENCY=, an extension of Posta: messages of one account with the same key are accepted once.
    pub idempotency_key: Option<String>,
}

/// RET= of MAIL (RFC 3461 §4.3): what of the message a report of failure returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DsnReturn {
    /// `FULL`
    Full,
    /// `HDRS`
    Headers,
}

/// AUTH= of MAIL (RFC 4954 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthParameter {
    /// `<>`: not known, or not known well enough.
    Unknown,
    /// Who submitted it.
    Mailbox(Mailbox),
}

/// When a message may go on at the earliest (RFC 4865).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// HOLDFOR=, from when it was submitted.
    For {
        /// At least one, nine digits at most.
        seconds: u32,
    },
    /// HOLDUNTIL=
    Until(Timestamp),
}

/// BY= of MAIL (RFC 2852 §4): by when a message is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverBy {
    /// From when the transaction began; none is left where it is not positive.
    pub by_s: i64,
    /// What happens then.
    pub mode: ByMode,
    /// `T`: every relay reports.
    pub trace: bool,
}

/// What happens when the time of [`DeliverBy`] is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByMode {
    /// `R`: the message goes back.
    Return,
    /// `N`: the sender is told, and delivery is tried on.
    Notify,
}

/// The BODY parameter of MAIL (RFC 6152, RFC 3030).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyType {
    /// `7BIT`, also where nothing was said.
    #[default]
    SevenBit,
    /// `8BITMIME`
    EightBitMime,
    /// `BINARYMIME`: may only travel by BDAT.
    BinaryMime,
}

impl Envelope {
    /// An envelope that asks for nothing special.
    #[must_use]
    pub fn new(reverse_path: ReversePath, forward_paths: impl IntoIterator<Item = ForwardPath>) -> Self {
        let recipients = forward_paths.into_iter().map(EnvelopeRecipient::from).collect();
        Self { reverse_path, recipients, parameters: MailParameters::default() }
    }

    /// The recipients' addresses, in the order given.
    pub fn forward_paths(&self) -> impl ExactSizeIterator<Item = &ForwardPath> {
        self.recipients.iter().map(|recipient| &recipient.forward_path)
    }
}

impl From<ForwardPath> for EnvelopeRecipient {
    fn from(forward_path: ForwardPath) -> Self {
        Self { forward_path, dsn: RecipientDsn::default() }
    }
}

/// As after `NOTIFY=`.
impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::When { success, failure, delay } = *self else { return f.write_str("NEVER") };
        let mut separator = "";
        for (is_said, word) in [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")] {
            if is_said {
                write!(f, "{separator}{word}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

/// As after `RET=`.
impl fmt::Display for DsnReturn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}

/// As after `BY=`.
impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            ByMode::Return => "R",
            ByMode::Notify => "N",
        };
        write!(f, "{};{mode}{}", self.by_s, if self.trace { "T" } else { "" })
    }
}

/// What TLS agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsParameters {
    /// `TLS1.3`
    pub version: String,
    /// The registry's name of the cipher suite, for example `TLS_AES_256_GCM_SHA384`.
    pub cipher_suite: String,
}

/// How a message came in, as the `with` clause of `Received` names it (RFC 3848, RFC 6531 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// LMTP rather than SMTP.
    pub lmtp: bool,
    /// The client said EHLO, not HELO.
    pub extended: bool,
    /// Over TLS.
    pub tls: bool,
    /// After a successful AUTH.
    pub authenticated: bool,
    /// SMTPUTF8 was requested for this message.
    pub smtputf8: bool,
}

impl Protocol {
    /// The registered keyword: `SMTP`, `ESMTP`, `ESMTPSA`, `UTF8SMTP`, `LMTPS` …
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        let row = self.tls as usize + 2 * self.authenticated as usize;
        match (self.lmtp, self.smtputf8, self.extended) {
            (false, true, _) => ["UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA"][row],
            (true, true, _) => ["UTF8LMTP", "UTF8LMTPS", "UTF8LMTPA", "UTF8LMTPSA"][row],
            (true, false, _) => ["LMTP", "LMTPS", "LMTPA", "LMTPSA"][row],
            (false, false, true) => ["ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA"][row],
            (false, false, false) => "SMTP",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_with_keyword_is_the_one_that_rfc_3848_registers() {
        let esmtp =
            Protocol { lmtp: false, extended: true, tls: false, authenticated: false, smtputf8: false };
        assert_eq!(esmtp.keyword(), "ESMTP");
        assert_eq!(Protocol { tls: true, ..esmtp }.keyword(), "ESMTPS");
        assert_eq!(Protocol { tls: true, authenticated: true, ..esmtp }.keyword(), "ESMTPSA");
        assert_eq!(Protocol { authenticated: true, ..esmtp }.keyword(), "ESMTPA");
        assert_eq!(Protocol { extended: false, ..esmtp }.keyword(), "SMTP");
        assert_eq!(Protocol { lmtp: true, tls: true, ..esmtp }.keyword(), "LMTPS");
        assert_eq!(Protocol { smtputf8: true, ..esmtp }.keyword(), "UTF8SMTP");
        assert_eq!(Protocol { lmtp: true, smtputf8: true, ..esmtp }.keyword(), "UTF8LMTP");
    }
}
