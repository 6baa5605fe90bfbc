//! What the properties and the fuzz targets of `fuzz/` share: a driver without I/O, and an oracle for the end of
//! data that has nothing of the product in it.
#![allow(dead_code, unreachable_pub, reason = "a module of several tests, each of which uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

pub mod data_oracle;
pub mod dialogue;
pub mod write;

/// `input` in the pieces that `lengths` says, over and over; the last takes what is left.
pub fn pieces<'a>(input: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut lengths = lengths.iter().map(|length| usize::from(*length) + 1).cycle();
    let mut pieces = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let length = lengths.next().unwrap_or(rest.len()).min(rest.len());
        let (piece, after) = rest.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    pieces
}
