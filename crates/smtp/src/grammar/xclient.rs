//! XCLIENT, which a trusted proxy or filter uses to tell who its client is: a private extension that Postfix
//! documents (XCLIENT_README).
//!
//! ```text
//! xclient-command = "XCLIENT" 1*( SP attribute-name "=" attribute-value )
//! attribute-name  = "NAME" / "ADDR" / "PORT" / "PROTO" / "HELO" / "LOGIN" / "DESTADDR" / "DESTPORT"
//! attribute-value = xtext ; "[UNAVAILABLE]" and, of NAME, "[TEMPUNAVAIL]" say that it is not known
//! ```

use std::net::IpAddr;

use types::{Domain, Host};

use super::command::CommandError;
use super::verb::Verb;
use super::{parameters, xtext};

/// The arguments of XCLIENT; what was not named is None.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Xclient {
    /// NAME=: the host name that the client's address has.
    pub name: Option<Attribute<Domain>>,
    /// ADDR=: the client's address.
    pub addr: Option<Attribute<IpAddr>>,
    /// PORT=: the client's port.
    pub port: Option<Attribute<u16>>,
    /// PROTO=: what the client speaks.
    pub proto: Option<XclientProtocol>,
    /// HELO=: how the client introduced itself. Nothing is decided by it, so what is no host counts as not known.
    pub helo: Option<Attribute<Host>>,
    /// LOGIN=: as whom the client has authenticated.
    pub login: Option<Attribute<String>>,
    /// DESTADDR=: the address that the client connected to.
    pub dest_addr: Option<Attribute<IpAddr>>,
    /// DESTPORT=: the port that the client connected to.
    pub dest_port: Option<Attribute<u16>>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute<T> {
    /// It is this.
    Known(T),
    /// `[UNAVAILABLE]`
    Unavailable,
    /// `[TEMPUNAVAIL]`
    TemporarilyUnavailable,
}

/// PROTO= of XCLIENT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XclientProtocol {
    /// `SMTP`
    Smtp,
    /// `ESMTP`
    Esmtp,
}

/// What EHLO lists behind XCLIENT.
pub const ATTRIBUTES: &str = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";

/// Octets of the value of an attribute, decoded.
const VALUE_BYTES_MAX: usize = 255;

impl<T> Attribute<T> {
    /// The value, where it is known.
    #[must_use]
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unavailable | Self::TemporarilyUnavailable => None,
        }
    }
}

pub(super) fn xclient(argument: Option<&str>) -> Result<Xclient, CommandError> {
    const SYNTAX: CommandError = CommandError::Syntax(Verb::Xclient.syntax());
    let rest = format!(" {}", argument.ok_or(SYNTAX)?);
    let attributes = parameters::split(&rest, Verb::Xclient.syntax())?;
    if attributes.is_empty() {
        return Err(SYNTAX);
    }
    let mut xclient = Xclient::default();
    for (name, value) in attributes {
        let value = value.and_then(xtext::decode_text).filter(|value| value.len() <= VALUE_BYTES_MAX);
        set(&mut xclient, &name.to_ascii_uppercase(), &value.ok_or(SYNTAX)?).ok_or(SYNTAX)?;
    }
    Ok(xclient)
}

fn set(xclient: &mut Xclient, name: &str, value: &str) -> Option<()> {
    match name {
        "NAME" if value.eq_ignore_ascii_case("[TEMPUNAVAIL]") => {
            xclient.name = Some(Attribute::TemporarilyUnavailable);
        }
        "NAME" => xclient.name = Some(attribute(value, |name| Domain::parse_host_name(name).ok())?),
        "ADDR" => xclient.addr = Some(attribute(value, address)?),
        "PORT" => xclient.port = Some(attribute(value, port)?),
        "PROTO" => {
            xclient.proto = Some(match value.to_ascii_uppercase().as_str() {
                "SMTP" => XclientProtocol::Smtp,
                "ESMTP" => XclientProtocol::Esmtp,
                _ => return None,
            });
        }
        "HELO" => {
            let helo = attribute(value, |helo| super::command::host(helo).ok());
            xclient.helo = Some(helo.unwrap_or(Attribute::Unavailable));
        }
        "LOGIN" => xclient.login = Some(attribute(value, |login| Some(login.to_owned()))?),
        "DESTADDR" => xclient.dest_addr = Some(attribute(value, address)?),
        "DESTPORT" => xclient.dest_port = Some(attribute(value, port)?),
        _ => return None,
    }
    Some(())
}

