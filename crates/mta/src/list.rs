//! Mailing lists: who may post, what a copy's header section says and whom it shows as author, where its bounces go, and
//! how a list knows that it is about to feed itself.
//!
//! Standards: RFC 5321 §3.9.2 (a list's envelope), RFC 2919 (`List-Id`), RFC 2369 (`List-Post` and its like),
//! RFC 6068 (mailto), RFC 2142 §6 (`NAME-request`), RFC 3834 §2 (what automatic responders look for).
//!
//! Each list `NAME@` has three addresses beside its own: `NAME-owner@`, `NAME-request@`, which people write to, and
//! `NAME-bounces@`, alone or with a member in it (`NAME-bounces+user=example.org@`: VERP).

pub mod author;
mod fields;

pub use fields::{REPLACED_FIELDS, fields, list_id};

use types::directory::{ListBounces, MailingList, Posters, key};
use types::limits::LOCAL_PART_BYTES_MAX;
use types::{Host, Mailbox, ReversePath};

use crate::admission::Client;
use crate::header::field::FieldsOf;

/// An address that a list has beside its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Helper {
    /// `NAME-owner`
    Owner,
    /// `NAME-request`
    Request,
    /// `NAME-bounces`, with the member whose copy bounced where VERP says so.
    Bounces(Option<Mailbox>),
}

/// The name of the list and which of its helper addresses a local part, without quotes, is in form. Whether there is
/// such a list is for the directory to say.
#[must_use]
pub fn helper(local_part: &str) -> Option<(&str, Helper)> {
    if let Some((name, verp)) = split_ignoring_case(local_part, "-bounces+") {
        return Some((name, Helper::Bounces(Some(member(verp)?))));
    }
    [("-owner", Helper::Owner), ("-request", Helper::Request), ("-bounces", Helper::Bounces(None))]
        .into_iter()
        .find_map(|(suffix, helper)| {
            let (name, "") = split_ignoring_case(local_part, suffix)? else { return None };
            Some((name, helper))
        })
}

/// `NAME-owner@`, `NAME-request@` or `NAME-bounces@` of the list at `address`; none where that is longer than a local
/// part may be.
#[must_use]
pub fn helper_address(address: &Mailbox, helper: &Helper) -> Option<Mailbox> {
    let name = address.local_part.unquoted();
    let local_part = match helper {
        Helper::Owner => format!("{name}-owner"),
        Helper::Request => format!("{name}-request"),
        Helper::Bounces(None) => format!("{name}-bounces"),
        Helper::Bounces(Some(member)) => format!("{name}-bounces+{}", verp(member)?),
    };
    at_host(&local_part, &address.host)
}

/// The reverse-path of the copy for `member` (RFC 5321 §3.9.2: never that of who posted). Where VERP has no room for
/// the member, the bounce comes to the list all the same, and does not say whose it is.
#[must_use]
pub fn reverse_path(address: &Mailbox, list: &MailingList, member: &Mailbox) -> ReversePath {
    let verp = match list.bounces {
        ListBounces::Verp => helper_address(address, &Helper::Bounces(Some(member.clone()))),
        ListBounces::Owner => helper_address(address, &Helper::Owner),
    };
    let plain = || helper_address(address, &Helper::Bounces(None));
    ReversePath::Mailbox(verp.or_else(plain).unwrap_or_else(|| list.owner.clone()))
}

/// Whether a message with this reverse-path may be posted. The owner always may.
///
/// The reverse-path of a stranger is what it claims: a list that must not be written to by others is for
/// authenticated posters, whose sender is checked at MAIL.
#[must_use]
pub fn may_post(list: &MailingList, reverse_path: &ReversePath, client: &Client<'_>) -> bool {
    let Some(sender) = reverse_path.mailbox().map(key) else { return false };
    let account = client.rights().map(|rights| rights.account.to_lowercase());
    let is_sender = |mailbox: &Mailbox| {
        let key = key(mailbox);
        key == sender || Some(&key) == account.as_ref()
    };
    match &list.posters {
        Posters::Anyone => true,
        Posters::Members => list.members.iter().any(is_sender) || is_sender(&list.owner),
        Posters::Owner => is_sender(&list.owner),
        Posters::Listed(posters) => posters.iter().any(is_sender) || is_sender(&list.owner),
    }
}

