//! A string that is looked for.

use std::fmt;

use memchr::memmem::Finder;

use super::fold::fold;

/// A string that is looked for, as it is compared.
#[derive(Clone)]
pub struct Needle {
    folded: String,
    finder: Finder<'static>,
}

impl Needle {
    /// Of a string as the client wrote it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let folded = fold(text);
        let finder = Finder::new(folded.as_bytes()).into_owned();
        Self { folded, finder }
    }

    /// Whether it is anywhere in a folded text. The empty one is in every text (RFC 9051 §6.4.4).
    #[must_use]
    pub fn is_in(&self, folded: &[u8]) -> bool {
        self.finder.find(folded).is_some()
    }

    /// It, folded.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }
}

impl fmt::Debug for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Needle").field(&self.folded).finish()
    }
}

impl PartialEq for Needle {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}
