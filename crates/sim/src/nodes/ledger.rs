//! What is known from outside of each message: what was promised for it, who took it, and where nobody can know.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use types::MailId;

/// All messages.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What clients gave away, by tag.
    pub(super) sent: BTreeMap<String, Sent>,
    /// When nodes said that they took a message.
    pub(super) accepted: BTreeMap<MailId, Duration>,
    /// What peers took.
    pub(super) taken: Vec<Taken>,
    /// How often a host may have taken a message without its sender knowing it for good, by tag.
    pub(super) doubts: BTreeMap<String, u64>,
    /// Answers that nodes got: which node, which tag, when.
    pub(super) answered: Vec<(usize, String, Duration)>,
    /// When nodes died.
    pub(super) deaths: Vec<(usize, Duration)>,
    /// When nodes were up again.
    pub(super) rises: Vec<(usize, Duration)>,
    /// Since when a node's disk is full.
    pub(super) full_since: BTreeMap<usize, Duration>,
    /// When disks were full: which node, from when, to when.
    pub(super) full: Vec<(usize, Duration, Duration)>,
    /// By how much clocks were put back, by node.
    pub(super) put_back: BTreeMap<usize, Duration>,
    /// Whom greylisting has seen, and when.
    pub(super) greylist: BTreeMap<String, Duration>,
}

/// A message that a client gave to a node to its last octet.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) node: usize,
    pub(super) sender: Option<String>,
    /// Those that the node took.
    pub(super) recipients: Vec<String>,
    pub(super) octets: Vec<u8>,
    pub(super) promise: Promise,
}

/// What the node said at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    /// 250, with the id.
    Made { mail_id: MailId },
    /// Nothing: it may have taken it.
    Unknown,
    /// That it did not take it.
    None,
}

/// A message that a peer took.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) tag: String,
    pub(super) recipients: Vec<String>,
    pub(super) octets: Vec<u8>,
    pub(super) at: Duration,
    pub(super) peer: String,
}

/// What was answered so short before the death of a node may not have been recorded.
const RECORDING: Duration = Duration::from_secs(10);

impl Ledger {
    /// A node sent a message and will never hear whether it was taken.
    pub(super) fn doubt(&mut self, tag: String) {
        *self.doubts.entry(tag).or_default() += 1;
    }

    /// A node is dead: what it heard last may be forgotten.
    pub(super) fn died(&mut self, node: usize, at: Duration) {
        self.deaths.push((node, at));
        // With a full disk what was heard waits for room.
        let mut since = at.saturating_sub(RECORDING);
        if let Some(full) = self.full_since.get(&node) {
            since = since.min(full.saturating_sub(RECORDING));
        }
        let heard: BTreeSet<String> = self
            .answered
            .iter()
            .filter(|(of, _, heard_at)| *of == node && *heard_at >= since)
            .map(|(_, tag, _)| tag.clone())
            .collect();
        for tag in heard {
            self.doubt(tag);
        }
    }

    /// A disk has room again, or is another one.
    pub(super) fn has_room(&mut self, node: usize, at: Duration) {
        if let Some(since) = self.full_since.remove(&node) {
            self.full.push((node, since, at));
        }
    }

    /// Whether a node's disk was full then, or within so long afterwards.
    pub(super) fn was_full(&self, node: usize, at: Duration, within: Duration) -> bool {
        self.full.iter().any(|(of, from, to)| *of == node && *from <= at + within && at <= *to)
    }

    /// All that happened to a node, for people.
    pub(super) fn fate(&self, node: usize, tag: &str) -> String {
        let mut lines = Vec::new();
        let mine = |of: &usize| *of == node;
        lines
            .extend(self.deaths.iter().filter(|(of, _)| mine(of)).map(|(_, at)| (*at, "it died".to_owned())));
        lines.extend(self.rises.iter().filter(|(of, _)| mine(of)).map(|(_, at)| (*at, "it rose".to_owned())));
        lines.extend(self.full.iter().filter(|(of, ..)| mine(of)).map(|(_, at, to)| {
            (*at, format!("its disk was full for {} s", to.saturating_sub(*at).as_secs()))
        }));
        let answered = self.answered.iter().filter(|(_, of, _)| of == tag);
        lines.extend(answered.map(|(of, _, at)| (*at, format!("node {of} heard that it was taken"))));
        let taken = self.taken.iter().filter(|taken| taken.tag == tag);
        lines.extend(
            taken.map(|taken| (taken.at, format!("{} took it for {:?}", taken.peer, taken.recipients))),
        );
        lines.sort();
        let doubts = self.doubts.get(tag).copied().unwrap_or(0);
        let lines: Vec<String> = lines.into_iter().map(|(at, what)| format!("\n  {at:?} {what}")).collect();
        format!("\n{doubts} doubts; seen from outside:{}", lines.concat())
    }

    /// When a node said that it took a message.
    pub(super) fn accepted_at(&self, mail_id: MailId) -> Duration {
        self.accepted.get(&mail_id).copied().unwrap_or_default()
    }

    /// Whether a node died within so long after a time.
    pub(super) fn died_soon_after(&self, node: usize, at: Duration, within: Duration) -> bool {
        self.deaths.iter().any(|(of, died)| *of == node && *died >= at && *died <= at + within)
    }

    /// How long a node was up between two times.
    pub(super) fn up(&self, node: usize, from: Duration, to: Duration) -> Duration {
        let mut down = Duration::ZERO;
        for (_, died) in self.deaths.iter().filter(|(of, _)| *of == node) {
            let rises = self.rises.iter().filter(|(of, at)| *of == node && at >= died);
            let risen = rises.map(|(_, at)| *at).min().unwrap_or(to);
            down += risen.min(to).saturating_sub((*died).max(from));
        }
        to.saturating_sub(from).saturating_sub(down)
    }
}

/// The `Message-ID` of a header section, without its brackets.
pub(super) fn tag_of(octets: &[u8]) -> Option<String> {
    field(octets, "message-id")
}

/// The first value in angle brackets of a field of the header section.
pub(super) fn field(octets: &[u8], name: &str) -> Option<String> {
    for line in octets.split(|octet| *octet == b'\n') {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        if line.is_empty() {
            return None;
        }
        let Some((this, value)) = line.split_once(':') else { continue };
        if this.eq_ignore_ascii_case(name) {
            return Some(value.trim().trim_matches(['<', '>']).to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_a_node_is_up_has_no_time_in_it_that_it_is_not() {
        let seconds = Duration::from_secs;
        let ledger = Ledger {
            deaths: vec![(0, seconds(10)), (0, seconds(100))],
            rises: vec![(0, seconds(20)), (1, seconds(11))],
            ..Ledger::default()
        };
        assert_eq!(ledger.up(0, seconds(5), seconds(15)), seconds(5));
        assert_eq!(ledger.up(0, seconds(5), seconds(50)), seconds(35));
        assert_eq!(ledger.up(0, seconds(50), seconds(150)), seconds(50));
        assert_eq!(ledger.up(1, seconds(5), seconds(50)), seconds(45));
    }
}
