//! THE table of replies: code, enhanced status, text and source of everything that Posta answers on SMTP and
//! LMTP. No other place in the product spells a reply code.

use std::borrow::Cow;
use std::fmt;

use crate::EnhancedStatus;
use crate::limits::REPLY_LINE_BYTES_MAX;

/// One reply (RFC 5321 §4.2): a code, an enhanced status (RFC 2034) and text of one or more lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200–599.
    pub code: u16,
    /// Written between code and text on each line; none on 220, 354 and the replies to EHLO and HELO
    /// (RFC 2034 §4).
    pub enhanced: Option<EnhancedStatus>,
    /// Lines are split at LF; without control characters otherwise.
    pub text: Cow<'static, str>,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct ReplyEntry {
    /// Which row.
    pub kind: ReplyKind,
    /// 200–599.
    pub code: u16,
    /// The enhanced status, where the reply has one.
    pub enhanced: Option<EnhancedStatus>,
    /// What a person reads; `{}` stands for the argument.
    pub text: &'static str,
    /// Where the code is prescribed.
    pub source: &'static str,
}

impl Reply {
    /// A positive completion or intermediate reply.
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Appends the reply as it goes over the wire, each line ended by CRLF and at most
    /// [`REPLY_LINE_BYTES_MAX`] octets long: longer text is cut (RFC 5321 §4.5.3.1.5).
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let start = out.len();
            let separator = if lines.peek().is_some() { b'-' } else { b' ' };
            out.extend_from_slice(&[
                b'0' + u8::try_from(self.code / 100 % 10).unwrap_or(5),
                b'0' + u8::try_from(self.code / 10 % 10).unwrap_or(0),
                b'0' + u8::try_from(self.code % 10).unwrap_or(0),
                separator,
            ]);
            if let Some(enhanced) = self.enhanced {
                out.extend_from_slice(enhanced.to_string().as_bytes());
                out.push(b' ');
            }
            let room = REPLY_LINE_BYTES_MAX - 2 - (out.len() - start);
            let mut end = line.len().min(room);
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            out.extend(line.as_bytes()[..end].iter().map(|b| if b.is_ascii_control() { b'?' } else { *b }));
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// As on the wire, lines joined by `" / "`: for logs and people.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        write!(f, " {}", self.text.replace('\n', " / "))
    }
}

impl From<ReplyKind> for Reply {
    fn from(kind: ReplyKind) -> Self {
        kind.reply()
    }
}

macro_rules! replies {
    ($( $(#[doc = $doc:literal])* $name:ident: $code:literal $([$class:tt $subject:literal $detail:literal])?
        $text:literal, $source:literal; )*) => {
        /// A row of the table of replies.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ReplyKind { $( $(#[doc = $doc])* $name, )* }

        /// The table, in the order of [`ReplyKind`].
        pub static REPLIES: &[ReplyEntry] = &[ $( ReplyEntry {
            kind: ReplyKind::$name,
            code: $code,
            enhanced: replies!(@enhanced $([$class $subject $detail])?),
            text: $text,
            source: $source,
        }, )* ];
    };
    (@enhanced) => { None };
    (@enhanced [2 $subject:literal $detail:literal]) => { Some(EnhancedStatus::success($subject, $detail)) };
    (@enhanced [4 $subject:literal $detail:literal]) => { Some(EnhancedStatus::transient($subject, $detail)) };
    (@enhanced [5 $subject:literal $detail:literal]) => { Some(EnhancedStatus::permanent($subject, $detail)) };
}

impl ReplyKind {
    /// The row.
    #[must_use]
    pub fn entry(self) -> &'static ReplyEntry {
        &REPLIES[self as usize]
    }

    /// The reply as the table has it.
    #[must_use]
    pub fn reply(self) -> Reply {
        let entry = self.entry();
        Reply { code: entry.code, enhanced: entry.enhanced, text: Cow::Borrowed(entry.text) }
    }

    /// The reply with `argument` in the place of `{}`. Control characters of the argument become `?`, so that
    /// it can neither end a line nor steer a terminal.
    #[must_use]
    pub fn with(self, argument: impl fmt::Display) -> Reply {
        let argument: String =
            argument.to_string().chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        Reply { text: Cow::Owned(self.entry().text.replacen("{}", &argument, 1)), ..self.reply() }
    }
}

