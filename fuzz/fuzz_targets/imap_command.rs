//! Commands of IMAP are read the same however the input is cut; the driver of their tests watches over what is consumed
//! and held.
#![no_main]

#[path = "../../crates/imap/tests/grammar_common/mod.rs"]
mod grammar_common;

use grammar_common::replay;
use imap::grammar::{CommandReader, ReaderLimits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [choice, first, second, input @ ..] = input else { return };
    let limits = ReaderLimits {
        line_bytes_max: if choice & 1 != 0 { 64 } else { 4096 },
        literals_bytes_max: if choice & 2 != 0 { 32 } else { 4096 },
        append_bytes_max: if choice & 4 != 0 { 100 } else { 4096 },
    };
    let accepts: fn(u64) -> bool = if choice & 8 != 0 { |_| true } else { |size| size % 3 != 0 };
    let read = |pieces: &[&[u8]]| {
        let mut reader = CommandReader::new(limits);
        if choice & 16 != 0 {
            reader.set_utf8();
        }
        replay(&mut reader, limits, pieces, accepts)
    };
    let whole = read(&[input]);
    let mut lengths = [usize::from(*first) + 1, usize::from(*second) + 1].into_iter().cycle();
    let (mut pieces, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        let length = lengths.next().unwrap_or(1).min(rest.len());
        let (piece, after) = rest.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    assert_eq!(read(&pieces), whole);
});
