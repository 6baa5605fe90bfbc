//! Response codes: what a program reads of a status response.

use types::mailstore::{Flags, ModSeq, Uid, UidValidity};

use super::encode::{SYSTEM_FLAGS, number, quoted, uid_set};

/// What stands in brackets behind OK, NO, BAD or BYE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseCode {
    /// ALERT (RFC 9051 §7.1): the text is for the person's eyes.
    Alert,
    /// ALREADYEXISTS (RFC 5530)
    AlreadyExists,
    /// APPENDUID (RFC 4315): where the messages are, in the order in which they came.
    AppendUid(UidValidity, Vec<Uid>),
    /// AUTHENTICATIONFAILED (RFC 5530)
    AuthenticationFailed,
    /// AUTHORIZATIONFAILED (RFC 5530)
    AuthorizationFailed,
    /// BADCHARSET with those that there are (RFC 9051 §7.1)
    BadCharset,
    /// BADEVENT with those that there are (RFC 5465 §5)
    BadEvent,
    /// BADURL with the URL (RFC 4469 §4.1)
    BadUrl(String),
    /// CANNOT (RFC 5530)
    Cannot,
    /// CAPABILITY (RFC 9051 §7.1)
    Capability(Vec<String>),
    /// CLIENTBUG (RFC 5530)
    ClientBug,
    /// CLOSED (RFC 7162 §3.2.11): what follows is of the newly selected mailbox.
    Closed,
    /// COMPRESSIONACTIVE (RFC 4978 §3)
    CompressionActive,
    /// CONTACTADMIN (RFC 5530)
    ContactAdmin,
    /// COPYUID (RFC 4315): from and to, in the same order.
    CopyUid(UidValidity, Vec<Uid>, Vec<Uid>),
    /// CORRUPTION (RFC 5530)
    Corruption,
    /// EXPIRED (RFC 5530)
    Expired,
    /// EXPUNGEISSUED (RFC 5530)
    ExpungeIssued,
    /// HASCHILDREN (RFC 9051 §7.1)
    HasChildren,
    /// HIGHESTMODSEQ (RFC 7162 §3.1.2.1)
    HighestModSeq(ModSeq),
    /// INPROGRESS (RFC 9585): the tag, what is done and, where that is known, of how much.
    InProgress(Option<(String, u64, Option<u64>)>),
    /// INUSE (RFC 5530)
    InUse,
    /// LIMIT (RFC 5530)
    Limit,
    /// MAILBOXID (RFC 8474 §4.1)
    MailboxId(String),
    /// METADATA LONGENTRIES (RFC 5464 §4.2.1): octets of the largest that was left out.
    MetadataLongEntries(u64),
    /// METADATA MAXSIZE (RFC 5464 §4.3): octets of a value at most.
    MetadataMaxSize(u64),
    /// METADATA TOOMANY (RFC 5464 §4.3)
    MetadataTooMany,
    /// METADATA NOPRIVATE (RFC 5464 §4.3)
    MetadataNoPrivate,
    /// MODIFIED (RFC 7162 §3.1.3): sequence numbers or UIDs, ascending.
    Modified(Vec<u32>),
    /// NOMODSEQ (RFC 7162 §3.1.2.2)
    NoModSeq,
    /// NONEXISTENT (RFC 5530)
    NonExistent,
    /// NOPERM (RFC 5530)
    NoPerm,
    /// NOTIFICATIONOVERFLOW (RFC 5465 §5.8)
    NotificationOverflow,
    /// OVERQUOTA (RFC 5530, RFC 9208 §4.3.1)
    OverQuota,
    /// PARSE (RFC 9051 §7.1)
    Parse,
    /// PERMANENTFLAGS (RFC 9051 §7.1): system flags, keywords, and whether clients may make keywords.
    PermanentFlags {
        /// Flags that are kept.
        system: Flags,
        /// Keywords that the mailbox has.
        keywords: Vec<String>,
        /// `\*`
        more: bool,
    },
    /// PRIVACYREQUIRED (RFC 5530)
    PrivacyRequired,
    /// READ-ONLY (RFC 9051 §7.1)
    ReadOnly,
    /// READ-WRITE (RFC 9051 §7.1)
    ReadWrite,
    /// SERVERBUG (RFC 5530)
    ServerBug,
    /// TOOBIG (RFC 4469 §4.2, RFC 7888 §4)
    TooBig,
    /// TRYCREATE (RFC 9051 §7.1)
    TryCreate,
    /// UIDNEXT (RFC 9051 §7.1)
    UidNext(Uid),
    /// UIDNOTSTICKY (RFC 4315)
    UidNotSticky,
    /// UIDREQUIRED (RFC 9586 §3)
    UidRequired,
    /// UIDVALIDITY (RFC 9051 §7.1)
    UidValidity(UidValidity),
    /// UNAVAILABLE (RFC 5530)
    Unavailable,
    /// UNKNOWN-CTE (RFC 3516 §4.3)
    UnknownCte,
    /// UNSEEN (RFC 3501 §7.1): the first one's sequence number.
    Unseen(u32),
    /// USEATTR (RFC 6154 §3)
    UseAttr,
}

