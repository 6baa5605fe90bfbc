//! What each verb, parameter, extension and reply of SMTP means, in one sentence and with its source: the table
//! behind `posta send --dialogue`.

use smtp::client::Stage;
use types::{EnhancedStatus, Reply};

/// One row: what it is about, what it means, where that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub(crate) word: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) source: &'static str,
}

/// The verb of a command line.
pub(crate) fn verb(line: &str) -> Option<Explanation> {
    let word = line.split(' ').next().unwrap_or_default();
    VERBS.iter().find(|row| row.word.eq_ignore_ascii_case(word)).copied()
}

/// The parameters of a MAIL line, in their order.
pub(crate) fn parameters(line: &str) -> impl Iterator<Item = Explanation> {
    // What stands before `>` is an address, which may hold anything.
    let after_path = line.rsplit_once('>').map_or("", |(_, rest)| rest);
    after_path
        .split_ascii_whitespace()
        .filter_map(|parameter| {
            PARAMETERS
                .iter()
                .find(|row| parameter.split('=').next() == Some(row.word) || parameter == row.word)
        })
        .copied()
}

/// The keyword of a line of the reply to EHLO.
pub(crate) fn keyword(line: &str) -> Option<Explanation> {
    let word = line.split(' ').next().unwrap_or_default();
    KEYWORDS.iter().find(|row| row.word.eq_ignore_ascii_case(word)).copied()
}

/// A reply, by what it answers and its code; failing that, by its first digit, which is all that a client has to
/// understand (RFC 5321 §4.2.1).
pub(crate) fn reply(stage: Stage, reply: &Reply) -> Explanation {
    let exact = REPLIES.iter().find(|(code, at, _)| *code == reply.code && at.is_none_or(|at| at == stage));
    match (exact, reply.code / 100) {
        (Some((_, _, explanation)), _) => *explanation,
        (None, 2) => CLASSES[0],
        (None, 3) => CLASSES[1],
        (None, 4) => CLASSES[2],
        (None, _) => CLASSES[3],
    }
}

/// An enhanced status code: what its second and third numbers say.
pub(crate) fn status(status: EnhancedStatus) -> Option<Explanation> {
    let word = format!("X.{}.{}", status.subject, status.detail);
    STATUSES.iter().find(|row| row.word == word).copied()
}

const fn row(word: &'static str, meaning: &'static str, source: &'static str) -> Explanation {
    Explanation { word, meaning, source }
}

const VERBS: &[Explanation] = &[
    row(
        "EHLO",
        "greets the server, says who we are, and asks which extensions it offers",
        "RFC 5321 §4.1.1.1",
    ),
    row("HELO", "greets a server that knows no extensions", "RFC 5321 §4.1.1.1"),
    row(
        "LHLO",
        "greets an LMTP server: SMTP with an answer for each recipient after the data",
        "RFC 2033 §4.1",
    ),
    row(
        "MAIL",
        "begins a message and says where a report goes if it cannot be delivered",
        "RFC 5321 §4.1.1.2",
    ),
    row(
        "RCPT",
        "names one recipient; it comes once for each, whatever To and Cc in the message say",
        "RFC 5321 §4.1.1.3",
    ),
    row(
        "DATA",
        "announces the message itself: its header fields, an empty line, its body",
        "RFC 5321 §4.1.1.4",
    ),
    row(
        ".",
        "a line that holds only a dot ends the message; now the server has to answer for it",
        "RFC 5321 §4.1.1.4",
    ),
    row(
        "BDAT",
        "sends so many octets of the message, counted instead of ended by a dot; LAST is the end",
        "RFC 3030 §2",
    ),
    row("RSET", "forgets the message that was begun, and keeps the connection", "RFC 5321 §4.1.1.5"),
    row("NOOP", "asks for nothing but an answer", "RFC 5321 §4.1.1.9"),
    row("QUIT", "ends the session; both sides close once the server has answered", "RFC 5321 §4.1.1.10"),
    row("STARTTLS", "asks to go on encrypted", "RFC 3207 §4"),
    row("AUTH", "says who is sending, and proves it", "RFC 4954 §4"),
    row("VRFY", "asks whether an address exists; few servers tell", "RFC 5321 §4.1.1.6"),
    row("EXPN", "asks who is on a mailing list; few servers tell", "RFC 5321 §4.1.1.7"),
    row("HELP", "asks which commands there are", "RFC 5321 §4.1.1.8"),
];

const PARAMETERS: &[Explanation] = &[
    row("SIZE", "how large the message is, so that the server can refuse before it is sent", "RFC 1870 §6"),
    row(
        "BODY",
        "what the body holds: 8BITMIME is text with octets over 127, BINARYMIME any octets",
        "RFC 6152 §2",
    ),
    row("SMTPUTF8", "an address or a header field holds characters beyond ASCII", "RFC 6531 §3.4"),
];

