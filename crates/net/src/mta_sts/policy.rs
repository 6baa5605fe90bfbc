//! A policy (RFC 8461 §3.2), and which hosts it names (§4.1).

use std::fmt;
use std::time::Duration;

use types::Domain;
use types::limits::{DOMAIN_BYTES_MAX, LABEL_BYTES_MAX};

use super::record::{is_extension_name, is_wsp};

/// Patterns of one policy. Real ones have a dozen at most.
pub const MX_PATTERNS_MAX: usize = 500;

/// What a domain says of its mail servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What becomes of hosts that fail it.
    pub mode: Mode,
    /// Its mail servers; there may be none where the mode is [`Mode::None`].
    pub mx: Vec<MxPattern>,
    /// How long it holds from when it was fetched, a year at most.
    pub max_age: Duration,
}

/// What becomes of hosts that fail a policy (§5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They get no mail.
    Enforce,
    /// They are reported, and get mail.
    Testing,
    /// Nothing: the domain gives its policy up (§8.3).
    None,
}

/// The name of a mail server, or of all whose name has one label more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MxPattern {
    /// In lower case, without the wildcard.
    name: Box<str>,
    extent: Extent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Itself,
    OneLabelMore,
}

/// Why a text is no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A line is no field.
    #[error("line {0} is no field of a policy")]
    Line(usize),
    /// A field that has a meaning has a value that has none.
    #[error("line {0} has a value that a policy cannot have there")]
    Value(usize),
    /// A field that must be there is not.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// Over [`MX_PATTERNS_MAX`].
    #[error("it names more mail servers than any domain has")]
    TooManyPatterns,
}

impl Policy {
    /// Reads what the policy host gives.
    ///
    /// ```text
    /// sts-policy-record = sts-policy-field *WSP *(sts-policy-term sts-policy-field *WSP) [sts-policy-term]
    /// sts-policy-field  = version / mode / max_age / mx / extension     ; each: name ":" *WSP value
    /// sts-policy-term   = LF / CRLF
    /// version           = %s"STSv1"
    /// mode              = %s"testing" / %s"enforce" / %s"none"
    /// mx                = ["*."] Domain
    /// max_age           = 1*10(DIGIT)
    /// extension         = vchar [*(%x20 / vchar) vchar]                 ; vchar: visible ASCII or other UTF-8
    /// ```
    ///
    /// Fields of unknown names are passed over, and so are those that repeat another, `mx` aside.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &[u8]) -> Result<Self, PolicyError> {
        let mut fields = Fields::default();
        let mut lines = text.split(|octet| *octet == b'\n').enumerate().peekable();
        while let Some((number, line)) = lines.next() {
            let is_last = lines.peek().is_none();
            // One line end may stand behind the last field.
            if is_last && number > 0 && line.is_empty() {
                break;
            }
            // A carriage return is part of a line end and of nothing else.
            let line = if is_last { line } else { line.strip_suffix(b"\r").unwrap_or(line) };
            fields.take(line, number + 1)?;
        }
        fields.finish()
    }

    /// Whether the policy names the host (§4.1). It has to be the name of the MX record, whatever it is an alias of.
    #[must_use]
    pub fn names(&self, host: &Domain) -> bool {
        self.mx.iter().any(|pattern| pattern.fits(host))
    }

    /// As reports tell it (RFC 8460 §4.5).
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec!["version: STSv1".to_owned(), format!("mode: {}", self.mode)];
        lines.extend(self.mx.iter().map(|pattern| format!("mx: {pattern}")));
        lines.push(format!("max_age: {}", self.max_age.as_secs()));
        lines
    }
}

/// As the policy host could give it.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|line| write!(f, "{line}\r\n"))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        })
    }
}

impl MxPattern {
    /// `["*."] Domain`, in ASCII: names in other scripts are A-labels (§3.2).
    fn parse(text: &str) -> Option<Self> {
        let (name, extent) = match text.strip_prefix("*.") {
            Some(rest) => (rest, Extent::OneLabelMore),
            None => (text, Extent::Itself),
        };
        let is_domain = name.len() <= DOMAIN_BYTES_MAX && name.split('.').all(is_label);
        is_domain.then(|| Self { name: name.to_ascii_lowercase().into(), extent })
    }

    fn fits(&self, host: &Domain) -> bool {
        let host = host.ascii();
        match self.extent {
            Extent::Itself => *host == *self.name,
            Extent::OneLabelMore => host.split_once('.').is_some_and(|(_, parent)| *parent == *self.name),
        }
    }
}

impl fmt::Display for MxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wildcard = match self.extent {
            Extent::Itself => "",
            Extent::OneLabelMore => "*.",
        };
        write!(f, "{wildcard}{}", self.name)
    }
}

