//! What submission does to a message and keeps of it, and what it holds an account to (RFC 6409), over real sockets
//! with AUTH within TLS.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;

use common::Client;
use house::{
    PASSWORD, PROXY, STRANGER, TRUSTED, Way, auth_plain, fields, from, house, id_in, inbox, logged_in, set,
    talk, within_tls,
};
use server::config::{Config, Listener, Mode, Service};
use store::{Spool as _, Trace as _, TraceQuery};
use types::directory::{AccountStatus, SendAs};
use types::{AuthParameter, ByMode, DeliverBy, DsnReturn, Notify};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";

fn each(config: &mut Config, service: Service, change: impl Fn(&mut Listener)) {
    config.listeners.iter_mut().filter(|listener| listener.service == service).for_each(change);
}

// The message (RFC 6409 §6.3 and §8, RFC 5322 §3.6).

#[tokio::test]
async fn date_and_message_id_are_added_where_they_lack_and_bcc_is_in_no_copy() {
    let node = house(|_| {}).await;
    let mut talk = logged_in(&node, ADA).await;
    let bare = "From: ada@example.org\r\nTo: bob@example.org\r\nBcc: carol@example.org,\r\n folded@example.org\r\n\
                bcc: more@example.org\r\nResent-Bcc: again@example.org\r\nSubject: s\r\n\r\nBcc: this is text";
    let reply = talk.post("<ada@example.org>", &[BOB, "carol@example.org"], bare).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    for name in [BOB, "carol@example.org"] {
        let message = inbox(&node, name).await.pop().unwrap();
        for (field, count) in [("Date", 1), ("Message-ID", 1), ("Bcc", 0), ("Resent-Bcc", 0), ("Subject", 1)]
        {
            assert_eq!(fields(&message, field).len(), count, "{field}: {message}");
        }
        let (header, body) = message.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "Bcc: this is text\r\n");
        let header = header.replace("Delivered-To: carol@example.org", "");
        for hidden in ["carol", "folded", "more@", "again"] {
            assert!(!header.contains(hidden), "{hidden}: {header}");
        }
        assert!(fields(&message, "Message-ID")[0].ends_with("@mail.example.org>"), "{message}");
    }
    let dated = "Date: Fri, 1 Jan 2021 00:00:00 +0000\r\nMessage-ID: <one@example.org>\r\n\
                 From: ada@example.org\r\n\r\ntext";
    talk.post("<ada@example.org>", &[BOB], dated).await;
    let message = inbox(&node, BOB).await.pop().unwrap();
    assert_eq!(fields(&message, "Date"), ["Fri, 1 Jan 2021 00:00:00 +0000"]);
    assert_eq!(fields(&message, "Message-ID"), ["<one@example.org>"]);
    node.stop().await;
}

#[tokio::test]
async fn mail_between_servers_is_stored_as_it_came() {
    let node = house(|_| {}).await;
    let mut talk = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    talk.post("<a@elsewhere.example>", &[BOB], "Bcc: carol@example.org\r\n\r\ntext").await;
    let message = inbox(&node, BOB).await.pop().unwrap();
    assert!(message.ends_with("\r\nBcc: carol@example.org\r\n\r\ntext\r\n"), "{message}");
    assert!(fields(&message, "Date").is_empty() && fields(&message, "Message-ID").is_empty());
    node.stop().await;
}

