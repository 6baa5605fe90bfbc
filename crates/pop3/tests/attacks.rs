//! What a POP3 server must withstand: the right response, nothing lost, nothing grown.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;

use std::sync::Arc;

use common::{Driver, LoginFault, World, config};
use pop3::{
    Config, DISCARDED_BYTES_MAX, Failure, Flow, Login, Maildrop, Message, OUTPUT_BYTES_SOFT_MAX, Plaintext,
    Security, Session, Step, TlsOffer,
};

const LOGIN: &[u8] = b"USER mrose\r\nPASS secret\r\n";
const MESSAGE: &[u8] = b"Subject: a\r\n\r\nbody\r\n";

fn logged_in(world: World) -> Driver {
    let mut driver = Driver::new(Config { errors_max: 1000, ..config() }, world);
    assert!(driver.feed(LOGIN).ends_with(b" octets)\r\n"));
    driver
}

fn is_error(response: &[u8]) -> bool {
    response.starts_with(b"-ERR ") && response.ends_with(b"\r\n")
}

#[test]
fn negative_huge_and_overflowing_numbers_name_no_message() {
    let mut driver = logged_in(World::with_messages(&[MESSAGE, MESSAGE]));
    let numbers = [
        "0",
        "3",
        "-1",
        "-0",
        "+1",
        "1.0",
        "1e0",
        "0x1",
        "²",
        "١",
        "2147483648",
        "4294967296",
        "4294967297",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551617",
        "99999999999999999999999999999999999999999999999999",
    ];
    for number in numbers {
        for keyword in ["LIST", "UIDL", "RETR", "DELE"] {
            let line = format!("{keyword} {number}\r\n");
            assert!(is_error(&driver.feed(line.as_bytes())), "{line}");
        }
        let line = format!("TOP {number} 1\r\n");
        assert!(is_error(&driver.feed(line.as_bytes())), "{line}");
    }
    assert_eq!(driver.feed(b"STAT\r\n"), b"+OK 2 40\r\n");
}

#[test]
fn top_with_a_huge_n_is_the_whole_message_and_no_more() {
    for n in ["2147483648", "18446744073709551615", "99999999999999999999999"] {
        let mut driver = logged_in(World::with_messages(&[MESSAGE]));
        let answer = driver.feed(format!("TOP 1 {n}\r\n").as_bytes());
        assert_eq!(answer, b"+OK Top of message follows\r\nSubject: a\r\n\r\nbody\r\n.\r\n");
    }
}

#[test]
fn top_says_when_it_has_enough_and_ignores_what_comes_after() {
    let mut session = Session::new(Arc::new(config()), Security::Clear);
    let maildrop = Maildrop { messages: vec![Message { size_bytes: 1 << 40, unique_id: "large".into() }] };
    assert!(matches!(session.receive(LOGIN), (25, Step::Authenticate { .. })));
    session.authenticated(Login::Ok(maildrop));
    assert!(matches!(session.receive(b"TOP 1 1\r\n"), (9, Step::Retrieve { index: 0 })));
    session.output().clear();
    assert_eq!(session.content(b"A: b\r\n\r\none"), Flow::More);
    assert_eq!(session.content(b"\r\ntwo\r\n"), Flow::Enough);
    assert_eq!(session.content(b"three\r\n"), Flow::Enough);
    session.content_end(Ok(()));
    assert_eq!(&session.output()[..], b"+OK Top of message follows\r\nA: b\r\n\r\none\r\n.\r\n");
}

#[test]
fn a_line_that_never_ends_closes_the_session_in_bounded_memory() {
    let mut driver = Driver::new(config(), World::default());
    let chunk = [b'A'; 1024];
    let chunks = (0..).take_while(|_| {
        driver.feed(&chunk);
        !driver.outcome.is_closed
    });
    assert!(chunks.count() <= DISCARDED_BYTES_MAX / chunk.len() + 1);
    assert!(driver.outcome.output.ends_with(b"-ERR The line has no end; closing the connection\r\n"));
}

