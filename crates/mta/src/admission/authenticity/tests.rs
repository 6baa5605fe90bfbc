use super::*;

const POLICY: AuthenticityPolicy = AuthenticityPolicy {
    dmarc: DmarcHandling::AsAsked,
    spf_fail: Handling::Accepted,
    no_dkim: Handling::Accepted,
    malformed_from: Handling::Refused,
    trouble: TroubleHandling::Accepted,
};

const BANK: DmarcFacts<'_> = DmarcFacts {
    domain: "bank.example",
    check: Check::Fail,
    wish: Wish::Reject,
    is_undecided: false,
    words: "bank.example",
};

fn facts<'a>(spf: Check, dkim: Check, dmarc: &'a [DmarcFacts<'a>]) -> AuthenticityFacts<'a> {
    let spf = SpfFacts { check: spf, domain: "sender.example", words: "sender.example" };
    AuthenticityFacts { policy: POLICY, from: None, spf, dkim, dmarc }
}

fn reply(facts: &AuthenticityFacts<'_>) -> String {
    match decide(facts) {
        Admitted::Accepted => "accepted".to_owned(),
        Admitted::Suspicious(_) => "suspicious".to_owned(),
        Admitted::Refused(decision) => decision.reply.to_string().chars().take(10).collect(),
    }
}

#[test]
fn dmarc_is_done_as_the_domain_asks() {
    for (wish, told) in
        [(Wish::Reject, "550 5.7.26"), (Wish::Quarantine, "suspicious"), (Wish::Nothing, "accepted")]
    {
        let dmarc = [DmarcFacts { wish, ..BANK }];
        let mut facts = facts(Check::Pass, Check::Open, &dmarc);
        assert_eq!(reply(&facts), told);
        facts.policy.dmarc = DmarcHandling::Told;
        assert_eq!(reply(&facts), "accepted");
    }
    let passed = [DmarcFacts { check: Check::Pass, ..BANK }];
    assert_eq!(reply(&facts(Check::Fail, Check::Fail, &passed)), "accepted");
    // Of several domains the one that asks for most (RFC 9989 §11.5), whatever the others say.
    let several =
        [DmarcFacts { check: Check::Pass, ..BANK }, BANK, DmarcFacts { wish: Wish::Nothing, ..BANK }];
    assert_eq!(reply(&facts(Check::Pass, Check::Pass, &several)), "550 5.7.26");
}

#[test]
fn what_the_dns_leaves_open_is_no_failure() {
    let undecided = [DmarcFacts { is_undecided: true, ..BANK }];
    let unknown = [DmarcFacts { check: Check::Trouble, ..BANK }];
    for dmarc in [&undecided, &unknown] {
        let mut facts = facts(Check::Open, Check::Trouble, dmarc);
        assert_eq!(reply(&facts), "accepted");
        facts.policy.trouble = TroubleHandling::Deferred;
        assert_eq!(reply(&facts), "451 4.4.3 ");
        facts.spf.check = Check::Trouble;
        assert_eq!(reply(&facts), "451 4.7.24");
    }
    // What is certain is not put off by trouble that could change nothing.
    let certain = [BANK];
    let mut facts = facts(Check::Trouble, Check::Trouble, &certain);
    facts.policy.trouble = TroubleHandling::Deferred;
    assert_eq!(reply(&facts), "550 5.7.26");
    let passed = [DmarcFacts { check: Check::Pass, ..BANK }];
    facts.dmarc = &passed;
    assert_eq!(reply(&facts), "accepted");
}

#[test]
fn spf_and_dkim_alone_count_where_the_operator_says_so() {
    let none = [DmarcFacts { check: Check::Open, wish: Wish::Nothing, ..BANK }];
    let mut spf = facts(Check::Fail, Check::Pass, &none);
    assert_eq!(reply(&spf), "accepted");
    spf.policy.spf_fail = Handling::Refused;
    assert_eq!(reply(&spf), "550 5.7.23");
    let mut dkim = facts(Check::Pass, Check::Fail, &none);
    assert_eq!(reply(&dkim), "accepted");
    dkim.policy.no_dkim = Handling::Refused;
    for (check, told) in [
        (Check::Fail, "550 5.7.20"),
        (Check::Open, "550 5.7.20"),
        (Check::Pass, "accepted"),
        (Check::Trouble, "accepted"),
    ] {
        dkim.dkim = check;
        assert_eq!(reply(&dkim), told);
    }
    dkim.dkim = Check::Trouble;
    dkim.policy.trouble = TroubleHandling::Deferred;
    assert_eq!(reply(&dkim), "451 4.4.3 ");
}

#[test]
fn a_from_that_can_be_read_in_two_ways_is_refused_unless_the_operator_takes_it() {
    let problem = AuthorProblem::Repeated;
    let mut facts = facts(Check::Pass, Check::Pass, &[]);
    facts.from = Some(&problem);
    assert_eq!(reply(&facts), "554 5.6.0 ");
    facts.policy.malformed_from = Handling::Accepted;
    assert_eq!(reply(&facts), "accepted");
}

#[test]
fn nothing_is_reported_to_a_reverse_path_that_nothing_vouches_for() {
    let fails = [BANK];
    let passes = [DmarcFacts { check: Check::Pass, ..BANK }];
    for (spf, dmarc, is_vouched_for, withheld) in [
        (Check::Fail, &passes, false, true),
        (Check::Fail, &fails, true, false),
        (Check::Pass, &fails, false, false),
        (Check::Open, &fails, false, true),
        (Check::Open, &passes, false, false),
        (Check::Trouble, &fails, false, true),
        (Check::Open, &fails, true, false),
    ] {
        assert_eq!(withholds_reports(spf, dmarc, is_vouched_for), withheld, "{spf:?} {dmarc:?}");
    }
}
