//! What an operator keeps in the directory: domains, addresses that are no accounts, and what an account may do.
//!
//! All of it is pure data. As JSON (serde) names are in snake case and addresses are strings; what a later
//! version adds has a default, so that a program reads what an earlier one wrote.
//!
//! Left out on purpose: passwords, which the store keeps apart from what may be shown.

mod dkim;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::language::{Language, LanguageTag};
pub use dkim::{DkimAlgorithm, DkimKey, DkimKeyState, dkim_record_name};

use crate::{AddressError, Domain, Host, Mailbox};

/// The one form of an address as a key: the local part without quotes, the domain with A-labels, in lower case.
/// Addresses that mean the same have the same key.
///
/// RFC 5321 §2.4 leaves it to the host of a mailbox whether the case of its local part counts: here it does not.
#[must_use]
pub fn key(mailbox: &Mailbox) -> String {
    let local_part = mailbox.local_part.unquoted();
    match &mailbox.host {
        Host::Domain(domain) => format!("{local_part}@{}", domain.ascii()),
        Host::Literal(literal) => format!("{local_part}@{literal}"),
    }
    .to_lowercase()
}

/// A domain whose mail is taken here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainEntry {
    /// Its name.
    pub domain: Domain,
    /// Who gets what is addressed to nobody.
    #[serde(default)]
    pub catch_all: Option<Mailbox>,
    /// Between the name of an account and a detail that its owner chose: `ada+lists` (RFC 5233). None where
    /// such addresses mean nothing special.
    #[serde(default)]
    pub subaddress_separator: Option<char>,
}

impl DomainEntry {
    /// A domain with `+` for subaddresses and no catch-all.
    #[must_use]
    pub const fn new(domain: Domain) -> Self {
        Self { domain, catch_all: None, subaddress_separator: Some('+') }
    }
}

/// An address that is no account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressEntry {
    /// The address; no account has it.
    pub address: Mailbox,
    /// What becomes of its mail.
    pub kind: AddressKind,
}

/// What an [`AddressEntry`] stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    /// Other addresses: the envelope's sender stays (RFC 5321 §3.9.1).
    Alias {
        /// Who gets its mail.
        targets: Vec<Mailbox>,
    },
    /// A mailing list: the envelope's sender changes (RFC 5321 §3.9.2).
    List(MailingList),
    /// Somebody who is elsewhere now (RFC 5321 §3.4).
    Moved {
        /// The new address.
        to: Mailbox,
        /// What is done with mail.
        handling: MovedHandling,
    },
}

/// What is done with mail for somebody who moved (RFC 5321 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovedHandling {
    /// It is taken and sent on: 251.
    Forward,
    /// It is refused, and the sender is told the new address: 551.
    Refuse,
}

/// A mailing list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailingList {
    /// Who answers for it, and gets its bounces where [`ListBounces::Owner`] says so.
    pub owner: Mailbox,
    /// Who gets what is posted.
    pub members: Vec<Mailbox>,
    /// Who may post.
    pub posters: Posters,
    /// The envelope's sender of what the list sends.
    pub bounces: ListBounces,
    /// For `List-Id` (RFC 2919 §2) and for people.
    #[serde(default)]
    pub description: String,
    /// Who is told its members by EXPN.
    pub expandable: Expandable,
    /// Whether its copies show the list as their author.
    #[serde(default)]
    pub from: FromRewriting,
}

/// Who may post to a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Posters {
    /// Whoever can send mail here.
    Anyone,
    /// Its members and its owner.
    Members,
    /// Its owner.
    Owner,
    /// These, and its owner.
    Listed(Vec<Mailbox>),
}

/// Where the bounces of a list go: never to who posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListBounces {
    /// To an address for each member, so that a bounce names its member whatever it says.
    Verp,
    /// To the owner.
    Owner,
}

/// Whether a list puts itself in the place of the author of what it sends, who goes to `Reply-To`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromRewriting {
    /// Where the author's domain would have the copies refused (DMARC), or may have.
    #[default]
    IfNeeded,
    /// In all copies.
    Always,
    /// In none.
    Never,
}

/// Who is told the members of a list (RFC 5321 §3.5.3 leaves EXPN to the host).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expandable {
    /// Nobody.
    Never,
    /// Its members and its owner.
    ToMembers,
    /// Who has logged in.
    ToAuthenticated,
}

/// What an account may do. The default is nothing special.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountSettings {
    /// Octets of all its messages at most.
    pub quota_bytes: Option<u64>,
    /// Whether it can be used.
    pub status: AccountStatus,
    /// Sender addresses beyond its own.
    pub send_as: Vec<SendAs>,
    /// Messages that it may submit in an hour, instead of the configured number.
    pub messages_per_hour_max: Option<u32>,
    /// Octets of a message that it submits at most, instead of the configured number.
    pub message_bytes_max: Option<u64>,
    /// Recipients of a message that it submits at most, instead of the configured number.
    pub recipients_max: Option<u32>,
    /// In which its owner is told what happens, instead of the configured one.
    pub language: Option<LanguageTag>,
}

impl AccountSettings {
    /// The language of texts for its owner; none where there are none in the language that was set, too: a later
    /// version may have had them.
    #[must_use]
    pub fn language(&self) -> Option<Language> {
        self.language.as_ref()?.language()
    }
}

