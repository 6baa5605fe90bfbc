//! Messages on their way in: APPEND with one message or several (RFC 3502), CATENATE (RFC 4469), REPLACE (RFC 8508).
//!
//! What comes is stored as it came: no field is added, and the delivery has no header of its own. What is malformed enough to
//! be read in two ways is refused, as by SMTP.

use std::ops::Range;

use bytes::Bytes;
use imap::command::{AppendMessage, MailboxName, Section, SectionText};
use imap::fetch::PickedFields;
use imap::session::{AppendOutcome, AppendTask, CatenateUrl, Outcome, Refusal};
use store::{
    Acceptance, Accepted, Body, Delivery, Flags, MailboxInfo, QueueClaim, Replaced, StoreError, Uid,
};
use tokio::time::Instant;
use tracing::info;
use types::{Envelope, EventStep, ReversePath};

use super::Driver;
use crate::body::Collector;
use crate::metrics::ImapChange;
use crate::structures;

/// What came of an APPEND so far.
pub(super) struct Appending {
    /// However slowly octets come, all of them must come within some time.
    pub(super) began: Instant,
    messages: Vec<Whole>,
    current: Option<Current>,
    /// Why nothing of it will be stored.
    refusal: Option<Refusal>,
    size_bytes: u64,
}

/// A message of which all octets came.
struct Whole {
    facts: AppendMessage,
    collector: Collector,
}

/// A message that comes.
struct Current {
    facts: AppendMessage,
    collector: Collector,
    size_bytes: u64,
    lines: Lines,
}

impl Default for Appending {
    fn default() -> Self {
        Self { began: Instant::now(), messages: Vec::new(), current: None, refusal: None, size_bytes: 0 }
    }
}

impl Appending {
    /// Octets that have come.
    fn bytes(&self) -> u64 {
        self.size_bytes + self.current.as_ref().map_or(0, |current| current.size_bytes)
    }
}

/// Whether octets are lines that end in CRLF (RFC 5322 §2.3).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Lines {
    #[default]
    Whole,
    /// A CR came, and the LF has not yet.
    Cr,
    /// A CR or LF stands alone.
    Malformed,
    /// There is a NUL: it is no text, whatever its lines are.
    Binary,
}

impl Lines {
    fn feed(self, octets: &[u8]) -> Self {
        let mut state = self;
        for octet in octets {
            state = match (state, octet) {
                (Self::Malformed | Self::Binary, _) => return state,
                (_, 0) => return Self::Binary,
                (Self::Cr, b'\n') => Self::Whole,
                (Self::Whole, b'\n') | (Self::Cr, _) => return Self::Malformed,
                (Self::Whole, b'\r') => Self::Cr,
                (Self::Whole, _) => Self::Whole,
            };
        }
        state
    }

    /// Why such a message is not stored. Content with NUL comes as BINARY; mailboxes have none (RFC 3516 §4.4).
    const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Whole | Self::Cr => None,
            Self::Malformed => Some(Refusal::Malformed),
            Self::Binary => Some(Refusal::UnknownEncoding),
        }
    }
}

