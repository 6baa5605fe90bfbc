//! What the answers of lists mean.

use std::net::Ipv4Addr;

use types::dns::{DnsTrouble, Lookup};

use super::Code;

/// What a list says of one address or name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is listed.
    Listed {
        /// The heaviest of what counts.
        weight: i32,
        /// All that came, in ascending order.
        codes: Vec<Ipv4Addr>,
    },
    /// It is not, or in a way that does not count.
    NotListed,
    /// No list answers so.
    Broken(Fault),
    /// There is no answer now.
    Trouble(DnsTrouble),
}

/// What is wrong with a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// RFC 5782 §2.1: such an answer is that of whoever has the domain now.
    #[error("it answers {0}, which is none of 127.0.0.0/8: its zone may belong to somebody else now")]
    Outside(Ipv4Addr),
    /// What well-known lists say to whom they do not serve.
    #[error(
        "it answers {0}, which says that it does not serve this resolver: ask it by a resolver of your own, or register with it"
    )]
    NotServed(Ipv4Addr),
    /// More answers than any list gives.
    #[error("it gives {0} answers to one question")]
    TooMany(usize),
}

/// Whether a list works (RFC 5782 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestResult {
    /// What must be listed is, and what must not be is not.
    Sound,
    /// It is not to be used, for this reason.
    Unsound(String),
    /// It does not answer now.
    Unknown(DnsTrouble),
}

/// Answers of one list to one question. Lists that are made of several give one for each.
const ANSWERS_MAX: usize = 32;

/// Reads an answer. With `codes` those count that one of them is about, else all do.
#[must_use]
pub fn read(codes: &[Code], weight: i32, lookup: &Lookup<Ipv4Addr>) -> Answer {
    let records = match lookup {
        Lookup::Records { records, .. } => records,
        Lookup::NoData { .. } | Lookup::NoSuchName => return Answer::NotListed,
        Lookup::Trouble(trouble) => return Answer::Trouble(*trouble),
    };
    if records.len() > ANSWERS_MAX {
        return Answer::Broken(Fault::TooMany(records.len()));
    }
    if let Some(fault) = records.iter().find_map(|answer| fault(*answer)) {
        return Answer::Broken(fault);
    }
    let mut heaviest = None;
    for answer in records {
        let Some(weight) = weight_of(codes, weight, *answer) else { continue };
        if heaviest.is_none_or(|other| is_heavier(weight, other)) {
            heaviest = Some(weight);
        }
    }
    let mut all = records.clone();
    all.sort_unstable();
    all.dedup();
    heaviest.map_or(Answer::NotListed, |weight| Answer::Listed { weight, codes: all })
}

fn weight_of(codes: &[Code], weight: i32, answer: Ipv4Addr) -> Option<i32> {
    if codes.is_empty() {
        return Some(weight);
    }
    let about = codes.iter().filter(|code| code.has(answer)).map(|code| code.weight().unwrap_or(weight));
    about.reduce(|one, other| if is_heavier(other, one) { other } else { one })
}

/// Whether `one` is to count in place of `other`: the most that is held against somebody, else the most that speaks for him.
pub(super) const fn is_heavier(one: i32, other: i32) -> bool {
    if one > 0 || other > 0 { one > other } else { one < other }
}

/// What no listing is: 127.255.255.0/24 says why a question is not answered, 127.0.0.1 is never a listing (RFC 5782 §5) and
/// is what some lists say to whom they do not serve, 127.0.0.255 what others do (RFC 8904 §5.1).
const fn fault(answer: Ipv4Addr) -> Option<Fault> {
    match answer.octets() {
        [127, 255, 255, _] | [127, 0, 0, 1 | 255] => Some(Fault::NotServed(answer)),
        [127, ..] => None,
        _ => Some(Fault::Outside(answer)),
    }
}

/// Whether a list is to be used, by its answers to what it must have and must not have.
#[must_use]
pub fn test_result(listed: &Lookup<Ipv4Addr>, unlisted: &Lookup<Ipv4Addr>) -> TestResult {
    let (listed, unlisted) = (read(&[], 1, listed), read(&[], 1, unlisted));
    match (listed, unlisted) {
        (Answer::Broken(fault), _) | (_, Answer::Broken(fault @ Fault::Outside(_))) => {
            TestResult::Unsound(fault.to_string())
        }
        (_, Answer::Listed { .. } | Answer::Broken(_)) => {
            TestResult::Unsound("it lists everything, even what no list may have".to_owned())
        }
        (Answer::Trouble(trouble), _) | (_, Answer::Trouble(trouble)) => TestResult::Unknown(trouble),
        (Answer::NotListed, _) => {
            TestResult::Unsound("it does not list its test entry: it is empty or gone".to_owned())
        }
        (Answer::Listed { .. }, Answer::NotListed) => TestResult::Sound,
    }
}

/// Characters of a list's text that are told.
const TEXT_CHARS_MAX: usize = 200;

/// What a list has to say, as a reply and a header field may hold it: printable ASCII, with an end. Brackets become round ones,
/// so that none of it can be taken for the id of a refusal.
#[must_use]
pub fn text_of(octets: &[u8]) -> Option<String> {
    let clean = |octet: &u8| match octet {
        b'[' => '(',
        b']' => ')',
        b' '..=b'~' => char::from(*octet),
        _ => '?',
    };
    let text: String = octets.iter().take(TEXT_CHARS_MAX).map(clean).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