/// Whether a message was on this list before: it names the list in `List-Id`, or was delivered to its address
/// (attacks: list loops). `header` is the header section.
#[must_use]
pub fn was_here(header: &[u8], address: &Mailbox) -> bool {
    let list_id = list_id(address);
    let address = key(address);
    FieldsOf::new(header).any(|field| {
        let value = field.value(header);
        if field.is(header, "List-Id") {
            let Some(open) = memchr::memrchr(b'<', value) else { return false };
            let id = &value[open + 1..];
            let id = &id[..memchr::memchr(b'>', id).unwrap_or(id.len())];
            id.trim_ascii().eq_ignore_ascii_case(list_id.as_bytes())
        } else {
            field.is(header, "Delivered-To") && is_address(value, &address)
        }
    })
}

/// Whether the value of `Delivered-To` is this address.
pub(crate) fn is_address(value: &[u8], address: &str) -> bool {
    std::str::from_utf8(value.trim_ascii())
        .ok()
        .and_then(|value| value.parse::<Mailbox>().ok())
        .is_some_and(|mailbox| key(&mailbox) == address)
}

/// A mailbox whose local part means this ([`types::LocalPart::unquoted`]), in quotes where it needs them.
pub(crate) fn at_host(local_part: &str, host: &Host) -> Option<Mailbox> {
    // What begins with a quote means that quote, not a quoted string.
    let bare = if local_part.starts_with('"') { None } else { local_part.parse().ok() };
    let local_part = bare.or_else(|| {
        let mut quoted = String::from("\"");
        for c in local_part.chars() {
            if matches!(c, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        quoted.push('"');
        quoted.parse().ok()
    })?;
    let mailbox = Mailbox { local_part, host: host.clone() };
    // With a long host it may be longer than a path may be.
    mailbox.to_string().parse().ok()
}

/// `user=example.org`: only for members whose address needs neither quotes nor UTF-8, lest it be read back otherwise.
fn verp(member: &Mailbox) -> Option<String> {
    let local_part = member.local_part.as_str();
    let domain = member.host.domain()?;
    (local_part.is_ascii() && !local_part.starts_with('"') && local_part.len() < LOCAL_PART_BYTES_MAX)
        .then(|| format!("{local_part}={}", domain.ascii()))
}

/// The inverse: a domain holds no `=`, so the last one is where the `@` was.
fn member(verp: &str) -> Option<Mailbox> {
    let (local_part, domain) = verp.rsplit_once('=')?;
    format!("{local_part}@{domain}").parse().ok()
}

/// What is before and after the first `separator`, which no name begins with.
fn split_ignoring_case<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let at = text
        .as_bytes()
        .windows(separator.len())
        .position(|window| window.eq_ignore_ascii_case(separator.as_bytes()))
        .filter(|at| *at > 0)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use types::directory::{AccountSettings, Expandable, FromRewriting};

    use super::*;
    use crate::admission::Rights;

    fn mailbox(text: &str) -> Mailbox {
        text.parse().unwrap()
    }

    fn list(posters: Posters, bounces: ListBounces) -> MailingList {
        MailingList {
            owner: mailbox("owner@example.org"),
            members: vec![mailbox("Ada@example.net"), mailbox("bob@example.com")],
            posters,
            bounces,
            description: "Engines".into(),
            expandable: Expandable::Never,
            from: FromRewriting::IfNeeded,
        }
    }

    #[test]
    fn helper_addresses_are_known_by_their_form() {
        let bounces = |member: &str| Helper::Bounces(Some(mailbox(member)));
        for (local_part, expected) in [
            ("list-owner", Some(("list", Helper::Owner))),
            ("LIST-Request", Some(("LIST", Helper::Request))),
            ("a-b-bounces", Some(("a-b", Helper::Bounces(None)))),
            ("list-bounces+user=example.org", Some(("list", bounces("user@example.org")))),
            ("list-bounces+a=b+c=example.org", Some(("list", bounces("a=b+c@example.org")))),
            ("list-bounces+user", None),
            ("list-bounces+=example.org", None),
            ("-owner", None),
            ("list", None),
            ("list-owner-x", None),
            ("", None),
        ] {
            assert_eq!(helper(local_part), expected, "{local_part}");
        }
    }

    #[test]
    fn the_address_for_the_bounces_of_a_member_is_read_back_as_that_member() {
        let address = mailbox("list@example.org");
        for (member, expected) in [
            ("user@example.net", "list-bounces+user=example.net@example.org"),
            ("a+b=c@example.net", "list-bounces+a+b=c=example.net@example.org"),
            ("x@bücher.example", "list-bounces+x=xn--bcher-kva.example@example.org"),
        ] {
            let list = list(Posters::Anyone, ListBounces::Verp);
            let ReversePath::Mailbox(path) = reverse_path(&address, &list, &mailbox(member)) else {
                panic!("a list sends with a sender")
            };
            assert_eq!(path.to_string(), expected);
            let (name, Helper::Bounces(Some(read))) = helper(path.local_part.as_str()).unwrap() else {
                panic!("{path}")
            };
            assert_eq!((name, key(&read)), ("list", key(&mailbox(member))));
        }
    }

    #[test]
    fn a_member_that_verp_has_no_room_for_bounces_to_the_list_alone() {
        let address = mailbox("list@example.org");
        for member in [
            format!("{}@example.net", "u".repeat(60)),
            "\"a b\"@example.net".to_owned(),
            "用户@example.net".to_owned(),
            "user@[192.0.2.1]".to_owned(),
        ] {
            let list = list(Posters::Anyone, ListBounces::Verp);
            assert_eq!(
                reverse_path(&address, &list, &mailbox(&member)).to_string(),
                "<list-bounces@example.org>",
                "{member}"
            );
        }
        let long = mailbox(&format!("{}@example.org", "l".repeat(60)));
        let list = list(Posters::Anyone, ListBounces::Owner);
        assert_eq!(reverse_path(&long, &list, &address).to_string(), "<owner@example.org>");
        assert_eq!(reverse_path(&address, &list, &address).to_string(), "<list-owner@example.org>");
    }

    #[test]
    fn who_may_post_is_who_the_list_says() {
        let settings = AccountSettings::default();
        let rights = Rights { account: "bob@example.com", settings: &settings, subaddress_separator: None };
        let listed = || Posters::Listed(vec![mailbox("carol@example.org")]);
        for (posters, sender, client, expected) in [
            (Posters::Anyone, "<x@example.org>", Client::Stranger, true),
            (Posters::Anyone, "<>", Client::Stranger, false),
            (Posters::Members, "<ADA@example.net>", Client::Stranger, true),
            (Posters::Members, "<owner@example.org>", Client::Stranger, true),
            (Posters::Members, "<x@example.net>", Client::Stranger, false),
            (Posters::Members, "<x@example.net>", Client::TrustedNetwork, false),
            (Posters::Members, "<bob+tag@example.com>", Client::Authenticated(rights), true),
            (Posters::Owner, "<owner@example.org>", Client::Stranger, true),
            (Posters::Owner, "<ada@example.net>", Client::Stranger, false),
            (listed(), "<carol@example.org>", Client::Stranger, true),
            (listed(), "<owner@example.org>", Client::Stranger, true),
            (listed(), "<ada@example.net>", Client::Stranger, false),
            (Posters::Members, "<>", Client::Authenticated(rights), false),
        ] {
            let list = list(posters.clone(), ListBounces::Owner);
            assert_eq!(may_post(&list, &sender.parse().unwrap(), &client), expected, "{posters:?} {sender}");
        }
    }

    #[test]
    fn a_message_that_was_on_the_list_is_known_again() {
        let address = mailbox("list@example.org");
        for (header, expected) in [
            ("List-Id: Engines <list.example.org>\r\n", true),
            ("X: y\r\nLIST-ID:\r\n <List.Example.ORG>\r\n", true),
            ("List-Id: <other.example.org>\r\n", false),
            ("List-Id: list.example.org\r\n", false),
            ("Delivered-To: List@example.org\r\n", true),
            ("Delivered-To: ada@example.org\r\n", false),
            ("Subject: List-Id: <list.example.org>\r\n", false),
            ("Subject: x\r\n\r\nList-Id: <list.example.org>\r\n", false),
            ("", false),
        ] {
            assert_eq!(was_here(header.as_bytes(), &address), expected, "{header:?}");
        }
    }
}
