//! What a message says about one name, and how long that holds.

use std::collections::HashSet;
use std::time::Duration;

use hickory_proto::dnssec::Proof;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use types::Domain;
use types::dns::{DnsTrouble, Lookup, Validation};

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) what: What,
    /// How long it holds.
    pub(super) holds: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// At least one record of the type.
    Records {
        data: Vec<RData>,
        alias_of: Option<Name>,
        validation: Validation,
    },
    NoData {
        alias_of: Option<Name>,
    },
    NoSuchName,
    Trouble(DnsTrouble),
}

/// Who says whether a record is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Each record, as it was validated here.
    OfEach,
    /// The whole message.
    OfAll(Validation),
}

/// How far one message leads.
#[derive(Debug)]
pub(super) enum Reading {
    /// To the end.
    End(Found),
    /// To another name.
    Alias(Chain),
}

/// The aliases so far.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    /// Where they lead.
    pub(super) name: Name,
    is_alias: bool,
    holds: Duration,
    validation: Validation,
    /// Names that were passed, so that a circle is seen.
    passed: HashSet<Name>,
}

/// Aliases that are followed: honest chains have two or three.
const ALIASES_MAX: usize = 16;
/// Records that prove that there is nothing, with their signatures: honest answers have a dozen.
const AUTHORITIES_MAX: usize = 48;
/// No answer is believed for longer.
const HOLDS_MAX: Duration = Duration::from_secs(24 * 3600);
/// RFC 2308 §5: that there is nothing is believed for up to three hours.
const NOTHING_HOLDS_MAX: Duration = Duration::from_secs(3 * 3600);
/// RFC 9520 §3.2: at least a second, at most five minutes. The queue's own intervals are longer.
pub(super) const TROUBLE_HOLDS: Duration = Duration::from_secs(10);

impl Chain {
    pub(super) fn new(name: Name) -> Self {
        let passed = HashSet::from([name.to_lowercase()]);
        Self { name, is_alias: false, holds: HOLDS_MAX, validation: Validation::Secure, passed }
    }

    /// Follows the message as far as it goes.
    pub(super) fn read(mut self, message: &Message, kind: RecordType, word: Word) -> Reading {
        if let Word::OfAll(validation) = word {
            self.also(validation);
        }
        loop {
            let records = of_name(message, &self.name, kind);
            if !records.is_empty() {
                return Reading::End(self.records(&records, word));
            }
            let Some(alias) = of_name(message, &self.name, RecordType::CNAME).into_iter().next() else {
                break;
            };
            let RData::CNAME(target) = &alias.data else { break };
            if let Err(trouble) = self.take(alias, word) {
                return Reading::End(Found::trouble(trouble));
            }
            self.name = target.0.clone();
            self.is_alias = true;
            if !self.passed.insert(self.name.to_lowercase()) || self.passed.len() > ALIASES_MAX {
                return Reading::End(Found::trouble(DnsTrouble::Malformed));
            }
        }
        // Whether the end of a chain is there at all is said by the answer to a question for it.
        let was_asked = message.queries.first().is_none_or(|query| query.name() == &self.name);
        if was_asked { Reading::End(self.nothing(message)) } else { Reading::Alias(self) }
    }

    fn records(mut self, records: &[&Record], word: Word) -> Found {
        for record in records {
            if let Err(trouble) = self.take(record, word) {
                return Found::trouble(trouble);
            }
        }
        let data = records.iter().map(|record| record.data.clone()).collect();
        let (holds, validation) = (self.holds, self.validation);
        Found { what: What::Records { data, alias_of: self.alias_of(), validation }, holds }
    }

    fn nothing(self, message: &Message) -> Found {
        let holds = self.holds.min(NOTHING_HOLDS_MAX).min(nothing_holds(message));
        let what = if message.metadata.response_code == ResponseCode::NXDomain {
            What::NoSuchName
        } else {
            What::NoData { alias_of: self.alias_of() }
        };
        Found { what, holds }
    }

    /// A record that the answer depends on.
    fn take(&mut self, record: &Record, word: Word) -> Result<(), DnsTrouble> {
        self.holds = self.holds.min(Duration::from_secs(record.ttl.into()));
        if word == Word::OfEach {
            match record.proof {
                Proof::Secure => {}
                Proof::Insecure => self.also(Validation::Insecure),
                Proof::Bogus | Proof::Indeterminate => return Err(DnsTrouble::Bogus),
            }
        }
        Ok(())
    }

    fn also(&mut self, validation: Validation) {
        if validation == Validation::Insecure {
            self.validation = Validation::Insecure;
        }
    }

    fn alias_of(self) -> Option<Name> {
        self.is_alias.then_some(self.name)
    }
}

impl Found {
    pub(super) const fn trouble(trouble: DnsTrouble) -> Self {
        Self { what: What::Trouble(trouble), holds: TROUBLE_HOLDS }
    }

