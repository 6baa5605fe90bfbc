//! How octets of a message travel: transparency and chunks.

pub mod chunk;
pub mod data;
pub mod fault;
pub mod stuff;

/// What ends the lines of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnding {
    /// As RFC 5321 §2.3.8 has it.
    Crlf,
    /// Typed by hand into a terminal program, on a listener that allows it.
    Lf,
}
