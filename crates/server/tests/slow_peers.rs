//! Peers that are slow on purpose: octets that drip, readers that never read (attacks: slow clients).
//!
//! The clock of the runtime is paused: it jumps ahead as soon as nothing else is to do, so that a wait of minutes
//! takes no time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/imap.rs"]
mod imap_client;

use std::time::Duration;

use common::{Client, TestNode};
use imap_client::Imap;
use tokio::time::Instant;
use types::limits;

const MINUTE: Duration = Duration::from_secs(60);

/// Sends the same octets once a minute until the server has something to say; what it says, and after how long.
async fn drip(client: &mut Client, octets: &[u8]) -> (String, Duration) {
    tokio::time::pause();
    let began = Instant::now();
    let heard = loop {
        tokio::select! {
            biased;
            line = client.line() => break line,
            () = tokio::time::sleep(MINUTE) => client.send(octets).await,
        }
    };
    let lasted = began.elapsed();
    tokio::time::resume();
    (heard, lasted)
}

#[tokio::test]
async fn a_command_that_drips_in_must_be_whole_within_the_time_for_one_command() {
    let node = TestNode::start(|_| {}).await;
    let mut client = Client::connect(node.smtp).await;
    client.expect("220 ").await;
    let (heard, lasted) = drip(&mut client, b"N").await;
    assert!(heard.starts_with("421 4.4.2"), "{heard}");
    assert!(lasted >= limits::SERVER_COMMAND_TIMEOUT, "{lasted:?}");
    assert!(lasted <= limits::SERVER_COMMAND_TIMEOUT + MINUTE, "{lasted:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_drips_in_must_be_whole_within_the_time_for_a_message() {
    let node = TestNode::start(|config| config.smtp.message_timeout_s.0 = 3600).await;
    let mut client = Client::connect(node.smtp).await;
    client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n").await;
    for code in ["220 ", "250 HELP", "250 ", "250 ", "354 "] {
        client.expect(code).await;
    }
    let (heard, lasted) = drip(&mut client, b"x").await;
    assert!(heard.starts_with("421 4.4.2"), "{heard}");
    assert!(lasted >= 60 * MINUTE && lasted <= 61 * MINUTE, "{lasted:?}");
    assert_eq!(node.messages().await, 0);
    node.stop().await;
}

#[tokio::test]
async fn the_time_for_a_message_runs_on_between_its_chunks() {
    let node = TestNode::start(|config| config.smtp.message_timeout_s.0 = 600).await;
    let mut client = Client::connect(node.smtp).await;
    client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\n").await;
    for code in ["220 ", "250 HELP", "250 ", "250 "] {
        client.expect(code).await;
    }
    tokio::time::pause();
    // The chunk's only octet comes a minute after its command, so that a message is known to be coming in.
    let mut heard = Vec::new();
    for _ in 0..30 {
        client.send(b"BDAT 1\r\n").await;
        tokio::time::sleep(MINUTE).await;
        client.send(b"x").await;
        heard.push(client.line().await);
        if !heard[heard.len() - 1].starts_with("250 ") {
            break;
        }
    }
    tokio::time::resume();
    let last = heard.pop().unwrap();
    assert!(last.starts_with("421 4.4.2"), "{heard:?} {last}");
    assert!((9..=10).contains(&heard.len()), "{heard:?} {last}");
    assert_eq!(node.messages().await, 0);
    node.stop().await;
}

#[tokio::test]
async fn the_octets_of_a_refused_chunk_may_not_drip_in_for_ever() {
    let node = TestNode::start(|config| config.smtp.message_timeout_s.0 = 3600).await;
    let mut client = Client::connect(node.smtp).await;
    client.send(b"EHLO c\r\nBDAT 100000\r\n").await;
    for code in ["220 ", "250 HELP"] {
        client.expect(code).await;
    }
    let (heard, lasted) = drip(&mut client, b"x").await;
    assert!(heard.starts_with("421 4.4.2"), "{heard}");
    assert!(lasted <= 61 * MINUTE, "{lasted:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_session_that_does_something_now_and_then_ends_after_its_whole_time() {
    let node = TestNode::start(|config| {
        config.smtp.session_timeout_s.0 = 3600;
        config.smtp.idle_commands_max = 1_000_000;
    })
    .await;
    let mut client = Client::connect(node.smtp).await;
    client.expect("220 ").await;
    tokio::time::pause();
    let began = Instant::now();
    let heard = loop {
        tokio::time::sleep(MINUTE).await;
        client.send(b"NOOP\r\n").await;
        let line = client.line().await;
        if !line.starts_with("250 ") {
            break line;
        }
    };
    let lasted = began.elapsed();
    tokio::time::resume();
    assert!(heard.starts_with("421 4.4.2"), "{heard}");
    assert!(lasted >= 59 * MINUTE && lasted <= 61 * MINUTE, "{lasted:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_pop3_command_that_drips_in_must_be_whole_within_the_time_for_one_command() {
    let node = TestNode::start(|_| {}).await;
    let mut client = Client::connect(node.pop3).await;
    client.expect("+OK").await;
    let (heard, lasted) = drip(&mut client, b"N").await;
    assert_eq!(heard, "");
    assert!(lasted >= limits::POP3_COMMAND_TIMEOUT, "{lasted:?}");
    assert!(lasted <= limits::POP3_COMMAND_TIMEOUT + MINUTE, "{lasted:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_drips_in_by_append_must_be_whole_within_the_time_for_one() {
    let node = TestNode::start(|config| config.imap.append_timeout_s.0 = 3600).await;
    let mut client = Client::connect(node.imap).await;
    // It would be whole after an hour and a half.
    client.send(b"a LOGIN dev@localhost secret\r\nb APPEND INBOX {90}\r\n").await;
    for start in ["* OK", "a OK", "+ "] {
        client.expect(start).await;
    }
    let (heard, lasted) = drip(&mut client, b"x").await;
    assert!(heard.starts_with("* BYE"), "{heard}");
    assert!(lasted >= 60 * MINUTE && lasted <= 61 * MINUTE, "{lasted:?}");
    assert_eq!(node.messages().await, 0);
    node.stop().await;
}

#[tokio::test]
async fn a_reader_that_never_reads_is_let_go_and_its_maildrop_is_free_again() {
    let node = TestNode::start(|_| {}).await;
    let large = b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n".repeat(300_000);
    assert!(node.deliver(&large).await.starts_with("250 "));
    let mut deaf = Client::connect(node.pop3).await;
    deaf.send(b"USER dev@localhost\r\nPASS secret\r\n").await;
    for _ in 0..3 {
        deaf.expect("+OK").await;
    }
    // More than any socket buffer holds.
    deaf.send(&b"RETR 1\r\n".repeat(20)).await;
    tokio::time::pause();
    let mut tries = 0;
    loop {
        let mut next = Client::connect(node.pop3).await;
        next.send(b"USER dev@localhost\r\nPASS secret\r\nQUIT\r\n").await;
        next.expect("+OK").await;
        next.expect("+OK").await;
        if next.line().await.starts_with("+OK") {
            break;
        }
        tries += 1;
        assert!(tries < 100, "the maildrop stays locked");
        tokio::time::sleep(MINUTE).await;
    }
    tokio::time::resume();
    drop(deaf);
    node.stop().await;
}

#[tokio::test]
async fn an_imap_reader_that_never_reads_is_let_go() {
    // Who comes when its connection has ended is served.
    let node = TestNode::start(|config| config.limits.connections_max = 1).await;
    let mut deaf = Imap::inbox(node.imap).await;
    let large = [&b"Subject: large\r\n\r\n"[..], &b"a line of a message\r\n".repeat(300_000)].concat();
    deaf.append("INBOX", "", &large).await;
    // More than any socket buffer holds.
    deaf.send(&b"a FETCH 1 BODY.PEEK[]\r\n".repeat(20)).await;
    tokio::time::pause();
    let began = Instant::now();
    loop {
        let mut next = Client::connect(node.imap).await;
        if next.line().await.starts_with("* OK") {
            break;
        }
        assert!(began.elapsed() < 20 * MINUTE, "it is never let go");
        tokio::time::sleep(MINUTE).await;
    }
    assert!(began.elapsed() >= MINUTE, "that was soon: {:?}", began.elapsed());
    tokio::time::resume();
    drop(deaf);
    node.stop().await;
}

#[tokio::test]
async fn a_client_that_has_said_all_and_closed_its_side_hears_all_replies() {
    let node = TestNode::start(|_| {}).await;
    let mut client = Client::connect(node.smtp).await;
    client
        .send(
            b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nBDAT 6 LAST\r\ntext\r\nNOOP\r\nhalf a comm",
        )
        .await;
    client.say_no_more().await;
    for code in ["220 ", "250 HELP", "250 ", "250 ", "250 2.0.0 Message", "250 "] {
        client.expect(code).await;
    }
    client.expect_end().await;
    assert_eq!(node.messages().await, 1);
    node.stop().await;
}

#[tokio::test]
async fn a_message_whose_sender_hangs_up_before_its_end_is_not_stored() {
    let node = TestNode::start(|_| {}).await;
    for message in [
        &b"DATA\r\nhalf a mess"[..],
        b"DATA\r\nSubject: a\r\n\r\n.",
        b"BDAT 7 LAST\r\nhalf",
        b"BDAT 4\r\nhalf",
    ] {
        let mut client = Client::connect(node.smtp).await;
        client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\n").await;
        client.send(message).await;
        client.say_no_more().await;
        for code in ["220 ", "250 HELP", "250 ", "250 "] {
            client.expect(code).await;
        }
        while !client.line().await.is_empty() {}
    }
    assert_eq!(node.messages().await, 0);
    node.stop().await;
}
