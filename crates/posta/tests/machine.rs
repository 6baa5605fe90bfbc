//! The program and the machine that it runs on: files that cannot be opened, the service manager, a start that was
//! interrupted (attacks: the machine).

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

mod common;

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Dialogue, Server, code, data, json, path, posta, run, stderr, stdout};
use rustix::process::{Resource, Rlimit, Signal, prlimit};

/// Who says nothing for so long is taken for hung.
const HUNG: Duration = Duration::from_secs(60);

/// More than is held in memory.
fn large() -> Vec<u8> {
    b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n".repeat(40_000)
}

#[test]
fn without_file_descriptors_connections_wait_large_mail_is_451_and_all_recovers_by_itself() {
    let (_folder, data) = data();
    let mut server = Server::spawn(
        posta(&["dev", "--json", "--port-offset", "auto", "--log-level", "warn", "--data", path(&data)])
            .stderr(Stdio::piped()),
    );
    let mut log = BufReader::new(server.process.stderr.take().unwrap()).lines();
    let mut early = Dialogue::smtp(&server.address("smtp"));
    // No file can be opened any more; those that are open stay.
    let none = Rlimit { current: Some(3), maximum: Some(1024) };
    prlimit(Some(server.pid()), Resource::Nofile, none).unwrap();
    let mut late = Dialogue::open(&server.address("smtp"));
    let said = log.find(|line| line.as_ref().unwrap().contains("no connection can be accepted now"));
    assert!(said.is_some(), "the log says nothing");
    let refused = early.data(&large());
    assert!(refused.starts_with("451 4.3.0"), "{refused}");
    let small = early.data(b"Subject: small\r\n\r\ntext\r\n");
    assert!(small.starts_with("250 ") || small.starts_with("451 "), "{small}");
    let enough = Rlimit { current: Some(1024), maximum: Some(1024) };
    prlimit(Some(server.pid()), Resource::Nofile, enough).unwrap();
    assert!(late.reply().starts_with("220 "));
    late.say("HELO late.example", "250");
    assert!(late.data(&large()).starts_with("250 "));
    assert!(early.data(&large()).starts_with("250 "));
    let list = json(&run(&["mailbox", "list", "--json", "--data", path(&data)]));
    assert_eq!(list.as_array().unwrap().len(), 2 + usize::from(small.starts_with("250 ")));
    assert!(server.stop(Signal::TERM).0.success());
}

#[test]
fn a_flood_under_a_low_limit_of_open_files_is_turned_away_and_the_next_one_is_served() {
    let (_folder, data) = data();
    let server = Server::spawn(
        Command::new("sh")
            .args(["-c", "ulimit -n 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_posta")])
            .args(["dev", "--json", "--port-offset", "auto", "--log-level", "error", "--data", path(&data)])
            .env_remove("POSTA_DATA"),
    );
    let address = server.address("smtp");
    let mut flood: Vec<_> = (0..200).map(|_| Dialogue::open(&address)).collect();
    let greetings: Vec<_> = flood.iter_mut().map(Dialogue::reply).collect();
    let count = |code: &str| greetings.iter().filter(|greeting| greeting.starts_with(code)).count();
    // Half of the descriptors are left to the store and the listeners.
    assert_eq!(count("220 "), 32, "{greetings:?}");
    let closed = greetings.iter().filter(|greeting| greeting.is_empty()).count();
    assert_eq!(count("220 ") + count("421 4.3.2") + closed, 200, "{greetings:?}");
    // Those that are in go on meanwhile.
    let served = greetings.iter().position(|greeting| greeting.starts_with("220 ")).unwrap();
    flood[served].say("HELO client.example", "250");
    assert!(flood[served].data(&large()).starts_with("250 "));
    drop(flood);
    // A place is free once the session's task has ended, which its peer cannot see: ask until it is.
    while !Dialogue::open(&address).reply().starts_with("220 ") {}
    assert!(server.stop(Signal::TERM).0.success());
}

