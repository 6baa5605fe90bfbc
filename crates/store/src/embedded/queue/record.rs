//! Items of the queue as octets: in the record of their message, and in a record of their own after each change.
//!
//! The message's record brings all items of the message that there are then, and nothing else brings one: a record of
//! an item changes one that is known, or is of no effect. So whatever was given up of the log, an item is there only
//! with its message, and what a message that was carried forward does not name is gone.

use types::{EnhancedStatus, EnvelopeRecipient, MailId, ReversePath, StatusClass, Timestamp};

use super::super::codec::{Get, Malformed, Put, length};
use super::super::envelope::{dsn, put_dsn, put_text, text};
use super::super::record::Lsn;
use crate::{
    Destination, LastWord, NewQueueItem, QueueItem, QueueItemId, QueueState, QueueStatus, QueuedRecipient,
};

/// In the place of the time of a held item, which is never due.
pub(in super::super) const NEVER: u64 = u64::MAX;

/// An item in the record of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct QueuedPart<'a> {
    pub(in super::super) part: u32,
    pub(in super::super) reverse_path: &'a str,
    pub(in super::super) header: &'a [u8],
    pub(in super::super) priority: i8,
    pub(in super::super) now: ItemNow<'a>,
}

/// What of an item changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct ItemNow<'a> {
    pub(in super::super) revision: u32,
    /// Milliseconds; [`NEVER`] where it is held.
    pub(in super::super) due: u64,
    pub(in super::super) destination: &'a str,
    /// A [`QueueState`].
    pub(in super::super) state: &'a [u8],
}

impl<'a> ItemNow<'a> {
    pub(in super::super) fn put(&self, out: &mut Vec<u8>) {
        out.put_u32(self.revision);
        out.put_u64(self.due);
        out.put_bytes(self.destination.as_bytes());
        out.put_bytes(self.state);
    }

    pub(in super::super) fn get(get: &mut Get<'a>) -> Result<Self, Malformed> {
        Ok(Self { revision: get.u32()?, due: get.u64()?, destination: get.text()?, state: get.bytes()? })
    }
}

impl<'a> QueuedPart<'a> {
    pub(in super::super) fn put(&self, out: &mut Vec<u8>) {
        out.put_u32(self.part);
        out.put_bytes(self.reverse_path.as_bytes());
        out.put_bytes(self.header);
        out.put_u8(self.priority.cast_unsigned());
        self.now.put(out);
    }

    pub(in super::super) fn get(get: &mut Get<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            part: get.u32()?,
            reverse_path: get.text()?,
            header: get.bytes()?,
            priority: get.u8()?.cast_signed(),
            now: ItemNow::get(get)?,
        })
    }

    /// The whole item, with what it is now.
    pub(in super::super) fn item(
        &self,
        mail_id: MailId,
        received_at: Timestamp,
        body_len: u64,
        now: &ItemNow<'_>,
    ) -> Result<QueueItem, Malformed> {
        Ok(QueueItem {
            id: QueueItemId { mail_id, part: self.part },
            revision: now.revision,
            destination: Destination::named(now.destination).ok_or(Malformed)?,
            reverse_path: self.reverse_path.parse::<ReversePath>().map_err(|_| Malformed)?,
            header: bytes::Bytes::copy_from_slice(self.header),
            received_at,
            size_bytes: self.header.len() as u64 + body_len,
            priority: self.priority,
            state: decode_state(now.state)?,
        })
    }
}

/// An item that comes into being.
pub(in super::super) fn new_item(
    id: QueueItemId,
    new: NewQueueItem,
    received_at: Timestamp,
    priority: i8,
    body_len: u64,
) -> QueueItem {
    let NewQueueItem { destination, reverse_path, header, recipients, due_at } = new;
    QueueItem {
        id,
        revision: 1,
        destination,
        reverse_path,
        received_at,
        size_bytes: header.len() as u64 + body_len,
        header,
        priority,
        state: QueueState::new(recipients, due_at),
    }
}

/// What of an item has another form in its record.
pub(in super::super) struct EncodedItem {
    reverse_path: String,
    state: Vec<u8>,
}

impl EncodedItem {
    pub(in super::super) fn of(item: &QueueItem) -> Self {
        Self { reverse_path: item.reverse_path.to_string(), state: encode_state(&item.state) }
    }

    pub(in super::super) fn part<'a>(&'a self, item: &'a QueueItem) -> QueuedPart<'a> {
        QueuedPart {
            part: item.id.part,
            reverse_path: &self.reverse_path,
            header: &item.header,
            priority: item.priority,
            now: ItemNow {
                revision: item.revision,
                due: due_of(&item.state),
                destination: item.destination.as_str(),
                state: &self.state,
            },
        }
    }
}

