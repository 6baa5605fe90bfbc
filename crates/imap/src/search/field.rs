//! Header fields, as they are searched (RFC 5322 §2.2).

use std::borrow::Cow;

use crate::mime::words;

/// One field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// As written; nothing but the colon was taken off.
    pub(super) name: &'a [u8],
    /// What comes behind the colon, with the line ends of folding and without the last one.
    pub(super) value: &'a [u8],
}

/// The fields of a header section, in order. A line that is none is passed over.
pub(super) fn fields(header: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = header;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (whole, behind) = rest.split_at(field_end(rest));
            rest = behind;
            let whole = whole.strip_suffix(b"\n").unwrap_or(whole);
            let whole = whole.strip_suffix(b"\r").unwrap_or(whole);
            let Some(colon) = memchr::memchr(b':', whole) else { continue };
            let name = whole[..colon].trim_ascii_end();
            if !name.is_empty() {
                return Some(Field { name, value: &whole[colon + 1..] });
            }
        }
        None
    })
}

/// Where the field ends that begins here: behind the first line end that nothing folds.
fn field_end(octets: &[u8]) -> usize {
    let ends = memchr::memchr_iter(b'\n', octets);
    let folds = |end: &usize| matches!(octets.get(end + 1), Some(b' ' | b'\t'));
    ends.map(|end| (end, folds(&end))).find(|(_, folds)| !folds).map_or(octets.len(), |(end, _)| end + 1)
}

/// What a field says: unfolded, without the space around it, encoded words decoded.
pub(super) fn text(value: &[u8]) -> String {
    words::decode(unfolded(value).trim_ascii())
}

fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect())
}

/// The message ids of a field, without brackets, and with what is quoted as it is (RFC 5256 §3: ids that differ in quoting alone
/// are the same). What is not in brackets is passed over.
pub(super) fn message_ids(raw: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        loop {
            let open = memchr::memchr(b'<', rest)?;
            let (id, behind) = message_id(&rest[open + 1..]);
            rest = behind;
            if let Some(id) = id {
                return Some(id);
            }
        }
    })
}

/// An id up to its closing bracket, and what comes behind it; none where there is none or it is empty.
fn message_id(raw: &[u8]) -> (Option<Vec<u8>>, &[u8]) {
    let mut id = Vec::new();
    let mut is_quoted = false;
    let mut at = 0;
    while let Some(octet) = raw.get(at) {
        at += 1;
        match octet {
            b'"' => is_quoted = !is_quoted,
            b'\\' if is_quoted => {
                id.extend(raw.get(at));
                at += 1;
            }
            b'>' if !is_quoted => {
                let is_one = (1..=MESSAGE_ID_BYTES_MAX).contains(&id.len());
                return (is_one.then_some(id), &raw[at..]);
            }
            // It was never closed: another begins.
            b'<' if !is_quoted => return (None, &raw[at - 1..]),
            b' ' | b'\t' | b'\r' | b'\n' if !is_quoted => {}
            other => id.push(*other),
        }
    }
    (None, &[])
}

/// RFC 5322 §2.1.1: no line is longer, and none folds a message id.
const MESSAGE_ID_BYTES_MAX: usize = 998;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_apart_and_unfolded() {
        let header = b"Subject: one\r\n two\r\nnothing\r\nX-Empty:\r\nFrom : a@b\r\n\r\n";
        let found: Vec<_> = fields(header).map(|field| (field.name, text(field.value))).collect();
        let expected: [(&[u8], String); 3] =
            [(b"Subject", "one two".to_owned()), (b"X-Empty", String::new()), (b"From", "a@b".to_owned())];
        assert_eq!(found, expected);
    }

    #[test]
    fn message_ids_that_differ_in_quoting_are_the_same() {
        // The example of RFC 5256 §3.
        let ids = |raw: &[u8]| message_ids(raw).collect::<Vec<_>>();
        assert_eq!(ids(b"<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>"), ids(b"<01KF8JCEOCBS0045PS@xxx.yyy.com>"));
        assert_eq!(ids(b"<a@b> text <c\r\n @d><>, <e@f"), [b"a@b".to_vec(), b"c@d".to_vec()]);
        assert_eq!(ids(b"<a <b@c>"), [b"b@c".to_vec()]);
        assert_eq!(ids(b"<\"a\\\"b\"@c>"), [b"a\"b@c".to_vec()]);
        assert_eq!(ids(b"none"), Vec::<Vec<u8>>::new());
        assert_eq!(ids(&[b"<", &[b'a'; 998][..], b">"].concat()).len(), 1);
        assert_eq!(ids(&[b"<", &[b'a'; 999][..], b">"].concat()).len(), 0);
    }
}
