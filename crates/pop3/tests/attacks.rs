//! What a POP3 server must withstand: the right response, nothing lost, nothing grown.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;

use std::sync::Arc;

use common::{Driver, LoginFault, World, config};
use pop3::{
    Apop, Config, DISCARDED_BYTES_MAX, Failure, Flow, Login, Maildrop, Message, OUTPUT_BYTES_SOFT_MAX,
    Plaintext, SASL_LINE_BYTES_MAX, Security, Session, Step, TlsOffer,
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
    session.content(b"\r\nabcd\r\n");
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

fn with_mechanisms(mechanisms: &[&str]) -> Config {
    let mechanisms: Vec<String> = mechanisms.iter().map(|name| (*name).to_owned()).collect();
    Config { mechanisms_clear: mechanisms.clone(), mechanisms_tls: mechanisms, errors_max: 1000, ..config() }
}

/// RFC 5034 §6: challenges and a response that are longer than a command may be, and an empty response.
#[test]
fn challenges_and_responses_are_carried_whatever_the_mechanism_is() {
    let mut session = Session::new(Arc::new(with_mechanisms(&["DIGEST-MD5"])), Security::Clear);
    session.output().clear();
    let (consumed, step) = session.receive(b"AUTH DIGEST-MD5\r\n");
    let Step::SaslBegin { mechanism, initial_response: None } = step else { panic!("{step:?}") };
    assert_eq!((consumed, mechanism.as_str()), (17, "DIGEST-MD5"));
    session.challenge(
        b"realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\",algorithm=md5-sess,charset=utf-8",
    );
    let challenge = "+ cmVhbG09ImVsd29vZC5pbm5vc29mdC5jb20iLG5vbmNlPSJPQTZNRzl0RVFHbTJoaCIscW9wPSJhdXRoIixhbGdvcml0aG09\
                     bWQ1LXNlc3MsY2hhcnNldD11dGYtOA==\r\n";
    assert_eq!(session.output(), challenge.as_bytes());
    session.output().clear();
    let response = "Y2hhcnNldD11dGYtOCx1c2VybmFtZT0iY2hyaXMiLHJlYWxtPSJlbHdvb2QuaW5ub3NvZnQuY29tIixub25jZT0iT0E2TUc5dEVR\
                    R20yaGgiLG5jPTAwMDAwMDAxLGNub25jZT0iT0E2TUhYaDZWcVRyUmsiLGRpZ2VzdC11cmk9InBvcC9lbHdvb2QuaW5ub3NvZnQu\
                    Y29tIixyZXNwb25zZT1iMGQ1NmQyZjA1NGMyNGI2MjA3MjMyMjEwNjQ2OGRiOSxxb3A9YXV0aA==\r\n";
    assert!(response.len() > 255);
    let (_, step) = session.receive(response.as_bytes());
    let Step::SaslRespond(octets) = step else { panic!("{step:?}") };
    let digest = b"response=b0d56d2f054c24b62072322106468db9,qop=auth";
    assert!(octets.starts_with(b"charset=utf-8,username=\"chris\"") && octets.ends_with(digest));
    session.challenge(b"rspauth=0b971462cef5e8f930db9a33b02fc9a0");
    assert_eq!(&session.output()[..], b"+ cnNwYXV0aD0wYjk3MTQ2MmNlZjVlOGY5MzBkYjlhMzNiMDJmYzlhMA==\r\n");
    let (_, step) = session.receive(b"\r\n");
    assert!(matches!(&step, Step::SaslRespond(empty) if empty.is_empty()), "{step:?}");
    session.authenticated(Login::Ok(Maildrop::default()));
    assert!(session.output().ends_with(b"+OK Logged in: 0 messages (0 octets)\r\n"));
}

#[test]
fn a_response_has_its_own_limit_and_the_next_command_the_one_of_commands() {
    let mut driver = Driver::new(with_mechanisms(&["PLAIN"]), World::with_messages(&[]));
    let line = |octets: usize| format!("{}\r\n", "A".repeat(octets));
    let malformed = b"-ERR This is no message of the mechanism; the login is called off\r\n";
    // What stands behind AUTH counts with it.
    assert!(is_error(&driver.feed(format!("AUTH PLAIN {}", line(244)).as_bytes())));
    assert!(driver.outcome.output.ends_with(b"-ERR The line is longer than 255 octets\r\n"));
    assert_eq!(driver.feed(format!("AUTH PLAIN {}", line(240)).as_bytes()), malformed);
    for (octets, answer) in [
        (SASL_LINE_BYTES_MAX - 4, &malformed[..]),
        (SASL_LINE_BYTES_MAX - 2, b"-ERR This is not base64; the login is called off\r\n"),
        (SASL_LINE_BYTES_MAX - 1, b"-ERR The line is longer than 12288 octets\r\n"),
        (60_000, b"-ERR The line is longer than 12288 octets\r\n"),
    ] {
        assert_eq!(driver.feed(b"AUTH PLAIN\r\n"), b"+ \r\n");
        assert_eq!(driver.feed(line(octets).as_bytes()), answer, "{octets}");
        assert_eq!(driver.feed(line(254).as_bytes()), b"-ERR The line is longer than 255 octets\r\n");
    }
    assert!(driver.feed(b"AUTH PLAIN AG1yb3NlAHNlY3JldA==\r\n").starts_with(b"+OK "));
    assert_eq!(driver.feed(line(254).as_bytes()), b"-ERR The line is longer than 255 octets\r\n");
}

#[test]
fn a_response_that_never_ends_closes_the_session_in_bounded_memory() {
    let mut driver = Driver::new(with_mechanisms(&["PLAIN"]), World::default());
    assert_eq!(driver.feed(b"AUTH PLAIN\r\n"), b"+ \r\n");
    let chunk = [b'A'; 1024];
    let chunks = (0..).take_while(|_| {
        driver.feed(&chunk);
        !driver.outcome.is_closed
    });
    assert!(chunks.count() <= (DISCARDED_BYTES_MAX + SASL_LINE_BYTES_MAX) / chunk.len() + 1);
    assert!(driver.outcome.output.ends_with(b"-ERR The line has no end; closing the connection\r\n"));
}

#[test]
fn nothing_is_consumed_while_the_mechanism_owes_its_answer() {
    let mut session = Session::new(Arc::new(with_mechanisms(&["LOGIN"])), Security::Clear);
    let pipelined = b"AUTH LOGIN\r\nbXJvc2U=\r\nc2VjcmV0\r\nSTAT\r\n";
    assert!(matches!(session.receive(pipelined), (12, Step::SaslBegin { .. })));
    let nothing = |session: &mut Session| {
        assert!(matches!(session.receive(b"NOOP\r\n"), (0, Step::NeedInput)));
    };
    nothing(&mut session);
    session.challenge(b"Username:");
    assert!(matches!(session.receive(&pipelined[12..]), (10, Step::SaslRespond(name)) if name == b"mrose"));
    nothing(&mut session);
    session.challenge(b"Password:");
    assert!(
        matches!(session.receive(&pipelined[22..]), (10, Step::SaslRespond(password)) if password == b"secret")
    );
    nothing(&mut session);
    session.authenticated(Login::Ok(Maildrop::default()));
    session.output().clear();
    assert!(matches!(session.receive(&pipelined[32..]), (6, Step::NeedInput)));
    assert_eq!(&session.output()[..], b"+OK 0 0\r\n");
}

#[test]
fn challenges_that_nobody_asked_for_are_not_sent() {
    let mut driver = Driver::new(with_mechanisms(&["PLAIN"]), World::with_messages(&[MESSAGE]));
    let before = driver.outcome.output.len();
    driver.session.challenge(b"x");
    driver.feed(b"");
    assert_eq!(driver.outcome.output.len(), before);
    // Nor is anybody let in while the client has its turn.
    assert_eq!(driver.feed(b"AUTH PLAIN\r\n"), b"+ \r\n");
    driver.session.authenticated(Login::Ok(Maildrop::default()));
    driver.session.challenge(b"x");
    assert_eq!(driver.feed(b"*\r\n"), b"-ERR The login is called off\r\n");
    driver.feed(LOGIN);
    driver.session.challenge(b"x");
    assert_eq!(driver.feed(b"STAT\r\n"), b"+OK 1 20\r\n");
}

#[test]
fn a_time_out_in_the_middle_of_auth_closes_the_session_for_good() {
    let mut driver = Driver::new(with_mechanisms(&["PLAIN"]), World::with_messages(&[]));
    assert_eq!(driver.feed(b"AUTH PLAIN\r\n"), b"+ \r\n");
    driver.session.time_out();
    assert_eq!(driver.feed(b"AG1yb3NlAHNlY3JldA==\r\n"), b"");
    assert!(driver.outcome.is_closed);
}

#[test]
fn no_debug_output_of_a_step_of_auth_or_apop_holds_what_was_sent() {
    let config = Config { apop: Apop::Timestamp("<1@b>".into()), ..with_mechanisms(&["PLAIN"]) };
    let mut session = Session::new(Arc::new(config), Security::Clear);
    let (_, begin) = session.receive(b"AUTH PLAIN AHMzY3JldABzM2NyZXQ=\r\n");
    assert!(matches!(begin, Step::SaslBegin { .. }));
    session.challenge(b"");
    let (_, respond) = session.receive(b"AHMzY3JldABzM2NyZXQ=\r\n");
    assert!(matches!(respond, Step::SaslRespond(_)));
    session.authenticated(Login::Refused);
    let (_, apop) = session.receive(b"APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
    assert!(matches!(apop, Step::Apop { .. }));
    let printed = format!("{session:?} {begin:?} {begin:#?} {respond:?} {respond:#?} {apop:?} {apop:#?}");
    for secret in ["s3cret", "115", "73", "AHMz", "c4c9", "196", "0xC4"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn a_timestamp_that_is_no_msg_id_offers_nothing() {
    for timestamp in ["", "1896.697170952@dbc", "<a@b>\r\n+OK", "<a b@c>", "<>", "<a@b> x"] {
        let config = Config { apop: Apop::Timestamp(timestamp.into()), ..config() };
        let mut driver = Driver::new(config, World::with_messages(&[]));
        assert_eq!(driver.outcome.output, b"+OK Posta POP3 server at mail.example is ready\r\n");
        let answer = driver.feed(b"APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
        assert_eq!(answer, b"-ERR No such command; CAPA lists what there is\r\n");
    }
}

#[test]
fn names_that_are_no_mechanisms_are_not_listed() {
    let config = with_mechanisms(&["PLAIN", "X Y", "A\r\n.", "", "TOO-LONG-TO-BE-A-MECHANISM"]);
    let mut driver = Driver::new(config, World::with_messages(&[]));
    let list = String::from_utf8(driver.feed(b"CAPA\r\n")).unwrap();
    assert!(list.contains("\r\nSASL PLAIN\r\n"), "{list}");
    assert_eq!(driver.feed(b"AUTH\r\n"), b"+OK Mechanisms follow\r\nPLAIN\r\n.\r\n");
}
