//! Random work: several things that are asked for at once, and what the answers promise.

use std::collections::BTreeSet;
use std::task::Poll;

use store::embedded::Embedded;
use store::{
    Acceptance, Accepted, AccountChange, AccountId, Directory as _, Flags, Idempotency, MailboxId,
    Mailboxes as _, Put, Queue as _, QueueItemId, Settled, Settlement, Spool as _, StoreError, Uid,
};
use types::{Domain, MailId, Mailbox};

use super::directory::{Name, NameKind, SELECTOR, settings};
use super::mail::MailState;
use super::queue::{AskedSettlement, Queue};
use super::{Life, Reports};
use crate::drive::{Asked, commit};
use crate::random::Random;

/// What is asked for.
enum Ask {
    Accept(MailId, Option<Idempotency>),
    Flags(MailboxId, Uid, Flags),
    Expunge(MailboxId, Vec<Uid>),
    Quota(AccountId, u64),
    RemoveAccount(AccountId),
    /// With the value, or to be removed.
    Entry(Name, Option<u64>),
    /// With the reports of it.
    Settle(Vec<AskedSettlement>, Vec<MailId>),
}

/// And what is told.
enum Told {
    Accepted(Accepted),
    Gone(Vec<Uid>),
    Settled(Vec<Settled>, Vec<Accepted>),
    Done,
}

type Answer = Result<Told, StoreError>;

/// What a batch touches already: the order of two changes of one thing would have to be known.
#[derive(Default)]
struct Used {
    messages: BTreeSet<(MailboxId, Uid)>,
    names: BTreeSet<Name>,
    accounts: BTreeSet<AccountId>,
    keys: BTreeSet<(AccountId, String)>,
    queue: BTreeSet<QueueItemId>,
}

