//! LOGIN (draft-murchison-sasl-login): what clients speak that were written before PLAIN.
//!
//! The draft lets a client ignore what the challenges say. `Username:` and `Password:` are what programs look for
//! that do not.

use crate::exchange::{FIELD_BYTES_MAX, Refusal};
use crate::{Secret, plain, prepare};

/// The first challenge. An initial response is its answer.
pub(crate) const NAME_CHALLENGE: &[u8] = b"Username:";

/// The second challenge.
pub(crate) const PASSWORD_CHALLENGE: &[u8] = b"Password:";

/// The answer to the first challenge.
pub(crate) fn name(octets: &[u8]) -> Result<String, Refusal> {
    prepare::name(field(octets)?)
}

/// The answer to the second challenge.
pub(crate) fn password(octets: &[u8]) -> Result<Secret, Refusal> {
    plain::prepared_password(field(octets)?)
}

fn field(octets: &[u8]) -> Result<&str, Refusal> {
    let text = std::str::from_utf8(octets).map_err(|_| Refusal::Malformed)?;
    let is_field = !text.is_empty() && text.len() <= FIELD_BYTES_MAX && !text.contains('\0');
    if is_field { Ok(text) } else { Err(Refusal::Malformed) }
}
