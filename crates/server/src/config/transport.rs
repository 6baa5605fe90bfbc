//! Where mail for some destinations goes by the operator's word (`[[transport]]`).

use std::fmt;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use mta::route::{Override, Pattern, Protocol, Transport, fitting};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use types::{AddressLiteral, Domain, EnhancedStatus, Host, StatusClass};

use super::Relay;
use super::findings::Findings;
use super::section::{Section as _, sections};
use super::value::{Fault, OptionalFile, Text, Value, quoted};
use super::words::{OutboundTls, TransportTls};

sections! {
    /// Where mail for some destinations goes; as many of these tables as are wanted. Of those that fit a destination the
    /// closest counts, whatever their order: the domain itself, then the longest domain above it, then `*`. All other
    /// mail goes where the DNS says (docs/routing.md).
    struct TransportTable {
        /// For which destinations: a domain `example.org`, all domains below it `.example.org`, or all `*`.
        r#match: TransportMatch = TransportMatch(Pattern::Everything);
        /// Where to: `mx` (where the DNS says), `mx:other.example` (where the DNS says of another domain),
        /// `smtp://host:25`, `smtps://host:465` (TLS from the first octet), `lmtp://host:24`, `lmtp:/path` (a socket of
        /// this machine), `on-demand` (it waits until its host asks for it), `discard`, or `fail`.
        to: TransportTo = TransportTo::Mx;
        /// With `fail`: the enhanced status (RFC 3463). With one that begins with 4 the mail is tried again.
        status: EnhancedStatus = EnhancedStatus::permanent(7, 1);
        /// With `fail`: what the sender reads.
        text: Text = Text("Mail for this destination is not sent from here".to_owned());
        /// With a host: the name for AUTH there; empty for none.
        user: Text = Text(String::new());
        /// With a host: the file that holds the password for AUTH, on its first line.
        password_file: OptionalFile = OptionalFile(None);
        /// TLS: `default` (as `[delivery]` says), `none`, `opportunistic`, `required`, `verified` or `dane`. With a
        /// password it is `verified` by default, since that is not for just anybody.
        tls: TransportTls = TransportTls::Default;
        /// With `verified`: names of which the certificate must have one; empty for the name of the host.
        tls_names: Vec<Domain> = Vec::new();
        /// Addresses of this machine that connections are made from; empty for those of `[delivery]`.
        source_addresses: Vec<IpAddr> = Vec::new();
        /// Connections at one time; 0 for as many as `[delivery]` allows.
        connections_max: usize = 0;
        /// Messages in a minute; 0 for any number.
        messages_per_minute_max: usize = 0;
    }
}

/// For which destinations a rule is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportMatch(pub Pattern);

/// Where a rule sends mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportTo {
    /// Where the DNS says.
    Mx,
    /// Where the DNS says of another domain.
    MxOf(Domain),
    /// To a host.
    Host {
        /// A name or an address.
        host: Host,
        /// Where it listens.
        port: u16,
        /// What it speaks.
        scheme: Scheme,
    },
    /// To an LMTP socket.
    Socket(String),
    /// It waits until its host asks for it.
    OnDemand,
    /// Nowhere.
    Discard,
    /// Back.
    Fail,
}

/// What a host of a [`TransportTo`] speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// SMTP.
    Smtp,
    /// SMTP within TLS from the first octet.
    Smtps,
    /// LMTP.
    Lmtp,
}

/// When TLS begins on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TlsStart {
    /// After STARTTLS, where it begins at all.
    #[default]
    Negotiated,
    /// Before the first octet of SMTP.
    AtOnce,
}

/// A rule of the operator, ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportRule {
    /// For which destinations, and where to.
    pub rule: Override,
    /// When TLS begins.
    pub tls_start: TlsStart,
    /// TLS; none for what `[delivery]` says.
    pub tls: Option<OutboundTls>,
    /// With [`OutboundTls::Verified`]: the names of which the certificate must have one; empty for that of the host.
    pub tls_names: Vec<Domain>,
    /// What is said with AUTH.
    pub login: Option<TransportLogin>,
    /// Where connections are made from; empty for what `[delivery]` says.
    pub source_addresses: Vec<IpAddr>,
    /// Connections at one time; none for what `[delivery]` says.
    pub connections_max: Option<usize>,
    /// Messages in a minute; none for any number.
    pub messages_per_minute_max: Option<usize>,
}

/// What is said with AUTH to a host that the operator names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportLogin {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Password,
}

/// A secret, which nothing shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// All rules, with the one for what no other fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transports {
    rules: Vec<Arc<TransportRule>>,
    mx: Arc<TransportRule>,
}

