//! What the store keeps of the words of a message ([`store::DerivedKind::Words`]).
//!
//! ```text
//! row       = version count *delivery signature
//! version   = %x02
//! count     = OCTET                    ; deliveries
//! delivery  = mailbox uid length text  ; u64, u32 and u16, little-endian
//! text      = *OCTET                   ; the delivery's own header, folded
//! ```

use bytes::Bytes;
use imap::search::Signature;
use types::mailstore::{MailboxId, Uid};

/// Whoever changes which words a message has raises it: other parts of it, other decoded texts, another signature.
const VERSION: u8 = 2;
/// Deliveries whose headers are kept beside one signature; a message that is in more mailboxes is read for those that came first.
const DELIVERIES_MAX: usize = 4;
/// The header of a delivery that is longer is not kept: the message is read.
const DELIVERY_BYTES_MAX: usize = 4096;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WordsRow<'r> {
    /// The last is the newest.
    deliveries: Vec<Delivery<'r>>,
    signature: &'r [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Delivery<'r> {
    mailbox: MailboxId,
    uid: Uid,
    header: &'r [u8],
}

impl<'r> WordsRow<'r> {
    /// Of a message whose signature is new.
    pub(crate) const fn new(signature: &'r [u8]) -> Self {
        Self { deliveries: Vec::new(), signature }
    }

    /// None where it is of another version.
    pub(crate) fn from_bytes(bytes: &'r [u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (count, mut rest) = rest.split_first()?;
        if *version != VERSION {
            return None;
        }
        let mut deliveries = Vec::with_capacity(usize::from(*count));
        for _ in 0..*count {
            let (mailbox, behind) = rest.split_first_chunk()?;
            let (uid, behind) = behind.split_first_chunk()?;
            let (length, behind) = behind.split_first_chunk()?;
            let (header, behind) = behind.split_at_checked(u16::from_le_bytes(*length).into())?;
            let mailbox = MailboxId(u64::from_le_bytes(*mailbox));
            deliveries.push(Delivery { mailbox, uid: Uid(u32::from_le_bytes(*uid)), header });
            rest = behind;
        }
        Some(Self { deliveries, signature: rest })
    }

    /// Which words the message may have in a mailbox; none where the header of that delivery is not known.
    pub(crate) fn signature(&self, mailbox: MailboxId, uid: Uid) -> Option<Signature<'r>> {
        let mut deliveries = self.deliveries.iter();
        let delivery = deliveries.find(|delivery| delivery.mailbox == mailbox && delivery.uid == uid)?;
        Some(Signature::new(self.signature, delivery.header))
    }

    /// With the header of a delivery, folded.
    pub(crate) fn with(mut self, mailbox: MailboxId, uid: Uid, header: &'r [u8]) -> Self {
        if header.len() <= DELIVERY_BYTES_MAX {
            self.deliveries.push(Delivery { mailbox, uid, header });
        }
        let surplus = self.deliveries.len().saturating_sub(DELIVERIES_MAX);
        self.deliveries.drain(..surplus);
        self
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut out = vec![VERSION, u8::try_from(self.deliveries.len()).unwrap_or(0)];
        for Delivery { mailbox, uid, header } in &self.deliveries {
            out.extend_from_slice(&mailbox.0.to_le_bytes());
            out.extend_from_slice(&uid.0.to_le_bytes());
            out.extend_from_slice(&u16::try_from(header.len()).unwrap_or(0).to_le_bytes());
            out.extend_from_slice(header);
        }
        out.extend_from_slice(self.signature);
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_are_written() {
        let mut row = WordsRow::new(b"signature");
        for n in 0..6 {
            row = row.with(MailboxId(n), Uid(7), b"DELIVERED-TO: A@B\n");
        }
        let bytes = row.to_bytes();
        assert_eq!(WordsRow::from_bytes(&bytes), Some(row.clone()));
        assert!(
            row.signature(MailboxId(5), Uid(7)).is_some() && row.signature(MailboxId(2), Uid(7)).is_some()
        );
        // The oldest went; others are of no delivery that is known.
        assert!(
            row.signature(MailboxId(1), Uid(7)).is_none() && row.signature(MailboxId(5), Uid(8)).is_none()
        );
        for len in 0..20 {
            assert_eq!(WordsRow::from_bytes(&bytes[..len]), None);
        }
        assert_eq!(WordsRow::from_bytes(&[VERSION + 1, 0, b'x']), None, "of another version");
    }

    #[test]
    fn the_header_of_a_delivery_is_not_kept_where_it_is_long() {
        let long = vec![b'A'; DELIVERY_BYTES_MAX + 1];
        let row = WordsRow::new(b"").with(MailboxId(1), Uid(1), &long);
        assert!(row.signature(MailboxId(1), Uid(1)).is_none());
    }
}
