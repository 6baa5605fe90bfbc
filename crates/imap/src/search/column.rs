//! What an order needs to know of a message's header: few octets, which stay the same as long as the message is in its mailbox, so
//! that whoever sorts a mailbox again need not look at the headers.

use super::header_facts::HeaderFacts;
use super::sort;
use super::thread;
use crate::command::SortKey;
use crate::view::Message;

/// Something of which each message has a cell. Cells of one that can be sorted by are ordered as their octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// DATE
    Date,
    /// SUBJECT
    Subject,
    /// FROM
    From,
    /// TO
    To,
    /// CC
    Cc,
    /// DISPLAYFROM
    DisplayFrom,
    /// DISPLAYTO
    DisplayTo,
    /// What threads are made of.
    Thread,
}

impl Column {
    /// Of a criterion; none where it needs no header.
    pub(super) const fn of(key: SortKey) -> Option<Self> {
        match key {
            SortKey::Arrival | SortKey::Size => None,
            SortKey::Date => Some(Self::Date),
            SortKey::Subject => Some(Self::Subject),
            SortKey::From => Some(Self::From),
            SortKey::To => Some(Self::To),
            SortKey::Cc => Some(Self::Cc),
            SortKey::DisplayFrom => Some(Self::DisplayFrom),
            SortKey::DisplayTo => Some(Self::DisplayTo),
        }
    }

    pub(super) fn cell(self, message: &Message, header: &HeaderFacts<'_>) -> Vec<u8> {
        let mut cell = Vec::new();
        self.write(message, header, &mut cell);
        cell
    }

    /// Appends the cell of a message: 8 octets of a date, at most 512 of a text, at most 3,241 of threads. Where its header cannot
    /// be read the facts are those of an empty one.
    pub fn write(self, message: &Message, header: &HeaderFacts<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Date => sort::write_date(message, header, out),
            Self::Subject => sort::write_text(header.base_subject, out),
            Self::From => sort::write_text(header.from.mailbox, out),
            Self::To => sort::write_text(header.to.mailbox, out),
            Self::Cc => sort::write_text(header.cc.mailbox, out),
            Self::DisplayFrom => sort::write_text(header.from.display, out),
            Self::DisplayTo => sort::write_text(header.to.display, out),
            Self::Thread => thread::write_cell(message, header, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use types::mailstore::{Flags, ModSeq, Uid};
    use types::{MailId, Timestamp};

    use super::*;
    use crate::mime::Structure;
    use crate::search::{SentDate, SortedAddress, make_header_facts};

    const COLUMNS: [Column; 8] = [
        Column::Date,
        Column::Subject,
        Column::From,
        Column::To,
        Column::Cc,
        Column::DisplayFrom,
        Column::DisplayTo,
        Column::Thread,
    ];

    fn message() -> Message {
        let at = Timestamp::from_millis(1_000_000);
        Message {
            uid: Uid(1),
            flags: Flags::NONE,
            modseq: ModSeq(1),
            size_bytes: 1,
            internal_date: at,
            saved_at: at,
            mail_id: MailId::new(at, 1),
        }
    }

    #[test]
    fn cells_are_as_long_as_they_say_whatever_the_header() {
        let references: String = (0..300).map(|n| format!(" <{n}@example.org>\r\n")).collect();
        let header = format!("Subject: re\r\nMessage-ID: <m@example.org>\r\nReferences:{references}\r\n");
        let facts = make_header_facts(header.as_bytes(), &Structure::of(header.as_bytes()));
        let threaded = Column::Thread.cell(&message(), &HeaderFacts::from_bytes(&facts).unwrap());
        assert_eq!(threaded.len(), 3_241);

        let text = &[0; 600][..];
        let address = SortedAddress { mailbox: text, display: text };
        let facts = HeaderFacts {
            base_subject: text,
            from: address,
            to: address,
            cc: address,
            ..HeaderFacts::default()
        };
        for column in COLUMNS {
            let most = match column {
                Column::Date => 8,
                Column::Thread => 25,
                _ => 512,
            };
            assert_eq!(column.cell(&message(), &facts).len(), most, "{column:?}");
            assert!(column.cell(&message(), &HeaderFacts::default()).len() <= 9, "{column:?}");
        }
    }

    #[test]
    fn cells_are_ordered_as_what_they_are_of() {
        let sent = |seconds| HeaderFacts { sent: Some(SentDate { seconds, day: 0 }), ..Default::default() };
        let dates = [sent(i64::MIN), sent(-1), sent(0), HeaderFacts::default(), sent(1001)];
        assert!(dates.map(|facts| Column::Date.cell(&message(), &facts)).is_sorted());
        let subjects = ["", "\u{0}", "\u{0}A", "A", "A\u{0}", "A\u{0}B", "A\u{1}", "AB", "B"];
        let subject =
            |text: &'static str| HeaderFacts { base_subject: text.as_bytes(), ..Default::default() };
        let cells = subjects.map(|text| Column::Subject.cell(&message(), &subject(text)));
        assert!(cells.is_sorted_by(|one, next| one < next));
    }
}
