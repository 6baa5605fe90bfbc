use std::time::Duration;

use types::directory::{Expandable, FromRewriting, ListBounces, MailingList, Posters};

use super::super::Rights;
use super::*;
use crate::resolve::{By, DeadEnd, EverythingElse, Found, Local, Lookup, PathStep, Resolver, Target};

const SETTINGS: &AccountSettings = &AccountSettings {
    quota_bytes: None,
    status: AccountStatus::Active,
    send_as: Vec::new(),
    messages_per_hour_max: None,
    message_bytes_max: None,
    recipients_max: Some(500),
    language: None,
};

const POLICY: RecipientPolicy = RecipientPolicy {
    over_quota: OverQuota::Refuse,
    new_addresses: NewAddresses::Told,
    way_out: WayOut::Open,
    qualification: Qualification::Required,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Stranger,
    Trusted,
    Ada,
}

/// What a recipient is, by the name of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mailbox,
    Disabled,
    Full,
    Alias,
    AliasOut,
    AliasToNobody,
    Loop,
    TooMany,
    List,
    MembersList,
    ListHelper,
    Moved,
    SentOn,
    Role,
    RoleFull,
    WayBack,
    ForgedWayBack,
    Missing,
    Foreign,
    ForeignOneLabel,
    Unavailable,
}

fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

fn target(leads_to: LeadsTo<()>) -> Target<()> {
    Target { leads_to, path: vec![PathStep { address: mailbox("x@example.org"), by: By::Addressed }] }
}

fn account() -> Target<()> {
    target(LeadsTo::Account { name: "x@example.org".into(), account: (), detail: None })
}

fn list(posters: Posters) -> Target<()> {
    let list = MailingList {
        owner: mailbox("owner@example.org"),
        members: vec![mailbox("ada@example.org")],
        posters,
        bounces: ListBounces::Owner,
        description: String::new(),
        expandable: Expandable::Never,
        from: FromRewriting::IfNeeded,
    };
    target(LeadsTo::List { address: mailbox("list@example.org"), list: Box::new(list) })
}

fn resolution(kind: Kind) -> Option<Resolution<()>> {
    let foreign = || target(LeadsTo::Foreign(mailbox("x@example.com")));
    let moved = |handling| Addressed::Moved { to: mailbox("new@example.com"), handling };
    let helper = Addressed::ListHelper { bounced_member: None };
    let (addressed, targets, dead_end) = match kind {
        Kind::Unavailable => return None,
        Kind::Mailbox | Kind::Disabled | Kind::Full => (Addressed::Local, vec![account()], None),
        Kind::Alias => (Addressed::Local, vec![account(), account()], None),
        Kind::AliasOut => (Addressed::Local, vec![foreign()], None),
        Kind::AliasToNobody => (Addressed::Local, vec![], Some(DeadEndReason::Missing)),
        Kind::Loop => (Addressed::Local, vec![], Some(DeadEndReason::Loop)),
        Kind::TooMany => (Addressed::Local, vec![account()], Some(DeadEndReason::TooMany)),
        Kind::List => (Addressed::Local, vec![list(Posters::Anyone)], None),
        Kind::MembersList => (Addressed::Local, vec![list(Posters::Members)], None),
        Kind::ListHelper => (helper, vec![account()], None),
        Kind::Moved => (moved(MovedHandling::Refuse), vec![], Some(DeadEndReason::Moved)),
        Kind::SentOn => (moved(MovedHandling::Forward), vec![foreign()], None),
        Kind::Role | Kind::RoleFull => (Addressed::Role, vec![account()], None),
        Kind::WayBack => (Addressed::WayBack { problem: None }, vec![foreign()], None),
        Kind::ForgedWayBack => {
            let problem = Some(crate::srs::SrsProblem::Forged);
            (Addressed::WayBack { problem }, vec![], Some(DeadEndReason::Missing))
        }
        Kind::Missing => (Addressed::Missing, vec![], Some(DeadEndReason::Missing)),
        Kind::Foreign | Kind::ForeignOneLabel => (Addressed::Foreign, vec![foreign()], None),
    };
    let dead_ends = dead_end.map(|why| DeadEnd { why, path: Vec::new() }).into_iter().collect();
    Some(Resolution { addressed, targets, dead_ends })
}

