//! The header fields that tell what was found: `Authentication-Results` (RFC 8601) and `Received-SPF` (RFC 7208 §9.1), and which
//! of those that came say that they are ours.
//!
//! Much of what they hold was said by strangers. Each value is a token or a quoted string of printable ASCII, and has an end, so
//! that none can make a line, a comment or another result (RFC 8601 §7, RFC 7208 §9.1).

use std::net::{IpAddr, Ipv4Addr};

use crate::fields::Field;
use crate::iprev::Iprev;
use crate::{arc, dkim, dmarc, spf};

/// Gathers the results of a message.
///
/// ```text
/// authres-header-field = "Authentication-Results:" authres-payload
/// authres-payload = [CFWS] authserv-id [ CFWS authres-version ] ( no-result / 1*resinfo ) [CFWS] CRLF
/// resinfo         = [CFWS] ";" methodspec [ CFWS reasonspec ] [ CFWS 1*propspec ]
/// ```
#[derive(Debug, Clone)]
pub struct AuthenticationResults {
    text: String,
    has_results: bool,
}

impl AuthenticationResults {
    /// Of the server that calls itself so (`authserv-id`).
    #[must_use]
    pub fn new(authserv_id: &str) -> Self {
        Self { text: format!("Authentication-Results: {}", value(authserv_id)), has_results: false }
    }

    /// A login as that account (RFC 8601 §2.7.4).
    pub fn auth(&mut self, account: &str) {
        self.result("auth", "pass", None);
        self.property("smtp.auth", account);
    }

    /// What the name of the client's address is.
    pub fn iprev(&mut self, found: &Iprev, ip: IpAddr) {
        self.result("iprev", found.keyword(), None);
        self.property("policy.iprev", &ip.to_canonical().to_string());
        if let Iprev::Pass { name } = found {
            self.property("policy.name", name);
        }
    }

    /// SPF of one identity.
    pub fn spf(&mut self, outcome: &spf::Outcome, identity: spf::Identity<'_>) {
        let reason = outcome.problem.as_ref().map(ToString::to_string);
        self.result("spf", outcome.result.keyword(), reason.as_deref());
        let property = match identity {
            spf::Identity::Helo => "smtp.helo",
            spf::Identity::MailFrom(_) => "smtp.mailfrom",
        };
        self.property(property, &outcome.domain);
    }

    /// Each signature; `none` where there is not any.
    pub fn dkim(&mut self, found: &[dkim::Verified]) {
        if found.is_empty() {
            self.result("dkim", "none", None);
        }
        for verified in found {
            let reason = match (&verified.problem, verified.rsa_bits) {
                (Some(problem), _) => Some(problem.to_string()),
                (None, Some(bits)) if verified.is_weak() => Some(format!("weak key of {bits} bits")),
                (None, _) => None,
            };
            self.result("dkim", verified.result.keyword(), reason.as_deref());
            if !verified.domain.is_empty() {
                self.property("header.d", &verified.domain);
            }
            if let Some(identity) = &verified.identity {
                self.property("header.i", identity);
            }
            if !verified.selector.is_empty() {
                self.property("header.s", &verified.selector);
            }
            if let Some(algorithm) = verified.algorithm {
                self.property("header.a", algorithm.keyword());
            }
            if !verified.prefix.is_empty() {
                self.property("header.b", &verified.prefix);
            }
        }
    }

    /// The chain.
    pub fn arc(&mut self, outcome: &arc::Outcome) {
        let reason = outcome.problem.as_ref().map(ToString::to_string);
        self.result("arc", outcome.result.keyword(), reason.as_deref());
        if let Some(sealer) = outcome.sealers.last() {
            self.property("policy.sealer", sealer);
        }
    }

    /// DMARC of the author domain, and which policy its owner has.
    pub fn dmarc(&mut self, outcome: &dmarc::Outcome) {
        let reason =
            outcome.trouble.as_ref().map(|(name, trouble)| format!("no answer for {name}: {trouble}"));
        self.result("dmarc", outcome.result.keyword(), reason.as_deref());
        self.property("header.from", outcome.author.ascii());
        if outcome.record.is_some() {
            self.property("policy.dmarc", outcome.policy.keyword());
        }
    }

    /// An allow list of the DNS that knows the sender, with its answers (RFC 8904).
    pub fn dnswl(&mut self, zone: &str, answers: &[Ipv4Addr]) {
        self.result("dnswl", "pass", None);
        self.property("dns.zone", zone);
        let answers: Vec<_> = answers.iter().map(ToString::to_string).collect();
        self.property("policy.ip", &answers.join(","));
    }

    /// The field, with its name and line end, to put above the header section.
    #[must_use]
    pub fn into_field(mut self) -> String {
        if !self.has_results {
            self.text += "; none";
        }
        self.text += "\r\n";
        self.text
    }

    fn result(&mut self, method: &str, keyword: &str, reason: Option<&str>) {
        self.has_results = true;
        self.text += &format!(";\r\n\t{method}={keyword}");
        if let Some(reason) = reason {
            self.text += &format!("\r\n\t reason={}", quoted(reason));
        }
    }

