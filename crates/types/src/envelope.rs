//! The envelope (RFC 5321 §2.3.1, RFC 5598 §2.1): what the SMTP transaction said, apart from the message.

use crate::{ForwardPath, ReversePath};

/// Who sent a message and who is to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// MAIL FROM.
    pub reverse_path: ReversePath,
    /// RCPT TO, in the order given, each accepted one once or more.
    pub forward_paths: Vec<ForwardPath>,
    /// BODY= of MAIL.
    pub body_type: BodyType,
    /// SMTPUTF8 of MAIL (RFC 6531): addresses and header fields may hold UTF-8.
    pub smtputf8: bool,
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