fn attribute<T>(value: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Attribute<T>> {
    match value {
        "" => None,
        value if value.eq_ignore_ascii_case("[UNAVAILABLE]") => Some(Attribute::Unavailable),
        value => parse(value).map(Attribute::Known),
    }
}

/// An IPv4 address, or `IPV6:` and an IPv6 address, without brackets.
fn address(text: &str) -> Option<IpAddr> {
    match text.split_at_checked("IPV6:".len()) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPV6:") => address.parse().ok().map(IpAddr::V6),
        _ => text.parse().ok().map(IpAddr::V4),
    }
}

fn port(text: &str) -> Option<u16> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_is_read() {
        let read = xclient(Some(
            "NAME=spike.porcupine.example ADDR=168.100.189.2 port=25 Proto=esmtp HELO=[192.0.2.1] \
             LOGIN=e+3Dmc2 DESTADDR=ipv6:2001:db8::1 DESTPORT=65535",
        ))
        .unwrap();
        let expected = Xclient {
            name: Some(Attribute::Known("spike.porcupine.example".parse().unwrap())),
            addr: Some(Attribute::Known("168.100.189.2".parse().unwrap())),
            port: Some(Attribute::Known(25)),
            proto: Some(XclientProtocol::Esmtp),
            helo: Some(Attribute::Known("[192.0.2.1]".parse().unwrap())),
            login: Some(Attribute::Known("e=mc2".to_owned())),
            dest_addr: Some(Attribute::Known("2001:db8::1".parse().unwrap())),
            dest_port: Some(Attribute::Known(65535)),
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn what_the_proxy_does_not_know_it_may_say_so() {
        let read =
            xclient(Some("NAME=[tempunavail] ADDR=[UNAVAILABLE] HELO=[Unavailable] LOGIN=[UNAVAILABLE]"));
        let expected = Xclient {
            name: Some(Attribute::TemporarilyUnavailable),
            addr: Some(Attribute::Unavailable),
            helo: Some(Attribute::Unavailable),
            login: Some(Attribute::Unavailable),
            ..Xclient::default()
        };
        assert_eq!(read, Ok(expected));
        assert_eq!(xclient(Some("HELO=a+20b")).unwrap().helo, Some(Attribute::Unavailable));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for argument in [
            "",
            " ",
            "NAME",
            "NAME=",
            "NAME=a..b",
            "ADDR=[192.0.2.1]",
            "ADDR=[TEMPUNAVAIL]",
            "ADDR=192.0.2",
            "ADDR=2001:db8::1",
            "ADDR=IPV6:192.0.2.1",
            "PORT=65536",
            "PORT=+2B1",
            "PROTO=[UNAVAILABLE]",
            "PROTO=HTTP",
            "LOGIN=a+0D+0Ab",
            "LOGIN=+FF",
            "LOGIN=a+3d",
            "DESTPORT=-1",
            "COLOUR=red",
            "ADDR=192.0.2.1 ADDR=192.0.2.2",
            "ADDR=192.0.2.1,NAME=x",
        ] {
            assert!(xclient(Some(argument)).is_err(), "{argument}");
        }
        let longest = "a".repeat(VALUE_BYTES_MAX);
        assert!(xclient(Some(&format!("LOGIN={longest}"))).is_ok());
        assert!(xclient(Some(&format!("LOGIN={longest}a"))).is_err());
        assert_eq!(xclient(None), Err(CommandError::Syntax(Verb::Xclient.syntax())));
    }
}