const KEYWORDS: &[Explanation] = &[
    row("PIPELINING", "commands may come in groups, without waiting for each answer", "RFC 2920"),
    row("SIZE", "the largest message taken here, in octets; none or 0 means no fixed limit", "RFC 1870"),
    row("8BITMIME", "text may hold octets over 127", "RFC 6152"),
    row("SMTPUTF8", "addresses and header fields may hold characters beyond ASCII", "RFC 6531"),
    row("ENHANCEDSTATUSCODES", "answers carry a second, finer code such as 5.1.1", "RFC 2034"),
    row("CHUNKING", "BDAT may take the place of DATA", "RFC 3030"),
    row("BINARYMIME", "with BDAT a message may hold any octets, in lines or not", "RFC 3030"),
    row("DSN", "the sender may ask to hear of success, delay or failure", "RFC 3461"),
    row("STARTTLS", "the session can be encrypted", "RFC 3207"),
    row("AUTH", "one can log in, by the methods that follow", "RFC 4954"),
    row("LIMITS", "how many messages a session and recipients a message may have", "RFC 9422"),
    row("HELP", "there is a HELP command", "RFC 5321 §4.1.1.8"),
    row("VRFY", "there is a VRFY command", "RFC 5321 §4.1.1.6"),
    row("EXPN", "there is an EXPN command", "RFC 5321 §4.1.1.7"),
    row("ETRN", "a host can ask for its waiting mail", "RFC 1985"),
    row("DELIVERBY", "a message may carry a time by which it is to arrive", "RFC 2852"),
    row("REQUIRETLS", "a message may ask to travel encrypted all the way", "RFC 8689"),
];

/// In the order of the first digit, from 2.
const CLASSES: [Explanation; 4] = [
    row("2yz", "done", "RFC 5321 §4.2.1"),
    row("3yz", "so far so good; go on", "RFC 5321 §4.2.1"),
    row("4yz", "not now; a mail server keeps the message and tries again later", "RFC 5321 §4.2.1"),
    row("5yz", "no, and trying the same again will not help", "RFC 5321 §4.2.1"),
];

/// A row with a stage is of that stage alone, and stands before the row without.
const REPLIES: &[(u16, Option<Stage>, Explanation)] = &[
    (
        220,
        Some(Stage::Greeting),
        row("220", "the server is there and waits for our greeting", "RFC 5321 §4.3.1"),
    ),
    (554, Some(Stage::Greeting), row("554", "no mail service here", "RFC 5321 §3.1")),
    (521, None, row("521", "this host takes no mail", "RFC 7504 §3")),
    (
        250,
        Some(Stage::Hello),
        row(
            "250",
            "the greeting is accepted; each further line is an extension that is offered",
            "RFC 5321 §4.1.1.1",
        ),
    ),
    (250, Some(Stage::Mail), row("250", "the sender is accepted", "RFC 5321 §4.1.1.2")),
    (250, Some(Stage::Rcpt), row("250", "the recipient is accepted", "RFC 5321 §4.1.1.3")),
    (250, Some(Stage::Body), row("250", "these octets have arrived", "RFC 3030 §2")),
    (
        250,
        Some(Stage::EndOfData),
        row("250", "the message is accepted: from now on the server answers for it", "RFC 5321 §6.1"),
    ),
    (250, Some(Stage::Reset), row("250", "nothing is begun any more", "RFC 5321 §4.1.1.5")),
    (221, None, row("221", "goodbye; the server closes the connection", "RFC 5321 §4.2.3")),
    (251, None, row("251", "the recipient has moved, and the server forwards", "RFC 5321 §3.4")),
    (252, None, row("252", "the server cannot tell, but takes mail for it", "RFC 5321 §3.5.3")),
    (
        354,
        None,
        row("354", "send the message now, and end it with a line that holds only a dot", "RFC 5321 §4.3.2"),
    ),
    (
        421,
        None,
        row("421", "the server cannot go on and closes the connection; try again later", "RFC 5321 §3.8"),
    ),
    (450, None, row("450", "the mailbox cannot be used now; try again later", "RFC 5321 §4.2.3")),
    (451, None, row("451", "something failed at the server; try again later", "RFC 5321 §4.2.3")),
    (
        452,
        Some(Stage::Rcpt),
        row("452", "too many recipients or no room; try again later", "RFC 5321 §4.5.3.1.10"),
    ),
    (452, None, row("452", "no room now; try again later", "RFC 5321 §4.2.3")),
    (455, None, row("455", "the parameters cannot be served now", "RFC 5321 §4.2.3")),
    (500, None, row("500", "the server does not know this command", "RFC 5321 §4.2.4")),
    (501, None, row("501", "the server does not understand what follows the verb", "RFC 5321 §4.2.4")),
    (502, None, row("502", "the server knows this command and does not do it", "RFC 5321 §4.2.4")),
    (503, None, row("503", "not now: another command has to come first", "RFC 5321 §4.1.4")),
    (504, None, row("504", "the server does not know this value of a parameter", "RFC 5321 §4.2.4")),
    (530, None, row("530", "one has to log in first", "RFC 4954 §6")),
    (
        550,
        Some(Stage::Rcpt),
        row("550", "there is no such mailbox, or mail for it is not taken here", "RFC 5321 §3.3"),
    ),
    (550, None, row("550", "refused", "RFC 5321 §4.2.3")),
    (551, None, row("551", "the recipient is elsewhere, and the server does not forward", "RFC 5321 §3.4")),
    (552, None, row("552", "the message is too big, or the mailbox is full", "RFC 5321 §4.2.3")),
    (553, None, row("553", "this is no mailbox name", "RFC 5321 §4.2.3")),
    (554, None, row("554", "the message is refused", "RFC 5321 §4.2.3")),
    (555, None, row("555", "the server does not know a parameter of MAIL or RCPT", "RFC 5321 §4.1.1.11")),
    (556, None, row("556", "the recipient's domain takes no mail", "RFC 7504 §4")),
];

