use super::*;
use std::net::{IpAddr, Ipv4Addr};

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

fn hop(name: &str, found: Found, validation: Validation) -> Hop {
    let addresses = vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))];
    Hop { name: Some(domain(name)), alias_of: None, addresses, found, validation }
}

fn mx(validation: Validation) -> Hop {
    hop("mx.example.net", Found::Mx { preference: 10 }, validation)
}

fn good() -> TlsaRecord {
    TlsaRecord { usage: 3, selector: 1, matching: 1, data: vec![7; 32] }
}

fn useless() -> TlsaRecord {
    TlsaRecord { usage: 1, selector: 1, matching: 1, data: vec![7; 32] }
}

fn records(records: &[TlsaRecord], validation: Validation) -> Lookup<TlsaRecord> {
    Lookup::Records { records: records.to_vec(), alias_of: None, validation }
}

/// What one row of a table says; everything else as for a domain with nothing special.
struct Row {
    configured: TlsPolicy,
    require_tls: bool,
    hop: Hop,
    tlsa: Option<Lookup<TlsaRecord>>,
    sts: Option<(StsMode, Listing)>,
}

impl Row {
    fn of(hop: Hop) -> Self {
        Self { configured: TlsPolicy::Opportunistic, require_tls: false, hop, tlsa: None, sts: None }
    }

    fn decide(&self) -> Result<(HopTls, Why), HopRefused> {
        let base = self.hop.name.clone().unwrap_or_else(|| domain("none.example"));
        decide(&Facts {
            configured: &self.configured,
            require_tls: self.require_tls,
            next_hop: Some(&domain("example.org")),
            next_hop_alias: None,
            hop: &self.hop,
            tlsa: self.tlsa.as_ref().map(|lookup| Tlsa { base: &base, lookup }),
            sts: self.sts.map(|(mode, listing)| Sts { mode, listing }),
        })
    }

    fn tls(&self) -> Result<HopTls, HopRefused> {
        self.decide().map(|(tls, _)| tls)
    }
}

fn verified(names: &[&str]) -> HopTls {
    HopTls::Verified { names: names.iter().map(|name| domain(name)).collect() }
}

fn dane() -> HopTls {
    HopTls::Dane { records: vec![good()], names: vec![domain("mx.example.net"), domain("example.org")] }
}

use Listing::{Listed, Unlisted};
use StsMode::{Enforce, Testing};
use Validation::{Insecure, Secure};

/// RFC 7672 §2.2, its four actions, and §2.1.2.
#[test]
fn what_a_tlsa_lookup_says_decides_as_rfc_7672_lists_it() {
    for (tlsa, expected) in [
        (None, Ok(HopTls::Opportunistic)),
        (Some(records(&[good()], Secure)), Ok(dane())),
        (Some(records(&[useless(), good()], Secure)), Ok(dane())),
        (Some(records(&[useless()], Secure)), Ok(HopTls::Required)),
        (Some(records(&[good()], Insecure)), Ok(HopTls::Opportunistic)),
        (Some(Lookup::NoData { alias_of: None }), Ok(HopTls::Opportunistic)),
        (Some(Lookup::NoSuchName), Ok(HopTls::Opportunistic)),
        (Some(Lookup::Trouble(DnsTrouble::Bogus)), Err(HopRefused::TlsaLookup(DnsTrouble::Bogus))),
        (Some(Lookup::Trouble(DnsTrouble::TimedOut)), Err(HopRefused::TlsaLookup(DnsTrouble::TimedOut))),
        (
            Some(Lookup::Trouble(DnsTrouble::ServerFailure)),
            Err(HopRefused::TlsaLookup(DnsTrouble::ServerFailure)),
        ),
        (Some(Lookup::Trouble(DnsTrouble::Malformed)), Err(HopRefused::TlsaLookup(DnsTrouble::Malformed))),
    ] {
        let row = Row { tlsa: tlsa.clone(), ..Row::of(mx(Secure)) };
        assert_eq!(row.tls(), expected, "{tlsa:?}");
    }
}

/// RFC 7672 §2.2.2: servers of unsigned zones fail at such questions.
#[test]
fn tlsa_records_are_not_asked_for_where_the_way_to_the_host_is_not_proven() {
    assert!(asks_for_tlsa(&TlsPolicy::Opportunistic, &mx(Secure)));
    assert!(!asks_for_tlsa(&TlsPolicy::Opportunistic, &mx(Insecure)));
    let literal = Hop { name: None, ..hop("x.example", Found::Literal, Secure) };
    assert!(!asks_for_tlsa(&TlsPolicy::Opportunistic, &literal));
    // And where they come all the same, they do not count.
    let row = Row { tlsa: Some(records(&[good()], Secure)), ..Row::of(mx(Insecure)) };
    assert_eq!(row.tls(), Ok(HopTls::Opportunistic));
}

