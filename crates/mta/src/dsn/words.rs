//! The words of the part for people. What a status means comes from the table of [`types::explain`].

use types::language::{Counted, Text};
use types::texts;

use super::Action;

texts! {
    /// All texts that name no number.
    #[cfg(test)]
    pub(super) ALL;
    /// The author of reports.
    pub(super) SYSTEM = "Mail Delivery System" / "Sistema de entrega de correo";
    pub(super) SUBJECT_ORPHAN = "A report could not be delivered" / "No se pudo entregar un informe";
    pub(super) SUBJECT_FAILED = "Your message could not be delivered" / "No se pudo entregar su mensaje";
    pub(super) SUBJECT_DELAYED = "Your message is delayed" / "Su mensaje se retrasa";
    pub(super) SUBJECT_DELIVERED = "Your message was delivered" / "Su mensaje fue entregado";
    pub(super) SUBJECT_RELAYED = "Your message is on its way" / "Su mensaje va en camino";
    pub(super) INTRODUCTION = "This is an automatic report of the mail server {host}."
        / "Este es un informe automático del servidor de correo {host}.";
    pub(super) WHAT_HAPPENED = "What happened" / "Qué pasó";
    pub(super) SAID_BY = "In the words of {host}" / "En palabras de {host}";
    pub(super) SAID_BY_OTHER = "In the words of the other server" / "En palabras del otro servidor";
    pub(super) FOUND_HERE = "In the words of this server" / "En palabras de este servidor";
    pub(super) BY_ITSELF = "By itself." / "Automáticamente.";
    pub(super) BY_ITSELF_UNTIL = "By itself, until {time}." / "Automáticamente, hasta el {time}.";
    /// Before whom to ask.
    pub(super) ORIGIN = "The message came at {time} and has the id {id} here. To ask about it, write to <{postmaster}>."
        / "El mensaje llegó el {time} y aquí tiene el identificador {id}. Para preguntar por él, escriba a <{postmaster}>.";
    pub(super) ALONE = "A report for mail programs follows." / "Sigue un informe para programas de correo.";
    pub(super) WITH_MESSAGE = "A report for mail programs and the whole message follow."
        / "Siguen un informe para programas de correo y el mensaje completo.";
    pub(super) WITH_HEADER = "A report for mail programs and the header of the message follow."
        / "Siguen un informe para programas de correo y el encabezado del mensaje.";
}

/// Before the recipients that an action is told of.
pub(super) const fn heading(action: Action) -> Counted {
    match action {
        Action::Failed => FAILED,
        Action::Delayed => DELAYED,
        Action::Delivered => DELIVERED,
        Action::Relayed => RELAYED,
        Action::Expanded => EXPANDED,
    }
}

/// Before those whom a message without a sender did not reach.
pub(super) const ORPHAN: Counted = counted(
    text(
        "A message without a sender, most likely a report, could not be delivered to:",
        "Un mensaje sin remitente, probablemente un informe, no se pudo entregar a:",
    ),
    text(
        "A message without a sender, most likely a report, could not be delivered to these {count} recipients:",
        "Un mensaje sin remitente, probablemente un informe, no se pudo entregar a estos {count} destinatarios:",
    ),
);
const FAILED: Counted = counted(
    text("Your message could not be delivered to:", "Su mensaje no se pudo entregar a:"),
    text(
        "Your message could not be delivered to these {count} recipients:",
        "Su mensaje no se pudo entregar a estos {count} destinatarios:",
    ),
);
const DELAYED: Counted = counted(
    text(
        "There is no need to send it again: your message could not be delivered yet to:",
        "No hace falta enviarlo de nuevo: su mensaje todavía no se pudo entregar a:",
    ),
    text(
        "There is no need to send it again: your message could not be delivered yet to these {count} recipients:",
        "No hace falta enviarlo de nuevo: su mensaje todavía no se pudo entregar a estos {count} destinatarios:",
    ),
);
const DELIVERED: Counted = counted(
    text("Your message was delivered to:", "Su mensaje fue entregado a:"),
    text(
        "Your message was delivered to these {count} recipients:",
        "Su mensaje fue entregado a estos {count} destinatarios:",
    ),
);
const RELAYED: Counted = counted(
    text(
        "Your message was handed to a server that may not report on it further, for:",
        "Su mensaje se pasó a un servidor que quizá no informe más, para:",
    ),
    text(
        "Your message was handed to servers that may not report on it further, for these {count} recipients:",
        "Su mensaje se pasó a servidores que quizá no informen más, para estos {count} destinatarios:",
    ),
);
const EXPANDED: Counted = counted(
    text(
        "Your message was accepted for an address that stands for several others:",
        "Su mensaje fue aceptado para una dirección que representa a varias otras:",
    ),
    text(
        "Your message was accepted for {count} addresses that stand for several others each:",
        "Su mensaje fue aceptado para {count} direcciones que representan a varias otras cada una:",
    ),
);

/// All texts that name a number.
#[cfg(test)]
pub(super) const COUNTED: &[Counted] = &[ORPHAN, FAILED, DELAYED, DELIVERED, RELAYED, EXPANDED];

const fn counted(one: Text, other: Text) -> Counted {
    Counted { one, other }
}

const fn text(en: &'static str, es: &'static str) -> Text {
    Text { en, es }
}
