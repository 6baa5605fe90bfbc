//! 2yz and 3yz: it was done, or the server waits for more.

entries! {
    /// In numeric order.
    POSITIVE =

    [211] "RFC 5321 §4.2.3" Nobody;
    "the state of the server, or help about it" / "el estado del servidor, o ayuda sobre él";

    [214] "RFC 5321 §4.1.1.8" Nobody;
    "help, for people to read" / "ayuda, para que la lean personas";

    [220] "RFC 5321 §4.3.1" Nobody;
    "the server is there and ready; after STARTTLS: encryption may begin"
    / "el servidor está ahí y preparado; después de STARTTLS: puede empezar el cifrado";

    [221] "RFC 5321 §4.1.1.10" Nobody;
    "goodbye: the server closes the connection" / "adiós: el servidor cierra la conexión";

    [235] "RFC 4954 §6" Nobody;
    "the login is accepted" / "se acepta la identificación";

    [250] "RFC 5321 §4.2.3" Nobody;
    "done; after the end of the message: the server has taken it and answers for it from now on"
    / "hecho; tras el final del mensaje: el servidor lo ha aceptado y responde de él desde ahora";
    - "If the mail is missing all the same, ask the receiver's postmaster with the id that stands after 250, and have the spam folder searched"
    / "Si aun así falta el correo, pregunte al administrador del receptor con el identificador que sigue al 250, y pida que miren la carpeta de no deseados";

    [251] "RFC 5321 §3.4" Sender;
    "the recipient has moved, and the server forwards to the new address"
    / "el destinatario se ha mudado, y el servidor reenvía a la nueva dirección";
    - "Note the new address that the text names" / "Apunte la nueva dirección que dice el texto";

    [252] "RFC 5321 §3.5.3" Nobody;
    "the server does not say whether the address exists, but takes mail for it"
    / "el servidor no dice si la dirección existe, pero acepta correo para ella";

    [253] "RFC 1985 §5.1" Nobody;
    "the server begins to send the mail that waits for this host (ETRN)"
    / "el servidor empieza a enviar el correo que espera para este equipo (ETRN)";

    [334] "RFC 4954 §4" Nobody;
    "the login goes on: the server waits for the next part, in base64"
    / "la identificación continúa: el servidor espera la parte siguiente, en base64";

    [354] "RFC 5321 §4.3.2" Nobody;
    "send the message now, and end it with a line that holds only a dot"
    / "envíe ahora el mensaje y termínelo con una línea que solo tenga un punto";
    - "A session that hangs here mostly means that the last dot did not come or that a firewall drops large packets"
    / "Si la sesión se queda aquí, casi siempre falta el punto final o un cortafuegos descarta paquetes grandes";
}
