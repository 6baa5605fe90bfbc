//! The header that a proxy puts in front of a connection: the PROXY protocol, versions 1 and 2, as the HAProxy
//! project specifies it (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).
//!
//! Left out on purpose: whom to believe it, which is the listener's, and what proxies add in TLVs, except the checksum.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a proxy said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// Who has connected to the proxy, and where.
    Client {
        /// The client.
        source: SocketAddr,
        /// The proxy's own address, as the client saw it.
        destination: SocketAddr,
    },
    /// The proxy speaks for itself (`LOCAL`), or the client has no IP address that it knows (`UNKNOWN`, a Unix
    /// domain socket): the connection's own addresses count.
    Unknown,
}

/// How far a header has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// It is whole, and the octets end with it.
    Header(Header),
    /// At least so many octets follow that belong to it. Who reads no more than that at a time never reads past it.
    NeedsMore(usize),
}

/// Why the octets are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// They do not begin like one.
    #[error("the connection does not begin with a header of the PROXY protocol")]
    Missing,
    /// A line of version 1 that says nothing, or is longer than 107 octets.
    #[error("the header of the PROXY protocol is malformed")]
    Malformed,
    /// A version 2 with a command or a family that is not assigned, or that is not for streams.
    #[error("the header of the PROXY protocol is of a kind that is not known here")]
    Unsupported,
    /// A version 2 longer than [`V2_BYTES_MAX`].
    #[error("the header of the PROXY protocol is longer than {V2_BYTES_MAX} octets")]
    TooLong,
    /// A version 2 whose checksum is not that of its octets.
    #[error("the checksum of the PROXY protocol's header is wrong")]
    Checksum,
}

/// Octets of a line of version 1 with its CRLF (§2.1).
pub const V1_BYTES_MAX: usize = 107;
/// Octets of a header of version 2. The addresses take 232 at most; the rest is TLVs, which proxies fill with what
/// they know of the client's TLS.
pub const V2_BYTES_MAX: usize = 4096;

const V1_SIGNATURE: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length (§2.2).
const V2_FIXED_BYTES: usize = 16;
/// The command of a proxy that speaks for itself, to see whether we are there.
const LOCAL: u8 = 0;

/// Reads a header. `octets` is what came so far, from the first octet of the connection, and not an octet more than was
/// asked for.
///
/// # Errors
/// [`ProxyError`].
pub fn parse(octets: &[u8]) -> Result<Parsed, ProxyError> {
    let begins_like = |signature: &[u8]| {
        let length = octets.len().min(signature.len());
        octets[..length] == signature[..length]
    };
    if begins_like(V2_SIGNATURE) {
        if octets.len() < V2_FIXED_BYTES {
            // No line of version 1 is shorter than the signature of version 2.
            let whole = if octets.len() < V2_SIGNATURE.len() { V2_SIGNATURE.len() } else { V2_FIXED_BYTES };
            return Ok(Parsed::NeedsMore(whole - octets.len()));
        }
        return parse_v2(octets);
    }
    if !begins_like(V1_SIGNATURE) {
        return Err(ProxyError::Missing);
    }
    parse_v1(octets)
}

/// ```text
/// PROXY (TCP4 | TCP6) SP source-ip SP destination-ip SP source-port SP destination-port CRLF
/// PROXY UNKNOWN [anything] CRLF
/// ```
fn parse_v1(octets: &[u8]) -> Result<Parsed, ProxyError> {
    let Some(line) = octets.strip_suffix(b"\r\n") else {
        let more = if octets.ends_with(b"\r") { 1 } else { 2 };
        // An LF that ends no line of its own can only stand behind the end.
        if octets.contains(&b'\n') || octets.len() + more > V1_BYTES_MAX {
            return Err(ProxyError::Malformed);
        }
        return Ok(Parsed::NeedsMore(more));
    };
    let line = line.strip_prefix(V1_SIGNATURE).ok_or(ProxyError::Malformed)?;
    if octets.len() > V1_BYTES_MAX || line.contains(&b'\r') || line.contains(&b'\n') {
        return Err(ProxyError::Malformed);
    }
    let line = std::str::from_utf8(line).map_err(|_| ProxyError::Malformed)?;
    let (protocol, rest) = line.split_once(' ').unwrap_or((line, ""));
    match protocol {
        "UNKNOWN" => Ok(Parsed::Header(Header::Unknown)),
        "TCP4" => v1_addresses::<Ipv4Addr>(rest),
        "TCP6" => v1_addresses::<Ipv6Addr>(rest),
        _ => Err(ProxyError::Malformed),
    }
}

