//! When a key of DKIM follows another: what is to be done now with the keys of one domain.
//!
//! ```text
//! made ── Next ── its record is in the DNS, for a while ── Active ── the next one is ── Retired ── overlap is over ── gone
//! ```
//!
//! RFC 6376 §3.6.1 leaves it to the domain when keys change. A record has to be there before the first signature that needs it,
//! and as long as a signed message may be on its way: §6.1 has verifiers ask when they get it, which may be days after it
//! was signed. So a key waits until its record is seen, however long that takes, and goes only after the overlap.
//!
//! Left out on purpose: asking the DNS, making keys. `now` is an argument. A clock that was wrong makes a key older or younger than
//! it is: what looks young waits, and what is done too early because of it is the removal of a private key that signs no more.

use std::time::Duration;

use types::Timestamp;
use types::directory::{DkimAlgorithm, DkimKey, DkimKeyState};

/// How keys follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DkimSchedule {
    /// After which an active key gets a successor; none where only people make them.
    pub rotate_after: Option<Duration>,
    /// How long a key that signs no more is kept.
    pub overlap: Duration,
    /// How long the record of a new key must have been seen: caches may say until then that there is none
    /// (RFC 2308 §5).
    pub settled_after: Duration,
}

/// What the DNS shows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DkimSeen {
    /// Nobody has asked, or there was no answer.
    Unknown,
    /// No record, or one that is not of this key.
    Missing,
    /// Its record, in every answer since then.
    Since(Timestamp),
}

/// A key, and what the DNS shows of it.
#[derive(Debug, Clone, Copy)]
pub struct DkimFacts<'a> {
    /// The key.
    pub key: &'a DkimKey,
    /// Asked for those that are to sign next alone.
    pub seen: DkimSeen,
}

/// Something that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DkimStep {
    /// A key is old: one that follows it is made, [`DkimKeyState::Next`].
    Make(DkimAlgorithm),
    /// These sign from now on, and those that signed with the same algorithm, or were to sign before them, do not, in one
    /// change.
    Switch {
        /// Selectors of keys that were next.
        to: Vec<String>,
        /// Selectors of keys that were active, or are older than those that follow.
        from: Vec<String>,
    },
    /// The overlap of this key is over: it goes, and its record may.
    Remove {
        /// Its selector.
        selector: String,
    },
}

/// What is to be done now with the keys of one domain.
#[must_use]
pub fn due(keys: &[DkimFacts<'_>], now: Timestamp, schedule: &DkimSchedule) -> Vec<DkimStep> {
    let mut steps = Vec::new();
    let (mut to, mut from) = (Vec::new(), Vec::new());
    for algorithm in DkimAlgorithm::ALL {
        let of = |state| {
            keys.iter().filter(move |facts| facts.key.algorithm == algorithm && facts.key.state == state)
        };
        let ready = of(DkimKeyState::Next).filter(|facts| is_settled(facts.seen, now, schedule));
        // Several may wait; the youngest is what was meant last.
        if let Some(ready) = ready.max_by_key(|facts| facts.key.created_at) {
            to.push(ready.key.selector.clone());
            // Those that were passed over are not to follow it in their turn.
            let is_older = |facts: &&DkimFacts<'_>| {
                facts.key.selector != ready.key.selector && facts.key.created_at <= ready.key.created_at
            };
            let left = of(DkimKeyState::Active).chain(of(DkimKeyState::Next).filter(is_older));
            from.extend(left.map(|facts| facts.key.selector.clone()));
        } else if of(DkimKeyState::Next).next().is_none()
            && of(DkimKeyState::Active).next().is_some()
            && of(DkimKeyState::Active).all(|facts| is_old(facts.key, now, schedule))
        {
            steps.push(DkimStep::Make(algorithm));
        }
    }
    if !to.is_empty() {
        steps.insert(0, DkimStep::Switch { to, from });
    }
    let retired = keys.iter().filter(|facts| facts.key.state == DkimKeyState::Retired);
    let over = retired.filter(|facts| now.since(facts.key.changed_at) >= schedule.overlap);
    steps.extend(over.map(|facts| DkimStep::Remove { selector: facts.key.selector.clone() }));
    steps
}

fn is_settled(seen: DkimSeen, now: Timestamp, schedule: &DkimSchedule) -> bool {
    match seen {
        DkimSeen::Since(at) => now.since(at) >= schedule.settled_after,
        DkimSeen::Unknown | DkimSeen::Missing => false,
    }
}

fn is_old(key: &DkimKey, now: Timestamp, schedule: &DkimSchedule) -> bool {
    // Since it signs: it may have waited long for its record.
    schedule.rotate_after.is_some_and(|after| now.since(key.changed_at) >= after)
}

#[cfg(test)]
mod tests {
    use DkimAlgorithm::{Ed25519Sha256 as Ed, RsaSha256 as Rsa};
    use DkimKeyState::{Active, Next, Retired};
    use DkimSeen::{Missing, Since, Unknown};

    use super::*;

    const DAY: u64 = 24 * 60 * 60 * 1000;
    const HOUR: u64 = DAY / 24;
    const NOW: u64 = 1000 * DAY;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// `days` are those in its state; a selector in each row's order.
    fn key(selector: &str, algorithm: DkimAlgorithm, state: DkimKeyState, changed: u64) -> DkimKey {
        DkimKey {
            domain: "example.org".parse().unwrap(),
            selector: selector.into(),
            algorithm,
            state,
            record: String::new(),
            created_at: at(changed),
            changed_at: at(changed),
        }
    }

    fn switch(to: &[&str], from: &[&str]) -> DkimStep {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        DkimStep::Switch { to: owned(to), from: owned(from) }
    }

