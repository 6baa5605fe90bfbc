//! The structure of a message: parts, their headers and where their octets are (RFC 2045, RFC 2046), as IMAP shows it.

/// Which part of a message: `[1.2.3]`, numbers from 1, never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartPath(pub Vec<u32>);

/// The structure of a message. Offsets count from the first octet of what all mailboxes that have the message share: behind
/// the delivery's own header fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Octets of the message, without the delivery's own header fields.
    pub size_bytes: u64,
    /// Octets of its header with the empty line behind it.
    pub header_bytes: u64,
}
