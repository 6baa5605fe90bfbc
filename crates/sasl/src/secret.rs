//! Secrets on their way to whoever checks them.

use std::fmt;

/// A password, a shared secret or a token. It has no `Display`, and its `Debug` hides it, so that no log can hold
/// it by accident.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the check alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::new("s3cret");
        assert!(!format!("{secret:?} {secret:#?}").contains("s3cret"));
        assert_eq!(secret.reveal(), "s3cret");
    }
}
