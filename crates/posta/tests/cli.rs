//! The program as people and scripts meet it: what it prints, how it ends.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use common::{Dialogue, Server, code, data, json, path, posta, run, stderr, stdout};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn dev_says_ready_with_one_object_and_sigterm_and_sigint_stop_it_with_exit_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let (_folder, data) = data();
        let server = Server::dev(&data);
        let keys: Vec<_> = server.ready.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["account", "ca", "data", "listeners", "password", "ready", "relay"]);
        assert_eq!(server.ready["ready"], true);
        assert_eq!(server.ready["account"], "dev@localhost");
        assert_eq!(server.ready["data"], path(&std::fs::canonicalize(&data).unwrap()));
        let services: Vec<_> = server.ready["listeners"].as_object().unwrap().keys().collect();
        assert_eq!(
            services,
            ["http", "imap", "imaps", "lmtp", "odmr", "pop3", "pop3s", "smtp", "submission", "submissions"]
        );
        assert!(std::path::Path::new(server.ready["ca"].as_str().unwrap()).is_file());
        let socket = std::fs::canonicalize(&data).unwrap().join("lmtp.sock");
        assert_eq!(server.address("lmtp"), format!("unix:{}", path(&socket)));
        UnixStream::connect(&socket).unwrap();
        for service in services.into_iter().filter(|service| *service != "lmtp") {
            assert!(server.address(service).starts_with("127.0.0.1:"), "{service}");
            TcpStream::connect(server.address(service)).unwrap();
        }
        let (status, rest) = server.stop(signal);
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert_eq!(rest, "", "the standard output is for the one object");
        assert!(!socket.exists());
    }
}

/// A server that logs into a pipe, and a session that waits a minute for a reply at most.
fn logging_dev(data: &std::path::Path, log: std::io::PipeWriter) -> (Server, Dialogue) {
    let arguments = ["dev", "--port-offset", "auto", "--data", path(data), "--json", "--log-level", "trace"];
    let server = Server::spawn(posta(&arguments).stderr(log));
    let smtp = Dialogue::smtp(&server.address("smtp"));
    smtp.0.get_ref().set_nodelay(true).unwrap();
    smtp.0.get_ref().set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    (server, smtp)
}

fn has_room(pipe: &std::io::PipeWriter) -> bool {
    poll(&mut [PollFd::new(pipe, PollFlags::OUT)], Some(&Timespec::default())).unwrap() == 1
}

