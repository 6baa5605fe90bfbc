//! The grammar of commands (RFC 2449 §3, RFC 1939 §5–§7, RFC 5034 §5, RFC 6856 §2–§3).

use std::fmt;

use crate::{APOP_DIGEST_BYTES, InitialResponse, Password, apop, sasl};

/// One command.
#[derive(Debug, Clone)]
pub enum Command {
    /// `USER name`
    User(String),
    /// `PASS string`
    Pass(Password),
    /// `AUTH`, which asks for the names of mechanisms: older than RFC 5034, and still said.
    AuthList,
    /// `AUTH mechanism [initial-response]` (RFC 5034 §4)
    Auth {
        /// In upper case.
        mechanism: String,
        /// Where there was one.
        initial_response: Option<InitialResponse>,
    },
    /// `APOP name digest` (RFC 1939 §7)
    Apop {
        /// As in USER.
        name: String,
        /// MD5 of the timestamp and the secret, as the client has them.
        digest: [u8; APOP_DIGEST_BYTES],
    },
    /// `CAPA`
    Capa,
    /// `STLS` (RFC 2595 §4)
    Stls,
    /// `UTF8` (RFC 6856 §2.1)
    Utf8,
    /// `LANG [range]` (RFC 6856 §3.2)
    Lang(Option<String>),
    /// `STAT`
    Stat,
    /// `LIST [msg]`
    List(Option<MessageNumber>),
    /// `UIDL [msg]`
    Uidl(Option<MessageNumber>),
    /// `RETR msg`
    Retr(MessageNumber),
    /// `TOP msg n`
    Top(MessageNumber, u64),
    /// `DELE msg`
    Dele(MessageNumber),
    /// `RSET`
    Rset,
    /// `NOOP`
    Noop,
    /// `QUIT`
    Quit,
}

/// A message-number as the client said it: it may name no message. Numbers past 64 bits are
/// [`u64::MAX`], which names none either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageNumber(pub u64);

/// Why a line is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Octets other than printable ASCII and spaces, or where names and passwords stand, other than printable UTF-8.
    #[error("the line holds octets that are not printable ASCII")]
    NotPrintable,
    /// No such keyword.
    #[error("no such command")]
    Unknown,
    /// The arguments are not those of the command.
    #[error("syntax: {0}")]
    Syntax(&'static str),
    /// The initial response of AUTH is not base64.
    #[error("the initial response is not base64")]
    NotBase64,
}

/// How each command is written; what a person is told who wrote it otherwise.
const COMMANDS: &[(&str, &str)] = &[
    ("APOP", "APOP name digest"),
    ("AUTH", "AUTH [mechanism [initial-response]]"),
    ("CAPA", "CAPA"),
    ("DELE", "DELE msg"),
    ("LANG", "LANG [language]"),
    ("LIST", "LIST [msg]"),
    ("NOOP", "NOOP"),
    ("PASS", "PASS string"),
    ("QUIT", "QUIT"),
    ("RETR", "RETR msg"),
    ("RSET", "RSET"),
    ("STAT", "STAT"),
    ("STLS", "STLS"),
    ("TOP", "TOP msg n"),
    ("UIDL", "UIDL [msg]"),
    ("USER", "USER name"),
    ("UTF8", "UTF8"),
];

/// Names and passwords may be UTF-8, at any time (RFC 6856 §2.2).
const UTF8_COMMANDS: &[&str] = &["APOP", "PASS", "USER"];

