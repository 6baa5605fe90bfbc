//! What POP3 does to a mailbox that others use too, and what the operator has said about it: over real sockets, with another
//! program that changes the mailbox at the same time.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;

use std::time::Duration;

use common::{Client, TestNode};
use server::config::{Config, Pop3Deleted, Pop3Expiry, Seconds, Switch};
use store::{AccountChange, Flags, MailboxId, Mailboxes as _, MessageEntry, SpecialUse, Transfer, Uid};
use types::Timestamp;
use types::directory::{AccountSettings, AccountStatus};

const MINUTE: Duration = Duration::from_secs(60);
const AT: Timestamp = Timestamp::from_millis(1_795_322_124_250);

/// A node with so many messages, the first one UID 1.
async fn node(messages: usize, change: impl FnOnce(&mut Config)) -> TestNode {
    let node = TestNode::start(change).await;
    for number in 1..=messages {
        let reply = node.deliver(format!("Subject: {number}\r\n\r\n{number}\r\n").as_bytes()).await;
        assert!(reply.starts_with("250 "), "{reply}");
    }
    node
}

/// A session that has logged in.
async fn session(node: &TestNode) -> Client {
    let mut client = Client::connect(node.pop3).await;
    client.expect("+OK").await;
    client.send(b"USER dev@localhost\r\nPASS secret\r\n").await;
    client.expect("+OK").await;
    client.expect("+OK Logged in").await;
    client
}

async fn say(client: &mut Client, command: &str) -> String {
    client.send(format!("{command}\r\n").as_bytes()).await;
    client.line().await
}

async fn retrieve(client: &mut Client, number: usize) {
    assert!(say(client, &format!("RETR {number}")).await.starts_with("+OK"));
    let content = client.content().await;
    let body = format!("\r\n\r\n{number}\r\n");
    assert!(content.ends_with(body.as_bytes()), "{}", content.escape_ascii());
}

async fn quit(client: &mut Client) -> String {
    let reply = say(client, "QUIT").await;
    client.expect_end().await;
    reply
}

async fn mailbox(node: &TestNode, special_use: Option<SpecialUse>) -> MailboxId {
    use store::Directory as _;
    let account = node.store().account("dev@localhost").await.unwrap().unwrap();
    let mailboxes = node.store().mailboxes(account.id).await.unwrap();
    match special_use {
        None => account.inbox,
        Some(_) => mailboxes.iter().find(|mailbox| mailbox.special_use == special_use).unwrap().id,
    }
}

async fn set_status(node: &TestNode, status: AccountStatus) {
    use store::Directory as _;
    let account = node.store().account("dev@localhost").await.unwrap().unwrap();
    let settings = AccountSettings { status, ..account.settings };
    node.store().change_account(account.id, AccountChange::Settings(settings)).await.unwrap();
}

async fn entries(node: &TestNode, mailbox: MailboxId) -> Vec<MessageEntry> {
    node.store().messages(mailbox, None, 100).await.unwrap()
}

async fn uids(node: &TestNode) -> Vec<u32> {
    entries(node, mailbox(node, None).await).await.iter().map(|entry| entry.uid.0).collect()
}

#[tokio::test]
async fn what_another_program_removes_or_adds_shifts_no_number_and_is_told_truly() {
    let node = node(3, |_| {}).await;
    let mut client = session(&node).await;
    let inbox = mailbox(&node, None).await;
    client.send(b"UIDL\r\n").await;
    let before = client.lines_until(".").await;
    node.store().expunge(inbox, &[Uid(1)], AT).await.unwrap();
    node.store().store_flags(inbox, &[Uid(2)], Flags::SEEN, Flags::NONE, None).await.unwrap();
    node.deliver(b"Subject: 4\r\n\r\n4\r\n").await;
    client.send(b"UIDL\r\n").await;
    assert_eq!(client.lines_until(".").await, before);
    for command in ["RETR 1", "TOP 1 0"] {
        let reply = say(&mut client, command).await;
        assert_eq!(reply, "-ERR The message is gone: another program has removed it");
    }
    retrieve(&mut client, 2).await;
    assert!(say(&mut client, "RETR 4").await.starts_with("-ERR No such message"));
    assert!(say(&mut client, "DELE 1").await.starts_with("+OK"));
    assert!(say(&mut client, "DELE 3").await.starts_with("+OK"));
    assert!(quit(&mut client).await.starts_with("+OK"));
    assert_eq!(uids(&node).await, [2, 4]);
    // UIDs are as they were: a client that keeps mail here knows what it has.
    let mut client = session(&node).await;
    client.send(b"UIDL 1\r\n").await;
    let (_, second) = before[2].split_once(' ').unwrap();
    client.expect(&format!("+OK 1 {second}")).await;
    node.stop().await;
}

