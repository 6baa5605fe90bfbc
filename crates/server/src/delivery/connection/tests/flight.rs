//! Messages that go in one flight: when they do, and what becomes of them (RFC 3030).

use smtp::client::Transfer;

use super::peer::*;
use crate::delivery::connection::{Fate, Outgoing};

const GROUP: &str = "C: MAIL FROM:<ada@example.org> SIZE=27
C: RCPT TO:<bob@example.net>
C: DATA";

/// The opening of a host with which a flight is possible.
const CHUNKING: &str = "S: 220 mx.example.net
C: EHLO relay.example.org
S: 250-mx.example.net
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 SIZE 1000000";

fn in_one_flight(recipients: &[&str]) -> Outgoing {
    mail_by(Transfer::OneFlightWhereOffered, recipients, TEXT)
}

/// RFC 3030 §4.2.
#[tokio::test(start_paused = true)]
async fn behind_a_message_that_was_taken_the_next_ones_go_in_one_flight() {
    let (mut connection, mut peer) = open(&terms(), CHUNKING).await;
    let script = async {
        peer.play(GROUP).await;
        peer.play("S: 250 ok\nS: 250 ok\nS: 354 go on\n...\nS: 250 2.0.0 first").await;
        for _ in 0..2 {
            // All of it has come before anything of it is answered.
            expect_flight(&mut peer).await;
            peer.play("S: 250 ok\nS: 250 ok\nS: 250 2.0.0 next").await;
        }
    };
    let messages = async {
        for reply in ["250 2.0.0 first", "250 2.0.0 next", "250 2.0.0 next"] {
            let sent = connection.send(in_one_flight(&["bob"])).await;
            assert_eq!((told(&sent.outcomes), sent.fate), (vec!["relayed 2.0.0".to_owned()], Fate::Theirs));
            assert_eq!(diagnostic(&sent.outcomes[0]), reply);
        }
    };
    tokio::join!(script, messages);
}

async fn expect_flight(peer: &mut Peer) {
    peer.play("C: MAIL FROM:<ada@example.org> SIZE=27\nC: RCPT TO:<bob@example.net>\nC: BDAT 27 LAST").await;
    assert_eq!(peer.octets(27).await, TEXT);
}

/// A flight that is lost may have arrived: nothing is risked with a host that may be gone.
#[tokio::test(start_paused = true)]
async fn a_host_that_refused_or_was_left_alone_gets_no_flight() {
    for (end, pause_s) in [("S: 451 4.3.0 not now", 0), ("S: 250 ok", 3)] {
        let (mut connection, mut peer) = open(&terms(), CHUNKING).await;
        let script = async {
            for _ in 0..2 {
                peer.play(GROUP).await;
                peer.play("S: 250 ok\nS: 250 ok\nS: 354 go on\n...").await;
                peer.play(end).await;
            }
        };
        let messages = async {
            connection.send(in_one_flight(&["bob"])).await;
            tokio::time::advance(std::time::Duration::from_secs(pause_s)).await;
            connection.send(in_one_flight(&["bob"])).await
        };
        tokio::join!(script, messages);
    }
}

/// RFC 1047, RFC 3030 §2, RFC 5321 §3.8.
#[tokio::test(start_paused = true)]
async fn what_becomes_of_a_flight_that_is_not_simply_taken() {
    let ends = [
        ("", "deferred 4.4.2 later, duplicate possible", Fate::Theirs),
        ("S: 250 ok", "deferred 4.4.2 later, duplicate possible", Fate::Theirs),
        ("S: 421 4.4.2 idle", "deferred 4.4.2 next host, duplicate impossible", Fate::Stale),
        ("S: 250 ok\nS: 550 5.1.1 who\nS: 503 5.5.1 nobody", "failed 5.1.1 Final", Fate::Theirs),
        (
            "S: 250 ok\nS: 250 ok\nS: 503 5.5.1 what",
            "deferred 4.5.1 later, duplicate impossible",
            Fate::Theirs,
        ),
        ("S: 250 ok\nS: 250 ok\nS: 554 5.6.0 no", "failed 5.6.0 Final", Fate::Theirs),
    ];
    for (end, outcome, fate) in ends {
        let (mut connection, mut peer) = open(&terms(), CHUNKING).await;
        let script = async move {
            peer.play(GROUP).await;
            peer.play("S: 250 ok\nS: 250 ok\nS: 354 go on\n...\nS: 250 ok").await;
            expect_flight(&mut peer).await;
            peer.play(end).await;
        };
        let messages = async {
            connection.send(in_one_flight(&["bob"])).await;
            connection.send(in_one_flight(&["bob"])).await
        };
        let (sent, ()) = tokio::join!(messages, script);
        assert_eq!((told(&sent.outcomes), sent.fate), (vec![outcome.to_owned()], fate), "{end}");
    }
}
