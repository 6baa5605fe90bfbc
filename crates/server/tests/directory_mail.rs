//! Where mail goes by the directory: aliases, subaddresses, catch-alls, lists and those who moved, and who is told
//! what about them (RFC 5321 §3.4, §3.5 and §3.9, RFC 2142, RFC 2369, RFC 2919).

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;

use common::TestNode;
use house::{
    STRANGER, TRUSTED, Talk, Way, add, alias, fields, house, inbox, list, logged_in, put, set, talk,
};
use store::{Directory as _, Put};
use types::directory::{
    AccountSettings, AddressKind, DomainEntry, Expandable, FromRewriting, ListBounces, MailingList,
    MovedHandling, Posters,
};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
const CAROL: &str = "carol@example.org";
const OTHERS: &str = "<someone@elsewhere.example>";
const TEXT: &str = "From: someone@elsewhere.example\r\nSubject: s\r\n\r\ntext";

async fn server(node: &TestNode) -> Talk {
    talk(node, STRANGER, node.smtp, Way::Clear).await
}

/// How many messages everybody has.
async fn counts(node: &TestNode, names: &[&str]) -> Vec<usize> {
    let mut counts = Vec::new();
    for name in names {
        counts.push(inbox(node, name).await.len());
    }
    counts
}

async fn delivered(talk: &mut Talk, mail: &str, to: &[&str]) {
    let reply = talk.post(mail, to, TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{to:?}: {reply}");
}

// Aliases, subaddresses and catch-alls.

#[tokio::test]
async fn an_alias_leads_to_each_of_its_targets_once_and_the_sender_stays() {
    let node = house(|_| {}).await;
    alias(&node, "all@example.org", &["friends@example.org", BOB, CAROL, "others@example.org"]).await;
    alias(&node, "others@example.org", &[CAROL, "full@example.org"]).await;
    let mut talk = server(&node).await;
    delivered(&mut talk, OTHERS, &["all@example.org", BOB, "friends@example.org", "BOB@example.org"]).await;
    assert_eq!(counts(&node, &[ADA, BOB, CAROL, "full@example.org"]).await, [1, 1, 1, 1]);
    for name in [ADA, BOB, CAROL] {
        let message = inbox(&node, name).await.pop().unwrap();
        // RFC 5321 §3.9.1: errors go to who sent it.
        assert_eq!(fields(&message, "Return-Path"), [OTHERS], "{message}");
        assert_eq!(fields(&message, "Delivered-To").len(), 1, "{message}");
        assert!(fields(&message, "List-Id").is_empty(), "{message}");
    }
    node.stop().await;
}

#[tokio::test]
async fn aliases_that_lead_to_nothing_are_refused_at_rcpt() {
    let node = house(|_| {}).await;
    alias(&node, "one@example.org", &["two@example.org"]).await;
    alias(&node, "two@example.org", &["three@example.org"]).await;
    alias(&node, "three@example.org", &["one@example.org"]).await;
    alias(&node, "half@example.org", &["half@example.org", BOB]).await;
    alias(&node, "nowhere@example.org", &["nobody@example.org"]).await;
    alias(&node, "left@example.org", &["gone@example.org"]).await;
    alias(&node, "some@example.org", &["gone@example.org", "nobody@example.org", CAROL]).await;
    let mut talk = server(&node).await;
    talk.dialogue(&[
        ("MAIL FROM:<someone@elsewhere.example>", "250 "),
        // Its postmaster can mend that, so mail waits.
        ("RCPT TO:<one@example.org>", "451 4.4.6"),
        ("RCPT TO:<nowhere@example.org>", "550 5.1.1"),
        ("RCPT TO:<left@example.org>", "550 5.2.1"),
        ("RCPT TO:<half@example.org>", "250 2.1.5"),
        ("RCPT TO:<some@example.org>", "250 2.1.5"),
        ("DATA", "354 "),
        (&format!("{TEXT}\r\n."), "250 2.0.0"),
    ])
    .await;
    assert_eq!(counts(&node, &[ADA, BOB, CAROL, "gone@example.org"]).await, [0, 1, 1, 0]);
    node.stop().await;
}

#[tokio::test]
async fn subaddresses_lead_to_their_owner_and_a_catch_all_takes_the_rest() {
    let node = house(|_| {}).await;
    let domain = |catch_all: Option<&str>, subaddress_separator| DomainEntry {
        catch_all: catch_all.map(|address| address.parse().unwrap()),
        subaddress_separator,
        ..DomainEntry::new("shop.example".parse().unwrap())
    };
    node.store().put_domain(domain(Some(CAROL), Some('-')), Put::New).await.unwrap();
    add(&node, "sales@shop.example", AccountSettings::default()).await;
    add(&node, "sales-eu@shop.example", AccountSettings::default()).await;
    let mut talk = server(&node).await;
    let people = ["sales@shop.example", "sales-eu@shop.example", CAROL, ADA];
    for (recipient, expected) in [
        ("sales@shop.example", [1, 0, 0, 0]),
        ("sales-us@shop.example", [1, 0, 0, 0]),
        ("SALES-US-EAST@shop.example", [1, 0, 0, 0]),
        // An account of the very name goes first.
        ("sales-eu@shop.example", [0, 1, 0, 0]),
        // The separator of this domain is another one.
        ("sales+us@shop.example", [0, 0, 1, 0]),
        ("anything at all@shop.example", [0, 0, 1, 0]),
        ("ada+x@example.org", [0, 0, 0, 1]),
        ("ada+@example.org", [0, 0, 0, 1]),
    ] {
        let before = counts(&node, &people).await;
        let path = match recipient.rsplit_once('@').unwrap() {
            (local_part, domain) if local_part.contains(' ') => format!("\"{local_part}\"@{domain}"),
            _ => recipient.to_owned(),
        };
        delivered(&mut talk, OTHERS, &[&path]).await;
        let after = counts(&node, &people).await;
        let more: Vec<_> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
        assert_eq!(more, expected, "{recipient}");
    }
    let message = inbox(&node, ADA).await.pop().unwrap();
    assert_eq!(fields(&message, "Delivered-To"), ["ada+@example.org"]);
    // Without either, such an address is nobody; the session hears of the change.
    node.store().put_domain(domain(None, None), Put::Replace).await.unwrap();
    talk.dialogue(&[
        ("MAIL FROM:<>", "250 "),
        ("RCPT TO:<sales-us@shop.example>", "550 5.1.1"),
        ("RCPT TO:<anything@shop.example>", "550 5.1.1"),
        ("RCPT TO:<sales@shop.example>", "250 2.1.5"),
    ])
    .await;
    drop(talk);
    node.stop().await;
}

#[tokio::test]
async fn mail_for_somebody_who_moved_is_sent_on_or_told_where_to() {
    let node = house(|_| {}).await;
    let moved = |to: &str, handling| AddressKind::Moved { to: to.parse().unwrap(), handling };
    put(&node, "abroad@example.org", moved("ada@elsewhere.example", MovedHandling::Forward)).await;
    alias(&node, "through@example.org", &["moved-on@example.org", "moved@example.org"]).await;
    alias(&node, "stale@example.org", &["moved@example.org"]).await;
    let mut talk = server(&node).await;
    talk.dialogue(&[
        ("MAIL FROM:<>", "250 "),
        ("RCPT TO:<moved@example.org>", "551 5.1.6 User not local; please try <her@elsewhere.example>"),
        ("RCPT TO:<abroad@example.org>", "251 2.1.5 User not local; will forward to <ada@elsewhere.example>"),
        ("RCPT TO:<stale@example.org>", "550 5.1.6"),
        ("RSET", "250 "),
    ])
    .await;
    delivered(&mut talk, OTHERS, &["moved-on@example.org"]).await;
    delivered(&mut talk, OTHERS, &["through@example.org"]).await;
    assert_eq!(counts(&node, &[BOB]).await, [2]);
    node.stop().await;
}

#[tokio::test]
async fn postmaster_and_abuse_of_every_domain_are_reached_by_anybody() {
    let node = house(|config| config.policy.hello_check = server::config::HelloCheck::Strict).await;
    node.store()
        .put_domain(
            DomainEntry {
                catch_all: Some(CAROL.parse().unwrap()),
                ..DomainEntry::new("other.example".parse().unwrap())
            },
            Put::New,
        )
        .await
        .unwrap();
    alias(&node, "abuse@example.org", &["gone@example.org"]).await;
    alias(&node, "postmaster@example.org", &["full@example.org"]).await;
    set(&node, "full@example.org", |settings| settings.quota_bytes = Some(1)).await;
    let mut talk = server(&node).await;
    // RFC 5321 §4.5.1, RFC 2142 §2 and §5: also with a report, whatever the case, past quota and disabled accounts.
    for mail in ["<>", OTHERS] {
        delivered(
            &mut talk,
            mail,
            &[
                "Postmaster",
                "POSTMASTER@example.org",
                "postmaster@other.example",
                "abuse@other.example",
                "Abuse@example.org",
                "postmaster@mail.example.org",
            ],
        )
        .await;
    }
    // Nobody was made postmaster of the host, so it is who was there first; it gets one copy of each.
    assert_eq!(counts(&node, &["dev@localhost"]).await, [2]);
    node.stop().await;
}

// Lists (RFC 5321 §3.9.2).

#[tokio::test]
async fn each_member_of_a_list_gets_one_copy_that_says_what_it_is() {
    let node = house(|_| {}).await;
    list(
        &node,
        "news@example.org",
        Posters::Anyone,
        &[ADA, BOB, "friends@example.org", "carol+x@example.org"],
    )
    .await;
    let mut talk = server(&node).await;
    let posted = "From: someone@elsewhere.example\r\nSubject: s\r\nList-Id: <old.elsewhere.example>\r\n\
                  List-Unsubscribe: <mailto:old@elsewhere.example>\r\nPrecedence: bulk\r\n\
                  Return-Path: <forged@elsewhere.example>\r\n\r\ntext";
    assert!(talk.post(OTHERS, &["news@example.org"], posted).await.starts_with("250 2.0.0"));
    assert_eq!(counts(&node, &[ADA, BOB, CAROL]).await, [1, 1, 1]);
    for (name, verp) in [
        (ADA, "<news-bounces+ada=example.org@example.org>"),
        (BOB, "<news-bounces+bob=example.org@example.org>"),
        (CAROL, "<news-bounces+carol+x=example.org@example.org>"),
    ] {
        let message = inbox(&node, name).await.pop().unwrap();
        assert_eq!(fields(&message, "Return-Path"), [verp], "{message}");
        assert_eq!(fields(&message, "List-Id"), ["A list <news.example.org>"]);
        assert_eq!(fields(&message, "List-Post"), ["<mailto:news@example.org>"]);
        assert_eq!(fields(&message, "List-Owner"), ["<mailto:news-owner@example.org>"]);
        let unsubscribe = "<mailto:news-request@example.org?subject=unsubscribe>";
        assert_eq!(fields(&message, "List-Unsubscribe"), [unsubscribe]);
        assert_eq!(fields(&message, "List-Help").len(), 1);
        assert_eq!(fields(&message, "Precedence"), ["list"]);
        assert_eq!(fields(&message, "Subject"), ["s"]);
        assert_eq!(fields(&message, "Delivered-To"), ["news@example.org"]);
        assert!(message.ends_with("\r\n\r\ntext\r\n"));
    }
    node.stop().await;
}

#[tokio::test]
async fn a_member_who_is_also_addressed_directly_gets_the_direct_copy_alone() {
    let node = house(|_| {}).await;
    let mut talk = server(&node).await;
    for to in [[ADA, "open@example.org"], ["open@example.org", ADA]] {
        delivered(&mut talk, OTHERS, &to).await;
        let message = inbox(&node, ADA).await.pop().unwrap();
        assert_eq!(fields(&message, "Return-Path"), [OTHERS]);
        assert!(fields(&message, "List-Id").is_empty(), "{message}");
        let message = inbox(&node, BOB).await.pop().unwrap();
        assert_eq!(fields(&message, "List-Id"), ["A list <open.example.org>"]);
    }
    assert_eq!(counts(&node, &[ADA, BOB]).await, [2, 2]);
    node.stop().await;
}

#[tokio::test]
async fn a_list_is_posted_to_by_those_who_may() {
    let node = house(|_| {}).await;
    list(&node, "members@example.org", Posters::Members, &[ADA]).await;
    list(&node, "listed@example.org", Posters::Listed(vec![CAROL.parse().unwrap()]), &[ADA]).await;
    alias(&node, "way-round@example.org", &["closed@example.org", ADA]).await;
    let mut talk = server(&node).await;
    for (sender, allowed) in [
        ("someone@elsewhere.example", [true, false, false, false]),
        (ADA, [true, true, false, false]),
        ("\"Ada\"@EXAMPLE.org", [true, true, false, false]),
        (CAROL, [true, false, true, false]),
        (BOB, [true, true, true, true]),
    ] {
        talk.dialogue(&[(&format!("MAIL FROM:<{sender}>"), "250 ")]).await;
        for (name, allowed) in ["open", "members", "listed", "closed"].iter().zip(allowed) {
            let start = if allowed { "250 2.1.5" } else { "550 5.7.2" };
            let heard = talk.say(&format!("RCPT TO:<{name}@example.org>")).await;
            assert!(heard.starts_with(start), "{sender} to {name}: {heard}");
        }
        let start = if sender == BOB { "250 2.1.5" } else { "550 5.7.2" };
        talk.dialogue(&[("RCPT TO:<way-round@example.org>", start), ("RSET", "250 ")]).await;
    }
    // A report is no post (RFC 5321 §4.5.5); to the list's owner it goes.
    talk.dialogue(&[
        ("MAIL FROM:<>", "250 "),
        ("RCPT TO:<open@example.org>", "550 5.7.2"),
        ("RCPT TO:<open-bounces+ada=example.org@example.org>", "250 2.1.5"),
        ("DATA", "354 "),
        (&format!("{TEXT}\r\n."), "250 2.0.0"),
    ])
    .await;
    assert_eq!(counts(&node, &[ADA, BOB]).await, [0, 1]);
    node.stop().await;
}

#[tokio::test]
async fn the_addresses_beside_a_list_lead_to_its_owner() {
    let node = house(|_| {}).await;
    let mut talk = server(&node).await;
    for helper in ["closed-owner", "closed-request", "closed-bounces", "CLOSED-Bounces+ada=example.org"] {
        for mail in [OTHERS, "<>"] {
            delivered(&mut talk, mail, &[&format!("{helper}@example.org")]).await;
            let message = inbox(&node, BOB).await.pop().unwrap();
            assert_eq!(fields(&message, "Return-Path"), [mail], "{helper}");
            assert!(fields(&message, "List-Id").is_empty());
        }
    }
    assert_eq!(counts(&node, &[ADA, BOB]).await, [0, 8]);
    talk.dialogue(&[
        ("MAIL FROM:<>", "250 "),
        ("RCPT TO:<nolist-owner@example.org>", "550 5.1.1"),
        ("RCPT TO:<friends-owner@example.org>", "550 5.1.1"),
        ("RCPT TO:<open+tag@example.org>", "550 5.1.1"),
    ])
    .await;
    drop(talk);
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_comes_back_to_its_list_is_refused() {
    let node = house(|_| {}).await;
    let mut talk = server(&node).await;
    delivered(&mut talk, OTHERS, &["open@example.org"]).await;
    let copy = inbox(&node, ADA).await.pop().unwrap();
    // A member's forwarder, or a vacation program that quotes the whole header.
    let reply = talk.post(OTHERS, &["open@example.org"], copy.trim_end()).await;
    assert!(reply.starts_with("554 5.4.6"), "{reply}");
    for header in ["List-Id: Old <OPEN.example.org>", "list-id:\r\n <open.example.org>"] {
        let reply = talk.post(OTHERS, &["open@example.org"], &format!("{header}\r\n\r\ntext")).await;
        assert!(reply.starts_with("554 5.4.6"), "{header}: {reply}");
    }
    // Another list's mail is welcome, and a person's copy too.
    let foreign = "List-Id: <open.elsewhere.example>\r\n\r\ntext";
    assert!(talk.post(OTHERS, &["open@example.org"], foreign).await.starts_with("250 2.0.0"));
    assert!(talk.post(OTHERS, &[CAROL], copy.trim_end()).await.starts_with("250 2.0.0"));
    assert_eq!(counts(&node, &[ADA, CAROL]).await, [2, 1]);
    node.stop().await;
}

#[tokio::test]
async fn a_list_within_a_list_sends_its_own_copies_and_none_goes_round() {
    let node = house(|_| {}).await;
    list(&node, "inner@example.org", Posters::Anyone, &[CAROL, ADA, "outer@example.org"]).await;
    list(&node, "outer@example.org", Posters::Anyone, &[ADA, "inner@example.org", "outer@example.org"]).await;
    let mut talk = server(&node).await;
    delivered(&mut talk, OTHERS, &["outer@example.org"]).await;
    assert_eq!(counts(&node, &[ADA, CAROL]).await, [1, 1]);
    let message = inbox(&node, ADA).await.pop().unwrap();
    assert_eq!(fields(&message, "Return-Path"), ["<outer-bounces+ada=example.org@example.org>"]);
    assert_eq!(fields(&message, "List-Id"), ["A list <outer.example.org>"]);
    let message = inbox(&node, CAROL).await.pop().unwrap();
    assert_eq!(fields(&message, "Return-Path"), ["<inner-bounces+carol=example.org@example.org>"]);
    assert_eq!(fields(&message, "List-Id"), ["A list <inner.example.org>"]);
    // To both lists: still one copy each.
    delivered(&mut talk, OTHERS, &["outer@example.org", "inner@example.org"]).await;
    assert_eq!(counts(&node, &[ADA, CAROL]).await, [2, 2]);
    // The inner list keeps to its rule.
    list(&node, "wide@example.org", Posters::Anyone, &[ADA, "closed@example.org"]).await;
    delivered(&mut talk, OTHERS, &["wide@example.org"]).await;
    assert_eq!(counts(&node, &[ADA, BOB]).await, [3, 0]);
    node.stop().await;
}

// Changes, and who is told.

#[tokio::test]
async fn an_open_session_sees_each_change_of_the_directory_at_its_next_command() {
    let node = house(|_| {}).await;
    let mut talk = server(&node).await;
    talk.dialogue(&[
        ("MAIL FROM:<>", "250 "),
        ("RCPT TO:<new@example.org>", "550 5.1.1"),
        ("RCPT TO:<new@new.example>", "550 5.7.1"),
    ])
    .await;
    alias(&node, "new@example.org", &[BOB]).await;
    node.store().put_domain(DomainEntry::new("new.example".parse().unwrap()), Put::New).await.unwrap();
    talk.dialogue(&[("RCPT TO:<new@example.org>", "250 2.1.5"), ("RCPT TO:<new@new.example>", "550 5.1.1")])
        .await;
    add(&node, "new@new.example", AccountSettings::default()).await;
    talk.dialogue(&[("RCPT TO:<new@new.example>", "250 2.1.5")]).await;
    node.store().remove_address(&"new@example.org".parse().unwrap()).await.unwrap();
    talk.dialogue(&[("RSET", "250 "), ("MAIL FROM:<>", "250 "), ("RCPT TO:<new@example.org>", "550 5.1.1")])
        .await;
    let id = house::account(&node, "new@new.example").await.id;
    node.store().remove_account(id).await.unwrap();
    node.store().remove_domain(&"new.example".parse().unwrap()).await.unwrap();
    talk.dialogue(&[("RCPT TO:<new@new.example>", "550 5.7.1")]).await;
    drop(talk);
    node.stop().await;
}

#[tokio::test]
async fn a_mailbox_that_is_removed_between_rcpt_and_the_message_loses_it_and_says_so() {
    let node = house(|_| {}).await;
    let mut talk = server(&node).await;
    talk.dialogue(&[("MAIL FROM:<a@elsewhere.example>", "250 "), ("RCPT TO:<carol@example.org>", "250 ")])
        .await;
    talk.dialogue(&[("DATA", "354 ")]).await;
    let id = house::account(&node, CAROL).await.id;
    node.store().remove_account(id).await.unwrap();
    // Never 250: there is nobody who has it.
    let reply = talk.say(&format!("{TEXT}\r\n.")).await;
    assert!(reply.starts_with('4') || reply.starts_with('5'), "{reply}");
    node.stop().await;
}

#[tokio::test]
async fn vrfy_and_expn_tell_the_trusted_what_they_keep_from_strangers() {
    let node = house(|_| {}).await;
    node.store().put_domain(DomainEntry::new("other.example".parse().unwrap()), Put::New).await.unwrap();
    add(&node, "ada@other.example", AccountSettings::default()).await;
    let told: &[(&str, &str)] = &[
        ("VRFY bob@example.org", "250 2.1.5 <bob@example.org>"),
        ("VRFY Bob <BOB@example.org>", "250 2.1.5 "),
        ("VRFY bob", "250 2.1.5 <bob@example.org>"),
        ("VRFY nobody@example.org", "550 5.1.1"),
        ("VRFY nobody", "550 5.1.1"),
        // RFC 5321 §3.5.1
        ("VRFY ada", "553 5.1.4 "),
        ("VRFY you@elsewhere.example", "252 "),
        ("VRFY open@example.org", "252 "),
        ("VRFY moved-on@example.org", "251 2.1.5 User not local; will forward to <bob@example.org>"),
        ("VRFY moved@example.org", "551 5.1.6 User not local; please try <her@elsewhere.example>"),
        ("VRFY gone@example.org", "550 5.2.1"),
        ("VRFY friends@example.org", "250 2.1.5 <friends@example.org>"),
        ("EXPN friends@example.org", "250 2.1.5 <bob@example.org>"),
    ];
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    let mut ada = logged_in(&node, ADA).await;
    let mut stranger = server(&node).await;
    trusted.dialogue(told).await;
    ada.dialogue(told).await;
    for (command, _) in told {
        assert!(stranger.say(command).await.starts_with("252 2.0.0 "), "{command}");
    }
    // RFC 5321 §3.5.1 asks for these words.
    trusted.send(b"VRFY ada\r\n").await;
    let heard = trusted.reply().await;
    assert_eq!(heard[0], "553-5.1.4 User ambiguous; possibilities are");
    for address in ["<ada@example.org>", "<ada@other.example>"] {
        assert!(heard.iter().any(|line| line.contains(address)), "{heard:?}");
    }
    node.stop().await;
}

#[tokio::test]
async fn the_members_of_a_list_are_told_to_those_whom_it_tells() {
    let node = house(|_| {}).await;
    for (name, expandable) in [("secret", Expandable::Never), ("shared", Expandable::ToAuthenticated)] {
        let list = MailingList {
            owner: BOB.parse().unwrap(),
            members: vec![ADA.parse().unwrap(), CAROL.parse().unwrap()],
            posters: Posters::Anyone,
            bounces: ListBounces::Owner,
            description: String::new(),
            expandable,
            from: FromRewriting::IfNeeded,
        };
        put(&node, &format!("{name}@example.org"), AddressKind::List(list)).await;
    }
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    let mut ada = logged_in(&node, ADA).await;
    let mut carol = logged_in(&node, CAROL).await;
    let mut stranger = server(&node).await;
    for (name, of_ada, of_carol) in [
        ("open", "250 2.1.5 ", "550 5.7.2"),
        ("secret", "550 5.7.2", "550 5.7.2"),
        ("shared", "250 ", "250 "),
    ] {
        let command = format!("EXPN {name}@example.org");
        ada.dialogue(&[(&command, of_ada)]).await;
        carol.dialogue(&[(&command, of_carol)]).await;
        trusted.dialogue(&[(&command, "550 5.7.2")]).await;
        stranger.dialogue(&[(&command, "252 ")]).await;
    }
    ada.send(b"EXPN open\r\n").await;
    assert_eq!(ada.reply().await, ["250-2.1.5 <ada@example.org>", "250 2.1.5 <bob@example.org>"]);
    // Bounces of such a list go to its owner.
    let mut talk = server(&node).await;
    delivered(&mut talk, OTHERS, &["shared@example.org"]).await;
    let message = inbox(&node, CAROL).await.pop().unwrap();
    assert_eq!(fields(&message, "Return-Path"), ["<shared-owner@example.org>"]);
    assert_eq!(fields(&message, "List-Id"), ["<shared.example.org>"]);
    node.stop().await;
}
