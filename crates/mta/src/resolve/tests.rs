use std::collections::BTreeMap;

use types::ForwardPath;
use types::directory::{AddressKind, Expandable, FromRewriting, ListBounces, Posters, key};

use super::*;

/// A directory that is asked as the store is, and counts how often.
#[derive(Default)]
struct Directory {
    domains: Vec<DomainEntry>,
    accounts: Vec<&'static str>,
    addresses: BTreeMap<String, AddressEntry>,
    lookups: usize,
}

impl Directory {
    fn new() -> Self {
        let mut directory =
            Self { accounts: vec!["admin@example.org", "ada@example.org"], ..Self::default() };
        for name in ["example.org", "example.net"] {
            directory.domains.push(DomainEntry::new(name.parse().unwrap()));
        }
        directory
    }

    fn alias(mut self, address: &str, targets: &[&str]) -> Self {
        let targets = targets.iter().map(|target| mailbox(target)).collect();
        self.put(address, AddressKind::Alias { targets });
        self
    }

    fn moved(mut self, address: &str, to: &str, handling: MovedHandling) -> Self {
        self.put(address, AddressKind::Moved { to: mailbox(to), handling });
        self
    }

    fn list(mut self, address: &str, owner: &str, members: &[&str]) -> Self {
        self.put(address, AddressKind::List(list(owner, members)));
        self
    }

    fn domain(mut self, name: &str, catch_all: Option<&str>, separator: Option<char>) -> Self {
        self.domains.retain(|entry| entry.domain.ascii() != name);
        self.domains.push(DomainEntry {
            domain: name.parse().unwrap(),
            catch_all: catch_all.map(mailbox),
            subaddress_separator: separator,
        });
        self
    }

    fn put(&mut self, address: &str, kind: AddressKind) {
        let address = mailbox(address);
        self.addresses.insert(key(&address), AddressEntry { address, kind });
    }

    fn resolve(&mut self, path: &str) -> Resolution<String> {
        self.resolve_in(path, EverythingElse::Refused)
    }

    fn resolve_in(&mut self, path: &str, everything_else: EverythingElse) -> Resolution<String> {
        let path: ForwardPath = path.parse().unwrap();
        with_local(everything_else, |local| self.answer(Resolver::new(&path, local)))
    }

    fn answer(&mut self, mut resolver: Resolver<'_, String>) -> Resolution<String> {
        self.lookups = 0;
        while let Some(lookup) = resolver.wanted() {
            self.lookups += 1;
            let found = match lookup {
                Lookup::Domain(domain) => {
                    Found::Domain(self.domains.iter().find(|entry| entry.domain == *domain).cloned())
                }
                Lookup::Account(name) => {
                    let account = self.accounts.iter().find(|account| account.eq_ignore_ascii_case(name));
                    Found::Account(account.map(ToString::to_string))
                }
                Lookup::Address(mailbox) => Found::Address(self.addresses.get(&key(mailbox)).cloned()),
            };
            resolver.supply(found);
        }
        resolver.finish()
    }
}

fn with_local<T>(everything_else: EverythingElse, work: impl FnOnce(Local<'_>) -> T) -> T {
    work(Local {
        host_name: &"mail.example.org".parse().unwrap(),
        addresses: &["192.0.2.25".parse().unwrap(), "2001:db8::25".parse().unwrap()],
        fallback_account: Some("admin@example.org"),
        everything_else,
        srs: Some((&srs(), NOW)),
    })
}

fn srs() -> Srs {
    Srs::new(b"a key of this test")
}

const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);

fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

fn list(owner: &str, members: &[&str]) -> MailingList {
    MailingList {
        owner: mailbox(owner),
        members: members.iter().map(|member| mailbox(member)).collect(),
        posters: Posters::Anyone,
        bounces: ListBounces::Verp,
        description: String::new(),
        expandable: Expandable::Never,
        from: FromRewriting::IfNeeded,
    }
}

