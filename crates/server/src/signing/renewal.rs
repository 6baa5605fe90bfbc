//! What had to be converted on its way out is another message than was signed (RFC 6376 §5.3): it is signed anew, and where that
//! cannot be, it goes without a signature rather than with a broken one.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use mailauth::Field;
use mailauth::arc::OwnSet;
use mailauth::dkim::Description;
use types::{Domain, Timestamp};

use super::making::{Made, Recipe, Work};
use super::whose::Signatory;
use super::{Content, Found};
use crate::shared::Shared;

/// An item with signatures of ours.
#[derive(Clone)]
pub(crate) struct Renewal {
    shared: Weak<Shared>,
    /// Octets on top of the message that are the item's own.
    own_len: usize,
}

/// A message as it goes now.
pub(crate) struct Renewed {
    pub(crate) octets: Vec<u8>,
    /// For the trace.
    pub(crate) note: String,
}

/// What is taken off, and what is to stand in its place.
struct Stale {
    bare: Vec<u8>,
    domains: Vec<String>,
    set: Option<OwnSet>,
}

impl Renewal {
    /// For an item with that header; none where nothing in it is a signature.
    pub(crate) fn of(shared: &Weak<Shared>, header: &Bytes) -> Option<Self> {
        let is_signed = mailauth::fields(header).iter().any(is_ours);
        is_signed.then(|| Self { shared: Weak::clone(shared), own_len: header.len() })
    }

    /// Signs the message, which is another one by now, as it was signed before.
    ///
    /// # Errors
    /// A fault of ours, by which the message is lost here.
    pub(crate) async fn sign(&self, octets: Vec<u8>) -> Result<Renewed, String> {
        let Stale { bare, domains, set } = take_off(&octets, self.own_len);
        drop(octets);
        let without = |bare, why: &str| {
            let note =
                format!("its signatures do not fit any more after the conversion, and were taken off: {why}");
            Ok(Renewed { octets: bare, note })
        };
        let Some(shared) = self.shared.upgrade() else { return without(bare, "the node is over") };
        let mut signatories = Vec::new();
        for domain in &domains {
            signatories.extend(signatory(&shared, domain).await);
        }
        let seal = match &set {
            Some(set) => signatory(&shared, &set.domain).await,
            None => None,
        };
        if signatories.is_empty() && seal.is_none() {
            shared.metrics.signed("dkim", "taken_off");
            return without(bare, "there are no keys to sign it anew");
        }
        let recipe = Recipe { above: Bytes::new(), signatories, seal };
        let found = set.map(|OwnSet { results, verdict, .. }| Found { results, chain: verdict });
        let expire_s = shared.config.signing.expire_s.duration().as_secs();
        let signed = shared.signing.elsewhere({
            let now = shared.now();
            move || put_on(bare, recipe, found, now, expire_s)
        });
        let (octets, made) = signed.await.ok_or_else(|| "signing it anew failed".to_owned())?;
        Ok(tell(&shared, octets, made))
    }
}

fn tell(shared: &Arc<Shared>, octets: Vec<u8>, made: Made) -> Renewed {
    for (method, result) in made.counts {
        shared.metrics.signed(method, result);
    }
    let notes: Vec<_> = made.notes.into_iter().map(|(_, what)| what).collect();
    Renewed { octets, note: format!("after the conversion {}", notes.join("; ")) }
}

fn put_on(
    bare: Vec<u8>,
    recipe: Recipe,
    found: Option<Found>,
    now: Timestamp,
    expire_s: u64,
) -> (Vec<u8>, Made) {
    let content = Content::of(&bare);
    let work = Work { content, recipes: vec![recipe], found, now, expire_s };
    let made = work.make().pop().unwrap_or_default();
    ([made.fields.as_bytes(), &bare].concat(), made)
}

/// A domain that has signed before, where it still has keys.
async fn signatory(shared: &Shared, domain: &str) -> Option<Signatory> {
    let domain: Domain = domain.parse().ok()?;
    let keys = shared.signing_keys.of(shared, &domain).await.ok()?;
    (!keys.is_empty()).then_some(Signatory { domain, keys })
}

fn take_off(octets: &[u8], own_len: usize) -> Stale {
    let (own, rest) = octets.split_at(own_len.min(octets.len()));
    let own = mailauth::fields(own);
    let mut domains: Vec<String> = Vec::new();
    for description in own.iter().filter(|field| field.is("DKIM-Signature")) {
        let domain = Description::read(description).map(|description| description.domain);
        if let Ok(domain) = domain
            && !domains.contains(&domain)
        {
            domains.push(domain);
        }
    }
    let has_set = own.iter().any(|field| field.is("ARC-Seal"));
    let set = has_set.then(|| OwnSet::newest(&mailauth::fields(octets))).flatten();
    let kept = own.iter().filter(|field| !is_ours(field)).map(|field| field.raw);
    let bare = kept.chain([rest]).flatten().copied().collect();
    Stale { bare, domains, set }
}

/// Whether a field of an item's own header is one that signs.
fn is_ours(field: &Field<'_>) -> bool {
    ["DKIM-Signature", "ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"]
        .iter()
        .any(|name| field.is(name))
}
