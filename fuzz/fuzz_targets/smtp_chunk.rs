//! A message in chunks has the same content and the same fault however it is cut, and what has no fault can be
//! sent on by DATA and comes back the same.
#![no_main]

#[path = "../../crates/smtp/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use smtp::codec::LineEnding;
use smtp::codec::chunk::ChunkChecker;
use smtp::codec::data::{DataDecoder, Progress};
use smtp::codec::fault::{Fault, MessageLimits};
use smtp::codec::stuff::Stuffer;
use support::pieces;
use types::BodyType;

fuzz_target!(|input: &[u8]| {
    let [choice, line, message, first, second, input @ ..] = input else { return };
    let body_type = match choice % 4 {
        0 => BodyType::BinaryMime,
        1 => BodyType::EightBitMime,
        _ => BodyType::SevenBit,
    };
    let limits = MessageLimits {
        line_bytes_max: if choice & 4 == 0 { 1000 } else { usize::from(*line) + 2 },
        message_bytes_max: if choice & 8 == 0 { 100_000 } else { u64::from(*message) },
    };
    let (fault, content) = check(body_type, limits, &[input]);
    assert_eq!(check(body_type, limits, &pieces(input, &[*first, *second])), (fault, content.clone()));
    match fault {
        Some(fault) => assert!(is_there(fault, input, limits), "{fault:?}"),
        None => {
            assert_eq!(content, input);
            if body_type != BodyType::BinaryMime {
                travels_on_by_data(input);
            }
        }
    }
});

/// The fault, or the content.
fn check(body_type: BodyType, limits: MessageLimits, pieces: &[&[u8]]) -> (Option<Fault>, Vec<u8>) {
    let mut checker = ChunkChecker::new(body_type, limits);
    let mut out = Vec::new();
    pieces.iter().for_each(|piece| checker.check(piece, &mut out));
    checker.end();
    // Of a faulty message nothing is kept.
    out.truncate(if checker.fault().is_none() { out.len() } else { 0 });
    (checker.fault(), out)
}

fn is_there(fault: Fault, input: &[u8], limits: MessageLimits) -> bool {
    let pairs = || [b"x", input, b"x"].concat();
    match fault {
        Fault::BareCr => pairs().windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n'),
        Fault::BareLf => pairs().windows(2).any(|pair| pair[0] != b'\r' && pair[1] == b'\n'),
        Fault::Nul => input.contains(&0),
        Fault::LineTooLong(max) => {
            max == limits.line_bytes_max && input.split(|b| *b == b'\n').any(|line| line.len() + 2 > max)
        }
        Fault::TooBig(max) => max == limits.message_bytes_max && input.len() as u64 > max,
    }
}

fn travels_on_by_data(content: &[u8]) {
    let (mut stuffer, mut wire) = (Stuffer::default(), Vec::new());
    stuffer.encode(content, &mut wire).expect("what has no fault can be sent");
    stuffer.finish(&mut wire).expect("what has no fault can be sent");
    let limits = MessageLimits { line_bytes_max: usize::MAX / 2, message_bytes_max: u64::MAX / 4 };
    let (mut decoder, mut back) = (DataDecoder::new(LineEnding::Crlf, limits), Vec::new());
    let (consumed, progress) = decoder.decode(&wire, &mut back);
    assert_eq!((consumed, progress, decoder.fault()), (wire.len(), Progress::End, None));
    let added = if content.is_empty() || content.ends_with(b"\r\n") { &b""[..] } else { b"\r\n" };
    assert_eq!(back, [content, added].concat());
}
