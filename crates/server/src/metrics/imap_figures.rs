//! What IMAP clients do to messages.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Messages by what became of them.
#[derive(Debug, Default)]
pub(crate) struct ImapFigures {
    messages: Family<ChangeLabels, Counter>,
}

/// What a client does to messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImapChange {
    Appended,
    Copied,
    Moved,
    Flagged,
    Expunged,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChangeLabels {
    change: &'static str,
}

impl ImapFigures {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Messages that IMAP clients changed: appended, copied, moved, flagged, expunged";
        registry.register("imap_messages", help, self.messages.clone());
    }

    pub(crate) fn changed(&self, change: ImapChange, messages: usize) {
        let change = match change {
            ImapChange::Appended => "appended",
            ImapChange::Copied => "copied",
            ImapChange::Moved => "moved",
            ImapChange::Flagged => "flagged",
            ImapChange::Expunged => "expunged",
        };
        self.messages.get_or_create(&ChangeLabels { change }).inc_by(messages as u64);
    }
}
