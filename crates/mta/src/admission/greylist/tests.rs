use super::*;

const POLICY: GreylistPolicy = GreylistPolicy {
    wait: Duration::from_secs(300),
    retry_within: Duration::from_secs(24 * 3600),
    remembered: Duration::from_secs(35 * 24 * 3600),
    client_retries: 3,
    author_messages: 3,
    author_days: 2,
    entries_max: 2000,
};

const NEW: GreylistFacts<'_> = GreylistFacts {
    mode: GreylistMode::All,
    has_null_path: false,
    is_for_postmaster: false,
    score: 0,
    author: None,
    suspicion: None,
};

const START_S: u64 = 1_700_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis((START_S + seconds) * 1000)
}

fn attempt(client: &str, sender: &str, recipients: &[&str]) -> Attempt {
    let recipients = recipients.iter().map(|recipient| (*recipient).to_owned()).collect();
    Attempt { client: client.to_owned(), host: client.to_owned(), sender: sender.to_owned(), recipients }
}

fn from_bob() -> Attempt {
    attempt("192.0.2.0/24", "bob@sender.example", &["ada@example.org"])
}

fn tried(memory: &mut Memory, attempt: &Attempt, seconds: u64) -> Greylisting {
    decide(memory, &NEW, attempt, &POLICY, at(seconds))
}

fn waits(seconds: u64, is_first: bool) -> Greylisting {
    Greylisting::Waits { wait: Duration::from_secs(seconds), is_first }
}

fn passes(greylisting: Greylisting) -> bool {
    matches!(greylisting, Greylisting::Passes(_))
}

#[test]
fn a_new_sender_waits_and_passes_once_he_comes_again() {
    let mut memory = Memory::default();
    assert_eq!(tried(&mut memory, &from_bob(), 0), waits(300, true));
    assert_eq!(tried(&mut memory, &from_bob(), 100), waits(200, false), "what was waited counts");
    assert_eq!(tried(&mut memory, &from_bob(), 299), waits(1, false));
    assert_eq!(tried(&mut memory, &from_bob(), 300), Greylisting::Passes("it has come again"));
    let again = tried(&mut memory, &from_bob(), 301);
    assert_eq!(again, Greylisting::Passes("the sender has come again before"));
}

#[test]
fn who_comes_again_too_late_is_new_again() {
    let mut memory = Memory::default();
    tried(&mut memory, &from_bob(), 0);
    let late = 24 * 3600 + 1;
    assert_eq!(tried(&mut memory, &from_bob(), late), waits(300, true));
    assert!(passes(tried(&mut memory, &from_bob(), late + 300)));
    let days_35 = 35 * 24 * 3600;
    assert!(passes(tried(&mut memory, &from_bob(), late + 300 + days_35)), "each visit counts anew");
    assert_eq!(tried(&mut memory, &from_bob(), late + 301 + 2 * days_35), waits(300, true));
}

#[test]
fn another_network_sender_or_recipient_is_another() {
    let mut memory = Memory::default();
    tried(&mut memory, &from_bob(), 0);
    for other in [
        attempt("198.51.100.0/24", "bob@sender.example", &["ada@example.org"]),
        attempt("192.0.2.0/24", "eve@sender.example", &["ada@example.org"]),
        attempt("192.0.2.0/24", "bob@sender.example", &["carol@example.org"]),
    ] {
        assert_eq!(tried(&mut memory, &other, 300), waits(300, true), "{other:?}");
    }
}

#[test]
fn all_recipients_of_a_message_wait_for_the_newest() {
    let mut memory = Memory::default();
    tried(&mut memory, &from_bob(), 0);
    let both = attempt("192.0.2.0/24", "bob@sender.example", &["carol@example.org", "ada@example.org"]);
    assert_eq!(tried(&mut memory, &both, 300), waits(300, true));
    assert!(passes(tried(&mut memory, &both, 600)));
}

#[test]
fn a_client_that_has_come_again_often_is_not_asked_any_more() {
    let mut memory = Memory::default();
    for sender in ["a", "b", "c"] {
        let attempt = attempt("192.0.2.0/24", sender, &["ada@example.org"]);
        assert!(!passes(tried(&mut memory, &attempt, 0)));
        assert!(passes(tried(&mut memory, &attempt, 300)));
        // More mail of the same sender is no more proof.
        assert!(passes(tried(&mut memory, &attempt, 301)));
    }
    let new = attempt("192.0.2.0/24", "d", &["carol@example.org"]);
    assert_eq!(tried(&mut memory, &new, 400), Greylisting::Passes("the client has come again often enough"));
    let elsewhere = attempt("192.0.3.0/24", "d", &["carol@example.org"]);
    assert!(!passes(tried(&mut memory, &elsewhere, 400)));
    assert!(!passes(tried(&mut memory, &new, 401 + 35 * 24 * 3600)), "it is forgotten in the end");
}

