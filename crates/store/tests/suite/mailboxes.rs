//! Mailboxes of an account: made, renamed, deleted; what is copied, moved, expunged and restored; what is told of it.

use bytes::Bytes;
use store::{
    AccountChange, AccountId, Body, Change, Flags, MailboxId, MailboxInfo, Metadata, ModSeq, NewAccount,
    Replaced, SpecialUse, Store, StoreError, Subscription, Transfer, Uid, Vanished,
};
use types::Timestamp;
use types::directory::AccountSettings;
use types::mailstore::MAILBOX_NAME_BYTES_MAX;

use super::mail::{RECEIVED_AT, accept, acceptance, account, id, read_all, text};

pub async fn run_all(store: &dyn Store) {
    an_account_has_the_usual_mailboxes_and_subscribes_to_them(store).await;
    a_mailbox_is_made_with_those_above_it_and_once(store).await;
    a_mailbox_that_was_renamed_meanwhile_is_not_deleted_by_its_old_name(store).await;
    names_below_a_renamed_mailbox_are_no_longer_than_names_may_be(store).await;
    a_renamed_mailbox_keeps_all_but_its_name_and_takes_those_below_along(store).await;
    inbox_renamed_is_there_and_empty(store).await;
    a_name_that_comes_again_has_another_uidvalidity(store).await;
    keywords_have_one_place_and_go_along(store).await;
    what_changed_since_is_left_alone(store).await;
    copies_share_the_body_and_moves_leave_nothing(store).await;
    several_messages_are_appended_in_one_step_and_replace_one(store).await;
    counters_follow_every_change(store).await;
    subscriptions_are_of_names_and_annotations_of_mailboxes(store).await;
    what_vanished_is_told_from_any_moment_on(store).await;
    who_watches_is_told_of_every_change_in_order(store).await;
    what_is_large_is_done_in_one_step(store).await;
    what_was_unflagged_is_not_expunged(store).await;
}

pub async fn what_was_unflagged_is_not_expunged(store: &dyn Store) {
    let inbox = account(store, "unflagged@example.org").await.inbox;
    for n in 0..3 {
        accept(store, id(970, n), b"x\r\n", &[inbox]).await.unwrap();
    }
    let all = [Uid(1), Uid(2), Uid(3)];
    let deleted = Flags::DELETED;
    store.store_flags(inbox, &all, deleted.with(Flags::SEEN), Flags::NONE, None).await.unwrap();
    // Both are with the committer before either is done.
    let unflag = store.store_flags(inbox, &[Uid(2)], Flags::NONE, deleted, None);
    let (unflagged, gone) = tokio::join!(unflag, store.expunge_flagged(inbox, &all, deleted, at(1)));
    assert_eq!((unflagged.unwrap().changed.len(), gone.unwrap()), (1, vec![Uid(1), Uid(3)]));
    assert_eq!(uids(store, inbox).await, [Uid(2)]);
    assert_eq!(store.expunge_flagged(inbox, &all, deleted, at(2)).await.unwrap(), []);
}

/// What keeps expunged messages must do besides.
pub async fn run_kept(store: &dyn Store) {
    what_was_expunged_comes_back_with_new_uids(store).await;
    a_deleted_mailbox_comes_back_with_its_messages(store).await;
    what_was_purged_does_not(store).await;
}

fn at(n: u64) -> Timestamp {
    Timestamp::from_millis(RECEIVED_AT.millis() + n)
}

async fn named(store: &dyn Store, account: AccountId, name: &str) -> MailboxInfo {
    let mailboxes = store.mailboxes(account).await.unwrap();
    mailboxes.into_iter().find(|mailbox| mailbox.name == name).unwrap()
}

async fn names(store: &dyn Store, account: AccountId) -> Vec<String> {
    store.mailboxes(account).await.unwrap().into_iter().map(|mailbox| mailbox.name).collect()
}

async fn uids(store: &dyn Store, mailbox: MailboxId) -> Vec<Uid> {
    store.messages(mailbox, None, usize::MAX).await.unwrap().into_iter().map(|entry| entry.uid).collect()
}

/// With `count` messages in INBOX.
async fn filled(store: &dyn Store, name: &str, test: u64, count: u64) -> store::Account {
    let owner = account(store, name).await;
    for n in 0..count {
        accept(store, id(test, n), &text(n, 300), &[owner.inbox]).await.unwrap();
    }
    owner
}

fn is_conflict<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

