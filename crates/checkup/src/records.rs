//! What is to be published for a domain, and whether it is.
//!
//! Standards: RFC 1035 (zones), RFC 2782 (SRV), RFC 5321 §5 (MX), RFC 6186 and RFC 8314 §5.1 (where mail programs find
//! services), RFC 6376 §3.6 (DKIM), RFC 6698 and RFC 7672 (TLSA), RFC 7208 (SPF), RFC 7505 (a domain without mail), RFC
//! 8460 (reports about TLS), RFC 8461 (MTA-STS), RFC 9989 (DMARC, after the working group's last draft).
//!
//! [`wanted`] makes the records of [`Facts`]; [`zone()`] writes them as lines of a zone; [`check`] asks the DNS whether
//! they are there. What is compared is what a record means and not how it is written: an SPF record that lets the host
//! send by another term is good, and so is any policy of DMARC that is one.
//!
//! Left out on purpose: putting records into the DNS, and the keys of DNSSEC.

mod check;
mod facts;
mod wanted;
mod zone;

pub use check::{Checked, PROBE, State, check};
pub use facts::{Facts, Key, KeyState, Mail, Offered};
pub use wanted::{policy_file, wanted};
pub use zone::{for_people, line, zone};

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Serialize, Serializer};
use types::dns::{MxRecord, SrvRecord, TlsaRecord};

use crate::Topic;

/// A record that is to be published.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WantedRecord {
    /// What it belongs to.
    pub topic: Topic,
    /// Its owner, with A-labels and without a dot at the end.
    pub name: String,
    /// Type and value.
    #[serde(flatten)]
    pub data: Data,
    /// What it is for, in one sentence without a full stop.
    pub purpose: String,
    /// Whether it has to be there.
    pub need: Need,
    /// Who can publish it.
    pub place: Place,
    /// What to know before it is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// Type and value of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// RFC 1035 §3.4.1.
    A(Ipv4Addr),
    /// RFC 3596 §2.1.
    Aaaa(Ipv6Addr),
    /// RFC 1035 §3.3.1: the name that it is another name of.
    Cname(String),
    /// RFC 1035 §3.3.9.
    Mx(MxRecord),
    /// RFC 1035 §3.3.12.
    Ptr(String),
    /// RFC 2782.
    Srv(SrvRecord),
    /// RFC 6698 §2.1.
    Tlsa(TlsaRecord),
    /// RFC 1035 §3.3.14: one text, which is cut into strings where it is written.
    Txt(String),
}

/// Whether a record has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Without it mail is lost or refused.
    Needed,
    /// Without it mail gets through less surely, or is open to forgery.
    Recommended,
    /// It makes something easier or safer.
    Optional,
}

/// Who can publish a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// It belongs to the zone of the domain, or may.
    Domain,
    /// It belongs to the zone of the mail host, which is another one than the domain's.
    Host,
    /// It belongs to whoever gave out the address.
    Addresses,
    /// It belongs to the zone of that domain, which receives reports.
    Reports(String),
    /// Not yet: what it points to does not exist.
    NotYet,
}

impl Need {
    /// In one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Needed => "needed",
            Self::Recommended => "recommended",
            Self::Optional => "optional",
        }
    }
}

impl Data {
    /// The type, as zones name it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::A(_) => "A",
            Self::Aaaa(_) => "AAAA",
            Self::Cname(_) => "CNAME",
            Self::Mx(_) => "MX",
            Self::Ptr(_) => "PTR",
            Self::Srv(_) => "SRV",
            Self::Tlsa(_) => "TLSA",
            Self::Txt(_) => "TXT",
        }
    }

    /// The value for people and for forms of DNS providers: a text without quotation marks and names without a dot at
    /// the end.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::A(address) => address.to_string(),
            Self::Aaaa(address) => address.to_string(),
            Self::Cname(name) | Self::Ptr(name) => name.clone(),
            Self::Mx(mx) => format!("{} {}", mx.preference, shown(&mx.exchange)),
            Self::Srv(srv) => {
                format!("{} {} {} {}", srv.priority, srv.weight, srv.port, shown(&srv.target))
            }
            Self::Tlsa(tlsa) => {
                let digits: String = tlsa.data.iter().map(|octet| format!("{octet:02x}")).collect();
                format!("{} {} {} {digits}", tlsa.usage, tlsa.selector, tlsa.matching)
            }
            Self::Txt(text) => text.clone(),
        }
    }
}

/// `{"type":"MX","value":"10 mail.example.org"}`
impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", self.kind())?;
        map.serialize_entry("value", &self.value())?;
        map.end()
    }
}

/// A name for people; the root is a dot.
fn shown(name: &str) -> &str {
    match name.trim_end_matches('.') {
        "" => ".",
        name => name,
    }
}
