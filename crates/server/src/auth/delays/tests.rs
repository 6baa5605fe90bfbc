//! Tests of what guessing costs (attacks.md 10).

use super::*;

const LIMITS: Limits = Limits {
    account_failures_max: 10,
    network_failures_max: 100,
    account_forgotten_after: Duration::from_secs(300),
    network_forgotten_after: Duration::from_secs(15),
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// One attempt that is over at once.
fn attempt(failures: &mut Failures, now: Timestamp, from: &str, account: &str, finding: Finding) -> Verdict {
    match failures.admit(now, ip(from), account) {
        Ok(admitted) => failures.conclude(now, admitted, finding),
        Err(too_many) => Verdict::TooMany(too_many),
    }
}

fn wrong(failures: &mut Failures, now: Timestamp, from: &str, account: &str) -> Verdict {
    attempt(failures, now, from, account, Finding::Wrong)
}

fn right(failures: &mut Failures, now: Timestamp, from: &str, account: &str) -> Verdict {
    attempt(failures, now, from, account, Finding::Right)
}

fn refused(delay_s: u64) -> Verdict {
    Verdict::Refused { delay: Duration::from_secs(delay_s) }
}

fn too_many(wait_s: u64) -> Verdict {
    Verdict::TooMany(TooMany { wait: Duration::from_secs(wait_s) })
}

#[test]
fn each_failure_is_answered_later_until_attempts_are_refused() {
    let mut failures = Failures::new(LIMITS);
    for delay_s in [1, 2, 4, 8, 16, 30, 30, 30, 30, 30] {
        assert_eq!(wrong(&mut failures, at(0), "192.0.2.1", "ada@example.org"), refused(delay_s));
    }
    for from in ["192.0.2.1", "192.0.2.254", "::ffff:192.0.2.7"] {
        assert_eq!(wrong(&mut failures, at(0), from, "ada@example.org"), too_many(300));
        assert_eq!(right(&mut failures, at(1), from, "ada@example.org"), too_many(299));
    }
    assert_eq!(
        wrong(&mut failures, at(300), "192.0.2.1", "ada@example.org"),
        refused(30),
        "one is forgotten"
    );
    assert_eq!(wrong(&mut failures, at(300), "192.0.2.1", "ada@example.org"), too_many(300));
    assert_eq!(
        wrong(&mut failures, at(3300), "192.0.2.1", "ada@example.org"),
        refused(1),
        "all are forgotten"
    );
}

#[test]
fn guesses_from_elsewhere_lock_nobody_out() {
    let mut failures = Failures::new(LIMITS);
    for _ in 0..20 {
        wrong(&mut failures, at(0), "192.0.2.1", "ada@example.org");
    }
    assert_eq!(right(&mut failures, at(0), "198.51.100.1", "ada@example.org"), Verdict::Accepted);
    assert_eq!(right(&mut failures, at(0), "2001:db8::1", "ada@example.org"), Verdict::Accepted);
    // Nor does it touch another account from the same network.
    assert_eq!(right(&mut failures, at(0), "192.0.2.1", "grace@example.org"), Verdict::Accepted);
}

#[test]
fn a_success_forgets_the_failures_of_its_own_account_and_network_alone() {
    let mut failures = Failures::new(LIMITS);
    for account in ["ada@example.org", "grace@example.org"] {
        assert_eq!(wrong(&mut failures, at(0), "192.0.2.1", account), refused(1));
        assert_eq!(wrong(&mut failures, at(0), "192.0.2.1", account), refused(2));
    }
    assert_eq!(right(&mut failures, at(0), "192.0.2.1", "ada@example.org"), Verdict::Accepted);
    assert_eq!(wrong(&mut failures, at(0), "192.0.2.1", "ada@example.org"), refused(1));
    assert_eq!(wrong(&mut failures, at(0), "192.0.2.1", "grace@example.org"), refused(4));
}

#[test]
fn a_network_with_a_login_in_the_last_30_days_is_heard_slowly_instead_of_being_refused() {
    let mut failures = Failures::new(LIMITS);
    right(&mut failures, at(0), "192.0.2.1", "ada@example.org");
    let day_29 = at(29 * 24 * 60 * 60);
    for _ in 0..10 {
        assert!(matches!(
            wrong(&mut failures, day_29, "192.0.2.1", "ada@example.org"),
            Verdict::Refused { .. }
        ));
    }
    // An address beside it counts by itself.
    assert_eq!(wrong(&mut failures, day_29, "192.0.2.2", "ada@example.org"), refused(1));
    let mut admit = || failures.admit(day_29, ip("192.0.2.1"), "ada@example.org");
    let waits_s: Vec<_> = (0..8).map(|_| admit().unwrap().wait.as_secs()).collect();
    assert_eq!(waits_s, [0, 4, 8, 12, 16, 20, 24, 28]);
    assert_eq!(admit(), Err(TooMany { wait: Duration::from_secs(32) }));
    // Whose turn it is, is let in whatever was counted meanwhile.
    let turn = day_29.plus(Duration::from_secs(4));
    let admitted = failures.admit(turn, ip("192.0.2.1"), "ada@example.org").unwrap();
    assert_eq!(failures.conclude(turn, admitted, Finding::Right), Verdict::Accepted);
}

#[test]
fn a_login_is_known_for_30_days() {
    let mut failures = Failures::new(LIMITS);
    right(&mut failures, at(0), "192.0.2.1", "ada@example.org");
    let day_31 = at(31 * 24 * 60 * 60);
    for _ in 0..10 {
        wrong(&mut failures, day_31, "192.0.2.1", "ada@example.org");
    }
    assert_eq!(right(&mut failures, day_31, "192.0.2.9", "ada@example.org"), too_many(300));
}

#[test]
fn a_spray_over_many_accounts_is_refused_for_its_network_except_where_that_is_known() {
    let mut failures = Failures::new(LIMITS);
    right(&mut failures, at(0), "192.0.2.1", "ada@example.org");
    for number in 0..100 {
        let account = format!("user{number}@example.org");
        assert_eq!(wrong(&mut failures, at(0), "192.0.2.66", &account), refused(1));
    }
    assert_eq!(wrong(&mut failures, at(0), "192.0.2.66", "another@example.org"), too_many(15));
    assert_eq!(right(&mut failures, at(0), "192.0.2.1", "ada@example.org"), Verdict::Accepted);
    assert_eq!(right(&mut failures, at(0), "198.51.100.1", "another@example.org"), Verdict::Accepted);
    assert_eq!(wrong(&mut failures, at(15), "192.0.2.66", "another@example.org"), refused(1));
}

#[test]
fn networks_of_64_bits_count_for_an_account_and_of_48_bits_for_a_spray() {
    let mut failures = Failures::new(LIMITS);
    for _ in 0..10 {
        wrong(&mut failures, at(0), "2001:db8:1:1::1", "ada@example.org");
    }
    assert_eq!(right(&mut failures, at(0), "2001:db8:1:1:ffff::9", "ada@example.org"), too_many(300));
    assert_eq!(right(&mut failures, at(0), "2001:db8:1:2::1", "grace@example.org"), Verdict::Accepted);
    for number in 0..90 {
        wrong(&mut failures, at(0), &format!("2001:db8:1:{number:x}::1"), &format!("user{number}"));
    }
    assert_eq!(wrong(&mut failures, at(0), "2001:db8:1:ffff::1", "another"), too_many(15));
    assert_eq!(wrong(&mut failures, at(0), "2001:db8:2:ffff::1", "another"), refused(1));
}

#[test]
fn guesses_that_arrive_together_get_no_more_verdicts_than_guesses_one_after_the_other() {
    let mut failures = Failures::new(LIMITS);
    let admitted: Vec<_> =
        (0..1000).map(|_| failures.admit(at(0), ip("192.0.2.1"), "ada@example.org").unwrap()).collect();
    let verdicts = admitted.iter().map(|admitted| failures.conclude(at(0), *admitted, Finding::Wrong));
    let answered = verdicts.filter(|verdict| matches!(verdict, Verdict::Refused { .. })).count();
    assert_eq!(answered, 10);
    // The right one among those that came too late is not told from the wrong ones.
    let last = failures.admit(at(0), ip("192.0.2.1"), "ada@example.org");
    assert!(last.is_err());
    assert_eq!(failures.conclude(at(0), admitted[999], Finding::Right), too_many(300));
}

#[test]
fn what_is_remembered_is_bounded_and_the_worst_is_remembered_best() {
    let forgotten_after = Duration::from_secs(60);
    let mut table: Table<u32> = Table::new(3, forgotten_after, 100);
    for _ in 0..3 {
        table.fail(at(0), u32::MAX);
    }
    for key in 0..10_000 {
        table.fail(at(0), key);
        assert!(table.forgotten_at.entries.len() <= 100);
    }
    assert_eq!(table.over(at(0), u32::MAX), Some(forgotten_after));
    // What has ended gives way first, all of it.
    table.fail(at(170), 10_000);
    assert_eq!(table.forgotten_at.entries.len(), 2);
    let size = std::mem::size_of::<(Pair, Timestamp)>();
    assert!(size <= 40, "{size} octets");
}

#[test]
fn networks_that_are_known_are_bounded_too() {
    let mut failures = Failures::new(LIMITS);
    let pair = |account| Pair { network: ip("192.0.2.0"), account };
    failures.known.entries = (0..KNOWN_MAX as u64).map(|account| (pair(account), at(10 + account))).collect();
    right(&mut failures, at(0), "198.51.100.1", "ada@example.org");
    assert_eq!(failures.known.entries.len(), KNOWN_MAX);
    for _ in 0..10 {
        wrong(&mut failures, at(0), "198.51.100.1", "ada@example.org");
    }
    assert_eq!(right(&mut failures, at(0), "198.51.100.1", "ada@example.org"), Verdict::Accepted);
}
