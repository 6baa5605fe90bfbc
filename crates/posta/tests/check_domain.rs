//! `posta check DOMAIN` as a person and a script meet it: a name server and mail hosts on loopback, one of them a node of
//! Posta, one a script.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

mod common;
#[path = "common/dns.rs"]
mod dns;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Output;

use common::{Server, code, data, path, run, stderr};
use dns::name_server;
use serde_json::Value;

/// What others may know of the domain; `localhost` is what the certificate of dev mode is for.
const ZONE: &str = r#"
example.org. IN MX 10 mx.example.org.
mx.example.org. IN A 127.0.0.1
1.0.0.127.in-addr.arpa. IN PTR mx.example.org.
example.org. IN TXT "v=spf1 mx -all"
sel._domainkey.example.org. IN TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
_dmarc.example.org. IN TXT "v=DMARC1; p=reject; rua=mailto:dmarc@example.org"
"#;

/// A configuration that lets mail hosts be on this machine.
struct House {
    _folder: tempfile::TempDir,
    config: PathBuf,
    data: PathBuf,
}

impl House {
    fn new() -> Self {
        let (folder, data) = data();
        let config = folder.path().join("posta.toml");
        let text = "host_name = \"client.example\"\n[delivery]\nprivate_addresses = \"any\"\n[dns]\ntimeout_s = 2\nattempts = 1\n";
        std::fs::write(&config, text).unwrap();
        Self { _folder: folder, config, data }
    }

    fn check(&self, zone: &str, arguments: &[&str]) -> Output {
        let dns = name_server(zone, &[]).to_string();
        let given =
            ["check", "--config", path(&self.config), "--data", path(&self.data), "--dns", dns.as_str()];
        run(&[&given, arguments].concat())
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

/// Verdict and sentence of a topic.
fn told(document: &Value, topic: &str) -> Vec<(String, String)> {
    let findings = document["findings"].as_array().unwrap();
    let of_topic = findings.iter().filter(|finding| finding["topic"] == topic);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of_topic.map(|finding| (text(&finding["verdict"]), text(&finding["says"]))).collect()
}

#[track_caller]
fn assert_told(document: &Value, topic: &str, verdict: &str, says: &str) {
    let all = told(document, topic);
    assert!(
        all.iter().any(|(is, said)| is == verdict && said.contains(says)),
        "{topic} {verdict} {says}: {all:#?}"
    );
}

/// Takes one connection after the other, and answers each line by its first word. Ends with the test.
fn scripted(greeting: &'static str, rcpt: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            write!(stream, "{greeting}\r\n").unwrap();
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let Ok(line) = line else { break };
                let reply = match line.split(' ').next().unwrap_or_default() {
                    "EHLO" => "250-mx.example.org\r\n250 SIZE 1000",
                    "RCPT" if line.contains("abuse@") => rcpt,
                    "DATA" => panic!("a message is begun"),
                    "QUIT" => "221 bye",
                    _ => "250 ok",
                };
                if write!(stream, "{reply}\r\n").is_err() {
                    break;
                }
            }
        }
    });
    port.to_string()
}

#[test]
fn a_node_is_met_and_its_certificate_is_looked_at() {
    let house = House::new();
    let server = Server::dev(&house.data);
    let address = server.address("smtp");
    let port = address.rsplit_once(':').unwrap().1;
    let authority = server.ready["ca"].as_str().unwrap().to_owned();
    let zone = ZONE.replace("mx.example.org. IN A 127.0.0.1", "localhost.example.org. IN A 127.0.0.1");
    let output = house
        .check(ZONE, &["example.org", "--port", port, "--selector", "sel", "--ca", &authority, "--json"]);
    let document = json(&output);
    assert_eq!(code(&output), 0, "{document:#}");
    assert_told(&document, "smtp", "good", "mx.example.org (127.0.0.1) answers");
    assert_told(&document, "ptr", "good", "127.0.0.1 has the name mx.example.org");
    assert_told(&document, "spf", "good", "127.0.0.1 may send for the domain by mx");
    assert_told(&document, "dkim", "good", "Ed25519");
    assert_told(&document, "dmarc", "good", "refuse");
    assert_told(&document, "mta-sts", "notice", "no MTA-STS policy");
    // The certificate of dev mode is one of localhost.
    assert_told(&document, "tls", "warning", "does not show that it is mx.example.org");
    assert_eq!((&document["domain"], &document["verdict"]), (&"example.org".into(), &"warning".into()));
    assert_eq!(document["summary"]["bad"], 0);
    // Without a name that it has, nobody is met.
    let output = house.check(&zone, &["example.org", "--port", port]);
    assert_eq!(code(&output), 1);
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.starts_with("The mail domain example.org\n\n"), "{page}");
    assert!(page.contains("\nMail hosts (MX)\n"), "{page}");
    assert!(page.contains("mx.example.org is named as a mail host, and has no address"), "{page}");
    assert!(page.contains("\n           > mx.example.org. 3600 IN A ADDRESS"), "{page}");
    assert!(page.ends_with(": mail is lost, refused or open to forgery\n"), "{page}");
}