/// What a resolution says, in short: each way in words with what is at its end, dead ends behind them.
fn said(resolution: &Resolution<String>) -> Vec<String> {
    let targets = resolution.targets.iter().map(|target| {
        let end = match &target.leads_to {
            LeadsTo::Account { detail: Some(detail), .. } => format!("account, detail {detail}"),
            LeadsTo::Account { .. } => "account".to_owned(),
            LeadsTo::List { .. } => "list".to_owned(),
            LeadsTo::Foreign(_) => "foreign".to_owned(),
        };
        format!("{} = {end}", in_words(&target.path))
    });
    let dead_ends = resolution.dead_ends.iter().map(|end| format!("{} = {:?}", in_words(&end.path), end.why));
    targets.chain(dead_ends).collect()
}

#[test]
fn each_kind_of_address_leads_where_it_should() {
    let mut directory = Directory::new()
        .domain("closed.example", None, None)
        .domain("open.example", Some("ada@example.org"), Some('-'))
        .alias("sales@example.org", &["ada@example.org"])
        .alias("both@example.org", &["ada@example.org", "bob@elsewhere.example"])
        .alias("chain@example.org", &["sales@example.org"])
        .alias("typo@example.org", &["nobody@example.org"])
        .list("engines@example.org", "ada@example.org", &["x@elsewhere.example"])
        .moved("gone@example.org", "ada@elsewhere.example", MovedHandling::Refuse)
        .moved("sent-on@example.org", "ada@elsewhere.example", MovedHandling::Forward);
    for (path, ways) in [
        ("<ada@example.org>", &["ada@example.org = account"][..]),
        ("<\"ADA\"@Example.ORG>", &["\"ADA\"@Example.ORG = account"]),
        (
            "<ada+lists+x@example.org>",
            &["ada+lists+x@example.org → ada@example.org (subaddress) = account, detail lists+x"],
        ),
        ("<+ada@example.org>", &["+ada@example.org = Missing"]),
        ("<nobody@example.org>", &["nobody@example.org = Missing"]),
        ("<ada@closed.example>", &["ada@closed.example = Missing"]),
        ("<sales@example.org>", &["sales@example.org → ada@example.org (alias) = account"]),
        (
            "<sales+tag@example.org>",
            &["sales+tag@example.org → sales@example.org (subaddress) → ada@example.org (alias) = account"],
        ),
        (
            "<chain@example.org>",
            &["chain@example.org → sales@example.org (alias) → ada@example.org (alias) = account"],
        ),
        (
            "<both@example.org>",
            &[
                "both@example.org → ada@example.org (alias) = account",
                "both@example.org → bob@elsewhere.example (alias) = foreign",
            ],
        ),
        ("<typo@example.org>", &["typo@example.org → nobody@example.org (alias) = Missing"]),
        ("<engines@example.org>", &["engines@example.org = list"]),
        ("<engines+x@example.org>", &["engines+x@example.org = Missing"]),
        (
            "<engines-request@example.org>",
            &["engines-request@example.org → ada@example.org (list owner) = account"],
        ),
        ("<nolist-owner@example.org>", &["nolist-owner@example.org = Missing"]),
        ("<gone@example.org>", &["gone@example.org = Moved"]),
        ("<sent-on@example.org>", &["sent-on@example.org → ada@elsewhere.example (moved) = foreign"]),
        ("<anyone@open.example>", &["anyone@open.example → ada@example.org (catch-all) = account"]),
        ("<x@elsewhere.example>", &["x@elsewhere.example = foreign"]),
        ("<x@sub.example.org>", &["x@sub.example.org = foreign"]),
        ("<x@[203.0.113.1]>", &["x@[203.0.113.1] = foreign"]),
        ("<x@[X400:y]>", &["x@[X400:y] = foreign"]),
        ("<x@[192.0.2.25]>", &["x@mail.example.org = Missing"]),
        (
            "<postmaster@[IPv6:2001:db8::25]>",
            &["postmaster@mail.example.org → admin@example.org (role) = account"],
        ),
        ("<x@mail.example.org>", &["x@mail.example.org = Missing"]),
    ] {
        assert_eq!(said(&directory.resolve(path)), ways, "{path}");
    }
}

