//! What the person gave: addresses, header fields and files, checked before anything is sent. No value can bring
//! a header field or a command of its own.

use std::io::Read;
use std::path::{Path, PathBuf};

use net::tls::TlsError;
use types::{AddressError, ForwardPath, Mailbox, ReversePath};

/// Why a message cannot be made of what was given.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum InputError {
    #[error("{text:?} is not an address: {error}")]
    #[diagnostic(help(
        "write it as user@example.org or 'Name <user@example.org>'; several with commas between them"
    ))]
    Address { text: String, error: AddressError },
    #[error("nobody to send to")]
    #[diagnostic(help("name a recipient with --to ADDRESS"))]
    NoRecipients,
    #[error("{what} holds a line break or another control character")]
    #[diagnostic(help("a line break here would begin a header field of its own; leave it out"))]
    ControlCharacter { what: String },
    #[error("{text:?} is not a header field")]
    #[diagnostic(help("write it as --header 'Name: value', the name of letters, digits and hyphens"))]
    Header { text: String },
    #[error("the name {text:?} is not one of a host")]
    #[diagnostic(help("write --helo as a domain name or an address literal such as [192.0.2.1]"))]
    Helo { text: String },
    #[error("cannot read {}", path.display())]
    #[diagnostic(help("check the name and the permissions of the file"))]
    File {
        path: PathBuf,
        #[source]
        error: std::io::Error,
    },
    #[error("TLS cannot be used: {0}")]
    #[diagnostic(help("check the file of --ca"))]
    Tls(#[source] TlsError),
    #[error("a login as {user:?} takes a password")]
    #[diagnostic(help("set POSTA_PASSWORD, or give the password by --password-stdin or --password"))]
    NoPassword { user: String },
    #[error("the standard input cannot be both the password and the message")]
    #[diagnostic(help("set POSTA_PASSWORD, or write --file or --body with something else than -"))]
    StdinTwice,
    #[error("the message holds a NUL, which text cannot")]
    #[diagnostic(help("send it with --binary, or attach the file with --attach"))]
    Nul,
}

/// An address as it stands in a header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedMailbox {
    pub(crate) name: Option<String>,
    pub(crate) path: ForwardPath,
}

/// Reads `address *("," address)`, each `user@host` or `Name <user@host>`.
pub(crate) fn addresses(texts: &[String]) -> Result<Vec<NamedMailbox>, InputError> {
    texts
        .iter()
        .flat_map(|text| split_at_commas(text))
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| {
            let (name, address) = split_name(text)?;
            let path = path(address).map_err(|error| InputError::Address { text: text.to_owned(), error })?;
            Ok(NamedMailbox { name, path })
        })
        .collect()
}

/// The sender; an empty text or `<>` is the null reverse-path, of reports.
pub(crate) fn sender(text: &str) -> Result<(Option<String>, ReversePath), InputError> {
    let text = text.trim();
    if text.is_empty() || text == "<>" {
        return Ok((None, ReversePath::Null));
    }
    let (name, address) = split_name(text)?;
    let mailbox = address.parse().map_err(|error| InputError::Address { text: text.to_owned(), error })?;
    Ok((name, ReversePath::Mailbox(mailbox)))
}

