//! X.4.z: about the network and the route.

entries! {
    /// In numeric order.
    NETWORK =

    [X 4 0] "RFC 3463 §3.5" Nobody SenderPostmaster ReceiverPostmaster;
    "something about the network or the route" / "algo relativo a la red o a la ruta";
    - "Wait; if it lasts, look into the log of the sending server"
    / "Espere; si dura, mire el registro del servidor que envía";
    => Unreachable DomainUnknown;

    [X 4 1] "RFC 3463 §3.5" Nobody ReceiverPostmaster SenderPostmaster;
    "the receiving host does not answer; with first number 5 Exchange Online says it where it knows no such recipient or domain"
    / "el equipo receptor no responde; con primer número 5, Exchange Online lo dice cuando no conoce al destinatario o el dominio";
    => Unreachable UserUnknown;

    [X 4 2] "RFC 3463 §3.5" Nobody ReceiverPostmaster SenderPostmaster;
    "the connection broke off or timed out in the middle"
    / "la conexión se cortó o agotó el tiempo a mitad";
    => Unreachable;

    [X 4 3] "RFC 3463 §3.5" Nobody SenderPostmaster;
    "a lookup failed because DNS or a directory does not answer"
    / "falló una consulta porque el DNS o un directorio no responde";
    - "The server's postmaster: test the resolver with dig MX DOMAIN on the server itself"
    / "El administrador del servidor: pruebe el DNS con dig MX DOMINIO en el propio servidor";

    [X 4 4] "RFC 3463 §3.5" Sender ReceiverPostmaster SenderPostmaster;
    "no route: DNS has no server for this domain" / "no hay ruta: el DNS no da ningún servidor para este dominio";
    => DomainUnknown;

    [X 4 5] "RFC 3463 §3.5" Nobody SenderPostmaster;
    "the mail system is congested" / "el sistema de correo está congestionado";
    => RateLimit;

    [X 4 6] "RFC 3463 §3.5" ReceiverPostmaster SenderPostmaster;
    "the mail goes in a circle" / "el correo da vueltas";
    => Loop;

    [X 4 7] "RFC 3463 §3.5" Sender ReceiverPostmaster;
    "the message is too old: it waited too long or its time limit has passed"
    / "el mensaje es demasiado viejo: esperó demasiado o pasó su plazo";
    => Expired Unreachable Greylisting;
}
