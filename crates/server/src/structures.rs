//! The structures of messages: of memory, of what the store keeps as derived, or made of the message itself.
//!
//! What is made of a message is kept: its structure, the texts that lists show of it, and what is searched and sorted by of its
//! header, which cost little once the structure is there.

mod aside;
mod cells;
mod memory;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use imap::mime::{
    Described, Detail, ListText, ListTexts, Structure, StructureLimits, StructureParser, Summary,
};
use imap::search::make_header_facts;
use imap::session::Structures;
use store::{BodyStream, DerivedKind, DerivedRows, Store, StoreError};
use tracing::debug;
use types::MailId;
use types::mailstore::{MailboxId, Uid};

pub(crate) use self::aside::aside;
pub(crate) use self::cells::CellsKey;
use self::memory::RowMemory;
use crate::shared::Shared;

/// The structures of these messages of a mailbox, in their order; none of one that is gone or cannot be read.
pub(crate) async fn structures(
    shared: &Shared,
    mailbox: MailboxId,
    messages: &[(Uid, MailId)],
) -> Vec<Option<Arc<Structure>>> {
    let maker = Maker::of(shared);
    let ids: Vec<MailId> = messages.iter().map(|(_, id)| *id).collect();
    let known = maker.known(&ids).await;
    maker.complete(known, mailbox, messages, |made| made).await
}

/// So much of them as a FETCH needs. With [`Detail::AtHand`] no message is read: none of one of which nothing is kept.
pub(crate) async fn described(
    shared: &Shared,
    mailbox: MailboxId,
    messages: &[(Uid, MailId)],
    detail: Detail,
) -> Structures {
    let maker = Maker::of(shared);
    let ids: Vec<MailId> = messages.iter().map(|(_, id)| *id).collect();
    match detail {
        Detail::Lists(texts) => {
            let known = maker.summaries(&ids, texts).await;
            maker.complete(known, mailbox, messages, Described::Whole).await
        }
        Detail::AtHand => maker.summaries(&ids, ListText::Envelope.into()).await,
        Detail::Whole => {
            let all = structures(shared, mailbox, messages).await;
            all.into_iter().map(|structure| structure.map(Described::Whole)).collect()
        }
    }
}

/// What makes things of messages, and keeps them.
#[derive(Clone)]
pub(crate) struct Maker {
    pub(crate) store: Arc<dyn Store>,
    /// None where nothing is remembered for the next who asks.
    memory: Option<Arc<Memory>>,
}

/// What was made of messages that somebody asked for lately. What the store keeps of them comes of a disk's pages, many of which a
/// list of messages needs.
#[derive(Debug)]
pub(crate) struct Memory {
    structures: RowMemory,
    envelopes: RowMemory,
    body_structures: RowMemory,
    fields: RowMemory,
    facts: RowMemory,
    cells: RowMemory<CellsKey>,
}

/// Octets of rows of one kind: those of some ten thousand messages, as lists show them.
const BYTES_MAX: usize = 6 * 1024 * 1024;
/// What nobody asks for goes after this time, or twice it.
const AGE: Duration = Duration::from_secs(60);

impl Default for Memory {
    fn default() -> Self {
        let rows = || RowMemory::new(BYTES_MAX, AGE);
        let (structures, envelopes, body_structures, fields) = (rows(), rows(), rows(), rows());
        Self { structures, envelopes, body_structures, fields, facts: rows(), cells: cells::memory() }
    }
}

impl Memory {
    /// Lets go of what nobody asks for.
    pub(crate) async fn age(&self) {
        let Self { structures, envelopes, body_structures, fields, facts, cells } = self;
        let lists = async { tokio::join!(envelopes.age(), body_structures.age(), fields.age()) };
        tokio::join!(structures.age(), lists, facts.age(), cells.age());
    }

    const fn of(&self, kind: DerivedKind) -> Option<&RowMemory> {
        match kind {
            DerivedKind::Structure => Some(&self.structures),
            DerivedKind::Envelope => Some(&self.envelopes),
            DerivedKind::BodyStructure => Some(&self.body_structures),
            DerivedKind::Fields => Some(&self.fields),
            DerivedKind::Header => Some(&self.facts),
            DerivedKind::Words => None,
        }
    }
}

