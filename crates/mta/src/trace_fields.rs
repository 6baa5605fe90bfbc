//! The trace fields that a receiving server puts on top of a message (RFC 5321 §4.4).

use std::fmt::Write as _;
use std::net::IpAddr;

use types::{
    AddressLiteral, Envelope, ForwardPath, Host, MailId, Protocol, ReversePath, Timestamp, TlsParameters,
};

/// What `Received` says.
#[derive(Debug, Clone, Copy)]
pub struct Receipt<'a> {
    /// What the client called itself.
    pub client_name: &'a Host,
    /// Where it connected from.
    pub client_ip: IpAddr,
    /// This server.
    pub host_name: &'a str,
    /// How the message came.
    pub protocol: Protocol,
    /// What TLS agreed on, where the message came over it.
    pub tls: Option<&'a TlsParameters>,
    /// The message's id.
    pub mail_id: MailId,
    /// When it came.
    pub received_at: Timestamp,
}

/// ```text
/// Received: from client.example ([192.0.2.1])
///  by mail.example.org with ESMTP id ID
///  for <user@example.org>;
///  Sun, 22 Nov 2026 04:35:24 +0000
/// ```
///
/// `for` stands there only where the message has one recipient, lest one learn of the others (RFC 5321 §7.6).
/// Nothing in it can end a line: every value is of a type whose text holds no control characters. Without
/// SMTPUTF8 it is ASCII.
#[must_use]
pub fn received(receipt: &Receipt<'_>, envelope: &Envelope) -> String {
    let mut field = String::with_capacity(256);
    // Writing to a String cannot fail.
    let _ = write!(
        field,
        "Received: from {} ({})\r\n by {} with {} id {}",
        ascii(receipt.client_name),
        AddressLiteral::Ip(receipt.client_ip),
        receipt.host_name,
        receipt.protocol.keyword(),
        receipt.mail_id,
    );
    if let Some(TlsParameters { version, cipher_suite }) = receipt.tls {
        let _ = write!(field, "\r\n ({version} {cipher_suite})");
    }
    if let [recipient] = &envelope.recipients[..] {
        let _ = write!(field, "\r\n for {}", recipient.forward_path);
    }
    let _ = write!(field, ";\r\n {}\r\n", receipt.received_at.rfc5322());
    field
}

/// The header fields of one delivery: `Return-Path` (RFC 5321 §4.4: exactly one, on final delivery) and
/// `Delivered-To` (RFC 9228), which says which address led here.
#[must_use]
pub fn delivery(reverse_path: &ReversePath, forward_path: &ForwardPath, host_name: &str) -> String {
    match forward_path {
        ForwardPath::Mailbox(mailbox) => {
            format!("Return-Path: {reverse_path}\r\nDelivered-To: {mailbox}\r\n")
        }
        ForwardPath::Postmaster => {
            format!("Return-Path: {reverse_path}\r\nDelivered-To: postmaster@{host_name}\r\n")
        }
    }
}

fn ascii(host: &Host) -> String {
    match host {
        Host::Domain(domain) if !domain.as_str().is_ascii() => domain.ascii().to_owned(),
        host => host.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(client: &str, forward_paths: &[&str]) -> String {
        let client_name = client.parse().unwrap();
        let received_at = Timestamp::from_millis(1_795_322_124_250);
        let protocol =
            Protocol { lmtp: false, extended: true, tls: false, authenticated: false, smtputf8: false };
        let receipt = Receipt {
            client_name: &client_name,
            client_ip: "192.0.2.1".parse().unwrap(),
            host_name: "mail.example.org",
            protocol,
            tls: None,
            mail_id: MailId::new(received_at, 7),
            received_at,
        };
        let envelope = Envelope::new(ReversePath::Null, forward_paths.iter().map(|p| p.parse().unwrap()));
        received(&receipt, &envelope)
    }

    #[test]
    fn received_is_written_as_rfc_5321_has_it() {
        assert_eq!(
            field("client.example", &["<user@example.org>"])
                .replace(&MailId::new(Timestamp::from_millis(1_795_322_124_250), 7).to_string(), "ID"),
            "Received: from client.example ([192.0.2.1])\r\n by mail.example.org with ESMTP id ID\r\n for \
             <user@example.org>;\r\n Sun, 22 Nov 2026 04:35:24 +0000\r\n"
        );
    }

    #[test]
    fn for_is_left_out_where_there_are_several_recipients() {
        let field = field("[192.0.2.1]", &["<a@example.org>", "<b@example.org>"]);
        assert!(!field.contains(" for ") && !field.contains("example.org>"), "{field}");
        assert!(field.contains(";\r\n Sun, "));
    }

    #[test]
    fn no_line_of_received_is_longer_than_998_octets() {
        let domain = format!("{0}.{0}.{0}.{1}", "d".repeat(63), "e".repeat(60));
        let path = format!("<{}@{}>", "l".repeat(64), &domain[64..]);
        let field = field(&domain, &[&path]);
        assert!(field.split("\r\n").all(|line| line.len() <= 998), "{field}");
    }

    #[test]
    fn a_client_name_in_utf8_is_written_in_ascii() {
        assert!(field("bücher.example", &["<a@example.org>"]).is_ascii());
    }

    #[test]
    fn the_null_reverse_path_is_written_as_brackets() {
        let fields = delivery(&ReversePath::Null, &ForwardPath::Postmaster, "mail.example.org");
        assert_eq!(fields, "Return-Path: <>\r\nDelivered-To: postmaster@mail.example.org\r\n");
    }
}