const STATUSES: &[Explanation] = &[
    row("X.1.0", "about the address", "RFC 3463 §3.2"),
    row("X.1.1", "no such mailbox", "RFC 3463 §3.2"),
    row("X.1.2", "no such domain", "RFC 3463 §3.2"),
    row("X.1.3", "not an address", "RFC 3463 §3.2"),
    row("X.1.5", "the recipient's address is good", "RFC 3463 §3.2"),
    row("X.1.7", "the sender's address is malformed", "RFC 3463 §3.2"),
    row("X.1.8", "the sender's domain does not exist", "RFC 3463 §3.2"),
    row("X.1.10", "the recipient's domain takes no mail", "RFC 7505 §4.2"),
    row("X.2.1", "the mailbox is closed", "RFC 3463 §3.3"),
    row("X.2.2", "the mailbox is full", "RFC 3463 §3.3"),
    row("X.2.3", "the message is larger than this mailbox takes", "RFC 3463 §3.3"),
    row("X.3.0", "about the mail system", "RFC 3463 §3.4"),
    row("X.3.1", "the mail system is full", "RFC 3463 §3.4"),
    row("X.3.2", "no mail is taken now", "RFC 3463 §3.4"),
    row("X.3.4", "the message is too big", "RFC 3463 §3.4"),
    row("X.4.1", "the host does not answer", "RFC 3463 §3.5"),
    row("X.4.2", "the connection failed", "RFC 3463 §3.5"),
    row("X.4.6", "the mail goes in a circle", "RFC 3463 §3.5"),
    row("X.5.0", "about the protocol", "RFC 3463 §3.6"),
    row("X.5.1", "not a command, or not at this time", "RFC 3463 §3.6"),
    row("X.5.2", "wrong syntax", "RFC 3463 §3.6"),
    row("X.5.3", "too many recipients", "RFC 3463 §3.6"),
    row("X.5.4", "a parameter is wrong", "RFC 3463 §3.6"),
    row("X.6.0", "about the content", "RFC 3463 §3.7"),
    row("X.6.3", "the message would have to be converted, and that is not done", "RFC 3463 §3.7"),
    row("X.6.7", "an address is not in ASCII, and SMTPUTF8 was not said", "RFC 6531 §3.5"),
    row("X.7.0", "about security or policy", "RFC 3463 §3.8"),
    row("X.7.1", "not allowed", "RFC 3463 §3.8"),
    row("X.7.8", "wrong user or password", "RFC 4954 §6"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(stage: Stage, code: u16) -> &'static str {
        reply(stage, &Reply { code, enhanced: None, text: "".into() }).meaning
    }

    #[test]
    fn the_same_code_is_explained_by_what_it_answers() {
        assert!(heard(Stage::Rcpt, 250).contains("recipient"));
        assert!(heard(Stage::EndOfData, 250).contains("answers for it"));
        assert!(heard(Stage::Greeting, 554).contains("service"));
        assert!(heard(Stage::EndOfData, 554).contains("message"));
    }

    #[test]
    fn a_code_that_is_not_in_the_table_is_explained_by_its_first_digit() {
        assert_eq!(heard(Stage::Mail, 299), "done");
        assert!(heard(Stage::Data, 399).contains("go on"));
        assert!(heard(Stage::Mail, 471).contains("later"));
        assert!(heard(Stage::Mail, 571).contains("not help"));
    }

    #[test]
    fn each_row_names_its_source_and_rows_of_a_stage_come_before_those_without() {
        let tables = [VERBS, PARAMETERS, KEYWORDS, STATUSES, &CLASSES];
        assert!(tables.iter().flat_map(|t| t.iter()).all(|row| row.source.starts_with("RFC ")));
        for (index, (code, stage, row)) in REPLIES.iter().enumerate() {
            assert_eq!(code.to_string(), row.word);
            let hidden = REPLIES[..index].iter().any(|(c, s, _)| c == code && (s.is_none() || s == stage));
            assert!(!hidden, "{code} at {stage:?} is never found");
        }
    }

    #[test]
    fn parameters_are_found_behind_the_address_and_not_in_it() {
        let words = |line| parameters(line).map(|row| row.word).collect::<Vec<_>>();
        assert_eq!(words("MAIL FROM:<a@b> SIZE=5 BODY=8BITMIME SMTPUTF8"), ["SIZE", "BODY", "SMTPUTF8"]);
        assert_eq!(words("MAIL FROM:<\" SIZE=5 \"@b>"), [""; 0]);
    }
}
