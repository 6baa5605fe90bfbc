//! What a connection is told before it begins.

use types::Host;

/// How one connection behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who we are: the argument of EHLO, HELO and LHLO (RFC 5321 §4.1.1.1).
    pub hello_name: Host,
    /// SMTP or LMTP.
    pub mode: Mode,
    /// How bodies travel where the message leaves the choice.
    pub transfer: Transfer,
    /// Whether commands go in groups.
    pub pipelining: Pipelining,
    /// Whether each command and reply becomes an event.
    pub transcript: Transcript,
    /// What the connection is when it has just been opened: TLS from the first octet, or none (RFC 8314 §3).
    pub security: Security,
    /// What becomes of a connection that is in clear text.
    pub tls: TlsPolicy,
    /// Whether the server is to know who we are.
    pub login: LoginPolicy,
}

/// Whether a connection is encrypted, and with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Security {
    /// It is not.
    #[default]
    Clear,
    /// It is.
    Tls(Certificate),
}

/// What the driver found out about who is at the other end of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// The server that was meant: by name, or as DANE or MTA-STS want it.
    Verified,
    /// Anybody. Somebody who only listens is kept out, somebody in the middle is not.
    Unverified,
}

/// What becomes of a connection in clear text (RFC 3207).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsPolicy {
    /// It stays so.
    #[default]
    None,
    /// STARTTLS where it is offered, and on without it where it is refused. A handshake that fails ends the
    /// connection; whether to come again without TLS is for the driver to say.
    Opportunistic,
    /// No mail without STARTTLS.
    Required,
}

/// Whether to log in (RFC 4954).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoginPolicy {
    /// No.
    #[default]
    None,
    /// Before the first message, or there is none: see [`super::Event::Authenticate`].
    Required(Passwords),
}

/// Where mechanisms may be used that say the password or a token as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Passwords {
    /// Within TLS with the server that was meant.
    #[default]
    Protected,
    /// Anywhere, because somebody said so.
    InClear,
}

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// EHLO, one reply for all recipients.
    #[default]
    Smtp,
    /// LHLO, a reply for each recipient after the data (RFC 2033).
    Lmtp,
}

/// DATA or BDAT. A BINARYMIME message always goes by BDAT (RFC 3030 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transfer {
    /// DATA.
    #[default]
    Data,
    /// BDAT where the server offers CHUNKING, otherwise DATA.
    ChunksWhereOffered,
    /// BDAT where that saves a round trip for a message of at most [`ONE_FLIGHT_BYTES_MAX`], otherwise DATA.
    ///
    /// With CHUNKING and PIPELINING, MAIL, RCPT and BDAT LAST go in one flight, before anything is known of the
    /// recipients: who is refused is refused as ever, and the message is for the others. Where all are, it has gone for
    /// nothing, and the server has to pass over it (RFC 3030 §2). Where the connection is lost in between, nobody knows
    /// how far the server came, so that this is for a host that has just shown that it takes messages.
    ///
    /// With CHUNKING alone, BDAT LAST follows the last reply to RCPT, and the wait for 354 is saved. In LMTP the number of
    /// replies to the data depends on those to RCPT (RFC 2033 §4.3), so that nothing goes before these are known.
    OneFlightWhereOffered,
}

/// Octets of a message that go out before it is known whether anybody takes it.
pub const ONE_FLIGHT_BYTES_MAX: u64 = 32 * 1024;

/// RFC 2920.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pipelining {
    /// Groups of commands where the server offers PIPELINING.
    #[default]
    WhereOffered,
    /// Each command waits for the reply to the one before, as a person would type.
    Never,
}

/// Whether [`super::Event::Said`] and [`super::Event::Heard`] are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transcript {
    /// No.
    #[default]
    Off,
    /// [`super::Event::Heard`] alone.
    Replies,
    /// Yes.
    On,
}

impl Config {
    /// SMTP with everything as offered, without TLS and login.
    #[must_use]
    pub fn new(hello_name: Host) -> Self {
        Self {
            hello_name,
            mode: Mode::default(),
            transfer: Transfer::default(),
            pipelining: Pipelining::default(),
            transcript: Transcript::default(),
            security: Security::default(),
            tls: TlsPolicy::default(),
            login: LoginPolicy::default(),
        }
    }
}
