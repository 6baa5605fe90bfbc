//! The directory by the control protocol: what is made, what is refused, and what is warned of.

mod accounts;
mod lists;

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

    fn quotas(&self) -> &Quotas {
        self.target.quotas()
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
