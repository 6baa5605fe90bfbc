//! `posta send` as a whole: what it builds, read by another parser, and conversations with servers that follow
//! a script.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;

use clap::Parser;
use mail_parser::{MessageParser, MimeHeaders};
use smtp::client::{Cause, End, Outcome, Stage, WaitFor};
use types::BodyType;

use super::compose::{Composed, compose};
use super::converse::{ConnectError, deliver};
use super::input::InputError;
use super::report::Report;
use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: SendArgs,
}

fn args(words: &[&str]) -> SendArgs {
    Line::try_parse_from([&["send"], words].concat()).unwrap().args
}

fn composed(words: &[&str]) -> Composed {
    compose(&args(words)).unwrap()
}

/// A server that sends each step's text once the client has said a line that begins as the step says, then closes;
/// it hands back all that the client said.
fn server(script: Vec<(&'static str, &'static str)>) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        follow(stream, script)
    });
    (address, thread)
}

fn follow(mut stream: TcpStream, script: Vec<(&'static str, &'static str)>) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut heard = String::new();
    for (awaited, text) in script {
        let mut line = String::new();
        while !line.starts_with(awaited) {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the client never says {awaited:?}");
            heard.push_str(&line);
        }
        stream.write_all(text.as_bytes()).unwrap();
    }
    heard
}

fn outcomes(address: SocketAddr, words: &[&str]) -> (Vec<Outcome>, Exit) {
    let server = address.to_string();
    let args = args(&[&["--server", &server], words].concat());
    let composed = compose(&args).unwrap();
    let outcomes = deliver(&connect(&args).unwrap(), &composed, |_| Ok(())).unwrap();
    let exit = Report::new(&server, &composed, &outcomes).exit();
    (outcomes, exit)
}

#[test]
fn a_built_message_is_read_back_by_another_parser() {
    let folder = tempfile::tempdir().unwrap();
    let (text, image) = (folder.path().join("grüße.txt"), folder.path().join("a.png"));
    std::fs::write(&text, "one\n.\ntwo\r\n").unwrap();
    let octets: Vec<u8> = (0..=255).collect();
    std::fs::write(&image, &octets).unwrap();
    let long_line = "wörter ".repeat(400);
    let body = format!(".\nGrüße\n{long_line}\nend");
    let composed = composed(&[
        "--from",
        "Ada Lovelace <ada@example.org>",
        "--to",
        "\"Müller, Jörg\" <j@example.net>,k@example.net",
        "--cc",
        "l@example.net",
        "--bcc",
        "secret@example.net",
        "--subject",
        "Grüße aus Köln, die so lang sind, dass der Betreff umgebrochen werden muss",
        "--body",
        &body,
        "--attach",
        text.to_str().unwrap(),
        "--attach",
        image.to_str().unwrap(),
        "--header",
        "Comments: später",
        "--header",
        "List-Unsubscribe: <mailto:off@example.org>",
    ]);
    assert_eq!(composed.envelope.parameters.body_type, BodyType::SevenBit, "it travels everywhere");
    assert!(!composed.envelope.parameters.smtputf8);
    let wire = String::from_utf8(composed.octets.clone()).unwrap();
    assert!(wire.lines().all(|line| line.len() <= 78), "{wire}");
    assert!(!wire.replace("\r\n", "").contains(['\r', '\n']) && !wire.contains("secret@"));
    let message = MessageParser::default().parse(&composed.octets).unwrap();
    let from = message.from().unwrap().first().unwrap();
    assert_eq!((from.name(), from.address()), (Some("Ada Lovelace"), Some("ada@example.org")));
    assert_eq!(message.to().unwrap().first().unwrap().name(), Some("Müller, Jörg"));
    assert_eq!(message.to().unwrap().last().unwrap().address(), Some("k@example.net"));
    assert!(message.subject().unwrap().ends_with("umgebrochen werden muss"));
    assert_eq!(message.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), body);
    assert!(message.date().is_some() && message.message_id().unwrap().ends_with("@example.org"));
    assert_eq!(message.header("Comments").unwrap().as_text(), Some("später"));
    assert!(wire.contains("List-Unsubscribe: <mailto:off@example.org>\r\n"));
    assert_eq!(message.attachment(0).unwrap().attachment_name(), Some("grüße.txt"));
    assert_eq!(message.attachment(0).unwrap().contents(), b"one\n.\ntwo\r\n");
    assert_eq!(message.attachment(1).unwrap().content_type().unwrap().subtype(), Some("png"));
    assert_eq!(message.attachment(1).unwrap().contents(), octets);
    let to: Vec<String> = composed.envelope.forward_paths().map(ToString::to_string).collect();
    assert_eq!(to, ["<j@example.net>", "<k@example.net>", "<l@example.net>", "<secret@example.net>"]);
}

