//! The types of values that the file may hold: each says how it is read, how it is written, and what to do
//! where it does not fit.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;
use types::Domain;

/// Why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What is wrong.
    pub(crate) what: String,
    /// What to write instead.
    pub(crate) mend: String,
}

impl Fault {
    pub(super) fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: mend.into() }
    }

    pub(super) fn of_type(value: &DeValue<'_>, wanted: &str, mend: &str) -> Self {
        Self::new(format!("this is of type {}, {wanted} is wanted", value.type_str()), mend)
    }
}

/// A value of the file.
pub(crate) trait Value: Sized {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault>;

    /// As TOML.
    fn write(&self) -> String;

    /// As a number, for values that have a minimum.
    fn magnitude(&self) -> Option<u64> {
        None
    }
}

/// A number of octets: a whole number, or text such as `"50 MiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// So many times 2²⁰ octets.
    #[must_use]
    pub const fn mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// In octets.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// In octets, for what lies in memory.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// In the largest unit that is exact: `50 MiB`, `1000`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor)) {
            Some((unit, factor)) => write!(f, "{} {unit}", self.0 / factor),
            None => self.0.fmt(f),
        }
    }
}

impl Value for ByteSize {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        if let Some(text) = value.as_str() {
            return parse_size(text)
                .map(Self)
                .ok_or_else(|| Fault::new(format!("\"{text}\" is no size"), SIZE_MEND));
        }
        if !value.is_integer() {
            return Err(Fault::of_type(value, "a number of octets", SIZE_MEND));
        }
        u64::read(value).map(Self)
    }

    fn write(&self) -> String {
        if UNITS.iter().any(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor)) {
            format!("\"{self}\"")
        } else {
            self.0.to_string()
        }
    }

    fn magnitude(&self) -> Option<u64> {
        Some(self.0)
    }
}

const SIZE_MEND: &str =
    "write octets as a whole number, or with a unit: 1048576, \"64 KiB\", \"50 MiB\", \"2 GiB\"";
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

fn parse_size(text: &str) -> Option<u64> {
    let (number, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or((text, 1));
    let number = number.trim_end();
    if !number.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub u64);

impl Seconds {
    /// For timers.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl Value for Seconds {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        u64::read(value).map(Self)
    }

    fn write(&self) -> String {
        self.0.to_string()
    }

    fn magnitude(&self) -> Option<u64> {
        Some(self.0)
    }
}

/// The name that the server gives itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HostName {
    /// That of the system.
    #[default]
    System,
    /// This one.
    Named(Domain),
}

impl HostName {
    /// The name itself; `localhost` where the system's is no domain name.
    #[must_use]
    pub fn domain(&self) -> Domain {
        match self {
            Self::Named(domain) => domain.clone(),
            Self::System => system_name().unwrap_or_else(localhost),
        }
    }
}

fn system_name() -> Option<Domain> {
    rustix::system::uname().nodename().to_str().ok()?.parse().ok()
}

fn localhost() -> Domain {
    // A literal that the address tests read.
    #[allow(clippy::expect_used, reason = "`localhost` is a domain name")]
    "localhost".parse().expect("localhost is a domain name")
}

impl Value for HostName {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        match value.as_str() {
            Some("") => Ok(Self::System),
            _ => Domain::read(value).map(Self::Named),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::System => "\"\"".to_owned(),
            Self::Named(domain) => domain.write(),
        }
    }
}

impl Value for Domain {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write a domain name, for example \"example.org\"";
        let text = value.as_str().ok_or_else(|| Fault::of_type(value, "a domain name", MEND))?;
        text.parse().map_err(|error| Fault::new(format!("{text:?}: {error}"), MEND))
    }

    fn write(&self) -> String {
        quoted(self.as_str())
    }
}