#[test]
fn the_service_manager_is_told_ready_and_stopping() {
    let (folder, data) = data();
    let socket = folder.path().join("notify");
    let notified = UnixDatagram::bind(&socket).unwrap();
    notified.set_read_timeout(Some(HUNG)).unwrap();
    let server = Server::spawn(
        posta(&["dev", "--json", "--port-offset", "auto", "--log-level", "error", "--data", path(&data)])
            .env("NOTIFY_SOCKET", &socket),
    );
    let hear = || {
        let mut octets = [0; 256];
        let length = notified.recv(&mut octets).unwrap();
        String::from_utf8(octets[..length].to_vec()).unwrap()
    };
    assert_eq!(hear().trim_end(), "READY=1");
    Dialogue::smtp(&server.address("smtp"));
    assert!(server.stop(Signal::TERM).0.success());
    assert_eq!(hear().trim_end(), "STOPPING=1");
}

#[test]
fn sigterm_in_the_middle_of_a_message_lets_it_be_finished() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    let mut busy = Dialogue::smtp(&server.address("smtp"));
    busy.say("MAIL FROM:<bob@example.net>", "250");
    busy.say("RCPT TO:<anybody@example.org>", "250");
    busy.say("DATA", "354");
    let mut idle = Dialogue::smtp(&server.address("smtp"));
    rustix::process::kill_process(server.pid(), Signal::TERM).unwrap();
    assert!(idle.reply().starts_with("421 4.3.2"));
    assert_eq!(idle.reply(), "");
    busy.say("text\r\n.", "250 2.0.0");
    assert!(busy.reply().starts_with("421 4.3.2"));
    assert!(server.stop(Signal::TERM).0.code().is_some());
    let list = json(&run(&["mailbox", "list", "--json", "--data", path(&data)]));
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[test]
fn serve_takes_and_gives_out_mail_for_accounts_that_are_made_while_it_runs() {
    let (folder, data) = data();
    let file = folder.path().join("posta.toml");
    let config = format!(
        "host_name = 'mail.example.org'\ndata = '{}'\ndomains = ['example.org']\n\
         [[listener]]\nservice = 'smtp'\naddress = '127.0.0.1:0'\n\
         [[listener]]\nservice = 'pop3'\naddress = '127.0.0.1:0'\n\
         [smtp]\nmessage_bytes_max = '1 MiB'\n[log]\nlevel = 'error'\n",
        data.display()
    );
    std::fs::write(&file, config).unwrap();
    let start = || Server::spawn(&mut posta(&["serve", "--json", "--config", path(&file)]));
    let server = start();
    let mut smtp = Dialogue::open(&server.address("smtp"));
    assert!(smtp.reply().starts_with("220 mail.example.org "));
    smtp.say("EHLO client.example", "250-mail.example.org ");
    smtp.say("NOOP", "250-SIZE 1048576");
    while smtp.reply().as_bytes().get(3) == Some(&b'-') {}
    assert!(smtp.reply().starts_with("250 "));
    smtp.say("MAIL FROM:<bob@example.net>", "250");
    smtp.say("RCPT TO:<ada@example.org>", "550 5.1.1");
    // Nobody is there yet to stand in for the postmaster.
    smtp.say("RCPT TO:<postmaster@example.org>", "451 4.3.0");
    let added =
        run(&["account", "add", "ada@example.org", "--password", "open sesame", "--data", path(&data)]);
    assert!(added.status.success(), "{}", stderr(&added));
    smtp.say("RCPT TO:<Ada@Example.ORG>", "250");
    smtp.say("RCPT TO:<postmaster@example.org>", "250");
    smtp.say("DATA", "354");
    smtp.say("Subject: hello\r\n\r\ntext\r\n.", "250");
    let sent =
        run(&["send", "--data", path(&data), "--to", "ada@example.org", "--subject", "two", "--body", "b"]);
    assert!(sent.status.success(), "{}", stderr(&sent));
    assert!(server.stop(Signal::INT).0.success());

    let server = start();
    let mut pop3 = Dialogue::open(&server.address("pop3"));
    assert!(pop3.reply().starts_with("+OK"));
    pop3.say("USER ada@example.org", "+OK");
    pop3.say("PASS open sesame", "+OK Logged in: 2 messages");
    pop3.say("RETR 1", "+OK");
    assert_eq!(pop3.reply(), "Return-Path: <bob@example.net>\r\n");
    assert_eq!(pop3.reply(), "Delivered-To: Ada@Example.ORG\r\n");
    let status = json(&run(&["status", "--json", "--data", path(&data)]));
    assert_eq!(status["open_sessions"], 1);
    assert!(server.stop(Signal::TERM).0.success());
}

