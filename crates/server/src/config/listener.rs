//! What the keys of a listener mean together.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::address::ListenAddress;
use super::findings::Findings;
use super::section::Section as _;
use super::sections::{Listener, Smtp};
use super::value::{ByteSize, FileMode, HandTypedLf, Seconds};
use super::words::{AuthChoice, Service, TlsChoice};

/// What a listener does about TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsPolicy {
    /// There is none.
    Off,
    /// Who asks for it gets it.
    Offered,
    /// Nothing is done without it.
    Required,
}

/// What a listener does about AUTH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthPolicy {
    /// There is none.
    Off,
    /// Who wants to logs in.
    Offered,
    /// Who has not logged in sends nothing.
    Required,
}

impl Service {
    /// The standard port; of LMTP, which has none, the one that people use. (RFC 2033 §5 forbids 25.)
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Submission => 587,
            Self::Submissions => 465,
            Self::Lmtp => 24,
            Self::Imap => 143,
            Self::Imaps => 993,
            Self::Pop3 => 110,
            Self::Pop3s => 995,
            Self::Odmr => 366,
            Self::Http => 80,
        }
    }

    /// Whether TLS begins with the first octet.
    #[must_use]
    pub const fn begins_with_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Imaps | Self::Pop3s)
    }

    /// Whether mail comes in there.
    #[must_use]
    pub const fn takes_mail(self) -> bool {
        matches!(self, Self::Smtp | Self::Submission | Self::Submissions | Self::Lmtp)
    }

    /// Whether clients log in there with AUTH.
    #[must_use]
    pub const fn takes_logins(self) -> bool {
        self.takes_mail() || matches!(self, Self::Odmr)
    }

    /// Whether it is for those who have an account here (RFC 6409 §4.3).
    #[must_use]
    pub const fn is_submission(self) -> bool {
        matches!(self, Self::Submission | Self::Submissions)
    }
}

impl Listener {
    /// A listener with what is right for the service.
    #[must_use]
    pub fn new(service: Service, address: impl Into<ListenAddress>) -> Self {
        Self { service, address: address.into(), ..Self::default() }
    }

    /// What it does about TLS.
    #[must_use]
    pub const fn tls_policy(&self) -> TlsPolicy {
        match (self.tls, self.service) {
            (_, service) if service.begins_with_tls() => TlsPolicy::Required,
            (TlsChoice::Required, _) => TlsPolicy::Required,
            (TlsChoice::Offered, _) => TlsPolicy::Offered,
            (TlsChoice::Off, _) | (TlsChoice::Default, Service::Http) => TlsPolicy::Off,
            (TlsChoice::Default, _) if matches!(self.address, ListenAddress::Unix(_)) => TlsPolicy::Off,
            (TlsChoice::Default, Service::Submission) => TlsPolicy::Required,
            (TlsChoice::Default, _) => TlsPolicy::Offered,
        }
    }

    /// What it does about AUTH.
    #[must_use]
    pub const fn auth_policy(&self) -> AuthPolicy {
        match (self.auth, self.service) {
            (AuthChoice::Offered, _) => AuthPolicy::Offered,
            // RFC 2645 §5.1: on a listener for ATRN nothing can be done without it.
            (AuthChoice::Required, _)
            | (AuthChoice::Default, Service::Submission | Service::Submissions | Service::Odmr) => {
                AuthPolicy::Required
            }
            _ => AuthPolicy::Off,
        }
    }

    /// Octets of a message.
    #[must_use]
    pub const fn message_bytes_max(&self, smtp: &Smtp) -> u64 {
        match self.message_bytes_max {
            ByteSize(0) => smtp.message_bytes_max.bytes(),
            own => own.bytes(),
        }
    }

    /// Recipients of a message.
    #[must_use]
    pub const fn recipients_max(&self, smtp: &Smtp) -> usize {
        if self.recipients_max == 0 { smtp.recipients_max } else { self.recipients_max }
    }

    /// Only who is on this machine speaks there. Behind a proxy the client can be anywhere.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.address.is_local() && self.proxy_from.is_empty()
    }
}

/// Where there is no listener in the file. With a certificate there is mail from users too.
pub(super) fn default_listeners(has_certificate: bool) -> Vec<Listener> {
    let everywhere = |service: Service| Listener::new(service, ([0, 0, 0, 0], service.port()));
    let mut listeners = vec![Listener::default()];
    if has_certificate {
        listeners.extend([Service::Submission, Service::Submissions].map(everywhere));
    }
    for (clear, within_tls) in [(Service::Imap, Service::Imaps), (Service::Pop3, Service::Pop3s)] {
        listeners.push(Listener::new(clear, ([127, 0, 0, 1], clear.port())));
        if has_certificate {
            listeners.push(everywhere(within_tls));
        }
    }
    listeners
}

