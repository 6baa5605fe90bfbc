//! Commands (RFC 5321 §4.1.1 and §4.1.2, RFC 1870, RFC 2033, RFC 3030, RFC 6152, RFC 6531); those that ask for mail
//! which waits are in [`super::reversal`].
//!
//! ```text
//! ehlo = "EHLO" SP ( Domain / address-literal ) CRLF
//! mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
//! rcpt = "RCPT TO:" Forward-path [SP Rcpt-parameters] CRLF
//! vrfy = "VRFY" SP String [SP "SMTPUTF8"] CRLF
//! bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CRLF
//! ```
//!
//! White space at the end of a line is passed over (RFC 5321 §4.1.1). Verbs and keywords are read in any case
//! (§2.4).

use types::{
    AddressError, Domain, ForwardPath, Host, MailParameters, RecipientDsn, Reply, ReplyKind, ReversePath,
};

use super::auth::{self, Auth};
use super::parameters;
use super::reversal::{self, Node};
pub use super::verb::Verb;
use super::xclient::{self, Xclient};

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO, HELO or LHLO.
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
    /// VRFY.
    Vrfy(Lookup<'a>),
    /// EXPN.
    Expn(Lookup<'a>),
    /// HELP, perhaps about something.
    Help(Option<&'a str>),
    /// STARTTLS (RFC 3207 §4).
    StartTls,
    /// AUTH (RFC 4954 §4).
    Auth(Auth),
    /// XCLIENT.
    Xclient(Box<Xclient>),
    /// ETRN (RFC 1985 §5).
    Etrn(Node),
    /// ATRN (RFC 2645 §5.2.1); without domains for all of the client's.
    Atrn(Vec<Domain>),
    /// TURN (RFC 821 §3.8).
    Turn,
    /// A verb that is registered and not known to this server.
    NotOffered(&'static str),
}

/// How the client introduced itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelloVerb {
    /// EHLO
    Ehlo,
    /// HELO: no extensions.
    Helo,
    /// LHLO: EHLO in LMTP (RFC 2033 §4.1).
    Lhlo,
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

/// The arguments of VRFY and EXPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookup<'a> {
    /// The `String`.
    pub argument: &'a str,
    /// SMTPUTF8: the reply may hold UTF-8 (RFC 6531 §3.7.4.2).
    pub smtputf8: bool,
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
    /// 501: the initial response of AUTH is not base64 (RFC 4954 §4).
    Base64,
    /// 504: a parameter whose value is not implemented.
    ParameterValue(String),
    /// 555: a parameter that is not known.
    UnknownParameter(String),
    /// 500: ETRN for nothing.
    NodeMissing,
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
            Self::Base64 => ReplyKind::NotBase64.reply(),
            Self::ParameterValue(text) => ReplyKind::ParameterNotImplemented.with(text),
            Self::UnknownParameter(keyword) => ReplyKind::ParameterUnknown.with(keyword),
            Self::NodeMissing => ReplyKind::NodeMissing.with(Verb::Etrn.syntax()),
            Self::ChunkSize => ReplyKind::ArgumentSyntax.with(Verb::Bdat.syntax()),
        }
    }
}

impl HelloVerb {
    /// As it is said.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Lhlo => "LHLO",
        }
    }

    /// Whether the client can use extensions.
    #[must_use]
    pub const fn is_extended(self) -> bool {
        matches!(self, Self::Ehlo | Self::Lhlo)
    }
}

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
        let known = super::verb::NOT_OFFERED.iter().find(|verb| verb.eq_ignore_ascii_case(name));
        return known.map(|verb| Command::NotOffered(verb)).ok_or(CommandError::UnknownVerb);
    };
    match verb {
        Verb::Ehlo => hello(HelloVerb::Ehlo, verb, argument),
        Verb::Helo => hello(HelloVerb::Helo, verb, argument),
        Verb::Lhlo => hello(HelloVerb::Lhlo, verb, argument),
        Verb::Mail => mail(argument).map(Command::Mail),
        Verb::Rcpt => rcpt(argument).map(Command::Rcpt),
        Verb::Data => bare(verb, argument, Command::Data),
        Verb::Bdat => argument.and_then(chunk).map(Command::Bdat).ok_or(CommandError::ChunkSize),
        Verb::Rset => bare(verb, argument, Command::Rset),
        Verb::Noop => Ok(Command::Noop),
        Verb::Quit => bare(verb, argument, Command::Quit),
        Verb::StartTls => bare(verb, argument, Command::StartTls),
        Verb::Auth => auth::auth(argument).map(Command::Auth),
        Verb::Xclient => xclient::xclient(argument).map(|xclient| Command::Xclient(Box::new(xclient))),
        Verb::Vrfy => lookup(verb, argument).map(Command::Vrfy),
        Verb::Expn => lookup(verb, argument).map(Command::Expn),
        Verb::Help => Ok(Command::Help(argument)),
        Verb::Etrn => reversal::etrn(argument).map(Command::Etrn),
        Verb::Atrn => reversal::atrn(argument).map(Command::Atrn),
        Verb::Turn => bare(verb, argument, Command::Turn),
    }
}