fn decided(role: Role, who: Who, kind: Kind, change: impl Fn(&mut Facts<'_, ()>)) -> String {
    let rights = Rights { account: "ada@example.org", settings: SETTINGS, subaddress_separator: Some('+') };
    let path = match kind {
        Kind::Foreign => "<x@example.com>",
        Kind::ForeignOneLabel => "<x@sales>",
        _ => "<x@example.org>",
    };
    let sender = if who == Who::Ada { "<ada@example.org>" } else { "<y@example.net>" };
    let resolution = resolution(kind);
    let mut facts = Facts {
        role,
        client: match who {
            Who::Stranger => Client::Stranger,
            Who::Trusted => Client::TrustedNetwork,
            Who::Ada => Client::Authenticated(rights),
        },
        reverse_path: &sender.parse().unwrap(),
        smtputf8: false,
        forward_path: &path.parse().unwrap(),
        resolution: resolution.as_ref(),
        mailboxes: match kind {
            Kind::Disabled => MailboxState::Disabled("left"),
            Kind::Full | Kind::RoleFull | Kind::List | Kind::AliasOut => MailboxState::Full,
            _ => MailboxState::Open,
        },
        recipients: 0,
        recipients_max: 100,
        policy: POLICY,
        storage: Storage::Ready,
        rate: Rate::Within,
    };
    change(&mut facts);
    let decision = decide(&facts);
    assert!(!decision.reason.is_empty() && !decision.reason.contains(char::is_control), "{kind:?}");
    decision.reply.to_string()
}

/// Role × client × kind of recipient → the exact reply. TLS and AUTH show in who the client is: without them it
/// stays a stranger.
#[test]
fn each_role_client_and_recipient_has_its_reply() {
    use Kind::*;
    let ok = "250 2.1.5 Recipient OK";
    let not_here = "550 5.1.1 No such mailbox here: <x@example.org>";
    let relay = "550 5.7.1 This server does not relay mail for example.com";
    let relay_sales = "550 5.7.1 This server does not relay mail for sales";
    let disabled = "550 5.2.1 This mailbox takes no mail: <x@example.org>";
    let disabled_why = "550 5.2.1 This mailbox takes no mail: <x@example.org> (left)";
    let looped =
        "451 4.4.6 The address leads back to itself, which its postmaster has to mend: <x@example.org>";
    let many =
        "451 4.2.4 The address leads to too many others, which its postmaster has to mend: <x@example.org>";
    let no_post = "550 5.7.2 The sender may not post to the list <list@example.org>";
    let one_label = "554 5.1.2 The domain of the recipient address is not fully qualified: <x@sales>";
    // For each kind: what a stranger, a trusted network and an account is told, on 25 and on submission.
    for (kind, stranger, trusted, ada) in [
        (Mailbox, ok, ok, ok),
        (Disabled, disabled, disabled_why, disabled_why),
        (
            Full,
            "552 5.2.2 The mailbox is full: <x@example.org>",
            "552 5.2.2 The mailbox is full: <x@example.org>",
            "552 5.2.2 The mailbox is full: <x@example.org>",
        ),
        (Alias, ok, ok, ok),
        (AliasOut, ok, ok, ok),
        (AliasToNobody, not_here, not_here, not_here),
        (Loop, looped, looped, looped),
        (TooMany, many, many, many),
        (List, ok, ok, ok),
        (MembersList, no_post, no_post, ok),
        (ListHelper, ok, ok, ok),
        (
            Moved,
            "551 5.1.6 User not local; please try <new@example.com>",
            "551 5.1.6 User not local; please try <new@example.com>",
            "551 5.1.6 User not local; please try <new@example.com>",
        ),
        (
            SentOn,
            "251 2.1.5 User not local; will forward to <new@example.com>",
            "251 2.1.5 User not local; will forward to <new@example.com>",
            "251 2.1.5 User not local; will forward to <new@example.com>",
        ),
        (Role, ok, ok, ok),
        (RoleFull, ok, ok, ok),
        (Missing, not_here, not_here, not_here),
        (Foreign, relay, ok, ok),
        (ForeignOneLabel, relay_sales, ok, ok),
        (
            Unavailable,
            "451 4.3.0 The recipient could not be looked up; try again later",
            "451 4.3.0 The recipient could not be looked up; try again later",
            "451 4.3.0 The recipient could not be looked up; try again later",
        ),
    ] {
        for (who, expected) in [(Who::Stranger, stranger), (Who::Trusted, trusted), (Who::Ada, ada)] {
            for role in [self::Role::Transfer, self::Role::Submission, self::Role::Lmtp] {
                let expected = match (role, kind, who) {
                    (self::Role::Lmtp, Foreign, _) => relay,
                    (self::Role::Lmtp, ForeignOneLabel, _) => relay_sales,
                    (self::Role::Submission, ForeignOneLabel, Who::Trusted | Who::Ada) => one_label,
                    _ => expected,
                };
                assert_eq!(decided(role, who, kind, |_| {}), expected, "{role:?} {who:?} {kind:?}");
            }
        }
    }
}

/// Promise 5 and attacks 11. Whatever a stranger writes for the local part, a foreign domain is refused, and what is
/// in a domain of ours is looked up as it is and never sent on.
#[test]
fn no_spelling_of_a_recipient_makes_an_open_relay() {
    let host_name = "mail.example.org".parse().unwrap();
    let local = Local {
        host_name: &host_name,
        addresses: &["192.0.2.25".parse().unwrap()],
        fallback_account: Some("ada@example.org"),
        everything_else: EverythingElse::Refused,
        srs: None,
    };
    for (path, expected) in [
        ("<user%victim.example@example.org>", "550 5.1.1 "),
        ("<user%victim.example@[192.0.2.25]>", "550 5.1.1 "),
        ("<victim.example!user@example.org>", "550 5.1.1 "),
        ("<\"user@victim.example\"@example.org>", "550 5.1.1 "),
        ("<\"user%victim.example\"@example.org>", "550 5.1.1 "),
        ("<\"@victim.example:user\"@example.org>", "550 5.1.1 "),
        ("<\"<user@victim.example>\"@example.org>", "550 5.1.1 "),
        ("<\"user@victim.example \"@mail.example.org>", "550 5.1.1 "),
        ("<postmaster%victim.example@example.org>", "550 5.1.1 "),
        ("<\"postmaster@victim.example\"@example.org>", "550 5.1.1 "),
        ("<|/bin/sh@example.org>", "550 5.1.1 "),
        ("<\"|/bin/sh -c x\"@example.org>", "550 5.1.1 "),
        ("</etc/passwd@example.org>", "550 5.1.1 "),
        ("<\":include:/etc/passwd\"@example.org>", "550 5.1.1 "),
        ("<-oQ/tmp@example.org>", "550 5.1.1 "),
        ("<ada+user=victim.example@example.org>", "250 2.1.5 "),
        ("<ada+\u{fc}@example.org>", "250 2.1.5 "),
        ("<@example.org:user@victim.example>", "550 5.7.1 "),
        ("<@example.org,@mail.example.org:user@victim.example>", "550 5.7.1 "),
        ("<@mail.example.org:user%victim.example@example.org>", "550 5.1.1 "),
        ("<user@example.org.victim.example>", "550 5.7.1 "),
        ("<user@xexample.org>", "550 5.7.1 "),
        ("<\"ada@example.org\"@victim.example>", "550 5.7.1 "),
        ("<ada%example.org@victim.example>", "550 5.7.1 "),
        ("<user@[203.0.113.1]>", "550 5.7.1 "),
        ("<user@[IPv6:::ffff:203.0.113.1]>", "550 5.7.1 "),
        ("<user@[X400:example.org]>", "550 5.7.1 "),
        ("<user@[127.0.0.1]>", "550 5.7.1 "),
        ("<user@localhost>", "550 5.7.1 "),
        ("<user@exampl\u{e9}.org>", "550 5.7.1 "),
        ("<postmaster@victim.example>", "550 5.7.1 "),
        ("<abuse@victim.example>", "550 5.7.1 "),
        ("<ada@example.org>", "250 2.1.5 "),
    ] {
        let path: ForwardPath = path.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut resolver = Resolver::new(&path, local);
        while let Some(lookup) = resolver.wanted() {
            let found = match lookup {
                Lookup::Domain(domain) if domain.ascii() == "example.org" => {
                    Found::Domain(Some(types::directory::DomainEntry::new(domain.clone())))
                }
                Lookup::Domain(_) => Found::Domain(None),
                Lookup::Account(name) => Found::Account((name == "ada@example.org").then_some(())),
                Lookup::Address(_) => Found::Address(None),
            };
            resolver.supply(found);
        }
        let resolution = resolver.finish();
        for role in [Role::Transfer, Role::Submission, Role::Lmtp] {
            let facts = Facts {
                role,
                client: Client::Stranger,
                reverse_path: &"<ada@example.org>".parse().unwrap(),
                smtputf8: true,
                forward_path: &path,
                resolution: Some(&resolution),
                mailboxes: MailboxState::Open,
                recipients: 0,
                recipients_max: 100,
                policy: POLICY,
                storage: Storage::Ready,
                rate: Rate::Within,
            };
            let reply = decide(&facts).reply;
            assert!(reply.to_string().starts_with(expected), "{path}: {reply}");
            assert!(reply.text.is_ascii(), "{path}: {reply}");
            if reply.is_positive() {
                assert_eq!(resolution.foreign().count(), 0, "{path}");
            }
        }
    }
}

/// RFC 6531 §3.7.4.1
#[test]
fn a_new_address_with_utf_8_is_told_with_smtputf8_alone() {
    let told = |to: &str, handling, smtputf8, new_addresses| {
        let addressed = Addressed::Moved { to: mailbox(to), handling };
        let targets = match handling {
            MovedHandling::Forward => vec![target(LeadsTo::Foreign(mailbox(to)))],
            MovedHandling::Refuse => Vec::new(),
        };
        let resolution = Resolution { addressed, targets, dead_ends: Vec::new() };
        let facts = Facts {
            role: Role::Transfer,
            client: Client::Stranger,
            reverse_path: &ReversePath::Null,
            smtputf8,
            forward_path: &"<x@example.org>".parse().unwrap(),
            resolution: Some(&resolution),
            mailboxes: MailboxState::Open,
            recipients: 0,
            recipients_max: 100,
            policy: RecipientPolicy { new_addresses, ..POLICY },
            storage: Storage::Ready,
            rate: Rate::Within,
        };
        decide(&facts).reply.to_string()
    };
    use MovedHandling::{Forward, Refuse};
    use NewAddresses::{Kept, Told};
    let moved = "550 5.1.6 This mailbox has moved and takes no mail any more: <x@example.org>";
    for (to, handling, smtputf8, new_addresses, reply) in [
        (
            "用户@example.com",
            Forward,
            true,
            Told,
            "251 2.1.5 User not local; will forward to <用户@example.com>",
        ),
        ("用户@example.com", Forward, false, Told, "250 2.1.5 Recipient OK"),
        ("用户@example.com", Refuse, true, Told, "551 5.1.6 User not local; please try <用户@example.com>"),
        ("用户@example.com", Refuse, false, Told, moved),
        (
            "a@bücher.example",
            Refuse,
            false,
            Told,
            "551 5.1.6 User not local; please try <a@xn--bcher-kva.example>",
        ),
        ("a@example.com", Forward, true, Kept, "250 2.1.5 Recipient OK"),
        ("a@example.com", Refuse, true, Kept, moved),
    ] {
        assert_eq!(told(to, handling, smtputf8, new_addresses), reply, "{to}");
    }
}

#[test]
fn the_last_recipient_within_the_limit_is_taken_and_the_next_is_452() {
    let too_many = "452 4.5.3 Too many recipients; send the message again for the rest";
    for (who, recipients, reply) in [
        (Who::Stranger, 99, "250 2.1.5 Recipient OK"),
        (Who::Stranger, 100, too_many),
        (Who::Ada, 100, "250 2.1.5 Recipient OK"),
        (Who::Ada, 499, "250 2.1.5 Recipient OK"),
        (Who::Ada, 500, too_many),
    ] {
        let told = decided(Role::Submission, who, Kind::Mailbox, |facts| facts.recipients = recipients);
        assert_eq!(told, reply, "{recipients}");
    }
}

#[test]
fn a_full_mailbox_is_552_or_452_as_policy_says() {
    let told = decided(Role::Transfer, Who::Stranger, Kind::Full, |facts| {
        facts.policy.over_quota = OverQuota::Defer;
    });
    assert_eq!(told, "452 4.2.2 The mailbox is full; try again later: <x@example.org>");
}

#[test]
fn a_report_to_a_list_is_refused_whoever_may_post() {
    static NULL: ReversePath = ReversePath::Null;
    for kind in [Kind::List, Kind::MembersList] {
        let told = decided(Role::Transfer, Who::Stranger, kind, |facts| facts.reverse_path = &NULL);
        assert_eq!(
            told,
            "550 5.7.2 A mailing list takes no mail with a null reverse-path: <list@example.org>"
        );
        let told =
            decided(Role::Transfer, Who::Stranger, Kind::ListHelper, |facts| facts.reverse_path = &NULL);
        assert_eq!(told, "250 2.1.5 Recipient OK");
    }
}

#[test]
fn without_a_way_out_nothing_that_leaves_is_accepted() {
    let relay = "550 5.7.1 This server does not relay mail for example.com";
    for kind in [Kind::Foreign, Kind::AliasOut, Kind::SentOn] {
        for who in [Who::Stranger, Who::Trusted, Who::Ada] {
            let told = decided(Role::Submission, who, kind, |facts| facts.policy.way_out = WayOut::None);
            assert_eq!(told, relay, "{kind:?} {who:?}");
        }
    }
}

#[test]
fn little_room_and_a_rate_defer_the_postmaster_too() {
    for kind in [Kind::Mailbox, Kind::Role, Kind::Foreign] {
        let told = decided(Role::Transfer, Who::Ada, kind, |facts| facts.storage = Storage::Low);
        assert_eq!(told, "452 4.3.1 No room to store mail; try again later");
        let told = decided(Role::Transfer, Who::Ada, kind, |facts| {
            facts.rate = Rate::Exceeded { wait: Duration::from_secs(30) };
        });
        assert_eq!(told, "450 4.7.1 Too many recipients; try again in 30 s");
    }
    // What is refused anyway is not worth a second try.
    let told = decided(Role::Transfer, Who::Stranger, Kind::Foreign, |facts| {
        facts.rate = Rate::Exceeded { wait: Duration::from_secs(30) };
    });
    assert!(told.starts_with("550 5.7.1 "), "{told}");
}

#[test]
fn the_state_of_a_mailbox_comes_from_its_settings_and_what_it_holds() {
    let settings = |quota_bytes, status: AccountStatus| AccountSettings {
        quota_bytes,
        status,
        ..AccountSettings::default()
    };
    let active = |quota_bytes| settings(quota_bytes, AccountStatus::Active);
    for (settings, used, message, expected) in [
        (active(None), u64::MAX, Some(u64::MAX), MailboxState::Open),
        (active(Some(100)), 99, None, MailboxState::Open),
        (active(Some(100)), 100, None, MailboxState::Full),
        (active(Some(100)), 90, Some(10), MailboxState::Open),
        (active(Some(100)), 90, Some(11), MailboxState::Full),
        (active(Some(0)), 0, None, MailboxState::Full),
        (active(Some(100)), 1, Some(u64::MAX), MailboxState::Full),
        (
            settings(Some(0), AccountStatus::Disabled { reason: "left".into() }),
            9,
            None,
            MailboxState::Disabled("left"),
        ),
    ] {
        assert_eq!(MailboxState::of(&settings, used, message), expected, "{settings:?} {used}");
    }
}

#[test]
fn several_mailboxes_take_mail_if_one_of_them_does() {
    use MailboxState::{Disabled, Full, Open};
    for (states, expected) in [
        (&[][..], Open),
        (&[Disabled("a"), Open, Full], Open),
        (&[Disabled("a"), Full], Full),
        (&[Disabled("a"), Disabled("b")], Disabled("a")),
    ] {
        assert_eq!(MailboxState::of_all(states.iter().copied()), expected);
    }
}

/// Promise 5: whoever has such an address, and each host that a message was sent on to has one, sends its sender reports alone.
#[test]
fn the_way_back_to_a_sender_is_for_reports_alone_whoever_asks() {
    for role in [Role::Transfer, Role::Submission, Role::Lmtp] {
        for who in [Who::Stranger, Who::Trusted, Who::Ada] {
            let said = decided(role, who, Kind::WayBack, |_| {});
            assert!(said.starts_with("550 5.7.1 "), "{role:?} {who:?}: {said}");
            let said = decided(role, who, Kind::WayBack, |facts| facts.reverse_path = &ReversePath::Null);
            assert!(said.starts_with("250 2.1.5 "), "{role:?} {who:?}: {said}");
            let said =
                decided(role, who, Kind::ForgedWayBack, |facts| facts.reverse_path = &ReversePath::Null);
            assert!(said.starts_with("550 5.1.1 "), "{role:?} {who:?}: {said}");
        }
    }
    let no_way_out = decided(Role::Transfer, Who::Stranger, Kind::WayBack, |facts| {
        facts.reverse_path = &ReversePath::Null;
        facts.policy.way_out = WayOut::None;
    });
    assert!(no_way_out.starts_with("550 5.7.1 "), "{no_way_out}");
}