#[tokio::test]
async fn who_is_logged_in_writes_as_itself_in_the_envelope_and_in_the_header() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    let mail = |author: &str| format!("From: {author}\r\n\r\ntext");
    ada.dialogue(&[
        ("MAIL FROM:<bob@example.org>", "553 5.7.1"),
        ("MAIL FROM:<a@elsewhere.example>", "553 5.7.1"),
        ("MAIL FROM:<\"ada@example.org\"@elsewhere.example>", "553 5.7.1"),
        ("RCPT TO:<bob@example.org>", "503 "),
    ])
    .await;
    for own in ["ada@example.org", "Ada@EXAMPLE.org", "\"ada\"@example.org", "ada+lists@example.org"] {
        let reply = ada.post(&format!("<{own}>"), &[BOB], &mail(&format!("Ada <{own}>"))).await;
        assert!(reply.starts_with("250 2.0.0"), "{own}: {reply}");
    }
    // RFC 6409 §6.1: also what people see.
    for author in [
        "bob@example.org",
        "Ada <bob@example.org>",
        "\"ada@example.org\" <bob@example.org>",
        "bob@example.org (ada@example.org)",
        "ada@example.org, bob@example.org",
        "bob@example.org\r\nSender: ada@example.org",
    ] {
        let reply = ada.post("<ada@example.org>", &[BOB], &mail(author)).await;
        assert!(reply.starts_with("550 5.7.1"), "{author}: {reply}");
    }
    // Two authors are one too many, whoever reads which (RFC 5322 §3.6).
    let reply =
        ada.post("<ada@example.org>", &[BOB], &mail("ada@example.org\r\nFrom: bob@example.org")).await;
    assert!(reply.starts_with('5'), "{reply}");
    assert_eq!(inbox(&node, BOB).await.len(), 4);
    // With the null reverse-path the author is held to the same.
    let reply = ada.post("<>", &[BOB], &mail("bob@example.org")).await;
    assert!(reply.starts_with("550 5.7.1"), "{reply}");
    // What the operator allows holds for the session that is open.
    set(&node, ADA, |settings| settings.send_as = vec![SendAs::Address(BOB.parse().unwrap())]).await;
    let reply = ada.post("<bob@example.org>", &[BOB], &mail("bob@example.org")).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    set(&node, ADA, |settings| settings.send_as = Vec::new()).await;
    ada.dialogue(&[("MAIL FROM:<bob@example.org>", "553 5.7.1")]).await;
    let mut robot = logged_in(&node, "robot@example.org").await;
    let reply = robot.post("<x@elsewhere.example>", &[BOB], &mail("y@elsewhere.example")).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    node.stop().await;
}

#[tokio::test]
async fn a_header_section_has_a_limit_and_no_field_that_can_be_read_in_two_ways() {
    let node = house(|config| config.submission.header_bytes_max = server::config::ByteSize(65_536)).await;
    let mut ada = logged_in(&node, ADA).await;
    let line = format!("X-Line: {}\r\n", "x".repeat(90));
    for (header, start) in [
        (line.repeat(600), "250 2.0.0"),
        (line.repeat(700), "552 5.3.4"),
        // With no end of the header section either.
        (format!("{}X-Last: x", line.repeat(5000)), "552 5.3.4"),
        ("not a field\r\n".to_owned(), "554 5.6.0"),
        ("Subject : s\r\n".to_owned(), "554 5.6.0"),
        ("Subject: s\r\n \r\n t\r\n".to_owned(), "554 5.6.0"),
        ("Subject: \u{fc}\r\n".to_owned(), "554 5.6.0"),
    ] {
        let reply =
            ada.post("<ada@example.org>", &[BOB], &format!("From: ada@example.org\r\n{header}\r\nx")).await;
        assert!(reply.starts_with(start), "{start}: {reply}, {}", &header[..20.min(header.len())]);
    }
    let reply = ada
        .post("<ada@example.org> SMTPUTF8", &[BOB], "From: ada@example.org\r\nSubject: \u{fc}\r\n\r\nx")
        .await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert_eq!(inbox(&node, BOB).await.len(), 2);
    node.stop().await;
}

// Once, and not too often.

const TEXT: &str = "From: ada@example.org\r\n\r\ntext";

#[tokio::test]
async fn a_message_with_a_key_that_was_used_is_stored_once_even_over_a_restart() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    let keyed = "<ada@example.org> XIDEMPOTENCY=order-17";
    let first = ada.post(keyed, &[BOB], TEXT).await;
    assert!(first.starts_with("250 2.0.0"), "{first}");
    assert_eq!(ada.post(keyed, &[BOB], TEXT).await, first);
    assert_eq!(inbox(&node, BOB).await.len(), 1);
    // Another key, no key, and another account's: other messages.
    let others = ["<ada@example.org> XIDEMPOTENCY=order-18", "<ada@example.org>"];
    for (index, mail) in others.into_iter().enumerate() {
        let reply = ada.post(mail, &[BOB], TEXT).await;
        assert!(reply.starts_with("250 2.0.0") && reply != first, "{reply}");
        assert_eq!(inbox(&node, BOB).await.len(), index + 2);
    }
    let mut robot = logged_in(&node, "robot@example.org").await;
    assert_ne!(robot.post(keyed, &[BOB], TEXT).await, first);
    assert_eq!(inbox(&node, BOB).await.len(), 4);
    // A refused message uses no key.
    let refused = "From: bob@example.org\r\n\r\ntext";
    let mail = "<ada@example.org> XIDEMPOTENCY=order-19";
    assert!(ada.post(mail, &[BOB], refused).await.starts_with("550 5.7.1"));
    assert!(ada.post(mail, &[BOB], TEXT).await.starts_with("250 2.0.0"));
    assert_eq!(inbox(&node, BOB).await.len(), 5);
    drop((ada, robot));
    let node = node.restart(house::production).await;
    let mut ada = logged_in(&node, ADA).await;
    assert_eq!(ada.post(keyed, &[BOB], TEXT).await, first);
    assert_eq!(inbox(&node, BOB).await.len(), 5);
    node.stop().await;
}