/// `Name: value`, the name of RFC 5322 §2.2.
pub(crate) fn header(text: &str) -> Result<(String, String), InputError> {
    let malformed = || InputError::Header { text: text.to_owned() };
    let (name, value) = text.split_once(':').ok_or_else(malformed)?;
    if name.is_empty() || !name.bytes().all(|b| matches!(b, 33..=126)) {
        return Err(malformed());
    }
    let value = value.trim();
    no_control(value, || format!("the header field {name}"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Refuses text with control characters.
pub(crate) fn no_control(text: &str, what: impl FnOnce() -> String) -> Result<(), InputError> {
    if text.chars().any(char::is_control) {
        return Err(InputError::ControlCharacter { what: what() });
    }
    Ok(())
}

/// The octets of a file, or of standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, InputError> {
    let octets = if path == Path::new("-") {
        let mut octets = Vec::new();
        std::io::stdin().lock().read_to_end(&mut octets).map(|_| octets)
    } else {
        std::fs::read(path)
    };
    octets.map_err(|error| InputError::File { path: path.to_owned(), error })
}

/// Ends each line in CRLF, whether it ended in CRLF, LF or CR, so that nothing is left that a server could take
/// for the end of the message (RFC 5321 §2.3.8).
pub(crate) fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 32 + 2);
    let mut octets = text.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' | b'\n' => {
                out.extend_from_slice(b"\r\n");
                if octet == b'\r' {
                    let _lf = octets.next_if_eq(&b'\n');
                }
            }
            octet => out.push(octet),
        }
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn path(address: &str) -> Result<ForwardPath, AddressError> {
    if address.eq_ignore_ascii_case("postmaster") {
        return Ok(ForwardPath::Postmaster);
    }
    address.parse::<Mailbox>().map(ForwardPath::Mailbox)
}

/// `Name <address>`, `<address>` or `address`.
fn split_name(text: &str) -> Result<(Option<String>, &str), InputError> {
    let Some((name, address)) = text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) else {
        return Ok((None, text));
    };
    let name = name.trim();
    no_control(name, || "the name before an address".to_owned())?;
    let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')).unwrap_or(name);
    Ok(((!name.is_empty()).then(|| name.to_owned()), address))
}

/// Commas in a quoted string part nothing.
fn split_at_commas(text: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|c| {
        let is_end = c == ',' && !quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        is_end
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Result<Vec<String>, InputError> {
        Ok(addresses(&[text.to_owned()])?.iter().map(|a| format!("{:?} {}", a.name, a.path)).collect())
    }

    #[test]
    fn addresses_are_parted_at_commas_outside_quotes() {
        assert_eq!(
            texts("a@b.example, \"x,y\"@b.example,Ada L <ada@b.example>, \"L, Ada\" <l@b.example>,").unwrap(),
            [
                "None <a@b.example>",
                "None <\"x,y\"@b.example>",
                "Some(\"Ada L\") <ada@b.example>",
                "Some(\"L, Ada\") <l@b.example>"
            ]
        );
        assert_eq!(texts("postmaster").unwrap(), ["None <Postmaster>"]);
    }

    #[test]
    fn a_line_break_in_a_value_is_refused() {
        for text in ["a@b\r\nRCPT TO:<c@d>", "A\nBcc: x@y <a@b.example>", "a@b.example>\r\n<c@d"] {
            assert!(texts(text).is_err(), "{text:?}");
        }
        for text in ["X: a\r\nBcc: b", "X: a\nb", "X: a\0", "X Y: a", ": a", "X", "Ü: a", "X\r\nY: a"] {
            assert!(header(text).is_err(), "{text:?}");
        }
        assert_eq!(header("X-A:  b: ü ").unwrap(), ("X-A".to_owned(), "b: ü".to_owned()));
    }

    #[test]
    fn every_line_end_becomes_crlf() {
        let rows: [(&[u8], &[u8]); 8] = [
            (b"", b""),
            (b"a", b"a\r\n"),
            (b"a\n.\nb\n", b"a\r\n.\r\nb\r\n"),
            (b"a\r\n.\r\n", b"a\r\n.\r\n"),
            (b"a\r.\rb", b"a\r\n.\r\nb\r\n"),
            (b"\n\r", b"\r\n\r\n"),
            (b"a\r\r\n", b"a\r\n\r\n"),
            (b"a\n\r\nb", b"a\r\n\r\nb\r\n"),
        ];
        for (text, expected) in rows {
            assert_eq!(with_crlf(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_null_sender_is_an_empty_text_or_empty_brackets() {
        assert_eq!(sender("").unwrap().1, ReversePath::Null);
        assert_eq!(sender("<>").unwrap().1, ReversePath::Null);
        assert_eq!(sender("Ada <ada@b.example>").unwrap().0.as_deref(), Some("Ada"));
        assert!(sender("ada").is_err());
    }
}
