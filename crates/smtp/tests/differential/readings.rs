//! What each parser makes of a line, in the same words.

use std::borrow::Cow;
use std::fmt::Write as _;

use smtp::grammar::auth::challenge;
use smtp::grammar::command::{self, Command, HelloVerb};
use smtp_proto::{
    MAIL_BODY_7BIT, MAIL_BODY_8BITMIME, MAIL_BODY_BINARYMIME, MAIL_BY_NOTIFY, MAIL_BY_RETURN, MAIL_BY_TRACE,
    MAIL_REQUIRETLS, MAIL_RET_FULL, MAIL_RET_HDRS, MAIL_SMTPUTF8, MailFrom, RCPT_NOTIFY_DELAY,
    RCPT_NOTIFY_FAILURE, RCPT_NOTIFY_NEVER, RCPT_NOTIFY_SUCCESS, Request,
};
use types::{AuthParameter, Hold, MailParameters, ReversePath};

pub(super) fn ours(line: &[u8]) -> Option<String> {
    Some(match command::parse(line).ok()? {
        Command::Hello(HelloVerb::Ehlo, host) => format!("EHLO {host}"),
        Command::Hello(HelloVerb::Helo, host) => format!("HELO {host}"),
        Command::Hello(HelloVerb::Lhlo, host) => format!("LHLO {host}"),
        Command::Mail(mail) => {
            let path = match mail.reverse_path {
                ReversePath::Null => "<>".to_owned(),
                path @ ReversePath::Mailbox(_) => path.to_string(),
            };
            let size_bytes = mail.size_bytes.unwrap_or(0);
            format!("MAIL {path} {size_bytes}{}", our_parameters(&mail.parameters))
        }
        Command::Rcpt(rcpt) => {
            let notify = rcpt.dsn.notify.map(|notify| format!(" NOTIFY={notify}")).unwrap_or_default();
            let original = rcpt.dsn.original_recipient.map(|original| format!(" ORCPT={}", original.address));
            format!("RCPT {}{notify}{}", rcpt.forward_path, original.unwrap_or_default())
        }
        Command::Data => "DATA".to_owned(),
        Command::Bdat(chunk) => format!("BDAT {} {}", chunk.size_bytes, chunk.last),
        Command::StartTls => "STARTTLS".to_owned(),
        Command::Rset => "RSET".to_owned(),
        Command::Noop => "NOOP".to_owned(),
        Command::Quit => "QUIT".to_owned(),
        Command::Vrfy(lookup) => format!("VRFY {}", lookup.argument),
        Command::Expn(lookup) => format!("EXPN {}", lookup.argument),
        Command::Help(about) => format!("HELP {}", about.unwrap_or_default()),
        Command::Auth(auth) => {
            let response = auth.initial_response.map(|data| match data.octets() {
                b"" => "=".to_owned(),
                octets => challenge(octets),
            });
            // They know a mechanism by its number.
            let alone = format!("AUTH {}\r\n", auth.mechanism);
            let known = Request::parse(&mut alone.as_bytes().iter());
            let Ok(Request::Auth { mechanism, .. }) = known else { panic!("they refuse {alone}") };
            format!("AUTH {mechanism} {}", response.unwrap_or_default())
        }
        Command::Xclient(_) => "XCLIENT".to_owned(),
        Command::Etrn(node) => format!("ETRN {node}"),
        Command::Atrn(domains) => {
            let domains: Vec<&str> = domains.iter().map(types::Domain::ascii).collect();
            format!("ATRN {}", domains.join(","))
        }
        Command::Turn => "TURN".to_owned(),
        Command::NotOffered(_) => "not offered".to_owned(),
    })
}

fn our_parameters(parameters: &MailParameters) -> String {
    let mut text = format!(
        " {:?} {} {} {:?}",
        parameters.body_type,
        parameters.smtputf8,
        parameters.require_tls,
        parameters.ret.map(|ret| ret.to_string()),
    );
    if let Some(id) = &parameters.envelope_id {
        write!(text, " ENVID={id}").unwrap();
    }
    match &parameters.auth {
        None => {}
        Some(AuthParameter::Unknown) => text.push_str(" AUTH=<>"),
        Some(AuthParameter::Mailbox(mailbox)) => write!(text, " AUTH={mailbox}").unwrap(),
    }
    match parameters.hold {
        None => {}
        Some(Hold::For { seconds }) => write!(text, " HOLDFOR={seconds}").unwrap(),
        Some(Hold::Until(at)) => write!(text, " HOLDUNTIL={}", at.seconds()).unwrap(),
    }
    if let Some(by) = parameters.deliver_by {
        write!(text, " BY={by}").unwrap();
    }
    if let Some(priority) = parameters.priority.filter(|priority| *priority != 0) {
        write!(text, " MT-PRIORITY={priority}").unwrap();
    }
    if let Some(key) = &parameters.idempotency_key {
        write!(text, " XIDEMPOTENCY={key}").unwrap();
    }
    text
}

