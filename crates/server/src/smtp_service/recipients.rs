//! RCPT: the facts about a recipient.

use std::sync::Arc;

use mta::admission::recipient::{Facts, MailboxState, NewAddresses, RecipientPolicy, WayOut, decide};
use mta::admission::{Client, Decision};
use mta::rate::Rate;
use mta::resolve::Addressed;
use smtp::grammar::command::{Mail, Rcpt};
use smtp::server::Transaction;
use store::{Account, StoreError};
use types::{ForwardPath, ReplyKind, ReversePath};

use super::mta_role;
use super::sender::{qualification, storage};
use crate::config::Recipients;
use crate::directory::Route;
use crate::listener::ListenerFacts;
use crate::local_delivery::over_quota_policy;
use crate::shared::Shared;

/// Mailboxes that the recipients of one message may lead to, by aliases that are as large as they may be. What is over
/// it comes with another message, as where there are too many recipients.
const TARGETS_MAX: usize = 10_000;

/// Looks the recipient up and has it decided about.
pub(super) async fn admit(
    shared: &Shared,
    facts: &ListenerFacts,
    client: Client<'_>,
    transaction: &Transaction<Arc<Route>>,
    rcpt: &Rcpt,
    is_repeated: bool,
) -> (Decision, Option<Arc<Route>>) {
    let route = match shared.directory.route(&*shared.store, &rcpt.forward_path).await {
        Ok(route) => Some(route),
        Err(error) => {
            tracing::warn!(%error, "a recipient could not be looked up");
            None
        }
    };
    let held: usize = transaction.recipients.iter().map(|recipient| recipient.route.targets.len()).sum();
    if held > 0 && held + route.as_ref().map_or(0, |route| route.targets.len()) > TARGETS_MAX {
        let reason = format!("the recipients before it lead to {held} mailboxes");
        return (Decision { reply: ReplyKind::TooManyRecipients.reply(), reason: reason.into() }, None);
    }
    let recipients = u32::try_from(transaction.recipients.len()).unwrap_or(u32::MAX);
    let said = Said { mail: &transaction.mail, forward_path: &rcpt.forward_path, recipients, is_repeated };
    let rate = way_back_rate(shared, &transaction.mail, route.as_deref());
    let size_bytes = transaction.mail.size_bytes;
    let decision = decided(shared, facts, client, said, route.as_deref(), size_bytes, rate).await;
    (decision, route)
}

/// Decides about a recipient that was accepted once more, as of now and with the size that the message has.
pub(super) async fn admit_late(
    shared: &Shared,
    facts: &ListenerFacts,
    client: Client<'_>,
    mail: &Mail,
    forward_path: &ForwardPath,
    size_bytes: u64,
) -> Decision {
    let route = shared.directory.route(&*shared.store, forward_path).await.ok();
    let said = Said { mail, forward_path, recipients: 0, is_repeated: false };
    decided(shared, facts, client, said, route.as_deref(), Some(size_bytes), Rate::Within).await
}

/// Whether one more bounce may go back to the sender for whom the recipient stands, if it is one.
fn way_back_rate(shared: &Shared, mail: &Mail, route: Option<&Route>) -> Rate {
    let is_bounce = mail.reverse_path == ReversePath::Null;
    match route {
        Some(Route { addressed: Addressed::WayBack { problem: None }, targets, .. }) if is_bounce => {
            let sender = targets.first().and_then(|target| target.path.last());
            sender.map_or(Rate::Within, |sender| shared.rates.take_way_back(&sender.address, shared.now()))
        }
        _ => Rate::Within,
    }
}

/// What the client said of a recipient.
struct Said<'a> {
    mail: &'a Mail,
    forward_path: &'a ForwardPath,
    /// Recipients that were accepted before it.
    recipients: u32,
    /// The message came before: nothing of it is stored again, whether there is room or not.
    is_repeated: bool,
}

async fn decided(
    shared: &Shared,
    facts: &ListenerFacts,
    client: Client<'_>,
    said: Said<'_>,
    route: Option<&Route>,
    message_bytes: Option<u64>,
    rate: Rate,
) -> Decision {
    let mut states = Vec::new();
    let mut is_known = route.is_some();
    for account in route.iter().flat_map(|route| route.accounts()) {
        match mailbox_state(shared, account, message_bytes).await {
            Ok(MailboxState::Full) if said.is_repeated => states.push(MailboxState::Open),
            Ok(state) => states.push(state),
            Err(_) => is_known = false,
        }
    }
    decide(&Facts {
        role: mta_role(facts.service),
        client,
        reverse_path: &said.mail.reverse_path,
        smtputf8: said.mail.parameters.smtputf8,
        forward_path: said.forward_path,
        resolution: route.filter(|_| is_known),
        mailboxes: MailboxState::of_all(states),
        recipients: said.recipients,
        recipients_max: u32::try_from(facts.recipients_max).unwrap_or(u32::MAX),
        policy: policy(shared),
        storage: storage(shared),
        rate,
    })
}

/// Whether an account takes a message. What it has stored is asked only where it has a quota.
pub(super) async fn mailbox_state<'a>(
    shared: &Shared,
    account: &'a Account,
    message_bytes: Option<u64>,
) -> Result<MailboxState<'a>, StoreError> {
    let used_bytes = match account.settings.quota_bytes {
        Some(_) => shared.store.account_usage(account.id).await?.size_bytes,
        None => 0,
    };
    Ok(MailboxState::of(&account.settings, used_bytes, message_bytes))
}

pub(super) fn policy(shared: &Shared) -> RecipientPolicy {
    RecipientPolicy {
        over_quota: over_quota_policy(shared),
        new_addresses: NewAddresses::Told,
        way_out: way_out(shared),
        qualification: qualification(shared),
    }
}

/// In development nothing leaves the machine, unless it was said where to.
fn way_out(shared: &Shared) -> WayOut {
    match shared.config.recipients {
        Recipients::CatchAll => WayOut::None,
        Recipients::Domains(_) | Recipients::Relay => WayOut::Open,
    }
}
