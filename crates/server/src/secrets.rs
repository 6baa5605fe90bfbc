//! The master key of a data folder: what seals the secrets that the store keeps, and from which other keys are derived.
//!
//! It is a file beside the store, so that a copy of the store alone gives nobody a private key. It may be a symbolic link to
//! where secrets are kept on the machine. Where it is lost, or another one is in its place, nothing breaks but what was sealed:
//! that is told where it is used, and has to be made again.
//!
//! Left out on purpose: protection from who may read the files of this user, which no file can give.

use std::fmt;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use net::files::{self, OWNER_ONLY};
use zeroize::Zeroizing;

/// Seals and opens secrets. Cheap to clone, nothing of it in `Debug`.
#[derive(Clone)]
pub struct Secrets(Zeroizing<[u8; KEY_BYTES]>);

/// Why there is no master key, or something cannot be opened with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read or made.
    #[error("cannot use the master key {}: {why}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Others than its owner may read it.
    #[error("others may read the master key {}: `chmod 600 {}` closes it to them", .0.display(), .0.display())]
    Exposed(PathBuf),
    /// It has not 32 octets.
    #[error("the master key {} has not {KEY_BYTES} octets: put the file back from a backup", .0.display())]
    Malformed(PathBuf),
    /// What is to be opened was sealed with another master key or for another purpose, or was changed.
    #[error("it was sealed with another master key, or is damaged")]
    Sealed,
    /// The library refused.
    #[error("sealing failed")]
    Failed,
}

const KEY_BYTES: usize = 32;
/// The first octet of what is sealed: how the rest is to be read.
const VERSION: u8 = 1;
/// What tells these keys from those of other programs (RFC 5869 §3.1).
const SALT: &[u8] = b"posta master key 1";
/// What the key that seals is derived for.
const SEALING: &str = "seal";

impl Secrets {
    /// In the data folder.
    pub const FILE: &str = "secret.key";

    /// The master key of a data folder; one is made where there is none.
    ///
    /// # Errors
    /// [`SecretError::File`], [`SecretError::Exposed`], [`SecretError::Malformed`].
    pub fn at(data: &Path) -> Result<Self, SecretError> {
        let path = data.join(Self::FILE);
        let failed = |why: &dyn fmt::Display| SecretError::File { path: path.clone(), why: why.to_string() };
        match std::fs::File::open(&path) {
            Ok(file) => Self::read(file, &path),
            // A link that leads nowhere is not replaced: what it led to may come back.
            Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {
                let mut octets = Zeroizing::new([0; KEY_BYTES]);
                getrandom::fill(&mut *octets).map_err(|error| failed(&error))?;
                files::replace(&path, &*octets, OWNER_ONLY).map_err(|error| failed(&error))?;
                tracing::info!(path = %path.display(), "a master key was made: keep a copy of it, apart from the store");
                Ok(Self(octets))
            }
            Err(error) => Err(failed(&error)),
        }
    }

    /// What a simulated node has in its place: nothing that is sealed with it is secret.
    pub(crate) fn passing() -> Self {
        Self(Zeroizing::new([0; KEY_BYTES]))
    }

    fn read(file: std::fs::File, path: &Path) -> Result<Self, SecretError> {
        let failed =
            |error: std::io::Error| SecretError::File { path: path.to_owned(), why: error.to_string() };
        if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(SecretError::Exposed(path.to_owned()));
        }
        let mut octets = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut octets).map_err(failed)?;
        let key = octets.as_slice().try_into().map_err(|_| SecretError::Malformed(path.to_owned()))?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// Seals octets (AES-256-GCM, RFC 5116 §5.2, with a random nonce). They are opened for the same purpose alone.
    ///
    /// # Errors
    /// [`SecretError::Failed`].
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, SecretError> {
        let mut octets = Zeroizing::new(plain.to_vec());
        octets.reserve_exact(AES_256_GCM.tag_len());
        let aad = Aad::from(purpose.as_bytes());
        let nonce = self.sealing_key()?.seal_in_place_append_tag(aad, &mut *octets);
        let nonce = nonce.map_err(|_| SecretError::Failed)?;
        Ok([&[VERSION][..], nonce.as_ref(), octets.as_slice()].concat())
    }

    /// Opens what was sealed for that purpose.
    ///
    /// # Errors
    /// [`SecretError::Sealed`], [`SecretError::Failed`].
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let (version, rest) = sealed.split_first().ok_or(SecretError::Sealed)?;
        let (nonce, octets) = rest.split_at_checked(NONCE_LEN).ok_or(SecretError::Sealed)?;
        if *version != VERSION {
            return Err(SecretError::Sealed);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SecretError::Sealed)?;
        let mut octets = Zeroizing::new(octets.to_vec());
        let opened = self.sealing_key()?.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut octets);
        let plain_bytes = opened.map_err(|_| SecretError::Sealed)?.len();
        octets.truncate(plain_bytes);
        Ok(octets)
    }

    /// A key for one purpose (HKDF-SHA256, RFC 5869). Keys for different purposes tell nothing of one another.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0; KEY_BYTES];
        let info = [purpose.as_bytes()];
        let filled = Salt::new(HKDF_SHA256, SALT)
            .extract(&*self.0)
            .expand(&info, KeyBytes)
            .and_then(|material| material.fill(&mut key));
        #[allow(clippy::expect_used, reason = "32 octets are far below the limit of RFC 5869 §2.3")]
        filled.expect("HKDF-SHA256 gives 8160 octets");
        key
    }

    fn sealing_key(&self) -> Result<RandomizedNonceKey, SecretError> {
        let key = Zeroizing::new(self.derive(SEALING));
        RandomizedNonceKey::new(&AES_256_GCM, &*key).map_err(|_| SecretError::Failed)
    }
}

