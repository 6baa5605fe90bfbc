//! What the reply to EHLO or LHLO offers.
//!
//! ```text
//! ehlo-line    = ehlo-keyword *( SP ehlo-param )
//! ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
//! ```
//!
//! A keyword that is malformed offers nothing. Where a keyword comes twice, the first counts.

use types::Reply;

/// The service extensions of one session, as typed values (RFC 5321 §4.1.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extensions {
    /// SIZE (RFC 1870).
    pub size: Option<SizeOffer>,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030); of use only with CHUNKING.
    pub binarymime: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_status_codes: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// AUTH (RFC 4954): the mechanisms in upper case, in the order of the server.
    pub auth: Vec<String>,
    /// REQUIRETLS (RFC 8689).
    pub require_tls: bool,
    /// MT-PRIORITY (RFC 6710).
    pub mt_priority: bool,
    /// DELIVERBY (RFC 2852): the shortest time in seconds that the server undertakes to keep, 0 where it names none.
    pub deliver_by_min_s: Option<u64>,
    /// LIMITS (RFC 9422).
    pub limits: SessionLimits,
    /// The lines whose keyword is not known here, as they came.
    pub unknown: Vec<String>,
}

/// The SIZE extension (RFC 1870 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeOffer {
    /// `SIZE` or `SIZE 0`: MAIL takes the parameter, and there is no fixed limit.
    NoLimit,
    /// `SIZE n`: the largest message in octets.
    Max(u64),
}

/// The values of LIMITS (RFC 9422); each is missing where it was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionLimits {
    /// MAIL commands of a session, failed ones too.
    pub mail_max: Option<u32>,
    /// RCPT commands of a transaction, failed ones too.
    pub rcpt_max: Option<u32>,
    /// Different recipient domains of a session.
    pub rcpt_domain_max: Option<u32>,
}

impl Extensions {
    /// Reads all lines of `reply` but the first, which greets.
    #[must_use]
    pub fn parse(reply: &Reply) -> Self {
        let mut extensions = Self::default();
        for line in reply.text.split('\n').skip(1) {
            extensions.read_line(line);
        }
        extensions
    }

    fn read_line(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let Some(keyword) = words.next() else { return };
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" if self.size.is_none() => self.size = Some(SizeOffer::parse(words.next())),
            "SIZE" => {}
            "PIPELINING" => self.pipelining = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "CHUNKING" => self.chunking = true,
            "BINARYMIME" => self.binarymime = true,
            "DSN" => self.dsn = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "STARTTLS" => self.starttls = true,
            "AUTH" if self.auth.is_empty() => self.auth = words.map(str::to_ascii_uppercase).collect(),
            "AUTH" => {}
            "REQUIRETLS" => self.require_tls = true,
            "MT-PRIORITY" => self.mt_priority = true,
            "DELIVERBY" if self.deliver_by_min_s.is_none() => {
                self.deliver_by_min_s = Some(words.next().and_then(|word| word.parse().ok()).unwrap_or(0));
            }
            "DELIVERBY" => {}
            "LIMITS" => words.for_each(|word| self.limits.read_word(word)),
            _ => self.unknown.push(line.to_owned()),
        }
    }
}

impl SizeOffer {
    /// A value that is no number, or that no `u64` holds, limits nothing.
    fn parse(word: Option<&str>) -> Self {
        let digits = word.filter(|w| w.bytes().all(|b| b.is_ascii_digit()));
        match digits.and_then(|w| w.parse().ok()) {
            None | Some(0) => Self::NoLimit,
            Some(max) => Self::Max(max),
        }
    }
}

impl SessionLimits {
    /// `name "=" value`, a value of one to six digits, not 0; anything else is passed over.
    fn read_word(&mut self, word: &str) {
        let Some((name, value)) = word.split_once('=') else { return };
        let is_number = (1..=6).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
        let Some(value) = value.parse().ok().filter(|value| is_number && *value > 0) else { return };
        let slot = match name.to_ascii_uppercase().as_str() {
            "MAILMAX" => &mut self.mail_max,
            "RCPTMAX" => &mut self.rcpt_max,
            "RCPTDOMAINMAX" => &mut self.rcpt_domain_max,
            _ => return,
        };
        slot.get_or_insert(value);
    }
}