impl Driver {
    pub(super) async fn append(&mut self, task: AppendTask) {
        match task {
            AppendTask::Check { mailbox, size_bytes, before_bytes, replaces } => {
                let result = self.may_append(&mailbox, size_bytes, before_bytes, replaces).await;
                if result.is_err() {
                    // The command is over, and what came of it before with it.
                    self.append = None;
                }
                self.session.append_checked(result);
            }
            AppendTask::Begin(facts) => {
                let collector = Collector::new(&self.shared.memory);
                let append = self.append.get_or_insert_default();
                let lines = Lines::default();
                append.current = Some(Current { facts, collector, size_bytes: 0, lines });
            }
            AppendTask::Octets(octets) => self.take(octets).await,
            AppendTask::Url { url, replaces } => {
                let result = self.catenate(&url, replaces).await;
                self.session.url_taken(result);
            }
            AppendTask::End => {
                let Some(append) = &mut self.append else { return };
                if let Some(Current { facts, collector, size_bytes, lines }) = append.current.take() {
                    // A CR at the very end stands alone too.
                    let lines = if lines == Lines::Cr { Lines::Malformed } else { lines };
                    append.refusal = append.refusal.or(lines.refusal());
                    append.size_bytes += size_bytes;
                    if append.refusal.is_none() {
                        append.messages.push(Whole { facts, collector });
                    }
                }
            }
            AppendTask::Commit { mailbox, replaces } => {
                let outcome = if self.is_over_now().await {
                    Err(Refusal::Temporary)
                } else {
                    self.commit(&mailbox, replaces).await
                };
                self.append = None;
                self.tell_mailbox();
                self.session.done(outcome.unwrap_or_else(Outcome::Refused));
            }
            AppendTask::Abandon => self.append = None,
        }
    }

    /// Before the client is told to send it: whether there is such a mailbox, and room.
    async fn may_append(
        &self,
        mailbox: &MailboxName,
        size_bytes: u64,
        before_bytes: u64,
        replaces: Option<Uid>,
    ) -> Result<(), Refusal> {
        self.resolve(mailbox).await?;
        if size_bytes > self.shared.config.imap.message_bytes_max.bytes() {
            return Err(Refusal::TooBig);
        }
        if self.shared.room.is_low(&self.shared.embedded, self.shared.now()) {
            return Err(Refusal::Temporary);
        }
        self.has_room_for(before_bytes.saturating_add(size_bytes), self.freed_by(replaces)?).await
    }

    /// Octets of the message that goes with this one's coming (RFC 8508).
    fn freed_by(&self, replaces: Option<Uid>) -> Result<u64, Refusal> {
        let Some(uid) = replaces else { return Ok(0) };
        Ok(self.selected()?.told.find(uid).map_or(0, |message| message.size_bytes))
    }

    /// Octets of the message that comes. What is wrong is told at the end.
    async fn take(&mut self, mut octets: Vec<u8>) {
        let size_bytes_max = self.shared.config.imap.message_bytes_max.bytes();
        let Some(append) = &mut self.append else { return };
        let Some(current) = append.current.as_mut().filter(|_| append.refusal.is_none()) else { return };
        current.size_bytes += octets.len() as u64;
        current.lines = current.lines.feed(&octets);
        append.refusal = match current.lines.refusal() {
            _ if current.size_bytes > size_bytes_max => Some(Refusal::TooBig),
            refusal => refusal,
        };
        if append.refusal.is_some() {
            // What was collected is of no more use.
            return append.messages.clear();
        }
        current.collector.append(&*self.shared.store, &mut octets).await;
    }

    /// Stores all messages, or none.
    async fn commit(&mut self, name: &MailboxName, replaces: Option<Uid>) -> Result<Outcome, Refusal> {
        let Appending { messages, refusal, size_bytes, .. } = *self.append.take().unwrap_or_default();
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let mailbox = self.resolve(name).await?;
        // Until it is done, so that nobody else is given the same room.
        let _room = self.room_for(size_bytes, self.freed_by(replaces)?).await?;
        let mut leases = Vec::with_capacity(messages.len());
        let mut acceptances = Vec::with_capacity(messages.len());
        for Whole { facts, collector } in messages {
            let flags = self.flags(&mailbox, &facts).await?;
            let (body, lease) = collector.finish().map_err(|why| self.append_refusal(&why))?;
            leases.push(lease);
            acceptances.push(self.acceptance(&mailbox, facts, flags, body)?);
        }
        let replaced = match replaces {
            None => None,
            Some(uid) => {
                let mailbox = self.selected()?.model.mailbox();
                Some(Replaced { mailbox, uid, at: self.shared.now() })
            }
        };
        let accepted = self.shared.store.append(acceptances, replaced).await;
        let accepted = accepted.map_err(|why| self.append_refusal(&why))?;
        self.hear();
        self.tell_appended(name, &accepted);
        self.shared.mail_index.appended(&accepted);
        let uids = accepted.iter().flat_map(|accepted| &accepted.deliveries).map(|delivered| delivered.uid);
        let (uid_validity, uids) = (mailbox.uid_validity, uids.collect());
        Ok(Outcome::Appended(AppendOutcome { uid_validity, uids }))
    }

