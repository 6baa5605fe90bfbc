//! What the store says, as it goes over the socket.

use store::{AppPassword, Flags, MailboxInfo, MessageEntry};
use types::Mailbox;
use types::directory::{AccountStatus, AddressEntry, AddressKind, Posters};

use crate::control::protocol::{
    AddressDetail, AddressSummary, AppPasswordSummary, MailboxSummary, MessageSummary, PosterRule,
};

pub(super) fn mailbox(mailbox: MailboxInfo) -> MailboxSummary {
    MailboxSummary {
        name: mailbox.name,
        uid_validity: mailbox.uid_validity.0,
        uid_next: mailbox.uid_next.0,
        messages: mailbox.messages,
        size_bytes: mailbox.size_bytes,
        unseen: mailbox.unseen,
        special_use: mailbox.special_use,
    }
}

pub(super) fn message(entry: &MessageEntry) -> MessageSummary {
    let names = [
        (Flags::SEEN, "\\Seen"),
        (Flags::ANSWERED, "\\Answered"),
        (Flags::FLAGGED, "\\Flagged"),
        (Flags::DELETED, "\\Deleted"),
        (Flags::DRAFT, "\\Draft"),
    ];
    let flags = names.iter().filter(|(flag, _)| entry.flags.contains(*flag));
    MessageSummary {
        uid: entry.uid.0,
        mail_id: entry.mail_id.to_string(),
        delivered_at: entry.internal_date.to_string(),
        size_bytes: entry.size_bytes,
        flags: flags.map(|(_, name)| (*name).to_owned()).collect(),
    }
}

pub(super) fn app_password(password: &AppPassword) -> AppPasswordSummary {
    AppPasswordSummary {
        label: password.name.clone(),
        created_at: password.created_at.to_string(),
        last_used_at: password.last_used_at.map(|at| at.to_string()),
    }
}

pub(super) fn disabled(status: &AccountStatus) -> Option<String> {
    match status {
        AccountStatus::Active => None,
        AccountStatus::Disabled { reason } => Some(reason.clone()),
    }
}

pub(super) fn address(entry: AddressEntry) -> AddressSummary {
    let kind = match entry.kind {
        AddressKind::Alias { targets } => AddressDetail::Alias { targets: texts(&targets) },
        AddressKind::Moved { to, handling } => AddressDetail::Moved { to: to.to_string(), handling },
        AddressKind::List(list) => AddressDetail::List {
            owner: list.owner.to_string(),
            member_count: list.members.len(),
            posters: match list.posters {
                Posters::Anyone => PosterRule::Anyone,
                Posters::Members => PosterRule::Members,
                Posters::Owner => PosterRule::Owner,
                Posters::Listed(posters) => PosterRule::Listed(texts(&posters)),
            },
            bounces: list.bounces,
            description: list.description,
            expandable: list.expandable,
            from: list.from,
        },
    };
    AddressSummary { address: entry.address.to_string(), kind }
}

fn texts(mailboxes: &[Mailbox]) -> Vec<String> {
    mailboxes.iter().map(ToString::to_string).collect()
}
