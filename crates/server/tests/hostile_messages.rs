//! Messages that are made to break whoever reads them (attacks: MIME). Receiving reads none of it: what was sent
//! is what is stored and what POP3 and IMAP give out, octet for octet, below the trace fields and, where it begins with no
//! field, an empty line. What IMAP makes of it are lists that a client can read, within limits.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/imap.rs"]
mod imap_client;

use common::{Client, TestNode};
use imap_client::Imap;

/// Name and content.
fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let multipart = |depth: usize| -> Vec<u8> {
        let mut message = b"MIME-Version: 1.0\r\n".to_vec();
        for level in 0..depth {
            message.extend(
                format!("Content-Type: multipart/mixed; boundary=\"b{level}\"\r\n\r\n--b{level}\r\n").bytes(),
            );
        }
        message.extend(b"\r\ninnermost\r\n");
        for level in (0..depth).rev() {
            message.extend(format!("--b{level}--\r\n").bytes());
        }
        message
    };
    let parameters: String = (0..20_000).map(|number| format!(";\r\n title*{number}*=%E2%82%AC")).collect();
    let mut boundary_prefixes = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n".to_vec();
    for length in 1..2000 {
        boundary_prefixes.extend([b"--", &b"a".repeat(length)[..], b"\r\n"].concat());
    }
    vec![
        ("nothing at all", Vec::new()),
        ("an empty line", b"\r\n".to_vec()),
        ("a header section without end", b"Subject: no body\r\n".to_vec()),
        ("a line without colon", b"this is no header field\r\nSubject: x\r\n\r\nbody\r\n".to_vec()),
        ("a first line that looks folded", b" folded\r\n\tmore\r\nSubject: x\r\n\r\nbody\r\n".to_vec()),
        ("an empty field name", b": value\r\n:\r\n\r\nbody\r\n".to_vec()),
        ("8-bit header fields", b"Subject: \xff\xfe\xc3\x28 \x80\r\nFrom: \xe9\r\n\r\n\xff\r\n".to_vec()),
        ("control characters", b"Subject: \x1b]0;title\x07\x08\x7f\r\n\r\n\x1b[2J\r\n".to_vec()),
        (
            "a field of 10 MiB in folded lines",
            [
                &b"X-Long: begin\r\n"[..],
                &[&b" "[..], &b"f".repeat(997), b"\r\n"].concat().repeat(10 * 1024 * 1024 / 1000),
                b"\r\nbody\r\n",
            ]
            .concat(),
        ),
        ("a million fields", [&b"X: y\r\n".repeat(1_000_000)[..], b"\r\nbody\r\n"].concat()),
        ("10,000 nested parts", multipart(10_000)),
        (
            "10,000 nested messages",
            [
                &b"Content-Type: message/rfc822\r\n\r\n".repeat(10_000)[..],
                b"Subject: innermost\r\n\r\nbody\r\n",
            ]
            .concat(),
        ),
        ("boundaries that begin like another and no end", boundary_prefixes),
        (
            "20,000 parts of one parameter",
            format!("Content-Disposition: attachment{parameters}\r\n\r\nbody\r\n").into_bytes(),
        ),
        (
            "a flood of encoded words",
            [
                &b"Subject: x\r\n"[..],
                &b" =?utf-8?q?=E2=82=AC?= =?utf-8?b?4oKs?= =?x?x?x?=\r\n".repeat(50_000),
                b"\r\nbody\r\n",
            ]
            .concat(),
        ),
    ]
}

/// Those whose first line is no field.
const BODY_FROM_THE_FIRST_LINE: [&str; 3] =
    ["a line without colon", "a first line that looks folded", "an empty field name"];

/// The fields that the server has put on top, unfolded.
fn trace_fields(added: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(added);
    assert!(text.ends_with("\r\n"), "{text:?}");
    let unfolded = text.replace("\r\n ", " ");
    unfolded
        .split_terminator("\r\n")
        .map(|field| field.split_once(':').map_or(field, |(name, _)| name).to_owned())
        .collect()
}

