//! One event as octets, little-endian:
//!
//! ```text
//! event = length:u16                          ; octets of what follows
//!         flags:u8 step:u8 verdict:u8         ; flags: 1 a message, 2 an address, 4 a reply
//!         at:u48                              ; milliseconds since the epoch
//!         session:13 octets [mail:13 octets]  ; the 100 bits of an id, big-endian
//!         [length:u16 address] [length:u16 reply] reason
//! ```
//!
//! Texts are cut at [`TEXT_BYTES_MAX`], so that nobody fills the trace with one long line.

use types::{Event, EventStep, MailId, Timestamp, Verdict};

use super::super::codec::{Get, Malformed, Put as _};

/// Octets of each text of an event; what is longer is cut and ends in `…`.
pub(super) const TEXT_BYTES_MAX: usize = 1000;

/// Octets of an encoded event at most.
pub(super) const EVENT_BYTES_MAX: usize = 2 + FIXED_BYTES + ID_BYTES + 3 * (2 + TEXT_BYTES_MAX);

const ID_BYTES: usize = 13;
const FIXED_BYTES: usize = 3 + 6 + ID_BYTES;

const HAS_MAIL: u8 = 1;
const HAS_ADDRESS: u8 = 2;
const HAS_REPLY: u8 = 4;

/// Writes an event behind what is there.
pub(super) fn encode(event: &Event, out: &mut Vec<u8>) {
    let flag = |set, flag| if set { flag } else { 0 };
    let flags = flag(event.mail_id.is_some(), HAS_MAIL)
        | flag(event.address.is_some(), HAS_ADDRESS)
        | flag(event.reply.is_some(), HAS_REPLY);
    let start = out.len();
    out.put(&[0, 0, flags, event.step.code(), event.verdict.code()]);
    out.put(&event.at.millis().to_le_bytes()[..6]);
    put_id(event.session_id, out);
    if let Some(mail_id) = event.mail_id {
        put_id(mail_id, out);
    }
    for text in [&event.address, &event.reply].into_iter().flatten() {
        let length_at = out.len();
        out.put(&[0, 0]);
        put_text(text, out);
        set_length(out, length_at);
    }
    put_text(&event.reason, out);
    set_length(out, start);
}

fn put_id(id: MailId, out: &mut Vec<u8>) {
    out.put(&id.to_bytes()[MailId::BYTES - ID_BYTES..]);
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    const CUT: &str = "…";
    if text.len() <= TEXT_BYTES_MAX {
        return out.put(text.as_bytes());
    }
    let end = (0..=TEXT_BYTES_MAX - CUT.len()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    out.put(&text.as_bytes()[..end]);
    out.put(CUT.as_bytes());
}

/// Fills in the length that stands at `at` and counts what is behind it.
fn set_length(out: &mut [u8], at: usize) {
    // All texts together are far below 64 KiB: see EVENT_BYTES_MAX.
    let length = u16::try_from(out.len() - at - 2).unwrap_or(u16::MAX);
    out[at..at + 2].copy_from_slice(&length.to_le_bytes());
}

/// An event as it lies in a frame; nothing is copied until it is known to be wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventRef<'a> {
    pub(super) at: Timestamp,
    pub(super) session_id: MailId,
    pub(super) mail_id: Option<MailId>,
    pub(super) step: EventStep,
    verdict: Verdict,
    address: Option<&'a [u8]>,
    reply: Option<&'a [u8]>,
    reason: &'a [u8],
}

impl<'a> EventRef<'a> {
    /// The next event of a frame.
    pub(super) fn decode(frame: &mut Get<'a>) -> Result<Self, Malformed> {
        let mut event = Get(take_long(frame)?);
        let (flags, step, verdict) = (event.u8()?, event.u8()?, event.u8()?);
        let mut at = [0; 8];
        at[..6].copy_from_slice(event.take(6)?);
        let session_id = take_id(&mut event)?;
        let has = |flag| (flags & flag != 0).then_some(());
        let mail_id = has(HAS_MAIL).map(|()| take_id(&mut event)).transpose()?;
        let address = has(HAS_ADDRESS).map(|()| take_long(&mut event)).transpose()?;
        let reply = has(HAS_REPLY).map(|()| take_long(&mut event)).transpose()?;
        Ok(Self {
            at: Timestamp::from_millis(u64::from_le_bytes(at)),
            session_id,
            mail_id,
            // What a newer version has more of is shown as something that happened.
            step: EventStep::from_code(step).unwrap_or(EventStep::Command),
            verdict: Verdict::from_code(verdict).unwrap_or(Verdict::Noted),
            address,
            reply,
            reason: event.0,
        })
    }