/// A message that was read.
pub(crate) struct ReadMessage {
    pub(crate) structure: Arc<Structure>,
    /// What is searched and sorted by of its header.
    pub(crate) facts: Bytes,
    /// Its first octets, from the delivery's own header on.
    pub(crate) head: Vec<u8>,
    pub(crate) delivery_header_bytes: u64,
    /// Whether `head` is all of it.
    pub(crate) is_whole: bool,
}

/// What is to be kept of messages.
#[derive(Default)]
pub(crate) struct Kept {
    /// Of each kind.
    rows: [Vec<(MailId, Bytes)>; DerivedKind::ALL.len()],
    bytes: usize,
}

/// Octets of a message that are kept in memory while something is made of it. What is larger is read again where that is needed;
/// a header that is larger is cut.
const HEAD_BYTES_MAX: usize = 1024 * 1024;

impl Maker {
    pub(crate) fn of(shared: &Shared) -> Self {
        Self { memory: Some(Arc::clone(shared.mail_index.memory())), ..Self::over(&shared.store) }
    }

    /// Where nobody waits: nothing is remembered in memory for the next one.
    pub(crate) fn over(store: &Arc<dyn Store>) -> Self {
        Self { store: Arc::clone(store), memory: None }
    }

    /// What is known of messages, and of the others what is made of them.
    async fn complete<T>(
        &self,
        mut found: Vec<Option<T>>,
        mailbox: MailboxId,
        messages: &[(Uid, MailId)],
        of: fn(Arc<Structure>) -> T,
    ) -> Vec<Option<T>> {
        let unmade: Vec<usize> = (0..messages.len()).filter(|at| found[*at].is_none()).collect();
        if !unmade.is_empty() {
            let which = unmade.iter().map(|at| messages[*at]).collect();
            let made = aside(self.clone().make_all(mailbox, which)).await;
            for (at, structure) in unmade.into_iter().zip(made.into_iter().flatten()) {
                found[at] = structure.map(of);
            }
        }
        found
    }

    /// What lists show of messages, as far as it is known.
    async fn summaries(&self, ids: &[MailId], texts: ListTexts) -> Structures {
        let mut found = vec![Some(Summary::default()); ids.len()];
        for text in texts.iter() {
            for (summary, row) in found.iter_mut().zip(self.kept(kind_of(text), ids).await) {
                *summary = summary.take().zip(row).and_then(|(summary, row)| summary.with(text, &row));
            }
        }
        let mut found: Structures =
            found.into_iter().map(|summary| summary.map(Described::Summary)).collect();
        // Of a message of very many parts or addresses there is no text that is kept, but there may be a structure.
        let others: Vec<usize> = (0..ids.len()).filter(|at| found[*at].is_none()).collect();
        if !others.is_empty() {
            let which: Vec<MailId> = others.iter().map(|at| ids[*at]).collect();
            for (at, structure) in others.into_iter().zip(self.known(&which).await) {
                found[at] = structure.map(Described::Whole);
            }
        }
        found
    }

    /// The structures of those messages of which there is one already.
    pub(crate) async fn known(&self, ids: &[MailId]) -> Vec<Option<Arc<Structure>>> {
        let rows = self.kept(DerivedKind::Structure, ids).await;
        rows.into_iter().map(|row| Structure::from_bytes(&row?).map(Arc::new)).collect()
    }

    /// Reads messages for their structure, and keeps what was made.
    async fn make_all(self, mailbox: MailboxId, messages: Vec<(Uid, MailId)>) -> Vec<Option<Arc<Structure>>> {
        let mut kept = Kept::default();
        let mut made = Vec::with_capacity(messages.len());
        for (uid, id) in messages {
            let read = self.read(mailbox, uid).await;
            made.push(read.map(|read| {
                kept.note(id, &read);
                read.structure
            }));
            kept.settle(&self).await;
        }
        self.keep(kept).await;
        made
    }

    /// Reads a message; none where it is gone or cannot be read.
    pub(crate) async fn read(&self, mailbox: MailboxId, uid: Uid) -> Option<ReadMessage> {
        let read = async {
            let mut stream = self.store.open(mailbox, uid).await?;
            read_message(&mut *stream).await
        };
        read.await.inspect_err(|error| debug!(%mailbox, %uid, %error, "a message could not be read")).ok()
    }