impl ResponseCode {
    /// Appends `[…]`, without a space behind it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        out.extend_from_slice(self.name().as_bytes());
        self.write_arguments(out);
        out.push(b']');
    }

    fn write_arguments(&self, out: &mut Vec<u8>) {
        let numbered = |value: u64, out: &mut Vec<u8>| {
            out.push(b' ');
            number(value, out);
        };
        let set = |uids: &[Uid], out: &mut Vec<u8>| {
            out.push(b' ');
            uid_set(uids, out);
        };
        match self {
            Self::AppendUid(validity, uids) => {
                numbered(u64::from(validity.0), out);
                set(uids, out);
            }
            Self::CopyUid(validity, from, to) => {
                numbered(u64::from(validity.0), out);
                set(from, out);
                set(to, out);
            }
            Self::BadCharset => out.extend_from_slice(b" (US-ASCII UTF-8)"),
            Self::BadEvent => {
                out.push(b' ');
                word_list(crate::grammar::NOTIFY_EVENTS.iter().copied(), out);
            }
            Self::BadUrl(url) => {
                out.push(b' ');
                // `url-resp-text` has neither controls nor `]`, which would end the code.
                out.extend(url.bytes().map(|octet| match octet {
                    b' '..=b'\\' | b'^'..=b'~' => octet,
                    _ => b'?',
                }));
            }
            Self::Capability(names) => {
                for name in names {
                    out.push(b' ');
                    out.extend_from_slice(name.as_bytes());
                }
            }
            Self::HighestModSeq(modseq) => numbered(modseq.0, out),
            Self::InProgress(Some((tag, done, of))) => {
                out.extend_from_slice(b" (");
                quoted(tag.as_bytes(), out);
                numbered(*done, out);
                match of {
                    Some(of) => numbered(*of, out),
                    None => out.extend_from_slice(b" NIL"),
                }
                out.push(b')');
            }
            Self::MailboxId(id) => {
                out.push(b' ');
                word_list([id.as_str()], out);
            }
            Self::MetadataLongEntries(octets) | Self::MetadataMaxSize(octets) => numbered(*octets, out),
            Self::Modified(numbers) => {
                out.push(b' ');
                super::encode::number_set(numbers.iter().copied(), out);
            }
            Self::PermanentFlags { system, keywords, more } => {
                let system =
                    SYSTEM_FLAGS.iter().filter(|(flag, _)| system.contains(*flag)).map(|(_, name)| *name);
                let more = more.then_some("\\*");
                out.push(b' ');
                word_list(system.chain(keywords.iter().map(String::as_str)).chain(more), out);
            }
            Self::UidNext(uid) => numbered(u64::from(uid.0), out),
            Self::UidValidity(validity) => numbered(u64::from(validity.0), out),
            Self::Unseen(sequence) => numbered(u64::from(*sequence), out),
            _ => {}
        }
    }

    /// Its first word or words.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::AppendUid(..) => "APPENDUID",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::BadCharset => "BADCHARSET",
            Self::BadEvent => "BADEVENT",
            Self::BadUrl(_) => "BADURL",
            Self::Cannot => "CANNOT",
            Self::Capability(_) => "CAPABILITY",
            Self::ClientBug => "CLIENTBUG",
            Self::Closed => "CLOSED",
            Self::CompressionActive => "COMPRESSIONACTIVE",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::CopyUid(..) => "COPYUID",
            Self::Corruption => "CORRUPTION",
            Self::Expired => "EXPIRED",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::HasChildren => "HASCHILDREN",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::InProgress(_) => "INPROGRESS",
            Self::InUse => "INUSE",
            Self::Limit => "LIMIT",
            Self::MailboxId(_) => "MAILBOXID",
            Self::MetadataLongEntries(_) => "METADATA LONGENTRIES",
            Self::MetadataMaxSize(_) => "METADATA MAXSIZE",
            Self::MetadataTooMany => "METADATA TOOMANY",
            Self::MetadataNoPrivate => "METADATA NOPRIVATE",
            Self::Modified(_) => "MODIFIED",
            Self::NoModSeq => "NOMODSEQ",
            Self::NonExistent => "NONEXISTENT",
            Self::NoPerm => "NOPERM",
            Self::NotificationOverflow => "NOTIFICATIONOVERFLOW",
            Self::OverQuota => "OVERQUOTA",
            Self::Parse => "PARSE",
            Self::PermanentFlags { .. } => "PERMANENTFLAGS",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::ServerBug => "SERVERBUG",
            Self::TooBig => "TOOBIG",
            Self::TryCreate => "TRYCREATE",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::UidRequired => "UIDREQUIRED",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unavailable => "UNAVAILABLE",
            Self::UnknownCte => "UNKNOWN-CTE",
            Self::Unseen(_) => "UNSEEN",
            Self::UseAttr => "USEATTR",
        }
    }
}