impl Life {
    pub(super) fn batch(&mut self, store: &Embedded, random: &mut Random) -> Result<(), String> {
        let count = if random.chance(50) { 1 } else { 1 + random.below(6) };
        let mut used = Used::default();
        let (mut asks, mut asked) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let next = match random.below(100) {
                0..2 => self.ask_removal(store, random, &mut used),
                2..6 => self.ask_quota(store, random, &mut used),
                6..16 => self.ask_entry(store, random, &mut used),
                16..45 => self.ask_settlement(store, random, &mut used),
                _ => self.ask_mail(store, random, &mut used),
            };
            if let Some((ask, future)) = next {
                asks.push(ask);
                asked.push(future);
            }
        }
        let told = commit(store, asked);
        for (ask, told) in asks.into_iter().zip(told) {
            self.note(ask, told)?;
        }
        self.summary.accepted =
            self.promises.mails.values().filter(|mail| mail.state == MailState::Accepted).count() as u64;
        Ok(())
    }

    fn ask_mail<'s>(
        &mut self,
        store: &'s Embedded,
        random: &mut Random,
        used: &mut Used,
    ) -> Option<(Ask, Asked<'s, Answer>)> {
        let entry = self.promises.any_entry(random).filter(|entry| used.messages.insert(*entry));
        match (random.below(10), entry) {
            (0..2, Some((mailbox, uid))) => {
                let add = Flags(1 << random.below(5));
                let asked = async move {
                    store.store_flags(mailbox, &[uid], add, Flags::NONE, None).await.map(|_| Told::Done)
                };
                Some((Ask::Flags(mailbox, uid, add), Box::pin(asked)))
            }
            (2..6, Some((mailbox, uid))) => {
                let mut uids = vec![uid];
                let second = self.promises.any_entry_of(mailbox, random);
                uids.extend(second.filter(|uid| used.messages.insert((mailbox, *uid))));
                let ask = Ask::Expunge(mailbox, uids.clone());
                Some((
                    ask,
                    Box::pin(async move {
                        store.expunge(mailbox, &uids, types::Timestamp::default()).await.map(Told::Gone)
                    }),
                ))
            }
            _ => {
                let mut acceptance = self.acceptance(store, random)?;
                // One with the same key in one batch goes without.
                acceptance.idempotency = acceptance
                    .idempotency
                    .filter(|used_now| used.keys.insert((used_now.account, used_now.key.clone())));
                let ask = Ask::Accept(acceptance.mail_id, acceptance.idempotency.clone());
                Some((ask, Box::pin(async move { store.accept(acceptance).await.map(Told::Accepted) })))
            }
        }
    }

    fn ask_settlement<'s>(
        &mut self,
        store: &'s Embedded,
        random: &mut Random,
        used: &mut Used,
    ) -> Option<(Ask, Asked<'s, Answer>)> {
        let (mut settlements, mut items) = (Vec::new(), Vec::new());
        for _ in 0..1 + random.below(2) {
            let Some((settlement, asked)) = self.queue.any_settlement(random) else { continue };
            // One by one nothing would refuse the reports of what is fenced, which is not the bug that is meant.
            let is_wanted =
                self.reports == Reports::WithSettlement || !Queue::is_fenced(std::slice::from_ref(&asked));
            if is_wanted && used.queue.insert(settlement.id) {
                settlements.push(settlement);
                items.push(asked);
            }
        }
        if settlements.is_empty() {
            return None;
        }
        let mut reports = Vec::new();
        if random.chance(40) {
            for _ in 0..1 + random.below(2) {
                let Some(report) = self.acceptance(store, random) else { continue };
                reports.push(Acceptance { idempotency: None, ..report });
            }
        }
        let ask = Ask::Settle(items, reports.iter().map(|report| report.mail_id).collect());
        if self.reports == Reports::Apart {
            return Some((ask, Box::pin(apart(store, settlements, reports))));
        }
        let asked = async move {
            let (settled, accepted) = store.settle(settlements, reports).await?;
            Ok(Told::Settled(settled, accepted))
        };
        Some((ask, Box::pin(asked)))
    }

    fn ask_removal<'s>(
        &self,
        store: &'s Embedded,
        random: &mut Random,
        used: &mut Used,
    ) -> Option<(Ask, Asked<'s, Answer>)> {
        let account = self.directory.any_account(random)?;
        if !used.accounts.insert(account) {
            return None;
        }
        let asked = async move { store.remove_account(account).await.map(|()| Told::Done) };
        Some((Ask::RemoveAccount(account), Box::pin(asked)))
    }

    fn ask_quota<'s>(
        &mut self,
        store: &'s Embedded,
        random: &mut Random,
        used: &mut Used,
    ) -> Option<(Ask, Asked<'s, Answer>)> {
        let account = self.directory.any_account(random)?;
        if !used.accounts.insert(account) {
            return None;
        }
        let quota = self.directory.new_value();
        let change = AccountChange::Settings(settings(quota));
        let asked = async move { store.change_account(account, change).await.map(|_| Told::Done) };
        Some((Ask::Quota(account, quota), Box::pin(asked)))
    }

    fn ask_entry<'s>(
        &mut self,
        store: &'s Embedded,
        random: &mut Random,
        used: &mut Used,
    ) -> Option<(Ask, Asked<'s, Answer>)> {
        let (name, is_there) = self.directory.any_name(random);
        let is_there = is_there.filter(|_| used.names.insert(name))?;
        let value = self.directory.new_value();
        let (domain, address) = (name.domain_entry(value)?, name.address_entry(value)?);
        let dkim_key = name.dkim_key(value)?;
        if is_there && random.chance(50) {
            let (domain, address): (Domain, Mailbox) = (domain.domain, address.address);
            let asked = async move {
                let removed = match name.kind() {
                    NameKind::Domain => store.remove_domain(&domain).await,
                    NameKind::Address => store.remove_address(&address).await,
                    NameKind::DkimKey => store.remove_dkim_key(&domain, SELECTOR).await,
                };
                removed.map(|()| Told::Done)
            };
            return Some((Ask::Entry(name, None), Box::pin(asked)));
        }
        let put = if is_there { Put::Replace } else { Put::New };
        let asked = async move {
            let done = match name.kind() {
                NameKind::Domain => store.put_domain(domain, put).await,
                NameKind::Address => store.put_address(address, put).await,
                NameKind::DkimKey => store.put_dkim_keys(vec![dkim_key]).await,
            };
            done.map(|()| Told::Done)
        };
        Some((Ask::Entry(name, Some(value)), Box::pin(asked)))
    }

    /// Notes what was asked and what was said. An error may be that of the cut: then it is not known what was done.
    fn note(&mut self, ask: Ask, told: Option<Answer>) -> Result<(), String> {
        let is_done = matches!(&told, Some(Ok(_)));
        match ask {
            Ask::Accept(mail_id, key) => self.note_accept(mail_id, key, told),
            Ask::Flags(mailbox, uid, add) => {
                self.promises.flagged(mailbox, uid, add, is_done);
                Ok(())
            }
            Ask::Expunge(mailbox, uids) => match told {
                Some(Ok(Told::Gone(gone))) => self.promises.expunged(mailbox, &uids, Some(&gone)),
                // Its account went before it in the same batch.
                Some(Err(StoreError::NoSuchMailbox)) => Ok(()),
                _ => self.promises.expunged(mailbox, &uids, None),
            },
            Ask::Quota(account, quota) => {
                self.directory.quota_changed(account, quota, is_done);
                Ok(())
            }
            Ask::RemoveAccount(account) => {
                if let Some(mailbox) = self.directory.removed(account, is_done) {
                    self.summary.removed += 1;
                    self.promises.mailbox_gone(mailbox);
                }
                Ok(())
            }
            Ask::Settle(items, reports) => self.note_settlement(items, reports, told),
            Ask::Entry(name, value) => match told {
                Some(Err(
                    error @ (StoreError::Conflict(_) | StoreError::NoSuchDomain | StoreError::NoSuchAddress),
                )) => Err(format!("{name:?} is not as it was said to be: {error}")),
                _ => {
                    self.summary.removed += u64::from(is_done && value.is_none());
                    self.directory.entry_put(name, value, is_done);
                    Ok(())
                }
            },
        }
    }

    fn note_settlement(
        &mut self,
        items: Vec<AskedSettlement>,
        reports: Vec<MailId>,
        told: Option<Answer>,
    ) -> Result<(), String> {
        match told {
            Some(Ok(Told::Settled(settled, accepted))) => {
                if !reports.is_empty() && Queue::is_fenced(&items) {
                    return Err(format!("{items:?} were settled with reports"));
                }
                self.summary.settled += settled.len() as u64;
                self.summary.reported += reports.len() as u64;
                self.queue.settled(items, &settled)?;
                for accepted in accepted {
                    self.queue.accepted(accepted.mail_id, &accepted.queue)?;
                    self.promises.accepted(accepted.mail_id, accepted.deliveries)?;
                }
                Ok(())
            }
            Some(Err(StoreError::Conflict(_))) if !reports.is_empty() => {
                // Nothing was done: something is fenced, or an account went in the same batch.
                for report in reports {
                    self.promises.not_stored(report);
                    self.queue.not_stored(report);
                }
                Ok(())
            }
            Some(Err(StoreError::Conflict(why))) => Err(format!("a settlement was refused: {why}")),
            _ => {
                self.queue.unsettled(items, reports);
                Ok(())
            }
        }
    }

    fn note_accept(
        &mut self,
        mail_id: MailId,
        used: Option<Idempotency>,
        told: Option<Answer>,
    ) -> Result<(), String> {
        let state = used.as_ref().map(|used| (mail_id, mail_id.time(), used.expires_at));
        match told {
            Some(Ok(Told::Accepted(accepted))) => {
                let first = accepted.repeated.then_some(accepted.mail_id);
                match used.zip(state) {
                    Some((used, state)) => {
                        self.directory.key_answered(used.account, &used.key, state, first)?
                    }
                    None if accepted.repeated => {
                        return Err(format!("{mail_id} has no key, and was repeated"));
                    }
                    None => {}
                }
                if accepted.repeated {
                    self.summary.repeated += 1;
                    self.promises.not_stored(mail_id);
                    self.queue.not_stored(mail_id);
                    return Ok(());
                }
                self.queue.accepted(mail_id, &accepted.queue)?;
                self.promises.accepted(mail_id, accepted.deliveries)
            }
            Some(Err(StoreError::Conflict(_) | StoreError::NoSuchAccount)) => {
                self.promises.not_stored(mail_id);
                self.queue.not_stored(mail_id);
                Ok(())
            }
            _ => {
                if let Some((used, state)) = used.zip(state) {
                    self.directory.key_open(used.account, used.key, state);
                }
                Ok(())
            }
        }
    }
}