    fn property(&mut self, name: &str, text: &str) {
        self.text += &format!("\r\n\t {name}={}", property_value(text));
    }
}

/// `Received-SPF` of one check, with its name and line end.
#[must_use]
pub fn received_spf(client: &spf::Client<'_>, identity: spf::Identity<'_>, outcome: &spf::Outcome) -> String {
    let ip = client.ip.to_canonical().to_string();
    let said = match outcome.result {
        spf::SpfResult::Pass => "designates the client as permitted sender",
        spf::SpfResult::Fail => "does not designate the client as permitted sender",
        spf::SpfResult::SoftFail => "probably does not designate the client as permitted sender",
        spf::SpfResult::Neutral => "neither permits nor denies the client",
        spf::SpfResult::None => "does not say who may send for it",
        spf::SpfResult::TempError => "could not be asked",
        spf::SpfResult::PermError => "publishes an SPF record that cannot be used",
    };
    let mut field = format!(
        "Received-SPF: {}\r\n\t({}: domain of sender {said})\r\n\treceiver={}; client-ip={};",
        outcome.result,
        comment(client.receiver),
        value(client.receiver),
        value(&ip),
    );
    let mut pair = |key: &str, text: &str| field += &format!("\r\n\t{key}={};", value(text));
    pair("helo", client.helo);
    match identity {
        spf::Identity::Helo => pair("identity", "helo"),
        spf::Identity::MailFrom(path) => {
            pair("envelope-from", path);
            pair("identity", "mailfrom");
        }
    }
    match (&outcome.mechanism, &outcome.problem) {
        (Some(mechanism), _) => pair("mechanism", mechanism),
        (None, Some(problem)) => pair("problem", &problem.to_string()),
        (None, None) => pair("mechanism", "default"),
    }
    field + "\r\n"
}

/// Whether a field that came claims to be of this server, which nothing that comes from outside is: it is to be removed
/// (RFC 8601 §5). One that cannot be read is taken for such a claim too, since others may read it otherwise.
#[must_use]
pub fn is_forged(field: &Field<'_>, authserv_id: &str) -> bool {
    if field.is("Authentication-Results") {
        return said_authserv_id(field.value).is_none_or(|said| said.eq_ignore_ascii_case(authserv_id));
    }
    field.is("Received-SPF") && names_receiver(field.value, authserv_id)
}

/// `[CFWS] value`, up to white space, a comment or `;`.
fn said_authserv_id(octets: &[u8]) -> Option<String> {
    let mut rest = std::str::from_utf8(octets).ok()?.trim_ascii_start();
    while rest.starts_with('(') {
        rest = after_comment(rest)?.trim_ascii_start();
    }
    if let Some(inside) = rest.strip_prefix('"') {
        return unquote(inside);
    }
    let end =
        rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, ';' | '(' | '"')).unwrap_or(rest.len());
    let (id, after) = rest.split_at(end);
    (!id.is_empty() && !after.starts_with('"')).then(|| id.to_owned())
}

/// Comments nest (RFC 5322 §3.2.2).
fn after_comment(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '(' => depth += 1,
            ')' if depth == 1 => return text.get(at + 1..),
            ')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

fn unquote(inside: &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = inside.chars();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.push(chars.next()?),
            c => text.push(c),
        }
    }
}

/// Whether the name stands in it as a word, wherever: in the comment and behind `receiver=` it means the same to a reader.
fn names_receiver(octets: &[u8], name: &str) -> bool {
    let text = String::from_utf8_lossy(octets);
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.split(|c: char| !is_part(c)).any(|word| word.eq_ignore_ascii_case(name))
}

/// A token, or else a quoted string.
fn value(text: &str) -> String {
    if is_plain(text) && !text.starts_with('.') && !text.ends_with('.') && !text.contains("..") {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// Properties may be `[local-part] "@" domain-name` too (RFC 8601 §2.2).
fn property_value(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((local_part, domain)) if (local_part.is_empty() || is_plain(local_part)) && is_plain(domain) => {
            text.to_owned()
        }
        _ => value(text),
    }
}

/// What is a dot-atom of RFC 5322 and a token of RFC 2045 both, so that it needs no quotes anywhere.
fn is_plain(text: &str) -> bool {
    let is_allowed = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.' | b'+');
    !text.is_empty() && text.len() <= VALUE_BYTES_MAX && text.bytes().all(is_allowed)
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars().take(VALUE_BYTES_MAX) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(if c.is_ascii_graphic() || c == ' ' { c } else { '?' });
    }
    quoted + "\""
}

/// What may stand in a comment as it is.
fn comment(text: &str) -> String {
    let is_allowed = |c: &char| c.is_ascii_graphic() && !matches!(c, '(' | ')' | '\\');
    text.chars().filter(is_allowed).take(VALUE_BYTES_MAX).collect()
}

/// A line has at most 998 octets (RFC 5322 §2.1.1); a value that is all quotation marks becomes twice as long.
const VALUE_BYTES_MAX: usize = 320;