#[test]
fn a_given_header_field_takes_the_place_of_one_that_is_made() {
    let composed = composed(&[
        "--to",
        "a@b.example",
        "--header",
        "date: Thu, 01 Jan 1970 00:00:00 +0000",
        "--header",
        "Message-Id: <x@y>",
        "--header",
        "from: Somebody <else@example.org>",
        "--header",
        "Subject: given",
    ]);
    let wire = String::from_utf8(composed.octets).unwrap().to_ascii_lowercase();
    for field in ["date:", "message-id:", "from:", "subject:", "to:", "mime-version:"] {
        assert_eq!(wire.lines().filter(|line| line.starts_with(field)).count(), 1, "{field}\n{wire}");
    }
}

#[test]
fn values_of_the_command_line_cannot_bring_header_fields_of_their_own() {
    let attempts: [&[&str]; 6] = [
        &["--to", "a@b.example", "--subject", "x\r\nBcc: evil@example.org"],
        &["--to", "a@b.example", "--subject", "x\nBcc: evil@example.org"],
        &["--to", "a@b.example", "--header", "X: a\r\nBcc: evil@example.org"],
        &["--to", "A\r\nBcc: evil@example.org <a@b.example>"],
        &["--to", "a@b.example", "--from", "A\r\nBcc: <evil@example.org> <a@b.example>"],
        &["--to", "a@b.example", "--attach", "x\r\nBcc: y"],
    ];
    for words in attempts {
        let error = compose(&args(words)).unwrap_err();
        assert!(matches!(error, InputError::ControlCharacter { .. }), "{words:?}: {error}");
    }
    assert!(matches!(compose(&args(&[])), Err(InputError::NoRecipients)));
}

#[test]
fn a_file_is_sent_as_it_is_but_for_its_line_ends_and_with_binary_not_even_those() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("message.eml");
    let file = path.to_str().unwrap();
    let compose_file = |octets: &[u8], more: &[&str]| {
        std::fs::write(&path, octets).unwrap();
        compose(&args(&[&["--to", "a@b.example", "--file", file], more].concat()))
    };
    let plain = compose_file(b"Subject: x\n\n.\ny", &[]).unwrap();
    assert_eq!(plain.octets, b"Subject: x\r\n\r\n.\r\ny\r\n");
    assert_eq!(
        (plain.envelope.parameters.body_type, plain.envelope.parameters.smtputf8),
        (BodyType::SevenBit, false)
    );
    let utf8_body = compose_file("Subject: x\r\n\r\nü\r\n".as_bytes(), &[]).unwrap();
    assert_eq!(
        (utf8_body.envelope.parameters.body_type, utf8_body.envelope.parameters.smtputf8),
        (BodyType::EightBitMime, false)
    );
    let utf8_header = compose_file("Subject: ü\r\n\r\nx\r\n".as_bytes(), &[]).unwrap();
    assert!(utf8_header.envelope.parameters.smtputf8);
    let latin1_header = compose_file(b"Subject: \xfc\r\n\r\nx\r\n", &[]).unwrap();
    assert!(!latin1_header.envelope.parameters.smtputf8);
    assert!(matches!(compose_file(b"a\0b", &[]), Err(InputError::Nul)));
    let binary = compose_file(b"a\0b\n\r", &["--binary"]).unwrap();
    assert_eq!(
        (binary.octets.as_slice(), binary.envelope.parameters.body_type),
        (&b"a\0b\n\r"[..], BodyType::BinaryMime)
    );
    let missing = compose(&args(&["--to", "a@b.example", "--file", "/nonexistent/file"]));
    assert!(matches!(missing, Err(InputError::File { path, .. }) if path == Path::new("/nonexistent/file")));
}

#[test]
fn a_message_is_sent_and_each_recipient_has_its_outcome() {
    let (address, heard) = server(vec![
        ("", "220 x\r\n"),
        ("EHLO", "250-x\r\n250 PIPELINING\r\n"),
        ("DATA", "250 OK\r\n250 OK\r\n550 5.1.1 No\r\n354 go\r\n"),
        (".\r\n", "250 2.0.0 Stored\r\n"),
        ("QUIT", "221 bye\r\n"),
    ]);
    let words = ["--to", "a@b.example,no@b.example", "--body", ".x", "--helo", "client.example"];
    let (outcomes, exit) = outcomes(address, &words);
    assert!(matches!(&outcomes[0], Outcome::Accepted(reply) if reply.code == 250), "{outcomes:?}");
    assert!(matches!(&outcomes[1], Outcome::Permanent(failure) if failure.stage == Stage::Rcpt));
    assert_eq!(exit, Exit::Failed);
    let heard = heard.join().unwrap();
    assert!(
        heard.starts_with("EHLO client.example\r\nMAIL FROM:<dev@localhost>\r\nRCPT TO:<a@b.example>\r\n")
    );
    assert!(heard.ends_with("\r\n\r\n..x\r\n.\r\nQUIT\r\n"), "{heard}");
}

