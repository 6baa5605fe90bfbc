//! Policies across a restart: without them, whoever is in the way could have a node start anew and forget.
//!
//! One line that names the format, then for each policy one of the domain, its id or `-`, the times at which it was
//! fetched and used in milliseconds, and the octets of the policy, which follows.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use types::{Domain, Timestamp};

use super::cache::{CACHE_ENTRIES_MAX, CACHE_OCTETS_MAX, Entry};
use super::{POLICY_OCTETS_MAX, Policy, PolicyId};

const FORMAT: &str = "posta-mta-sts 1";
/// Octets of a file: the policies, and a line for each.
const FILE_OCTETS_MAX: u64 = (CACHE_OCTETS_MAX + 512 * CACHE_ENTRIES_MAX + 64) as u64;

/// What is in the file; nothing where there is none.
pub(super) fn read(path: &Path, now: Timestamp) -> Result<Vec<(Domain, Entry)>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let mut octets = Vec::new();
    file.take(FILE_OCTETS_MAX + 1).read_to_end(&mut octets).map_err(|error| error.to_string())?;
    if octets.len() as u64 > FILE_OCTETS_MAX {
        return Err("it is larger than any such file".to_owned());
    }
    decode(&octets, now)
}

pub(super) fn encode(entries: &HashMap<Domain, Entry>) -> Vec<u8> {
    let mut text = format!("{FORMAT}\n");
    for (domain, entry) in entries {
        let policy = entry.policy.to_string();
        let id = entry.id.as_ref().map_or("-", PolicyId::as_str);
        let (fetched, used) = (entry.fetched_at.millis(), entry.used_at.millis());
        text.push_str(&format!("{} {id} {fetched} {used} {}\n{policy}", domain.ascii(), policy.len()));
    }
    text.into_bytes()
}

/// All of them, or why not: a policy that cannot be read is a damaged file.
pub(super) fn decode(octets: &[u8], now: Timestamp) -> Result<Vec<(Domain, Entry)>, String> {
    let damaged = || "it is damaged".to_owned();
    let (format, mut rest) = line(octets).ok_or_else(damaged)?;
    if format != FORMAT {
        return Err("it is of another format".to_owned());
    }
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (head, behind) = line(rest).ok_or_else(damaged)?;
        let (domain, entry, behind) = entry(head, behind, now).ok_or_else(damaged)?;
        entries.push((domain, entry));
        rest = behind;
    }
    Ok(entries)
}

fn entry<'a>(head: &str, behind: &'a [u8], now: Timestamp) -> Option<(Domain, Entry, &'a [u8])> {
    let mut parts = head.split(' ');
    let domain = parts.next()?.parse().ok()?;
    let id = match parts.next()? {
        "-" => None,
        id => Some(PolicyId::parse(id)?),
    };
    // A clock that was ahead must not make a policy hold longer than it says.
    let mut time = || parts.next()?.parse().ok().map(|millis| Timestamp::from_millis(millis).min(now));
    let (fetched_at, used_at) = (time()?, time()?);
    let octets: usize = parts.next()?.parse().ok()?;
    if parts.next().is_some() || octets > POLICY_TEXT_OCTETS_MAX {
        return None;
    }
    let (policy, behind) = behind.split_at_checked(octets)?;
    let policy = Policy::parse(policy).ok()?;
    Some((domain, Entry::new(id, policy, fetched_at, used_at), behind))
}

/// A policy as it is written has a space and CR where the one that was fetched may have had none.
const POLICY_TEXT_OCTETS_MAX: usize = 2 * POLICY_OCTETS_MAX;

fn line(octets: &[u8]) -> Option<(&str, &[u8])> {
    let end = octets.iter().position(|octet| *octet == b'\n')?;
    let text = std::str::from_utf8(octets.get(..end)?).ok()?;
    Some((text, octets.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{self, OWNER_ONLY};

    const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);

    fn entries() -> HashMap<Domain, Entry> {
        let of = |text: &str, id: Option<&str>, fetched: u64| {
            let policy = Policy::parse(text.as_bytes()).unwrap();
            let fetched = Timestamp::from_millis(fetched);
            Entry::new(id.map(|id| PolicyId::parse(id).unwrap()), policy, fetched, NOW)
        };
        HashMap::from([
            (
                "example.com".parse().unwrap(),
                of(
                    "version: STSv1\nmode: enforce\nmx: *.example.com\nmx: b.example\nmax_age: 604800",
                    Some("1"),
                    7,
                ),
            ),
            ("b\u{fc}cher.example".parse().unwrap(), of("version: STSv1\nmode: none\nmax_age: 0", None, 8)),
        ])
    }

    #[test]
    fn what_is_written_is_read_again() {
        let read = decode(&encode(&entries()), NOW).unwrap();
        assert_eq!(HashMap::from_iter(read), entries());
        assert_eq!(decode(b"posta-mta-sts 1\n", NOW), Ok(Vec::new()));
    }

    #[test]
    fn a_damaged_file_is_told_and_not_half_believed() {
        let good = encode(&entries());
        // Only where a policy ends may the file end too.
        let ends = (0..good.len()).filter_map(|end| {
            let read = decode(&good[..end], NOW).ok()?;
            assert_eq!(encode(&HashMap::from_iter(read)), good[..end], "{end}");
            Some(end)
        });
        assert_eq!(ends.count(), 2);
        for text in [
            "posta-mta-sts 2\n",
            "posta-mta-sts 1\nexample.com 1 0 0\n",
            "posta-mta-sts 1\nexample.com 1 0 0 99999999999999999999\n",
            "posta-mta-sts 1\nexample.com 1 0 0 5 6\nabcde",
            "posta-mta-sts 1\nexample.com 1 0 0 5\nabcde",
            "posta-mta-sts 1\nexample.com !! 0 0 5\nabcde",
            "posta-mta-sts 1\n\n",
        ] {
            assert!(decode(text.as_bytes(), NOW).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_time_to_come_counts_as_now() {
        let mut entries = entries();
        let ahead = Timestamp::from_millis(u64::MAX);
        entries.values_mut().for_each(|entry| entry.fetched_at = ahead);
        let read = decode(&encode(&entries), NOW).unwrap();
        assert!(read.iter().all(|(_, entry)| entry.fetched_at == NOW));
    }

    #[test]
    fn a_file_takes_the_place_of_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mta-sts");
        assert_eq!(read(&path, NOW), Ok(Vec::new()));
        files::replace(&path, b"something else", OWNER_ONLY).unwrap();
        assert!(read(&path, NOW).is_err());
        files::replace(&path, &encode(&entries()), OWNER_ONLY).unwrap();
        assert_eq!(read(&path, NOW).unwrap().len(), 2);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
