//! X.0.0, and X.1.z: about addresses.

entries! {
    /// In numeric order.
    ADDRESS =

    [X 0 0] "RFC 3463 §3.1" Sender SenderPostmaster;
    "nothing more is said than the first number" / "no se dice más que el primer número";
    - "Read the text after the codes" / "Lea el texto que sigue a los códigos";

    [X 1 0] "RFC 3463 §3.2" Sender;
    "something about an address" / "algo relativo a una dirección";
    - "Check the recipient's address and your own" / "Revise la dirección del destinatario y la suya";

    [X 1 1] "RFC 3463 §3.2" Sender ReceiverPostmaster;
    "there is no such mailbox: what stands before the @ is unknown there"
    / "no existe ese buzón: allí no se conoce lo que está antes de la @";
    => UserUnknown;

    [X 1 2] "RFC 3463 §3.2" Sender ReceiverPostmaster;
    "there is no such mail domain: what stands after the @ does not exist or takes no mail"
    / "no existe ese dominio de correo: lo que está después de la @ no existe o no acepta correo";
    => DomainUnknown;

    [X 1 3] "RFC 3463 §3.2" Sender Programmer;
    "the recipient's address is malformed" / "la dirección del destinatario está mal formada";
    - "Look for spaces, a missing or second @, a comma or accents"
    / "Busque espacios, una @ que falte o sobre, una coma o acentos";

    [X 1 4] "RFC 3463 §3.2" Sender ReceiverPostmaster;
    "the address could mean several mailboxes" / "la dirección podría ser la de varios buzones";
    - "Ask the recipient for the full address" / "Pida al destinatario la dirección completa";

    [X 1 5] "RFC 3463 §3.2" Nobody;
    "the recipient's address is good" / "la dirección del destinatario es válida";
    - "Nothing to do" / "No hay nada que hacer";

    [X 1 6] "RFC 3463 §3.2" Sender Recipient;
    "the mailbox has moved, and nobody says where to" / "el buzón se ha mudado, y no se dice adónde";
    - "Ask the recipient by another way for the new address"
    / "Pida al destinatario por otro medio la nueva dirección";

    [X 1 7] "RFC 3463 §3.2" Sender Programmer;
    "the sender's address is malformed" / "la dirección del remitente está mal formada";
    - "Correct your address in the mail program: a space, a missing domain, a name of a computer"
    / "Corrija su dirección en el programa de correo: un espacio, un dominio que falta, un nombre de equipo";

    [X 1 8] "RFC 3463 §3.2" Sender SenderPostmaster;
    "the sender's domain does not exist or could take no answer; Exchange Online says it to an account that it has shut out for spam"
    / "el dominio del remitente no existe o no podría recibir respuesta; Exchange Online lo dice a una cuenta que ha bloqueado por correo no deseado";
    - "Account shut out: change its password, look for foreign rules, then have the administrator release it"
    / "Cuenta bloqueada: cambie su contraseña, busque reglas ajenas y después pida al administrador que la libere";
    => SenderDomain;

    [X 1 9] "RFC 3886 §3.3.4" Nobody;
    "the message went on to a server that sends no reports, so nothing more will be heard of it"
    / "el mensaje siguió a un servidor que no envía informes, así que no se sabrá más de él";
    - "Ask the recipient whether it came" / "Pregunte al destinatario si llegó";

    [X 1 10] "RFC 7505 §4.1" Sender;
    "the recipient's domain says in DNS (null MX) that it takes no mail; Exchange Online says it where it knows no such recipient"
    / "el dominio del destinatario dice en el DNS (MX nulo) que no acepta correo; Exchange Online lo dice cuando no conoce al destinatario";
    - "Check the domain; if it is right, ask for another address"
    / "Revise el dominio; si es correcto, pida otra dirección";
    => UserUnknown;
}