impl Command {
    /// Reads one line without its CRLF.
    ///
    /// ```text
    /// command = keyword *(SP param) CRLF    ;255 octets maximum
    /// keyword = 3*4VCHAR
    /// param   = 1*VCHAR
    /// ```
    /// The keyword is read without regard to case. The string of PASS runs to the end of the line with its
    /// spaces, as RFC 1939 §7 allows; all other spaces are exactly one between two words.
    ///
    /// # Errors
    /// The first rule that the line breaks.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let text = std::str::from_utf8(line).map_err(|_| CommandError::NotPrintable)?;
        let (keyword, arguments) = match text.split_once(' ') {
            Some((keyword, arguments)) => (keyword, Some(arguments)),
            None => (text, None),
        };
        let takes_utf8 = UTF8_COMMANDS.iter().any(|name| name.eq_ignore_ascii_case(keyword));
        let is_printable = |c: char| matches!(c, ' '..='~') || takes_utf8 && !c.is_ascii() && !c.is_control();
        if !text.chars().all(is_printable) {
            return Err(CommandError::NotPrintable);
        }
        let Some((keyword, usage)) = COMMANDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(keyword))
        else {
            return Err(CommandError::Unknown);
        };
        let command = Self::with_arguments(keyword, arguments).ok_or(CommandError::Syntax(usage))?;
        command.ok_or(CommandError::NotBase64)
    }

    /// Nothing where the arguments are not those of the command, and nothing in it where they are not base64.
    fn with_arguments(keyword: &str, arguments: Option<&str>) -> Option<Option<Self>> {
        if let ("PASS", Some(password)) = (keyword, arguments) {
            return (!password.is_empty()).then(|| Some(Self::Pass(Password::new(password))));
        }
        let words: Vec<&str> = arguments.map(|text| text.split(' ').collect()).unwrap_or_default();
        if words.iter().any(|word| word.is_empty()) {
            return None;
        }
        if let ("AUTH", [mechanism, initial_response]) = (keyword, &words[..]) {
            let mechanism = sasl::mechanism(mechanism)?;
            let initial_response = InitialResponse::parse(initial_response);
            return Some(
                initial_response.map(|octets| Self::Auth { mechanism, initial_response: Some(octets) }),
            );
        }
        let command = match (keyword, &words[..]) {
            ("AUTH", []) => Some(Self::AuthList),
            ("AUTH", [mechanism]) => {
                Some(Self::Auth { mechanism: sasl::mechanism(mechanism)?, initial_response: None })
            }
            ("APOP", [name, digest]) => {
                Some(Self::Apop { name: (*name).to_owned(), digest: apop::digest(digest)? })
            }
            ("USER", [name]) => Some(Self::User((*name).to_owned())),
            ("CAPA", []) => Some(Self::Capa),
            ("STLS", []) => Some(Self::Stls),
            ("UTF8", []) => Some(Self::Utf8),
            ("LANG", []) => Some(Self::Lang(None)),
            ("LANG", [range]) => Some(Self::Lang(Some((*range).to_owned()))),
            ("STAT", []) => Some(Self::Stat),
            ("LIST", []) => Some(Self::List(None)),
            ("LIST", [message]) => MessageNumber::parse(message).map(Some).map(Self::List),
            ("UIDL", []) => Some(Self::Uidl(None)),
            ("UIDL", [message]) => MessageNumber::parse(message).map(Some).map(Self::Uidl),
            ("RETR", [message]) => MessageNumber::parse(message).map(Self::Retr),
            ("TOP", [message, lines]) => Some(Self::Top(MessageNumber::parse(message)?, number(lines)?)),
            ("DELE", [message]) => MessageNumber::parse(message).map(Self::Dele),
            ("RSET", []) => Some(Self::Rset),
            ("NOOP", []) => Some(Self::Noop),
            ("QUIT", []) => Some(Self::Quit),
            _ => None,
        };
        command.map(Some)
    }
}

/// As on the wire, without CRLF, and without what may tell a password.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "USER {name}"),
            Self::Pass(_) => f.write_str("PASS …"),
            Self::AuthList => f.write_str("AUTH"),
            Self::Auth { mechanism, initial_response: None } => write!(f, "AUTH {mechanism}"),
            Self::Auth { mechanism, initial_response: Some(_) } => write!(f, "AUTH {mechanism} …"),
            Self::Apop { name, .. } => write!(f, "APOP {name} …"),
            Self::Capa => f.write_str("CAPA"),
            Self::Stls => f.write_str("STLS"),
            Self::Utf8 => f.write_str("UTF8"),
            Self::Lang(None) => f.write_str("LANG"),
            Self::Lang(Some(range)) => write!(f, "LANG {range}"),
            Self::Stat => f.write_str("STAT"),
            Self::List(None) => f.write_str("LIST"),
            Self::List(Some(message)) => write!(f, "LIST {}", message.0),
            Self::Uidl(None) => f.write_str("UIDL"),
            Self::Uidl(Some(message)) => write!(f, "UIDL {}", message.0),
            Self::Retr(message) => write!(f, "RETR {}", message.0),
            Self::Top(message, lines) => write!(f, "TOP {} {lines}", message.0),
            Self::Dele(message) => write!(f, "DELE {}", message.0),
            Self::Rset => f.write_str("RSET"),
            Self::Noop => f.write_str("NOOP"),
            Self::Quit => f.write_str("QUIT"),
        }
    }
}

