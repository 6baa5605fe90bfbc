//! From a file to a [`Config`].

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;

use super::auth;
use super::findings::{Findings, InvalidConfig};
use super::listener::{self, default_listeners};
use super::section::Section;
use super::sections::{Certificate, Listener, Machine};
use super::{CertificateSource, Config, Mode, Recipients, outbound, reputation, transport};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {error}", path.display())]
    #[diagnostic(help("`posta config sample > FILE` writes one to begin with"))]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file has faults.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Invalid(#[from] Box<InvalidConfig>),
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`], with all faults of the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        Ok(Self::parse(&path.display().to_string(), &text)?)
    }

    /// Reads the content `text` of the file `name`.
    ///
    /// # Errors
    /// All faults of the text.
    pub fn parse(name: &str, text: &str) -> Result<Self, Box<InvalidConfig>> {
        let mut findings = Findings::default();
        let (root, syntax_errors) = DeTable::parse_recoverable(text);
        for error in syntax_errors {
            findings.add(error.span().unwrap_or(0..0), error.message(), "");
        }
        // What was recovered behind a syntax error is a guess: complaints about it would mislead.
        if findings.is_empty() {
            let config = assemble(root.get_ref(), &mut findings);
            if findings.is_empty() {
                return Ok(config);
            }
        }
        Err(Box::new(findings.into_error(name, text)))
    }
}

const TABLES: &[&str] = &[
    "listener",
    "certificate",
    "tls",
    "smtp",
    "submission",
    "policy",
    "authenticity",
    "dkim",
    "signing",
    "forwarding",
    "dnsbl",
    "reputation",
    "greylisting",
    "queue",
    "delivery",
    "dns",
    "transport",
    "auth",
    "oauth",
    "imap",
    "pop3",
    "mailboxes",
    "limits",
    "store",
    "trace",
    "log",
];

fn assemble(root: &DeTable<'_>, findings: &mut Findings) -> Config {
    let machine = Machine::read(root, TABLES, findings);
    let certificates = certificates(root, findings);
    outbound::check(root, findings);
    Config {
        mode: Mode::Production,
        host_name: machine.host_name.domain(),
        data: machine.data,
        recipients: Recipients::Domains(machine.domains),
        listeners: listeners(root, !certificates.is_empty(), findings),
        certificates: CertificateSource::Files(certificates),
        tls: table(root, "tls", findings),
        smtp: table(root, "smtp", findings),
        submission: table(root, "submission", findings),
        policy: table(root, "policy", findings),
        authenticity: table(root, "authenticity", findings),
        dkim: table(root, "dkim", findings),
        signing: table(root, "signing", findings),
        forwarding: table(root, "forwarding", findings),
        dnsbl: reputation::lists(root, findings),
        reputation: table(root, "reputation", findings),
        greylisting: table(root, "greylisting", findings),
        queue: table(root, "queue", findings),
        delivery: table(root, "delivery", findings),
        dns: table(root, "dns", findings),
        transports: transport::rules(root, findings),
        auth: table(root, "auth", findings),
        oauth: auth::issuers(root, findings),
        imap: table(root, "imap", findings),
        pop3: table(root, "pop3", findings),
        mailboxes: table(root, "mailboxes", findings),
        limits: table(root, "limits", findings),
        store: table(root, "store", findings),
        trace: table(root, "trace", findings),
        log: table(root, "log", findings),
    }
}

fn table<S: Section>(root: &DeTable<'_>, name: &str, findings: &mut Findings) -> S {
    let Some(value) = root.get(name) else { return S::default() };
    let Some(table) = value.get_ref().as_table() else {
        findings.add(
            value.span(),
            format!("`{name}` is a table"),
            format!("write [{name}] on a line of its own"),
        );
        return S::default();
    };
    S::read(table, &[], findings)
}

fn listeners(root: &DeTable<'_>, has_certificate: bool, findings: &mut Findings) -> Vec<Listener> {
    const MEND: &str = "write [[listener]] on a line of its own, once for each address";
    let Some(value) = root.get("listener") else { return default_listeners(has_certificate) };
    let Some(array) = value.get_ref().as_array() else {
        findings.add(value.span(), "`listener` is a list of tables", MEND);
        return Vec::new();
    };
    let mut listeners: Vec<Listener> = Vec::new();
    for value in array.iter() {
        let Some(table) = value.get_ref().as_table() else {
            findings.add(value.span(), "`listener` is a list of tables", MEND);
            continue;
        };
        let listener = listener::read(value, table, findings);
        let is_taken =
            |other: &Listener| other.address == listener.address && other.address.port() != Some(0);
        if table.contains_key("address") && listeners.iter().any(is_taken) {
            let span = table.get("address").map_or(value.span(), Spanned::span);
            findings.add(span, format!("two listeners on {}", listener.address), "give each its own address");
        }
        listeners.push(listener);
    }
    listeners
}

fn certificates(root: &DeTable<'_>, findings: &mut Findings) -> Vec<Certificate> {
    const MEND: &str = "write [[certificate]] on a line of its own, once for each certificate";
    let Some(value) = root.get("certificate") else { return Vec::new() };
    let Some(array) = value.get_ref().as_array() else {
        findings.add(value.span(), "`certificate` is a list of tables", MEND);
        return Vec::new();
    };
    let mut certificates = Vec::new();
    for value in array.iter() {
        let Some(table) = value.get_ref().as_table() else {
            findings.add(value.span(), "`certificate` is a list of tables", MEND);
            continue;
        };
        for key in ["certificate", "key"] {
            if !table.contains_key(key) {
                let what = format!("the certificate has no `{key}`");
                findings.add(value.span(), what, format!("add a line {key} = \"FILE.pem\""));
            }
        }
        certificates.push(Certificate::read(table, &[], findings));
    }
    certificates
}
