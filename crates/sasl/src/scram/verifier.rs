//! What a server keeps of a password (RFC 5802 §3), and its text form (RFC 5803).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::{PrepareError, same_octets, saslprep};

/// The least number of iterations (RFC 7677 §3, RFC 5802 §5.1).
pub const ITERATIONS_MIN: u32 = 4096;

/// Iterations of new verifiers. RFC 7677 §4 asks for more than its least where that can be borne, with 15,000 as
/// what took a tenth of a second then; 10,000 costs a telephone of today some milliseconds at each login, and whoever
/// steals verifiers more than twice the work of the least. Also what a name without an account is told.
pub const ITERATIONS: u32 = 10_000;

/// Octets of the salt that a name without an account is told. New verifiers should have a salt as long.
pub const FAKE_SALT_BYTES: usize = 16;

/// Octets of a salt.
pub const SALT_BYTES_MAX: usize = 64;

/// The hash of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScramHash {
    /// RFC 5802
    Sha1,
    /// RFC 7677
    Sha256,
}

/// What a server keeps of a password: enough to verify a client's proof, not enough to make one.
///
/// `Display` and [`FromStr`] are the text form; `Debug` hides the keys, for whoever has them can try passwords
/// and can pretend to be the server.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    hash: ScramHash,
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

/// Why there is no verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    /// The password cannot be one.
    #[error("the password: {0}")]
    Password(#[from] PrepareError),
    /// Fewer iterations than [`ITERATIONS_MIN`].
    #[error("fewer iterations than {ITERATIONS_MIN}")]
    Iterations,
    /// No salt, or more than [`SALT_BYTES_MAX`] octets of it.
    #[error("the salt must have 1 to {SALT_BYTES_MAX} octets")]
    Salt,
    /// The text is not of the form of RFC 5803 §2.
    #[error("not a SCRAM verifier in the form of RFC 5803")]
    Syntax,
}

impl ScramHash {
    /// As it stands in the text form: the mechanism without -PLUS.
    #[must_use]
    pub const fn mechanism_name(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    const fn output_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// `H(str)`
    pub(super) fn digest(self, octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(octets).to_vec(),
            Self::Sha256 => Sha256::digest(octets).to_vec(),
        }
    }

    /// `HMAC(key, str)`
    #[allow(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104 §2)")]
    pub(super) fn keyed(self, key: &[u8], octets: &[u8]) -> Vec<u8> {
        const ANY: &str = "a key of any length";
        match self {
            Self::Sha1 => Hmac::<Sha1>::new_from_slice(key)
                .expect(ANY)
                .chain_update(octets)
                .finalize()
                .into_bytes()
                .to_vec(),
            Self::Sha256 => Hmac::<Sha256>::new_from_slice(key)
                .expect(ANY)
                .chain_update(octets)
                .finalize()
                .into_bytes()
                .to_vec(),
        }
    }

    /// `Hi(str, salt, i)`
    pub(super) fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut out = vec![0; self.output_bytes()];
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut out),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut out),
        }
        out
    }
}

impl ScramVerifier {
    /// Makes the verifier of a password, which takes a few milliseconds for [`ITERATIONS`]. The salt is random
    /// octets, [`FAKE_SALT_BYTES`] of them.
    ///
    /// # Errors
    /// Where the password cannot be prepared, and where salt or iterations are out of their limits.
    pub fn new(hash: ScramHash, password: &str, salt: &[u8], iterations: u32) -> Result<Self, VerifierError> {
        check_limits(salt, iterations)?;
        let password = saslprep(password)?;
        let salted_password = hash.salted(password.as_bytes(), salt, iterations);
        let client_key = hash.keyed(&salted_password, b"Client Key");
        Ok(Self {
            hash,
            iterations,
            salt: salt.to_vec(),
            stored_key: hash.digest(&client_key),
            server_key: hash.keyed(&salted_password, b"Server Key"),
        })
    }

