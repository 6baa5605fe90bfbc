//! Mailboxes that sessions have open: one snapshot of each, shared by all of them and kept as new as the store.
//!
//! - [`MailModels`]: the accounts that have sessions now.
//! - [`AccountMail`]: one of them. It hears of every change by one [`store::Watch`], and gives each to the models that it
//!   concerns, in the order in which they were committed.
//! - [`Model`]: one mailbox. It is watched first and read then, so that no change is lost between the two.
//! - [`Ear`]: what wakes one session, and what it has not heard yet.
//!
//! The store tells a change before it answers whoever made it: who calls [`AccountMail::hear`] after an answer of the store
//! finds it in the model.

mod ear;
mod known;
mod model;

pub(crate) use ear::{Ear, News};
pub(crate) use known::Known;
pub(crate) use model::{Model, read as snapshot_of};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use store::{AccountId, Change, MailboxId, MailboxInfo, Store, StoreError, Watch};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use self::model::Heard;
use crate::shared::Stage;

/// The accounts that have sessions.
#[derive(Debug, Default)]
pub(crate) struct MailModels {
    accounts: Mutex<BTreeMap<AccountId, Weak<AccountMail>>>,
    /// Messages of models that are kept though their account has no session.
    lingering_messages: Arc<AtomicUsize>,
}

/// The mail of one account as its sessions see it.
pub(crate) struct AccountMail {
    account: AccountId,
    store: Arc<dyn Store>,
    watch: Arc<Watch>,
    /// Changes were lost: somebody has to read anew.
    lost: Arc<Notify>,
    feed: Mutex<Feed>,
    lingering_messages: Arc<AtomicUsize>,
    stage: watch::Receiver<Stage>,
    feeder: Mutex<Option<AbortHandle>>,
}

/// Where changes go.
#[derive(Default)]
struct Feed {
    models: BTreeMap<MailboxId, Weak<Model>>,
    ears: BTreeMap<u64, Arc<Ear>>,
    next_ear: u64,
    /// The mailboxes of the account, where they are known. Their counters are of some time.
    folders: Option<Vec<Arc<MailboxInfo>>>,
    /// Grows with each change of the mailboxes themselves.
    folders_version: u64,
    /// It is kept for a time though it has no session: messages that are counted for it.
    lingering: Option<usize>,
    /// The models that were open last, so that who goes from one mailbox to another and back does not read them anew.
    lately: Vec<Arc<Model>>,
}

/// A session among those of its account. Dropped, it hears nothing more.
pub(crate) struct Member {
    mail: Arc<AccountMail>,
    ear: Arc<Ear>,
    number: u64,
}

/// A mailbox that could not be read anew is tried again after this time, and then after twice as long each time.
const MEND_AGAIN_MIN: Duration = Duration::from_secs(1);
/// But no less often than so.
const MEND_AGAIN_MAX: Duration = Duration::from_secs(60);
/// Models of an account that are kept though nobody has them open, while the account has a session.
const LATELY_MAX: usize = 4;
/// Messages of all those together.
const LATELY_MESSAGES_MAX: usize = 200_000;
/// An account without sessions is watched for this time: many clients come again and again.
const LINGER_TIME: Duration = Duration::from_secs(60);
/// Messages of the models of all accounts that are watched so; about 40 MiB.
const LINGERING_MESSAGES_MAX: usize = 500_000;

impl MailModels {
    /// Joins the sessions of an account; the first one begins to watch it.
    pub(crate) fn join(
        &self,
        store: &Arc<dyn Store>,
        account: AccountId,
        stage: &watch::Receiver<Stage>,
    ) -> Member {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|_, mail| mail.strong_count() > 0);
        let mail = accounts.get(&account).and_then(Weak::upgrade).unwrap_or_else(|| {
            let mail = AccountMail::watch(store, account, &self.lingering_messages, stage);
            accounts.insert(account, Arc::downgrade(&mail));
            mail
        });
        drop(accounts);
        let ear = Arc::new(Ear::default());
        let number = mail.lock().add(Arc::clone(&ear));
        Member { mail, ear, number }
    }
}

impl AccountMail {
    fn watch(
        store: &Arc<dyn Store>,
        account: AccountId,
        lingering_messages: &Arc<AtomicUsize>,
        stage: &watch::Receiver<Stage>,
    ) -> Arc<Self> {
        let (watch, lost) = (Arc::new(store.watch(account)), Arc::new(Notify::new()));
        let mail = Arc::new(Self {
            account,
            store: Arc::clone(store),
            watch: Arc::clone(&watch),
            lost: Arc::clone(&lost),
            feed: Mutex::default(),
            lingering_messages: Arc::clone(lingering_messages),
            stage: stage.clone(),
            feeder: Mutex::default(),
        });
        let feeder = tokio::spawn(feed(watch, lost, Arc::downgrade(&mail))).abort_handle();
        *mail.feeder.lock().unwrap_or_else(PoisonError::into_inner) = Some(feeder);
        mail
    }

