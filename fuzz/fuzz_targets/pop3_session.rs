//! A POP3 session says and deletes the same however its input is cut; the driver of its tests watches over it. Where
//! the input asks for TLS, it comes once more within it.
#![no_main]

#[path = "../../crates/pop3/tests/common/mod.rs"]
mod common;

use common::{World, config, replay};
use libfuzzer_sys::fuzz_target;
use pop3::{Apop, Config, Plaintext, TlsOffer, WithoutUtf8};

fuzz_target!(|input: &[u8]| {
    let [choice, first, second, length, input @ ..] = input else { return };
    let (message, input) = input.split_at(usize::from(*length).min(input.len()));
    let world = World {
        chunk_bytes: usize::from(*first),
        ..World::with_messages(&[message, b"Subject: two\r\n\r\n.\r\n..\r\nbody"])
    };
    let mechanisms =
        |names: &[&str]| names.iter().filter(|_| choice & 8 != 0).map(|name| (*name).into()).collect();
    let config = Config {
        mechanisms_clear: mechanisms(&["CRAM-MD5", "SCRAM-SHA-256"]),
        mechanisms_tls: mechanisms(&["PLAIN", "LOGIN", "OAUTHBEARER"]),
        apop: if choice & 16 != 0 { Apop::Timestamp("<1@mail.example>".into()) } else { Apop::Off },
        without_utf8: if choice & 1 != 0 { WithoutUtf8::Surrogate } else { WithoutUtf8::AsStored },
        tls: if choice & 2 != 0 { TlsOffer::Stls } else { TlsOffer::None },
        plaintext: if choice & 4 != 0 { Plaintext::OnlyWithTls } else { Plaintext::Allowed },
        ..config()
    };
    let whole = replay(&config, &world, &[input], input);
    let mut lengths = [usize::from(*first) + 1, usize::from(*second) + 1].into_iter().cycle();
    let (mut segments, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        let length = lengths.next().unwrap_or(1).min(rest.len());
        let (segment, after) = rest.split_at(length);
        segments.push(segment);
        rest = after;
    }
    assert_eq!(replay(&config, &world, &segments, input), whole);
    assert!(whole.output.starts_with(b"+OK "));
    if let Some(deleted) = &whole.committed {
        assert!(whole.is_closed && deleted.iter().all(|index| *index < 2));
    }
});