#[test]
fn nul_and_non_ascii_octets_are_refused_wherever_they_stand() {
    let mut driver = Driver::new(Config { errors_max: 10_000, ..config() }, World::with_messages(&[]));
    for octet in (0..=31).chain(127..=255).filter(|octet| !b"\r\n".contains(octet)) {
        for (before, after) in
            [("", "USER a"), ("US", "ER a"), ("USER a", ""), ("PASS a", "b"), ("USER", "a")]
        {
            let line = [before.as_bytes(), &[octet], after.as_bytes(), b"\r\n"].concat();
            let answer = driver.feed(&line);
            assert!(is_error(&answer), "{}", line.escape_ascii());
            let echoed = answer[..answer.len() - 2].iter().any(|b| !matches!(b, b' '..=b'~'));
            assert!(!echoed, "{}", answer.escape_ascii());
        }
    }
}

#[test]
fn a_thousand_commands_in_one_segment_get_a_thousand_responses_in_order() {
    let mut driver = logged_in(World::with_messages(&[MESSAGE; 1000]));
    let commands: String = (1..=1000).map(|number| format!("DELE {number}\r\n")).collect();
    let responses: String =
        (1..=1000).map(|number| format!("+OK Message {number} is deleted at QUIT\r\n")).collect();
    assert_eq!(driver.feed(commands.as_bytes()), responses.as_bytes());
    driver.feed(b"QUIT\r\n");
    assert_eq!(driver.outcome.committed, Some((0..1000).collect()));
}

#[test]
fn pipelined_listings_of_a_large_maildrop_do_not_gather_in_memory() {
    let message = |number: u64| Message { size_bytes: number, unique_id: format!("{number:070}") };
    let mut session = Session::new(Arc::new(config()), Security::Clear);
    assert!(matches!(session.receive(LOGIN), (_, Step::Authenticate { .. })));
    session.authenticated(Login::Ok(Maildrop { messages: (0..20_000).map(message).collect() }));
    let input = b"UIDL\r\nLIST\r\n".repeat(20);
    let (mut input, mut lines, mut flushes) = (&input[..], 0, 0);
    loop {
        let (consumed, step) = session.receive(input);
        input = &input[consumed..];
        assert!(session.output().len() <= OUTPUT_BYTES_SOFT_MAX + 512, "{}", session.output().len());
        lines += session.output().iter().filter(|b| **b == b'\n').count();
        session.output().clear();
        match step {
            Step::Flush => flushes += 1,
            Step::NeedInput => break,
            other => panic!("{other:?}"),
        }
    }
    // The greeting, USER, PASS; each listing has a line before and a line after.
    assert_eq!(lines, 3 + 40 * 20_002);
    assert!(flushes > 100);
}

#[test]
fn nothing_is_consumed_while_an_answer_is_owed() {
    let mut session = Session::new(Arc::new(config()), Security::Clear);
    let pipelined = [LOGIN, b"RETR 1\r\nQUIT\r\n"].concat();
    let (login, Step::Authenticate { name, password }) = session.receive(&pipelined) else { panic!() };
    assert_eq!((login, name.as_str(), password.reveal()), (25, "mrose", "secret"));
    let nothing = |session: &mut Session| {
        assert!(matches!(session.receive(b"NOOP\r\n"), (0, Step::NeedInput)));
    };
    nothing(&mut session);
    let message = Message { size_bytes: 6, unique_id: "x".into() };
    session.authenticated(Login::Ok(Maildrop { messages: vec![message] }));
    assert!(matches!(session.receive(&pipelined[25..]), (8, Step::Retrieve { index: 0 })));
    nothing(&mut session);
    session.content(b"abc");
    nothing(&mut session);
    session.content(b"d\r\n");
    session.content_end(Ok(()));
    assert!(matches!(session.receive(&pipelined[33..]), (6, Step::Commit { .. })));
    nothing(&mut session);
    session.committed(Ok(()));
    assert!(matches!(session.receive(b"NOOP\r\n"), (0, Step::Close)));
}

