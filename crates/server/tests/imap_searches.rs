//! SEARCH that takes long: its client is told how far it is (RFC 9585), and it ends with its client.
//!
//! The clock of the runtime is paused: minutes pass while nothing but the search goes on. Each time that it lets others have
//! their turn, the test does something.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/imap.rs"]
mod imap_client;

use std::time::Duration;

use common::{Client, TestNode};
use imap_client::Imap;

/// So many messages are searched, a few at a time where there are many keys.
const MESSAGES: u32 = 2048;

/// A session of a mailbox with [`MESSAGES`].
async fn large(node: &TestNode) -> Imap {
    let mut imap = Imap::inbox(node.imap).await;
    for subject in 0..4 {
        imap.append("INBOX", "", format!("Subject: {subject}\r\n\r\ntext\r\n").as_bytes()).await;
    }
    let mut there = 4;
    while there < MESSAGES {
        imap.ok(&format!("COPY 1:{there} INBOX")).await;
        there *= 2;
    }
    imap
}

/// A search for which each message is judged by 2,500 keys, the last of which needs its header.
fn long_search() -> String {
    format!("SEARCH {}SUBJECT nothing", "ALL ".repeat(2500))
}

#[tokio::test]
async fn who_waits_for_a_long_search_is_told_every_ten_seconds_how_far_it_is() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = large(&node).await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let passing = tokio::spawn(async {
        loop {
            tokio::time::advance(Duration::from_secs(4)).await;
        }
    });
    let tag = imap.begin(&long_search()).await;
    let answer = imap.answer(&tag).await;
    passing.abort();
    let lasted = began.elapsed();
    tokio::time::resume();
    assert!(answer.end.starts_with("OK"), "{answer:?}");
    let head = format!("* OK [INPROGRESS (\"{tag}\" ");
    let told: Vec<(u32, u32)> = answer
        .lines
        .iter()
        .filter_map(|line| line.strip_prefix(&head)?.split_once(")]")?.0.split_once(' '))
        // How many it is of is not known before the first batch.
        .filter(|(_, of)| *of != "NIL")
        .map(|(done, of)| (done.parse().unwrap(), of.parse().unwrap()))
        .collect();
    assert!(told.len() >= 3, "{told:?} in {lasted:?}");
    // RFC 9585 §3: no more often than that.
    assert!(Duration::from_secs(10) * told.len().try_into().unwrap() <= lasted, "{told:?} in {lasted:?}");
    assert!(told.iter().all(|(done, of)| *of == MESSAGES && done < of), "{told:?}");
    assert!(told.is_sorted() && told.first() < told.last(), "{told:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_search_ends_with_its_client() {
    // Who comes when the connection has ended is served.
    let node = TestNode::start(|config| config.limits.connections_max = 1).await;
    let mut imap = large(&node).await;
    tokio::time::pause();
    imap.begin(&long_search()).await;
    drop(imap);
    let mut tries = 0;
    loop {
        let mut next = Client::connect(node.imap).await;
        if next.line().await.starts_with("* OK") {
            break;
        }
        tries += 1;
        assert!(tries < 20, "it goes on for nobody");
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    tokio::time::resume();
    node.stop().await;
}
