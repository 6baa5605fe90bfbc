//! Commands (RFC 5321 §4.1.1 and §4.1.2, RFC 1870, RFC 3030, RFC 6152, RFC 6531).
//!
//! ```text
//! ehlo = "EHLO" SP ( Domain / address-literal ) CRLF
//! mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
//! rcpt = "RCPT TO:" Forward-path [SP Rcpt-parameters] CRLF
//! esmtp-param   = esmtp-keyword ["=" esmtp-value]
//! esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
//! esmtp-value   = 1*(%d33-60 / %d62-126)
//! bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CRLF
//! ```
//!
//! White space at the end of a line is passed over (RFC 5321 §4.1.1). Verbs and keywords are read in any case
//! (§2.4).

use types::{
    AddressError, BodyType, Domain, ForwardPath, Host, MailParameters, RecipientDsn, Reply, ReplyKind,
    ReversePath,
};

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO or HELO.
    Hello(HelloVerb, Host),
    /// MAIL.
    Mail(Mail),
    /// RCPT.
    Rcpt(Rcpt),
    /// DATA.
    Data,
    /// BDAT; the chunk follows the line at once.
    Bdat(Chunk),
    /// RSET.
    Rset,
    /// NOOP, whatever its argument.
    Noop,
    /// QUIT.
    Quit,
    /// VRFY with its `String`.
    Vrfy(&'a str),
    /// EXPN with its `String`.
    Expn(&'a str),
    /// HELP, perhaps about something.
    Help(Option<&'a str>),
    /// STARTTLS (RFC 3207 §4).
    StartTls,
    /// A verb that is registered and not offered by this server.
    NotOffered(&'static str),
}

/// How the client introduced itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelloVerb {
    /// EHLO
    Ehlo,
    /// HELO: no extensions.
    Helo,
}

/// The arguments of MAIL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Where failures are reported.
    pub reverse_path: ReversePath,
    /// SIZE=, in octets (RFC 1870 §5); what does not fit 64 bits is `u64::MAX`.
    pub size_bytes: Option<u64>,
    /// The others.
    pub parameters: MailParameters,
    /// Whether there was any parameter.
    pub has_parameters: bool,
}

/// The arguments of RCPT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rcpt {
    /// Who is to get the message.
    pub forward_path: ForwardPath,
    /// NOTIFY= and ORCPT=
    pub dsn: RecipientDsn,
    /// Whether there was any parameter.
    pub has_parameters: bool,
}

/// The arguments of BDAT (RFC 3030 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Octets of the chunk.
    pub size_bytes: u64,
    /// LAST: the message ends with this chunk.
    pub last: bool,
}

/// Why a line is no command. Each has one reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandError {
    /// 500: no such verb.
    UnknownVerb,
    /// 500: control characters, or not UTF-8.
    Malformed,
    /// 501 with the syntax.
    Syntax(&'static str),
    /// 501: the argument of MAIL is no address.
    Sender(AddressError),
    /// 501: the argument of RCPT is no address.
    Recipient(AddressError),
    /// 504: a parameter whose value is not implemented.
    ParameterValue(String),
    /// 555: a parameter that is not known.
    UnknownParameter(String),
    /// 501: BDAT whose chunk size cannot be read, so that nobody knows where commands go on.
    ChunkSize,
}

impl CommandError {
    /// The reply of the table.
    #[must_use]
    pub fn reply(&self) -> Reply {
        match self {
            Self::UnknownVerb => ReplyKind::CommandUnknown.reply(),
            Self::Malformed => ReplyKind::LineMalformed.reply(),
            Self::Syntax(syntax) => ReplyKind::ArgumentSyntax.with(syntax),
            Self::Sender(error) => ReplyKind::SenderSyntax.with(error),
            Self::Recipient(error) => ReplyKind::RecipientSyntax.with(error),
            Self::ParameterValue(text) => ReplyKind::ParameterNotImplemented.with(text),
            Self::UnknownParameter(keyword) => ReplyKind::ParameterUnknown.with(keyword),
            Self::ChunkSize => ReplyKind::ArgumentSyntax.with(Verb::Bdat.syntax()),
        }
    }
}

/// The verbs that have a grammar here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Extended hello.
    Ehlo,
    /// Hello.
    Helo,
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
    /// Verifies an address.
    Vrfy,
    /// Expands a list.
    Expn,
    /// Help.
    Help,
}

impl Verb {
    /// All of them, in the order in which HELP lists them.
    pub const ALL: [Self; 13] = [
        Self::Ehlo,
        Self::Helo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Bdat,
        Self::Rset,
        Self::Noop,
        Self::Quit,
        Self::StartTls,
        Self::Vrfy,
        Self::Expn,
        Self::Help,
    ];