impl From<([u8; 4], u16)> for ListenAddress {
    fn from(address: ([u8; 4], u16)) -> Self {
        Self::Tcp(address.into())
    }
}

/// Reads one `[[listener]]`.
pub(super) fn read(value: &Spanned<DeValue<'_>>, table: &DeTable<'_>, findings: &mut Findings) -> Listener {
    let listener = Listener::read(table, &[], findings);
    for (key, example) in [("service", "service = \"smtp\""), ("address", "address = \"0.0.0.0:25\"")] {
        if !table.contains_key(key) {
            findings.add(
                value.span(),
                format!("the listener has no `{key}`"),
                format!("add a line {example}"),
            );
        }
    }
    for (key, what, mend) in contradictions(&listener) {
        if let Some(value) = table.get(key) {
            findings.add(value.span(), what, mend);
        }
    }
    listener
}

/// Keys that do not go together: the key, what is wrong with it, the mend.
fn contradictions(listener: &Listener) -> Vec<(&'static str, String, &'static str)> {
    let mut found = Vec::new();
    let service = listener.service;
    if !service.takes_mail() {
        for key in mail_keys(listener) {
            // Who fetches by ATRN speaks SMTP until then.
            if service == Service::Odmr && matches!(key, "auth" | "xclient_from" | "greet_delay_s") {
                continue;
            }
            let what = format!("`{key}` is for services that take mail, not for {service}");
            found.push((key, what, "remove it"));
        }
    }
    // Promise: nothing that can be read in two ways comes from the network, in any configuration.
    if listener.hand_typed_lf == HandTypedLf::Allowed && !(service.takes_mail() && listener.is_local()) {
        let what = "`hand_typed_lf` is for SMTP on a loopback address".to_owned();
        found.push(("hand_typed_lf", what, "remove it, or listen on 127.0.0.1 or [::1] without a proxy"));
    }
    // RFC 6409 §4.3; design promise 5.
    if service.is_submission() && listener.auth == AuthChoice::Off {
        let what = format!("{service} is for those who log in");
        found.push(("auth", what, "remove it, or let the service be smtp or lmtp"));
    }
    // RFC 2645 §5.2.1.
    if service == Service::Odmr && matches!(listener.auth, AuthChoice::Off | AuthChoice::Offered) {
        let what = "odmr is for those who log in".to_owned();
        found.push(("auth", what, "remove it"));
    }
    match (service, listener.tls) {
        (_, TlsChoice::Offered | TlsChoice::Off) if service.begins_with_tls() => {
            found.push(("tls", format!("{service} begins with TLS"), "remove it"));
        }
        (Service::Http, TlsChoice::Offered | TlsChoice::Required) => {
            found.push(("tls", "http has no TLS here".to_owned(), "remove it, and put a proxy in front"));
        }
        _ => {}
    }
    match &listener.address {
        // RFC 2033 §5.
        ListenAddress::Tcp(address) if service == Service::Lmtp && address.port() == 25 => {
            found.push((
                "address",
                "port 25 is not for LMTP".to_owned(),
                "choose another one, for example 24",
            ));
        }
        ListenAddress::Tcp(_) if listener.socket_mode != FileMode(0o660) => {
            let what = "`socket_mode` is for sockets in the file system".to_owned();
            found.push(("socket_mode", what, "remove it"));
        }
        _ => {}
    }
    let too_small = |key: &'static str, minimum: u64, source: &str| {
        (key, format!("`{key}` must be at least {minimum} ({source})"), "0 means the value of [smtp]")
    };
    if (1..types::limits::MESSAGE_BYTES_MIN).contains(&listener.message_bytes_max.bytes()) {
        let minimum = types::limits::MESSAGE_BYTES_MIN;
        found.push(too_small("message_bytes_max", minimum, "RFC 5321 §4.5.3.1.7"));
    }
    if (1..types::limits::RECIPIENTS_MIN).contains(&listener.recipients_max) {
        let minimum = types::limits::RECIPIENTS_MIN as u64;
        found.push(too_small("recipients_max", minimum, "RFC 5321 §4.5.3.1.8"));
    }
    found
}

/// Keys that were set and that mean something only where mail comes in.
fn mail_keys(listener: &Listener) -> impl Iterator<Item = &'static str> {
    [
        ("auth", listener.auth != AuthChoice::Default),
        ("message_bytes_max", listener.message_bytes_max != ByteSize(0)),
        ("recipients_max", listener.recipients_max != 0),
        ("xclient_from", !listener.xclient_from.is_empty()),
        ("greet_delay_s", listener.greet_delay_s != Seconds(0)),
    ]
    .into_iter()
    .filter_map(|(key, is_set)| is_set.then_some(key))
}