#[test]
fn a_server_whose_log_has_no_reader_any_more_goes_on() {
    let (_folder, data) = data();
    let (reader, writer) = std::io::pipe().unwrap();
    let (server, mut smtp) = logging_dev(&data, writer);
    drop(reader);
    for _ in 0..3 {
        let reply = smtp.data(b"Subject: x\r\n\r\nx\r\n");
        assert!(reply.starts_with("250 "), "{reply}");
    }
    let (status, _) = server.stop(Signal::TERM);
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_server_whose_log_nobody_reads_goes_on_and_stops() {
    let (_folder, data) = data();
    let (_reader, writer) = std::io::pipe().unwrap();
    let (server, mut smtp) = logging_dev(&data, writer.try_clone().unwrap());
    let mut accepted_when_full = 0;
    for _ in 0..5000 {
        let reply = smtp.data(b"Subject: x\r\n\r\nx\r\n");
        assert!(reply.starts_with("250 "), "{reply}");
        accepted_when_full += usize::from(!has_room(&writer));
        if accepted_when_full == 50 {
            break;
        }
    }
    assert_eq!(accepted_when_full, 50);
    let (status, _) = server.stop(Signal::TERM);
    assert_eq!(status.code(), Some(0));
}

#[test]
fn dev_without_json_shows_what_a_newcomer_needs() {
    let (_folder, data) = data();
    let mut process =
        posta(&["dev", "--port-offset", "auto", "--data", path(&data), "--password", "swordfish"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
    let mut screen = String::new();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    while !screen.ends_with("Stop with Ctrl-C.\n") {
        assert!(stdout.read_line(&mut screen).unwrap() > 0, "{screen}");
    }
    process.kill().unwrap();
    process.wait().unwrap();
    for part in ["SMTP", "POP3", "dev@localhost", "swordfish", "send", "nc 127.0.0.1", "mailbox list", "curl"]
    {
        assert!(screen.contains(part), "{part}\n{screen}");
    }
}

#[test]
fn what_was_sent_is_listed_and_shown_alike_while_the_server_runs_and_after() {
    let (_folder, data) = data();
    let message = "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\nTo: ada@example.org\r\n\
                   Subject: =?utf-8?q?gr=C3=BC=1B]0;title=07?=\r\n\
                   Date: Mon, 1 Jun 2026 01:30:00 +0200\r\n\r\nA line\x1b[31m in red.\r\n";
    let server = Server::dev(&data);
    server.deliver(message.as_bytes());
    let look = || {
        let list = run(&["mailbox", "list", "--json", "--data", path(&data)]);
        let table = run(&["mailbox", "list", "--data", path(&data)]);
        let shown = run(&["mailbox", "show", "1", "--data", path(&data)]);
        let shown_json = run(&["mailbox", "show", "1", "--json", "--data", path(&data)]);
        let raw = run(&["mailbox", "show", "1", "--raw", "--data", path(&data)]);
        (json(&list), stdout(&table), stdout(&shown), json(&shown_json), stdout(&raw))
    };
    let running = look();
    let (list, table, shown, shown_json, raw) = &running;
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["n"], 1);
    assert_eq!(list[0]["from"], "Jürgen <j@example.org>");
    assert_eq!(list[0]["date"], "2026-05-31T23:30:00Z");
    assert_eq!(list[0]["size_bytes"], raw.len());
    assert_eq!(shown_json["text"], "A line\u{1b}[31m in red.\r\n");
    assert!(table.contains("2026-05-31 23:30") && table.contains("grü"), "{table}");
    assert!(shown.contains("Jürgen <j@example.org>") && shown.contains("in red."), "{shown}");
    for text in [table, shown] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
    }
    assert!(raw.starts_with("Return-Path: <bob@example.net>\r\n"), "{raw}");
    assert!(raw.ends_with(message), "{raw}");
    assert!(server.stop(Signal::TERM).0.success());
    assert_eq!(look(), running);
}

#[test]
fn a_message_that_is_not_there_is_exit_1_and_a_removed_one_is_gone() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    server.deliver(b"Subject: one\r\n\r\n1\r\n");
    server.deliver(b"Subject: two\r\n\r\n2\r\n");
    let missing = run(&["mailbox", "show", "3", "--data", path(&data)]);
    assert_eq!((code(&missing), stderr(&missing).contains("there is no message 3 in INBOX")), (1, true));
    assert!(run(&["mailbox", "remove", "1", "--data", path(&data)]).status.success());
    assert_eq!(code(&run(&["mailbox", "remove", "1", "--data", path(&data)])), 1);
    let list = json(&run(&["mailbox", "list", "--json", "--data", path(&data)]));
    assert_eq!((list.as_array().unwrap().len(), &list[0]["subject"]), (1, &Value::from("two")));
    let other = run(&["mailbox", "list", "--account", "bob@example.org", "--data", path(&data)]);
    assert_eq!((code(&other), stderr(&other).contains("there is no account bob@example.org")), (1, true));
}

#[test]
fn only_the_newest_are_listed_where_a_limit_says_so() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    for number in 1..=5 {
        server.deliver(
            format!("Subject: number {number}\r\n\r\n.\r\n").replace("\r\n.\r\n", "\r\nx\r\n").as_bytes(),
        );
    }
    let list = json(&run(&["mailbox", "list", "--limit", "2", "--json", "--data", path(&data)]));
    let numbers: Vec<_> = list.as_array().unwrap().iter().map(|line| line["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [4, 5]);
    let table = stdout(&run(&["mailbox", "list", "--limit", "2", "--data", path(&data)]));
    // No From field: the list says what MAIL FROM said.
    assert!(table.contains("(bob@example.net)"), "{table}");
    assert!(table.contains("the newest 2 of 5"), "{table}");
}

#[test]
fn a_second_server_on_the_same_data_refuses_and_the_first_goes_on() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    let second = run(&["dev", "--json", "--port-offset", "auto", "--data", path(&data)]);
    assert_eq!(code(&second), 69);
    assert!(second.stdout.is_empty());
    assert!(stderr(&second).contains("in use by another process"), "{}", stderr(&second));
    server.deliver(b"Subject: still here\r\n\r\nx\r\n");
    let status = json(&run(&["status", "--json", "--data", path(&data)]));
    assert_eq!(status["process_id"], server.process.id());
}

/// A configuration with an address that another program has, which it has as long as the listener lives.
fn config_in_the_way() -> (tempfile::TempDir, PathBuf, TcpListener) {
    let (folder, data) = data();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = folder.path().join("posta.toml");
    std::fs::write(
        &config,
        format!("data = '{}'\n[[listener]]\nservice = 'smtp'\naddress = '{address}'\n", data.display()),
    )
    .unwrap();
    (folder, config, taken)
}