/// Without the key.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// How long what is derived is.
#[derive(Debug, Clone, Copy)]
struct KeyBytes;

impl KeyType for KeyBytes {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_key_is_made_once_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let made = Secrets::at(folder.path()).unwrap();
        assert_eq!(made.0, Secrets::at(folder.path()).unwrap().0);
        assert_ne!(made.0, Secrets::at(tempfile::tempdir().unwrap().path()).unwrap().0);
        let path = folder.path().join(Secrets::FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o660] {
            set_mode(&path, mode);
            let refused = Secrets::at(folder.path()).unwrap_err();
            assert_eq!(refused, SecretError::Exposed(path.clone()));
            assert!(refused.to_string().contains("chmod 600"), "{refused}");
        }
        set_mode(&path, 0o400);
        assert!(Secrets::at(folder.path()).is_ok());
        set_mode(&path, 0o600);
        for wrong in [31, 33, 0] {
            std::fs::write(&path, vec![1; wrong]).unwrap();
            assert_eq!(Secrets::at(folder.path()).unwrap_err(), SecretError::Malformed(path.clone()));
        }
    }

    #[test]
    fn a_link_is_followed_and_one_that_leads_nowhere_is_left_alone() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path().join(Secrets::FILE);
        symlink(elsewhere.path().join("key"), &path).unwrap();
        assert!(matches!(Secrets::at(folder.path()), Err(SecretError::File { .. })));
        assert!(path.is_symlink());
        files::replace(&elsewhere.path().join("key"), &[7; KEY_BYTES], OWNER_ONLY).unwrap();
        assert_eq!(*Secrets::at(folder.path()).unwrap().0, [7; KEY_BYTES]);
    }

    #[test]
    fn what_is_sealed_is_opened_with_the_same_key_for_the_same_purpose_alone() {
        let (secrets, other) =
            (Secrets(Zeroizing::new([7; KEY_BYTES])), Secrets(Zeroizing::new([8; KEY_BYTES])));
        let plain = b"a private key that nobody reads";
        let sealed = secrets.seal("dkim a", plain).unwrap();
        assert_eq!(secrets.open("dkim a", &sealed).unwrap().as_slice(), plain);
        assert!(!sealed.windows(8).any(|part| plain.windows(8).any(|of_plain| part == of_plain)));
        assert_ne!(secrets.seal("dkim a", plain).unwrap(), sealed, "each has a nonce of its own");
        assert_eq!(secrets.open("dkim b", &sealed).unwrap_err(), SecretError::Sealed);
        assert_eq!(other.open("dkim a", &sealed).unwrap_err(), SecretError::Sealed);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(secrets.open("dkim a", &changed).unwrap_err(), SecretError::Sealed, "octet {at}");
            assert_eq!(
                secrets.open("dkim a", &sealed[..at]).unwrap_err(),
                SecretError::Sealed,
                "{at} octets"
            );
        }
    }

    #[test]
    fn derived_keys_stay_the_same_and_differ_by_purpose_and_by_master_key() {
        let secrets = Secrets(Zeroizing::new([7; KEY_BYTES]));
        assert_eq!(secrets.derive("srs"), secrets.derive("srs"));
        assert_ne!(secrets.derive("srs"), secrets.derive(SEALING));
        assert_ne!(secrets.derive("srs"), Secrets::passing().derive("srs"));
        assert_eq!(format!("{secrets:?}"), "Secrets(…)");
    }
}
