//! Which words a message may have: a set of all its groups of three octets, folded, as a Bloom filter.
//!
//! What a message has, its signature says; what the signature says, the message need not have. So who has not all groups of a
//! string has not the string, and everybody else is looked at: the index narrows, the text decides.

use std::cell::RefCell;

/// The signature of a message.
#[derive(Debug, Clone, Copy)]
pub struct Signature<'s> {
    /// A multiple of eight octets; empty where the message may have anything.
    bits: &'s [u8],
    /// What the message has besides, folded.
    beside: &'s [u8],
}

impl<'s> Signature<'s> {
    /// Of a shorter string it says nothing.
    pub const NEEDLE_BYTES_MIN: usize = GROUP_BYTES;

    /// Of what [`SignatureMaker`] made, and a text that the message has besides, folded: what all mailboxes that have a message
    /// share has one signature, and each delivery a header of its own.
    #[must_use]
    pub const fn new(bits: &'s [u8], beside: &'s [u8]) -> Self {
        Self { bits, beside }
    }

    /// Whether the message may have a folded string.
    #[must_use]
    pub fn may_have(&self, folded: &[u8]) -> bool {
        let bits = self.bits.len() / 8 * 64;
        let is_set = |at: usize| self.bits[at / 8] >> (at % 8) & 1 == 1;
        let mut groups = folded.windows(GROUP_BYTES);
        bits == 0
            || groups.all(|group| probes(hash(group), bits).into_iter().all(is_set))
            || memchr::memmem::find(self.beside, folded).is_some()
    }
}

/// Collects the groups of a message.
pub struct SignatureMaker {
    /// By [`hash`], which of the groups were seen.
    seen: Vec<u64>,
    /// The end of the last piece.
    tail: [u8; GROUP_BYTES - 1],
    tail_len: usize,
}

impl SignatureMaker {
    /// Of a message of which nothing was read.
    #[must_use]
    pub fn new() -> Self {
        let seen = SPARE.with_borrow_mut(Option::take).unwrap_or_else(|| vec![0; HASHES / 64]);
        Self { seen, tail: [0; GROUP_BYTES - 1], tail_len: 0 }
    }

    /// The next piece of a folded text.
    pub fn feed(&mut self, folded: &[u8]) {
        // What spans both pieces.
        let head = &folded[..folded.len().min(GROUP_BYTES - 1)];
        let mut joined = [0; 2 * (GROUP_BYTES - 1)];
        let joined_len = self.tail_len + head.len();
        joined[..self.tail_len].copy_from_slice(&self.tail[..self.tail_len]);
        joined[self.tail_len..joined_len].copy_from_slice(head);
        self.add(&joined[..joined_len]);
        self.add(folded);
        let end = if folded.len() < GROUP_BYTES - 1 { &joined[..joined_len] } else { folded };
        let end = &end[end.len().saturating_sub(GROUP_BYTES - 1)..];
        self.tail[..end.len()].copy_from_slice(end);
        self.tail_len = end.len();
    }

    /// Another text begins: no group has octets of both.
    pub const fn break_text(&mut self) {
        self.tail_len = 0;
    }

    /// The signature.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let count: usize = self.seen.iter().map(|word| word.count_ones() as usize).sum();
        let words = (count * BITS_PER_GROUP).div_ceil(64).max(1);
        let mut bits = vec![0_u8; words * 8];
        for (index, word) in self.seen.iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                let hash = index * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                for at in probes(hash, words * 64) {
                    bits[at / 8] |= 1 << (at % 8);
                }
            }
        }
        let mut seen = self.seen;
        seen.fill(0);
        SPARE.with_borrow_mut(|spare| *spare = Some(seen));
        bits
    }

    fn add(&mut self, octets: &[u8]) {
        for group in octets.windows(GROUP_BYTES) {
            let hash = hash(group);
            self.seen[hash / 64] |= 1 << (hash % 64);
        }
    }
}

