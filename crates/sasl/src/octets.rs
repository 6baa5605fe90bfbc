//! Octets that must not tell by the time of a comparison what they are.

use subtle::ConstantTimeEq;

/// Whether two values are the same, in a time that depends on their lengths alone.
#[must_use]
pub fn same_octets(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// As lower-case hexadecimal digits.
pub(crate) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