/// The planted bug: what becomes of items in one step, and the reports of it each in another. All of them are asked for
/// at once, so that they come to the same batch.
async fn apart(store: &Embedded, settlements: Vec<Settlement>, reports: Vec<Acceptance>) -> Answer {
    let mut settling = Box::pin(store.settle(settlements, Vec::new()));
    let mut reporting: Vec<_> = reports.into_iter().map(|report| Box::pin(store.accept(report))).collect();
    let (mut settled, mut accepted) = (None, Vec::new());
    accepted.resize_with(reporting.len(), || None);
    std::future::poll_fn(|cx| {
        if settled.is_none()
            && let Poll::Ready(told) = settling.as_mut().poll(cx)
        {
            settled = Some(told);
        }
        for (reporting, accepted) in reporting.iter_mut().zip(&mut accepted) {
            if accepted.is_none()
                && let Poll::Ready(told) = reporting.as_mut().poll(cx)
            {
                *accepted = Some(told);
            }
        }
        let is_done = settled.is_some() && accepted.iter().all(Option::is_some);
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let (settled, _) = settled.unwrap_or(Err(StoreError::Unavailable(String::new())))?;
    let accepted = accepted.into_iter().flatten().collect::<Result<_, _>>()?;
    Ok(Told::Settled(settled, accepted))
}
