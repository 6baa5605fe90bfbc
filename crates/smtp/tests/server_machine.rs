//! What the server machine keeps to beside the words of a transcript: secrets, bounds, the id that a refusal
//! carries, what is told to the driver.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

use std::sync::Arc;

use smtp::codec::fault::MessageLimits;
use smtp::server::{
    AUTH_LINE_BYTES_MAX, AuthNeed, AuthOffer, Config, Extensions, HandTyped, Phase, Question, Role, Security,
    Session, Step, TlsOffer, TlsPolicy,
};
use types::{MailId, Reply, ReplyKind, Timestamp};

const SECRET: &[u8] = b"\0ada\0correct horse battery staple";
/// The same in base64.
const SECRET_TEXT: &str = "AGFkYQBjb3JyZWN0IGhvcnNlIGJhdHRlcnkgc3RhcGxl";

fn config() -> Config {
    Config {
        host_name: "mail.example.org".to_owned(),
        role: Role::Submission,
        hand_typed: HandTyped::Refused,
        tls: TlsOffer::StartTls,
        tls_policy: TlsPolicy::Optional,
        auth: AuthOffer {
            need: AuthNeed::Offered,
            mechanisms_clear: vec!["PLAIN".to_owned()],
            mechanisms_tls: vec!["PLAIN".to_owned()],
            failures_max: 3,
        },
        extensions: Extensions::default(),
        command_line_bytes_max: 2048,
        message: MessageLimits { line_bytes_max: 1000, message_bytes_max: 100_000 },
        recipients_max: 100,
        errors_max: 20,
        idle_commands_max: 50,
        body_chunk_bytes: 4096,
    }
}

/// A session after EHLO, its output taken.
fn session(config: Config) -> Session<()> {
    let mut session = Session::new(Arc::new(config), Security::Clear);
    let hello: &[u8] = if session.config().role == Role::Lmtp {
        b"LHLO client.example\r\n"
    } else {
        b"EHLO client.example\r\n"
    };
    assert_eq!(session.receive(hello), (hello.len(), Step::Input));
    session.output().clear();
    session
}

fn say(session: &mut Session<()>, text: &str) -> Step {
    let (consumed, step) = session.receive(text.as_bytes());
    assert_eq!(consumed, text.len(), "{text:?}");
    step
}

fn heard(session: &mut Session<()>) -> String {
    String::from_utf8(std::mem::take(session.output())).unwrap()
}

#[test]
fn no_secret_is_printed_or_told_whatever_becomes_of_an_exchange() {
    let asked = |session: &Session<()>| match session.question() {
        Some(Question::Authenticate { initial_response, .. }) => initial_response.map(<[u8]>::to_vec),
        Some(Question::AuthenticationResponse(response)) => Some(response.to_vec()),
        other => panic!("{other:?}"),
    };
    let has_secret = |text: &str| {
        ["correct", "horse", "AGFk", "Y29ycmVjd", "99, 111, 114"].iter().any(|part| text.contains(part))
    };
    let mut session = session(config());
    for (lines, is_last_asked) in [
        (vec![format!("AUTH PLAIN {SECRET_TEXT}\r\n")], true),
        (vec!["AUTH PLAIN\r\n".to_owned(), format!("{SECRET_TEXT}\r\n")], true),
        (vec!["AUTH PLAIN\r\n".to_owned(), format!("{SECRET_TEXT}%\r\n")], false),
        (vec![format!("AUTH PLAIN {SECRET_TEXT}=\r\n")], false),
        (vec![format!("AUTH PLAIN {SECRET_TEXT} {SECRET_TEXT}\r\n")], false),
        (vec![format!("AUTH KERBEROS {SECRET_TEXT}\r\n")], false),
    ] {
        for line in &lines {
            if say(&mut session, line) == Step::Answer && line.starts_with("AUTH PLAIN\r") {
                session.challenge(b"");
            }
        }
        let before = format!("{session:?}{:?}", session.question().is_some());
        assert!(!has_secret(&before), "{before}");
        if is_last_asked {
            assert_eq!(asked(&session).as_deref(), Some(SECRET));
            session.answer(&ReplyKind::AuthCredentials.reply());
        }
        let told = format!("{session:?}{:?}{}", session.take_refusals(), heard(&mut session));
        assert!(!has_secret(&told), "{told}");
    }
}

