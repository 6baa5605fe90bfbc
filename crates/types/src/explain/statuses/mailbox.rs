//! X.2.z: about the recipient's mailbox.

entries! {
    /// In numeric order.
    MAILBOX =

    [X 2 0] "RFC 3463 §3.3" Recipient ReceiverPostmaster;
    "something about the recipient's mailbox" / "algo relativo al buzón del destinatario";
    - "Tell the recipient by another way" / "Avise al destinatario por otro medio";
    => MailboxFull AccountDisabled;

    [X 2 1] "RFC 3463 §3.3" Recipient ReceiverPostmaster;
    "the mailbox exists and takes no mail: closed, suspended, or getting too much at once"
    / "el buzón existe y no acepta correo: cerrado, suspendido, o recibe demasiado a la vez";
    => AccountDisabled RateLimit;

    [X 2 2] "RFC 3463 §3.3" Recipient Nobody;
    "the mailbox is full" / "el buzón está lleno";
    => MailboxFull;

    [X 2 3] "RFC 3463 §3.3" Sender;
    "the message is larger than this mailbox takes" / "el mensaje es más grande de lo que acepta este buzón";
    => TooBig;

    [X 2 4] "RFC 3463 §3.3" ReceiverPostmaster;
    "the address is a mailing list whose members could not be found"
    / "la dirección es una lista de correo cuyos miembros no se pudieron obtener";
    - "Tell the list's owner (NAME-owner or postmaster at that domain)"
    / "Avise al responsable de la lista (NOMBRE-owner o postmaster de ese dominio)";
}
