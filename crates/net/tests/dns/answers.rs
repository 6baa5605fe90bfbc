//! What answers, failures and silence come to.

use std::net::IpAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{CNAME, MX, PTR, TXT};
use hickory_proto::rr::{Name, RData, RecordType};
use net::dns::{Dns, DnsOptions, Trust};
use types::dns::{DnsTrouble, Lookup, SrvRecord, TlsaRecord};

use super::server::{Fault, Server};
use super::zones::{Zones, name};
use super::{dns, domain, impatient, in_words, ipv4, ipv6, mx, options};

/// Everything below `example`, unsigned.
fn zones() -> Zones {
    let mut zones = Zones::default();
    zones.add(".", None, &[]).add(
        "example",
        None,
        &[
            "a A 192.0.2.1",
            "b A 192.0.2.2",
            "b A 192.0.2.3",
            "b AAAA 2001:db8::2",
            "mail MX 20 b.example.",
            "mail MX 10 a.example.",
            "null MX 0 .",
            "localhost MX 10 localhost.",
            "literal MX 10 192.0.2.1.",
            "private MX 10 inside.example.",
            "inside A 10.0.0.1",
            "alias CNAME b.example.",
            "alias2 CNAME alias.example.",
            "mailalias CNAME mail.example.",
            "gone CNAME nothing.example.",
            "bare CNAME a.example.",
            "circle CNAME circle2.example.",
            "circle2 CNAME circle.example.",
            "self CNAME self.example.",
            "_25._tcp.a TLSA 3 1 1 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
            "_25._tcp.b CNAME _dane.example.",
            "_dane TLSA 255 200 77 00ff",
            "_mta-sts.a TXT \"v=STSv1; \" \"id=1;\"",
            "_mta-sts.a TXT other",
            "xn--bcher-kva MX 10 a.example.",
            "deep.below.under A 192.0.2.9",
            "_imaps._tcp.mail SRV 0 1 993 b.example.",
            "_pop3s._tcp.mail SRV 0 0 0 .",
            "lame A 192.0.2.4",
            "lame MX 10 a.example.",
        ],
    );
    zones.add("arpa", None, &["1.2.0.192.in-addr PTR a.example."]);
    let odd = Name::from_labels([&b"not a\nhost"[..], b"example"]).unwrap();
    zones.add_data("2.2.0.192.in-addr.arpa", vec![RData::PTR(PTR(odd))]);
    let reverse = "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    zones.add_data(reverse, vec![RData::try_from_str(RecordType::PTR, "b.example.").unwrap()]);
    zones
}

#[tokio::test]
async fn each_kind_of_record_is_read() {
    let server = Server::start(zones(), false).await;
    let dns = dns(&server, Trust::None);
    assert_eq!(mx(&dns, "mail.example").await, "20 b.example.,10 a.example.");
    assert_eq!(ipv4(&dns, "b.example").await, "192.0.2.2,192.0.2.3");
    assert_eq!(ipv6(&dns, "b.example").await, "2001:db8::2");
    assert_eq!(mx(&dns, "bücher.example").await, "10 a.example.");
    let Lookup::Records { records, .. } = dns.tlsa(25, &domain("a.example")).await else { panic!() };
    assert_eq!(records, [TlsaRecord { usage: 3, selector: 1, matching: 1, data: (1..=32).collect() }]);
    let texts = dns.txt("_mta-sts.a.example").await;
    let text = |octets: &Vec<u8>| String::from_utf8(octets.clone()).unwrap();
    assert_eq!(in_words(&texts, text), "v=STSv1; id=1;,other");
    let ptr = |address: &str| dns_ptr(&dns, address.parse().unwrap());
    assert_eq!(ptr("192.0.2.1").await, "a.example");
    assert_eq!(ptr("::ffff:192.0.2.1").await, "a.example");
    assert_eq!(ptr("2001:db8::5").await, "b.example");
    assert_eq!(ptr("192.0.2.3").await, "no such name");
}

/// RFC 1035 §3.3.14 wants one string or more. hickory-proto takes a record without any for damage, and all of the answer with it: for
/// SPF that is a temporary error.
#[tokio::test]
async fn a_text_without_any_string_makes_the_answer_malformed() {
    let mut zones = zones();
    let text = |strings: &[&str]| RData::TXT(TXT::new(strings.iter().map(|&text| text.to_owned()).collect()));
    zones.add_data("null.example", vec![text(&[]), text(&["v=spf1 ", "-all"])]);
    zones.add_data("empty.example", vec![text(&[""])]);
    let server = Server::start(zones, false).await;
    let dns = dns(&server, Trust::None);
    assert_eq!(dns.txt("null.example").await, Lookup::Trouble(DnsTrouble::Malformed));
    assert_eq!(dns.txt("empty.example").await.into_records(), [b""]);
}