#[test]
fn a_client_without_a_name_greets_with_its_address() {
    let (address, heard) = server(vec![
        ("", "220 x\r\n"),
        ("EHLO", "554 no\r\n"),
        ("HELO", "554 no\r\n"),
        ("QUIT", "221 x\r\n"),
    ]);
    let (outcomes, exit) = outcomes(address, &["--to", "a@b.example"]);
    assert!(matches!(&outcomes[0], Outcome::Permanent(failure) if failure.stage == Stage::Hello));
    assert_eq!(exit, Exit::Failed);
    assert_eq!(heard.join().unwrap(), "EHLO [127.0.0.1]\r\nHELO [127.0.0.1]\r\nQUIT\r\n");
}

#[test]
fn a_server_that_goes_away_is_a_failure_for_now() {
    let (address, _) = server(vec![("", "220 x\r\n"), ("EHLO", "250 x\r\n"), ("MAIL", "250 OK\r\n")]);
    let (outcomes, exit) = outcomes(address, &["--to", "a@b.example"]);
    let Outcome::Temporary(failure) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(failure.cause, Cause::End(Box::new(End::Lost)));
    assert_eq!(exit, Exit::TryLater);
}

#[test]
fn a_server_that_says_nothing_is_given_up_after_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    let args = args(&["--to", "a@b.example"]);
    let timeout = Some(Duration::from_millis(20));
    let connect = Connect { server, timeout, ..connect(&args).unwrap() };
    let outcomes = deliver(&connect, &compose(&args).unwrap(), |_| Ok(())).unwrap();
    let Outcome::Temporary(failure) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(failure.cause, Cause::End(Box::new(End::TimedOut(WaitFor::Greeting))));
}

#[test]
fn a_refusal_in_the_middle_of_a_long_message_is_heard_although_the_server_reads_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.eml");
    std::fs::write(&path, format!("{}\n", "x".repeat(70)).repeat(500_000)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (done, finished) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let keep = stream.try_clone().unwrap();
        follow(
            stream,
            vec![
                ("", "220 x\r\n"),
                ("EHLO", "250-x\r\n250 PIPELINING\r\n"),
                ("DATA", "250 OK\r\n250 OK\r\n354 go\r\n"),
                ("x", "552 5.3.4 Too big\r\n"),
            ],
        );
        // The connection stays open and unread until the client has given up.
        let _closed_by_the_client = finished.recv();
        drop(keep);
    });
    let (outcomes, exit) = outcomes(address, &["--to", "a@b.example", "--file", path.to_str().unwrap()]);
    drop(done);
    thread.join().unwrap();
    let Outcome::Permanent(failure) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(failure.to_string(), "552 5.3.4 Too big");
    assert_eq!(exit, Exit::Failed);
}

#[test]
fn recipients_over_the_servers_limit_get_a_transaction_of_their_own() {
    let (address, heard) = server(vec![
        ("", "220 x\r\n"),
        ("EHLO", "250-x\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=2\r\n"),
        ("DATA", "250 OK\r\n250 OK\r\n250 OK\r\n354 go\r\n"),
        (".\r\n", "250 OK\r\n"),
        ("DATA", "250 OK\r\n250 OK\r\n354 go\r\n"),
        (".\r\n", "250 OK\r\n"),
        ("QUIT", "221 bye\r\n"),
    ]);
    let (outcomes, exit) = outcomes(address, &["--to", "a@b.example,b@b.example,c@b.example"]);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Accepted(_))), "{outcomes:?}");
    assert_eq!(exit, Exit::Success);
    let heard = heard.join().unwrap();
    assert_eq!(heard.matches("MAIL FROM:").count(), 2);
    assert_eq!(heard.matches("RCPT TO:<c@b.example>").count(), 1);
}

#[test]
fn where_nothing_listens_the_text_says_what_to_do() {
    // Bound and dropped: the port was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let args = args(&["--to", "a@b.example", "--server", &address]);
    let error = deliver(&connect(&args).unwrap(), &compose(&args).unwrap(), |_| Ok(())).unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
    assert!(error.to_string().contains(&address) && error.help().unwrap().to_string().contains("posta dev"));
    for server in ["localhost", "", ":25", "[::1]", "host:0", "host:65536", "host:x"] {
        let connect = Connect { server: server.to_owned(), ..connect(&args).unwrap() };
        let error = deliver(&connect, &compose(&args).unwrap(), |_| Ok(())).unwrap_err();
        assert!(matches!(error, ConnectError::Address { .. }), "{server}: {error}");
    }
}

#[test]
fn the_server_is_the_one_that_the_data_folder_names() {
    let folder = tempfile::tempdir().unwrap();
    let server = |more: &[&str]| {
        let words = [&["--data", folder.path().to_str().unwrap()], more].concat();
        connect(&args(&words)).unwrap().server
    };
    assert_eq!(server(&[]), SERVER_DEFAULT);
    let listeners = r#"{"smtp":"127.0.0.1:4025","lmtp":"127.0.0.1:4024"}"#;
    std::fs::write(folder.path().join(LISTENERS_FILE), listeners).unwrap();
    assert_eq!(server(&[]), "127.0.0.1:4025");
    assert_eq!(server(&["--lmtp"]), "127.0.0.1:4024");
    assert_eq!(server(&["--server", "mx.example:25"]), "mx.example:25");
}
