//! Hosts that are slow, on purpose or not: each wait has its limit (RFC 5321 §4.5.3.2), and all of it has one.

use std::time::Duration;

use smtp::client::Transfer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

use super::peer::*;
use crate::delivery::connection::{Connection, Terms, Timeouts};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn each_silence_ends_with_the_timeout_of_its_command() {
    let openings = [("hang", 5), ("S: 220 x\nC: EHLO relay.example.org\nhang", 5)];
    for (script, minutes) in openings {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let mut peer = Peer::new(theirs);
        let (target, terms) = (target(), terms());
        let open = timed(Connection::open(Box::new(ours), &target, &terms));
        let (refused, took) = tokio::select! {
            opened = open => opened,
            () = peer.play(script) => unreachable!(),
        };
        assert_eq!(word(&refused.unwrap_err().outcome), "deferred 4.4.2 next host, duplicate impossible");
        assert_eq!(took, minutes * MINUTE, "{script}");
    }
    let group = "C: MAIL FROM:<ada@example.org> SIZE=27\nC: RCPT TO:<bob@example.net>\nC: DATA\n";
    let impossible = "deferred 4.4.2 next host, duplicate impossible";
    let possible = "deferred 4.4.2 later, duplicate possible";
    let messages = [
        ("", 5, impossible),
        ("S: 250 ok", 5, impossible),
        ("S: 250 ok\nS: 250 ok", 2, impossible),
        ("S: 250 ok\nS: 250 ok\nS: 354 go\n...", 10, possible),
    ];
    for (replies, minutes, outcome) in messages {
        let (mut connection, mut peer) = open(&terms(), READY).await;
        let script = format!("{group}{replies}\nhang");
        let (sent, took) = tokio::select! {
            sent = timed(connection.send(mail(&["bob"]))) => sent,
            () = peer.play(&script) => unreachable!(),
        };
        assert_eq!(told(&sent.outcomes), [outcome]);
        assert_eq!(took, minutes * MINUTE, "{replies}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_octet_a_minute_gains_no_time() {
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let mut peer = Peer::new(theirs);
    let (target, terms) = (target(), terms());
    let drip = async {
        for octet in "220-never ends, never ends, never ends".bytes() {
            sleep(MINUTE).await;
            if peer.stream.write_all(&[octet]).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let (refused, took) = tokio::select! {
        opened = timed(Connection::open(Box::new(ours), &target, &terms)) => opened,
        () = drip => unreachable!(),
    };
    assert_eq!(word(&refused.unwrap_err().outcome), "deferred 4.4.2 next host, duplicate impossible");
    assert_eq!(took, 5 * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_takes_an_octet_a_minute_is_given_up_after_one_block() {
    let text = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(10_000);
    let (mut connection, mut peer) = open(&terms(), READY).await;
    let script = async {
        for _ in 0..3 {
            peer.line().await.unwrap();
        }
        peer.play("S: 250 ok\nS: 250 ok\nS: 354 go on").await;
        loop {
            sleep(MINUTE).await;
            peer.stream.read_u8().await.unwrap();
        }
    };
    let mail = mail_by(Transfer::Data, &["bob"], &text);
    let (sent, took) = tokio::select! {
        sent = timed(connection.send(mail)) => sent,
        () = script => unreachable!(),
    };
    assert_eq!(told(&sent.outcomes), ["deferred 4.4.2 next host, duplicate impossible"]);
    assert!((3 * MINUTE..=6 * MINUTE).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn replies_that_are_each_in_time_do_not_make_a_message_last_for_ever() {
    let names: Vec<String> = (0..90).map(|number| format!("r{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut connection, mut peer) = open(&terms(), READY).await;
    let script = async {
        for _ in 0..92 {
            peer.line().await.unwrap();
        }
        loop {
            sleep(Duration::from_secs(299)).await;
            peer.say("250 ok\r\n").await;
        }
    };
    let (sent, took) = tokio::select! {
        sent = timed(connection.send(mail(&names))) => sent,
        () = script => unreachable!(),
    };
    assert_eq!(took, Duration::from_secs(30 * 60 + 89 * 30));
    assert_eq!(sent.outcomes.len(), 90);
    assert!(sent.outcomes.iter().all(|o| word(o) == "deferred 4.4.2 next host, duplicate impossible"));
}

#[tokio::test(start_paused = true)]
async fn an_opening_of_many_slow_steps_has_an_end() {
    let terms = Terms { timeouts: Timeouts { opening: 6 * MINUTE, ..Timeouts::default() }, ..terms() };
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let mut peer = Peer::new(theirs);
    let target = target();
    let script = async {
        sleep(4 * MINUTE).await;
        peer.play("S: 220 x\nC: EHLO relay.example.org").await;
        sleep(4 * MINUTE).await;
    };
    let (refused, took) = tokio::select! {
        opened = timed(Connection::open(Box::new(ours), &target, &terms)) => opened,
        () = script => unreachable!(),
    };
    assert_eq!(word(&refused.unwrap_err().outcome), "deferred 4.4.2 next host, duplicate impossible");
    assert_eq!(took, 6 * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn an_operator_may_be_less_patient() {
    let timeouts = Timeouts { reply_max: Some(Duration::from_secs(20)), ..Timeouts::default() };
    let (mut connection, _peer) = open(&Terms { timeouts, ..terms() }, READY).await;
    let (sent, took) = timed(connection.send(mail(&["bob"]))).await;
    assert_eq!(told(&sent.outcomes), ["deferred 4.4.2 next host, duplicate impossible"]);
    assert_eq!(took, Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_quit_holds_nobody_up() {
    let (connection, mut peer) = open(&terms(), READY).await;
    let script = async {
        peer.play("C: QUIT").await;
        peer.ends().await;
    };
    let (((), took), ()) = tokio::join!(timed(connection.quit()), script);
    assert_eq!(took, Timeouts::default().parting);
}
