//! Commands as a client would write them: what was read must be read as the same again.

use smtp::grammar::auth::challenge;
use smtp::grammar::command::{Command, Lookup, Mail, Rcpt, parse};
use smtp::grammar::xclient::{Attribute, Xclient, XclientProtocol};
use smtp::grammar::xtext;
use types::{AuthParameter, BodyType, Hold};

/// Panics where the command on `line` is not read again as it was, or where the refusal of it is no reply.
pub fn is_read_as_written(line: &[u8]) {
    match parse(line) {
        Ok(command) => {
            let written = write(&command);
            assert_eq!(parse(written.as_bytes()).as_ref(), Ok(&command), "{written:?}");
            if let Command::Auth(auth) = &command
                && let Some(data) = &auth.initial_response
                && !data.octets().is_empty()
            {
                // Nothing of the secret is printed: another one of its length looks the same.
                let other = challenge(&vec![0; data.octets().len()]);
                let other = format!("AUTH {} {other}", auth.mechanism);
                assert_eq!(format!("{command:?}"), format!("{:?}", parse(other.as_bytes()).unwrap()));
            }
        }
        Err(error) => {
            let mut out = Vec::new();
            error.reply().write_to(&mut out);
            assert!(out.starts_with(b"50") || out.starts_with(b"555"), "{error:?}");
            let control = out.iter().filter(|octet| octet.is_ascii_control()).count();
            assert!(control == 2 && out.ends_with(b"\r\n") && out.is_ascii(), "{error:?}");
        }
    }
}

fn write(command: &Command<'_>) -> String {
    match command {
        Command::Hello(verb, host) => format!("{} {host}", verb.name()),
        Command::Mail(mail) => write_mail(mail),
        Command::Rcpt(rcpt) => write_rcpt(rcpt),
        Command::Data => "DATA".to_owned(),
        Command::Bdat(chunk) => {
            format!("BDAT {}{}", chunk.size_bytes, if chunk.last { " LAST" } else { "" })
        }
        Command::Rset => "RSET".to_owned(),
        Command::Noop => "NOOP".to_owned(),
        Command::Quit => "QUIT".to_owned(),
        Command::Vrfy(lookup) => format!("VRFY {}", write_lookup(lookup)),
        Command::Expn(lookup) => format!("EXPN {}", write_lookup(lookup)),
        Command::Help(None) => "HELP".to_owned(),
        Command::Help(Some(about)) => format!("HELP {about}"),
        Command::StartTls => "STARTTLS".to_owned(),
        Command::Auth(auth) => {
            let response = match auth.initial_response.as_ref().map(|data| data.octets()) {
                None => String::new(),
                Some(b"") => " =".to_owned(),
                Some(octets) => format!(" {}", challenge(octets)),
            };
            format!("AUTH {}{response}", auth.mechanism)
        }
        Command::Xclient(xclient) => write_xclient(xclient),
        Command::Etrn(node) => format!("ETRN {node}"),
        Command::Atrn(domains) if domains.is_empty() => "ATRN".to_owned(),
        Command::Atrn(domains) => {
            let domains: Vec<String> = domains.iter().map(ToString::to_string).collect();
            format!("ATRN {}", domains.join(","))
        }
        Command::Turn => "TURN".to_owned(),
        Command::NotOffered(verb) => (*verb).to_owned(),
    }
}

fn write_lookup(lookup: &Lookup<'_>) -> String {
    format!("{}{}", lookup.argument, if lookup.smtputf8 { " SMTPUTF8" } else { "" })
}

