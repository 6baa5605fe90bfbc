//! A command line never panics, and a command written again is read as the same one. Nothing of AUTH is printed.
#![no_main]

#[path = "../../crates/smtp/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use support::write::is_read_as_written;

fuzz_target!(|line: &[u8]| is_read_as_written(line));