pub async fn an_account_has_the_usual_mailboxes_and_subscribes_to_them(store: &dyn Store) {
    let owner = account(store, "usual@example.org").await;
    let mailboxes = store.mailboxes(owner.id).await.unwrap();
    let found: Vec<_> = mailboxes.iter().map(|m| (m.name.as_str(), m.special_use)).collect();
    let expected = [
        ("INBOX", None),
        ("Archive", Some(SpecialUse::Archive)),
        ("Drafts", Some(SpecialUse::Drafts)),
        ("Junk", Some(SpecialUse::Junk)),
        ("Sent", Some(SpecialUse::Sent)),
        ("Trash", Some(SpecialUse::Trash)),
    ];
    assert_eq!(found, expected);
    let mut subscribed = store.subscriptions(owner.id).await.unwrap();
    subscribed.sort();
    assert_eq!(subscribed, ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]);
    let bare = NewAccount { mailboxes: Vec::new(), ..NewAccount::new("bare@example.org", RECEIVED_AT) };
    let bare = store.create_account(bare).await.unwrap();
    assert_eq!(names(store, bare.id).await, ["INBOX"]);
    assert_eq!(store.mailbox(bare.inbox).await.unwrap(), store.mailboxes(bare.id).await.unwrap()[0]);
    store.remove_account(bare.id).await.unwrap();
    assert_eq!(store.mailbox(bare.inbox).await, Err(StoreError::NoSuchMailbox));
    assert!(store.subscriptions(bare.id).await.unwrap().is_empty());
}

pub async fn a_mailbox_is_made_with_those_above_it_and_once(store: &dyn Store) {
    let owner = account(store, "made@example.org").await;
    let create = |name: &'static str, special_use| store.create_mailbox(owner.id, name, special_use, at(1));
    let made = create("Work/2026/Ärger", None).await.unwrap();
    assert_eq!((made.name.as_str(), made.uid_next, made.messages), ("Work/2026/Ärger", Uid(1), 0));
    let all = names(store, owner.id).await;
    assert!(["Work", "Work/2026", "Work/2026/Ärger"].iter().all(|name| all.iter().any(|n| n == name)));
    assert!(is_conflict(create("Work/2026", None).await));
    assert!(is_conflict(create("inbox", None).await));
    assert!(is_conflict(create("Spam", Some(SpecialUse::Junk)).await), "Junk has it");
    assert_eq!(create("iNbOx/below", None).await.unwrap().name, "INBOX/below");
    let important = create("!", Some(SpecialUse::Important)).await.unwrap();
    assert_eq!(store.mailbox(important.id).await.unwrap(), important);
    // Names are compared octet by octet, and are one account's.
    create("work", None).await.unwrap();
    let other = account(store, "other-made@example.org").await;
    store.create_mailbox(other.id, "Work", None, at(1)).await.unwrap();
    let nobody = store.create_mailbox(AccountId(1 << 40), "x", None, at(1)).await;
    assert_eq!(nobody, Err(StoreError::NoSuchAccount));
    assert!(is_conflict(store.delete_mailbox(owner.inbox, "INBOX", at(1)).await), "INBOX stays");
    // Those below stay where one is deleted.
    let work = named(store, owner.id, "Work").await;
    store.delete_mailbox(work.id, "Work", at(2)).await.unwrap();
    assert!(!names(store, owner.id).await.contains(&"Work".to_owned()));
    assert!(names(store, owner.id).await.contains(&"Work/2026/Ärger".to_owned()));
    assert_eq!(store.delete_mailbox(work.id, "Work", at(2)).await, Err(StoreError::NoSuchMailbox));
    let refused = accept(store, id(950, 0), b"x", &[work.id]).await;
    assert!(is_conflict(refused));
}

pub async fn a_mailbox_that_was_renamed_meanwhile_is_not_deleted_by_its_old_name(store: &dyn Store) {
    let owner = account(store, "renamed-meanwhile@example.org").await;
    let chosen = store.create_mailbox(owner.id, "Old", None, at(1)).await.unwrap();
    store.rename_mailbox(owner.id, "Old", "Kept", at(2)).await.unwrap();
    assert_eq!(store.delete_mailbox(chosen.id, "Old", at(3)).await, Err(StoreError::NoSuchMailbox));
    assert_eq!(named(store, owner.id, "Kept").await.id, chosen.id);
    store.delete_mailbox(chosen.id, "Kept", at(4)).await.unwrap();
}

