//! THE table of the configuration: what may be set, what it means, what it is without being set.

use std::net::SocketAddr;
use std::path::PathBuf;

use types::{Domain, limits};

use super::address::ListenAddress;
use super::mailboxes::Pop3Expiry;
use super::network::Network;
use super::section::sections;
use super::value::{ByteSize, FileMode, HandTypedLf, HostName, Seconds};
use super::words::{
    AuthChoice, Etrn, HelloCheck, LogFormat, LogLevel, Pop3Deleted, QuotaReply, Service, Switch, TlsChoice,
    TlsVersion, TurnChoice, Verify,
};

sections! {
    /// What belongs to the machine as a whole.
    struct Machine {
        /// The name that this server gives itself: in the greeting, in its reply to EHLO and in `Received`.
        /// Empty means the name that the system has, or `localhost` where that is no domain name.
        host_name: HostName = HostName::System;
        /// The folder of everything that is kept: messages, accounts, the control socket. It is made where it
        /// does not exist.
        data: PathBuf = PathBuf::from("/var/lib/posta");
        /// Local domains, besides those that were made with `posta domain add`. An address in one of them leads to an
        /// account here, or is refused with 550 5.1.1; mail to any other domain is relayed for those who have
        /// logged in and trusted networks, and refused with 550 5.7.1 for all others.
        domains: Vec<Domain> = Vec::new();
    }

    /// One address to listen on; as many of these tables as are wanted. Without any, SMTP listens on
    /// `0.0.0.0:25`, and IMAP and POP3, which send passwords in clear text, on `127.0.0.1:143` and `127.0.0.1:110`
    /// alone; and where there is a certificate, submission on `0.0.0.0:587` and `0.0.0.0:465`, IMAP over TLS on
    /// `0.0.0.0:993` and POP3 over TLS on `0.0.0.0:995`.
    struct Listener {
        /// What is spoken there: `smtp` between servers, `submission` for users, `lmtp`, `imap`, `pop3`, `odmr` for
        /// customers who fetch the mail of their domains (docs/etrn-odmr.md), `http` for figures (docs/metrics.md);
        /// `submissions`, `imaps` and `pop3s` with TLS from the first octet.
        service: Service = Service::Smtp;
        /// IP address and port, an IPv6 address in brackets, port 0 for any free port; or `unix:/path` for a socket
        /// in the file system. `[::]:25` is IPv6 alone: for both, write two listeners.
        address: ListenAddress = ListenAddress::Tcp(SocketAddr::from(([0, 0, 0, 0], 25)));
        /// Rights of a socket in the file system, as `chmod` takes them.
        socket_mode: FileMode = FileMode(0o660);
        /// `offered` to who asks for it, `required` (SMTP answers 530 until TLS has begun, IMAP and POP3 take no
        /// password before), or `off`. The default is `required` for submission and what begins with TLS, `off` for http and
        /// on a socket in the file system, else `offered`. Without a certificate, what is offered is not there.
        tls: TlsChoice = TlsChoice::Default;
        /// Whether clients log in with AUTH before they send mail: `off`, `offered` or `required`. The default is
        /// `required` for submission, else `off`.
        auth: AuthChoice = AuthChoice::Default;
        /// Octets of a message; 0 means as many as `[smtp]` says.
        message_bytes_max: ByteSize = ByteSize(0);
        /// Recipients of one message; 0 means as many as `[smtp]` says.
        recipients_max: usize = 0;
        /// Proxies that tell the client's address in front of each connection with the PROXY protocol, version 1 or
        /// 2. From these addresses a connection without that is closed; from all others nobody can pretend.
        proxy_from: Vec<Network> = Vec::new();
        /// Who may tell the client's address with XCLIENT. Only for SMTP services.
        xclient_from: Vec<Network> = Vec::new();
        /// Seconds before the greeting. Who speaks before it does not speak SMTP and is refused with 554 5.5.0.
        /// Only for SMTP services.
        greet_delay_s: Seconds = Seconds(0);
        /// Whether a session whose very first line ends in a bare LF is taken as typed by hand, in `nc` for
        /// example. Only for SMTP services on a loopback address.
        hand_typed_lf: HandTypedLf = HandTypedLf::Refused;
    }

    /// One certificate; as many of these tables as are wanted. A client gets the first one that is valid for the name
    /// that it asks for, else the first. Files that change are read again within half a minute. Without any, no TLS is
    /// offered.
    struct Certificate {
        /// File in PEM: the certificate, then those that vouch for it.
        certificate: PathBuf = PathBuf::from("fullchain.pem");
        /// File in PEM: its private key.
        key: PathBuf = PathBuf::from("privkey.pem");
    }

    /// TLS on all listeners.
    struct Tls {
        /// The oldest version that is spoken, `1.2` or `1.3` (RFC 8996 forbids older ones).
        minimum_version: TlsVersion = TlsVersion::Tls12;
        /// Handshakes at one time. One more STARTTLS gets 454; one more connection to a service that begins with
        /// TLS waits its turn.
        handshakes_max: usize = 512, min 1, "";
    }

    /// Receiving mail by SMTP.
    struct Smtp {
        /// Octets of a command line with its CRLF.
        command_line_bytes_max: ByteSize = ByteSize(limits::COMMAND_LINE_BYTES_MAX as u64),
            min limits::COMMAND_LINE_BYTES_MIN as u64, "RFC 5321 §4.5.3.1.4";
        /// Octets of a line of a message with its CRLF.
        text_line_bytes_max: ByteSize = ByteSize(limits::TEXT_LINE_BYTES_MAX as u64),
            min limits::TEXT_LINE_BYTES_MIN as u64, "RFC 5321 §4.5.3.1.6";
        /// Recipients of one message; the next one gets 452.
        recipients_max: usize = 1000, min limits::RECIPIENTS_MIN as u64, "RFC 5321 §4.5.3.1.8";
        /// Octets of a message, announced with SIZE (RFC 1870).
        message_bytes_max: ByteSize = ByteSize::mib(50), min limits::MESSAGE_BYTES_MIN, "RFC 5321 §4.5.3.1.7";
        /// Commands of a session that may be refused before it is ended with 421.
        errors_max: usize = 20, min 1, "";
        /// Commands of a session that may go by without a message being accepted (NOOP, RSET, VRFY …) before it
        /// is ended with 421.
        idle_commands_max: usize = 200, min 10, "";
        /// `Received` fields that a message may carry; one with more is in a loop and is refused.
        hops_max: usize = 100, min 100, "RFC 5321 §6.3";
        /// Seconds to wait for the next command.
        command_timeout_s: Seconds = Seconds(limits::SERVER_COMMAND_TIMEOUT.as_secs()),
            min limits::SERVER_COMMAND_TIMEOUT.as_secs(), "RFC 5321 §4.5.3.2.7";
        /// Seconds to wait for the next octets of a message.
        data_block_timeout_s: Seconds = Seconds(limits::DATA_BLOCK_TIMEOUT.as_secs()),
            min limits::DATA_BLOCK_TIMEOUT.as_secs(), "RFC 5321 §4.5.3.2.5";
        /// Seconds in which the whole of a message must come, however slowly its parts do.
        message_timeout_s: Seconds = Seconds(60 * 60), min 600, "";
        /// Seconds after which a session ends at its next command.
        session_timeout_s: Seconds = Seconds(4 * 60 * 60), min 600, "";
    }

    /// Who may do what.
    struct Policy {
        /// Networks whose mail is taken without AUTH as if its senders had logged in: it may go anywhere. Who is here
        /// also gets answers to VRFY and EXPN.
        trusted_networks: Vec<Network> = Vec::new();
        /// Whom VRFY and EXPN tell which addresses there are: `nobody`, `authenticated` (and trusted networks) or
        /// `everybody`. All others get 252.
        verify: Verify = Verify::Authenticated;
        /// What HELO and EHLO have to say: `off` for anything that can be read, `syntax` for a domain name or an
        /// address literal, `strict` for one that can be the client's: a full name that is not ours, or its address.
        hello_check: HelloCheck = HelloCheck::Syntax;
        /// Who may have the mail that waits for a host tried at once with ETRN (RFC 1985): `off`, `trusted` for those
        /// who have logged in and trusted networks, or `anyone` for domains that are waited for here.
        etrn: Etrn = Etrn::Trusted;
        /// Whether TURN, which modern clients do not know, hands waiting mail to the client: `off`, or `after_login`
        /// within TLS, for the domains of the account.
        turn: TurnChoice = TurnChoice::Off;
        /// How mail for an account that is over its quota is refused: `temporary` (452 4.2.2) or `permanent`
        /// (552 5.2.2).
        quota_reply: QuotaReply = QuotaReply::Temporary;
    }

    /// Mail from users.
    struct Submission {
        /// Messages that an account may send in an hour; 0 means any number. An account can have a number of its own.
        messages_per_hour_per_account_max: u64 = 200;
        /// Messages that may come from one IP address in an hour; 0 means any number.
        messages_per_hour_per_address_max: u64 = 300;
        /// Octets of the header of a message.
        header_bytes_max: ByteSize = ByteSize(256 << 10), min 65_536, "";
        /// Seconds that a message may be held back for its sender (RFC 4865); 0 means that this is not offered.
        hold_max_s: Seconds = Seconds(30 * 24 * 60 * 60);
        /// Seconds in which a message with the same XIDEMPOTENCY key is taken once; 0 means that this is not offered.
        idempotency_window_s: Seconds = Seconds(24 * 60 * 60);
        /// The shortest time in seconds that DELIVERBY may ask for (RFC 2852); 0 means that any is taken.
        deliver_by_min_s: Seconds = Seconds(60);
    }

    /// Reading mail by IMAP (docs/imap.md).
    struct Imap {
        /// Seconds in which a client that has not logged in has to.
        login_timeout_s: Seconds = Seconds(limits::IMAP_LOGIN_TIMEOUT.as_secs()), min 30, "";
        /// Seconds to wait for the next command of a client that has logged in; for a client that waits for changes
        /// (IDLE) too.
        command_timeout_s: Seconds = Seconds(limits::IMAP_COMMAND_TIMEOUT.as_secs()),
            min limits::IMAP_COMMAND_TIMEOUT_MIN.as_secs(), "RFC 9051 §5.4";
        /// Seconds in which all messages of one APPEND have to come, from the first octet to the last.
        append_timeout_s: Seconds = Seconds(60 * 60), min 600, "";
        /// Commands of a session that may be refused before it is ended.
        errors_max: usize = 50, min 1, "";
        /// Octets of a message that a client puts into a mailbox, announced with APPENDLIMIT (RFC 7889).
        message_bytes_max: ByteSize = ByteSize::mib(50), min limits::MESSAGE_BYTES_MIN, "";
        /// Mailboxes that an account may have.
        mailboxes_max: usize = 10_000, min 10, "";
    }

    /// Fetching mail by POP3.
    struct Pop3 {
        /// Seconds to wait for the next command.
        command_timeout_s: Seconds = Seconds(limits::POP3_COMMAND_TIMEOUT.as_secs()),
            min limits::POP3_COMMAND_TIMEOUT.as_secs(), "RFC 1939 §3";
        /// Commands of a session that may be refused before it is ended.
        errors_max: usize = 20, min 1, "";
        /// What becomes of messages that a client deletes: `remove` expunges them from the INBOX, `trash` moves them into
        /// the mailbox for trash, `hide` leaves them where they are for IMAP and shows them no more by POP3.
        deleted: Pop3Deleted = Pop3Deleted::Remove;
        /// Whether a message that a client has retrieved is marked as read.
        mark_seen: Switch = Switch::Off;
        /// Whether a client that has not said UTF8 gets a message whose header is not ASCII by a surrogate, as RFC 6856 §2.1
        /// wants, instead of as it is stored. Programs that fetch mail (fetchmail, getmail) never say UTF8: where they
        /// delete here what they have fetched, nothing but the surrogate would be left.
        surrogates: Switch = Switch::Off;
        /// Seconds that an account has to wait from one login to the next, announced with LOGIN-DELAY; 0 for no time.
        login_delay_s: Seconds = Seconds(0);
        /// How long messages stay that a client has retrieved, announced with EXPIRE: `never` for as long as nobody deletes
        /// them, or a number of days from when they came, after which they go as `deleted` says, within the hour; with 0 they
        /// go with the QUIT of the session in which they were retrieved.
        expire: Pop3Expiry = Pop3Expiry::Never;
    }

    /// What all sessions share.
    struct Limits {
        /// Connections at one time; the next one is told to come again later. Where the system allows fewer open
        /// files than they need, there are as many as it allows.
        connections_max: usize = 10_000, min 1, "";
        /// Connections at one time from one address; of IPv6, from one network of 64 bits.
        connections_per_address_max: usize = 100, min 1, "";
        /// Octets of messages on their way in that are held in memory, all sessions together; what is over it
        /// waits on the disk. Besides, each session that receives a message has buffers of 80 KiB.
        body_memory_bytes_max: ByteSize = ByteSize::mib(64), min 0, "";
        /// Octets of one message on its way in that are held in memory; a larger one waits on the disk.
        body_memory_per_message_bytes_max: ByteSize = ByteSize::mib(1), min 0, "";
    }

    /// How messages are kept.
    struct Store {
        /// Octets of one segment of the log.
        segment_bytes: ByteSize = ByteSize::mib(64), min 1 << 20, "";
        /// Octets of memory for pages of the index.
        cache_bytes: ByteSize = ByteSize::mib(8), min 1 << 20, "";
        /// Octets of the disk that stay free; with less than that, mail is refused with 452 until there is
        /// room again.
        min_free_bytes: ByteSize = ByteSize::mib(64), min 0, "";
        /// Days for which messages that were expunged can be brought back with `posta mailbox restore`; they keep their
        /// room on the disk so long. With 0 they go at once.
        expunged_days: u64 = 7;
    }

    /// The decisions of every session with their reasons, for `posta trace`.
    struct Trace {
        /// Octets of all of them together; beyond, the oldest are removed.
        bytes_max: ByteSize = ByteSize::mib(256), min 32 << 20, "";
        /// Days after which they are removed.
        days_max: usize = 30, min 1, "";
    }

    /// What is written to the standard error stream about the work. Nothing waits until it is read: what nobody reads in time is lost.
    struct Log {
        /// `human` for lines for a reader, `json` for one JSON object a line.
        format: LogFormat = LogFormat::Human;
        /// The least important lines that are written: `error`, `warn`, `info`, `debug` or `trace`.
        level: LogLevel = LogLevel::Info;
    }
}
