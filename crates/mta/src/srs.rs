//! The sender rewriting scheme (SRS): the reverse-path of a message that an address here sends on to another host, and the way
//! back for its bounces.
//!
//! Who sends on keeps the reverse-path (RFC 5321 §3.9.1), whose domain does not name this host in its SPF record: at the next
//! host SPF fails. SRS puts an address of ours in its place, from which the first one can be read again:
//!
//! ```text
//! SRS0=HASH=DAY=domain=local@ours           for local@domain
//! SRS1=HASH=first.example==…@ours           for SRS0=…@first.example: what somebody else has rewritten leads back to them
//! ```
//!
//! Nothing is stored: the hash, which nobody can make without the key, says that this host has written it, and the day for how
//! long it holds. Hash and day are read in any case, since hosts on the way may change it.
//!
//! Standards: none; the form, the hash (HMAC-SHA-1 over lower case, in base64) and the day are those of libsrs2 and postsrsd,
//! whose published addresses are among the tests. Left out on purpose: keys of the past, and separators other than `=`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use types::{Domain, Host, Mailbox, Timestamp};

use crate::list::at_host;

/// Writes and reads rewritten addresses.
#[derive(Clone)]
pub struct Srs {
    mac: Hmac<Sha1>,
    hash_chars: usize,
}

/// A reverse-path that is kept, since what would take its place has no room: a local part has 64 octets
/// (RFC 5321 §4.5.3.1.1), and what is longer is refused by some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rewritten local part would be longer than 64 octets")]
pub struct TooLong;

/// Why an address leads nobody back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrsProblem {
    /// This host has not written it, or it was changed on the way.
    #[error("it was not made here, or was changed on the way")]
    Forged,
    /// Its time is over.
    #[error("it is older than {VALID_DAYS} days")]
    Expired,
}

/// Days that an address leads back: as long as any host tries to deliver, and as libsrs2 does.
pub const VALID_DAYS: u64 = 21;
/// Characters of the hash that are written. libsrs2 has 4, which can be guessed in hours; these take some 2³¹ attempts, while
/// each takes of the room that the address has.
const HASH_CHARS: usize = 6;
/// Days after which the numbers of days begin again: two characters of five bits.
const DAYS_ROUND: u64 = 1 << 10;
const DAY_MILLIS: u64 = 24 * 60 * 60 * 1000;
const DAY_DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl Srs {
    /// With a key that is secret.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self { mac: keyed(key), hash_chars: HASH_CHARS }
    }

    /// The address at `ours` that stands for `sender` from `now` on.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn rewritten(&self, sender: &Mailbox, ours: &Domain, now: Timestamp) -> Result<Mailbox, TooLong> {
        let local_part = sender.local_part.unquoted();
        let host = host_text(&sender.host);
        let rewritten = match Foreign::read(&local_part, &host) {
            Some(Foreign { host, rest }) => format!("SRS1={}={host}={rest}", self.hash(&[host, rest])),
            None => {
                let day = day_text(day_of(now));
                format!("SRS0={}={day}={host}={local_part}", self.hash(&[&day, &host, &local_part]))
            }
        };
        let ours = ours.ascii().parse().map_err(|_| TooLong)?;
        at_host(&rewritten, &Host::Domain(ours)).ok_or(TooLong)
    }

    /// The sender that `address` was written for: what [`Srs::rewritten`] has made, at whichever domain.
    ///
    /// # Errors
    /// [`SrsProblem`].
    pub fn original(&self, address: &Mailbox, now: Timestamp) -> Result<Mailbox, SrsProblem> {
        let local_part = address.local_part.unquoted();
        let forged = SrsProblem::Forged;
        if !is_rewritten(address) {
            return Err(forged);
        }
        let (tag, rest) = local_part.split_once('=').ok_or(forged)?;
        let (hash, rest) = rest.split_once('=').ok_or(forged)?;
        if tag.eq_ignore_ascii_case("SRS1") {
            let (host, opaque) = split_host(rest).ok_or(forged)?;
            self.check(hash, &[host, opaque])?;
            let host = host.parse().map_err(|_| forged)?;
            return at_host(&format!("SRS0{opaque}"), &host).ok_or(forged);
        }
        let (day, rest) = rest.split_once('=').ok_or(forged)?;
        let (host, local_part) = split_host(rest).ok_or(forged)?;
        self.check(hash, &[day, host, local_part])?;
        // A clock that was set back to the day before is no reason to lose a bounce.
        let age = (day_of(now) + 1 + DAYS_ROUND - day_number(day).ok_or(forged)?) % DAYS_ROUND;
        if age > VALID_DAYS + 1 {
            return Err(SrsProblem::Expired);
        }
        at_host(local_part, &host.parse().map_err(|_| forged)?).ok_or(forged)
    }

    fn check(&self, hash: &str, parts: &[&str]) -> Result<(), SrsProblem> {
        let expected = self.hash(parts);
        let differs = |(a, b): (u8, u8)| a.to_ascii_lowercase() ^ b.to_ascii_lowercase();
        let differences = expected.bytes().zip(hash.bytes()).map(differs).fold(0, |all, one| all | one);
        if expected.len() == hash.len() && differences == 0 { Ok(()) } else { Err(SrsProblem::Forged) }
    }

    fn hash(&self, parts: &[&str]) -> String {
        let mut mac = self.mac.clone();
        for part in parts {
            mac.update(part.to_ascii_lowercase().as_bytes());
        }
        let mut hash = STANDARD.encode(mac.finalize().into_bytes());
        hash.truncate(self.hash_chars);
        hash
    }
}