#[test]
fn lines_of_an_authentication_hold_12288_octets_and_not_one_more() {
    let mut session = session(config());
    assert_eq!(session.line_bytes_max(), AUTH_LINE_BYTES_MAX);
    // RFC 4954 §4: 500 5.5.6 fails the AUTH command.
    let longest = "A".repeat(12_288);
    say(&mut session, "AUTH PLAIN\r\n");
    session.challenge(b"");
    assert_eq!(say(&mut session, &format!("{longest}\r\n")), Step::Answer);
    let Some(Question::AuthenticationResponse(response)) = session.question() else { panic!("not asked") };
    assert_eq!(response.len(), 12_288 / 4 * 3);
    session.challenge(b"");
    assert_eq!(session.phase(), Phase::Command);
    assert!(session.is_idle());
    session.output().clear();
    assert_eq!(say(&mut session, &format!("{longest}A\r\n")), Step::Input);
    assert!(heard(&mut session).starts_with("500 5.5.6 "));
    // It is over.
    say(&mut session, "NOOP\r\n");
    assert!(heard(&mut session).starts_with("250 2.0.0 "));
    let head = "AUTH PLAIN ";
    let longest = format!("{head}{}", "A".repeat((12_288 - head.len()) / 4 * 4));
    assert_eq!(say(&mut session, &format!("{longest}\r\n")), Step::Answer);
    session.answer(&ReplyKind::AuthCredentials.reply());
    session.output().clear();
    // However it comes.
    let too_long = format!("auth plain {}\r\n", "A".repeat(12_288 - head.len() + 1));
    for piece_bytes in [1, 1000, too_long.len()] {
        let mut buffer = Vec::new();
        for piece in too_long.as_bytes().chunks(piece_bytes) {
            buffer.extend_from_slice(piece);
            let (consumed, step) = session.receive(&buffer);
            assert_eq!(step, Step::Input);
            buffer.drain(..consumed);
            assert!(buffer.len() <= session.line_bytes_max());
        }
        assert!(heard(&mut session).starts_with("500 5.5.6 "), "in pieces of {piece_bytes}");
    }
    // Other lines keep their own limit.
    say(&mut session, &format!("NOOP {}\r\n", "A".repeat(2048)));
    assert!(heard(&mut session).starts_with("500 5.5.2 "));
    say(&mut session, &format!("AUTHOR {}\r\n", "A".repeat(2048)));
    assert!(heard(&mut session).starts_with("500 5.5.2 "));
}

#[test]
fn where_auth_is_off_its_lines_are_as_long_as_others() {
    let mut session = session(Config { auth: AuthOffer::default(), ..config() });
    assert_eq!(session.line_bytes_max(), 2048);
    say(&mut session, &format!("AUTH PLAIN {}\r\n", "A".repeat(2048)));
    assert!(heard(&mut session).starts_with("500 5.5.2 "));
}

#[test]
fn a_challenge_is_never_cut() {
    let mut session = session(config());
    say(&mut session, "AUTH PLAIN\r\n");
    session.challenge(&[b'x'; 6000]);
    let heard = heard(&mut session);
    assert_eq!(heard, format!("334 {}\r\n", "eHh4".repeat(2000)));
}