#[test]
fn a_unique_id_names_one_message_for_ever() {
    let (_folder, data) = data();
    let unique_ids = |server: &Server, then: &str| {
        let mut pop3 = Dialogue::open(&server.address("pop3"));
        assert!(pop3.reply().starts_with("+OK"));
        pop3.say("USER dev@localhost", "+OK");
        pop3.say(&format!("PASS {}", server.password()), "+OK");
        pop3.say("UIDL", "+OK");
        let mut unique_ids = Vec::new();
        loop {
            let line = pop3.reply();
            if line == ".\r\n" {
                break;
            }
            unique_ids.push(line.split_once(' ').unwrap().1.to_owned());
        }
        pop3.say(then, "+OK");
        pop3.say("QUIT", "+OK");
        unique_ids
    };
    let server = Server::dev(&data);
    for number in ["one", "two", "three"] {
        server.deliver(format!("Subject: {number}\r\n\r\ntext\r\n").as_bytes());
    }
    let first = unique_ids(&server, "NOOP");
    assert_eq!(unique_ids(&server, "DELE 3"), first);
    assert_eq!(unique_ids(&server, "DELE 1"), first[..2]);
    assert_eq!(unique_ids(&server, "NOOP"), first[1..2]);
    assert!(server.stop(Signal::TERM).0.success());
    let server = Server::dev(&data);
    assert_eq!(unique_ids(&server, "NOOP"), first[1..2]);
    server.deliver(b"Subject: four\r\n\r\ntext\r\n");
    let last = unique_ids(&server, "NOOP");
    assert_eq!((last.len(), &last[0]), (2, &first[1]));
    assert!(!first.contains(&last[1]), "{first:?} {last:?}");
}

#[test]
fn mail_that_breaks_readers_of_mime_is_listed_and_shown() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    let mut nested = b"MIME-Version: 1.0\r\n".to_vec();
    for level in 0..10_000 {
        nested.extend(
            format!("Content-Type: multipart/mixed; boundary=\"b{level}\"\r\n\r\n--b{level}\r\n").bytes(),
        );
    }
    for message in [
        nested,
        b"Content-Type: message/rfc822\r\n\r\n".repeat(10_000),
        b"X: y\r\n".repeat(1_000_000),
        [&b"Subject: x\r\n"[..], &b" =?utf-8?q?=E2=82=AC?=\r\n".repeat(20_000)].concat(),
        b"no header field at all\r\n".to_vec(),
        Vec::new(),
    ] {
        server.deliver(&message);
    }
    let list = stdout(&run(&["mailbox", "list", "--data", path(&data)]));
    assert!(list.lines().count() >= 7, "{list}");
    for number in ["1", "2", "3", "4", "5", "6"] {
        for form in [&[][..], &["--json"]] {
            let shown = run(&[&["mailbox", "show", number, "--data", path(&data)], form].concat());
            assert_eq!(code(&shown), 0, "{number} {form:?}: {}", stderr(&shown));
        }
    }
}
