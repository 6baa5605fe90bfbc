//! Servers that do what no server may (attacks.md 6 and 20), long groups, long bodies, and each timeout.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::time::Duration;

use proptest::prelude::*;
use smtp::client::{
    Cause, Client, Config, End, Event, Message, Mode, ONE_FLIGHT_BYTES_MAX, Outcome, Pipelining, Stage,
    Transfer, Violation, WaitFor,
};
use types::Envelope;

const PIPELINING: &str = "250-x\r\n250 PIPELINING\r\n";

fn message(recipients: usize) -> Message {
    Message {
        envelope: Envelope::new(
            "<a@example.org>".parse().unwrap(),
            (0..recipients).map(|n| format!("<r{n}@example.net>").parse().unwrap()),
        ),
        size_bytes: None,
    }
}

fn client(transfer: Transfer) -> Client {
    Client::new(Config { transfer, ..Config::new("client.example".parse().unwrap()) })
}

/// All that waits to go out goes.
fn flush(client: &mut Client) -> Vec<u8> {
    let said = client.transmit().to_vec();
    client.transmitted(said.len());
    said
}

/// The server says this after the client has said all it had.
fn say(client: &mut Client, octets: &str) {
    flush(client);
    client.receive(octets.as_bytes());
}

fn events(client: &mut Client) -> Vec<Event> {
    std::iter::from_fn(|| client.poll_event()).collect()
}

fn outcomes(client: &mut Client) -> Vec<Outcome> {
    events(client)
        .into_iter()
        .find_map(|event| match event {
            Event::Finished(report) => Some(report.outcomes),
            _ => None,
        })
        .expect("the message is finished")
}

fn end(outcome: &Outcome) -> Option<&End> {
    match &outcome.failure()?.cause {
        Cause::End(end) => Some(end),
        _ => None,
    }
}

/// A client that has just been told 354 for a message with one recipient.
fn in_data() -> Client {
    let mut client = client(Transfer::Data);
    client.receive(b"220 x\r\n");
    say(&mut client, PIPELINING);
    client.send(message(1)).unwrap();
    say(&mut client, "250 a\r\n250 b\r\n354 c\r\n");
    events(&mut client);
    assert!(client.body_room() > 0);
    client
}

#[test]
fn a_250_before_the_message_has_gone_is_no_acceptance() {
    // Before the dot is even written, and before its last octet has gone.
    for octets_left in [None, Some(1), Some(3)] {
        let mut client = in_data();
        client.write_body(b"text\r\n").unwrap();
        if let Some(left) = octets_left {
            client.finish_body().unwrap();
            let due = client.transmit().len();
            client.transmitted(due - left);
        }
        client.receive(b"250 2.0.0 taken\r\n");
        assert!(client.is_closed());
        let outcomes = outcomes(&mut client);
        assert!(matches!(end(&outcomes[0]), Some(End::Violation(Violation::Unsolicited(_)))), "{outcomes:?}");
        assert!(matches!(outcomes[0], Outcome::Temporary(_)));
    }
}

#[test]
fn a_refusal_in_the_middle_of_the_body_is_the_outcome_and_no_dot_follows() {
    for (reply, permanent) in [("552 5.3.4 Too big\r\n", true), ("451 4.3.0 Later\r\n", false)] {
        let mut client = in_data();
        client.write_body(b"text\r\n").unwrap();
        flush(&mut client);
        client.receive(reply.as_bytes());
        assert!(client.is_closed() && client.transmit().is_empty());
        let outcomes = outcomes(&mut client);
        assert_eq!(matches!(outcomes[0], Outcome::Permanent(_)), permanent, "{outcomes:?}");
        assert_eq!(outcomes[0].failure().map(|failure| failure.stage), Some(Stage::Body));
        assert!(client.write_body(b"more").is_err() && client.finish_body().is_err());
    }
}

