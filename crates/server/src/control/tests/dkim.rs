//! Keys of DKIM over both transports.

use types::directory::{DkimAlgorithm, DkimKeyState};

use super::directory::{Asking, domain};
use super::*;
use crate::control::protocol::{DirectoryRequest as Ask, DirectoryResponse as Answer, DkimKeySummary};

const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";

fn keys(client: &mut Client, of: Option<&str>) -> Vec<DkimKeySummary> {
    match client.directory(Ask::DkimKeys { domain: of.map(str::to_owned), after: None }) {
        Ok(Answer::DkimKeys(keys)) => keys,
        other => panic!("{other:?}"),
    }
}

fn rotate(client: &mut Client, when: RotateWhen, algorithm: Option<DkimAlgorithm>) -> Vec<DkimKeySummary> {
    match client.directory(Ask::DkimRotate { domain: "example.org".into(), algorithm, when }) {
        Ok(Answer::DkimRotated { keys, .. }) => keys,
        other => panic!("{other:?}"),
    }
}

fn states(keys: &[DkimKeySummary]) -> Vec<(&str, DkimKeyState)> {
    keys.iter().map(|key| (key.selector.as_str(), key.state)).collect()
}

fn import(selector: &str, pem: &str) -> DirectoryRequest {
    let key = Password::new(pem);
    Ask::DkimImport { domain: "example.org".into(), selector: selector.into(), key }
}

fn remove(selector: &str, last: LastActive) -> DirectoryRequest {
    Ask::DkimRemove { domain: "example.org".into(), selector: selector.into(), last }
}

#[test]
fn a_new_domain_signs_with_two_keys_and_rotation_waits_for_their_records() {
    use DkimKeyState::{Active, Next, Retired};
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(domain("example.org"));
    let first = keys(&mut client, Some("example.org"));
    assert_eq!(first.len(), 2);
    assert!(first.iter().all(|key| key.state == Active && key.trouble.is_none()), "{first:?}");
    let algorithms: Vec<_> = first.iter().map(|key| key.algorithm).collect();
    assert_eq!(algorithms, [DkimAlgorithm::Ed25519Sha256, DkimAlgorithm::RsaSha256]);
    let (ed, rsa) = (first[0].selector.as_str(), first[1].selector.as_str());
    assert!(
        first[1].zone_line.starts_with(&format!("{rsa}._domainkey.example.org. IN TXT \"v=DKIM1; k=rsa;"))
    );

    let mut make = || {
        let made = rotate(&mut client, RotateWhen::Published, Some(DkimAlgorithm::Ed25519Sha256));
        assert!(made[0].to_do.contains("publish its record"), "{made:?}");
        made
    };
    let made = make();
    // Its name tells the second that it was made in, which may be that of the first ones.
    let ed_2 = made[0].selector.as_str();
    assert!(ed_2.starts_with("ed-") && ed_2 != ed, "{made:?}");
    assert_eq!(states(&made), [(ed_2, Next)]);
    // Asked twice, there is one key that waits.
    assert_eq!(make(), made);
    assert_eq!(keys(&mut client, None).len(), 3);
    // Who does not wait gets that one, and a new one where none waits.
    rotate(&mut client, RotateWhen::Now, None);
    let now = keys(&mut client, None);
    let rsa_2 = now.last().map_or("", |key| key.selector.as_str());
    assert!(rsa_2.starts_with("rsa-") && rsa_2 != rsa, "{now:?}");
    assert_eq!(states(&now), [(ed, Retired), (ed_2, Active), (rsa, Retired), (rsa_2, Active)]);
    assert!(now[0].to_do.contains("leave its record"), "{now:?}");
    // Both transports say the same.
    let mut in_process = Client::in_process(runtime(), fixture.target());
    assert_eq!(keys(&mut in_process, None), now);

    let Ok(Answer::Domain(shown)) = client.directory(Ask::Domain { domain: "example.org".into() }) else {
        panic!("no domain")
    };
    assert_eq!((shown.dkim_active, shown.dkim_next), (2, 0));
    let gone = Ask::DomainRemove { domain: "example.org".into(), used: WhileUsed::Refuse };
    assert!(client.changed(gone).1[0].contains("4 DKIM keys are removed"));
    assert_eq!(keys(&mut client, None), []);
}

