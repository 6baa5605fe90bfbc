//! Tags of languages (BCP 47).
//!
//! ```text
//! tag     = subtag *("-" subtag)      ; RFC 5646 §2.1, reduced to the shape that all its forms have
//! subtag  = 1*8(ALPHA / DIGIT)        ; the first: 2*8ALPHA
//! ```
//! Tags for private use alone (`x-…`) and the old irregular ones (`i-…`) are left out: no text can be found for them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Language;

/// A tag such as `es`, `de-AT` or `zh-Hant-TW`, in the usual case (RFC 5646 §2.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LanguageTag(String);

/// A text is no tag of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanguageTagError;

/// Octets of a tag. RFC 5646 §4.4.1 asks for room for 35.
const TAG_BYTES_MAX: usize = 64;

impl LanguageTag {
    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language of our texts that fits best: the tag itself, else what is left of it when its end is cut off, part
    /// by part (RFC 4647 §3.4). A tag whose language merely has the same beginning is another one.
    #[must_use]
    pub fn language(&self) -> Option<Language> {
        let mut range = self.0.as_str();
        loop {
            let found = Language::ALL.iter().find(|language| language.tag().eq_ignore_ascii_case(range));
            if let Some(language) = found {
                return Some(*language);
            }
            range = range.rsplit_once('-')?.0;
        }
    }
}

impl FromStr for LanguageTag {
    type Err = LanguageTagError;

    fn from_str(text: &str) -> Result<Self, LanguageTagError> {
        if text.len() > TAG_BYTES_MAX {
            return Err(LanguageTagError);
        }
        let mut tag = String::with_capacity(text.len());
        let mut is_behind_singleton = false;
        for (at, subtag) in text.split('-').enumerate() {
            let is_subtag =
                (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric());
            let is_language = subtag.len() > 1 && subtag.bytes().all(|b| b.is_ascii_alphabetic());
            if !is_subtag || (at == 0 && !is_language) {
                return Err(LanguageTagError);
            }
            if at > 0 {
                tag.push('-');
            }
            match subtag.len() {
                2 if at > 0 && !is_behind_singleton => tag.push_str(&subtag.to_ascii_uppercase()),
                4 if at > 0 && !is_behind_singleton => {
                    tag.push_str(&subtag[..1].to_ascii_uppercase());
                    tag.push_str(&subtag[1..].to_ascii_lowercase());
                }
                _ => tag.push_str(&subtag.to_ascii_lowercase()),
            }
            is_behind_singleton |= subtag.len() == 1;
        }
        if tag.rsplit('-').next().is_some_and(|last| last.len() == 1) {
            // A singleton stands before what it introduces (RFC 5646 §2.2.6).
            return Err(LanguageTagError);
        }
        Ok(Self(tag))
    }
}

impl From<Language> for LanguageTag {
    fn from(language: Language) -> Self {
        Self(language.tag().to_owned())
    }
}

impl fmt::Display for LanguageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for LanguageTagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no tag of a language; those are written like es, de-AT or zh-Hant")
    }
}

impl std::error::Error for LanguageTagError {}

impl Serialize for LanguageTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for LanguageTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| de::Error::custom(format_args!("{text:?}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 5646 §2.1.1 and appendix A.
    #[test]
    fn tags_are_read_in_any_case_and_written_in_the_usual_one() {
        for (written, tag) in [
            ("mn-cYRL-mn", "mn-Cyrl-MN"),
            ("EN-ca-X-CA", "en-CA-x-ca"),
            ("sgn-be-fr", "sgn-BE-FR"),
            ("az-LATN-x-latn", "az-Latn-x-latn"),
            ("es-419", "es-419"),
            ("de-CH-1996", "de-CH-1996"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("de-DE-u-co-phonebk", "de-DE-u-co-phonebk"),
        ] {
            let read: LanguageTag = written.parse().unwrap();
            assert_eq!(read.as_str(), tag);
            assert_eq!(tag.parse(), Ok(read));
        }
        let longest = format!("de{}", "-abcdefgh".repeat(6) + "-abcdefg");
        assert_eq!(longest.len(), TAG_BYTES_MAX);
        assert!(
            longest.parse::<LanguageTag>().is_ok() && format!("{longest}h").parse::<LanguageTag>().is_err()
        );
        let wrong = ["", "a", "1", "12", "d1", "de-", "de-x", "de-abcdefghi", "x-private", "i-klingon", "dé"];
        for wrong in wrong.into_iter().chain(["de_AT", "de AT", "de\n", "german1"]) {
            assert_eq!(wrong.parse::<LanguageTag>(), Err(LanguageTagError), "{wrong}");
        }
    }

    #[test]
    fn a_tag_without_texts_fits_no_language() {
        for (tag, expected) in [("gsw-CH", None), ("eng", None), ("es-MX", Some(Language::Spanish))] {
            assert_eq!(tag.parse::<LanguageTag>().unwrap().language(), expected, "{tag}");
        }
    }
}
