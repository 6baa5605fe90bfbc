//! What is an address is written as one again, with the same meaning, within the limits, and cannot break out of
//! the line that it stands in.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use types::{AddressLiteral, Domain, ForwardPath, Host, LocalPart, Mailbox, ReversePath};

fuzz_target!(|input: &str| {
    there_and_back::<LocalPart>(input, 64);
    there_and_back::<AddressLiteral>(input, 255);
    there_and_back::<Host>(input, 255);
    there_and_back::<ReversePath>(input, 256);
    there_and_back::<ForwardPath>(input, 256);
    if let Some(domain) = there_and_back::<Domain>(input, 255) {
        assert!(domain.ascii().is_ascii() && domain.ascii().len() <= 255);
        assert_eq!(domain.ascii(), domain.ascii().to_ascii_lowercase());
        assert_eq!(domain.ascii().parse::<Domain>().as_ref(), Ok(&domain));
    }
    if let Some(mailbox) = there_and_back::<Mailbox>(input, 254) {
        assert!(!mailbox.local_part.unquoted().contains(|c: char| c.is_control()));
        if let Some(ascii) = mailbox.to_ascii() {
            assert!(ascii.is_ascii());
            assert_eq!(ascii.local_part, mailbox.local_part);
            assert_eq!(ascii.host, mailbox.host);
        }
        // A path is its mailbox in angle brackets, and nothing of it leaks out of them.
        let path = format!("<{mailbox}>");
        assert_eq!(
            ReversePath::split(&format!("{path} SIZE=1")),
            Ok((ReversePath::Mailbox(mailbox), " SIZE=1"))
        );
    }
    if let Ok(name) = Domain::parse_host_name(input) {
        assert_eq!(Domain::parse_host_name(&name.to_string()).as_ref(), Ok(&name));
    }
});

fn there_and_back<T>(input: &str, octets_max: usize) -> Option<T>
where
    T: FromStr<Err: Debug + PartialEq> + Display + Debug + PartialEq,
{
    let value: T = input.parse().ok()?;
    let written = value.to_string();
    // A route is dropped and zeros are, so what is written may be shorter; and a literal may be longer.
    assert!(written.len() <= octets_max, "{written:?}");
    assert!(!written.contains(|c: char| c.is_control()), "{written:?}");
    assert_eq!(written.parse::<T>().as_ref(), Ok(&value));
    assert_eq!(written.parse::<T>().unwrap().to_string(), written);
    Some(value)
}
