//! Keys that are made, imported and opened.

use mailauth::dkim::{Algorithm, KeyError, SigningKey};
use store::{SealedSecret, StoredDkimKey};
use types::directory::{DkimAlgorithm, DkimKey, DkimKeyState};
use types::{Domain, Timestamp};
use zeroize::Zeroizing;

use crate::secrets::{SecretError, Secrets};

/// Why a key cannot be made, or opened again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyTrouble {
    /// What is sealed stays so.
    #[error("its private key cannot be opened: {0}")]
    Secret(#[from] SecretError),
    /// No key, or none that may sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No randomness, no thread.
    #[error("no key could be made: {0}")]
    Failed(String),
    /// What was opened is another key than the record says.
    #[error("its private key is another one than its record says")]
    Another,
}

/// What has to be done where a key of a domain cannot be opened.
pub(crate) fn mend(domain: &Domain) -> String {
    format!("put the file {} back from a backup, or `posta dkim rotate --now {domain}`", Secrets::FILE)
}

/// A new key. RSA takes a second of work at worst: not for a task that others wait for.
pub(crate) fn make(
    secrets: &Secrets,
    domain: &Domain,
    selector: String,
    algorithm: DkimAlgorithm,
    state: DkimKeyState,
    now: Timestamp,
) -> Result<StoredDkimKey, KeyTrouble> {
    let (key, secret) = match algorithm {
        DkimAlgorithm::RsaSha256 => {
            let (key, der) = SigningKey::generate_rsa()?;
            (key, Zeroizing::new(der))
        }
        DkimAlgorithm::Ed25519Sha256 => {
            let mut seed = Zeroizing::new([0; SEED_BYTES]);
            getrandom::fill(&mut *seed).map_err(|error| KeyTrouble::Failed(error.to_string()))?;
            (SigningKey::ed25519_from_seed(&seed)?, Zeroizing::new(seed.to_vec()))
        }
    };
    keep(secrets, &key, &secret, DkimPlace { domain, selector, state, now })
}

/// Where a key goes.
pub(crate) struct DkimPlace<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) selector: String,
    pub(crate) state: DkimKeyState,
    pub(crate) now: Timestamp,
}

/// A key from elsewhere, in PEM.
pub(crate) fn import(
    secrets: &Secrets,
    pem: &str,
    place: DkimPlace<'_>,
) -> Result<StoredDkimKey, KeyTrouble> {
    let (key, der) = SigningKey::from_pem(pem)?;
    keep(secrets, &key, &Zeroizing::new(der), place)
}

fn keep(
    secrets: &Secrets,
    key: &SigningKey,
    secret: &[u8],
    place: DkimPlace<'_>,
) -> Result<StoredDkimKey, KeyTrouble> {
    let DkimPlace { domain, selector, state, now } = place;
    let algorithm = match key.algorithm() {
        Algorithm::RsaSha256 => DkimAlgorithm::RsaSha256,
        Algorithm::Ed25519Sha256 => DkimAlgorithm::Ed25519Sha256,
    };
    let record = key.record().ok_or_else(|| KeyTrouble::Failed("its public key is not to be had".into()))?;
    let secret = SealedSecret::new(secrets.seal(&purpose(domain, &selector), secret)?);
    let key = DkimKey {
        domain: domain.clone(),
        selector,
        algorithm,
        state,
        record,
        created_at: now,
        changed_at: now,
    };
    Ok(StoredDkimKey { key, secret })
}

/// Opens a key that is kept.
pub(crate) fn open(secrets: &Secrets, stored: &StoredDkimKey) -> Result<SigningKey, KeyTrouble> {
    let purpose = purpose(&stored.key.domain, &stored.key.selector);
    let secret = secrets.open(&purpose, stored.secret.as_bytes())?;
    let key = match <&[u8; SEED_BYTES]>::try_from(secret.as_slice()) {
        Ok(seed) => SigningKey::ed25519_from_seed(seed)?,
        Err(_) => SigningKey::from_der(&secret)?,
    };
    if key.record().is_some_and(|record| record == stored.key.record) {
        Ok(key)
    } else {
        Err(KeyTrouble::Another)
    }
}

/// A sealed key is of no use for another domain or selector.
fn purpose(domain: &Domain, selector: &str) -> String {
    format!("dkim {selector} {}", domain.ascii())
}