#[test]
fn an_address_in_use_is_named_with_the_mend() {
    let (_folder, config, taken) = config_in_the_way();
    let output = run(&["serve", "--config", path(&config)]);
    assert_eq!(code(&output), 69);
    let address = taken.local_addr().unwrap().to_string();
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
}

#[test]
fn a_server_that_cannot_start_ends_though_nobody_reads_why() {
    let (_folder, config, _taken) = config_in_the_way();
    let (_reader, mut writer) = std::io::pipe().unwrap();
    while has_room(&writer) {
        writer.write_all(&[b'x'; 4096]).unwrap();
    }
    let mut command = posta(&["serve", "--config", path(&config)]);
    let mut process = command.stdout(Stdio::piped()).stderr(writer).spawn().unwrap();
    let stdout = process.stdout.take().unwrap();
    let a_minute = Timespec { tv_sec: 60, tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&a_minute)).unwrap() == 1;
    if !ended {
        process.kill().unwrap();
    }
    assert_eq!((process.wait().unwrap().code(), ended), (Some(69), true));
}

#[test]
fn the_first_password_is_made_once_kept_and_may_be_set() {
    let (_folder, data) = data();
    let restart = |arguments: &[&str]| {
        let base = ["dev", "--port-offset", "auto", "--data", path(&data)];
        let server = Server::start(&[&base, arguments].concat());
        let password = server.password();
        let mut pop3 = Dialogue::open(&server.address("pop3"));
        assert!(pop3.reply().starts_with("+OK"));
        pop3.say("USER dev@localhost", "+OK");
        pop3.say(&format!("PASS {password}"), "+OK");
        pop3.say("QUIT", "+OK");
        assert!(server.stop(Signal::TERM).0.success());
        password
    };
    let made = restart(&[]);
    assert!(made.len() >= 16, "{made}");
    assert_eq!(restart(&[]), made);
    assert_eq!(restart(&["--password", "swordfish"]), "swordfish");
    assert_eq!(restart(&[]), "swordfish");
    let set = run(&["account", "password", "dev@localhost", "--password", "changed", "--data", path(&data)]);
    assert!(set.status.success(), "{}", stderr(&set));
    assert_eq!(restart(&[]), "changed");
    let (_folder, other) = self::data();
    assert_ne!(Server::dev(&other).password(), made);
}

#[test]
fn a_second_start_that_sets_a_password_changes_nothing_where_a_server_runs() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    let second =
        run(&["dev", "--json", "--port-offset", "auto", "--password", "swordfish", "--data", path(&data)]);
    assert_eq!(code(&second), 69, "{}", stderr(&second));
    let password = server.password();
    assert!(server.stop(Signal::TERM).0.success());
    assert_eq!(Server::dev(&data).password(), password);
}

#[test]
fn the_first_account_comes_back_where_the_store_was_removed_and_the_password_stayed() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    let password = server.password();
    assert!(server.stop(Signal::TERM).0.success());
    let kept = std::fs::read(data.join("dev-password")).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("dev-password"), kept).unwrap();
    let server = Server::dev(&data);
    assert_eq!(server.password(), password);
    server.deliver(b"Subject: one\r\n\r\n1\r\n");
}

#[test]
fn log_lines_are_json_where_asked_and_never_hold_a_password_or_a_message() {
    let (folder, data) = data();
    let log = folder.path().join("log");
    let mut process =
        posta(&["dev", "--json", "--port-offset", "auto", "--log-format", "json", "--log-level", "trace"])
            .args(["--password", "swordfish", "--data", path(&data)])
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let server = Server { process, stdout, ready: serde_json::from_str(&line).unwrap() };
    server.deliver(b"Subject: unmistakable\r\n\r\nunmistakable\r\n");
    let mut pop3 = Dialogue::open(&server.address("pop3"));
    assert!(pop3.reply().starts_with("+OK"));
    pop3.say("USER dev@localhost", "+OK");
    pop3.say("PASS swordfish-no", "-ERR");
    pop3.say("USER dev@localhost", "+OK");
    pop3.say("PASS swordfish", "+OK");
    pop3.say("RETR 1", "+OK");
    let set =
        run(&["account", "password", "dev@localhost", "--password", "swordfish2", "--data", path(&data)]);
    assert!(set.status.success(), "{}", stderr(&set));
    assert!(server.stop(Signal::TERM).0.success());
    let log = std::fs::read_to_string(log).unwrap();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    assert!(lines.iter().any(|line| line["message"] == "message accepted"), "{log}");
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()));
    assert!(!log.contains("swordfish"), "{log}");
    assert!(!log.contains("unmistakable"), "{log}");
}