pub async fn names_below_a_renamed_mailbox_are_no_longer_than_names_may_be(store: &dyn Store) {
    let owner = account(store, "long-names@example.org").await;
    let is_limit = |done: Result<(), StoreError>| matches!(done, Err(StoreError::Limit(_)));
    let deep = format!("a/{}", "x".repeat(MAILBOX_NAME_BYTES_MAX - 2));
    store.create_mailbox(owner.id, &deep, None, at(1)).await.unwrap();
    let longer = store.create_mailbox(owner.id, &format!("{deep}x"), None, at(1)).await;
    assert!(is_limit(longer.map(drop)));
    let before = names(store, owner.id).await;
    assert!(is_limit(store.rename_mailbox(owner.id, "a", "bb", at(2)).await), "one octet past it");
    assert_eq!(names(store, owner.id).await, before, "all keep their names");
    store.rename_mailbox(owner.id, "a", "b", at(3)).await.unwrap();
    assert!(names(store, owner.id).await.contains(&deep.replacen('a', "b", 1)));
}

pub async fn a_renamed_mailbox_keeps_all_but_its_name_and_takes_those_below_along(store: &dyn Store) {
    let owner = account(store, "renamed@example.org").await;
    let make = |name: &'static str| store.create_mailbox(owner.id, name, None, at(1));
    let (old, below) = (make("Old").await.unwrap(), make("Old/below").await.unwrap());
    make("Older").await.unwrap();
    let done = accept(store, id(951, 0), b"x\r\n", &[old.id]).await.unwrap()[0];
    let rename = |from: &'static str, to: &'static str| store.rename_mailbox(owner.id, from, to, at(2));
    assert_eq!(rename("Missing", "x").await, Err(StoreError::NoSuchMailbox));
    assert!(is_conflict(rename("Old", "Older").await) && is_conflict(rename("Old", "Old/below/x").await));
    rename("Old", "New/Place").await.unwrap();
    let now = named(store, owner.id, "New/Place").await;
    assert_eq!((now.id, now.uid_validity, now.messages), (old.id, old.uid_validity, 1));
    assert_eq!(uids(store, now.id).await, [done.uid]);
    assert_eq!(named(store, owner.id, "New/Place/below").await.id, below.id);
    let all = names(store, owner.id).await;
    assert!(
        all.contains(&"New".to_owned())
            && all.contains(&"Older".to_owned())
            && !all.contains(&"Old".to_owned())
    );
}

pub async fn inbox_renamed_is_there_and_empty(store: &dyn Store) {
    // RFC 9051 §6.3.6.
    let owner = filled(store, "inbox@example.org", 952, 3).await;
    store.create_mailbox(owner.id, "INBOX/below", None, at(1)).await.unwrap();
    store.rename_mailbox(owner.id, "INBOX", "Old mail", at(2)).await.unwrap();
    assert!(uids(store, owner.inbox).await.is_empty());
    let old = named(store, owner.id, "Old mail").await;
    assert_eq!((old.messages, uids(store, old.id).await.len()), (3, 3));
    named(store, owner.id, "INBOX/below").await;
    let next = accept(store, id(952, 9), b"x\r\n", &[owner.inbox]).await.unwrap()[0];
    assert!(next.uid > Uid(3));
}

pub async fn a_name_that_comes_again_has_another_uidvalidity(store: &dyn Store) {
    let owner = account(store, "validity@example.org").await;
    let mut last = 0;
    for _ in 0..3 {
        // The clock stands still.
        let made = store.create_mailbox(owner.id, "Again", None, at(1)).await.unwrap();
        assert!(made.uid_validity.0 > last);
        last = made.uid_validity.0;
        store.delete_mailbox(made.id, "Again", at(1)).await.unwrap();
    }
}

pub async fn keywords_have_one_place_and_go_along(store: &dyn Store) {
    let owner = filled(store, "keywords@example.org", 953, 1).await;
    let other = named(store, owner.id, "Archive").await.id;
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let known = store.add_keywords(owner.inbox, &list(&["$Junk", "$Forwarded", "$JUNK"])).await.unwrap();
    assert_eq!(known, ["$Junk", "$Forwarded"]);
    assert_eq!(store.add_keywords(other, &list(&["Later"])).await.unwrap(), ["Later"]);
    let (junk, forwarded) = (Flags::keyword(0).unwrap(), Flags::keyword(1).unwrap());
    let both = junk.with(forwarded).with(Flags::FLAGGED);
    store.store_flags(owner.inbox, &[Uid(1)], both, Flags::NONE, None).await.unwrap();
    store.transfer(owner.inbox, &[Uid(1)], other, Transfer::Copy, at(1)).await.unwrap();
    let there = store.mailbox(other).await.unwrap().keywords;
    assert_eq!(there, ["Later", "$Junk", "$Forwarded"]);
    let entry = store.messages(other, None, 1).await.unwrap()[0].clone();
    let found: Vec<&str> = entry.flags.keywords().map(|place| there[place].as_str()).collect();
    assert_eq!((found, entry.flags.contains(Flags::FLAGGED)), (vec!["$Junk", "$Forwarded"], true));
    // As many as there are places.
    let many: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
    assert_eq!(store.add_keywords(other, &many).await.unwrap().len(), types::mailstore::KEYWORDS_MAX);
    assert_eq!(store.add_keywords(MailboxId(1 << 40), &many).await, Err(StoreError::NoSuchMailbox));
}

