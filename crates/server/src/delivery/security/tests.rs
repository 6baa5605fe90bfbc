use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use mta::outcome::Outcome;
use net::mta_sts::{Fetch, FetchError};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::json;
use types::dns::Validation;

use super::*;
use crate::delivery::tls_results::{Reporter, TlsSession};

/// 2026-11-22.
const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);
const TODAY: u64 = 20_779;
const REPORTER: Reporter<'_> = Reporter { organization: "o", contact: "c", report_id: "i" };

/// What the DNS says, and what it was asked.
#[derive(Default)]
struct Zone {
    tlsa: HashMap<String, Lookup<TlsaRecord>>,
    txt: HashMap<String, &'static str>,
    aliases: HashMap<String, &'static str>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Names for Zone {
    async fn tlsa(&self, port: u16, host: &Domain) -> Lookup<TlsaRecord> {
        let name = format!("_{port}._tcp.{}", host.ascii());
        self.asked.lock().unwrap().push(name.clone());
        self.tlsa.get(&name).cloned().unwrap_or(Lookup::NoSuchName)
    }

    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let Some(text) = self.txt.get(name) else { return Lookup::NoSuchName };
        Lookup::Records {
            records: vec![text.as_bytes().to_vec()],
            alias_of: None,
            validation: Validation::Insecure,
        }
    }

    async fn mx(&self, domain: &Domain) -> Lookup<MxRecord> {
        self.asked.lock().unwrap().push(domain.ascii().to_owned());
        let alias_of = self.aliases.get(domain.ascii()).map(|alias| alias.parse().unwrap());
        let records = vec![MxRecord { preference: 10, exchange: "mx.example.net.".to_owned() }];
        Lookup::Records { records, alias_of, validation: Validation::Secure }
    }
}

/// One policy for every domain, and how often it was fetched.
struct Policies {
    answer: Result<&'static str, FetchError>,
    fetched: AtomicUsize,
}

#[async_trait]
impl Fetch for Policies {
    async fn fetch(&self, _domain: &Domain) -> Result<Vec<u8>, FetchError> {
        self.fetched.fetch_add(1, Ordering::SeqCst);
        self.answer.clone().map(|text| text.as_bytes().to_vec())
    }
}

struct Bench {
    _folder: tempfile::TempDir,
    zone: Arc<Zone>,
    policies: Arc<Policies>,
    security: Security,
}

impl Bench {
    fn new(zone: Zone, policy: Result<&'static str, FetchError>, dane: Switch) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let roots: PathBuf = folder.path().join("roots.pem");
        let authority = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        std::fs::write(&roots, authority.pem()).unwrap();
        let outbound = Outbound::new(&Roots::File(roots)).unwrap();
        let zone = Arc::new(zone);
        let policies = Arc::new(Policies { answer: policy, fetched: AtomicUsize::new(0) });
        let (mta_sts, _) = MtaSts::open(Arc::clone(&policies) as _, None, NOW);
        let security =
            Security::new(Arc::clone(&zone) as _, outbound, dane, Some(mta_sts), TlsResults::default());
        Self { _folder: folder, zone, policies, security }
    }

    fn with_policy(policy: &'static str) -> Self {
        Self::new(Zone { txt: announced(), ..Zone::default() }, Ok(policy), Switch::On)
    }

    async fn ask(&self, hop: &Hop, configured: &TlsPolicy) -> Result<HopSecurity, Unusable> {
        self.security.for_hop(Some(&domain("example.org")), hop, 25, configured, false, NOW).await
    }

    async fn tls(&self, hop: &Hop) -> HopTls {
        self.ask(hop, &TlsPolicy::Opportunistic).await.unwrap().tls
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.zone.asked.lock().unwrap())
    }

    fn report(&self) -> serde_json::Value {
        let report = self.security.results().report(TODAY, &domain("example.org"), &REPORTER);
        report.map_or(json!([]), |report| report["policies"].clone())
    }
}

const ENFORCE: &str = "version: STSv1\nmode: enforce\nmx: mx.example.net\nmax_age: 604800";
const TESTING: &str = "version: STSv1\nmode: testing\nmx: mx.example.net\nmax_age: 604800";
const GIVEN_UP: &str = "version: STSv1\nmode: none\nmax_age: 604800";

