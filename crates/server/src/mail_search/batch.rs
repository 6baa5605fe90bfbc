//! Messages that are judged together, by more than the mailbox knows of them.

use std::sync::Arc;

use bytes::Bytes;
use imap::mime::Structure;
use imap::search::{
    Answers, HeaderFacts, Known, Need, Plan, Reading, Scope, Signing, Verdict, Words, folded_header,
};
use imap::view::Message;
use store::{BodyStream, DerivedKind, StoreError};
use tracing::debug;
use types::MailId;
use types::mailstore::MailboxId;

use crate::mail_index::WordsRow;
use crate::structures::{Kept, Maker};

/// A message that is not decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) seq: u32,
    pub(super) message: Message,
}

/// Judges messages, some at a time; returns the numbers of those that are looked for.
pub(super) async fn found_among(
    maker: Maker,
    plan: Arc<Plan>,
    mailbox: MailboxId,
    candidates: Vec<Candidate>,
) -> Vec<u32> {
    let mut found = Vec::new();
    for candidates in candidates.chunks(TOGETHER) {
        found.extend(Batch::new(&maker, &plan, mailbox, candidates).found().await);
    }
    found
}

/// Messages of which everything is in memory at the same time. What is kept of one can be as large as its header.
pub(super) const TOGETHER: usize = 64;

struct Batch<'b> {
    maker: &'b Maker,
    plan: &'b Plan,
    mailbox: MailboxId,
    candidates: Vec<Judged>,
    kept: Kept,
}

/// A candidate, and what is known of it.
struct Judged {
    seq: u32,
    message: Message,
    verdict: Verdict,
    facts: Option<Bytes>,
    words: Option<Looked>,
    answers: Option<Answers>,
}

/// What a look for a message's words brought.
struct Looked(Option<Bytes>);

/// What is kept of the headers of messages, in order; of those of which nothing is, it is made. None of one that is gone or cannot
/// be read.
pub(super) async fn facts_of(maker: &Maker, mailbox: MailboxId, messages: &[Message]) -> Vec<Option<Bytes>> {
    let ids: Vec<MailId> = messages.iter().map(|message| message.mail_id).collect();
    let mut facts = maker.kept(DerivedKind::Header, &ids).await;
    let mut kept = Kept::default();
    for (message, facts) in messages.iter().zip(&mut facts) {
        if facts.as_ref().is_none_or(|facts| HeaderFacts::from_bytes(facts).is_none()) {
            let read = maker.read(mailbox, message.uid).await;
            *facts = read.map(|read| {
                kept.note(message.mail_id, &read);
                read.facts
            });
            kept.settle(maker).await;
        }
    }
    maker.keep(kept).await;
    facts
}

impl<'b> Batch<'b> {
    fn new(maker: &'b Maker, plan: &'b Plan, mailbox: MailboxId, candidates: &[Candidate]) -> Self {
        let mut candidates: Vec<Judged> = candidates.iter().map(Judged::new).collect();
        candidates.iter_mut().for_each(|candidate| candidate.judge(plan, mailbox));
        Self { maker, plan, mailbox, candidates, kept: Kept::default() }
    }

    /// The numbers of those that are looked for.
    async fn found(mut self) -> Vec<u32> {
        // What is needed only grows: the cheapest is asked for first.
        self.look_up_facts().await;
        self.look_up_words().await;
        self.read(Need::Fields).await;
        self.read(Need::Content).await;
        self.maker.keep(self.kept).await;
        let found = self.candidates.iter().filter(|candidate| candidate.verdict == Verdict::Yes);
        found.map(|candidate| candidate.seq).collect()
    }

    fn who_needs(&self, need: Need) -> Vec<usize> {
        let needs = |at: &usize| self.candidates[*at].verdict == Verdict::Needs(need);
        (0..self.candidates.len()).filter(needs).collect()
    }

    fn ids(&self, places: &[usize]) -> Vec<MailId> {
        places.iter().map(|at| self.candidates[*at].message.mail_id).collect()
    }

    async fn look_up_facts(&mut self) {
        let places = self.who_needs(Need::Header);
        if places.is_empty() {
            return;
        }
        let messages: Vec<Message> = places.iter().map(|at| self.candidates[*at].message).collect();
        let facts = facts_of(self.maker, self.mailbox, &messages).await;
        for (at, facts) in places.into_iter().zip(facts) {
            let candidate = &mut self.candidates[at];
            match facts {
                Some(facts) => {
                    candidate.facts = Some(facts);
                    candidate.judge(self.plan, self.mailbox);
                }
                // It is gone, or damaged: nothing is said of it.
                None => candidate.verdict = Verdict::No,
            }
        }
    }

    async fn look_up_words(&mut self) {
        let places = self.who_needs(Need::Words);
        if places.is_empty() {
            return;
        }
        let rows = self.maker.kept(DerivedKind::Words, &self.ids(&places)).await;
        for (at, row) in places.into_iter().zip(rows) {
            let candidate = &mut self.candidates[at];
            candidate.words = Some(Looked(row));
            candidate.judge(self.plan, self.mailbox);
        }
    }

