//! What of the message is returned (RFC 3461 §4.3 and §6.2, RFC 6522 §3, RFC 6533 §4.2 and §4.3).

use types::{BodyType, DsnReturn};

use super::encode::{Part, Shape, Transfer, base64, shape};
use super::{Action, Extent, HEADER_BYTES_MAX, Notification, RecipientReport};
use crate::header::field::FieldsOf;

/// The longest `Message-ID` that is repeated.
const MESSAGE_ID_BYTES_MAX: usize = 250;

/// The third part; none where there is nothing to return.
pub(super) fn part(
    notification: &Notification<'_>,
    recipients: &[&RecipientReport<'_>],
    reach: Transfer,
) -> Option<Part> {
    let octets = notification.original.octets;
    let header = header(octets);
    if header.is_empty() {
        return None;
    }
    if is_returned_whole(notification, recipients) {
        return Some(whole(octets, header, reach));
    }
    // RFC 6533 §4.4: what is ASCII throughout keeps the traditional type.
    let media = if header.is_ascii() { "text/rfc822-headers" } else { "message/global-headers" };
    Some(Part::of_lines(format!("Content-Type: {media}\r\n"), header.to_vec(), reach))
}

/// RFC 3461 §6.2: only with a failure, and only where RET= asks for it.
pub(super) fn is_returned_whole(
    notification: &Notification<'_>,
    recipients: &[&RecipientReport<'_>],
) -> bool {
    let parameters = &notification.envelope.parameters;
    let octets = notification.original.octets;
    parameters.ret == Some(DsnReturn::Full)
        && recipients.iter().any(|report| report.action == Action::Failed)
        && notification.original.extent == Extent::Whole
        && octets.len() <= notification.full_bytes_max
        // RFC 8689 §5: what must not be read on the way is not sent back where it might be.
        && !parameters.require_tls
        // RFC 3030 §3: it could travel by BDAT alone.
        && parameters.body_type != BodyType::BinaryMime
        && shape(octets) != Shape::Wild
}

fn whole(octets: &[u8], header: &[u8], reach: Transfer) -> Part {
    let is_global = !header.is_ascii();
    let media = if is_global { "message/global" } else { "message/rfc822" };
    let fields = format!("Content-Type: {media}\r\n");
    match shape(octets) {
        Shape::SevenBit => Part { fields, transfer: Transfer::SevenBit, body: octets.to_vec() },
        // RFC 6533 §4.5: encoded, where the way back may know nothing of SMTPUTF8. RFC 2046 §5.2.1 allows that for no
        // message/rfc822, which needs 8BITMIME.
        _ if is_global && reach != Transfer::EightBit => {
            Part { fields, transfer: Transfer::Base64, body: base64(octets) }
        }
        _ => Part { fields, transfer: Transfer::EightBit, body: octets.to_vec() },
    }
}

/// The header section without the empty line; of a very long one the first whole fields.
fn header(octets: &[u8]) -> &[u8] {
    if octets.starts_with(b"\r\n") {
        return &[];
    }
    let end = memchr::memmem::find(octets, b"\r\n\r\n").map_or(octets.len(), |at| at + 2);
    let header = &octets[..end];
    if header.len() <= HEADER_BYTES_MAX {
        return header;
    }
    let beginning = &header[..HEADER_BYTES_MAX];
    let cut = memchr::memmem::rfind_iter(beginning, b"\r\n")
        .map(|at| at + 2)
        .find(|at| header.get(*at).is_some_and(|next| !matches!(next, b' ' | b'\t')));
    cut.map_or(beginning, |at| &header[..at])
}

/// The `Message-ID` of the message, where it can be repeated as it is.
pub(super) fn message_id(octets: &[u8]) -> Option<&str> {
    let header = header(octets);
    let mut ids = FieldsOf::new(header).filter(|field| field.is(header, "Message-ID"));
    let id = ids.next()?.value(header).trim_ascii();
    // msg-id = "<" id-left "@" id-right ">" (RFC 5322 §3.6.4); of two nobody knows which one counts.
    let inner = id.strip_prefix(b"<")?.strip_suffix(b">")?;
    let is_id = inner.iter().all(|b| matches!(b, 33..=126) && !matches!(b, b'<' | b'>' | b',' | b';'))
        && inner.contains(&b'@')
        && id.len() <= MESSAGE_ID_BYTES_MAX
        && ids.next().is_none();
    if is_id { std::str::from_utf8(id).ok() } else { None }
}
