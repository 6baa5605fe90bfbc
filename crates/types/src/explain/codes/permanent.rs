//! 5yz: no, and the same will not work later (RFC 5321 §4.2.1).

entries! {
    /// In numeric order.
    PERMANENT =

    [500] "RFC 5321 §4.2.4" Programmer SenderPostmaster;
    "the server does not know this command, or the line is too long"
    / "el servidor no conoce esta orden, o la línea es demasiado larga";
    - "See in a trace what was sent; a firewall that inspects SMTP may change commands to X…"
    / "Mire en una traza qué se envió; un cortafuegos que inspecciona SMTP puede cambiar las órdenes por X…";
    - "Send EHLO first, and only commands that its answer offers"
    / "Envíe primero EHLO, y solo órdenes que ofrezca su respuesta";

    [501] "RFC 5321 §4.2.4" Programmer Sender;
    "the server does not understand what follows the command, mostly an address"
    / "el servidor no entiende lo que sigue a la orden, casi siempre una dirección";
    - "Look for spaces, missing angle brackets, accents or a comma in the address"
    / "Busque espacios, corchetes angulares que falten, acentos o una coma en la dirección";

    [502] "RFC 5321 §4.2.4" Programmer;
    "the server knows this command and does not do it"
    / "el servidor conoce esta orden y no la ejecuta";
    - "Do without the command: only what the answer to EHLO offers can be expected"
    / "Prescinda de la orden: solo cabe esperar lo que ofrece la respuesta a EHLO";

    [503] "RFC 5321 §4.1.4" Programmer Sender;
    "not at this point: another command has to come first, often because that one was refused"
    / "en este punto no: antes debe venir otra orden, a menudo porque esa fue rechazada";
    - "Look at the reply before this one: it holds the reason"
    / "Mire la respuesta anterior a esta: ahí está la razón";
    - "Mail program: switch on authentication for the outgoing server"
    / "Programa de correo: active la autenticación del servidor de salida";

    [504] "RFC 5321 §4.2.4" Programmer Sender;
    "the server does not do this value of a parameter, for AUTH: not this login method"
    / "el servidor no admite ese valor de un parámetro; con AUTH: no admite ese método de acceso";
    - "Choose a login method or value that the answer to EHLO lists; Postfix also says it of a HELO name that is not complete"
    / "Elija un método o valor que figure en la respuesta a EHLO; Postfix también lo dice de un nombre HELO incompleto";
    => Helo;

    [510] ("few servers" / "pocos servidores") "" Sender;
    "the recipient's address is wrong" / "la dirección del destinatario es incorrecta";
    => UserUnknown;

    [511] ("few servers" / "pocos servidores") "" Sender;
    "the recipient's address is wrong" / "la dirección del destinatario es incorrecta";
    => UserUnknown;

    [512] ("few servers" / "pocos servidores") "" Sender ReceiverPostmaster;
    "the recipient's domain was not found in DNS" / "no se encontró en el DNS el dominio del destinatario";
    => DomainUnknown;

    [513] ("few servers" / "pocos servidores") "" Sender SenderPostmaster;
    "the form of the address is wrong" / "la forma de la dirección es incorrecta";
    - "Check the address for spaces, a second @ and stray punctuation"
    / "Revise si la dirección tiene espacios, otra @ o signos sueltos";

    [521] "RFC 7504 §3" Sender SenderPostmaster;
    "this host never takes mail; some servers say it to a client they do not want, and close"
    / "este equipo nunca acepta correo; algunos servidores lo dicen a un cliente que no quieren, y cierran";
    - "Check the domain of the address; if it is right, its owner has to correct the MX record"
    / "Revise el dominio de la dirección; si es correcto, su dueño debe corregir el registro MX";
    - "If others get through, your server is refused: read the text for a blocklist"
    / "Si otros sí llegan, rechazan su servidor: busque en el texto una lista de bloqueo";
    => Blocklist;

    [523] "RFC 5248 §2.4" Sender SenderPostmaster;
    "encryption is needed before this login; some servers use it for messages that are too large"
    / "hace falta cifrar antes de identificarse así; algunos servidores lo usan para mensajes demasiado grandes";
    - "Set the mail program to STARTTLS (587) or TLS (465)"
    / "Configure el programa de correo con STARTTLS (587) o TLS (465)";
    => TlsNeeded TooBig;

    [524] "RFC 5248 §2.4" Sender SenderPostmaster;
    "this login method needs an encrypted connection" / "este método de acceso necesita una conexión cifrada";
    => TlsNeeded;

    [525] "RFC 5248 §2.4" Sender SenderPostmaster;
    "the account is disabled: the password was right, but the user may not log in"
    / "la cuenta está desactivada: la contraseña era correcta, pero el usuario no puede entrar";
    - "Ask your postmaster or provider why, and have it opened again"
    / "Pregunte a su administrador o proveedor el motivo y pida que la reabran";

    [530] "RFC 4954 §6" Sender SenderPostmaster;
    "log in first; with a text about STARTTLS: encrypt first"
    / "primero hay que identificarse; si el texto habla de STARTTLS: primero hay que cifrar";
    - "Switch on authentication for the outgoing server, with STARTTLS (587) or TLS (465)"
    / "Active la autenticación del servidor de salida, con STARTTLS (587) o TLS (465)";
    => LoginNeeded TlsNeeded;

    [533] "RFC 5248 §2.4" Sender SenderPostmaster;
    "the server does not take this sender or recipient" / "el servidor no acepta este remitente o destinatario";
    => RelayDenied Restricted;

    [534] "RFC 4954 §6" Sender SenderPostmaster;
    "this login method is too weak for the server; Google says it where an app password or a web login is wanted"
    / "este método de acceso es demasiado débil para el servidor; Google lo dice cuando quiere una contraseña de aplicación o un acceso por web";
    - "Choose a stronger method, or make an app password" / "Elija un método más fuerte o cree una contraseña de aplicación";
    => LoginFailed;

    [535] "RFC 4954 §6" Sender SenderPostmaster;
    "user or password are wrong, or this way of logging in is switched off"
    / "el usuario o la contraseña son incorrectos, o ese modo de acceso está desactivado";
    => LoginFailed;

    [538] "RFC 4954 §6" Sender SenderPostmaster;
    "this login method needs an encrypted connection; an old code, for which 530 or 534 stand today"
    / "este método de acceso necesita una conexión cifrada; código antiguo, hoy se usan 530 o 534";
    => TlsNeeded;

    [541] ("servers with a spam filter of their own" / "servidores con un filtro propio") "" SenderPostmaster Sender;
    "the recipient's filter refused the message" / "el filtro del destinatario rechazó el mensaje";
    => Spam Blocklist;

    [550] "RFC 5321 §4.2.3" Sender SenderPostmaster ReceiverPostmaster;
    "the mailbox cannot be used: there is none of that name, or policy refuses the mail"
    / "el buzón no se puede usar: no existe con ese nombre, o la política rechaza el correo";
    - "Read the text and the code with dots: they tell the one from the other"
    / "Lea el texto y el código con puntos: distinguen lo uno de lo otro";
    => UserUnknown Unauthenticated Blocklist Spam RelayDenied;

    [551] "RFC 5321 §3.4" Sender;
    "the recipient is elsewhere, and the server does not forward"
    / "el destinatario está en otro sitio, y el servidor no reenvía";
    - "Send to the address that the text names, and correct your address book"
    / "Envíe a la dirección que dice el texto y corrija su libreta de direcciones";

    [552] "RFC 5321 §4.2.3" Sender Recipient;
    "the message is too big, or the mailbox is full; some old servers mean too many recipients, which a client then treats as 452"
    / "el mensaje es demasiado grande, o el buzón está lleno; algunos servidores viejos indican así demasiados destinatarios, y el cliente lo trata como 452";
    - "Size: send a link in place of the file; full: tell the recipient by another way"
    / "Tamaño: envíe un enlace en lugar del archivo; lleno: avise al destinatario por otro medio";
    => TooBig MailboxFull;

    [553] "RFC 5321 §4.2.3" Sender SenderPostmaster;
    "the name of the mailbox is not allowed: malformed, or not one that you may send from or to"
    / "el nombre del buzón no está permitido: mal formado, o no puede usarlo como remitente o destinatario";
    - "Check both addresses, the sender's too" / "Revise ambas direcciones, también la del remitente";
    => SendAs RelayDenied;

    [554] "RFC 5321 §4.2.3" SenderPostmaster Sender;
    "the message was refused; as a first word of the server: no mail service here for you"
    / "se rechazó el mensaje; como primera respuesta del servidor: aquí no hay servicio de correo para usted";
    - "Read the text: it names the reason or a page about it" / "Lea el texto: nombra la razón o una página sobre ella";
    => Spam Blocklist RelayDenied;

    [555] "RFC 5321 §4.1.1.11" Programmer SenderPostmaster;
    "the server does not know a parameter of MAIL or RCPT"
    / "el servidor no conoce un parámetro de MAIL o RCPT";
    - "Send only parameters whose extension the answer to EHLO lists; addresses must be in angle brackets"
    / "Envíe solo parámetros cuya extensión figure en la respuesta a EHLO; las direcciones van entre corchetes angulares";

    [556] "RFC 7504 §4" Sender;
    "the recipient's domain takes no mail, as its DNS says"
    / "el dominio del destinatario no acepta correo, según dice su DNS";
    - "Check the domain; if it is right, ask the recipient for another address"
    / "Revise el dominio; si es correcto, pida otra dirección al destinatario";

    [557] ("few servers" / "pocos servidores") "" SenderPostmaster;
    "refused by a policy of that server; no RFC gives this code a meaning"
    / "rechazado por una política de ese servidor; ningún RFC da significado a este código";
    - "Read the text after the code, and ask that server's postmaster with it"
    / "Lea el texto que sigue al código y pregunte con él al administrador de ese servidor";
    => Spam Blocklist;

    [571] ("few servers, in place of 550 5.7.1" / "pocos servidores, en lugar de 550 5.7.1") "" SenderPostmaster Sender;
    "refused by policy" / "rechazado por la política";
    => Spam Blocklist Restricted;
}
