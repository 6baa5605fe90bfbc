//! A search, made ready: what was asked as a tree of tests, each of which knows what it needs to know of a message.
//!
//! A message is judged with what is known of it so far, the cheap first: most are decided by what the mailbox itself knows (flags,
//! dates, sizes), many by what is kept of their header. Of the rest a [`Signature`] says which cannot have the texts, and only
//! who is left is read.

use types::mailstore::{Flags, ModSeq};
use types::{MailId, Timestamp};

use super::header_facts::{HeaderFacts, SearchedField};
use super::needle::Needle;
use super::signature::Signature;
use crate::command::{Numbering, SearchKey};
use crate::date::DAY_S;
use crate::fetch::item::EMAIL_ID_LETTER;
use crate::view::{Message, View};

/// A search of one mailbox.
#[derive(Debug)]
pub struct Plan {
    root: Test,
    questions: Vec<Question>,
    asks_modseq: bool,
    keys: usize,
}

/// What is known of a message.
#[derive(Debug)]
pub struct Known<'k> {
    /// From the mailbox.
    pub message: &'k Message,
    /// Its number, as the client knows it.
    pub seq: u32,
    /// None where it was not looked up.
    pub header: Option<&'k HeaderFacts<'k>>,
    /// Which words it may have.
    pub words: Words<'k>,
    /// Answers that its octets gave.
    pub answers: Option<&'k Answers>,
}

/// What is known of a message's words.
#[derive(Debug, Clone, Copy)]
pub enum Words<'k> {
    /// It was not looked up.
    NotLookedUp,
    /// There is nothing to look up.
    Unknown,
    /// It may have these.
    Signature(&'k Signature<'k>),
}

impl<'k> Known<'k> {
    /// Of a message as the mailbox has it.
    #[must_use]
    pub const fn of(message: &'k Message, seq: u32) -> Self {
        Self { message, seq, header: None, words: Words::NotLookedUp, answers: None }
    }
}

/// Whether a message is one that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// More must be known of it.
    Needs(Need),
}

/// What must be known, the cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// [`Known::header`]
    Header,
    /// [`Known::words`]
    Words,
    /// Its header section, read for [`Answers`].
    Fields,
    /// All of it, read for [`Answers`].
    Content,
}

/// Something that only the octets of a message answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Where it is looked for.
    pub place: Place,
    /// What is.
    pub needle: Needle,
    /// What stands in the text where the answer is yes, besides.
    also: Option<Needle>,
}

/// Where a string is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In fields of this name of the message's header.
    Fields(String),
    /// In its body.
    Body,
    /// In its header, in the headers of its parts, and in its body.
    Text,
}

/// Answers to the questions of a plan, in their order; none where it is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers(pub Vec<Option<bool>>);

/// A search that is too large to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the search has too many keys")]
pub struct TooMany;

/// Keys in one search.
const KEYS_MAX: usize = 4096;
/// Keys within keys, as far as they are not merely one behind the other.
const DEPTH_MAX: usize = 200;
/// Strings that are looked for in messages themselves.
const QUESTIONS_MAX: usize = 64;

#[derive(Debug)]
enum Test {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Always(bool),
    Flags(Flags),
    Within {
        what: Quantity,
        from: i64,
        to: i64,
    },
    /// Ascending ranges of numbers.
    Numbers(Vec<(u32, u32)>),
    Mail(MailId),
    Sent {
        from: i64,
        to: i64,
    },
    Header(SearchedField, Box<Needle>),
    Ask(usize),
}

#[derive(Debug, Clone, Copy)]
enum Quantity {
    InternalDay,
    InternalSecond,
    SavedDay,
    Size,
    ModSeq,
}

