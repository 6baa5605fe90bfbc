//! Reads a reply, a delivery status notification (RFC 3464) or the text of a bounce as Postfix, Exim, sendmail,
//! qmail, Exchange and Gmail write it, and finds what was said, by which host and about whom.

mod report;
mod text;

use super::{CauseKind, causes_in};
use crate::EnhancedStatus;

/// How many findings [`find`] returns at most; a text with more is no bounce.
pub const FINDINGS_MAX: usize = 50;

/// Recipients that one finding names; the rest is counted.
const RECIPIENTS_MAX: usize = 20;

/// One thing that was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finding {
    /// The reply code.
    pub code: Option<u16>,
    /// The enhanced status code.
    pub status: Option<EnhancedStatus>,
    /// Which host said it, where the text tells.
    pub host: Option<String>,
    /// Whom it is about, where the text tells.
    pub recipients: Vec<String>,
    /// Further recipients, which are not named.
    pub recipients_more: usize,
    /// What the sending server did about it, where the text tells.
    pub action: Option<Action>,
    /// The words that stand with the code, on one line. They come from outside: control characters are in them.
    pub text: String,
    /// The causes that the words name.
    pub causes: Vec<CauseKind>,
}

/// What became of the message (RFC 3464 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It could not be delivered, and is not tried again.
    Failed,
    /// It could not be delivered yet.
    Delayed,
    /// It was delivered.
    Delivered,
    /// It went on to a server that sends no reports.
    Relayed,
    /// It went on to several recipients.
    Expanded,
}

impl Action {
    /// As RFC 3464 writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Failed, Self::Delayed, Self::Delivered, Self::Relayed, Self::Expanded]
            .into_iter()
            .find(|action| action.word().eq_ignore_ascii_case(word))
    }
}

impl Finding {
    /// The first digit of the codes: that of the enhanced status, else of the reply code.
    #[must_use]
    pub fn class_digit(&self) -> Option<u16> {
        self.status.map(|status| u16::from(status.class.digit())).or(self.code.map(|code| code / 100))
    }

    /// Whether `other` says the same thing, of the same host as far as both tell, for the same cause.
    fn says_the_same(&self, other: &Self) -> bool {
        let fits = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
        let codes = (self.code == other.code || self.code.is_none() || other.code.is_none())
            && (self.status == other.status || self.status.is_none() || other.status.is_none())
            && (self.code.is_some() && self.code == other.code
                || self.status.is_some() && self.status == other.status);
        // A status that stands for itself, as in `dsn=5.1.1`, has no words of its own.
        let words = self.text.is_empty()
            || other.text.is_empty()
            || self.code.is_none() != other.code.is_none()
            || self.causes == other.causes;
        // Of the same recipients it is the same, whatever host the words around it seem to name.
        let is_of_these = !other.recipients.is_empty()
            && other.recipients.iter().all(|recipient| self.recipients.contains(recipient));
        codes && words && (is_of_these || fits(&self.host, &other.host))
    }

    /// Takes over what `other` tells and this does not.
    fn absorb(&mut self, other: Self) {
        let is_reply_itself = self.code.is_none() && other.code.is_some() && !other.text.is_empty();
        if self.text.is_empty() || is_reply_itself {
            self.text = other.text;
            self.causes = other.causes;
        }
        self.code = self.code.or(other.code);
        self.status = self.status.or(other.status);
        self.action = self.action.or(other.action);
        if self.host.is_none() {
            self.host = other.host;
        }
        self.recipients_more += other.recipients_more;
        for recipient in other.recipients {
            if self.recipients.iter().any(|known| known.eq_ignore_ascii_case(&recipient)) {
                continue;
            }
            if self.recipients.len() < RECIPIENTS_MAX {
                self.recipients.push(recipient);
            } else {
                self.recipients_more += 1;
            }
        }
    }

    /// What is shown first: what failed before what waits, before what went well; a refusal that only follows
    /// from another comes after it.
    fn rank(&self) -> (bool, u8, bool) {
        let class = match self.class_digit() {
            Some(5) => 0,
            Some(4) => 1,
            None => 2,
            Some(_) => 3,
        };
        let only_follows = self.code == Some(503);
        let is_general = self.status.is_none_or(|status| status.detail == 0);
        (only_follows, class, is_general)
    }
}

/// Finds what was said in `text`, the most important first. Nothing is found where there is neither a code nor
/// words of a known cause.
#[must_use]
pub fn find(text: &str) -> Vec<Finding> {
    let (reported, rest) = report::split(text);
    let action = text::action(text);
    let mut findings: Vec<Finding> = Vec::new();
    for finding in reported {
        add(&mut findings, finding);
    }
    let are_reported = !findings.is_empty();
    for mut finding in text::findings(&rest) {
        // What a report says of each recipient is surer than the words around it.
        if !are_reported && finding.class_digit().is_none_or(|digit| digit >= 4) {
            finding.action = action;
        }
        add(&mut findings, finding);
    }
    if findings.is_empty()
        && let Some(mut finding) = text::cause(&rest)
    {
        finding.action = action;
        add(&mut findings, finding);
    }
    findings.sort_by_key(Finding::rank);
    findings.truncate(FINDINGS_MAX);
    findings
}

fn add(findings: &mut Vec<Finding>, mut finding: Finding) {
    finding.causes = causes_in(&finding.text);
    // Twice the limit, since the order comes later.
    let has_room = findings.len() < FINDINGS_MAX * 2;
    match findings.iter_mut().find(|known| known.says_the_same(&finding)) {
        Some(known) => known.absorb(finding),
        None if has_room => findings.push(finding),
        None => {}
    }
}