#[test]
fn accounts_are_made_before_the_first_start_and_while_the_server_runs() {
    let (_folder, data) = data();
    let add = |name: &str| {
        let mut process = posta(&["account", "add", name, "--password-stdin", "--data", path(&data)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(b"open sesame\n").unwrap();
        process.wait_with_output().unwrap()
    };
    assert!(stdout(&add("ada@example.org")).contains("ada@example.org is made"));
    let server = Server::dev(&data);
    assert!(add("bob@example.org").status.success());
    let taken = add("BOB@example.org");
    assert_eq!((code(&taken), stderr(&taken).contains("already")), (1, true), "{}", stderr(&taken));
    assert_eq!(code(&add("nobody")), 1);
    let mut pop3 = Dialogue::open(&server.address("pop3"));
    assert!(pop3.reply().starts_with("+OK"));
    pop3.say("USER bob@example.org", "+OK");
    pop3.say("PASS open sesame", "+OK");
    let accounts = json(&run(&["account", "list", "--json", "--data", path(&data)]));
    let names: Vec<_> = accounts.as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ada@example.org", "dev@localhost", "bob@example.org"]);
}

#[test]
fn commands_at_the_same_moment_without_a_server_all_get_their_answer() {
    let (_folder, data) = data();
    assert!(run(&["account", "add", "ada@example.org", "--data", path(&data)]).status.success());
    let commands: Vec<_> = (0..4)
        .map(|_| {
            posta(&["mailbox", "list", "--data", path(&data)])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for command in commands {
        assert_eq!(stdout(&command.wait_with_output().unwrap()), "INBOX is empty\n");
    }
}

#[test]
fn status_tells_what_runs_and_is_exit_69_where_nothing_does() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    let status = json(&run(&["status", "--json", "--data", path(&data)]));
    assert_eq!(status["running"], true);
    assert_eq!(status["listeners"], server.ready["listeners"]);
    assert!(server.stop(Signal::TERM).0.success());
    let output = run(&["status", "--json", "--data", path(&data)]);
    assert_eq!(code(&output), 69);
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["running"], false);
}

#[test]
fn posta_data_names_the_folder_and_data_on_the_command_line_wins() {
    let (_folder, data) = data();
    assert!(run(&["account", "add", "ada@example.org", "--data", path(&data)]).status.success());
    let list = |arguments: &[&str]| {
        let mut command = posta(&[&["account", "list", "--json"], arguments].concat());
        command.env("POSTA_DATA", &data).output().unwrap()
    };
    assert_eq!(json(&list(&[]))[0]["name"], "ada@example.org");
    assert_eq!(code(&list(&["--data", "/nowhere/at/all"])), 69);
}

#[test]
fn a_folder_without_mail_is_exit_69_and_stays_as_it_is() {
    let (_folder, data) = data();
    for arguments in [&["mailbox", "list"][..], &["store", "check"], &["account", "list"]] {
        let output = run(&[arguments, &["--data", path(&data)]].concat());
        assert_eq!(code(&output), 69, "{arguments:?}");
        assert!(stderr(&output).contains("there is no mail in"), "{}", stderr(&output));
    }
    assert!(!data.exists());
}

#[test]
fn a_sound_store_is_exit_0_and_its_figures_have_names() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    server.deliver(b"Subject: one\r\n\r\n1\r\n");
    let look = || {
        let check = json(&run(&["store", "check", "--json", "--data", path(&data)]));
        assert_eq!((&check["entries"], &check["findings"]), (&1.into(), &Value::Array(vec![])), "{check}");
        let stats = json(&run(&["store", "stats", "--json", "--data", path(&data)]));
        assert_eq!(stats["messages"], 1);
        let text = stdout(&run(&["store", "check", "--data", path(&data)]));
        assert!(text.ends_with("the store is sound\n"), "{text}");
    };
    look();
    assert!(server.stop(Signal::TERM).0.success());
    look();
}

#[test]
fn an_octet_that_changed_on_the_disk_is_found_and_the_message_is_not_shown_as_if_it_were_whole() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    server.deliver(b"Subject: one\r\n\r\nunmistakable\r\n");
    server.deliver(b"Subject: two\r\n\r\nsecond\r\n");
    assert!(server.stop(Signal::TERM).0.success());
    let is_changed = |entry: std::io::Result<std::fs::DirEntry>| {
        let file = entry.unwrap().path();
        let mut octets = std::fs::read(&file).unwrap();
        let found = octets.windows(12).position(|window| window == b"unmistakable");
        if let Some(at) = found {
            octets[at] ^= 1;
            std::fs::write(&file, octets).unwrap();
        }
        found.is_some()
    };
    assert_eq!(
        std::fs::read_dir(data.join("log")).unwrap().filter_map(|e| is_changed(e).then_some(())).count(),
        1
    );
    let check = run(&["store", "check", "--json", "--data", path(&data)]);
    assert_eq!(code(&check), 1, "{}", stderr(&check));
    let report: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(report["findings"][0]["severity"], "error", "{report}");
    let shown = run(&["mailbox", "show", "1", "--data", path(&data)]);
    assert_eq!(code(&shown), 70, "{}", stderr(&shown));
    assert!(stderr(&shown).contains("damaged"), "{}", stderr(&shown));
}