#[test]
fn a_challenge_or_a_success_that_nobody_asked_for_changes_nothing() {
    let mut session = session(config());
    session.challenge(b"x");
    session.authenticated(&ReplyKind::Authenticated.reply());
    session.restart_after_xclient();
    session.answer_each([ReplyKind::MessageAccepted.with("ID")]);
    assert!(!session.is_authenticated());
    assert_eq!(heard(&mut session), "");
    say(&mut session, "MAIL FROM:<a@example.com>\r\n");
    session.authenticated(&ReplyKind::Authenticated.reply());
    assert!(!session.is_authenticated());
    assert!(matches!(session.question(), Some(Question::Sender(_))));
}

#[test]
fn the_quoted_id_is_whole_and_the_line_within_512_octets() {
    let id: MailId = "01ARZ3NDEKTSV4RRFFQ6".parse().unwrap();
    for (text, charset) in [("x".repeat(600), ""), ("ü".repeat(300), " SMTPUTF8"), ("日本語".repeat(100), "")]
    {
        for padding in 0..4 {
            let mut session = session(config());
            session.quote_id(id);
            say(&mut session, &format!("VRFY x{charset}\r\n"));
            let text = format!("one\n{}{text}", "p".repeat(padding));
            session.answer(&Reply { text: text.into(), ..ReplyKind::NoSuchMailbox.reply() });
            let heard = heard(&mut session);
            let lines: Vec<&str> = heard.split_inclusive("\r\n").collect();
            assert_eq!(lines[0], "550-5.1.1 one\r\n");
            assert!(lines.len() == 2 && lines[1].starts_with("550 5.1.1 p".get(..10).unwrap()));
            assert!(lines[1].ends_with(" [01ARZ3NDEKTSV4RRFFQ6]\r\n"), "{}", lines[1]);
            assert!((505..=512).contains(&lines[1].len()), "{} octets", lines[1].len());
        }
    }
}

#[test]
fn an_id_that_is_quoted_later_takes_the_place_of_the_one_before() {
    let mut session = session(config());
    let ids = [1, 2].map(|random| MailId::new(Timestamp::from_millis(1_795_322_124_250), random));
    for id in ids {
        session.quote_id(id);
        say(&mut session, "DATA\r\n");
        assert!(heard(&mut session).ends_with(&format!(" [{id}]\r\n")));
    }
    session.close(&ReplyKind::IdleTimeout.with(300));
    assert!(heard(&mut session).ends_with(&format!(" [{}]\r\n", ids[1])));
}

#[test]
fn what_the_machine_refuses_by_itself_is_told_with_its_verb_and_nothing_else_is() {
    let mut session = session(config());
    session.quote_id("01ARZ3NDEKTSV4RRFFQ6".parse().unwrap());
    say(&mut session, "DATA\r\nFOO\r\nTURN\r\nNOOP\r\nMAIL FROM:<a@example.com> SIZE=100001\r\n");
    say(&mut session, "MAIL FROM:<a@example.com>\r\n");
    session.answer(&ReplyKind::SenderNotOwned.with("a@example.com"));
    let refusals = session.take_refusals();
    let told: Vec<(&str, u16)> = refusals.iter().map(|refusal| (refusal.verb, refusal.reply.code)).collect();
    assert_eq!(told, [("DATA", 503), ("unknown", 500), ("TURN", 502), ("MAIL", 552)]);
    assert!(refusals.iter().all(|refusal| !refusal.reply.text.contains("01ARZ")));
    assert_eq!(session.take_refusals(), []);
    // What the driver says of its own accord it knows itself.
    session.close(&ReplyKind::IdleTimeout.with(300));
    assert_eq!(session.take_refusals(), []);
}

#[test]
fn a_fault_of_the_message_is_told_once_in_lmtp_too() {
    let mut session = session(Config { role: Role::Lmtp, ..config() });
    say(&mut session, "MAIL FROM:<a@example.com>\r\n");
    session.answer(&ReplyKind::SenderOk.reply());
    for _ in 0..3 {
        say(&mut session, "RCPT TO:<b@example.org>\r\n");
        session.accept_recipient(&ReplyKind::RecipientOk.reply(), ());
    }
    session.output().clear();
    say(&mut session, "DATA\r\na\nb\r\n.\r\n");
    assert_eq!(heard(&mut session).matches("554 5.6.0").count(), 3);
    assert_eq!(session.take_refusals().len(), 1);
}