#[tokio::test]
async fn a_key_is_for_those_who_have_logged_in() {
    let node = house(|_| {}).await;
    let mut talk = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    talk.dialogue(&[("MAIL FROM:<a@elsewhere.example> XIDEMPOTENCY=k", "555 5.5.4")]).await;
    node.stop().await;
}

#[tokio::test]
async fn an_account_sends_as_many_messages_an_hour_as_it_may_and_what_was_refused_does_not_count() {
    let node = house(|config| config.submission.messages_per_hour_per_account_max = 3).await;
    set(&node, "carol@example.org", |settings| settings.messages_per_hour_max = Some(1)).await;
    let mut ada = logged_in(&node, ADA).await;
    for sent in 0..3 {
        // None of these is sent.
        ada.dialogue(&[
            ("MAIL FROM:<ada@example.org>", "250 "),
            ("RSET", "250 "),
            ("MAIL FROM:<ada@example.org>", "250 "),
            ("RCPT TO:<nobody@example.org>", "550 5.1.1"),
            ("DATA", "554 5.5.1"),
            ("RSET", "250 "),
        ])
        .await;
        let refused = ada.post("<ada@example.org>", &[BOB], "From: bob@example.org\r\n\r\nx").await;
        assert!(refused.starts_with("550 5.7.1"), "{refused}");
        let reply = ada.post("<ada@example.org>", &[BOB], TEXT).await;
        assert!(reply.starts_with("250 2.0.0"), "{sent}: {reply}");
    }
    // It says when to come again, in this session and in others.
    for mut talk in [ada, logged_in(&node, ADA).await] {
        let reply = talk.say("MAIL FROM:<ada@example.org>").await;
        let wait = reply.strip_prefix("451 4.7.1 Too many messages; try again in ").unwrap();
        let (number, rest) = wait.split_once(' ').unwrap();
        // The hour is counted in twentieths.
        assert!((60..=63).contains(&number.parse::<u32>().unwrap()) && rest.starts_with("min"), "{reply}");
        talk.dialogue(&[("RCPT TO:<bob@example.org>", "503 ")]).await;
    }
    // Others have their own number, or their own limit.
    let mut robot = logged_in(&node, "robot@example.org").await;
    assert!(robot.post("<robot@example.org>", &[BOB], TEXT).await.starts_with("250 "));
    let mut carol = logged_in(&node, "carol@example.org").await;
    let from_carol = "From: carol@example.org\r\n\r\nx";
    assert!(carol.post("<carol@example.org>", &[BOB], from_carol).await.starts_with("250 "));
    carol.dialogue(&[("MAIL FROM:<carol@example.org>", "451 4.7.1")]).await;
    // Between servers nobody is counted.
    let mut server = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    for _ in 0..5 {
        assert!(server.post("<ada@example.org>", &[BOB], TEXT).await.starts_with("250 "));
    }
    node.stop().await;
}

#[tokio::test]
async fn two_sessions_that_race_send_no_more_than_one_may() {
    let node = house(|config| config.submission.messages_per_hour_per_account_max = 1).await;
    let mut sessions = [logged_in(&node, ADA).await, logged_in(&node, ADA).await];
    for talk in &mut sessions {
        talk.dialogue(&[
            ("MAIL FROM:<ada@example.org>", "250 "),
            ("RCPT TO:<bob@example.org>", "250 "),
            ("DATA", "354 "),
        ])
        .await;
    }
    assert!(sessions[0].say(&format!("{TEXT}\r\n.")).await.starts_with("250 2.0.0"));
    assert!(sessions[1].say(&format!("{TEXT}\r\n.")).await.starts_with("451 4.7.1"));
    assert_eq!(inbox(&node, BOB).await.len(), 1);
    node.stop().await;
}

// What is kept for the queue.

