//! Domains, accounts, aliases and lists: what is made, what is refused, and what is warned of.

use std::sync::Arc;

use async_trait::async_trait;
use store::embedded::{CheckReport, StoreStats};
use store::{Store, StoreError};
use types::directory::MovedHandling;

use super::{Fixture, kind, runtime};
use crate::StoreTarget;
use crate::control::*;

/// A target that runs with `domains` in its configuration.
struct Configured {
    target: StoreTarget,
    domains: LocalDomains,
}

#[async_trait]
impl ControlTarget for Configured {
    fn store(&self) -> &Arc<dyn Store> {
        self.target.store()
    }

    fn status(&self) -> Option<Status> {
        None
    }

    fn local_domains(&self) -> LocalDomains {
        self.domains.clone()
    }

    fn secrets(&self) -> Result<Secrets, SecretError> {
        self.target.secrets()
    }

    async fn check(&self) -> Result<CheckReport, StoreError> {
        self.target.check().await
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.target.stats().await
    }
}

impl Fixture {
    /// Asks as if the configuration named `domains`.
    fn configured(&self, domains: &[&str]) -> Client {
        let domains = domains.iter().map(|domain| domain.parse().unwrap()).collect();
        let target = StoreTarget::new(Arc::clone(&self.embedded));
        let target = Configured { target, domains: LocalDomains::Listed(domains) };
        Client::in_process(runtime(), Arc::new(target))
    }
}

pub(super) trait Asking {
    fn directory(&mut self, request: DirectoryRequest) -> Result<DirectoryResponse, ControlError>;

    /// Name and warnings of a change.
    fn changed(&mut self, request: DirectoryRequest) -> (String, Vec<String>) {
        match self.directory(request) {
            Ok(DirectoryResponse::Changed { name, warnings }) => (name, warnings),
            other => panic!("{other:?}"),
        }
    }

    /// A change that nothing is to be said about.
    fn done(&mut self, request: DirectoryRequest) {
        assert_eq!(self.changed(request).1, Vec::<String>::new());
    }

    fn refused(&mut self, request: DirectoryRequest) -> ControlError {
        self.directory(request).unwrap_err()
    }
}

