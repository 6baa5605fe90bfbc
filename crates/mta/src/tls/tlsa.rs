//! Which TLSA records can be used for SMTP.

use types::dns::TlsaRecord;

/// Records that are looked at. Four are what a change of keys and digests needs (RFC 7671 §8).
pub const TLSA_RECORDS_MAX: usize = 64;

/// The records that tell a certificate of an SMTP server, without those that a stronger digest makes needless.
///
/// Usages 0 and 1 are not for SMTP (RFC 7672 §3.1.3); what has a number without meaning, a digest of another length
/// or no DER where a whole certificate or key is due counts as malformed (RFC 6698 §4.1, RFC 7671 §9).
#[must_use]
pub fn usable(records: &[TlsaRecord]) -> Vec<TlsaRecord> {
    let mut kept: Vec<_> =
        records.iter().filter(|record| is_usable(record)).take(TLSA_RECORDS_MAX).cloned().collect();
    // RFC 7671 §9: of each usage and selector only the strongest digest, and always what is no digest.
    let strong: Vec<_> = kept
        .iter()
        .filter(|record| record.matching == SHA2_512)
        .map(|record| (record.usage, record.selector))
        .collect();
    kept.retain(|record| record.matching != SHA2_256 || !strong.contains(&(record.usage, record.selector)));
    kept
}

const DANE_TA: u8 = 2;
const DANE_EE: u8 = 3;
const CERT: u8 = 0;
const SPKI: u8 = 1;
const FULL: u8 = 0;
const SHA2_256: u8 = 1;
const SHA2_512: u8 = 2;

fn is_usable(record: &TlsaRecord) -> bool {
    matches!(record.usage, DANE_TA | DANE_EE)
        && matches!(record.selector, CERT | SPKI)
        && match record.matching {
            FULL => is_one_der_sequence(&record.data),
            SHA2_256 => record.data.len() == 32,
            SHA2_512 => record.data.len() == 64,
            _ => false,
        }
}

/// What both a certificate and a public key are: one SEQUENCE that is all of it, its length in the shortest form
/// (X.690 §8.9, §10.1).
fn is_one_der_sequence(octets: &[u8]) -> bool {
    let Some((&[0x30, length], rest)) = octets.split_first_chunk() else { return false };
    match length {
        0..=0x7f => usize::from(length) == rest.len(),
        0x81..=0x84 => {
            let Some((length, content)) = rest.split_at_checked(usize::from(length & 0x7f)) else {
                return false;
            };
            let value = length.iter().fold(0_u64, |value, octet| (value << 8) | u64::from(*octet));
            length.first() != Some(&0) && value > 0x7f && u64::try_from(content.len()) == Ok(value)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(usage: u8, selector: u8, matching: u8, data: &[u8]) -> TlsaRecord {
        TlsaRecord { usage, selector, matching, data: data.to_vec() }
    }

    #[test]
    fn usages_selectors_and_matching_types_without_meaning_for_smtp_are_unusable() {
        for (usage, selector, matching, length, is_usable) in [
            (3, 1, 1, 32, true),
            (3, 0, 1, 32, true),
            (2, 0, 1, 32, true),
            (2, 1, 2, 64, true),
            // RFC 7672 §3.1.3.
            (0, 0, 1, 32, false),
            (1, 1, 1, 32, false),
            (4, 1, 1, 32, false),
            (255, 1, 1, 32, false),
            (3, 2, 1, 32, false),
            (3, 255, 1, 32, false),
            (3, 1, 3, 32, false),
            (3, 1, 255, 32, false),
            // Digests of another length (RFC 7671 §9).
            (3, 1, 1, 31, false),
            (3, 1, 1, 33, false),
            (3, 1, 1, 0, false),
            (3, 1, 1, 64, false),
            (3, 1, 2, 32, false),
            (3, 1, 2, 63, false),
        ] {
            let records = [record(usage, selector, matching, &vec![7; length])];
            assert_eq!(!usable(&records).is_empty(), is_usable, "{usage} {selector} {matching} [{length}]");
        }
    }

    #[test]
    fn a_whole_certificate_or_key_must_be_one_der_sequence() {
        let mut long = vec![0x30, 0x82, 0x01, 0x00];
        long.extend([0; 256]);
        let mut middle = vec![0x30, 0x81, 0x80];
        middle.extend([0; 128]);
        for octets in [&[0x30, 0][..], &[0x30, 2, 5, 0], &middle, &long] {
            assert_eq!(usable(&[record(3, 0, 0, octets)]).len(), 1, "{octets:?}");
        }
        for octets in [
            &[][..],
            &[0x30],
            &[0x31, 0],
            &[0x30, 2, 5],
            &[0x30, 1, 5, 0],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x81, 2, 5, 0],
            &[0x30, 0x82, 0, 2, 5, 0],
            &[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(usable(&[record(3, 0, 0, octets)]).is_empty(), "{octets:?}");
        }
    }

    /// The example of RFC 7671 §9.
    #[test]
    fn a_weaker_digest_is_dropped_where_a_stronger_one_of_the_same_usage_and_selector_is_there() {
        let (weak, strong, full) =
            (record(3, 1, 1, &[1; 32]), record(3, 1, 2, &[2; 64]), record(3, 1, 0, &[0x30, 0]));
        let others = [record(3, 0, 1, &[3; 32]), record(2, 1, 1, &[4; 32])];
        let all = [&[weak.clone(), strong.clone(), full.clone()][..], &others].concat();
        assert_eq!(usable(&all), [&[strong, full][..], &others].concat());
        // An unusable strong one does not count (RFC 7671 §9).
        let records = [weak.clone(), record(3, 1, 2, &[2; 63])];
        assert_eq!(usable(&records), [weak]);
    }

    #[test]
    fn no_more_than_the_limit_are_looked_at() {
        let records = vec![record(3, 1, 1, &[1; 32]); TLSA_RECORDS_MAX + 1];
        assert_eq!(usable(&records).len(), TLSA_RECORDS_MAX);
    }
}
