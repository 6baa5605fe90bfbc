//! CAPABILITY (RFC 9051 §6.1.1): the truth, before and after TLS and login.

use super::{Compression, Config, Security};

/// In every state: what a client must know before it logs in.
const ALWAYS: &[&str] = &["IMAP4rev1", "IMAP4rev2", "LITERAL+", "SASL-IR", "ID", "ENABLE"];

/// Once somebody is logged in.
const LOGGED_IN: &[&str] = &[
    "IDLE",
    "NAMESPACE",
    "UNSELECT",
    "UIDPLUS",
    "MOVE",
    "MULTIAPPEND",
    "CATENATE",
    "REPLACE",
    "BINARY",
    "CHILDREN",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "LIST-MYRIGHTS",
    "LIST-METADATA",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "STATUS=SIZE",
    "ESEARCH",
    "SEARCHRES",
    "WITHIN",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "PARTIAL",
    "CONDSTORE",
    "QRESYNC",
    "NOTIFY",
    "UIDONLY",
    "INPROGRESS",
    "UTF8=ACCEPT",
    "OBJECTID",
    "SAVEDATE",
    "PREVIEW",
    "METADATA",
    "QUOTA",
    "QUOTA=RES-STORAGE",
];

/// What there is before the login.
pub(super) fn before_login(config: &Config, security: Security) -> Vec<String> {
    let mut names: Vec<String> = ALWAYS.iter().map(|name| (*name).to_owned()).collect();
    if config.tls.is_open(security) {
        names.push("STARTTLS".into());
    }
    if !config.plaintext.permits(security) {
        names.push("LOGINDISABLED".into());
    }
    names.extend(mechanisms(config, security).iter().map(|mechanism| format!("AUTH={mechanism}")));
    names
}

/// What there is after it. UNAUTHENTICATE would have to end compression, and is not offered within it.
pub(super) fn after_login(config: &Config, compressed: Compression) -> Vec<String> {
    let mut names: Vec<String> = ALWAYS.iter().chain(LOGGED_IN).map(|name| (*name).to_owned()).collect();
    names.push(format!("APPENDLIMIT={}", config.append_bytes_max));
    if compressed == Compression::None {
        names.push("UNAUTHENTICATE".into());
        if config.compression == Compression::Deflate {
            names.push("COMPRESS=DEFLATE".into());
        }
    }
    names
}

/// Mechanisms that are taken now.
pub(super) fn mechanisms(config: &Config, security: Security) -> &[String] {
    match security {
        Security::Clear => &config.mechanisms_clear,
        Security::Tls => &config.mechanisms_tls,
    }
}
