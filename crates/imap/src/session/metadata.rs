//! GETMETADATA and SETMETADATA (RFC 5464).

use super::account::Context;
use super::reply::Reply;
use super::work::{Next, Pending};
use super::{Refusal, Task};
use crate::command::{MailboxName, MetadataDepth};
use crate::name::NameEncoding;
use crate::response::{
    LiteralForm, Response, ResponseCode, astring, literal_header, mailbox_name, nstring, untagged,
};

/// Octets of one value: what a store takes in one record without thinking.
pub const METADATA_VALUE_BYTES_MAX: u64 = 64 * 1024;

/// A GETMETADATA as it was asked.
pub(super) struct Asked {
    mailbox: Option<MailboxName>,
    size_max: Option<u64>,
    depth: MetadataDepth,
    entries: Vec<String>,
}

/// GETMETADATA.
pub(super) fn get(
    mailbox: Option<MailboxName>,
    size_max: Option<u64>,
    depth: MetadataDepth,
    entries: Vec<String>,
) -> Next {
    let asked = Asked { mailbox: mailbox.clone(), size_max, depth, entries };
    Next::Ask(Task::Metadata(mailbox), Pending::Metadata(asked))
}

/// SETMETADATA: all of the entries, or none.
pub(super) fn set(mailbox: Option<MailboxName>, entries: Vec<(String, Option<Vec<u8>>)>) -> Next {
    if entries.iter().any(|(name, _)| !is_entry(name)) {
        return Next::end(Reply::syntax("Names of entries begin with /private/ or /shared/"));
    }
    let too_large = |value: &Vec<u8>| value.len() as u64 > METADATA_VALUE_BYTES_MAX;
    if entries.iter().any(|(_, value)| value.as_ref().is_some_and(too_large)) {
        return Next::end(refused(Refusal::TooBig));
    }
    Next::Ask(Task::SetMetadata { mailbox, entries }, Pending::SetMetadata)
}

/// Why nothing was set.
pub(super) fn refused(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::TooBig => Reply::from(Response::MetadataTooLarge)
            .with(ResponseCode::MetadataMaxSize(METADATA_VALUE_BYTES_MAX)),
        Refusal::Limit => Response::MetadataTooMany.into(),
        other => other.into(),
    }
}

impl Asked {
    /// Tells those that were asked for and are not too large.
    pub(super) fn answer(self, cx: &mut Context<'_>, entries: &[(String, Vec<u8>)]) -> Next {
        let is_asked = |name: &str| self.entries.iter().any(|asked| is_within(name, asked, self.depth));
        let fits = |value: &[u8]| self.size_max.is_none_or(|size_max| value.len() as u64 <= size_max);
        let (fitting, left_out): (Vec<_>, Vec<_>) =
            entries.iter().filter(|(name, _)| is_asked(name)).partition(|(_, value)| fits(value));
        let told: Vec<(&str, Option<&[u8]>)> =
            fitting.into_iter().map(|(name, value)| (name.as_str(), Some(&value[..]))).collect();
        write(self.mailbox.as_ref(), &told, cx.account.enabled.names(), cx.out);
        match left_out.iter().map(|(_, value)| value.len() as u64).max() {
            Some(largest) => Next::end(
                Reply::from(Response::MetadataLeftOut).with(ResponseCode::MetadataLongEntries(largest)),
            ),
            None => Next::completed("GETMETADATA"),
        }
    }
}

/// METADATA of LIST (RFC 9590): those of the entries that there are, and NIL for the others.
pub(super) fn write_entries(
    mailbox: Option<&MailboxName>,
    asked: &[String],
    entries: &[(String, Vec<u8>)],
    names: NameEncoding,
    out: &mut Vec<u8>,
) {
    let value = |asked: &String| entries.iter().find(|(name, _)| name == asked).map(|(_, value)| &value[..]);
    let told: Vec<(&str, Option<&[u8]>)> = asked.iter().map(|asked| (asked.as_str(), value(asked))).collect();
    write(mailbox, &told, names, out);
}

/// `* METADATA "INBOX" /shared/comment`: names of entries that changed (RFC 5464 §4.4.2).
pub(super) fn write_changed(
    mailbox: Option<&MailboxName>,
    entries: &[String],
    names: NameEncoding,
    out: &mut Vec<u8>,
) {
    untagged(out, |out| {
        write_mailbox(mailbox, names, out);
        for entry in entries {
            out.push(b' ');
            astring(entry.as_bytes(), out);
        }
    });
}

fn write(
    mailbox: Option<&MailboxName>,
    entries: &[(&str, Option<&[u8]>)],
    names: NameEncoding,
    out: &mut Vec<u8>,
) {
    if entries.is_empty() {
        return;
    }
    untagged(out, |out| {
        write_mailbox(mailbox, names, out);
        for (index, (name, value)) in entries.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b" (" } else { b" " });
            astring(name.as_bytes(), out);
            out.push(b' ');
            match value {
                Some(value) if value.contains(&0) => {
                    literal_header(LiteralForm::Binary, value.len() as u64, out);
                    out.extend_from_slice(value);
                }
                value => nstring(*value, out),
            }
        }
        out.push(b')');
    });
}

fn write_mailbox(mailbox: Option<&MailboxName>, names: NameEncoding, out: &mut Vec<u8>) {
    out.extend_from_slice(b"METADATA ");
    match mailbox {
        Some(mailbox) => mailbox_name(mailbox, names, out),
        None => out.extend_from_slice(b"\"\""),
    }
}

fn is_entry(name: &str) -> bool {
    ["/private/", "/shared/"].iter().any(|kind| name.len() > kind.len() && name.starts_with(kind))
        && !name.ends_with('/')
        && !name.contains("//")
        && !name.contains(['*', '%'])
}

/// Whether an entry is one that was asked for, or below it (RFC 5464 §4.2.2).
fn is_within(name: &str, asked: &str, depth: MetadataDepth) -> bool {
    let Some(below) = name.strip_prefix(asked) else { return false };
    match (below.strip_prefix('/'), depth) {
        (None, _) => below.is_empty(),
        (Some(_), MetadataDepth::Zero) => false,
        (Some(below), MetadataDepth::One) => !below.contains('/'),
        (Some(_), MetadataDepth::Infinity) => true,
    }
}