#[test]
fn what_the_address_itself_is_does_not_depend_on_where_it_leads() {
    let to = || mailbox("ada@elsewhere.example");
    let mut directory = Directory::new()
        .alias("out@example.org", &["x@elsewhere.example"])
        .alias("typo@example.org", &["nobody@example.org"])
        .alias("to-gone@example.org", &["gone@example.org"])
        .alias("postmaster@example.net", &["x@elsewhere.example"])
        .list("engines@example.org", "ada@example.org", &[])
        .moved("gone@example.org", "ada@elsewhere.example", MovedHandling::Refuse)
        .moved("sent-on@example.org", "ada@elsewhere.example", MovedHandling::Forward);
    let bounced = |member: Option<&str>| Addressed::ListHelper { bounced_member: member.map(mailbox) };
    for (path, addressed) in [
        ("<ada@example.org>", Addressed::Local),
        ("<ada+x@example.org>", Addressed::Local),
        ("<out@example.org>", Addressed::Local),
        ("<out+x@example.org>", Addressed::Local),
        ("<typo@example.org>", Addressed::Local),
        ("<to-gone@example.org>", Addressed::Local),
        ("<engines@example.org>", Addressed::Local),
        ("<engines-owner@example.org>", bounced(None)),
        ("<engines-bounces@example.org>", bounced(None)),
        ("<engines-bounces+x=elsewhere.example@example.org>", bounced(Some("x@elsewhere.example"))),
        ("<postmaster@example.net>", Addressed::Role),
        ("<Abuse@example.org>", Addressed::Role),
        ("<Postmaster>", Addressed::Role),
        ("<gone@example.org>", Addressed::Moved { to: to(), handling: MovedHandling::Refuse }),
        ("<gone+x@example.org>", Addressed::Moved { to: to(), handling: MovedHandling::Refuse }),
        ("<sent-on@example.org>", Addressed::Moved { to: to(), handling: MovedHandling::Forward }),
        ("<nobody@example.org>", Addressed::Missing),
        ("<postmaster@elsewhere.example>", Addressed::Foreign),
        ("<ada@elsewhere.example>", Addressed::Foreign),
    ] {
        assert_eq!(directory.resolve(path).addressed, addressed, "{path}");
    }
}

#[test]
fn postmaster_and_abuse_are_reached_in_every_domain() {
    let plain = Directory::new;
    let with_alias = || Directory::new().alias("postmaster@mail.example.org", &["ada@example.org"]);
    let with_own = || {
        Directory::new().alias("postmaster@example.net", &["ada@example.org"]).domain(
            "example.org",
            Some("ada@example.org"),
            Some('+'),
        )
    };
    for (mut directory, path, account) in [
        (plain(), "<Postmaster>", "admin@example.org"),
        (plain(), "<POSTMASTER@example.net>", "admin@example.org"),
        (plain(), "<\"post\\master\"@example.net>", "admin@example.org"),
        (plain(), "<abuse@example.org>", "admin@example.org"),
        (with_alias(), "<Postmaster>", "ada@example.org"),
        (with_alias(), "<postmaster@example.net>", "ada@example.org"),
        (with_alias(), "<abuse@example.net>", "ada@example.org"),
        (with_own(), "<abuse@example.net>", "ada@example.org"),
        (with_own(), "<postmaster@example.org>", "admin@example.org"),
    ] {
        let resolution = directory.resolve(path);
        assert_eq!(resolution.accounts().collect::<Vec<_>>(), [account], "{path}");
        assert_eq!(resolution.addressed, Addressed::Role, "{path}");
    }
}

