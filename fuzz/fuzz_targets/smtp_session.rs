//! A server session says and takes the same however its input is cut, within its bounds, and takes a message only
//! after DATA or BDAT: the driver of the properties watches over that.
#![no_main]

#[path = "../../crates/smtp/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use smtp::server::{Config, HandTyped, Role};
use support::dialogue::{config_of, play};
use support::pieces;

fuzz_target!(|input: &[u8]| {
    let [choice, first, second, input @ ..] = input else { return };
    let listener = Config {
        hand_typed: if choice % 2 == 0 { HandTyped::Refused } else { HandTyped::Allowed },
        body_chunk_bytes: usize::from(choice / 8) + 1,
        ..config_of(
            [Role::Transfer, Role::Submission, Role::Lmtp, Role::Transfer][usize::from(choice / 2 % 4)],
        )
    };
    let whole = play(&listener, &[input]);
    assert!(whole.output.starts_with(b"220 "));
    assert_eq!(play(&listener, &pieces(input, &[*first, *second])), whole);
});