fn write_mail(mail: &Mail) -> String {
    let mut text = format!("MAIL FROM:{}", mail.reverse_path);
    let parameters = &mail.parameters;
    if let Some(size_bytes) = mail.size_bytes {
        text.push_str(&format!(" SIZE={size_bytes}"));
    }
    match parameters.body_type {
        // The default may have been said too.
        BodyType::SevenBit if !mail.has_parameters => {}
        BodyType::SevenBit => text.push_str(" BODY=7BIT"),
        BodyType::EightBitMime => text.push_str(" BODY=8BITMIME"),
        BodyType::BinaryMime => text.push_str(" BODY=BINARYMIME"),
    }
    if parameters.smtputf8 {
        text.push_str(" SMTPUTF8");
    }
    if parameters.require_tls {
        text.push_str(" REQUIRETLS");
    }
    if let Some(ret) = parameters.ret {
        text.push_str(&format!(" RET={ret}"));
    }
    if let Some(id) = &parameters.envelope_id {
        text.push_str(&format!(" ENVID={}", xtext::encode(id.as_bytes())));
    }
    match &parameters.auth {
        None => {}
        Some(AuthParameter::Unknown) => text.push_str(" AUTH=<>"),
        Some(AuthParameter::Mailbox(mailbox)) => {
            text.push_str(&format!(" AUTH={}", xtext::encode(mailbox.to_string().as_bytes())));
        }
    }
    match parameters.hold {
        None => {}
        Some(Hold::For { seconds }) => text.push_str(&format!(" HOLDFOR={seconds}")),
        Some(Hold::Until(at)) => text.push_str(&format!(" HOLDUNTIL={at}")),
    }
    if let Some(by) = parameters.deliver_by {
        text.push_str(&format!(" BY={by}"));
    }
    if let Some(priority) = parameters.priority {
        text.push_str(&format!(" MT-PRIORITY={priority}"));
    }
    if let Some(key) = &parameters.idempotency_key {
        text.push_str(&format!(" XIDEMPOTENCY={}", xtext::encode(key.as_bytes())));
    }
    text
}

fn write_rcpt(rcpt: &Rcpt) -> String {
    let mut text = format!("RCPT TO:{}", rcpt.forward_path);
    if let Some(notify) = rcpt.dsn.notify {
        text.push_str(&format!(" NOTIFY={notify}"));
    }
    if let Some(original) = &rcpt.dsn.original_recipient {
        let is_utf8 = original.address_type.eq_ignore_ascii_case("utf-8");
        let address = if is_utf8 {
            // What xtext must not hold by itself; the rest stands as it is.
            original.address.replace('+', "+2B").replace('=', "+3D").replace(' ', "+20")
        } else {
            xtext::encode(original.address.as_bytes())
        };
        text.push_str(&format!(" ORCPT={};{address}", original.address_type));
    }
    text
}

fn write_xclient(xclient: &Xclient) -> String {
    let addr = |ip: &std::net::IpAddr| match ip {
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => format!("IPV6:{ip}"),
    };
    let proto = xclient.proto.map(|proto| match proto {
        XclientProtocol::Smtp => "SMTP".to_owned(),
        XclientProtocol::Esmtp => "ESMTP".to_owned(),
    });
    let attributes = [
        ("NAME", attribute(xclient.name.as_ref(), ToString::to_string)),
        ("ADDR", attribute(xclient.addr.as_ref(), addr)),
        ("PORT", attribute(xclient.port.as_ref(), ToString::to_string)),
        ("PROTO", proto),
        ("HELO", attribute(xclient.helo.as_ref(), ToString::to_string)),
        ("LOGIN", attribute(xclient.login.as_ref(), Clone::clone)),
        ("DESTADDR", attribute(xclient.dest_addr.as_ref(), addr)),
        ("DESTPORT", attribute(xclient.dest_port.as_ref(), ToString::to_string)),
    ];
    let mut text = "XCLIENT".to_owned();
    for (name, value) in attributes {
        if let Some(value) = value {
            text.push_str(&format!(" {name}={}", xtext::encode(value.as_bytes())));
        }
    }
    text
}

fn attribute<T>(attribute: Option<&Attribute<T>>, write: impl Fn(&T) -> String) -> Option<String> {
    attribute.map(|attribute| match attribute {
        Attribute::Known(value) => write(value),
        Attribute::Unavailable => "[UNAVAILABLE]".to_owned(),
        Attribute::TemporarilyUnavailable => "[TEMPUNAVAIL]".to_owned(),
    })
}