/// What has been read.
#[derive(Debug, Default)]
struct Fields {
    has_version: bool,
    mode: Option<Mode>,
    max_age: Option<Duration>,
    mx: Vec<MxPattern>,
}

impl Fields {
    fn take(&mut self, line: &[u8], number: usize) -> Result<(), PolicyError> {
        let malformed = PolicyError::Line(number);
        let line = std::str::from_utf8(line).map_err(|_| malformed)?;
        let (name, value) = line.split_once(':').ok_or(malformed)?;
        let value = value.trim_matches(is_wsp);
        if !is_extension_name(name) || !is_extension_value(value) {
            return Err(malformed);
        }
        let useless = PolicyError::Value(number);
        match name {
            "version" if !self.has_version => {
                if value != "STSv1" {
                    return Err(useless);
                }
                self.has_version = true;
            }
            "mode" if self.mode.is_none() => self.mode = Some(mode(value).ok_or(useless)?),
            "max_age" if self.max_age.is_none() => self.max_age = Some(max_age(value).ok_or(useless)?),
            "mx" => {
                if self.mx.len() == MX_PATTERNS_MAX {
                    return Err(PolicyError::TooManyPatterns);
                }
                self.mx.push(MxPattern::parse(value).ok_or(useless)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Policy, PolicyError> {
        if !self.has_version {
            return Err(PolicyError::Missing("version"));
        }
        let mode = self.mode.ok_or(PolicyError::Missing("mode"))?;
        let max_age = self.max_age.ok_or(PolicyError::Missing("max_age"))?;
        if self.mx.is_empty() && mode != Mode::None {
            return Err(PolicyError::Missing("mx"));
        }
        Ok(Policy { mode, mx: self.mx, max_age })
    }
}

/// RFC 8461 §3.2: a year.
const MAX_AGE_SECONDS_MAX: u64 = 31_557_600;
const MAX_AGE_DIGITS_MAX: usize = 10;

fn mode(value: &str) -> Option<Mode> {
    [Mode::Enforce, Mode::Testing, Mode::None].into_iter().find(|mode| mode.to_string() == value)
}

/// What is over the most is the most: a domain that means it to hold for ever is not left without.
fn max_age(value: &str) -> Option<Duration> {
    let is_number =
        (1..=MAX_AGE_DIGITS_MAX).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    let seconds: u64 = if is_number { value.parse().ok()? } else { return None };
    Some(Duration::from_secs(seconds.min(MAX_AGE_SECONDS_MAX)))
}

fn is_extension_value(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| matches!(c, ' '..='~') || !c.is_ascii())
}

fn is_label(label: &str) -> bool {
    let octets = label.as_bytes();
    let is_let_dig = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_alphanumeric);
    octets.len() <= LABEL_BYTES_MAX
        && is_let_dig(octets.first())
        && is_let_dig(octets.last())
        && octets.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Policy, PolicyError> {
        Policy::parse(text.as_bytes())
    }

    /// The example of RFC 8461 §3.2.
    const EXAMPLE: &str = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n\
                           mx: backupmx.example.com\r\nmax_age: 604800\r\n";

    #[test]
    fn the_example_of_the_rfc_is_read() {
        let policy = parse(EXAMPLE).unwrap();
        assert_eq!(policy.mode, Mode::Enforce);
        assert_eq!(policy.max_age, Duration::from_secs(604_800));
        let patterns: Vec<_> = policy.mx.iter().map(ToString::to_string).collect();
        assert_eq!(patterns, ["mail.example.com", "*.example.net", "backupmx.example.com"]);
        assert_eq!(parse(&policy.to_string()), Ok(policy));
    }

    #[test]
    fn what_the_grammar_leaves_free_is_free() {
        let policy = parse(EXAMPLE).unwrap();
        let lines: Vec<_> = EXAMPLE.trim_end().split("\r\n").collect();
        for text in [
            EXAMPLE.replace("\r\n", "\n"),
            EXAMPLE.trim_end().to_owned(),
            EXAMPLE.replace(": ", ":"),
            EXAMPLE.replace(": ", ": \t"),
            EXAMPLE.replace("\r\n", " \t\r\n"),
            format!("{EXAMPLE}extension: a value, \u{e9}\r\n"),
            format!("a-b_c.d: x\n{EXAMPLE}"),
            // Those that repeat another are passed over, whatever they say.
            format!("{EXAMPLE}mode: testing\r\nmax_age: 1\r\nversion: STSv2\r\nmode: nonsense"),
            format!("{}\r\n{}", lines[5], lines[..5].join("\r\n")),
        ] {
            assert_eq!(parse(&text).as_ref(), Ok(&policy), "{text:?}");
        }
    }

    #[test]
    fn what_the_grammar_has_not_is_no_policy() {
        use PolicyError::{Line, Missing, Value};
        let good = "version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.example\n";
        assert!(parse(good).is_ok());
        for (text, error) in [
            (String::new(), Line(1)),
            ("\n".to_owned(), Line(1)),
            (format!("\n{good}"), Line(1)),
            (format!("{good}\n"), Line(5)),
            (good.replace("\nmax", "\n\nmax"), Line(3)),
            (good.replace("\nmax", "\n max"), Line(3)),
            (good.replace("\nmax", "\r\r\nmax"), Line(2)),
            (good.replace(":", " :"), Line(1)),
            (format!("{good}extension:"), Line(5)),
            (format!("{good}extension: \t"), Line(5)),
            (format!("{good}extension: a\0b"), Line(5)),
            (format!("{good}extension: a\tb"), Line(5)),
            (format!("{good}extension: a\r"), Line(5)),
            (format!("{good}-extension: a"), Line(5)),
            (format!("{good}a12345678901234567890123456789012: a"), Line(5)),
            (format!("{good}<html>"), Line(5)),
            (good.replace("STSv1", "STSv2"), Value(1)),
            (good.replace("STSv1", "stsv1"), Value(1)),
            (good.replace("enforce", "Enforce"), Value(2)),
            (good.replace("enforce", "off"), Value(2)),
            (good.replace("max_age: 1", "max_age: -1"), Value(3)),
            (good.replace("max_age: 1", "max_age: 1.5"), Value(3)),
            (good.replace("max_age: 1", "max_age: 12345678901"), Value(3)),
            (good.replace("a.example", "a..example"), Value(4)),
            (good.replace("a.example", "a.example."), Value(4)),
            (good.replace("a.example", "*"), Value(4)),
            (good.replace("a.example", "*.*.example"), Value(4)),
            (good.replace("a.example", "mail*.example"), Value(4)),
            (good.replace("a.example", "a.*.example"), Value(4)),
            (good.replace("a.example", "[192.0.2.1]"), Value(4)),
            (good.replace("a.example", "b\u{fc}cher.example"), Value(4)),
            (good.replace("a.example", "a_b.example"), Value(4)),
            (good.replace("a.example", "a.example, b.example"), Value(4)),
            (good.replace("version: STSv1\n", ""), Missing("version")),
            (good.replace("version", "Version"), Missing("version")),
            (good.replace("mode: enforce\n", ""), Missing("mode")),
            (good.replace("max_age: 1\n", ""), Missing("max_age")),
            (good.replace("mx: a.example\n", ""), Missing("mx")),
        ] {
            assert_eq!(parse(&text), Err(error), "{text:?}");
        }
        assert_eq!(Policy::parse(b"version: STSv1\nmode: \xff"), Err(Line(2)));
    }

    #[test]
    fn a_policy_of_mode_none_needs_no_hosts() {
        let policy = parse("version: STSv1\nmode: none\nmax_age: 86400").unwrap();
        assert_eq!((policy.mode, policy.mx.len()), (Mode::None, 0));
        assert!(!policy.names(&"mail.example.com".parse().unwrap()));
    }

    #[test]
    fn an_age_is_a_year_at_most() {
        let of = |age: &str| parse(&EXAMPLE.replace("604800", age)).unwrap().max_age.as_secs();
        assert_eq!((of("0"), of("0000000007"), of("31557600")), (0, 7, 31_557_600));
        assert_eq!((of("31557601"), of("9999999999")), (31_557_600, 31_557_600));
    }

    #[test]
    fn patterns_are_limited_in_number() {
        let of = |count| parse(&format!("{EXAMPLE}{}", "mx: a.example\n".repeat(count - 3)));
        assert!(of(MX_PATTERNS_MAX).is_ok());
        assert_eq!(of(MX_PATTERNS_MAX + 1), Err(PolicyError::TooManyPatterns));
    }

    /// RFC 8461 §4.1.
    #[test]
    fn a_wildcard_stands_for_one_label() {
        let policy =
            parse("version: STSv1\nmode: enforce\nmax_age: 1\nmx: *.Example.com\nmx: MX.example.org")
                .unwrap();
        for (host, is_named) in [
            ("mail.example.com", true),
            ("MAIL.EXAMPLE.COM", true),
            ("example.com", false),
            ("foo.bar.example.com", false),
            ("mailexample.com", false),
            ("mail.example.com.evil.example", false),
            ("mx.example.org", true),
            ("a.mx.example.org", false),
            ("example.org", false),
        ] {
            assert_eq!(policy.names(&host.parse().unwrap()), is_named, "{host}");
        }
        let policy =
            parse("version: STSv1\nmode: enforce\nmax_age: 1\nmx: mx.xn--bcher-kva.example").unwrap();
        assert!(policy.names(&"mx.b\u{fc}cher.example".parse().unwrap()));
    }
}
