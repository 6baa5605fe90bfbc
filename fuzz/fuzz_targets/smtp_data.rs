//! The decoder of DATA agrees with an oracle that searches all octets at once for the end.
#![no_main]

#[path = "../../crates/smtp/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use smtp::codec::LineEnding;
use smtp::codec::fault::MessageLimits;
use support::{data_oracle, pieces};

fuzz_target!(|input: &[u8]| {
    let [choice, line, message, first, second, input @ ..] = input else { return };
    let line_ending = if choice % 4 == 0 { LineEnding::Lf } else { LineEnding::Crlf };
    let limits = if choice % 2 == 0 {
        MessageLimits { line_bytes_max: usize::from(*line) + 2, message_bytes_max: u64::from(*message) }
    } else {
        MessageLimits { line_bytes_max: 1000, message_bytes_max: 100_000 }
    };
    data_oracle::compare(line_ending, limits, input, &[input]);
    data_oracle::compare(line_ending, limits, input, &pieces(input, &[*first, *second]));
});
