//! The limits and waits of a node, over real sockets on loopback (attacks: slow clients, floods).
//!
//! The clock of the runtime is paused where a wait is tested: it jumps ahead as soon as nothing else is to do, so
//! that a wait of minutes takes no time and is exact.

mod common;

use common::{Client, TestNode};
use server::config::{Config, Seconds};
use types::limits;

#[tokio::test]
async fn a_message_is_accepted_and_read_back_by_pop3() {
    let node = TestNode::start(|_| {}).await;
    let mut smtp = Client::connect(node.smtp).await;
    smtp.expect("220 ").await;
    smtp.send(b"EHLO client.example\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
        .await;
    for code in ["250 HELP", "250 2.1.0", "250 2.1.5", "354 "] {
        smtp.expect(code).await;
    }
    smtp.send(b"Subject: hello\r\n\r\n..dot\r\n.\r\n").await;
    smtp.expect("250 2.0.0 ").await;

    let mut pop3 = Client::connect(node.pop3).await;
    pop3.expect("+OK").await;
    pop3.send(b"USER dev@localhost\r\nPASS secret\r\nRETR 1\r\n").await;
    for _ in 0..3 {
        pop3.expect("+OK").await;
    }
    let lines = pop3.lines_until(".").await;
    assert_eq!(lines[0], "Return-Path: <a@example.com>");
    assert_eq!(lines[1], "Delivered-To: b@example.net");
    assert!(lines[2].starts_with("Received: from client.example ([127.0.0.1])"), "{lines:?}");
    assert_eq!(lines[lines.len() - 3..], ["Subject: hello", "", "..dot"]);
    node.stop().await;
}

#[tokio::test]
async fn connections_over_the_limit_are_told_421_and_one_that_ends_makes_room() {
    let node = TestNode::start(|config| config.limits.connections_max = 2).await;
    let mut first = Client::connect(node.smtp).await;
    first.expect("220 ").await;
    let mut second = Client::connect(node.pop3).await;
    second.expect("+OK").await;
    let mut third = Client::connect(node.smtp).await;
    third.expect("421 4.3.2").await;
    third.expect_end().await;
    first.send(b"QUIT\r\n").await;
    first.expect("221 ").await;
    first.expect_end().await;
    // The place is free once the session's task has ended, which its peer cannot see: ask until it is.
    loop {
        let mut next = Client::connect(node.smtp).await;
        if next.line().await.starts_with("220 ") {
            break;
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn one_address_gets_no_more_connections_than_its_share() {
    let node = TestNode::start(|config| config.limits.connections_per_address_max = 1).await;
    let mut first = Client::connect(node.smtp).await;
    first.expect("220 ").await;
    Client::connect(node.smtp).await.expect("421 4.7.0 Too many connections from 127.0.0.1").await;
    let mut pop3 = Client::connect(node.pop3).await;
    pop3.expect("-ERR [SYS/TEMP]").await;
    node.stop().await;
}

#[tokio::test]
async fn a_client_that_says_nothing_is_told_421_after_the_time_of_the_rfc() {
    let node = TestNode::start(|_| {}).await;
    let mut client = Client::connect(node.smtp).await;
    client.expect("220 ").await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    client.expect("421 4.4.2").await;
    client.expect_end().await;
    assert!(began.elapsed() >= limits::SERVER_COMMAND_TIMEOUT);
    tokio::time::resume();
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_stops_coming_is_told_421_and_is_not_stored() {
    let node = TestNode::start(|_| {}).await;
    let mut client = Client::connect(node.smtp).await;
    client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nhalf a mess").await;
    for code in ["220 ", "250 HELP", "250 ", "250 ", "354 "] {
        client.expect(code).await;
    }
    tokio::time::pause();
    client.expect("421 4.4.2").await;
    client.expect_end().await;
    tokio::time::resume();
    assert_eq!(node.messages().await, 0);
    node.stop().await;
}

#[tokio::test]
async fn a_pop3_client_that_says_nothing_is_let_go_and_nothing_is_deleted() {
    let node = TestNode::start(|_| {}).await;
    node.deliver(b"one\r\n").await;
    let mut client = Client::connect(node.pop3).await;
    client.send(b"USER dev@localhost\r\nPASS secret\r\nDELE 1\r\n").await;
    for _ in 0..4 {
        client.expect("+OK").await;
    }
    tokio::time::pause();
    client.expect_end().await;
    tokio::time::resume();
    assert_eq!(node.messages().await, 1);
    node.stop().await;
}

#[tokio::test]
async fn a_maildrop_is_open_to_one_session_at_a_time() {
    let node = TestNode::start(|_| {}).await;
    let mut first = Client::connect(node.pop3).await;
    first.send(b"USER dev@localhost\r\nPASS secret\r\n").await;
    for _ in 0..3 {
        first.expect("+OK").await;
    }
    let mut second = Client::connect(node.pop3).await;
    second.send(b"USER dev@localhost\r\nPASS secret\r\n").await;
    second.expect("+OK").await;
    second.expect("+OK").await;
    second.expect("-ERR [IN-USE]").await;
    first.send(b"QUIT\r\n").await;
    first.expect("+OK").await;
    first.expect_end().await;
    second.send(b"USER DEV@localhost\r\nPASS secret\r\n").await;
    second.expect("+OK").await;
    second.expect("+OK").await;
    node.stop().await;
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_get_the_same_answer() {
    let node = TestNode::start(|_| {}).await;
    let mut client = Client::connect(node.pop3).await;
    client.expect("+OK").await;
    let mut answers = Vec::new();
    for user in ["dev@localhost", "nobody@localhost"] {
        client.send(format!("USER {user}\r\nPASS wrong\r\n").as_bytes()).await;
        answers.push((client.line().await, client.line().await));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].1.starts_with("-ERR [AUTH]"), "{answers:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_session_in_the_middle_of_a_message_may_finish_it_when_the_node_stops() {
    let node = TestNode::start(|_| {}).await;
    let mut busy = Client::connect(node.smtp).await;
    busy.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n").await;
    for code in ["220 ", "250 HELP", "250 ", "250 ", "354 "] {
        busy.expect(code).await;
    }
    let mut idle = Client::connect(node.smtp).await;
    idle.expect("220 ").await;
    let stopping = tokio::spawn(node.stop());
    idle.expect("421 4.3.2").await;
    busy.send(b"text\r\n.\r\n").await;
    busy.expect("250 2.0.0").await;
    busy.expect("421 4.3.2").await;
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_not_finished_in_time_is_told_421_when_the_node_stops() {
    let node = TestNode::start(|_| {}).await;
    let mut busy = Client::connect(node.smtp).await;
    busy.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nhalf a mess").await;
    for code in ["220 ", "250 HELP", "250 ", "250 ", "354 "] {
        busy.expect(code).await;
    }
    tokio::time::pause();
    let stopping = tokio::spawn(node.stop());
    busy.expect("421 4.3.2").await;
    busy.expect_end().await;
    stopping.await.unwrap();
}

#[tokio::test]
async fn other_domains_are_not_relayed_for_and_unknown_mailboxes_are_refused() {
    let node = TestNode::start(|config: &mut Config| {
        config.recipients = server::config::Recipients::Domains(vec!["localhost".parse().unwrap()]);
    })
    .await;
    let mut client = Client::connect(node.smtp).await;
    client.send(b"EHLO c\r\nMAIL FROM:<a@example.com>\r\n").await;
    for code in ["220 ", "250 HELP", "250 "] {
        client.expect(code).await;
    }
    for (recipient, reply) in [
        ("<dev@localhost>", "250 2.1.5"),
        ("<DEV@LOCALHOST>", "250 2.1.5"),
        ("<\"dev\"@localhost>", "250 2.1.5"),
        ("<Postmaster>", "250 2.1.5"),
        ("<postmaster@localhost>", "250 2.1.5"),
        ("<nobody@localhost>", "550 5.1.1"),
        ("<dev@example.org>", "550 5.7.1"),
        ("<dev%example.org@localhost>", "550 5.1.1"),
        ("<\"dev@example.org\"@localhost>", "550 5.1.1"),
        ("<@localhost:dev@example.org>", "550 5.7.1"),
        ("<dev@[192.0.2.1]>", "550 5.7.1"),
        // RFC 5321 §4.1.3: this is dev@ this very host, where nobody has that name.
        ("<dev@[127.0.0.1]>", "550 5.1.1"),
    ] {
        client.send(format!("RCPT TO:{recipient}\r\n").as_bytes()).await;
        client.expect(reply).await;
    }
    // However many recipients lead to it, a mailbox gets one copy.
    client.send(b"DATA\r\n.\r\n").await;
    client.expect("354 ").await;
    client.expect("250 ").await;
    assert_eq!(node.messages().await, 1);
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_passed_too_many_hosts_is_refused_as_a_loop() {
    let node = TestNode::start(|config| config.smtp.hops_max = 100).await;
    let received = |count: usize| [&b"Received: x\r\n".repeat(count)[..], b"\r\ntext\r\n"].concat();
    assert!(node.deliver(&received(101)).await.starts_with("554 5.4.6"));
    assert!(node.deliver(&received(100)).await.starts_with("250 "));
    node.stop().await;
}

#[tokio::test]
async fn messages_beyond_the_memory_go_by_disk_and_come_back_the_same() {
    let node = TestNode::start(|config| {
        config.limits.body_memory_bytes_max = server::config::ByteSize(100_000);
        config.limits.body_memory_per_message_bytes_max = server::config::ByteSize(100_000);
        config.smtp.command_timeout_s = Seconds(300);
    })
    .await;
    for size in [1_000, 99_000, 101_000, 3_000_000] {
        let text = b"0123456789012345678901234567890123456789012345678901234567890123456789012345678\r\n";
        let message = text.repeat(size / text.len());
        assert!(node.deliver(&message).await.starts_with("250 "));
        let stored = node.last_message().await;
        assert!(stored.ends_with(&message), "{size} octets");
    }
    node.stop().await;
}