impl TransportRule {
    /// A rule that says nothing but where mail goes.
    #[must_use]
    pub const fn new(pattern: Pattern, transport: Transport) -> Self {
        Self {
            rule: Override { pattern, transport },
            tls_start: TlsStart::Negotiated,
            tls: None,
            tls_names: Vec::new(),
            login: None,
            source_addresses: Vec::new(),
            connections_max: None,
            messages_per_minute_max: None,
        }
    }
}

impl Transports {
    /// Of these rules.
    #[must_use]
    pub fn new(rules: Vec<TransportRule>) -> Self {
        let mx = Arc::new(TransportRule::new(Pattern::Everything, Transport::Mx));
        Self { rules: rules.into_iter().map(Arc::new).collect(), mx }
    }

    /// The rule for a destination; that of the DNS where the operator says nothing of it.
    #[must_use]
    pub fn rule(&self, destination: &Host) -> &Arc<TransportRule> {
        fitting(&self.rules, |rule| &rule.rule.pattern, destination).unwrap_or(&self.mx)
    }

    /// The operator's rules, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TransportRule>> {
        self.rules.iter()
    }
}

impl Default for Transports {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Password {
    /// Of its text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// For the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// All `[[transport]]` tables.
pub(super) fn rules(root: &DeTable<'_>, findings: &mut Findings) -> Transports {
    const MEND: &str = "write [[transport]] on a line of its own, once for each rule";
    let Some(value) = root.get("transport") else { return Transports::default() };
    let Some(array) = value.get_ref().as_array() else {
        findings.add(value.span(), "`transport` is a list of tables", MEND);
        return Transports::default();
    };
    let mut rules: Vec<TransportRule> = Vec::new();
    for value in array.iter() {
        let Some(table) = value.get_ref().as_table() else {
            findings.add(value.span(), "`transport` is a list of tables", MEND);
            continue;
        };
        for (key, example) in
            [("match", "match = \"example.org\""), ("to", "to = \"smtp://host.example:25\"")]
        {
            if !table.contains_key(key) {
                findings.add(
                    value.span(),
                    format!("the rule has no `{key}`"),
                    format!("add a line {example}"),
                );
            }
        }
        let rule = rule(table, findings);
        let is_twice = rules.iter().any(|other| other.rule.pattern == rule.rule.pattern);
        if let Some(said) = table.get("match").filter(|_| is_twice) {
            findings.add(said.span(), "two rules for the same destinations", "remove one of the two");
        }
        rules.push(rule);
    }
    Transports::new(rules)
}

fn rule(table: &DeTable<'_>, findings: &mut Findings) -> TransportRule {
    let section = TransportTable::read(table, &[], findings);
    for (key, what, mend) in contradictions(&section) {
        if let Some(value) = table.get(key) {
            findings.add(value.span(), what, mend);
        }
    }
    let login = login(&section, table, findings);
    let TransportTable { status, text: Text(text), .. } = section;
    let (transport, tls_start) = match section.to {
        TransportTo::Mx => (Transport::Mx, TlsStart::Negotiated),
        TransportTo::MxOf(domain) => (Transport::MxOf(domain), TlsStart::Negotiated),
        TransportTo::Host { host, port, scheme } => {
            let (protocol, start) = match scheme {
                Scheme::Smtp => (Protocol::Smtp, TlsStart::Negotiated),
                Scheme::Smtps => (Protocol::Smtp, TlsStart::AtOnce),
                Scheme::Lmtp => (Protocol::Lmtp, TlsStart::Negotiated),
            };
            (Transport::Host { host, port, protocol }, start)
        }
        TransportTo::Socket(path) => (Transport::Socket(path), TlsStart::Negotiated),
        TransportTo::OnDemand => (Transport::OnDemand, TlsStart::Negotiated),
        TransportTo::Discard => (Transport::Discard, TlsStart::Negotiated),
        TransportTo::Fail => (Transport::Fail { status, text }, TlsStart::Negotiated),
    };
    TransportRule {
        tls_start,
        tls: match section.tls {
            // A password is for one host alone.
            TransportTls::Default if login.is_some() => Some(OutboundTls::Verified),
            TransportTls::Default => None,
            TransportTls::None => Some(OutboundTls::None),
            TransportTls::Opportunistic => Some(OutboundTls::Opportunistic),
            TransportTls::Required => Some(OutboundTls::Required),
            TransportTls::Verified => Some(OutboundTls::Verified),
            TransportTls::Dane => Some(OutboundTls::Dane),
        },
        tls_names: section.tls_names,
        login,
        source_addresses: section.source_addresses,
        connections_max: Some(section.connections_max).filter(|max| *max > 0),
        messages_per_minute_max: Some(section.messages_per_minute_max).filter(|max| *max > 0),
        ..TransportRule::new(section.r#match.0, transport)
    }
}

/// Keys that do not go together: the key, what is wrong with it, the mend.
fn contradictions(section: &TransportTable) -> Vec<(&'static str, String, &'static str)> {
    let mut found = Vec::new();
    let leaves = !matches!(section.to, TransportTo::Discard | TransportTo::Fail | TransportTo::Socket(_));
    let is_host = matches!(section.to, TransportTo::Host { .. });
    let is_fail = section.to == TransportTo::Fail;
    let untouched = TransportTable::default();
    for (key, is_set, fits, what) in [
        ("status", section.status != untouched.status, is_fail, "`status` goes with to = \"fail\""),
        ("text", section.text != untouched.text, is_fail, "`text` goes with to = \"fail\""),
        ("user", section.user != untouched.user, is_host, "`user` goes with a host"),
        ("password_file", section.password_file.0.is_some(), is_host, "`password_file` goes with a host"),
        ("tls", section.tls != untouched.tls, leaves, "`tls` is for mail that leaves this machine"),
        (
            "source_addresses",
            !section.source_addresses.is_empty(),
            leaves,
            "`source_addresses` is for mail that leaves this machine",
        ),
    ] {
        if is_set && !fits {
            found.push((key, what.to_owned(), "remove it, or change `to`"));
        }
    }
    if section.status.class == StatusClass::Success {
        found.push((
            "status",
            "what fails has no status of success".to_owned(),
            "write \"5.7.1\" or \"4.7.1\"",
        ));
    }
    if !section.tls_names.is_empty() && section.tls != TransportTls::Verified {
        let what = "`tls_names` are of a certificate that is verified".to_owned();
        found.push(("tls_names", what, "set tls = \"verified\", or remove them"));
    }
    let begins_with_tls = matches!(section.to, TransportTo::Host { scheme: Scheme::Smtps, .. });
    if begins_with_tls && matches!(section.tls, TransportTls::None | TransportTls::Opportunistic) {
        found.push(("tls", "smtps begins with TLS".to_owned(), "remove it, or write smtp://"));
    }
    if section.password_file.0.is_some() && section.tls == TransportTls::None {
        let what = "the password would be read by anybody on the way".to_owned();
        found.push(("tls", what, "remove it: `verified` is the default with a password"));
    }
    for address in &section.source_addresses {
        if address.is_unspecified() || address.is_multicast() {
            let what = format!("{address} is no address of a machine");
            found.push(("source_addresses", what, "name addresses of this machine"));
        }
    }
    found
}

fn login(section: &TransportTable, table: &DeTable<'_>, findings: &mut Findings) -> Option<TransportLogin> {
    let Text(user) = &section.user;
    let spot = |key: &str| table.get(key).map_or(0..0, Spanned::span);
    match (user.is_empty(), &section.password_file.0) {
        (true, None) => None,
        (false, None) => {
            findings.add(
                spot("user"),
                "`user` without `password_file`",
                "add a line password_file = \"FILE\"",
            );
            None
        }
        (true, Some(_)) => {
            findings.add(
                spot("password_file"),
                "`password_file` without `user`",
                "add a line user = \"NAME\"",
            );
            None
        }
        (false, Some(path)) => match read_password(path) {
            Ok(password) => Some(TransportLogin { user: user.clone(), password }),
            Err(why) => {
                let mend = "name a file that this program may read, with the password on its first line";
                findings.add(spot("password_file"), format!("{}: {why}", path.display()), mend);
                None
            }
        },
    }
}

/// Octets of a password, as `sasl` takes them.
const PASSWORD_BYTES_MAX: u64 = 1000;

/// The first line of a file.
fn read_password(path: &Path) -> Result<Password, String> {
    let mut octets = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(PASSWORD_BYTES_MAX + 2).read_to_end(&mut octets).map_err(|error| error.to_string())?;
    let line = octets.split(|octet| matches!(octet, b'\n' | b'\r')).next().unwrap_or_default();
    match std::str::from_utf8(line) {
        Ok("") => Err("there is no password in it".to_owned()),
        Ok(text) if text.len() as u64 > PASSWORD_BYTES_MAX => Err("its first line is too long".to_owned()),
        Ok(text) if text.contains('\0') => Err("a password holds no NUL".to_owned()),
        Ok(text) => Ok(Password::new(text.to_owned())),
        Err(_) => Err("its first line is not UTF-8".to_owned()),
    }
}

impl Value for TransportMatch {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str =
            "write \"example.org\", \".example.org\" for the domains below it, or \"*\" for all";
        let text = value.as_str().ok_or_else(|| Fault::of_type(value, "a destination", MEND))?;
        let domain = |text: &str| {
            text.parse::<Domain>().map_err(|error| Fault::new(format!("{text:?}: {error}"), MEND))
        };
        Ok(Self(match text.strip_prefix('.') {
            _ if text == "*" => Pattern::Everything,
            Some(below) => Pattern::Below(domain(below)?),
            None => Pattern::Domain(domain(text)?),
        }))
    }

    fn write(&self) -> String {
        match &self.0 {
            Pattern::Everything => quoted("*"),
            Pattern::Domain(domain) => quoted(domain.as_str()),
            Pattern::Below(domain) => quoted(&format!(".{domain}")),
        }
    }
}

const TO_MEND: &str = "write \"mx\", \"mx:other.example\", \"smtp://host.example:25\", \"smtps://host.example:465\", \
                       \"lmtp://host.example:24\", \"lmtp:/path\", \"on-demand\", \"discard\" or \"fail\"";

impl std::str::FromStr for TransportTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "mx" => return Ok(Self::Mx),
            "on-demand" => return Ok(Self::OnDemand),
            "discard" => return Ok(Self::Discard),
            "fail" => return Ok(Self::Fail),
            _ => {}
        }
        for (start, scheme) in
            [("smtp://", Scheme::Smtp), ("smtps://", Scheme::Smtps), ("lmtp://", Scheme::Lmtp)]
        {
            if let Some(rest) = text.strip_prefix(start) {
                let (host, port) = host_and_port(rest)?;
                if scheme == Scheme::Lmtp && port == 25 {
                    // RFC 2033 §5.
                    return Err("port 25 is not for LMTP".to_owned());
                }
                return Ok(Self::Host { host, port, scheme });
            }
        }
        if let Some(domain) = text.strip_prefix("mx:") {
            return domain.parse().map(Self::MxOf).map_err(|error| format!("{domain:?}: {error}"));
        }
        match text.strip_prefix("lmtp:") {
            Some(path) if path.starts_with('/') && !path.ends_with('/') && !path.contains('\0') => {
                Ok(Self::Socket(path.to_owned()))
            }
            Some(_) => Err("the path of a socket begins with a slash".to_owned()),
            None => Err(format!("{text:?} is no way for mail")),
        }
    }
}

