//! Which command may be said in which state (RFC 9051 §3, §6), and who does it.

use super::account::Context;
use super::reply::Reply;
use super::work::{Next, Pending, Work};
use super::{
    Compression, Session, Step, Task, acl, capability, copy, expunge, fetch, folders, list, metadata, notify,
    quota, search, select, status, store,
};
use crate::command::{Command, Tag, Tagged};
use crate::grammar::Expected;
use crate::response::{Response, continuation, nstring, quoted, untagged};
use crate::view::Allowed;

impl Session {
    /// Does a command, or begins to.
    pub(super) fn command(&mut self, tagged: Tagged) -> Option<Step> {
        let Tagged { tag, command } = tagged;
        match command {
            Command::Capability => self.capability(&tag),
            Command::Logout => self.log_out(&tag),
            Command::Id(fields) => self.id(tag, fields),
            Command::Noop => {
                self.finish(tag, Allowed::All, Reply::completed("NOOP"));
                None
            }
            Command::StartTls | Command::Authenticate { .. } | Command::Login { .. }
                if self.account.is_some() =>
            {
                self.reply(&tag, &Response::AlreadyLoggedIn.into());
                None
            }
            Command::StartTls => self.start_tls(&tag),
            Command::Authenticate { mechanism, initial_response } => {
                self.authenticate(tag, mechanism, initial_response)
            }
            Command::Login { name, password } => self.log_in(tag, name, password),
            _ if self.account.is_none() => {
                self.reply(&tag, &Response::LoginFirst.into());
                None
            }
            Command::Unauthenticate => self.unauthenticate(&tag),
            Command::Compress => self.compress(&tag),
            Command::Enable(names) => self.enable(tag, &names),
            Command::Idle => {
                continuation("idling", &mut self.output);
                self.reader.expect(Expected::Line);
                self.work = Work::Idle(tag);
                None
            }
            command => self.logged_in(tag, command),
        }
    }

    fn logged_in(&mut self, tag: Tag, command: Command) -> Option<Step> {
        let next = begin(&mut self.context()?, &tag, command);
        self.apply(tag, next)
    }

    fn capability(&mut self, tag: &Tag) -> Option<Step> {
        let names = match &self.account {
            Some(_) => capability::after_login(&self.config, self.compression),
            None => capability::before_login(&self.config, self.security),
        };
        untagged(&mut self.output, |out| {
            out.extend_from_slice(b"CAPABILITY ");
            out.extend_from_slice(names.join(" ").as_bytes());
        });
        self.reply(tag, &Reply::completed("CAPABILITY"));
        None
    }

    fn log_out(&mut self, tag: &Tag) -> Option<Step> {
        Response::Goodbye.untagged(&mut self.output);
        self.reply(tag, &Reply::completed("LOGOUT"));
        self.work = Work::Closed;
        None
    }

    /// RFC 2971. What the client says of itself is noted only once it has logged in.
    fn id(&mut self, tag: Tag, fields: Option<Vec<(String, Option<String>)>>) -> Option<Step> {
        let server_id = &self.config.server_id;
        untagged(&mut self.output, |out| {
            out.extend_from_slice(b"ID ");
            if server_id.is_empty() {
                return nstring(None, out);
            }
            for (index, (name, value)) in server_id.iter().enumerate() {
                out.push(if index == 0 { b'(' } else { b' ' });
                quoted(name.as_bytes(), out);
                out.push(b' ');
                quoted(value.as_bytes(), out);
            }
            out.push(b')');
        });
        match fields {
            Some(fields) if self.account.is_some() => {
                self.apply(tag, Next::Ask(Task::ClientId(fields), Pending::Simple("ID")))
            }
            _ => {
                self.reply(&tag, &Reply::completed("ID"));
                None
            }
        }
    }

    fn compress(&mut self, tag: &Tag) -> Option<Step> {
        let reply = match (self.config.compression, self.compression) {
            (_, Compression::Deflate) => Response::CompressionActive.into(),
            (Compression::None, _) => Response::Cannot.into(),
            (Compression::Deflate, Compression::None) => {
                self.work = Work::StartingCompression;
                Response::BeginCompression.into()
            }
        };
        self.reply(tag, &reply);
        None
    }

    /// ENABLE (RFC 5161): what is not known is passed over.
    fn enable(&mut self, tag: Tag, names: &[String]) -> Option<Step> {
        let cx = self.context()?;
        let mut enabling = Enabling::default();
        for name in names {
            let on = &mut cx.account.enabled;
            match name.as_str() {
                "CONDSTORE" => cx.account.enable_condstore(cx.out),
                "QRESYNC" => {
                    // RFC 7162 §3.2.3: it enables CONDSTORE too.
                    on.qresync = true;
                    cx.account.enable_condstore(cx.out);
                }
                "UTF8=ACCEPT" => on.utf8 = true,
                "IMAP4REV2" => on.rev2 = true,
                "UIDONLY" => on.uid_only = true,
                METADATA => {
                    enabling.is_to_hear = !on.metadata && cx.account.notify.is_default();
                    on.metadata |= !enabling.is_to_hear;
                }
                _ => continue,
            }
            enabling.names.push(if name == "IMAP4REV2" { "IMAP4rev2".to_owned() } else { name.clone() });
        }
        let next = if enabling.is_to_hear {
            // What others do to annotations (RFC 5464 §4.4).
            Next::Ask(Task::Watch(true), Pending::Enable(enabling))
        } else {
            enabling.answer(cx.out)
        };
        if cx.account.enabled.has_utf8() {
            self.reader.set_utf8();
        }
        self.apply(tag, next)
    }
}

