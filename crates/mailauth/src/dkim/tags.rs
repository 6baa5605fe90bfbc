//! Lists of tags (RFC 6376 §3.2), which DKIM, ARC and DMARC have.
//!
//! ```text
//! tag-list  =  tag-spec *( ";" tag-spec ) [ ";" ]
//! tag-spec  =  [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
//! tag-name  =  ALPHA *ALNUMPUNC
//! ```

/// The tags of a list in their order, each name once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tags<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Tags<'a> {
    /// None where it is no list of tags, or longer than any honest one.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let mut tags: Vec<(&str, &str)> = Vec::new();
        let mut specs = text.split(';').peekable();
        while let Some(spec) = specs.next() {
            let is_last = specs.peek().is_none();
            if trim(spec).is_empty() && is_last {
                break;
            }
            let (name, value) = spec.split_once('=')?;
            let (name, value) = (trim(name), trim(value));
            let is_taken = tags.iter().any(|(other, _)| *other == name);
            if !is_tag_name(name) || is_taken || tags.len() == TAGS_MAX {
                return None;
            }
            tags.push((name, value));
        }
        Some(Self(tags))
    }

    /// Names of tags are case-sensitive.
    pub(crate) fn value(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }

    /// Which tag stands first.
    pub(crate) fn first(&self) -> Option<(&'a str, &'a str)> {
        self.0.first().copied()
    }

    /// The only thing that is said, where a tag may be left out.
    pub(crate) fn value_or(&self, name: &str, default: &'a str) -> &'a str {
        self.value(name).unwrap_or(default)
    }
}

/// The parts of a list with colons, without the white space around them.
pub(crate) fn listed(value: &str) -> impl Iterator<Item = &str> {
    value.split(':').map(trim)
}

pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

/// Without any folding white space, as base64 stands in tags.
pub(crate) fn without_space(value: &str) -> String {
    value.chars().filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')).collect()
}

fn is_tag_name(name: &str) -> bool {
    name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
}

/// Signatures have about fifteen.
const TAGS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_their_neighbours_are_not() {
        let tags = Tags::read(" v=1; a = rsa-sha256 ;\r\n\tb=AA\r\n BB==; n=a=b; x=;").unwrap();
        assert_eq!(tags.first(), Some(("v", "1")));
        assert_eq!(tags.value("a"), Some("rsa-sha256"));
        assert_eq!(without_space(tags.value("b").unwrap()), "AABB==");
        assert_eq!(tags.value("n"), Some("a=b"));
        assert_eq!(tags.value("x"), Some(""));
        assert_eq!(tags.value("V"), None);
        for text in ["v=1; v=1", "v", "=1", "v=1;;a=b", "1a=b", "a b=c", "v=1; a"] {
            assert_eq!(Tags::read(text), None, "{text}");
        }
        assert_eq!(Tags::read(""), Some(Tags(Vec::new())));
        let many: Vec<String> = (0..65).map(|n| format!("a{n}=1")).collect();
        assert_eq!(Tags::read(&many.join(";")), None);
    }
}