/// The content of a [`Kind::Queue`](super::super::record::Kind::Queue) record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct QueueChange<'a> {
    pub(in super::super) id: QueueItemId,
    pub(in super::super) next: ItemNext<'a>,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum ItemNext<'a> {
    Now(ItemNow<'a>),
    /// As long as the segment with its message's record is there, the log needs to say so.
    Gone {
        /// Where that record was then.
        home: Lsn,
    },
}

impl<'a> QueueChange<'a> {
    pub(in super::super) fn encode(&self, out: &mut Vec<u8>) {
        out.put(&self.id.mail_id.to_bytes());
        out.put_u32(self.id.part);
        match &self.next {
            ItemNext::Gone { home } => {
                out.put_u8(0);
                out.put_u64(home.0);
            }
            ItemNext::Now(now) => {
                out.put_u8(1);
                now.put(out);
            }
        }
    }

    pub(in super::super) fn decode(meta: &'a [u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let id = QueueItemId { mail_id: get.id()?, part: get.u32()? };
        let next = match get.u8()? {
            0 => ItemNext::Gone { home: Lsn(get.u64()?) },
            1 => ItemNext::Now(ItemNow::get(&mut get)?),
            _ => return Err(Malformed),
        };
        get.end()?;
        Ok(Self { id, next })
    }
}

/// When an item is due, as it stands in records and rows.
pub(in super::super) fn due_of(state: &QueueState) -> u64 {
    match state.status {
        QueueStatus::Waiting => state.due_at.millis().min(NEVER - 1),
        QueueStatus::Held { .. } => NEVER,
    }
}

/// Flags of a state.
const HELD: u8 = 1;
const FIRST_ATTEMPT: u8 = 2;
const LAST_ATTEMPT: u8 = 4;
const LAST_HOST: u8 = 8;

/// What was said of a recipient: nothing, something, or the same as of the one before it.
const NOTHING: u8 = 0;
const SAID: u8 = 1;
const THE_SAME: u8 = 2;

pub(in super::super) fn encode_state(state: &QueueState) -> Vec<u8> {
    let QueueState { due_at, status, attempts, first_attempt_at, last_attempt_at, .. } = state;
    let mut out = Vec::with_capacity(32 + state.recipients.len() * 64);
    let flag = |flag, is_set: bool| if is_set { flag } else { 0 };
    out.put_u8(
        flag(HELD, *status != QueueStatus::Waiting)
            | flag(FIRST_ATTEMPT, first_attempt_at.is_some())
            | flag(LAST_ATTEMPT, last_attempt_at.is_some())
            | flag(LAST_HOST, state.last_host.is_some()),
    );
    out.put_u64(due_at.millis());
    out.put_u32(*attempts);
    out.put_u32(state.own_failures);
    out.put_u8(state.notices);
    if let QueueStatus::Held { reason } = status {
        out.put_bytes(reason.as_bytes());
    }
    for at in [first_attempt_at, last_attempt_at].into_iter().flatten() {
        out.put_u64(at.millis());
    }
    if let Some(host) = &state.last_host {
        out.put_bytes(host.as_bytes());
    }
    out.put_u32(length(state.recipients.len()));
    let mut before = None;
    for QueuedRecipient { recipient, last } in &state.recipients {
        out.put_bytes(recipient.forward_path.to_string().as_bytes());
        put_dsn(&mut out, &recipient.dsn);
        match last {
            None => out.put_u8(NOTHING),
            Some(_) if before == last.as_ref() => out.put_u8(THE_SAME),
            Some(word) => {
                out.put_u8(SAID);
                put_word(&mut out, word);
            }
        }
        before = last.as_ref();
    }
    out
}

pub(in super::super) fn decode_state(octets: &[u8]) -> Result<QueueState, Malformed> {
    let mut get = Get(octets);
    let flags = get.u8()?;
    if flags & !(HELD | FIRST_ATTEMPT | LAST_ATTEMPT | LAST_HOST) != 0 {
        return Err(Malformed);
    }
    let due_at = Timestamp::from_millis(get.u64()?);
    let (attempts, own_failures, notices) = (get.u32()?, get.u32()?, get.u8()?);
    let status = if flags & HELD == 0 {
        QueueStatus::Waiting
    } else {
        QueueStatus::Held { reason: get.text()?.to_owned() }
    };
    let mut time = |flag| -> Result<Option<Timestamp>, Malformed> {
        if flags & flag == 0 { Ok(None) } else { Ok(Some(Timestamp::from_millis(get.u64()?))) }
    };
    let (first_attempt_at, last_attempt_at) = (time(FIRST_ATTEMPT)?, time(LAST_ATTEMPT)?);
    let last_host = if flags & LAST_HOST == 0 { None } else { Some(get.text()?.to_owned()) };
    let mut recipients: Vec<QueuedRecipient> = Vec::new();
    for _ in 0..get.u32()? {
        let forward_path = get.text()?.parse().map_err(|_| Malformed)?;
        let recipient = EnvelopeRecipient { forward_path, dsn: dsn(&mut get)? };
        let last = match get.u8()? {
            NOTHING => None,
            SAID => Some(word(&mut get)?),
            THE_SAME => Some(recipients.last().and_then(|before| before.last.clone()).ok_or(Malformed)?),
            _ => return Err(Malformed),
        };
        recipients.push(QueuedRecipient { recipient, last });
    }
    get.end()?;
    Ok(QueueState {
        due_at,
        status,
        attempts,
        first_attempt_at,
        last_attempt_at,
        own_failures,
        notices,
        last_host,
        recipients,
    })
}

fn put_word(out: &mut Vec<u8>, word: &LastWord) {
    out.put_u8(word.status.class.digit());
    out.put_u32(u32::from(word.status.subject) << 16 | u32::from(word.status.detail));
    put_text(out, word.code.map(|code| code.to_string()).as_deref());
    out.put_bytes(word.text.as_bytes());
}

fn word(get: &mut Get<'_>) -> Result<LastWord, Malformed> {
    let class = match get.u8()? {
        2 => StatusClass::Success,
        4 => StatusClass::PersistentTransient,
        5 => StatusClass::Permanent,
        _ => return Err(Malformed),
    };
    let both = get.u32()?;
    let half = |half: u32| u16::try_from(half & 0xffff).map_err(|_| Malformed);
    let status = EnhancedStatus { class, subject: half(both >> 16)?, detail: half(both)? };
    let code = text(get)?.map(|code| code.parse().map_err(|_| Malformed)).transpose()?;
    Ok(LastWord { status, code, text: get.text()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use types::Notify;

    use super::*;

    fn recipient(path: &str) -> EnvelopeRecipient {
        EnvelopeRecipient { forward_path: path.parse().unwrap(), dsn: types::RecipientDsn::default() }
    }

    fn state() -> QueueState {
        let at = Timestamp::from_millis;
        let mut state =
            QueueState::new(["<a@b.example>", "<c@b.example>", "<d@b.example>"].map(recipient).into(), at(7));
        state.status = QueueStatus::Held { reason: "ünder review".into() };
        state.first_attempt_at = Some(at(8));
        state.last_attempt_at = Some(at(9));
        state.last_host = Some("mx.b.example [192.0.2.1]".into());
        (state.attempts, state.own_failures, state.notices) = (3, 2, 1);
        let status = EnhancedStatus::permanent(999, 26);
        let word = LastWord { status, code: Some(451), text: "one\ntwo".into() };
        state.recipients[0].last = Some(word.clone());
        state.recipients[1].last = Some(word);
        state.recipients[2].last = Some(LastWord { status, code: None, text: String::new() });
        state.recipients[0].recipient.dsn.notify = Some(Notify::Never);
        state
    }

    #[test]
    fn a_state_is_read_as_it_was_written_and_no_part_of_one() {
        for state in [state(), QueueState::new(vec![recipient("<Postmaster>")], Timestamp::default())] {
            let octets = encode_state(&state);
            assert_eq!(decode_state(&octets), Ok(state));
            for end in 0..octets.len() {
                assert_eq!(decode_state(&octets[..end]), Err(Malformed), "{end} of {}", octets.len());
            }
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_no_part_of_one() {
        let id = QueueItemId { mail_id: MailId::new(Timestamp::from_millis(4), 4), part: 3 };
        let state = encode_state(&state());
        let now = ItemNow { revision: 5, due: NEVER, destination: "b.example", state: &state };
        for next in [ItemNext::Now(now), ItemNext::Gone { home: Lsn::new(3, 80) }] {
            let change = QueueChange { id, next };
            let mut octets = Vec::new();
            change.encode(&mut octets);
            assert_eq!(QueueChange::decode(&octets), Ok(change));
            for end in 0..octets.len() {
                assert_eq!(QueueChange::decode(&octets[..end]), Err(Malformed), "{end} of {}", octets.len());
            }
        }
    }

    #[test]
    fn the_same_words_for_the_next_recipient_take_one_octet() {
        let mut state = state();
        let one = encode_state(&state).len();
        state.recipients.insert(1, state.recipients[1].clone());
        let path = "<c@b.example>".len();
        assert_eq!(encode_state(&state).len() - one, 4 + path + 2 + 1);
    }

    #[test]
    fn what_is_held_is_never_due_and_what_waits_is_some_time() {
        assert_eq!(due_of(&state()), NEVER);
        let waiting = |due| QueueState::new(Vec::new(), Timestamp::from_millis(due));
        assert_eq!(due_of(&waiting(9)), 9);
        assert_eq!(due_of(&waiting(u64::MAX)), NEVER - 1);
    }
}
