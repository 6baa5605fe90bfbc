//! The maildrop as it stood at login, and the marks that a session makes in it.

use std::fmt;

use crate::MessageNumber;

/// Characters of a unique-id (RFC 1939 §7).
pub const UNIQUE_ID_BYTES_MAX: usize = 70;

/// All messages of a mailbox as they stood at login, in the order of their arrival. Position 0 is message-number
/// 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maildrop {
    /// The messages.
    pub messages: Vec<Message>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Octets as stored, without dot-stuffing (RFC 1939 §11).
    pub size_bytes: u64,
    /// 1 to [`UNIQUE_ID_BYTES_MAX`] characters from `!` to `~` that name this message in this maildrop for ever
    /// (RFC 1939 §7).
    pub unique_id: String,
}

/// Number and octets of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailSize {
    /// Messages.
    pub messages: usize,
    /// Octets of all of them.
    pub octets: u128,
}

/// The open maildrop of a session. Counts are kept, so that no command but the listings walks over it.
pub(crate) struct MarkedMaildrop {
    messages: Vec<Message>,
    is_marked: Vec<bool>,
    /// Whether all of it was sent.
    is_retrieved: Vec<bool>,
    /// In the order of DELE.
    marked: Vec<usize>,
    kept: MailSize,
}

/// Why a message-number names no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoMessage {
    OutOfRange,
    MarkedDeleted,
}

impl Message {
    /// Whether the unique-id is one (RFC 1939 §7).
    fn has_unique_id(&self) -> bool {
        (1..=UNIQUE_ID_BYTES_MAX).contains(&self.unique_id.len())
            && self.unique_id.bytes().all(|b| matches!(b, b'!'..=b'~'))
    }
}

/// For example `2 messages (320 octets)`.
impl fmt::Display for MailSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (messages, octets) = (self.messages, self.octets);
        let message_noun = if messages == 1 { "message" } else { "messages" };
        let octet_noun = if octets == 1 { "octet" } else { "octets" };
        write!(f, "{messages} {message_noun} ({octets} {octet_noun})")
    }
}

impl MarkedMaildrop {
    /// Nothing where a unique-id is none: it would break the lines of UIDL.
    pub(crate) fn open(maildrop: Maildrop) -> Option<Self> {
        let messages = maildrop.messages;
        if !messages.iter().all(Message::has_unique_id) {
            return None;
        }
        let octets = messages.iter().map(|message| u128::from(message.size_bytes)).sum();
        let kept = MailSize { messages: messages.len(), octets };
        let none = vec![false; messages.len()];
        Some(Self { is_marked: none.clone(), is_retrieved: none, marked: Vec::new(), messages, kept })
    }

    /// Of the messages that are not marked.
    pub(crate) const fn kept(&self) -> MailSize {
        self.kept
    }

    /// Messages with the marked ones.
    pub(crate) const fn len(&self) -> usize {
        self.messages.len()
    }

    /// The position of a message that is not marked.
    pub(crate) fn find(&self, number: MessageNumber) -> Result<usize, NoMessage> {
        let index = number.0.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        let index = index.filter(|index| *index < self.len()).ok_or(NoMessage::OutOfRange)?;
        if self.is_marked[index] { Err(NoMessage::MarkedDeleted) } else { Ok(index) }
    }

    /// The message at a position, where it is not marked.
    pub(crate) fn unmarked(&self, index: usize) -> Option<&Message> {
        self.messages.get(index).filter(|_| !self.is_marked[index])
    }

    /// Marks the message at a position that [`Self::find`] gave.
    pub(crate) fn mark(&mut self, index: usize) {
        if !std::mem::replace(&mut self.is_marked[index], true) {
            self.marked.push(index);
            self.kept.messages -= 1;
            self.kept.octets -= u128::from(self.messages[index].size_bytes);
        }
    }

    /// Takes all marks away.
    pub(crate) fn unmark_all(&mut self) {
        for index in self.marked.drain(..) {
            self.is_marked[index] = false;
            self.kept.messages += 1;
            self.kept.octets += u128::from(self.messages[index].size_bytes);
        }
    }

    /// Notes that all of a message was sent.
    pub(crate) fn retrieved(&mut self, index: usize) {
        if let Some(is_retrieved) = self.is_retrieved.get_mut(index) {
            *is_retrieved = true;
        }
    }

    /// Positions of the marked messages and of those that were sent and are not marked, ascending.
    pub(crate) fn into_update(mut self) -> (Vec<usize>, Vec<usize>) {
        self.marked.sort_unstable();
        let is_read = |index: &usize| self.is_retrieved[*index] && !self.is_marked[*index];
        let retrieved = (0..self.messages.len()).filter(is_read).collect();
        (self.marked, retrieved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maildrop(sizes: &[u64]) -> Maildrop {
        let message = |size_bytes: &u64| Message { size_bytes: *size_bytes, unique_id: "id".into() };
        Maildrop { messages: sizes.iter().map(message).collect() }
    }

    #[test]
    fn numbers_out_of_range_and_marked_messages_are_told_apart() {
        let mut open = MarkedMaildrop::open(maildrop(&[120, 200])).unwrap();
        assert_eq!(open.find(MessageNumber(1)), Ok(0));
        assert_eq!(open.find(MessageNumber(2)), Ok(1));
        for number in [0, 3, 1 << 32, u64::MAX] {
            assert_eq!(open.find(MessageNumber(number)), Err(NoMessage::OutOfRange));
        }
        open.mark(1);
        open.mark(1);
        assert_eq!(open.find(MessageNumber(2)), Err(NoMessage::MarkedDeleted));
        assert_eq!(open.kept().to_string(), "1 message (120 octets)");
        open.unmark_all();
        assert_eq!(open.kept().to_string(), "2 messages (320 octets)");
        open.mark(1);
        open.mark(0);
        open.retrieved(1);
        assert_eq!(open.into_update(), (vec![0, 1], vec![]));
    }

    #[test]
    fn sizes_at_the_end_of_64_bits_are_added_without_overflow() {
        let open = MarkedMaildrop::open(maildrop(&[u64::MAX, u64::MAX, 2])).unwrap();
        assert_eq!(open.kept().octets, 36_893_488_147_419_103_232);
    }

    #[test]
    fn a_maildrop_with_a_unique_id_that_is_none_is_not_opened() {
        let opens = |id: &str| {
            let message = Message { size_bytes: 1, unique_id: id.into() };
            MarkedMaildrop::open(Maildrop { messages: vec![message] }).is_some()
        };
        for id in ["!", "~", "a:b", &"x".repeat(70)] {
            assert!(opens(id), "{id}");
        }
        for id in ["", " ", "a b", "a\r\n.", "\u{7f}", "é", &"x".repeat(71)] {
            assert!(!opens(id), "{id:?}");
        }
    }
}
