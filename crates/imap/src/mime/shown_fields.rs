//! The fields that clients ask for to show a list of messages: kept as they were written, so that HEADER.FIELDS of them does
//! not read the message.

use super::record::{Records, Span};
use crate::fetch::filter::{HeaderFilter, Taken};

/// None of these is ever one of a delivery's own fields, which stand before the message: Return-Path, Delivered-To, results of
/// authentication, and those of mailing lists (List-*, Precedence).
const NAMES: [&str; 24] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Cc",
    "Bcc",
    "Reply-To",
    "Sender",
    "In-Reply-To",
    "References",
    "Content-Type",
    "MIME-Version",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Content-Language",
    "Newsgroups",
    "Followup-To",
    "User-Agent",
    "X-Mailer",
    "X-Priority",
    "Priority",
    "Importance",
    "Disposition-Notification-To",
];

/// Octets of a message's fields that are kept: most have less than 1 KiB. Of one that has more, none.
const BYTES_MAX: usize = 4 << 10;

/// Whether a field is one of them.
pub(super) fn is_kept(name: &str) -> bool {
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Takes them of a message's own header while it comes.
#[derive(Debug)]
pub(super) struct ShownFields {
    filter: HeaderFilter<&'static [&'static str]>,
    /// None where they are too many.
    taken: Option<Vec<u8>>,
}

impl ShownFields {
    pub(super) fn new() -> Self {
        Self { filter: HeaderFilter::new(&NAMES, Taken::Named), taken: Some(Vec::new()) }
    }

    /// Octets of the header, the empty line at its end too.
    pub(super) fn feed(&mut self, octets: &[u8]) {
        let Some(taken) = &mut self.taken else { return };
        self.filter.feed(octets, taken);
        if taken.len() > BYTES_MAX {
            self.taken = None;
        }
    }

    /// The header is over.
    pub(super) fn keep(mut self, records: &mut Records) -> Span {
        let Some(mut taken) = self.taken else { return Span::Absent };
        self.filter.finish(&mut taken);
        if taken.len() > BYTES_MAX {
            return Span::Absent;
        }
        records.keep(&taken, usize::MAX)
    }
}