/// CVE-2011-0411: what stands behind STLS in the same segment was written by whoever sits on the wire.
#[test]
fn what_stands_behind_stls_is_left_to_the_driver_until_tls_stands() {
    let config = Config { tls: TlsOffer::Stls, ..config() };
    let mut session = Session::new(Arc::new(config), Security::Clear);
    session.output().clear();
    let injected = [b"USER mrose\r\nSTLS\r\n", LOGIN].concat();
    assert!(matches!(session.receive(&injected), (18, Step::StartTls)));
    assert_eq!(&session.output()[..], b"+OK Now say PASS with the password\r\n+OK Begin TLS\r\n");
    session.output().clear();
    for input in [&injected[18..], b"", b"STLS\r\n"] {
        assert!(matches!(session.receive(input), (0, Step::StartTls)));
    }
    // Answers to other questions do not end the wait.
    session.authenticated(Login::Ok(Maildrop::default()));
    session.content_end(Ok(()));
    session.committed(Ok(()));
    assert!(matches!(session.receive(LOGIN), (0, Step::StartTls)));
    session.secured();
    assert!(session.output().is_empty(), "no greeting");
    assert!(matches!(session.receive(b"PASS secret\r\n"), (13, Step::NeedInput)));
    assert_eq!(&session.output()[..], b"-ERR Say USER with the name first\r\n");
}

#[test]
fn a_time_out_while_tls_begins_closes_the_session_for_good() {
    let config = Config { tls: TlsOffer::Stls, ..config() };
    let mut session = Session::new(Arc::new(config), Security::Clear);
    assert!(matches!(session.receive(b"STLS\r\n"), (6, Step::StartTls)));
    session.time_out();
    session.secured();
    assert!(matches!(session.receive(LOGIN), (0, Step::Close)));
}

#[test]
fn nobody_is_taken_for_secured_who_did_not_ask() {
    let config = Config { tls: TlsOffer::Stls, plaintext: Plaintext::OnlyWithTls, ..config() };
    let mut driver = Driver::new(config, World::with_messages(&[]));
    driver.session.secured();
    assert!(driver.feed(b"CAPA\r\n").starts_with(b"+OK Capability list follows\r\nSTLS\r\nTOP\r\n"));
    assert!(is_error(&driver.feed(b"USER mrose\r\n")));
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let mut driver = Driver::new(config(), World::with_messages(&[MESSAGE]));
    let before = driver.outcome.output.clone();
    driver.session.authenticated(Login::Ok(Maildrop::default()));
    assert_eq!(driver.session.content(b"x"), Flow::Enough);
    driver.session.content_end(Ok(()));
    driver.session.content_end(Err(Failure::Temporary));
    driver.session.committed(Ok(()));
    assert!(is_error(&driver.feed(b"STAT\r\n")));
    assert_eq!(before, b"+OK Posta POP3 server at mail.example is ready\r\n");
    driver.feed(LOGIN);
    driver.session.authenticated(Login::Ok(Maildrop::default()));
    driver.session.content_end(Err(Failure::Permanent));
    driver.session.committed(Ok(()));
    assert_eq!(driver.feed(b"STAT\r\n"), b"+OK 1 20\r\n");
}

#[test]
fn a_time_out_sends_nothing_and_does_not_enter_update() {
    let mut driver = logged_in(World::with_messages(&[MESSAGE]));
    driver.feed(b"DELE 1\r\n");
    driver.session.time_out();
    assert_eq!(driver.feed(b"QUIT\r\n"), b"");
    assert!(driver.outcome.is_closed);
    assert_eq!(driver.outcome.committed, None);
}

#[test]
fn a_time_out_in_the_middle_of_a_message_leaves_it_without_end() {
    let mut session = Session::new(Arc::new(config()), Security::Clear);
    assert!(matches!(session.receive(LOGIN), (_, Step::Authenticate { .. })));
    let message = Message { size_bytes: 6, unique_id: "x".into() };
    session.authenticated(Login::Ok(Maildrop { messages: vec![message] }));
    assert!(matches!(session.receive(b"RETR 1\r\n"), (_, Step::Retrieve { .. })));
    session.content(b"abcd\r\n");
    session.time_out();
    assert_eq!(session.content(b"more"), Flow::Enough);
    session.content_end(Ok(()));
    assert!(session.output().ends_with(b"abcd\r\n"));
    assert!(matches!(session.receive(b""), (0, Step::Close)));
}

