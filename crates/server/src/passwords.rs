//! Password hashes: argon2id (RFC 9106) in PHC string format.
//!
//! Memory 19 MiB, 2 passes, 1 lane: the smallest of the usual recommendations, so that a burst of logins costs
//! little memory, and some ten milliseconds of one core for each. Whoever verifies on behalf of the network
//! bounds how many run at one time and keeps them off the threads that serve sessions.
//!
//! Beside the hash stand verifiers for SCRAM (RFC 5802, RFC 7677), with which a client proves that it knows the
//! password without sending it, and, only where an account opted in, the password itself: CRAM-MD5 and APOP need it.
//! App passwords are random and long, so that a fast hash suffices for them.
//!
//! Left out on purpose: who may try how often, and any other scheme.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use sasl::{FAKE_SALT_BYTES, ITERATIONS, PrepareError, ScramHash, ScramVerifier, saslprep};
use sha2::{Digest as _, Sha256};
use store::Credentials;

/// Octets of a password: it has to fit into a POP3 command line of 255 octets (RFC 2449 §4) with room for
/// the ways in which other protocols wrap it.
pub const PASSWORD_BYTES_MAX: usize = 128;

/// Why there is no hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Nothing was given.
    #[error("the password is empty")]
    Empty,
    /// Over [`PASSWORD_BYTES_MAX`].
    #[error("the password is longer than {PASSWORD_BYTES_MAX} octets")]
    TooLong,
    /// CR, LF, NUL and their like cannot be sent in a command.
    #[error("the password has a control character, which no mail program can send")]
    ControlCharacter,
    /// Programs would send it in different ways (RFC 4013).
    #[error("the password cannot be used: {0}")]
    Unprepared(PrepareError),
    /// The system gave no random octets, or no memory.
    #[error("the password cannot be hashed: {0}")]
    System(String),
}

/// Whether the password itself is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SharedSecret {
    /// Whoever steals the store has to guess it.
    #[default]
    Never,
    /// Whoever steals the store has it. CRAM-MD5 and APOP need it.
    Keep,
}

/// A password for one program, to be shown once.
pub struct NewAppPassword {
    /// For its owner: 20 letters and digits (100 bits) in groups of four.
    pub text: String,
    /// To be kept.
    pub sha256: [u8; 32],
}

/// Without the password.
impl fmt::Debug for NewAppPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewAppPassword(…)")
    }
}

/// All that is kept of a password, with new salts and without app passwords. It takes about a tenth of a second and
/// 19 MiB.
///
/// # Errors
/// [`PasswordError`] where the password could never be used to log in, or the system has no randomness.
pub fn credentials(password: &str, shared_secret: SharedSecret) -> Result<Credentials, PasswordError> {
    let prepared = prepare(password)?;
    Ok(Credentials {
        argon2id: hash_prepared(&prepared)?,
        scram_sha_256: Some(scram(ScramHash::Sha256, &prepared)?),
        scram_sha_1: Some(scram(ScramHash::Sha1, &prepared)?),
        shared_secret: (shared_secret == SharedSecret::Keep).then_some(prepared),
        app_passwords: Vec::new(),
    })
}

/// A hash with a new salt.
///
/// # Errors
/// [`PasswordError`] where the password could never be used to log in, or the system has no randomness.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    hash_prepared(&prepare(password)?)
}

/// A new verifier in the text form of RFC 5803.
pub(crate) fn scram(hash: ScramHash, password: &str) -> Result<String, PasswordError> {
    let mut salt = [0; FAKE_SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| PasswordError::System(error.to_string()))?;
    ScramVerifier::new(hash, password, &salt, ITERATIONS)
        .map(|verifier| verifier.to_string())
        .map_err(|error| PasswordError::System(error.to_string()))
}