#[tokio::test]
async fn what_the_extensions_say_is_kept_with_the_message() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    ada.dialogue(&[
        (
            "MAIL FROM:<ada@example.org> RET=HDRS ENVID=QQ+2B314159 AUTH=e+3Dmc2@example.com REQUIRETLS \
             BY=120;NT MT-PRIORITY=3 BODY=8BITMIME",
            "250 2.1.0",
        ),
        ("RCPT TO:<bob@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2B@elsewhere.example", "250 2.1.5"),
        ("RCPT TO:<carol@example.org> NOTIFY=NEVER", "250 2.1.5"),
        ("RCPT TO:<ada@example.org>", "250 2.1.5"),
        ("DATA", "354 "),
    ])
    .await;
    let reply = ada.say(&format!("{TEXT}\r\n.")).await;
    let (envelope, origin) = node.store().envelope(id_in(&reply)).await.unwrap().unwrap();
    assert!(origin.contains("127.0.0.1"), "{origin}");
    let kept = envelope.parameters;
    assert_eq!(kept.ret, Some(DsnReturn::Headers));
    assert_eq!(kept.envelope_id.as_deref(), Some("QQ+314159"));
    assert_eq!(kept.auth, Some(AuthParameter::Mailbox("e=mc2@example.com".parse().unwrap())));
    assert!(kept.require_tls);
    assert_eq!(kept.deliver_by, Some(DeliverBy { by_s: 120, mode: ByMode::Notify, trace: true }));
    assert_eq!(kept.priority, Some(3));
    let dsn: Vec<_> = envelope.recipients.iter().map(|recipient| &recipient.dsn).collect();
    assert_eq!(dsn[0].notify, Some(Notify::When { success: true, failure: false, delay: true }));
    let original = dsn[0].original_recipient.as_ref().unwrap();
    assert_eq!((&original.address_type[..], &original.address[..]), ("rfc822", "Bob+@elsewhere.example"));
    assert_eq!(dsn[1].notify, Some(Notify::Never));
    assert_eq!((&dsn[2].notify, &dsn[2].original_recipient), (&None, &None));
    let reply = ada.post("<ada@example.org> AUTH=<> RET=FULL", &[BOB], TEXT).await;
    let (envelope, _) = node.store().envelope(id_in(&reply)).await.unwrap().unwrap();
    assert_eq!(envelope.parameters.auth, Some(AuthParameter::Unknown));
    assert_eq!(envelope.parameters.ret, Some(DsnReturn::Full));
    assert!(!envelope.parameters.require_tls && envelope.parameters.envelope_id.is_none());
    node.stop().await;
}

#[tokio::test]
async fn a_parameter_that_is_malformed_or_not_offered_is_refused_before_anything_is_begun() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    for (parameters, start) in [
        ("RET=SOME", "501 "),
        ("RET=FULL RET=FULL", "501 "),
        ("ENVID=a+zz", "501 "),
        ("AUTH=a+zz", "501 "),
        // RFC 2852 §4: with mode R the time must be worth something.
        ("BY=0;R", "501 "),
        ("BY=59;R", "55"),
        ("MT-PRIORITY=10", "501 "),
        ("REQUIRETLS=yes", "501 "),
        ("XUNKNOWN=1", "555 5.5.4"),
    ] {
        let heard = ada.say(&format!("MAIL FROM:<ada@example.org> {parameters}")).await;
        assert!(heard.starts_with(start), "{parameters}: expected {start}, heard {heard}");
        ada.dialogue(&[("RCPT TO:<bob@example.org>", "503 ")]).await;
    }
    drop(ada);
    // RFC 8689 §4.1: a request that cannot be kept is not taken.
    let mut clear = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    clear
        .dialogue(&[
            ("MAIL FROM:<a@elsewhere.example> REQUIRETLS", "555 5.5.4"),
            ("MAIL FROM:<a@elsewhere.example> MT-PRIORITY=3", "555 5.5.4"),
        ])
        .await;
    let mut secured = talk(&node, STRANGER, node.smtp, Way::StartTls).await;
    let reply = secured.post("<a@elsewhere.example> REQUIRETLS", &[BOB], "text").await;
    let (envelope, _) = node.store().envelope(id_in(&reply)).await.unwrap().unwrap();
    assert!(envelope.parameters.require_tls);
    node.stop().await;
}

// What an account is held to.

