//! How a message came: said by who saw it, or read from its trace fields.

use std::net::IpAddr;

use mail_parser::{Host, Protocol, Received};
use types::Timestamp;

use super::Letter;
use super::letter::unfolded;

/// What is known of the connection that brought a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrival {
    /// Where it came from.
    pub ip: Option<IpAddr>,
    /// What the client called itself.
    pub helo: Option<String>,
    /// The reverse-path without angle brackets; empty for the null one.
    pub reverse_path: Option<String>,
    /// Whether TLS was used.
    pub transport: Option<Transport>,
    /// When it came.
    pub at: Option<Timestamp>,
    /// What was taken from fields, and which, for people.
    pub assumed: Vec<String>,
}

/// What carried the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Nothing that encrypts.
    Plain,
    /// TLS, with what is known of it.
    Tls(String),
}

/// What somebody says of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Given {
    /// Where it came from.
    pub ip: Option<IpAddr>,
    /// What the client called itself.
    pub helo: Option<String>,
    /// The reverse-path without angle brackets.
    pub reverse_path: Option<String>,
}

impl Arrival {
    /// What was said, and the rest from `Received-SPF`, `Return-Path` and `Received`.
    ///
    /// A `Received` of a private address is of a hop within somebody's own network, so the first of a public one counts; each field
    /// below the topmost may be made up, but the owner of the file is who asks.
    #[must_use]
    pub fn read(letter: &Letter<'_>, given: Given) -> Self {
        let mut arrival =
            Self { ip: given.ip, helo: given.helo, reverse_path: given.reverse_path, ..Self::default() };
        let hops: Vec<&Received<'_>> =
            letter.parsed.iter().flat_map(|parsed| parsed.received_all()).take(HOPS_MAX).collect();
        arrival.at = hops.first().and_then(|hop| hop.date).and_then(|date| time(&date));
        if arrival.ip.is_none() {
            arrival.read_spf(letter);
        }
        let of_hop = |hop: &&&Received<'_>| address(hop).is_some_and(is_public);
        let hop = hops.iter().find(of_hop).or_else(|| hops.iter().find(|hop| address(hop).is_some()));
        if let Some(hop) = hop {
            arrival.take_hop(hop);
        }
        if arrival.reverse_path.is_none()
            && let Some(path) = letter.value("Return-Path")
        {
            let path = bare(&path);
            arrival.assumed.push(format!("the envelope sender is <{path}>, as Return-Path says"));
            arrival.reverse_path = Some(path);
        }
        arrival
    }

    /// What the server itself wrote on top of a message that it took, and nothing of what came with it.
    #[must_use]
    pub fn witnessed(letter: &Letter<'_>) -> Self {
        let mut arrival = Self::default();
        let hop = letter.parsed.as_ref().and_then(|parsed| parsed.received_all().next());
        if let Some(hop) = hop {
            arrival.at = hop.date.and_then(|date| time(&date));
            arrival.take_hop(hop);
        }
        arrival.reverse_path = letter.value("Return-Path").map(|path| bare(&path));
        arrival.assumed.clear();
        arrival
    }

    /// `client-ip=`, `helo=` and `envelope-from=` (RFC 7208 §9.1).
    fn read_spf(&mut self, letter: &Letter<'_>) {
        let Some(field) = letter.named("Received-SPF").next() else { return };
        let text = unfolded(field);
        let value = |key: &str| {
            let (_, rest) = text.split_once(key)?;
            let rest = rest.split(';').next().unwrap_or_default();
            let value = rest.trim().trim_matches('"').split([' ', '\t']).next().unwrap_or_default();
            (!value.is_empty()).then(|| value.trim_matches('"').to_owned())
        };
        let Some(ip) = value("client-ip=").and_then(|ip| ip.parse::<IpAddr>().ok()) else { return };
        self.ip = Some(ip);
        self.assumed.push(format!("the client is {ip}, as Received-SPF says"));
        if self.helo.is_none()
            && let Some(helo) = value("helo=")
        {
            self.assumed.push(format!("it called itself {helo}, as Received-SPF says"));
            self.helo = Some(helo);
        }
        if self.reverse_path.is_none() && text.contains("envelope-from=") {
            let path = bare(&value("envelope-from=").unwrap_or_default());
            self.assumed.push(format!("the envelope sender is <{path}>, as Received-SPF says"));
            self.reverse_path = Some(path);
        }
    }