#[test]
fn refusals_that_nobody_takes_stay_few() {
    let mut session = session(Config { errors_max: 10_000, idle_commands_max: 10_000, ..config() });
    for _ in 0..1000 {
        say(&mut session, "DATA\r\n");
        session.output().clear();
    }
    assert_eq!(session.take_refusals().len(), 64);
}

#[test]
fn in_lmtp_too_few_answers_are_filled_up_and_too_many_dropped() {
    for (answers, expected) in [(0, "451 451"), (1, "250 451"), (2, "250 250"), (5, "250 250")] {
        let mut session = session(Config { role: Role::Lmtp, ..config() });
        say(&mut session, "MAIL FROM:<a@example.com>\r\n");
        session.answer(&ReplyKind::SenderOk.reply());
        for _ in 0..2 {
            say(&mut session, "RCPT TO:<b@example.org>\r\n");
            session.accept_recipient(&ReplyKind::RecipientOk.reply(), ());
        }
        say(&mut session, "DATA\r\n.\r\n");
        session.output().clear();
        session.answer_each(vec![ReplyKind::MessageAccepted.with("ID"); answers]);
        let heard = heard(&mut session);
        let codes: Vec<&str> = heard.lines().map(|line| &line[..3]).collect();
        assert_eq!(codes.join(" "), expected);
    }
}

#[test]
fn future_release_is_offered_once_the_time_is_known() {
    let extensions = Extensions { future_release_max_s: Some(60), ..Extensions::default() };
    let mut session = Session::<()>::new(Arc::new(Config { extensions, ..config() }), Security::Clear);
    say(&mut session, "EHLO client.example\r\n");
    assert!(!heard(&mut session).contains("FUTURERELEASE"));
    session.set_now(Timestamp::from_millis(1_795_322_124_250));
    say(&mut session, "EHLO client.example\r\n");
    assert!(heard(&mut session).contains("250-FUTURERELEASE 60 2026-11-22T04:36:24.000Z\r\n"));
}

#[test]
fn the_envelope_keeps_what_mail_and_rcpt_asked_for() {
    let extensions = Extensions { dsn: true, mt_priority: true, ..Extensions::default() };
    let mut session = session(Config { extensions, ..config() });
    say(&mut session, "MAIL FROM:<a@example.com> RET=FULL ENVID=x MT-PRIORITY=-3 BODY=8BITMIME AUTH=<>\r\n");
    session.answer(&ReplyKind::SenderOk.reply());
    say(&mut session, "RCPT TO:<b@example.org> NOTIFY=NEVER\r\n");
    session.accept_recipient(&ReplyKind::RecipientOk.reply(), ());
    say(&mut session, "RCPT TO:<c@example.org> ORCPT=rfc822;d@example.org\r\n");
    session.accept_recipient(&ReplyKind::RecipientOk.reply(), ());
    say(&mut session, "BDAT 0 LAST\r\n");
    let Some(Question::Message(message)) = session.question() else { panic!("not asked") };
    let envelope = message.transaction.envelope();
    let parameters = types::MailParameters {
        body_type: types::BodyType::EightBitMime,
        ret: Some(types::DsnReturn::Full),
        envelope_id: Some("x".to_owned()),
        auth: Some(types::AuthParameter::Unknown),
        priority: Some(-3),
        ..types::MailParameters::default()
    };
    assert_eq!(envelope.parameters, parameters);
    let [b, c] = &envelope.recipients[..] else { panic!("not two") };
    assert_eq!(
        (b.forward_path.to_string().as_str(), b.dsn.notify),
        ("<b@example.org>", Some(types::Notify::Never))
    );
    assert_eq!(c.dsn.original_recipient.as_ref().unwrap().address, "d@example.org");
}