/// A name that no key of the domain has or had: the algorithm, the day and the time (UTC), so that people see which one is which.
/// The name of a key that was removed must not come back: its record may be in the DNS yet, and in caches (RFC 6376 §3.1).
pub(crate) fn new_selector<'a>(
    algorithm: DkimAlgorithm,
    now: Timestamp,
    taken: impl Iterator<Item = &'a str> + Clone,
) -> String {
    let digits = |part: &str| part.replace(['-', ':'], "");
    let now = now.to_string();
    let (day, time) = now.split_once('T').unwrap_or_default();
    let (day, time) = (digits(day), digits(time.get(..8).unwrap_or_default()));
    let kind = match algorithm {
        DkimAlgorithm::RsaSha256 => "rsa",
        DkimAlgorithm::Ed25519Sha256 => "ed",
    };
    let first = format!("{kind}-{day}-{time}");
    let is_free = |name: &String| !taken.clone().any(|taken| taken == name);
    let mut names = std::iter::once(first.clone()).chain((2_u32..).map(|n| format!("{first}-{n}")));
    names.find(is_free).unwrap_or(first)
}

/// Of an Ed25519 key: its whole secret (RFC 8032 §5.1.5).
const SEED_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn domain() -> Domain {
        "example.org".parse().unwrap()
    }

    #[test]
    fn a_key_is_opened_again_with_its_master_key_and_at_its_own_place_alone() {
        let secrets = Secrets::passing();
        let now = Timestamp::from_millis(1_795_305_600_000);
        for algorithm in DkimAlgorithm::ALL {
            let made = make(&secrets, &domain(), "s".into(), algorithm, DkimKeyState::Active, now).unwrap();
            assert_eq!(made.key.algorithm, algorithm);
            let opened = open(&secrets, &made).unwrap();
            assert_eq!(opened.record().as_deref(), Some(made.key.record.as_str()));
            let folder = tempfile::tempdir().unwrap();
            let other = Secrets::at(folder.path()).unwrap();
            assert!(matches!(open(&other, &made), Err(KeyTrouble::Secret(SecretError::Sealed))));
            let mut moved = made.clone();
            moved.key.selector = "t".into();
            assert!(matches!(open(&secrets, &moved), Err(KeyTrouble::Secret(SecretError::Sealed))));
            let mut changed = made.clone();
            changed.key.record = "v=DKIM1; k=rsa; p=".into();
            assert!(matches!(open(&secrets, &changed), Err(KeyTrouble::Another)));
        }
    }

    #[test]
    fn what_is_kept_holds_nothing_of_the_key() {
        let seed = "-----BEGIN PRIVATE KEY-----\n\
                    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                    -----END PRIVATE KEY-----\n";
        let (domain, now) = (domain(), Timestamp::from_millis(0));
        let place = DkimPlace { domain: &domain, selector: "s".into(), state: DkimKeyState::Active, now };
        let kept = import(&Secrets::passing(), seed, place).unwrap();
        let secret = [0xd4, 0xee, 0x72, 0xdb];
        assert!(!kept.secret.as_bytes().windows(4).any(|part| part == secret));
        let shown = format!("{kept:?}{}", serde_json::to_string(&kept).unwrap());
        assert!(!shown.contains("1O5y2") && !shown.contains("TuctvR"), "{shown}");
    }

    #[test]
    fn a_selector_says_what_and_when_and_is_not_taken() {
        let now = Timestamp::from_millis(1_795_305_600_000 + 54_321_000);
        let name = |taken: &[&str]| new_selector(DkimAlgorithm::RsaSha256, now, taken.iter().copied());
        let first = name(&[]);
        assert_eq!(first, "rsa-20261122-150521");
        assert_eq!(name(&[&first]), "rsa-20261122-150521-2");
        assert_eq!(name(&[&first, "rsa-20261122-150521-2"]), "rsa-20261122-150521-3");
        let other = |later| new_selector(DkimAlgorithm::Ed25519Sha256, now.plus(later), [].into_iter());
        assert_eq!(other(Duration::ZERO), "ed-20261122-150521");
        // Where the first one was removed meanwhile, too.
        assert_eq!(other(Duration::from_secs(1)), "ed-20261122-150522");
    }
}
