//! How users prove who they are.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use sasl::Mechanism;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::Findings;
use super::section::{Section, sections};
use super::value::{Fault, Seconds, Value, quoted};

sections! {
    /// How users prove who they are, on submission and POP3 (docs/authentication.md).
    struct Auth {
        /// Mechanisms, in the order in which they are offered. Those that send a secret in clear are offered within TLS
        /// alone, those that end in `-PLUS` too; OAUTHBEARER and XOAUTH2 where there is an `[[oauth]]`. CRAM-MD5 is
        /// for accounts that keep their password readable.
        mechanisms: Vec<Mechanism> =
            Mechanism::ALL.into_iter().filter(|mechanism| *mechanism != Mechanism::CramMd5).collect();
        /// Passwords that are checked at one time; each takes some tens of milliseconds of one processor and 19 MiB.
        hashing_concurrency_max: usize = 2, min 1, "";
        /// Logins to one account from one network (24 bits of IPv4, 64 of IPv6) that may fail until further ones are
        /// refused without being looked at. Nobody else is locked out by them.
        account_failures_max: usize = 10, min 3, "RFC 4954 §9";
        /// Seconds after which one of them is forgotten.
        account_failure_forgotten_s: Seconds = Seconds(300), min 1, "";
        /// Logins from one network (24 bits of IPv4, 48 of IPv6) that may fail, whatever the account.
        network_failures_max: usize = 100, min 3, "RFC 4954 §9";
        /// Seconds after which one of them is forgotten.
        network_failure_forgotten_s: Seconds = Seconds(15), min 1, "";
    }

    /// One issuer of tokens (OAuth 2, OpenID Connect) for the mechanisms OAUTHBEARER and XOAUTH2; as many of these
    /// tables as are wanted. Tokens are signed JSON Web Tokens (RFC 7519).
    struct Oauth {
        /// Its name, as tokens have it in `iss`.
        issuer: String = "https://login.example.org".to_owned();
        /// The name of this server with it, as tokens have it in `aud`.
        audience: String = "mail".to_owned();
        /// Its keys (RFC 7517): a file, or a URL that begins with `https://`; `http://` on a loopback address alone.
        jwks: JwksSource = JwksSource::File(PathBuf::from("/etc/posta/jwks.json"));
        /// Which claim names the account.
        account_claim: String = "email".to_owned();
    }
}

/// Where the keys of an issuer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksSource {
    /// In a file.
    File(PathBuf),
    /// Where HTTP has them.
    Url(String),
}

impl fmt::Display for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => url.fmt(f),
        }
    }
}

impl Value for JwksSource {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write a file, or a URL that begins with https://";
        match value.as_str() {
            Some(url) if url.starts_with("https://") => Ok(Self::Url(url.to_owned())),
            Some(url) if url.starts_with("http://") => {
                let what = "keys that come without TLS are anybody's";
                if is_loopback(url) { Ok(Self::Url(url.to_owned())) } else { Err(Fault::new(what, MEND)) }
            }
            Some(text) if text.contains("://") => {
                Err(Fault::new(format!("{text:?} is no URL for keys"), MEND))
            }
            _ => PathBuf::read(value).map(Self::File),
        }
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }
}

/// Whether a URL of HTTP leads to an IP address of this machine.
fn is_loopback(url: &str) -> bool {
    let authority = url.strip_prefix("http://").and_then(|rest| rest.split(['/', '?', '#']).next());
    let Some(authority) = authority else { return false };
    // A port follows the last colon that is not within the brackets of IPv6.
    let host = authority
        .rsplit_once(':')
        .filter(|(_, port)| !port.contains(']'))
        .map_or(authority, |(host, _)| host);
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Value for Mechanism {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        let names = Self::ALL.map(Self::name).join("\", \"");
        let mend = format!("write one of \"{names}\"");
        let text = value.as_str().ok_or_else(|| Fault::of_type(value, "a mechanism", &mend))?;
        Self::named(text)
            .ok_or_else(|| Fault::new(format!("{text:?} is no mechanism that is spoken here"), mend))
    }

    fn write(&self) -> String {
        quoted(self.name())
    }
}

impl Value for String {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write text in quotes";
        match value.as_str() {
            None => Err(Fault::of_type(value, "text", MEND)),
            Some("") => Err(Fault::new("the text is empty", MEND)),
            Some(text) => Ok(text.to_owned()),
        }
    }

    fn write(&self) -> String {
        quoted(self)
    }
}