#[test]
fn serve_runs_what_its_file_says_and_refuses_a_file_with_faults() {
    let (folder, data) = data();
    let file = folder.path().join("posta.toml");
    let listener = "[[listener]]\nservice = 'smtp'\naddress = '127.0.0.1:0'\n";
    std::fs::write(&file, format!("data = '{}'\ndomains = ['example.org']\n{listener}", data.display()))
        .unwrap();
    assert!(run(&["account", "add", "ada@example.org", "--data", path(&data)]).status.success());
    assert!(run(&["config", "check", "--config", path(&file)]).status.success());
    let server = Server::start(&["serve", "--config", path(&file)]);
    let mut smtp = Dialogue::open(&server.address("smtp"));
    assert!(smtp.reply().starts_with("220 "));
    smtp.say("HELO client.example", "250");
    smtp.say("MAIL FROM:<bob@example.net>", "250");
    smtp.say("RCPT TO:<ada@example.org>", "250");
    smtp.say("RCPT TO:<nobody@example.org>", "550 5.1.1");
    smtp.say("RCPT TO:<ada@example.com>", "550 5.7.1");
    smtp.say("QUIT", "221");
    assert!(server.stop(Signal::TERM).0.success());

    std::fs::write(&file, "[smtp]\nrecipient_max = 1\nmessage_bytes_max = 5\n").unwrap();
    for command in ["serve", "config"] {
        let arguments: &[&str] = if command == "serve" { &["serve"] } else { &["config", "check"] };
        let output = run(&[arguments, &["--config", path(&file)]].concat());
        assert_eq!(code(&output), 78, "{command}");
        let text = stderr(&output);
        assert!(text.contains("posta.toml:2: unknown key `recipient_max`"), "{text}");
        assert!(text.contains("posta.toml:3: `message_bytes_max` must be at least 65536"), "{text}");
    }
}

#[test]
fn a_check_of_the_configuration_tells_where_mail_goes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("posta.toml");
    let rules = "[[transport]]\nmatch = '.example.org'\nto = 'smtps://relay.example:465'\n\
                 [[transport]]\nmatch = '*'\nto = 'fail'\n";
    std::fs::write(&file, format!("domains = ['example.org']\n{rules}")).unwrap();
    let text = stdout(&run(&["config", "check", "--config", path(&file)]));
    assert!(text.contains("  mail for .example.org goes to smtps://relay.example:465\n"), "{text}");
    assert!(text.contains("  all other mail goes to fail\n"), "{text}");
}

#[test]
fn the_sample_can_be_used_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("posta.toml");
    std::fs::write(&file, stdout(&run(&["config", "sample"]))).unwrap();
    assert!(run(&["config", "check", "--config", path(&file)]).status.success());
}

#[test]
fn a_command_line_that_makes_no_sense_is_exit_64_and_help_is_exit_0() {
    let rows: [&[&str]; 5] =
        [&[], &["fly"], &["mailbox", "show", "first"], &["dev", "--port-offset", "70000"], &["serve"]];
    for arguments in rows {
        assert_eq!(code(&run(arguments)), 64, "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["--version"], &["mailbox", "list", "--help"]] {
        assert_eq!(code(&run(arguments)), 0, "{arguments:?}");
    }
}

#[test]
fn a_data_folder_that_cannot_be_made_is_exit_73() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let output = run(&["dev", "--port-offset", "auto", "--data", path(&file.join("data"))]);
    assert_eq!(code(&output), 73, "{}", stderr(&output));
}
