//! What a sender is told when the machine fails under a node, and that the node recovers by itself where it can
//! (attacks: ENOSPC, EIO, a failed sync). The disk is simulated; sockets are real.

mod common;

use common::{Client, TestNode};
use server::NodeError;
use sim::disk::{Faults, SimDisk};

const MESSAGE: &[u8] = b"Subject: hello\r\n\r\ntext\r\n";

#[tokio::test]
async fn a_full_disk_is_452_and_mail_flows_again_when_there_is_room() {
    let disk = SimDisk::new();
    let node = TestNode::start_on(disk.clone()).await;
    assert!(node.deliver(MESSAGE).await.starts_with("250 "));
    disk.set_faults(Faults { capacity_bytes: Some(0), ..Faults::default() });
    // The log may have room that was written ahead: each message takes some of it.
    let big = b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n".repeat(10_000);
    let mut accepted = 1;
    let refusal = loop {
        let reply = node.deliver(&big).await;
        if !reply.starts_with("250 ") {
            break reply;
        }
        accepted += 1;
        assert!(accepted < 50, "never full");
    };
    assert!(refusal.starts_with("452 4.3.1"), "{refusal}");
    assert_eq!(node.messages().await, accepted);
    disk.set_faults(Faults::default());
    assert!(node.deliver(&big).await.starts_with("250 "));
    assert_eq!(node.messages().await, accepted + 1);
    node.stop().await;
}

#[tokio::test]
async fn a_disk_below_its_reserve_is_452_before_it_is_full() {
    let disk = SimDisk::new();
    let node = TestNode::start_with(
        |config| config.store.min_free_bytes = server::config::ByteSize(1 << 20),
        disk.clone(),
    )
    .await;
    let mut client = Client::connect(node.smtp).await;
    client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n").await;
    for code in ["220 ", "250 HELP", "250 ", "250 ", "354 "] {
        client.expect(code).await;
    }
    disk.set_faults(Faults { free_bytes: Some((1 << 20) - 1), ..Faults::default() });
    client.send(b"text\r\n.\r\n").await;
    client.expect("452 4.3.1").await;
    disk.set_faults(Faults { free_bytes: Some(1 << 20), ..Faults::default() });
    assert!(node.deliver(MESSAGE).await.starts_with("250 "));
    node.stop().await;
}

/// RFC 1870 §6.1: told before the message is sent, where that is known.
#[tokio::test]
async fn without_room_mail_is_452_and_taken_as_soon_as_there_is_room() {
    let disk = SimDisk::new();
    let node = TestNode::start_with(
        |config| config.store.min_free_bytes = server::config::ByteSize(1 << 20),
        disk.clone(),
    )
    .await;
    disk.set_faults(Faults { free_bytes: Some((1 << 20) - 1), ..Faults::default() });
    let mut client = Client::connect(node.smtp).await;
    client.send(b"EHLO c\r\nMAIL FROM:<>\r\n").await;
    for code in ["220 ", "250 HELP", "452 4.3.1"] {
        client.expect(code).await;
    }
    disk.set_faults(Faults { free_bytes: Some(1 << 20), ..Faults::default() });
    assert!(node.deliver(MESSAGE).await.starts_with("250 "));
    node.stop().await;
}

#[tokio::test]
async fn a_write_that_fails_is_451_and_mail_flows_again_when_writes_work() {
    let disk = SimDisk::new();
    let node = TestNode::start_on(disk.clone()).await;
    disk.set_faults(Faults { fail_writes: Some(node.data().join("log")), ..Faults::default() });
    assert!(node.deliver(MESSAGE).await.starts_with("451 4.3.0"));
    disk.set_faults(Faults::default());
    assert!(node.deliver(MESSAGE).await.starts_with("250 "));
    assert_eq!(node.messages().await, 1);
    node.stop().await;
}

#[tokio::test]
async fn a_large_message_that_cannot_be_staged_is_refused_at_its_end_and_nothing_of_it_stays() {
    let disk = SimDisk::new();
    let node = TestNode::start_on(disk.clone()).await;
    let large = b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n".repeat(40_000);
    disk.set_faults(Faults { fail_writes: Some(node.data().join("bodies")), ..Faults::default() });
    assert!(node.deliver(&large).await.starts_with("451 4.3.0"));
    disk.set_faults(Faults::default());
    assert_eq!(node.messages().await, 0);
    assert!(node.deliver(&large).await.starts_with("250 "));
    assert!(node.last_message().await.ends_with(&large));
    node.stop().await;
}

#[tokio::test]
async fn a_sync_that_fails_is_451_and_the_node_stops_with_a_clear_message() {
    let disk = SimDisk::new();
    let node = TestNode::start_on(disk.clone()).await;
    assert!(node.deliver(MESSAGE).await.starts_with("250 "));
    let mut other = Client::connect(node.smtp).await;
    other.expect("220 ").await;
    let mut busy = Client::connect(node.smtp).await;
    busy.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nhalf a mess").await;
    for code in ["220 ", "250 HELP", "250 ", "250 ", "354 "] {
        busy.expect(code).await;
    }
    disk.set_faults(Faults { fail_syncs: Some(node.data().join("log")), ..Faults::default() });
    assert!(node.deliver(MESSAGE).await.starts_with("451 4.3.0"));
    other.expect("421 4.3.2").await;
    busy.expect("421 4.3.2").await;
    let error = node.stopped_by_itself().await.unwrap_err();
    assert!(matches!(&error, NodeError::Store(why) if why.contains("sync")), "{error}");
}