impl Plan {
    /// Makes a search ready.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn new(key: &SearchKey, view: &View, now: Timestamp) -> Result<Self, TooMany> {
        let mut maker = Maker { view, now, keys: 0, questions: Vec::new(), asks_modseq: false };
        let root = maker.test(key, 0)?;
        let Maker { questions, asks_modseq, keys, .. } = maker;
        Ok(Self { root, questions, asks_modseq, keys })
    }

    /// What only the octets of a message answer.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// How many keys it has: judging a message takes as long, at most.
    #[must_use]
    pub const fn keys(&self) -> usize {
        self.keys
    }

    /// Whether MODSEQ was among the keys (RFC 7162 §3.1.5).
    #[must_use]
    pub const fn asks_modseq(&self) -> bool {
        self.asks_modseq
    }

    /// The numbers among which all that is found is.
    #[must_use]
    pub fn candidates(&self, view: &View) -> Vec<(u32, u32)> {
        let all = (view.exists() > 0).then_some((1, view.exists())).into_iter().collect();
        let count = |ranges: &[(u32, u32)]| ranges.iter().map(|(from, to)| u64::from(to - from)).sum::<u64>();
        let tests = match &self.root {
            Test::All(tests) => tests.as_slice(),
            other => std::slice::from_ref(other),
        };
        let sets = tests.iter().filter_map(|test| match test {
            Test::Numbers(ranges) => Some(ranges),
            _ => None,
        });
        sets.min_by_key(|ranges| count(ranges)).cloned().unwrap_or(all)
    }

    /// Judges a message.
    #[must_use]
    pub fn judge(&self, known: &Known<'_>) -> Verdict {
        self.root.judge(self, known)
    }
}

impl Test {
    fn judge(&self, plan: &Plan, known: &Known<'_>) -> Verdict {
        let yes = |is_so: bool| if is_so { Verdict::Yes } else { Verdict::No };
        match self {
            Self::All(tests) => join(tests, plan, known, Verdict::No, Verdict::Yes),
            Self::Any(tests) => join(tests, plan, known, Verdict::Yes, Verdict::No),
            Self::Not(test) => match test.judge(plan, known) {
                Verdict::Yes => Verdict::No,
                Verdict::No => Verdict::Yes,
                needs => needs,
            },
            Self::Always(is_so) => yes(*is_so),
            Self::Flags(flags) => yes(known.message.flags.contains(*flags)),
            Self::Within { what, from, to } => yes((*from..=*to).contains(&what.of(known.message))),
            Self::Numbers(ranges) => {
                let behind = ranges.partition_point(|range| range.1 < known.seq);
                yes(ranges.get(behind).is_some_and(|range| range.0 <= known.seq))
            }
            Self::Mail(id) => yes(known.message.mail_id == *id),
            Self::Sent { from, to } => match known.header {
                Some(header) => yes(header.sent.is_some_and(|sent| (*from..=*to).contains(&sent.day))),
                None => Verdict::Needs(Need::Header),
            },
            Self::Header(field, needle) => match known.header {
                Some(header) => yes(header.field(*field).is_some_and(|text| needle.is_in(text))),
                None => Verdict::Needs(Need::Header),
            },
            Self::Ask(place) => plan.answer(*place, known),
        }
    }

    /// The least that must be known for it.
    fn needs(&self, plan: &Maker<'_>) -> Option<Need> {
        match self {
            Self::All(tests) | Self::Any(tests) => tests.iter().map(|test| test.needs(plan)).min().flatten(),
            Self::Not(test) => test.needs(plan),
            Self::Sent { .. } | Self::Header(..) => Some(Need::Header),
            Self::Ask(place) => Some(plan.questions[*place].needs()),
            _ => None,
        }
    }
}

/// All of the tests until one decides; else the cheapest of what is needed.
fn join(tests: &[Test], plan: &Plan, known: &Known<'_>, decisive: Verdict, otherwise: Verdict) -> Verdict {
    let mut needed: Option<Need> = None;
    for test in tests {
        match test.judge(plan, known) {
            Verdict::Needs(need) => needed = Some(needed.map_or(need, |other| other.min(need))),
            verdict if verdict == decisive => return decisive,
            _ => {}
        }
    }
    needed.map_or(otherwise, Verdict::Needs)
}

