//! An envelope and the origin of a message as octets in its record.

use types::{BodyType, Envelope};

use super::codec::{Get, Malformed, Put, length};

pub(super) fn encode(envelope: &Envelope, origin: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.put_u8(match envelope.body_type {
        BodyType::SevenBit => 0,
        BodyType::EightBitMime => 1,
        BodyType::BinaryMime => 2,
    });
    out.put_u8(u8::from(envelope.smtputf8));
    out.put_bytes(envelope.reverse_path.to_string().as_bytes());
    out.put_u32(length(envelope.forward_paths.len()));
    for path in &envelope.forward_paths {
        out.put_bytes(path.to_string().as_bytes());
    }
    out.put_bytes(origin.as_bytes());
    out
}

pub(super) fn decode(octets: &[u8]) -> Result<(Envelope, String), Malformed> {
    let mut get = Get(octets);
    let body_type = match get.u8()? {
        0 => BodyType::SevenBit,
        1 => BodyType::EightBitMime,
        2 => BodyType::BinaryMime,
        _ => return Err(Malformed),
    };
    let smtputf8 = get.u8()? == 1;
    let reverse_path = get.text()?.parse().map_err(|_| Malformed)?;
    let forward_paths = (0..get.u32()?)
        .map(|_| get.text()?.parse().map_err(|_| Malformed))
        .collect::<Result<Vec<_>, Malformed>>()?;
    let origin = get.text()?.to_owned();
    get.end()?;
    Ok((Envelope { reverse_path, forward_paths, body_type, smtputf8 }, origin))
}
