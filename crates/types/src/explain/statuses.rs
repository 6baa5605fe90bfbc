//! Enhanced status codes of the IANA registry (RFC 5248), one file for each subject (RFC 3463 §3).

mod address;
mod content;
mod mailbox;
mod network;
mod protocol;
mod security;
mod system;

use super::{Entry, Text};
use crate::StatusClass;

/// The tables of all subjects, in their order.
pub(super) static REGISTERED: &[&&[Entry]] = &[
    &address::ADDRESS,
    &mailbox::MAILBOX,
    &system::SYSTEM,
    &network::NETWORK,
    &protocol::PROTOCOL,
    &content::CONTENT,
    &security::SECURITY,
];

/// What the first number says (RFC 3463 §3.1).
#[must_use]
pub const fn class(class: StatusClass) -> Text {
    let (en, es) = match class {
        StatusClass::Success => ("it was done", "se hizo"),
        StatusClass::PersistentTransient => {
            ("not now, but the same may work later", "ahora no, pero lo mismo puede funcionar más tarde")
        }
        StatusClass::Permanent => {
            ("no, and the same will not work later either", "no, y lo mismo tampoco funcionará más tarde")
        }
    };
    Text { en, es }
}

/// What the second number says (RFC 3463 §3): nothing where it is 0 or not registered.
#[must_use]
pub const fn subject(subject: u16) -> Option<Text> {
    let (en, es) = match subject {
        1 => ("about an address", "sobre una dirección"),
        2 => ("about the recipient's mailbox", "sobre el buzón del destinatario"),
        3 => ("about the receiving mail system", "sobre el sistema de correo receptor"),
        4 => ("about the network or the route", "sobre la red o la ruta"),
        5 => ("about the protocol", "sobre el protocolo"),
        6 => ("about the content of the message", "sobre el contenido del mensaje"),
        7 => ("about security or policy", "sobre seguridad o política"),
        _ => return None,
    };
    Some(Text { en, es })
}
