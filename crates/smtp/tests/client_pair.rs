//! The client machine against the server machine, without a network: both must have understood the same.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use proptest::prelude::*;
use smtp::client::{Client, Config, Event, Message, Mode, Outcome, Pipelining, Transfer};
use smtp::codec::fault::MessageLimits;
use smtp::server::Role;
use support::dialogue::{Dialogue, config};
use types::{BodyType, Envelope, MailParameters};

/// One message to send.
#[derive(Debug, Clone)]
struct Case {
    recipients: Vec<&'static str>,
    body: Vec<u8>,
    body_type: BodyType,
}

/// How the octets are cut, and what is used of what is offered.
#[derive(Debug, Clone)]
struct Course {
    mode: Mode,
    transfer: Transfer,
    pipelining: Pipelining,
    body_piece: usize,
    to_server: usize,
    to_client: usize,
}

fn case() -> impl Strategy<Value = Case> {
    let recipient = prop_oneof![
        3 => Just("<a@example.net>"),
        2 => Just("<b@example.net>"),
        2 => Just("<nobody@example.net>"),
        1 => Just("<full@example.net>"),
        1 => Just("<Postmaster>"),
    ];
    let piece = prop_oneof![3 => Just("."), 3 => Just("\r\n"), 2 => Just("a line"), 1 => Just("é")];
    let text = prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes());
    let binary = prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), any::<u8>()], 0..80);
    (prop::collection::vec(recipient, 1..5), text, binary, 0..4).prop_map(
        |(recipients, text, binary, kind)| {
            if kind == 0 {
                Case { recipients, body: binary, body_type: BodyType::BinaryMime }
            } else {
                Case { recipients, body: text, body_type: BodyType::EightBitMime }
            }
        },
    )
}

fn course() -> impl Strategy<Value = Course> {
    let mode = prop_oneof![2 => Just(Mode::Smtp), 1 => Just(Mode::Lmtp)];
    let transfer = prop_oneof![
        Just(Transfer::Data),
        Just(Transfer::ChunksWhereOffered),
        Just(Transfer::OneFlightWhereOffered),
    ];
    let pipelining = prop_oneof![Just(Pipelining::WhereOffered), Just(Pipelining::Never)];
    let cut = || prop_oneof![Just(1_usize), 2_usize..20, Just(100_000)];
    (mode, transfer, pipelining, cut(), cut(), cut()).prop_map(
        |(mode, transfer, pipelining, body_piece, to_server, to_client)| Course {
            mode,
            transfer,
            pipelining,
            body_piece,
            to_server,
            to_client,
        },
    )
}

/// Sends all messages over one connection; returns the outcomes of each, and what the server took.
fn converse(cases: &[Case], course: &Course) -> (Vec<Vec<Outcome>>, support::dialogue::Outcome) {
    let limits = MessageLimits { line_bytes_max: 1000, message_bytes_max: 10_000 };
    let role = if course.mode == Mode::Lmtp { Role::Lmtp } else { Role::Transfer };
    let mut server =
        Dialogue::new(smtp::server::Config { role, message: limits, idle_commands_max: 1000, ..config() });
    let mut heard = 0;
    let mut client = Client::new(Config {
        mode: course.mode,
        transfer: course.transfer,
        pipelining: course.pipelining,
        ..Config::new("client.example".parse().unwrap())
    });
    let mut waiting = cases.iter();
    let mut body: Option<&[u8]> = None;
    let mut outcomes = Vec::new();
    for _turn in 0..1_000_000 {
        while let Some(event) = client.poll_event() {
            match event {
                Event::Ready => match waiting.next() {
                    None => client.quit(),
                    Some(case) => {
                        client.send(message(case)).unwrap();
                        body = Some(&case.body);
                    }
                },
                Event::Finished(report) => {
                    outcomes.push(report.outcomes);
                    body = None;
                }
                Event::Unusable(failure) => panic!("{failure}"),
                Event::Closed(end) => assert_eq!(end, smtp::client::End::Quit),
                Event::StartTls | Event::Authenticate { .. } | Event::Challenge(_) => panic!("not wanted"),
                Event::Said { .. } | Event::Heard { .. } => {}
            }
        }
        if client.is_closed() {
            return (outcomes, server.outcome);
        }
        let room = client.body_room().min(course.body_piece);
        if let Some(rest) = body.filter(|_| room > 0) {
            if rest.is_empty() {
                body = None;
                client.finish_body().unwrap();
            } else {
                let taken = client.write_body(&rest[..room.min(rest.len())]).unwrap();
                body = Some(&rest[taken..]);
            }
            continue;
        }
        let due = client.transmit();
        let piece = due[..due.len().min(course.to_server)].to_vec();
        client.transmitted(piece.len());
        server.feed(&piece);
        let said = &server.outcome.output[heard..];
        let said = &said[..said.len().min(course.to_client)];
        heard += said.len();
        client.receive(said);
    }
    panic!("the conversation does not end");
}

fn message(case: &Case) -> Message {
    Message {
        envelope: Envelope {
            parameters: MailParameters { body_type: case.body_type, ..MailParameters::default() },
            ..Envelope::new(
                "<sender@example.org>".parse().unwrap(),
                case.recipients.iter().map(|path| path.parse().unwrap()),
            )
        },
        size_bytes: Some(case.body.len() as u64),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_the_client_was_told_is_what_the_server_took(
        cases in prop::collection::vec(case(), 1..4),
        course in course(),
    ) {
        let (outcomes, server) = converse(&cases, &course);
        prop_assert_eq!(outcomes.len(), cases.len());
        let mut expected = Vec::new();
        for (case, outcomes) in cases.iter().zip(&outcomes) {
            prop_assert_eq!(outcomes.len(), case.recipients.len());
            for (recipient, outcome) in case.recipients.iter().zip(outcomes) {
                // In LMTP each has an answer of its own.
                let is_full = match course.mode {
                    Mode::Lmtp => *recipient == "<full@example.net>",
                    Mode::Smtp => case.recipients.contains(&"<full@example.net>"),
                };
                match outcome {
                    Outcome::Accepted(_) => prop_assert!(!is_full && *recipient != "<nobody@example.net>"),
                    Outcome::Temporary(_) => prop_assert!(is_full && *recipient != "<nobody@example.net>"),
                    Outcome::Permanent(failure) => prop_assert_eq!(*recipient, "<nobody@example.net>", "{}", failure),
                    Outcome::NotTried(limit) => panic!("{limit:?}"),
                }
            }
            let taken: Vec<String> = case.recipients.iter().zip(outcomes)
                .filter(|(_, outcome)| matches!(outcome, Outcome::Accepted(_)))
                .map(|(recipient, _)| (*recipient).to_owned())
                .collect();
            if !taken.is_empty() {
                let mut body = case.body.clone();
                let by_data = match course.transfer {
                    _ if case.body_type == BodyType::BinaryMime => false,
                    Transfer::Data => true,
                    Transfer::ChunksWhereOffered => false,
                    // The number of replies depends on the recipients (RFC 2033 §4.3).
                    Transfer::OneFlightWhereOffered => {
                        course.mode == Mode::Lmtp && course.pipelining == Pipelining::WhereOffered
                    }
                };
                if by_data && !body.is_empty() && !body.ends_with(b"\r\n") {
                    body.extend(b"\r\n");
                }
                expected.push(("<sender@example.org>".to_owned(), taken, body));
            }
        }
        prop_assert_eq!(server.messages, expected);
    }
}