    /// For a name without an account: always the same for the same name, and nothing that a client could tell
    /// from a verifier that is kept.
    pub(super) fn fake(hash: ScramHash, fake_salt_key: &[u8; 32], name: &str) -> Self {
        let derived = |what: &str| {
            let label = format!("{} {what} of {name}", hash.mechanism_name());
            ScramHash::Sha256.keyed(fake_salt_key, label.as_bytes())
        };
        let key = |what| derived(what)[..hash.output_bytes()].to_vec();
        Self {
            hash,
            iterations: ITERATIONS,
            salt: derived("salt")[..FAKE_SALT_BYTES].to_vec(),
            stored_key: key("stored key"),
            server_key: key("server key"),
        }
    }

    /// The hash that it is made with.
    #[must_use]
    pub const fn hash(&self) -> ScramHash {
        self.hash
    }

    /// How often the hash was used.
    #[must_use]
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Whether the password is the one that it was made of. Takes as long as making it does.
    #[must_use]
    pub fn is_of(&self, password: &str) -> bool {
        let other = Self::new(self.hash, password, &self.salt, self.iterations);
        other.is_ok_and(|other| same_octets(&other.stored_key, &self.stored_key))
    }

    pub(super) fn salt_base64(&self) -> String {
        STANDARD.encode(&self.salt)
    }

    /// Whether `H(proof XOR ClientSignature)` is the StoredKey (§3).
    pub(super) fn accepts(&self, proof: &[u8], auth_message: &[u8]) -> bool {
        let signature = self.hash.keyed(&self.stored_key, auth_message);
        let client_key: Vec<u8> =
            signature.iter().zip(proof).map(|(signature, proof)| signature ^ proof).collect();
        same_octets(&self.hash.digest(&client_key), &self.stored_key) & (proof.len() == signature.len())
    }

    pub(super) fn server_signature_base64(&self, auth_message: &[u8]) -> String {
        STANDARD.encode(self.hash.keyed(&self.server_key, auth_message))
    }
}

/// `SCRAM-SHA-256$10000:SALT$STORED-KEY:SERVER-KEY`, with base64 (RFC 5803 §2).
impl fmt::Display for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}${}:{}${}:{}",
            self.hash.mechanism_name(),
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(&self.stored_key),
            STANDARD.encode(&self.server_key),
        )
    }
}

/// ```text
/// scram-mech "$" iter-count ":" salt "$" stored-key ":" server-key
/// iter-count = %x31-39 *DIGIT
/// ```
impl FromStr for ScramVerifier {
    type Err = VerifierError;

    fn from_str(text: &str) -> Result<Self, VerifierError> {
        let mut parts = text.splitn(3, '$');
        let mut part = || parts.next().ok_or(VerifierError::Syntax);
        let (name, info, keys) = (part()?, part()?, part()?);
        let hash = [ScramHash::Sha1, ScramHash::Sha256]
            .into_iter()
            .find(|hash| hash.mechanism_name() == name)
            .ok_or(VerifierError::Syntax)?;
        let (iterations, salt) = info.split_once(':').ok_or(VerifierError::Syntax)?;
        let (stored_key, server_key) = keys.split_once(':').ok_or(VerifierError::Syntax)?;
        let decoded = |text: &str| STANDARD.decode(text).map_err(|_| VerifierError::Syntax);
        let key = |text: &str| {
            decoded(text).and_then(|key| {
                if key.len() == hash.output_bytes() { Ok(key) } else { Err(VerifierError::Syntax) }
            })
        };
        let is_count = iterations.bytes().all(|b| b.is_ascii_digit()) && !iterations.starts_with('0');
        let iterations = iterations.parse().ok().filter(|_| is_count).ok_or(VerifierError::Syntax)?;
        let salt = decoded(salt)?;
        check_limits(&salt, iterations)?;
        Ok(Self { hash, iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
    }
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramVerifier")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

fn check_limits(salt: &[u8], iterations: u32) -> Result<(), VerifierError> {
    if !(1..=SALT_BYTES_MAX).contains(&salt.len()) {
        return Err(VerifierError::Salt);
    }
    if iterations < ITERATIONS_MIN { Err(VerifierError::Iterations) } else { Ok(()) }
}
