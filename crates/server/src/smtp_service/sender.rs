//! MAIL: the facts about a sender.

use mta::admission::sender::{SenderFacts, decide, rate_exceeded};
use mta::admission::{Client, Decision, Qualification, Role, Storage};
use mta::rate::Rate;
use mta::schedule::Terms;
use smtp::grammar::command::Mail;
use types::Timestamp;

use super::acceptor::Acceptor;
use super::identity::Identity;
use super::mta_role;
use crate::config::Mode;
use crate::listener::ListenerFacts;
use crate::rates::Submitter;
use crate::shared::{Peer, Shared};

/// Who counts for the rates of submission: on other listeners nobody but who has logged in, lest they be the way
/// round them. By LMTP a server hands over what others wrote.
pub(super) fn submitter<'a>(
    facts: &ListenerFacts,
    peer: &Peer,
    identity: Option<&'a Identity>,
) -> Option<Submitter<'a>> {
    let submits = match mta_role(facts.service) {
        Role::Submission => true,
        Role::Transfer => identity.is_some(),
        Role::Lmtp => false,
    };
    submits.then(|| Submitter {
        ip: peer.ip(),
        account: identity.map(|identity| {
            let account = identity.account();
            (account.name.as_str(), account.settings.messages_per_hour_max)
        }),
    })
}

/// Counts a message for the rate of who submits it; why it is not taken, where that is exceeded. It is counted when it has come
/// and not at MAIL, so that only what is sent counts.
pub(super) fn over_rate(to: &Acceptor<'_>) -> Option<Decision> {
    let submitter = submitter(to.facts, to.peer, to.identity)?;
    match to.shared.rates.take(&submitter, to.shared.now()) {
        Rate::Within => None,
        Rate::Exceeded { wait } => Some(rate_exceeded(wait)),
    }
}

/// When a message may go on (RFC 4865 §4). A time that is over holds nothing.
pub(super) fn released_at(mail: &Mail, received_at: Timestamp) -> Timestamp {
    Terms::new(&mail.reverse_path, &mail.parameters, received_at).released_at()
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
        rate: submitter.map_or(Rate::Within, |submitter| shared.rates.check(&submitter, shared.now())),
    })
}

pub(super) fn qualification(shared: &Shared) -> Qualification {
    match shared.config.mode {
        Mode::Development => Qualification::Any,
        Mode::Production => Qualification::Required,
    }
}

/// Whether there is room, told before the message is sent; the store asks again when it is there.
pub(super) fn storage(shared: &Shared) -> Storage {
    if shared.room.is_low(&shared.embedded, shared.now()) { Storage::Low } else { Storage::Ready }
}