#[tokio::test]
async fn an_account_has_its_own_limits_of_size_and_recipients() {
    let node = house(|_| {}).await;
    set(&node, ADA, |settings| {
        settings.message_bytes_max = Some(2000);
        settings.recipients_max = Some(2);
    })
    .await;
    let mut ada = logged_in(&node, ADA).await;
    ada.dialogue(&[
        ("MAIL FROM:<ada@example.org> SIZE=2001", "552 5.3.4"),
        ("MAIL FROM:<ada@example.org> SIZE=2000", "250 "),
        ("RCPT TO:<bob@example.org>", "250 "),
        ("RCPT TO:<carol@example.org>", "250 "),
        ("RCPT TO:<ada@example.org>", "452 4.5.3"),
        ("RSET", "250 "),
    ])
    .await;
    let line = format!("{}\r\n", "x".repeat(98));
    let reply = ada.post("<ada@example.org>", &[BOB], &format!("{TEXT}\r\n{}", line.repeat(20))).await;
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    let reply = ada.post("<ada@example.org>", &[BOB], &format!("{TEXT}\r\n{}", line.repeat(10))).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let mut robot = logged_in(&node, "robot@example.org").await;
    let reply = robot.post("<robot@example.org>", &[BOB], &format!("{TEXT}\r\n{}", line.repeat(20))).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    node.stop().await;
}

#[tokio::test]
async fn an_account_that_is_disabled_or_removed_while_it_is_logged_in_sends_nothing_more() {
    use store::Directory as _;
    let node = house(|_| {}).await;
    let disabled =
        |node| set(node, ADA, |settings| settings.status = AccountStatus::Disabled { reason: "left".into() });
    let enabled = |node| set(node, ADA, |settings| settings.status = AccountStatus::Active);
    let mut ada = logged_in(&node, ADA).await;
    assert!(ada.post("<ada@example.org>", &[BOB], TEXT).await.starts_with("250 2.0.0"));
    disabled(&node).await;
    ada.dialogue(&[("MAIL FROM:<ada@example.org>", "550 5.7.13"), ("VRFY bob@example.org", "252 ")]).await;
    assert!(talk_refused(&node).await.starts_with("535 5.7.8"));
    enabled(&node).await;
    ada.dialogue(&[("MAIL FROM:<ada@example.org>", "250 ")]).await;
    // Within a transaction.
    disabled(&node).await;
    ada.dialogue(&[("RCPT TO:<bob@example.org>", "550 5.7.13"), ("RSET", "250 ")]).await;
    enabled(&node).await;
    ada.dialogue(&[
        ("MAIL FROM:<ada@example.org>", "250 "),
        ("RCPT TO:<bob@example.org>", "250 "),
        ("DATA", "354 "),
    ])
    .await;
    disabled(&node).await;
    let reply = ada.say(&format!("{TEXT}\r\n.")).await;
    assert!(reply.starts_with("550 5.7.13"), "{reply}");
    enabled(&node).await;
    let id = house::account(&node, ADA).await.id;
    node.store().remove_account(id).await.unwrap();
    ada.dialogue(&[("MAIL FROM:<ada@example.org>", "5")]).await;
    assert_eq!(inbox(&node, BOB).await.len(), 1);
    node.stop().await;
}

async fn talk_refused(node: &common::TestNode) -> String {
    talk(node, STRANGER, node.submission, Way::StartTls).await.say(&auth_plain(ADA)).await
}

#[tokio::test]
async fn starttls_drops_a_login_and_all_that_was_said_before() {
    // In development passwords are taken in clear text on loopback.
    let node = house(|config| {
        config.mode = Mode::Development;
        each(config, Service::Submission, |listener| listener.tls = server::config::TlsChoice::Offered);
    })
    .await;
    let mut clear = Client::over(from(STRANGER, node.submission).await);
    let login = auth_plain(ADA);
    let commands = format!(
        "EHLO client.example\r\n{login}\r\nMAIL FROM:<ada@example.org>\r\nRCPT TO:<bob@example.org>\r\nRSET\r\n\
         STARTTLS\r\n{login}\r\nMAIL FROM:<ada@example.org>\r\nRCPT TO:<bob@example.org>\r\n"
    );
    clear.send(commands.as_bytes()).await;
    for start in ["220 ", "250 ", "235 2.7.0", "250 2.1.0", "250 2.1.5", "250 2.0.0", "220 2.0.0"] {
        clear.expect(start).await;
    }
    // RFC 3207 §4.2 and attacks 3: neither the login before nor the one that was injected counts.
    let mut talk = within_tls(&node, clear.into_inner()).await;
    talk.dialogue(&[
        ("RCPT TO:<bob@example.org>", "503 "),
        ("MAIL FROM:<ada@example.org>", "5"),
        ("EHLO client.example", "250 "),
        ("MAIL FROM:<ada@example.org>", "530 5.7.0"),
        (&login, "235 2.7.0"),
        ("MAIL FROM:<ada@example.org>", "250 "),
    ])
    .await;
    drop(talk);
    node.stop().await;
}

