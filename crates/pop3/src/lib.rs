//! The POP3 server as a sans-IO machine: grammar and session.
//!
//! Standards: RFC 1939 (POP3), RFC 2449 (CAPA, response codes, pipelining, the grammar), RFC 3206 (the response
//! codes `SYS` and `AUTH`), RFC 2595 §4 with RFC 8314 (STLS, and TLS from the first octet), RFC 5034 (AUTH), RFC 6856
//! (UTF8 and LANG) with RFC 6858 (what may be shown of a message whose header section needs UTF-8 to a client that
//! takes none).
//!
//! Invariant: this crate knows no sockets, clocks, files or store. A driver feeds octets to a [`Session`],
//! carries its output out, and does what each [`Step`] asks: begin TLS, check a password and lock the maildrop,
//! carry an exchange of SASL on, stream a message, remove what was deleted.
//!
//! Left out on purpose: the mechanisms of AUTH and the digest of APOP, whose messages the machine carries and does
//! not understand; XTND and other extensions without a standard; texts in other languages than English; SASLprep of names
//! and passwords, and TLS itself, which are the driver's: the machine says when TLS begins and is told when it stands.

mod apop;
mod command;
mod line;
mod maildrop;
mod multi_line;
mod password;
mod response;
mod sasl;
mod session;
mod surrogate;
mod tls;

pub use apop::{APOP_DIGEST_BYTES, Apop};
pub use command::{Command, CommandError, MessageNumber};
pub use line::{DISCARDED_BYTES_MAX, LineError, LineReader, Reading};
pub use maildrop::{MailSize, Maildrop, Message, UNIQUE_ID_BYTES_MAX};
pub use multi_line::{Excerpt, Flow, MultiLine};
pub use password::Password;
pub use response::{RESPONSE_LINE_BYTES_MAX, RESPONSES, Response, ResponseEntry, Status};
pub use sasl::{InitialResponse, SASL_LINE_BYTES_MAX};
pub use session::{
    Config, Expire, Failure, LINE_BYTES_MIN, Login, OUTPUT_BYTES_SOFT_MAX, Session, Step, WithoutUtf8,
};
pub use surrogate::Surrogate;
pub use tls::{Plaintext, Security, TlsOffer};
