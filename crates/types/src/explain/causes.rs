//! Causes that servers name in the text of a reply and not in its code: greylisting, blocklists, DMARC and the
//! like. A table of words finds them; each has a row like that of a code.

/// What made a server refuse or defer a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table says what each one means, for people, in two languages")]
pub enum CauseKind {
    Greylisting,
    UserUnknown,
    MailboxFull,
    AccountDisabled,
    RelayDenied,
    SendAs,
    LoginNeeded,
    LoginFailed,
    TlsNeeded,
    Blocklist,
    Dmarc,
    Spf,
    Dkim,
    Unauthenticated,
    ReverseDns,
    Helo,
    Restricted,
    Malware,
    Spam,
    RateLimit,
    TooBig,
    TooManyRecipients,
    SenderDomain,
    DomainUnknown,
    Loop,
    Expired,
    Unreachable,
    DiskFull,
    LineEnds,
}

impl CauseKind {
    /// As programs call it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Greylisting => "greylisting",
            Self::UserUnknown => "user_unknown",
            Self::MailboxFull => "mailbox_full",
            Self::AccountDisabled => "account_disabled",
            Self::RelayDenied => "relay_denied",
            Self::SendAs => "send_as",
            Self::LoginNeeded => "login_needed",
            Self::LoginFailed => "login_failed",
            Self::TlsNeeded => "tls_needed",
            Self::Blocklist => "blocklist",
            Self::Dmarc => "dmarc",
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Unauthenticated => "unauthenticated",
            Self::ReverseDns => "reverse_dns",
            Self::Helo => "helo",
            Self::Restricted => "restricted",
            Self::Malware => "malware",
            Self::Spam => "spam",
            Self::RateLimit => "rate_limit",
            Self::TooBig => "too_big",
            Self::TooManyRecipients => "too_many_recipients",
            Self::SenderDomain => "sender_domain",
            Self::DomainUnknown => "domain_unknown",
            Self::Loop => "loop",
            Self::Expired => "expired",
            Self::Unreachable => "unreachable",
            Self::DiskFull => "disk_full",
            Self::LineEnds => "line_ends",
        }
    }
}

/// The causes that `text` names, in the order of the table, at most [`CAUSES_IN_TEXT_MAX`].
#[must_use]
pub fn causes_in(text: &str) -> Vec<CauseKind> {
    let text = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found: Vec<CauseKind> = WORDS
        .iter()
        .filter(|(_, phrases)| phrases.iter().any(|phrase| names(&text, phrase)))
        .map(|(kind, _)| *kind)
        .collect();
    for (plain, vague) in BEATS {
        if found.contains(plain) {
            found.retain(|kind| kind != vague);
        }
    }
    found.truncate(CAUSES_IN_TEXT_MAX);
    found
}

/// Where the first is found, the second is only words that go with it.
const BEATS: &[(CauseKind, CauseKind)] = &[
    (CauseKind::Dmarc, CauseKind::Unauthenticated),
    (CauseKind::Spf, CauseKind::Unauthenticated),
    (CauseKind::Dkim, CauseKind::Unauthenticated),
    (CauseKind::Blocklist, CauseKind::Spam),
    (CauseKind::SenderDomain, CauseKind::DomainUnknown),
    (CauseKind::SenderDomain, CauseKind::UserUnknown),
    (CauseKind::DomainUnknown, CauseKind::UserUnknown),
    (CauseKind::AccountDisabled, CauseKind::UserUnknown),
    (CauseKind::MailboxFull, CauseKind::UserUnknown),
    (CauseKind::SendAs, CauseKind::LoginNeeded),
];

/// A text that names more than this says nothing clear.
const CAUSES_IN_TEXT_MAX: usize = 2;

/// Whether `phrase` stands in `text` as whole words; one that ends in `*` is the beginning of a word.
fn names(text: &str, phrase: &str) -> bool {
    let (phrase, is_prefix) = phrase.strip_suffix('*').map_or((phrase, false), |prefix| (prefix, true));
    text.match_indices(phrase).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && (is_prefix || !after.is_some_and(char::is_alphanumeric))
    })
}