#[tokio::test]
async fn reading_marks_nothing_unless_the_operator_says_so() {
    for (mark_seen, expected) in [(Switch::Off, [false, false]), (Switch::On, [true, false])] {
        let node = node(2, |config| config.pop3.mark_seen = mark_seen).await;
        let mut client = session(&node).await;
        retrieve(&mut client, 1).await;
        assert!(say(&mut client, "TOP 2 99").await.starts_with("+OK"));
        client.content().await;
        assert!(quit(&mut client).await.starts_with("+OK"));
        let entries = entries(&node, mailbox(&node, None).await).await;
        let seen: Vec<_> = entries.iter().map(|entry| entry.flags.contains(Flags::SEEN)).collect();
        assert_eq!(seen, expected, "{mark_seen}");
        node.stop().await;
    }
}

#[tokio::test]
async fn what_is_deleted_may_go_into_the_trash_or_be_hidden_from_pop3_alone() {
    let trashing = node(2, |config| config.pop3.deleted = Pop3Deleted::Trash).await;
    let mut client = session(&trashing).await;
    assert!(say(&mut client, "DELE 1").await.starts_with("+OK"));
    assert!(quit(&mut client).await.starts_with("+OK"));
    assert_eq!(uids(&trashing).await, [2]);
    assert_eq!(entries(&trashing, mailbox(&trashing, Some(SpecialUse::Trash)).await).await.len(), 1);
    trashing.stop().await;

    let hiding = node(3, |config| config.pop3.deleted = Pop3Deleted::Hide).await;
    let mut client = session(&hiding).await;
    assert!(say(&mut client, "DELE 2").await.starts_with("+OK"));
    assert!(quit(&mut client).await.starts_with("+OK"));
    assert_eq!(uids(&hiding).await, [1, 2, 3]);
    let mut client = session(&hiding).await;
    assert_eq!(say(&mut client, "STAT").await.split(' ').nth(1), Some("2"));
    client.send(b"RETR 2\r\n").await;
    client.expect("+OK").await;
    assert!(client.content().await.ends_with(b"\r\n\r\n3\r\n"), "numbers go on without a gap");
    hiding.stop().await;
}

#[tokio::test]
async fn expire_0_removes_what_was_read_and_nothing_without_quit() {
    let node = node(3, |config| config.pop3.expire = Pop3Expiry::AfterDays(0)).await;
    let mut client = session(&node).await;
    retrieve(&mut client, 1).await;
    drop(client);
    assert_eq!(uids(&node).await, [1, 2, 3]);
    // The lock goes with the connection, which takes a moment.
    let mut client = loop {
        let mut client = Client::connect(node.pop3).await;
        client.expect("+OK").await;
        client.send(b"USER dev@localhost\r\nPASS secret\r\n").await;
        client.expect("+OK").await;
        if client.line().await.starts_with("+OK") {
            break client;
        }
    };
    client.send(b"CAPA\r\n").await;
    assert!(client.lines_until(".").await.contains(&"EXPIRE 0".to_owned()));
    retrieve(&mut client, 2).await;
    assert!(say(&mut client, "DELE 3").await.starts_with("+OK"));
    assert_eq!(quit(&mut client).await, "+OK Goodbye");
    assert_eq!(uids(&node).await, [1]);
    node.stop().await;
}

#[tokio::test]
async fn expire_after_days_removes_what_was_read_and_has_been_there_so_long() {
    let node = node(2, |config| config.pop3.expire = Pop3Expiry::AfterDays(30)).await;
    let inbox = mailbox(&node, None).await;
    let long_ago = Timestamp::from_millis(AT.millis() - 40 * 24 * 60 * 60 * 1000);
    // Copies that came long ago: UIDs 3 and 4.
    node.store().transfer(inbox, &[Uid(1), Uid(2)], inbox, Transfer::Copy, long_ago).await.unwrap();
    let mut client = session(&node).await;
    client.send(b"CAPA\r\n").await;
    assert!(client.lines_until(".").await.contains(&"EXPIRE 30".to_owned()));
    retrieve(&mut client, 1).await;
    client.send(b"RETR 3\r\n").await;
    client.expect("+OK").await;
    client.content().await;
    assert_eq!(quit(&mut client).await, "+OK Goodbye");
    assert_eq!(uids(&node).await, [1, 2, 4], "what nobody has read stays, however old it is");
    let keywords = node.store().mailbox(inbox).await.unwrap().keywords;
    assert_eq!(keywords, ["$POP3Retrieved"]);
    let retrieved = Flags::keyword(0).unwrap();
    let marked = |entry: &&MessageEntry| entry.flags.contains(retrieved);
    let entries = entries(&node, inbox).await;
    assert_eq!(entries.iter().filter(marked).map(|entry| entry.uid.0).collect::<Vec<_>>(), [1]);
    // As if an earlier session had read it, when it was not due yet.
    node.store().store_flags(inbox, &[Uid(4)], retrieved, Flags::NONE, None).await.unwrap();
    let mut client = session(&node).await;
    assert_eq!(quit(&mut client).await, "+OK Goodbye");
    assert_eq!(uids(&node).await, [1, 2]);
    node.stop().await;
}

