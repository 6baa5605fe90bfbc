//! The words that may stand in the file.

use std::fmt;

use toml::de::DeValue;

use super::value::{Fault, Value, quoted};

/// Declares an enum whose variants are words in the file.
macro_rules! words {
    ($( $(#[doc = $doc:literal])* $name:ident: $( $(#[doc = $variant_doc:literal])* $variant:ident = $word:literal, )* ; )*) => { $(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[doc = $variant_doc])* $variant, )* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// As it stands in the file.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $( $word => Ok(Self::$variant), )*
                    _ => Err(format!("one of: {}", [ $( $word, )* ].join(", "))),
                }
            }
        }

        impl Value for $name {
            fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
                let words = [ $( $word, )* ];
                let mend = format!("write one of \"{}\"", words.join("\", \""));
                let text = value.as_str().ok_or_else(|| Fault::of_type(value, "a word", &mend))?;
                text.parse().map_err(|_| Fault::new(format!("{text:?} is none of the words that may stand here"), mend))
            }

            fn write(&self) -> String {
                quoted(self.as_str())
            }
        }
    )* };
}

words! {
    /// What a listener speaks.
    Service:
        /// SMTP between servers (RFC 5321).
        Smtp = "smtp",
        /// Mail from users (RFC 6409).
        Submission = "submission",
        /// Mail from users with TLS from the first octet (RFC 8314 §3.3).
        Submissions = "submissions",
        /// LMTP, from a server that keeps the queue (RFC 2033).
        Lmtp = "lmtp",
        /// IMAP (RFC 9051).
        Imap = "imap",
        /// IMAP with TLS from the first octet (RFC 8314 §3.2).
        Imaps = "imaps",
        /// POP3 (RFC 1939).
        Pop3 = "pop3",
        /// POP3 with TLS from the first octet (RFC 8314 §3.3).
        Pop3s = "pop3s",
        /// ATRN: customers fetch the mail of their domains (RFC 2645).
        Odmr = "odmr",
        /// HTTP: figures about the work.
        Http = "http",
    ;
    /// What a listener does about TLS, as written.
    TlsChoice:
        /// What is right for the service.
        Default = "default",
        /// Who asks for it gets it.
        Offered = "offered",
        /// Nothing is done without it.
        Required = "required",
        /// There is none.
        Off = "off",
    ;
    /// What a listener does about AUTH, as written.
    AuthChoice:
        /// What is right for the service.
        Default = "default",
        /// There is none.
        Off = "off",
        /// Who wants to logs in.
        Offered = "offered",
        /// Who has not logged in sends nothing.
        Required = "required",
    ;
    /// To whom VRFY and EXPN tell what is here.
    Verify:
        /// Everybody gets 252.
        Nobody = "nobody",
        /// Those who have logged in and trusted networks.
        Authenticated = "authenticated",
        /// Anybody.
        Everybody = "everybody",
    ;
    /// Who may have the queue started with ETRN.
    Etrn:
        /// Nobody: it is answered with 502.
        Off = "off",
        /// Those who have logged in and trusted networks.
        Trusted = "trusted",
        /// Anybody, for domains that are waited for here.
        Anyone = "anyone",
    ;
    /// Whether TURN is done.
    TurnChoice:
        /// It is answered with 502.
        Off = "off",
        /// Within TLS, for who has logged in, for the account's own domains.
        AfterLogin = "after_login",
    ;
    /// What the name of HELO and EHLO has to be.
    HelloCheck:
        /// Anything that can be read.
        Off = "off",
        /// A domain name or an address literal.
        Syntax = "syntax",
        /// And one that can be the client's.
        Strict = "strict",
    ;
    /// How mail for an account over its quota is refused.
    QuotaReply:
        /// 452 4.2.2: the sender's server tries again.
        Temporary = "temporary",
        /// 552 5.2.2: the sender is told.
        Permanent = "permanent",
    ;
    /// Whether something is done.
    Switch:
        /// It is.
        On = "on",
        /// It is not.
        Off = "off",
    ;
    /// What becomes of what a POP3 client deletes.
    Pop3Deleted:
        /// It is expunged.
        Remove = "remove",
        /// It goes into the mailbox for trash.
        Trash = "trash",
        /// It stays, and POP3 shows it no more.
        Hide = "hide",
    ;
    /// What the subaddress of a recipient says about the mailbox.
    SubaddressFolder:
        /// Nothing.
        Ignore = "ignore",
        /// The mailbox of that name, where there is one.
        Existing = "existing",
        /// The mailbox of that name, which is made.
        Create = "create",
    ;
    /// What becomes of mail that fails DMARC.
    DmarcChoice:
        /// What the domain in From asks for.
        Enforce = "enforce",
        /// It is taken, and told of.
        Tag = "tag",
    ;
    /// What becomes of mail that fails a check.
    FailureChoice:
        /// It is taken.
        Accept = "accept",
        /// It is refused.
        Reject = "reject",
    ;
    /// What becomes of mail that could not be checked.
    TroubleChoice:
        /// It is taken.
        Accept = "accept",
        /// It is to come again.
        Defer = "defer",
    ;
    /// What gets a set of ARC.
    ArcSeal:
        /// Nothing.
        Off = "off",
        /// What strangers send and an address here sends on.
        Forwarded = "forwarded",
    ;
    /// Where a client is first refused for its reputation.
    ReputationStage:
        /// In place of the greeting.
        Connect = "connect",
        /// At RCPT.
        Rcpt = "rcpt",
    ;
    /// Who is asked to come again.
    GreylistChoice:
        /// Nobody.
        Off = "off",
        /// Who looks like something.
        Suspicious = "suspicious",
        /// Whoever is new.
        All = "all",
    ;
    /// What becomes of a report that cannot be delivered.
    DoubleBounces:
        /// The postmaster gets it.
        Postmaster = "postmaster",
        /// It is dropped.
        Discard = "discard",
    ;
    /// Which kinds of addresses mail is sent to.
    AddressFamilies:
        /// Both, IPv6 first.
        Both = "both",
        /// Both, IPv4 first.
        Ipv4First = "ipv4-first",
        /// IPv4 alone.
        Ipv4 = "ipv4",
        /// IPv6 alone.
        Ipv6 = "ipv6",
    ;
    /// TLS towards other hosts, where nothing else decides about it.
    OutboundTls:
        /// There is none.
        None = "none",
        /// Where it is offered, with any certificate.
        Opportunistic = "opportunistic",
        /// Always, with any certificate.
        Required = "required",
        /// Always, with a certificate for the host.
        Verified = "verified",
        /// Always, by TLSA records that DNSSEC proves (RFC 7672).
        Dane = "dane",
    ;
    /// TLS towards the hosts of one rule.
    TransportTls:
        /// As for all other hosts.
        Default = "default",
        /// There is none.
        None = "none",
        /// Where it is offered, with any certificate.
        Opportunistic = "opportunistic",
        /// Always, with any certificate.
        Required = "required",
        /// Always, with a certificate for the host.
        Verified = "verified",
        /// Always, by TLSA records that DNSSEC proves (RFC 7672).
        Dane = "dane",
    ;
    /// Whether the DNS may lead to addresses that are not of the Internet.
    PrivateAddresses:
        /// It may not.
        Refused = "refused",
        /// To those of private networks.
        Allowed = "allowed",
        /// To all, loopback among them.
        Any = "any",
    ;
    /// Who says what DNSSEC proves.
    DnsTrust:
        /// The resolver.
        Resolver = "resolver",
        /// This server.
        Validate = "validate",
        /// Nobody.
        None = "none",
    ;
    /// The oldest version of TLS that is spoken.
    TlsVersion:
        /// RFC 5246 with RFC 9325.
        Tls12 = "1.2",
        /// RFC 8446.
        Tls13 = "1.3",
    ;
    /// How log lines look.
    LogFormat:
        /// For a reader.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    ;
    /// Which log lines are written.
    LogLevel:
        /// What went wrong.
        Error = "error",
        /// And what looks wrong.
        Warn = "warn",
        /// And what was done.
        Info = "info",
        /// And why.
        Debug = "debug",
        /// And each step.
        Trace = "trace",
    ;
}