/// Attacks 14: loops.
#[test]
fn aliases_that_lead_back_to_themselves_end() {
    let mut directory = Directory::new()
        .domain("void.example", Some("nobody@void.example"), None)
        .alias("self@example.org", &["self@example.org"])
        .alias("tagged@example.org", &["tagged+x@example.org"])
        .alias("a@example.org", &["b@example.org"])
        .alias("b@example.org", &["a@example.org", "ada@example.org"])
        .alias("diamond@example.org", &["left@example.org", "right@example.org"])
        .alias("left@example.org", &["ada@example.org"])
        .alias("right@example.org", &["ADA@example.org"])
        .alias("postmaster@example.net", &["abuse@example.net"])
        .moved("m@example.org", "M@example.org", MovedHandling::Forward);
    for (path, accounts, loops) in [
        ("<self@example.org>", 0, 1),
        ("<tagged@example.org>", 0, 1),
        ("<tagged+x@example.org>", 0, 1),
        ("<a@example.org>", 1, 1),
        ("<b@example.org>", 1, 1),
        ("<diamond@example.org>", 1, 0),
        ("<m@example.org>", 0, 1),
        ("<x@void.example>", 0, 1),
        ("<abuse@example.net>", 0, 1),
    ] {
        let resolution = directory.resolve(path);
        assert_eq!(resolution.targets.len(), accounts, "{path}");
        let found = resolution.dead_ends.iter().filter(|end| end.why == DeadEndReason::Loop).count();
        assert_eq!((found, resolution.dead_ends.len()), (loops, loops), "{path}");
    }
}

/// Attacks 14: a bounce to a list must never be posted.
#[test]
fn a_list_that_is_its_own_owner_gets_no_bounces() {
    let mut directory = Directory::new()
        .domain("example.net", None, Some('-'))
        .list("engines@example.org", "engines@example.org", &[])
        .list("dashed@example.net", "ada@example.org", &[])
        .list("other@example.org", "staff@example.org", &[])
        .alias("staff@example.org", &["engines@example.org"]);
    for helper in ["owner", "request", "bounces", "bounces+x=example.com"] {
        let own = directory.resolve(&format!("<engines-{helper}@example.org>"));
        assert!(own.targets.is_empty() && own.has_dead_end(DeadEndReason::Loop), "{helper}");
        let by_alias = directory.resolve(&format!("<other-{helper}@example.org>"));
        assert!(by_alias.targets.is_empty() && by_alias.has_dead_end(DeadEndReason::Loop), "{helper}");
        // Where the separator is the hyphen, a helper is no subaddress of its list.
        let dashed = directory.resolve(&format!("<dashed-{helper}@example.net>"));
        assert_eq!(dashed.accounts().collect::<Vec<_>>(), ["ada@example.org"], "{helper}");
    }
}

#[test]
fn aliases_of_the_greatest_depth_are_followed_and_one_more_is_not() {
    let mut directory = Directory::new();
    for depth in 1..DEPTH_MAX {
        directory =
            directory.alias(&format!("a{depth}@example.org"), &[&format!("a{}@example.org", depth + 1)]);
    }
    directory = directory
        .alias(&format!("a{DEPTH_MAX}@example.org"), &["ada@example.org"])
        .alias("a0@example.org", &["a1@example.org"]);
    let deepest = directory.resolve("<a2@example.org>");
    assert_eq!(deepest.targets[0].path.len(), DEPTH_MAX);
    let too_deep = directory.resolve("<a1@example.org>");
    assert!(too_deep.targets.is_empty() && too_deep.has_dead_end(DeadEndReason::TooDeep));
}

