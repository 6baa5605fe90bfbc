//! Reply codes, one row each, by their first digit.

mod permanent;
mod positive;
mod transient;

pub(super) use permanent::PERMANENT;
pub(super) use positive::POSITIVE;
pub(super) use transient::TRANSIENT;

use super::Text;

/// What the first and the second digit of any reply code say: all that a client has to understand of a code it
/// does not know (RFC 5321 §4.2.1). A second digit of 4 or of more than 5 says nothing.
#[must_use]
pub const fn digits(code: u16) -> (Text, Option<Text>) {
    let (en, es) = match code / 100 {
        2 => ("it was done", "se hizo"),
        3 => ("so far so good, the server waits for more", "hasta aquí bien, el servidor espera más"),
        4 => ("not now, but the same may work later", "ahora no, pero lo mismo puede funcionar más tarde"),
        5 => ("no, and the same will not work later either", "no, y lo mismo tampoco funcionará más tarde"),
        _ => ("no SMTP reply begins with this digit", "ninguna respuesta SMTP empieza por esta cifra"),
    };
    let first = Text { en, es };
    let (en, es) = match code / 10 % 10 {
        0 => ("about the syntax of commands", "sobre la sintaxis de las órdenes"),
        1 => ("information that was asked for", "información que se pidió"),
        2 => ("about the connection", "sobre la conexión"),
        3 => ("about logging in or policy", "sobre la identificación o la política"),
        5 => ("about the mail system and the mailbox", "sobre el sistema de correo y el buzón"),
        _ => return (first, None),
    };
    (first, Some(Text { en, es }))
}
