//! The verbs that have a grammar here, and what HELP says about them.

/// A verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Extended hello.
    Ehlo,
    /// Hello.
    Helo,
    /// Hello of LMTP.
    Lhlo,
    /// Begins a transaction.
    Mail,
    /// Names a recipient.
    Rcpt,
    /// The message follows.
    Data,
    /// A chunk of the message follows.
    Bdat,
    /// Back to the start.
    Rset,
    /// Nothing.
    Noop,
    /// Ends the session.
    Quit,
    /// TLS from here on.
    StartTls,
    /// Who the client is.
    Auth,
    /// Who the client behind this one is.
    Xclient,
    /// Verifies an address.
    Vrfy,
    /// Expands a list.
    Expn,
    /// Help.
    Help,
    /// Mail that waits for a host is sent to it now.
    Etrn,
    /// Mail that waits for the client's domains comes over this connection.
    Atrn,
    /// ATRN's predecessor.
    Turn,
}

impl Verb {
    /// All of them, in the order in which HELP lists them.
    pub const ALL: [Self; 19] = [
        Self::Ehlo,
        Self::Helo,
        Self::Lhlo,
        Self::StartTls,
        Self::Auth,
        Self::Xclient,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Bdat,
        Self::Rset,
        Self::Noop,
        Self::Quit,
        Self::Vrfy,
        Self::Expn,
        Self::Etrn,
        Self::Atrn,
        Self::Turn,
        Self::Help,
    ];

    /// The verb of that name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name().eq_ignore_ascii_case(name))
    }

    /// The verb that a command line begins with, whatever the rest of it is.
    #[must_use]
    pub fn of(line: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?.trim_end_matches([' ', '\t']);
        Self::named(text.split_once(' ').map_or(text, |(name, _)| name))
    }

    /// In upper case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// What goes after it.
    #[must_use]
    pub const fn syntax(self) -> &'static str {
        self.row().1
    }

    /// What it does, for HELP.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.row().2
    }

    const fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Ehlo => {
                ("EHLO", "EHLO host.example", "introduces the client and asks which extensions there are")
            }
            Self::Helo => ("HELO", "HELO host.example", "introduces the client, without extensions"),
            Self::Lhlo => ("LHLO", "LHLO host.example", "introduces the client, as EHLO does outside LMTP"),
            Self::Mail => (
                "MAIL",
                "MAIL FROM:<sender@example.org> [SIZE=octets] [BODY=7BIT|8BITMIME|BINARYMIME] [SMTPUTF8] [...]",
                "begins a message; failures are reported to the address. EHLO lists the extensions that bring \
                 more parameters",
            ),
            Self::Rcpt => (
                "RCPT",
                "RCPT TO:<recipient@example.org> [NOTIFY=NEVER|SUCCESS,FAILURE,DELAY] [ORCPT=type;address]",
                "names one recipient; say it once for each",
            ),
            Self::Data => ("DATA", "DATA", "the message follows, up to a line that holds only a dot"),
            Self::Bdat => ("BDAT", "BDAT octets [LAST]", "that many octets of the message follow"),
            Self::Rset => ("RSET", "RSET", "forgets sender and recipients"),
            Self::Noop => ("NOOP", "NOOP [anything]", "does nothing"),
            Self::Quit => ("QUIT", "QUIT", "ends the session"),
            Self::StartTls => ("STARTTLS", "STARTTLS", "encrypts the session from here on"),
            Self::Auth => (
                "AUTH",
                "AUTH mechanism [initial-response]",
                "tells who the client is; EHLO lists the mechanisms",
            ),
            Self::Xclient => (
                "XCLIENT",
                "XCLIENT [NAME=...] [ADDR=...] [PORT=...] [PROTO=...] [HELO=...] [LOGIN=...]",
                "tells who the client behind a proxy is",
            ),
            Self::Vrfy => ("VRFY", "VRFY address [SMTPUTF8]", "asks whether an address exists"),
            Self::Expn => ("EXPN", "EXPN list [SMTPUTF8]", "asks who is on a list"),
            Self::Help => ("HELP", "HELP [verb]", "explains a verb"),
            Self::Etrn => (
                "ETRN",
                "ETRN host.example | ETRN @domain.example | ETRN #queue",
                "asks that the mail which waits for a host, for a domain with all below it, or in a queue is \
                 tried now, over a connection of its own",
            ),
            Self::Atrn => (
                "ATRN",
                "ATRN [domain.example[,domain.example]...]",
                "asks for the mail that waits for the client's domains, over this connection: server and client \
                 change places",
            ),
            Self::Turn => (
                "TURN",
                "TURN",
                "asks for the mail that waits for the client's domains, over this connection: server and client \
                 change places",
            ),
        }
    }
}

/// Verbs of standards that this server does not know: 502 rather than 500 (RFC 5321 §4.2.4).
pub(super) const NOT_OFFERED: &[&str] = &["SEND", "SOML", "SAML", "BURL"];
