#![no_main]
//! The header of the PROXY protocol: what is read is bounded, not an octet behind the header is asked for, and however
//! the octets come, the header is the same.

use libfuzzer_sys::fuzz_target;
use net::proxy::{Header, Parsed, ProxyError, V2_BYTES_MAX, parse};

fn read(octets: &[u8]) -> Option<(Result<Header, ProxyError>, usize)> {
    let mut end = 0;
    loop {
        match parse(&octets[..end]) {
            Ok(Parsed::Header(header)) => return Some((Ok(header), end)),
            Ok(Parsed::NeedsMore(more)) => {
                assert!(more > 0 && end + more <= V2_BYTES_MAX);
                end += more;
                if end > octets.len() {
                    return None;
                }
            }
            Err(error) => return Some((Err(error), end)),
        }
    }
}

fuzz_target!(|octets: &[u8]| {
    let Some((header, end)) = read(octets) else { return };
    assert!(end <= V2_BYTES_MAX);
    if header.is_err() {
        return;
    }
    // Before it is whole, it is neither refused nor taken for whole.
    for end in 0..end {
        assert!(matches!(parse(&octets[..end]), Ok(Parsed::NeedsMore(_))));
    }
});
