//! X.5.z: about the protocol.

entries! {
    /// In numeric order.
    PROTOCOL =

    [X 5 0] "RFC 3463 §3.6" Programmer SenderPostmaster;
    "something about the protocol" / "algo relativo al protocolo";
    - "Look at the reply before this one: it often holds the reason"
    / "Mire la respuesta anterior a esta: a menudo contiene la razón";

    [X 5 1] "RFC 3463 §3.6" Programmer SenderPostmaster;
    "not a command here, or not at this point" / "aquí no es una orden, o no en este punto";
    - "Look at the reply before this one, and send only what the answer to EHLO offers"
    / "Mire la respuesta anterior a esta y envíe solo lo que ofrece la respuesta a EHLO";
    - "Mail program: switch on authentication for the outgoing server"
    / "Programa de correo: active la autenticación del servidor de salida";

    [X 5 2] "RFC 3463 §3.6" Programmer;
    "the command was not understood" / "no se entendió la orden";
    - "Look in a trace for wrong line ends, lines that are too long and stray octets"
    / "Busque en una traza finales de línea incorrectos, líneas demasiado largas y octetos sueltos";
    => LineEnds;

    [X 5 3] "RFC 3463 §3.6" Sender SenderPostmaster;
    "too many recipients" / "demasiados destinatarios";
    => TooManyRecipients;

    [X 5 4] "RFC 3463 §3.6" Programmer Sender;
    "what follows the command is wrong or not known here"
    / "lo que sigue a la orden es incorrecto o no se conoce aquí";
    - "Check the addresses, and send only parameters that the answer to EHLO offers"
    / "Revise las direcciones y envíe solo parámetros que ofrece la respuesta a EHLO";

    [X 5 5] "RFC 3463 §3.6" Programmer SenderPostmaster;
    "the two sides speak versions of the protocol that do not fit"
    / "las dos partes hablan versiones del protocolo que no encajan";
    - "Update the older of the two programs" / "Actualice el más antiguo de los dos programas";

    [X 5 6] "RFC 4954 §6" Programmer SenderPostmaster;
    "a line of the login is too long" / "una línea del acceso es demasiado larga";
    - "Choose another login method, or a shorter ticket or token"
    / "Elija otro método de acceso, o un testigo (token) más corto";
}