    fn acceptance(
        &self,
        mailbox: &MailboxInfo,
        facts: AppendMessage,
        flags: Flags,
        body: Body,
    ) -> Result<Acceptance, Refusal> {
        let now = self.shared.now();
        Ok(Acceptance {
            mail_id: self.shared.new_mail_id(now),
            received_at: now,
            envelope: Envelope::new(ReversePath::Null, []),
            origin: format!("IMAP APPEND by {}", self.login()?.name),
            body,
            deliveries: vec![Delivery {
                mailbox: mailbox.id,
                header: Bytes::new(),
                flags,
                internal_date: facts.internal_date,
            }],
            queue: Vec::new(),
            claim: QueueClaim::Later,
            idempotency: None,
        })
    }

    /// The flags of a message, with keywords at their places in the mailbox. One that finds no room is not kept.
    async fn flags(&self, mailbox: &MailboxInfo, facts: &AppendMessage) -> Result<Flags, Refusal> {
        let names = &facts.flags.keywords;
        if names.is_empty() {
            return Ok(facts.flags.system);
        }
        let place =
            |known: &[String], name: &String| known.iter().position(|known| known.eq_ignore_ascii_case(name));
        let mut known = mailbox.keywords.clone();
        if names.iter().any(|name| place(&known, name).is_none()) {
            let added = self.shared.store.add_keywords(mailbox.id, names).await;
            known = added.map_err(|why| self.refusal(&why))?;
        }
        let places = names.iter().filter_map(|name| place(&known, name)).filter_map(Flags::keyword);
        Ok(places.fold(facts.flags.system, Flags::with))
    }

    fn append_refusal(&self, why: &StoreError) -> Refusal {
        match why {
            // The mailbox was there a moment ago.
            StoreError::Conflict(_) => Refusal::NoSuchMailbox,
            why => self.refusal(why),
        }
    }

    fn tell_appended(&mut self, name: &MailboxName, accepted: &[Accepted]) {
        let session_id = self.peer.session_id;
        for accepted in accepted {
            let mail_id = accepted.mail_id;
            info!(%session_id, %mail_id, mailbox = ?name.0, "message stored by IMAP");
            self.timeline.set_mail(Some(mail_id));
            let uid = accepted.deliveries.first().map_or(0, |delivered| delivered.uid.0);
            self.note(EventStep::Stored, format!("put into {:?} by IMAP as UID {uid}", name.0));
        }
        self.shared.metrics.imap.changed(ImapChange::Appended, accepted.len());
        self.timeline.set_mail(None);
        self.timeline.set_due();
    }