impl Plan {
    fn answer(&self, place: usize, known: &Known<'_>) -> Verdict {
        let answered = known.answers.and_then(|answers| answers.0.get(place).copied().flatten());
        if let Some(is_so) = answered {
            return if is_so { Verdict::Yes } else { Verdict::No };
        }
        let question = &self.questions[place];
        match known.words {
            Words::NotLookedUp if question.is_narrowed() => Verdict::Needs(Need::Words),
            Words::Signature(signature) if !question.may_be_in(signature) => Verdict::No,
            _ => Verdict::Needs(question.needs()),
        }
    }
}

impl Question {
    pub(super) fn new(place: Place, text: &str) -> Self {
        let also = match &place {
            Place::Fields(name) => Some(Needle::new(&format!("{name}:"))),
            Place::Body | Place::Text => None,
        };
        Self { place, needle: Needle::new(text), also }
    }

    const fn needs(&self) -> Need {
        match self.place {
            Place::Fields(_) => Need::Fields,
            Place::Body | Place::Text => Need::Content,
        }
    }

    /// Whether a signature says anything about it.
    fn is_narrowed(&self) -> bool {
        let narrows = |needle: &Needle| needle.folded().len() >= Signature::NEEDLE_BYTES_MIN;
        narrows(&self.needle) || self.also.as_ref().is_some_and(narrows)
    }

    pub(super) fn may_be_in(&self, signature: &Signature<'_>) -> bool {
        let may = |needle: &Needle| signature.may_have(needle.folded().as_bytes());
        may(&self.needle) && self.also.as_ref().is_none_or(may)
    }
}

impl Quantity {
    fn of(self, message: &Message) -> i64 {
        let day = |at: Timestamp| signed(at.seconds()) / DAY_S;
        match self {
            Self::InternalDay => day(message.internal_date),
            Self::InternalSecond => signed(message.internal_date.seconds()),
            Self::SavedDay => day(message.saved_at),
            Self::Size => signed(message.size_bytes),
            Self::ModSeq => signed(message.modseq.0),
        }
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

struct Maker<'m> {
    view: &'m View,
    now: Timestamp,
    keys: usize,
    questions: Vec<Question>,
    asks_modseq: bool,
}

impl Maker<'_> {
    fn test(&mut self, key: &SearchKey, depth: usize) -> Result<Test, TooMany> {
        self.keys += 1;
        if self.keys > KEYS_MAX || depth > DEPTH_MAX {
            return Err(TooMany);
        }
        let within = |what, from, to| Test::Within { what, from, to };
        Ok(match key {
            SearchKey::All => Test::Always(true),
            SearchKey::And(keys) => self.all(keys, depth)?,
            SearchKey::Or(_) => self.any(key, depth)?,
            SearchKey::Not(key) => Test::Not(Box::new(self.test(key, depth + 1)?)),
            SearchKey::Flag(flag) => Test::Flags(*flag),
            SearchKey::Keyword(name) => self.keyword(name),
            // No session is the first to hear of a message here.
            SearchKey::Recent => Test::Always(false),
            SearchKey::Header { name, value } => self.header(name, value)?,
            SearchKey::Body(text) => self.ask(Place::Body, text)?,
            SearchKey::Text(text) => self.ask(Place::Text, text)?,
            SearchKey::Before(day) => within(Quantity::InternalDay, i64::MIN, day - 1),
            SearchKey::On(day) => within(Quantity::InternalDay, *day, *day),
            SearchKey::Since(day) => within(Quantity::InternalDay, *day, i64::MAX),
            SearchKey::SentBefore(day) => Test::Sent { from: i64::MIN, to: day - 1 },
            SearchKey::SentOn(day) => Test::Sent { from: *day, to: *day },
            SearchKey::SentSince(day) => Test::Sent { from: *day, to: i64::MAX },
            SearchKey::SavedBefore(day) => within(Quantity::SavedDay, i64::MIN, day - 1),
            SearchKey::SavedOn(day) => within(Quantity::SavedDay, *day, *day),
            SearchKey::SavedSince(day) => within(Quantity::SavedDay, *day, i64::MAX),
            SearchKey::SaveDateSupported => Test::Always(true),
            // RFC 5032 §2: both include the target time.
            SearchKey::Older(seconds) => within(Quantity::InternalSecond, i64::MIN, self.ago(*seconds)),
            SearchKey::Younger(seconds) => within(Quantity::InternalSecond, self.ago(*seconds), i64::MAX),
            SearchKey::Larger(size) => within(Quantity::Size, signed(*size).saturating_add(1), i64::MAX),
            SearchKey::Smaller(size) => within(Quantity::Size, 0, signed(*size) - 1),
            SearchKey::Sequence(set) => Test::Numbers(self.view.seqs(set, Numbering::Sequence)),
            SearchKey::Uid(set) => Test::Numbers(self.view.seqs(set, Numbering::Uid)),
            SearchKey::ModSeq(ModSeq(from)) => {
                self.asks_modseq = true;
                within(Quantity::ModSeq, signed(*from), i64::MAX)
            }
            SearchKey::EmailId(text) => mail_id(text).map_or(Test::Always(false), Test::Mail),
            // There are none: THREADID is NIL.
            SearchKey::ThreadId(_) => Test::Always(false),
        })
    }