fn v1_addresses<Ip: std::str::FromStr + Into<IpAddr>>(text: &str) -> Result<Parsed, ProxyError> {
    let words: Vec<&str> = text.split(' ').collect();
    let [source, destination, source_port, destination_port] = words[..] else {
        return Err(ProxyError::Malformed);
    };
    let address = |ip: &str, port: &str| -> Result<SocketAddr, ProxyError> {
        let ip: Ip = ip.parse().map_err(|_| ProxyError::Malformed)?;
        Ok(SocketAddr::new(ip.into(), v1_port(port).ok_or(ProxyError::Malformed)?))
    };
    let source = address(source, source_port)?;
    let destination = address(destination, destination_port)?;
    Ok(Parsed::Header(Header::Client { source, destination }))
}

/// Decimal digits without leading zeros.
fn v1_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit());
    (is_number && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok())?
}

fn parse_v2(octets: &[u8]) -> Result<Parsed, ProxyError> {
    let length = V2_FIXED_BYTES + usize::from(u16::from_be_bytes([octets[14], octets[15]]));
    if length > V2_BYTES_MAX {
        return Err(ProxyError::TooLong);
    }
    let (version, command) = (octets[12] >> 4, octets[12] & 0xf);
    if version != 2 || command > 1 {
        return Err(ProxyError::Unsupported);
    }
    if octets.len() < length {
        return Ok(Parsed::NeedsMore(length - octets.len()));
    }
    if octets.len() > length {
        return Err(ProxyError::Malformed);
    }
    if command == LOCAL {
        // Whatever follows means nothing (§2.2).
        return Ok(Parsed::Header(Header::Unknown));
    }
    let (family, protocol) = (octets[13] >> 4, octets[13] & 0xf);
    let body = &octets[V2_FIXED_BYTES..];
    let (addresses, header) = match (family, protocol) {
        (0, 0) => return Ok(Parsed::Header(Header::Unknown)),
        (1, 1) => (12, v2_addresses(body, 4, |ip: [u8; 4]| Ipv4Addr::from(ip).into())?),
        (2, 1) => (36, v2_addresses(body, 16, |ip: [u8; 16]| Ipv6Addr::from(ip).into())?),
        (3, 1) if body.len() >= 216 => (216, Header::Unknown),
        (3, 1) => return Err(ProxyError::Malformed),
        _ => return Err(ProxyError::Unsupported),
    };
    check_tlvs(octets, V2_FIXED_BYTES + addresses)?;
    Ok(Parsed::Header(header))
}

fn v2_addresses<const N: usize>(
    body: &[u8],
    ip_bytes: usize,
    ip: impl Fn([u8; N]) -> IpAddr,
) -> Result<Header, ProxyError> {
    let address = |ip_at: usize, port_at: usize| -> Option<SocketAddr> {
        let octets: [u8; N] = body.get(ip_at..ip_at + ip_bytes)?.try_into().ok()?;
        let port: [u8; 2] = body.get(port_at..port_at + 2)?.try_into().ok()?;
        Some(SocketAddr::new(ip(octets), u16::from_be_bytes(port)))
    };
    let source = address(0, 2 * ip_bytes).ok_or(ProxyError::Malformed)?;
    let destination = address(ip_bytes, 2 * ip_bytes + 2).ok_or(ProxyError::Malformed)?;
    Ok(Header::Client { source, destination })
}

/// TLVs: type, length in two octets, value. All are passed over except the checksum (§2.2.3), which is that of the
/// whole header with zeros in its own place.
fn check_tlvs(octets: &[u8], mut at: usize) -> Result<(), ProxyError> {
    const CRC32C: u8 = 0x03;
    while let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty()) {
        let [kind, high, low, ..] = *rest else { return Err(ProxyError::Malformed) };
        let value_at = at + 3;
        let end = value_at + usize::from(u16::from_be_bytes([high, low]));
        let value = octets.get(value_at..end).ok_or(ProxyError::Malformed)?;
        if kind == CRC32C {
            let sum: [u8; 4] = value.try_into().map_err(|_| ProxyError::Malformed)?;
            let found = crc32c::crc32c(&octets[..value_at]);
            let found = crc32c::crc32c_append(found, &[0; 4]);
            if crc32c::crc32c_append(found, &octets[end..]) != u32::from_be_bytes(sum) {
                return Err(ProxyError::Checksum);
            }
        }
        at = end;
    }
    Ok(())
}