/// The one form of a password (RFC 4013), in which it is hashed and compared.
fn prepare(password: &str) -> Result<String, PasswordError> {
    if password.is_empty() {
        return Err(PasswordError::Empty);
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::TooLong);
    }
    if password.chars().any(char::is_control) {
        return Err(PasswordError::ControlCharacter);
    }
    let prepared = saslprep(password).map_err(PasswordError::Unprepared)?;
    if prepared.len() > PASSWORD_BYTES_MAX { Err(PasswordError::TooLong) } else { Ok(prepared) }
}

fn hash_prepared(password: &str) -> Result<String, PasswordError> {
    let hash = argon2()
        .hash_password(password.as_bytes())
        .map_err(|error| PasswordError::System(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether the password is the one that was hashed. An empty or unreadable hash never matches, after as long
/// as any other: for a name that nobody has, pass `""`, and time does not tell (attacks.md 10 and 31).
#[must_use]
pub fn verify(password: &str, password_hash: &str) -> bool {
    verify_by(password, password_hash, |octets, hash| argon2().verify_password(octets, hash).is_ok())
}

/// As [`verify`], where `compute` does the work that takes long: once, whatever the hash is.
fn verify_by(
    password: &str,
    password_hash: &str,
    mut compute: impl FnMut(&[u8], &PasswordHash) -> bool,
) -> bool {
    // What was never hashed never matches; the time that it takes stays bounded.
    let prepared = prepare(password);
    let octets = prepared.as_deref().unwrap_or_default().as_bytes();
    let mut matches = |hash: &str| PasswordHash::new(hash).map(|hash| compute(octets, &hash));
    match matches(password_hash) {
        Ok(matches) => matches && prepared.is_ok(),
        Err(_) => {
            let _ = std::hint::black_box(matches(NOBODY));
            false
        }
    }
}

/// A password that can be read out and typed: 16 letters and digits (80 bits) in groups of four, none of them
/// easily taken for another.
///
/// # Errors
/// [`PasswordError::System`] where the system has no randomness.
pub fn generate() -> Result<String, PasswordError> {
    random_text::<16>()
}

/// A password for one program.
///
/// # Errors
/// [`PasswordError::System`] where the system has no randomness.
pub fn app_password() -> Result<NewAppPassword, PasswordError> {
    let text = random_text::<20>()?;
    let sha256 = app_password_sha256(&text);
    Ok(NewAppPassword { text, sha256 })
}

/// What is kept of an app password. Hyphens, spaces and the case of letters do not count: it is copied by people.
#[must_use]
pub fn app_password_sha256(text: &str) -> [u8; 32] {
    let letters: String = text
        .chars()
        .filter(|character| *character != '-' && !character.is_whitespace())
        .map(|character| character.to_ascii_lowercase())
        .collect();
    Sha256::digest(letters).into()
}

/// So many letters and digits in groups of four, 5 bits each.
fn random_text<const LETTERS: usize>() -> Result<String, PasswordError> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0_u8; LETTERS];
    getrandom::fill(&mut random).map_err(|error| PasswordError::System(error.to_string()))?;
    let mut password = String::with_capacity(LETTERS + LETTERS / 4);
    for (index, octet) in random.iter().enumerate() {
        if index > 0 && index % 4 == 0 {
            password.push('-');
        }
        password.push(char::from(ALPHABET[usize::from(octet % 32)]));
    }
    Ok(password)
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

/// What is verified where there is no account; made with the parameters of [`hash`] from 32 random octets that
/// nobody kept.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$PbYVf/QsVmIG+KQ6duOy7g$yo9Yg6LOFm6m8/20B7ONMFVwiomO6s2v/OTKheL06sM";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_another_is_not() {
        let hash = hash("correct horse").unwrap();
        assert!(verify("correct horse", &hash));
        assert!(!verify("correct horsf", &hash));
        assert!(!verify("", &hash));
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        assert_ne!(hash("secret").unwrap(), hash("secret").unwrap());
    }

    #[test]
    fn an_account_that_does_not_exist_costs_what_any_other_costs_and_never_matches() {
        let real = hash("secret").unwrap();
        // Whatever is kept, argon2 runs once, over as much memory and as often.
        let cost = |password: &str, kept: &str| {
            let mut runs = Vec::new();
            let is_right = verify_by(password, kept, |_, hash| {
                runs.push((hash.algorithm.to_string(), hash.version, hash.params.to_string()));
                true
            });
            (is_right, runs)
        };
        let (is_right, of_any) = cost("secret", &real);
        assert_eq!((is_right, of_any.len()), (true, 1));
        for kept in ["", "secret", "$argon2id$v=19$m=19456,t=2,p=1$"] {
            for password in ["secret", "", "a\0b"] {
                assert_eq!(cost(password, kept), (false, of_any.clone()), "{password:?} {kept:?}");
                assert!(!verify(password, kept), "{password:?} {kept:?}");
            }
        }
        assert_eq!(cost("a\0b", &real), (false, of_any), "what was never hashed");
    }

    #[test]
    fn a_password_that_no_command_can_carry_is_refused() {
        assert_eq!(hash(""), Err(PasswordError::Empty));
        assert_eq!(hash("a\r\nb"), Err(PasswordError::ControlCharacter));
        assert_eq!(hash("a\0b"), Err(PasswordError::ControlCharacter));
        let longest = "x".repeat(PASSWORD_BYTES_MAX);
        let one_more = format!("{longest}x");
        assert_eq!(hash(&one_more), Err(PasswordError::TooLong));
        let hash = hash(&longest).unwrap();
        assert!(verify(&longest, &hash));
        assert!(!verify(&one_more, &hash));
    }

    #[test]
    fn ways_to_type_one_password_are_one_password_and_what_has_no_one_form_is_none() {
        // RFC 4013 §3 and its mapping of other spaces.
        let hash = hash("I X\u{2168}").unwrap();
        assert!(verify("I\u{ad}\u{a0}XIX", &hash));
        for text in ["\u{ad}", "\u{627}1", "\u{1f600}"] {
            assert!(matches!(super::hash(text), Err(PasswordError::Unprepared(_))), "{text:?}");
            assert!(!verify(text, ""));
        }
        // NFKC makes 18 characters of one.
        assert_eq!(super::hash(&"\u{fdfa}".repeat(10)), Err(PasswordError::TooLong));
    }

    #[test]
    fn credentials_keep_the_password_itself_only_where_that_was_asked_for() {
        let credentials = credentials("correct horse", SharedSecret::Never).unwrap();
        assert!(verify("correct horse", &credentials.argon2id));
        assert_eq!(credentials.shared_secret, None);
        for (hash, text) in [
            (ScramHash::Sha256, credentials.scram_sha_256.unwrap()),
            (ScramHash::Sha1, credentials.scram_sha_1.unwrap()),
        ] {
            let verifier: ScramVerifier = text.parse().unwrap();
            assert_eq!((verifier.hash(), verifier.iterations()), (hash, ITERATIONS));
            assert!(!text.contains("correct"));
        }
        let credentials = super::credentials("correct horse", SharedSecret::Keep).unwrap();
        assert_eq!(credentials.shared_secret.as_deref(), Some("correct horse"));
        assert!(!format!("{credentials:?}").contains("horse"));
    }

    #[test]
    fn an_app_password_has_100_bits_and_is_known_however_it_is_copied() {
        let made = app_password().unwrap();
        let letters = made.text.replace('-', "");
        assert_eq!(letters.len(), 20);
        for copied in
            [made.text.clone(), letters.clone(), letters.to_uppercase(), made.text.replace('-', " ")]
        {
            assert_eq!(app_password_sha256(&copied), made.sha256, "{copied}");
        }
        assert_ne!(app_password().unwrap().sha256, made.sha256);
        assert_ne!(app_password_sha256(&letters[1..]), made.sha256);
        assert!(!format!("{made:?}").contains(&made.text));
    }

    #[test]
    fn a_generated_password_is_16_characters_and_never_the_same() {
        let (first, second) = (generate().unwrap(), generate().unwrap());
        assert_ne!(first, second);
        assert_eq!(first.replace('-', "").len(), 16);
    }
}