    /// Whether the event is about an address, which is in lower case and without angle brackets.
    pub(super) fn is_about(&self, address: &str) -> bool {
        let Some(mine) = self.address else { return false };
        let mine = mine.strip_prefix(b"<").and_then(|mine| mine.strip_suffix(b">")).unwrap_or(mine);
        if mine.is_ascii() {
            return mine.eq_ignore_ascii_case(address.as_bytes());
        }
        String::from_utf8_lossy(mine).to_lowercase() == address
    }

    /// Octets that it takes in memory, roughly.
    pub(super) fn size_bytes(&self) -> usize {
        let text = |text: Option<&[u8]>| text.map_or(0, <[u8]>::len);
        size_of::<Event>() + text(self.address) + text(self.reply) + self.reason.len()
    }

    pub(super) fn to_event(self) -> Event {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Event {
            at: self.at,
            session_id: self.session_id,
            mail_id: self.mail_id,
            step: self.step,
            verdict: self.verdict,
            address: self.address.map(text),
            reply: self.reply.map(text),
            reason: text(self.reason),
        }
    }
}

fn take_long<'a>(octets: &mut Get<'a>) -> Result<&'a [u8], Malformed> {
    let length = u16::from_le_bytes([octets.u8()?, octets.u8()?]);
    octets.take(usize::from(length))
}

fn take_id(octets: &mut Get<'_>) -> Result<MailId, Malformed> {
    let mut id = [0; MailId::BYTES];
    id[MailId::BYTES - ID_BYTES..].copy_from_slice(octets.take(ID_BYTES)?);
    Ok(MailId::from_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(address: Option<&str>, reply: Option<&str>, reason: &str) -> Event {
        let at = Timestamp::from_millis(1_795_322_124_250);
        Event {
            address: address.map(str::to_owned),
            reply: reply.map(str::to_owned),
            mail_id: address.map(|_| MailId::new(at, u64::MAX)),
            ..Event::new(at, MailId::new(at, 7), EventStep::Recipient, Verdict::Refused, reason)
        }
    }

    #[test]
    fn events_survive_one_behind_the_other() {
        let events = [
            event(None, None, ""),
            event(Some("ada@example.org"), None, "an account"),
            event(Some("<x@y>"), Some("550 5.1.1 No such mailbox here: <x@y>"), "no account or alias"),
            event(Some(""), Some(""), "täxt 漢"),
        ];
        let mut octets = Vec::new();
        events.iter().for_each(|event| encode(event, &mut octets));
        let mut frame = Get(&octets);
        for event in &events {
            assert_eq!(&EventRef::decode(&mut frame).map(EventRef::to_event).unwrap(), event);
        }
        assert!(frame.0.is_empty());
        for end in 0..octets.len() {
            let mut cut = Get(&octets[..end]);
            // However it is cut, decoding ends with an error or with fewer events, never with a panic.
            while EventRef::decode(&mut cut).is_ok() {}
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters_and_the_event_fits() {
        let long = "é".repeat(40_000);
        let mut octets = Vec::new();
        encode(&event(Some(&long), Some(&long), &long), &mut octets);
        assert!(octets.len() <= EVENT_BYTES_MAX);
        let read = EventRef::decode(&mut Get(&octets)).unwrap().to_event();
        for text in [read.address.unwrap(), read.reply.unwrap(), read.reason] {
            assert!(text.len() <= TEXT_BYTES_MAX && text.ends_with("é…"), "{text}");
        }
        let exact = "x".repeat(TEXT_BYTES_MAX);
        let mut octets = Vec::new();
        encode(&event(None, None, &exact), &mut octets);
        assert_eq!(EventRef::decode(&mut Get(&octets)).unwrap().to_event().reason, exact);
    }

    #[test]
    fn addresses_are_compared_without_regard_to_case_and_brackets() {
        let rows = [
            ("Ada@Example.ORG", "ada@example.org", true),
            ("<Ada@Example.ORG>", "ada@example.org", true),
            ("JÜRGEN@example.org", "jürgen@example.org", true),
            ("ada@example.org.evil", "ada@example.org", false),
            ("", "ada@example.org", false),
        ];
        for (said, asked, is_about) in rows {
            let mut octets = Vec::new();
            encode(&event(Some(said), None, ""), &mut octets);
            assert_eq!(EventRef::decode(&mut Get(&octets)).unwrap().is_about(asked), is_about, "{said}");
        }
        let mut octets = Vec::new();
        encode(&event(None, None, "ada@example.org"), &mut octets);
        assert!(!EventRef::decode(&mut Get(&octets)).unwrap().is_about("ada@example.org"));
    }
}
