#![no_main]
//! MTA-STS: records and policies that are read are within the grammar and its limits, and what is written of them is
//! read as the same; a damaged file of policies is never half believed.

use libfuzzer_sys::fuzz_target;
use net::mta_sts::{MX_PATTERNS_MAX, Mode, Policy, discover, read_file};
use types::Timestamp;

fn record(octets: &[u8]) {
    let Ok(Some(id)) = discover(&[octets.to_vec()]) else { return };
    assert!(octets.starts_with(b"v=STSv1;") && octets.is_ascii());
    assert!((1..=32).contains(&id.as_str().len()));
    assert!(id.as_str().bytes().all(|octet| octet.is_ascii_alphanumeric()));
    assert_eq!(discover(&[format!("v=STSv1; id={id};").into_bytes()]), Ok(Some(id)));
}

fn policy(octets: &[u8]) {
    let Ok(policy) = Policy::parse(octets) else { return };
    assert!(policy.max_age.as_secs() <= 31_557_600);
    assert!(policy.mx.len() <= MX_PATTERNS_MAX);
    assert!(policy.mode == Mode::None || !policy.mx.is_empty());
    for line in policy.lines() {
        assert!(line.bytes().all(|octet| (b' '..=b'~').contains(&octet)), "{line:?}");
    }
    for pattern in &policy.mx {
        let pattern = pattern.to_string();
        if let Ok(host) = pattern.replacen('*', "label", 1).parse() {
            assert!(policy.names(&host), "{pattern}");
        }
    }
    assert_eq!(Policy::parse(policy.to_string().as_bytes()), Ok(policy));
}

fuzz_target!(|octets: &[u8]| {
    let Some((kind, octets)) = octets.split_first() else { return };
    match kind % 3 {
        0 => record(octets),
        1 => policy(octets),
        _ => {
            let policies = read_file(octets, Timestamp::from_millis(1_795_322_124_250));
            assert!(policies == 0 || octets.starts_with(b"posta-mta-sts 1\n"));
        }
    }
});