impl Default for SignatureMaker {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for SignatureMaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignatureMaker")
    }
}

thread_local! {
    /// One that is not in use, all zero.
    static SPARE: RefCell<Option<Vec<u64>>> = const { RefCell::new(None) };
}

/// Octets of a group: fewer tell nothing apart, and strings of fewer than more are looked for by nobody.
const GROUP_BYTES: usize = 3;
/// Groups that are told apart. A message has some thousand, so that few of them are taken for another.
const HASHES: usize = 1 << 18;
/// Each group sets as many bits as there are [`PROBES`]: with six for each, six of a hundred groups that a message has not seem to
/// be there. More would tell little more of strings of some length, and make what has to be looked through larger.
const BITS_PER_GROUP: usize = 6;
const PROBES: usize = 3;

/// Below [`HASHES`].
fn hash(group: &[u8]) -> usize {
    let value = group.iter().fold(0_u32, |value, octet| value << 8 | u32::from(*octet));
    (value.wrapping_mul(0x9e37_79b1) >> 14) as usize
}

/// Bits below `bits` that a group sets.
fn probes(hash: usize, bits: usize) -> [usize; PROBES] {
    const FACTORS: [u64; PROBES] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9];
    FACTORS.map(|factor| {
        let mixed = (hash as u64 + 1).wrapping_mul(factor) >> 32;
        ((mixed * bits as u64) >> 32) as usize
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(pieces: &[&[u8]]) -> Vec<u8> {
        let mut maker = SignatureMaker::new();
        pieces.iter().for_each(|piece| maker.feed(piece));
        maker.finish()
    }

    #[test]
    fn what_a_message_has_is_never_denied() {
        let text: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let bits = signature(&[&text]);
        let signature = Signature::new(&bits, &[]);
        for from in (0..text.len() - 40).step_by(7) {
            for len in [0, 1, 2, 3, 4, 17, 40] {
                assert!(signature.may_have(&text[from..from + len]));
            }
        }
    }

    #[test]
    fn a_text_in_pieces_has_the_signature_of_the_whole() {
        let text = b"THE QUICK BROWN FOX";
        let whole = signature(&[text]);
        for size in 1..text.len() {
            assert_eq!(signature(&text.chunks(size).collect::<Vec<_>>()), whole, "{size}");
        }
        let mut maker = SignatureMaker::new();
        maker.feed(b"THE QUICK B");
        maker.break_text();
        maker.feed(b"ROWN FOX");
        assert!(!Signature::new(&maker.finish(), &[]).may_have(b"BROWN"));
    }

    #[test]
    fn most_of_what_a_message_has_not_is_denied() {
        let text: String = (0..400).map(|n| format!("word{} ", n * 7919 % 1000)).collect();
        let bits = signature(&[text.to_uppercase().as_bytes()]);
        let signature = Signature::new(&bits, &[]);
        let absent =
            (0..1000).filter(|n| signature.may_have(format!("Q{}X{}", n % 26, n).as_bytes())).count();
        assert!(absent < 5, "{absent} of 1000");
        let single =
            (0_u32..1000).filter(|n| signature.may_have(&n.wrapping_mul(77_777).to_be_bytes()[1..])).count();
        assert!(single < 100, "{single} of 1000");
    }

    #[test]
    fn what_stands_beside_is_not_denied() {
        let bits = signature(&[b"SHARED"]);
        let signature = Signature::new(&bits, b"RETURN-PATH: <A@B>\n");
        assert!(signature.may_have(b"SHARED") && signature.may_have(b"<A@B>"));
        assert!(!signature.may_have(b"NEITHER"));
    }

    #[test]
    fn an_empty_message_has_nothing_and_none_says_nothing() {
        let bits = signature(&[]);
        assert!(!Signature::new(&bits, &[]).may_have(b"abc"));
        assert!(Signature::new(&[], &[]).may_have(b"abc"));
    }
}
