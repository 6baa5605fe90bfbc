//! The order of SORT (RFC 5256 §3, RFC 5957).

use types::mailstore::Uid;

use super::column::Column;
use super::header_facts::HeaderFacts;
use crate::command::{SortCriterion, SortKey};
use crate::view::Message;

/// Messages that are being sorted. Of each a key is kept, such that the order of keys as octets is the order that was asked for.
#[derive(Debug)]
pub struct Sorter {
    criteria: Vec<SortCriterion>,
    /// Those of the criteria, once each.
    columns: Vec<Column>,
    keys: Vec<u8>,
    messages: Vec<Sorted>,
}

#[derive(Debug, Clone, Copy)]
struct Sorted {
    uid: Uid,
    /// The first octets of the key, so that most comparisons look no further.
    first: u64,
    key: (usize, usize),
}

impl Sorter {
    /// By these criteria, the first one first.
    #[must_use]
    pub fn new(criteria: &[SortCriterion]) -> Self {
        let mut columns = Vec::new();
        for column in criteria.iter().filter_map(|criterion| Column::of(criterion.key)) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        Self { criteria: criteria.to_vec(), columns, keys: Vec::new(), messages: Vec::new() }
    }

    /// So many messages are going to come.
    pub fn reserve(&mut self, count: usize) {
        self.messages.reserve_exact(count);
    }

