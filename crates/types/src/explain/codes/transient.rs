//! 4yz: not now; a mail server keeps the message and tries again (RFC 5321 §4.2.1).

entries! {
    /// In numeric order.
    TRANSIENT =

    [420] ("GroupWise" / "GroupWise") "" Nobody ReceiverPostmaster SenderPostmaster;
    "the connection to the other server broke off or timed out while the message was sent"
    / "la conexión con el otro servidor se cortó o agotó el tiempo mientras se enviaba el mensaje";
    - "Wait for the next attempt" / "Espere al siguiente intento";
    - "If it lasts: look at firewalls, at lines that drop large packets (MTU), and at a filter of the receiver that holds the connection"
    / "Si dura: revise cortafuegos, líneas que descartan paquetes grandes (MTU) y filtros del receptor que retienen la conexión";
    => Unreachable;

    [421] "RFC 5321 §3.8" Nobody ReceiverPostmaster SenderPostmaster;
    "the server cannot go on now and closes the connection: it stops, is too busy, has waited too long, or has had enough of this client"
    / "el servidor no puede seguir ahora y cierra la conexión: se apaga, está saturado, ha esperado demasiado o se ha cansado de este cliente";
    - "Wait for the next attempt" / "Espere al siguiente intento";
    - "If it is at every attempt, read the text: too many connections, a blocklist, or missing reverse DNS are the usual ones"
    / "Si ocurre en cada intento, lea el texto: lo habitual es exceso de conexiones, una lista de bloqueo o falta de DNS inverso";
    => RateLimit Blocklist ReverseDns;

    [422] ("Exchange, and old login schemes" / "Exchange y antiguos métodos de acceso") "RFC 5248 §2.4" Recipient Nobody;
    "the recipient's mailbox is over its limit, or the password has to be changed over to a new method first"
    / "el buzón del destinatario supera su límite, o antes hay que pasar la contraseña a un método nuevo";
    - "Tell the recipient by another way that the mailbox may be full"
    / "Avise al destinatario por otro medio de que su buzón puede estar lleno";

    [430] ("few servers, for commands at the wrong time" / "pocos servidores, para órdenes a destiempo") "RFC 5248 §2.4" Nobody SenderPostmaster;
    "the server does not take this command now; the RFCs give no text to this code"
    / "el servidor no acepta ahora esta orden; los RFC no dan texto a este código";
    - "Read the text after the code; if it speaks of a login, check user and password"
    / "Lea el texto que sigue al código; si habla de identificación, revise usuario y contraseña";

    [431] ("Exchange" / "Exchange") "" Nobody ReceiverPostmaster;
    "the receiving server has too little memory or disk at the moment"
    / "al servidor receptor le falta memoria o disco en este momento";
    - "Wait; if it lasts for a day, tell its postmaster by another way"
    / "Espere; si dura un día, avise a su administrador por otro medio";

    [432] "RFC 4954 §6" Sender ReceiverPostmaster;
    "the password has to be changed over to the chosen login method first; Exchange says it when a mailbox gets too much at once"
    / "antes hay que pasar la contraseña al método de acceso elegido; Exchange lo dice cuando un buzón recibe demasiado a la vez";
    - "Login: log in once with PLAIN over TLS, then the other method works"
    / "Acceso: identifíquese una vez con PLAIN sobre TLS; después funciona el otro método";
    - "Mail to Exchange (STOREDRV, thread limit): wait, it is delivered later"
    / "Correo hacia Exchange (STOREDRV, límite de hilos): espere, se entrega más tarde";

    [441] ("Exchange" / "Exchange") "" Nobody ReceiverPostmaster SenderPostmaster;
    "the next server does not answer" / "el servidor siguiente no responde";
    - "Wait for the next attempt; if it lasts, try to reach the server: nc -v HOST 25"
    / "Espere al siguiente intento; si dura, pruebe a llegar al servidor: nc -v SERVIDOR 25";

    [442] ("Exchange" / "Exchange") "" Nobody ReceiverPostmaster SenderPostmaster;
    "the connection broke off while the message was sent"
    / "la conexión se cortó mientras se enviaba el mensaje";
    - "Wait for the next attempt; if it is always this message, make it smaller"
    / "Espere al siguiente intento; si falla siempre el mismo mensaje, hágalo más pequeño";

    [446] ("Exchange" / "Exchange") "" ReceiverPostmaster SenderPostmaster;
    "the message has passed too many servers" / "el mensaje ha pasado por demasiados servidores";
    => Loop;

    [447] ("Exchange" / "Exchange") "" Nobody ReceiverPostmaster;
    "the message waited too long for the receiving server"
    / "el mensaje esperó demasiado al servidor receptor";
    => Expired;

    [449] ("Exchange" / "Exchange") "" SenderPostmaster Nobody;
    "the sending server finds no way to the recipient's server: its routing or a connector is wrong"
    / "el servidor que envía no encuentra camino hasta el del destinatario: fallan sus rutas o un conector";
    - "Look at the connectors and the smart host of the sending server, and whether it can resolve MX records"
    / "Revise los conectores y el servidor intermediario del servidor que envía, y si puede resolver registros MX";

    [450] "RFC 5321 §4.2.3" Nobody ReceiverPostmaster SenderPostmaster;
    "the mailbox cannot be used now: it is busy, or mail is held back by policy for a while"
    / "el buzón no se puede usar ahora: está ocupado, o la política retiene el correo un tiempo";
    - "Wait for the next attempt" / "Espere al siguiente intento";
    - "If it lasts for hours, read the text: greylisting, reverse DNS and rate limits are the usual ones"
    / "Si dura horas, lea el texto: lo habitual son listas grises, DNS inverso y límites de ritmo";
    => Greylisting ReverseDns RateLimit;

    [451] "RFC 5321 §4.2.3" Nobody ReceiverPostmaster;
    "something failed at the receiving server while it worked on the message; much used for greylisting too"
    / "algo falló en el servidor receptor al tratar el mensaje; también se usa mucho para listas grises";
    - "Wait for the next attempt" / "Espere al siguiente intento";
    - "If it lasts for a day, tell the receiver's postmaster by another way, with the whole text"
    / "Si dura un día, avise al administrador del receptor por otro medio, con el texto completo";
    => Greylisting RateLimit;

    [452] "RFC 5321 §4.2.3" Nobody Recipient ReceiverPostmaster;
    "no room now, or too many recipients at once"
    / "ahora no hay sitio, o hay demasiados destinatarios a la vez";
    - "Wait: the server sends to the other recipients, and again when there is room"
    / "Espere: el servidor envía a los demás destinatarios, y de nuevo cuando haya sitio";
    => MailboxFull TooManyRecipients DiskFull;

    [453] "RFC 2645 §7" Nobody;
    "no mail waits for this host (ATRN); some servers say it when they take no mail from the network now"
    / "no hay correo esperando para este equipo (ATRN); algunos servidores lo dicen cuando no aceptan correo de la red por ahora";
    - "Nothing to do" / "No hay nada que hacer";

    [454] "RFC 3207 §4" Nobody SenderPostmaster ReceiverPostmaster;
    "encryption cannot be had now, or the login could not be checked because of a fault at the server"
    / "ahora no se puede cifrar, o no se pudo comprobar la identificación por un fallo del servidor";
    - "Try again later; do not change the password" / "Inténtelo más tarde; no cambie la contraseña";
    - "The server's postmaster: see that the certificate and its key can be read, and that the user database answers"
    / "El administrador del servidor: compruebe que se pueden leer el certificado y su clave, y que responde la base de usuarios";

    [455] "RFC 5321 §4.2.3" Nobody SenderPostmaster;
    "the server cannot serve a parameter of MAIL or RCPT now"
    / "el servidor no puede atender ahora un parámetro de MAIL o RCPT";
    - "Wait; if it lasts, send without the parameter that the text names"
    / "Espere; si dura, envíe sin el parámetro que nombra el texto";

    [458] "RFC 1985 §5.1" ReceiverPostmaster;
    "the server cannot start to send the mail that waits for this host (ETRN)"
    / "el servidor no puede empezar a enviar el correo que espera para este equipo (ETRN)";
    - "Ask later; if it lasts, tell the provider that keeps the mail"
    / "Pídalo más tarde; si dura, avise al proveedor que guarda el correo";

    [459] "RFC 1985 §5.1" ReceiverPostmaster SenderPostmaster;
    "this host may not ask for that mail (ETRN)" / "este equipo no puede pedir ese correo (ETRN)";
    - "Check the domain name that was asked for, and have the provider list this host for it"
    / "Revise el dominio que se pidió, y que el proveedor registre este equipo para él";

    [471] ("servers with a spam filter of their own" / "servidores con un filtro propio") "" SenderPostmaster;
    "a filter on the sending or receiving server failed or objected"
    / "un filtro del servidor que envía o del que recibe falló o puso reparos";
    - "Look into the log of the filter" / "Mire el registro del filtro";
    => Spam;
}
