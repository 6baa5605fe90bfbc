//! A client's part of SCRAM-SHA-256 (RFC 5802 §3, RFC 7677), written for tests from the RFCs alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The client's final message, and the server's that has to follow it. `bare` is the client's first message without
/// its GS2 header, `channel` the header with the data of the binding, in base64.
pub(crate) fn scram_final(password: &str, bare: &str, server_first: &str, channel: &str) -> (String, String) {
    let hmac = |key: &[u8], text: &[u8]| -> [u8; 32] {
        Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes().into()
    };
    let mut attributes = server_first.split(',');
    let nonce = attributes.next().unwrap().strip_prefix("r=").unwrap();
    let salt = BASE64.decode(attributes.next().unwrap().strip_prefix("s=").unwrap()).unwrap();
    let iterations: u32 = attributes.next().unwrap().strip_prefix("i=").unwrap().parse().unwrap();
    // Hi(), which is PBKDF2 of one block.
    let mut block = hmac(password.as_bytes(), &[&salt[..], &[0, 0, 0, 1]].concat());
    let mut salted = block;
    for _ in 1..iterations {
        block = hmac(password.as_bytes(), &block);
        salted.iter_mut().zip(block).for_each(|(octet, other)| *octet ^= other);
    }
    let client_key = hmac(&salted, b"Client Key");
    let stored_key = Sha256::digest(client_key);
    let without_proof = format!("c={channel},r={nonce}");
    let auth_message = format!("{bare},{server_first},{without_proof}");
    let signature = hmac(&stored_key, auth_message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(one, other)| one ^ other).collect();
    let server_signature = hmac(&hmac(&salted, b"Server Key"), auth_message.as_bytes());
    let message = format!("{without_proof},p={}", BASE64.encode(proof));
    (message, format!("v={}", BASE64.encode(server_signature)))
}
