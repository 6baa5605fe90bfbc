//! A secret of the node: random, made at its first start, kept in its data folder, so that what is derived from it is
//! the same after a restart and told by nobody else.

use std::fmt;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use net::files::{self, OWNER_ONLY};
use sha2::Sha256;

/// The secret, from which keys are derived.
#[derive(Clone)]
pub(crate) struct NodeSecret([u8; SECRET_BYTES]);

const SECRET_BYTES: usize = 32;

impl NodeSecret {
    /// In the data folder.
    pub(crate) const FILE: &str = "secret";

    /// The one in the data folder; one is made where there is none.
    ///
    /// # Errors
    /// The file cannot be read or made, others may read it, or it holds something else.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let path = data.join(Self::FILE);
        match std::fs::File::open(&path) {
            Ok(file) => Self::read(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(&path),
            Err(error) => Err(error),
        }
    }

    /// What a simulated node has in its place: nothing that is derived from it is secret.
    pub(crate) const fn passing() -> Self {
        Self([0; SECRET_BYTES])
    }

    fn read(file: std::fs::File) -> io::Result<Self> {
        let unusable = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            return Err(unusable("others may read the secret: chmod 600 it"));
        }
        let mut octets = Vec::new();
        file.take(SECRET_BYTES as u64 + 1).read_to_end(&mut octets)?;
        octets.try_into().map(Self).map_err(|_| unusable("the secret has not 32 octets: remove it"))
    }

    fn make(path: &Path) -> io::Result<Self> {
        let mut octets = [0; SECRET_BYTES];
        getrandom::fill(&mut octets).map_err(io::Error::other)?;
        files::replace(path, &octets, OWNER_ONLY)?;
        Ok(Self(octets))
    }

    /// The key for one use. Keys of different uses tell nothing about one another (RFC 5869 §2.3).
    pub(crate) fn key(&self, usage: &str) -> [u8; 32] {
        // HMAC takes a key of any length.
        #[allow(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(usage.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// Without the secret.
impl fmt::Debug for NodeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let made = NodeSecret::open(folder.path()).unwrap();
        let found = NodeSecret::open(folder.path()).unwrap();
        assert_eq!(made.0, found.0);
        assert_ne!(made.0, NodeSecret::open(tempfile::tempdir().unwrap().path()).unwrap().0);
        let path = folder.path().join(NodeSecret::FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(NodeSecret::open(folder.path()).is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, [0; 31]).unwrap();
        assert!(NodeSecret::open(folder.path()).is_err());
    }

    #[test]
    fn keys_of_different_uses_differ_and_stay_the_same() {
        let secret = NodeSecret([7; SECRET_BYTES]);
        assert_eq!(secret.key("one"), secret.key("one"));
        assert_ne!(secret.key("one"), secret.key("two"));
        assert_eq!(format!("{secret:?}"), "NodeSecret(…)");
    }
}