    /// Takes over what was committed until now.
    pub(crate) fn hear(&self) {
        let mut feed = self.lock();
        let changes = self.watch.take();
        if changes.contains(&Change::Lost) {
            self.lost.notify_one();
        }
        if !changes.is_empty() {
            feed.spread(changes);
        }
    }

    /// The model of a mailbox, read. Whether it is one of the account is for the caller to know.
    pub(crate) async fn open(&self, mailbox: MailboxId) -> Result<Arc<Model>, StoreError> {
        let model = {
            let mut feed = self.lock();
            feed.models.retain(|_, model| model.strong_count() > 0);
            // One that is gone is asked of the store again: it says so.
            match feed.models.get(&mailbox).and_then(Weak::upgrade).filter(|model| !model.is_gone()) {
                Some(model) => model,
                None => {
                    let model = Arc::new(Model::new(mailbox));
                    feed.models.insert(mailbox, Arc::downgrade(&model));
                    model
                }
            }
        };
        let was_stale = model.is_stale();
        model.read(&*self.store).await?;
        if was_stale {
            // Others have it open, and nobody else tells them what was lost.
            self.lock().wake(mailbox);
        }
        self.hear();
        self.lock().keep(&model);
        Ok(model)
    }

    /// Takes over what was committed until now; where changes of this model were lost, by reading it anew. Where that fails it
    /// stays as it was.
    pub(crate) async fn hear_of(&self, model: &Model) {
        self.hear();
        if model.is_stale() && model.read(&*self.store).await.is_ok() {
            self.lock().wake(model.mailbox());
        }
    }

    /// The account's mailboxes; their counters are of some time.
    pub(crate) async fn folders(&self) -> Result<Vec<Arc<MailboxInfo>>, StoreError> {
        self.hear();
        let known = {
            let feed = self.lock();
            feed.folders.clone().ok_or(feed.folders_version)
        };
        let version = match known {
            Ok(folders) => return Ok(folders),
            Err(version) => version,
        };
        let read = self.store.mailboxes(self.account).await?;
        let folders: Vec<_> = read.into_iter().map(Arc::new).collect();
        self.hear();
        let mut feed = self.lock();
        // What changed meanwhile may not be in it: it serves for now, and is not kept.
        if feed.folders_version == version {
            feed.folders = Some(folders.clone());
        }
        Ok(folders)
    }

    /// Reads models anew that lost changes. One that cannot be read stays as it was; it is to be tried again.
    async fn mend(&self) -> Mended {
        let models: Vec<Arc<Model>> = self.lock().models.values().filter_map(Weak::upgrade).collect();
        let mut mended = Mended::All;
        for model in models.into_iter().filter(|model| model.is_stale()) {
            match model.read(&*self.store).await {
                Ok(()) | Err(StoreError::NoSuchMailbox) => self.lock().wake(model.mailbox()),
                Err(why) => {
                    let (account, mailbox) = (self.account, model.mailbox());
                    tracing::warn!(%account, %mailbox, %why, "a mailbox cannot be read anew");
                    mended = Mended::NotAll;
                }
            }
        }
        mended
    }

    /// Stays for a time without sessions, where there is room.
    fn linger(self: &Arc<Self>, feed: &mut Feed) {
        let messages: usize = feed.lately.iter().map(|model| model.messages()).sum();
        let counted = Arc::clone(&self.lingering_messages);
        let before = feed.lingering.map(|before| counted.fetch_sub(before, Ordering::Relaxed));
        if counted.fetch_add(messages, Ordering::Relaxed) + messages > LINGERING_MESSAGES_MAX {
            counted.fetch_sub(messages, Ordering::Relaxed);
            // It may stay, without what it was to keep.
            feed.lingering = before.map(|_| 0);
            return feed.lately.clear();
        }
        if before.is_some() {
            // Another session came and went meanwhile: its time runs already.
            feed.lingering = Some(messages);
            return;
        }
        // A node that ends may have no runtime any more.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            counted.fetch_sub(messages, Ordering::Relaxed);
            return;
        };
        feed.lingering = Some(messages);
        let (mail, mut stage) = (Arc::clone(self), self.stage.clone());
        runtime.spawn(async move {
            tokio::select! {
                biased;
                _ = stage.wait_for(|stage| *stage > Stage::Serving) => {}
                () = tokio::time::sleep(LINGER_TIME) => {}
            }
            let messages = mail.lock().lingering.take();
            counted.fetch_sub(messages.unwrap_or(0), Ordering::Relaxed);
        });
    }

    fn lock(&self) -> MutexGuard<'_, Feed> {
        // Nothing that is done under the lock leaves half of a change behind.
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of reading models anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mended {
    All,
    /// Some could not be read now.
    NotAll,
}