// AUTH under bad input (attacks 7 and 10).

#[tokio::test]
async fn what_is_no_login_is_refused_and_leaves_nobody_logged_in() {
    let node = house(|_| {}).await;
    for (said, starts) in [
        ("AUTH PLAIN !!!!", &["501 5.5.2"][..]),
        ("AUTH PLAIN\r\n*", &["334 ", "501 5.7.0"]),
        ("AUTH PLAIN\r\n!", &["334 ", "501 5.5.2"]),
        ("AUTH PLAIN =", &["5"]),
        ("AUTH PLAIN AAAA", &["5"]),
        ("AUTH PLAIN YWRh", &["501 5.5.2"]),
        ("AUTH", &["501 5.5.4"]),
        ("AUTH NTLM", &["504 5.5.4"]),
        ("AUTH CRAM-MD5", &["504 5.5.4"]),
        ("AUTH LOGIN\r\nYWRhQGV4YW1wbGUub3Jn\r\nd3Jvbmc=", &["334 ", "334 ", "535 5.7.8"]),
        // Two NULs too many, one NUL within the password.
        ("AUTH PLAIN AGFkYUBleGFtcGxlLm9yZwBhAGI=", &["5"]),
        // The next command is not part of a response (attacks 7).
        ("AUTH PLAIN\r\nMAIL FROM:<ada@example.org>", &["334 ", "501 5.5.2"]),
    ] {
        let mut talk = talk(&node, STRANGER, node.submission, Way::StartTls).await;
        talk.send(format!("{said}\r\n").as_bytes()).await;
        for start in starts {
            let heard = talk.reply().await.pop().unwrap();
            assert!(heard.starts_with(start), "{said}: expected {start}, heard {heard}");
        }
        talk.dialogue(&[("MAIL FROM:<ada@example.org>", "530 5.7.0"), (&auth_plain(ADA), "235 ")]).await;
        // RFC 4954 §4: once, and not within a transaction.
        talk.dialogue(&[(&auth_plain(ADA), "503 5.5.1"), ("MAIL FROM:<ada@example.org>", "250 ")]).await;
        talk.dialogue(&[(&auth_plain(ADA), "503 5.5.1"), ("RCPT TO:<bob@example.org>", "250 ")]).await;
    }
    node.stop().await;
}

#[tokio::test]
async fn an_unknown_user_a_wrong_password_and_a_disabled_account_sound_alike() {
    let node = house(|_| {}).await;
    let mut heard = Vec::new();
    for name in ["nobody@example.org", "gone@example.org", "ada@example.org"] {
        let mut talk = talk(&node, STRANGER, node.submission, Way::StartTls).await;
        let wrong = if name.starts_with("gone") {
            auth_plain(name)
        } else {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(format!("\0{name}\0wrong"));
            format!("AUTH PLAIN {text}")
        };
        let reply = talk.say(&wrong).await;
        heard.push(reply.rsplit_once(" [").unwrap().0.to_owned());
        talk.dialogue(&[("MAIL FROM:<ada@example.org>", "530 5.7.0")]).await;
    }
    assert_eq!(heard, vec!["535 5.7.8 Authentication credentials invalid"; 3]);
    node.stop().await;
}

#[tokio::test]
async fn commands_behind_a_login_in_one_segment_are_those_of_who_logged_in() {
    let node = house(|_| {}).await;
    let mut talk = talk(&node, STRANGER, node.submission, Way::StartTls).await;
    let commands = format!(
        "{}\r\nMAIL FROM:<bob@example.org>\r\nMAIL FROM:<ada@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n",
        auth_plain(ADA)
    );
    talk.send(commands.as_bytes()).await;
    for start in ["235 2.7.0", "553 5.7.1", "250 2.1.0", "250 2.1.5", "354 "] {
        talk.expect(start).await;
    }
    drop(talk);
    node.stop().await;
}

// What the operator can find out, and what nobody can.

