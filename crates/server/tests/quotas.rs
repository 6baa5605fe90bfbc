//! Quotas of accounts, where several ways lead into one at once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/imap.rs"]
mod imap_client;

use common::{Client, TestNode};
use imap_client::Imap;
use store::{AccountChange, Directory as _};
use types::directory::AccountSettings;

const MESSAGE: &[u8] = b"From: a@example.org\r\nSubject: hello\r\n\r\ntext\r\n";

/// A node whose account may keep so many octets.
async fn limited(quota_bytes: u64) -> TestNode {
    let node = TestNode::start(|_| {}).await;
    let account = node.store().account("dev@localhost").await.unwrap().unwrap();
    let settings = AccountSettings { quota_bytes: Some(quota_bytes), ..account.settings };
    node.store().change_account(account.id, AccountChange::Settings(settings)).await.unwrap();
    node
}

/// A client that has said all but the message itself.
async fn at_data(node: &TestNode) -> Client {
    let mut client = Client::connect(node.smtp).await;
    client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n").await;
    for code in ["220 ", "250 HELP", "250 ", "250 ", "354 "] {
        client.expect(code).await;
    }
    client
}

#[tokio::test]
async fn messages_that_come_to_their_end_at_once_do_not_pass_a_quota_together() {
    let node = limited(80).await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(at_data(&node).await);
    }
    // All were told to go on, since there was room for each.
    let ends = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            client.send(&[MESSAGE, b".\r\n"].concat()).await;
            client.line().await
        })
    });
    let mut accepted = 0;
    for end in ends.collect::<Vec<_>>() {
        let reply = end.await.unwrap();
        assert!(reply.starts_with("250 2.0.0") || reply.starts_with("452 4.2.2"), "{reply}");
        accepted += usize::from(reply.starts_with("250"));
    }
    assert_eq!((accepted, node.messages().await), (1, 1));
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_turns_out_to_be_larger_than_the_room_there_is_is_refused_at_its_end() {
    let node = limited(80).await;
    let mut client = at_data(&node).await;
    client.send(&[MESSAGE, MESSAGE, b".\r\n"].concat()).await;
    client.expect("452 4.2.2").await;
    assert_eq!(node.messages().await, 0);
    node.stop().await;
}

#[tokio::test]
async fn replace_needs_room_only_for_what_is_more_than_what_goes() {
    let node = limited(100).await;
    let mut imap = Imap::inbox(node.imap).await;
    for _ in 0..2 {
        assert!(imap.append("INBOX", "", MESSAGE).await.end.starts_with("OK"));
    }
    assert!(imap.append("INBOX", "", MESSAGE).await.end.starts_with("NO [OVERQUOTA]"));
    let text = String::from_utf8(MESSAGE.to_vec()).unwrap();
    imap.ok(&format!("REPLACE 1 INBOX {{{}+}}\r\n{text}", text.len())).await;
    assert_eq!(node.messages().await, 2);
    let longer = format!("{text}{}\r\n", "x".repeat(60));
    imap.ends(&format!("REPLACE 1 INBOX {{{}+}}\r\n{longer}", longer.len()), "NO [OVERQUOTA]").await;
    assert_eq!(node.messages().await, 2);
    node.stop().await;
}