    /// What it takes in memory, roughly.
    pub(super) fn size_bytes(&self) -> usize {
        match &self.what {
            What::Records { data, .. } => 128 + data.iter().map(size_bytes).sum::<usize>(),
            What::NoData { .. } | What::NoSuchName | What::Trouble(_) => 128,
        }
    }

    /// For those who asked: `read` takes what is of use out of a record. Where nothing is, there is no such record.
    pub(super) fn lookup<R>(&self, read: impl Fn(&RData) -> Option<R>) -> Lookup<R> {
        match &self.what {
            What::Records { data, alias_of, validation } => {
                let records: Vec<R> = data.iter().filter_map(read).collect();
                let alias_of = alias_of.as_ref().and_then(domain);
                if records.is_empty() {
                    return Lookup::NoData { alias_of };
                }
                Lookup::Records { records, alias_of, validation: *validation }
            }
            What::NoData { alias_of } => Lookup::NoData { alias_of: alias_of.as_ref().and_then(domain) },
            What::NoSuchName => Lookup::NoSuchName,
            What::Trouble(trouble) => Lookup::Trouble(*trouble),
        }
    }
}

/// A name as text with a dot at the end: what can be seen as it is, but for dots within labels and backslashes; [`name_of`] reads it.
pub(super) fn text_of(name: &Name) -> String {
    let mut text = String::new();
    for label in name.iter() {
        for octet in label {
            match octet {
                b'.' | b'\\' => text.extend(['\\', char::from(*octet)]),
                b'!'..=b'~' => text.push(char::from(*octet)),
                _ => text.push_str(&format!("\\{octet:03o}")),
            }
        }
        text.push('.');
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

/// A name of text: labels of any octets (RFC 2181 §11), since the macros of SPF make names that no host has. After a backslash
/// comes a character that stands for itself, or the three octal digits of an octet: so names in records are told.
pub(super) fn name_of(text: &str) -> Option<Name> {
    let mut labels = vec![Vec::new()];
    let mut octets = text.strip_suffix('.').unwrap_or(text).bytes();
    while let Some(octet) = octets.next() {
        let octet = match octet {
            b'.' => {
                labels.push(Vec::new());
                continue;
            }
            b'\\' => escaped(&mut octets)?,
            octet if octet.is_ascii() => octet,
            _ => return None,
        };
        labels.last_mut()?.push(octet);
    }
    // Too long, or a label of nothing.
    let mut name = Name::from_labels(labels).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn escaped(octets: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let first = octets.next()?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    [Some(first), octets.next(), octets.next()].into_iter().try_fold(0u8, |value, digit| {
        let digit = digit.filter(|digit| (b'0'..=b'7').contains(digit))?;
        value.checked_mul(8)?.checked_add(digit - b'0')
    })
}

/// A name of the DNS as one of a host; none where no host can have it.
pub(super) fn domain(name: &Name) -> Option<Domain> {
    let text = name.to_ascii();
    Domain::parse_host_name(text.strip_suffix('.').unwrap_or(&text)).ok()
}

fn of_name<'a>(message: &'a Message, name: &Name, kind: RecordType) -> Vec<&'a Record> {
    let is_of = |record: &&Record| record.record_type() == kind && record.name == *name;
    message.answers.iter().filter(is_of).collect()
}

/// RFC 2308 §5: by the SOA record of the zone; without one it is not remembered.
fn nothing_holds(message: &Message) -> Duration {
    let of_soa = |record: &Record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    };
    Duration::from_secs(message.authorities.iter().find_map(of_soa).unwrap_or(0).into())
}

fn size_bytes(data: &RData) -> usize {
    let heap = match data {
        RData::TXT(texts) => texts.txt_data.iter().map(|text| text.len() + size_of::<usize>() * 2).sum(),
        RData::TLSA(tlsa) => tlsa.cert_data.len(),
        RData::MX(mx) => mx.exchange.len(),
        _ => 0,
    };
    size_of::<RData>() + heap
}

/// Throws away what is no part of an answer: other sections' records, and in this one those of names that the question
/// does not lead to. What is left is what work is spent on.
pub(super) fn strip(message: &mut Message, query: &Query) {
    message.additionals.clear();
    let mut names = vec![query.name().clone()];
    while let Some(last) = names.last()
        && names.len() <= ALIASES_MAX
    {
        let alias = message.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *last => Some(target.0.clone()),
            _ => None,
        });
        let Some(target) = alias.filter(|target| !names.contains(target)) else { break };
        names.push(target);
    }
    let kinds = [query.query_type(), RecordType::CNAME, RecordType::RRSIG];
    message.answers.retain(|record| kinds.contains(&record.record_type()) && names.contains(&record.name));
    let proofs = [RecordType::SOA, RecordType::NSEC, RecordType::NSEC3, RecordType::RRSIG];
    message.authorities.retain(|record| proofs.contains(&record.record_type()));
    message.authorities.truncate(AUTHORITIES_MAX);
}
