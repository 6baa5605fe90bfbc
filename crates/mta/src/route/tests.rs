use std::collections::{BTreeMap, BTreeSet};

use super::*;
use types::Host;

/// A small DNS: `MX 10 a.example`, `A 192.0.2.1`, `CNAME`, `SERVFAIL`, `BOGUS`; what is not there is NXDOMAIN.
struct Dns(BTreeMap<&'static str, Vec<&'static str>>);

fn dns(rows: &[(&'static str, &'static str)]) -> Dns {
    let mut names: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (name, record) in rows {
        names.entry(*name).or_default().push(*record);
    }
    Dns(names)
}

impl Dns {
    fn lookup<R>(&self, name: &Domain, kind: &str, read: impl Fn(&str) -> R) -> Lookup<R> {
        let Some(records) = self.0.get(name.ascii()) else { return Lookup::NoSuchName };
        let of = |kind: &str| records.iter().filter_map(|r| r.strip_prefix(kind)).collect::<Vec<_>>();
        if let [target] = of("CNAME ")[..] {
            let target: Domain = target.parse().unwrap();
            return match self.lookup(&target, kind, read) {
                Lookup::Records { records, validation, .. } => {
                    Lookup::Records { records, validation, alias_of: Some(target) }
                }
                Lookup::NoData { .. } => Lookup::NoData { alias_of: Some(target) },
                other => other,
            };
        }
        for (word, trouble) in [("SERVFAIL", DnsTrouble::ServerFailure), ("BOGUS", DnsTrouble::Bogus)] {
            let narrow = format!("{word} {}", kind.trim());
            if records.contains(&word) || records.contains(&narrow.as_str()) {
                return Lookup::Trouble(trouble);
            }
        }
        let found: Vec<R> = of(kind).into_iter().map(read).collect();
        let validation = if records.contains(&"SIGNED") { Validation::Secure } else { Validation::Insecure };
        if found.is_empty() {
            Lookup::NoData { alias_of: None }
        } else {
            Lookup::Records { records: found, alias_of: None, validation }
        }
    }

    fn answer(&self, query: Query<'_>) -> Answer {
        match query {
            Query::Mx(domain) => Answer::Mx(self.lookup(domain, "MX ", |record| {
                let (preference, exchange) = record.split_once(' ').unwrap();
                MxRecord { preference: preference.parse().unwrap(), exchange: exchange.to_owned() }
            })),
            Query::Addresses(name) => Answer::Addresses {
                ipv4: self.lookup(name, "A ", |record| record.parse().unwrap()),
                ipv6: self.lookup(name, "AAAA ", |record| record.parse().unwrap()),
            },
        }
    }
}

fn route_with(
    rows: &[(&'static str, &'static str)],
    to: &str,
    transport: &Transport,
    families: Families,
    policy: AddressPolicy,
    random: u64,
) -> Route {
    let dns = dns(rows);
    let own_names = ["mail.example.org".parse().unwrap()];
    let own_addresses = ["198.51.100.1".parse().unwrap(), "2001:db8:ffff::1".parse().unwrap()];
    let network =
        Network { own_names: &own_names, own_addresses: &own_addresses, families, policy, port: 25 };
    let destination: Host = to.parse().unwrap();
    let mut router = Router::new(&destination, transport, &network, random);
    for _ in 0..=HOSTS_MAX + 1 {
        let Some(query) = router.wanted() else { return router.finish() };
        let answer = dns.answer(query);
        router.supply(answer);
    }
    panic!("it never ends");
}

fn route(rows: &[(&'static str, &'static str)], to: &str) -> Route {
    route_with(rows, to, &Transport::Mx, Families::Both, AddressPolicy::Global, 1)
}

/// `a.example=192.0.2.1 …`, or the status and whether it is for good.
fn in_words(route: &Route) -> String {
    match route {
        Route::Hosts(Itinerary { hops, .. }) => hops
            .iter()
            .map(|hop| {
                let name = hop.name.as_ref().map_or("-", |name| name.ascii());
                let addresses: Vec<_> = hop.addresses.iter().map(ToString::to_string).collect();
                format!("{name}={}", addresses.join(","))
            })
            .collect::<Vec<_>>()
            .join(" "),
        Route::Unroutable { reason, .. } => {
            format!("{} {}", if reason.is_permanent() { "never" } else { "later" }, reason.status())
        }
        other => format!("{other:?}"),
    }
}