#[test]
fn who_is_spared_leaves_nothing_behind() {
    let mut memory = Memory::default();
    for facts in [
        GreylistFacts { mode: GreylistMode::Off, ..NEW },
        GreylistFacts { has_null_path: true, ..NEW },
        GreylistFacts { is_for_postmaster: true, ..NEW },
        GreylistFacts { score: -1, ..NEW },
        GreylistFacts { mode: GreylistMode::Suspicious, ..NEW },
    ] {
        assert!(passes(decide(&mut memory, &facts, &from_bob(), &POLICY, at(0))), "{facts:?}");
    }
    assert_eq!(memory.attempts().count(), 0);
    let odd =
        GreylistFacts { mode: GreylistMode::Suspicious, suspicion: Some("the address has no name"), ..NEW };
    assert!(!passes(decide(&mut memory, &odd, &from_bob(), &POLICY, at(0))));
}

#[test]
fn a_domain_has_a_history_after_enough_messages_on_enough_days() {
    let mut memory = Memory::default();
    let author = GreylistFacts { author: Some("Sender.Example"), ..NEW };
    for _ in 0..10 {
        memory.saw_author("sender.example", &POLICY, at(0));
    }
    assert!(!passes(decide(&mut memory, &author, &from_bob(), &POLICY, at(0))), "that was one day");
    memory.saw_author("SENDER.example", &POLICY, at(24 * 3600));
    let later = at(24 * 3600);
    assert!(passes(decide(&mut memory, &author, &from_bob(), &POLICY, later)));
    let other = GreylistFacts { author: Some("other.example"), ..NEW };
    let to_carol = attempt("192.0.2.0/24", "x", &["carol@example.org"]);
    assert!(!passes(decide(&mut memory, &other, &to_carol, &POLICY, later)));
    assert!(!memory.has_history("sender.example", &POLICY, at(37 * 24 * 3600)));
}

#[test]
fn what_many_senders_make_anew_for_each_message_names_nobody() {
    for (path, key) in [
        ("Bob@Sender.Example", "bob@sender.example"),
        ("bounce-1234-ada=example.org@list.example", "bounce-#-ada=example.org@list.example"),
        ("0100018c-8f2e-77@mail.example", "#-#-#@mail.example"),
        ("prvs=1234567abc=bob@sender.example", "bob@sender.example"),
        ("SRS0=4f7K=LN=origin.example=bob@forwarder.example", "origin.example=bob@forwarder.example"),
        ("list+owner@sender.example", "list+owner@sender.example"),
        ("prvs=@x.example", "@x.example"),
        ("", "@"),
    ] {
        assert_eq!(sender_key(path, None), key, "{path}");
    }
    assert_eq!(sender_key("bounce-1@sender.example", Some("sender.example")), "@sender.example");
}

