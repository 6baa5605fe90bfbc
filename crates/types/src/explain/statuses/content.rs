//! X.6.z: about the content.

entries! {
    /// In numeric order.
    CONTENT =

    [X 6 0] "RFC 3463 §3.7" Sender Programmer;
    "something about the content of the message" / "algo relativo al contenido del mensaje";
    - "Send a short plain message: if it passes, remove attachments and links one after the other"
    / "Envíe un mensaje corto y simple: si pasa, quite adjuntos y enlaces de uno en uno";
    => Malware Spam LineEnds;

    [X 6 1] "RFC 3463 §3.7" Sender;
    "this kind of content is not taken on the way" / "este tipo de contenido no se acepta en el camino";
    - "Send the file in another format, or a link" / "Envíe el archivo en otro formato, o un enlace";

    [X 6 2] "RFC 3463 §3.7" Sender SenderPostmaster;
    "the message would have to be converted, and that is forbidden"
    / "habría que convertir el mensaje, y está prohibido";
    - "Send it in a plainer form, without a signature or encryption that forbids changes"
    / "Envíelo en una forma más simple, sin firma ni cifrado que impida cambios";

    [X 6 3] "RFC 3463 §3.7" SenderPostmaster Programmer;
    "the message would have to be converted, and the server cannot: mostly 8-bit text to a server without 8BITMIME"
    / "habría que convertir el mensaje, y el servidor no puede: casi siempre texto de 8 bits hacia un servidor sin 8BITMIME";
    - "Send as quoted-printable or base64" / "Envíe como quoted-printable o base64";

    [X 6 4] "RFC 3463 §3.7" Nobody;
    "the message was converted, and something of it was lost"
    / "el mensaje se convirtió y perdió algo";
    - "If it matters, send it again in a plainer form" / "Si importa, envíelo de nuevo en una forma más simple";

    [X 6 5] "RFC 3463 §3.7" Sender SenderPostmaster;
    "the message was to be converted, and that failed" / "había que convertir el mensaje, y falló";
    - "Send it in a plainer form" / "Envíelo en una forma más simple";

    [X 6 6] "RFC 4468 §5" Sender SenderPostmaster;
    "a part of the message could not be fetched from the server that holds it (BURL)"
    / "no se pudo obtener una parte del mensaje del servidor que la guarda (BURL)";
    - "Attach the part itself, or see that the other server answers"
    / "Adjunte la propia parte, o compruebe que el otro servidor responde";

    [X 6 7] "RFC 6531 §3.5" Sender ReceiverPostmaster;
    "an address has characters beyond ASCII, which the server does not take for this sender or recipient"
    / "una dirección tiene caracteres fuera de ASCII, que el servidor no acepta para este remitente o destinatario";
    - "Use the ASCII address of the person, or a program and server with SMTPUTF8"
    / "Use la dirección ASCII de esa persona, o un programa y servidor con SMTPUTF8";

    [X 6 8] "RFC 6531 §3.7.4.2" Programmer;
    "the answer would need UTF-8, which the client has not allowed"
    / "la respuesta necesitaría UTF-8, que el cliente no ha permitido";
    - "Send VRFY, EXPN or MAIL with the SMTPUTF8 parameter"
    / "Envíe VRFY, EXPN o MAIL con el parámetro SMTPUTF8";

    [X 6 9] "RFC 6531 §3.5" Sender ReceiverPostmaster;
    "the header has UTF-8, which cannot go to one of the recipients"
    / "la cabecera tiene UTF-8, que no puede llegar a uno de los destinatarios";
    - "Send to that recipient alone, with ASCII addresses and encoded names"
    / "Envíe a ese destinatario por separado, con direcciones ASCII y nombres codificados";

    [X 6 10] "RFC 6531 §4.2" Programmer;
    "the same as X.6.8, given twice by mistake and not to be used"
    / "lo mismo que X.6.8, dado dos veces por error y que no debe usarse";
    - "Send VRFY, EXPN or MAIL with the SMTPUTF8 parameter"
    / "Envíe VRFY, EXPN o MAIL con el parámetro SMTPUTF8";
}
