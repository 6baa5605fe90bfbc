//! Which mailbox a message goes into: subaddresses (RFC 5233) and what policy takes as suspicious, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;
#[path = "common/resolver.rs"]
mod resolver;
#[path = "common/strangers.rs"]
mod strangers;

use std::net::Ipv4Addr;

use common::TestNode;
use house::{STRANGER, Way, account, folder, house, id_in, inbox, talk};
use resolver::Zone;
use server::config::{SubaddressFolder, Switch};
use store::{Flags, Mailboxes as _, SpecialUse, Trace as _, TraceQuery};
use strangers::visit;
use types::{EventStep, Timestamp};

const ADA: &str = "ada@example.org";
const TEXT: &str = "From: Bob <bob@sender.example>\r\nSubject: s\r\n\r\ntext";

/// The reply to a message to these.
async fn post(node: &TestNode, to: &[&str]) -> String {
    let mut talk = talk(node, STRANGER, node.smtp, Way::Clear).await;
    talk.post("<bob@sender.example>", to, TEXT).await
}

async fn make(node: &TestNode, name: &str, special_use: Option<SpecialUse>) {
    let ada = account(node, ADA).await.id;
    node.store().create_mailbox(ada, name, special_use, Timestamp::from_millis(1)).await.unwrap();
}

async fn counts(node: &TestNode, mailboxes: &[&str]) -> Vec<usize> {
    let mut counts = Vec::new();
    for mailbox in mailboxes {
        counts.push(folder(node, ADA, mailbox).await.len());
    }
    counts
}

/// What the trace tells of copies of the message.
async fn told(node: &TestNode, reply: &str) -> Vec<String> {
    let query = TraceQuery { id: Some(id_in(reply)), ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    events.into_iter().filter(|event| event.step == EventStep::Delivered).map(|event| event.reason).collect()
}

#[tokio::test]
async fn a_subaddress_is_ignored_or_leads_into_the_mailbox_of_its_name() {
    for (handling, expected) in [(SubaddressFolder::Ignore, [3, 0]), (SubaddressFolder::Existing, [1, 2])] {
        let node = house(|config| config.mailboxes.subaddress = handling).await;
        make(&node, "Lists", None).await;
        post(&node, &["ada+lists@example.org"]).await;
        let reply = post(&node, &["ada+LISTS@example.org"]).await;
        post(&node, &["ada+shop@example.org"]).await;
        assert_eq!(counts(&node, &["INBOX", "Lists"]).await, expected, "{handling}");
        assert_eq!(folder(&node, ADA, "shop").await.len(), 0);
        if handling == SubaddressFolder::Existing {
            let told = told(&node, &reply).await;
            assert!(told[0].starts_with("into Lists, by the subaddress"), "{told:?}");
            let lists = node.store().mailboxes(account(&node, ADA).await.id).await.unwrap();
            let lists = lists.iter().find(|mailbox| mailbox.name == "Lists").unwrap().id;
            let entries = node.store().messages(lists, None, 10).await.unwrap();
            assert!(entries.iter().all(|entry| entry.flags == Flags::NONE));
        }
        node.stop().await;
    }
}

#[tokio::test]
async fn a_mailbox_is_made_for_a_plain_subaddress_and_never_one_that_could_pass_for_another() {
    let node = house(|config| config.mailboxes.subaddress = SubaddressFolder::Create).await;
    make(&node, "Gesendet/2026", None).await;
    for subaddress in ["shop", "shop", "sent", "trash", "inbox", "inbox/x", "a/b"] {
        let reply = post(&node, &[&format!("ada+{subaddress}@example.org")]).await;
        assert!(reply.starts_with("250 "), "{subaddress}: {reply}");
    }
    assert_eq!(counts(&node, &["INBOX", "shop"]).await, [5, 2]);
    let mailboxes = node.store().mailboxes(account(&node, ADA).await.id).await.unwrap();
    assert!(!mailboxes.iter().any(|mailbox| mailbox.name.starts_with("a/") || mailbox.name.contains("/x")));
    node.stop().await;
}

#[tokio::test]
async fn one_account_gets_one_copy_and_lists_and_aliases_stay_as_they_are() {
    let node = house(|config| config.mailboxes.subaddress = SubaddressFolder::Existing).await;
    make(&node, "Lists", None).await;
    post(&node, &["ada+lists@example.org", ADA]).await;
    assert_eq!(counts(&node, &["INBOX", "Lists"]).await, [0, 1]);
    post(&node, &["friends@example.org", "open@example.org"]).await;
    assert_eq!(counts(&node, &["INBOX", "Lists"]).await, [1, 1]);
    assert_eq!(inbox(&node, "bob@example.org").await.len(), 1);
    node.stop().await;
}

/// `shop.example` wants what fails DMARC quarantined.
fn zone() -> Zone {
    Zone::default()
        .txt("shop.example", "v=spf1 ip4:203.0.113.8 -all")
        .txt("_dmarc.shop.example", "v=DMARC1; p=quarantine")
}

const FORGED: &str = "From: Shop <shop@shop.example>\r\nSubject: s\r\n\r\ntext";

async fn forge(node: &TestNode, to: &str) -> String {
    let mut talk = visit(node, Ipv4Addr::new(198, 51, 100, 7)).await;
    talk.post("<x@shop.example>", &[to], FORGED).await
}

#[tokio::test]
async fn what_is_suspicious_goes_into_the_mailbox_for_junk_wherever_it_was_addressed() {
    let (node, _) = strangers::node(zone(), |config| {
        config.mailboxes.subaddress = SubaddressFolder::Existing;
    })
    .await;
    make(&node, "Lists", None).await;
    let reply = forge(&node, "ada+lists@example.org").await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert_eq!(counts(&node, &["INBOX", "Lists", "Junk"]).await, [0, 0, 1]);
    let told = told(&node, &reply).await;
    assert!(told[0].starts_with("into Junk, DMARC of shop.example fails"), "{told:?}");
    // The postmaster sees what others call junk.
    forge(&node, "postmaster@example.org").await;
    let mut all = 0;
    for name in [ADA, "bob@example.org", "dev@localhost"] {
        all += inbox(&node, name).await.len();
    }
    assert_eq!(all, 1);
    node.stop().await;
}

#[tokio::test]
async fn junk_is_found_by_its_use_made_where_there_is_none_and_left_alone_where_that_is_off() {
    let (node, _) = strangers::node(zone(), |_| {}).await;
    let mailboxes = node.store().mailboxes(account(&node, ADA).await.id).await.unwrap();
    if let Some(junk) = mailboxes.iter().find(|mailbox| mailbox.special_use == Some(SpecialUse::Junk)) {
        node.store().delete_mailbox(junk.id, "Junk", Timestamp::from_millis(1)).await.unwrap();
    }
    let reply = forge(&node, ADA).await;
    assert_eq!(counts(&node, &["INBOX", "Junk"]).await, [0, 1]);
    assert!(told(&node, &reply).await[0].ends_with("; made for it"));
    let id = account(&node, ADA).await.id;
    node.store().rename_mailbox(id, "Junk", "Spam", Timestamp::from_millis(2)).await.unwrap();
    forge(&node, ADA).await;
    assert_eq!(counts(&node, &["INBOX", "Junk", "Spam"]).await, [0, 0, 2]);
    node.stop().await;

    let (node, _) = strangers::node(zone(), |config| config.mailboxes.junk = Switch::Off).await;
    forge(&node, ADA).await;
    assert_eq!(counts(&node, &["INBOX", "Junk"]).await, [1, 0]);
    node.stop().await;
}
