//! LMTP (RFC 2033 §4.2): a reply for each recipient.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;

use common::TestNode;
use house::{house, inbox, set, talk_lmtp};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
const TEXT: &str = "From: someone@elsewhere.example\r\nSubject: s\r\n\r\ntext";

/// How many messages everybody has.
async fn counts(node: &TestNode, names: &[&str]) -> Vec<usize> {
    let mut counts = Vec::new();
    for name in names {
        counts.push(inbox(node, name).await.len());
    }
    counts
}

#[tokio::test]
async fn lmtp_answers_for_each_recipient_that_was_accepted() {
    let node = house(|_| {}).await;
    let mut talk = talk_lmtp(&node).await;
    talk.dialogue(&[
        ("MAIL FROM:<someone@elsewhere.example>", "250 "),
        ("RCPT TO:<ada@example.org>", "250 2.1.5"),
        ("RCPT TO:<nobody@example.org>", "550 5.1.1"),
        ("RCPT TO:<full@example.org>", "250 2.1.5"),
        ("RCPT TO:<bob@example.org>", "250 2.1.5"),
        ("DATA", "354 "),
    ])
    .await;
    talk.send(format!("{TEXT}\r\n.\r\n").as_bytes()).await;
    for recipient in [ADA, "full@example.org", BOB] {
        let line = talk.line().await;
        assert!(line.starts_with("250 2.0.0"), "{recipient}: {line}");
    }
    // Now there is no room for one of them, and the others get theirs.
    talk.send(
        b"MAIL FROM:<someone@elsewhere.example> SIZE=60\r\nRCPT TO:<ada@example.org>\r\n\
          RCPT TO:<full@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n",
    )
    .await;
    for start in ["250 ", "250 ", "452 4.2.2", "250 ", "354 "] {
        talk.expect(start).await;
    }
    talk.send(format!("{TEXT}\r\n.\r\nNOOP\r\n").as_bytes()).await;
    for start in ["250 2.0.0", "250 2.0.0", "250 2.0.0 OK"] {
        talk.expect(start).await;
    }
    assert_eq!(counts(&node, &[ADA, "full@example.org", BOB]).await, [2, 1, 2]);
    node.stop().await;
}

#[tokio::test]
async fn lmtp_says_of_each_mailbox_that_filled_up_or_was_disabled_behind_rcpt() {
    use types::directory::AccountStatus;
    let node = house(|_| {}).await;
    let mut talk = talk_lmtp(&node).await;
    talk.dialogue(&[
        ("MAIL FROM:<someone@elsewhere.example>", "250 "),
        ("RCPT TO:<ada@example.org>", "250 2.1.5"),
        ("RCPT TO:<full@example.org>", "250 2.1.5"),
        ("RCPT TO:<bob@example.org>", "250 2.1.5"),
        ("DATA", "354 "),
    ])
    .await;
    set(&node, BOB, |settings| settings.status = AccountStatus::Disabled { reason: "left".into() }).await;
    // Larger than all that there is room for.
    talk.send(format!("{TEXT}{}\r\n.\r\n", "x".repeat(500)).as_bytes()).await;
    for (recipient, start) in [(ADA, "250 2.0.0"), ("full@example.org", "452 4.2.2"), (BOB, "550 5.2.1")] {
        let line = talk.line().await;
        assert!(line.starts_with(start), "{recipient}: {line}");
    }
    assert_eq!(counts(&node, &[ADA, "full@example.org", BOB]).await, [1, 0, 0]);
    node.stop().await;
}
