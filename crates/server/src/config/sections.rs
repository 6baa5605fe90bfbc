//! THE table of the configuration: what may be set, what it means, what it is without being set.

use std::net::SocketAddr;
use std::path::PathBuf;

use types::{Domain, limits};

use super::section::sections;
use super::value::{ByteSize, HandTypedLf, HostName, LogFormat, LogLevel, Seconds, Service, TlsVersion};

sections! {
    /// What belongs to the machine as a whole.
    struct Machine {
        /// The name that this server gives itself: in the greeting, in its reply to EHLO and in `Received`.
        /// Empty means the name that the system has, or `localhost` where that is no domain name.
        host_name: HostName = HostName::System;
        /// The folder of everything that is kept: messages, accounts, the control socket. It is made where it
        /// does not exist.
        data: PathBuf = PathBuf::from("/var/lib/posta");
        /// Local domains. An address in one of them is an account here, or is refused with 550 5.1.1; mail to
        /// any other domain is refused with 550 5.7.1.
        domains: Vec<Domain> = Vec::new();
    }

    /// One address to listen on; as many of these tables as are wanted. Without any, SMTP listens on
    /// `0.0.0.0:25` and POP3, which sends passwords in clear text, on `127.0.0.1:110` alone.
    struct Listener {
        /// What is spoken there: `smtp`, `pop3`, or `pop3s` (TLS from the first octet).
        service: Service = Service::Smtp;
        /// IP address and port; an IPv6 address stands in brackets; port 0 takes any free port.
        address: SocketAddr = SocketAddr::from(([0, 0, 0, 0], 25));
        /// Whether a session whose very first line ends in a bare LF is taken as typed by hand, in `nc` for
        /// example. Only for SMTP on a loopback address.
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

    /// Fetching mail by POP3.
    struct Pop3 {
        /// Seconds to wait for the next command.
        command_timeout_s: Seconds = Seconds(limits::POP3_COMMAND_TIMEOUT.as_secs()),
            min limits::POP3_COMMAND_TIMEOUT.as_secs(), "RFC 1939 §3";
        /// Commands of a session that may be refused before it is ended.
        errors_max: usize = 20, min 1, "";
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
    }

    /// What is written to the standard error stream about the work.
    struct Log {
        /// `human` for lines for a reader, `json` for one JSON object a line.
        format: LogFormat = LogFormat::Human;
        /// The least important lines that are written: `error`, `warn`, `info`, `debug` or `trace`.
        level: LogLevel = LogLevel::Info;
    }
}