/// In lower case. The order is that of the answer: what is said plainly comes before what may stand beside it.
const WORDS: &[(CauseKind, &[&str])] = &[
    (CauseKind::Greylisting, &["greylist*", "graylist*", "grey-list*", "gray-list*", "postgrey"]),
    (CauseKind::Dmarc, &["dmarc", "domain-based message authentication"]),
    (
        CauseKind::Spf,
        &["spf", "sender policy framework", "not allowed to send mail from", "not a permitted sender"],
    ),
    (CauseKind::Dkim, &["dkim", "domainkeys"]),
    (
        CauseKind::Unauthenticated,
        &[
            "unauthenticated email",
            "unauthenticated mail",
            "unauthenticated sender",
            "authentication information",
            "authentication checks",
            "required authentication level",
            "sender is unauthenticated",
        ],
    ),
    (
        CauseKind::Blocklist,
        &[
            "blocklist*",
            "block list",
            "blacklist*",
            "black list",
            "block-list*",
            "dnsbl",
            "rbl",
            "spamhaus",
            "spamcop",
            "barracudacentral",
            "uceprotect",
            "banned sending ip",
            "ip address is blocked",
            "poor reputation",
            "low reputation",
            "bad reputation",
            "reputation of",
        ],
    ),
    (
        CauseKind::ReverseDns,
        &[
            "reverse dns",
            "reverse hostname",
            "reverse lookup",
            "ptr",
            "rdns",
            "no ptr",
            "cannot find your hostname",
            "client host rejected: cannot find",
        ],
    ),
    (
        CauseKind::Helo,
        &["helo command rejected", "invalid helo", "bad helo", "helo name", "ehlo name", "helo/ehlo"],
    ),
    (
        CauseKind::SendAs,
        &[
            "sendasdenied*",
            "send as this sender",
            "permissions to send as",
            "permission to send as",
            "not owned by user",
            "sender address rejected: not logged in",
            "not allowed to send as",
        ],
    ),
    (
        CauseKind::LoginFailed,
        &[
            "authentication failed",
            "authentication failure",
            "authentication unsuccessful",
            "username and password not accepted",
            "badcredentials",
            "incorrect authentication data",
            "invalid credentials",
            "application-specific password",
            "invalid login",
            "bad username or password",
            "basicauthblocked",
            "basic authentication is disabled",
        ],
    ),
    (
        CauseKind::LoginNeeded,
        &[
            "authentication required",
            "authentication is required",
            "not authenticated",
            "please authenticate",
            "login first",
            "log in first",
            "must authenticate",
            "smtp auth required",
            "pop before smtp",
        ],
    ),
    (
        CauseKind::TlsNeeded,
        &[
            "starttls",
            "tls required",
            "requires tls",
            "require tls",
            "tls connection",
            "encryption required",
            "encryption needed",
            "requiretls",
        ],
    ),
    (
        CauseKind::RelayDenied,
        &[
            "relay access denied",
            "relaying denied",
            "relay denied",
            "relay not permitted",
            "relaying not allowed",
            "not permitted to relay",
            "unable to relay",
            "relay prohibited",
            "does not relay",
            "not relay",
            "relaying prohibited",
            "relay mail",
            "we do not relay",
            "relaying is not",
        ],
    ),
    (
        CauseKind::AccountDisabled,
        &[
            "account disabled",
            "account is disabled",
            "account that you tried to reach is disabled",
            "mailbox disabled",
            "mailbox is disabled",
            "mailbox is inactive",
            "account is inactive",
            "account inactive",
            "deactivated",
            "suspended",
            "accountdisabled*",
            "account has been disabled",
        ],
    ),
    (
        CauseKind::MailboxFull,
        &[
            "mailbox full",
            "mailbox is full",
            "inbox is full",
            "inbox is out of storage",
            "out of storage",
            "over quota",
            "overquota",
            "quota exceeded",
            "exceeded storage",
            "exceeds quota",
            "exceeded their quota",
            "exceeded his/her quota",
            "disk quota",
            "quotaexceeded*",
            "insufficient quota",
        ],
    ),
    (
        CauseKind::UserUnknown,
        &[
            "user unknown",
            "unknown user",
            "no such user",
            "no such mailbox",
            "no such recipient",
            "no such address",
            "recipient unknown",
            "unknown recipient",
            "unknown e-mail address",
            "unknown email address",
            "does not exist",
            "doesn't exist",
            "doesn't have",
            "user not found",
            "recipient not found",
            "recipientnotfound",
            "recipnotfound",
            "not found by smtp address lookup",
            "no mailbox here",
            "mailbox not found",
            "mailbox unavailable",
            "invalid recipient",
            "invalid mailbox",
            "address rejected: access denied",
            "undeliverable address",
            "unrouteable address",
            "unroutable address",
            "addressee unknown",
            "not our customer",
        ],
    ),
    (
        CauseKind::Restricted,
        &[
            "not allowed to post",
            "members only",
            "members-only",
            "member only",
            "only members",
            "post by non-member",
            "not authorized to send to",
            "not authorized to post",
            "restricted*",
            "only accepts messages from",
            "only accepts mail from",
            "resolver.rst.*",
            "notauthorized",
        ],
    ),
    (
        CauseKind::Malware,
        &[
            "virus",
            "malware",
            "infected",
            "phish*",
            "banned",
            "attachment type",
            "attachment not allowed",
            "blocked attachment",
            "attachments are not",
            "executable*",
            "blocked for security reasons",
            "potential security issue",
        ],
    ),
    (
        CauseKind::TooBig,
        &[
            "message size exceeds",
            "message too large",
            "message too big",
            "message is too large",
            "message is larger",
            "too large",
            "size limit",
            "exceeds fixed maximum",
            "exceeded google's message size limits",
            "maximum message size",
            "maximum size",
        ],
    ),
    (CauseKind::TooManyRecipients, &["too many recipients", "too many rcpts", "recipient limit"]),
    (
        CauseKind::Spam,
        &[
            "spam",
            "unsolicited",
            "junk",
            "bulk mail",
            "content rejected",
            "content filter",
            "message content",
            "content policy",
            "spamassassin",
        ],
    ),
    (
        CauseKind::RateLimit,
        &[
            "rate limit*",
            "rate limited",
            "rate-limit*",
            "ratelimit*",
            "throttl*",
            "too many messages",
            "too many emails",
            "too many connections",
            "too much mail",
            "too quickly",
            "too fast",
            "unusual rate",
            "at a rate",
            "sending limit",
            "sending quota",
            "message limit",
            "thread limit exceeded",
            "mail flood",
            "temporarily deferred",
            "concurrent connections",
        ],
    ),
    (
        CauseKind::SenderDomain,
        &[
            "domain of sender address",
            "sender address rejected: domain not found",
            "sender domain",
            "sending domain does not exist",
            "sender verify failed",
            "sender verification failed",
            "domain must resolve",
            "sender unknown",
        ],
    ),
    (
        CauseKind::DomainUnknown,
        &[
            "host or domain name not found",
            "domain name not found",
            "domain not found",
            "name or service not known",
            "nxdomain",
            "host not found",
            "host unknown",
            "unknown host",
            "unknown domain",
            "host name lookup failure",
            "no mx",
            "all relevant mx records point to non-existent hosts",
            "domain does not exist",
        ],
    ),
    (
        CauseKind::Loop,
        &[
            "mail loop",
            "loops back to myself",
            "too many hops",
            "hop count exceeded",
            "hop count",
            "routing loop",
            "message looping",
            "too many \"received\" headers",
            "loop detected",
        ],
    ),
    (
        CauseKind::Unreachable,
        &[
            "connection refused",
            "connection timed out",
            "connection timeout",
            "connection dropped",
            "connection reset",
            "lost connection",
            "network is unreachable",
            "network unreachable",
            "no route to host",
            "operation timed out",
            "timed out while",
            "host down",
            "not responding",
            "tcp read error",
            "tcp write error",
            "could not connect",
            "failed to connect",
        ],
    ),
    (
        CauseKind::Expired,
        &[
            "message expired",
            "delivery time expired",
            "expired",
            "retry timeout exceeded",
            "retry time not reached for any host after a long failure period",
            "message timed out",
            "too old",
            "been in queue too long",
            "giving up",
        ],
    ),
    (
        CauseKind::DiskFull,
        &[
            "insufficient system storage",
            "insufficient disk",
            "insufficient system resources",
            "no space left",
            "disk full",
            "not enough disk",
        ],
    ),
    (
        CauseKind::LineEnds,
        &["bare lf", "bare <lf>", "bare newline", "bare linefeed", "bare cr", "line ending*"],
    ),
];