pub async fn what_changed_since_is_left_alone(store: &dyn Store) {
    // RFC 7162 §3.1.3.
    let owner = filled(store, "since@example.org", 954, 3).await;
    let all = [Uid(1), Uid(2), Uid(3)];
    let since = store.mailbox(owner.inbox).await.unwrap().highest_modseq;
    store.store_flags(owner.inbox, &[Uid(2)], Flags::SEEN, Flags::NONE, None).await.unwrap();
    let done = store.store_flags(owner.inbox, &all, Flags::FLAGGED, Flags::NONE, Some(since)).await.unwrap();
    assert_eq!(done.changed.iter().map(|(uid, _)| uid).collect::<Vec<_>>(), [Uid(1), Uid(3)]);
    assert_eq!(done.modified, [Uid(2)]);
    let flags: Vec<Flags> =
        store.messages(owner.inbox, None, 9).await.unwrap().into_iter().map(|entry| entry.flags).collect();
    assert_eq!(flags, [Flags::FLAGGED, Flags::SEEN, Flags::FLAGGED]);
}

pub async fn copies_share_the_body_and_moves_leave_nothing(store: &dyn Store) {
    let owner = filled(store, "transfer@example.org", 955, 4).await;
    let to = named(store, owner.id, "Archive").await.id;
    let before = read_all(store, owner.inbox, Uid(2)).await;
    let some = [Uid(4), Uid(2), Uid(99), Uid(2)];
    let done = store.transfer(owner.inbox, &some, to, Transfer::Copy, at(7)).await.unwrap();
    assert_eq!(done.uids, [(Uid(2), Uid(1)), (Uid(4), Uid(2))]);
    assert_eq!(read_all(store, to, Uid(1)).await, before);
    let copy = store.messages(to, None, 1).await.unwrap()[0].clone();
    let original = store.messages(owner.inbox, Some(Uid(1)), 1).await.unwrap()[0].clone();
    assert_eq!((copy.mail_id, copy.internal_date), (original.mail_id, original.internal_date));
    assert_eq!(copy.saved_at, at(7));
    let done = store.transfer(owner.inbox, &[Uid(1), Uid(2)], to, Transfer::Move, at(8)).await.unwrap();
    assert_eq!(done.uids, [(Uid(1), Uid(3)), (Uid(2), Uid(4))]);
    assert_eq!(uids(store, owner.inbox).await, [Uid(3), Uid(4)]);
    assert_eq!(uids(store, to).await.len(), 4);
    // The body is there as long as one of them is.
    store.expunge(to, &[Uid(1), Uid(3), Uid(4)], at(9)).await.unwrap();
    assert_eq!(uids(store, to).await, [Uid(2)]);
    // Into the same mailbox.
    let done = store.transfer(to, &[Uid(2)], to, Transfer::Move, at(9)).await.unwrap();
    assert_eq!((done.uids, uids(store, to).await), (vec![(Uid(2), Uid(5))], vec![Uid(5)]));
    assert!(
        store.transfer(to, &[Uid(77)], owner.inbox, Transfer::Move, at(9)).await.unwrap().uids.is_empty()
    );
    let stranger = account(store, "stranger@example.org").await;
    assert!(is_conflict(store.transfer(to, &[Uid(5)], stranger.inbox, Transfer::Copy, at(9)).await));
    let missing = store.transfer(to, &[Uid(5)], MailboxId(1 << 40), Transfer::Copy, at(9)).await;
    assert_eq!(missing, Err(StoreError::NoSuchMailbox));
}