#[tokio::test]
async fn what_breaks_readers_of_mime_is_stored_and_given_out_octet_for_octet() {
    let node = TestNode::start(|_| {}).await;
    let messages = messages();
    for (name, message) in &messages {
        let reply = node.deliver(message).await;
        assert!(reply.starts_with("250 "), "{name}: {reply}");
        let stored = node.last_message().await;
        assert!(stored.ends_with(message), "{name}");
        let added = &stored[..stored.len() - message.len()];
        // Below trace fields, what is no field is body for every reader, lest a line that looks folded become a part
        // of `Received`.
        let added = match BODY_FROM_THE_FIRST_LINE.contains(name) {
            true => added.strip_suffix(b"\r\n").unwrap(),
            false => added,
        };
        assert_eq!(trace_fields(added), ["Return-Path", "Delivered-To", "Received"], "{name}");
    }
    let mut pop3 = Client::connect(node.pop3).await;
    // A client that never says UTF8, as most that fetch mail.
    pop3.send(b"USER dev@localhost\r\nPASS secret\r\n").await;
    for _ in 0..3 {
        pop3.expect("+OK").await;
    }
    for (index, (name, message)) in messages.iter().enumerate() {
        pop3.send(format!("RETR {}\r\n", index + 1).as_bytes()).await;
        pop3.expect("+OK").await;
        let content = pop3.content().await;
        assert!(content.ends_with(message), "{name}");
    }
    pop3.send(b"QUIT\r\n").await;
    pop3.expect("+OK").await;
    let mut imap = Imap::inbox(node.imap).await;
    for (index, (name, message)) in messages.iter().enumerate() {
        let number = index + 1;
        imap.begin(&format!("FETCH {number} (ENVELOPE BODY BODYSTRUCTURE)")).await;
        let line = imap.octets_of_line().await;
        assert!(line.starts_with(format!("* {number} FETCH (ENVELOPE (").as_bytes()), "{name}");
        assert!(line.len() <= LISTS_BYTES_MAX, "{name}: {} octets", line.len());
        let depth = depth(&line);
        assert!(depth <= DEPTH_MAX, "{name}: {depth} lists within each other");
        assert!(imap.line().await.contains(" OK "), "{name}");
        imap.begin(&format!("FETCH {number} BODY.PEEK[]")).await;
        let line = imap.octets_of_line().await;
        assert!(line.strip_suffix(b")").unwrap().ends_with(message), "{name}");
        assert!(imap.line().await.contains(" OK "), "{name}");
    }
    node.stop().await;
}

/// docs/imap.md: 64 KiB of each of ten header fields and some more of parts; the same twice, as BODY and as BODYSTRUCTURE.
const LISTS_BYTES_MAX: usize = 2 << 20;
/// docs/imap.md: 100 parts within each other, each of them a list that may hold an envelope with lists of addresses.
const DEPTH_MAX: usize = 100 + 10;

/// How many lists are within each other in a response; all of them end, and so do strings and literals (RFC 9051 §4).
fn depth(line: &[u8]) -> usize {
    let (mut depth, mut deepest, mut at) = (0_usize, 0, 0);
    while at < line.len() {
        match line[at] {
            b'(' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b')' => depth = depth.checked_sub(1).expect("each list that ends has begun"),
            b'"' => {
                at += 1;
                while line[at] != b'"' {
                    assert!(!matches!(line[at], 0 | b'\r' | b'\n' | 0x80..), "{} is in quotes", line[at]);
                    at += if line[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' => {
                let end =
                    line[at..].windows(3).position(|octets| octets == b"}\r\n").expect("a literal") + at;
                let size: usize = std::str::from_utf8(&line[at + 1..end]).unwrap().parse().unwrap();
                at = end + 2 + size;
            }
            octet => assert!(!octet.is_ascii_control(), "{octet} stands outside of strings"),
        }
        at += 1;
    }
    assert_eq!(depth, 0, "every list ends");
    deepest
}