impl MessageNumber {
    fn parse(text: &str) -> Option<Self> {
        number(text).map(Self)
    }
}

/// `1*DIGIT`; too large a number is the largest, since no maildrop and no message comes near it.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_and_written_back() {
        for (line, written) in [
            ("USER mrose", "USER mrose"),
            ("user jürgen@bücher.example", "USER jürgen@bücher.example"),
            ("utf8", "UTF8"),
            ("LANG", "LANG"),
            ("lang *", "LANG *"),
            ("LANG en-GB", "LANG en-GB"),
            ("user dev@localhost", "USER dev@localhost"),
            ("AUTH", "AUTH"),
            ("auth plain", "AUTH PLAIN"),
            ("AUTH X-Y_9", "AUTH X-Y_9"),
            ("CAPA", "CAPA"),
            ("cApA", "CAPA"),
            ("STAT", "STAT"),
            ("stls", "STLS"),
            ("LIST", "LIST"),
            ("LIST 1", "LIST 1"),
            ("list 0", "LIST 0"),
            ("UIDL", "UIDL"),
            ("UIDL 007", "UIDL 7"),
            ("RETR 18446744073709551615", "RETR 18446744073709551615"),
            ("RETR 18446744073709551616", "RETR 18446744073709551615"),
            ("RETR 99999999999999999999999999999999999999999", "RETR 18446744073709551615"),
            ("TOP 1 0", "TOP 1 0"),
            ("tOp 4294967296 99999999999999999999999", "TOP 4294967296 18446744073709551615"),
            ("DELE 2", "DELE 2"),
            ("RSET", "RSET"),
            ("NOOP", "NOOP"),
            ("quit", "QUIT"),
        ] {
            assert_eq!(Command::parse(line.as_bytes()).unwrap().to_string(), written);
            assert_eq!(Command::parse(written.as_bytes()).unwrap().to_string(), written);
        }
    }

    #[test]
    fn the_string_of_pass_runs_to_the_end_of_the_line() {
        for password in ["secret", "two words", " leading", "trailing ", " ", "a  b", "~!\"#", "wörd 密"] {
            let Ok(Command::Pass(read)) = Command::parse(format!("PaSs {password}").as_bytes()) else {
                panic!("{password:?}");
            };
            assert_eq!(read.reveal(), password);
        }
    }

    #[test]
    fn auth_has_its_initial_response_in_base64() {
        for (line, octets) in [
            ("AUTH PLAIN dGVzdAB0ZXN0AHRlc3Q=", &b"test\0test\0test"[..]),
            ("AUTH PLAIN =", b""),
            ("AUTH PLAIN AAAA", b"\0\0\0"),
        ] {
            let Ok(Command::Auth { mechanism, initial_response: Some(read) }) =
                Command::parse(line.as_bytes())
            else {
                panic!("{line}");
            };
            assert_eq!((mechanism.as_str(), &read.into_octets()[..]), ("PLAIN", octets));
        }
        for line in ["AUTH PLAIN ==", "AUTH PLAIN A", "AUTH PLAIN =AAA", "AUTH PLAIN AAA=BBB", "AUTH PLAIN *"]
        {
            assert_eq!(Command::parse(line.as_bytes()).unwrap_err(), CommandError::NotBase64, "{line}");
        }
    }

    #[test]
    fn the_example_of_apop_in_rfc_1939_7() {
        let line = b"APOP mrose c4c9334bac560ecc979e58001b3e22fb";
        let Ok(Command::Apop { name, digest }) = Command::parse(line) else { panic!() };
        assert_eq!((name.as_str(), digest[0], digest[15]), ("mrose", 0xC4, 0xFB));
    }

    #[test]
    fn a_command_that_holds_a_password_does_not_print_it() {
        let command = Command::parse(b"PASS s3cret").unwrap();
        assert!(!format!("{command} {command:?} {command:#?}").contains("s3cret"));
        let command = Command::parse(b"AUTH PLAIN AHMzY3JldABzM2NyZXQ=").unwrap();
        let printed = format!("{command} {command:?} {command:#?}");
        assert!(["AHMz", "s3cret", "115"].iter().all(|secret| !printed.contains(secret)), "{printed}");
    }

    #[test]
    fn arguments_that_the_grammar_does_not_have_are_refused() {
        for line in [
            "USER",
            "USER ",
            "USER a b",
            "USER  a",
            "PASS",
            "PASS ",
            "AUTH ",
            "AUTH PLAIN ",
            "AUTH  PLAIN",
            "AUTH PLAIN  AAAA",
            "AUTH PLAIN AAAA AAAA",
            "AUTH PL.AIN",
            "AUTH ABCDEFGHIJKLMNOPQRSTU",
            "APOP",
            "APOP mrose",
            "APOP mrose c4c9334bac560ecc979e58001b3e22f",
            "APOP mrose C4C9334BAC560ECC979E58001B3E22FB",
            "APOP mrose c4c9334bac560ecc979e58001b3e22fb ",
            "APOP  c4c9334bac560ecc979e58001b3e22fb",
            "CAPA x",
            "CAPA ",
            "STAT 1",
            "STAT ",
            "STLS now",
            "STLS ",
            "LIST ",
            "LIST -1",
            "LIST +1",
            "LIST 1 2",
            "LIST  1",
            "LIST 1 ",
            "LIST a",
            "LIST 0x1",
            "LIST 1.0",
            "UIDL *",
            "UIDL ",
            "RETR",
            "RETR ",
            "RETR -1",
            "RETR 1 2",
            "RETR 1-2",
            "RETR one",
            "TOP",
            "TOP 1",
            "TOP 1 ",
            "TOP 1 -1",
            "TOP -1 1",
            "TOP 1 2 3",
            "TOP 1  2",
            "DELE",
            "DELE *",
            "DELE 1:3",
            "RSET 1",
            "NOOP x",
            "QUIT now",
            "QUIT ",
        ] {
            let error = Command::parse(line.as_bytes()).unwrap_err();
            let keyword = line.split(' ').next().unwrap();
            assert!(matches!(error, CommandError::Syntax(usage) if usage.starts_with(keyword)), "{line:?}");
        }
    }

    #[test]
    fn other_keywords_are_unknown_and_other_octets_are_refused() {
        for line in [
            "",
            " ",
            " NOOP",
            "NOO",
            "NOOPS",
            "APOPS a b",
            "AUTHENTICATE PLAIN",
            "STLSX",
            "STARTTLS",
            "UTF16",
            "EHLO x",
            "GET / HTTP/1.1",
        ] {
            assert_eq!(Command::parse(line.as_bytes()).unwrap_err(), CommandError::Unknown, "{line:?}");
        }
        for line in [
            &b"NOOP\0"[..],
            b"\0",
            b"USER a\0b",
            b"USER \xFF",
            "USER n\u{85}me".as_bytes(),
            b"PASS w\xC3\x28rd",
            b"PASS w\xF6rd",
            "RETR ١".as_bytes(),
            "AUTH PLÄIN".as_bytes(),
            "LANG dé".as_bytes(),
            b"RETR\t1",
            b"NOOP\r",
            b"\rNOOP",
            b"NO\nOP",
            b"PASS a\x7F",
            b"USER \x1B[2J",
        ] {
            assert_eq!(Command::parse(line).unwrap_err(), CommandError::NotPrintable, "{line:?}");
        }
    }

    #[test]
    fn each_row_of_the_usage_table_is_a_command() {
        for (keyword, usage) in COMMANDS {
            assert!((3..=4).contains(&keyword.len()), "RFC 2449 §3: {keyword}");
            let line = usage.replace("msg", "1").replace(" n", " 1").replace(['[', ']'], "");
            let line =
                line.replace("digest", "c4c9334bac560ecc979e58001b3e22fb").replace("initial-response", "=");
            assert!(Command::parse(line.as_bytes()).is_ok(), "{line}");
        }
    }
}