fn announced() -> HashMap<String, &'static str> {
    HashMap::from([("_mta-sts.example.org".to_owned(), "v=STSv1; id=1;")])
}

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

fn hop(name: &str, validation: Validation) -> Hop {
    Hop {
        name: Some(domain(name)),
        alias_of: None,
        addresses: vec![Ipv4Addr::new(192, 0, 2, 1).into()],
        found: Found::Mx { preference: 10 },
        validation,
    }
}

fn mx(validation: Validation) -> Hop {
    hop("mx.example.net", validation)
}

fn records(usage: u8, validation: Validation) -> Lookup<TlsaRecord> {
    let record = TlsaRecord { usage, selector: 1, matching: 1, data: vec![7; 32] };
    Lookup::Records { records: vec![record], alias_of: None, validation }
}

fn zone(tlsa: impl IntoIterator<Item = (&'static str, Lookup<TlsaRecord>)>) -> Zone {
    let tlsa = tlsa.into_iter().map(|(name, lookup)| (name.to_owned(), lookup)).collect();
    Zone { tlsa, txt: announced(), ..Zone::default() }
}

use Validation::{Insecure, Secure};

const TLSA: &str = "_25._tcp.mx.example.net";
const STS: &str = "_mta-sts.example.org";

#[tokio::test]
async fn dane_is_found_at_a_proven_host_and_leaves_mta_sts_unasked() {
    let bench = Bench::new(zone([(TLSA, records(3, Secure))]), Ok(ENFORCE), Switch::On);
    let security = bench.ask(&mx(Secure), &TlsPolicy::Opportunistic).await.unwrap();
    let HopTls::Dane { names, .. } = &security.tls else { panic!("{:?}", security.tls) };
    assert_eq!(names, &[domain("mx.example.net"), domain("example.org")]);
    assert!(security.handshake.is_some());
    assert_eq!(bench.asked(), [TLSA]);
    assert_eq!(bench.policies.fetched.load(Ordering::SeqCst), 0);
    security.counter.unwrap().session(TlsSession::Established, None, NOW);
    let expected = json!([{
        "policy": {
            "policy-type": "tlsa",
            "policy-string": [format!("3 1 1 {}", "07".repeat(32))],
            "policy-domain": "mx.example.net"
        },
        "summary": { "total-successful-session-count": 1, "total-failure-session-count": 0 }
    }]);
    assert_eq!(bench.report(), expected);
}

#[tokio::test]
async fn tlsa_records_are_asked_for_at_the_port_of_the_host_and_only_where_they_may_count() {
    let bench = Bench::new(zone([]), Ok(GIVEN_UP), Switch::On);
    let ask = async |hop: Hop, port, configured: TlsPolicy| {
        let _ = bench.security.for_hop(None, &hop, port, &configured, false, NOW).await;
        bench.asked()
    };
    assert_eq!(ask(mx(Secure), 2525, TlsPolicy::Opportunistic).await, ["_2525._tcp.mx.example.net"]);
    assert_eq!(ask(mx(Insecure), 25, TlsPolicy::Opportunistic).await, [""; 0]);
    assert_eq!(ask(mx(Secure), 25, TlsPolicy::None).await, [""; 0]);
    let pinned = TlsPolicy::Verified { names: vec![domain("x.example")] };
    assert_eq!(ask(mx(Secure), 25, pinned).await, [""; 0]);
    let off = Bench::new(zone([(TLSA, records(3, Secure))]), Ok(GIVEN_UP), Switch::Off);
    assert_eq!(off.tls(&mx(Secure)).await, HopTls::Opportunistic);
    assert_eq!(off.asked(), [STS]);
}

/// RFC 7672 §2.2.3, §2.1.2.
#[tokio::test]
async fn an_alias_is_asked_at_its_end_first_and_a_failure_ends_the_search() {
    let alias = || Hop { alias_of: Some(domain("end.example.com")), ..mx(Secure) };
    let end = "_25._tcp.end.example.com";
    let at_end =
        Bench::new(zone([(end, records(3, Secure)), (TLSA, records(3, Secure))]), Ok(ENFORCE), Switch::On);
    let HopTls::Dane { names, .. } = at_end.tls(&alias()).await else { panic!("DANE is due") };
    assert_eq!(names[0], domain("end.example.com"));
    assert_eq!(at_end.asked(), [end]);
    let at_begin =
        Bench::new(zone([(end, records(3, Insecure)), (TLSA, records(3, Secure))]), Ok(ENFORCE), Switch::On);
    let HopTls::Dane { names, .. } = at_begin.tls(&alias()).await else { panic!("DANE is due") };
    assert_eq!(names[0], domain("mx.example.net"));
    assert_eq!(at_begin.asked(), [end, TLSA]);
    for trouble in [DnsTrouble::Bogus, DnsTrouble::ServerFailure, DnsTrouble::TimedOut] {
        let zone = zone([(end, Lookup::Trouble(trouble)), (TLSA, records(3, Secure))]);
        let bench = Bench::new(zone, Ok(ENFORCE), Switch::On);
        let refused = bench.ask(&alias(), &TlsPolicy::Opportunistic).await.unwrap_err();
        let Unusable::Refused(refused) = refused else { panic!("{refused:?}") };
        assert_eq!(refused, HopRefused::TlsaLookup(trouble));
        assert!(matches!(refused.outcome(), Outcome::Deferred { .. }));
        assert_eq!(bench.asked(), [end]);
        // Only what DNSSEC disproves is reported (RFC 8460 §4.3.2.1, §4.3.4).
        let count = usize::from(trouble == DnsTrouble::Bogus);
        assert_eq!(bench.report().as_array().unwrap().len(), count, "{trouble:?}");
    }
}

/// RFC 7672 §3.2.2: the third name.
#[tokio::test]
async fn what_the_domain_is_an_alias_of_is_a_name_for_usage_2() {
    let aliases = HashMap::from([("example.org".to_owned(), "example.com")]);
    let of = |usage| {
        let zone = Zone { aliases: aliases.clone(), ..zone([(TLSA, records(usage, Secure))]) };
        Bench::new(zone, Ok(ENFORCE), Switch::On)
    };
    let bench = of(2);
    let HopTls::Dane { names, .. } = bench.tls(&mx(Secure)).await else { panic!("DANE is due") };
    assert_eq!(names, [domain("mx.example.net"), domain("example.org"), domain("example.com")]);
    assert_eq!(bench.asked(), [TLSA, "example.org"]);
    // For usage 3 names do not matter.
    let bench = of(3);
    let HopTls::Dane { names, .. } = bench.tls(&mx(Secure)).await else { panic!("DANE is due") };
    assert_eq!(names, [domain("mx.example.net"), domain("example.org")]);
    assert_eq!(bench.asked(), [TLSA]);
}

#[tokio::test]
async fn an_enforced_policy_takes_its_hosts_with_a_certificate_and_no_others() {
    let bench = Bench::with_policy(ENFORCE);
    let security = bench.ask(&mx(Insecure), &TlsPolicy::Opportunistic).await.unwrap();
    assert_eq!(security.tls, HopTls::Verified { names: vec![domain("mx.example.net")] });
    assert!(security.handshake.is_some());
    let refused = bench.ask(&hop("mx.evil.example", Insecure), &TlsPolicy::Opportunistic).await;
    let Err(Unusable::Refused(refused)) = refused else { panic!("{refused:?}") };
    assert_eq!(refused, HopRefused::NotListed(domain("example.org")));
    assert_eq!(bench.policies.fetched.load(Ordering::SeqCst), 1);
    let expected = json!([{
        "policy": {
            "policy-type": "sts",
            "policy-string": ["version: STSv1", "mode: enforce", "mx: mx.example.net", "max_age: 604800"],
            "policy-domain": "example.org",
            "mx-host": ["mx.example.net"]
        },
        "summary": { "total-successful-session-count": 0, "total-failure-session-count": 1 },
        "failure-details": [{
            "result-type": "certificate-host-mismatch",
            "receiving-mx-hostname": "mx.evil.example",
            "failed-session-count": 1,
            "failure-reason-code": "the MTA-STS policy of example.org is enforced and does not name this host"
        }]
    }]);
    assert_eq!(bench.report(), expected);
}

#[tokio::test]
async fn a_tested_policy_is_reported_and_keeps_no_mail_back() {
    let bench = Bench::with_policy(TESTING);
    let listed = bench.ask(&mx(Insecure), &TlsPolicy::Opportunistic).await.unwrap();
    assert_eq!(listed.tls, HopTls::Opportunistic);
    listed.counter.unwrap().session(TlsSession::Established, None, NOW);
    let unlisted = bench.ask(&hop("mx.evil.example", Insecure), &TlsPolicy::Opportunistic).await.unwrap();
    assert_eq!(unlisted.tls, HopTls::Opportunistic);
    assert_ne!(listed.why, unlisted.why);
    unlisted.counter.unwrap().session(TlsSession::Established, None, NOW);
    let report = bench.report();
    assert_eq!(report[0]["policy"]["policy-type"], "sts");
    let summary = json!({ "total-successful-session-count": 1, "total-failure-session-count": 1 });
    assert_eq!(report[0]["summary"], summary);
    assert_eq!(report[0]["failure-details"][0]["result-type"], "certificate-host-mismatch");
}

#[tokio::test]
async fn a_policy_that_is_given_up_or_cannot_be_had_asks_for_nothing() {
    let bench = Bench::with_policy(GIVEN_UP);
    assert_eq!(bench.tls(&mx(Insecure)).await, HopTls::Opportunistic);
    assert_eq!(bench.report(), json!([]));
    let missing = Err(FetchError::Status(404));
    let bench = Bench::new(Zone { txt: announced(), ..Zone::default() }, missing, Switch::On);
    assert_eq!(bench.tls(&mx(Insecure)).await, HopTls::Opportunistic);
    assert_eq!(bench.report()[0]["policy"]["policy-type"], "no-policy-found");
    assert_eq!(bench.report()[0]["failure-details"][0]["result-type"], "sts-policy-fetch-error");
    let bench = Bench::with_policy("<html>");
    assert_eq!(bench.tls(&mx(Insecure)).await, HopTls::Opportunistic);
    assert_eq!(bench.report()[0]["failure-details"][0]["result-type"], "sts-policy-invalid");
}

#[tokio::test]
async fn a_policy_is_that_of_the_next_hop_and_an_address_has_none() {
    let bench = Bench::with_policy(ENFORCE);
    let other = domain("other.example");
    let security =
        bench.security.for_hop(Some(&other), &mx(Insecure), 25, &TlsPolicy::Opportunistic, false, NOW).await;
    assert_eq!(security.unwrap().tls, HopTls::Opportunistic);
    assert_eq!(bench.asked(), ["_mta-sts.other.example"]);
    let literal = Hop { name: None, found: Found::Literal, ..mx(Insecure) };
    let security =
        bench.security.for_hop(None, &literal, 25, &TlsPolicy::Opportunistic, false, NOW).await.unwrap();
    assert_eq!(security.tls, HopTls::Opportunistic);
    assert!(security.handshake.is_some() && security.counter.is_none());
    assert_eq!(bench.asked(), [""; 0]);
}

#[tokio::test]
async fn what_the_operator_and_the_sender_ask_for_is_heard() {
    let bench = Bench::with_policy(GIVEN_UP);
    let none = bench.ask(&mx(Insecure), &TlsPolicy::None).await.unwrap();
    assert!(none.tls == HopTls::None && none.handshake.is_none());
    let required = bench.ask(&mx(Insecure), &TlsPolicy::Required).await.unwrap();
    assert_eq!(required.tls, HopTls::Required);
    let refused = bench
        .security
        .for_hop(Some(&domain("example.org")), &mx(Insecure), 25, &TlsPolicy::Opportunistic, true, NOW)
        .await;
    assert!(matches!(refused, Err(Unusable::Refused(HopRefused::RequireTls))), "{refused:?}");
    let refused = bench.ask(&mx(Secure), &TlsPolicy::Dane).await;
    assert!(matches!(refused, Err(Unusable::Refused(HopRefused::DaneRequired))), "{refused:?}");
}
