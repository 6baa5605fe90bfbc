//! X.3.z: about the receiving mail system.

entries! {
    /// In numeric order.
    SYSTEM =

    [X 3 0] "RFC 3463 §3.4" ReceiverPostmaster Nobody;
    "something about the receiving mail system" / "algo relativo al sistema de correo receptor";
    - "Tell its postmaster by another way, with the whole text"
    / "Avise a su administrador por otro medio, con el texto completo";

    [X 3 1] "RFC 3463 §3.4" ReceiverPostmaster Nobody;
    "the receiving mail system has no room left" / "el sistema de correo receptor no tiene espacio libre";
    => DiskFull;

    [X 3 2] "RFC 3463 §3.4; RFC 7504 §6" ReceiverPostmaster Nobody;
    "the host takes no mail: for now (shutdown, load, maintenance), or with 521 never"
    / "el equipo no acepta correo: por ahora (apagado, carga, mantenimiento), o con 521 nunca";
    - "First number 4: wait; 5: check the domain of the address"
    / "Primer número 4: espere; 5: revise el dominio de la dirección";

    [X 3 3] "RFC 3463 §3.4" Sender Programmer;
    "the receiving system lacks a feature that the message asks for"
    / "el sistema receptor no tiene una función que pide el mensaje";
    - "Send without the feature that the text names" / "Envíe sin la función que nombra el texto";

    [X 3 4] "RFC 3463 §3.4" Sender;
    "the message is larger than the system takes" / "el mensaje es más grande de lo que acepta el sistema";
    => TooBig;

    [X 3 5] "RFC 3463 §3.4" ReceiverPostmaster SenderPostmaster;
    "a mail system is set up wrongly: often an MX that points to itself, or a domain that it was not told about"
    / "un sistema de correo está mal configurado: a menudo un MX que apunta a sí mismo, o un dominio que no conoce";
    - "Its postmaster: compare the MX records with the list of local domains"
    / "Su administrador: compare los registros MX con la lista de dominios locales";
    => Loop;

    [X 3 6] "RFC 6710 §4.1" Nobody;
    "the message is taken, with another priority than the one asked for"
    / "el mensaje se acepta, con otra prioridad que la pedida";
    - "Nothing to do" / "No hay nada que hacer";
}