#[test]
fn a_message_that_is_not_as_long_as_its_listed_size_is_never_ended() {
    for (streamed, is_ended) in [(&b"abcd\r\n"[..], true), (b"abc\r\n", false), (b"abcde\r\n", false)] {
        let mut session = Session::new(Arc::new(config()), Security::Clear);
        assert!(matches!(session.receive(LOGIN), (_, Step::Authenticate { .. })));
        let message = Message { size_bytes: 6, unique_id: "x".into() };
        session.authenticated(Login::Ok(Maildrop { messages: vec![message] }));
        assert!(matches!(session.receive(b"RETR 1\r\n"), (_, Step::Retrieve { .. })));
        session.content(streamed);
        session.content_end(Ok(()));
        assert_eq!(session.output().ends_with(b"\r\n.\r\n"), is_ended);
        assert_eq!(matches!(session.receive(b""), (0, Step::Close)), !is_ended);
    }
}

#[test]
fn unknown_user_and_wrong_password_get_the_same_octets() {
    let answer = |lines: &[u8]| Driver::new(config(), World::with_messages(&[])).feed(lines);
    assert_eq!(answer(b"USER mrose\r\nPASS wrong\r\n"), answer(b"USER nobody\r\nPASS secret\r\n"));
}

#[test]
fn every_kind_of_failed_login_counts_until_the_session_closes() {
    for login in [None, Some(LoginFault::InUse), Some(LoginFault::TooSoon), Some(LoginFault::Unavailable)] {
        let world = World { login, ..World::with_messages(&[]) };
        let mut driver = Driver::new(config(), world);
        let lines: &[u8] = if login.is_some() { LOGIN } else { b"USER mrose\r\nPASS wrong\r\n" };
        driver.feed(&lines.repeat(20));
        assert!(driver.outcome.is_closed);
        assert_eq!(driver.outcome.consumed, lines.len() * 10, "{login:?}");
    }
}

#[test]
fn a_password_and_a_name_of_the_longest_line_are_handed_over_whole() {
    let mut session = Session::new(Arc::new(config()), Security::Clear);
    let (name, password) = ("n".repeat(248), "p".repeat(248));
    let input = format!("USER {name}\r\nPASS {password}\r\n");
    let (_, Step::Authenticate { name: n, password: p }) = session.receive(input.as_bytes()) else {
        panic!()
    };
    assert_eq!((n, p.reveal()), (name, password.as_str()));
}

#[test]
fn no_debug_output_of_session_or_step_holds_the_password() {
    let mut session = Session::new(Arc::new(config()), Security::Clear);
    let _ = session.receive(b"USER mrose\r\nPASS s3cr");
    assert!(!format!("{session:?}").contains("s3cr"));
    let (_, step) = session.receive(b"et\r\n");
    assert!(matches!(step, Step::Authenticate { .. }));
    assert!(!format!("{session:?} {step:?} {step:#?}").contains("s3cr"));
}

#[test]
fn a_greeting_never_looks_like_a_response_code_or_an_offer_of_apop() {
    for host_name in ["[192.0.2.1]", "<1896.697170952@dbc.example>"] {
        let driver = Driver::new(Config { host_name: host_name.into(), ..config() }, World::default());
        let greeting = String::from_utf8(driver.outcome.output).unwrap();
        assert!(!greeting.starts_with("+OK ["), "{greeting}");
        assert!(!greeting.contains('<'), "{greeting}");
    }
}

#[test]
fn a_maildrop_whose_unique_ids_would_break_lines_is_not_opened() {
    let mut world = World::with_messages(&[MESSAGE]);
    world.messages[0].0 = "a\r\n.".into();
    let mut driver = Driver::new(config(), world);
    assert!(
        driver
            .feed(LOGIN)
            .ends_with(b"-ERR [SYS/PERM] The maildrop cannot be shown over POP3; tell the operator\r\n")
    );
    assert!(driver.outcome.is_closed);
}
