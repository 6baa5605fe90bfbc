//! Replies are read the same however they are cut, within their bounds, and what was read is written and read as
//! the same reply again.
#![no_main]

#[path = "../../crates/smtp/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use smtp::grammar::reply::{BYTES_MAX, Extensions, LINES_MAX, ReplyError, ReplyParser};
use support::pieces;
use types::Reply;
use types::limits::REPLY_LINE_BYTES_MAX;

fuzz_target!(|input: &[u8]| {
    let [first, second, input @ ..] = input else { return };
    let whole = read(&[input]);
    assert_eq!(read(&pieces(input, &[*first, *second])), whole);
    for reply in &whole.0 {
        assert!((200..600).contains(&reply.code));
        assert!(reply.text.len() <= 3 * BYTES_MAX && reply.text.split('\n').count() <= LINES_MAX);
        assert!(!reply.text.contains(|c: char| c.is_control() && c != '\n'), "{reply:?}");
        let _ = Extensions::parse(reply);
        is_read_as_written(reply);
    }
});

/// Replies up to the first error, and that.
fn read(pieces: &[&[u8]]) -> (Vec<Reply>, Option<ReplyError>) {
    let (mut parser, mut replies) = (ReplyParser::default(), Vec::new());
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            match parser.feed(rest) {
                Ok((taken, reply)) => {
                    assert!(taken > 0 && (reply.is_some() || taken == rest.len()));
                    replies.extend(reply);
                    rest = &rest[taken..];
                }
                Err(error) => return (replies, Some(error)),
            }
        }
    }
    (replies, None)
}

/// Where no line had to be cut.
fn is_read_as_written(reply: &Reply) {
    let mut wire = Vec::new();
    reply.write_to(&mut wire);
    let lines = wire.split_inclusive(|b| *b == b'\n');
    if !reply.text.is_ascii() || lines.clone().any(|line| line.len() + 4 > REPLY_LINE_BYTES_MAX) {
        return;
    }
    let (again, error) = read(&[&wire]);
    assert_eq!(error, None);
    // A text that itself begins with a status would be read as having one: that is no fault of the writer.
    if reply.enhanced.is_some() || again.first().is_some_and(|again| again.enhanced.is_none()) {
        assert_eq!(again.as_slice(), std::slice::from_ref(reply));
    }
}
