//! App passwords that are revoked: the sessions that were logged in with them end, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;
#[path = "common/imap.rs"]
mod imap_client;

use common::{Client, TestNode};
use house::{PASSWORD, STRANGER, Way, account, house, inbox, logged_in, talk};
use imap_client::Imap;
use server::passwords;
use store::{AccountChange, AppPassword, Directory as _};
use types::Timestamp;

const ADA: &str = "ada@example.org";
const TEXT: &str = "From: ada@example.org\r\n\r\ntext";

async fn change(node: &TestNode, change: AccountChange) {
    node.store().change_account(account(node, ADA).await.id, change).await.unwrap();
}

/// The one that everybody here logs in with.
async fn revoke(node: &TestNode) {
    change(node, AccountChange::RemoveAppPassword { name: "tests".into() }).await;
}

async fn add(node: &TestNode, name: &str, text: &str, created_at: u64) {
    let sha256 = passwords::app_password_sha256(text);
    let created_at = Timestamp::from_millis(created_at);
    let added = AppPassword { name: name.into(), sha256, created_at, last_used_at: None };
    change(node, AccountChange::AddAppPassword(added)).await;
}

#[tokio::test]
async fn imap_says_bye_to_who_logged_in_with_it_and_to_nobody_else() {
    let node = house(|_| {}).await;
    add(&node, "desk", "of the desk", 1).await;
    let mut idle = Imap::login_as(node.imap, ADA, PASSWORD).await;
    idle.ok("SELECT INBOX").await;
    idle.idle().await;
    let mut silent = Imap::login_as(node.imap, ADA, PASSWORD).await;
    let mut desk = Imap::login_as(node.imap, ADA, "\"of the desk\"").await;
    revoke(&node).await;
    for mut ended in [idle, silent] {
        ended.untagged("* BYE").await;
        ended.expect_end().await;
    }
    silent = Imap::connect(node.imap).await;
    silent.ends(&format!("LOGIN {ADA} {PASSWORD}"), "NO [AUTHENTICATIONFAILED]").await;
    desk.ok("SELECT INBOX").await;
    // One that is made anew under the same name is not the one that was logged in with.
    change(&node, AccountChange::RemoveAppPassword { name: "desk".into() }).await;
    add(&node, "desk", "another", 2).await;
    desk.untagged("* BYE").await;
    // What is made beside it ends nothing.
    let mut another = Imap::login_as(node.imap, ADA, "another").await;
    add(&node, "tablet", "of the tablet", 3).await;
    another.ok("SELECT INBOX").await;
    node.stop().await;
}

#[tokio::test]
async fn pop3_ends_with_the_next_command_and_lets_others_in() {
    for command in ["RETR 2", "QUIT", "NOOP", "STAT", "RSET"] {
        let node = house(|_| {}).await;
        add(&node, "desk", "of the desk", 1).await;
        let mut stranger = talk(&node, STRANGER, node.smtp, Way::Clear).await;
        for _ in 0..2 {
            assert!(stranger.post("<x@elsewhere.example>", &[ADA], TEXT).await.starts_with("250 2.0.0"));
        }
        let mut client = Client::connect(node.pop3).await;
        client.expect("+OK").await;
        client.send(format!("USER {ADA}\r\nPASS {PASSWORD}\r\nDELE 1\r\n").as_bytes()).await;
        for _ in 0..3 {
            client.expect("+OK").await;
        }
        revoke(&node).await;
        client.send(format!("{command}\r\n").as_bytes()).await;
        client.expect("-ERR [SYS/PERM]").await;
        client.expect_end().await;
        assert_eq!(inbox(&node, ADA).await.len(), 2, "{command}");
        let mut desk = Client::connect(node.pop3).await;
        desk.expect("+OK").await;
        desk.send(format!("USER {ADA}\r\nPASS of the desk\r\n").as_bytes()).await;
        desk.expect("+OK").await;
        desk.expect("+OK Logged in: 2 messages").await;
        node.stop().await;
    }
}

#[tokio::test]
async fn smtp_takes_nothing_more_from_who_logged_in_with_it() {
    let node = house(|_| {}).await;
    let mut idle = logged_in(&node, ADA).await;
    let mut sending = logged_in(&node, ADA).await;
    sending
        .dialogue(&[
            ("MAIL FROM:<ada@example.org>", "250 "),
            ("RCPT TO:<ada@example.org>", "250 "),
            ("DATA", "354 "),
        ])
        .await;
    revoke(&node).await;
    let reply = sending.say(&format!("{TEXT}\r\n.")).await;
    assert!(reply.starts_with("530 5.7.0"), "{reply}");
    let refused = "530 5.7.0 Your app password was revoked: log in with another one on a new connection";
    let dialogue = [
        ("MAIL FROM:<ada@example.org>", refused),
        ("VRFY ada@example.org", "252 "),
        ("ETRN customer.example", refused),
    ];
    idle.dialogue(&dialogue).await;
    assert!(inbox(&node, ADA).await.is_empty());
    node.stop().await;
}