fn word_list<'a>(words: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
    out.push(b'(');
    for (at, word) in words.into_iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word.as_bytes());
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_their_rfcs_show_them() {
        let uids = |numbers: &[u32]| numbers.iter().copied().map(Uid).collect::<Vec<_>>();
        let rows = [
            (ResponseCode::TryCreate, "[TRYCREATE]"),
            // RFC 4315 §3
            (ResponseCode::AppendUid(UidValidity(38505), uids(&[3955])), "[APPENDUID 38505 3955]"),
            (
                ResponseCode::CopyUid(UidValidity(38505), uids(&[304, 319, 320]), uids(&[3956, 3957, 3958])),
                "[COPYUID 38505 304,319:320 3956:3958]",
            ),
            // RFC 9051 §6.3.2
            (
                ResponseCode::PermanentFlags {
                    system: Flags::DELETED.with(Flags::SEEN),
                    keywords: Vec::new(),
                    more: true,
                },
                "[PERMANENTFLAGS (\\Deleted \\Seen \\*)]",
            ),
            (
                ResponseCode::PermanentFlags { system: Flags::NONE, keywords: Vec::new(), more: false },
                "[PERMANENTFLAGS ()]",
            ),
            // RFC 7162 §3.1.3, example 10
            (ResponseCode::Modified(vec![7, 9]), "[MODIFIED 7,9]"),
            (ResponseCode::HighestModSeq(ModSeq(715_194_045_007)), "[HIGHESTMODSEQ 715194045007]"),
            // RFC 8474 §4.1
            (ResponseCode::MailboxId("F2212ea87".into()), "[MAILBOXID (F2212ea87)]"),
            // RFC 5464 §4.2.1
            (ResponseCode::MetadataLongEntries(2199), "[METADATA LONGENTRIES 2199]"),
            (ResponseCode::MetadataTooMany, "[METADATA TOOMANY]"),
            // RFC 4469 §4.1, whose URL must not end the code
            (ResponseCode::BadUrl("/a]\r\n;UID=1".into()), "[BADURL /a???;UID=1]"),
            // RFC 9585 §4
            (
                ResponseCode::InProgress(Some(("A001".into(), 454, Some(1000)))),
                "[INPROGRESS (\"A001\" 454 1000)]",
            ),
            (ResponseCode::InProgress(Some(("A001".into(), 9, None))), "[INPROGRESS (\"A001\" 9 NIL)]"),
            (ResponseCode::InProgress(None), "[INPROGRESS]"),
            (
                ResponseCode::Capability(vec!["IMAP4rev1".into(), "IMAP4rev2".into()]),
                "[CAPABILITY IMAP4rev1 IMAP4rev2]",
            ),
            (ResponseCode::BadCharset, "[BADCHARSET (US-ASCII UTF-8)]"),
            (ResponseCode::Unseen(12), "[UNSEEN 12]"),
        ];
        for (code, expected) in rows {
            let mut out = Vec::new();
            code.write_to(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
