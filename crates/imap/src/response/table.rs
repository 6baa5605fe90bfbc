//! THE table of status responses: status, code, text and source of everything that Posta answers on IMAP.

use std::fmt;

use super::ResponseCode;
use crate::command::Tag;

/// How a status response begins (RFC 9051 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// `OK`
    Ok,
    /// `NO`
    No,
    /// `BAD`
    Bad,
    /// `BYE`: never tagged.
    Bye,
}

impl Status {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::Bye => "BYE",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone)]
pub struct ResponseEntry {
    /// Which row.
    pub response: Response,
    /// How it begins.
    pub status: Status,
    /// Its code, where it is always the same; one that is given with the response takes its place.
    pub code: Option<ResponseCode>,
    /// What a person reads; `{}` stands for the argument.
    pub text: &'static str,
    /// Where the response is prescribed.
    pub source: &'static str,
}

macro_rules! responses {
    ($( $(#[doc = $doc:literal])* $name:ident: $status:ident $([$code:ident])? $text:literal, $source:literal; )*) => {
        /// A row of the table of responses.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Response { $( $(#[doc = $doc])* $name, )* }

        /// The table, in the order of [`Response`].
        pub static RESPONSES: &[ResponseEntry] = &[ $( ResponseEntry {
            response: Response::$name,
            status: Status::$status,
            code: responses!(@code $($code)?),
            text: $text,
            source: $source,
        }, )* ];
    };
    (@code) => { None };
    (@code $code:ident) => { Some(ResponseCode::$code) };
}

responses! {
    /// The greeting.
    Greeting: Ok "Posta IMAP server at {} is ready", "RFC 9051 §7.1.1";
    /// A command that has nothing else to say.
    Completed: Ok "{} completed", "RFC 9051 §7.1.1";
    /// LOGIN and AUTHENTICATE.
    LoggedIn: Ok "Logged in", "RFC 9051 §6.2.2";
    /// STARTTLS: the client begins TLS behind the CRLF of this line.
    BeginTls: Ok "Begin TLS", "RFC 9051 §6.2.1";
    /// COMPRESS: everything behind the CRLF of this line is compressed.
    BeginCompression: Ok "Begin compression", "RFC 4978 §3";
    /// SELECT.
    Selected: Ok [ReadWrite] "Selected", "RFC 9051 §6.3.2";
    /// EXAMINE.
    Examined: Ok [ReadOnly] "Selected without the right to change it", "RFC 9051 §6.3.3";
    /// The mailbox that was selected is no longer.
    PreviousClosed: Ok [Closed] "The mailbox before is closed", "RFC 7162 §3.2.11";
    /// A fact of the selected mailbox; the code says all.
    Fact: Ok "{}", "RFC 9051 §6.3.2";
    /// STORE with UNCHANGEDSINCE, some of it passed over.
    StoredInPart: Ok "Messages that others changed since were passed over", "RFC 7162 §3.1.3";
    /// A long task goes on.
    InProgress: Ok "Still working", "RFC 9585 §4";
    /// GETMETADATA that left out what is too large.
    MetadataLeftOut: Ok "Entries that are larger were left out", "RFC 5464 §4.2.1";
    /// Something that a person is to see.
    Alert: Ok [Alert] "{}", "RFC 9051 §7.1";

    /// Name and password do not agree, or there is no such account: the same answer, in the same words.
    LoginRefused: No [AuthenticationFailed] "User name or password is wrong", "RFC 5530 §3";
    /// This login may not act for that account.
    NotAuthorized: No [AuthorizationFailed] "This login may not act for that account", "RFC 5530 §3";
    /// The secret is right, the account must not be used.
    AccountDisabled: No [ContactAdmin] "This account is disabled; ask the operator", "RFC 5530 §3";
    /// A login too soon after the last.
    LoginTooSoon: No [Limit] "Wait a while before logging in again", "RFC 5530 §3";
    /// The login could not be checked.
    LoginUnavailable: No [Unavailable] "Cannot log in now; try again later", "RFC 5530 §3";
    /// LOGIN on a connection that must not carry a password.
    EncryptionNeeded: No [PrivacyRequired] "No password is taken on a connection without encryption", "RFC 5530 §3";
    /// AUTHENTICATE with a mechanism that is not offered.
    MechanismUnknown: No [Cannot] "No such mechanism here; CAPABILITY lists what there is", "RFC 9051 §6.2.2";
    /// AUTHENTICATE: the client has called it off.
    SaslCancelled: Bad "The login is called off", "RFC 9051 §6.2.2";
    /// AUTHENTICATE: what the client sent is not base64.
    NotBase64: Bad "This is not base64; the login is called off", "RFC 9051 §6.2.2";
    /// AUTHENTICATE: the mechanism does not have such a message, or not now.
    SaslMalformed: Bad "This is no message of the mechanism; the login is called off", "RFC 9051 §6.2.2";
    /// STARTTLS where TLS stands.
    TlsActive: Bad "TLS is active already", "RFC 9051 §6.2.1";
    /// STARTTLS where none is offered.
    TlsNotOffered: Bad "TLS is not offered here", "RFC 9051 §6.2.1";
    /// COMPRESS where it is active.
    CompressionActive: No [CompressionActive] "Compression is active already", "RFC 4978 §3";
    /// A command that needs a login.
    LoginFirst: Bad "Log in first", "RFC 9051 §3";
    /// A command that comes before the login.
    AlreadyLoggedIn: Bad "Logged in already", "RFC 9051 §3";
    /// A command that needs a selected mailbox.
    SelectFirst: Bad "Select a mailbox first", "RFC 9051 §3";
    /// A change in a mailbox that was opened by EXAMINE.
    MailboxReadOnly: No [NoPerm] "The mailbox was opened read-only, with EXAMINE", "RFC 9051 §6.3.3";
    /// A command with sequence numbers where UIDONLY is enabled.
    UidRequired: Bad [UidRequired] "Messages are known by UID only in this session", "RFC 9586 §3";

    /// No such mailbox.
    NoSuchMailbox: No [NonExistent] "No such mailbox", "RFC 5530 §3";
    /// No such mailbox, and CREATE would make it.
    TryCreate: No [TryCreate] "No such mailbox; create it first", "RFC 9051 §7.1";
    /// There is such a mailbox.
    MailboxExists: No [AlreadyExists] "There is such a mailbox already", "RFC 5530 §3";
    /// This can never be done.
    Cannot: No [Cannot] "This cannot be done here", "RFC 5530 §3";
    /// DELETE of a level that is no mailbox itself: it goes with the last one below it.
    HasChildren: No [HasChildren] "This is no mailbox, but a level above others", "RFC 9051 §6.3.5";
    /// A name that no mailbox has.
    NameUnusable: No [Cannot] "No mailbox may have this name: {}", "RFC 5530 §3";
    /// A special use that another mailbox has, or that is not known.
    UseTaken: No [UseAttr] "No mailbox can be made with this special use", "RFC 6154 §3";
    /// The quota is used up.
    OverQuota: No [OverQuota] "The account is over its quota", "RFC 9208 §4.3.1";
    /// A message or string that is too large.
    TooBig: No [TooBig] "Larger than is taken here", "RFC 7889 §5";
    /// The same, where its size could not be refused beforehand.
    LiteralTooBig: Bad [TooBig] "Larger than is taken here", "RFC 7888 §4";
    /// A limit of this server.
    LimitReached: No [Limit] "A limit of this server is reached", "RFC 5530 §3";
    /// A message is gone.
    MessageGone: No [ExpungeIssued] "A message is gone; another session removed it", "RFC 5530 §3";
    /// A quota root that is not the one that there is.
    NoSuchQuotaRoot: No [NonExistent] "There is one quota root, named \"\"", "RFC 9208 §4.1.2";
    /// A URL of CATENATE that leads nowhere.
    BadUrl: No "The URL leads to nothing", "RFC 4469 §4.1";
    /// BINARY of a part whose transfer encoding is not known.
    UnknownEncoding: No [UnknownCte] "The transfer encoding of a part is not known", "RFC 3516 §4.3";
    /// What was appended is no message.
    MalformedMessage: No [Parse] "This is no message: {}", "RFC 9051 §6.3.12";
    /// A character set that is not known.
    BadCharset: No [BadCharset] "This character set is not known here", "RFC 9051 §6.4.4";
    /// An event that is not known.
    BadEvent: No [BadEvent] "One of the events is not known here", "RFC 5465 §5";
    /// An annotation that is too large.
    MetadataTooLarge: No "The value is larger than annotations may be", "RFC 5464 §4.3";
    /// More annotations than there may be.
    MetadataTooMany: No [MetadataTooMany] "There are as many annotations as there may be", "RFC 5464 §4.3";
    /// What is asked needs rights that nobody has here.
    NoPermission: No [NoPerm] "This is the operator's to do", "RFC 5530 §3";
    /// Not now.
    Unavailable: No [Unavailable] "Not now; try again later", "RFC 5530 §3";
    /// What is stored is damaged.
    Damaged: No [Corruption] "What is stored is damaged; tell the operator", "RFC 5530 §3";
    /// The command was not understood; the argument says what was expected.
    Syntax: Bad "{}", "RFC 9051 §7.1.3";
    /// A command that does not exist.
    CommandUnknown: Bad "No such command; CAPABILITY lists what there is", "RFC 9051 §7.1.3";
    /// IDLE ended otherwise than by DONE.
    DoneExpected: Bad "DONE was expected", "RFC 9051 §6.3.13";

    /// LOGOUT.
    Goodbye: Bye "Goodbye", "RFC 9051 §6.1.3";
    /// In the place of the greeting: the connection is turned away.
    TooManyConnections: Bye [Unavailable] "Too many connections; try again later", "RFC 9051 §7.1.5";
    /// The server stops.
    Stopping: Bye [Unavailable] "The server is stopping; try again later", "RFC 9051 §7.1.5";
    /// Nothing came for too long.
    TimedOut: Bye "Nothing came for too long", "RFC 9051 §5.4";
    /// A client that does not know the protocol.
    TooManyErrors: Bye "Too many errors", "RFC 9051 §7.1.5";
    /// The account was disabled or removed, or its app password revoked.
    LoginEnded: Bye "This login has ended; log in again", "RFC 9051 §7.1.5";
    /// The store is not there.
    StoreUnavailable: Bye [Unavailable] "Not now; try again later", "RFC 9051 §7.1.5";
    /// The selected mailbox was removed.
    MailboxGone: Bye "The selected mailbox was removed", "RFC 2180 §3.3";
    /// What follows cannot be read as commands.
    OutOfStep: Bye "{}", "RFC 9051 §7.1.5";
    /// Too much happened for NOTIFY to tell.
    NotificationOverflow: Ok [NotificationOverflow] "Too much happened to tell; say NOTIFY again", "RFC 5465 §5.8";
}

impl Response {
    /// The row.
    #[must_use]
    pub fn entry(self) -> &'static ResponseEntry {
        &RESPONSES[self as usize]
    }

    /// Appends the tagged line.
    pub fn tagged(self, tag: &Tag, out: &mut Vec<u8>) {
        self.tagged_with(tag, None, "", out);
    }

    /// Appends the tagged line, with `code` in the place of the row's and `argument` in the place of `{}`.
    pub fn tagged_with(
        self,
        tag: &Tag,
        code: Option<&ResponseCode>,
        argument: impl fmt::Display,
        out: &mut Vec<u8>,
    ) {
        let entry = self.entry();
        let text = entry.text.replace("{}", &argument.to_string());
        tagged(tag, entry.status, code.or(entry.code.as_ref()), &text, out);
    }

    /// Appends the untagged line.
    pub fn untagged(self, out: &mut Vec<u8>) {
        self.untagged_with(None, "", out);
    }

    /// Appends the untagged line, with `code` in the place of the row's and `argument` in the place of `{}`.
    pub fn untagged_with(self, code: Option<&ResponseCode>, argument: impl fmt::Display, out: &mut Vec<u8>) {
        let entry = self.entry();
        let text = entry.text.replace("{}", &argument.to_string());
        out.extend_from_slice(b"* ");
        status_line(entry.status, code.or(entry.code.as_ref()), &text, out);
    }
}

/// Appends `tag OK [code] text` CRLF.
pub fn tagged(tag: &Tag, status: Status, code: Option<&ResponseCode>, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(tag.0.as_bytes());
    out.push(b' ');
    status_line(status, code, text, out);
}

/// Appends `* `, what `write` appends, and CRLF.
pub fn untagged(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"* ");
    write(out);
    out.extend_from_slice(b"\r\n");
}

