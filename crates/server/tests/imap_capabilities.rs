//! Each capability that a client is told of works, and is told where it does: what is told before the login, within TLS
//! and after the login is looked up in a table of commands that only work with it. RFC 9051 §6.1.1: a server must not
//! tell of what it does not do.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

#[path = "common/capabilities.rs"]
mod capabilities;
mod common;
#[path = "common/imap.rs"]
mod imap_client;

use std::collections::BTreeSet;

use capabilities::{House, NAME, Session, Way};

/// How it is seen that a capability works.
enum Proof {
    /// Commands in turn, each with what its answer must have in it: its lines and its end, a line feed before each.
    /// A command ends in OK where no other end is asked for.
    Says(&'static [(&'static str, &'static str)]),
    /// A login by this mechanism, after which there is a mailbox to open.
    LogsIn(&'static str),
    /// TLS begins.
    StartsTls,
    /// What follows is compressed, both ways.
    Compresses,
    /// A search that takes long is told about.
    TellsOfProgress,
}

use Proof::{Compresses, LogsIn, Says, StartsTls, TellsOfProgress};

/// Before anybody has logged in.
const BEFORE: &[(&str, Proof)] = &[
    // RFC 4959 §3: the challenge that comes is the answer to the initial response (RFC 5802 §5: it repeats its nonce).
    ("SASL-IR", Says(&[("AUTHENTICATE SCRAM-SHA-256 biwsbj1kZXYscj1hYmM=\r\n*", "\n+ cj1hYm")])),
    ("STARTTLS", StartsTls),
    ("LOGINDISABLED", Says(&[("LOGIN ada@localhost pencil", "\nNO [PRIVACYREQUIRED]")])),
    ("AUTH=PLAIN", LogsIn("PLAIN")),
    ("AUTH=LOGIN", LogsIn("LOGIN")),
    ("AUTH=CRAM-MD5", LogsIn("CRAM-MD5")),
    ("AUTH=SCRAM-SHA-1", LogsIn("SCRAM-SHA-1")),
    ("AUTH=SCRAM-SHA-256", LogsIn("SCRAM-SHA-256")),
    ("AUTH=SCRAM-SHA-1-PLUS", LogsIn("SCRAM-SHA-1-PLUS")),
    ("AUTH=SCRAM-SHA-256-PLUS", LogsIn("SCRAM-SHA-256-PLUS")),
];

/// Of somebody who has logged in and opened an INBOX with [`capabilities::MESSAGES`] in it.
const AFTER: &[(&str, Proof)] = &[
    ("IMAP4rev1", Says(&[("SEARCH ALL", "\n* SEARCH 1 2\n"), ("FETCH 1 RFC822.TEXT", "RFC822.TEXT {10}")])),
    ("IMAP4rev2", Says(&[("ENABLE IMAP4rev2", "\n* ENABLED IMAP4rev2\n"), ("SEARCH ALL", ") ALL 1:2\n")])),
    ("LITERAL+", Says(&[("STATUS {5+}\r\nINBOX (MESSAGES)", "\n* STATUS INBOX (MESSAGES 2)\n")])),
    (
        "SASL-IR",
        Says(&[
            ("UNAUTHENTICATE", ""),
            ("AUTHENTICATE SCRAM-SHA-256 biwsbj1kZXYscj1hYmM=\r\n*", "\n+ cj1hYm"),
        ]),
    ),
    ("ID", Says(&[("ID (\"name\" \"test\")", "\n* ID (\"name\" \"Posta\"")])),
    ("ENABLE", Says(&[("ENABLE CONDSTORE X-NOTHING", "\n* ENABLED CONDSTORE\n")])),
    ("IDLE", Says(&[("IDLE\r\nDONE", "\n+ "), ("NOOP", "")])),
    ("NAMESPACE", Says(&[("NAMESPACE", "\n* NAMESPACE ((\"\" \"/\")) NIL NIL\n")])),
    (
        "UNSELECT",
        Says(&[
            ("STORE 1 +FLAGS (\\Deleted)", ""),
            ("UNSELECT", ""),
            ("FETCH 1 FLAGS", "\nBAD "),
            ("STATUS INBOX (MESSAGES)", "MESSAGES 2)"),
        ]),
    ),
    (
        "UIDPLUS",
        Says(&[
            ("COPY 2 Archive", "\nOK [COPYUID "),
            ("STORE 1:2 +FLAGS.SILENT (\\Deleted)", ""),
            ("UID EXPUNGE 2", "\n* 2 EXPUNGE\nOK "),
            ("STATUS INBOX (MESSAGES)", "MESSAGES 1)"),
        ]),
    ),
    ("MOVE", Says(&[("MOVE 1 Archive", "\n* 1 EXPUNGE\nOK "), ("STATUS Archive (MESSAGES)", "MESSAGES 1)")])),
    (
        "MULTIAPPEND",
        Says(&[
            ("APPEND INBOX {8+}\r\na: b\r\n\r\n (\\Seen) {8+}\r\nc: d\r\n\r\n", "\n* 4 EXISTS\n"),
            ("FETCH 4 (FLAGS BODY.PEEK[])", "FLAGS (\\Seen) BODY[] {8}\r\nc: d"),
        ]),
    ),
    (
        "CATENATE",
        Says(&[
            ("APPEND INBOX CATENATE (URL \"/INBOX/;UID=2/;SECTION=HEADER\" TEXT {3+}\r\nnew)", ""),
            (
                "FETCH 3 (BODY.PEEK[HEADER.FIELDS (FROM)] BODY.PEEK[TEXT])",
                "Bob <ada@example.org>\r\n\r\n BODY[TEXT] {3}\r\nnew)",
            ),
        ]),
    ),
    (
        "REPLACE",
        Says(&[
            ("REPLACE 1 INBOX {8+}\r\na: b\r\n\r\n", "\n* 1 EXPUNGE\n* 2 EXISTS\nOK "),
            ("FETCH 2 (UID RFC822.SIZE)", "\n* 2 FETCH (UID 3 RFC822.SIZE 8)\n"),
        ]),
    ),
    (
        "BINARY",
        Says(&[
            ("FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])", "BINARY.SIZE[1] 5 BINARY[1] {5}\r\nhello)"),
            ("APPEND INBOX ~{8+}\r\na: b\r\n\r\n", "\nOK [APPENDUID "),
        ]),
    ),
    (
        "CHILDREN",
        Says(&[
            ("CREATE A/b", ""),
            ("LIST \"\" A", "(\\HasChildren)"),
            ("LIST \"\" A/b", "(\\HasNoChildren)"),
        ]),
    ),
    (
        "LIST-EXTENDED",
        Says(&[
            ("UNSUBSCRIBE Sent", ""),
            (
                "LIST (SUBSCRIBED) \"\" (Archive Sent Trash) RETURN (CHILDREN)",
                "(\\Subscribed \\HasNoChildren \\Archive) \"/\" Archive\n\
                 * LIST (\\Subscribed \\HasNoChildren \\Trash) \"/\" Trash\nOK ",
            ),
        ]),
    ),
    (
        "LIST-STATUS",
        Says(&[("LIST \"\" INBOX RETURN (STATUS (MESSAGES))", "\n* STATUS INBOX (MESSAGES 2)\nOK ")]),
    ),
    ("LIST-MYRIGHTS", Says(&[("LIST \"\" INBOX RETURN (MYRIGHTS)", "\n* MYRIGHTS INBOX l")])),
    (
        "LIST-METADATA",
        Says(&[
            ("SETMETADATA INBOX (/private/color \"blue\")", ""),
            (
                "LIST \"\" INBOX RETURN (METADATA (/private/color))",
                "\n* METADATA INBOX (/private/color \"blue\")\nOK ",
            ),
        ]),
    ),
    ("SPECIAL-USE", Says(&[("LIST (SPECIAL-USE) \"\" S*", "\\Sent) \"/\" Sent\nOK ")])),
    (
        "CREATE-SPECIAL-USE",
        Says(&[
            ("DELETE Archive", ""),
            ("CREATE Old (USE (\\Archive))", ""),
            ("LIST (SPECIAL-USE) \"\" O*", "\\Archive) \"/\" Old\nOK "),
        ]),
    ),
    ("STATUS=SIZE", Says(&[("STATUS INBOX (SIZE)", "\n* STATUS INBOX (SIZE 236)\n")])),
    ("ESEARCH", Says(&[("SEARCH RETURN (MIN MAX COUNT) ALL", ") MIN 1 MAX 2 COUNT 2\n")])),
    (
        "SEARCHRES",
        Says(&[("SEARCH RETURN (SAVE) FROM Bob", ""), ("FETCH $ UID", "\n* 2 FETCH (UID 2)\nOK ")]),
    ),
    ("WITHIN", Says(&[("SEARCH YOUNGER 3600", "\n* SEARCH 1 2\n"), ("SEARCH OLDER 3600", "\n* SEARCH\n")])),
    ("SORT", Says(&[("SORT (FROM) UTF-8 ALL", "\n* SORT 2 1\n")])),
    ("SORT=DISPLAY", Says(&[("SORT (DISPLAYFROM) UTF-8 ALL", "\n* SORT 1 2\n")])),
    ("ESORT", Says(&[("SORT RETURN (MIN COUNT) (FROM) UTF-8 ALL", ") MIN 2 COUNT 2\n")])),
    ("THREAD=ORDEREDSUBJECT", Says(&[("THREAD ORDEREDSUBJECT UTF-8 ALL", "\n* THREAD (1 2)\n")])),
    ("THREAD=REFERENCES", Says(&[("THREAD REFERENCES UTF-8 ALL", "\n* THREAD (1 2)\n")])),
    (
        "PARTIAL",
        Says(&[
            ("SEARCH RETURN (PARTIAL -1:-1) ALL", ") PARTIAL (-1:-1 2)\n"),
            ("UID FETCH 1:* (UID) (PARTIAL 1:1)", "\n* 1 FETCH (UID 1)\nOK "),
        ]),
    ),
    (
        "CONDSTORE",
        Says(&[
            ("FETCH 1 MODSEQ", "\n* 1 FETCH (MODSEQ ("),
            ("STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)", "\nOK [MODIFIED 1]"),
        ]),
    ),
    (
        "QRESYNC",
        Says(&[
            ("ENABLE QRESYNC", "\n* ENABLED QRESYNC\n"),
            ("STORE 1 +FLAGS.SILENT (\\Deleted)", ""),
            ("EXPUNGE", "\n* VANISHED 1\nOK "),
            ("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)", "\n* VANISHED (EARLIER) 1\n"),
        ]),
    ),
    (
        "NOTIFY",
        Says(&[(
            "NOTIFY SET STATUS (mailboxes Archive (MessageNew MessageExpunge))",
            "\n* STATUS Archive (",
        )]),
    ),
    (
        "UIDONLY",
        Says(&[
            ("ENABLE UIDONLY", ""),
            ("UID FETCH 2 UID", "\n* 2 UIDFETCH ("),
            ("FETCH 1 UID", "\nBAD [UIDREQUIRED]"),
        ]),
    ),
    ("INPROGRESS", TellsOfProgress),
    (
        "UTF8=ACCEPT",
        Says(&[
            ("ENABLE UTF8=ACCEPT", "\n* ENABLED UTF8=ACCEPT\n"),
            ("CREATE \"gr\u{fc}n\"", ""),
            ("LIST \"\" gr*", "\"/\" \"gr\u{fc}n\"\nOK "),
        ]),
    ),
    ("OBJECTID", Says(&[("STATUS INBOX (MAILBOXID)", "(MAILBOXID ("), ("FETCH 1 EMAILID", "(EMAILID (")])),
    (
        "SAVEDATE",
        Says(&[
            ("FETCH 1 SAVEDATE", "(SAVEDATE \""),
            ("SEARCH SAVEDATESUPPORTED SAVEDON 1-Jan-2001", "\n* SEARCH\n"),
        ]),
    ),
    ("PREVIEW", Says(&[("FETCH 1 PREVIEW", "(PREVIEW \"hello\")")])),
    (
        "METADATA",
        Says(&[
            ("SETMETADATA \"\" (/private/color \"red\")", ""),
            ("GETMETADATA \"\" /private/color", "\n* METADATA \"\" (/private/color \"red\")\n"),
        ]),
    ),
    ("QUOTA", Says(&[("GETQUOTAROOT INBOX", "\n* QUOTAROOT INBOX \"\"\n* QUOTA \"\" (")])),
    (
        "QUOTA=RES-STORAGE",
        Says(&[
            ("GETQUOTA \"\"", "\n* QUOTA \"\" (STORAGE 1 1024)\n"),
            ("STATUS INBOX (DELETED-STORAGE)", "STORAGE 0)"),
        ]),
    ),
    (
        "APPENDLIMIT=52428800",
        Says(&[
            ("STATUS INBOX (APPENDLIMIT)", "(APPENDLIMIT 52428800)"),
            ("APPEND INBOX {52428801}", "\nNO [TOOBIG]"),
        ]),
    ),
    (
        "UNAUTHENTICATE",
        Says(&[
            ("UNAUTHENTICATE", ""),
            ("SELECT INBOX", "\nBAD "),
            ("LOGIN ada@localhost pencil", ""),
            ("SELECT INBOX", ""),
        ]),
    ),
    ("COMPRESS=DEFLATE", Compresses),
];

#[tokio::test]
async fn each_capability_that_is_told_before_the_login_works_and_what_works_is_told() {
    let house = House::start().await;
    let after = house.logged_in(Way::Clear).await.told().await;
    let (mut told_somewhere, mut failed) = (BTreeSet::new(), Vec::new());
    for way in [Way::Clear, Way::FromAfar, Way::Tls] {
        for name in house.connect(way).await.told().await {
            match BEFORE.iter().find(|(known, _)| *known == name) {
                Some((_, proof)) => {
                    failed.extend(prove(&house, house.connect(way).await, &name, proof).await);
                }
                // It is shown to work below.
                None => {
                    assert!(after.contains(&name), "{name} is told {way:?}, and nothing shows that it works")
                }
            }
            told_somewhere.insert(name);
        }
    }
    for (name, _) in BEFORE {
        assert!(told_somewhere.contains(*name), "{name} works and is not told");
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    house.stop().await;
}

#[tokio::test]
async fn each_capability_that_is_told_after_the_login_works_and_what_works_is_told() {
    let house = House::start().await;
    let told = house.logged_in(Way::Clear).await.told().await;
    assert_eq!(house.logged_in(Way::Tls).await.told().await, told);
    let known: BTreeSet<String> = AFTER.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(told, known, "what is told, and what is shown to work");
    let mut failed = Vec::new();
    for (name, proof) in AFTER {
        let mut session = house.logged_in(Way::Clear).await;
        session.imap.ok("SELECT INBOX").await;
        failed.extend(prove(&house, session, name, proof).await);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    house.stop().await;
}

/// What was said otherwise.
async fn prove(house: &House, mut session: Session, name: &str, proof: &Proof) -> Option<String> {
    match proof {
        Says(commands) => {
            for (command, wanted) in *commands {
                let command = command.replace(NAME, &session.account);
                let answer = session.imap.run(&command).await;
                let text = format!("\n{}\n{}", answer.lines.join("\n"), answer.end).replace("\n\n", "\n");
                let ends_otherwise =
                    ["\nNO ", "\nBAD ", "\n+ cj1hYm"].iter().any(|end| wanted.starts_with(end));
                if !text.contains(wanted) || !(ends_otherwise || answer.end.starts_with("OK")) {
                    return Some(format!("{name}: {command:?} was answered {text:?}, not {wanted:?}"));
                }
            }
        }
        LogsIn(mechanism) => {
            session.authenticate(mechanism).await;
            session.imap.ok("SELECT INBOX").await;
        }
        StartsTls => {
            session.imap.ok("STARTTLS").await;
            let mut within = session.secured(house).await;
            within.log_in().await;
        }
        Compresses => {
            session.imap.ok("COMPRESS DEFLATE").await;
            session.compressed_noop().await;
        }
        TellsOfProgress => session.told_of_progress().await,
    }
    None
}
