//! `posta mailbox` on folders: on a running server and on a data folder without one.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;

use common::{Posta, Server};
use rustix::process::Signal;
use serde_json::Value;

/// The named value of each element.
fn all<'a>(list: &'a Value, name: &str) -> Vec<&'a Value> {
    list.as_array().unwrap().iter().map(|line| &line[name]).collect()
}

fn folder(posta: &Posta<'_>, name: &str) -> Value {
    let folders = posta.json(&["mailbox", "folders"]);
    folders.as_array().unwrap().iter().find(|folder| folder["name"] == name).cloned().unwrap_or_default()
}

/// The subjects of what is in a mailbox.
fn subjects(posta: &Posta<'_>, mailbox: &str) -> Vec<String> {
    let list = posta.json(&["mailbox", "list", "--mailbox", mailbox]);
    all(&list, "subject").into_iter().map(|subject| subject.as_str().unwrap().to_owned()).collect()
}

/// A data folder with two messages, and the server that took them.
fn served(data: &std::path::Path) -> Server {
    let server = Server::dev(data);
    server.deliver(b"From: Ada <ada@example.org>\r\nSubject: one\r\n\r\nThe first Invoice.\r\n");
    server.deliver(b"From: Bob <bob@example.org>\r\nSubject: two\r\n\r\nThe second.\r\n");
    server
}

/// Runs it with a server, and with what that left.
fn with_and_without_a_server(test: impl Fn(&Posta<'_>)) {
    for is_running in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let server = served(&data);
        if is_running {
            test(&Posta(&data));
        }
        assert!(server.stop(Signal::TERM).0.success());
        if !is_running {
            test(&Posta(&data));
        }
    }
}

#[test]
fn mailboxes_are_made_renamed_listed_as_a_tree_and_deleted() {
    with_and_without_a_server(|posta| {
        let made = posta.json(&["mailbox", "create", "Lists/Rust", "--for", "important"]);
        assert_eq!((&made["name"], &made["special_use"]), (&"Lists/Rust".into(), &"important".into()));
        let tree = posta.text(&["mailbox", "folders"]);
        let rows: Vec<_> = tree.lines().map(str::trim_end).collect();
        assert!(rows[1].trim_start().starts_with("INBOX"), "{tree}");
        let lists =
            rows.iter().position(|row| row.trim() == "Lists" || row.trim().starts_with("Lists ")).unwrap();
        assert!(rows[lists + 1].contains("  Rust") && rows[lists + 1].contains("Important"), "{tree}");
        posta.text(&["mailbox", "rename", "Lists", "Post"]);
        assert_eq!(folder(posta, "Post/Rust")["messages"], 0);
        let (code, why) = posta.fails(&["mailbox", "create", "post/../\u{7}"]);
        assert_eq!(code, 1, "{why}");
        let (code, why) = posta.fails(&["mailbox", "rename", "Post/Rust", "Post"]);
        assert_eq!(code, 1, "{why}");
        posta.text(&["mailbox", "delete", "Post/Rust"]);
        assert_eq!(folder(posta, "Post/Rust"), Value::Null);
        assert_eq!(posta.fails(&["mailbox", "delete", "Post/Rust"]).0, 1);
        assert_eq!(posta.fails(&["mailbox", "delete", "inbox"]).0, 1);
    });
}

#[test]
fn messages_are_copied_and_moved_with_their_numbers_told() {
    with_and_without_a_server(|posta| {
        posta.text(&["mailbox", "create", "Kept"]);
        let copied = posta.json(&["mailbox", "copy", "1", "2", "--to", "Kept"]);
        assert_eq!(all(&copied["messages"], "from"), [1, 2]);
        assert_eq!(all(&copied["messages"], "to"), [1, 2]);
        let (code, why) = posta.fails(&["mailbox", "move", "1", "7", "--to", "Kept"]);
        assert_eq!((code, why.contains("there is no message 7")), (1, true), "{why}");
        assert_eq!(subjects(posta, "INBOX"), ["two"]);
        assert_eq!(subjects(posta, "Kept"), ["one", "two", "one"]);
        assert_eq!(posta.fails(&["mailbox", "move", "2", "--to", "Nowhere"]).0, 1);
        assert_eq!(subjects(posta, "INBOX"), ["two"]);
        assert_eq!(folder(posta, "Kept")["unseen"], 3);
    });
}

#[test]
fn what_is_looked_for_is_found_decoded_in_one_mailbox_or_everywhere() {
    with_and_without_a_server(|posta| {
        posta.text(&["mailbox", "create", "Kept"]);
        posta.text(&["mailbox", "move", "1", "--to", "Kept"]);
        let found = posta.json(&["mailbox", "search", "INVOICE", "--everywhere"]);
        assert_eq!(all(&found, "mailbox"), ["Kept"]);
        assert_eq!(all(&found, "subject"), ["one"]);
        assert_eq!(posta.json(&["mailbox", "search", "invoice"]), Value::Array(Vec::new()));
        let found = posta.json(&["mailbox", "search", "--from", "bob@", "--subject", "two"]);
        assert_eq!(all(&found, "n"), [2]);
        assert!(posta.text(&["mailbox", "search", "--everywhere", "the"]).contains("one"));
        assert_eq!(posta.fails(&["mailbox", "search"]).0, 64);
    });
}