    /// Reads those that must be, for their header or all of it.
    async fn read(&mut self, need: Need) {
        let places = self.who_needs(need);
        if places.is_empty() {
            return;
        }
        let structures = self.maker.known(&self.ids(&places)).await;
        for (at, structure) in places.into_iter().zip(structures) {
            match self.answers(at, need, structure).await {
                Ok(answers) => {
                    let candidate = &mut self.candidates[at];
                    candidate.answers = Some(answers);
                    candidate.judge(self.plan, self.mailbox);
                    self.kept.settle(self.maker).await;
                }
                Err(error) => {
                    debug!(mailbox = %self.mailbox, %error, "a message could not be searched");
                    self.candidates[at].verdict = Verdict::No;
                }
            }
        }
    }

    async fn answers(
        &mut self,
        at: usize,
        need: Need,
        structure: Option<Arc<Structure>>,
    ) -> Result<Answers, StoreError> {
        let Message { uid, mail_id, .. } = self.candidates[at].message;
        let (structure, head) = match structure {
            Some(structure) => (structure, None),
            None => {
                let read = self.maker.read(self.mailbox, uid).await.ok_or(StoreError::NoSuchMessage)?;
                self.kept.note(mail_id, &read);
                (Arc::clone(&read.structure), Some(read).filter(|read| read.is_whole))
            }
        };
        let old_row = self.candidates[at].words.as_ref().and_then(|Looked(row)| row.as_ref());
        let old_row = old_row.and_then(|row| WordsRow::from_bytes(row));
        let is_new = need == Need::Content && old_row.is_none();
        let (scope, signing) = match need {
            Need::Content if is_new => (Scope::Content, Signing::On),
            Need::Content => (Scope::Content, Signing::Off),
            _ => (Scope::Fields, Signing::Off),
        };
        let reading = |delivery_header_bytes| {
            Reading::new(self.plan.questions(), scope, &structure, delivery_header_bytes, signing)
        };
        let (delivery_header, (answers, signature)) = match head {
            Some(read) => {
                let mut reading = reading(read.delivery_header_bytes);
                reading.feed(&read.head);
                (delivery_header(&read.head, read.delivery_header_bytes), reading.finish())
            }
            None => {
                let mut stream = self.maker.store.open(self.mailbox, uid).await?;
                let reading = reading(stream.header_bytes());
                stream_through(&mut *stream, reading).await?
            }
        };
        if need == Need::Content {
            let header = folded_header(&delivery_header);
            let row = match (&signature, old_row) {
                (Some(signature), _) => Some(WordsRow::new(signature)),
                (None, Some(row)) => row.signature(self.mailbox, uid).is_none().then_some(row),
                (None, None) => None,
            };
            let row = row.map(|row| row.with(self.mailbox, uid, &header).to_bytes());
            if let Some(row) = row {
                self.kept.put(DerivedKind::Words, mail_id, row);
            }
        }
        Ok(answers)
    }
}

impl Judged {
    fn new(candidate: &Candidate) -> Self {
        let Candidate { seq, message } = *candidate;
        Self { seq, message, verdict: Verdict::No, facts: None, words: None, answers: None }
    }

    fn judge(&mut self, plan: &Plan, mailbox: MailboxId) {
        let facts = self.facts.as_ref().and_then(|facts| HeaderFacts::from_bytes(facts));
        let row =
            self.words.as_ref().map(|Looked(row)| row.as_ref().and_then(|row| WordsRow::from_bytes(row)));
        let signature = row.as_ref().map(|row| row.as_ref()?.signature(mailbox, self.message.uid));
        let words = match &signature {
            None => Words::NotLookedUp,
            Some(None) => Words::Unknown,
            Some(Some(signature)) => Words::Signature(signature),
        };
        self.verdict = plan.judge(&Known {
            message: &self.message,
            seq: self.seq,
            header: facts.as_ref(),
            words,
            answers: self.answers.as_ref(),
        });
    }
}

fn delivery_header(octets: &[u8], bytes: u64) -> Vec<u8> {
    let end = usize::try_from(bytes).unwrap_or(usize::MAX).min(octets.len());
    octets[..end].to_vec()
}

/// Feeds a message to who reads it, as far as it matters; with the delivery's own header.
async fn stream_through(
    stream: &mut dyn BodyStream,
    mut reading: Reading<'_>,
) -> Result<(Vec<u8>, (Answers, Option<Vec<u8>>)), StoreError> {
    let bytes = stream.header_bytes();
    let mut header = None;
    while !reading.is_done() {
        let octets = stream.next().await?;
        if octets.is_empty() {
            break;
        }
        // The first octets have all of it: they are at least as many, or all there are.
        header.get_or_insert_with(|| delivery_header(&octets, bytes));
        reading.feed(&octets);
    }
    Ok((header.unwrap_or_default(), reading.finish()))
}