pub async fn several_messages_are_appended_in_one_step_and_replace_one(store: &dyn Store) {
    let owner = filled(store, "append@example.org", 956, 2).await;
    let message = |n: u64, mailbox| {
        let mut made = acceptance(id(957, n), Body::Memory(vec![text(n, 200)]), &[mailbox]);
        made.deliveries[0].internal_date = Some(at(500 + n));
        made.deliveries[0].flags = Flags::SEEN;
        made
    };
    // One of them cannot be: none is (RFC 3502 §6.3.11).
    let missing = MailboxId(1 << 40);
    let refused = store.append(vec![message(0, owner.inbox), message(1, missing)], None).await;
    assert!(is_conflict(refused));
    assert!(is_conflict(store.append(vec![message(0, owner.inbox), message(0, owner.inbox)], None).await));
    let gone = Replaced { mailbox: owner.inbox, uid: Uid(77), at: at(1) };
    let refused = store.append(vec![message(0, owner.inbox)], Some(gone)).await;
    assert_eq!(refused, Err(StoreError::NoSuchMessage));
    assert_eq!(uids(store, owner.inbox).await, [Uid(1), Uid(2)]);
    assert!(!store.knows(id(957, 0)));
    let replaces = Some(Replaced { uid: Uid(1), ..gone });
    let done = store.append(vec![message(0, owner.inbox), message(1, owner.inbox)], replaces).await.unwrap();
    let given: Vec<Uid> = done.iter().map(|accepted| accepted.deliveries[0].uid).collect();
    let entries = store.messages(owner.inbox, None, 9).await.unwrap();
    assert_eq!(entries.iter().map(|e| e.uid).collect::<Vec<_>>(), [Uid(2), given[0], given[1]]);
    assert_eq!((entries[1].internal_date, entries[1].flags), (at(500), Flags::SEEN));
    let mut stream = store.open(owner.inbox, given[0]).await.unwrap();
    let header = stream.header_bytes();
    assert_eq!(header, stream.size_bytes() - 200);
    assert!(stream.next().await.unwrap()[usize::try_from(header).unwrap()..] == text(0, 200));
}

pub async fn counters_follow_every_change(store: &dyn Store) {
    let owner = filled(store, "counters@example.org", 958, 5).await;
    let to = named(store, owner.id, "Sent").await.id;
    store.store_flags(owner.inbox, &[Uid(1), Uid(2)], Flags::SEEN, Flags::NONE, None).await.unwrap();
    store.store_flags(owner.inbox, &[Uid(2), Uid(3)], Flags::DELETED, Flags::NONE, None).await.unwrap();
    store.transfer(owner.inbox, &[Uid(2)], to, Transfer::Copy, at(1)).await.unwrap();
    store.transfer(owner.inbox, &[Uid(3)], to, Transfer::Move, at(1)).await.unwrap();
    store.expunge(owner.inbox, &[Uid(1)], at(1)).await.unwrap();
    let mut usage = store::Usage::default();
    for info in store.mailboxes(owner.id).await.unwrap() {
        let entries = store.messages(info.id, None, 99).await.unwrap();
        let count =
            |wanted: &dyn Fn(Flags) -> bool| entries.iter().filter(|e| wanted(e.flags)).count() as u64;
        let is_deleted = |flags: Flags| flags.contains(Flags::DELETED);
        assert_eq!(info.unseen, count(&|flags| !flags.contains(Flags::SEEN)), "{info:?}");
        assert_eq!(info.deleted, count(&is_deleted), "{info:?}");
        let deleted_bytes: u64 = entries.iter().filter(|e| is_deleted(e.flags)).map(|e| e.size_bytes).sum();
        assert_eq!(info.deleted_bytes, deleted_bytes);
        usage.messages += info.messages;
        usage.size_bytes += entries.iter().map(|e| e.size_bytes).sum::<u64>();
    }
    assert_eq!(usage.messages, 5);
    assert_eq!(store.account_usage(owner.id).await.unwrap(), usage);
}

