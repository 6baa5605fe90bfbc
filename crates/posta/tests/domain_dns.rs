//! `posta domain dns`: the records that it prints are served by a name server of this test as they are, altered, and not at
//! all, and `--check` says so; with a server that runs, with a configuration alone, and with neither.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

mod common;

#[path = "common/dns.rs"]
mod dns;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::{Server, code, json, path, run, stderr, stdout};
use dns::name_server;
use serde_json::Value;

/// A store with a domain and its keys, and the configuration of its server, which does not run.
struct House {
    _folder: tempfile::TempDir,
    config: PathBuf,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let config = folder.path().join("posta.toml");
        let text = format!(
            "host_name = \"mail.example.org\"\ndata = {data:?}\n\
             [[listener]]\nservice = \"smtp\"\naddress = \"0.0.0.0:25\"\n\
             [[listener]]\nservice = \"pop3\"\naddress = \"192.0.2.25:1110\"\n\
             [[listener]]\nservice = \"submission\"\naddress = \"127.0.0.1:587\"\ntls = \"offered\"\n"
        );
        std::fs::write(&config, text).unwrap();
        stdout(&run(&["domain", "add", "example.org", "--data", path(&data)]));
        Self { _folder: folder, config }
    }

    fn dns(&self, arguments: &[&str]) -> Output {
        let given =
            ["domain", "dns", "example.org", "--config", path(&self.config), "--address", "192.0.2.25"];
        run(&[&given, arguments].concat())
    }

    /// What `--zone` prints, with the name of the address, which is the provider's to publish.
    fn zone(&self) -> String {
        let zone = stdout(&self.dns(&["--zone"]));
        let ptr = "; 25.2.0.192.in-addr.arpa. 3600 IN PTR mail.example.org.";
        assert!(zone.contains(ptr), "{zone}");
        zone.replace(ptr, &ptr[2..])
    }

    fn check(&self, zone: &str) -> Output {
        self.check_with(zone, &[])
    }

    fn check_with(&self, zone: &str, failing: &'static [&'static str]) -> Output {
        let server = name_server(zone, failing).to_string();
        self.dns(&["--check", "--json", "--dns", &server])
    }
}

/// Without the lines that hold `part`.
fn without(zone: &str, part: &str) -> String {
    assert!(zone.contains(part), "{part}\n{zone}");
    zone.lines().filter(|line| !line.contains(part)).map(|line| format!("{line}\n")).collect()
}

fn checks(output: &Output) -> Vec<Value> {
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}{}", String::from_utf8_lossy(&output.stdout), stderr(output))
    });
    document["checks"].as_array().unwrap().clone()
}

