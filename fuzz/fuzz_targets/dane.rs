#![no_main]
//! Certificates that a server shows, against TLSA records: whatever they are, reading them ends well, and a record
//! that fits nothing lets nobody in.

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use net::dane::{DaneError, verify};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, UnixTime};
use types::dns::TlsaRecord;

fuzz_target!(|octets: &[u8]| {
    let Some((&[selector, high, low], rest)) = octets.split_first_chunk() else { return };
    let cut = usize::from(u16::from_be_bytes([high, low]));
    let (certificate, authority) = rest.split_at(rest.len().min(cut));
    let chain = [CertificateDer::from(certificate), CertificateDer::from(authority)];
    let names = ["mx.example.com".parse().expect("it is a name")];
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_322_124));
    let algorithms = default_provider().signature_verification_algorithms.all;
    let of = |usage, selector, matching, data: &[u8]| {
        let record = TlsaRecord { usage, selector, matching, data: data.to_vec() };
        verify(&[record], &names, &chain, now, algorithms)
    };
    assert_eq!(of(3, 0, 0, certificate), Ok(()));
    // Each way to an authority: shown, in the DNS alone, and as a key alone.
    let _ = of(2, 0, 0, authority);
    let _ = of(2, 1, 0, authority);
    let _ = of(2, 0, 0, certificate);
    assert_eq!(of(2 + (selector & 1), selector >> 1 & 1, 1, &[0; 32]), Err(DaneError::NoMatch));
});
