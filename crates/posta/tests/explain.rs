//! `posta explain` as a person and a script meet it: what goes in, what comes out, and the exit codes.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Without a language of the environment.
fn posta() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posta"));
    command.arg("explain").env_remove("LC_ALL").env_remove("LC_MESSAGES").env_remove("LANG");
    command
}

fn run(arguments: &[&str]) -> Output {
    posta().args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    serde_json::from_slice(&run(&arguments).stdout).unwrap()
}

#[test]
fn codes_are_explained_as_words_or_as_one_word() {
    for arguments in [&["550", "5.7.26"] as &[&str], &["550 5.7.26"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0));
        let page = stdout(&output);
        assert!(page.starts_with("550 5.7.26\n") && page.contains("RFC 7372 §3.4"), "{page}");
        assert_eq!(page.matches('╭').count(), 1, "{page}");
    }
}

#[test]
fn the_language_is_the_one_asked_for_or_that_of_the_environment() {
    assert!(stdout(&run(&["550"])).contains("Who acts"));
    assert!(stdout(&run(&["550", "--lang", "es"])).contains("Quién actúa"));
    assert!(stdout(&run(&["550", "--language", "de-AT"])).contains("Wer handelt"));
    let spanish = posta().arg("550").env("LANG", "es_AR.UTF-8").output().unwrap();
    assert!(stdout(&spanish).contains("Quién actúa"));
    let overridden = posta().arg("550").env("LANG", "es_ES").env("LC_ALL", "C.UTF-8").output().unwrap();
    assert!(stdout(&overridden).contains("Who acts"));
    let german = posta().arg("550").env("LANG", "de_DE.UTF-8").output().unwrap();
    assert!(stdout(&german).contains("Wer handelt"));
    let unknown = run(&["550", "--language", "tlh"]);
    assert_eq!(unknown.status.code(), Some(64));
    let error = String::from_utf8_lossy(&unknown.stderr);
    assert!(error.contains("en (English), es (español), de (Deutsch)"), "{error}");
}

#[test]
fn a_bounce_comes_from_the_standard_input_or_a_file() {
    let report = "Final-Recipient: rfc822; ada@example.org\r\nAction: failed\r\nStatus: 5.2.2\r\n\
        Remote-MTA: dns; mx.example.org\r\nDiagnostic-Code: smtp; 552 5.2.2 Mailbox is full\x1b[2J\r\n";
    let mut child = posta().arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(report.as_bytes()).unwrap();
    let piped = child.wait_with_output().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bounce.eml");
    std::fs::write(&path, report).unwrap();
    let from_file = run(&["--file", path.to_str().unwrap()]);
    assert_eq!(stdout(&piped), stdout(&from_file));
    let page = stdout(&from_file);
    assert!(page.starts_with("552 5.2.2, said by mx.example.org, about ada@example.org\n"), "{page}");
    assert!(!page.contains('\x1b') && page.contains("\\u{1b}[2J"), "{page}");
    assert_eq!(run(&["--file", folder.path().join("none").to_str().unwrap()]).status.code(), Some(65));
}

#[test]
fn json_has_everything_for_a_program() {
    let document = json(&["550 5.1.1 User unknown", "--lang", "es"]);
    assert_eq!(document["language"], "es");
    let finding = &document["findings"][0];
    assert_eq!((&finding["code"], &finding["status"]), (&550.into(), &"5.1.1".into()));
    assert_eq!(finding["causes"][0]["name"], "user_unknown");
    assert_eq!(finding["actors"][0], "sender");
    assert_eq!(finding["retry"], "refused_for_good");
    assert_eq!(finding["meanings"][0]["about"], "5.1.1");
    assert!(finding["steps"].as_array().unwrap().len() > 1);
    let unknown = json(&["5.9.9"]);
    assert_eq!(unknown["findings"][0]["meanings"][0]["known"], false);
}

#[test]
fn where_nothing_is_recognised_the_exit_code_is_1_with_advice_and_without_a_text_64() {
    let output = run(&["good morning"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("550 or 5.7.1"));
    let output = run(&["good morning", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["findings"].as_array().unwrap().is_empty() && document["advice"].is_string());
    assert_eq!(run(&[]).status.code(), Some(64));
    assert_eq!(run(&["550", "--file", "x"]).status.code(), Some(64));
}

/// `UPDATE_GOLDEN=1` rewrites the files; a review reads the difference.
#[test]
fn pages_look_as_they_were_reviewed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/explain");
    let bounce = folder.join("bounce.eml");
    let cases: &[(&str, &[&str])] = &[
        ("5.7.1", &["5.7.1"]),
        ("550-5.7.26", &["550", "5.7.26"]),
        ("greylisted", &["451 4.7.1 Recipient address rejected: Greylisted, come back in 300 s"]),
        ("unknown", &["547 5.9.9"]),
        ("only-some", &["449"]),
        ("bounce", &["--file", bounce.to_str().unwrap()]),
    ];
    for (name, arguments) in cases {
        for language in ["en", "es", "de"] {
            let mut arguments = arguments.to_vec();
            arguments.extend(["--lang", language]);
            let page = stdout(&run(&arguments));
            let path = folder.join(format!("{name}.{language}.txt"));
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(&path, &page).unwrap();
            }
            assert_eq!(page, std::fs::read_to_string(&path).unwrap(), "{}", path.display());
        }
    }
}

#[test]
fn the_manual_is_what_the_program_writes() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/replies.md");
    assert!(stdout(&run(&["--markdown"])) == std::fs::read_to_string(manual).unwrap());
}
