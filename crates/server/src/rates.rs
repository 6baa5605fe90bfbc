//! How many messages an account and an address may submit in an hour, and how many bounces go back to one sender.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mta::rate::{Rate, Windows};
use types::directory::key;
use types::{Mailbox, Timestamp};

use crate::admission::network_of;
use crate::config::Submission;

/// Counts over all sessions. What is counted goes with the process.
pub(crate) struct Rates {
    per_account_max: u32,
    per_address_max: u32,
    accounts: Mutex<Windows<String>>,
    addresses: Mutex<Windows<IpAddr>>,
    /// By the sender.
    ways_back: Mutex<Windows<String>>,
}

/// Who submits.
#[derive(Clone, Copy)]
pub(crate) struct Submitter<'a> {
    pub(crate) ip: IpAddr,
    /// With its own number, where it has one.
    pub(crate) account: Option<(&'a str, Option<u32>)>,
}

const WINDOW: Duration = Duration::from_secs(60 * 60);
/// Accounts, and addresses, that are counted at one time: some 250 octets each.
const KEYS_MAX: usize = 16 * 1024;
/// Bounces of what was sent on that go back to one sender in an hour. Each host that such a message came to knows an address
/// that leads back to its sender for weeks.
const WAY_BACK_MAX: u32 = 100;

impl Rates {
    pub(crate) fn new(submission: &Submission) -> Self {
        // 0 means any number.
        let limit = |number: u64| match u32::try_from(number) {
            Ok(0) | Err(_) => u32::MAX,
            Ok(limit) => limit,
        };
        Self {
            per_account_max: limit(submission.messages_per_hour_per_account_max),
            per_address_max: limit(submission.messages_per_hour_per_address_max),
            accounts: Mutex::new(Windows::new(WINDOW, KEYS_MAX)),
            addresses: Mutex::new(Windows::new(WINDOW, KEYS_MAX)),
            ways_back: Mutex::new(Windows::new(WINDOW, KEYS_MAX)),
        }
    }

    /// Counts one more bounce on its way back to `sender`, if that is within the limit.
    pub(crate) fn take_way_back(&self, sender: &Mailbox, now: Timestamp) -> Rate {
        lock(&self.ways_back).take(&key(sender), WAY_BACK_MAX, now)
    }

    /// Whether one more message is within the limits, without counting it.
    pub(crate) fn check(&self, submitter: &Submitter<'_>, now: Timestamp) -> Rate {
        let address = lock(&self.addresses).check(&network_of(submitter.ip), self.per_address_max, now);
        let account = submitter.account.map_or(Rate::Within, |(name, own)| {
            lock(&self.accounts).check(name, own.unwrap_or(self.per_account_max), now)
        });
        address.and(account)
    }

    /// Counts one more message, if that is within the limits.
    pub(crate) fn take(&self, submitter: &Submitter<'_>, now: Timestamp) -> Rate {
        // Nothing is counted of what is refused.
        let mut accounts = lock(&self.accounts);
        let mut addresses = lock(&self.addresses);
        let account = submitter.account.map(|(name, own)| (name, own.unwrap_or(self.per_account_max)));
        let network = network_of(submitter.ip);
        let within_account = account.map_or(Rate::Within, |(name, limit)| accounts.check(name, limit, now));
        let rate = addresses.check(&network, self.per_address_max, now).and(within_account);
        if rate == Rate::Within {
            addresses.take(&network, self.per_address_max, now);
            if let Some((name, limit)) = account {
                accounts.take(&name.to_owned(), limit, now);
            }
        }
        rate
    }
}

fn lock<T>(windows: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    windows.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_and_an_address_have_their_own_limits_and_what_is_refused_counts_for_neither() {
        let rates = Rates::new(&Submission {
            messages_per_hour_per_account_max: 2,
            messages_per_hour_per_address_max: 3,
            ..Submission::default()
        });
        let now = Timestamp::from_millis(1_795_322_124_250);
        let by = |ip: &str, account| Submitter { ip: ip.parse().unwrap(), account };
        let (ada, bob) = (Some(("ada@example.org", None)), Some(("bob@example.org", Some(9))));
        assert_eq!(rates.take(&by("192.0.2.1", ada), now), Rate::Within);
        assert_eq!(rates.take(&by("192.0.2.1", ada), now), Rate::Within);
        for _ in 0..5 {
            assert!(matches!(rates.take(&by("192.0.2.1", ada), now), Rate::Exceeded { .. }));
        }
        assert_eq!(rates.check(&by("192.0.2.1", bob), now), Rate::Within);
        assert_eq!(rates.take(&by("192.0.2.1", bob), now), Rate::Within);
        assert!(matches!(rates.take(&by("192.0.2.1", bob), now), Rate::Exceeded { .. }));
        assert_eq!(rates.take(&by("192.0.2.2", bob), now), Rate::Within);
        assert!(matches!(rates.take(&by("192.0.2.2", ada), now), Rate::Exceeded { .. }));
        let later = Timestamp::from_millis(now.millis() + 2 * 60 * 60 * 1000);
        assert_eq!(rates.take(&by("192.0.2.2", ada), later), Rate::Within);
    }

    #[test]
    fn a_sender_gets_so_many_bounces_in_an_hour_and_others_get_theirs() {
        let rates = Rates::new(&Submission::default());
        let now = Timestamp::from_millis(1_795_322_124_250);
        let (ada, bob) = ("ada@example.org".parse().unwrap(), "bob@example.org".parse().unwrap());
        for _ in 0..WAY_BACK_MAX {
            assert_eq!(rates.take_way_back(&ada, now), Rate::Within);
        }
        assert!(matches!(rates.take_way_back(&ada, now), Rate::Exceeded { .. }));
        assert_eq!(rates.take_way_back(&bob, now), Rate::Within);
        let later = Timestamp::from_millis(now.millis() + 2 * 60 * 60 * 1000);
        assert_eq!(rates.take_way_back(&ada, later), Rate::Within);
    }

    #[test]
    fn zero_means_any_number() {
        let rates = Rates::new(&Submission {
            messages_per_hour_per_account_max: 0,
            messages_per_hour_per_address_max: 0,
            ..Submission::default()
        });
        let submitter = Submitter { ip: IpAddr::from([192, 0, 2, 1]), account: Some(("a@b.example", None)) };
        for _ in 0..1000 {
            assert_eq!(rates.take(&submitter, Timestamp::default()), Rate::Within);
        }
    }
}