#[tokio::test]
async fn a_quoted_id_leads_to_what_happened_and_why() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    let accepted = ada.post("<ada@example.org>", &[BOB], TEXT).await;
    let mut refusals = Vec::new();
    for commands in [
        &["MAIL FROM:<bob@example.org>"][..],
        &["MAIL FROM:<ada@example.org>", "RCPT TO:<nobody@example.org>"],
        &["RSET", "NONSENSE"],
        &["VRFY nobody@example.org"],
    ] {
        let mut last = String::new();
        for command in commands {
            last = ada.say(command).await;
        }
        refusals.push(last);
    }
    for reply in refusals {
        let said = reply.rsplit_once(" [").unwrap_or_else(|| panic!("no id: {reply}")).0;
        let query = TraceQuery { id: Some(id_in(&reply)), ..TraceQuery::default() };
        let events = node.store().trace(query).await.unwrap();
        let told =
            events.iter().find(|event| event.reply.as_deref().is_some_and(|text| text.starts_with(said)));
        assert!(told.is_some_and(|event| !event.reason.is_empty()), "{reply}: {events:#?}");
        // Who it was stands beside it.
        assert!(events.iter().any(|event| event.address.as_deref() == Some(ADA)), "{events:#?}");
    }
    let query = TraceQuery { id: Some(id_in(&accepted)), ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    for address in [ADA, BOB] {
        assert!(events.iter().any(|event| event.address.as_deref() == Some(address)), "{events:#?}");
    }
    let query = TraceQuery { address: Some("NOBODY@example.org".into()), ..TraceQuery::default() };
    assert!(!node.store().trace(query).await.unwrap().is_empty());
    node.stop().await;
}

