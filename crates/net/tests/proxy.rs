//! The header of the PROXY protocol: tables of what is one and what is none, from the specification's own examples and
//! one past each of its limits.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

use net::proxy::{Header, Parsed, ProxyError, V1_BYTES_MAX, V2_BYTES_MAX, parse};

const SIGNATURE: &[u8] = b"\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A";

fn client(source: &str, destination: &str) -> Header {
    Header::Client { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
}

/// Reads as a listener does: never more than was asked for. The header, and how many octets were read.
fn read(octets: &[u8]) -> Result<(Header, usize), ProxyError> {
    let mut end = 0;
    loop {
        match parse(&octets[..end])? {
            Parsed::Header(header) => return Ok((header, end)),
            Parsed::NeedsMore(more) => {
                assert!(more > 0, "nothing was asked for after {end} octets");
                end += more;
                assert!(end <= octets.len(), "{octets:?} is not whole");
            }
        }
    }
}

/// A header is one however it is followed, and not an octet of what follows is read.
#[track_caller]
fn assert_header(octets: &[u8], header: Header) {
    for behind in [&b""[..], b"\r\n", b"EHLO c\r\n", b"\x16\x03\x01"] {
        let stream = [octets, behind].concat();
        assert_eq!(read(&stream), Ok((header, octets.len())), "{}", String::from_utf8_lossy(octets));
    }
    for end in 0..octets.len() {
        let parsed = parse(&octets[..end]);
        assert!(
            matches!(parsed, Ok(Parsed::NeedsMore(more)) if more <= octets.len() - end),
            "{:?} gives {parsed:?}",
            &octets[..end]
        );
    }
}

fn v2(version_and_command: u8, family_and_protocol: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[version_and_command, family_and_protocol], &length, body].concat()
}

const TCP4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 0x04, 0x01, 0xbb];

#[test]
fn a_line_of_version_1_names_both_ends() {
    for (line, header) in [
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            client("255.255.255.255:65535", "255.255.255.255:65535"),
        ),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", client("192.0.2.1:56324", "198.51.100.7:443")),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 0 0\r\n", client("192.0.2.1:0", "198.51.100.7:0")),
        ("PROXY TCP6 2001:db8::1 2001:db8::2 1024 25\r\n", client("[2001:db8::1]:1024", "[2001:db8::2]:25")),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            client(
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
            ),
        ),
        ("PROXY UNKNOWN\r\n", Header::Unknown),
        (
            "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            Header::Unknown,
        ),
    ] {
        assert_header(line.as_bytes(), header);
    }
}

#[test]
fn the_longest_line_of_version_1_is_107_octets() {
    let line = |padding: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(padding)).into_bytes();
    assert_eq!(line(91).len(), V1_BYTES_MAX);
    assert_header(&line(91), Header::Unknown);
    assert_eq!(read(&line(92)), Err(ProxyError::Malformed));
    assert_eq!(read(&[b'P'; 200]), Err(ProxyError::Missing));
    assert_eq!(read(&[&b"PROXY "[..], &[b'x'; 1000]].concat()), Err(ProxyError::Malformed));
}

#[test]
fn what_version_1_does_not_allow_is_malformed() {
    for line in [
        "PROXY \r\n          ",
        "PROXY TCP4\r\n    ",
        "PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 \r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.7 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 056324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 +5632 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 1 \u{661}\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.7 56324 443\r\n",
        "PROXY TCP4 192.0.2 198.51.100.7 56324 443\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1024 25\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.7 56324 443\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.7 56324 443\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.7 56324 443\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY UNKNOWN\n ",
        "PROXY UNKNOWN x\ny\r\n",
        "PROXY UNKNOWN x\ry\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\n",
    ] {
        assert_eq!(read(line.as_bytes()), Err(ProxyError::Malformed), "{line:?}");
    }
}

#[test]
fn what_does_not_begin_like_a_header_is_none_and_is_told_at_once() {
    for octets in [
        &b"EHLO client"[..],
        b"proxy TCP4 ",
        b"PROXYTCP4",
        b"\x16\x03\x01",
        b"\r\n\r\n\0\r\nQUIT\r",
        b"\r\n\r\nX",
        b"\0",
    ] {
        assert_eq!(parse(octets), Err(ProxyError::Missing), "{octets:?}");
    }
}

