//! Numbers and strings as octets: little-endian, strings behind their length. Shared by the log's records and
//! the view's values.

use crate::StoreError;

/// Writes values one behind the other.
pub(super) trait Put {
    fn put(&mut self, octets: &[u8]);

    fn put_u8(&mut self, value: u8) {
        self.put(&[value]);
    }
    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }
    fn put_u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }
    /// Octets behind their length.
    fn put_bytes(&mut self, octets: &[u8]) {
        self.put_u32(length(octets.len()));
        self.put(octets);
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, octets: &[u8]) {
        self.extend_from_slice(octets);
    }
}

/// The length of something that the store holds in memory and in one record.
pub(super) fn length(n: usize) -> u32 {
    // A record's parts are bounded far below this by the limits on recipients and lines; a longer one would
    // be caught by its checksum when it is read, never silently shortened.
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Reads values one behind the other.
#[derive(Debug)]
pub(super) struct Get<'a>(pub(super) &'a [u8]);

/// The octets are not what this program would have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<Malformed> for StoreError {
    fn from(_: Malformed) -> Self {
        Self::Damaged("a value that cannot be read, though its checksum agrees".into())
    }
}

impl<'a> Get<'a> {
    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn id(&mut self) -> Result<types::MailId, Malformed> {
        Ok(types::MailId::from_bytes(self.array()?))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let n = self.u32()?;
        self.take(usize::try_from(n).map_err(|_| Malformed)?)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}
