//! Password hashes: argon2id (RFC 9106) in PHC string format.
//!
//! Memory 19 MiB, 2 passes, 1 lane: the smallest of the usual recommendations, so that a burst of logins costs
//! little memory, and some ten milliseconds of one core for each. Whoever verifies on behalf of the network
//! bounds how many run at one time and keeps them off the threads that serve sessions.
//!
//! Left out on purpose: who may try how often, and any other scheme.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

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
    /// The system gave no random octets, or no memory.
    #[error("the password cannot be hashed: {0}")]
    System(String),
}

/// A hash with a new salt.
///
/// # Errors
/// [`PasswordError`] where the password could never be used to log in, or the system has no randomness.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if password.is_empty() {
        return Err(PasswordError::Empty);
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::TooLong);
    }
    if password.chars().any(char::is_control) {
        return Err(PasswordError::ControlCharacter);
    }
    let hash = argon2()
        .hash_password(password.as_bytes())
        .map_err(|error| PasswordError::System(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether the password is the one that was hashed. An empty or unreadable hash never matches, after as long
/// as any other: for a name that nobody has, pass `""`, and time does not tell (attacks.md 10 and 31).
#[must_use]
pub fn verify(password: &str, password_hash: &str) -> bool {
    // Longer ones were never hashed; the time that they take stays bounded.
    let octets = &password.as_bytes()[..password.len().min(PASSWORD_BYTES_MAX)];
    let matches =
        |hash: &str| PasswordHash::new(hash).map(|hash| argon2().verify_password(octets, &hash).is_ok());
    match matches(password_hash) {
        Ok(matches) => matches && password.len() <= PASSWORD_BYTES_MAX,
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
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| PasswordError::System(error.to_string()))?;
    let mut password = String::with_capacity(19);
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
        let parameters = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(NOBODY), parameters(&hash("secret").unwrap()));
        for hash in ["", "secret", "$argon2id$v=19$m=19456,t=2,p=1$"] {
            assert!(!verify("secret", hash), "{hash}");
            assert!(!verify("", hash), "{hash}");
        }
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
    fn a_generated_password_is_16_characters_and_never_the_same() {
        let (first, second) = (generate().unwrap(), generate().unwrap());
        assert_ne!(first, second);
        assert_eq!(first.replace('-', "").len(), 16);
    }
}
