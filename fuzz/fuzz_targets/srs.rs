//! Whatever stands in a local part, nobody is led back by an address that was not made here; what was made here leads back for as
//! long as it holds, however hosts on the way change its case.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mta::srs::{Srs, SrsProblem, VALID_DAYS, is_rewritten};
use types::{Domain, Mailbox, Timestamp};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fuzz_target!(|input: &[u8]| {
    let Some((clock, address)) = input.split_first_chunk::<2>() else { return };
    let Ok(address) = String::from_utf8_lossy(address).parse::<Mailbox>() else { return };
    let now = Timestamp::from_millis(1_700_000_000_000).plus(DAY * u32::from(u16::from_be_bytes(*clock)));
    let (srs, other) = (Srs::new(b"a key of this host"), Srs::new(b"a key of another host"));
    let ours: Domain = "forward.example".parse().unwrap();

    // The input knows no key. A guess is one in 2^31, and the fuzzer sees the hash only through comparisons of its own.
    if !is_rewritten(&address) {
        assert_eq!(other.original(&address, now), Err(SrsProblem::Forged));
    }
    let _ = other.original(&address, now);

    let Ok(rewritten) = srs.rewritten(&address, &ours, now) else { return };
    assert!(is_rewritten(&rewritten) && rewritten.local_part.unquoted().len() <= 64, "{rewritten}");
    assert_eq!(rewritten.host.domain(), Some(&ours));
    assert_eq!(rewritten.to_string().parse::<Mailbox>(), Ok(rewritten.clone()));
    assert!(other.original(&rewritten, now).is_err());
    let original = srs.original(&rewritten, now).unwrap();
    if original.local_part.unquoted() == address.local_part.unquoted() {
        let [back, there] = [&original, &address].map(|mailbox| mailbox.host.domain().map(Domain::ascii));
        assert_eq!(back, there);
    } else {
        // What others have rewritten goes back to the first of them.
        assert!(is_srs(&address) && is_srs(&original), "{address} {original}");
    }
    if !is_srs(&address) {
        let last = now.plus(DAY * u32::try_from(VALID_DAYS).unwrap());
        assert!(srs.original(&rewritten, last).is_ok());
        assert_eq!(srs.original(&rewritten, last.plus(DAY * 2)), Err(SrsProblem::Expired));
    }
    // Once more, by a second host, and back to the first.
    if let Ok(twice) = other.rewritten(&rewritten, &"second.example".parse().unwrap(), now) {
        let back = other.original(&twice, now).unwrap();
        assert!(srs.original(&back, now).is_ok() || is_srs(&address), "{address} {rewritten} {twice} {back}");
    }
});

/// Whether somebody else may have rewritten it.
fn is_srs(address: &Mailbox) -> bool {
    let local_part = address.local_part.unquoted();
    local_part.get(..3).is_some_and(|tag| tag.eq_ignore_ascii_case("srs"))
}