pub async fn subscriptions_are_of_names_and_annotations_of_mailboxes(store: &dyn Store) {
    let owner = account(store, "personal@example.org").await;
    let version = store.directory_version();
    store.subscribe(owner.id, "Not there", Subscription::On).await.unwrap();
    store.subscribe(owner.id, "Not there", Subscription::On).await.unwrap();
    store.subscribe(owner.id, "Junk", Subscription::Off).await.unwrap();
    store.subscribe(owner.id, "inbox", Subscription::Off).await.unwrap();
    let subscribed = store.subscriptions(owner.id).await.unwrap();
    assert_eq!(subscribed, ["Archive", "Drafts", "Not there", "Sent", "Trash"]);
    assert_eq!(store.directory_version(), version, "no address means anything else");
    let metadata = |name: &str, value: Option<&'static [u8]>| Metadata {
        name: name.to_owned(),
        value: value.map(Bytes::from_static),
    };
    let changes = vec![metadata("/private/comment", Some(b"mine\0")), metadata("/shared/b", Some(b""))];
    store.set_metadata(owner.id, Some(owner.inbox), changes.clone()).await.unwrap();
    store.set_metadata(owner.id, None, vec![metadata("/private/a", Some(b"x"))]).await.unwrap();
    assert_eq!(store.metadata(owner.id, Some(owner.inbox)).await.unwrap(), changes);
    assert_eq!(store.metadata(owner.id, None).await.unwrap(), [metadata("/private/a", Some(b"x"))]);
    store.set_metadata(owner.id, Some(owner.inbox), vec![metadata("/shared/b", None)]).await.unwrap();
    assert_eq!(store.metadata(owner.id, Some(owner.inbox)).await.unwrap(), changes[..1]);
    let huge = Metadata { name: "/private/x".into(), value: Some(Bytes::from(vec![0; 64 * 1024 + 1])) };
    assert!(is_conflict(store.set_metadata(owner.id, None, vec![huge]).await));
    let many = (0..1001).map(|n| metadata(&format!("/private/{n}"), Some(b"x"))).collect();
    assert!(is_conflict(store.set_metadata(owner.id, Some(owner.inbox), many).await));
    let stranger = account(store, "impersonal@example.org").await;
    let refused = store.metadata(stranger.id, Some(owner.inbox)).await;
    assert_eq!(refused, Err(StoreError::NoSuchMailbox));
}

pub async fn what_vanished_is_told_from_any_moment_on(store: &dyn Store) {
    // RFC 7162 §3.2.
    let owner = filled(store, "vanished@example.org", 959, 8).await;
    let to = named(store, owner.id, "Trash").await.id;
    let modseq = || async { store.mailbox(owner.inbox).await.unwrap().highest_modseq };
    let first = modseq().await;
    store.expunge(owner.inbox, &[Uid(2), Uid(3), Uid(7)], at(1)).await.unwrap();
    let second = modseq().await;
    store.transfer(owner.inbox, &[Uid(5)], to, Transfer::Move, at(1)).await.unwrap();
    store.store_flags(owner.inbox, &[Uid(1)], Flags::SEEN, Flags::NONE, None).await.unwrap();
    let vanished = |since: ModSeq| store.vanished(owner.inbox, since);
    let these = |uids: &[u32]| Ok(Vanished::These(uids.iter().copied().map(Uid).collect()));
    assert_eq!(vanished(first).await, these(&[2, 3, 5, 7]));
    assert_eq!(vanished(ModSeq(0)).await, these(&[2, 3, 5, 7]));
    assert_eq!(vanished(second).await, these(&[5]));
    assert_eq!(vanished(modseq().await).await, these(&[]));
    assert_eq!(store.vanished(MailboxId(1 << 40), first).await, Err(StoreError::NoSuchMailbox));
}