/// The state of a topic: of several checks that of the first that is not as it should be.
fn state(checks: &[Value], topic: &str) -> String {
    let of_topic: Vec<_> = checks.iter().filter(|check| check["topic"] == topic).collect();
    assert!(!of_topic.is_empty(), "{topic}: {checks:#?}");
    let first = of_topic.iter().find(|check| check["state"] != "matches").unwrap_or(&of_topic[0]);
    first["state"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_printed_as_a_zone_is_found_by_the_check() {
    let house = House::new();
    // The policy of MTA-STS is a file elsewhere.
    let zone = without(&house.zone(), "v=STSv1");
    let output = house.check(&zone);
    let checks = checks(&output);
    for topic in ["mx", "address", "ptr", "spf", "dkim", "dmarc", "tls-rpt", "srv"] {
        assert_eq!(state(&checks, topic), "matches", "{topic}: {checks:#?}");
    }
    assert_eq!(checks.iter().filter(|check| check["topic"] == "dkim").count(), 2, "{checks:#?}");
    assert_eq!(state(&checks, "mta-sts"), "missing");
    assert_eq!(code(&output), 0);
}

#[test]
fn records_that_are_missing_or_others_are_told_apart_and_fail() {
    let house = House::new();
    let zone = without(&without(&house.zone(), "v=STSv1"), "IN PTR");
    let zone = zone.replace("10 mail.example.org.", "10 mx.example.net.");
    let zone = zone.replace("\"v=spf1 mx ~all\"", "\"v=spf1 ip4:198.51.100.1 -all\"");
    let output = house.check(&zone);
    let checks = checks(&output);
    for (topic, expected) in [("mx", "differs"), ("spf", "differs"), ("ptr", "missing"), ("dmarc", "matches")]
    {
        assert_eq!(state(&checks, topic), expected, "{checks:#?}");
    }
    let mx = checks.iter().find(|check| check["topic"] == "mx").unwrap();
    assert_eq!(mx["verdict"], "bad");
    assert_eq!(mx["mend"], "example.org. 3600 IN MX 10 mail.example.org.");
    assert_eq!(code(&output), 1);
}

#[test]
fn what_the_name_server_does_not_answer_is_unknown_and_has_a_code_of_its_own() {
    let house = House::new();
    let zone = without(&house.zone(), "v=STSv1");
    let output = house.check_with(&zone, &["_smtp._tls.example.org"]);
    assert_eq!(state(&checks(&output), "tls-rpt"), "unknown");
    assert_eq!(code(&output), 75);
}

#[test]
fn people_read_the_same() {
    let house = House::new();
    let page = stdout(&house.dns(&[]));
    for part in
        ["Mail hosts (MX)\n  MX example.org  (needed)\n      10 mail.example.org\n", "the file:", "--zone"]
    {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let server = name_server("example.org. 60 IN MX 10 mail.example.org.\n", &[]).to_string();
    let output = house.dns(&["--check", "--dns", &server]);
    let page = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(page.contains("  there    example.org: mail goes to mail.example.org\n"), "{page}");
    assert!(page.contains("  missing  example.org: there is no SPF record\n"), "{page}");
    assert!(page.contains("           > example.org. 3600 IN TXT \"v=spf1 mx ~all\"\n"), "{page}");
    assert!(!page.contains('\u{1b}'), "{page}");
    assert_eq!(code(&output), 1);
}

/// Those on loopback are no services for others.
#[test]
fn services_and_keys_are_those_of_the_server() {
    let house = House::new();
    let document = json(&house.dns(&["--json"]));
    assert_eq!(document["host"], "mail.example.org");
    let records = document["records"].as_array().unwrap();
    let value = |name: &str| {
        let record = records.iter().find(|record| record["name"] == name);
        record.unwrap_or_else(|| panic!("{name}: {document:#}"))["value"].clone()
    };
    assert_eq!(value("_pop3._tcp.example.org"), "0 1 1110 mail.example.org");
    assert_eq!(value("_submission._tcp.example.org"), "0 0 0 .");
    let keys = records.iter().filter(|record| record["topic"] == "dkim").count();
    assert_eq!(keys, 2, "{document:#}");
    assert!(document["mta_sts_policy"].as_str().unwrap().contains("mx: mail.example.org\n"));
}

#[test]
fn a_running_server_tells_its_certificate() {
    let (_folder, data) = common::data();
    let server = Server::dev(&data);
    let data = path(&data);
    // It calls itself localhost, which nobody else finds.
    let refused = run(&["domain", "dns", "example.org", "--data", data]);
    assert_eq!(code(&refused), 65, "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--host"), "{}", stderr(&refused));
    let document =
        json(&run(&["domain", "dns", "example.org", "--host", "mail.example.org", "--json", "--data", data]));
    let tlsa =
        document["records"].as_array().unwrap().iter().find(|record| record["type"] == "TLSA").cloned();
    let tlsa = tlsa.unwrap_or_else(|| panic!("{document:#}"));
    assert!(tlsa["value"].as_str().unwrap().starts_with("3 1 1 "), "{tlsa}");
    drop(server);
}

#[test]
fn without_a_server_or_a_store_the_host_is_to_be_named() {
    let nowhere = tempfile::tempdir().unwrap();
    let nowhere = path(Path::new(nowhere.path())).to_owned();
    let dns = |arguments: &[&str]| {
        run(&[&["domain", "dns", "example.org", "--data", &nowhere], arguments].concat())
    };
    assert_eq!(code(&dns(&[])), 69);
    let zone = stdout(&dns(&["--host", "mx.example.net", "--zone"]));
    assert!(zone.contains("example.org. 3600 IN MX 10 mx.example.net.\n"), "{zone}");
    assert!(zone.contains("; note: the keys of DKIM are not known"), "{zone}");
    for (arguments, expected) in [
        (&["--host", "two words"][..], 65),
        (&["--host", "mx.example.net", "--reports", "nobody"], 65),
        (&["--host", "mx.example.net", "--zone", "--check"], 64),
    ] {
        assert_eq!(code(&dns(arguments)), expected, "{arguments:?}");
    }
}

#[test]
fn a_domain_without_mail_needs_no_server() {
    let zone = stdout(&run(&["domain", "dns", "unused.example", "--no-mail", "--zone"]));
    let server = name_server(&zone, &[]).to_string();
    let check =
        |server: &str| run(&["domain", "dns", "unused.example", "--no-mail", "--check", "--dns", server]);
    // The name server of this test knows no wildcards, so the revoked key of all selectors is missing.
    let page = stdout(&check(&server));
    assert!(page.contains("there    unused.example: the domain says that it takes no mail"), "{page}");
    let empty = name_server("other.example. 60 IN A 192.0.2.1\n", &[]).to_string();
    assert_eq!(code(&check(&empty)), 1);
}