#[test]
fn tlsa_records_are_not_asked_for_where_the_operator_has_decided() {
    let names = vec![domain("other.example")];
    assert!(!asks_for_tlsa(&TlsPolicy::None, &mx(Secure)));
    assert!(!asks_for_tlsa(&TlsPolicy::Verified { names }, &mx(Secure)));
    for policy in [TlsPolicy::Verified { names: Vec::new() }, TlsPolicy::Required, TlsPolicy::Dane] {
        assert!(asks_for_tlsa(&policy, &mx(Secure)), "{policy:?}");
    }
}

/// RFC 7672 §2.2.3.
#[test]
fn tlsa_records_of_an_alias_are_sought_at_its_end_and_then_at_its_beginning() {
    let mut hop = mx(Secure);
    assert_eq!(tlsa_bases(&hop), [&domain("mx.example.net")]);
    hop.alias_of = Some(domain("real.example.com"));
    assert_eq!(tlsa_bases(&hop), [&domain("real.example.com"), &domain("mx.example.net")]);
    hop.alias_of = Some(domain("MX.example.net"));
    assert_eq!(tlsa_bases(&hop), [&domain("mx.example.net")]);
    assert!(settles(&records(&[useless()], Secure)));
    assert!(settles(&Lookup::Trouble(DnsTrouble::TimedOut)));
    for lookup in [records(&[good()], Insecure), Lookup::NoSuchName, Lookup::NoData { alias_of: None }] {
        assert!(!settles(&lookup), "{lookup:?}");
    }
}

/// RFC 7672 §3.2.2, its example: mx20 is an alias of mxbackup.example.net, exchange.example.org one of example.com.
#[test]
fn names_for_usage_2_are_the_base_domain_the_next_hop_and_what_that_is_an_alias_of() {
    let hop = Hop {
        alias_of: Some(domain("mxbackup.example.net")),
        ..hop("mx20.example.com", Found::Mx { preference: 20 }, Secure)
    };
    let lookup = records(&[good()], Secure);
    let (next_hop, alias, base) =
        (domain("exchange.example.org"), domain("example.com"), domain("mxbackup.example.net"));
    let facts = Facts {
        configured: &TlsPolicy::Opportunistic,
        require_tls: false,
        next_hop: Some(&next_hop),
        next_hop_alias: Some(&alias),
        hop: &hop,
        tlsa: Some(Tlsa { base: &base, lookup: &lookup }),
        sts: None,
    };
    let expected = (
        HopTls::Dane { records: vec![good()], names: vec![base.clone(), next_hop.clone(), alias.clone()] },
        Why::Dane(base.clone()),
    );
    assert_eq!(decide(&facts), Ok(expected));
    // One name twice is one name.
    let facts = Facts { next_hop: Some(&base), next_hop_alias: Some(&base), ..facts };
    let Ok((HopTls::Dane { names, .. }, _)) = decide(&facts) else { panic!("DANE is due") };
    assert_eq!(names, std::slice::from_ref(&base));
}

/// RFC 8461 §5.
#[test]
fn an_enforced_policy_wants_a_listed_host_with_its_own_certificate() {
    for (sts, expected) in [
        (None, Ok(HopTls::Opportunistic)),
        (Some((Enforce, Listed)), Ok(verified(&["mx.example.net"]))),
        (Some((Enforce, Unlisted)), Err(HopRefused::NotListed(domain("example.org")))),
        (Some((Testing, Listed)), Ok(HopTls::Opportunistic)),
        (Some((Testing, Unlisted)), Ok(HopTls::Opportunistic)),
    ] {
        for validation in [Secure, Insecure] {
            let row = Row { sts, ..Row::of(mx(validation)) };
            assert_eq!(row.tls(), expected, "{sts:?} {validation:?}");
        }
    }
    let nameless = Hop { name: None, ..mx(Insecure) };
    let row = Row { sts: Some((Enforce, Listed)), ..Row::of(nameless) };
    assert_eq!(row.tls(), Err(HopRefused::NotListed(domain("example.org"))));
}