/// Whether an account can be used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// It can.
    #[default]
    Active,
    /// Nobody logs in to it, and no mail is taken for it.
    Disabled {
        /// For the operator; not told to strangers.
        reason: String,
    },
}

/// A sender address that an account may use beyond its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendAs {
    /// This one.
    Address(Mailbox),
    /// Any address of a domain.
    Domain(Domain),
    /// Any at all: for programs that send for many.
    Anyone,
}

/// `ada@example.org`, `@example.org` or `*`.
impl fmt::Display for SendAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(mailbox) => mailbox.fmt(f),
            Self::Domain(domain) => write!(f, "@{domain}"),
            Self::Anyone => f.write_str("*"),
        }
    }
}

impl FromStr for SendAs {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.strip_prefix('@') {
            _ if text == "*" => Ok(Self::Anyone),
            Some(domain) => domain.parse().map(Self::Domain),
            None => text.parse().map(Self::Address),
        }
    }
}

/// Values that are written as people write them.
macro_rules! as_text {
    ($($name:ty),*) => { $(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|error| de::Error::custom(format_args!("{text:?}: {error}")))
            }
        }
    )* };
}

as_text!(Mailbox, Domain);

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox(text: &str) -> Mailbox {
        text.parse().unwrap()
    }

    #[test]
    fn ways_to_write_one_address_have_one_key() {
        let rows = [
            ("ada@example.org", "ada@example.org"),
            ("Ada@Example.ORG", "ada@example.org"),
            ("\"ada\"@example.org", "ada@example.org"),
            ("\"a b\"@example.org", "a b@example.org"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("Ümit@bücher.example", "ümit@xn--bcher-kva.example"),
            ("ada@[192.0.2.1]", "ada@[192.0.2.1]"),
        ];
        for (written, expected) in rows {
            assert_eq!(key(&mailbox(written)), expected);
        }
    }

    #[test]
    fn every_kind_of_entry_is_the_same_after_json() {
        let list = MailingList {
            owner: mailbox("ada@example.org"),
            members: vec![mailbox("\"b b\"@example.net"), mailbox("用户@bücher.example")],
            posters: Posters::Listed(vec![mailbox("c@example.org")]),
            bounces: ListBounces::Verp,
            description: "Engines, \"analytical\"".into(),
            expandable: Expandable::ToMembers,
            from: FromRewriting::IfNeeded,
        };
        let to = mailbox("ada@example.net");
        for kind in [
            AddressKind::Alias { targets: vec![to.clone()] },
            AddressKind::List(list),
            AddressKind::Moved { to, handling: MovedHandling::Refuse },
        ] {
            let entry = AddressEntry { address: mailbox("x@example.org"), kind };
            let text = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<AddressEntry>(&text).unwrap(), entry, "{text}");
        }
    }

    #[test]
    fn the_json_of_an_entry_is_as_it_was() {
        let settings = AccountSettings {
            quota_bytes: Some(1 << 30),
            status: AccountStatus::Disabled { reason: "left".into() },
            send_as: vec![
                SendAs::Address(mailbox("a@example.org")),
                SendAs::Domain("example.org".parse().unwrap()),
                SendAs::Anyone,
            ],
            language: Some("es-MX".parse().unwrap()),
            ..AccountSettings::default()
        };
        let text = r#"{"quota_bytes":1073741824,"status":{"disabled":{"reason":"left"}},"send_as":[{"address":"a@example.org"},{"domain":"example.org"},"anyone"],"messages_per_hour_max":null,"message_bytes_max":null,"recipients_max":null,"language":"es-MX"}"#;
        assert_eq!(serde_json::to_string(&settings).unwrap(), text);
        assert_eq!(settings.language(), Some(Language::Spanish));
        // What an earlier program did not know has its default.
        let before: AccountSettings =
            serde_json::from_str(&text.replace(",\"language\":\"es-MX\"", "")).unwrap();
        assert_eq!(before, AccountSettings { language: None, ..settings });
        // What a later one may have texts for is kept.
        let later: AccountSettings = serde_json::from_str(r#"{"language":"tlh"}"#).unwrap();
        assert_eq!((later.language.as_ref().map(LanguageTag::as_str), later.language()), (Some("tlh"), None));
        assert_eq!(serde_json::from_str::<AccountSettings>("{}").unwrap(), AccountSettings::default());
        let domain: DomainEntry = serde_json::from_str(r#"{"domain":"example.org"}"#).unwrap();
        assert_eq!((domain.catch_all, domain.subaddress_separator), (None, None));
        assert_eq!(DomainEntry::new("example.org".parse().unwrap()).subaddress_separator, Some('+'));
        assert!(serde_json::from_str::<DomainEntry>(r#"{"domain":"a b"}"#).is_err());
    }

    #[test]
    fn who_may_be_sent_as_is_written_as_it_is_read() {
        for text in ["ada@example.org", "@example.org", "*"] {
            assert_eq!(text.parse::<SendAs>().unwrap().to_string(), text);
        }
        assert_eq!("@".parse::<SendAs>(), Err(AddressError::Domain));
        assert_eq!("".parse::<SendAs>(), Err(AddressError::Empty));
    }
}
