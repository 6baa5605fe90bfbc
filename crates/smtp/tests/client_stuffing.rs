//! What leaves by DATA can be read in one way only (attacks.md 2), whatever the message is and however it is cut.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use smtp::codec::stuff::{LineFault, Stuffer};

/// The octets of which framing is made, often, and others, rarely.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let octet =
        prop_oneof![3 => Just(b'.'), 3 => Just(b'\r'), 3 => Just(b'\n'), 2 => Just(b'a'), 1 => any::<u8>()];
    prop::collection::vec(octet, 0..60)
}

/// Lines of text, each ended by CRLF or, the last one, by nothing.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => Just(b".".to_vec()),
        3 => Just(b"\r\n".to_vec()),
        1 => any::<u8>().prop_filter("no line end, no NUL", |b| !b"\r\n\0".contains(b)).prop_map(|b| vec![b]),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn encode(message: &[u8], cuts: &[usize]) -> (Vec<u8>, Result<(), LineFault>) {
    let (mut stuffer, mut out) = (Stuffer::default(), Vec::new());
    let mut rest = message;
    for cut in cuts {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        rest = after;
        if let Err(fault) = stuffer.encode(piece, &mut out) {
            return (out, Err(fault));
        }
    }
    let result = stuffer.encode(rest, &mut out).and_then(|()| stuffer.finish(&mut out));
    (out, result)
}

/// Reads data as RFC 5321 §4.5.2 tells a receiver to; none where it does not end.
fn decode(wire: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut message = Vec::new();
    let mut rest = wire;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")? + 2;
        let (line, after) = rest.split_at(end);
        if line == b".\r\n" {
            return Some((message, after));
        }
        message.extend(line.strip_prefix(b".").unwrap_or(line));
        rest = after;
    }
}

proptest! {
    #[test]
    fn a_receiver_reads_back_what_was_sent_and_nothing_is_left(
        message in text(),
        cuts in prop::collection::vec(0_usize..9, 0..12),
    ) {
        let (wire, result) = encode(&message, &cuts);
        prop_assert_eq!(result, Ok(()));
        let (read, left) = decode(&wire).unwrap();
        let mut expected = message;
        if !expected.is_empty() && !expected.ends_with(b"\r\n") {
            expected.extend(b"\r\n");
        }
        prop_assert_eq!(read, expected);
        prop_assert!(left.is_empty());
    }

    #[test]
    fn nothing_that_any_server_takes_for_the_end_stands_before_the_end(
        message in octets(),
        cuts in prop::collection::vec(0_usize..9, 0..12),
    ) {
        let (wire, result) = encode(&message, &cuts);
        // 354 stands behind a CRLF, so the data begins at the start of a line.
        let data = [b"\r\n", wire.as_slice()].concat();
        let body = if result.is_ok() { &data[..data.len() - 3] } else { &data[..] };
        for end in [&b"\r\n.\r\n"[..], b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\n.\r"] {
            prop_assert!(!body.windows(end.len()).any(|window| window == end), "{}", data.escape_ascii());
        }
        prop_assert!(!body.contains(&0));
        let is_text = !message.contains(&0)
            && !String::from_utf8_lossy(&message).replace("\r\n", "").contains(['\r', '\n']);
        prop_assert_eq!(result.is_ok(), is_text);
    }

    #[test]
    fn the_cuts_change_nothing(message in octets(), cuts in prop::collection::vec(0_usize..9, 0..12)) {
        let (whole, whole_result) = encode(&message, &[]);
        let (cut, cut_result) = encode(&message, &cuts);
        prop_assert_eq!(whole_result, cut_result);
        if whole_result.is_ok() {
            prop_assert_eq!(whole, cut);
        }
    }
}