pub(super) fn theirs(line: &[u8]) -> Option<String> {
    let line = [line, b"\r\n"].concat();
    Some(match Request::parse(&mut line.iter()).ok()? {
        Request::Ehlo { host } => format!("EHLO {host}"),
        Request::Helo { host } => format!("HELO {host}"),
        Request::Mail { from } => format!("MAIL <{}> {}{}", from.address, from.size, their_parameters(&from)),
        Request::Rcpt { to } => {
            let said: Vec<&str> = [
                (RCPT_NOTIFY_NEVER, "NEVER"),
                (RCPT_NOTIFY_SUCCESS, "SUCCESS"),
                (RCPT_NOTIFY_FAILURE, "FAILURE"),
                (RCPT_NOTIFY_DELAY, "DELAY"),
            ]
            .into_iter()
            .filter_map(|(flag, word)| (to.flags & flag != 0).then_some(word))
            .collect();
            let notify = if said.is_empty() { String::new() } else { format!(" NOTIFY={}", said.join(",")) };
            let original = to.orcpt.map(|original| format!(" ORCPT={original}")).unwrap_or_default();
            format!("RCPT <{}>{notify}{original}", to.address)
        }
        Request::Data => "DATA".to_owned(),
        Request::Bdat { chunk_size, is_last } => format!("BDAT {chunk_size} {is_last}"),
        Request::Rset => "RSET".to_owned(),
        Request::Noop { .. } => "NOOP".to_owned(),
        Request::Quit => "QUIT".to_owned(),
        Request::Vrfy { value } => format!("VRFY {value}"),
        Request::Expn { value } => format!("EXPN {value}"),
        Request::Help { value } => format!("HELP {value}"),
        Request::StartTls => "STARTTLS".to_owned(),
        Request::Lhlo { host } => format!("LHLO {host}"),
        Request::Auth { mechanism, initial_response } => format!("AUTH {mechanism} {initial_response}"),
        Request::Etrn { name } => format!("ETRN {}", name.to_ascii_lowercase()),
        Request::Atrn { domains } => format!("ATRN {}", domains.join(",").to_ascii_lowercase()),
        Request::Burl { .. } => "not offered".to_owned(),
    })
}

fn their_parameters(from: &MailFrom<Cow<'_, str>>) -> String {
    // The last one wins, in the order of the bits.
    let body = match from.flags & (MAIL_BODY_7BIT | MAIL_BODY_8BITMIME | MAIL_BODY_BINARYMIME) {
        0 | MAIL_BODY_7BIT => "SevenBit",
        MAIL_BODY_8BITMIME => "EightBitMime",
        MAIL_BODY_BINARYMIME => "BinaryMime",
        _ => "several",
    };
    let is_said = |flag| from.flags & flag != 0;
    let ret = match (is_said(MAIL_RET_FULL), is_said(MAIL_RET_HDRS)) {
        (false, false) => None,
        (true, false) => Some("FULL"),
        (false, true) => Some("HDRS"),
        (true, true) => Some("both"),
    };
    let mut text = format!(" {body} {} {} {ret:?}", is_said(MAIL_SMTPUTF8), is_said(MAIL_REQUIRETLS));
    if let Some(id) = &from.env_id {
        write!(text, " ENVID={id}").unwrap();
    }
    if let Some(auth) = &from.auth {
        write!(text, " AUTH={auth}").unwrap();
    }
    if from.hold_for != 0 {
        write!(text, " HOLDFOR={}", from.hold_for).unwrap();
    }
    if from.hold_until != 0 {
        write!(text, " HOLDUNTIL={}", from.hold_until).unwrap();
    }
    if is_said(MAIL_BY_RETURN) || is_said(MAIL_BY_NOTIFY) {
        let mode = if is_said(MAIL_BY_RETURN) { "R" } else { "N" };
        write!(text, " BY={};{mode}{}", from.by, if is_said(MAIL_BY_TRACE) { "T" } else { "" }).unwrap();
    }
    if from.mt_priority != 0 {
        write!(text, " MT-PRIORITY={}", from.mt_priority).unwrap();
    }
    text
}
