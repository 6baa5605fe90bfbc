//! Where a listener listens.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use super::value::{Fault, Value, quoted};

/// An IP address with a port, or a socket in the file system. As text `192.0.2.1:25`, `[2001:db8::1]:25`,
/// `unix:/run/posta/lmtp.sock`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ListenAddress {
    /// TCP. Port 0 takes any free port.
    Tcp(SocketAddr),
    /// A Unix domain socket.
    Unix(PathBuf),
}

/// Why a text is no [`ListenAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenAddressError {
    /// Neither an IP address with a port nor a socket.
    #[error("no IP address with a port, and no socket")]
    Malformed,
    /// An IP address alone.
    #[error("the address has no port")]
    NoPort(IpAddr),
    /// A socket without a whole path: it would be another one wherever the program is started.
    #[error("the path of a socket begins with a slash")]
    NoPath,
}

/// In front of the path of a socket.
const UNIX: &str = "unix:";

impl ListenAddress {
    /// The port, where there is one.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(address) => Some(address.port()),
            Self::Unix(_) => None,
        }
    }

    /// The IP address and port, where there are any.
    #[must_use]
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// Only this machine can connect.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        if let Some(path) = text.strip_prefix(UNIX) {
            let is_whole = path.starts_with('/') && !path.ends_with('/') && !path.contains('\0');
            return if is_whole { Ok(Self::Unix(path.into())) } else { Err(ListenAddressError::NoPath) };
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Tcp(address));
        }
        Err(text.parse().map_or(ListenAddressError::Malformed, ListenAddressError::NoPort))
    }
}

impl From<ListenAddress> for String {
    fn from(address: ListenAddress) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = ListenAddressError;

    fn try_from(text: String) -> Result<Self, ListenAddressError> {
        text.parse()
    }
}

impl Value for ListenAddress {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write IP address and port, for example \"0.0.0.0:25\" or \"[::1]:25\", or \"unix:/path/of/a.sock\"";
        let text = value.as_str().ok_or_else(|| Fault::of_type(value, "an address", MEND))?;
        text.parse().map_err(|error| match error {
            ListenAddressError::NoPort(ip) => {
                let mend = format!("write \"{}\"", SocketAddr::new(ip, 25));
                Fault::new(format!("\"{text}\" has no port"), mend)
            }
            ListenAddressError::Malformed => {
                Fault::new(format!("{text:?} is no IP address with a port"), MEND)
            }
            ListenAddressError::NoPath => Fault::new(format!("{text:?}: {error}"), MEND),
        })
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_was_read() {
        for text in ["127.0.0.1:25", "[::1]:25", "[2001:db8::1]:0", "unix:/run/posta/lmtp.sock"] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            let json = serde_json::to_string(&address).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<ListenAddress>(&json).unwrap(), address);
        }
    }

    #[test]
    fn an_address_without_a_port_and_a_socket_without_a_whole_path_are_none() {
        for (text, error) in [
            ("", ListenAddressError::Malformed),
            ("localhost:25", ListenAddressError::Malformed),
            ("127.0.0.1:65536", ListenAddressError::Malformed),
            ("::1", ListenAddressError::NoPort("::1".parse().unwrap())),
            ("127.0.0.1", ListenAddressError::NoPort("127.0.0.1".parse().unwrap())),
            ("unix:", ListenAddressError::NoPath),
            ("unix:lmtp.sock", ListenAddressError::NoPath),
            ("unix:/run/", ListenAddressError::NoPath),
            ("unix:/a\0b", ListenAddressError::NoPath),
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(error), "{text}");
        }
    }
}
