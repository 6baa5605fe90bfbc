//! Accounts by the control protocol: rights, limits, passwords, and what goes with them.

use super::super::{accounts, messages, password_set};
use super::*;

#[test]
fn rights_and_limits_of_an_account_change_one_by_one() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(account("Ada@Example.org"));
    let first = AccountChange {
        quota_bytes: Setting::To(5 << 30),
        send_as_add: strings(&["sales@example.org", "@Example.net", "*", "SALES@example.org"]),
        messages_per_hour_max: Setting::To(10),
        language: Setting::To("ES-mx".to_owned()),
        disabled: Setting::To("left".to_owned()),
        ..AccountChange::default()
    };
    client.done(account_set("ada@example.org", first));
    let ada = detail(&mut client, "ada@example.org");
    assert_eq!(
        (ada.quota_bytes, ada.messages_per_hour_max, ada.recipients_max),
        (Some(5 << 30), Some(10), None)
    );
    assert_eq!(ada.send_as, ["sales@example.org", "@example.net", "*"]);
    assert_eq!(ada.disabled.as_deref(), Some("left"));
    assert_eq!(ada.language.as_deref(), Some("es-MX"));
    let second = AccountChange {
        quota_bytes: Setting::Clear,
        send_as_remove: strings(&["@example.net", "nobody@example.org"]),
        disabled: Setting::Clear,
        ..AccountChange::default()
    };
    let (_, warnings) = client.changed(account_set("ada@example.org", second));
    assert_eq!(warnings, ["ada@example.org had no right to send as nobody@example.org"]);
    let ada = detail(&mut client, "ada@example.org");
    assert_eq!((ada.quota_bytes, ada.messages_per_hour_max, ada.disabled), (None, Some(10), None));
    assert_eq!(ada.send_as, ["sales@example.org", "*"]);
    for wrong in ["no address", "@", ""] {
        let change = AccountChange { send_as_add: strings(&[wrong]), ..AccountChange::default() };
        assert_eq!(
            client.refused(account_set("ada@example.org", change)).kind,
            ErrorKind::BadValue,
            "{wrong}"
        );
    }
    let change = AccountChange { language: Setting::To("tlh".to_owned()), ..AccountChange::default() };
    let refused = client.refused(account_set("ada@example.org", change));
    assert_eq!(refused.kind, ErrorKind::BadValue);
    assert!(refused.text.contains("en (English), es (español), de (Deutsch)"), "{}", refused.text);
    assert_eq!(detail(&mut client, "ada@example.org").language.as_deref(), Some("es-MX"), "as it was");
    let change = AccountChange { language: Setting::Clear, ..AccountChange::default() };
    client.done(account_set("ada@example.org", change));
    assert_eq!(detail(&mut client, "ada@example.org").language, None);
    let reason = AccountChange { disabled: Setting::To("a\u{1b}b".to_owned()), ..AccountChange::default() };
    assert_eq!(client.refused(account_set("ada@example.org", reason)).kind, ErrorKind::BadValue);
    assert_eq!(
        client.refused(account_set("bob@example.org", AccountChange::default())).kind,
        ErrorKind::NoSuchAccount
    );
}