#[test]
fn keys_of_the_server_itself_are_compared_with_the_dns() {
    let house = House::new();
    let added = run(&["domain", "add", "example.org", "--data", path(&house.data)]);
    assert_eq!(code(&added), 0, "{}", stderr(&added));
    let port = scripted("220 mx.example.org ESMTP", "250 ok");
    let document = json(&house.check(ZONE, &["example.org", "--port", &port, "--json"]));
    assert_told(&document, "dkim", "bad", "signatures by the selector");
}

#[test]
fn recipients_are_asked_for_and_no_message_is_begun() {
    let house = House::new();
    let port = scripted("220 mx.example.org ESMTP", "550 5.1.1 no such user");
    let output = house.check(ZONE, &["ada@example.org", "--port", &port, "--probe", "--json"]);
    let document = json(&output);
    assert_told(&document, "recipient", "good", "ada@example.org takes mail");
    assert_told(&document, "recipient", "good", "postmaster@example.org takes mail");
    assert_told(&document, "recipient", "warning", "no such user");
    assert_told(&document, "tls", "warning", "offers no encryption");
    assert_told(&document, "hello", "good", "calls itself mx.example.org");
    // Unasked, nobody is asked for.
    let document = json(&house.check(ZONE, &["ada@example.org", "--port", &port, "--json"]));
    assert_eq!(told(&document, "recipient"), []);
}

#[test]
fn a_host_that_refuses_is_told_with_its_words() {
    let house = House::new();
    let port = scripted("554 5.7.1 not \x1b[2J you", "250 ok");
    let output = house.check(ZONE, &["example.org", "--port", &port]);
    let page = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(code(&output), 1, "{page}");
    assert!(page.contains("does not let this machine in: 554 5.7.1 not"), "{page}");
    assert!(!page.contains('\x1b'), "{page:?}");
}

/// As where a network answers on port 25 in the place of all others, and lets nobody through.
#[test]
fn a_host_that_hangs_up_before_it_greets_is_not_blamed() {
    let house = House::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let output = house.check(ZONE, &["example.org", "--port", &port, "--json"]);
    assert_told(&json(&output), "smtp", "unknown", "none of 1 address answers");
    assert_eq!(code(&output), 0);
}

#[test]
fn lists_are_asked_for_the_addresses_of_mail_hosts() {
    let house = House::new();
    let port = scripted("220 mx.example.org ESMTP", "250 ok");
    let list = "2.0.0.127.list.example. IN A 127.0.0.2\n1.0.0.127.other.example. IN A 127.0.0.2\n2.0.0.127.other.example. IN A 127.0.0.2\n";
    let zone = format!("{ZONE}{list}");
    let arguments =
        ["example.org", "--port", &port, "--dnsbl", "list.example", "--dnsbl", "other.example", "--json"];
    let document = json(&house.check(&zone, &arguments));
    assert_told(&document, "dnsbl", "good", "127.0.0.1 is not on the list list.example");
    // It has what no list may have (RFC 5782 §5).
    assert_told(&document, "dnsbl", "unknown", "other.example does not answer for its test entries");
}

#[test]
fn what_cannot_be_checked_has_codes_of_its_own() {
    let house = House::new();
    for (arguments, expected) in [
        (&["check"][..], 64),
        (&["check", "a b"], 65),
        (&["check", "ada@[192.0.2.1]"], 65),
        (&["check", "192.0.2.1"], 65),
        (&["check", "[IPv6:2001:db8::1]"], 65),
        (&["dmarc", "lookup", "192.0.2.1"], 65),
        (&["spf", "walk", "192.0.2.1"], 65),
        (&["check", "example.org", "--dns", "nowhere"], 64),
    ] {
        assert_eq!(code(&run(arguments)), expected, "{arguments:?}");
    }
    // Nobody is there to ask: the socket is closed.
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = run(&["check", "example.org", "--config", path(&house.config), "--dns", &nobody, "--json"]);
    assert_eq!(code(&output), 75, "{}", stderr(&output));
    assert_told(&json(&output), "mx", "unknown", "could not be found out");
    let output = house.check(ZONE, &["gone.example", "--json"]);
    assert_eq!(code(&output), 1);
    assert_told(&json(&output), "mx", "bad", "knows no such domain");
}