    /// Takes octets of a message of the account as octets of the message that comes; gives how many.
    async fn catenate(&mut self, url: &CatenateUrl, replaces: Option<Uid>) -> Result<u64, Refusal> {
        let bad = |refusal| match refusal {
            Refusal::NoSuchMailbox | Refusal::MessageGone | Refusal::Cannot => Refusal::BadUrl,
            refusal => refusal,
        };
        let mailbox = match &url.mailbox {
            Some(name) => self.resolve(name).await.map_err(bad)?,
            None => {
                let selected = self.selected().map_err(bad)?.model.mailbox();
                self.own(|mailbox| mailbox.id == selected).await.map_err(bad)?
            }
        };
        if url.uid_validity.is_some_and(|said| said != mailbox.uid_validity) {
            return Err(Refusal::BadUrl);
        }
        let mut stream = match self.shared.store.open(mailbox.id, url.uid).await {
            Ok(stream) => stream,
            Err(why) => return Err(bad(self.refusal(&why))),
        };
        let (start, end) = self.range(&mailbox, url, stream.header_bytes(), stream.size_bytes()).await?;
        // Nobody has announced it: what has no room is not gathered first.
        let before_bytes = self.append.as_deref().map_or(0, Appending::bytes);
        if self.shared.room.is_low(&self.shared.embedded, self.shared.now()) {
            return Err(Refusal::Temporary);
        }
        let size_bytes = before_bytes.saturating_add(end.saturating_sub(start));
        self.has_room_for(size_bytes, self.freed_by(replaces)?).await?;
        let mut picked = url.section.as_ref().and_then(|section| PickedFields::of(section, url.partial));
        let (mut at, mut taken_bytes) = (0, 0);
        while at < end {
            let octets = stream.next().await.map_err(|why| self.refusal(&why))?;
            if octets.is_empty() {
                return Err(Refusal::Damaged);
            }
            let len = octets.len() as u64;
            let within = |to: u64| usize::try_from(to.clamp(at, at + len) - at).unwrap_or(0);
            let wanted = &octets[within(start)..within(end)];
            let wanted = match &mut picked {
                Some(picked) => picked.feed(wanted),
                None => wanted.to_vec(),
            };
            taken_bytes += wanted.len() as u64;
            if !wanted.is_empty() {
                self.take(wanted).await;
            }
            at += len;
        }
        let rest = picked.map(PickedFields::finish).unwrap_or_default();
        taken_bytes += rest.len() as u64;
        if !rest.is_empty() {
            self.take(rest).await;
        }
        Ok(taken_bytes)
    }

    /// Where what a URL names begins and ends in its message; of fields that are picked, the header that they are in.
    async fn range(
        &self,
        mailbox: &MailboxInfo,
        url: &CatenateUrl,
        header_bytes: u64,
        size_bytes: u64,
    ) -> Result<(u64, u64), Refusal> {
        let Range { start, end } = match &url.section {
            None | Some(Section::Message(SectionText::All)) => 0..size_bytes,
            Some(section) => {
                let before = Uid(url.uid.0.saturating_sub(1));
                let entries = self.shared.store.messages(mailbox.id, Some(before), 1).await;
                let entries = entries.map_err(|why| self.refusal(&why))?;
                let entry = entries.first().filter(|entry| entry.uid == url.uid).ok_or(Refusal::BadUrl)?;
                let known = [(entry.uid, entry.mail_id)];
                let made = structures::structures(&self.shared, mailbox.id, &known).await;
                let structure = made.into_iter().next().flatten().ok_or(Refusal::Damaged)?;
                let range = structure.section(section, header_bytes).ok_or(Refusal::BadUrl)?;
                if PickedFields::of(section, None).is_some() {
                    return Ok((range.start, range.end));
                }
                range
            }
        };
        let Some((from, count)) = url.partial else { return Ok((start, end)) };
        let from = start.saturating_add(from).min(end);
        Ok((from, count.map_or(end, |count| from.saturating_add(count).min(end))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_crlf_however_the_octets_are_cut() {
        let rows: [(&[u8], Lines); 8] = [
            (b"", Lines::Whole),
            (b"a\r\nb", Lines::Whole),
            (b"a\r\n\r\n", Lines::Whole),
            (b"a\r", Lines::Cr),
            (b"a\nb", Lines::Malformed),
            (b"a\rb\r\n", Lines::Malformed),
            (b"a\r\r\n", Lines::Malformed),
            (b"a\0b", Lines::Binary),
        ];
        for (octets, expected) in rows {
            assert_eq!(Lines::default().feed(octets), expected, "{}", octets.escape_ascii());
            let cut = octets.iter().fold(Lines::default(), |lines, octet| lines.feed(&[*octet]));
            assert_eq!(cut, expected, "{} octet by octet", octets.escape_ascii());
        }
    }
}
