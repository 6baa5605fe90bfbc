//! X.7.z: about security and policy.

entries! {
    /// In numeric order.
    SECURITY =

    [X 7 0] "RFC 3463 §3.8" SenderPostmaster Sender;
    "refused or held back for security or policy, and the server does not say why by code"
    / "rechazado o retenido por seguridad o política; el código no dice el motivo";
    - "Read the text: it mostly names the reason" / "Lea el texto: casi siempre nombra la razón";
    => RateLimit Blocklist Unauthenticated LoginNeeded;

    [X 7 1] "RFC 3463 §3.8" SenderPostmaster Sender ReceiverPostmaster;
    "this sender may not send this message to this recipient: the commonest refusal, with many causes that only the text tells apart"
    / "este remitente no puede enviar este mensaje a este destinatario: el rechazo más común, con muchas causas que solo distingue el texto";
    - "Read the text after the code and any page that it names; then go through the causes below in their order"
    / "Lea el texto que sigue al código y la página que nombre; después repase las causas de abajo en su orden";
    - "Send a short plain message to the same recipient: if it passes, the content was refused, else the server or the sender"
    / "Envíe un mensaje corto y simple al mismo destinatario: si pasa, rechazaron el contenido; si no, el servidor o el remitente";
    => RelayDenied Blocklist Unauthenticated Dmarc Restricted Spam SendAs Greylisting;

    [X 7 2] "RFC 3463 §3.8" Sender;
    "this sender may not write to this mailing list" / "este remitente no puede escribir a esta lista de correo";
    => Restricted;

    [X 7 3] "RFC 3463 §3.8" Sender SenderPostmaster;
    "the message would have to change from one kind of encryption to another, which cannot be done"
    / "habría que pasar el mensaje de un tipo de cifrado a otro, y no es posible";
    - "Send it in a form that the recipient can read" / "Envíelo en una forma que el destinatario pueda leer";

    [X 7 4] "RFC 3463 §3.8" Sender SenderPostmaster;
    "a security feature that was asked for is not to be had here"
    / "aquí no hay una función de seguridad que se pidió";
    - "Choose a login method or feature that the answer to EHLO offers"
    / "Elija un método de acceso o función que ofrezca la respuesta a EHLO";

    [X 7 5] "RFC 3463 §3.8" SenderPostmaster ReceiverPostmaster;
    "a cryptographic check failed: a key or certificate is missing or wrong"
    / "falló una comprobación criptográfica: falta una clave o un certificado, o no es válido";
    - "Check the certificates with openssl s_client -starttls smtp -connect HOST:25, and MTA-STS and DANE of the domain"
    / "Revise los certificados con openssl s_client -starttls smtp -connect SERVIDOR:25, y MTA-STS y DANE del dominio";

    [X 7 6] "RFC 3463 §3.8" SenderPostmaster ReceiverPostmaster;
    "the two sides have no cryptographic algorithm in common"
    / "las dos partes no tienen ningún algoritmo criptográfico en común";
    - "Update the older side: TLS 1.2 or newer, RSA of 2048 bits or more"
    / "Actualice la parte más antigua: TLS 1.2 o posterior, RSA de 2048 bits o más";

    [X 7 7] "RFC 3463 §3.8" SenderPostmaster;
    "the message was changed on its way: a signature does not fit"
    / "el mensaje cambió en el camino: una firma no encaja";
    - "Find the server that adds a footer or rewrites the message, and sign after it"
    / "Busque el servidor que añade un pie o reescribe el mensaje, y firme después de él";
    => Dkim;

    [X 7 8] "RFC 4954 §6" Sender SenderPostmaster;
    "user or password were not accepted" / "no se aceptó el usuario o la contraseña";
    => LoginFailed;

    [X 7 9] "RFC 4954 §6" Sender SenderPostmaster;
    "this login method is too weak for the server" / "este método de acceso es demasiado débil para el servidor";
    - "Choose a stronger method, or make an app password" / "Elija un método más fuerte o cree una contraseña de aplicación";
    => LoginFailed;

    [X 7 10] "RFC 5248 §2.4" Sender SenderPostmaster;
    "encryption is needed first" / "antes hace falta cifrar";
    => TlsNeeded;

    [X 7 11] "RFC 4954 §6" Sender SenderPostmaster;
    "this login method needs an encrypted connection" / "este método de acceso necesita una conexión cifrada";
    => TlsNeeded;

    [X 7 12] "RFC 4954 §6" Sender;
    "the password has to be changed over to this login method first"
    / "antes hay que pasar la contraseña a este método de acceso";
    - "Log in once with PLAIN over TLS, then the other method works"
    / "Identifíquese una vez con PLAIN sobre TLS; después funciona el otro método";

    [X 7 13] "RFC 5248 §2.4" Sender SenderPostmaster;
    "the account is disabled; the password was right" / "la cuenta está desactivada; la contraseña era correcta";
    - "Ask your postmaster or provider why, and have it opened again"
    / "Pregunte a su administrador o proveedor el motivo y pida que la reabran";

    [X 7 14] "RFC 5248 §2.4" SenderPostmaster;
    "the server would have to be trusted by another server to fetch the content (BURL)"
    / "el servidor necesitaría la confianza de otro para obtener el contenido (BURL)";
    - "Set up the trust between the two servers, or attach the content itself"
    / "Establezca la confianza entre los dos servidores, o adjunte el propio contenido";

    [X 7 15] "RFC 6710 §4.1" Nobody Sender;
    "the message has too low a priority to be taken now" / "el mensaje tiene una prioridad demasiado baja para aceptarlo ahora";
    - "Wait, or send with a higher priority if you may" / "Espere, o envíe con prioridad más alta si puede";

    [X 7 16] "RFC 6710 §5" Sender;
    "the message is too large for its priority" / "el mensaje es demasiado grande para su prioridad";
    - "Send it smaller, or without a priority" / "Envíelo más pequeño, o sin prioridad";

    [X 7 17] "RFC 7293 §5" Sender;
    "the mailbox has another owner than at the time that the message asks about"
    / "el buzón tiene otro dueño que en la fecha por la que pregunta el mensaje";
    - "Do not send private things there; ask the person by another way for a new address"
    / "No envíe ahí nada privado; pida a esa persona por otro medio una dirección nueva";

    [X 7 18] "RFC 7293 §5" Sender;
    "the domain has another owner than at the time that the message asks about"
    / "el dominio tiene otro dueño que en la fecha por la que pregunta el mensaje";
    - "Do not send private things there; ask the person by another way for a new address"
    / "No envíe ahí nada privado; pida a esa persona por otro medio una dirección nueva";

    [X 7 19] "RFC 7293 §5" Sender Programmer;
    "the server cannot tell since when the mailbox has its owner"
    / "el servidor no puede saber desde cuándo tiene dueño el buzón";
    - "Decide whether to send without the RRVS condition" / "Decida si envía sin la condición RRVS";

    [X 7 20] "RFC 7372 §3.1" SenderPostmaster;
    "no DKIM signature passed" / "ninguna firma DKIM fue válida";
    => Dkim;

    [X 7 21] "RFC 7372 §3.1" SenderPostmaster;
    "a DKIM signature passed, but none that the receiver accepts"
    / "una firma DKIM fue válida, pero ninguna que acepte el receptor";
    => Dkim Dmarc;

    [X 7 22] "RFC 7372 §3.1" SenderPostmaster;
    "a DKIM signature passed, but none of the domain in From"
    / "una firma DKIM fue válida, pero ninguna del dominio del From";
    - "Sign with d= being the domain of From or its parent" / "Firme con d= igual al dominio del From o su superior";
    => Dkim Dmarc;

    [X 7 23] "RFC 7372 §3.2" SenderPostmaster;
    "SPF failed; Gmail says it of missing reverse DNS too" / "falló SPF; Gmail también lo dice si falta el DNS inverso";
    => Spf ReverseDns;

    [X 7 24] "RFC 7372 §3.2" SenderPostmaster;
    "the SPF record could not be evaluated: malformed, more than one, too many lookups, or DNS did not answer"
    / "no se pudo evaluar el registro SPF: mal escrito, más de uno, demasiadas consultas, o el DNS no respondió";
    => Spf;

    [X 7 25] "RFC 7372 §3.3" SenderPostmaster;
    "the sending server's IP address has no good name in DNS"
    / "la dirección IP del servidor que envía no tiene un nombre correcto en el DNS";
    => ReverseDns;

    [X 7 26] "RFC 7372 §3.4" SenderPostmaster;
    "more than one check of the sender failed: neither SPF nor DKIM proved the domain, or DMARC refuses it; large receivers such as Gmail take no mail without one of them"
    / "falló más de una comprobación del remitente: ni SPF ni DKIM probaron el dominio, o DMARC lo rechaza; los grandes receptores como Gmail no aceptan correo así";
    - "Have the sender's postmaster read the Authentication-Results field of any message that got through to such a receiver: it tells spf=, dkim= and dmarc="
    / "Que el administrador del remitente lea el campo Authentication-Results de un mensaje que sí llegó a un receptor así: indica spf=, dkim= y dmarc=";
    - "One of the two must pass for the domain in From: DKIM with d= that domain (survives forwarding), or SPF with that domain as envelope sender; set up both"
    / "Uno de los dos debe ser válido para el dominio del From: DKIM con d= ese dominio (resiste reenvíos), o SPF con ese dominio en el remitente del sobre; configure ambos";
    - "A newsletter service, web shop or printer sends in your name: give it a DKIM key of your domain and put it into your SPF record"
    / "Si un servicio de boletines, una tienda web o una impresora envía en su nombre: dele una clave DKIM de su dominio e inclúyalo en su registro SPF";
    - "Only forwarded mail is refused: the forwarder must leave the message unchanged and rewrite the envelope sender (SRS)"
    / "Si solo se rechaza el correo reenviado: quien reenvía debe dejar intacto el mensaje y reescribir el remitente del sobre (SRS)";
    => Dmarc Dkim Spf;

    [X 7 27] "RFC 7505 §4.2" SenderPostmaster Sender;
    "the sender's domain says in DNS (null MX) that it takes no mail, so it may not send either; Gmail says it of SPF that failed"
    / "el dominio del remitente dice en el DNS (MX nulo) que no acepta correo, así que tampoco debe enviar; Gmail lo dice cuando falla SPF";
    - "Send from a domain that takes mail, or replace the MX record «0 .»"
    / "Envíe desde un dominio que acepte correo, o sustituya el registro MX «0 .»";
    => Spf;

    [X 7 28] "RFC 5248 §2.1" SenderPostmaster Nobody;
    "too much mail of a kind at once: taken for a flood"
    / "demasiado correo del mismo tipo a la vez: se toma por una avalancha";
    => RateLimit;

    [X 7 29] "RFC 8617 §5.2.2" SenderPostmaster;
    "the chain of ARC seals is broken; Gmail says it of mail that came without TLS"
    / "la cadena de sellos ARC está rota; Gmail lo dice del correo que llega sin TLS";
    - "The forwarder or list that seals has to seal last, after every change"
    / "Quien reenvía o la lista que sella debe sellar al final, después de todo cambio";
    => TlsNeeded;

    [X 7 30] "RFC 8689 §4.2.1" Sender ReceiverPostmaster;
    "the message asks for encryption all the way (REQUIRETLS), and the next server cannot; Gmail says it of DKIM that failed"
    / "el mensaje pide cifrado en todo el camino (REQUIRETLS), y el servidor siguiente no puede; Gmail lo dice cuando falla DKIM";
    - "Send without REQUIRETLS if the content allows it" / "Envíe sin REQUIRETLS si el contenido lo permite";
    => Dkim;
}
