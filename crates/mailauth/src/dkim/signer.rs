//! Signatures that are made (RFC 6376 §5).

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use types::{Domain, Timestamp};

use super::HEADER_NAMES_MAX;
use super::canonical::{Bodies, BodyDigest, BodyForm, Canonicalization};
use super::crypto::{SigningKey, sha256};
use super::signature::{Index, append_without_signature, selector};
use crate::fields::Field;

/// Signs for a domain, relaxed/relaxed: what relays do to white space does no harm.
///
/// What is signed is what a reader sees and what decides how it is read; fields that come once are signed once more than they
/// are there, so that nobody can put another one on top (RFC 6376 §8.15). `Received`, `Return-Path` and the like, which change
/// on the way, are not (§5.4).
#[derive(Debug)]
pub struct Signer<'a> {
    domain: &'a Domain,
    selector: String,
    key: &'a SigningKey,
    valid_s: Option<u64>,
}

/// Why nothing is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// Not labels of letters, digits, hyphens and underscores.
    #[error("the selector is no name in the DNS")]
    Selector,
    /// RFC 6376 §5.4 wants From to be signed.
    #[error("the message has no From to sign")]
    NoFrom,
    /// RFC 6376 §8.15: readers would differ in whom they show, and the signature would vouch for all of them.
    #[error("the message has more than one From")]
    SeveralFrom,
    /// More than [`HEADER_NAMES_MAX`], which verifiers need not read.
    #[error("the message has too many fields to sign")]
    TooManyFields,
    /// The hasher had not the signer's form.
    #[error("the body was not hashed")]
    NoBody,
    /// The library refused.
    #[error("signing failed")]
    Failed,
}

impl<'a> Signer<'a> {
    /// The key is published at `selector._domainkey.domain`.
    ///
    /// # Errors
    /// Where the selector is none.
    pub fn new(domain: &'a Domain, selector_name: &str, key: &'a SigningKey) -> Result<Self, SignerError> {
        let selector = selector(selector_name).map_err(|_| SignerError::Selector)?;
        Ok(Self { domain, selector, key, valid_s: None })
    }

    /// The signature says that it ends after so many seconds (`x=`). Otherwise it says nothing of an end.
    #[must_use]
    pub const fn valid_for(mut self, seconds: u64) -> Self {
        self.valid_s = Some(seconds);
        self
    }

    /// Which hash of the body it needs.
    #[must_use]
    pub const fn form() -> BodyForm {
        BodyForm { canonicalization: Canonicalization::Relaxed, octets_max: None }
    }

    /// The field, with its name and line end, to put above the header section. `bodies` is of a
    /// [`BodyHasher`](super::BodyHasher) that had [`Self::form`].
    ///
    /// # Errors
    /// Where there is nothing to sign, or the library fails.
    pub fn sign(&self, fields: &[Field<'_>], bodies: &Bodies, now: Timestamp) -> Result<String, SignerError> {
        let body = bodies.digest(Self::form()).ok_or(SignerError::NoBody)?;
        let index = Index::new(fields);
        let names = names(&index, &[])?;
        let mut field = format!(
            "DKIM-Signature: v=1; a={}; c=relaxed/relaxed; d={};\r\n\ts={}; t={};",
            self.key.algorithm().keyword(),
            self.domain.ascii(),
            self.selector,
            now.seconds(),
        );
        if let Some(valid_s) = self.valid_s {
            field += &format!(" x={};", now.seconds().saturating_add(valid_s));
        }
        append_names_and_body(&names, body, &mut field);
        let mut signed = Vec::with_capacity(2048);
        index.append(&names, Canonicalization::Relaxed, &mut signed);
        completed(field, signed, self.key)
    }
}

/// `h=` and `bh=`.
pub(crate) fn append_names_and_body(names: &[String], body: &BodyDigest, field: &mut String) {
    field.push_str("\r\n\th=");
    append_folded(&names.join(":"), ':', field);
    let _ = write!(field, ";\r\n\tbh={};", STANDARD.encode(body.sha256.as_ref()));
}

/// A field whose tags are all there but `b=`, with it: over `signed` and the field itself (RFC 6376 §3.7). Its line end comes too.
pub(crate) fn completed(
    mut field: String,
    mut signed: Vec<u8>,
    key: &SigningKey,
) -> Result<String, SignerError> {
    field.push_str("\r\n\tb=");
    let own = format!("{field}\r\n");
    let own = crate::fields::fields(own.as_bytes());
    let own = own.first().ok_or(SignerError::Failed)?;
    append_without_signature(own, Canonicalization::Relaxed, &mut signed);
    let signature = key.sign(&sha256(&signed)).ok_or(SignerError::Failed)?;
    append_lines(&STANDARD.encode(signature), &mut field);
    field.push_str("\r\n");
    Ok(field)
}

/// What is signed of a header section that may be signed, and `more` as often as it is there.
pub(crate) fn names(index: &Index<'_>, more: &[&str]) -> Result<Vec<String>, SignerError> {
    match index.count("from") {
        0 => return Err(SignerError::NoFrom),
        1 => {}
        _ => return Err(SignerError::SeveralFrom),
    }
    let names = signed_names(index, more);
    if names.len() > HEADER_NAMES_MAX { Err(SignerError::TooManyFields) } else { Ok(names) }
}

/// Each field that is there, and those that nobody may add once more than they are there (RFC 6376 §8.15).
fn signed_names(index: &Index<'_>, more: &[&str]) -> Vec<String> {
    let times =
        |name: &&str, once_more| std::iter::repeat_n((*name).to_owned(), index.count(name) + once_more);
    let oversigned = OVERSIGNED.iter().flat_map(|name| times(name, 1));
    oversigned.chain(SIGNED.iter().chain(more).flat_map(|name| times(name, 0))).collect()
}

/// Breaks lines behind the mark.
fn append_folded(text: &str, mark: char, field: &mut String) {
    let mut column = 10;
    for part in text.split_inclusive(mark) {
        if column + part.len() > LINE_CHARACTERS {
            field.push_str("\r\n\t ");
            column = 9;
        }
        field.push_str(part);
        column += part.len();
    }
}

fn append_lines(base64: &str, field: &mut String) {
    let mut rest = base64;
    while let Some((line, after)) =
        rest.split_at_checked(LINE_CHARACTERS).filter(|(_, after)| !after.is_empty())
    {
        field.push_str(line);
        field.push_str("\r\n\t ");
        rest = after;
    }
    field.push_str(rest);
}

/// What a reader sees, and what decides how it is read: a second one is not to be added on the way.
const OVERSIGNED: &[&str] = &[
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];

/// Signed where they are there; lists and forwarders add them with good reason (RFC 6376 §5.4.1).
const SIGNED: &[&str] = &[
    "sender",
    "resent-from",
    "resent-sender",
    "resent-to",
    "resent-cc",
    "resent-date",
    "resent-message-id",
    "list-id",
    "list-help",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-subscribe",
    "list-post",
    "list-owner",
    "list-archive",
    "content-id",
    "content-description",
    "autocrypt",
];

const LINE_CHARACTERS: usize = 72;
