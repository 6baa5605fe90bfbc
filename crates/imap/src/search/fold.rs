//! Texts as they are compared: `i;unicode-casemap` (RFC 5051), which SORT and THREAD must use (RFC 5256 §7) and SEARCH may.
//!
//! Each character becomes its titlecase form and is taken apart as far as it goes, so that `é` is an `E` with an accent
//! behind it: a search for `cafe` finds `café`, and one for `café` does not find `cafe`.
//!
//! Deviation: for titlecase the uppercase form is taken, where it is one character; they differ in three letters that Unicode
//! keeps for old Croatian character sets, and those are taken apart anyway.

use unicode_normalization::char::decompose_compatible;

/// A text as it is compared.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// Appends a text as it is compared. A character does not depend on those around it, so a text may come in pieces.
pub(super) fn fold_into(text: &str, folded: &mut String) {
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.bytes().position(|octet| !octet.is_ascii()).unwrap_or(rest.len());
        let (ascii, other) = rest.split_at(plain);
        let from = folded.len();
        folded.push_str(ascii);
        folded[from..].make_ascii_uppercase();
        let end = other.bytes().position(|octet| octet.is_ascii()).unwrap_or(other.len());
        for character in other[..end].chars() {
            decompose_compatible(titlecase(character), |part| folded.push(part.to_ascii_uppercase()));
        }
        rest = &other[end..];
    }
}

fn titlecase(character: char) -> char {
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_width_and_composition_do_not_matter() {
        for (a, b) in [
            ("Straße", "STRAßE"),
            ("Ωmega", "ωMEGA"),
            ("ΟΔΟΣ", "οδος"),
            ("caf\u{e9}", "CAFE\u{301}"),
            ("ﬁne", "FINE"),
            ("ｗｉｄｅ", "wide"),
            ("\u{212a}elvin", "kelvin"),
            ("привет", "ПРИВЕТ"),
            ("ſet", "set"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        assert_ne!(fold("ä"), fold("ö"));
        assert!(fold("café").contains(&fold("cafe")));
        assert!(!fold("cafe").contains(&fold("café")));
    }

    #[test]
    fn order_is_that_of_uppercase_letters() {
        // RFC 4790 §9.2.1 and RFC 5051: `_` comes behind `Z`, whatever the case of the letters.
        assert!(fold("z") < fold("_"));
        assert!(fold("a") < fold("B"));
    }

    #[test]
    fn pieces_are_folded_as_the_whole() {
        let text = "Grüße aus Köln, ﬁn de siècle";
        let mut folded = String::new();
        for character in text.chars() {
            fold_into(&character.to_string(), &mut folded);
        }
        assert_eq!(folded, fold(text));
    }
}
