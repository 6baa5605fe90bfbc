//! `posta trace` on a server that runs, and on the folder that it leaves.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

mod common;

use std::io::Write as _;
use std::path::Path;

use common::{Dialogue, Server, code, data, json, path, posta, run, stderr, stdout};
use rustix::process::Signal;
use serde_json::Value;

const MESSAGE: &[u8] = b"From: bob@example.net\r\nSubject: hello\r\n\r\na secret word\r\n";

fn trace(data: &Path, arguments: &[&str]) -> std::process::Output {
    run(&[&["trace", "--data", path(data)], arguments].concat())
}

/// The id in brackets at the end of a reply, or behind its last space.
fn id_in(reply: &str) -> String {
    reply.trim_end().rsplit([' ', '[']).next().unwrap().trim_end_matches(']').to_owned()
}

fn send(smtp: &mut Dialogue, line: &str) -> String {
    smtp.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
    smtp.reply()
}

fn steps(events: &Value) -> Vec<&str> {
    events["events"].as_array().unwrap().iter().map(|event| event["step"].as_str().unwrap()).collect()
}

#[test]
fn a_message_is_traced_by_its_id_its_address_and_its_reply_while_the_server_runs_and_after() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    let mut smtp = Dialogue::smtp(&server.address("smtp"));
    let reply = smtp.data(MESSAGE);
    let id = id_in(&reply);
    assert_eq!(id.len(), 20, "{reply}");
    smtp.say("MAIL FROM:<carol@example.net>", "250");
    let refusal = send(&mut smtp, "RCPT TO:<>");
    assert!(refusal.starts_with('5') && refusal.trim_end().ends_with(']'), "{refusal}");
    smtp.say("QUIT", "221");
    let by_id = stdout(&trace(&data, &[&id]));
    for part in ["connection ", "from 127.0.0.1", &id, "bob@example.net", "anybody@example.org", "stored"] {
        assert!(by_id.contains(part), "{part}\n{by_id}");
    }
    assert!(!by_id.contains("carol@example.net"), "of another message: {by_id}");
    let by_reply = stdout(&trace(&data, &[refusal.trim_end()]));
    assert!(by_reply.contains('✗') && by_reply.contains(&id_in(&refusal)), "{by_reply}");
    let by_address = json(&trace(&data, &["ANYBODY@example.org", "--since", "1h", "--json"]));
    assert!(steps(&by_address).contains(&"stored"), "{by_address}");
    let newest = stdout(&trace(&data, &[]));
    assert!(newest.contains("bob@example.net") && newest.contains("carol@example.net"), "{newest}");
    assert!(!newest.contains("secret word"), "{newest}");
    let (status, _) = server.stop(Signal::TERM);
    assert_eq!(status.code(), Some(0));
    let after = stdout(&trace(&data, &[&id]));
    assert_eq!(after, by_id, "the folder tells the same");
}

#[test]
fn what_nobody_knows_is_said_with_a_hint_and_exit_1() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    server.deliver(MESSAGE);
    for (about, said) in [
        ("00000000000000000007", "nothing is known of 00000000000000000007"),
        ("nobody@example.com", "nothing is known of nobody@example.com"),
    ] {
        let output = trace(&data, &[about]);
        assert_eq!(code(&output), 1);
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
        assert!(stderr(&output).contains("posta trace"), "{}", stderr(&output));
        let output = trace(&data, &[about, "--json"]);
        assert_eq!((code(&output), &output.stdout[..]), (1, &b"{\"events\":[]}\n"[..]));
    }
    let output = trace(&data, &["no id here"]);
    assert_eq!(code(&output), 64, "{}", stderr(&output));
    for wrong in [["--since", "soon"], ["--limit", "0"], ["--limit", "1001"]] {
        assert_eq!(code(&trace(&data, &wrong)), 64, "{wrong:?}");
    }
    drop(server);
}

#[test]
fn what_a_client_says_does_not_steer_the_terminal_and_no_password_is_told() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    let mut smtp = Dialogue::smtp(&server.address("smtp"));
    let _ = send(&mut smtp, "VRFY \u{1b}]0;owned\u{7}");
    let _ = send(&mut smtp, "MAIL FROM:<\u{1b}[2J@example.net>");
    // PLAIN with the name dev@localhost and the password "wrong-password".
    let _ = send(&mut smtp, "AUTH PLAIN AGRldkBsb2NhbGhvc3QAd3JvbmctcGFzc3dvcmQ=");
    smtp.say("QUIT", "221");
    let page = stdout(&trace(&data, &[]));
    assert!(!page.chars().any(|c| c.is_control() && c != '\n'), "{page:?}");
    let output = trace(&data, &["--json"]);
    let raw = stdout(&output);
    assert!(!raw.trim_end().chars().any(char::is_control), "{raw:?}");
    for text in [&page, &raw] {
        assert!(!text.contains("wrong-password") && !text.contains("AGRldkBsb2NhbGhvc3QAd3Jvbmct"), "{text}");
    }
    drop(server);
}

#[test]
fn help_says_what_may_be_asked() {
    let help = stdout(&posta(&["trace", "--help"]).output().unwrap());
    for part in ["ID|ADDRESS", "--since", "--limit", "--json", "--data", "Examples:"] {
        assert!(help.contains(part), "{part}\n{help}");
    }
}
