//! Tests of `[[transport]]`.

use super::super::Config;
use super::*;

fn rules_of(text: &str) -> Transports {
    Config::parse("posta.toml", text).unwrap().transports
}

fn faults(text: &str) -> Vec<(usize, String, String)> {
    let error = Config::parse("posta.toml", text).expect_err(text);
    error.findings().map(|(line, finding)| (line, finding.what.clone(), finding.mend.clone())).collect()
}

fn host(text: &str) -> Host {
    text.parse::<IpAddr>()
        .map_or_else(|_| Host::Domain(text.parse().unwrap()), |ip| Host::Literal(AddressLiteral::Ip(ip)))
}

#[test]
fn every_way_for_mail_is_read_as_it_is_written() {
    let to_host = |name: &str, port, scheme| TransportTo::Host { host: host(name), port, scheme };
    for (text, expected) in [
        ("mx", TransportTo::Mx),
        ("mx:other.example", TransportTo::MxOf("other.example".parse().unwrap())),
        ("smtp://host.example:25", to_host("host.example", 25, Scheme::Smtp)),
        ("smtp://192.0.2.1:2525", to_host("192.0.2.1", 2525, Scheme::Smtp)),
        ("smtp://[2001:db8::1]:25", to_host("2001:db8::1", 25, Scheme::Smtp)),
        ("smtps://host.example:465", to_host("host.example", 465, Scheme::Smtps)),
        ("lmtp://host.example:24", to_host("host.example", 24, Scheme::Lmtp)),
        ("lmtp:/run/store/lmtp", TransportTo::Socket("/run/store/lmtp".into())),
        ("on-demand", TransportTo::OnDemand),
        ("discard", TransportTo::Discard),
        ("fail", TransportTo::Fail),
    ] {
        assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
        assert_eq!(expected.to_string(), text);
    }
}

#[test]
fn a_way_that_leads_nowhere_says_why() {
    for (text, what) in [
        ("", "no way for mail"),
        ("smtp", "no way for mail"),
        ("http://host.example:80", "no way for mail"),
        ("smtp://host.example", "has no port"),
        ("smtp://host.example:", "is no port"),
        ("smtp://host.example:0", "is no port"),
        ("smtp://host.example:+25", "is no port"),
        ("smtp://host.example:65536", "is no port"),
        ("smtp://2001:db8::1", "in brackets"),
        ("smtp://[2001:db8::1]", "has no port"),
        ("smtp://[host.example]:25", "no IP address"),
        ("smtp://-host:25", "-host"),
        ("lmtp://host.example:25", "port 25 is not for LMTP"),
        ("lmtp:socket", "begins with a slash"),
        ("lmtp:/", "begins with a slash"),
        ("mx:", "\"\""),
    ] {
        let error = text.parse::<TransportTo>().unwrap_err();
        assert!(error.contains(what), "{text}: {error}");
    }
}

#[test]
fn the_closest_rule_is_that_of_a_destination_and_the_dns_decides_about_the_rest() {
    let rules = rules_of(
        "[[transport]]\nmatch = '.example.org'\nto = 'discard'\n\
         [[transport]]\nmatch = 'a.example.org'\nto = 'mx:b.example'\n\
         [[transport]]\nmatch = '.b.example.org'\nto = 'smtp://host.example:25'\n",
    );
    for (destination, transport) in [
        ("a.example.org", Transport::MxOf("b.example".parse().unwrap())),
        ("x.a.example.org", Transport::Discard),
        ("A.EXAMPLE.ORG", Transport::MxOf("b.example".parse().unwrap())),
        (
            "x.b.example.org",
            Transport::Host { host: host("host.example"), port: 25, protocol: Protocol::Smtp },
        ),
        ("example.org", Transport::Mx),
        ("192.0.2.1", Transport::Mx),
    ] {
        assert_eq!(rules.rule(&host(destination)).rule.transport, transport, "{destination}");
    }
}

