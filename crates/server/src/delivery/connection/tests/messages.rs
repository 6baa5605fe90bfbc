//! Messages in a row, recipients with different fates, and what a message needs.

use smtp::client::{Stage, Transfer};
use types::{BodyType, MailParameters};

use super::peer::*;
use crate::delivery::connection::{Fate, Outgoing, Terms};
use mta::route::Protocol;

const GROUP: &str = "C: MAIL FROM:<ada@example.org> SIZE=27
C: RCPT TO:<bob@example.net>
C: DATA";

#[tokio::test(start_paused = true)]
async fn messages_go_one_after_the_other_in_one_group_each() {
    let (mut connection, mut peer) = open(&terms(), READY).await;
    let script = async {
        for _ in 0..3 {
            // All of the group has come before anything of it is answered.
            peer.play(GROUP).await;
            peer.play("S: 250 2.1.0 ok\nS: 250 2.1.5 ok\nS: 354 go on").await;
            assert_eq!(peer.data().await, "Subject: hello\r\n\r\n..a line\r\n");
            peer.play("S: 250 2.0.0 taken").await;
        }
        peer.play("C: QUIT\nS: 221 2.0.0 bye").await;
        peer.ends().await;
    };
    let messages = async {
        for _ in 0..3 {
            let sent = connection.send(mail(&["bob"])).await;
            assert_eq!(told(&sent.outcomes), ["relayed 2.0.0"]);
            assert_eq!(diagnostic(&sent.outcomes[0]), "250 2.0.0 taken");
            assert_eq!(sent.fate, Fate::Theirs);
            let said: Vec<_> = sent.log.exchanges.iter().map(|e| (e.stage, e.reply.as_str())).collect();
            assert_eq!(
                said,
                [
                    (Stage::Mail, "250 2.1.0 ok"),
                    (Stage::Rcpt, "250 2.1.5 ok"),
                    (Stage::Data, "354 go on"),
                    (Stage::EndOfData, "250 2.0.0 taken")
                ]
            );
            assert_eq!(sent.log.peer(), "mx.example.net [192.0.2.1]");
            assert!(connection.is_reusable());
        }
        connection.quit().await;
    };
    tokio::join!(script, messages);
}