const HOSTS: &[(&str, &str)] = &[
    ("a.example", "A 192.0.2.1"),
    ("b.example", "A 192.0.2.2"),
    ("c.example", "A 192.0.2.3"),
    ("six.example", "AAAA 2001:db8::1"),
    ("both.example", "A 192.0.2.4"),
    ("both.example", "A 192.0.2.5"),
    ("both.example", "AAAA 2001:db8::4"),
    ("alias.example", "CNAME a.example"),
    ("empty.example", "TXT x"),
    ("lame.example", "SERVFAIL"),
    ("false.example", "BOGUS"),
    ("half.example", "A 192.0.2.6"),
    ("half.example", "SERVFAIL AAAA"),
    ("halffalse.example", "A 192.0.2.7"),
    ("halffalse.example", "BOGUS AAAA"),
    ("private.example", "A 10.0.0.1"),
    ("mixed.example", "A 10.0.0.1"),
    ("mixed.example", "A 192.0.2.8"),
    ("loopback.example", "A 127.0.0.1"),
    ("mail.example.org", "A 198.51.100.1"),
    ("self.example", "A 198.51.100.1"),
    ("self6.example", "AAAA 2001:db8:ffff::1"),
];

/// What mail for `to.example` with these records comes to.
fn of(records: &[&'static str]) -> String {
    let mut rows = HOSTS.to_vec();
    rows.extend(records.iter().map(|record| ("to.example", *record)));
    in_words(&route(&rows, "to.example"))
}

/// RFC 5321 §5.1.
#[test]
fn lower_preferences_come_first() {
    assert_eq!(
        of(&["MX 20 b.example", "MX 10 a.example.", "MX 30 C.EXAMPLE"]),
        "a.example=192.0.2.1 b.example=192.0.2.2 c.example=192.0.2.3"
    );
    assert_eq!(of(&["MX 65535 a.example", "MX 0 b.example"]), "b.example=192.0.2.2 a.example=192.0.2.1");
    assert_eq!(of(&["MX 20 a.example", "MX 10 a.example"]), "a.example=192.0.2.1");
}

/// RFC 5321 §5.1: the sender MUST randomize them.
#[test]
fn hosts_of_equal_preference_come_in_any_order() {
    let mut rows = HOSTS.to_vec();
    rows.extend([
        ("to.example", "MX 10 a.example"),
        ("to.example", "MX 10 b.example"),
        ("to.example", "MX 10 c.example"),
        ("to.example", "MX 20 six.example"),
    ]);
    let mut orders: BTreeMap<String, u32> = BTreeMap::new();
    let mut sites = BTreeSet::new();
    for random in 0..600 {
        let route =
            route_with(&rows, "to.example", &Transport::Mx, Families::Both, AddressPolicy::Global, random);
        assert!(in_words(&route).ends_with(" six.example=2001:db8::1"));
        *orders.entry(in_words(&route)).or_default() += 1;
        let Route::Hosts(itinerary) = route else { panic!() };
        sites.insert(itinerary.site);
    }
    assert_eq!(orders.len(), 6);
    assert!(orders.values().all(|count| *count > 50), "{orders:?}");
    assert_eq!(sites.len(), 1, "the site does not depend on the order");
}

#[test]
fn addresses_stand_in_for_mx_records_only_where_there_are_none() {
    assert_eq!(of(&["A 192.0.2.9", "AAAA 2001:db8::9"]), "to.example=2001:db8::9,192.0.2.9");
    assert_eq!(of(&["A 192.0.2.9", "MX 10 a.example"]), "a.example=192.0.2.1");
    assert_eq!(of(&["A 192.0.2.9", "MX 10 gone.example"]), "never 5.4.4");
    assert_eq!(of(&["A 192.0.2.9", "MX 10 lame.example"]), "later 4.4.3");
    assert_eq!(of(&["TXT x"]), "never 5.4.4");
    assert_eq!(of(&[]), "never 5.1.2");
    assert_eq!(of(&["SERVFAIL"]), "later 4.4.3");
    assert_eq!(of(&["A 192.0.2.9", "SERVFAIL MX"]), "later 4.4.3");
    assert_eq!(of(&["SERVFAIL A"]), "later 4.4.3");
}

/// RFC 5321 §5.1: the name that a CNAME leads to is processed as if it were the initial one.
#[test]
fn an_alias_is_followed() {
    assert_eq!(of(&["CNAME both.example"]), "both.example=2001:db8::4,192.0.2.4,192.0.2.5");
    let rows =
        [("x.example", "MX 1 a.example"), ("a.example", "A 192.0.2.1"), ("to.example", "CNAME x.example")];
    assert_eq!(in_words(&route(&rows, "to.example")), "a.example=192.0.2.1");
    assert_eq!(of(&["CNAME gone.example"]), "never 5.1.2");
}

/// RFC 7505 §3.
#[test]
fn null_mx_says_that_the_domain_takes_no_mail() {
    for record in ["MX 0 .", "MX 0 ", "MX 10 ."] {
        assert_eq!(of(&[record, "A 192.0.2.9"]), "never 5.1.10", "{record}");
    }
    assert_eq!(of(&["MX 0 .", "MX 10 a.example"]), "a.example=192.0.2.1");
}

/// RFC 5321 §5.1: this host, and all that are not preferred to it, are left out.
#[test]
fn this_host_ends_the_list() {
    for ourselves in
        ["MX 10 mail.example.org", "MX 10 Mail.Example.ORG.", "MX 10 self.example", "MX 10 self6.example"]
    {
        assert_eq!(of(&[ourselves]), "never 5.4.6", "{ourselves}");
        assert_eq!(of(&[ourselves, "MX 20 a.example"]), "never 5.4.6", "{ourselves}");
        assert_eq!(of(&[ourselves, "MX 10 a.example"]), "never 5.4.6", "{ourselves}");
        assert_eq!(
            of(&[ourselves, "MX 5 a.example", "MX 20 b.example"]),
            "a.example=192.0.2.1",
            "{ourselves}"
        );
        assert_eq!(of(&[ourselves, "MX 5 lame.example"]), "later 4.4.3", "{ourselves}");
        assert_eq!(of(&[ourselves, "MX 5 gone.example"]), "never 5.4.4", "{ourselves}");
    }
    assert_eq!(of(&["A 198.51.100.1"]), "never 5.4.6");
    assert_eq!(of(&["CNAME mail.example.org"]), "never 5.4.6");
    assert_eq!(in_words(&route(HOSTS, "mail.example.org")), "never 5.4.6");
}

/// The order among equals is random: in none of them does a host beside this one survive.
#[test]
fn this_host_by_address_ends_the_list_in_whatever_order_equals_are_looked_up() {
    let mut rows = HOSTS.to_vec();
    rows.extend(
        ["MX 5 c.example", "MX 10 a.example", "MX 10 self.example", "MX 10 b.example"]
            .map(|r| ("to.example", r)),
    );
    for random in 0..50 {
        let route =
            route_with(&rows, "to.example", &Transport::Mx, Families::Both, AddressPolicy::Global, random);
        assert_eq!(in_words(&route), "c.example=192.0.2.3");
    }
}

/// attacks.md 21.
#[test]
fn an_mx_record_leads_to_no_place_where_no_mail_host_is() {
    for (record, expected) in [
        ("MX 10 192.0.2.1", "never 5.4.4"),
        ("MX 10 [192.0.2.1]", "never 5.4.4"),
        ("MX 10 ::1", "never 5.4.4"),
        ("MX 10 localhost", "never 5.4.4"),
        ("MX 10 mx.localhost.", "never 5.4.4"),
        ("MX 10 loopback.example", "never 5.4.4"),
        ("MX 10 private.example", "never 5.4.4"),
        ("MX 10 mixed.example", "mixed.example=192.0.2.8"),
        ("MX 10 bad\r\nname.example", "never 5.4.4"),
        ("MX 10 -bad-.example", "never 5.4.4"),
        ("MX 10 empty.example", "never 5.4.4"),
        ("MX 10 alias.example", "alias.example=192.0.2.1"),
        ("MX 10 false.example", "later 4.7.0"),
        ("MX 10 half.example", "half.example=192.0.2.6"),
        ("MX 10 halffalse.example", "later 4.7.0"),
    ] {
        assert_eq!(of(&[record]), expected, "{record}");
    }
    assert_eq!(of(&["MX 10 localhost", "MX 20 a.example"]), "a.example=192.0.2.1");
    assert_eq!(of(&["MX 10 lame.example", "MX 20 a.example"]), "a.example=192.0.2.1");
    assert_eq!(of(&["MX 10 gone.example", "MX 20 lame.example"]), "later 4.4.3");
    assert_eq!(of(&["A 127.0.0.1"]), "never 5.4.4");
    assert_eq!(in_words(&route(&[("localhost", "A 192.0.2.1")], "localhost")), "never 5.4.4");
}

/// attacks.md 21 and 12: the reason can stand in a reply, a log and a report.
#[test]
fn a_name_from_the_dns_is_told_without_control_characters() {
    let rows = [("to.example", "MX 10 bad\r\n\u{1b}[2J\u{202e}.example")];
    let Route::Unroutable { reason, .. } = route(&rows, "to.example") else { panic!() };
    assert!(reason.to_string().is_ascii() && !reason.to_string().contains(char::is_control), "{reason}");
}

/// attacks.md 21.
#[test]
fn of_ten_thousand_mx_records_the_best_are_looked_up_and_the_rest_is_not() {
    let own_names = ["mail.example.org".parse().unwrap()];
    let network = Network {
        own_names: &own_names,
        own_addresses: &[],
        families: Families::Both,
        policy: AddressPolicy::Global,
        port: 25,
    };
    let destination: Host = "to.example".parse().unwrap();
    let mut router = Router::new(&destination, &Transport::Mx, &network, 7);
    let records =
        (0..10_000u16).rev().map(|n| MxRecord { preference: n, exchange: format!("h{n}.example") }).collect();
    router.supply(Answer::Mx(Lookup::Records { records, alias_of: None, validation: Validation::Insecure }));
    let addresses = |count: u32| Answer::Addresses {
        ipv4: Lookup::Records {
            records: (0..count).map(|n| Ipv4Addr::from(0x0102_0000 + n)).collect(),
            alias_of: None,
            validation: Validation::Insecure,
        },
        ipv6: Lookup::NoData { alias_of: None },
    };
    let mut lookups = 0;
    while router.wanted().is_some() {
        router.supply(addresses(5000));
        lookups += 1;
    }
    assert_eq!(lookups, HOSTS_MAX);
    let Route::Hosts(itinerary) = router.finish() else { panic!() };
    assert_eq!(itinerary.hops.len(), HOSTS_MAX);
    assert_eq!(itinerary.hops[0].name, "h0.example".parse().ok());
    assert!(itinerary.hops.iter().all(|hop| hop.addresses.len() == ADDRESSES_PER_HOST_MAX));
    assert_eq!(itinerary.skipped.len(), SKIPPED_MAX);
}

#[test]
fn address_literals_need_no_dns() {
    for (to, expected) in [
        ("[192.0.2.1]", "-=192.0.2.1"),
        ("[IPv6:2001:db8::1]", "-=2001:db8::1"),
        ("[198.51.100.1]", "never 5.4.6"),
        ("[IPv6:::ffff:198.51.100.1]", "never 5.4.6"),
        ("[127.0.0.1]", "never 5.4.4"),
        ("[IPv6:::1]", "never 5.4.4"),
        ("[10.1.2.3]", "never 5.4.4"),
        ("[X-Tag:text]", "never 5.4.4"),
    ] {
        assert_eq!(in_words(&route(&[], to)), expected, "{to}");
    }
    let six = route_with(&[], "[IPv6:2001:db8::1]", &Transport::Mx, Families::Ipv4, AddressPolicy::Any, 0);
    assert_eq!(in_words(&six), "never 5.4.4");
    let inside =
        route_with(&[], "[10.1.2.3]", &Transport::Mx, Families::Both, AddressPolicy::GlobalAndPrivate, 0);
    assert_eq!(in_words(&inside), "-=10.1.2.3");
}

#[test]
fn a_host_without_an_address_that_can_be_reached_is_left_out() {
    let mut rows = HOSTS.to_vec();
    rows.extend([("to.example", "MX 10 six.example"), ("to.example", "MX 20 both.example")]);
    for (families, expected) in [
        (Families::Both, "six.example=2001:db8::1 both.example=2001:db8::4,192.0.2.4,192.0.2.5"),
        (Families::Ipv4, "both.example=192.0.2.4,192.0.2.5"),
        (Families::Ipv6, "six.example=2001:db8::1 both.example=2001:db8::4"),
        (Families::BothIpv4First, "six.example=2001:db8::1 both.example=192.0.2.4,2001:db8::4,192.0.2.5"),
    ] {
        let route = route_with(&rows, "to.example", &Transport::Mx, families, AddressPolicy::Global, 0);
        assert_eq!(in_words(&route), expected);
    }
}

/// RFC 7672 §2.2.1.
#[test]
fn a_way_is_proven_only_where_each_part_of_it_is() {
    for (rows, expected) in [
        (&[("to.example", "SIGNED"), ("a.example", "SIGNED")][..], Validation::Secure),
        (&[("to.example", "SIGNED")], Validation::Insecure),
        (&[("a.example", "SIGNED")], Validation::Insecure),
    ] {
        let mut rows = rows.to_vec();
        rows.extend([("to.example", "MX 10 a.example"), ("a.example", "A 192.0.2.1")]);
        let Route::Hosts(itinerary) = route(&rows, "to.example") else { panic!() };
        assert_eq!(itinerary.hops[0].validation, expected, "{rows:?}");
    }
}

#[test]
fn what_the_operator_says_comes_before_the_dns() {
    let transport =
        |host: &str| Transport::Host { host: host.parse().unwrap(), port: 2525, protocol: Protocol::Lmtp };
    let rows = [("relay.example", "A 127.0.0.1"), ("self.example", "A 198.51.100.1")];
    let by = |transport: &Transport, to: &str| {
        route_with(&rows, to, transport, Families::Both, AddressPolicy::Global, 0)
    };
    for (host, expected) in [
        ("relay.example", "relay.example=127.0.0.1"),
        ("self.example", "self.example=198.51.100.1"),
        ("[127.0.0.1]", "-=127.0.0.1"),
        ("gone.example", "later 4.4.4"),
    ] {
        for to in ["to.example", "[192.0.2.1]"] {
            let route = by(&transport(host), to);
            assert_eq!(in_words(&route), expected, "{host}");
            if let Route::Hosts(itinerary) = route {
                assert_eq!((itinerary.port, itinerary.protocol), (2525, Protocol::Lmtp));
                assert_eq!(itinerary.site, format!("{host}:2525"));
            }
        }
    }
    let socket = Transport::Socket("/run/lmtp".to_owned());
    assert_eq!(by(&socket, "to.example"), Route::Socket("/run/lmtp".to_owned()));
    assert_eq!(by(&Transport::Discard, "to.example"), Route::Discard);
    assert_eq!(by(&Transport::OnDemand, "to.example"), Route::OnDemand);
    assert_eq!(Transport::OnDemand.when_asked(), &Transport::Mx);
    assert_eq!(socket.when_asked(), &socket);
    for status in [EnhancedStatus::permanent(7, 1), EnhancedStatus::transient(3, 2)] {
        let fail = Transport::Fail { status, text: "closed".to_owned() };
        let Route::Unroutable { reason, .. } = by(&fail, "to.example") else { panic!() };
        assert_eq!((reason.status(), reason.to_string().as_str()), (status, "closed"));
    }
    let mut rows = HOSTS.to_vec();
    rows.push(("other.example", "MX 10 a.example"));
    let other = Transport::MxOf("other.example".parse().unwrap());
    let route = route_with(&rows, "to.example", &other, Families::Both, AddressPolicy::Global, 0);
    assert_eq!(in_words(&route), "a.example=192.0.2.1");
}

#[test]
fn the_rule_that_fits_best_counts_whatever_the_order() {
    let rule = |pattern, socket: &str| Override { pattern, transport: Transport::Socket(socket.to_owned()) };
    let domain = |name: &str| name.parse::<Domain>().unwrap();
    let mut rules = vec![
        rule(Pattern::Everything, "everything"),
        rule(Pattern::Below(domain("example.org")), "below"),
        rule(Pattern::Below(domain("deep.example.org")), "deep"),
        rule(Pattern::Domain(domain("Example.ORG")), "itself"),
        rule(Pattern::Domain(domain("example.org")), "second"),
    ];
    for _ in 0..2 {
        for (to, expected) in [
            ("example.net", "everything"),
            ("[192.0.2.1]", "everything"),
            ("a.example.org", "below"),
            ("a.deep.example.org", "deep"),
            ("deep.example.org", "below"),
            ("notexample.org", "everything"),
        ] {
            assert_eq!(
                transport(&rules, &to.parse().unwrap()),
                &Transport::Socket(expected.to_owned()),
                "{to}"
            );
        }
        rules.reverse();
    }
    assert_eq!(transport(&rules, &"EXAMPLE.org".parse().unwrap()), &Transport::Socket("itself".to_owned()));
    assert_eq!(transport(&[], &"example.org".parse().unwrap()), &Transport::Mx);
}

#[test]
fn answers_of_the_wrong_kind_and_a_silent_caller_are_no_answer() {
    let network = Network {
        own_names: &[],
        own_addresses: &[],
        families: Families::Both,
        policy: AddressPolicy::Global,
        port: 25,
    };
    let destination: Host = "to.example".parse().unwrap();
    let none = || Answer::Addresses { ipv4: Lookup::NoSuchName, ipv6: Lookup::NoSuchName };
    let mx = || {
        let record = MxRecord { preference: 1, exchange: "a.example".to_owned() };
        let records = vec![record];
        Answer::Mx(Lookup::Records { records, alias_of: None, validation: Validation::Insecure })
    };
    for answers in [vec![], vec![none()], vec![mx()], vec![mx(), mx()], vec![none(), none(), none()]] {
        let mut router = Router::new(&destination, &Transport::Mx, &network, 0);
        let text = format!("{answers:?}");
        for answer in answers {
            router.supply(answer);
        }
        assert_eq!(in_words(&router.finish()), "later 4.4.3", "{text}");
    }
}