#[test]
fn a_search_finds_what_search_of_imap_finds_in_any_field_and_any_part_of_text() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = served(&data);
    server.deliver(
        b"From: =?utf-8?q?J=C3=9Crgen?= <j@example.org>\r\nTo: a@example.org\r\nCc: c@example.org\r\nSubject: three\r\n\
          List-Id: <rust.example.org>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
          --b\r\n\r\nSee below.\r\n--b\r\nContent-Type: text/plain\r\n\
          Content-Disposition: attachment; filename=a.txt\r\nContent-Transfer-Encoding: base64\r\n\r\n\
          VGhlIFN1bQ==\r\n--b--\r\n",
    );
    let found_in_each = |posta: &Posta<'_>| {
        for (what, expected) in [
            (&["the sum"][..], &[3][..]),
            (&["RUST.example"], &[3]),
            (&["VGhlIFN1"], &[]),
            (&["--from", "jürgen", "--to", "C@EXAMPLE"], &[3]),
            (&["--to", "j@example"], &[]),
            (&["--subject", "t"], &[2, 3]),
            (&["--subject", "t", "--from", "bob"], &[2]),
        ] {
            let found = posta.json(&[&["mailbox", "search"], what].concat());
            assert_eq!(all(&found, "n"), expected, "{what:?}");
        }
    };
    found_in_each(&Posta(&data));
    assert!(server.stop(Signal::TERM).0.success());
    found_in_each(&Posta(&data));
}

#[test]
fn a_use_that_no_mailbox_has_is_refused_with_those_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let (code, why) = Posta(folder.path()).fails(&["mailbox", "create", "Kept", "--for", "bla"]);
    assert_eq!(code, 64);
    for known in ["archive", "drafts", "important", "junk", "sent", "trash"] {
        assert!(why.contains(known), "{why}");
    }
}

#[test]
fn what_was_removed_is_listed_and_comes_back_even_with_its_mailbox() {
    with_and_without_a_server(|posta| {
        posta.text(&["mailbox", "create", "Kept"]);
        posta.text(&["mailbox", "move", "1", "--to", "Kept"]);
        assert_eq!(posta.json(&["mailbox", "remove", "2"])["removed"], serde_json::json!([2]));
        posta.text(&["mailbox", "delete", "Kept"]);
        let gone = posta.json(&["mailbox", "restore"]);
        let mut seen = all(&gone, "subject");
        seen.sort_by_key(|subject| subject.to_string());
        assert_eq!(seen, ["one", "two"], "{gone}");
        let two = gone.as_array().unwrap().iter().find(|line| line["subject"] == "two").unwrap();
        assert_eq!(two["mailbox"], "INBOX");
        let id = two["id"].as_str().unwrap();
        assert!(posta.text(&["mailbox", "restore"]).contains(id));
        assert_eq!(posta.json(&["mailbox", "restore", id])["restored"], 1);
        assert_eq!(subjects(posta, "INBOX"), ["two"]);
        assert_eq!(posta.fails(&["mailbox", "restore", id]).0, 1);
        assert_eq!(posta.fails(&["mailbox", "restore", "one"]).0, 1);
        assert_eq!(posta.json(&["mailbox", "restore", "--all"])["restored"], 1);
        assert_eq!(subjects(posta, "Kept"), ["one"]);
        assert_eq!(posta.json(&["mailbox", "restore"]), Value::Array(Vec::new()));
    });
}

#[test]
fn over_the_quota_nothing_is_copied_or_restored_and_it_is_told_what_to_do() {
    with_and_without_a_server(|posta| {
        let account = "dev@localhost";
        posta.text(&["mailbox", "create", "Kept"]);
        let sizes = posta.json(&["mailbox", "list"]);
        let size = |at: usize| all(&sizes, "size_bytes")[at].as_u64().unwrap();
        let refused = |arguments: &[&str]| {
            let (code, why) = posta.fails(arguments);
            // Without the line that what does not fit into one goes along.
            let why = why.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(code, 69, "{why}");
            assert!(why.contains("do not fit into the quota"), "{why}");
            assert!(why.contains("posta account set NAME --quota SIZE"), "{why}");
        };
        // There is room for one of both, and so for none of two.
        let quota = (size(0) + size(1)) + size(0).max(size(1));
        posta.text(&["account", "set", account, "--quota", &quota.to_string()]);
        refused(&["mailbox", "copy", "1", "2", "--to", "Kept"]);
        assert!(subjects(posta, "Kept").is_empty());
        posta.text(&["mailbox", "copy", "1", "--to", "Kept"]);
        // What is moved needs none.
        posta.text(&["mailbox", "move", "2", "--to", "Kept"]);
        assert_eq!(subjects(posta, "Kept"), ["one", "two"]);

        posta.text(&["mailbox", "remove", "1", "2", "--mailbox", "Kept"]);
        posta.text(&["account", "set", account, "--quota", &(size(0) + size(1)).to_string()]);
        refused(&["mailbox", "restore", "--all"]);
        assert!(subjects(posta, "Kept").is_empty());
        assert_eq!(posta.json(&["mailbox", "restore"]).as_array().unwrap().len(), 2);
        posta.text(&["account", "set", account, "--quota", "none"]);
        assert_eq!(posta.json(&["mailbox", "restore", "--all"])["restored"], 2);
    });
}
