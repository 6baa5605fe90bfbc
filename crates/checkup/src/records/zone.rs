//! Records as lines of a zone (RFC 1035 §5.1).
//!
//! All names are whole, with a dot at the end, so that the lines mean the same under any `$ORIGIN`. Records that do not
//! belong to the zone of the domain stand there as comments: a server would refuse the whole file for one of them.

use std::fmt::Write as _;

use types::Domain;

use super::wanted::policy_file;
use super::{Data, Facts, Mail, Place, WantedRecord};
use crate::Topic;

/// RFC 1035 §3.3: the longest string of a text.
const STRING_BYTES_MAX: usize = 255;
/// An hour, so that a mistake is gone soon. Written in each line: without it the line before would decide.
const TTL_S: u32 = 3600;

/// The lines of a zone for the records, by topic, with what each is for.
#[must_use]
pub fn zone(facts: &Facts, records: &[WantedRecord]) -> String {
    let mut text = format!("; What {} needs for its mail\n", comment(&for_people(&facts.domain)));
    let mut topic = None;
    for record in records {
        if topic != Some(record.topic) {
            topic = Some(record.topic);
            let _ = write!(text, "\n; {}\n", record.topic.title());
        }
        write_record(&mut text, record);
        if record.topic == Topic::MtaSts && facts.mail == Mail::Some {
            write_policy(&mut text, facts);
        }
    }
    text
}

/// One record as a line of a zone, without a line end.
#[must_use]
pub fn line(name: &str, data: &Data) -> String {
    let value = match data {
        Data::Cname(target) | Data::Ptr(target) => whole(target),
        Data::Mx(mx) => format!("{} {}", mx.preference, whole(&mx.exchange)),
        Data::Srv(srv) => format!("{} {} {} {}", srv.priority, srv.weight, srv.port, whole(&srv.target)),
        Data::Txt(text) => strings(text.as_bytes()),
        Data::A(_) | Data::Aaaa(_) | Data::Tlsa(_) => data.value(),
    };
    format!("{} {TTL_S} IN {} {value}", whole(name), data.kind())
}

fn write_record(text: &mut String, record: &WantedRecord) {
    let _ = writeln!(text, "; {}: {}", record.need.word(), comment(&record.purpose));
    if let Some(remark) = &record.remark {
        let _ = writeln!(text, "; {}", comment(remark));
    }
    let elsewhere = match &record.place {
        Place::Domain => None,
        Place::Host => Some("in the zone of the host".to_owned()),
        Place::Addresses => Some("in the zone of the address".to_owned()),
        Place::Reports(domain) => Some(format!("in the zone of {}", comment(domain))),
        Place::NotYet => Some("not yet".to_owned()),
    };
    let line = line(&record.name, &record.data);
    let _ = match elsewhere {
        None => writeln!(text, "{line}"),
        Some(elsewhere) => writeln!(text, "; {elsewhere}:\n; {line}"),
    };
}

fn write_policy(text: &mut String, facts: &Facts) {
    let _ = writeln!(text, "; the file https://mta-sts.{}/.well-known/mta-sts.txt:", facts.domain.ascii());
    for line in policy_file(facts).lines() {
        let _ = writeln!(text, ";   {}", comment(line));
    }
}

/// A whole name: with a dot at the end, and what means something else in a zone behind a backslash.
fn whole(name: &str) -> String {
    let mut whole = String::with_capacity(name.len() + 1);
    for octet in name.trim_end_matches('.').bytes() {
        match octet {
            b'.' | b'-' | b'_' | b'*' => whole.push(char::from(octet)),
            _ if octet.is_ascii_alphanumeric() => whole.push(char::from(octet)),
            _ => push_escaped(&mut whole, octet),
        }
    }
    whole + "."
}

/// Quoted strings of at most 255 octets each (RFC 6376 §3.6.2.2: joined without anything between them).
fn strings(text: &[u8]) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    let quoted = text.chunks(STRING_BYTES_MAX).map(|chunk| {
        let mut string = String::with_capacity(chunk.len() + 2);
        string.push('"');
        for octet in chunk {
            match octet {
                b'"' | b'\\' => push_escaped(&mut string, *octet),
                b' '..=b'~' => string.push(char::from(*octet)),
                _ => push_escaped(&mut string, *octet),
            }
        }
        string + "\""
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// `\X` for what can be seen, else `\DDD` (RFC 1035 §5.1).
fn push_escaped(text: &mut String, octet: u8) {
    let _ = match octet {
        b'!'..=b'~' => write!(text, "\\{}", char::from(octet)),
        _ => write!(text, "\\{octet:03}"),
    };
}

/// A comment ends with its line.
fn comment(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// The name as people read it, and the A-labels where they differ.
#[must_use]
pub fn for_people(domain: &Domain) -> String {
    if domain.as_str() == domain.ascii() {
        return domain.ascii().to_owned();
    }
    format!("{} ({})", domain.as_str(), domain.ascii())
}
