//! Enhanced status codes that are in no registry, and whose they are. What is known of them comes from what the
//! providers publish, and may change without notice.

entries! {
    /// In numeric order.
    STATUSES =

    [X 4 14] ("Exchange" / "Exchange") "" ReceiverPostmaster SenderPostmaster;
    "the message passed too many servers" / "el mensaje pasó por demasiados servidores";
    => Loop;

    [X 4 300] ("Exchange Online" / "Exchange Online") "" Sender ReceiverPostmaster;
    "the message could not be delivered in time" / "el mensaje no se pudo entregar a tiempo";
    => Expired;

    [X 4 310] ("Exchange Online" / "Exchange Online") "" Sender ReceiverPostmaster;
    "the recipient's domain was not found in DNS" / "no se encontró en el DNS el dominio del destinatario";
    => DomainUnknown;

    [X 4 312] ("Exchange Online" / "Exchange Online") "" ReceiverPostmaster;
    "the DNS lookup of the recipient's domain failed" / "falló la consulta DNS del dominio del destinatario";
    => DomainUnknown;

    [X 4 316] ("Exchange Online" / "Exchange Online") "" ReceiverPostmaster;
    "the receiving server refused the connection" / "el servidor receptor rechazó la conexión";
    => Unreachable;

    [X 7 31] ("Gmail" / "Gmail") "" SenderPostmaster;
    "the sender's domain has no DMARC policy" / "el dominio del remitente no tiene política DMARC";
    => Dmarc;

    [X 7 32] ("Gmail" / "Gmail") "" SenderPostmaster;
    "SPF or DKIM passed, but for another domain than that of From"
    / "SPF o DKIM son válidos, pero para otro dominio que el del From";
    => Dmarc;

    [X 7 40] ("Gmail" / "Gmail") "" SenderPostmaster;
    "the sender's domain has no DMARC policy" / "el dominio del remitente no tiene política DMARC";
    => Dmarc;

    [X 7 57] ("Exchange Online" / "Exchange Online") "" Sender SenderPostmaster;
    "the client has not logged in" / "el cliente no se ha identificado";
    => LoginNeeded;

    [X 7 60] ("Exchange" / "Exchange") "" Sender SenderPostmaster;
    "the account may not send as this sender" / "la cuenta no puede enviar como ese remitente";
    => SendAs;

    [X 7 64] ("Exchange Online" / "Exchange Online") "" SenderPostmaster ReceiverPostmaster;
    "the domain is not one of this organization, or the connector does not fit"
    / "el dominio no es de esta organización, o el conector no encaja";
    => RelayDenied;

    [X 7 124] ("Exchange Online" / "Exchange Online") "" Sender Recipient;
    "the group takes mail from certain senders only" / "el grupo solo acepta correo de ciertos remitentes";
    => Restricted;

    [X 7 133] ("Exchange Online" / "Exchange Online") "" Recipient Sender;
    "the group takes no mail from outside its organization" / "el grupo no acepta correo de fuera de su organización";
    => Restricted;

    [X 7 134] ("Exchange Online" / "Exchange Online") "" Recipient Sender;
    "the mailbox takes no mail from outside its organization" / "el buzón no acepta correo de fuera de su organización";
    => Restricted;

    [X 7 500] ("Exchange Online" / "Exchange Online") "" SenderPostmaster Nobody;
    "the server is busy, or mail from this IP address is held back for now"
    / "el servidor está ocupado, o retiene por ahora el correo de esta IP";
    => RateLimit Blocklist;

    [X 7 501] ("Exchange Online" / "Exchange Online") "" SenderPostmaster;
    "the account or IP address was shut out because of spam"
    / "la cuenta o la dirección IP fue bloqueada por correo no deseado";
    => Blocklist Spam;

    [X 7 509] ("Exchange Online" / "Exchange Online") "" SenderPostmaster;
    "DMARC failed, and the domain of From asks to refuse such mail"
    / "falló DMARC, y el dominio del From pide rechazar ese correo";
    => Dmarc;

    [X 7 511] ("Exchange Online" / "Exchange Online") "" SenderPostmaster;
    "the sender is banned there" / "el remitente está vetado allí";
    - "Write to delist@microsoft.com from that server, with the whole report"
    / "Escriba a delist@microsoft.com desde ese servidor, con el informe completo";
    => Blocklist;

    [X 7 515] ("Outlook.com" / "Outlook.com") "" SenderPostmaster;
    "the sender's domain does not pass SPF, DKIM and DMARC as asked of those who send much"
    / "el dominio del remitente no cumple SPF, DKIM y DMARC como se exige a quien envía mucho";
    => Dmarc Dkim Spf;

    [X 7 606] ("Exchange Online" / "Exchange Online") "" SenderPostmaster;
    "the sending IP address is banned there (606 to 649)" / "la dirección IP que envía está vetada allí (606 a 649)";
    - "Ask for removal at sender.office.com" / "Pida la baja en sender.office.com";
    => Blocklist;

    [X 7 650] ("Exchange Online" / "Exchange Online") "" SenderPostmaster Nobody;
    "mail from this IP address is held back because of its reputation"
    / "se retiene el correo de esta dirección IP por su reputación";
    => RateLimit Blocklist;

    [X 7 705] ("Exchange Online" / "Exchange Online") "" SenderPostmaster;
    "the sender's organization has sent too much, or too much spam"
    / "la organización del remitente ha enviado demasiado, o demasiado correo no deseado";
    => RateLimit Spam;

    [X 7 708] ("Exchange Online" / "Exchange Online") "" SenderPostmaster;
    "mail from this IP address or new account is not taken yet"
    / "todavía no se acepta correo de esta IP o cuenta nueva";
    => Blocklist;

    [X 7 750] ("Exchange Online" / "Exchange Online") "" SenderPostmaster;
    "mail is sent from domains that are not registered there"
    / "se envía correo desde dominios que no están registrados allí";
    => SendAs;
}
