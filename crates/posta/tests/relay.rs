//! `posta dev --relay HOST:PORT`: what is no account here goes to that host, and nothing else does.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use common::{Dialogue, Server, code, data, json, path, run, stderr};
use rustix::process::Signal;

/// A host that takes one message: the commands that it heard, and the lines of the message.
fn take_one(listener: &TcpListener) -> (Vec<String>, Vec<String>) {
    let (socket, _) = listener.accept().unwrap();
    let mut socket = BufReader::new(socket);
    let (mut commands, mut message) = (Vec::new(), Vec::new());
    let mut reply = "220 sink.example";
    let mut in_message = false;
    loop {
        if !reply.is_empty() {
            socket.get_mut().write_all(format!("{reply}\r\n").as_bytes()).unwrap();
        }
        let mut line = String::new();
        assert!(socket.read_line(&mut line).unwrap() > 0, "the client left: {commands:?}");
        let line = line.strip_suffix("\r\n").unwrap().to_owned();
        reply = match line.as_str() {
            "." if in_message => {
                socket.get_mut().write_all(b"250 taken\r\n").unwrap();
                return (commands, message);
            }
            _ if in_message => "",
            "DATA" => "354 go on",
            _ => "250 sink.example",
        };
        if in_message {
            message.push(line);
        } else {
            in_message = line == "DATA";
            commands.push(line);
        }
    }
}

#[test]
fn what_is_no_account_goes_to_the_relay_and_what_is_one_stays() {
    let sink = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = sink.local_addr().unwrap().to_string();
    let (_folder, data) = data();
    let server = Server::start(&["dev", "--port-offset", "auto", "--data", path(&data), "--relay", &relay]);
    assert_eq!(server.ready["relay"], relay);
    let mut smtp = Dialogue::smtp(&server.address("smtp"));
    smtp.say("MAIL FROM:<bob@example.net>", "250");
    for recipient in ["you@elsewhere.example", "dev@localhost", "postmaster@elsewhere.example"] {
        smtp.say(&format!("RCPT TO:<{recipient}>"), "250");
    }
    smtp.say("DATA", "354");
    smtp.say("Subject: out\r\n\r\n..a line with a dot\r\n.", "250");
    let (commands, message) = take_one(&sink);
    assert!(commands[0].starts_with("EHLO "), "{commands:?}");
    assert_eq!(
        commands[1..],
        [
            "MAIL FROM:<bob@example.net>",
            "RCPT TO:<you@elsewhere.example>",
            "RCPT TO:<postmaster@elsewhere.example>",
            "DATA"
        ]
    );
    assert!(message[0].starts_with("Received: ") && message.ends_with(&["..a line with a dot".to_owned()]));
    let listed = run(&["mailbox", "list", "--data", path(&data), "--json"]);
    assert_eq!(json(&listed).as_array().map(Vec::len), Some(1), "{listed:?}");
    smtp.say("QUIT", "221");
    assert_eq!(server.stop(Signal::TERM).0.code(), Some(0));
}

#[test]
fn a_relay_without_a_port_is_refused_with_the_reason() {
    for relay in ["localhost", "localhost:0", "2001:db8::1", "-x:25", ""] {
        let output = run(&["dev", &format!("--relay={relay}")]);
        assert_eq!(code(&output), 64, "{relay}");
        assert!(stderr(&output).contains("--relay"), "{relay}: {}", stderr(&output));
    }
}