entries! {
    /// One row for each cause.
    CAUSES =

    [Greylisting] "RFC 6647 §2" Nobody SenderPostmaster;
    "the receiver puts off the first message of an unknown sender on purpose and takes it when it comes again"
    / "el receptor aplaza a propósito el primer mensaje de un remitente desconocido y lo acepta cuando vuelve";
    - "Wait: the second attempt, some minutes later, mostly gets through"
    / "Espere: el segundo intento, unos minutos después, suele pasar";
    - "If it lasts for hours, see that your server tries again from the same IP address and with the same sender address"
    / "Si dura horas, compruebe que su servidor reintenta desde la misma dirección IP y con la misma dirección de remitente";

    [UserUnknown] "RFC 5321 §3.6.2" Sender ReceiverPostmaster;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_alone_and_prefixes_need_not() {
        assert!(names("it is an spf failure", "spf") && !names("spfoo", "spf") && !names("xspf", "spf"));
        assert!(names("greylisted", "greylist*") && !names("not-agreylisted", "greylist*"));
        assert!(names("spf", "spf") && names("(spf)", "spf"));
    }

    #[test]
    fn each_kind_has_one_row_and_words_in_lower_case() {
        assert_eq!(CAUSES.len(), WORDS.len());
        for entry in CAUSES {
            let crate::explain::Key::Cause(kind) = entry.key else { panic!("{}", entry.key) };
            assert_eq!(crate::explain::cause(kind), entry);
            let rows: Vec<_> = WORDS.iter().filter(|(of, _)| *of == kind).collect();
            assert_eq!(rows.len(), 1, "{kind:?}");
            assert!(rows[0].1.iter().all(|phrase| phrase.to_lowercase() == **phrase && !phrase.is_empty()));
        }
    }

    #[test]
    fn a_text_names_its_cause_whatever_its_case_and_line_ends() {
        let rows = [
            ("Recipient address rejected: Greylisted, see https://example.org", CauseKind::Greylisting),
            ("User\r\n    UNKNOWN in virtual mailbox table", CauseKind::UserUnknown),
            ("Relay access denied", CauseKind::RelayDenied),
            (
                "Unauthenticated email from example.org is not accepted due to domain's DMARC policy",
                CauseKind::Dmarc,
            ),
            (
                "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
                CauseKind::Blocklist,
            ),
        ];
        for (text, kind) in rows {
            assert_eq!(causes_in(text).first(), Some(&kind), "{text}");
        }
        assert_eq!(causes_in("2.0.0 OK"), []);
    }
}