/// RFC 2782: a dot says that the service is not there.
#[tokio::test]
async fn services_and_what_an_alias_says_itself_are_read() {
    let server = Server::start(zones(), false).await;
    let dns = dns(&server, Trust::None);
    let told = |srv: &SrvRecord| format!("{} {} {} {}", srv.priority, srv.weight, srv.port, srv.target);
    assert_eq!(in_words(&dns.srv("_imaps._tcp.mail.example").await, told), "0 1 993 b.example.");
    assert_eq!(in_words(&dns.srv("_pop3s._tcp.mail.example").await, told), "0 0 0 .");
    assert_eq!(in_words(&dns.srv("_imap._tcp.mail.example").await, told), "no such name");
    assert_eq!(in_words(&dns.cname("alias2.example").await, String::clone), "alias.example");
    assert_eq!(in_words(&dns.cname("b.example").await, String::clone), "no data");
}

async fn dns_ptr(dns: &Dns, address: IpAddr) -> String {
    in_words(&dns.ptr(address).await, |name| name.ascii().to_owned())
}

/// RFC 6698 §2.1: numbers that nobody has given a meaning are told as they are.
#[tokio::test]
async fn a_tlsa_record_behind_an_alias_keeps_numbers_without_a_meaning() {
    let server = Server::start(zones(), false).await;
    let tlsa = dns(&server, Trust::None).tlsa(25, &domain("b.example")).await;
    let Lookup::Records { records, alias_of, .. } = tlsa else { panic!("{tlsa:?}") };
    assert_eq!(records, [TlsaRecord { usage: 255, selector: 200, matching: 77, data: vec![0, 255] }]);
    assert_eq!(alias_of.unwrap().ascii(), "_dane.example");
}

/// RFC 2308 §2.
#[tokio::test]
async fn no_such_name_and_no_such_record_are_told_apart() {
    let server = Server::start(zones(), false).await;
    let dns = dns(&server, Trust::None);
    assert_eq!(mx(&dns, "a.example").await, "no data");
    assert_eq!(mx(&dns, "nothing.example").await, "no such name");
    assert_eq!(mx(&dns, "below.under.example").await, "no data");
    assert_eq!(ipv6(&dns, "a.example").await, "no data");
}

#[tokio::test]
async fn aliases_are_followed_and_told() {
    let server = Server::start(zones(), false).await;
    let dns = dns(&server, Trust::None);
    assert_eq!(ipv4(&dns, "alias2.example").await, "192.0.2.2,192.0.2.3 < b.example");
    assert_eq!(mx(&dns, "mailalias.example").await, "20 b.example.,10 a.example. < mail.example");
    assert_eq!(mx(&dns, "bare.example").await, "no data < a.example");
    assert_eq!(mx(&dns, "gone.example").await, "no such name");
    assert_eq!(ipv4(&dns, "circle.example").await, "Malformed");
    assert_eq!(ipv4(&dns, "self.example").await, "Malformed");
}

/// attacks.md 21: the names are those of the records; what they are worth is for the router to say.
#[tokio::test]
async fn mx_records_to_no_host_at_all_are_told_as_they_are() {
    let server = Server::start(zones(), false).await;
    let dns = dns(&server, Trust::None);
    assert_eq!(mx(&dns, "null.example").await, "0 .");
    assert_eq!(mx(&dns, "localhost.example").await, "10 localhost.");
    assert_eq!(mx(&dns, "literal.example").await, "10 192.0.2.1.");
    assert_eq!(ipv4(&dns, "inside.example").await, "10.0.0.1");
}

/// RFC 6761 §6.3 and §6.4, RFC 7686 §2.
#[tokio::test]
async fn special_names_are_answered_without_asking() {
    let server = Server::start(zones(), false).await;
    let dns = dns(&server, Trust::None);
    for host in ["localhost", "LocalHost", "a.localhost"] {
        assert_eq!(ipv4(&dns, host).await, "127.0.0.1");
        assert_eq!(ipv6(&dns, host).await, "::1");
        assert_eq!(mx(&dns, host).await, "no data");
    }
    assert_eq!(mx(&dns, "a.invalid").await, "no such name");
    assert_eq!(ipv4(&dns, "abc.onion").await, "no such name");
    assert_eq!(server.asked(), Vec::<String>::new());
}

