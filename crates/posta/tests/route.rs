//! `posta route` as a person and a script meet it. What needs the DNS asks a resolver that is not there, or one of this
//! test's own that knows of nothing.

#![allow(clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

const TRANSPORTS: &str = r#"
[delivery]
mta_sts = "off"

[[transport]]
match = "smart.example"
to = "smtp://192.0.2.25:587"
tls = "none"

[[transport]]
match = "gone.example"
to = "discard"

[[transport]]
match = "closed.example"
to = "fail"
text = "no mail for this domain"
status = "5.7.1"

[[transport]]
match = ".inside.example"
to = "lmtp:/run/lmtp.sock"

[[transport]]
match = "later.example"
to = "on-demand"
"#;

struct Setting {
    config: PathBuf,
    _folder: tempfile::TempDir,
}

/// With a resolver at that address.
fn setting(resolver: &str) -> Setting {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("posta.toml");
    let text = format!(
        "host_name = \"mail.home.example\"\ndomains = [\"home.example\"]\n[dns]\nservers = [\"{resolver}\"]\ntimeout_s = 1\nattempts = 1\n{TRANSPORTS}"
    );
    std::fs::write(&config, text).unwrap();
    Setting { config, _folder: folder }
}

fn run(setting: &Setting, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posta"));
    command.arg("route").args(arguments).arg("--config").arg(&setting.config).output().unwrap()
}

fn found(setting: &Setting, address: &str) -> (Option<i32>, Value) {
    let output = run(setting, &[address, "--json"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{text}")))
}

/// Nobody listens there: the socket is closed.
fn nobody() -> Setting {
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    setting(&address.to_string())
}

#[test]
fn rules_of_the_operator_need_no_dns() {
    let setting = nobody();
    for (address, code, way, to) in [
        ("ada@home.example", 0, "here", Value::Null),
        ("ada@Home.Example", 0, "here", Value::Null),
        ("gone.example", 0, "discard", "discard".into()),
        ("ada@a.inside.example", 0, "socket", "lmtp:/run/lmtp.sock".into()),
        ("<ada@later.example>", 0, "on-demand", "on-demand".into()),
        ("ada@smart.example", 0, "hosts", "smtp://[192.0.2.25]:587".into()),
        ("ada@closed.example", 1, "none", "fail".into()),
        ("ada@[192.0.2.7]", 0, "hosts", Value::Null),
        ("ada@[127.0.0.1]", 1, "none", Value::Null),
    ] {
        let (status, found) = found(&setting, address);
        assert_eq!((status, &found["way"]), (Some(code), &Value::from(way)), "{address} {found}");
        assert_eq!(found["rule"]["to"], to, "{address} {found}");
    }
    let (_, smart) = found(&setting, "ada@smart.example");
    assert_eq!(smart["hosts"][0]["addresses"][0], "192.0.2.25");
    assert_eq!((&smart["port"], &smart["hosts"][0]["tls"]["level"]), (&587.into(), &"none".into()));
    let (_, closed) = found(&setting, "ada@closed.example");
    assert_eq!((&closed["status"], &closed["permanent"]), (&"5.7.1".into(), &true.into()));
}

#[test]
fn a_dns_that_does_not_answer_is_told_and_may_be_tried_later() {
    let setting = nobody();
    let (status, found) = found(&setting, "ada@example.com");
    assert_eq!((status, &found["status"]), (Some(75), &"4.4.3".into()), "{found}");
    assert_eq!(found["permanent"], false);
    let page = run(&setting, &["ada@example.com"]);
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.starts_with("Mail for example.com\n") && page.contains("waits     4.4.3"), "{page}");
}

/// RFC 1035 §4.1.1: the same message with the bit for a response and the code 3 (no such name).
#[test]
fn a_domain_that_does_not_exist_is_told_as_for_good() {
    let resolver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let setting = setting(&resolver.local_addr().unwrap().to_string());
    let answering = std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        let (count, peer) = resolver.recv_from(&mut buffer).unwrap();
        buffer[2] |= 0x80;
        buffer[3] = (buffer[3] & 0xf0) | 3;
        resolver.send_to(&buffer[..count], peer).unwrap();
    });
    let (status, found) = found(&setting, "ada@example.com");
    answering.join().unwrap();
    assert_eq!((status, &found["status"]), (Some(1), &"5.1.2".into()), "{found}");
}

#[test]
fn what_is_no_address_is_refused_with_advice() {
    let setting = nobody();
    for address in ["", "ada@", "a b", "ada@-x-", "ada@exa\u{1b}mple"] {
        let output = run(&setting, &[address]);
        assert_eq!(output.status.code(), Some(65), "{address:?}");
        assert!(!output.stderr.contains(&0x1b), "{address:?}");
    }
}