#[test]
fn a_connection_that_breaks_before_the_dot_has_gone_leaves_no_doubt() {
    let mut client = in_data();
    client.write_body(b"text\r\n").unwrap();
    client.finish_body().unwrap();
    let due = client.transmit().len();
    client.transmitted(due - 1);
    client.lost();
    let stage = |outcomes: Vec<Outcome>| outcomes[0].failure().map(|failure| failure.stage);
    assert_eq!(stage(outcomes(&mut client)), Some(Stage::Body));

    let mut client = in_data();
    client.write_body(b"text\r\n").unwrap();
    client.finish_body().unwrap();
    flush(&mut client);
    client.lost();
    assert_eq!(stage(outcomes(&mut client)), Some(Stage::EndOfData));
}

#[test]
fn replies_that_never_end_are_cut_off_and_memory_stays_bounded() {
    let floods: [&[u8]; 4] = [b"250-x\r\n", b"2", b"250 x", b"\0"];
    for flood in floods {
        let mut client = client(Transfer::Data);
        client.receive(b"220 x\r\n");
        flush(&mut client);
        let mut octets = 0;
        while !client.is_closed() {
            client.receive(flood);
            octets += flood.len();
            assert!(octets <= 70_000, "{flood:?} is never cut off");
        }
        let events = events(&mut client);
        assert!(matches!(events.last(), Some(Event::Closed(End::Violation(_)))), "{events:?}");
    }
}

#[test]
fn a_flood_of_replies_ends_with_the_first_that_nothing_asked_for() {
    let mut client = client(Transfer::Data);
    client.receive(b"220 x\r\n");
    flush(&mut client);
    client.receive("250 x\r\n".repeat(10_000).as_bytes());
    assert!(client.is_closed());
    assert_eq!(events(&mut client).len(), 2, "Ready and Closed");
}

#[test]
fn a_group_never_has_more_than_a_hundred_commands_outstanding() {
    const RECIPIENTS: usize = 1000;
    let mut client = client(Transfer::Data);
    client.receive(b"220 x\r\n");
    say(&mut client, PIPELINING);
    client.send(message(RECIPIENTS)).unwrap();
    let (mut said, mut answered) = (0, 0);
    while answered < RECIPIENTS + 1 {
        said += flush(&mut client).iter().filter(|b| **b == b'\n').count();
        assert!(said > answered && said - answered <= 100, "{said} said, {answered} answered");
        client.receive(b"250 OK\r\n");
        answered += 1;
    }
    assert_eq!(said, RECIPIENTS + 2, "MAIL, RCPT and DATA");
    say(&mut client, "354 go\r\n");
    client.finish_body().unwrap();
    say(&mut client, "250 OK\r\n");
    assert!(outcomes(&mut client).iter().all(|outcome| matches!(outcome, Outcome::Accepted(_))));
}

#[test]
fn a_long_body_goes_in_pieces_and_memory_stays_bounded() {
    const BODY_BYTES: usize = 10_000_000;
    let body = vec![b'x'; BODY_BYTES];
    let mut client = in_data();
    let (mut done, mut gone) = (0, 0);
    while done < BODY_BYTES {
        done += client.write_body(&body[done..]).unwrap();
        assert!(client.transmit().len() <= 2 * 64 * 1024);
        assert_eq!(client.write_body(&body[done..]).unwrap(), 0, "the buffer is full");
        gone += flush(&mut client).len();
    }
    client.finish_body().unwrap();
    gone += flush(&mut client).len();
    assert_eq!(gone, BODY_BYTES + 5);
}

/// What BDAT commands stand in `said`, and the octets between them.
fn chunks(mut said: &[u8]) -> (Vec<(usize, bool)>, Vec<u8>) {
    let (mut chunks, mut body) = (Vec::new(), Vec::new());
    while !said.is_empty() {
        let end = said.windows(2).position(|pair| pair == b"\r\n").unwrap();
        let line = std::str::from_utf8(&said[..end]).unwrap();
        let mut words = line.strip_prefix("BDAT ").unwrap().split(' ');
        let len: usize = words.next().unwrap().parse().unwrap();
        chunks.push((len, words.next() == Some("LAST")));
        body.extend_from_slice(&said[end + 2..end + 2 + len]);
        said = &said[end + 2 + len..];
    }
    (chunks, body)
}