#[test]
fn an_account_with_mail_goes_only_with_its_mail_and_what_led_to_it_is_told() {
    let fixture = Fixture::new();
    fixture.add_account("ada@example.org");
    fixture.deliver(1, b"\r\none\r\n");
    let mut client = fixture.remote();
    client.done(alias("info@example.org", &["ada@example.org"]));
    client.done(domain_put(PutMode::New, "example.org", Setting::To("ada@example.org")));
    let ada = detail(&mut client, "ada@example.org");
    assert_eq!((ada.messages, ada.mailboxes[0].messages), (1, 1));
    assert_eq!(
        (ada.reached_by, ada.catch_all_of),
        (strings(&["info@example.org"]), strings(&["example.org"]))
    );
    let remove = |mail| DirectoryRequest::AccountRemove { account: "ada@example.org".to_owned(), mail };
    let refused = client.refused(remove(WithMail::Refuse));
    assert_eq!(refused.kind, ErrorKind::Conflict);
    assert!(refused.text.contains("1 message,") && refused.text.contains("--with-mail"), "{}", refused.text);
    let (_, warnings) = client.changed(remove(WithMail::Remove));
    assert_eq!(
        warnings,
        [
            "info@example.org still leads to ada@example.org",
            "the catch-all of example.org is still ada@example.org"
        ]
    );
    assert_eq!(client.ask(accounts()).unwrap(), Response::Accounts(vec![]));
    assert_eq!(kind(client.ask(messages(None, 1))), ErrorKind::NoSuchAccount);
}

#[test]
fn the_shared_secret_is_kept_only_where_it_was_allowed_and_goes_where_it_is_forbidden() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(account("ada@example.org"));
    let set = |password: Option<&str>, shared_secret| DirectoryRequest::PasswordSet {
        account: "ada@example.org".to_owned(),
        password: password.map(Password::new),
        shared_secret,
    };
    let cram = |client: &mut Client| detail(client, "ada@example.org").cram_md5;
    assert!(!cram(&mut client));
    // Without the password there is nothing to be kept.
    assert_eq!(client.refused(set(None, SharedSecret::Allow)).kind, ErrorKind::BadValue);
    assert_eq!(client.refused(set(None, SharedSecret::Keep)).kind, ErrorKind::BadValue);
    client.done(set(Some("one"), SharedSecret::Keep));
    assert!(!cram(&mut client));
    client.done(set(Some("two"), SharedSecret::Allow));
    assert!(cram(&mut client));
    client.done(set(Some("three"), SharedSecret::Keep));
    assert!(cram(&mut client));
    client.done(set(None, SharedSecret::Forbid));
    assert!(!cram(&mut client));
    let target = fixture.target();
    let account = fixture.runtime.block_on(target.store().account("ada@example.org")).unwrap().unwrap();
    assert!(crate::passwords::verify("three", &account.credentials.argon2id));
    assert!(account.credentials.scram_sha_256.is_some());
}

#[test]
fn a_password_for_a_program_is_told_once_under_a_label_of_its_own() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(account("ada@example.org"));
    let add = |label: &str| DirectoryRequest::AppPasswordAdd {
        account: "ADA@example.org".to_owned(),
        label: label.to_owned(),
    };
    let revoke = |label: &str| DirectoryRequest::AppPasswordRevoke {
        account: "ada@example.org".to_owned(),
        label: label.to_owned(),
    };
    let response = client.directory(add("phone")).unwrap();
    let DirectoryResponse::AppPassword { name, password } = &response else { panic!() };
    assert_eq!(name, "ada@example.org");
    assert!(password.reveal().len() >= 16);
    assert!(!format!("{response:?}").contains(password.reveal()), "a password in a log line");
    assert_eq!(client.refused(add("phone")).kind, ErrorKind::Conflict);
    assert_eq!(client.refused(add(" ")).kind, ErrorKind::BadValue);
    assert_eq!(client.refused(add("a\nb")).kind, ErrorKind::BadValue);
    let labels = |client: &mut Client| {
        let passwords = detail(client, "ada@example.org").app_passwords;
        passwords.into_iter().map(|password| (password.label, password.last_used_at)).collect::<Vec<_>>()
    };
    assert_eq!(labels(&mut client), [("phone".to_owned(), None)]);
    // A new password of the account leaves them as they are.
    let Request::Directory(set) = password_set("ada@example.org", "new") else { panic!() };
    client.done(set);
    assert_eq!(labels(&mut client).len(), 1);
    client.done(revoke("phone"));
    assert_eq!(client.refused(revoke("phone")).kind, ErrorKind::NoSuchEntry);
    assert_eq!(labels(&mut client), []);
}
