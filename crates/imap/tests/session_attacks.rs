//! What somebody does who means no good: rows 3, 10 and 29 of the list of attacks, as far as the session answers for them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod session_driver;

use std::sync::Arc;

use imap::session::{Compression, OUTPUT_BYTES_SOFT_MAX, Plaintext, Security, Session, Step, TlsOffer};
use session_driver::world::World;
use session_driver::{Driver, config};
use types::mailstore::Flags;

fn world() -> World {
    let mut world = World { password: "secret".into(), ..World::default() };
    world.add("INBOX", None);
    world
}

fn logged_in(world: World) -> Driver {
    let mut driver = Driver::new(config(), Security::Clear, world);
    let answer = driver.feed(b"z LOGIN fred secret\r\n");
    assert!(String::from_utf8_lossy(&answer).contains("z OK "));
    driver
}

fn said(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).into_owned()
}

#[test]
fn commands_behind_starttls_in_clear_are_never_done() {
    for injected in ["b NOOP\r\n", "b LOGIN fred secret\r\n", "b APPEND INBOX {5+}\r\n", "half a li"] {
        let config = imap::session::Config { tls: TlsOffer::StartTls, ..config() };
        let mut driver = Driver::new(config, Security::Clear, world());
        driver.feed(b"");
        let answer = said(&driver.feed(format!("a STARTTLS\r\n{injected}").as_bytes()));
        assert_eq!(answer, "a OK Begin TLS\r\n");
        assert_eq!(driver.end.dropped, injected.len());
        let answer = said(&driver.feed(b"c NOOP\r\n"));
        assert_eq!(answer, "c OK NOOP completed\r\n", "nothing of {injected:?} is left");
        assert!(!driver.session.is_logged_in());
    }
}

#[test]
fn no_password_is_taken_in_clear_where_it_must_not_be() {
    let config = imap::session::Config {
        plaintext: Plaintext::OnlyWithTls,
        mechanisms_clear: Vec::new(),
        compression: Compression::None,
        ..config()
    };
    let mut session = Session::new(Arc::new(config), Security::Clear);
    for command in ["a LOGIN fred secret\r\n", "b AUTHENTICATE PLAIN AGZyZWQAc2VjcmV0\r\n"] {
        let (consumed, step) = session.receive(command.as_bytes());
        assert_eq!(consumed, command.len());
        assert!(matches!(step, Step::NeedInput), "the password goes nowhere");
    }
    assert!(said(session.output()).matches("[PRIVACYREQUIRED]").count() == 2);
}

#[test]
fn who_guesses_passwords_is_sent_away() {
    let mut driver = Driver::new(config(), Security::Clear, world());
    let mut answers = String::new();
    for number in 0..20 {
        answers +=
            &said(&driver.feed(format!("a{number} LOGIN fred guess{number}\r\nb NOOP\r\n").as_bytes()));
    }
    assert!(driver.end.is_closed);
    assert_eq!(answers.matches("[AUTHENTICATIONFAILED]").count(), 10, "as many as the operator allows");
    assert!(answers.ends_with("* BYE Too many errors\r\n"));
}

#[test]
fn a_message_of_four_gibibytes_is_refused_before_it_comes() {
    let mut driver = logged_in(world());
    let answer = said(&driver.feed(b"a APPEND INBOX {4294967295}\r\n"));
    assert!(answer.starts_with("a NO [TOOBIG]"), "{answer}");
    assert_eq!(said(&driver.feed(b"b NOOP\r\n")), "b OK NOOP completed\r\n");
}

#[test]
fn what_is_read_slowly_does_not_gather_in_memory() {
    let mut world = world();
    let folder = world.folder("INBOX").unwrap();
    for uid in 1..=20_000 {
        folder.deliver(uid, Flags::SEEN, Vec::new(), None);
    }
    let mut driver = logged_in(world);
    driver.feed(b"a SELECT INBOX\r\n");
    let mut input: &[u8] = b"b FETCH 1:* (FLAGS UID)\r\n";
    let (mut flushes, mut octets) = (0, 0);
    loop {
        let (consumed, step) = driver.session.receive(input);
        input = &input[consumed..];
        let waiting = driver.session.output().len();
        assert!(waiting <= OUTPUT_BYTES_SOFT_MAX + 4096, "{waiting} octets wait");
        octets += waiting;
        driver.session.output().clear();
        match step {
            Step::Flush => flushes += 1,
            Step::NeedInput => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(flushes > 10 && octets > 20_000 * 30, "{flushes} times, {octets} octets");
}

#[test]
fn a_set_that_names_everything_many_times_is_everything_once() {
    let mut world = world();
    let folder = world.folder("INBOX").unwrap();
    for uid in 1..=50 {
        folder.deliver(uid, Flags::SEEN, Vec::new(), None);
    }
    let mut driver = logged_in(world);
    driver.feed(b"a SELECT INBOX\r\n");
    let set = vec!["1:*"; 5000].join(",");
    let answer = said(&driver.feed(format!("b FETCH {set} UID\r\n").as_bytes()));
    assert_eq!(answer.matches(" FETCH (").count(), 50);
}

#[test]
fn names_that_look_like_paths_are_names_or_nothing() {
    for (name, expected) in [
        ("../../etc/passwd", "a NO"),
        ("/etc/passwd", "a NO"),
        ("a//b", "a NO"),
        ("&AC8-", "a NO"),
        ("&", "a NO"),
        ("ordinary", "a OK"),
    ] {
        let mut driver = logged_in(world());
        let answer = said(&driver.feed(format!("a CREATE \"{name}\"\r\n").as_bytes()));
        assert!(answer.starts_with(expected), "{name}: {answer}");
    }
}

#[test]
fn secrets_are_not_shown_by_debug() {
    let mut session = Session::new(Arc::new(config()), Security::Clear);
    let (_, step) = session.receive(b"a LOGIN fred hunter2\r\n");
    assert!(!format!("{step:?}").contains("hunter2"));
}
