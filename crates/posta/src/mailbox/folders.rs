//! `posta mailbox folders`, `create`, `rename` and `delete`.

use std::collections::HashSet;
use std::process::ExitCode;

use comfy_table::Cell;
use server::control::{Client, MailboxRequest, MailboxResponse, MailboxSummary, Request, Response};
use types::mailstore::SpecialUse;

use super::command::OwnerArgs;
use crate::directory::{number, print_entries, text};
use crate::exit::{Failure, Outcome};
use crate::{data, screen, terminal};

/// The mailboxes of an account, each behind the one above it.
pub(super) fn all(client: &mut Client, account: Option<&str>) -> Result<Vec<MailboxSummary>, Failure> {
    let request = Request::Mailboxes { account: account.map(str::to_owned) };
    let Response::Mailboxes(mut mailboxes) = super::ask(client, request)? else {
        return Err(data::unexpected());
    };
    // By levels: `Lists/Rust` stands behind `Lists` and not behind `Lists-old`.
    mailboxes.sort_by(|one, other| levels(&one.name).cmp(levels(&other.name)));
    mailboxes.sort_by_key(|mailbox| levels(&mailbox.name).next() != Some("INBOX"));
    Ok(mailboxes)
}

pub(super) fn list(owner: &OwnerArgs) -> Outcome {
    let mailboxes = all(&mut super::client(&owner.place.data)?, owner.account.as_deref())?;
    let names: HashSet<&str> = mailboxes.iter().map(|mailbox| mailbox.name.as_str()).collect();
    let header = ["MAILBOX", "FOR", "MESSAGES", "UNREAD", "SIZE"];
    print_entries(&owner.place, &mailboxes, "there is no mailbox", &header, |mailbox| row(mailbox, &names))
}

fn row(mailbox: &MailboxSummary, names: &HashSet<&str>) -> Vec<Cell> {
    vec![
        text(&as_branch(&mailbox.name, names)),
        text(&mailbox.special_use.map(|r#use| r#use.to_string()).unwrap_or_default()),
        number(mailbox.messages),
        number(mailbox.unseen),
        number(screen::size(mailbox.size_bytes)),
    ]
}

/// The last level of a name, further in than the mailbox above it; the whole name where there is none above it.
fn as_branch(name: &str, names: &HashSet<&str>) -> String {
    match name.rsplit_once('/') {
        Some((above, last)) if names.contains(above) => {
            format!("{}{last}", "  ".repeat(levels(above).count()))
        }
        _ => name.to_owned(),
    }
}

fn levels(name: &str) -> std::str::Split<'_, char> {
    name.split('/')
}

pub(super) fn create(name: String, special_use: Option<SpecialUse>, owner: &OwnerArgs) -> Outcome {
    let account = owner.account.clone();
    let request = MailboxRequest::Create { account, name, special_use };
    let response = super::change(&mut super::client(&owner.place.data)?, request)?;
    let MailboxResponse::Mailbox(made) = response else { return Err(data::unexpected()) };
    say(owner, &format!("{} is there", made.name), &serde_json::json!(made))
}

pub(super) fn rename(from: String, to: String, owner: &OwnerArgs) -> Outcome {
    let account = owner.account.clone();
    let request = MailboxRequest::Rename { account, from: from.clone(), to: to.clone() };
    done(owner, request)?;
    say(owner, &format!("{from} is now {to}"), &serde_json::json!({ "from": from, "to": to }))
}

pub(super) fn delete(name: String, owner: &OwnerArgs) -> Outcome {
    done(owner, MailboxRequest::Delete { account: owner.account.clone(), name: name.clone() })?;
    let sentence = format!("{name} is gone; `posta mailbox restore` brings its messages back");
    say(owner, &sentence, &serde_json::json!({ "name": name }))
}

fn done(owner: &OwnerArgs, request: MailboxRequest) -> Result<(), Failure> {
    match super::change(&mut super::client(&owner.place.data)?, request)? {
        MailboxResponse::Done => Ok(()),
        _ => Err(data::unexpected()),
    }
}

fn say(owner: &OwnerArgs, sentence: &str, json: &serde_json::Value) -> Outcome {
    if owner.place.json {
        terminal::print_json(json)?;
    } else {
        terminal::print(&format!("{}\n", terminal::line(sentence)))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_stand_under_the_one_above_them() {
        let names = HashSet::from(["Lists", "Lists/Rust", "Lists/Rust/old", "a/b"]);
        let rows = [
            ("Lists", "Lists"),
            ("Lists/Rust", "  Rust"),
            ("Lists/Rust/old", "    old"),
            ("a/b", "a/b"),
            ("Lists/Go/x", "Lists/Go/x"),
        ];
        for (name, shown) in rows {
            assert_eq!(as_branch(name, &names), shown);
        }
    }
}