/// Carries changes to the models as long as there are any.
async fn feed(watch: Arc<Watch>, lost: Arc<Notify>, mail: Weak<AccountMail>) {
    let mut again: Option<(Instant, Duration)> = None;
    loop {
        let is_time = async {
            match again {
                Some((at, _)) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let is_due = tokio::select! {
            biased;
            () = lost.notified() => true,
            () = watch.arrived() => again.is_none(),
            () = is_time => true,
        };
        let Some(mail) = mail.upgrade() else { return };
        mail.hear();
        // Changes that come meanwhile do not have a store that fails read all the more often.
        if !is_due {
            continue;
        }
        again = match mail.mend().await {
            Mended::All => None,
            Mended::NotAll => {
                let wait = again.map_or(MEND_AGAIN_MIN, |(_, wait)| (wait * 2).min(MEND_AGAIN_MAX));
                Some((Instant::now() + wait, wait))
            }
        };
    }
}

impl Drop for AccountMail {
    fn drop(&mut self) {
        let feeder = self.feeder.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(feeder) = feeder.take() {
            feeder.abort();
        }
    }
}

impl Feed {
    fn add(&mut self, ear: Arc<Ear>) -> u64 {
        self.next_ear += 1;
        self.ears.insert(self.next_ear, ear);
        self.next_ear
    }

    /// Gives changes to models and ears.
    fn spread(&mut self, changes: Vec<Change>) {
        let mut heard: BTreeMap<MailboxId, Heard> = BTreeMap::new();
        for change in changes {
            for ear in self.ears.values() {
                ear.hear(&change);
            }
            match change {
                Change::Messages { mailbox, entries } => {
                    heard.entry(mailbox).or_default().messages(&entries);
                }
                Change::Flags { mailbox, change } => heard.entry(mailbox).or_default().flagged(&change),
                Change::Gone { mailbox, modseq, uids } => {
                    heard.entry(mailbox).or_default().gone(modseq, uids)
                }
                Change::Mailbox(info) => {
                    heard.entry(info.id).or_default().mailbox(&info);
                    self.change_folders(info.id, Some(*info));
                }
                Change::MailboxGone(mailbox) => {
                    self.change_folders(mailbox, None);
                    heard.entry(mailbox).or_default().mailbox_gone();
                }
                Change::Lost => {
                    self.forget_folders();
                    // What comes behind it is of no use before everything was read anew.
                    for mailbox in self.models.keys() {
                        heard.entry(*mailbox).or_default().lost();
                    }
                }
                Change::Account
                | Change::AccountGone
                | Change::Subscription { .. }
                | Change::Metadata { .. } => {}
            }
        }
        for (mailbox, heard) in heard {
            let Some(model) = self.models.get(&mailbox).and_then(Weak::upgrade) else { continue };
            if model.hear(heard) {
                self.wake(mailbox);
            }
        }
    }

    /// A mailbox is new, or is otherwise now, or is gone. Whoever selects one asks for the list of all: it is not read anew.
    fn change_folders(&mut self, mailbox: MailboxId, now: Option<MailboxInfo>) {
        self.folders_version += 1;
        let Some(folders) = &mut self.folders else { return };
        folders.retain(|folder| folder.id != mailbox);
        if let Some(now) = now {
            // INBOX first, then by name, as the store lists them.
            let place = folders.partition_point(|folder| folder.name == "INBOX" || folder.name < now.name);
            folders.insert(if now.name == "INBOX" { 0 } else { place }, Arc::new(now));
        }
    }

    /// They are asked of the store when they are needed next.
    fn forget_folders(&mut self) {
        self.folders = None;
        self.folders_version += 1;
    }

    /// Wakes the sessions that have a mailbox selected.
    fn wake(&self, mailbox: MailboxId) {
        for ear in self.ears.values().filter(|ear| ear.has_selected(mailbox)) {
            ear.wake();
        }
    }

    fn keep(&mut self, model: &Arc<Model>) {
        self.lately.retain(|kept| !Arc::ptr_eq(kept, model) && !kept.is_gone());
        self.lately.insert(0, Arc::clone(model));
        self.lately.truncate(LATELY_MAX);
        let mut messages = 0;
        self.lately.retain(|kept| {
            messages += kept.messages();
            messages <= LATELY_MESSAGES_MAX
        });
    }
}

impl Member {
    /// The mail of its account.
    pub(crate) const fn mail(&self) -> &Arc<AccountMail> {
        &self.mail
    }

    /// What wakes it.
    pub(crate) fn ear(&self) -> &Ear {
        &self.ear
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut feed = self.mail.lock();
        feed.ears.remove(&self.number);
        if feed.ears.is_empty() {
            self.mail.linger(&mut feed);
        }
    }
}

#[cfg(test)]
mod tests;