#[test]
fn pages_of_keys_go_on_behind_the_last_one() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    for name in ["b.example", "a.example"] {
        client.done(domain(name));
    }
    let all = keys(&mut client, None);
    let domains: Vec<&str> = all.iter().map(|key| key.domain.as_str()).collect();
    assert_eq!(domains, ["a.example", "a.example", "b.example", "b.example"]);
    for (at, key) in all.iter().enumerate() {
        let next = client.directory(Ask::DkimKeys { domain: None, after: Some(key.record_name.clone()) });
        assert_eq!(next, Ok(Answer::DkimKeys(all[at + 1..].to_vec())));
    }
}

#[test]
fn a_key_from_elsewhere_takes_the_place_of_those_of_its_kind_and_is_never_told() {
    use DkimKeyState::{Active, Retired};
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(domain("example.org"));
    let Ok(Answer::DkimRotated { keys: changed, .. }) = client.directory(import(" Mail.2026 ", PEM)) else {
        panic!("not imported")
    };
    assert_eq!(changed.iter().map(|key| key.state).collect::<Vec<_>>(), [Retired, Active]);
    assert_eq!(changed[1].selector, "mail.2026");
    assert_eq!(
        changed[1].record,
        "v=DKIM1; k=ed25519; h=sha256; p=Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
    );
    let told = format!("{:?} {}", import("x", PEM), serde_json::to_string(&changed).unwrap());
    assert!(!told.contains("MC4CAQ") && !told.contains("1O5y2"), "{told}");
    assert_eq!(client.refused(import("mail.2026", PEM)).kind, ErrorKind::Conflict);
    for (selector, pem) in [("a b", PEM), ("", PEM), ("a..b", PEM), (&"x".repeat(64), PEM), ("y", "no key")] {
        assert_eq!(client.refused(import(selector, pem)).kind, ErrorKind::BadValue, "{selector:?}");
    }
}

#[test]
fn the_last_key_that_signs_is_not_removed_by_mistake() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(domain("example.org"));
    let made = keys(&mut client, None);
    assert_eq!(client.refused(remove("nobody", LastActive::Refuse)).kind, ErrorKind::NoSuchEntry);
    let (name, warnings) = client.changed(remove(&made[0].selector, LastActive::Refuse));
    assert_eq!(name, made[0].record_name);
    assert!(warnings[0].contains("leave the record"), "{warnings:?}");
    let refused = client.refused(remove(&made[1].selector, LastActive::Refuse));
    assert!(refused.kind == ErrorKind::Conflict && refused.text.contains("--force"), "{refused}");
    client.changed(remove(&made[1].selector, LastActive::Remove));
    assert_eq!(keys(&mut client, None), []);
}

#[test]
fn with_another_master_key_each_key_says_what_to_do_and_a_rotation_mends_it() {
    use DkimKeyState::{Active, Retired};
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(domain("example.org"));
    rotate(&mut client, RotateWhen::Published, Some(DkimAlgorithm::Ed25519Sha256));
    std::fs::remove_file(fixture.folder.path().join(crate::Secrets::FILE)).unwrap();
    let lost = keys(&mut client, None);
    assert_eq!(lost.len(), 3);
    for key in &lost {
        assert!(key.trouble.as_ref().unwrap().contains("another master key"), "{key:?}");
        assert!(key.to_do.contains("posta dkim rotate"), "{key:?}");
    }
    rotate(&mut client, RotateWhen::Now, None);
    let now = keys(&mut client, None);
    assert!(now.iter().all(|key| (key.state == Active) == key.trouble.is_none()), "{now:?}");
    let count = |state| now.iter().filter(|key| key.state == state).count();
    assert_eq!((count(Active), count(Retired), now.len()), (2, 2, 4), "what never signed is gone");
}

#[test]
fn without_a_master_key_a_domain_is_made_and_says_that_it_has_no_keys() {
    let fixture = Fixture::new();
    let path = fixture.folder.path().join(crate::Secrets::FILE);
    std::fs::write(&path, [1; 32]).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (name, warnings) = fixture.remote().changed(domain("example.org"));
    assert_eq!(name, "example.org");
    assert!(warnings[0].contains("chmod 600") && warnings[0].contains("dkim rotate"), "{warnings:?}");
    assert_eq!(keys(&mut fixture.remote(), None), []);
}