/// An ENABLE whose names are told when it is known what came of them (RFC 5161 §3.2).
#[derive(Default)]
pub(super) struct Enabling {
    names: Vec<String>,
    /// METADATA is among them, and annotations have to be watched for it.
    is_to_hear: bool,
}

const METADATA: &str = "METADATA";

impl Enabling {
    /// Annotations are watched from now on, or cannot be: then that is not enabled, and the others are.
    pub(super) fn watched(mut self, cx: &mut Context<'_>, is_watched: bool) -> Next {
        cx.account.enabled.metadata = is_watched;
        self.names.retain(|name| is_watched || name != METADATA);
        self.answer(cx.out)
    }

    fn answer(self, out: &mut Vec<u8>) -> Next {
        untagged(out, |out| {
            out.extend_from_slice(b"ENABLED");
            for name in &self.names {
                out.push(b' ');
                out.extend_from_slice(name.as_bytes());
            }
        });
        Next::completed("ENABLE")
    }
}

/// Begins a command of somebody who is logged in.
fn begin(cx: &mut Context<'_>, tag: &Tag, command: Command) -> Next {
    match command {
        Command::Select { mailbox, said, access, condstore, qresync } => {
            select::begin(cx, select::Asked { mailbox, said, access, condstore, qresync })
        }
        Command::Create { mailbox, said, special_uses } => folders::create(mailbox, said, special_uses),
        Command::Delete { mailbox, said } => folders::delete(mailbox, said),
        Command::Rename { from, to, said } => folders::rename(from, to, said),
        Command::Subscribe(mailbox) => folders::subscribe(mailbox),
        Command::Unsubscribe(mailbox) => folders::unsubscribe(mailbox),
        Command::List(command) => list::begin(cx, command),
        Command::Lsub { reference, pattern } => list::begin_lsub(reference, pattern),
        Command::Namespace => folders::namespace(cx),
        Command::Status { mailbox, items } => status::begin(cx, mailbox, items),
        Command::GetQuota(root) => quota::get(root),
        Command::GetQuotaRoot(mailbox) => quota::get_root(mailbox),
        Command::SetQuota { .. } => Next::end(Response::NoPermission),
        Command::GetMetadata { mailbox, size_max, depth, entries } => {
            metadata::get(mailbox, size_max, depth, entries)
        }
        Command::SetMetadata { mailbox, entries } => metadata::set(mailbox, entries),
        Command::MyRights(mailbox) => acl::my_rights(mailbox),
        Command::GetAcl(mailbox) => acl::get(mailbox),
        Command::ListRights { mailbox, identifier } => acl::list(mailbox, identifier),
        Command::SetAcl { .. } => Next::end(Response::NoPermission),
        Command::Notify(command) => notify::begin(cx, command),
        command => in_mailbox(cx, tag, command),
    }
}

/// Begins a command of the selected state. Also where it is refused, nothing is told that would change the numbers of commands
/// that are on their way already (RFC 9051 §5.5 and §7.5.1).
fn in_mailbox(cx: &mut Context<'_>, tag: &Tag, command: Command) -> Next {
    let allowed = match &command {
        Command::Fetch { numbering, .. } | Command::Store { numbering, .. } => fetch::allowed(*numbering),
        // Keys may have numbers with UID too; nobody looked at those of a command that is refused.
        Command::Search { .. } | Command::Sort { .. } | Command::Thread { .. } => Allowed::NotExpunge,
        _ => Allowed::All,
    };
    begin_in_mailbox(cx, tag, command).within(allowed)
}

fn begin_in_mailbox(cx: &mut Context<'_>, tag: &Tag, command: Command) -> Next {
    let Some(mailbox) = &cx.account.mailbox else { return Next::end(Response::SelectFirst) };
    let access = mailbox.access;
    let changes =
        matches!(command, Command::Store { .. } | Command::Expunge(_) | Command::Copy { moves: true, .. });
    if changes && access == crate::command::Access::ReadOnly {
        return Next::end(Response::MailboxReadOnly);
    }
    match command {
        Command::Check => Next::completed("CHECK"),
        Command::Close => select::close(cx),
        Command::Unselect => select::unselect(cx),
        Command::Expunge(set) => expunge::begin(cx, set),
        Command::Fetch { numbering, set, items, changed_since, vanished, partial } => {
            fetch::begin(cx, fetch::Asking { numbering, set, items, changed_since, vanished, partial })
        }
        Command::Store { numbering, set, unchanged_since, how, silent, flags } => {
            store::begin(cx, store::Storing::new(numbering, set, unchanged_since, how, silent, flags))
        }
        Command::Copy { numbering, set, mailbox, moves } => copy::begin(cx, numbering, &set, mailbox, moves),
        command => search::begin(cx, tag.clone(), command),
    }
}
