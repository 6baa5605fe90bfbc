//! The digest of POP3's APOP (RFC 1939 §7).

use md5::{Digest, Md5};

/// MD5 of the greeting's timestamp, with its angle brackets, and the shared secret. To be compared with what the
/// client sent by [`crate::same_octets`].
#[must_use]
pub fn apop_digest(timestamp: &str, secret: &str) -> [u8; 16] {
    let digest = Md5::new().chain_update(timestamp).chain_update(secret).finalize();
    digest.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::octets::hexadecimal;

    #[test]
    fn the_example_of_rfc_1939_7() {
        let digest = apop_digest("<1896.697170952@dbc.mtview.ca.us>", "tanstaaf");
        assert_eq!(hexadecimal(&digest), "c4c9334bac560ecc979e58001b3e22fb");
    }
}