#[test]
fn a_client_is_the_domain_that_spf_vouches_for_else_its_network() {
    for (ip, domain, key) in [
        ("192.0.2.77", None, "192.0.2.0/24"),
        ("::ffff:192.0.2.77", None, "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("192.0.2.77", Some("Sender.Example"), "spf:sender.example"),
    ] {
        assert_eq!(client_key(ip.parse().unwrap(), domain), key);
    }
}

#[test]
fn what_a_host_with_a_name_has_earned_is_nothing_to_its_neighbours() {
    let ip = "192.0.2.77".parse().unwrap();
    for (domain, name, key) in [
        (None, Some("Mail.Sender.example"), "host:mail.sender.example"),
        (None, None, "192.0.2.0/24"),
        (Some("sender.example"), Some("mail.sender.example"), "spf:sender.example"),
    ] {
        assert_eq!(host_key(ip, domain, name), key);
    }
    let mut memory = Memory::default();
    let of = |host: &str, sender: &str| Attempt {
        host: host.to_owned(),
        ..attempt("192.0.2.0/24", sender, &["ada@example.org"])
    };
    for (number, sender) in ["a@x.example", "b@x.example", "c@x.example"].into_iter().enumerate() {
        let first = 1000 * u64::try_from(number).unwrap();
        assert!(!passes(tried(&mut memory, &of("host:good.example", sender), first)));
        assert!(passes(tried(&mut memory, &of("host:good.example", sender), first + 300)));
    }
    assert!(passes(tried(&mut memory, &of("host:good.example", "new@x.example"), 4000)));
    assert!(!passes(tried(&mut memory, &of("host:next-door.example", "other@x.example"), 4000)));
    // Who waits may come again from any host of the network, as many senders do.
    assert!(passes(tried(&mut memory, &of("host:third.example", "other@x.example"), 4300)));
}

#[test]
fn made_up_senders_push_out_made_up_senders_alone() {
    let mut memory = Memory::default();
    tried(&mut memory, &from_bob(), 0);
    assert!(passes(tried(&mut memory, &from_bob(), 300)));
    let waiting = attempt("203.0.113.0/24", "carol@other.example", &["ada@example.org"]);
    tried(&mut memory, &waiting, 301);
    // One network: its share is full long before anybody else's entry goes.
    for number in 0..10_000_u64 {
        let made_up = attempt("198.51.100.0/24", &format!("x{number}"), &["ada@example.org"]);
        assert!(!passes(tried(&mut memory, &made_up, 302)));
    }
    assert_eq!(memory.attempts().filter(|(key, _)| key.client == "198.51.100.0/24").count(), 20);
    assert!(passes(tried(&mut memory, &waiting, 700)));
    // Many networks: all is bounded, and who has come again stays.
    for number in 0..10_000_u64 {
        let made_up = attempt(&format!("net {number}"), "x", &["ada@example.org"]);
        tried(&mut memory, &made_up, 701);
    }
    assert_eq!(memory.attempts().count(), POLICY.entries_max);
    assert!(passes(tried(&mut memory, &from_bob(), 800)));
    assert!(passes(tried(&mut memory, &waiting, 800)));
}

#[test]
fn a_share_that_is_full_is_free_again_when_its_entries_are_over() {
    let mut memory = Memory::default();
    let of = |number: u64| attempt("198.51.100.0/24", &format!("{number}"), &["ada@example.org"]);
    for number in 0..40 {
        tried(&mut memory, &of(number), 0);
    }
    assert_eq!(memory.attempts().count(), 20);
    memory.expire(&POLICY, at(24 * 3600 + 1));
    assert_eq!(memory.attempts().count(), 0);
    tried(&mut memory, &of(50), 24 * 3600 + 1);
    assert!(passes(tried(&mut memory, &of(50), 24 * 3600 + 301)));
}

#[test]
fn who_comes_when_the_share_of_its_network_is_full_waits_no_longer_than_others() {
    let mut memory = Memory::default();
    let of = |sender: &str| attempt("198.51.100.0/24", sender, &["ada@example.org"]);
    for number in 0..40 {
        tried(&mut memory, &of(&format!("x{number}")), number);
    }
    let bob = of("bob@sender.example");
    assert_eq!(tried(&mut memory, &bob, 60), waits(300, true));
    assert_eq!(memory.attempts().count(), 20);
    assert!(passes(tried(&mut memory, &bob, 360)));
    assert!(passes(tried(&mut memory, &of("x39"), 360)), "the oldest has made room, and not the newest");
    assert!(!passes(tried(&mut memory, &of("x20"), 360)));
}

#[test]
fn a_message_to_a_thousand_has_a_few_entries() {
    let mut memory = Memory::default();
    let recipients: Vec<String> = (0..1000).map(|number| format!("u{number:04}@example.org")).collect();
    let many = Attempt { recipients, ..attempt("192.0.2.0/24", "bob", &[]) };
    tried(&mut memory, &many, 0);
    assert_eq!(memory.attempts().count(), RECIPIENTS_MAX);
    assert!(passes(tried(&mut memory, &many, 300)));
}

#[test]
fn a_clock_that_jumps_costs_a_wait_and_no_more() {
    // Put back by a day: the wait begins again, from now.
    let mut memory = Memory::default();
    tried(&mut memory, &from_bob(), 24 * 3600);
    assert_eq!(tried(&mut memory, &from_bob(), 0), waits(300, false));
    assert!(passes(tried(&mut memory, &from_bob(), 300)));
    // Put forward by years, and back.
    let years = 10 * 365 * 24 * 3600;
    assert!(!passes(tried(&mut memory, &from_bob(), years)));
    assert_eq!(tried(&mut memory, &from_bob(), 400), waits(300, false));
    assert!(passes(tried(&mut memory, &from_bob(), 700)));
    memory.expire(&POLICY, at(0));
    assert_eq!(memory.attempts().count(), 1);
}

#[test]
fn what_is_kept_is_the_same_when_it_is_put_back() {
    let mut memory = Memory::default();
    tried(&mut memory, &from_bob(), 0);
    memory.saw_author("sender.example", &POLICY, at(0));
    let mut other = Memory::default();
    for (key, entry) in memory.attempts() {
        other.restore_attempt(key, *entry, POLICY.entries_max);
    }
    for (name, author) in memory.authors() {
        other.restore_author(name, *author, POLICY.entries_max);
    }
    assert!(passes(tried(&mut other, &from_bob(), 300)));
    for (name, client) in other.clients() {
        memory.restore_client(name, *client, POLICY.entries_max);
    }
    assert_eq!(memory.clients().count(), 1);
    assert_eq!(other.authors().count(), 1);
}

#[test]
fn a_name_is_forgotten_wherever_it_stands() {
    let mut memory = Memory::default();
    tried(&mut memory, &from_bob(), 0);
    assert!(passes(tried(&mut memory, &from_bob(), 300)));
    memory.saw_author("sender.example", &POLICY, at(0));
    assert_eq!(memory.forget("nobody"), 0);
    assert_eq!(memory.forget("192.0.2.0/24"), 2, "the attempt and the client");
    assert_eq!(memory.forget("Sender.Example"), 1);
    assert_eq!(tried(&mut memory, &from_bob(), 301), waits(300, true));
}
