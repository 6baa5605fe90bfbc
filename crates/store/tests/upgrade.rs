//! A folder of format 4, which knew no mailboxes but INBOX and no keywords.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use store::embedded::{Drive, Embedded, Options};
use store::{Directory as _, Flags, Mailboxes as _, ModSeq, Transfer, Uid, Vanished};
use suite::drive::{manual, reclaim_all};
use suite::fixture::fixture;
use suite::mail::{RECEIVED_AT, accept, id, read_all, text};
use types::MailId;

/// What the program of that format printed: UID, which message, flags and modification sequence.
const ADA: [(u32, u64, u64, u64); 11] = [
    (1, 0, 1, 17),
    (2, 1, 9, 18),
    (5, 5, 0, 6),
    (6, 6, 8, 18),
    (9, 9, 0, 10),
    (10, 10, 0, 11),
    (11, 11, 0, 12),
    (12, 12, 0, 13),
    (13, 13, 0, 14),
    (14, 14, 0, 15),
    (15, 15, 0, 16),
];
const OTHER: [(u32, u64, u64, u64); 4] = [(4, 6, 0, 5), (5, 9, 0, 6), (6, 12, 0, 7), (7, 15, 0, 8)];

fn is_as_it_was_left(store: &Embedded) {
    let accounts = manual(store, store.accounts()).unwrap();
    let [ada, other] = &accounts[..] else { panic!("{accounts:?}") };
    for (account, expected, numbers) in
        [(ada, &ADA[..], (Uid(16), ModSeq(19))), (other, &OTHER[..], (Uid(8), ModSeq(9)))]
    {
        let info = manual(store, store.mailbox(account.inbox)).unwrap();
        assert_eq!((info.name.as_str(), info.uid_validity.0), ("INBOX", 1_795_322_124));
        assert!((info.uid_next, info.highest_modseq) >= numbers, "{info:?}");
        let entries = manual(store, store.messages(account.inbox, None, 100)).unwrap();
        let found: Vec<_> = entries
            .iter()
            .map(|e| (e.uid.0, e.mail_id, e.flags.0, e.modseq.0))
            .take(expected.len())
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(uid, n, flags, modseq)| (*uid, MailId::new(RECEIVED_AT, *n), *flags, *modseq))
            .collect();
        assert_eq!(found, expected);
        for (entry, (_, mail_id, ..)) in entries.iter().zip(&expected) {
            assert_eq!(entry.saved_at, entry.internal_date);
            let n = (0..16).find(|n| MailId::new(RECEIVED_AT, *n) == *mail_id).unwrap();
            let size = if n == 5 { 4000 } else { 900 };
            let body = vec![b'a' + u8::try_from(n).unwrap(); size];
            assert!(manual(store, read_all(store, account.inbox, entry.uid)).ends_with(&body));
        }
        let deleted = expected.iter().filter(|(_, _, flags, _)| flags & Flags::DELETED.0 != 0).count() as u64;
        assert_eq!(info.deleted, deleted);
    }
}

#[test]
fn a_folder_of_format_4_is_read_upgraded_and_used_on() {
    let folder = fixture("version-4");
    let options = Options {
        segment_bytes: 8 * 1024,
        body_file_bytes: 3000,
        keep_expunged: true,
        drive: Drive::Manual,
        ..Options::at(folder.path())
    };
    let store = Embedded::open(options.clone()).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("format")).unwrap(), "posta-store 5\n");
    assert!(store.check().unwrap().is_clean());
    is_as_it_was_left(&store);
    let accounts = manual(&store, store.accounts()).unwrap();
    let (ada, other) = (&accounts[0], &accounts[1]);
    assert_eq!(manual(&store, store.mailboxes(ada.id)).unwrap().len(), 1);
    // What its log gave up nobody knows.
    assert_eq!(manual(&store, store.vanished(ada.inbox, ModSeq(0))), Ok(Vanished::Forgotten));
    // What that format did not know, beside what was there.
    let made = manual(&store, store.create_mailbox(ada.id, "Kept", None, RECEIVED_AT)).unwrap();
    assert!(made.uid_validity.0 > 1_795_322_124);
    manual(&store, store.transfer(ada.inbox, &[Uid(1), Uid(5)], made.id, Transfer::Copy, RECEIVED_AT))
        .unwrap();
    for n in 0..12 {
        let done = manual(&store, accept(&store, id(9, n), &text(n, 2000), &[other.inbox])).unwrap();
        manual(&store, store.expunge(other.inbox, &[done[0].uid], RECEIVED_AT)).unwrap();
    }
    let purged = manual(&store, store.purge_expunged(types::Timestamp::from_millis(u64::MAX), 99)).unwrap();
    assert_eq!(purged, 12);
    let reclaimed = reclaim_all(&store);
    assert!(reclaimed > 1, "{reclaimed}");
    drop(store);
    std::fs::remove_file(folder.path().join("view.redb")).unwrap();
    let store = Embedded::open(options).unwrap();
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
    is_as_it_was_left(&store);
    assert_eq!(manual(&store, store.messages(made.id, None, 9)).unwrap().len(), 2);
}