fn in_bdat(offered: &str) -> Client {
    let mut client = client(Transfer::ChunksWhereOffered);
    client.receive(b"220 x\r\n");
    say(&mut client, offered);
    client.send(message(1)).unwrap();
    say(&mut client, "250 a\r\n");
    say(&mut client, "250 b\r\n");
    client
}

#[test]
fn chunks_wait_for_one_another_unless_pipelining_is_offered() {
    let body: Vec<u8> = (0..1_000_000_u32).map(|n| b'a' + u8::try_from(n % 26).unwrap()).collect();
    for (offered, most) in
        [("250-x\r\n250 CHUNKING\r\n", 1), ("250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n", 8)]
    {
        let mut client = in_bdat(offered);
        let (mut rest, mut said, mut answered, mut complete) = (body.as_slice(), Vec::new(), 0, false);
        loop {
            while client.body_room() > 0 && !complete {
                if rest.is_empty() {
                    client.finish_body().unwrap();
                    complete = true;
                } else {
                    let taken = client.write_body(rest).unwrap();
                    rest = &rest[taken..];
                }
                said.extend(flush(&mut client));
            }
            said.extend(flush(&mut client));
            let (commands, sent) = chunks(&said);
            assert!(commands.len() - answered <= most, "{} outstanding", commands.len() - answered);
            assert_eq!(sent, body[..sent.len()]);
            answered += 1;
            client.receive(b"250 OK\r\n");
            if answered == commands.len() && commands.last().unwrap().1 {
                break;
            }
        }
        let (commands, sent) = chunks(&said);
        assert_eq!(sent.len(), body.len());
        assert!(commands.iter().rev().skip(1).all(|(len, last)| *len == 64 * 1024 && !last));
        assert!(matches!(outcomes(&mut client)[0], Outcome::Accepted(_)));
    }
}

#[test]
fn a_refused_chunk_ends_the_message_and_a_later_250_changes_nothing() {
    let mut client = in_bdat("250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n");
    let body = vec![b'x'; 64 * 1024];
    for _ in 0..2 {
        assert_eq!(client.write_body(&body).unwrap(), body.len());
        flush(&mut client);
    }
    client.receive(b"452 4.3.1 Full\r\n");
    assert_eq!(client.body_room(), 0, "no more is sent");
    assert!(client.write_body(b"x").is_err());
    client.receive(b"250 OK\r\n");
    let outcomes = outcomes(&mut client);
    assert!(
        matches!(&outcomes[0], Outcome::Temporary(failure) if failure.stage == Stage::Body),
        "{outcomes:?}"
    );
    assert!(!client.is_closed());
    client.send(message(1)).unwrap();
    assert!(flush(&mut client).starts_with(b"RSET\r\nMAIL FROM:"));
}

/// A client whose flight is written and has not gone.
fn in_flight(recipients: usize) -> Client {
    let mut client = ready_for_flight();
    client.send(Message { size_bytes: Some(3), ..message(recipients) }).unwrap();
    client.write_body(b"x\r\n").unwrap();
    client.finish_body().unwrap();
    assert!(client.transmit().ends_with(b"\r\nBDAT 3 LAST\r\nx\r\n"));
    events(&mut client);
    client
}

fn ready_for_flight() -> Client {
    let mut client = client(Transfer::OneFlightWhereOffered);
    client.receive(b"220 x\r\n");
    say(&mut client, "250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n");
    client
}

#[test]
fn a_message_that_is_too_long_for_a_flight_goes_by_data() {
    for (size_bytes, is_flight) in [
        (Some(ONE_FLIGHT_BYTES_MAX), true),
        (Some(ONE_FLIGHT_BYTES_MAX + 1), false),
        // What is not known may be long.
        (None, false),
    ] {
        let mut client = ready_for_flight();
        client.send(Message { size_bytes, ..message(1) }).unwrap();
        assert_eq!(client.body_room() > 0, is_flight, "{size_bytes:?}");
        assert_eq!(flush(&mut client).ends_with(b"DATA\r\n"), !is_flight, "{size_bytes:?}");
    }
}

