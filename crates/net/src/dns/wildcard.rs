//! Answers made of a wildcard (RFC 4592), and that nothing is nearer to the name (RFC 4035 §5.3.4).
//!
//! Here because the validator asks NSEC records for a proof that the wildcard is not there, which it rightly never
//! finds. NSEC3 records it reads well.

use hickory_proto::dnssec::Proof;
use hickory_proto::dnssec::rdata::{DNSSECRData, NSEC, RRSIG};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// Whether a message that was validated answers by a wildcard, and proves that it may.
pub(super) fn is_proven(message: &Message, query: &Query) -> bool {
    let name = query.name();
    let is_of_name = |record: &&Record| record.name == *name;
    let kinds = [query.query_type(), RecordType::CNAME];
    let mut answers = message
        .answers
        .iter()
        .filter(is_of_name)
        .filter(|record| kinds.contains(&record.record_type()))
        .peekable();
    if answers.peek().is_none() || answers.any(|record| record.proof != Proof::Secure) {
        return false;
    }
    let mut signatures = message.answers.iter().filter(is_of_name).filter_map(signature).peekable();
    signatures.peek().is_some()
        && signatures.all(|rrsig| {
            let labels = rrsig.input().num_labels;
            // The name below the wildcard's parent: were it there, the wildcard would not be for names below it.
            labels >= name.num_labels() || is_absent(message, &name.trim_to(usize::from(labels) + 1), rrsig)
        })
}

/// The signature that proved its records.
fn signature(record: &Record) -> Option<&RRSIG> {
    match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) if record.proof == Proof::Secure => Some(rrsig),
        _ => None,
    }
}

/// Whether a record of the zone that signed the answer proves that a name is not there.
fn is_absent(message: &Message, name: &Name, rrsig: &RRSIG) -> bool {
    let zone = &rrsig.input().signer_name;
    message.authorities.iter().any(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::NSEC(nsec)) => {
            record.proof == Proof::Secure
                && zone.zone_of(&record.name)
                && covers(&record.name, nsec, name, zone)
        }
        _ => false,
    })
}

/// RFC 4034 §6.1 and §4.1.1: names in order, the last one of a zone followed by the first.
fn covers(owner: &Name, nsec: &NSEC, name: &Name, zone: &Name) -> bool {
    let next = nsec.next_domain_name();
    // RFC 6840 §4.1: at a delegation the parent knows of nothing below.
    if nsec.is_ancestor_delegation() && owner.zone_of(name) {
        return false;
    }
    // A name above the next one is there, if only for its sake (RFC 8020 §3.1).
    owner < name && (next == zone || (name < next && !name.zone_of(next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_covered_between_its_neighbours_alone() {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        let zone = name("example.");
        for (owner, next, kinds, tested, expected) in [
            ("a.example.", "d.example.", &[RecordType::A][..], "c.example.", true),
            ("a.example.", "d.example.", &[RecordType::A], "a.example.", false),
            ("a.example.", "d.example.", &[RecordType::A], "d.example.", false),
            ("a.example.", "d.example.", &[RecordType::A], "e.example.", false),
            ("a.example.", "x.d.example.", &[RecordType::A], "d.example.", false),
            ("x.example.", "example.", &[RecordType::A], "z.example.", true),
            ("x.example.", "example.", &[RecordType::A], "b.example.", false),
            ("a.example.", "d.example.", &[RecordType::NS], "b.a.example.", false),
            ("a.example.", "d.example.", &[RecordType::A], "b.a.example.", true),
        ] {
            let nsec = NSEC::new_cover_self(name(next), kinds.iter().copied());
            assert_eq!(
                covers(&name(owner), &nsec, &name(tested), &zone),
                expected,
                "{owner} {next} {tested}"
            );
        }
    }
}
