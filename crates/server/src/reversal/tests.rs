//! Who is answered what.

use mta::admission::Rights;

use super::*;

fn settings(send_as: &[&str]) -> AccountSettings {
    let send_as = send_as.iter().map(|text| text.parse().unwrap()).collect();
    AccountSettings { send_as, ..AccountSettings::default() }
}

fn rights(settings: &AccountSettings) -> Client<'_> {
    Client::Authenticated(Rights { account: "ada@example.net", settings, subaddress_separator: None })
}

fn domain(name: &str) -> Domain {
    name.parse().unwrap()
}

fn code(policy: Etrn, client: Client<'_>, node: &Node, waiting: Waiting, is_on_demand: bool) -> u16 {
    let facts = EtrnFacts { policy, client, node, is_local: false, is_on_demand, is_queue: false, waiting };
    decide_etrn(&facts).reply.code
}

#[test]
fn each_client_is_answered_by_the_policy_and_by_what_waits() {
    use Waiting::{Counted, Many, Unknown};
    let settings = settings(&["@customer.example"]);
    let host = Node::Domain(domain("other.example"));
    let own = Node::Subtree(domain("sub.customer.example"));
    let foreign = Node::Subtree(domain("other.example"));
    let login = rights(&settings);
    for (policy, client, node, waiting, on_demand, expected) in [
        (Etrn::Trusted, Client::TrustedNetwork, &host, Counted(0), false, 251),
        (Etrn::Trusted, Client::TrustedNetwork, &host, Counted(1), false, 253),
        (Etrn::Trusted, Client::TrustedNetwork, &host, Many, false, 252),
        (Etrn::Trusted, Client::TrustedNetwork, &host, Unknown, false, 458),
        (Etrn::Trusted, Client::TrustedNetwork, &foreign, Counted(3), false, 253),
        (Etrn::Trusted, login, &host, Counted(2), false, 253),
        (Etrn::Trusted, login, &own, Counted(2), false, 253),
        (Etrn::Trusted, login, &foreign, Counted(2), false, 459),
        (Etrn::Trusted, Client::Stranger, &host, Counted(2), true, 459),
        (Etrn::Anyone, Client::Stranger, &host, Counted(2), false, 253),
        (Etrn::Anyone, Client::Stranger, &host, Counted(0), true, 251),
        (Etrn::Anyone, Client::Stranger, &host, Counted(0), false, 459),
        (Etrn::Anyone, Client::Stranger, &own, Counted(2), true, 459),
        (Etrn::Off, Client::TrustedNetwork, &host, Counted(2), true, 459),
    ] {
        assert_eq!(code(policy, client, node, waiting, on_demand), expected, "{policy} {node} {waiting:?}");
    }
}

#[test]
fn the_number_is_told_and_a_queue_is_for_trusted_networks() {
    let node = Node::Domain(domain("mysoft.example"));
    let facts = EtrnFacts {
        policy: Etrn::Trusted,
        client: Client::TrustedNetwork,
        node: &node,
        is_local: false,
        is_on_demand: false,
        is_queue: false,
        waiting: Waiting::Counted(14),
    };
    let reply = decide_etrn(&facts).reply.to_string();
    assert_eq!(reply, "253 2.0.0 OK, 14 pending messages for node mysoft.example started");
    assert_eq!(decide_etrn(&EtrnFacts { is_local: true, ..facts }).reply.code, 459);
    let queue = Node::Queue("mx.example".into());
    let facts = EtrnFacts { node: &queue, ..facts };
    assert_eq!(decide_etrn(&facts).reply.code, 459);
    assert_eq!(decide_etrn(&EtrnFacts { is_queue: true, ..facts }).reply.code, 250);
    let settings = settings(&["*"]);
    let facts = EtrnFacts { is_queue: true, client: rights(&settings), ..facts };
    assert_eq!(decide_etrn(&facts).reply.code, 459);
}

#[test]
fn an_account_gets_the_mail_of_the_domains_that_are_its_own_or_none() {
    let ours = settings(&["@a.example", "@b.example", "x@c.example", "*"]);
    assert_eq!(asked_for(&ours, &[]).unwrap(), [domain("a.example"), domain("b.example")]);
    let named = [domain("B.example"), domain("b.example")];
    assert_eq!(asked_for(&ours, &named).unwrap(), [domain("b.example")]);
    for foreign in ["c.example", "d.example", "sub.a.example"] {
        let named = [domain("a.example"), domain(foreign)];
        assert_eq!(asked_for(&ours, &named), Err(&named[1]), "{foreign}");
    }
    assert_eq!(asked_for(&settings(&["*"]), &[]).unwrap(), []);
}

#[test]
fn requests_have_limits_of_their_own() {
    let limits = Limits::default();
    let now = types::Timestamp::from_millis(1_795_322_124_250);
    assert_eq!((0..20).filter(|_| limits.may_start("a.example", now)).count(), 6);
    assert!(!limits.may_start("A.example", now) && limits.may_start("b.example", now));
    let ip = "192.0.2.1".parse().unwrap();
    assert_eq!((0..100).filter(|_| limits.may_ask(ip, now)).count(), 60);
    assert_eq!((0..100).filter(|_| limits.may_reverse("ada@example.org", now)).count(), 10);
    let later = types::Timestamp::from_millis(now.millis() + 120_000);
    assert!(limits.may_start("a.example", later) && limits.may_ask(ip, later));
}
