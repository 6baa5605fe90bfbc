//! What each cause means and what to do about it.

entries! {
    /// One row for each cause.
    CAUSES =

    [Greylisting] "RFC 6647" Nobody SenderPostmaster;
    "the receiver puts off the first message of an unknown sender on purpose and takes it when it comes again"
    / "el receptor aplaza a propósito el primer mensaje de un remitente desconocido y lo acepta cuando vuelve";
    - "Wait: the second attempt, some minutes later, mostly gets through"
    / "Espere: el segundo intento, unos minutos después, suele pasar";
    - "If it lasts for hours, see that your server tries again from the same IP address and with the same sender address"
    / "Si dura horas, compruebe que su servidor reintenta desde la misma dirección IP y con la misma dirección de remitente";

    [UserUnknown] "RFC 5321 §3.3" Sender ReceiverPostmaster;
    "the receiving server knows no such recipient"
    / "el servidor receptor no conoce a ese destinatario";
    - "Compare the address letter by letter with one that has worked, on both sides of the @"
    / "Compare la dirección letra por letra con una que haya funcionado, a ambos lados de la @";
    - "Ask the recipient by another way whether the address is still in use"
    / "Pregunte al destinatario por otro medio si todavía usa esa dirección";
    - "Senders of lists: remove the address at once, repeated tries harm your reputation"
    / "Si envía a listas: borre la dirección ya, insistir daña su reputación";
    - "If the address is right, its postmaster has to look at the accounts, aliases and forwarding"
    / "Si la dirección es correcta, su administrador debe revisar cuentas, alias y reenvíos";

    [MailboxFull] "RFC 3463 §3.3" Recipient Nobody;
    "the recipient's mailbox is full"
    / "el buzón del destinatario está lleno";
    - "Tell the recipient by another way: only deleting mail or a larger quota helps"
    / "Avise al destinatario por otro medio: solo sirve borrar correo o ampliar la cuota";
    - "Send it again when there is room"
    / "Vuelva a enviarlo cuando haya sitio";

    [AccountDisabled] "RFC 3463 §3.3" Recipient ReceiverPostmaster;
    "the account is there, but it is closed, suspended or not in use"
    / "la cuenta existe, pero está cerrada, suspendida o sin uso";
    - "Ask the recipient by another way for an address that is in use"
    / "Pida al destinatario por otro medio una dirección que use";
    - "Only the recipient's provider can open the account again"
    / "Solo el proveedor del destinatario puede reabrir la cuenta";

    [RelayDenied] "RFC 5321 §3.6.2" Sender SenderPostmaster ReceiverPostmaster;
    "the server takes mail for its own domains or from users who have logged in, and this was neither"
    / "el servidor solo acepta correo para sus dominios o de usuarios identificados, y este no era el caso";
    - "Mail program: switch on authentication for the outgoing server and use port 587 or 465, not 25"
    / "Programa de correo: active la autenticación del servidor de salida y use el puerto 587 o 465, no el 25";
    - "Your own domain is refused: its MX points to a server that has not been told about it; add the domain there or correct the MX"
    / "Si rechaza su propio dominio: el MX apunta a un servidor que no lo conoce; añada allí el dominio o corrija el MX";
    - "Printer or program in the network: give it an account, or let the postmaster trust its address"
    / "Impresora o programa de la red: dele una cuenta o pida al administrador que confíe en su dirección";

    [SendAs] "RFC 6409 §6.1" Sender SenderPostmaster;
    "the account that logged in may not send with this sender address"
    / "la cuenta identificada no puede enviar con esa dirección de remitente";
    - "Send from the address of the account, or choose the account that owns the address"
    / "Envíe desde la dirección de la cuenta, o elija la cuenta a la que pertenece la dirección";
    - "Or ask your postmaster for the right to send as that address"
    / "O pida a su administrador permiso para enviar con esa dirección";

    [LoginNeeded] "RFC 4954 §6" Sender SenderPostmaster;
    "the server wants a login before it takes mail"
    / "el servidor exige identificarse antes de aceptar correo";
    - "Switch on authentication for the outgoing server in the mail program, with the full address as user"
    / "Active la autenticación del servidor de salida en el programa de correo, con la dirección completa como usuario";
    - "Use port 587 with STARTTLS or 465 with TLS"
    / "Use el puerto 587 con STARTTLS o el 465 con TLS";

    [LoginFailed] "RFC 4954 §6" Sender SenderPostmaster;
    "user and password, or the way of logging in, were not accepted"
    / "no se aceptó el usuario, la contraseña o el método de acceso";
    - "Type the password anew; the user is mostly the full address"
    / "Escriba de nuevo la contraseña; el usuario suele ser la dirección completa";
    - "With two-step login make an app password, or use a program that knows OAuth: some providers take no plain password any more"
    / "Con verificación en dos pasos cree una contraseña de aplicación o use un programa con OAuth: algunos proveedores ya no admiten contraseñas simples";
    - "After many tries wait some minutes: the server may slow you down"
    / "Tras muchos intentos espere unos minutos: el servidor puede frenarlo";

    [TlsNeeded] "RFC 3207 §4" Sender SenderPostmaster;
    "the server wants an encrypted connection first"
    / "el servidor exige antes una conexión cifrada";
    - "Mail program: set the outgoing server to STARTTLS on port 587 or to TLS on port 465"
    / "Programa de correo: configure el servidor de salida con STARTTLS en el puerto 587 o TLS en el 465";
    - "Mail server: switch on TLS for outgoing mail and test it with openssl s_client -starttls smtp"
    / "Servidor de correo: active TLS para el correo saliente y pruébelo con openssl s_client -starttls smtp";

    [Blocklist] "RFC 5782 §2" SenderPostmaster;
    "the sending server's IP address or domain is on a blocklist or has a bad name with the receiver"
    / "la dirección IP o el dominio del servidor que envía está en una lista de bloqueo o tiene mala fama ante el receptor";
    - "Read which list or page the text names and look your IP address up there; it says why"
    / "Mire qué lista o página nombra el texto y busque allí su dirección IP; explica el motivo";
    - "Find and stop the cause first: a stolen password, an infected web site, a list of old addresses"
    / "Primero busque y corte la causa: una contraseña robada, una web infectada, una lista de direcciones viejas";
    - "Then ask for removal on that page; do not pay for it"
    / "Después pida la baja en esa página; no pague por ello";
    - "An address for home connections is always listed: send through your provider's server"
    / "Una IP de conexión doméstica siempre figura: envíe por el servidor de su proveedor";

    [Dmarc] "RFC 7489 §10.3" SenderPostmaster;
    "neither SPF nor DKIM passed for the domain in the From field, and that domain's DMARC policy, or the receiver's, says to refuse it"
    / "ni SPF ni DKIM son válidos para el dominio del campo From, y la política DMARC de ese dominio, o la del receptor, manda rechazarlo";
    - "Sign with DKIM, d= being the domain of From or its parent; that passes even where mail is forwarded"
    / "Firme con DKIM, con d= igual al dominio del From o su superior; eso vale incluso si el correo se reenvía";
    - "Make the envelope sender (Return-Path) the same domain and list the sending server in its SPF record"
    / "Use el mismo dominio en el remitente del sobre (Return-Path) e incluya el servidor en su registro SPF";
    - "Publish _dmarc.YOUR-DOMAIN with v=DMARC1; p=none; rua=mailto:… and read the reports before a stricter policy"
    / "Publique _dmarc.SU-DOMINIO con v=DMARC1; p=none; rua=mailto:… y lea los informes antes de endurecer la política";
    - "Do not send with an address of a free provider in From through a server of your own"
    / "No envíe con una dirección de un proveedor gratuito en From desde un servidor propio";

    [Spf] "RFC 7208 §8.4" SenderPostmaster;
    "the SPF record of the envelope sender's domain does not name the server that sent"
    / "el registro SPF del dominio del remitente del sobre no incluye el servidor que envió";
    - "Look the record up: dig TXT YOUR-DOMAIN; there must be exactly one that begins with v=spf1"
    / "Consulte el registro: dig TXT SU-DOMINIO; debe haber exactamente uno que empiece por v=spf1";
    - "Add the sending server (ip4:, ip6: or include: of the provider), at most 10 DNS lookups in all"
    / "Añada el servidor que envía (ip4:, ip6: o include: del proveedor), con 10 consultas DNS como máximo en total";
    - "Forwarded mail fails SPF by nature: the forwarder has to rewrite the envelope sender, or DKIM has to pass"
    / "El correo reenviado incumple SPF por naturaleza: quien reenvía debe reescribir el remitente del sobre, o DKIM debe ser válido";

    [Dkim] "RFC 6376 §6.1" SenderPostmaster;
    "there is no DKIM signature that passes"
    / "no hay ninguna firma DKIM válida";
    - "See that the server signs at all, and that dig TXT SELECTOR._domainkey.YOUR-DOMAIN shows the public key"
    / "Compruebe que el servidor firma y que dig TXT SELECTOR._domainkey.SU-DOMINIO muestra la clave pública";
    - "Sign last: nothing may change the message afterwards (footers, antivirus, lists)"
    / "Firme al final: después nada puede cambiar el mensaje (pies, antivirus, listas)";
    - "Use rsa-sha256 with a key of 2048 bits, and a body limit (l=) never"
    / "Use rsa-sha256 con una clave de 2048 bits y nunca un límite de cuerpo (l=)";

    [Unauthenticated] "RFC 7372 §3.4" SenderPostmaster;
    "the receiver takes only mail whose domain is proved by SPF or DKIM, and neither passed"
    / "el receptor solo acepta correo cuyo dominio se prueba con SPF o DKIM, y ninguno fue válido";
    - "Send a message to an account of yours at that receiver's and read the Authentication-Results field: it says which check failed"
    / "Envíe un mensaje a una cuenta suya en ese receptor y lea el campo Authentication-Results: dice qué comprobación falló";
    - "SPF: exactly one TXT record v=spf1 that lists every server that sends for the domain"
    / "SPF: exactamente un registro TXT v=spf1 con todos los servidores que envían por el dominio";
    - "DKIM: switch signing on, and publish the key under SELECTOR._domainkey.YOUR-DOMAIN"
    / "DKIM: active la firma y publique la clave en SELECTOR._domainkey.SU-DOMINIO";
    - "DMARC: publish at least p=none; the domain of SPF or DKIM must be that of From"
    / "DMARC: publique al menos p=none; el dominio de SPF o DKIM debe ser el del From";

    [ReverseDns] "RFC 7372 §3.3" SenderPostmaster;
    "the IP address of the sending server has no name in DNS, or the name does not lead back to it"
    / "la dirección IP del servidor que envía no tiene nombre en el DNS, o el nombre no lleva de vuelta a ella";
    - "Have whoever owns the IP address (hosting or line provider) set its PTR record to the server's name"
    / "Pida al dueño de la IP (proveedor de alojamiento o de línea) que ponga su registro PTR con el nombre del servidor";
    - "See that this name has an A or AAAA record with the same address, for IPv4 and for IPv6"
    / "Compruebe que ese nombre tiene un registro A o AAAA con la misma dirección, en IPv4 y en IPv6";

    [Helo] "RFC 5321 §4.1.1.1" SenderPostmaster;
    "the name that the sending server gave in HELO or EHLO is not accepted"
    / "no se acepta el nombre que el servidor que envía dio en HELO o EHLO";
    - "Set it to the full name of the server, one that is in DNS; never localhost or a bare IP address"
    / "Ponga el nombre completo del servidor, uno que esté en el DNS; nunca localhost ni una IP sola";

    [Restricted] "RFC 3463 §3.8" Sender Recipient ReceiverPostmaster;
    "the recipient or list takes mail from certain senders only"
    / "el destinatario o la lista solo acepta correo de ciertos remitentes";
    - "List: write from the address that is subscribed, or ask its owner"
    / "Lista: escriba desde la dirección suscrita, o pregunte a su responsable";
    - "Person or group in a company: ask by another way to be allowed"
    / "Persona o grupo de una empresa: pida por otro medio que le den permiso";

    [Malware] "RFC 3463 §3.8" Sender SenderPostmaster;
    "an attachment or link is of a kind that the receiver does not let through"
    / "un adjunto o un enlace es de un tipo que el receptor no deja pasar";
    - "Check your computer for malware if you did not mean to send this"
    / "Si no quiso enviar esto, revise su equipo en busca de programas maliciosos";
    - "Put the file on a web page and send a link, or ask the recipient which kinds pass; programs in archives are refused as well"
    / "Suba el archivo a una web y envíe un enlace, o pregunte al destinatario qué tipos pasan; también se rechazan programas dentro de comprimidos";

    [Spam] "RFC 3463 §3.8" SenderPostmaster Sender;
    "a filter takes the message for spam"
    / "un filtro considera que el mensaje es correo no deseado";
    - "Send a short plain message without links: if that passes, it is the content (shorteners, images alone, link texts that hide the address)"
    / "Envíe un mensaje corto y sin enlaces: si pasa, es el contenido (acortadores, solo imágenes, enlaces que ocultan la dirección)";
    - "If that fails too, it is the server's reputation: check blocklists, SPF, DKIM and DMARC, and for stolen passwords"
    / "Si tampoco pasa, es la reputación del servidor: revise listas de bloqueo, SPF, DKIM, DMARC y contraseñas robadas";
    - "Ask the recipient to allow your address, or their postmaster to look"
    / "Pida al destinatario que permita su dirección, o a su administrador que lo mire";

    [RateLimit] "RFC 3463 §3.8" Nobody SenderPostmaster;
    "more came in a short time than the receiver takes from one sender, or for one recipient"
    / "llegó en poco tiempo más de lo que el receptor acepta de un remitente o para un destinatario";
    - "Wait: your server tries again, more slowly"
    / "Espere: su servidor reintenta, más despacio";
    - "Send in small lots with fewer connections at once; a new IP address starts with little and grows over weeks"
    / "Envíe en lotes pequeños y con menos conexiones a la vez; una IP nueva empieza con poco y crece durante semanas";
    - "If you did not send so much, look for a stolen password or a form that is abused"
    / "Si no ha enviado tanto, busque una contraseña robada o un formulario del que abusan";

    [TooBig] "RFC 1870 §6" Sender;
    "the message is larger than is taken"
    / "el mensaje es más grande de lo que se acepta";
    - "Send a link to the file, or smaller files; encoding makes attachments a third larger"
    / "Envíe un enlace al archivo, o archivos más pequeños; la codificación agranda un tercio los adjuntos";

    [TooManyRecipients] "RFC 5321 §4.5.3.1.10" Sender SenderPostmaster;
    "there are more recipients than are taken at once"
    / "hay más destinatarios de los que se aceptan de una vez";
    - "A server sends the rest by itself; in a mail program send in groups, or use a mailing list"
    / "Un servidor envía el resto por sí solo; en un programa de correo envíe por grupos o use una lista de correo";

    [SenderDomain] "RFC 3463 §3.2" Sender SenderPostmaster;
    "the domain of the sender address does not exist or takes no answer"
    / "el dominio de la dirección del remitente no existe o no admite respuestas";
    - "Check your own address in the mail program for a mistyped domain"
    / "Revise en el programa de correo si su propia dirección tiene mal el dominio";
    - "The sender's domain needs an MX or A record that the receiver can see: dig MX YOUR-DOMAIN"
    / "El dominio del remitente necesita un registro MX o A visible para el receptor: dig MX SU-DOMINIO";

    [DomainUnknown] "RFC 5321 §5.1" Sender ReceiverPostmaster;
    "the domain of the recipient address was not found in DNS"
    / "no se encontró en el DNS el dominio de la dirección del destinatario";
    - "Check what is written after the @"
    / "Revise lo que está escrito después de la @";
    - "Look it up: dig MX DOMAIN; if it has just lapsed or moved, its owner has to act"
    / "Consúltelo: dig MX DOMINIO; si ha caducado o cambiado de sitio, debe actuar su dueño";

    [Loop] "RFC 5321 §6.3" ReceiverPostmaster SenderPostmaster;
    "the message goes in a circle between servers or forwardings"
    / "el mensaje da vueltas entre servidores o reenvíos";
    - "Read its Received fields: the names that repeat are the circle"
    / "Lea sus campos Received: los nombres que se repiten forman el círculo";
    - "Look for two forwardings that point at each other, or an MX to a server that sends mail for the domain back"
    / "Busque dos reenvíos que se apunten entre sí, o un MX a un servidor que devuelve el correo del dominio";

    [Unreachable] "RFC 3463 §3.5" Nobody ReceiverPostmaster SenderPostmaster;
    "the receiving server could not be reached, or the connection broke off"
    / "no se pudo llegar al servidor receptor, o se cortó la conexión";
    - "Wait: outages mostly end within the days for which a server tries"
    / "Espere: los cortes suelen acabar dentro de los días en que un servidor reintenta";
    - "If it meets every domain: your provider or firewall blocks port 25 outwards"
    / "Si ocurre con todos los dominios: su proveedor o cortafuegos bloquea la salida por el puerto 25";
    - "If it meets one: try nc -v HOST 25 from the server, and tell its postmaster by another way"
    / "Si ocurre con uno: pruebe nc -v SERVIDOR 25 desde el servidor y avise a su administrador por otro medio";

    [Expired] "RFC 5321 §4.5.4.1" Sender ReceiverPostmaster;
    "the message could not be delivered for days, and the server has given up"
    / "el mensaje no se pudo entregar durante días y el servidor ha desistido";
    - "Look in the report for the last reply: it names the true reason"
    / "Busque en el informe la última respuesta: nombra la razón verdadera";
    - "Send it again once the receiving side works"
    / "Vuelva a enviarlo cuando el lado receptor funcione";

    [DiskFull] "RFC 5321 §4.2.3" Nobody ReceiverPostmaster;
    "the receiving server has no room left"
    / "el servidor receptor no tiene espacio libre";
    - "Wait; if it lasts for a day, tell its postmaster by another way"
    / "Espere; si dura un día, avise a su administrador por otro medio";

    [LineEnds] "RFC 5321 §2.3.8" Programmer SenderPostmaster;
    "the message has line ends that are not CRLF, which is refused because it can hide a second message"
    / "el mensaje tiene finales de línea que no son CRLF, y se rechaza porque pueden ocultar un segundo mensaje";
    - "The sending program has to write CR and LF at the end of each line"
    / "El programa que envía debe escribir CR y LF al final de cada línea";
}
