//! The shape of a row, and how rows are written down.

use std::fmt;

use super::{CauseKind, Text};

/// Who can do something about a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Nobody has to: it is done, or waiting is enough.
    Nobody,
    /// Who wrote the message.
    Sender,
    /// Whom it is for.
    Recipient,
    /// Who looks after the sender's server and domain.
    SenderPostmaster,
    /// Who looks after the recipient's server and domain.
    ReceiverPostmaster,
    /// Who wrote the program that sends.
    Programmer,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A reply code.
    Code(u16),
    /// An enhanced status code of any class.
    Status {
        /// The second number.
        subject: u16,
        /// The third number.
        detail: u16,
    },
    /// A cause that the text of a reply names.
    Cause(CauseKind),
}

/// Who uses a code with this meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Anybody: it is in an RFC or in the registry of RFC 5248.
    Standard,
    /// Only these servers.
    Only(Text),
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub key: Key,
    /// Who uses it.
    pub usage: Usage,
    /// Where that is written; nothing where it is in no RFC.
    pub source: Option<&'static str>,
    /// Who can act, the likeliest first.
    pub actors: &'static [Actor],
    /// What it means: a clause without a full stop.
    pub meaning: Text,
    /// What to try, in this order.
    pub steps: &'static [Text],
    /// Which causes are usual, the likeliest first.
    pub causes: &'static [CauseKind],
}

impl Actor {
    /// All of them.
    pub(super) const ALL: [Self; 6] = [
        Self::Nobody,
        Self::Sender,
        Self::Recipient,
        Self::SenderPostmaster,
        Self::ReceiverPostmaster,
        Self::Programmer,
    ];

    /// As people call them.
    #[must_use]
    pub const fn name(self) -> Text {
        let (en, es) = match self {
            Self::Nobody => ("nobody", "nadie"),
            Self::Sender => ("the sender", "el remitente"),
            Self::Recipient => ("the recipient", "el destinatario"),
            Self::SenderPostmaster => {
                ("the sender's postmaster", "el administrador de correo del remitente (postmaster)")
            }
            Self::ReceiverPostmaster => {
                ("the receiver's postmaster", "el administrador de correo del destinatario (postmaster)")
            }
            Self::Programmer => ("the maker of the sending program", "el autor del programa que envía"),
        };
        Text { en, es }
    }

    /// As programs call them.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::SenderPostmaster => "sender_postmaster",
            Self::ReceiverPostmaster => "receiver_postmaster",
            Self::Programmer => "programmer",
        }
    }
}

/// `550`, `X.7.1`, or the name of a cause.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Status { subject, detail } => write!(f, "X.{subject}.{detail}"),
            Self::Cause(kind) => f.write_str(kind.word()),
        }
    }
}

/// The source as a row has it: none where it is empty.
pub(in crate::explain) const fn source(text: &'static str) -> Option<&'static str> {
    if text.is_empty() { None } else { Some(text) }
}

/// Writes a table: `[key] "source" Actor …; "meaning" / "significado"; - "step" / "paso"; … => Cause …;`. A row
/// with `("who" / "quién")` after the key is used only by those; a source of `""` is none.
macro_rules! entries {
    ($(#[$doc:meta])* $table:ident = $(
        [$($key:tt)+] $(($used_en:literal / $used_es:literal))? $source:literal $($actor:ident)+;
        $en:literal / $es:literal;
        $(- $step_en:literal / $step_es:literal;)*
        $(=> $($cause:ident)+;)?
    )*) => {
        $(#[$doc])*
        pub(in crate::explain) static $table: &[$crate::explain::Entry] = &[$(
            $crate::explain::Entry {
                key: entries!(@key $($key)+),
                usage: entries!(@usage $($used_en / $used_es)?),
                source: $crate::explain::entry::source($source),
                actors: &[$($crate::explain::Actor::$actor),+],
                meaning: $crate::explain::Text { en: $en, es: $es },
                steps: &[$($crate::explain::Text { en: $step_en, es: $step_es }),*],
                causes: &[$($($crate::explain::CauseKind::$cause),+)?],
            },
        )*];
    };
    (@key X $subject:literal $detail:literal) => {
        $crate::explain::Key::Status { subject: $subject, detail: $detail }
    };
    (@key $code:literal) => { $crate::explain::Key::Code($code) };
    (@key $kind:ident) => { $crate::explain::Key::Cause($crate::explain::CauseKind::$kind) };
    (@usage) => { $crate::explain::Usage::Standard };
    (@usage $en:literal / $es:literal) => {
        $crate::explain::Usage::Only($crate::explain::Text { en: $en, es: $es })
    };
}