#[tokio::test(start_paused = true)]
async fn each_recipient_has_an_outcome_of_its_own_in_the_order_of_the_envelope() {
    let script = "C: MAIL FROM:<ada@example.org> SIZE=27
        C: RCPT TO:<a@example.net>
        C: RCPT TO:<b@example.net>
        C: RCPT TO:<c@example.net>
        C: RCPT TO:<d@example.net>
        C: RCPT TO:<e@example.net>
        C: DATA
        S: 250 2.1.0 ok
        S: 550 5.1.1 who
        S: 250 2.1.5 ok
        S: 451 4.7.1 greylisted, come back in 300 seconds
        S: 552 too many recipients
        S: 452 4.2.2 full
        S: 354 go on
        ...
        S: 250 2.6.0 taken";
    let sent = sent(mail(&["a", "b", "c", "d", "e"]), script).await;
    assert_eq!(
        told(&sent.outcomes),
        [
            "failed 5.1.1 Final",
            "relayed 2.6.0",
            "deferred 4.7.1 later, duplicate impossible",
            "deferred 4.0.0 next transaction, duplicate impossible",
            "deferred 4.2.2 later, duplicate impossible",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_everybody_leaves_the_connection_as_good_as_before() {
    let (mut connection, mut peer) = open(&terms(), READY).await;
    let script = async {
        peer.play(GROUP).await;
        peer.play("S: 250 ok\nS: 550 5.1.1 who\nS: 554 no valid recipients").await;
        peer.play("C: RSET").await;
        peer.play(GROUP).await;
        peer.play("S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go on\n...\nS: 250 ok").await;
    };
    let messages = async {
        assert_eq!(told(&connection.send(mail(&["bob"])).await.outcomes), ["failed 5.1.1 Final"]);
        assert!(connection.is_reusable());
        assert_eq!(told(&connection.send(mail(&["bob"])).await.outcomes), ["relayed 2.0.0"]);
    };
    tokio::join!(script, messages);
}

#[tokio::test(start_paused = true)]
async fn lmtp_has_a_reply_for_each_recipient_after_the_data() {
    let terms = Terms { protocol: Protocol::Lmtp, ..terms() };
    let (mut connection, mut peer) =
        open(&terms, "S: 220 x\nC: LHLO relay.example.org\nS: 250-x\nS: 250 PIPELINING").await;
    let script = peer.play(
        "C: MAIL FROM:<ada@example.org>\nC: RCPT TO:<a@example.net>\nC: RCPT TO:<b@example.net>
        C: RCPT TO:<c@example.net>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 550 5.1.1 who\nS: 250 ok\nS: 354 go\n...
        S: 250 2.1.5 here\nS: 452 4.2.2 full",
    );
    let (sent, ()) = tokio::join!(connection.send(mail(&["a", "b", "c"])), script);
    assert_eq!(
        told(&sent.outcomes),
        ["relayed 2.1.5", "failed 5.1.1 Final", "deferred 4.2.2 later, duplicate impossible"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_host_lacks_fails_there_before_anything_is_said_and_the_next_message_goes() {
    let (mut connection, mut peer) = open(&terms(), READY).await;
    let messages = async {
        let lacking = [
            (
                MailParameters { smtputf8: true, ..MailParameters::default() },
                TEXT.to_vec(),
                "failed 5.6.7 Host",
            ),
            (
                MailParameters { require_tls: true, ..MailParameters::default() },
                TEXT.to_vec(),
                "failed 5.7.10 Host",
            ),
            (MailParameters::default(), vec![b'x'; 1_000_001], "failed 5.3.4 Host"),
        ];
        for (parameters, text, outcome) in lacking {
            let sent = connection.send(mail_with(parameters, &text)).await;
            assert_eq!(told(&sent.outcomes), [outcome]);
            assert!(sent.log.exchanges.is_empty());
            assert!(connection.is_reusable());
        }
        assert_eq!(told(&connection.send(mail(&["bob"])).await.outcomes), ["relayed 2.0.0"]);
    };
    let script = async {
        peer.play(GROUP).await;
        peer.play("S: 250 ok\nS: 250 ok\nS: 354 go on\n...\nS: 250 ok").await;
    };
    tokio::join!(messages, script);
}

#[tokio::test(start_paused = true)]
async fn a_host_without_8bitmime_gets_seven_bits_and_the_same_text() {
    let text = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: 8bit\r\n\r\nMostly plain text, and grün.\r\n";
    let (mut connection, mut peer) = open(&terms(), "S: 220 x\nC: EHLO relay.example.org\nS: 250 x").await;
    let script = async {
        peer.play("C: MAIL FROM:<ada@example.org>\nS: 250 ok\nC: RCPT TO:<bob@example.net>\nS: 250 ok").await;
        peer.play("C: DATA\nS: 354 go on").await;
        let came = peer.data().await;
        peer.play("S: 250 ok").await;
        came
    };
    let mail = mail_with(body_type(BodyType::EightBitMime), text.as_bytes());
    let (sent, came) = tokio::join!(connection.send(mail), script);
    assert_eq!(told(&sent.outcomes), ["relayed 2.0.0"]);
    assert!(came.is_ascii(), "{came}");
    assert!(came.contains("quoted-printable") && came.contains("and gr=C3=BCn."), "{came}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_converted_or_is_too_large_for_it_fails_here_and_nothing_is_said() {
    let in_header = "Subject: grün\r\n\r\nx\r\n".as_bytes().to_vec();
    let large = [b"Subject: x\r\n\r\n".as_slice(), "ü\r\n".repeat(100_000).as_bytes()].concat();
    let terms = Terms { convert_bytes_max: 100_000, ..terms() };
    for (text, outcome) in [(in_header, "failed 5.6.9 Host"), (large, "failed 5.6.3 Host")] {
        let (mut connection, peer) = open(&terms, "S: 220 x\nC: EHLO relay.example.org\nS: 250 x").await;
        let sent = connection.send(mail_with(body_type(BodyType::EightBitMime), &text)).await;
        assert_eq!(told(&sent.outcomes), [outcome]);
        drop(connection);
        peer.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_binary_message_goes_by_bdat_as_it_is() {
    let (mut connection, mut peer) =
        open(&terms(), "S: 220 x\nC: EHLO relay.example.org\nS: 250-x\nS: 250-BINARYMIME\nS: 250 CHUNKING")
            .await;
    let script = async {
        peer.play("C: MAIL FROM:<ada@example.org> BODY=BINARYMIME\nS: 250 ok").await;
        peer.play("C: RCPT TO:<bob@example.net>\nS: 250 ok\nC: BDAT 6 LAST").await;
        assert_eq!(peer.octets(6).await, b"a\nb\r\0\n");
        peer.play("S: 250 ok").await;
    };
    let mail = mail_with(body_type(BodyType::BinaryMime), b"a\nb\r\0\n");
    let (sent, ()) = tokio::join!(connection.send(mail), script);
    assert_eq!(told(&sent.outcomes), ["relayed 2.0.0"]);
}

#[tokio::test(start_paused = true)]
async fn a_large_message_goes_by_chunks_where_they_are_wanted_and_offered() {
    let text: Vec<u8> = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(5000);
    let (mut connection, mut peer) =
        open(&terms(), "S: 220 x\nC: EHLO relay.example.org\nS: 250-x\nS: 250-PIPELINING\nS: 250 CHUNKING")
            .await;
    let script = async {
        peer.play("C: MAIL FROM:<ada@example.org>\nC: RCPT TO:<bob@example.net>\nS: 250 ok\nS: 250 ok").await;
        let mut came = 0;
        loop {
            let line = peer.line().await.unwrap();
            let mut words = line.split(' ').skip(1);
            let count: usize = words.next().unwrap().parse().unwrap();
            came += count;
            peer.octets(count).await;
            peer.say("250 ok\r\n").await;
            if words.next() == Some("LAST") {
                return came;
            }
        }
    };
    let mail = mail_by(Transfer::ChunksWhereOffered, &["bob"], &text);
    let (sent, came) = tokio::join!(connection.send(mail), script);
    assert_eq!(told(&sent.outcomes), ["relayed 2.0.0"]);
    assert_eq!(came, text.len());
}

#[tokio::test(start_paused = true)]
async fn limits_leave_recipients_for_another_transaction_or_connection() {
    for (limit, is_reusable) in [("RCPTMAX=1", true), ("RCPTDOMAINMAX=1", false)] {
        let greeting = format!(
            "S: 220 x\nC: EHLO relay.example.org\nS: 250-x\nS: 250-PIPELINING\nS: 250 LIMITS {limit}"
        );
        let (mut connection, mut peer) = open(&terms(), &greeting).await;
        let mut mail = mail(&["a", "b"]);
        mail.envelope.recipients[1].forward_path = "<b@example.com>".parse().unwrap();
        let script = peer.play(
            "C: MAIL FROM:<ada@example.org>\nC: RCPT TO:<a@example.net>\nC: DATA
            S: 250 ok\nS: 250 ok\nS: 354 go\n...\nS: 250 ok",
        );
        let (sent, ()) = tokio::join!(connection.send(mail), script);
        assert_eq!(
            told(&sent.outcomes),
            ["relayed 2.0.0", "deferred 4.5.3 next transaction, duplicate impossible"]
        );
        assert_eq!(connection.is_reusable(), is_reusable, "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_to_its_end_is_our_fault_and_never_seems_complete() {
    let cut = |size_bytes| Box::new(Pieces::cut(TEXT, size_bytes));
    let bodies: [Box<dyn store::BodyStream>; 4] = [
        Box::new(Pieces::failing(TEXT)),
        cut(TEXT.len() as u64 + 1),
        cut(TEXT.len() as u64 - 1),
        Box::new(Pieces::of(b"Subject: x\r\n\r\na bare LF\n.\r\n")),
    ];
    for body in bodies {
        let (mut connection, mut peer) = open(&terms(), READY).await;
        let script = async move {
            for _ in 0..3 {
                peer.line().await.unwrap();
            }
            peer.play("S: 250 ok\nS: 250 ok\nS: 354 go on").await;
            peer.rest().await
        };
        let send = async move {
            let sent = connection.send(Outgoing { body, ..mail(&["bob"]) }).await;
            assert!(!connection.is_reusable());
            sent
        };
        let (sent, came) = tokio::join!(send, script);
        assert_eq!(sent.fate, Fate::Ours);
        assert_eq!(told(&sent.outcomes), ["deferred 4.3.0 later, duplicate impossible"]);
        assert!(!came.contains("\r\n.\r\n"), "{came}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_is_gone_is_stale_and_no_failure() {
    for goodbye in ["", "S: 421 4.4.2 idle too long"] {
        let (mut connection, mut peer) = open(&terms(), READY).await;
        let script = async move {
            peer.play(GROUP).await;
            peer.play("S: 250 ok\nS: 250 ok\nS: 354 go on\n...\nS: 250 ok").await;
            peer.play(goodbye).await;
        };
        let (sent, ()) = tokio::join!(connection.send(mail(&["bob"])), script);
        assert_eq!((told(&sent.outcomes), sent.fate), (vec!["relayed 2.0.0".to_owned()], Fate::Theirs));
        // Nobody asks before, and it is found out all the same.
        let sent = connection.send(mail(&["bob"])).await;
        assert_eq!(sent.fate, Fate::Stale, "{goodbye}");
        assert!(!connection.is_reusable());
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_goes_when_its_next_message_begins_is_stale_and_one_that_goes_later_is_not() {
    let second = [
        ("", Fate::Stale),
        ("S: 421 4.4.2 idle too long", Fate::Stale),
        ("S: 250 ok\nS: 421 4.3.2 stop", Fate::Theirs),
        ("S: 250 ok\nS: 250 ok\nS: 354 go on\n...", Fate::Theirs),
    ];
    for (end, fate) in second {
        let (mut connection, mut peer) = open(&terms(), READY).await;
        let script = async move {
            peer.play(GROUP).await;
            peer.play("S: 250 ok\nS: 250 ok\nS: 354 go on\n...\nS: 250 ok").await;
            peer.play(GROUP).await;
            peer.play(end).await;
        };
        let messages = async {
            connection.send(mail(&["bob"])).await;
            connection.send(mail(&["bob"])).await
        };
        let (sent, ()) = tokio::join!(messages, script);
        assert_eq!(sent.fate, fate, "{end}");
        assert_eq!(sent.outcomes.len(), 1);
    }
}