/// All `[[oauth]]` tables.
pub(super) fn issuers(root: &DeTable<'_>, findings: &mut Findings) -> Vec<Oauth> {
    const MEND: &str = "write [[oauth]] on a line of its own, once for each issuer";
    let Some(value) = root.get("oauth") else { return Vec::new() };
    let Some(array) = value.get_ref().as_array() else {
        findings.add(value.span(), "`oauth` is a list of tables", MEND);
        return Vec::new();
    };
    let mut issuers: Vec<Oauth> = Vec::new();
    for value in array.iter() {
        let Some(table) = value.get_ref().as_table() else {
            findings.add(value.span(), "`oauth` is a list of tables", MEND);
            continue;
        };
        for key in ["issuer", "audience", "jwks"] {
            if !table.contains_key(key) {
                findings.add(
                    value.span(),
                    format!("the issuer has no `{key}`"),
                    format!("add a line {key} = \"…\""),
                );
            }
        }
        let issuer = Oauth::read(table, &[], findings);
        if table.contains_key("issuer") && issuers.iter().any(|other| other.issuer == issuer.issuer) {
            let span = table.get("issuer").map_or(value.span(), Spanned::span);
            findings.add(span, format!("{:?} is there twice", issuer.issuer), "remove one of the two");
        }
        issuers.push(issuer);
    }
    issuers
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let error = Config::parse("posta.toml", text).expect_err(text);
        error.findings().map(|(_, finding)| finding.what.clone()).collect()
    }

    #[test]
    fn mechanisms_and_issuers_are_read() {
        let text = r#"
            [auth]
            mechanisms = ["scram-sha-256", "PLAIN"]
            hashing_concurrency_max = 4
            [[oauth]]
            issuer = "https://login.example.org"
            audience = "mail"
            jwks = "https://login.example.org/keys"
            [[oauth]]
            issuer = "https://other.example.org"
            audience = "mail"
            jwks = "/etc/keys.json"
            account_claim = "sub"
        "#;
        let config = Config::parse("posta.toml", text).unwrap();
        assert_eq!(config.auth.mechanisms, [Mechanism::ScramSha256, Mechanism::Plain]);
        assert_eq!(config.auth.hashing_concurrency_max, 4);
        assert_eq!(config.oauth[0].jwks, JwksSource::Url("https://login.example.org/keys".into()));
        assert_eq!(config.oauth[0].account_claim, "email");
        assert_eq!(config.oauth[1].jwks, JwksSource::File("/etc/keys.json".into()));
        assert_eq!(config.oauth[1].account_claim, "sub");
        assert!(!Config::default().auth.mechanisms.contains(&Mechanism::CramMd5));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let rows = [
            ("[auth]\nmechanisms = [\"DIGEST-MD5\"]", "\"DIGEST-MD5\" is no mechanism that is spoken here"),
            ("[auth]\naccount_failures_max = 2", "`account_failures_max` must be at least 3 (RFC 4954 §9)"),
            ("[[oauth]]\naudience = \"a\"\njwks = \"b\"", "the issuer has no `issuer`"),
            ("[oauth]\nissuer = \"a\"", "`oauth` is a list of tables"),
        ];
        for (text, what) in rows {
            assert!(faults(text).iter().any(|found| found.contains(what)), "{text}: {:?}", faults(text));
        }
        let twice = "[[oauth]]\nissuer = \"a\"\naudience = \"m\"\njwks = \"b\"\n".repeat(2);
        assert_eq!(faults(&twice), ["\"a\" is there twice"]);
    }

    #[test]
    fn keys_come_with_tls_or_from_this_machine() {
        let jwks = |url: &str| {
            let text = format!("[[oauth]]\nissuer = \"a\"\naudience = \"m\"\njwks = \"{url}\"\n");
            Config::parse("posta.toml", &text).is_ok()
        };
        for url in
            ["https://a.example/keys", "http://127.0.0.1:8080/k", "http://[::1]/k", "http://[::1]:80/k"]
        {
            assert!(jwks(url), "{url}");
        }
        for url in [
            "http://a.example/keys",
            "http://127.0.0.1.example/k",
            "http://127.0.0.1@a.example/k",
            "http://localhost/k",
            "http://[2001:db8::1]/k",
            "ftp://a.example/k",
        ] {
            assert!(!jwks(url), "{url}");
        }
    }
}
