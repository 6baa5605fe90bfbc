//! Files of translations, in the form that gettext calls PO.
//!
//! ```text
//! entry    = *comment ( "msgid" text "msgstr" text
//!                     / "msgid" text "msgid_plural" text 1*("msgstr[" number "]" text) )
//! text     = 1*(DQUOTE *(char / "\" escape) DQUOTE)       ; pieces on lines of their own are one text
//! comment  = "#" *char                                    ; `#, fuzzy` says that an entry is not to be used
//! ```
//! The entry of the empty text is the header, of which `Plural-Forms` is read. Files are a part of this program: one
//! that is malformed is found by the tests, and no message fails for it.

use std::collections::HashMap;

/// The translations of one language, by the English text.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    /// One text each, or one for each form of a number.
    texts: HashMap<String, Vec<String>>,
    plural: Plural,
}

/// Which form a number takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Plural {
    /// The first of one thing: English, German, Spanish.
    #[default]
    NotOne,
    /// The first of none, too: French, Brazilian Portuguese.
    OverOne,
    /// There is one form alone: Chinese, Japanese, Turkish.
    None,
}

impl Catalogue {
    /// What is malformed is left out.
    pub(super) fn read(file: &str) -> Self {
        let mut catalogue = Self::default();
        for block in file.split("\n\n") {
            let Some(entry) = Entry::read(block) else { continue };
            if entry.id.is_empty() {
                let rule = entry.forms.first().and_then(|header| Plural::of_header(header));
                catalogue.plural = rule.unwrap_or_default();
            } else if entry.forms.iter().all(|form| !form.is_empty()) {
                catalogue.texts.insert(entry.id, entry.forms);
            }
        }
        catalogue
    }

    pub(super) fn text(&self, english: &str) -> Option<&str> {
        self.texts.get(english)?.first().map(String::as_str)
    }

    pub(super) fn counted(&self, english_one: &str, count: usize) -> Option<&str> {
        let form = match self.plural {
            Plural::NotOne => usize::from(count != 1),
            Plural::OverOne => usize::from(count > 1),
            Plural::None => 0,
        };
        self.texts.get(english_one)?.get(form).map(String::as_str)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.texts.iter().map(|(english, forms)| (english.as_str(), forms.as_slice()))
    }
}

impl Plural {
    /// Of `Plural-Forms: nplurals=2; plural=(n != 1);`.
    fn of_header(header: &str) -> Option<Self> {
        let line = header.lines().find_map(|line| line.strip_prefix("Plural-Forms:"))?;
        let rule: String = line.split_once("plural=")?.1.chars().filter(|c| !" ();".contains(*c)).collect();
        match rule.as_str() {
            "n!=1" => Some(Self::NotOne),
            "n>1" => Some(Self::OverOne),
            "0" => Some(Self::None),
            _ => None,
        }
    }
}

/// One entry.
#[derive(Debug, Default)]
struct Entry {
    id: String,
    forms: Vec<String>,
}

impl Entry {
    fn read(block: &str) -> Option<Self> {
        let mut entry = Self::default();
        let mut into = Part::Nothing;
        for line in block.lines() {
            if line.starts_with("#,") && line.contains("fuzzy") {
                return None;
            }
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let piece = if line.starts_with('"') {
                line
            } else {
                let (keyword, piece) = line.split_once(' ')?;
                into = match keyword {
                    "msgid" => Part::Id,
                    // The English form of several things stands in the code.
                    "msgid_plural" => Part::Nothing,
                    _ if keyword.starts_with("msgstr") => {
                        entry.forms.push(String::new());
                        Part::Form
                    }
                    _ => return None,
                };
                piece
            };
            let text = unquoted(piece.trim())?;
            match into {
                Part::Id => entry.id.push_str(&text),
                Part::Form => entry.forms.last_mut()?.push_str(&text),
                Part::Nothing => {}
            }
        }
        if entry.forms.is_empty() { None } else { Some(entry) }
    }
}

/// Which text a piece belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Nothing,
    Id,
    Form,
}

fn unquoted(piece: &str) -> Option<String> {
    let inner = piece.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => out.push(match characters.next()? {
                'n' => '\n',
                't' => '\t',
                same @ ('"' | '\\') => same,
                _ => return None,
            }),
            other => out.push(other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r##"# A comment.
msgid ""
msgstr ""
"Language: xx\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\n"

#: where it stands
msgid "one"
msgstr "a \"b\" \\ c"

msgid ""
"in "
"pieces"
msgstr ""
"d\t"
"e"

msgid "{count} thing"
msgid_plural "{count} things"
msgstr[0] "{count} f"
msgstr[1] "{count} g"

#, fuzzy
msgid "doubtful"
msgstr "x"

msgid "empty"
msgstr ""

msgid "malformed"
msgstr "no end
"##;

    #[test]
    fn a_file_is_read_and_what_is_of_no_use_in_it_is_left_out() {
        let catalogue = Catalogue::read(FILE);
        assert_eq!(catalogue.text("one"), Some("a \"b\" \\ c"));
        assert_eq!(catalogue.text("in pieces"), Some("d\te"));
        for unused in ["", "doubtful", "empty", "malformed", "two"] {
            assert_eq!(catalogue.text(unused), None, "{unused}");
        }
        assert_eq!(catalogue.entries().count(), 3);
    }

    #[test]
    fn a_number_takes_the_form_that_the_header_says() {
        let counted = |rule: &str, count| {
            let file = FILE.replace("n > 1", rule);
            Catalogue::read(&file).counted("{count} thing", count).map(str::to_owned)
        };
        for (rule, forms) in [("n > 1", ["f", "f", "g"]), ("n != 1", ["g", "f", "g"]), ("0", ["f", "f", "f"])]
        {
            for (count, form) in forms.into_iter().enumerate() {
                assert_eq!(counted(rule, count), Some(format!("{{count}} {form}")), "{rule} {count}");
            }
        }
        assert_eq!(Plural::of_header("Plural-Forms: nplurals=9; plural=(n & 1);"), None);
    }
}
