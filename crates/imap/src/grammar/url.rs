//! URLs of CATENATE (RFC 4469 §3): those of RFC 5092 that lead to a message of this server and user.

use types::mailstore::{Uid, UidValidity};

use super::cursor::Cursor;
use super::fetch;
use crate::command::MailboxName;
use crate::name::{NameEncoding, SEPARATOR};
use crate::session::CatenateUrl;

/// Reads a URL relative to this server (RFC 5092 §7.2), or to the selected mailbox. None where it is of another server, or
/// no such URL.
///
/// ```text
/// iurl        = "/" enc-mailbox [";UIDVALIDITY=" nz-number] "/" ipath / ipath
/// ipath       = ";UID=" nz-number ["/;SECTION=" enc-section] ["/;PARTIAL=" partial-range]
/// ```
/// The slash before `;SECTION=` and `;PARTIAL=` may be missing, as it is in the BADURL of RFC 4469 §5.
pub(super) fn parse(octets: &[u8]) -> Option<CatenateUrl> {
    let text = std::str::from_utf8(octets).ok().filter(|text| text.is_ascii())?;
    let (place, mut message) = split(text, ";UID=")?;
    let (mailbox, uid_validity) = match place {
        "" | "/" => (None, None),
        _ => mailbox(place)?,
    };
    let mut partial = None;
    if let Some((before, range)) = split(message, ";PARTIAL=") {
        partial = Some(partial_range(range)?);
        message = before.strip_suffix('/').unwrap_or(before);
    }
    let mut section = None;
    if let Some((before, encoded)) = split(message, ";SECTION=") {
        let decoded = percent_decoded(encoded)?;
        let mut cursor = Cursor::new(&decoded, NameEncoding::Utf8);
        section = Some(fetch::section(&mut cursor).ok()?);
        cursor.end().ok()?;
        message = before.strip_suffix('/').unwrap_or(before);
    }
    let uid = Uid(nz_number(message)?);
    Some(CatenateUrl { mailbox, uid_validity, uid, section, partial })
}

/// At the first place where `name` stands, in any case.
fn split<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let at =
        text.as_bytes().windows(name.len()).position(|part| part.eq_ignore_ascii_case(name.as_bytes()))?;
    Some((&text[..at], &text[at + name.len()..]))
}

/// `/mailbox;UIDVALIDITY=n/`. A name in a URL is UTF-8 whatever the session has (RFC 5092 §2).
fn mailbox(place: &str) -> Option<(Option<MailboxName>, Option<UidValidity>)> {
    let place = place.strip_prefix('/')?.strip_suffix('/')?;
    let (encoded, uid_validity) = match split(place, ";UIDVALIDITY=") {
        Some((encoded, number)) => (encoded, Some(UidValidity(nz_number(number)?))),
        None => (place, None),
    };
    // `//` begins the name of another server, `;` something that is not known.
    if encoded.is_empty() || encoded.starts_with(SEPARATOR) || encoded.contains(';') {
        return None;
    }
    let name = MailboxName::parse(&percent_decoded(encoded)?, NameEncoding::Utf8).ok()?;
    Some((Some(name), uid_validity))
}

/// `partial-range = number64 ["." nz-number64]`
fn partial_range(range: &str) -> Option<(u64, Option<u64>)> {
    let Some((start, count)) = range.split_once('.') else { return Some((number64(range)?, None)) };
    Some((number64(start)?, Some(number64(count).filter(|count| *count > 0)?)))
}

fn number64(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    digits.parse().ok().filter(|number: &u64| is_number && number >> 63 == 0)
}

fn nz_number(digits: &str) -> Option<u32> {
    u32::try_from(number64(digits)?).ok().filter(|_| !digits.starts_with('0'))
}

/// RFC 3986 §2.1.
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        if octet != b'%' {
            decoded.push(octet);
            continue;
        }
        let mut digit = || char::from(octets.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        decoded.push(u8::try_from(value).ok()?);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{PartSection, Section, SectionText};
    use crate::mime::PartPath;

    fn url(
        mailbox: Option<&str>,
        uid_validity: Option<u32>,
        uid: u32,
        section: Option<Section>,
        partial: Option<(u64, Option<u64>)>,
    ) -> Option<CatenateUrl> {
        let mailbox = mailbox.map(|name| MailboxName(name.into()));
        Some(CatenateUrl {
            mailbox,
            uid_validity: uid_validity.map(UidValidity),
            uid: Uid(uid),
            section,
            partial,
        })
    }

    #[test]
    fn urls_lead_to_a_message_and_a_part_of_it() {
        let header = Section::Message(SectionText::Header);
        let fields = Section::Message(SectionText::HeaderFields(vec!["DATE".into(), "FROM".into()]));
        let content = |path: &[u32]| Section::Part(PartPath(path.to_vec()), PartSection::Content);
        let mime = Section::Part(PartPath(vec![1, 5]), PartSection::Mime);
        for (text, expected) in [
            // RFC 4469 §5 and appendix A
            (
                "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER",
                url(Some("Drafts"), Some(385_759_045), 20, Some(header.clone()), None),
            ),
            (
                "/Drafts;UIDVALIDITY=385759045/;UID=30/;section=1.5.MIME",
                url(Some("Drafts"), Some(385_759_045), 30, Some(mime), None),
            ),
            ("/INBOX;UIDVALIDITY=785799047/;UID=113330;section=1.5.9", {
                url(Some("INBOX"), Some(785_799_047), 113_330, Some(content(&[1, 5, 9])), None)
            }),
            // RFC 5092 §7.2, §8
            (
                ";UID=20/;SECTION=1.2/;PARTIAL=0.1024",
                url(None, None, 20, Some(content(&[1, 2])), Some((0, Some(1024)))),
            ),
            ("/;UID=20/;PARTIAL=7", url(None, None, 20, None, Some((7, None)))),
            ("/gray%20council/;UID=20", url(Some("gray council"), None, 20, None, None)),
            ("/inbox/%E5%8F%B0/;UID=1", url(Some("INBOX/台"), None, 1, None, None)),
            (
                "/a/;UID=20/;SECTION=HEADER.FIELDS%20(DATE%20FROM)",
                url(Some("a"), None, 20, Some(fields), None),
            ),
            ("/a/;UID=20", url(Some("a"), None, 20, None, None)),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_leads_elsewhere_or_nowhere_is_none() {
        for text in [
            "",
            "/a",
            "/a/",
            "/a/;UID=0",
            "/a/;UID=4294967296",
            "/a/;UID=-1",
            "/a/;UID=1x",
            "/a;UID=1",
            "a/;UID=1",
            "//other.example/a/;UID=1",
            "imap://other.example/a/;UID=1",
            "/a;UIDVALIDITY=0/;UID=1",
            "/a;UIDVALIDITY=x/;UID=1",
            "/a;x=y/;UID=1",
            "/a%/;UID=1",
            "/a%4/;UID=1",
            "/a%zz/;UID=1",
            "/%FF/;UID=1",
            "/a/;UID=1/;SECTION=HEADERX",
            "/a/;UID=1/;SECTION=1.",
            "/a/;UID=1/;SECTION=0",
            "/a/;UID=1/;PARTIAL=1.0",
            "/a/;UID=1/;PARTIAL=+1.1",
            "/a/;UID=1/;PARTIAL=9223372036854775808",
            "/a/;UID=1;EXPIRE=2026-11-22T00:00:00Z;URLAUTH=anonymous:internal:0",
            "/ä/;UID=1",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
