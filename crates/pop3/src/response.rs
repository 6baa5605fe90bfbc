//! THE table of POP3 responses: status, response code, text and source of everything that Posta answers on POP3.
//! No other place in this crate spells `+OK` or `-ERR`.

use std::fmt;

/// Octets of the first line of a response with its CRLF (RFC 2449 §4).
pub const RESPONSE_LINE_BYTES_MAX: usize = 512;

/// How a response begins (RFC 1939 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// `+OK`
    Ok,
    /// `-ERR`
    Err,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct ResponseEntry {
    /// Which row.
    pub response: Response,
    /// `+OK` or `-ERR`.
    pub status: Status,
    /// Stands in square brackets before the text (RFC 2449 §8).
    pub code: Option<&'static str>,
    /// What a person reads; `{}` stands for the argument. Never begins with `[`, since RESP-CODES is announced.
    pub text: &'static str,
    /// Where the response is prescribed.
    pub source: &'static str,
}

macro_rules! responses {
    ($( $(#[doc = $doc:literal])* $name:ident: $status:ident $([$code:literal])? $text:literal, $source:literal; )*) => {
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
    (@code $code:literal) => { Some($code) };
}

responses! {
    /// The greeting. Without `<`, which offers APOP, but for the timestamp that does (RFC 1939 §7).
    Greeting: Ok "Posta POP3 server at {} is ready", "RFC 1939 §4";
    /// USER. The same whether the name is known or not (RFC 1939 §13).
    NameTaken: Ok "Now say PASS with the password", "RFC 1939 §7";
    /// PASS: the maildrop is locked and open.
    LoggedIn: Ok "Logged in: {}", "RFC 1939 §7";
    /// AUTH without an argument: the names of mechanisms follow.
    Mechanisms: Ok "Mechanisms follow", "RFC 5034 §3";
    /// CAPA.
    Capabilities: Ok "Capability list follows", "RFC 2449 §5";
    /// STAT: number of messages and octets, and nothing more.
    DropListing: Ok "{}", "RFC 1939 §5";
    /// LIST without an argument.
    ScanListings: Ok "{}", "RFC 1939 §5";
    /// LIST with an argument.
    ScanListing: Ok "{}", "RFC 1939 §5";
    /// UIDL without an argument.
    UniqueIdListings: Ok "Unique-id listing follows", "RFC 1939 §7";
    /// UIDL with an argument.
    UniqueIdListing: Ok "{}", "RFC 1939 §7";
    /// RETR.
    Message: Ok "{} octets", "RFC 1939 §5";
    /// TOP.
    TopOfMessage: Ok "Top of message follows", "RFC 1939 §7";
    /// DELE.
    Deleted: Ok "Message {} is deleted at QUIT", "RFC 1939 §5";
    /// RSET.
    Restored: Ok "No message is marked deleted: {}", "RFC 1939 §5";
    /// NOOP.
    Noop: Ok "Nothing done", "RFC 1939 §5";
    /// STLS: the client begins TLS behind the CRLF of this line.
    BeginTls: Ok "Begin TLS", "RFC 2595 §4";
    /// UTF8.
    Utf8On: Ok "UTF-8 it is", "RFC 6856 §2.1";
    /// LANG without an argument: languages follow.
    Languages: Ok "Languages follow", "RFC 6856 §3.2";
    /// LANG: its tag, and text in that language.
    LanguageChosen: Ok "{} is what this server speaks", "RFC 6856 §3.2";
    /// QUIT before a login.
    Goodbye: Ok "Goodbye", "RFC 1939 §4";
    /// QUIT after a login: what was deleted is gone.
    Updated: Ok "Goodbye; left in the maildrop: {}", "RFC 1939 §6";
    /// QUIT after a login where messages may have gone without DELE too.
    UpdatedAndExpired: Ok "Goodbye", "RFC 2449 §6.7";

    /// Name and password do not agree, or there is no such account: the same answer, in the same words.
    LoginRefused: Err ["AUTH"] "User name or password is wrong", "RFC 3206 §5";
    /// The account is there, and what was sent is its secret, but it must not be used.
    AccountDisabled: Err ["AUTH"] "This account is disabled; ask the operator", "RFC 3206 §5";
    /// A command of a session whose login holds no more; nothing was sent or deleted. `AUTH` is for logins alone.
    LoginEnded: Err ["SYS/PERM"] "This login has ended; closing the connection", "RFC 3206 §4";
    /// Another session holds the maildrop.
    InUse: Err ["IN-USE"] "Another session has this maildrop open; try again when it has ended", "RFC 2449 §8.1.2";
    /// A login too soon after the last.
    LoginDelay: Err ["LOGIN-DELAY"] "Wait a while before logging in again", "RFC 2449 §8.1.1";
    /// The login could not be checked or the maildrop not opened.
    LoginUnavailable: Err ["SYS/TEMP"] "Cannot log in now; try again later", "RFC 3206 §4";
    /// In the place of the greeting: the connection is turned away.
    TooManyConnections: Err ["SYS/TEMP"] "Too many connections; try again later", "RFC 3206 §4";
    /// The maildrop breaks this protocol's rules.
    MaildropUnusable: Err ["SYS/PERM"] "The maildrop cannot be shown over POP3; tell the operator", "RFC 3206 §4";
    /// A message could not be read; nothing of it was sent.
    MessageUnavailable: Err ["SYS/TEMP"] "The message cannot be read now; try again later", "RFC 3206 §4";
    /// A message cannot be read any more; nothing of it was sent.
    MessageDamaged: Err ["SYS/PERM"] "The message is damaged; tell the operator", "RFC 3206 §4";
    /// A message that was removed by another program after this session began; nothing of it was sent.
    MessageGone: Err "The message is gone: another program has removed it", "RFC 1939 §5";
    /// QUIT after a login: nothing or not all could be deleted.
    UpdateUnavailable: Err ["SYS/TEMP"] "Deleted messages may still be there; try again later", "RFC 1939 §6";
    /// QUIT after a login: nothing or not all can be deleted.
    UpdateDamaged: Err ["SYS/PERM"] "Deleted messages may still be there; tell the operator", "RFC 1939 §6";

    /// USER on a connection that must not carry a password.
    EncryptionNeeded: Err "No password is taken on a connection without encryption", "RFC 1939 §7";
    /// AUTH with a mechanism that is not offered.
    MechanismUnknown: Err "No such mechanism here; CAPA lists what there is", "RFC 5034 §4";
    /// AUTH: the client has called it off.
    SaslCancelled: Err "The login is called off", "RFC 5034 §4";
    /// AUTH: what the client sent is not base64.
    NotBase64: Err "This is not base64; the login is called off", "RFC 5034 §4";
    /// AUTH: the mechanism does not have such a message, or not now.
    SaslMalformed: Err "This is no message of the mechanism; the login is called off", "RFC 5034 §4";
    /// STLS where TLS stands.
    TlsActive: Err "TLS is active already", "RFC 2595 §4";
    /// STLS after the login.
    TlsBeforeLogin: Err "STLS comes before the login", "RFC 2595 §4";
    /// STLS after UTF8.
    TlsBeforeUtf8: Err "STLS comes before UTF8", "RFC 6856 §2.1";
    /// UTF8 after the login.
    Utf8BeforeLogin: Err "UTF8 comes before the login", "RFC 6856 §2.1";
    /// LANG with a language that there are no texts in.
    LanguageUnknown: Err "No texts in that language; LANG alone lists what there is", "RFC 6856 §3.2";
    /// PASS without USER right before.
    UserFirst: Err "Say USER with the name first", "RFC 1939 §7";
    /// A command that needs a login.
    LoginFirst: Err "Log in first, with USER and PASS", "RFC 1939 §3";
    /// USER, PASS, AUTH or APOP after the login.
    AlreadyLoggedIn: Err "Logged in already", "RFC 1939 §3";
    /// A message-number that names no message.
    NoSuchMessage: Err "No such message: there are {}", "RFC 1939 §5";
    /// A message-number of a message that is marked deleted.
    MessageDeleted: Err "Message {} is deleted already; RSET brings it back", "RFC 1939 §5";
    /// A keyword that does not exist here.
    CommandUnknown: Err "No such command; CAPA lists what there is", "RFC 1939 §3";
    /// Arguments that the command does not have.
    ArgumentSyntax: Err "Syntax: {}", "RFC 1939 §3";
    /// Octets that no command holds.
    LineNotPrintable: Err "The line holds octets that are not printable text", "RFC 1939 §3";
    /// A command line that is too long.
    LineTooLong: Err "The line is longer than {} octets", "RFC 2449 §4";
    /// A command line without end.
    LineEndless: Err "The line has no end; closing the connection", "RFC 2449 §4";
    /// A line that ended in a bare LF.
    BareLf: Err "Lines must end in CRLF, this one ended in a bare LF (by hand: nc -C, openssl s_client -crlf); closing the connection", "RFC 1939 §3";
}

impl Response {
    /// The row.
    #[must_use]
    pub fn entry(self) -> &'static ResponseEntry {
        &RESPONSES[self as usize]
    }

    /// Appends the line to `out`.
    pub fn write_to(self, out: &mut Vec<u8>) {
        self.write_with("", out);
    }

    /// Appends the line to `out`, with `argument` in the place of `{}`.
    pub fn write_with(self, argument: impl fmt::Display, out: &mut Vec<u8>) {
        self.write(&argument.to_string(), "", out);
    }

    /// Appends the greeting to `out`; with a timestamp it offers APOP.
    pub(crate) fn write_greeting(host_name: &str, timestamp: Option<&str>, out: &mut Vec<u8>) {
        let offer = timestamp.map(|timestamp| format!(" {timestamp}")).unwrap_or_default();
        Self::Greeting.write(&host_name.replace('<', "?"), &offer, out);
    }

    /// Appends the line to `out`, which then says that the connection closes for too many errors.
    pub(crate) fn write_last_straw(self, argument: &str, out: &mut Vec<u8>) {
        self.write(argument, "; too many errors, closing the connection", out);
    }

    /// Control characters become `?`, so that nothing ends the line or steers a terminal; a line that is too
    /// long is cut.
    fn write(self, argument: &str, suffix: &str, out: &mut Vec<u8>) {
        let entry = self.entry();
        let (before, after) = entry.text.split_once("{}").unwrap_or((entry.text, ""));
        let start = out.len();
        out.extend_from_slice(match entry.status {
            Status::Ok => b"+OK ",
            Status::Err => b"-ERR ",
        });
        let code = entry.code.map(|code| ["[", code, "] "]);
        let parts = code.into_iter().flatten().chain([before, argument, after, suffix]);
        let room = RESPONSE_LINE_BYTES_MAX - 2 - (out.len() - start);
        out.extend(
            parts.flat_map(str::bytes).take(room).map(|b| if matches!(b, b' '..=b'~') { b } else { b'?' }),
        );
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_row_is_where_its_response_says_and_fits_the_grammar_of_rfc_2449() {
        for (index, entry) in RESPONSES.iter().enumerate() {
            assert_eq!(entry.response as usize, index);
            assert!(entry.source.starts_with("RFC "), "{entry:?}");
            let text = line(|out| entry.response.write_with("3 messages", out));
            let text = text.strip_prefix("+OK ").or_else(|| text.strip_prefix("-ERR ")).unwrap();
            assert!(!text.contains("{}"), "{text}");
            assert_eq!(text.starts_with('['), entry.code.is_some(), "{text}");
            if let Some(code) = entry.code {
                let known = ["AUTH", "IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM"];
                assert!(known.contains(&code) && entry.status == Status::Err, "{entry:?}");
            }
        }
        assert!(!line(|out| Response::Greeting.write_with("mail.example", out)).contains('<'));
    }

    #[test]
    fn a_line_is_never_longer_than_512_octets_and_never_holds_control_characters() {
        let long = line(|out| Response::Greeting.write_with("x".repeat(600), out));
        assert!(long.len() == 512 && long.ends_with("x\r\n"));
        let hostile = line(|out| Response::Greeting.write_with("a\r\n-ERR b\u{1b}[2J\0é", out));
        assert!(hostile.contains("at a??-ERR b?[2J???"), "{hostile}");
        assert_eq!(hostile.matches('\n').count(), 1);
    }

    #[test]
    fn the_last_straw_keeps_its_code() {
        assert_eq!(
            line(|out| Response::LoginRefused.write_last_straw("", out)),
            "-ERR [AUTH] User name or password is wrong; too many errors, closing the connection\r\n"
        );
    }
}
