//! Who begins to watch an account while something of it is being committed.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use bytes::Bytes;
use store::embedded::{Drive, Embedded, Options};
use store::{
    AccountChange, Change, Directory as _, Mailboxes as _, Metadata, NewAccount, Subscription, Watch,
};
use suite::disk::{Different, DifferentDisk};
use suite::drive::manual;
use suite::mail::{RECEIVED_AT, accept, id};
use types::directory::AccountSettings;

/// Has somebody begin to watch whenever something is synced: what is committed was decided then, and nobody can read it yet.
#[derive(Default)]
struct Late {
    store: OnceLock<Weak<Embedded>>,
    account: Mutex<Option<store::AccountId>>,
    made: Mutex<Vec<Watch>>,
}

impl fmt::Debug for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Late")
    }
}

impl Different for Late {
    fn syncs(&self) {
        let account = *self.account.lock().unwrap();
        if let (Some(store), Some(account)) = (self.store.get().and_then(Weak::upgrade), account) {
            self.made.lock().unwrap().push(store.watch(account));
        }
    }
}

#[test]
fn who_begins_to_watch_while_something_is_committed_is_told_to_read_anew_whatever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let late = Arc::new(Late::default());
    let disk = Arc::new(DifferentDisk(Arc::clone(&late)));
    let options = Options { drive: Drive::Manual, disk, ..Options::at(folder.path()) };
    let store = Arc::new(Embedded::open(options).unwrap());
    late.store.set(Arc::downgrade(&store)).unwrap();
    // Each of an account of its own: where somebody has watched it before, all are told of all.
    let account = |name: &str| {
        *late.account.lock().unwrap() = None;
        let new = NewAccount::new(format!("{name}@example.org"), RECEIVED_AT);
        let account = manual(&store, store.create_account(new)).unwrap();
        *late.account.lock().unwrap() = Some(account.id);
        account
    };
    let heard = |what: &str| {
        let made = std::mem::take(&mut *late.made.lock().unwrap());
        assert!(!made.is_empty(), "{what} was synced");
        made.first().unwrap().take()
    };
    let anew = |what: &str| assert_eq!(heard(what), [Change::Lost], "{what}");

    let owner = account("message");
    manual(&store, accept(&*store, id(1, 0), b"x\r\n", &[owner.inbox])).unwrap();
    anew("a message");
    manual(&store, store.subscribe(account("subscription").id, "News", Subscription::On)).unwrap();
    anew("a subscription");
    let comment = Metadata { name: "/private/comment".into(), value: Some(Bytes::from_static(b"x")) };
    manual(&store, store.set_metadata(account("annotation").id, None, vec![comment])).unwrap();
    anew("an annotation");
    manual(&store, store.create_mailbox(account("mailbox").id, "New", None, RECEIVED_AT)).unwrap();
    anew("a mailbox");
    let settings = AccountSettings { quota_bytes: Some(1), ..AccountSettings::default() };
    let settings = AccountChange::Settings(settings);
    manual(&store, store.change_account(account("settings").id, settings)).unwrap();
    anew("the account's settings");
    manual(&store, store.remove_account(account("removed").id)).unwrap();
    anew("the end of the account");
    account("other");
    manual(&store, accept(&*store, id(1, 1), b"x\r\n", &[owner.inbox])).unwrap();
    assert_eq!(heard("a message for somebody else"), []);
}
