//! What each verb, parameter, extension and reply of SMTP means, in one sentence and with its source: the table
//! behind `posta send --dialogue`. What replies mean is in `types::explain`; here is only what depends on the
//! command that they answer.

use smtp::client::{MASK, Stage};
use types::explain::{self, Text};
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

/// What a reply means and where that is written: by what it answers, else by its code, else by its first digit,
/// which is all that a client has to understand (RFC 5321 §4.2.1).
pub(crate) fn reply(stage: Stage, reply: &Reply) -> (&'static str, &'static str) {
    let here = REPLIES.iter().find(|(code, at, _)| *code == reply.code && *at == stage);
    match (here, explain::code(reply.code)) {
        (Some((_, _, told)), _) => *told,
        (None, Some(entry)) => (entry.meaning.en, entry.source.unwrap_or(explain::labels::NO_RFC.en)),
        (None, None) => (explain::digits(reply.code).0.en, "RFC 5321 §4.2.1"),
    }
}

/// What an enhanced status code adds to the reply code, and where that is written.
pub(crate) fn status(status: EnhancedStatus) -> Option<(&'static str, &'static str)> {
    let meaning = explain::meaning_of_status(status);
    let Text { en, .. } = match meaning.texts[..] {
        [text] if meaning.is_exact => text,
        // What the class says, the reply code has said.
        [_, about] => about,
        _ => return None,
    };
    Some((en, meaning.source.unwrap_or(explain::labels::NO_RFC.en)))
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
    row("AUTH", "says who is sending, and proves it; what is secret is not shown here", "RFC 4954 §4"),
    row(
        MASK,
        "the answer to the challenge, which is not shown here: it is a secret or proves one",
        "RFC 4954 §4",
    ),
    row("*", "gives the login up: the server has not said what it should", "RFC 4954 §4"),
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
    row("MT-PRIORITY", "a message may say how urgent it is", "RFC 6710"),
    row("FUTURERELEASE", "a message may ask to be held until later", "RFC 4865"),
];

/// What a code means as the answer to one command, where that is more than it means by itself.
const REPLIES: &[(u16, Stage, (&str, &str))] = &[
    (220, Stage::Greeting, ("the server is there and waits for our greeting", "RFC 5321 §4.3.1")),
    (554, Stage::Greeting, ("no mail service here", "RFC 5321 §3.1")),
    (
        250,
        Stage::Hello,
        ("the greeting is accepted; each further line is an extension that is offered", "RFC 5321 §4.1.1.1"),
    ),
    (220, Stage::StartTls, ("ready: what comes next is encrypted, and EHLO is said again", "RFC 3207 §4")),
    (454, Stage::StartTls, ("TLS cannot be begun just now", "RFC 3207 §4")),
    (250, Stage::Mail, ("the sender is accepted", "RFC 5321 §4.1.1.2")),
    (250, Stage::Rcpt, ("the recipient is accepted", "RFC 5321 §4.1.1.3")),
    (250, Stage::Body, ("these octets have arrived", "RFC 3030 §2")),
    (
        250,
        Stage::EndOfData,
        ("the message is accepted: from now on the server answers for it", "RFC 5321 §6.1"),
    ),
    (250, Stage::Reset, ("nothing is begun any more", "RFC 5321 §4.1.1.5")),
    (452, Stage::Rcpt, ("too many recipients or no room; try again later", "RFC 5321 §4.5.3.1.10")),
    (550, Stage::Rcpt, ("there is no such mailbox, or mail for it is not taken here", "RFC 5321 §3.3")),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(stage: Stage, code: u16) -> &'static str {
        reply(stage, &Reply { code, enhanced: None, text: "".into() }).0
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
        assert!(heard(Stage::Mail, 299).contains("done"));
        assert!(heard(Stage::Data, 399).contains("waits for more"));
        assert!(heard(Stage::Mail, 479).contains("may work later"));
        assert!(heard(Stage::Mail, 579).contains("not work"));
    }

    #[test]
    fn each_row_names_its_source_and_is_there_once() {
        let tables = [VERBS, PARAMETERS, KEYWORDS];
        assert!(tables.iter().flat_map(|t| t.iter()).all(|row| row.source.starts_with("RFC ")));
        for (index, (code, stage, (_, source))) in REPLIES.iter().enumerate() {
            assert!(source.starts_with("RFC ") && explain::code(*code).is_some(), "{code}");
            let is_hidden = REPLIES[..index].iter().any(|(c, s, _)| c == code && s == stage);
            assert!(!is_hidden, "{code} at {stage:?} is never found");
        }
    }

    #[test]
    fn a_status_says_what_the_reply_code_does_not() {
        let told = |text: &str| status(text.parse().unwrap()).map(|(meaning, _)| meaning);
        assert_eq!(told("2.0.0"), None);
        assert_eq!(told("2.1.0"), Some("about an address"));
        assert_eq!(told("2.1.5"), Some("the recipient's address is good"));
        assert!(told("5.2.2").is_some_and(|meaning| meaning.contains("full")));
        assert_eq!(told("5.2.99"), Some("about the recipient's mailbox"));
    }

    #[test]
    fn parameters_are_found_behind_the_address_and_not_in_it() {
        let words = |line| parameters(line).map(|row| row.word).collect::<Vec<_>>();
        assert_eq!(words("MAIL FROM:<a@b> SIZE=5 BODY=8BITMIME SMTPUTF8"), ["SIZE", "BODY", "SMTPUTF8"]);
        assert_eq!(words("MAIL FROM:<\" SIZE=5 \"@b>"), [""; 0]);
    }
}