#[tokio::test]
async fn what_is_secret_is_in_no_event() {
    use base64::Engine as _;
    let node = house(|_| {}).await;
    let base64 = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let mut ada = logged_in(&node, ADA).await;
    assert!(ada.post("<ada@example.org> XIDEMPOTENCY=my-key", &[BOB], TEXT).await.starts_with("250 "));
    let plain = base64(format!("\0{ADA}\0{PASSWORD}"));
    let login = [base64(ADA.into()), base64(PASSWORD.into())];
    let nearly = format!("{PASSWORD}x");
    let secrets = [
        PASSWORD.to_owned(),
        plain.clone(),
        login[1].clone(),
        base64(format!("\0{ADA}\0{nearly}")),
        base64(nearly.clone()),
    ];
    for commands in [
        vec![format!("AUTH LOGIN {}", login[0]), login[1].clone()],
        vec![format!("AUTH PLAIN {}", secrets[3])],
        vec!["AUTH LOGIN".to_owned(), login[0].clone(), secrets[4].clone()],
        vec![format!("AUTH PLAIN {plain} {plain}")],
        vec![format!("AUTH PLAIN{plain}")],
        vec![format!("AUTH NTLM {plain}")],
        vec![format!("AUTH {plain}")],
        vec![format!("AUTH PLAIN {plain}!")],
        // The response where nobody waits for it, as of a client that is out of step.
        vec![plain.clone()],
        vec![login[1].clone()],
        vec![format!("AUTH PLAIN {plain}"), plain.clone(), format!("AUTH PLAIN {plain}")],
    ] {
        let mut talk = talk(&node, STRANGER, node.submission, Way::StartTls).await;
        for command in &commands {
            talk.say(command).await;
        }
        talk.dialogue(&[("QUIT", "221 ")]).await;
    }
    let mut clear = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    clear.dialogue(&[(&auth_plain(ADA), "538 5.7.11")]).await;
    let query = TraceQuery { limit: 1000, ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    assert!(events.len() > 40);
    for event in &events {
        let text = format!("{event:?}");
        for secret in &secrets {
            assert!(!text.contains(secret.trim_end_matches('=')), "{secret}: {text}");
        }
    }
    node.stop().await;
}

// Who the client is, as others say.

#[tokio::test]
async fn xclient_from_a_trusted_proxy_changes_who_the_client_is_and_from_others_nothing() {
    let node = house(|config| {
        config.submission.messages_per_hour_per_address_max = 1;
        for service in [Service::Smtp, Service::Submissions] {
            each(config, service, |listener| listener.xclient_from = vec!["127.0.0.5/32".parse().unwrap()]);
        }
    })
    .await;
    let mut liar = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    liar.dialogue(&[
        ("VRFY bob@example.org", "252 "),
        ("XCLIENT ADDR=127.0.0.2", "550 5.7.1"),
        ("XCLIENT LOGIN=ada@example.org", "550 5.7.1"),
        ("VRFY bob@example.org", "252 "),
    ])
    .await;
    let mut proxy = talk(&node, PROXY, node.smtp, Way::Clear).await;
    proxy
        .dialogue(&[
            ("VRFY bob@example.org", "252 "),
            ("XCLIENT ADDR=127.0.0.2", "220 "),
            ("EHLO client.example", "250 "),
            ("VRFY bob@example.org", "250 "),
            ("XCLIENT ADDR=192.0.2.1", "220 "),
            ("EHLO client.example", "250 "),
            ("VRFY bob@example.org", "252 "),
            ("XCLIENT ADDR=[UNAVAILABLE]", "220 "),
            ("EHLO client.example", "250 "),
            ("VRFY bob@example.org", "252 "),
        ])
        .await;
    // Each client of the proxy has its own number of messages, and the proxy's own is not touched.
    let mut proxy = talk(&node, PROXY, node.submissions, Way::Tls).await;
    for (client, start) in [("192.0.2.1", "250 "), ("192.0.2.1", "451 4.7.1"), ("192.0.2.2", "250 ")] {
        proxy
            .dialogue(&[
                (&format!("XCLIENT ADDR={client} LOGIN=[UNAVAILABLE]"), "220 "),
                ("EHLO client.example", "250 "),
                ("MAIL FROM:<ada@example.org>", "530 5.7.0"),
                (&auth_plain(ADA), "235 "),
                ("MAIL FROM:<ada@example.org>", start),
            ])
            .await;
        if start == "250 " {
            proxy.dialogue(&[("RCPT TO:<bob@example.org>", "250 "), ("DATA", "354 ")]).await;
            assert!(proxy.say(&format!("{TEXT}\r\n.")).await.starts_with("250 2.0.0"));
            let message = inbox(&node, BOB).await.pop().unwrap();
            assert!(fields(&message, "Received")[0].contains(&format!("[{client}]")), "{message}");
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn a_login_that_a_trusted_proxy_tells_has_the_rights_of_the_account() {
    let node = house(|config| {
        each(config, Service::Submissions, |listener| {
            listener.xclient_from = vec!["127.0.0.5/32".parse().unwrap()];
        });
    })
    .await;
    let mut proxy = talk(&node, PROXY, node.submissions, Way::Tls).await;
    proxy
        .dialogue(&[
            ("XCLIENT ADDR=192.0.2.1 LOGIN=nobody@example.org", "550 "),
            ("MAIL FROM:<ada@example.org>", "530 5.7.0"),
            ("XCLIENT ADDR=192.0.2.1 LOGIN=gone@example.org", ""),
            ("EHLO client.example", "250 "),
            ("MAIL FROM:<gone@example.org>", "5"),
            ("XCLIENT ADDR=192.0.2.1 LOGIN=ada@example.org", "220 "),
            ("EHLO client.example", "250 "),
            ("MAIL FROM:<bob@example.org>", "553 5.7.1"),
            ("MAIL FROM:<ada@example.org>", "250 "),
            ("RSET", "250 "),
            ("XCLIENT LOGIN=[UNAVAILABLE]", "220 "),
            ("EHLO client.example", "250 "),
            ("MAIL FROM:<ada@example.org>", "530 5.7.0"),
        ])
        .await;
    node.stop().await;
}

#[tokio::test]
async fn the_proxy_protocol_from_a_trusted_proxy_changes_who_the_client_is_and_from_others_nothing() {
    let node = house(|config| {
        each(config, Service::Smtp, |listener| listener.proxy_from = vec!["127.0.0.5/32".parse().unwrap()]);
    })
    .await;
    let header = |client: &str| format!("PROXY TCP4 {client} 198.51.100.7 56324 25\r\n");
    for (client, start) in [("127.0.0.2", "250 "), ("192.0.2.1", "252 "), ("127.0.0.5", "252 ")] {
        let mut talk = Client::over(from(PROXY, node.smtp).await);
        talk.send(header(client).as_bytes()).await;
        talk.expect("220 ").await;
        talk.send(b"EHLO client.example\r\nVRFY bob@example.org\r\n").await;
        talk.expect("250 ").await;
        talk.expect(start).await;
    }
    // From anybody else it is a command that does not exist, and nothing is believed (attacks 8).
    let mut liar = Client::over(from(STRANGER, node.smtp).await);
    liar.expect("220 ").await;
    liar.send(header("127.0.0.2").as_bytes()).await;
    liar.expect("500 ").await;
    liar.send(b"EHLO client.example\r\nVRFY bob@example.org\r\n").await;
    liar.expect("250 ").await;
    liar.expect("252 ").await;
    // A trusted network is trusted, and not what it says of others.
    let mut trusted = Client::over(from(TRUSTED, node.smtp).await);
    trusted.expect("220 ").await;
    trusted.send(header("192.0.2.1").as_bytes()).await;
    trusted.expect("500 ").await;
    node.stop().await;
}
