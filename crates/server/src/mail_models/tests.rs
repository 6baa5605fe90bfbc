//! Models of an account, and the list of its mailboxes.

use store::{Account, Directory as _, Mailboxes as _, NewAccount};
use types::Timestamp;

use super::*;
use crate::config::{ByteSize, Config};
use crate::node::Node;

struct Bench {
    node: Node,
    account: Account,
    member: Member,
    _data: tempfile::TempDir,
}

async fn bench() -> Bench {
    let data = tempfile::tempdir().unwrap();
    let mut config = Config { data: data.path().to_path_buf(), listeners: Vec::new(), ..Config::default() };
    config.host_name = "mail.example.org".parse().unwrap();
    config.store.min_free_bytes = ByteSize(0);
    let node = Node::start(Arc::new(config)).await.unwrap();
    let at = Timestamp::from_millis(1_795_000_000_000);
    let account = node.store().create_account(NewAccount::new("ada@example.org", at)).await.unwrap();
    let shared = node.shared();
    let member = shared.mail_models.join(&shared.store, account.id, &shared.stage);
    Bench { node, account, member, _data: data }
}

#[tokio::test]
async fn a_mailbox_that_was_gone_is_asked_of_the_store_again_when_it_is_opened() {
    let Bench { account, member, node: _node, _data } = bench().await;
    let model = member.mail().open(account.inbox).await.unwrap();
    member.mail().lock().spread(vec![Change::MailboxGone(account.inbox)]);
    assert!(model.newest().is_none());
    let again = member.mail().open(account.inbox).await.unwrap();
    assert!(again.newest().is_some() && !Arc::ptr_eq(&model, &again));
}

#[tokio::test]
async fn the_list_of_mailboxes_follows_what_changes_and_is_not_read_anew() {
    let Bench { node, account, member, _data } = bench().await;
    let (store, id, at) = (node.store(), account.id, Timestamp::from_millis(1_795_000_000_000));
    let mail = member.mail();
    mail.folders().await.unwrap();
    let is_right = async |what: &str| {
        mail.hear();
        let known = mail.lock().folders.clone().expect("it is kept");
        let read = store.mailboxes(id).await.unwrap();
        let facts =
            |info: &MailboxInfo| (info.id, info.name.clone(), info.keywords.clone(), info.special_use);
        let known: Vec<_> = known.iter().map(|info| facts(info)).collect();
        assert_eq!(known, read.iter().map(facts).collect::<Vec<_>>(), "{what}");
    };
    store.create_mailbox(id, "Zoo", None, at).await.unwrap();
    is_right("one is new").await;
    let below = store.create_mailbox(id, "A/B", None, at).await.unwrap();
    is_right("one is new with the one above it").await;
    store.add_keywords(below.id, &["$Label".to_owned()]).await.unwrap();
    is_right("one has a keyword").await;
    store.rename_mailbox(id, "A", "Last", at).await.unwrap();
    is_right("one has another name, and the one below it").await;
    store.rename_mailbox(id, "INBOX", "Moved", at).await.unwrap();
    is_right("what was in INBOX is elsewhere").await;
    store.delete_mailbox(below.id, "Last/B", at).await.unwrap();
    is_right("one is gone").await;
}

#[tokio::test]
async fn what_is_kept_of_an_account_is_counted_again_when_another_session_has_been_there() {
    let Bench { node, account, member, _data } = bench().await;
    let shared = node.shared();
    let counted = || shared.mail_models.lingering_messages.load(Ordering::Relaxed);
    member.mail().open(account.inbox).await.unwrap();
    drop(member);
    assert_eq!(counted(), 0);
    let member = shared.mail_models.join(&shared.store, account.id, &shared.stage);
    let at = Timestamp::from_millis(1_795_000_000_000);
    let entry = |uid| store::MessageEntry {
        uid: store::Uid(uid),
        flags: store::Flags::NONE,
        modseq: store::ModSeq(1000 + u64::from(uid)),
        size_bytes: 1,
        internal_date: at,
        saved_at: at,
        mail_id: types::MailId::new(at, u64::from(uid)),
    };
    let entries = [entry(1), entry(2), entry(3)].into();
    member.mail().lock().spread(vec![Change::Messages { mailbox: account.inbox, entries }]);
    drop(member);
    assert_eq!(counted(), 3);
}

#[tokio::test]
async fn a_store_that_does_not_answer_takes_no_mailbox_from_who_has_it_open() {
    let Bench { node, account, member, _data } = bench().await;
    let model = member.mail().open(account.inbox).await.unwrap();
    member.ear().select(Some(account.inbox));
    node.shared().embedded.close().await;
    member.mail().lock().spread(vec![Change::Lost]);
    member.ear().was_woken();
    assert_eq!(member.mail().mend().await, Mended::NotAll);
    assert!(model.newest().is_some(), "it may be there");
    assert!(!member.ear().was_woken(), "there is nothing to tell");
    assert!(model.is_stale(), "it is tried again");
}

#[tokio::test]
async fn what_one_session_reads_anew_is_told_to_the_others() {
    let Bench { node, account, member, _data } = bench().await;
    let shared = node.shared();
    let model = member.mail().open(account.inbox).await.unwrap();
    member.ear().select(Some(account.inbox));
    // As after a reading that failed, which is not tried again for a second at least.
    let lose = || {
        let mut heard = Heard::default();
        heard.lost();
        model.hear(heard);
    };
    let other = shared.mail_models.join(&shared.store, account.id, &shared.stage);
    lose();
    assert!(model.is_stale() && !member.ear().was_woken());
    other.mail().open(account.inbox).await.unwrap();
    assert!(!model.is_stale() && member.ear().was_woken());
    lose();
    other.mail().hear_of(&model).await;
    assert!(!model.is_stale() && member.ear().was_woken());
    assert!(!other.ear().was_woken(), "it has another mailbox open");
}
