//! What a listener allows and offers.

use super::auth::AuthOffer;
use super::reversal::Turn;
use super::starttls::{TlsOffer, TlsPolicy};
use crate::codec::fault::MessageLimits;

/// What a listener allows and offers.
#[derive(Debug, Clone)]
pub struct Config {
    /// Named in the greeting and in the replies to EHLO and QUIT.
    pub host_name: String,
    /// What the listener is for.
    pub role: Role,
    /// Whether bare LF may end the lines of a session that began with it.
    pub hand_typed: HandTyped,
    /// Whether STARTTLS is offered.
    pub tls: TlsOffer,
    /// Whether it has to be said.
    pub tls_policy: TlsPolicy,
    /// Whether AUTH is offered, and whether it has to be said.
    pub auth: AuthOffer,
    /// Extensions that not every listener offers.
    pub extensions: Extensions,
    /// Octets of a command line with its CRLF (RFC 5321 §4.5.3.1.4: at least 512). Lines of AUTH have a limit of
    /// their own, [`super::AUTH_LINE_BYTES_MAX`].
    pub command_line_bytes_max: usize,
    /// Limits of a message.
    pub message: MessageLimits,
    /// RCPT commands of one transaction (RFC 5321 §4.5.3.1.8: at least 100).
    pub recipients_max: usize,
    /// Commands that were refused as malformed, unknown or out of order, and recipients that were refused.
    pub errors_max: u32,
    /// Commands since a message was accepted last.
    pub idle_commands_max: u32,
    /// Octets of the message that gather before the driver is asked to take them.
    pub body_chunk_bytes: usize,
}

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Mail from other servers: SMTP on port 25.
    #[default]
    Transfer,
    /// Mail of those who write it (RFC 6409): SMTP on ports 587 and 465.
    Submission,
    /// LMTP (RFC 2033): LHLO, and a reply for each recipient.
    Lmtp,
    /// ATRN alone (RFC 2645): mail goes out here, and none comes in.
    OnDemand,
}

/// Extensions that not every listener offers. By default none is.
#[derive(Debug, Clone, Default)]
pub struct Extensions {
    /// DSN (RFC 3461): RET, ENVID, NOTIFY and ORCPT.
    pub dsn: bool,
    /// REQUIRETLS (RFC 8689); offered within TLS only.
    pub require_tls: bool,
    /// FUTURERELEASE (RFC 4865) with the seconds for which messages are held at most. Offered on listeners for
    /// submission only (§4.2), and once [`super::Session::set_now`] has said what time it is.
    pub future_release_max_s: Option<u32>,
    /// DELIVERBY (RFC 2852) with the seconds that mode R has to leave; 0 for no limit.
    pub deliver_by_min_s: Option<u32>,
    /// MT-PRIORITY (RFC 6710).
    pub mt_priority: bool,
    /// XIDEMPOTENCY, with the seconds for which a key is remembered.
    pub idempotency_window_s: Option<u32>,
    /// ETRN (RFC 1985).
    pub etrn: bool,
    /// ATRN (RFC 2645).
    pub atrn: bool,
    /// TURN (RFC 821 §3.8); listed within TLS only.
    pub turn: Turn,
}

/// Whether a session whose very first line ends in bare LF is taken as typed by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandTyped {
    /// LF is its line end throughout then, and any CR is refused.
    Allowed,
    /// It is told what to do, and closed.
    Refused,
}