impl Asking for Client {
    fn directory(&mut self, request: DirectoryRequest) -> Result<DirectoryResponse, ControlError> {
        match self.ask(Request::Directory(request)) {
            Ok(Response::Directory(response)) => Ok(response),
            Err(ClientError::Control(error)) => Err(error),
            other => panic!("{other:?}"),
        }
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn domain_put(put: PutMode, domain: &str, catch_all: Setting<&str>) -> DirectoryRequest {
    let catch_all = match catch_all {
        Setting::Keep => Setting::Keep,
        Setting::Clear => Setting::Clear,
        Setting::To(address) => Setting::To(address.to_owned()),
    };
    let change = DomainChange { catch_all, subaddress_separator: Setting::Keep };
    DirectoryRequest::DomainPut { put, domain: domain.to_owned(), change }
}

pub(super) fn domain(name: &str) -> DirectoryRequest {
    domain_put(PutMode::New, name, Setting::Keep)
}

fn account(name: &str) -> DirectoryRequest {
    let Request::Directory(request) = super::account_add(name, "secret") else { unreachable!() };
    request
}

fn account_set(name: &str, change: AccountChange) -> DirectoryRequest {
    DirectoryRequest::AccountSet { account: name.to_owned(), change }
}

fn alias(address: &str, targets: &[&str]) -> DirectoryRequest {
    DirectoryRequest::AliasPut { put: PutMode::New, address: address.to_owned(), targets: strings(targets) }
}

fn alias_set(address: &str, targets: &[&str]) -> DirectoryRequest {
    DirectoryRequest::AliasPut {
        put: PutMode::Replace,
        address: address.to_owned(),
        targets: strings(targets),
    }
}

fn moved(address: &str, to: &str, handling: MovedHandling) -> DirectoryRequest {
    DirectoryRequest::MovedPut { put: PutMode::New, address: address.to_owned(), to: to.to_owned(), handling }
}

fn list(address: &str, members: &[&str]) -> DirectoryRequest {
    let owner = Some("ada@example.org".to_owned());
    let change = ListChange { owner, members: Some(strings(members)), ..ListChange::default() };
    DirectoryRequest::ListPut { put: PutMode::New, address: address.to_owned(), change }
}

fn members_change(list: &str, add: &[&str], remove: &[&str]) -> DirectoryRequest {
    DirectoryRequest::MembersChange { list: list.to_owned(), add: strings(add), remove: strings(remove) }
}

fn members(client: &mut Client, list: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let request = DirectoryRequest::Members { list: list.to_owned(), after: all.last().cloned() };
        let DirectoryResponse::Members(page) = client.directory(request).unwrap() else { panic!() };
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn detail(client: &mut Client, name: &str) -> AccountDetail {
    let request = DirectoryRequest::Account { account: name.to_owned() };
    let DirectoryResponse::Account(account) = client.directory(request).unwrap() else { panic!() };
    *account
}

#[test]
fn a_domain_is_made_changed_listed_and_removed_under_one_name() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    assert_eq!(client.changed(domain("Bücher.Example")), ("xn--bcher-kva.example".to_owned(), vec![]));
    client.done(domain("example.org"));
    assert_eq!(client.refused(domain("EXAMPLE.org")).kind, ErrorKind::Conflict);
    assert_eq!(client.refused(domain("example org")).kind, ErrorKind::BadValue);
    assert!(client.refused(domain("ada@example.org")).text.contains("looks like an address"));
    let missing = domain_put(PutMode::Replace, "example.com", Setting::Clear);
    let error = client.refused(missing);
    assert_eq!(error.kind, ErrorKind::NoSuchDomain);
    assert!(error.text.contains("`posta domain add example.com` makes it"), "{}", error.text);
    client.done(account("ada@example.org"));
    client.done(domain_put(PutMode::Replace, "example.org", Setting::To("Ada@example.org")));
    let DirectoryResponse::Domains(domains) =
        client.directory(DirectoryRequest::Domains { after: None }).unwrap()
    else {
        panic!()
    };
    let names: Vec<_> = domains.iter().map(|domain| domain.domain.as_str()).collect();
    assert_eq!(names, ["example.org", "xn--bcher-kva.example"]);
    assert_eq!(domains[0].catch_all.as_deref(), Some("Ada@example.org"));
    assert_eq!((domains[0].subaddress_separator, domains[0].accounts), (Some('+'), 1));
    let after = DirectoryRequest::Domains { after: Some("xn--bcher-kva.example".to_owned()) };
    assert_eq!(client.directory(after).unwrap(), DirectoryResponse::Domains(vec![]));

    let remove = |domain: &str, used| DirectoryRequest::DomainRemove { domain: domain.to_owned(), used };
    let refused = client.refused(remove("example.org", WhileUsed::Refuse));
    assert_eq!(refused.kind, ErrorKind::Conflict);
    assert!(refused.text.contains("1 account;"), "{}", refused.text);
    assert!(client.changed(remove("bücher.example", WhileUsed::Refuse)).1[0].contains("2 DKIM keys"));
    assert!(
        client.changed(remove("example.org", WhileUsed::Allow)).1[0].contains("1 account of example.org")
    );
}

#[test]
fn a_separator_that_addresses_are_made_of_is_refused() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    let with = |separator| DirectoryRequest::DomainPut {
        put: PutMode::New,
        domain: "example.org".to_owned(),
        change: DomainChange { catch_all: Setting::Keep, subaddress_separator: separator },
    };
    for character in ['a', '.', '@', ' ', 'é'] {
        assert_eq!(client.refused(with(Setting::To(character))).kind, ErrorKind::BadValue, "{character}");
    }
    client.done(with(Setting::To('-')));
}

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
    assert_eq!(client.ask(super::accounts()).unwrap(), Response::Accounts(vec![]));
    assert_eq!(kind(client.ask(super::messages(None, 1))), ErrorKind::NoSuchAccount);
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
    let Request::Directory(set) = super::password_set("ada@example.org", "new") else { panic!() };
    client.done(set);
    assert_eq!(labels(&mut client).len(), 1);
    client.done(revoke("phone"));
    assert_eq!(client.refused(revoke("phone")).kind, ErrorKind::NoSuchEntry);
    assert_eq!(labels(&mut client), []);
}

