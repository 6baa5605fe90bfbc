//! `posta dkim verify`: each signature of a message in words, with the key of the DNS or one that is given.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use checkup::message::signatures::{Signature, verify};
use checkup::message::{Arrival, Given, Letter, Oddity};
use checkup::{Finding, Verdict, worst};
use clap::Args;
use mailauth::Texts;
use serde_json::json;
use types::dns::{Lookup, Validation};

use crate::check::ask::ask;
use crate::check::draw;
use crate::check::message::{read_file, titled};
use crate::check::outside::DnsArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal;
use crate::trace::draw::{Paint, width};
use crate::trace::now;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  posta dkim verify message.eml
  posta dkim verify - --record 'v=DKIM1; k=rsa; p=MIIB…' < message.eml
  posta dkim verify message.eml --key-file dkim-public.pem

The exit code is 0 where a signature passes, 1 where none does, and 75 where no key could be asked for.")]
pub(crate) struct VerifyArgs {
    /// The message, or - for the standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// The text of the key record, in place of what the DNS has for any selector
    #[arg(long, value_name = "TEXT", conflicts_with = "key_file")]
    record: Option<String>,
    /// A file with the text of the key record, or with the public key in PEM
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    dns: DnsArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &VerifyArgs) -> Outcome {
    let (octets, oddities) = Oddity::undo(read_file(&args.file)?);
    let letter = Letter::read(&octets, oddities);
    // A signature that was right when the message came has not become wrong by lying about.
    let at = Arrival::read(&letter, Given::default()).at.unwrap_or_else(now);
    let signatures = match record(args)? {
        Some(record) => {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime =
                runtime.map_err(|error| Failure::new(Exit::Internal, format_args!("no runtime: {error}")))?;
            let anywhere = Texts(|_: &str| Lookup::Records {
                records: vec![record.clone().into_bytes()],
                alias_of: None,
                validation: Validation::Insecure,
            });
            runtime.block_on(verify(&anywhere, &letter, at))
        }
        None => ask(&args.dns, async |outside| verify(outside, &letter, at).await)?,
    };
    let findings: Vec<Finding> = signatures.iter().map(|signature| signature.finding(&letter, at)).collect();
    if args.json {
        let values: Vec<_> =
            signatures.iter().zip(&findings).map(|(signature, finding)| value(signature, finding)).collect();
        terminal::print_json(&json!({ "judged_as_of": at.rfc5322(), "signatures": values }))?;
    } else {
        terminal::print(&page(&findings))?;
    }
    Ok(match () {
        () if signatures.iter().any(Signature::is_pass) => Exit::Success.into(),
        () if worst(&findings) == Verdict::Unknown => Exit::TryLater.into(),
        () => Exit::Failed.into(),
    })
}

fn page(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "The message has no DKIM signature.\n".to_owned();
    }
    let shown: Vec<Finding> = findings.iter().map(|finding| titled(finding, "")).collect();
    draw::findings(&shown, width(), Paint::of_stdout()).trim_start().to_owned()
}

fn value(signature: &Signature, finding: &Finding) -> serde_json::Value {
    let verified = &signature.verified;
    json!({
        "result": verified.result.keyword(),
        "domain": verified.domain,
        "selector": verified.selector,
        "algorithm": verified.algorithm.map(mailauth::dkim::Algorithm::keyword),
        "rsa_bits": verified.rsa_bits,
        "problem": verified.problem.as_ref().map(ToString::to_string),
        "fields": signature.description.as_ref().map(|description| &description.names),
        "body_octets": signature.body.as_ref().map(|(_, octets)| octets),
        "body_hash": signature.body.as_ref().map(|(hash, _)| STANDARD.encode(hash)),
        "signed_body_hash": signature.description.as_ref().map(|description| STANDARD.encode(&description.body_hash)),
        "details": finding.details,
        "mend": finding.mend,
    })
}

/// The key that was given.
fn record(args: &VerifyArgs) -> Result<Option<String>, Failure> {
    if args.record.is_some() {
        return Ok(args.record.clone());
    }
    let Some(path) = &args.key_file else { return Ok(None) };
    let text = String::from_utf8(read_file(path)?).unwrap_or_default();
    record_of(&text).map(Some).ok_or_else(|| {
        let help = "write the text of the record, such as v=DKIM1; k=rsa; p=…, or a key that begins with BEGIN PUBLIC KEY";
        Failure::with_help(Exit::BadInput, format_args!("{} is no public key", path.display()), help)
    })
}

/// A text as it stands in a zone, in quotes or not; or PEM, of which a key of Ed25519 is the last 32 octets (RFC 8410 §4).
fn record_of(text: &str) -> Option<String> {
    let text = text.trim();
    if text.contains("-----BEGIN ") {
        if !text.contains("PUBLIC KEY-----") {
            return None;
        }
        let base64: String = text.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(&base64).ok()?;
        return Some(match der.strip_prefix(ED25519_PREFIX) {
            Some(key) => format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(key)),
            None => format!("v=DKIM1; k=rsa; p={base64}"),
        });
    }
    // Of a line of a zone the strings count, one behind the other.
    let joined: String = match text.split('"').collect::<Vec<_>>()[..] {
        [_] => text.to_owned(),
        ref pieces => pieces.iter().skip(1).step_by(2).copied().collect(),
    };
    joined.contains("p=").then_some(joined)
}

/// `SEQUENCE { SEQUENCE { OID 1.3.101.112 } BIT STRING`
const ED25519_PREFIX: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_kept() {
        for (text, record) in [
            ("v=DKIM1; k=rsa; p=AAAA\n", Some("v=DKIM1; k=rsa; p=AAAA")),
            ("s._domainkey IN TXT ( \"v=DKIM1; k=rsa; \"\n \"p=AAAA\" )", Some("v=DKIM1; k=rsa; p=AAAA")),
            (
                "-----BEGIN PUBLIC KEY-----\nAA\nAA\n-----END PUBLIC KEY-----\n",
                Some("v=DKIM1; k=rsa; p=AAAA"),
            ),
            (
                "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
                // RFC 8410 §10.1.
                Some("v=DKIM1; k=ed25519; p=Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="),
            ),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", None),
            ("hello", None),
        ] {
            assert_eq!(record_of(text).as_deref(), record, "{text}");
        }
    }
}
