//! What submission does to a message and keeps of it, and what it holds an account to (RFC 6409), over real sockets
//! with AUTH within TLS.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;

use house::{STRANGER, Way, auth_plain, fields, house, id_in, inbox, logged_in, set, talk};
use server::config::QuotaReply;
use store::Spool as _;
use types::directory::{AccountStatus, SendAs};
use types::{AuthParameter, ByMode, DeliverBy, DsnReturn, Notify};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";

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

/// A quota that the first one has used up, and a rate, are no answers to the same message once more.
#[tokio::test]
async fn a_message_with_a_key_that_was_used_is_known_where_there_is_no_room_for_it_again() {
    let node = house(|config| {
        config.policy.quota_reply = QuotaReply::Permanent;
        config.submission.messages_per_hour_per_account_max = 1;
    })
    .await;
    set(&node, BOB, |settings| settings.quota_bytes = Some(1000)).await;
    let mut ada = logged_in(&node, ADA).await;
    let text = format!("{TEXT}{}", "x".repeat(600));
    for mail in
        ["<ada@example.org> XIDEMPOTENCY=order-17", "<ada@example.org> SIZE=900 XIDEMPOTENCY=order-17"]
    {
        let first = ada.post(mail, &[BOB], &text).await;
        assert!(first.starts_with("250 2.0.0"), "{first}");
        assert_eq!(ada.post(mail, &[BOB], &text).await, first);
    }
    assert_eq!(inbox(&node, BOB).await.len(), 1);
    // Another key opens nothing: the rate is told at MAIL.
    ada.dialogue(&[("MAIL FROM:<ada@example.org> XIDEMPOTENCY=order-18", "451 4.7.1")]).await;
    node.stop().await;
}

#[tokio::test]
async fn a_key_that_is_new_gets_nothing_into_a_full_mailbox() {
    let node = house(|_| {}).await;
    set(&node, BOB, |settings| settings.quota_bytes = Some(20)).await;
    let mut ada = logged_in(&node, ADA).await;
    let refused = ada.post("<ada@example.org> XIDEMPOTENCY=order-17", &[BOB], TEXT).await;
    assert!(refused.starts_with("452 4.2.2"), "{refused}");
    set(&node, BOB, |settings| settings.quota_bytes = Some(0)).await;
    for mail in ["<ada@example.org> XIDEMPOTENCY=order-18", "<ada@example.org> SIZE=60 XIDEMPOTENCY=order-19"]
    {
        let begin = format!("MAIL FROM:{mail}");
        ada.dialogue(&[
            (begin.as_str(), "250 "),
            ("RCPT TO:<bob@example.org>", "452 4.2.2"),
            ("RCPT TO:<carol@example.org>", "250 "),
            ("RSET", "250 "),
        ])
        .await;
    }
    assert!(inbox(&node, BOB).await.is_empty());
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
async fn a_message_for_which_there_is_no_room_does_not_count_for_the_rate() {
    let node = house(|config| config.submission.messages_per_hour_per_account_max = 1).await;
    set(&node, BOB, |settings| settings.quota_bytes = Some(20)).await;
    let mut ada = logged_in(&node, ADA).await;
    for _ in 0..2 {
        let refused = ada.post("<ada@example.org>", &[BOB], TEXT).await;
        assert!(refused.starts_with("452 4.2.2"), "{refused}");
    }
    assert!(ada.post("<ada@example.org>", &["carol@example.org"], TEXT).await.starts_with("250 2.0.0"));
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