/// RFC 8461 §2.
#[test]
fn dane_wins_over_mta_sts_in_each_of_its_modes() {
    for sts in [(Enforce, Listed), (Enforce, Unlisted), (Testing, Listed), (Testing, Unlisted)] {
        let row = Row { sts: Some(sts), tlsa: Some(records(&[good()], Secure)), ..Row::of(mx(Secure)) };
        assert_eq!(row.tls(), Ok(dane()), "{sts:?}");
        // A policy does not help over a lookup that fails.
        let tlsa = Some(Lookup::Trouble(DnsTrouble::Bogus));
        let row = Row { sts: Some(sts), tlsa, ..Row::of(mx(Secure)) };
        assert_eq!(row.tls(), Err(HopRefused::TlsaLookup(DnsTrouble::Bogus)), "{sts:?}");
    }
}

#[test]
fn records_that_nobody_can_use_ask_for_tls_and_leave_the_certificate_to_mta_sts() {
    let of = |sts| Row { sts, tlsa: Some(records(&[useless()], Secure)), ..Row::of(mx(Secure)) };
    assert_eq!(of(Some((Enforce, Listed))).tls(), Ok(verified(&["mx.example.net"])));
    assert_eq!(of(Some((Enforce, Unlisted))).tls(), Err(HopRefused::NotListed(domain("example.org"))));
    assert_eq!(of(Some((Testing, Listed))).tls(), Ok(HopTls::Required));
    assert_eq!(of(None).decide(), Ok((HopTls::Required, Why::TlsaUnusable(domain("mx.example.net")))));
}

#[test]
fn what_the_operator_says_is_a_minimum_except_where_it_names_the_certificate_or_wants_no_tls() {
    let names = vec![domain("mail.partner.example")];
    let pinned = TlsPolicy::Verified { names: names.clone() };
    let good = || Some(records(&[good()], Secure));
    for (configured, tlsa, sts, expected) in [
        (TlsPolicy::None, None, Some((Enforce, Unlisted)), Ok(HopTls::None)),
        (TlsPolicy::None, good(), None, Ok(HopTls::None)),
        (TlsPolicy::Required, None, None, Ok(HopTls::Required)),
        (TlsPolicy::Required, None, Some((Testing, Unlisted)), Ok(HopTls::Required)),
        (TlsPolicy::Required, None, Some((Enforce, Listed)), Ok(verified(&["mx.example.net"]))),
        (TlsPolicy::Required, good(), None, Ok(dane())),
        (pinned.clone(), None, None, Ok(verified(&["mail.partner.example"]))),
        (pinned.clone(), good(), None, Ok(verified(&["mail.partner.example"]))),
        (pinned, None, Some((Enforce, Unlisted)), Ok(verified(&["mail.partner.example"]))),
        (TlsPolicy::Dane, good(), None, Ok(dane())),
        (TlsPolicy::Dane, None, None, Err(HopRefused::DaneRequired)),
        (TlsPolicy::Dane, None, Some((Enforce, Listed)), Err(HopRefused::DaneRequired)),
        (TlsPolicy::Dane, Some(records(&[useless()], Secure)), None, Err(HopRefused::DaneRequired)),
    ] {
        let row = Row { configured: configured.clone(), tlsa, sts, ..Row::of(mx(Secure)) };
        assert_eq!(row.tls(), expected, "{configured:?} {sts:?}");
    }
}

/// RFC 7672 §1.3.2: the name in an unsigned MX record is anybody's.
#[test]
fn a_checked_certificate_without_names_is_for_a_name_that_something_proves() {
    let checked = || TlsPolicy::Verified { names: Vec::new() };
    let of = |hop, sts| Row { configured: checked(), sts, ..Row::of(hop) }.tls();
    let both = || Ok(verified(&["mx.example.net", "example.org"]));
    assert_eq!(of(mx(Secure), None), both());
    assert_eq!(of(mx(Insecure), Some((Testing, Listed))), both());
    assert_eq!(of(mx(Insecure), Some((Testing, Unlisted))), Ok(verified(&["example.org"])));
    assert_eq!(of(mx(Insecure), None), Ok(verified(&["example.org"])));
    let implicit = hop("example.org", Found::ImplicitMx, Insecure);
    assert_eq!(of(implicit, None), Ok(verified(&["example.org"])));
    let alias = hop("other.example", Found::ImplicitMx, Insecure);
    assert_eq!(of(alias, None), Ok(verified(&["example.org"])));
    let relay = hop("relay.example", Found::Configured, Insecure);
    assert_eq!(of(relay, None), Ok(verified(&["relay.example", "example.org"])));
}

