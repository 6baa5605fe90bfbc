//! FETCH that takes long, or during which something happens: RFC 9585, RFC 9051 §7.1.5, RFC 7162 §3.1.4.1 with RFC 9394.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod session_driver;

use imap::session::{Security, ShutDown, Step};
use session_driver::world::World;
use session_driver::{Driver, config};
use types::mailstore::{Flags, Uid};

const TEXT: &[u8] = b"Subject: a\r\n\r\n0123456789\r\n";

/// Three messages, and INBOX selected.
fn selected() -> Driver {
    let mut world = World { password: "secret".into(), ..World::default() };
    world.add("INBOX", None);
    for uid in 1..=3 {
        world.folder("INBOX").unwrap().deliver(uid, Flags::NONE, TEXT.to_vec(), None);
    }
    let mut driver = Driver::new(config(), Security::Clear, world);
    driver.feed(b"y LOGIN fred secret\r\nz SELECT INBOX (CONDSTORE)\r\n");
    driver
}

fn output(driver: &mut Driver) -> String {
    String::from_utf8(std::mem::take(driver.session.output())).unwrap()
}

#[test]
fn progress_is_told_between_the_responses_of_a_fetch_and_never_within_one() {
    let mut driver = selected();
    let command = b"b FETCH 1:3 (BODY.PEEK[TEXT] BODY.PEEK[])\r\n";
    let (_, step) = driver.session.receive(command);
    let Step::Structures(uids, detail) = step else { panic!("{step:?}") };
    driver.session.progress(0, None);
    assert_eq!(output(&mut driver), "* OK [INPROGRESS (\"b\" 0 3)] Still working\r\n");
    driver.describe(uids, detail);
    let (_, step) = driver.session.receive(b"");
    assert!(matches!(step, Step::Content { .. }), "{step:?}");
    driver.session.progress(0, None);
    assert_eq!(output(&mut driver), "* 1 FETCH (");
}

#[test]
fn nothing_is_told_of_progress_where_no_command_waits() {
    let mut driver = selected();
    driver.session.progress(1, Some(2));
    assert_eq!(output(&mut driver), "");
}

#[test]
fn a_session_that_ends_within_a_fetch_ends_the_response_and_says_bye() {
    for from_begin in [true, false] {
        let mut driver = selected();
        let (_, step) = driver.session.receive(b"b FETCH 1:3 BODY.PEEK[]\r\n");
        let Step::Content { len, .. } = step else { panic!("{step:?}") };
        assert_eq!(len, TEXT.len() as u64);
        let (first, last) = TEXT.split_at(if from_begin { 0 } else { 7 });
        driver.session.content(first);
        driver.session.shut_down(ShutDown::Stopping);
        driver.session.content(last);
        driver.session.content_end(Ok(()));
        let answer = String::from_utf8(driver.feed(b"c NOOP\r\n")).unwrap();
        let text = String::from_utf8_lossy(TEXT);
        assert_eq!(
            answer,
            format!(
                "* 1 FETCH (BODY[] {{{len}}}\r\n{text})\r\n\
                 * BYE [UNAVAILABLE] The server is stopping; try again later\r\n"
            )
        );
        assert!(driver.end.is_closed);
    }
}

#[test]
fn a_session_that_ends_between_two_responses_says_bye_at_once() {
    let mut driver = selected();
    let (_, step) = driver.session.receive(b"b FETCH 1:3 ENVELOPE\r\n");
    assert!(matches!(step, Step::Structures(..)), "{step:?}");
    driver.session.shut_down(ShutDown::TimedOut);
    assert_eq!(driver.feed(b""), b"* BYE Nothing came for too long\r\n");
    assert!(driver.end.is_closed);
}

#[test]
fn messages_are_chosen_once_whatever_changes_while_they_are_marked_as_seen() {
    let mut driver = selected();
    // Of the two that changed since, the last one: another session changes the third meanwhile.
    driver.world.open().unwrap().store(&[Uid(1)], Flags::FLAGGED, Flags::NONE, None);
    driver.world.open().unwrap().store(&[Uid(2)], Flags::FLAGGED, Flags::NONE, None);
    driver.changed();
    driver.feed(b"a NOOP\r\n");
    let since = driver.world.open().unwrap().modseq - 2;
    let command = format!("b UID FETCH 1:* BODY[TEXT]<0.3> (CHANGEDSINCE {since} PARTIAL -1:-1)\r\n");
    let (_, step) = driver.session.receive(command.as_bytes());
    let Step::Task(task) = step else { panic!("{step:?}") };
    driver.world.open().unwrap().store(&[Uid(3)], Flags::FLAGGED, Flags::NONE, None);
    let outcome = driver.world.task(task);
    driver.answer(outcome);
    let answer = String::from_utf8(driver.feed(b"")).unwrap();
    let expected = "* 2 FETCH (UID 2 BODY[TEXT]<0> {3}\r\n012 FLAGS (\\Flagged \\Seen) MODSEQ (8))\r\n\
         * 3 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ (7))\r\n\
         b OK FETCH completed\r\n";
    assert_eq!(answer, expected);
}