/// `host:port`, an IPv6 address in brackets.
///
/// # Errors
/// What is wrong with it, in words.
pub fn host_and_port(text: &str) -> Result<(Host, u16), String> {
    let ip = |ip: IpAddr| Host::Literal(AddressLiteral::Ip(ip));
    let no_port = || format!("{text:?} has no port");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (inner, after) =
                rest.split_once(']').ok_or_else(|| format!("{text:?}: the bracket is open"))?;
            let inner = inner.parse().map_err(|_| format!("{inner:?} is no IP address"))?;
            (ip(inner), after.strip_prefix(':').ok_or_else(no_port)?)
        }
        None if text.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) => {
            return Err("an IPv6 address stands in brackets, with a port behind it".to_owned());
        }
        None => {
            let (host, port) = text.rsplit_once(':').ok_or_else(no_port)?;
            let host = match host.parse() {
                Ok(address) => ip(address),
                Err(_) => Host::Domain(host.parse().map_err(|error| format!("{host:?}: {error}"))?),
            };
            (host, port)
        }
    };
    let is_number = port.bytes().all(|octet| octet.is_ascii_digit());
    match port.parse() {
        Ok(number) if is_number && number > 0 => Ok((host, number)),
        _ => Err(format!("{port:?} is no port")),
    }
}

impl fmt::Display for TransportTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mx => f.write_str("mx"),
            Self::MxOf(domain) => write!(f, "mx:{domain}"),
            Self::Host { host, port, scheme } => {
                f.write_str(match scheme {
                    Scheme::Smtp => "smtp://",
                    Scheme::Smtps => "smtps://",
                    Scheme::Lmtp => "lmtp://",
                })?;
                Relay { host: host.clone(), port: *port }.fmt(f)
            }
            Self::Socket(path) => write!(f, "lmtp:{path}"),
            Self::OnDemand => f.write_str("on-demand"),
            Self::Discard => f.write_str("discard"),
            Self::Fail => f.write_str("fail"),
        }
    }
}

impl Value for TransportTo {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        let text = value.as_str().ok_or_else(|| Fault::of_type(value, "a way for mail", TO_MEND))?;
        text.parse().map_err(|what| Fault::new(what, TO_MEND))
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Value for EnhancedStatus {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write a status, for example \"5.7.1\"";
        let text = value.as_str().ok_or_else(|| Fault::of_type(value, "a status", MEND))?;
        text.parse().map_err(|error| Fault::new(format!("{text:?}: {error}"), MEND))
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }
}

#[cfg(test)]
#[path = "transport/tests.rs"]
mod tests;