    fn take_hop(&mut self, hop: &Received<'_>) {
        let Some(ip) = address(hop) else { return };
        if self.ip.is_none() {
            self.assumed.push(format!("the client is {ip}, as Received says"));
            self.ip = Some(ip);
        }
        // Of another connection nothing is taken.
        if self.ip.map(|known| known.to_canonical()) != Some(ip) {
            return;
        }
        let named = hop.helo.as_ref().or(hop.from.as_ref());
        if self.helo.is_none()
            && let Some(host) = named
        {
            let helo = match host {
                Host::Name(name) => name.trim_end_matches('.').to_owned(),
                Host::IpAddr(IpAddr::V4(ip)) => format!("[{ip}]"),
                Host::IpAddr(IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
            };
            self.assumed.push(format!("it called itself {helo}, as Received says"));
            self.helo = Some(helo);
        }
        self.transport = transport(hop);
    }
}

fn bare(path: &str) -> String {
    path.trim_start_matches('<').trim_end_matches('>').trim().to_owned()
}

/// `with` says it (RFC 3848); some write the version of TLS alone.
fn transport(hop: &Received<'_>) -> Option<Transport> {
    let is_secure = hop.with.as_ref().map(|protocol| {
        matches!(
            protocol,
            Protocol::ESMTPS
                | Protocol::ESMTPSA
                | Protocol::LMTPS
                | Protocol::LMTPSA
                | Protocol::UTF8SMTPS
                | Protocol::UTF8SMTPSA
        )
    });
    if let Some(version) = &hop.tls_version {
        let cipher = hop.tls_cipher.as_deref().unwrap_or_default();
        return Some(Transport::Tls(format!("{version} {cipher}").trim_end().to_owned()));
    }
    match is_secure {
        Some(true) => Some(Transport::Tls("TLS".to_owned())),
        Some(false) => Some(Transport::Plain),
        None => None,
    }
}

fn address(hop: &Received<'_>) -> Option<IpAddr> {
    let literal = match (&hop.from, &hop.helo) {
        (Some(Host::IpAddr(ip)), _) | (_, Some(Host::IpAddr(ip))) => Some(*ip),
        _ => None,
    };
    hop.from_ip.or(literal).map(|ip| ip.to_canonical())
}

/// Whether the address can be one of another network.
pub(super) const fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || is_shared(ip.octets()))
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local())
        }
    }
}

/// 100.64.0.0/10 (RFC 6598).
const fn is_shared(octets: [u8; 4]) -> bool {
    octets[0] == 100 && octets[1] & 0xc0 == 64
}

/// A time of a field. None before the epoch, and where it is no time at all.
pub(super) fn time(date: &mail_parser::DateTime) -> Option<Timestamp> {
    let seconds = u64::try_from(date.to_timestamp()).ok().filter(|_| date.is_valid())?;
    Some(Timestamp::from_millis(seconds.checked_mul(1000)?))
}

/// Fields `Received` that are looked at.
const HOPS_MAX: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Arrival {
        let octets = header.replace('\n', "\r\n");
        Arrival::read(&Letter::read(octets.as_bytes(), Vec::new()), Given::default())
    }

    #[test]
    fn the_connection_is_read_from_what_servers_write() {
        let posta = read(
            "Return-Path: <ada@example.org>\nReceived: from client.example ([198.51.100.7])\n by mail.example.org with ESMTPS id X\n (TLSv1.3 TLS13_AES_256_GCM_SHA384)\n for <x@y.example>;\n Sun, 22 Nov 2026 04:35:24 +0000\n\nx",
        );
        assert_eq!(posta.ip, Some("198.51.100.7".parse().unwrap()));
        assert_eq!(posta.helo.as_deref(), Some("client.example"));
        assert_eq!(posta.reverse_path.as_deref(), Some("ada@example.org"));
        assert!(matches!(posta.transport, Some(Transport::Tls(_))), "{posta:?}");
        assert_eq!(posta.at.map(Timestamp::seconds), Some(1_795_322_124));
        assert_eq!(posta.assumed.len(), 3);
        let postfix = read(
            "Received: from mail.example.com (unknown [10.0.0.1])\n\tby mx.example.org (Postfix) with ESMTP id 1;\n\tSun, 22 Nov 2026 04:35:24 +0000 (UTC)\nReceived: from out.example.com (out.example.com [192.0.2.9])\n\tby mail.example.com (Postfix) with ESMTP id 2;\n\tSun, 22 Nov 2026 04:35:20 +0000 (UTC)\n\nx",
        );
        assert_eq!(postfix.ip, Some("192.0.2.9".parse().unwrap()));
        assert_eq!(postfix.helo.as_deref(), Some("out.example.com"));
        assert_eq!((postfix.reverse_path, postfix.transport), (None, Some(Transport::Plain)));
    }

    #[test]
    fn received_spf_says_it_better() {
        let arrival = read(
            "Received-SPF: pass (x: domain of y) receiver=mx.example.org; client-ip=192.0.2.3;\n\thelo=a.example; envelope-from=\"b c@d.example\"; identity=mailfrom\nReceived: from z.example ([192.0.2.77]) by y;\n Sun, 22 Nov 2026 04:35:24 +0000\n\n",
        );
        assert_eq!(arrival.ip, Some("192.0.2.3".parse().unwrap()));
        assert_eq!((arrival.helo.as_deref(), arrival.transport), (Some("a.example"), None));
    }

    #[test]
    fn what_is_given_is_not_guessed() {
        let octets = b"Return-Path: <x@y.example>\r\nReceived: from z.example ([192.0.2.77]) by y with ESMTP;\r\n Sun, 22 Nov 2026 04:35:24 +0000\r\n\r\n";
        let given = Given {
            ip: Some("192.0.2.1".parse().unwrap()),
            helo: Some("h.example".to_owned()),
            reverse_path: Some(String::new()),
        };
        let arrival = Arrival::read(&Letter::read(octets, Vec::new()), given.clone());
        assert_eq!(
            (arrival.ip, arrival.helo, arrival.reverse_path),
            (given.ip, given.helo, given.reverse_path)
        );
        assert_eq!((arrival.assumed, arrival.transport), (Vec::<String>::new(), None));
    }
}
