//! The function of RFC 7208 §4: what is checked, and what is made of its end.

use super::macros::{MacroString, Values};
use super::walk::{Verdict, Walk};
use super::{Client, EXPLANATION_BYTES_MAX, Identity, Names, Outcome, SpfResult};
use types::dns::Lookup;

/// Whether the client may use the identity (RFC 7208 §4).
pub async fn check_host(names: &dyn Names, client: &Client<'_>, identity: Identity<'_>) -> Outcome {
    let helo = client.helo;
    let (local_part, domain) = identified(identity, helo);
    // Domains are of the root as they are (§4.3), so that a dot at the end says nothing.
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let values = Values {
        sender_local: local_part,
        sender_domain: domain,
        domain,
        ip: client.ip.to_canonical(),
        validated_name: None,
        helo,
        receiver: client.receiver,
        now: client.now,
    };
    let mut walk = Walk::new(names, values);
    let verdict = walk.check(domain.to_owned(), 0).await;
    let explanation = match verdict.result {
        SpfResult::Fail => explain(&mut walk, &verdict).await,
        _ => None,
    };
    Outcome {
        result: verdict.result,
        domain: domain.to_owned(),
        problem: verdict.problem,
        mechanism: verdict.mechanism,
        explanation,
        lookup_terms: walk.lookup_terms.min(super::LOOKUP_TERMS_MAX),
        void_lookups: walk.void_lookups.min(super::VOID_LOOKUPS_MAX),
        walked: walk.walked,
    }
}

/// The local part and the domain that are checked (§2.3, §2.4, §4.3).
pub(super) fn identified<'a>(identity: Identity<'a>, helo: &'a str) -> (&'a str, &'a str) {
    match identity {
        Identity::Helo | Identity::MailFrom("") => (POSTMASTER, helo),
        Identity::MailFrom(path) => match path.rsplit_once('@') {
            Some(("", domain)) => (POSTMASTER, domain),
            Some((local_part, domain)) => (local_part, domain),
            None => (POSTMASTER, path),
        },
    }
}

/// What the domain has to say about a failure. Whatever goes wrong there, it has said nothing (§6.2).
async fn explain(walk: &mut Walk<'_>, verdict: &Verdict) -> Option<String> {
    let spec = verdict.explanation.as_ref()?;
    let name = walk.target(spec, &verdict.domain).await.ok()??;
    let Lookup::Records { records, .. } = walk.names.txt(&name).await else { return None };
    let [text] = &records[..] else { return None };
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= super::RECORD_BYTES_MAX)?;
    let string = MacroString::parse_explanation(text)?;
    let expanded = walk.expand(&string, &verdict.domain).await?;
    // What the client said is in it too, so it is looked at once more.
    let is_printable = expanded.bytes().all(|octet| octet.is_ascii_graphic() || octet == b' ');
    is_printable.then(|| expanded.chars().take(EXPLANATION_BYTES_MAX).collect())
}

const POSTMASTER: &str = "postmaster";