    /// The verb of that name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name().eq_ignore_ascii_case(name))
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
            Self::Mail => (
                "MAIL",
                "MAIL FROM:<sender@example.org> [SIZE=octets] [BODY=7BIT|8BITMIME|BINARYMIME] [SMTPUTF8]",
                "begins a message; failures are reported to the address",
            ),
            Self::Rcpt => {
                ("RCPT", "RCPT TO:<recipient@example.org>", "names one recipient; say it once for each")
            }
            Self::Data => ("DATA", "DATA", "the message follows, up to a line that holds only a dot"),
            Self::Bdat => ("BDAT", "BDAT octets [LAST]", "that many octets of the message follow"),
            Self::Rset => ("RSET", "RSET", "forgets sender and recipients"),
            Self::Noop => ("NOOP", "NOOP [anything]", "does nothing"),
            Self::Quit => ("QUIT", "QUIT", "ends the session"),
            Self::StartTls => ("STARTTLS", "STARTTLS", "encrypts the session from here on"),
            Self::Vrfy => ("VRFY", "VRFY address", "asks whether an address exists"),
            Self::Expn => ("EXPN", "EXPN list", "asks who is on a list"),
            Self::Help => ("HELP", "HELP [verb]", "explains a verb"),
        }
    }
}

/// Verbs of standards that this server does not offer: 502 rather than 500 (RFC 5321 §4.2.4).
const NOT_OFFERED: &[&str] =
    &["AUTH", "LHLO", "ETRN", "ATRN", "TURN", "SEND", "SOML", "SAML", "BURL", "XCLIENT"];

/// Reads one command line, without its line end.
///
/// # Errors
/// See [`CommandError`].
pub fn parse(line: &[u8]) -> Result<Command<'_>, CommandError> {
    let text = std::str::from_utf8(line).map_err(|_| CommandError::Malformed)?;
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(CommandError::Malformed);
    }
    let text = text.trim_end_matches([' ', '\t']);
    let (name, argument) = text.split_once(' ').map_or((text, None), |(name, rest)| (name, Some(rest)));
    let Some(verb) = Verb::named(name) else {
        let known = NOT_OFFERED.iter().find(|verb| verb.eq_ignore_ascii_case(name));
        return known.map(|verb| Command::NotOffered(verb)).ok_or(CommandError::UnknownVerb);
    };
    match verb {
        Verb::Ehlo => hello(HelloVerb::Ehlo, verb, argument),
        Verb::Helo => hello(HelloVerb::Helo, verb, argument),
        Verb::Mail => mail(argument).map(Command::Mail),
        Verb::Rcpt => rcpt(argument).map(Command::Rcpt),
        Verb::Data => bare(verb, argument, Command::Data),
        Verb::Bdat => argument.and_then(chunk).map(Command::Bdat).ok_or(CommandError::ChunkSize),
        Verb::Rset => bare(verb, argument, Command::Rset),
        Verb::Noop => Ok(Command::Noop),
        Verb::Quit => bare(verb, argument, Command::Quit),
        Verb::StartTls => bare(verb, argument, Command::StartTls),
        Verb::Vrfy => string(verb, argument).map(Command::Vrfy),
        Verb::Expn => string(verb, argument).map(Command::Expn),
        Verb::Help => Ok(Command::Help(argument)),
    }
}

fn bare<'a>(verb: Verb, argument: Option<&str>, command: Command<'a>) -> Result<Command<'a>, CommandError> {
    if argument.is_none() { Ok(command) } else { Err(CommandError::Syntax(verb.syntax())) }
}

fn string(verb: Verb, argument: Option<&str>) -> Result<&str, CommandError> {
    argument.map(str::trim_start).filter(|a| !a.is_empty()).ok_or(CommandError::Syntax(verb.syntax()))
}

/// A name that is no domain gets 501, but a domain is not looked up: mail is not refused for it (RFC 5321
/// §4.1.4).
fn hello(hello: HelloVerb, verb: Verb, argument: Option<&str>) -> Result<Command<'static>, CommandError> {
    let name = string(verb, argument)?;
    let host = if name.starts_with('[') {
        name.parse().map(Host::Literal)
    } else {
        Domain::parse_host_name(name).map(Host::Domain)
    };
    host.map(|host| Command::Hello(hello, host)).map_err(|_| CommandError::Syntax(verb.syntax()))
}