#[test]
fn accounts_and_addresses_share_one_name_space() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(account("ada@example.org"));
    client.done(alias("info@example.org", &["ada@example.org"]));
    client.done(list("team@example.org", &["ada@example.org"]));
    for (request, part) in [
        (alias("Ada@example.org", &["x@example.net"]), "there is an account ada@example.org already"),
        (account("INFO@example.org"), "info@example.org is an alias already; `posta alias set"),
        (account("team@example.org"), "team@example.org is a list already"),
        (alias("team@example.org", &["x@example.net"]), "is a list already"),
        (list("info@example.org", &[]), "is an alias already"),
        (moved("info@example.org", "x@example.net", MovedHandling::Forward), "is an alias already"),
    ] {
        let error = client.refused(request);
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert!(error.text.contains(part), "{}", error.text);
    }
    for (request, part) in [
        (alias_set("team@example.org", &["x@example.net"]), "no alias but a list; see `posta list show"),
        (alias_set("ada@example.org", &["x@example.net"]), "no alias but an account"),
        (alias_set("nobody@example.org", &["x@example.net"]), "there is no alias nobody@example.org"),
        (members_change("info@example.org", &[], &[]), "no list but an alias"),
    ] {
        let error = client.refused(request);
        assert_eq!(error.kind, ErrorKind::NoSuchAddress);
        assert!(error.text.contains(part), "{}", error.text);
    }
}

#[test]
fn what_would_lead_in_a_circle_is_refused_with_the_way() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(domain("example.org"));
    client.done(account("ada@example.org"));
    client.done(alias("b@example.org", &["ada@example.org"]));
    client.done(alias("c@example.org", &["b@example.org", "ada@example.org"]));
    client.done(list("team@example.org", &["c@example.org"]));
    client.done(moved("old@example.org", "team@example.org", MovedHandling::Forward));
    let circle = "b@example.org → old@example.org → team@example.org → c@example.org → b@example.org";
    for (request, way) in [
        (alias("self@example.org", &["SELF@example.org"]), "self@example.org → self@example.org"),
        (alias("self@example.org", &["self+tag@example.org"]), "self@example.org → "),
        (alias_set("b@example.org", &["ada@example.org", "old@example.org"]), circle),
        (
            members_change("team@example.org", &["old@example.org"], &[]),
            "team@example.org → old@example.org → ",
        ),
        (list("l@example.org", &["l@example.org"]), "l@example.org → l@example.org"),
        (moved("m@example.org", "m@example.org", MovedHandling::Forward), "m@example.org → m@example.org"),
        // The catch-all of the domain would be somebody who leads into the catch-all.
        (
            domain_put(PutMode::Replace, "example.org", Setting::To("nobody@example.org")),
            "nobody@example.org",
        ),
    ] {
        let error = client.refused(request);
        assert_eq!(error.kind, ErrorKind::BadValue, "{}", error.text);
        assert!(error.text.contains("in a circle") && error.text.contains(way), "{}", error.text);
    }
    // Nothing of it was written.
    assert_eq!(members(&mut client, "team@example.org"), ["c@example.org"]);
    // Whoever only tells the new address sends nothing round.
    client.done(moved("n@example.org", "team@example.org", MovedHandling::Refuse));
    client.done(alias_set("b@example.org", &["n@example.org"]));
}

#[test]
fn a_circle_through_a_catch_all_is_found_from_the_alias_too() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(domain("example.org"));
    client.done(account("ada@example.org"));
    client.done(alias("any@example.org", &["ada@example.org"]));
    client.done(domain_put(PutMode::Replace, "example.org", Setting::To("any@example.org")));
    let error = client.refused(alias_set("any@example.org", &["unknown@example.org"]));
    assert!(error.text.contains("any@example.org → unknown@example.org → any@example.org"), "{}", error.text);
}