/// Whether an address has the form of one that was rewritten by us; whether it is one, [`Srs::original`] says.
#[must_use]
pub fn is_rewritten(address: &Mailbox) -> bool {
    let local_part = address.local_part.unquoted();
    let start = local_part.as_bytes().get(..5);
    start.is_some_and(|start| start.eq_ignore_ascii_case(b"SRS0=") || start.eq_ignore_ascii_case(b"SRS1="))
}

/// The host, and what is behind the `=` that ends it: an address literal may hold that sign itself (RFC 5321 §4.1.3).
fn split_host(text: &str) -> Option<(&str, &str)> {
    let literal = if text.starts_with('[') { text.find(']')? } else { 0 };
    let end = literal + text[literal..].find('=')?;
    Some((&text[..end], &text[end + 1..]))
}

/// What was rewritten by others: where it leads back to, and what that host is told.
struct Foreign<'a> {
    host: &'a str,
    /// With its separator, of which there are three kinds.
    rest: &'a str,
}

impl<'a> Foreign<'a> {
    fn read(local_part: &'a str, host: &'a str) -> Option<Self> {
        let (tag, rest) = local_part.split_at_checked(4)?;
        if !rest.starts_with(SEPARATORS) {
            return None;
        }
        if tag.eq_ignore_ascii_case("SRS0") {
            return Some(Self { host, rest });
        }
        if !tag.eq_ignore_ascii_case("SRS1") {
            return None;
        }
        // It goes back to the first host at once, past all that came between.
        let (_hash, rest) = rest[1..].split_once('=')?;
        let (host, rest) = rest.split_once('=')?;
        (host.parse::<Domain>().is_ok() && rest.starts_with(SEPARATORS)).then_some(Self { host, rest })
    }
}

const SEPARATORS: [char; 3] = ['=', '+', '-'];

#[allow(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn keyed(key: &[u8]) -> Hmac<Sha1> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn host_text(host: &Host) -> String {
    host.domain().map_or_else(|| host.to_string(), |domain| domain.ascii().to_owned())
}

const fn day_of(now: Timestamp) -> u64 {
    now.millis() / DAY_MILLIS % DAYS_ROUND
}

fn day_text(day: u64) -> String {
    let digit = |bits: u64| char::from(DAY_DIGITS[usize::try_from(bits & 31).unwrap_or_default()]);
    [digit(day >> 5), digit(day)].iter().collect()
}

fn day_number(text: &str) -> Option<u64> {
    let digit = |octet: u8| DAY_DIGITS.iter().position(|digit| *digit == octet.to_ascii_uppercase());
    let [high, low] = text.as_bytes() else { return None };
    u64::try_from(digit(*high)? << 5 | digit(*low)?).ok()
}

impl std::fmt::Debug for Srs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Srs").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