replies! {
    /// HELP in general.
    Help: 214 [2 0 0] "{}", "RFC 5321 §4.1.1.8";
    /// The greeting.
    Greeting: 220 "{} ESMTP Posta ready", "RFC 5321 §4.3.1";
    /// STARTTLS.
    ReadyForTls: 220 [2 0 0] "Ready to begin TLS", "RFC 3207 §4";
    /// QUIT.
    Closing: 221 [2 0 0] "{} closes the connection; goodbye", "RFC 5321 §4.1.1.10";
    /// EHLO, HELO and LHLO; the text is made by the server machine.
    Hello: 250 "{}", "RFC 5321 §4.1.1.1";
    /// RSET.
    Reset: 250 [2 0 0] "OK, back to the start", "RFC 5321 §4.1.1.5";
    /// NOOP.
    Noop: 250 [2 0 0] "OK", "RFC 5321 §4.1.1.9";
    /// MAIL.
    SenderOk: 250 [2 1 0] "Sender OK", "RFC 5321 §4.1.1.2";
    /// RCPT.
    RecipientOk: 250 [2 1 5] "Recipient OK", "RFC 5321 §4.1.1.3";
    /// A BDAT chunk that is not the last.
    ChunkReceived: 250 [2 0 0] "{} octets received", "RFC 3030 §2";
    /// End of data or the last BDAT: synced to disk.
    MessageAccepted: 250 [2 0 0] "Message accepted and stored as {}", "RFC 5321 §4.2.5";
    /// VRFY and EXPN, where policy says nothing about the address.
    CannotVerify: 252 [2 0 0] "Cannot verify this address, but mail for it is tried", "RFC 5321 §3.5.3";
    /// RCPT and VRFY for somebody who moved, and whose mail is sent on.
    RecipientForwarded: 251 [2 1 5] "User not local; will forward to {}", "RFC 5321 §3.4";
    /// VRFY and EXPN with an answer: addresses, one on a line.
    Verified: 250 [2 1 5] "{}", "RFC 5321 §3.5.1";
    /// VRFY of a mailing list.
    ListNotVerified: 252 [2 0 0] "That is a mailing list; its members are not verified", "RFC 5321 §3.5.1";
    /// VRFY and EXPN whose answer needs UTF-8, without SMTPUTF8.
    VerifyNeedsUtf8: 252 [2 6 8] "The address holds UTF-8: ask again with SMTPUTF8", "RFC 6531 §3.7.4.2";
    /// DATA.
    StartMailInput: 354 "Send the message, and end it with a line that holds only a dot", "RFC 5321 §4.3.2";
    /// The greeting of LMTP.
    LmtpGreeting: 220 "{} LMTP Posta ready", "RFC 2033 §4";
    /// AUTH.
    Authenticated: 235 [2 7 0] "Authentication succeeded", "RFC 4954 §6";
    /// A challenge of a SASL exchange, in base64 and nothing else.
    AuthChallenge: 334 "{}", "RFC 4954 §4";
    /// ETRN for a queue whose length is not told.
    QueueStarted: 250 [2 0 0] "OK, queuing for node {} started", "RFC 1985 §5.1";
    /// ETRN for what has no mail.
    QueueEmpty: 251 [2 0 0] "OK, no messages waiting for node {}", "RFC 1985 §5.1";
    /// ETRN for what has mail, nobody has counted how much.
    QueuePending: 252 [2 0 0] "OK, pending messages for node {} started", "RFC 1985 §5.1";
    /// ETRN for what has mail: how much, and for what.
    QueuePendingCounted: 253 [2 0 0] "OK, {} started", "RFC 1985 §5.1";
    /// ATRN and TURN: the client is the server from here on.
    Reversing: 250 [2 0 0] "OK now reversing the connection", "RFC 2645 §5.2.1";
    /// The greeting of a listener for ATRN.
    OnDemandGreeting: 220 "{} on-demand mail relay Posta ready", "RFC 2645 §6";

    /// The server stops.
    ShuttingDown: 421 [4 3 2] "{} is shutting down; try again later", "RFC 5321 §3.8";
    /// Nothing came for too long.
    IdleTimeout: 421 [4 4 2] "Nothing came for {} s; closing the connection", "RFC 5321 §4.5.3.2.7";
    /// The transaction took too long in all.
    SessionTimeout: 421 [4 4 2] "The session took longer than {} s; closing the connection", "RFC 5321 §4.5.3.2";
    /// The limit of connections in all.
    TooManyConnections: 421 [4 3 2] "Too many connections; try again later", "RFC 5321 §3.1";
    /// The limit of connections from one address.
    TooManyConnectionsFromPeer: 421 [4 7 0] "Too many connections from {}; close some or try again later", "RFC 5321 §3.1";
    /// The limit of errors.
    TooManyErrors: 421 [4 7 0] "Too many errors; closing the connection", "RFC 5321 §4.2";
    /// The limit of commands that do no mail.
    TooManyIdleCommands: 421 [4 7 0] "Too many commands without mail; closing the connection", "RFC 5321 §4.1.4";
    /// The sync or the store failed.
    StorageFailed: 451 [4 3 0] "The message could not be stored; try again later", "RFC 5321 §4.2.5";
    /// A fact that the decision needs could not be had.
    LookupFailed: 451 [4 3 0] "The recipient could not be looked up; try again later", "RFC 5321 §4.2.5";
    /// The disk is full.
    StorageFull: 452 [4 3 1] "No room to store mail; try again later", "RFC 5321 §4.2.3";
    /// The limit of recipients.
    TooManyRecipients: 452 [4 5 3] "Too many recipients; send the message again for the rest", "RFC 5321 §4.5.3.1.10";
    /// The limit of failed authentications.
    TooManyAuthFailures: 421 [4 7 0] "Too many failed authentications; closing the connection", "RFC 4954 §4";
    /// STARTTLS, where there is no certificate or no room for it now.
    TlsUnavailable: 454 [4 7 0] "TLS is not available now; try again later", "RFC 3207 §4";
    /// Mail of an account or an address over its rate, at MAIL or at the end of the message.
    RateExceeded: 451 [4 7 1] "Too many messages; try again in {}", "RFC 5321 §4.2.5";
    /// Recipients of an account or an address over its rate.
    RecipientRateExceeded: 450 [4 7 1] "Too many recipients; try again in {}", "RFC 5321 §4.2.3";
    /// The recipient's quota, where policy has mail wait for room.
    MailboxFullForNow: 452 [4 2 2] "The mailbox is full; try again later: {}", "RFC 5321 §4.2.3";
    /// An address whose targets lead back to it.
    AddressLoop: 451 [4 4 6] "The address leads back to itself, which its postmaster has to mend: {}", "RFC 5321 §6.3";
    /// ETRN that cannot be done now.
    QueueNotStarted: 458 [4 3 0] "Unable to queue messages for node {}", "RFC 1985 §5.1";
    /// ETRN again and again.
    QueueStartedTooOften: 458 [4 7 0] "Unable to queue messages for node {} again so soon", "RFC 1985 §5.1";
    /// ETRN that policy refuses: for what, and why.
    NodeNotAllowed: 459 [4 7 1] "Node {}", "RFC 1985 §5.1";
    /// ATRN and TURN for domains that are not the client's, or too often.
    ReversalRefused: 450 [4 7 1] "Request refused: {}", "RFC 2645 §5.2.1";
    /// ATRN and TURN where it cannot be found out whose the domains are or what waits.
    ReversalUnavailable: 451 [4 3 0] "Unable to process the request now; try again later", "RFC 2645 §5.2.1";
    /// ATRN and TURN for domains that have no mail.
    NoMailWaits: 453 [4 0 0] "You have no mail", "RFC 2645 §5.2.1";
    /// An address that stands for too many others.
    ExpansionTooLarge: 451 [4 2 4] "The address leads to too many others, which its postmaster has to mend: {}", "RFC 3463 §3.3";
    /// A message whose SPF cannot be found out now, where policy has it wait.
    SpfNotKnown: 451 [4 7 24] "SPF cannot be checked now; try again later: {}", "RFC 7372 §3.2";
    /// A message whose DKIM or DMARC cannot be found out now, where policy has it wait.
    AuthorshipNotKnown: 451 [4 4 3] "The DNS does not tell now whether the author's domain sent this; try again later: {}", "RFC 3463 §3.5";
    /// A client or a name that lists in the DNS know, where policy has it wait.
    ListedForNow: 451 [4 7 1] "Too bad a reputation (DNSBL) to be taken now; try again later: {}", "RFC 3463 §3.8";
    /// A sender who was not seen before: for how long to wait.
    Greylisted: 451 [4 7 1] "Greylisted: this sender is new here; send the message again after {}", "RFC 6647";

    /// A verb that does not exist.
    CommandUnknown: 500 [5 5 1] "No such command; HELP lists them", "RFC 5321 §4.2.4";
    /// A command line that is too long.
    LineTooLong: 500 [5 5 2] "The command line is longer than {} octets", "RFC 5321 §4.5.3.1.4";
    /// A command line with a bare CR, bare LF, NUL or other octets that no command holds.
    LineMalformed: 500 [5 5 2] "The command line holds octets that no command may hold", "RFC 5321 §2.3.8";
    /// A command line that ended in a bare LF.
    BareLf: 500 [5 5 2] "Lines must end in CRLF, this one ended in a bare LF (by hand: nc -C, openssl s_client -crlf); closing the connection", "RFC 5321 §2.3.8";
    /// An argument that the grammar does not allow.
    ArgumentSyntax: 501 [5 5 4] "Syntax: {}", "RFC 5321 §4.2.4";
    /// The argument of MAIL is no reverse-path.
    SenderSyntax: 501 [5 1 7] "Not a sender address: {}", "RFC 5321 §4.1.1.2";
    /// The argument of RCPT is no forward-path.
    RecipientSyntax: 501 [5 1 3] "Not a recipient address: {}", "RFC 5321 §4.1.1.3";
    /// A verb that exists and is not done here.
    CommandNotImplemented: 502 [5 5 1] "{} is not offered here", "RFC 5321 §4.2.4";
    /// A verb at the wrong time.
    BadSequence: 503 [5 5 1] "{}", "RFC 5321 §4.1.4";
    /// All recipients were refused.
    NoRecipients: 503 [5 5 1] "Say RCPT TO first: there is no recipient yet", "RFC 5321 §4.1.1.4";
    /// A parameter that is known and whose value is not.
    ParameterNotImplemented: 504 [5 5 4] "{}", "RFC 5321 §4.2.4";
    /// A client that is served by no policy.
    HostRefused: 521 [5 3 2] "{}", "RFC 7504 §3";
    /// The end of data was ambiguous.
    AmbiguousEndOfData: 521 [5 5 2] "The message holds a line with only a dot that does not begin and end in CRLF; closing the connection", "RFC 5321 §4.1.1.4";
    /// No such local mailbox.
    NoSuchMailbox: 550 [5 1 1] "No such mailbox here: {}", "RFC 5321 §3.6.2";
    /// Relaying is not allowed.
    RelayDenied: 550 [5 7 1] "This server does not relay mail for {}", "RFC 5321 §3.6.2";
    /// A UTF-8 sender without SMTPUTF8.
    SenderNotAscii: 550 [5 6 7] "A sender address with UTF-8 needs the SMTPUTF8 parameter of MAIL", "RFC 6531 §3.5";
    /// Mail without AUTH, where it is asked for.
    AuthenticationRequired: 530 [5 7 0] "Authentication required: say AUTH first", "RFC 4954 §6";
    /// Mail after the password of the login was revoked.
    LoginRevoked: 530 [5 7 0] "Your app password was revoked: log in with another one on a new connection", "RFC 4954 §6";
    /// Mail from an account that was disabled.
    AccountDisabled: 550 [5 7 13] "The account is disabled", "RFC 5248 §2.4";
    /// A sender that the account may not send as.
    SenderNotOwned: 553 [5 7 1] "The account may not send as {}", "RFC 6409 §6.1";
    /// An author that the account may not send as.
    AuthorNotOwned: 550 [5 7 1] "The account may not write as {}", "RFC 6409 §6.3";
    /// A sender address whose domain is one label.
    SenderNotQualified: 554 [5 1 8] "The domain of the sender address is not fully qualified: {}", "RFC 6409 §4.2";
    /// A recipient address whose domain is one label.
    RecipientNotQualified: 554 [5 1 2] "The domain of the recipient address is not fully qualified: {}", "RFC 6409 §4.2";
    /// EHLO or HELO with a name that policy refuses.
    HelloRefused: 550 [5 7 1] "{}", "RFC 5321 §4.1.4";
    /// A disabled account.
    MailboxDisabled: 550 [5 2 1] "This mailbox takes no mail: {}", "RFC 3463 §3.3";
    /// Somebody who moved, and left no address that is told.
    MailboxMoved: 550 [5 1 6] "This mailbox has moved and takes no mail any more: {}", "RFC 5321 §3.4";
    /// Somebody who moved, and where to.
    MailboxMovedTo: 551 [5 1 6] "User not local; please try {}", "RFC 5321 §3.4";
    /// The recipient's quota.
    MailboxFull: 552 [5 2 2] "The mailbox is full: {}", "RFC 5321 §4.2.3";
    /// A sender who may not post to a list.
    ListPostingDenied: 550 [5 7 2] "The sender may not post to the list {}", "RFC 3463 §3.8";
    /// A report to a list.
    ListTakesNoReports: 550 [5 7 2] "A mailing list takes no mail with a null reverse-path: {}", "RFC 5321 §4.5.5";
    /// An address that stands for the sender of a message that was sent on (SRS), and leads to nobody: why.
    WayBackRefused: 550 [5 1 1] "This return address leads to nobody: {}", "RFC 5321 §3.6.2";
    /// Other mail than a report to such an address.
    WayBackForReports: 550 [5 7 1] "This return address takes reports with a null reverse-path alone", "RFC 5321 §4.5.5";
    /// EXPN of a list that keeps its members to itself.
    ExpansionDenied: 550 [5 7 2] "Access denied: the members of the list are not told", "RFC 5321 §3.5.1";
    /// VRFY and EXPN of somebody who is not there.
    VerifyUnknown: 550 [5 1 1] "There is nobody of this name here", "RFC 5321 §3.5.1";
    /// VRFY and EXPN of a name that several have.
    VerifyAmbiguous: 553 [5 1 4] "{}", "RFC 5321 §3.5.1";
    /// A header section over its limit.
    HeaderTooBig: 552 [5 3 4] "The header section is larger than the {} octets that are taken here", "RFC 5321 §4.5.3.1.7";
    /// A message that comes back to where it was.
    DeliveredBefore: 554 [5 4 6] "The message was here before, for {}: a mail loop", "RFC 5321 §6.3";
    /// A message over the size limit.
    MessageTooBig: 552 [5 3 4] "The message is larger than the {} octets that are taken here", "RFC 1870 §6";
    /// A UTF-8 recipient without SMTPUTF8.
    RecipientNotAscii: 553 [5 6 7] "A recipient address with UTF-8 needs the SMTPUTF8 parameter of MAIL", "RFC 6531 §3.5";
    /// DATA after all recipients were refused.
    NoValidRecipients: 554 [5 5 1] "No recipient was accepted, so there is nobody to send the message to", "RFC 5321 §3.3";
    /// The message is malformed.
    MessageMalformed: 554 [5 6 0] "{}", "RFC 5321 §2.3.8";
    /// The message came by too many hosts.
    MailLoop: 554 [5 4 6] "The message passed {} hosts: a mail loop", "RFC 5321 §6.3";
    /// A parameter that is not known.
    ParameterUnknown: 555 [5 5 4] "Parameter not known here: {}", "RFC 5321 §4.1.1.11";
    /// DATA for a BINARYMIME message.
    BinaryNeedsBdat: 503 [5 5 1] "A BINARYMIME message must be sent with BDAT", "RFC 3030 §3";
    /// A BDAT chunk of a transaction that has failed.
    ChunkDiscarded: 503 [5 5 1] "The message failed already; say RSET", "RFC 3030 §4.2";
    /// A client that speaks before it was greeted.
    SpokeBeforeGreeting: 554 [5 5 0] "Wait for the greeting before you speak; closing the connection", "RFC 5321 §4.3.1";
    /// More memory or more work than the server gives at once.
    Busy: 451 [4 3 2] "Too busy to take this message now; try again later", "RFC 5321 §4.2.5";
    /// A line of AUTH or of a SASL exchange that is too long.
    AuthLineTooLong: 500 [5 5 6] "A line of an authentication holds {} octets at most", "RFC 4954 §4";
    /// EHLO or HELO in LMTP, LHLO outside it.
    WrongHello: 500 [5 5 1] "{}", "RFC 2033 §4.1";
    /// A SASL response that is not base64.
    NotBase64: 501 [5 5 2] "The response is not base64", "RFC 4954 §4";
    /// `*` in a SASL exchange.
    AuthCancelled: 501 [5 7 0] "Authentication cancelled", "RFC 4954 §4";
    /// HOLDFOR= or HOLDUNTIL= over the limit.
    HoldTooLong: 501 [5 5 4] "Messages are held for {} s at most", "RFC 4865 §4.2";
    /// HOLDFOR= or HOLDUNTIL= after BY=.
    HoldPastDeliverBy: 501 [5 5 4] "The message would be held for longer than it may take (BY)", "RFC 4865 §5.2.2";
    /// DATA in LMTP after all recipients were refused.
    LmtpNoValidRecipients: 503 [5 5 1] "No recipient was accepted, so there is nobody to send the message to", "RFC 2033 §4.2";
    /// A SASL mechanism that is not offered.
    MechanismNotOffered: 504 [5 5 4] "This mechanism is not offered here; EHLO lists those that are", "RFC 4954 §4";
    /// A command before STARTTLS where policy wants TLS.
    TlsRequired: 530 [5 7 0] "Say STARTTLS first", "RFC 3207 §4";
    /// A SASL mechanism that is offered within TLS only.
    EncryptionRequired: 538 [5 7 11] "This mechanism needs encryption: say STARTTLS first", "RFC 4954 §6";
    /// XCLIENT from a client that is not trusted.
    XclientDenied: 550 [5 7 1] "XCLIENT is for trusted clients only", "RFC 5321 §2.2.2";
    /// BY= with a time in which nothing can be promised.
    DeliverByTooSoon: 555 [5 5 4] "BY with mode R takes {} s or more here", "RFC 2852 §4";
    /// A parameter of MAIL or RCPT whose extension EHLO does not list now.
    ParameterNotOffered: 555 [5 5 4] "{} is not offered here", "RFC 5321 §4.1.1.11";
    /// AUTH with a mechanism that the account has no verifier for yet.
    AuthTransition: 432 [4 7 12] "Log in with PLAIN once, and this mechanism works from then on", "RFC 4954 §6";
    /// AUTH where the credentials cannot be checked now.
    AuthUnavailable: 454 [4 7 0] "Temporary authentication failure; try again later", "RFC 4954 §6";
    /// AUTH after many failures: nothing was looked at.
    AuthTooManyFailures: 454 [4 7 0] "Too many failed authentications; try again in {} s", "RFC 4954 §6";
    /// A SASL message that the mechanism does not know.
    AuthMalformed: 501 [5 5 2] "The response is no message of this mechanism", "RFC 4954 §4";
    /// A mechanism that the policy leaves out.
    AuthMechanismTooWeak: 534 [5 7 9] "Authentication mechanism is too weak", "RFC 4954 §6";
    /// Wrong credentials, or no such account, or a disabled one: which, is not told.
    AuthCredentials: 535 [5 7 8] "Authentication credentials invalid", "RFC 4954 §6";
    /// ETRN without an argument.
    NodeMissing: 500 [5 5 2] "Syntax: {}", "RFC 1985 §7";
    /// TURN where no operator has turned it on.
    TurnOff: 502 [5 5 1] "TURN is off here, since it hands mail to whoever claims a name; log in and use ATRN", "RFC 5321 §F.1";
    /// A message without a DKIM signature that is right, where policy asks for one.
    DkimRequired: 550 [5 7 20] "A valid DKIM signature is needed here: {}", "RFC 7372 §3.1";
    /// A sender whose SPF record forbids the client, where policy heeds that.
    SpfFailed: 550 [5 7 23] "The SPF record of the sender's domain forbids this: {}", "RFC 7372 §3.2";
    /// A message that fails DMARC, whose author's domain wants that refused.
    DmarcFailed: 550 [5 7 26] "The domain of From wants mail refused that fails DMARC: {}", "RFC 7372 §3.4";
    /// A client or a name that lists in the DNS know: which, by which list, and what that says.
    Listed: 550 [5 7 1] "Refused for a bad reputation (DNSBL): {}", "RFC 3463 §3.8";
    /// The same in place of the greeting.
    ListedAtGreeting: 554 [5 7 1] "No mail is taken from you for a bad reputation (DNSBL): {}", "RFC 5321 §3.1";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_where_its_kind_says_and_its_class_agrees_with_its_code() {
        for (index, entry) in REPLIES.iter().enumerate() {
            assert_eq!(entry.kind as usize, index);
            if let Some(enhanced) = entry.enhanced {
                assert_eq!(u16::from(enhanced.class.digit()), entry.code / 100, "{:?}", entry.kind);
            }
            assert!(entry.text.is_ascii() && entry.source.starts_with("RFC "), "{:?}", entry.kind);
        }
    }

    #[test]
    fn a_reply_of_several_lines_has_a_hyphen_on_all_but_the_last() {
        let mut out = Vec::new();
        ReplyKind::Help.reply().write_to(&mut out);
        Reply { code: 214, enhanced: Some(EnhancedStatus::success(0, 0)), text: "one\ntwo".into() }
            .write_to(&mut out);
        assert_eq!(out, b"214 2.0.0 {}\r\n214-2.0.0 one\r\n214 2.0.0 two\r\n");
    }

    #[test]
    fn a_reply_line_never_passes_512_octets_and_carries_no_control_characters() {
        let mut out = Vec::new();
        ReplyKind::BadSequence.with(format!("a\r\n250 b\x1b[2J{}", "é".repeat(600))).write_to(&mut out);
        assert!(out.len() <= 512 && out.ends_with(b"\r\n"));
        assert!(out.starts_with(b"503 5.5.1 a??250 b?[2J"));
        assert_eq!(out.iter().filter(|b| b.is_ascii_control()).count(), 2);
        assert!(std::str::from_utf8(&out).is_ok());
    }
}