#[test]
fn each_word_for_tls_is_that_of_its_rule() {
    for (word, tls) in [
        ("default", None),
        ("none", Some(OutboundTls::None)),
        ("opportunistic", Some(OutboundTls::Opportunistic)),
        ("required", Some(OutboundTls::Required)),
        ("verified", Some(OutboundTls::Verified)),
        ("dane", Some(OutboundTls::Dane)),
    ] {
        let rules = rules_of(&format!("[[transport]]\nmatch = '*'\nto = 'mx'\ntls = '{word}'\n"));
        assert_eq!(rules.rule(&host("example.org")).tls, tls, "{word}");
    }
}

#[test]
fn a_password_is_read_from_its_file_and_sent_to_a_verified_host_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "secret word\nnot this\n").unwrap();
    let rules = rules_of(&format!(
        "[[transport]]\nmatch = '*'\nto = 'smtps://host.example:465'\nuser = 'me'\npassword_file = '{}'\n",
        file.display()
    ));
    let rule = rules.rule(&host("example.org"));
    assert_eq!(rule.tls_start, TlsStart::AtOnce);
    assert_eq!(rule.tls, Some(OutboundTls::Verified));
    let login = rule.login.as_ref().unwrap();
    assert_eq!((login.user.as_str(), login.password.expose()), ("me", "secret word"));
    assert!(!format!("{rules:?}").contains("secret"));
    for octets in [&b""[..], b"\nsecret", b"\xff\n", b"a\0b", &[b'a'; 1001]] {
        std::fs::write(&file, octets).unwrap();
        assert!(read_password(&file).is_err(), "{octets:?}");
    }
    std::fs::write(&file, [b'a'; 1000]).unwrap();
    assert!(read_password(&file).is_ok());
}

#[test]
fn keys_of_a_rule_that_do_not_go_together_are_faults() {
    let to = |to: &str, more: &str| format!("[[transport]]\nmatch = '*'\nto = '{to}'\n{more}");
    for (text, line, what, mend) in [
        ("transport = 5".to_owned(), 1, "`transport` is a list of tables", "[[transport]]"),
        ("[[transport]]\nmatch = '*'".to_owned(), 1, "no `to`", "smtp://"),
        ("[[transport]]\nto = 'mx'".to_owned(), 1, "no `match`", "example.org"),
        ("[[transport]]\nmatch = 'a b'\nto = 'mx'".to_owned(), 2, "`match`", ".example.org"),
        (to("smtp://host.example", ""), 3, "has no port", "smtp://host.example:25"),
        (to("mx", "text = 'x'"), 4, "`text` goes with", "change `to`"),
        (to("mx", "status = '5.1.1'"), 4, "`status` goes with", "change `to`"),
        (to("fail", "status = '2.0.0'"), 4, "no status of success", "5.7.1"),
        (to("fail", "status = '550'"), 4, "5.7.1", "5.7.1"),
        (to("mx", "user = 'x'\npassword_file = '/nowhere/at/all'"), 4, "`user` goes with a host", ""),
        (to("smtp://h.example:25", "user = 'x'"), 4, "without `password_file`", "password_file ="),
        (to("smtp://h.example:25", "password_file = 'x'"), 4, "without `user`", "user ="),
        (
            to("smtp://h.example:25", "user = 'x'\npassword_file = '/nowhere/at/all'"),
            5,
            "/nowhere/at/all: No such file",
            "may read",
        ),
        (to("lmtp:/run/x", "tls = 'none'"), 4, "leaves this machine", "remove it"),
        (to("smtps://h.example:465", "tls = 'none'"), 4, "smtps begins with TLS", "smtp://"),
        (to("mx", "tls_names = ['a.example']"), 4, "that is verified", "tls = \"verified\""),
        (to("mx", "source_addresses = ['::']"), 4, "no address of a machine", "this machine"),
        (format!("{}{}", to("mx", ""), to("discard", "")), 5, "two rules", "one of the two"),
    ] {
        let faults = faults(&text);
        let (at, found, mended) = &faults[0];
        assert!(*at == line && found.contains(what) && mended.contains(mend), "{text}: {faults:?}");
    }
}