    /// What is needed of headers.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The next message, in the order of the mailbox, of which no cells are kept.
    pub fn push(&mut self, message: &Message, header: &HeaderFacts<'_>) {
        let cells: Vec<Vec<u8>> = self.columns.iter().map(|column| column.cell(message, header)).collect();
        self.push_cells(message, &cells.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    /// The next message, in the order of the mailbox, with its cells of [`Self::columns`], in their order.
    pub fn push_cells(&mut self, message: &Message, cells: &[&[u8]]) {
        let from = self.keys.len();
        for criterion in &self.criteria {
            let begin = self.keys.len();
            match (criterion.key, Column::of(criterion.key)) {
                (_, Some(column)) => {
                    let cell = self.columns.iter().zip(cells).find(|(known, _)| **known == column);
                    self.keys.extend_from_slice(cell.map_or(&[], |(_, cell)| cell));
                }
                (SortKey::Size, None) => self.keys.extend_from_slice(&message.size_bytes.to_be_bytes()),
                (_, None) => self.keys.extend_from_slice(&message.internal_date.millis().to_be_bytes()),
            }
            if criterion.reverse {
                self.keys[begin..].iter_mut().for_each(|octet| *octet = !*octet);
            }
        }
        let key = &self.keys[from..];
        let mut first = [0; 8];
        let count = key.len().min(first.len());
        first[..count].copy_from_slice(&key[..count]);
        self.messages.push(Sorted {
            uid: message.uid,
            first: u64::from_be_bytes(first),
            key: (from, self.keys.len()),
        });
    }

    /// The messages in order; those that are alike in that of the mailbox.
    #[must_use]
    pub fn finish(mut self) -> Vec<Uid> {
        let key = |sorted: &Sorted| &self.keys[sorted.key.0..sorted.key.1];
        // By the place in `keys`, those that are alike are where they were.
        self.messages.sort_unstable_by(|a, b| {
            a.first.cmp(&b.first).then_with(|| key(a).cmp(key(b))).then(a.key.0.cmp(&b.key.0))
        });
        self.messages.into_iter().map(|sorted| sorted.uid).collect()
    }
}

/// The moment, such that those before 1970 come first: the sign is turned round.
pub(super) fn write_date(message: &Message, header: &HeaderFacts<'_>, out: &mut Vec<u8>) {
    let seconds = sent_seconds(message, header).cast_unsigned() ^ 1 << 63;
    out.extend_from_slice(&seconds.to_be_bytes());
}

/// RFC 5256 §2.2: the Date field, or the internal date where there is none.
pub(super) fn sent_seconds(message: &Message, header: &HeaderFacts<'_>) -> i64 {
    let internal = || i64::try_from(message.internal_date.seconds()).unwrap_or(i64::MAX);
    header.sent.map_or_else(internal, |sent| sent.seconds)
}

/// A text that ends so that a longer one comes behind it, and whose end no text has inside.
pub(super) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    for octet in text.iter().take(TEXT_BYTES_MAX) {
        match octet {
            0 => out.extend_from_slice(&[0, 1]),
            other => out.push(*other),
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// Octets of a text by which messages are sorted: what differs only behind them is alike, so that a mailbox of endless subjects
/// does not fill the memory.
pub(super) const TEXT_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use types::mailstore::{Flags, ModSeq};
    use types::{MailId, Timestamp};

    use super::*;
    use crate::search::header_facts::SortedAddress;
    use crate::search::sent_date::SentDate;

    fn message(uid: u32, arrival_s: u64, size_bytes: u64) -> Message {
        let at = Timestamp::from_millis(arrival_s * 1000);
        Message {
            uid: Uid(uid),
            flags: Flags::NONE,
            modseq: ModSeq(1),
            size_bytes,
            internal_date: at,
            saved_at: at,
            mail_id: MailId::new(at, u64::from(uid)),
        }
    }

    fn by(key: SortKey) -> SortCriterion {
        SortCriterion { reverse: false, key }
    }

    fn reverse(key: SortKey) -> SortCriterion {
        SortCriterion { reverse: true, key }
    }

    fn sorted(criteria: &[SortCriterion], messages: &[(Message, HeaderFacts<'_>)]) -> Vec<u32> {
        let mut sorter = Sorter::new(criteria);
        messages.iter().for_each(|(message, header)| sorter.push(message, header));
        sorter.finish().into_iter().map(|uid| uid.0).collect()
    }

    #[test]
    fn criteria_count_in_their_order_and_the_mailbox_last() {
        let subject =
            |text: &'static str| HeaderFacts { base_subject: text.as_bytes(), ..Default::default() };
        let messages = [
            (message(1, 30, 5), subject("B")),
            (message(2, 20, 5), subject("A")),
            (message(3, 10, 7), subject("B")),
            (message(4, 20, 1), subject("")),
            (message(5, 40, 1), subject("AB")),
        ];
        assert_eq!(sorted(&[by(SortKey::Subject)], &messages), [4, 2, 5, 1, 3]);
        assert_eq!(sorted(&[by(SortKey::Subject), by(SortKey::Arrival)], &messages), [4, 2, 5, 3, 1]);
        // REVERSE is of one criterion alone: those that are alike stay in the order of the mailbox.
        assert_eq!(sorted(&[reverse(SortKey::Subject)], &messages), [1, 3, 5, 2, 4]);
        assert_eq!(sorted(&[by(SortKey::Size), reverse(SortKey::Arrival)], &messages), [5, 4, 1, 2, 3]);
    }

    #[test]
    fn date_is_that_of_the_field_or_of_arrival() {
        let sent = |seconds| HeaderFacts { sent: Some(SentDate { seconds, day: 0 }), ..Default::default() };
        let messages = [
            (message(1, 100, 1), sent(50)),
            (message(2, 10, 1), HeaderFacts::default()),
            (message(3, 5, 1), sent(-5)),
        ];
        assert_eq!(sorted(&[by(SortKey::Date)], &messages), [3, 2, 1]);
    }

    #[test]
    fn addresses_sort_by_local_part_or_by_what_is_shown() {
        let from = |mailbox: &'static str, display: &'static str| HeaderFacts {
            from: SortedAddress { mailbox: mailbox.as_bytes(), display: display.as_bytes() },
            ..Default::default()
        };
        let messages = [(message(1, 1, 1), from("A", "ZOE")), (message(2, 1, 1), from("B", "ANNA"))];
        assert_eq!(sorted(&[by(SortKey::From)], &messages), [1, 2]);
        assert_eq!(sorted(&[by(SortKey::DisplayFrom)], &messages), [2, 1]);
    }
}