/// A label has 63 octets at most and a name 255; the root is no name of a host.
#[tokio::test]
async fn a_name_that_the_dns_cannot_have_is_not_asked_for() {
    let server = Server::start(zones(), false).await;
    let dns = dns(&server, Trust::None);
    let long = format!("{}.example", "a".repeat(64));
    let many = vec!["a".repeat(60); 5].join(".");
    for text in [long.as_str(), &many, "", ".", "a..b", ".a", "a\\", "a\\7", "a\\400.b", "bücher.example"] {
        assert_eq!(dns.txt(text).await, Lookup::NoSuchName, "{text}");
    }
    assert_eq!(server.asked(), Vec::<String>::new());
}

/// A label is any octets (RFC 2181 §11), and the macros of an SPF record make names of what a client says (RFC 7208 §7.3).
#[tokio::test]
async fn a_name_that_no_host_has_is_asked_for_as_it_is() {
    let mut zones = zones();
    let address = || vec![RData::try_from_str(RecordType::A, "192.0.2.7").unwrap()];
    for label in [&b"foo:bar/baz"[..], b"macro%percent  space%20", b"a\\"] {
        zones.add_data_at(Name::from_labels([label, b"example"]).unwrap(), address());
    }
    let odd = Name::from_labels([&b"foo:bar/baz"[..], b"example"]).unwrap();
    zones.add_data("mx-to-odd.example", vec![RData::MX(MX::new(10, odd))]);
    let server = Server::start(zones, false).await;
    let dns = dns(&server, Trust::None);
    for text in [
        "foo:bar/baz.example",
        "macro%percent  space%20.example",
        "a\\\\.example.",
        "foo\\:bar\\057baz.example",
    ] {
        let Lookup::Records { records, .. } = dns.ipv4_at(text).await else { panic!("{text}") };
        assert_eq!(records, ["192.0.2.7".parse::<std::net::Ipv4Addr>().unwrap()], "{text}");
    }
    // As a record tells it, so it is asked for; SPF takes no backslash for a name.
    let Lookup::Records { records, .. } = dns.mx_at("mx-to-odd.example").await else { panic!() };
    assert_eq!(records[0].exchange, "foo:bar/baz.example.");
    assert!(matches!(dns.ipv4_at(&records[0].exchange).await, Lookup::Records { .. }), "{records:?}");
}

/// attacks.md 21 and 12: names of any octets, in answers and as what an alias leads to.
#[tokio::test]
async fn names_of_any_octets_are_shown_as_printable_text() {
    let mut zones = zones();
    let odd = Name::from_labels([&b"a\r\n\0\xff\x1b[2J. \\\""[..], b"example"]).unwrap();
    let longest = Name::from_labels([&[0xffu8; 63][..], &[0u8; 63], &[b'.'; 63], &[b'\\'; 61]]).unwrap();
    let exchanges = [&odd, &longest].map(|host| RData::MX(MX::new(10, host.clone())));
    zones.add_data("odd.example", exchanges.into());
    zones.add_data("oddalias.example", vec![RData::CNAME(CNAME(odd))]);
    let server = Server::start(zones, false).await;
    let dns = dns(&server, Trust::None);
    let Lookup::Records { records, .. } = dns.mx(&domain("odd.example")).await else { panic!() };
    assert_eq!(records.len(), 2);
    for record in records {
        assert!(record.exchange.bytes().all(|octet| octet.is_ascii_graphic()), "{:?}", record.exchange);
    }
    assert_eq!(mx(&dns, "oddalias.example").await, "no such name");
    assert_eq!(dns_ptr(&dns, "192.0.2.2".parse().unwrap()).await, "no data");
}

/// attacks.md 21.
#[tokio::test]
async fn servfail_refusal_silence_and_nonsense_are_told_apart() {
    let server = Server::start(zones(), false).await;
    for (fault, expected) in [
        (Fault::Code(ResponseCode::ServFail), "ServerFailure"),
        (Fault::Code(ResponseCode::Refused), "ServerFailure"),
        (Fault::Code(ResponseCode::NotImp), "ServerFailure"),
        (Fault::Code(ResponseCode::FormErr), "ServerFailure"),
        (Fault::Code(ResponseCode::YXDomain), "ServerFailure"),
        (Fault::AlwaysTruncated, "Malformed"),
        (Fault::AlwaysGarbage, "Malformed"),
        (Fault::Extended(6), "Bogus"),
        (Fault::Extended(7), "Bogus"),
        (Fault::Extended(12), "Bogus"),
        (Fault::Extended(22), "TimedOut"),
        (Fault::Extended(3), "ServerFailure"),
    ] {
        server.fault("lame.example", RecordType::MX, fault.clone());
        for trust in [Trust::None, Trust::LocalResolver] {
            assert_eq!(mx(&dns(&server, trust), "lame.example").await, expected, "{fault:?}");
        }
    }
    server.fault("lame.example", RecordType::MX, Fault::Silent);
    assert_eq!(mx(&impatient(&server, 2), "lame.example").await, "TimedOut");
}