#[test]
fn a_checked_certificate_of_an_address_is_not_to_be_had_without_names() {
    let hop = Hop { name: None, ..hop("x.example", Found::Literal, Insecure) };
    let facts = Facts {
        configured: &TlsPolicy::Verified { names: Vec::new() },
        require_tls: false,
        next_hop: None,
        next_hop_alias: None,
        hop: &hop,
        tlsa: None,
        sts: None,
    };
    assert_eq!(decide(&facts), Err(HopRefused::NoName));
}

/// RFC 8689 §4.2.1, steps 2 and 4.
#[test]
fn requiretls_wants_a_proven_host_and_a_checked_certificate() {
    let of = |hop, tlsa, sts| Row { require_tls: true, tlsa, sts, ..Row::of(hop) }.tls();
    let own = || Ok(verified(&["mx.example.net"]));
    assert_eq!(of(mx(Secure), None, None), own());
    assert_eq!(of(mx(Insecure), None, Some((Enforce, Listed))), own());
    assert_eq!(of(mx(Insecure), None, Some((Testing, Listed))), own());
    assert_eq!(of(mx(Insecure), None, Some((Testing, Unlisted))), Err(HopRefused::RequireTls));
    assert_eq!(of(mx(Insecure), None, None), Err(HopRefused::RequireTls));
    assert_eq!(of(mx(Secure), Some(records(&[good()], Secure)), None), Ok(dane()));
    assert_eq!(of(mx(Secure), Some(records(&[useless()], Secure)), None), own());
    assert_eq!(
        of(mx(Secure), Some(Lookup::Trouble(DnsTrouble::TimedOut)), None),
        Err(HopRefused::TlsaLookup(DnsTrouble::TimedOut))
    );
    assert_eq!(
        of(hop("relay.example", Found::Configured, Insecure), None, None),
        Ok(verified(&["relay.example"]))
    );
    let literal = Hop { name: None, ..hop("x.example", Found::Literal, Insecure) };
    assert_eq!(of(literal, None, None), Err(HopRefused::RequireTls));
    for configured in [TlsPolicy::Required, TlsPolicy::Verified { names: Vec::new() }] {
        let row = Row { configured, require_tls: true, ..Row::of(mx(Secure)) };
        assert_eq!(row.tls(), own());
    }
    let row = Row { configured: TlsPolicy::None, require_tls: true, ..Row::of(mx(Secure)) };
    assert_eq!(row.tls(), Err(HopRefused::RequireTls));
}

/// RFC 7672 §2.2.1: an alias that may not be proven is no way to a host that must be.
#[test]
fn required_dane_is_not_satisfied_by_what_a_domain_without_mx_is_an_alias_of() {
    let alias = || hop("other.example", Found::ImplicitMx, Secure);
    let tlsa = || Some(records(&[good()], Secure));
    assert!(matches!(Row { tlsa: tlsa(), ..Row::of(alias()) }.tls(), Ok(HopTls::Dane { .. })));
    let row = Row { configured: TlsPolicy::Dane, tlsa: tlsa(), ..Row::of(alias()) };
    assert_eq!(row.tls(), Err(HopRefused::DaneRequired));
    let row = Row { require_tls: true, tlsa: tlsa(), ..Row::of(alias()) };
    assert_eq!(row.tls(), Err(HopRefused::RequireTls));
}

#[test]
fn a_host_that_is_refused_leaves_others_to_be_tried_and_only_the_senders_wish_is_final() {
    for refused in [
        HopRefused::TlsaLookup(DnsTrouble::Bogus),
        HopRefused::TlsaLookup(DnsTrouble::TimedOut),
        HopRefused::DaneRequired,
        HopRefused::NotListed(domain("example.org")),
        HopRefused::NoName,
    ] {
        let Outcome::Deferred { finding, again, duplicate } = refused.outcome() else {
            panic!("{refused} is not final")
        };
        assert_eq!(finding.status, refused.status());
        assert_eq!((again, duplicate), (Again::NextHost, Duplicate::Impossible));
    }
    let outcome = HopRefused::RequireTls.outcome();
    let Outcome::Failed { finding, reach } = outcome else { panic!("{outcome:?}") };
    assert_eq!((finding.status, reach), (EnhancedStatus::permanent(7, 10), crate::outcome::Reach::Host));
}
