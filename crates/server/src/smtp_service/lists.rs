//! Messages to lists: what is known of their author, and those that lists send with themselves in the author's place.

use mta::list::author::Authorship;
use store::{Acceptance, Idempotency, StoreError};
use types::Domain;

use crate::local_delivery::{ListMessage, Notes};
use crate::shared::Shared;

/// What is known of the author of a message whose sender was not checked. `is_ours` says that it was sent by one of ours.
///
/// # Errors
/// The store cannot be asked whose domains these are.
pub(super) async fn authorship(
    shared: &Shared,
    is_ours: bool,
    domains: &[Domain],
) -> Result<Authorship, StoreError> {
    // Names that are made up want nothing.
    if shared.outside.names().is_some() {
        return Ok(Authorship::Checked(Vec::new()));
    }
    for domain in domains {
        if !shared.directory.is_ours(&*shared.store, domain).await? {
            return Ok(Authorship::Unchecked);
        }
    }
    Ok(if is_ours { Authorship::Ours } else { Authorship::Unchecked })
}

/// What is stored of the messages of lists beside `first`, the message that came.
pub(super) fn acceptances(
    shared: &Shared,
    messages: Vec<ListMessage>,
    first: &Acceptance,
    notes: &mut Notes,
) -> Vec<Acceptance> {
    let acceptances = messages.into_iter().enumerate().map(|(number, message)| {
        let mail_id = shared.new_mail_id(first.received_at);
        let stored = message.stored_as(mail_id, first.received_at, &first.envelope, &first.origin, notes);
        // So that what is sent again is not sent to the list again.
        let idempotency = first.idempotency.as_ref().map(|of_message| Idempotency {
            key: format!("list {number} of {}", of_message.key),
            ..of_message.clone()
        });
        Acceptance { idempotency, ..stored }
    });
    acceptances.collect()
}