fn bare<'a>(verb: Verb, argument: Option<&str>, command: Command<'a>) -> Result<Command<'a>, CommandError> {
    if argument.is_none() { Ok(command) } else { Err(CommandError::Syntax(verb.syntax())) }
}

fn string(verb: Verb, argument: Option<&str>) -> Result<&str, CommandError> {
    argument.map(str::trim_start).filter(|a| !a.is_empty()).ok_or(CommandError::Syntax(verb.syntax()))
}

/// `String [SP "SMTPUTF8"]` (RFC 6531 §3.7.4.2); the String is all the rest of the line, spaces and quotes too.
fn lookup(verb: Verb, argument: Option<&str>) -> Result<Lookup<'_>, CommandError> {
    let argument = string(verb, argument)?;
    match argument.rsplit_once(' ') {
        Some((argument, parameter)) if parameter.eq_ignore_ascii_case("SMTPUTF8") => {
            Ok(Lookup { argument: string(verb, Some(argument.trim_end()))?, smtputf8: true })
        }
        _ => Ok(Lookup { argument, smtputf8: false }),
    }
}

/// A name that is no domain gets 501, but a domain is not looked up: mail is not refused for it (RFC 5321
/// §4.1.4).
fn hello(hello: HelloVerb, verb: Verb, argument: Option<&str>) -> Result<Command<'static>, CommandError> {
    let name = string(verb, argument)?;
    host(name).map(|host| Command::Hello(hello, host)).map_err(|_| CommandError::Syntax(verb.syntax()))
}

pub(super) fn host(name: &str) -> Result<Host, AddressError> {
    if name.starts_with('[') {
        name.parse().map(Host::Literal)
    } else {
        Domain::parse_host_name(name).map(Host::Domain)
    }
}

fn mail(argument: Option<&str>) -> Result<Mail, CommandError> {
    let path = after_keyword(Verb::Mail, argument, "FROM:")?;
    let (reverse_path, rest) = ReversePath::split(path).map_err(CommandError::Sender)?;
    let said = parameters::split(rest, Verb::Mail.syntax())?;
    let has_parameters = !said.is_empty();
    let mut mail =
        Mail { reverse_path, size_bytes: None, parameters: MailParameters::default(), has_parameters };
    for (keyword, value) in said {
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => mail.size_bytes = Some(size(value)?),
            keyword => parameters::read_mail(&mut mail.parameters, keyword, value)?,
        }
    }
    Ok(mail)
}

fn rcpt(argument: Option<&str>) -> Result<Rcpt, CommandError> {
    let path = after_keyword(Verb::Rcpt, argument, "TO:")?;
    let (forward_path, rest) = ForwardPath::split(path).map_err(CommandError::Recipient)?;
    let said = parameters::split(rest, Verb::Rcpt.syntax())?;
    let mut rcpt = Rcpt { forward_path, dsn: RecipientDsn::default(), has_parameters: !said.is_empty() };
    for (keyword, value) in said {
        parameters::read_rcpt(&mut rcpt.dsn, &keyword.to_ascii_uppercase(), value)?;
    }
    Ok(rcpt)
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

/// `size-value = 1*20DIGIT` (RFC 1870 §3). Twenty digits may not fit 64 bits: no message is that large either.
fn size(value: Option<&str>) -> Result<u64, CommandError> {
    let digits = value.unwrap_or_default();
    if !(1..=20).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CommandError::Syntax(Verb::Mail.syntax()));
    }
    Ok(digits.parse().unwrap_or(u64::MAX))
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