#[test]
fn a_header_of_version_2_names_both_ends() {
    let tcp6 = [
        &[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..],
        &[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
        &[0x04, 0x00, 0x00, 0x19],
    ]
    .concat();
    let with_tlvs = [&TCP4[..], b"\x04\x00\x03abc", b"\x01\x00\x00"].concat();
    let full = [&TCP4[..], &[0x04, 0x0f, 0xe1], &[0; V2_BYTES_MAX - 16 - 12 - 3]].concat();
    for (octets, header) in [
        (v2(0x21, 0x11, &TCP4), client("192.0.2.1:56324", "198.51.100.7:443")),
        (v2(0x21, 0x21, &tcp6), client("[2001:db8::1]:1024", "[2001:db8::2]:25")),
        (v2(0x21, 0x11, &with_tlvs), client("192.0.2.1:56324", "198.51.100.7:443")),
        (v2(0x21, 0x11, &full), client("192.0.2.1:56324", "198.51.100.7:443")),
        (v2(0x21, 0x31, &[b'/'; 216]), Header::Unknown),
        (v2(0x21, 0x00, &[]), Header::Unknown),
        (v2(0x21, 0x00, b"anything"), Header::Unknown),
        // LOCAL: whatever follows means nothing.
        (v2(0x20, 0x00, &[]), Header::Unknown),
        (v2(0x20, 0x11, &TCP4), Header::Unknown),
        (v2(0x20, 0xff, b"x"), Header::Unknown),
    ] {
        assert_header(&octets, header);
    }
}

#[test]
fn what_version_2_does_not_allow_is_refused() {
    let too_long = u16::try_from(V2_BYTES_MAX - 16 + 1).unwrap();
    let announced = [SIGNATURE, &[0x21, 0x11], &too_long.to_be_bytes()].concat();
    for (octets, error) in [
        // Versions and commands that are not assigned.
        (v2(0x11, 0x11, &TCP4), ProxyError::Unsupported),
        (v2(0x31, 0x11, &TCP4), ProxyError::Unsupported),
        (v2(0x22, 0x11, &TCP4), ProxyError::Unsupported),
        // Datagrams, and families that are not assigned.
        (v2(0x21, 0x12, &TCP4), ProxyError::Unsupported),
        (v2(0x21, 0x10, &TCP4), ProxyError::Unsupported),
        (v2(0x21, 0x41, &TCP4), ProxyError::Unsupported),
        (v2(0x21, 0x01, &TCP4), ProxyError::Unsupported),
        // Addresses that are cut short.
        (v2(0x21, 0x11, &TCP4[..11]), ProxyError::Malformed),
        (v2(0x21, 0x21, &[0; 35]), ProxyError::Malformed),
        (v2(0x21, 0x31, &[0; 215]), ProxyError::Malformed),
        // TLVs that go past the end.
        (v2(0x21, 0x11, &[&TCP4[..], &[0x04]].concat()), ProxyError::Malformed),
        (v2(0x21, 0x11, &[&TCP4[..], &[0x04, 0x00, 0x02, b'a']].concat()), ProxyError::Malformed),
        (v2(0x21, 0x11, &[&TCP4[..], &[0x03, 0x00, 0x01, b'a']].concat()), ProxyError::Malformed),
        // Refused before the rest is waited for.
        (announced, ProxyError::TooLong),
    ] {
        assert_eq!(read(&octets), Err(error), "{octets:?}");
    }
}

/// CRC-32C bit by bit (RFC 3720 Appendix B.4 gives 0xE3069283 for these digits).
fn crc32c(octets: &[u8]) -> u32 {
    !octets.iter().fold(u32::MAX, |crc, octet| {
        (0..8).fold(crc ^ u32::from(*octet), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn a_checksum_that_is_there_must_be_right() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    let body = [&TCP4[..], b"\x01\x00\x02h2", b"\x03\x00\x04\0\0\0\0", b"\x04\x00\x00"].concat();
    let mut octets = v2(0x21, 0x11, &body);
    let at = octets.len() - 3 - 4;
    let sum = crc32c(&octets);
    octets[at..at + 4].copy_from_slice(&sum.to_be_bytes());
    assert_header(&octets, client("192.0.2.1:56324", "198.51.100.7:443"));
    for wrong in [16, at - 4, at, at + 3] {
        let mut octets = octets.clone();
        octets[wrong] ^= 1;
        assert_eq!(read(&octets), Err(ProxyError::Checksum), "octet {wrong}");
    }
}
