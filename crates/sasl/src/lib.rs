//! The server's side of SASL mechanisms (RFC 4422) as a sans-IO machine, and as a [`Responder`] the client's side of
//! those that a login elsewhere takes.
//!
//! Standards: PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login), CRAM-MD5 (RFC 2195), SCRAM-SHA-1 and
//! SCRAM-SHA-256 with their -PLUS forms (RFC 5802, RFC 7677), channel bindings `tls-server-end-point` (RFC 5929) and
//! `tls-exporter` (RFC 9266), OAUTHBEARER (RFC 7628), XOAUTH2 as Google documents it, verifiers of SCRAM in their
//! text form (RFC 5803), SASLprep (RFC 4013); and the digest of POP3's APOP (RFC 1939 §7), which is no mechanism of
//! SASL but of the same kind.
//!
//! Invariant: an [`Exchange`] knows no directory, clock or randomness. It says what it needs as a [`Step`] and is
//! told the answer, at once or after a while: a lookup may wait for the store, and the hashing of a password for a
//! thread that may take its time.
//!
//! Left out on purpose: base64 and the ways in which SMTP, POP3 and IMAP carry messages, which are those crates';
//! whether an identity may act as another, and whether an account may be used at all, which is policy; security
//! layers, which none of these mechanisms has; channel bindings on the client's side; `tls-unique`, which TLS 1.3 does not have (RFC 9266 §3) and which is
//! unsafe in TLS 1.2 without the extended master secret (RFC 7677 §4).

mod apop;
mod bearer;
mod cram_md5;
mod exchange;
mod login;
mod mechanism;
mod octets;
mod plain;
mod prepare;
mod responder;
mod scram;
mod secret;

pub use apop::apop_digest;
pub use bearer::{TokenFault, TokenProblem};
pub use exchange::{
    ChannelBinding, Exchange, FIELD_BYTES_MAX, Identity, RESPONSE_BYTES_MAX, Refusal, Setup, Step,
};
pub use mechanism::Mechanism;
pub use octets::same_octets;
pub use prepare::{PrepareError, saslprep};
pub use responder::{BadChallenge, Responder, ResponderError};
pub use scram::{
    FAKE_SALT_BYTES, ITERATIONS, ITERATIONS_MIN, SALT_BYTES_MAX, ScramError, ScramHash, ScramVerifier,
    VerifierError,
};
pub use secret::Secret;
