//! Limits with their RFC minimum. What an operator may set starts at these defaults; a configuration below
//! the RFC's minimum is refused.

use std::time::Duration;

/// Octets of a local part (RFC 5321 §4.5.3.1.1).
pub const LOCAL_PART_BYTES_MAX: usize = 64;
/// Octets of a domain name (RFC 5321 §4.5.3.1.2).
pub const DOMAIN_BYTES_MAX: usize = 255;
/// Octets of one label of a domain name (RFC 1035 §2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;
/// Octets of a path with its angle brackets (RFC 5321 §4.5.3.1.3).
pub const PATH_BYTES_MAX: usize = 256;
/// Octets of a mailbox: a path without its angle brackets.
pub const MAILBOX_BYTES_MAX: usize = PATH_BYTES_MAX - 2;
/// Octets of a command line with its CRLF that every server takes (RFC 5321 §4.5.3.1.4).
pub const COMMAND_LINE_BYTES_MIN: usize = 512;
/// Octets that Posta takes: 512 plus what the extensions add to MAIL and RCPT (RFC 1870 26, RFC 6152 17,
/// RFC 6531 10 and longer paths, RFC 3461 500 and more, RFC 4954 500 and 12288 for AUTH).
pub const COMMAND_LINE_BYTES_MAX: usize = 2048;
/// Octets of a reply line with its CRLF (RFC 5321 §4.5.3.1.5).
pub const REPLY_LINE_BYTES_MAX: usize = 512;
/// Octets of a text line with its CRLF that the RFC asks for (RFC 5321 §4.5.3.1.6), not counting the dot of
/// transparency.
pub const TEXT_LINE_BYTES_MIN: usize = 1000;
/// Octets of a text line that Posta takes by default: real mail has lines past 1000, and refusing it helps nobody.
pub const TEXT_LINE_BYTES_MAX: usize = 64 * 1024;
/// Recipients of one transaction that every server takes (RFC 5321 §4.5.3.1.8).
pub const RECIPIENTS_MIN: usize = 100;
/// Octets of a message that every server takes (RFC 5321 §4.5.3.1.7).
pub const MESSAGE_BYTES_MIN: u64 = 64 * 1024;

/// A server waits this long for the next command (RFC 5321 §4.5.3.2.7: at least 5 minutes).
pub const SERVER_COMMAND_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// A client waits this long for the 220 (RFC 5321 §4.5.3.2.1).
pub const CLIENT_GREETING_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// A client waits this long for the reply to MAIL (RFC 5321 §4.5.3.2.2).
pub const CLIENT_MAIL_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// A client waits this long for the reply to RCPT (RFC 5321 §4.5.3.2.3).
pub const CLIENT_RCPT_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// A client waits this long for the 354 (RFC 5321 §4.5.3.2.4).
pub const CLIENT_DATA_TIMEOUT: Duration = Duration::from_secs(2 * 60);
/// A client waits this long for one block of data to be taken (RFC 5321 §4.5.3.2.5); a server waits as long for
/// one to come.
pub const DATA_BLOCK_TIMEOUT: Duration = Duration::from_secs(3 * 60);
/// A client waits this long for the reply to the final dot (RFC 5321 §4.5.3.2.6).
pub const CLIENT_DATA_DONE_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// An IMAP server may not log out a client that has logged in before (RFC 9051 §5.4).
pub const IMAP_COMMAND_TIMEOUT_MIN: Duration = Duration::from_secs(30 * 60);
/// An IMAP server waits this long for the next command of a client that has logged in: somewhat longer than clients do that
/// end IDLE every 29 minutes and are late (RFC 2177).
pub const IMAP_COMMAND_TIMEOUT: Duration = Duration::from_secs(35 * 60);
/// An IMAP server waits this long for a client to log in.
pub const IMAP_LOGIN_TIMEOUT: Duration = Duration::from_secs(3 * 60);
/// A POP3 server waits this long for the next command (RFC 1939 §3: at least 10 minutes).
pub const POP3_COMMAND_TIMEOUT: Duration = Duration::from_secs(10 * 60);
