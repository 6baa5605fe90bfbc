//! The vocabulary of a mail system: addresses, paths, domains, the envelope, ids, time, enhanced status
//! codes, THE table of replies and what replies mean, and named limits.
//!
//! Standards: RFC 5321 (addresses, replies, limits), RFC 6531 (internationalized addresses), RFC 3463 and
//! RFC 5248 (enhanced status codes), RFC 5598 (names of things).
//!
//! Left out on purpose: any I/O, clock or randomness (sans-IO: they are arguments), and the header grammar of
//! RFC 5322, which belongs to whoever reads messages.

pub mod address;
pub mod directory;
pub mod dns;
mod envelope;
mod event;
pub mod explain;
mod id;
pub mod language;
pub mod limits;
pub mod mailstore;
mod reply;
mod status;
mod time;

pub use address::{AddressError, AddressLiteral, Domain, ForwardPath, Host, LocalPart, Mailbox, ReversePath};
pub use envelope::{
    AuthParameter, BodyType, ByMode, DeliverBy, DsnReturn, Envelope, EnvelopeRecipient, Hold, MailParameters,
    Notify, OriginalRecipient, Protocol, RecipientDsn, TlsParameters,
};
pub use event::{Event, EventStep, Verdict};
pub use id::{MailId, MailIdError};
pub use reply::{REPLIES, Reply, ReplyEntry, ReplyKind};
pub use status::{EnhancedStatus, EnhancedStatusError, StatusClass};
pub use time::Timestamp;