#[test]
fn an_alias_of_a_thousand_addresses_is_followed_and_one_more_is_not() {
    let targets: Vec<_> = (0..TARGETS_MAX).map(|n| format!("x{n}@elsewhere.example")).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let mut directory = Directory::new()
        .alias("most@example.org", &targets[..TARGETS_MAX - 1])
        .alias("more@example.org", &targets);
    let most = directory.resolve("<most@example.org>");
    assert_eq!((most.targets.len(), most.dead_ends.len()), (TARGETS_MAX - 1, 0));
    // A domain is looked up once.
    assert_eq!(directory.lookups, 4);
    let more = directory.resolve("<more@example.org>");
    assert!(more.has_dead_end(DeadEndReason::TooMany));
    assert_eq!(more.dead_ends.len(), 1);
}

#[test]
fn the_members_of_a_list_are_found_and_lists_within_it_are_not_followed_round() {
    let mut directory = Directory::new().alias("sales@example.org", &["ada@example.org"]).list(
        "inner@example.org",
        "ada@example.org",
        &["outer@example.org"],
    );
    let outer = list(
        "ada@example.org",
        &[
            "ada@example.org",
            "sales@example.org",
            "x@elsewhere.example",
            "inner@example.org",
            "outer@example.org",
        ],
    );
    let address = mailbox("outer@example.org");
    let members = with_local(EverythingElse::Refused, |local| {
        directory.answer(Resolver::of_members(&address, &outer, &[], local))
    });
    assert_eq!(
        said(&members),
        [
            "outer@example.org → ada@example.org (member) = account",
            "outer@example.org → x@elsewhere.example (member) = foreign",
            "outer@example.org → inner@example.org (member) = list",
            "outer@example.org → outer@example.org (member) = Loop",
        ]
    );
    let inner = list("ada@example.org", &["outer@example.org", "x@elsewhere.example"]);
    let members = with_local(EverythingElse::Refused, |local| {
        let within = [mailbox("outer@example.org")];
        directory.answer(Resolver::of_members(&mailbox("inner@example.org"), &inner, &within, local))
    });
    assert_eq!(
        said(&members),
        [
            "outer@example.org → inner@example.org (member) → x@elsewhere.example (member) = foreign",
            "outer@example.org → inner@example.org (member) → outer@example.org (member) = Loop",
        ]
    );
}

#[test]
fn where_nothing_may_leave_every_address_leads_to_an_account() {
    let mut directory = Directory::new().alias("sales@example.org", &["x@elsewhere.example"]);
    for (path, account) in [
        ("<ada@example.org>", "ada@example.org"),
        ("<ada+x@example.org>", "ada@example.org"),
        ("<nobody@example.org>", "admin@example.org"),
        ("<x@elsewhere.example>", "admin@example.org"),
        ("<x@[203.0.113.1]>", "admin@example.org"),
        ("<x@localhost>", "admin@example.org"),
        ("<sales@example.org>", "admin@example.org"),
        ("<Postmaster>", "admin@example.org"),
    ] {
        let resolution = directory.resolve_in(path, EverythingElse::ToFallbackAccount);
        assert_eq!(resolution.accounts().collect::<Vec<_>>(), [account], "{path}");
        assert_eq!(resolution.foreign().count(), 0, "{path}");
        assert_ne!(resolution.addressed, Addressed::Foreign, "{path}");
    }
}

#[test]
fn an_account_is_found_with_two_lookups() {
    let mut directory = Directory::new();
    directory.resolve("<ada@example.org>");
    assert_eq!(directory.lookups, 2);
    directory.resolve("<ada@elsewhere.example>");
    assert_eq!(directory.lookups, 1);
}

#[test]
fn an_answer_of_another_kind_than_was_asked_for_finds_nothing() {
    with_local(EverythingElse::Refused, |local| {
        let mut resolver = Resolver::<String>::new(&"<ada@example.org>".parse().unwrap(), local);
        assert!(matches!(resolver.wanted(), Some(Lookup::Domain(_))));
        resolver.supply(Found::Account(Some("ada@example.org".to_owned())));
        assert_eq!(resolver.wanted(), None);
        assert!(resolver.finish().targets.is_empty());
        // And who stops asking has found nothing.
        let resolver = Resolver::<String>::new(&"<ada@example.org>".parse().unwrap(), local);
        assert!(resolver.finish().has_dead_end(DeadEndReason::Missing));
    });
}