pub async fn who_watches_is_told_of_every_change_in_order(store: &dyn Store) {
    let owner = account(store, "watch@example.org").await;
    let other = account(store, "unwatched@example.org").await;
    let to = named(store, owner.id, "Archive").await.id;
    let watch = store.watch(owner.id);
    let done = accept(store, id(960, 0), b"x\r\n", &[owner.inbox, other.inbox]).await.unwrap()[0];
    let told = watch.take();
    let entry = store.messages(owner.inbox, None, 1).await.unwrap()[0].clone();
    assert_eq!(told, [Change::Messages { mailbox: owner.inbox, entries: vec![entry].into() }]);
    let stored = store.store_flags(owner.inbox, &[done.uid], Flags::SEEN, Flags::NONE, None).await.unwrap();
    store.store_flags(owner.inbox, &[done.uid], Flags::SEEN, Flags::NONE, None).await.unwrap();
    assert_eq!(watch.take(), [Change::Flags { mailbox: owner.inbox, change: stored.changed }]);
    store.transfer(owner.inbox, &[done.uid], to, Transfer::Move, at(1)).await.unwrap();
    let told = watch.take();
    let moved = store.messages(to, None, 1).await.unwrap()[0].clone();
    assert_eq!(told[0], Change::Messages { mailbox: to, entries: vec![moved.clone()].into() });
    let Change::Gone { mailbox, modseq, uids } = &told[1] else { panic!("{told:?}") };
    assert_eq!((*mailbox, &uids[..]), (owner.inbox, &[done.uid][..]));
    assert_eq!(*modseq, store.mailbox(owner.inbox).await.unwrap().highest_modseq);
    store.expunge(to, &[moved.uid], at(2)).await.unwrap();
    let told = watch.take();
    assert!(matches!(&told[..], [Change::Gone { mailbox, .. }] if *mailbox == to), "{told:?}");
    let made = store.create_mailbox(owner.id, "New", None, at(3)).await.unwrap();
    assert_eq!(watch.take(), [Change::Mailbox(made.clone().into())]);
    store.rename_mailbox(owner.id, "New", "Newer", at(3)).await.unwrap();
    let told = watch.take();
    assert!(matches!(&told[..], [Change::Mailbox(info)] if info.id == made.id && info.name == "Newer"));
    store.add_keywords(made.id, &["$Label".to_owned()]).await.unwrap();
    let told = watch.take();
    assert!(matches!(&told[..], [Change::Mailbox(info)] if info.keywords == ["$Label"]), "{told:?}");
    store.delete_mailbox(made.id, "Newer", at(4)).await.unwrap();
    assert_eq!(watch.take(), [Change::MailboxGone(made.id)]);
    store.subscribe(owner.id, "Newer", Subscription::On).await.unwrap();
    assert_eq!(watch.take(), [Change::Subscription { name: "Newer".into(), is_subscribed: true }]);
    let change = Metadata { name: "/private/x".into(), value: Some(Bytes::from_static(b"1")) };
    store.set_metadata(owner.id, None, vec![change]).await.unwrap();
    assert_eq!(watch.take(), [Change::Metadata { mailbox: None, names: vec!["/private/x".into()] }]);
    let change = Metadata { name: "/private/x".into(), value: Some(Bytes::from_static(b"1")) };
    store.set_metadata(owner.id, Some(owner.inbox), vec![change]).await.unwrap();
    let (told, inbox) = (watch.take(), store.mailbox(owner.inbox).await.unwrap());
    let names = vec!["/private/x".into()];
    assert_eq!(told[1..], [Change::Metadata { mailbox: Some(owner.inbox), names }]);
    assert!(
        matches!(&told[0], Change::Mailbox(info) if info.highest_modseq == inbox.highest_modseq),
        "{told:?}"
    );
    let settings = AccountSettings { quota_bytes: Some(1), ..owner.settings.clone() };
    store.change_account(owner.id, AccountChange::Settings(settings)).await.unwrap();
    assert_eq!(watch.take(), [Change::Account]);
    store.remove_account(owner.id).await.unwrap();
    assert_eq!(watch.take(), [Change::AccountGone]);
}

pub async fn what_is_large_is_done_in_one_step(store: &dyn Store) {
    // More than stands in one record.
    let owner = account(store, "large@example.org").await;
    let to = named(store, owner.id, "Archive").await.id;
    let messages = (0..256).map(|n| acceptance(id(961, n), Body::Memory(vec![text(n, 20)]), &[owner.inbox]));
    store.append(messages.collect(), None).await.unwrap();
    let mut total = 256;
    while total <= 10_000 {
        let all = uids(store, owner.inbox).await;
        store.transfer(owner.inbox, &all, owner.inbox, Transfer::Copy, at(1)).await.unwrap();
        total *= 2;
    }
    let all = uids(store, owner.inbox).await;
    assert_eq!(all.len(), total);
    let flagged = store.store_flags(owner.inbox, &all, Flags::SEEN, Flags::NONE, None).await.unwrap().changed;
    let there = store.messages(owner.inbox, None, usize::MAX).await.unwrap();
    assert!(flagged.len() == total && there.iter().all(|entry| entry.modseq == flagged.modseq));
    let moved = store.transfer(owner.inbox, &all, to, Transfer::Move, at(2)).await.unwrap().uids;
    assert_eq!(moved.len(), total);
    let there = store.messages(to, None, usize::MAX).await.unwrap();
    assert!(there.len() == total && there.iter().all(|entry| entry.modseq == there[0].modseq));
    assert_eq!(store.expunge(to, &uids(store, to).await, at(3)).await.unwrap().len(), total);
    assert_eq!(store.account_usage(owner.id).await.unwrap(), store::Usage::default());
    let vanished = store.vanished(owner.inbox, ModSeq(0)).await.unwrap();
    assert!(matches!(vanished, Vanished::These(gone) if gone.len() == total));
}