    fn all(&mut self, keys: &[SearchKey], depth: usize) -> Result<Test, TooMany> {
        let mut tests = keys.iter().map(|key| self.test(key, depth + 1)).collect::<Result<Vec<_>, _>>()?;
        Ok(match tests.len() {
            1 => tests.remove(0),
            _ => {
                tests.sort_by_key(|test| test.needs(self));
                Test::All(tests)
            }
        })
    }

    /// `OR a OR b c` is one choice of three, however long it is.
    fn any(&mut self, key: &SearchKey, depth: usize) -> Result<Test, TooMany> {
        let (mut tests, mut rest) = (Vec::new(), key);
        while let SearchKey::Or(keys) = rest {
            tests.push(self.test(&keys.0, depth + 1)?);
            rest = &keys.1;
        }
        tests.push(self.test(rest, depth + 1)?);
        tests.sort_by_key(|test| test.needs(self));
        Ok(Test::Any(tests))
    }

    fn keyword(&self, name: &str) -> Test {
        let place = self.view.snapshot.keywords.iter().position(|known| known.eq_ignore_ascii_case(name));
        place.and_then(Flags::keyword).map_or(Test::Always(false), Test::Flags)
    }

    fn header(&mut self, name: &str, value: &str) -> Result<Test, TooMany> {
        if let Some(field) = SearchedField::of_name(name) {
            return Ok(Test::Header(field, Box::new(Needle::new(value))));
        }
        self.ask(Place::Fields(name.to_ascii_lowercase()), value)
    }

    fn ask(&mut self, place: Place, text: &str) -> Result<Test, TooMany> {
        let question = Question::new(place, text);
        // The empty string is in every text.
        if question.needle.is_empty() && question.also.is_none() {
            return Ok(Test::Always(true));
        }
        let at = self.questions.iter().position(|known| *known == question).unwrap_or(self.questions.len());
        if at == self.questions.len() {
            if at == QUESTIONS_MAX {
                return Err(TooMany);
            }
            self.questions.push(question);
        }
        Ok(Test::Ask(at))
    }

    fn ago(&self, seconds: u32) -> i64 {
        signed(self.now.seconds()) - i64::from(seconds)
    }
}

/// As FETCH writes it: a letter and the number.
fn mail_id(text: &str) -> Option<MailId> {
    let number: u128 = text.strip_prefix(char::from(EMAIL_ID_LETTER))?.parse().ok()?;
    Some(MailId::from_bytes(number.to_be_bytes()))
}

#[cfg(test)]
mod tests;
