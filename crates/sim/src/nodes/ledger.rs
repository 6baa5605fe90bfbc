//! What is known from outside of each message: what was promised for it, who took it, and where nobody can know.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use types::MailId;

/// All messages.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What clients gave away, by tag.
    pub(super) sent: BTreeMap<String, Sent>,
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
    /// 250, with the id, and when.
    Made { mail_id: MailId, at: Duration },
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