#[test]
fn a_message_that_is_longer_than_was_said_waits_for_its_recipients() {
    let mut client = ready_for_flight();
    client.send(Message { size_bytes: Some(3), ..message(1) }).unwrap();
    while client.body_room() > 0 {
        client.write_body(&vec![b'x'; 1024]).unwrap();
    }
    let said = flush(&mut client);
    assert!(said.ends_with(b"RCPT TO:<r0@example.net>\r\n"), "{}", said.escape_ascii());
    client.receive(b"250 a\r\n550 5.1.1 Who\r\n");
    assert!(client.transmit().is_empty(), "nobody is to get it");
    assert!(client.write_body(b"x").is_err());
    assert!(matches!(&outcomes(&mut client)[..], [Outcome::Permanent(_)]));
    assert!(client.can_send());
}

#[test]
fn a_message_that_is_refused_to_all_before_it_is_complete_does_not_follow() {
    let mut client = ready_for_flight();
    client.send(Message { size_bytes: Some(6), ..message(2) }).unwrap();
    client.write_body(b"x\r\n").unwrap();
    say(&mut client, "451 4.7.1 Not now\r\n503 a\r\n503 b\r\n");
    assert!(client.finish_body().is_err());
    assert!(client.transmit().is_empty() && client.can_send());
    assert!(matches!(&outcomes(&mut client)[..], [Outcome::Temporary(_), Outcome::Temporary(_)]));
}

#[test]
fn whenever_a_flight_is_cut_off_no_recipient_is_accepted_and_only_a_whole_one_is_in_doubt() {
    let length = in_flight(2).transmit().len();
    for gone in 0..=length {
        for replies in 0..=3 {
            let mut client = in_flight(2);
            client.transmitted(gone);
            client.receive("250 ok\r\n".repeat(replies).as_bytes());
            client.lost();
            let is_doubt = |outcome: &Outcome| match outcome {
                Outcome::Temporary(failure) => failure.stage == Stage::EndOfData,
                other => panic!("{gone} octets, {replies} replies: {other:?}"),
            };
            let outcomes = outcomes(&mut client);
            assert_eq!(outcomes.len(), 2);
            assert!(
                outcomes.iter().all(|outcome| is_doubt(outcome) == (gone == length)),
                "{gone}: {outcomes:?}"
            );
        }
    }
}

#[test]
fn a_flight_is_refused_early_only_once_its_recipients_are_known() {
    // The reply to MAIL cannot come before MAIL has gone, whatever it is.
    let mut client = ready_for_flight();
    client.send(Message { size_bytes: Some(3), ..message(1) }).unwrap();
    client.receive(b"552 5.3.4 Too big\r\n");
    let outcomes = outcomes(&mut client);
    assert!(matches!(end(&outcomes[0]), Some(End::Violation(Violation::Unsolicited(_)))), "{outcomes:?}");
}

#[test]
fn a_connection_that_is_closed_between_chunks_leaves_no_doubt_and_one_behind_the_last_does() {
    for (is_last, stage) in [(false, Stage::Body), (true, Stage::EndOfData)] {
        let mut client = in_bdat("250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n");
        for _ in 0..2 {
            client.write_body(&vec![b'x'; 64 * 1024]).unwrap();
            flush(&mut client);
        }
        if is_last {
            client.write_body(b"\r\n").unwrap();
            client.finish_body().unwrap();
            assert!(flush(&mut client).starts_with(b"BDAT 2 LAST\r\n"));
        }
        client.receive(b"250 the first\r\n");
        client.lost();
        let outcomes = outcomes(&mut client);
        assert_eq!(outcomes[0].failure().map(|failure| failure.stage), Some(stage), "{outcomes:?}");
        assert!(matches!(outcomes[0], Outcome::Temporary(_)));
    }
}