#[test]
fn beside_a_real_server_only_what_is_here_is_local_whatever_its_domain() {
    let mut directory = Directory::new()
        .alias("sales@shop.example", &["ada@example.org", "you@elsewhere.example"])
        .list("news@shop.example", "ada@example.org", &["x@shop.example"]);
    directory.accounts.push("me@shop.example");
    for (path, addressed, targets) in [
        ("<me@shop.example>", Addressed::Local, 1),
        ("<sales@shop.example>", Addressed::Local, 2),
        ("<news@shop.example>", Addressed::Local, 1),
        ("<news-owner@shop.example>", Addressed::ListHelper { bounced_member: None }, 1),
        ("<ada@example.org>", Addressed::Local, 1),
        ("<postmaster@example.org>", Addressed::Role, 1),
        ("<Postmaster>", Addressed::Role, 1),
        ("<nobody@example.org>", Addressed::Missing, 0),
        ("<you@shop.example>", Addressed::Foreign, 1),
        ("<me+x@shop.example>", Addressed::Foreign, 1),
        ("<postmaster@shop.example>", Addressed::Foreign, 1),
        ("<abuse@elsewhere.example>", Addressed::Foreign, 1),
        ("<you@[192.0.2.1]>", Addressed::Foreign, 1),
        ("<admin@[192.0.2.25]>", Addressed::Missing, 0),
    ] {
        let resolution = directory.resolve_in(path, EverythingElse::Relayed);
        assert_eq!((&resolution.addressed, resolution.targets.len()), (&addressed, targets), "{path}");
        let is_foreign = resolution.foreign().any(|mailbox| format!("<{mailbox}>") == path);
        assert_eq!(is_foreign, addressed == Addressed::Foreign, "{path}");
    }
}

#[test]
fn what_was_written_for_a_sender_leads_back_to_it_and_nothing_else_of_its_form_does() {
    let mut house = Directory::new();
    let written = |sender: &str| {
        srs().rewritten(&mailbox(sender), &"example.org".parse().unwrap(), NOW).unwrap().to_string()
    };
    let address = written("eve@elsewhere.example");
    let found = house.resolve(&format!("<{address}>"));
    assert_eq!(found.addressed, Addressed::WayBack { problem: None });
    assert_eq!(said(&found), [format!("{address} → eve@elsewhere.example (way back) = foreign")]);
    // Where nothing is ours, it is no way back.
    let foreign = address.replace("@example.org", "@elsewhere.example");
    assert_eq!(house.resolve(&format!("<{foreign}>")).addressed, Addressed::Foreign);
    for (address, problem) in [
        (address.replace("eve", "adam"), SrsProblem::Forged),
        ("SRS0=AAAAAA=2W=elsewhere.example=eve@example.org".to_owned(), SrsProblem::Forged),
        ("SRS0=ada@example.org".to_owned(), SrsProblem::Forged),
    ] {
        let found = house.resolve(&format!("<{address}>"));
        assert_eq!(found.addressed, Addressed::WayBack { problem: Some(problem) }, "{address}");
        assert!(found.targets.is_empty(), "{address}");
    }
    // A sender whose domain has become ours meanwhile, and one whose address was itself such a one.
    let found = house.resolve(&format!("<{}>", written("ada@example.org")));
    assert!(matches!(&found.targets[..], [Target { leads_to: LeadsTo::Account { .. }, .. }]), "{found:?}");
    let twice =
        srs().rewritten(&mailbox(&written("eve@elsewhere.example")), &"example.org".parse().unwrap(), NOW);
    if let Ok(twice) = twice {
        let found = house.resolve(&format!("<{twice}>"));
        assert_eq!(found.foreign().map(ToString::to_string).collect::<Vec<_>>(), ["eve@elsewhere.example"]);
    }
}
