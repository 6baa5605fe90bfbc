//! What a message needs of a server, and the lines of MAIL and RCPT with the parameters of each extension.

use types::{
    AuthParameter, BodyType, ByMode, DeliverBy, EnvelopeRecipient, ForwardPath, Host, Mailbox,
    OriginalRecipient, ReversePath,
};

use super::Message;
use super::config::{Certificate, Security};
use super::event::Unsupported;
use super::hello::{Identity, Session};
use crate::grammar::reply::{Extensions, SizeOffer};
use crate::grammar::xtext;

/// Whether MAIL says SMTPUTF8, and addresses are written as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Utf8 {
    Yes,
    No,
}

/// `by-time` has nine digits at most (RFC 2852 §4).
const BY_S_MAX: i64 = 999_999_999;

/// What the whole message needs.
pub(super) fn check(message: &Message, session: &Session) -> Result<(), Unsupported> {
    let (envelope, offered) = (&message.envelope, &session.extensions);
    let parameters = &envelope.parameters;
    if parameters.require_tls {
        check_require_tls(session)?;
    }
    if let (Some(size_bytes), Some(SizeOffer::Max(max))) = (message.size_bytes, offered.size)
        && size_bytes > max
    {
        return Err(Unsupported::Size { size_bytes, max });
    }
    let needs_utf8 = parameters.smtputf8 || !is_ascii(envelope.reverse_path.mailbox());
    if needs_utf8 && !offered.smtputf8 {
        return Err(Unsupported::SmtpUtf8);
    }
    if let Some(deliver_by) = parameters.deliver_by {
        check_deliver_by(deliver_by, offered)?;
    }
    match parameters.body_type {
        BodyType::EightBitMime if !offered.eight_bit_mime => Err(Unsupported::EightBitMime),
        BodyType::BinaryMime if !(offered.binarymime && offered.chunking) => Err(Unsupported::BinaryMime),
        _ => Ok(()),
    }
}

/// RFC 8689 §4.2.1: a server whose certificate has been checked, and that promises the same for the way on.
const fn check_require_tls(session: &Session) -> Result<(), Unsupported> {
    match session.security {
        Security::Tls(Certificate::Verified) if session.extensions.require_tls => Ok(()),
        Security::Tls(Certificate::Verified) => Err(Unsupported::RequireTls),
        Security::Tls(Certificate::Unverified) | Security::Clear => Err(Unsupported::VerifiedTls),
    }
}

/// RFC 2852 §4.1.4.1: what is to come back when its time is over goes only to a server that keeps the time too.
fn check_deliver_by(deliver_by: DeliverBy, offered: &Extensions) -> Result<(), Unsupported> {
    let is_kept = match (deliver_by.mode, offered.deliver_by_min_s) {
        (ByMode::Notify, _) => true,
        (ByMode::Return, None) => false,
        (ByMode::Return, Some(min_s)) => u64::try_from(deliver_by.by_s).is_ok_and(|by_s| by_s >= min_s),
    };
    if is_kept { Ok(()) } else { Err(Unsupported::DeliverBy) }
}

/// `MAIL FROM:<reverse-path>` and the parameters that the server offers to take.
pub(super) fn mail_line(message: &Message, session: &Session, utf8: Utf8) -> String {
    let (envelope, offered) = (&message.envelope, &session.extensions);
    let parameters = &envelope.parameters;
    let path = match &envelope.reverse_path {
        ReversePath::Null => "<>".to_owned(),
        ReversePath::Mailbox(mailbox) => path(mailbox, utf8),
    };
    let mut line = format!("MAIL FROM:{path}");
    let mut say = |parameter: &str| {
        line.push(' ');
        line.push_str(parameter);
    };
    if let (Some(_), Some(size_bytes)) = (offered.size, message.size_bytes) {
        say(&format!("SIZE={size_bytes}"));
    }
    match parameters.body_type {
        BodyType::SevenBit => {}
        BodyType::EightBitMime => say("BODY=8BITMIME"),
        BodyType::BinaryMime => say("BODY=BINARYMIME"),
    }
    if utf8 == Utf8::Yes {
        say("SMTPUTF8");
    }
    if parameters.require_tls {
        say("REQUIRETLS");
    }
    if offered.dsn {
        if let Some(ret) = parameters.ret {
            say(&format!("RET={ret}"));
        }
        if let Some(id) = &parameters.envelope_id {
            say(&format!("ENVID={}", xtext::encode(id.as_bytes())));
        }
    }
    // RFC 4954 §5: of use only between hosts that trust one another, which is after a login.
    if let (Identity::Authenticated, Some(auth)) = (session.identity, &parameters.auth) {
        say(&format!("AUTH={}", auth_value(auth)));
    }
    if let (Some(_), Some(deliver_by)) = (offered.deliver_by_min_s, parameters.deliver_by) {
        let by_s = deliver_by.by_s.clamp(-BY_S_MAX, BY_S_MAX);
        say(&format!("BY={}", DeliverBy { by_s, ..deliver_by }));
    }
    if let (true, Some(priority)) = (offered.mt_priority, parameters.priority) {
        say(&format!("MT-PRIORITY={priority}"));
    }
    line
}

/// `RCPT TO:<forward-path>` and, where the server offers DSN, what its sender wants to hear (RFC 3461 §4).
pub(super) fn rcpt_line(recipient: &EnvelopeRecipient, session: &Session, utf8: Utf8) -> String {
    let mut line = match &recipient.forward_path {
        ForwardPath::Postmaster => "RCPT TO:<Postmaster>".to_owned(),
        ForwardPath::Mailbox(mailbox) => format!("RCPT TO:{}", path(mailbox, utf8)),
    };
    if session.extensions.dsn {
        if let Some(notify) = recipient.dsn.notify {
            line.push_str(&format!(" NOTIFY={notify}"));
        }
        if let Some(original) = &recipient.dsn.original_recipient {
            line.push_str(&format!(" ORCPT={}", orcpt_value(original, utf8)));
        }
    }
    line
}

/// `addr-type ";" xtext`. An address of type `utf-8` is written as it is where SMTPUTF8 allows that, and otherwise
/// with `\x{HEX}` for what is not ASCII (RFC 6533 §3).
fn orcpt_value(original: &OriginalRecipient, utf8: Utf8) -> String {
    let mut value = format!("{};", original.address_type);
    for character in original.address.chars() {
        match character {
            c if c.is_ascii() => value.push_str(&xtext::encode(&[c as u8])),
            c if utf8 == Utf8::Yes => value.push(c),
            c => value.push_str(&format!("\\x{{{:X}}}", u32::from(c))),
        }
    }
    value
}

fn auth_value(auth: &AuthParameter) -> String {
    match auth {
        AuthParameter::Unknown => "<>".to_owned(),
        AuthParameter::Mailbox(mailbox) => xtext::encode(mailbox.to_string().as_bytes()),
    }
}

/// Without SMTPUTF8 a domain travels in its ASCII form (RFC 6531 §3.2).
fn path(mailbox: &Mailbox, utf8: Utf8) -> String {
    match &mailbox.host {
        Host::Domain(domain) if utf8 == Utf8::No && !mailbox.host.is_ascii() => {
            format!("<{}@{}>", mailbox.local_part, domain.ascii())
        }
        _ => format!("<{mailbox}>"),
    }
}

/// Only a local part cannot do without SMTPUTF8.
pub(super) fn is_ascii(mailbox: Option<&Mailbox>) -> bool {
    mailbox.is_none_or(|mailbox| mailbox.local_part.as_str().is_ascii())
}