#[test]
fn what_gets_no_mail_is_warned_of_and_done_all_the_same() {
    let fixture = Fixture::new();
    let mut client = fixture.configured(&["example.org"]);
    client.done(account("ada@example.org"));
    client
        .done(alias("info@example.org", &["ada@example.org", "ada+tag@example.org", "x@elsewhere.example"]));
    client.done(alias("post@example.org", &["postmaster@example.org", "abuse@example.org"]));
    client.done(list("team@example.org", &["info@example.org"]));
    client.done(alias("boss@example.org", &["team-owner@example.org"]));
    let (_, warnings) = client.changed(account("ada@example.com"));
    assert_eq!(
        warnings,
        [
            "ada@example.com gets no mail yet: there is no domain example.com; `posta domain add example.com` makes it"
        ]
    );
    let (_, warnings) = client.changed(alias("b@example.org", &["nobody@example.org"]));
    assert!(warnings[0].contains("the target nobody@example.org does not exist"), "{warnings:?}");
    let response = client.directory(members_change("team@example.org", &["nobody@example.org"], &[]));
    let Ok(DirectoryResponse::MembersChanged { warnings, .. }) = response else { panic!("{response:?}") };
    assert!(warnings[0].contains("the member nobody@example.org does not exist"), "{warnings:?}");
    let (_, warnings) = client.changed(alias("t@example.org", &["team+tag@example.org"]));
    assert!(warnings[0].contains("team+tag@example.org does not exist"), "{warnings:?}");
    // Somebody gets it now.
    client.done(domain_put(PutMode::New, "example.org", Setting::To("ada@example.org")));
    client.done(alias("c@example.org", &["nobody@example.org"]));
    let gone = DirectoryRequest::AddressRemove {
        address: "info@example.org".to_owned(),
        kind: AddressFilter::Alias,
    };
    assert_eq!(client.changed(gone).1, ["team@example.org still leads to info@example.org"]);
}

#[test]
fn nothing_is_said_of_domains_that_a_configuration_nobody_read_may_name() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(account("ada@example.org"));
    // Who keeps domains in the directory means all of them.
    client.done(domain("example.net"));
    assert_eq!(client.changed(account("bob@example.org")).1.len(), 1);
    let everything = Configured {
        target: StoreTarget::new(Arc::clone(&fixture.embedded)),
        domains: LocalDomains::Everything,
    };
    Client::in_process(runtime(), Arc::new(everything)).done(account("eve@example.com"));
}

#[test]
fn a_list_is_closed_until_it_is_opened_and_changes_part_by_part() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(account("ada@example.org"));
    let put = |put, change| DirectoryRequest::ListPut { put, address: "Team@example.org".to_owned(), change };
    let ownerless = client.refused(put(PutMode::New, ListChange::default()));
    assert!(ownerless.text.contains("--owner"), "{}", ownerless.text);
    client.done(list("Team@example.org", &["Bob@Example.net", "bob@example.net", "eve@example.net"]));
    let show = |client: &mut Client| {
        let request =
            DirectoryRequest::Address { address: "team@example.org".to_owned(), kind: AddressFilter::List };
        client.directory(request).unwrap()
    };
    let text = serde_json::to_string(&show(&mut client)).unwrap();
    assert_eq!(
        text,
        r#"{"address":{"address":"team@example.org","kind":"list","owner":"ada@example.org","member_count":2,"posters":"members","bounces":"verp","description":"","expandable":"never","from":"if_needed"}}"#
    );
    let change = ListChange {
        posters: Some(PosterRule::Listed(strings(&["eve@example.net"]))),
        description: Some("The team".to_owned()),
        ..ListChange::default()
    };
    client.done(put(PutMode::Replace, change));
    let text = serde_json::to_string(&show(&mut client)).unwrap();
    assert!(
        text.contains(r#""posters":{"listed":["eve@example.net"]}"#) && text.contains("The team"),
        "{text}"
    );
    assert_eq!(members(&mut client, "team@example.org"), ["Bob@Example.net", "eve@example.net"]);
    let own = ListChange { owner: Some("TEAM@example.org".to_owned()), ..ListChange::default() };
    assert_eq!(client.refused(put(PutMode::Replace, own)).kind, ErrorKind::BadValue);
    let header = ListChange { description: Some("x\r\nBcc: y".to_owned()), ..ListChange::default() };
    assert_eq!(client.refused(put(PutMode::Replace, header)).kind, ErrorKind::BadValue);
}

