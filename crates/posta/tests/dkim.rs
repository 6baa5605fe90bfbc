//! `posta dkim`: keys made with a domain, shown, rotated, imported and removed; with a server and without one.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

mod common;

use std::os::unix::fs::PermissionsExt as _;

use common::{Posta, Server, code, data, path, run, stderr};
use rustix::process::Signal;
use serde_json::Value;

impl Posta<'_> {
    /// Selector and state of each key.
    fn states(&self) -> Vec<(String, String)> {
        let keys = self.json(&["dkim", "list"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        keys.as_array().unwrap().iter().map(|key| (text(&key["selector"]), text(&key["state"]))).collect()
    }

    fn count(&self, state: &str) -> usize {
        self.states().iter().filter(|(_, found)| found == state).count()
    }
}

/// The key of RFC 8410 §10.3.
const ED25519_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
                           MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                           -----END PRIVATE KEY-----\n";
/// Its public key, of §10.1.
const ED25519_PUBLIC: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

#[test]
fn a_new_domain_has_two_keys_and_says_what_to_publish() {
    let (_folder, data) = data();
    let posta = Posta(&data);
    let said = posta.text(&["domain", "add", "example.org"]);
    let records: Vec<&str> = said.lines().filter(|line| line.contains(" IN TXT ")).collect();
    assert_eq!(records.len(), 2, "{said}");
    assert!(said.contains("`posta domain dns example.org`"), "{said}");
    for (kind, record) in ["ed25519", "rsa"].iter().zip(&records) {
        assert!(record.contains("._domainkey.example.org. IN TXT \"v=DKIM1; k="), "{record}");
        assert!(record.contains(&format!("k={kind}; h=sha256; p=")), "{record}");
        let strings = record.split(" IN TXT ").nth(1).unwrap().split("\" \"");
        assert!(strings.clone().all(|part| part.trim_matches('"').len() <= 255), "{record}");
        assert_eq!(strings.count(), if *kind == "rsa" { 2 } else { 1 }, "{record}");
    }
    let listed = posta.text(&["dkim", "list"]);
    assert!(listed.contains("rsa-sha256") && listed.contains("active"), "{listed}");
    let shown = posta.text(&["dkim", "show", "example.org"]);
    assert!(records.iter().all(|record| shown.contains(record)), "{shown}");
    let domains = posta.text(&["domain", "show", "example.org"]);
    assert!(domains.contains("with 2 DKIM keys"), "{domains}");

    let mode = std::fs::metadata(data.join("secret.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(posta.text(&["dkim", "list", "other.example"]).lines().count(), 1);
    let (exit, text) = posta.fails(&["dkim", "show", "other.example"]);
    assert!(exit == 1 && text.contains("posta dkim rotate other.example"), "{exit} {text}");
    let (exit, text) = posta.fails(&["dkim", "show", "example.org", "nothing"]);
    assert!(exit == 1 && text.contains("posta dkim list example.org"), "{exit} {text}");
}

#[test]
fn keys_follow_one_another_on_a_stopped_folder() {
    let (_folder, data) = data();
    let posta = Posta(&data);
    posta.text(&["domain", "add", "example.org"]);
    let said = posta.text(&["dkim", "rotate", "example.org", "--algorithm", "ed25519"]);
    assert!(said.contains("waits for its record") && said.contains(" IN TXT "), "{said}");
    assert_eq!((posta.count("active"), posta.count("next")), (2, 1));
    let rotated = posta.json(&["dkim", "rotate", "example.org", "--now"]);
    assert_eq!(rotated["keys"].as_array().unwrap().len(), 4, "{rotated}");
    assert_eq!((posta.count("active"), posta.count("next"), posta.count("retired")), (2, 0, 2));
    assert_eq!(posta.fails(&["dkim", "rotate", "example.org", "--algorithm", "dsa"]).0, 64);
    assert_eq!(posta.fails(&["dkim", "rotate", "no domain"]).0, 1);
    // Nobody has read a configuration, which may name it.
    let output = posta.run(&["dkim", "rotate", "elsewhere.example", "--algorithm", "ed25519"]);
    assert!(output.status.success() && stderr(&output).contains("not in the directory"), "{output:?}");

    let active: Vec<String> = posta
        .json(&["dkim", "list", "example.org"])
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["state"] == "active")
        .map(|key| key["selector"].as_str().unwrap().to_owned())
        .collect();
    posta.text(&["dkim", "remove", "example.org", &active[0]]);
    let (exit, text) = posta.fails(&["dkim", "remove", "example.org", &active[1]]);
    assert!(exit == 1 && text.contains("--force"), "{exit} {text}");
    posta.text(&["dkim", "remove", "example.org", &active[1], "--force"]);
    let shown = posta.text(&["domain", "show", "example.org"]);
    assert!(shown.contains("signatures") && shown.contains("posta dkim rotate example.org"), "{shown}");
    let gone = posta.json(&["domain", "remove", "example.org"]);
    assert!(gone["warnings"][0].as_str().unwrap().contains("2 DKIM keys are removed"), "{gone}");
}

#[test]
fn a_key_from_elsewhere_signs_under_its_selector_and_nothing_of_it_is_shown() {
    let (folder, data) = data();
    let posta = Posta(&data);
    posta.text(&["domain", "add", "example.org"]);
    let file = folder.path().join("mail.private");
    std::fs::write(&file, ED25519_PEM).unwrap();
    let import = ["dkim", "import", "example.org", "--selector", "Mail", "--key", path(&file)];
    let said = posta.text(&import);
    assert!(said.contains("mail (ed25519-sha256) signs from now on"), "{said}");
    let shown = posta.json(&["dkim", "show", "example.org", "mail"]);
    assert_eq!(shown[0]["record"], format!("v=DKIM1; k=ed25519; h=sha256; p={ED25519_PUBLIC}"));
    assert_eq!((posta.count("active"), posta.count("retired")), (2, 1));
    for text in
        [said, shown.to_string(), posta.text(&["dkim", "list"]), posta.text(&["dkim", "show", "example.org"])]
    {
        assert!(!text.contains("MC4CAQ") && !text.contains("1O5y2"), "{text}");
    }
    assert_eq!(posta.fails(&import).0, 1, "it is there already");
    std::fs::write(&file, "no key").unwrap();
    assert_eq!(posta.fails(&["dkim", "import", "example.org", "--selector", "x", "--key", path(&file)]).0, 1);
    assert_eq!(posta.fails(&["dkim", "import", "example.org", "--selector", "x", "--key", "/nowhere"]).0, 65);
}

#[test]
fn beside_a_running_server_keys_are_the_same_and_a_lost_master_key_is_told() {
    let (_folder, data) = data();
    let server = Server::dev(&data);
    let posta = Posta(&data);
    assert!(posta.states().is_empty(), "dev mode makes none by itself");
    posta.text(&["dkim", "rotate", "localhost", "--algorithm", "ed25519"]);
    assert_eq!(posta.count("active"), 1, "the first one waits for nothing");
    let running = posta.json(&["dkim", "list"]);
    let (status, _) = server.stop(Signal::TERM);
    assert!(status.success());
    assert_eq!(posta.json(&["dkim", "list"]), running);

    std::fs::remove_file(data.join("secret.key")).unwrap();
    let server = Server::dev(&data);
    let listed = posta.text(&["dkim", "list"]);
    assert!(listed.contains("unusable") && listed.contains("posta dkim rotate --now localhost"), "{listed}");
    posta.text(&["dkim", "rotate", "--now", "localhost"]);
    let keys = posta.json(&["dkim", "list"]);
    let usable = |key: &&Value| key["trouble"].is_null() && key["state"] == "active";
    assert_eq!(keys.as_array().unwrap().iter().filter(usable).count(), 2, "{keys}");
    drop(server);
}

#[test]
fn a_server_does_not_start_with_a_master_key_that_others_may_read() {
    let (_folder, data) = data();
    let posta = Posta(&data);
    posta.text(&["domain", "add", "example.org"]);
    std::fs::set_permissions(data.join("secret.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(&["dev", "--port-offset", "auto", "--data", path(&data)]);
    assert_eq!(code(&output), 78);
    assert!(stderr(&output).contains("chmod 600"), "{}", stderr(&output));
    // Keys can be looked at, and say the same.
    assert!(posta.json(&["dkim", "list"])[0]["trouble"].as_str().unwrap().contains("chmod 600"));
}