#[tokio::test]
async fn nobody_at_the_address_of_a_resolver_is_silence() {
    let server = Server::start(zones(), false).await;
    // A port of TCP alone.
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let servers = vec![taken.local_addr().unwrap()];
    let alone = Dns::new(&DnsOptions { servers, ..options(&server, Trust::None) }).unwrap();
    assert_eq!(mx(&alone, "mail.example").await, "TimedOut");
}

#[tokio::test]
async fn a_silent_resolver_is_asked_again() {
    let server = Server::start(zones(), false).await;
    server.fault("mail.example", RecordType::MX, Fault::SilentOnce);
    let dns = impatient(&server, 1000);
    assert_eq!(mx(&dns, "mail.example").await, "20 b.example.,10 a.example.");
    assert!(server.asked().len() >= 2);
    server.fault("lame.example", RecordType::MX, Fault::Silent);
    assert_eq!(mx(&impatient(&server, 3), "lame.example").await, "TimedOut");
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn the_next_resolver_answers_where_one_fails_and_is_asked_first_from_then_on() {
    let (lame, good) = (Server::start(zones(), false).await, Server::start(zones(), false).await);
    for kind in [RecordType::MX, RecordType::A, RecordType::AAAA] {
        lame.fault("mail.example", kind, Fault::Code(ResponseCode::ServFail));
        lame.fault("b.example", kind, Fault::Code(ResponseCode::Refused));
    }
    let servers = vec![lame.address, good.address];
    let dns = Dns::new(&DnsOptions { servers, ..options(&good, Trust::None) }).unwrap();
    assert_eq!(mx(&dns, "mail.example").await, "20 b.example.,10 a.example.");
    assert_eq!(lame.asked(), ["udp mail.example. MX"]);
    assert_eq!(ipv4(&dns, "b.example").await, "192.0.2.2,192.0.2.3");
    assert_eq!(lame.asked(), Vec::<String>::new());
    // That there is nothing is an answer.
    assert_eq!(mx(&dns, "nothing.example").await, "no such name");
    assert_eq!(lame.asked(), Vec::<String>::new());
}

/// A resolver that says that an answer is false is not overruled by one that does not look.
#[tokio::test]
async fn no_other_resolver_is_asked_about_an_answer_that_one_calls_false() {
    let (strict, other) = (Server::start(zones(), true).await, Server::start(zones(), false).await);
    strict.fault("mail.example", RecordType::MX, Fault::Extended(6));
    let servers = vec![strict.address, other.address];
    let dns = Dns::new(&DnsOptions { servers, ..options(&other, Trust::LocalResolver) }).unwrap();
    assert_eq!(mx(&dns, "mail.example").await, "Bogus");
    assert_eq!(other.asked(), Vec::<String>::new());
}

/// RFC 7766 §5.
#[tokio::test]
async fn what_is_too_large_for_udp_comes_by_tcp() {
    let server = Server::start(zones(), false).await;
    for fault in [Fault::Truncated, Fault::Garbage] {
        server.fault("mail.example", RecordType::MX, fault);
        let dns = dns(&server, Trust::None);
        assert_eq!(mx(&dns, "mail.example").await, "20 b.example.,10 a.example.");
        assert_eq!(server.asked(), ["udp mail.example. MX", "tcp mail.example. MX"]);
    }
}

/// RFC 5452 §9.1.
#[tokio::test]
async fn answers_to_other_questions_are_passed_over() {
    let server = Server::start(zones(), false).await;
    server.fault("mail.example", RecordType::MX, Fault::Forged);
    assert_eq!(mx(&dns(&server, Trust::None), "mail.example").await, "20 b.example.,10 a.example.");
}

/// RFC 6891 §7.
#[tokio::test]
async fn a_resolver_that_does_not_know_edns_is_asked_without() {
    let server = Server::start(zones(), false).await;
    server.fault("mail.example", RecordType::MX, Fault::NoEdns);
    assert_eq!(mx(&dns(&server, Trust::None), "mail.example").await, "20 b.example.,10 a.example.");
    let with_edns: Vec<_> = server.requests().iter().map(|request| request.edns.is_some()).collect();
    assert_eq!(with_edns, [true, false]);
}

/// attacks.md 21: an answer has 64 KiB at most, which bounds it; all that it says is told.
#[tokio::test]
async fn a_thousand_mx_records_are_read() {
    let mut zones = zones();
    let records = (0..1000).map(|n| RData::MX(MX::new(n, name(&format!("h{n}.many.example")))));
    zones.add_data("many.example", records.collect());
    let server = Server::start(zones, false).await;
    let answer = dns(&server, Trust::None).mx(&domain("many.example")).await;
    let Lookup::Records { records, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(records.len(), 1000);
    assert_eq!(server.asked(), ["udp many.example. MX", "tcp many.example. MX"]);
}

#[tokio::test]
async fn answers_and_that_there_are_none_are_remembered() {
    let server = Server::start(zones(), false).await;
    let dns = dns(&server, Trust::None);
    server.fault("lame.example", RecordType::MX, Fault::Code(ResponseCode::ServFail));
    for _ in 0..3 {
        assert_eq!(ipv4(&dns, "B.Example").await, "192.0.2.2,192.0.2.3");
        assert_eq!(ipv4(&dns.clone(), "b.example").await, "192.0.2.2,192.0.2.3");
        assert_eq!(mx(&dns, "nothing.example").await, "no such name");
        assert_eq!(mx(&dns, "b.example").await, "no data");
        assert_eq!(mx(&dns, "lame.example").await, "ServerFailure");
    }
    let mut asked = server.asked();
    asked.sort();
    assert_eq!(
        asked,
        ["udp b.example. A", "udp b.example. MX", "udp lame.example. MX", "udp nothing.example. MX"]
    );
}

#[tokio::test]
async fn without_room_nothing_is_remembered() {
    let server = Server::start(zones(), false).await;
    let dns = Dns::new(&DnsOptions { cache_entries: 0, ..options(&server, Trust::None) }).unwrap();
    for _ in 0..2 {
        assert_eq!(ipv4(&dns, "a.example").await, "192.0.2.1");
    }
    assert_eq!(server.asked().len(), 2);
}

/// Many messages for a new destination ask for it at the same time.
#[tokio::test]
async fn the_same_question_is_asked_once_by_all_who_wait_for_it() {
    let server = Server::start(zones(), false).await;
    let dns = dns(&server, Trust::None);
    let waiting = (0..100).map(|_| mx(&dns, "mail.example"));
    for answer in futures_util::future::join_all(waiting).await {
        assert_eq!(answer, "20 b.example.,10 a.example.");
    }
    assert_eq!(server.asked(), ["udp mail.example. MX"]);
}

/// Whoever asked first may have gone away.
#[tokio::test]
async fn an_answer_comes_for_those_who_still_wait() {
    let server = Server::start(zones(), false).await;
    let dns = dns(&server, Trust::None);
    let first = dns.clone();
    let asking = tokio::spawn(async move { mx(&first, "mail.example").await });
    tokio::task::yield_now().await;
    let second = dns.clone();
    let waiting = tokio::spawn(async move { mx(&second, "mail.example").await });
    tokio::task::yield_now().await;
    asking.abort();
    assert_eq!(waiting.await.unwrap(), "20 b.example.,10 a.example.");
}

/// RFC 6840 §5.7 and §5.8.
#[tokio::test]
async fn a_resolver_is_believed_where_that_is_configured_and_not_else() {
    let (validating, other) = (Server::start(zones(), true).await, Server::start(zones(), false).await);
    assert_eq!(ipv4(&dns(&validating, Trust::LocalResolver), "a.example").await, "192.0.2.1*");
    assert_eq!(ipv4(&dns(&validating, Trust::None), "a.example").await, "192.0.2.1");
    assert_eq!(ipv4(&dns(&other, Trust::LocalResolver), "a.example").await, "192.0.2.1");
    assert_eq!(
        mx(&dns(&validating, Trust::LocalResolver), "mailalias.example").await,
        "20 b.example.,10 a.example. < mail.example*"
    );
    let asked: Vec<_> = validating.requests().iter().map(|request| request.metadata.authentic_data).collect();
    assert_eq!(asked, [true, false, true]);
}