#[test]
fn the_503_to_what_followed_a_failed_chunk_is_no_outcome_of_its_own() {
    // RFC 3030 §2: what is in the pipeline behind a failed chunk is passed over.
    let mut client = in_bdat("250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n");
    client.write_body(&vec![b'x'; 64 * 1024]).unwrap();
    flush(&mut client);
    client.write_body(b"\r\n").unwrap();
    client.finish_body().unwrap();
    flush(&mut client);
    client.receive(b"452 4.3.1 Full\r\n503 5.5.1 Discarded\r\n");
    let outcomes = outcomes(&mut client);
    assert!(
        matches!(&outcomes[..], [Outcome::Temporary(failure)] if failure.stage == Stage::Body),
        "{outcomes:?}"
    );
    client.send(message(1)).unwrap();
    assert!(flush(&mut client).starts_with(b"RSET\r\n"));
}

#[test]
fn a_server_that_never_answers_a_chunk_is_waited_for_as_long_as_for_a_block_and_holds_no_more_memory() {
    let mut client = in_bdat("250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n");
    let mut taken = 0;
    while client.body_room() > 0 {
        taken += client.write_body(&vec![b'x'; 64 * 1024]).unwrap();
        flush(&mut client);
        assert!(taken <= 16 * 64 * 1024, "chunks without an answer have no end");
    }
    assert_eq!(client.wait().map(|wait| wait.wait_for), Some(WaitFor::DataBlock));
    client.timed_out();
    assert!(matches!(end(&outcomes(&mut client)[0]), Some(End::TimedOut(WaitFor::DataBlock))));
}

#[test]
fn each_step_has_the_timeout_of_rfc_5321_4_5_3_2() {
    let minutes = |m: u64| Duration::from_secs(m * 60);
    let mut client = client(Transfer::Data);
    let expect = |client: &Client, wait_for: WaitFor, limit: Duration| {
        let wait = client.wait().unwrap();
        assert_eq!((wait.wait_for, wait.wait_for.limit()), (wait_for, limit));
    };
    expect(&client, WaitFor::Greeting, minutes(5));
    client.receive(b"220 x\r\n");
    expect(&client, WaitFor::DataBlock, minutes(3));
    flush(&mut client);
    expect(&client, WaitFor::Hello, minutes(5));
    client.receive(b"250 x\r\n");
    assert_eq!(client.wait(), None, "it is the driver's turn");
    client.send(message(1)).unwrap();
    flush(&mut client);
    expect(&client, WaitFor::Mail, minutes(5));
    say(&mut client, "250 a\r\n");
    flush(&mut client);
    expect(&client, WaitFor::Rcpt, minutes(5));
    say(&mut client, "250 b\r\n");
    flush(&mut client);
    expect(&client, WaitFor::Data, minutes(2));
    say(&mut client, "354 c\r\n");
    assert_eq!(client.wait(), None, "it is the driver's turn");
    client.write_body(b"x").unwrap();
    expect(&client, WaitFor::DataBlock, minutes(3));
    client.finish_body().unwrap();
    flush(&mut client);
    expect(&client, WaitFor::DataDone, minutes(10));
    say(&mut client, "250 d\r\n");
    client.quit();
    flush(&mut client);
    expect(&client, WaitFor::Quit, smtp::client::CLIENT_QUIT_TIMEOUT);
    client.timed_out();
    assert_eq!(events(&mut client).last(), Some(&Event::Closed(End::Quit)));
    assert_eq!(client.wait(), None);
}

#[test]
fn a_timer_starts_again_with_each_reply_and_not_with_each_octet() {
    let mut client = client(Transfer::Data);
    let before = client.wait();
    client.receive(b"220-x\r\n220 ");
    assert_eq!(client.wait(), before, "a reply that drips gains no time");
    client.receive(b"x\r\n");
    flush(&mut client);
    let hello = client.wait();
    assert_ne!(hello, before);
    client.receive(b"250 x\r\n");
    client.send(message(2)).unwrap();
    say(&mut client, "250 a\r\n");
    flush(&mut client);
    let first = client.wait();
    say(&mut client, "250 b\r\n");
    flush(&mut client);
    let second = client.wait();
    assert_eq!(first.map(|w| w.wait_for), second.map(|w| w.wait_for));
    assert_ne!(first, second);
}