fn mail(argument: Option<&str>) -> Result<Mail, CommandError> {
    let path = after_keyword(Verb::Mail, argument, "FROM:")?;
    let (reverse_path, rest) = ReversePath::split(path).map_err(CommandError::Sender)?;
    let mut mail =
        Mail { reverse_path, size_bytes: None, parameters: MailParameters::default(), has_parameters: false };
    let mut seen: Vec<&str> = Vec::new();
    for (keyword, value) in parameters(Verb::Mail, rest)? {
        if seen.iter().any(|s| s.eq_ignore_ascii_case(keyword)) {
            return Err(CommandError::Syntax(Verb::Mail.syntax()));
        }
        seen.push(keyword);
        mail.has_parameters = true;
        match (keyword.to_ascii_uppercase().as_str(), value) {
            ("SIZE", value) => mail.size_bytes = Some(size(value)?),
            ("BODY", Some(value)) => mail.parameters.body_type = body_type(value)?,
            ("SMTPUTF8", None) => mail.parameters.smtputf8 = true,
            ("BODY" | "SMTPUTF8", _) => return Err(CommandError::Syntax(Verb::Mail.syntax())),
            _ => return Err(CommandError::UnknownParameter(keyword.to_owned())),
        }
    }
    Ok(mail)
}

fn rcpt(argument: Option<&str>) -> Result<Rcpt, CommandError> {
    let path = after_keyword(Verb::Rcpt, argument, "TO:")?;
    let (forward_path, rest) = ForwardPath::split(path).map_err(CommandError::Recipient)?;
    match parameters(Verb::Rcpt, rest)?.first() {
        None => Ok(Rcpt { forward_path, dsn: RecipientDsn::default(), has_parameters: false }),
        Some((keyword, _)) => Err(CommandError::UnknownParameter((*keyword).to_owned())),
    }
}

/// Deviation: RFC 5321 §3.3 forbids white space after the colon; printers, scanners and people who type by hand
/// write it, and it can be read in one way only.
fn after_keyword<'a>(verb: Verb, argument: Option<&'a str>, keyword: &str) -> Result<&'a str, CommandError> {
    let argument = argument.map(str::trim_start).unwrap_or_default();
    match argument.split_at_checked(keyword.len()) {
        Some((head, path)) if head.eq_ignore_ascii_case(keyword) => Ok(path.trim_start()),
        _ => Err(CommandError::Syntax(verb.syntax())),
    }
}

/// `esmtp-param *(SP esmtp-param)`; more than one space between them is passed over.
fn parameters(verb: Verb, rest: &str) -> Result<Vec<(&str, Option<&str>)>, CommandError> {
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(CommandError::Syntax(verb.syntax()));
    }
    rest.split(' ')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (keyword, value) = parameter
                .split_once('=')
                .map_or((parameter, None), |(keyword, value)| (keyword, Some(value)));
            let is_keyword = keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
                && keyword.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let is_value = value.is_none_or(|v| !v.is_empty() && v.bytes().all(is_value_octet));
            if is_keyword && is_value {
                Ok((keyword, value))
            } else {
                Err(CommandError::Syntax(verb.syntax()))
            }
        })
        .collect()
}

/// `%d33-60 / %d62-126`, and with SMTPUTF8 what is not ASCII (RFC 6531 §3.3).
const fn is_value_octet(octet: u8) -> bool {
    matches!(octet, 33..=60 | 62..=126 | 128..)
}

/// `size-value = 1*20DIGIT` (RFC 1870 §3). Twenty digits may not fit 64 bits: no message is that large either.
fn size(value: Option<&str>) -> Result<u64, CommandError> {
    let digits = value.unwrap_or_default();
    if !(1..=20).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CommandError::Syntax(Verb::Mail.syntax()));
    }
    Ok(digits.parse().unwrap_or(u64::MAX))
}

fn body_type(value: &str) -> Result<BodyType, CommandError> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(BodyType::SevenBit),
        "8BITMIME" => Ok(BodyType::EightBitMime),
        "BINARYMIME" => Ok(BodyType::BinaryMime),
        _ => Err(CommandError::ParameterValue("BODY is 7BIT, 8BITMIME or BINARYMIME".to_owned())),
    }
}

/// `chunk-size ::= 1*DIGIT`, `end-marker ::= "LAST"`
fn chunk(argument: &str) -> Option<Chunk> {
    let (digits, marker) = argument.split_once(' ').map_or((argument, None), |(d, m)| (d, Some(m)));
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let last = match marker {
        None => false,
        Some(marker) if marker.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return None,
    };
    Some(Chunk { size_bytes: digits.parse().ok()?, last })
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
