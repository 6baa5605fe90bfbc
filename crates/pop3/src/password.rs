//! Passwords on their way to whoever checks them.

use std::fmt;

/// What PASS said. It has no `Display`, and its `Debug` hides it, so that no log can hold it by accident.
#[derive(Clone)]
pub struct Password(Box<str>);

impl Password {
    /// Takes what the client said.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The password itself, for the check alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_prints() {
        let password = Password::new("s3cret");
        assert!(!format!("{password:?} {password:#?}").contains("s3cret"));
        assert_eq!(password.reveal(), "s3cret");
    }
}