#[tokio::test]
async fn an_account_that_is_disabled_while_it_is_logged_in_reads_and_deletes_nothing_more() {
    let node = node(2, |_| {}).await;
    let mut deleting = session(&node).await;
    retrieve(&mut deleting, 2).await;
    assert!(say(&mut deleting, "DELE 1").await.starts_with("+OK"));
    set_status(&node, AccountStatus::Disabled { reason: "left".into() }).await;
    assert!(quit(&mut deleting).await.starts_with("-ERR [SYS/PERM]"));
    assert_eq!(uids(&node).await, [1, 2]);

    set_status(&node, AccountStatus::Active).await;
    let mut reading = session(&node).await;
    retrieve(&mut reading, 1).await;
    set_status(&node, AccountStatus::Disabled { reason: "left".into() }).await;
    assert!(say(&mut reading, "RETR 2").await.starts_with("-ERR [SYS/PERM]"));
    reading.expect_end().await;

    // What else is changed about the account meanwhile ends nothing.
    set_status(&node, AccountStatus::Active).await;
    let mut staying = session(&node).await;
    retrieve(&mut staying, 1).await;
    set_status(&node, AccountStatus::Active).await;
    assert!(say(&mut staying, "DELE 1").await.starts_with("+OK"));
    assert!(quit(&mut staying).await.starts_with("+OK"));
    assert_eq!(uids(&node).await, [2]);
    node.stop().await;
}

#[tokio::test]
async fn what_is_due_by_expire_stays_while_a_session_has_the_maildrop() {
    let node = node(1, |config| config.pop3.expire = Pop3Expiry::AfterDays(30)).await;
    let inbox = mailbox(&node, None).await;
    let long_ago = Timestamp::from_millis(AT.millis() - 40 * 24 * 60 * 60 * 1000);
    node.store().transfer(inbox, &[Uid(1)], inbox, Transfer::Copy, long_ago).await.unwrap();
    node.store().add_keywords(inbox, &["$POP3Retrieved".to_owned()]).await.unwrap();
    let retrieved = Flags::keyword(0).unwrap();
    node.store().store_flags(inbox, &[Uid(2)], retrieved, Flags::NONE, None).await.unwrap();
    let mut client = session(&node).await;
    // It is looked every hour whether something is due. The clock jumps ahead where nothing else is to do.
    tokio::time::pause();
    for _ in 0..150 {
        assert!(say(&mut client, "NOOP").await.starts_with("+OK"));
        tokio::time::sleep(MINUTE).await;
    }
    assert_eq!(uids(&node).await, [1, 2]);
    // Nothing of it is over with the session, which has not said QUIT.
    drop(client);
    let mut minutes = 0;
    while uids(&node).await == [1, 2] {
        minutes += 1;
        assert!(minutes < 600, "nobody looks");
        tokio::time::sleep(MINUTE).await;
    }
    assert_eq!(uids(&node).await, [1]);
    tokio::time::resume();
    node.stop().await;
}

#[tokio::test]
async fn a_client_without_utf8_fetches_what_is_stored_unless_surrogates_are_on() {
    let message = "Subject: grüße\r\nX-Note: é\r\n\r\nbody\r\n";
    for (surrogates, is_stored) in [(Switch::Off, true), (Switch::On, false)] {
        let node = node(0, |config| config.pop3.surrogates = surrogates).await;
        let reply = node.deliver(message.as_bytes()).await;
        assert!(reply.starts_with("250 "), "{reply}");
        let mut client = session(&node).await;
        assert!(say(&mut client, "RETR 1").await.starts_with("+OK"));
        let content = client.content().await;
        assert_eq!(content.ends_with(message.as_bytes()), is_stored, "{}", content.escape_ascii());
        assert_eq!(content.is_ascii(), !is_stored);
        node.stop().await;
    }
}

#[tokio::test]
async fn a_login_too_soon_after_another_waits_and_one_of_another_account_does_not() {
    let node = node(0, |config| config.pop3.login_delay_s = Seconds(3600)).await;
    let credentials =
        server::passwords::credentials("secret", server::passwords::SharedSecret::Never).unwrap();
    node.add("ada@example.org", credentials).await;
    let mut client = session(&node).await;
    client.send(b"CAPA\r\n").await;
    assert!(client.lines_until(".").await.contains(&"LOGIN-DELAY 3600".to_owned()));
    quit(&mut client).await;
    let mut client = Client::connect(node.pop3).await;
    client.expect("+OK").await;
    client.send(b"USER dev@localhost\r\nPASS secret\r\nUSER dev@localhost\r\nPASS wrong\r\n").await;
    client.expect("+OK").await;
    client.expect("-ERR [LOGIN-DELAY]").await;
    client.expect("+OK").await;
    client.expect("-ERR [AUTH]").await;
    client.send(b"USER ada@example.org\r\nPASS secret\r\n").await;
    client.expect("+OK").await;
    client.expect("+OK Logged in").await;
    node.stop().await;
}