    /// What is kept of messages, in memory or by the store. Where that cannot say, nothing.
    pub(crate) async fn kept(&self, kind: DerivedKind, ids: &[MailId]) -> Vec<Option<Bytes>> {
        let Some(memory) = self.memory.as_ref().and_then(|memory| memory.of(kind)) else {
            return self.stored(kind, ids).await;
        };
        let mut found = memory.find(ids);
        let unknown: Vec<usize> = (0..ids.len()).filter(|at| found[*at].is_none()).collect();
        if !unknown.is_empty() {
            let which: Vec<MailId> = unknown.iter().map(|at| ids[*at]).collect();
            for (at, row) in unknown.iter().zip(self.stored(kind, &which).await) {
                found[*at] = row;
            }
            memory.add(unknown.iter().filter_map(|at| Some((ids[*at], found[*at].as_ref()?))));
        }
        found
    }

    async fn stored(&self, kind: DerivedKind, ids: &[MailId]) -> Vec<Option<Bytes>> {
        self.store.derived(kind, ids).await.unwrap_or_else(|error| {
            debug!(%error, "what was derived of messages could not be read");
            vec![None; ids.len()]
        })
    }

    /// Keeps what was made. Where that cannot be done, it is made again.
    pub(crate) async fn keep(&self, kept: Kept) {
        let made: DerivedRows =
            DerivedKind::ALL.into_iter().zip(kept.rows).filter(|(_, items)| !items.is_empty()).collect();
        for (kind, items) in &made {
            if let Some(memory) = self.memory.as_ref().and_then(|memory| memory.of(*kind)) {
                memory.replace(items.iter().map(|(id, row)| (*id, row)));
            }
        }
        if !made.is_empty()
            && let Err(error) = self.store.put_derived(made).await
        {
            debug!(%error, "what was derived of messages could not be kept");
        }
    }
}

/// Under what the store keeps a text.
const fn kind_of(text: ListText) -> DerivedKind {
    match text {
        ListText::Envelope => DerivedKind::Envelope,
        ListText::BodyStructure => DerivedKind::BodyStructure,
        ListText::Fields => DerivedKind::Fields,
    }
}

/// Octets that are held back to be kept together.
const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Kept {
    /// Keeps what there is where it has become much.
    pub(crate) async fn settle(&mut self, maker: &Maker) {
        if self.bytes > KEPT_BYTES_MAX {
            maker.keep(std::mem::take(self)).await;
        }
    }

    /// What was made of a message when it was read.
    pub(crate) fn note(&mut self, id: MailId, read: &ReadMessage) {
        self.put(DerivedKind::Structure, id, read.structure.to_bytes().into());
        for text in ListText::ALL {
            self.put(kind_of(text), id, read.structure.list_row(text).into());
        }
        self.put(DerivedKind::Header, id, read.facts.clone());
    }

    pub(crate) fn put(&mut self, kind: DerivedKind, id: MailId, row: Bytes) {
        self.bytes += row.len();
        // As `DerivedKind::ALL` has them.
        self.rows[kind as usize].push((id, row));
    }
}

async fn read_message(stream: &mut dyn BodyStream) -> Result<ReadMessage, StoreError> {
    let delivery_header_bytes = stream.header_bytes();
    let size = usize::try_from(stream.size_bytes()).unwrap_or(usize::MAX);
    let mut head = Vec::with_capacity(size.min(HEAD_BYTES_MAX));
    let mut parser = StructureParser::new(StructureLimits::default());
    let mut before = usize::try_from(delivery_header_bytes).unwrap_or(usize::MAX);
    loop {
        let octets = stream.next().await?;
        if octets.is_empty() {
            break;
        }
        head.extend_from_slice(&octets[..octets.len().min(HEAD_BYTES_MAX - head.len())]);
        let shared = octets.get(before..).unwrap_or_default();
        before = before.saturating_sub(octets.len());
        parser.feed(shared);
    }
    let structure = parser.finish();
    let header_at = usize::try_from(delivery_header_bytes).unwrap_or(usize::MAX);
    let header_end = usize::try_from(delivery_header_bytes + structure.header_bytes).unwrap_or(usize::MAX);
    let header = head.get(header_at..header_end.min(head.len())).unwrap_or_default();
    Ok(ReadMessage {
        facts: make_header_facts(header, &structure).into(),
        structure: Arc::new(structure),
        is_whole: head.len() == size,
        head,
        delivery_header_bytes,
    })
}