/// Appends `+ text` CRLF: base64 of a challenge, or a word for people.
pub fn continuation(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"+ ");
    plain_text(text, out);
    out.extend_from_slice(b"\r\n");
}

fn status_line(status: Status, code: Option<&ResponseCode>, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    if let Some(code) = code {
        code.write_to(out);
        out.push(b' ');
    }
    // `text = 1*TEXT-CHAR`: never nothing, and never `[` where that would begin a code.
    let text = if text.is_empty() { "Done" } else { text };
    if code.is_none() && text.starts_with('[') {
        out.push(b'?');
    }
    plain_text(text, out);
    out.extend_from_slice(b"\r\n");
}

/// Control characters and what is not ASCII become `?`, so that nothing ends the line or steers a terminal.
fn plain_text(text: &str, out: &mut Vec<u8>) {
    out.extend(text.chars().map(|c| if matches!(c, ' '..='~') { c as u8 } else { b'?' }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_row_is_where_its_response_says_and_has_a_source() {
        for (index, entry) in RESPONSES.iter().enumerate() {
            assert_eq!(entry.response as usize, index);
            assert!(entry.source.starts_with("RFC "), "{entry:?}");
            assert!(!entry.text.starts_with('['), "{entry:?}");
            assert!(entry.text.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{entry:?}");
        }
    }

    #[test]
    fn a_line_has_its_code_its_argument_and_one_end() {
        let tag = Tag("a1".into());
        assert_eq!(
            written(|out| Response::TryCreate.tagged(&tag, out)),
            "a1 NO [TRYCREATE] No such mailbox; create it first\r\n"
        );
        assert_eq!(
            written(|out| Response::Syntax.tagged_with(&tag, None, "[ALERT] x\r\n* BYE é", out)),
            "a1 BAD ?[ALERT] x??* BYE ?\r\n"
        );
        assert_eq!(
            written(|out| Response::Fact.untagged_with(Some(&ResponseCode::Unseen(3)), "", out)),
            "* OK [UNSEEN 3] Done\r\n"
        );
        assert_eq!(written(|out| untagged(out, |out| out.extend_from_slice(b"3 EXISTS"))), "* 3 EXISTS\r\n");
        assert_eq!(written(|out| continuation("", out)), "+ \r\n");
    }
}