#[test]
fn thousands_join_and_leave_at_once_or_not_at_all() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(account("ada@example.org"));
    client.done(list("team@example.org", &["first@example.net"]));
    let many: Vec<String> = (0..5000).map(|number| format!("member{number}@example.net")).collect();
    let change = |add: &[String], remove: &[String]| DirectoryRequest::MembersChange {
        list: "team@example.org".to_owned(),
        add: add.to_vec(),
        remove: remove.to_vec(),
    };
    let mut with_a_wrong_one = many.clone();
    with_a_wrong_one.push("no address".to_owned());
    assert_eq!(client.refused(change(&with_a_wrong_one, &[])).kind, ErrorKind::BadValue);
    assert_eq!(members(&mut client, "team@example.org").len(), 1);

    let response = client.directory(change(&many, &[])).unwrap();
    let DirectoryResponse::MembersChanged { changed, unchanged, member_count, .. } = response else {
        panic!()
    };
    assert_eq!((changed, unchanged, member_count), (5000, 0, 5001));
    // More than a page.
    assert_eq!(members(&mut client, "team@example.org")[1..], many);

    let response = client.directory(change(&many[..2], &many[1..4])).unwrap_err();
    assert_eq!(response.kind, ErrorKind::BadValue, "one of them would join and leave");
    let leaving = strings(&["MEMBER3@example.net", "nobody@example.net"]);
    let response = client.directory(change(&many[..2], &leaving)).unwrap();
    let DirectoryResponse::MembersChanged { changed, unchanged, unchanged_first, member_count, .. } =
        response
    else {
        panic!()
    };
    assert_eq!((changed, unchanged, member_count), (1, 3, 5000));
    assert_eq!(unchanged_first, ["nobody@example.net", "member0@example.net", "member1@example.net"]);
}

#[test]
fn two_who_change_a_list_at_the_same_moment_both_have_their_way() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(account("ada@example.org"));
    client.done(list("team@example.org", &[]));
    std::thread::scope(|scope| {
        for who in 0..8 {
            let mut client = fixture.remote();
            scope.spawn(move || {
                for number in 0..10 {
                    let member = format!("m{who}-{number}@example.net");
                    client.directory(members_change("team@example.org", &[&member], &[])).unwrap();
                }
            });
        }
    });
    assert_eq!(members(&mut client, "team@example.org").len(), 80);
}

#[test]
fn pages_follow_each_other_and_the_last_one_is_empty() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    for number in 0..3 {
        client.done(account(&format!("a{number}@example.org")));
    }
    // Each is so large that a page holds few.
    let targets: Vec<String> =
        (0..100).map(|number| format!("{}{number}@{}.example", "t".repeat(60), "d".repeat(60))).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    for number in 0..100 {
        client.done(alias(&format!("alias{number:03}@example.org"), &targets));
    }
    let mut names = Vec::new();
    let mut pages = 0;
    loop {
        let request = DirectoryRequest::Addresses { kind: AddressFilter::Any, after: names.last().cloned() };
        let DirectoryResponse::Addresses(page) = client.directory(request).unwrap() else { panic!() };
        if page.is_empty() {
            break;
        }
        pages += 1;
        names.extend(page.into_iter().map(|entry| entry.address));
    }
    let expected: Vec<String> = (0..100).map(|number| format!("alias{number:03}@example.org")).collect();
    assert_eq!(names, expected);
    assert!(pages > 1, "{pages}");
    let after = |name: &str| Request::Accounts { after: Some(name.to_owned()) };
    let Response::Accounts(rest) = client.ask(after("a0@example.org")).unwrap() else { panic!() };
    assert_eq!(
        rest.iter().map(|account| account.name.as_str()).collect::<Vec<_>>(),
        ["a1@example.org", "a2@example.org"]
    );
    assert_eq!(client.ask(after("a2@example.org")).unwrap(), Response::Accounts(vec![]));
}

#[test]
fn a_request_that_is_too_large_is_told_before_it_is_sent() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    let many: Vec<String> = (0..200_000).map(|number| format!("member{number}@example.net")).collect();
    let request = DirectoryRequest::MembersChange { list: "x@example.org".into(), add: many, remove: vec![] };
    assert_eq!(client.refused(request).kind, ErrorKind::BadValue);
    assert!(client.ask(super::accounts()).is_ok());
}

#[test]
fn no_password_is_in_what_a_request_shows() {
    let mut requests = vec![super::account_add("ada@example.org", "s3cret")];
    requests.push(super::password_set("ada@example.org", "s3cret"));
    for request in requests {
        let shown = format!("{request:?}");
        assert!(shown.contains("ada@example.org") && !shown.contains("s3cret"), "{shown}");
    }
}
