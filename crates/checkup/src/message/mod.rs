//! What is wrong with one message: who really sent it, and what receivers hold against it, each with what it costs.
//!
//! Standards: RFC 5322 and RFC 2045 (what a message is), those of `mailauth` (who sent it), RFC 2369 and RFC 8058 (leaving a list).
//! What large receivers publish for senders decides what counts besides.
//!
//! A message begins with [`SCORE_MAX`] points; each finding costs what it says. Where a message came from is read from its trace
//! fields if nobody says it, and told as an assumption.
//!
//! Left out on purpose: what the words say. Nobody's filter of spam is guessed at.

mod arrival;
mod bulk;
mod chain;
mod envelope;
mod header;
mod identity;
mod letter;
mod lines;
mod links;
mod listed;
mod mime;
mod policy;
pub mod signatures;
mod text;

use mailauth::Names;
use types::Timestamp;

pub use arrival::{Arrival, Given, Transport};
pub use letter::{Letter, Oddity};

use crate::{Finding, Verdict};

/// What a message has before anything is found.
pub const SCORE_MAX: f32 = 10.0;
/// From here on a message is good.
pub const SCORE_GOOD: f32 = 8.5;
/// From here on it is fair; below, bad.
pub const SCORE_FAIR: f32 = 5.0;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// All of the message.
    pub letter: &'a Letter<'a>,
    /// How it came, as far as that is known.
    pub arrival: &'a Arrival,
    /// Lists of the DNS that are asked about the address and the domains.
    pub lists: &'a [String],
    /// When it came, or else now.
    pub at: Timestamp,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// In the order of the topics.
    pub findings: Vec<Finding>,
    /// From 0 to [`SCORE_MAX`].
    pub score: f32,
}

/// What a score means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// [`SCORE_GOOD`] or more, and nothing bad was found.
    Good,
    /// [`SCORE_FAIR`] or more.
    Fair,
    /// Less.
    Bad,
}

/// Looks at a message from all sides.
pub async fn check(names: &dyn Names, question: &Question<'_>) -> Report {
    let letter = question.letter;
    // All that does not wait for another answer is asked at the same time.
    let ((spf, mut findings), signatures, chain, listed) = futures_util::join!(
        envelope::check(names, question),
        signatures::verify(names, letter, question.at),
        chain::check(names, letter, question.at),
        listed::check(names, question),
    );
    findings.extend(signatures.iter().map(|signature| signature.finding(letter, question.at)));
    findings.extend(chain);
    let authenticated = policy::Known { spf: spf.as_ref(), signatures: &signatures };
    findings.extend(policy::check(names, letter, &authenticated).await);
    findings.extend(listed);
    findings.extend(header::check(letter, question.arrival.at, question.at));
    findings.extend(identity::check(letter));
    findings.extend(lines::check(letter));
    findings.extend(mime::check(letter));
    findings.extend(text::check(letter));
    findings.extend(links::check(letter));
    findings.extend(bulk::check(letter, &signatures));
    findings.sort_by_key(|finding| finding.topic);
    Report::new(findings)
}

impl Report {
    fn new(findings: Vec<Finding>) -> Self {
        let cost: f32 = findings.iter().map(|finding| finding.points).sum();
        Self { findings, score: (SCORE_MAX - cost).clamp(0.0, SCORE_MAX) }
    }

    /// What the score means.
    #[must_use]
    pub fn grade(&self) -> Grade {
        let is_bad = crate::worst(&self.findings) == Verdict::Bad;
        match self.score {
            score if score >= SCORE_GOOD && !is_bad => Grade::Good,
            score if score >= SCORE_FAIR => Grade::Fair,
            _ => Grade::Bad,
        }
    }
}

impl Grade {
    /// In one word, as people and programs read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Fair => "fair",
            Self::Bad => "bad",
        }
    }
}
