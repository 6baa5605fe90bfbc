//! Quotas of accounts, where several ways lead into one at once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;
#[path = "common/imap.rs"]
mod imap_client;
#[path = "common/resolver.rs"]
mod resolver;
#[path = "common/strangers.rs"]
mod strangers;

use std::net::Ipv4Addr;

use common::{Client, TestNode};
use house::{Talk, Way, folder, inbox, set, talk, talk_lmtp};
use imap_client::Imap;
use resolver::Zone;
use sim::disk::{Faults, SimDisk};
use store::embedded::disk::{Disk, RealDisk};
use store::{AccountChange, Directory as _};
use strangers::visit;
use types::directory::AccountSettings;

const MESSAGE: &[u8] = b"From: a@example.org\r\nSubject: hello\r\n\r\ntext\r\n";

/// A node whose account may keep so many octets.
async fn limited(quota_bytes: u64) -> TestNode {
    limited_on(RealDisk, quota_bytes).await
}

async fn limited_on(disk: impl Disk + 'static, quota_bytes: u64) -> TestNode {
    let node = TestNode::start_on(disk).await;
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

const FULL: &str = "full@example.org";
/// There is room for one of these in a hundred octets.
const NOTE: &str = "From: Bob <bob@slow.example>\r\nSubject: s\r\n\r\ntext";

/// A session that has said all but the end of a note to the account with a quota of a hundred octets.
async fn at_the_end(mut talk: Talk, from: &str) -> Talk {
    let mail = format!("MAIL FROM:<{from}>");
    talk.dialogue(&[(&mail, "250 "), ("RCPT TO:<full@example.org>", "250 "), ("DATA", "354 ")]).await;
    talk
}

#[tokio::test]
async fn who_is_judged_for_long_keeps_nobody_from_the_room_that_there_is() {
    let zone = Zone::default()
        .silent("slow.example")
        .silent("_dmarc.slow.example")
        .txt("_dmarc.shop.example", "v=DMARC1; p=reject")
        .txt("shop.example", "v=spf1 -all");
    let (node, resolver) = strangers::node(zone, |_| {}).await;
    set(&node, FULL, |settings| settings.quota_bytes = Some(100)).await;
    let stranger = Ipv4Addr::new(198, 51, 100, 7);
    // What judging refuses has no room.
    let mut forger = at_the_end(visit(&node, stranger).await, "x@shop.example").await;
    let reply = forger.say("From: <x@shop.example>\r\nSubject: s\r\n\r\nshop text\r\n.").await;
    assert!(reply.starts_with("550 5.7."), "{reply}");
    // Nobody answers what is asked about this one.
    let mut slow = at_the_end(visit(&node, stranger).await, "bob@slow.example").await;
    slow.send(format!("{NOTE}\r\n.\r\n").as_bytes()).await;
    // Only its From leads there: the message has come, and is judged.
    while !resolver.asked().iter().any(|name| name.contains("_dmarc.slow.example")) {
        tokio::task::yield_now().await;
    }
    let mut trusted = talk(&node, house::TRUSTED, node.smtp, Way::Clear).await;
    let reply = trusted.post("<carol@elsewhere.example>", &[FULL], NOTE).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    // The time that the DNS is given passes at once.
    tokio::time::pause();
    slow.expect("452 4.2.2").await;
    tokio::time::resume();
    assert_eq!(inbox(&node, FULL).await.len() + folder(&node, FULL, "Junk").await.len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn where_the_store_does_not_say_how_much_there_is_the_message_is_to_come_again() {
    let disk = SimDisk::new();
    let node = limited_on(disk.clone(), 1000).await;
    let account = node.store().account("dev@localhost").await.unwrap().unwrap().id;
    let mut by_smtp = at_data(&node).await;
    let mut by_lmtp = talk_lmtp(&node).await;
    by_lmtp
        .dialogue(&[("MAIL FROM:<>", "250 "), ("RCPT TO:<b@example.net>", "250 "), ("DATA", "354 ")])
        .await;
    // The tables are lost with the next change, and cannot be made again. What is accepted needs the log alone.
    let view = node.data().join("view.redb");
    disk.set_faults(Faults { fail_writes: Some(view.clone()), fail_syncs: Some(view), ..Faults::default() });
    assert!(node.deliver(MESSAGE).await.starts_with("250 "));
    while node.store().account_usage(account).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let end = [MESSAGE, b".\r\n"].concat();
    by_smtp.send(&end).await;
    by_smtp.expect("451 4.3.0").await;
    by_lmtp.send(&end).await;
    by_lmtp.expect("451 4.3.0").await;
    disk.set_faults(Faults::default());
    node.stop().await;
}
