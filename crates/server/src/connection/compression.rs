//! DEFLATE in both directions (RFC 4978).

use flate2::{Compress, Compression as Level, Decompress, FlushCompress, FlushDecompress, Status};

/// A compressed connection: about 350 KiB as long as it lasts.
pub(super) struct Compression {
    inflate: Decompress,
    deflate: Compress,
    /// What was read and not inflated yet.
    pub(super) packed: Vec<u8>,
    /// More may come of what was inflated already.
    is_pending: bool,
}

/// What came is not compressed as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Corrupt;

/// Octets that are made of packed ones at a time: what a few packed octets grow to is not for the peer to say.
pub(super) const INFLATED_BYTES_MAX: usize = 16 * 1024;
/// Room that the output of a piece of input is given at first.
const DEFLATED_BYTES_AT_A_TIME: usize = 8 * 1024;

impl Compression {
    /// `packed` is what came already.
    pub(super) fn new(packed: Vec<u8>) -> Self {
        // Raw, without the header of zlib (RFC 4978 §3).
        Self {
            inflate: Decompress::new(false),
            deflate: Compress::new(Level::fast(), false),
            packed,
            is_pending: false,
        }
    }

    /// Whether something can be inflated without reading.
    pub(super) fn has_input(&self) -> bool {
        self.is_pending || !self.packed.is_empty()
    }

    /// Inflates some of what was read to the end of `buffer`.
    pub(super) fn inflate(&mut self, buffer: &mut Vec<u8>) -> Result<(), Corrupt> {
        buffer.reserve_exact(INFLATED_BYTES_MAX);
        let (before, room) = (self.inflate.total_in(), buffer.capacity() - buffer.len());
        let had = buffer.len();
        let status = self.inflate.decompress_vec(&self.packed, buffer, FlushDecompress::Sync);
        let taken = usize::try_from(self.inflate.total_in() - before).map_err(|_| Corrupt)?;
        self.packed.drain(..taken);
        if self.packed.is_empty() {
            self.packed = Vec::new();
        }
        let made = buffer.len() - had;
        self.is_pending = made == room;
        match status {
            Ok(Status::Ok) => Ok(()),
            // Nothing could be done for now: all was taken, or there is nothing yet.
            Ok(Status::BufError) if taken > 0 || made > 0 || self.packed.is_empty() => Ok(()),
            // The peer has ended its stream, which goes on as long as the connection (RFC 4978 §3), or speaks something
            // else.
            Ok(Status::BufError | Status::StreamEnd) | Err(_) => Err(Corrupt),
        }
    }

    /// Deflates what is to be sent, so that the peer can read all of it.
    pub(super) fn deflate(&mut self, octets: &[u8]) -> Result<Vec<u8>, Corrupt> {
        let mut packed = Vec::with_capacity(octets.len() / 2 + DEFLATED_BYTES_AT_A_TIME);
        let begin = self.deflate.total_in();
        loop {
            let taken = usize::try_from(self.deflate.total_in() - begin).map_err(|_| Corrupt)?;
            let status = self.deflate.compress_vec(&octets[taken..], &mut packed, FlushCompress::Sync);
            status.map_err(|_| Corrupt)?;
            let taken = usize::try_from(self.deflate.total_in() - begin).map_err(|_| Corrupt)?;
            // Where room was left, the flush is whole.
            if taken == octets.len() && packed.len() < packed.capacity() {
                return Ok(packed);
            }
            packed.reserve(DEFLATED_BYTES_AT_A_TIME);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflated(compression: &mut Compression, packed: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        for octet in packed {
            compression.packed.push(*octet);
            while compression.has_input() {
                compression.inflate(&mut all).unwrap();
            }
        }
        all
    }

    #[test]
    fn what_one_side_deflates_the_other_inflates_after_each_flush() {
        let (mut here, mut there) = (Compression::new(Vec::new()), Compression::new(Vec::new()));
        let long: Vec<u8> =
            (0..100_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        for text in [b"* OK hello\r\n".to_vec(), b"* OK hello\r\n".to_vec(), long, vec![b'a'; 300_000]] {
            let packed = here.deflate(&text).unwrap();
            assert_eq!(inflated(&mut there, &packed), text);
        }
    }

    #[test]
    fn a_bomb_is_inflated_a_piece_at_a_time() {
        let packed = Compression::new(Vec::new()).deflate(&vec![0; 10_000_000]).unwrap();
        assert!(packed.len() < 50_000);
        let mut there = Compression::new(packed);
        let mut buffer = Vec::new();
        let mut all = 0;
        while there.has_input() {
            there.inflate(&mut buffer).unwrap();
            assert!(buffer.len() <= INFLATED_BYTES_MAX && buffer.capacity() <= 2 * INFLATED_BYTES_MAX);
            all += std::mem::take(&mut buffer).len();
        }
        assert_eq!(all, 10_000_000);
    }

    #[test]
    fn octets_that_are_not_deflated_are_corrupt() {
        let mut there = Compression::new(b"a1 NOOP\r\n\xff\xff\xff\xff".to_vec());
        let mut buffer = Vec::new();
        let mut result = Ok(());
        while result.is_ok() && there.has_input() {
            result = there.inflate(&mut buffer);
        }
        assert_eq!(result, Err(Corrupt));
    }
}