/// A domain that may be left out.
impl Value for Option<Domain> {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        match value.as_str() {
            Some("") => Ok(None),
            _ => Domain::read(value).map(Some),
        }
    }

    fn write(&self) -> String {
        self.as_ref().map_or_else(|| "\"\"".to_owned(), Domain::write)
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        let array = value
            .as_array()
            .ok_or_else(|| Fault::of_type(value, "a list", "put it in brackets: [\"…\", \"…\"]"))?;
        array.iter().map(|item| T::read(item.get_ref())).collect()
    }

    fn write(&self) -> String {
        format!("[{}]", self.iter().map(Value::write).collect::<Vec<_>>().join(", "))
    }
}

impl Value for PathBuf {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write a path, for example \"/var/lib/posta\"";
        match value.as_str() {
            None => Err(Fault::of_type(value, "a path", MEND)),
            Some("") => Err(Fault::new("the path is empty", MEND)),
            Some(text) => Ok(Self::from(text)),
        }
    }

    fn write(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

/// A file, or none where the path is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OptionalFile(pub Option<PathBuf>);

impl Value for OptionalFile {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        match value.as_str() {
            Some("") => Ok(Self(None)),
            _ => PathBuf::read(value).map(|path| Self(Some(path))),
        }
    }

    fn write(&self) -> String {
        self.0.as_ref().map_or_else(|| quoted(""), Value::write)
    }
}

/// Text, which may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(pub String);

impl Value for Text {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write text in quotes, on one line";
        match value.as_str() {
            None => Err(Fault::of_type(value, "text", MEND)),
            Some(text) if text.chars().any(char::is_control) => {
                Err(Fault::new("the text holds control characters", MEND))
            }
            Some(text) => Ok(Self(text.to_owned())),
        }
    }

    fn write(&self) -> String {
        quoted(&self.0)
    }
}

impl Value for u16 {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        Self::try_from(u64::read(value)?)
            .map_err(|_| Fault::new("this is out of range", "write a whole number up to 65535"))
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn magnitude(&self) -> Option<u64> {
        Some((*self).into())
    }
}

impl Value for u64 {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write a whole number without quotes, for example 300";
        let integer = value.as_integer().ok_or_else(|| Fault::of_type(value, "a whole number", MEND))?;
        Self::from_str_radix(integer.as_str(), integer.radix())
            .map_err(|_| Fault::new(format!("{integer} is out of range"), "write a whole number from 0 up"))
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn magnitude(&self) -> Option<u64> {
        Some(*self)
    }
}

impl Value for usize {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        Self::try_from(u64::read(value)?)
            .map_err(|_| Fault::new("this is too large for the machine", "write a smaller number"))
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn magnitude(&self) -> Option<u64> {
        u64::try_from(*self).ok()
    }
}

/// Whether a session may end its lines in bare LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HandTypedLf {
    /// Only CRLF ends a line (RFC 5321 §2.3.8).
    #[default]
    Refused,
    /// Deviation: `nc` and people who learn SMTP with it. A session whose very first line ends in bare LF is
    /// taken as typed by hand.
    Allowed,
}

impl Value for HandTypedLf {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        match value.as_bool() {
            Some(true) => Ok(Self::Allowed),
            Some(false) => Ok(Self::Refused),
            None => Err(Fault::of_type(value, "true or false", "write true or false without quotes")),
        }
    }

    fn write(&self) -> String {
        (*self == Self::Allowed).to_string()
    }
}

/// Rights of a file, as `chmod` takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Value for FileMode {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write the rights as chmod takes them, for example \"0660\"";
        let text = value.as_str().ok_or_else(|| Fault::of_type(value, "rights in quotes", MEND))?;
        let is_octal =
            (3..=4).contains(&text.len()) && text.bytes().all(|octet| (b'0'..=b'7').contains(&octet));
        match u32::from_str_radix(text, 8) {
            Ok(mode) if is_octal && mode <= 0o777 => Ok(Self(mode)),
            _ => Err(Fault::new(format!("{text:?} are no rights of a file"), MEND)),
        }
    }

    fn write(&self) -> String {
        quoted(&format!("{:04o}", self.0))
    }
}

/// As a string of TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
