//! MAIL: the facts about a sender.

use mta::admission::sender::{SenderFacts, decide};
use mta::admission::{Client, Decision, Qualification, Storage};
use mta::rate::Rate;
use smtp::grammar::command::Mail;

use super::identity::Identity;
use super::mta_role;
use crate::config::Mode;
use crate::listener::ListenerFacts;
use crate::rates::Submitter;
use crate::shared::{Peer, Shared, now};

/// Who counts for the rates of submission: nobody elsewhere.
pub(super) fn submitter<'a>(
    facts: &ListenerFacts,
    peer: &Peer,
    identity: Option<&'a Identity>,
) -> Option<Submitter<'a>> {
    facts.service.is_submission().then(|| Submitter {
        ip: peer.ip(),
        account: identity.map(|identity| {
            let account = identity.account();
            (account.name.as_str(), account.settings.messages_per_hour_max)
        }),
    })
}

pub(super) fn admit(
    shared: &Shared,
    facts: &ListenerFacts,
    client: Client<'_>,
    submitter: Option<Submitter<'_>>,
    mail: &Mail,
) -> Decision {
    decide(&SenderFacts {
        role: mta_role(facts.service),
        client,
        reverse_path: &mail.reverse_path,
        size_bytes: mail.size_bytes,
        message_bytes_max: facts.message_bytes_max,
        qualification: qualification(shared),
        storage: storage(shared),
        rate: submitter.map_or(Rate::Within, |submitter| shared.rates.check(&submitter, now())),
    })
}

pub(super) fn qualification(shared: &Shared) -> Qualification {
    match shared.config.mode {
        Mode::Development => Qualification::Any,
        Mode::Production => Qualification::Required,
    }
}

/// The store refuses what it has no room for at the end of the message; here it is only asked where that is known
/// already.
pub(super) fn storage(_shared: &Shared) -> Storage {
    Storage::Ready
}