pub async fn what_was_expunged_comes_back_with_new_uids(store: &dyn Store) {
    let owner = filled(store, "restore@example.org", 962, 3).await;
    store.store_flags(owner.inbox, &[Uid(2)], Flags::FLAGGED, Flags::NONE, None).await.unwrap();
    let before = read_all(store, owner.inbox, Uid(2)).await;
    store.expunge(owner.inbox, &[Uid(1)], at(10)).await.unwrap();
    store.expunge(owner.inbox, &[Uid(2)], at(20)).await.unwrap();
    let listed = store.expunged(owner.id).await.unwrap();
    let told: Vec<_> = listed.iter().map(|e| (e.mailbox_name.as_str(), e.message.saved_at)).collect();
    assert_eq!(told, [("INBOX", at(10)), ("INBOX", at(20))]);
    assert_eq!(read_all(store, listed[1].kept_in, listed[1].message.uid).await, before);
    assert_eq!(store.messages(listed[1].kept_in, None, 1).await, Err(StoreError::NoSuchMailbox));
    assert_eq!(store.account_usage(owner.id).await.unwrap().messages, 1);
    let places =
        [(listed[1].kept_in, listed[1].message.uid), (listed[1].kept_in, Uid(999)), (owner.inbox, Uid(3))];
    assert_eq!(store.restore(owner.id, &places, at(30)).await, Ok(1));
    let entries = store.messages(owner.inbox, None, 9).await.unwrap();
    assert_eq!(entries.iter().map(|e| e.uid).collect::<Vec<_>>(), [Uid(3), Uid(4)]);
    assert_eq!((entries[1].flags, entries[1].saved_at), (Flags::FLAGGED, at(30)));
    assert_eq!(read_all(store, owner.inbox, Uid(4)).await, before);
    assert_eq!(store.expunged(owner.id).await.unwrap().len(), 1);
    let stranger = account(store, "thief@example.org").await;
    let place = (listed[0].kept_in, listed[0].message.uid);
    assert_eq!(store.restore(stranger.id, &[place], at(31)).await, Ok(0));
}

pub async fn a_deleted_mailbox_comes_back_with_its_messages(store: &dyn Store) {
    let owner = account(store, "undelete@example.org").await;
    let made = store.create_mailbox(owner.id, "Deep/Down", None, at(1)).await.unwrap();
    for n in 0..3 {
        accept(store, id(963, n), &text(n, 100), &[made.id]).await.unwrap();
    }
    store.expunge(made.id, &[Uid(1)], at(2)).await.unwrap();
    store.delete_mailbox(made.id, "Deep/Down", at(3)).await.unwrap();
    store.delete_mailbox(named(store, owner.id, "Deep").await.id, "Deep", at(3)).await.unwrap();
    let listed = store.expunged(owner.id).await.unwrap();
    assert!(listed.iter().all(|e| e.mailbox_name == "Deep/Down"));
    assert_eq!(listed.iter().map(|e| e.message.saved_at).collect::<Vec<_>>(), [at(2), at(3), at(3)]);
    let places: Vec<_> = listed.iter().map(|e| (e.kept_in, e.message.uid)).collect();
    assert_eq!(store.restore(owner.id, &places, at(4)).await, Ok(3));
    let again = named(store, owner.id, "Deep/Down").await;
    assert!(again.id != made.id && again.uid_validity > made.uid_validity);
    assert_eq!(again.messages, 3);
    named(store, owner.id, "Deep").await;
}

pub async fn what_was_purged_does_not(store: &dyn Store) {
    let owner = filled(store, "purge@example.org", 964, 4).await;
    for n in 1..=3 {
        store.expunge(owner.inbox, &[Uid(n)], at(u64::from(n))).await.unwrap();
    }
    // Those of all accounts go, the oldest first; those of others here are later.
    assert_eq!(store.purge_expunged(at(3), 1).await, Ok(1));
    let left = |listed: Vec<store::Expunged>| listed.iter().map(|e| e.message.saved_at).collect::<Vec<_>>();
    assert_eq!(left(store.expunged(owner.id).await.unwrap()), [at(2), at(3)]);
    assert_eq!(store.purge_expunged(at(3), 99).await, Ok(1));
    assert_eq!(left(store.expunged(owner.id).await.unwrap()), [at(3)]);
    assert!(!store.knows(id(964, 0)) && store.knows(id(964, 2)));
    let deleted = named(store, owner.id, "Sent").await.id;
    accept(store, id(964, 9), b"x\r\n", &[deleted]).await.unwrap();
    store.delete_mailbox(deleted, "Sent", at(4)).await.unwrap();
    while store.purge_expunged(Timestamp::from_millis(u64::MAX), 7).await.unwrap() > 0 {}
    assert!(store.expunged(owner.id).await.unwrap().is_empty() && !store.knows(id(964, 9)));
}
