//! The languages that people are spoken to in, and texts that exist in each of them.
//!
//! Standards: BCP 47 (RFC 5646 for tags, RFC 4647 §3.4 for finding the language that fits one).
//!
//! English and Spanish stand side by side in the code. Every other language is one file of translations in the
//! common form of gettext (`language/de.po`), with one row below; what it lacks is said in English.

mod catalogue;
mod tag;

pub use tag::{LanguageTag, LanguageTagError};

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use catalogue::Catalogue;

macro_rules! languages {
    ($($(#[$meta:meta])* $language:ident = $tag:literal $name:literal $($file:literal)?;)*) => {
        /// A language that texts exist in.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum Language { $($(#[$meta])* $language,)* }

        impl Language {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$language),*];

            /// `en`
            #[must_use]
            pub const fn tag(self) -> &'static str {
                match self { $(Self::$language => $tag,)* }
            }

            /// As its speakers call it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$language => $name,)* }
            }

            /// Its translations, where they are in a file.
            fn file(self) -> Option<&'static str> {
                match self { $(Self::$language => [$(include_str!($file))?].first().copied(),)* }
            }
        }

        /// Each file, read once.
        static CATALOGUES: [OnceLock<Catalogue>; Language::ALL.len()] =
            [const { OnceLock::new() }; Language::ALL.len()];
    };
}

languages! {
    /// English, in which all texts are written first.
    #[default]
    English = "en" "English";
    /// Spanish.
    Spanish = "es" "español";
    /// German.
    German = "de" "Deutsch" "language/de.po";
}

/// A text in each language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// English; translations in files are found by it.
    pub en: &'static str,
    /// Spanish.
    pub es: &'static str,
}

/// A text that names a number of things, as `{count}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Of one.
    pub one: Text,
    /// Of any other number.
    pub other: Text,
}

/// There are no texts in a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLanguage {
    /// What was asked for.
    pub asked: String,
}

impl Text {
    /// The text in `language`.
    #[must_use]
    pub fn of(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Spanish => self.es,
            other => other.catalogue().text(self.en).unwrap_or(self.en),
        }
    }
}

impl Counted {
    /// The text in `language` for `count` things.
    #[must_use]
    pub fn of(self, language: Language, count: usize) -> String {
        let of_two = if count == 1 { self.one } else { self.other };
        let text = match language {
            Language::English | Language::Spanish => of_two.of(language),
            other => other.catalogue().counted(self.one.en, count).unwrap_or(of_two.en),
        };
        fill(text, &[("count", &count.to_string())])
    }
}

/// `text` with each `{name}` replaced by its value. Values are not looked at again, whatever stands in them.
#[must_use]
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let value = after.split_once('}').and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((*value, after))
        });
        match value {
            Some((value, after)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

impl Language {
    /// The language of a locale such as `es_AR.UTF-8`; English for one without texts.
    #[must_use]
    pub fn of_locale(locale: &str) -> Self {
        let tag = locale.split(['.', '@']).next().unwrap_or_default().replace('_', "-");
        tag.parse().unwrap_or_default()
    }

    /// All translations of the file of this language, English first: for checks that nothing is left out or over.
    pub fn translations(self) -> impl Iterator<Item = (&'static str, &'static [String])> {
        self.file().map(|_| self.catalogue().entries()).into_iter().flatten()
    }

    fn catalogue(self) -> &'static Catalogue {
        CATALOGUES[self as usize].get_or_init(|| Catalogue::read(self.file().unwrap_or_default()))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// By any tag that it fits: `de-AT` is German.
impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(tag: &str) -> Result<Self, UnknownLanguage> {
        let found = tag.parse::<LanguageTag>().ok().and_then(|tag| tag.language());
        found.ok_or_else(|| UnknownLanguage { asked: tag.to_owned() })
    }
}

/// Names all languages that there are.
impl fmt::Display for UnknownLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are no texts in {:?}; there are in ", self.asked)?;
        for (at, language) in Language::ALL.iter().enumerate() {
            let before = if at == 0 { "" } else { ", " };
            write!(f, "{before}{} ({})", language.tag(), language.name())?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownLanguage {}

/// Declares texts as constants, and a list of all of them: `NAME = "text" / "texto";`.
#[macro_export]
macro_rules! texts {
    ($(#[$list_meta:meta])* $list_visibility:vis $list:ident;
     $($(#[doc = $doc:literal])* $visibility:vis $name:ident = $en:literal / $es:literal;)*) => {
        $($(#[doc = $doc])* $visibility const $name: $crate::language::Text =
            $crate::language::Text { en: $en, es: $es };)*
        $(#[$list_meta])*
        $list_visibility const $list: &[$crate::language::Text] = &[$($name),*];
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY: Text = Text { en: "in the words of {host}", es: "en palabras de {host}" };

    #[test]
    fn a_language_is_found_by_each_tag_that_it_fits() {
        for (tag, expected) in [
            ("en", Language::English),
            ("ES", Language::Spanish),
            ("es-419", Language::Spanish),
            ("de-AT", Language::German),
            ("de-Latn-CH-1996-x-home", Language::German),
        ] {
            assert_eq!(tag.parse(), Ok(expected), "{tag}");
        }
        for tag in ["", "tlh", "d", "den", "german", "x-de", "de_AT", "de-", "-de", "de--AT"] {
            assert!(tag.parse::<Language>().is_err(), "{tag}");
        }
        let error = "nl".parse::<Language>().unwrap_err().to_string();
        assert_eq!(
            error,
            "there are no texts in \"nl\"; there are in en (English), es (español), de (Deutsch)"
        );
    }

    #[test]
    fn a_locale_names_a_language_or_means_english() {
        for (locale, expected) in [
            ("es_AR.UTF-8", Language::Spanish),
            ("de_DE@euro", Language::German),
            ("de", Language::German),
            ("C.UTF-8", Language::English),
            ("POSIX", Language::English),
            ("estonian", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::of_locale(locale), expected, "{locale}");
        }
    }

    #[test]
    fn a_value_is_filled_in_once_and_never_read_again() {
        assert_eq!(fill(BY.en, &[("host", "{host}{")]), "in the words of {host}{");
        assert_eq!(fill("{a}{b}{c}{", &[("a", "1"), ("c", "3")]), "1{b}3{");
        assert_eq!(fill("none", &[]), "none");
    }

    #[test]
    fn what_has_no_translation_is_said_in_english() {
        let odd = Text { en: "an odd text that nobody has translated", es: "x" };
        assert_eq!(odd.of(Language::German), odd.en);
        let things = Counted { one: Text { en: "{count} odd thing", es: "{count} cosa rara" }, other: odd };
        assert_eq!(things.of(Language::German, 1), "1 odd thing");
        assert_eq!(things.of(Language::Spanish, 1), "1 cosa rara");
        assert_eq!(things.of(Language::German, 2), odd.en);
    }
}