#[test]
fn only_one_message_is_taken_at_a_time_and_none_before_ready() {
    let mut client = client(Transfer::Data);
    assert!(client.send(message(1)).is_err());
    client.quit();
    assert!(client.transmit().is_empty() && !client.is_closed());
    client.receive(b"220 x\r\n");
    say(&mut client, "250 x\r\n");
    client.send(message(1)).unwrap();
    assert!(client.send(message(1)).is_err());
    client.quit();
    assert!(flush(&mut client).starts_with(b"MAIL"), "QUIT waits for the message");
    client.abort();
    assert!(matches!(outcomes(&mut client)[0], Outcome::Temporary(_)));
}

fn transfer() -> impl Strategy<Value = Transfer> {
    prop_oneof![
        Just(Transfer::Data),
        Just(Transfer::ChunksWhereOffered),
        Just(Transfer::OneFlightWhereOffered),
    ]
}

/// What a server may say, rightly or wrongly.
fn said() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => Just("250 OK\r\n".to_owned()),
        3 => Just("354 go\r\n".to_owned()),
        2 => Just("250-x\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE 100000\r\n".to_owned()),
        1 => Just("250-x\r\n250 LIMITS RCPTMAX=1 MAILMAX=2\r\n".to_owned()),
        2 => (0_u16..1000).prop_map(|code| format!("{code:03} x\r\n")),
        1 => Just("550 5.1.1 no\r\n".to_owned()),
        1 => Just("451 4.3.0 later\r\n".to_owned()),
        1 => "[ -~\r\n\0]{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever the server says and whenever: no panic, exactly one outcome for each recipient of each message
    /// that was taken, and an end.
    #[test]
    fn every_recipient_gets_exactly_one_outcome(
        said in prop::collection::vec((said(), any::<bool>()), 0..40),
        lmtp in any::<bool>(),
        transfer in transfer(),
        pipelining in any::<bool>(),
        recipients in 0_usize..4,
    ) {
        let mut client = Client::new(Config {
            mode: if lmtp { Mode::Lmtp } else { Mode::Smtp },
            transfer,
            pipelining: if pipelining { Pipelining::WhereOffered } else { Pipelining::Never },
            ..Config::new("client.example".parse().unwrap())
        });
        client.receive(b"220 x\r\n");
        let (mut taken, mut finished, mut closed, mut accepted, mut positive) = (0, 0, 0, 0, 0);
        let mut said = said.into_iter();
        loop {
            while let Some(event) = client.poll_event() {
                prop_assert_eq!(closed, 0, "Closed is the last event");
                match event {
                    Event::Ready if taken < 3 => {
                        let message = Message { size_bytes: Some(4), ..message(recipients) };
                        taken += usize::from(client.send(message).is_ok());
                    }
                    Event::Ready => client.quit(),
                    Event::Finished(report) => {
                        finished += 1;
                        prop_assert_eq!(report.outcomes.len(), recipients);
                        accepted += report.outcomes.iter().filter(|o| matches!(o, Outcome::Accepted(_))).count();
                    }
                    Event::Closed(_) => closed += 1,
                    _ => {}
                }
            }
            if client.body_room() > 0 {
                let _ = client.write_body(b".\r\nx");
                let _ = client.finish_body();
            }
            match said.next() {
                Some((octets, all_goes)) => {
                    let due = client.transmit().len();
                    client.transmitted(if all_goes { due } else { due / 2 });
                    positive += usize::from(octets.starts_with('2'));
                    client.receive(octets.as_bytes());
                }
                None if client.is_closed() => break,
                None => client.lost(),
            }
        }
        prop_assert_eq!(finished, taken);
        prop_assert_eq!(closed, 1);
        // Each recipient of a message needs a 2yz at least: its own RCPT's.
        prop_assert!(accepted <= positive);
        prop_assert!(client.transmit().is_empty() && client.wait().is_none());
    }
}