    fn remove(selector: &str) -> DkimStep {
        DkimStep::Remove { selector: selector.into() }
    }

    type Row<'a> = (&'a str, DkimAlgorithm, DkimKeyState, u64, DkimSeen);

    fn steps(rows: &[Row<'_>], rotate_days: u64) -> Vec<DkimStep> {
        let keys: Vec<_> = rows
            .iter()
            .map(|(selector, algorithm, state, changed, seen)| {
                (key(selector, *algorithm, *state, *changed), *seen)
            })
            .collect();
        let facts: Vec<_> = keys.iter().map(|(key, seen)| DkimFacts { key, seen: *seen }).collect();
        let schedule = DkimSchedule {
            rotate_after: (rotate_days > 0).then(|| Duration::from_millis(rotate_days * DAY)),
            overlap: Duration::from_millis(14 * DAY),
            settled_after: Duration::from_millis(HOUR),
        };
        due(&facts, at(NOW), &schedule)
    }

    #[test]
    fn nothing_is_due_without_keys_or_while_they_are_young() {
        assert_eq!(steps(&[], 180), []);
        let young = [("a", Rsa, Active, NOW - 179 * DAY, Unknown), ("b", Ed, Active, NOW - DAY, Unknown)];
        assert_eq!(steps(&young, 180), []);
    }

    #[test]
    fn an_old_key_gets_one_successor_where_there_is_a_schedule() {
        let old = ("a", Rsa, Active, NOW - 180 * DAY, Unknown);
        assert_eq!(steps(&[old], 180), [DkimStep::Make(Rsa)]);
        assert_eq!(steps(&[old], 0), []);
        let other = ("b", Ed, Active, NOW - 180 * DAY, Unknown);
        assert_eq!(steps(&[old, other], 180), [DkimStep::Make(Rsa), DkimStep::Make(Ed)]);
        // One that waits is enough, however long it does.
        assert_eq!(steps(&[old, ("c", Rsa, Next, NOW - 900 * DAY, Missing)], 180), []);
        // A retired one has its successor, and a young one beside it is one.
        assert_eq!(steps(&[("a", Rsa, Retired, NOW - DAY, Unknown)], 180), []);
        assert_eq!(steps(&[old, ("c", Rsa, Active, NOW - DAY, Unknown)], 180), []);
    }

    #[test]
    fn a_key_signs_only_when_its_record_was_seen_for_an_hour() {
        let old = ("a", Rsa, Active, NOW - 400 * DAY, Unknown);
        for (seen, expected) in [
            (Unknown, vec![]),
            (Missing, vec![]),
            (Since(at(NOW)), vec![]),
            (Since(at(NOW - HOUR + 1)), vec![]),
            (Since(at(NOW - HOUR)), vec![switch(&["b"], &["a"])]),
        ] {
            assert_eq!(steps(&[old, ("b", Rsa, Next, NOW - 2 * DAY, seen)], 180), expected, "{seen:?}");
        }
    }

    #[test]
    fn algorithms_switch_each_for_itself_and_together_where_both_can() {
        let seen = Since(at(NOW - DAY));
        let rows = [
            ("a", Rsa, Active, NOW - DAY, Unknown),
            ("b", Ed, Active, NOW - DAY, Unknown),
            ("c", Rsa, Next, NOW - DAY, seen),
            ("d", Ed, Next, NOW - DAY, Missing),
        ];
        assert_eq!(steps(&rows, 0), [switch(&["c"], &["a"])]);
        let both = [rows[0], rows[1], rows[2], ("d", Ed, Next, NOW - DAY, seen)];
        assert_eq!(steps(&both, 0), [switch(&["c", "d"], &["a", "b"])]);
        // Without one that signed, and with several that did.
        assert_eq!(steps(&[rows[2]], 0), [switch(&["c"], &[])]);
        let several = [rows[0], ("e", Rsa, Active, NOW - DAY, Unknown), rows[2]];
        assert_eq!(steps(&several, 0), [switch(&["c"], &["a", "e"])]);
    }

    #[test]
    fn of_keys_that_wait_the_youngest_signs_and_no_older_one_after_it() {
        let seen = Since(at(NOW - DAY));
        let old = ("a", Rsa, Active, NOW - 9 * DAY, Unknown);
        let older = ("c", Rsa, Next, NOW - DAY, seen);
        let younger = |seen| ("f", Rsa, Next, NOW - HOUR * 2, seen);
        assert_eq!(steps(&[old, older, younger(seen)], 0), [switch(&["f"], &["a", "c"])]);
        let unseen = ("e", Rsa, Next, NOW - 2 * DAY, Missing);
        assert_eq!(steps(&[old, unseen, younger(seen)], 0), [switch(&["f"], &["a", "e"])]);
        // The younger one has its turn yet.
        assert_eq!(steps(&[old, older, younger(Missing)], 0), [switch(&["c"], &["a"])]);
        let other = ("d", Ed, Next, NOW - 3 * DAY, Missing);
        assert_eq!(steps(&[other, younger(seen)], 0), [switch(&["f"], &[])]);
    }

    #[test]
    fn a_retired_key_goes_after_the_overlap() {
        let retired = |days| [("a", Rsa, Retired, NOW - days * DAY, Unknown)];
        assert_eq!(steps(&retired(13), 180), []);
        assert_eq!(steps(&retired(14), 180), [remove("a")]);
    }

    #[test]
    fn what_is_from_the_future_waits() {
        let ahead = NOW + 10 * DAY;
        let rows = [
            ("a", Rsa, Active, ahead, Unknown),
            ("b", Rsa, Next, ahead, Since(at(ahead))),
            ("c", Rsa, Retired, ahead, Unknown),
        ];
        assert_eq!(steps(&rows, 1), []);
    }
}
