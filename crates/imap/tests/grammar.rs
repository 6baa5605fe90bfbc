//! What clients say of themselves, of mailboxes and of the account, and what it means: a table for each command, with the
//! row one past each limit.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod grammar_common;

use grammar_common::{command, means, name, refused, set};
use imap::command::{
    Access, Command, EventGroup, FetchItem, ListCommand, ListReturn, ListSelection, MailboxFilter,
    MetadataDepth, NotifyCommand, NotifyEvent, Qresync, Secret, StatusItem,
};
use types::mailstore::{ModSeq, SpecialUse, UidValidity};

#[test]
fn commands_without_arguments_are_their_name_in_any_case_and_nothing_more() {
    means([
        ("CAPABILITY", Command::Capability),
        ("nOOp", Command::Noop),
        ("logout", Command::Logout),
        ("STARTTLS", Command::StartTls),
        ("UNAUTHENTICATE", Command::Unauthenticate),
        ("NAMESPACE", Command::Namespace),
        ("IDLE", Command::Idle),
        ("CHECK", Command::Check),
        ("CLOSE", Command::Close),
        ("UNSELECT", Command::Unselect),
        ("EXPUNGE", Command::Expunge(None)),
        ("UID EXPUNGE 1:3", Command::Expunge(Some(set(&[(1, 3)])))),
        ("COMPRESS deflate", Command::Compress),
    ]);
    refused(&[
        ("NOOP ", "the end of the command behind NOOP, at octet 7"),
        ("NOOP x", "the end of the command"),
        ("NOOPS", "No such command"),
        ("", "No such command"),
        (" NOOP", "No such command"),
        ("UID", "a space and a command"),
        ("UID NOOP", "a command that has a UID form"),
        ("UID EXPUNGE", "a set of UIDs"),
        ("COMPRESS LZMA", "DEFLATE"),
        ("COMPRESS", "DEFLATE"),
    ]);
}

#[test]
fn names_and_passwords_come_as_atoms_quoted_strings_and_literals() {
    let login =
        |name: &str, password: &[u8]| Command::Login { name: name.into(), password: Secret(password.into()) };
    means([
        ("LOGIN ada secret", login("ada", b"secret")),
        ("LOGIN \"a b\" \"\\\"\\\\\"", login("a b", b"\"\\")),
        ("LOGIN \"\" \"\"", login("", b"")),
        ("LOGIN {3}\r\nada {8+}\r\nse\"cr\\et", login("ada", b"se\"cr\\et")),
        ("LOGIN {0}\r\n {7}\r\npa\r\n{1}", login("", b"pa\r\n{1}")),
        ("LOGIN \"ädä\" \"ß\"", login("ädä", "ß".as_bytes())),
        ("LOGIN a]b NIL", login("a]b", b"NIL")),
    ]);
    assert_eq!(command(b"LOGIN ada {1}\r\n\xff"), Ok(login("ada", b"\xff")));
    refused(&[
        ("LOGIN ada", "a password behind LOGIN, at octet 12"),
        ("LOGIN", "the name of a user behind LOGIN"),
        ("LOGIN  ada x", "one space only"),
        ("LOGIN ada  x", "one space only"),
        ("LOGIN\tada x", "the name of a user"),
        ("LOGIN ada x ", "the end of the command"),
        ("LOGIN \"ada x", "the end of a quoted string"),
        ("LOGIN \"a\\da\" x", "behind a backslash"),
        ("LOGIN \"a\rb\" x", "the end of a quoted string"),
        ("LOGIN a(b x", "a password"),
        ("LOGIN ä x", "the name of a user"),
        ("LOGIN {2}\r\na\0 x", "a literal without NUL"),
    ]);
    assert!(command(b"LOGIN \"\xff\" x").is_err());
    assert!(command(b"LOGIN {1}\r\n\xff x").is_err());
}

#[test]
fn no_error_repeats_what_the_client_wrote() {
    for line in
        ["LOGIN ada hunter2 hunter2", "hunter2 x", "SELECT (hunter2)", "FETCH 1 hunter2", "SEARCH hunter2"]
    {
        assert!(!format!("{:?}", command(line.as_bytes()).unwrap_err()).contains("hunter2"), "{line}");
    }
}

#[test]
fn authenticate_has_an_initial_response_in_base64() {
    let authenticate = |response: Option<&[u8]>| Command::Authenticate {
        mechanism: "PLAIN".into(),
        initial_response: response.map(|octets| Secret(octets.into())),
    };
    means([
        ("AUTHENTICATE plain", authenticate(None)),
        ("AUTHENTICATE PLAIN =", authenticate(Some(b""))),
        ("AUTHENTICATE PLAIN AHVzZXIA", authenticate(Some(b"\0user\0"))),
    ]);
    refused(&[
        ("AUTHENTICATE", "the name of a mechanism"),
        ("AUTHENTICATE PLAIN ", "an initial response"),
        ("AUTHENTICATE PLAIN AHVzZXI", "base64"),
        ("AUTHENTICATE PLAIN ==", "base64"),
        ("AUTHENTICATE PLAIN A-_A", "base64"),
        ("AUTHENTICATE PLAIN \"AAAA\"", "an initial response"),
        ("AUTHENTICATE PLAIN AAAA AAAA", "the end of the command"),
    ]);
}

#[test]
fn id_has_pairs_within_the_limits_of_rfc_2971() {
    let fields = |count: usize| {
        let pairs = vec!["\"n\" NIL"; count].join(" ");
        command(format!("ID ({pairs})").as_bytes())
    };
    means([
        ("ID NIL", Command::Id(None)),
        ("ID ()", Command::Id(Some(Vec::new()))),
        (
            "ID (\"name\" \"x\" \"os\" NIL)",
            Command::Id(Some(vec![("name".into(), Some("x".into())), ("os".into(), None)])),
        ),
    ]);
    assert!(fields(30).is_ok());
    assert!(fields(31).unwrap_err().to_string().contains("at most 30"));
    let of_length = |name: usize, value: usize| {
        command(format!("ID (\"{}\" \"{}\")", "n".repeat(name), "v".repeat(value)).as_bytes()).is_ok()
    };
    assert!(of_length(30, 1024) && !of_length(31, 0) && !of_length(0, 1025));
    refused(&[
        ("ID", "fields"),
        ("ID (\"a\")", "the value"),
        ("ID (a b)", "a string"),
        ("ID (\"a\" \"b\"\"c\" \"d\")", "`)`"),
    ]);
}

#[test]
fn enable_has_names_of_capabilities() {
    means([("ENABLE condstore X", Command::Enable(vec!["CONDSTORE".into(), "X".into()]))]);
    refused(&[("ENABLE", "a capability"), ("ENABLE ", "a capability"), ("ENABLE A  B", "one space only")]);
}

#[test]
fn select_has_what_the_client_knows() {
    let select = |mailbox: &str, condstore, qresync| Command::Select {
        mailbox: name(mailbox),
        said: None,
        access: Access::ReadWrite,
        condstore,
        qresync,
    };
    let known = |known_uids, match_data| {
        Some(Qresync {
            uid_validity: UidValidity(67_890_007),
            modseq: ModSeq(20_050_715),
            known_uids,
            match_data,
        })
    };
    let pairs = Some((set(&[(1, 1), (3, 3)]), set(&[(7, 7), (9, 9)])));
    means([
        ("SELECT inbox", select("INBOX", false, None)),
        ("SELECT \"Entw&APw-rfe\"", select("Entwürfe", false, None)),
        ("SELECT INBOX (CONDSTORE)", select("INBOX", true, None)),
        ("SELECT INBOX (QRESYNC (67890007 20050715))", select("INBOX", false, known(None, None))),
        (
            "SELECT INBOX (CONDSTORE QRESYNC (67890007 20050715 41:211))",
            select("INBOX", true, known(Some(set(&[(41, 211)])), None)),
        ),
        ("SELECT a (QRESYNC (67890007 20050715 (1,3 7,9)))", select("a", false, known(None, pairs.clone()))),
        (
            "SELECT a (QRESYNC (67890007 20050715 1:5 (1,3 7,9)))",
            select("a", false, known(Some(set(&[(1, 5)])), pairs)),
        ),
        (
            "EXAMINE a",
            Command::Select {
                mailbox: name("a"),
                access: Access::ReadOnly,
                condstore: false,
                qresync: None,
                said: None,
            },
        ),
    ]);
    refused(&[
        ("SELECT", "the name of a mailbox behind SELECT"),
        ("SELECT a ()", "CONDSTORE or QRESYNC"),
        ("SELECT a (FOO)", "CONDSTORE or QRESYNC"),
        ("SELECT a CONDSTORE", "parameters in parentheses"),
        ("SELECT a (QRESYNC (0 1))", "UIDVALIDITY"),
        ("SELECT a (QRESYNC (4294967296 1))", "UIDVALIDITY"),
        ("SELECT a (QRESYNC (1 0))", "a modification sequence"),
        ("SELECT a (QRESYNC (1 9223372036854775808))", "a modification sequence"),
        ("SELECT a (QRESYNC (1 1 1:*))", "without *"),
        ("SELECT a (QRESYNC (1 1 $))", "without *"),
        ("SELECT a (QRESYNC (1 1 (1 *)))", "without *"),
        ("SELECT a (QRESYNC (1 1 ))", "a set of UIDs"),
        ("SELECT Entw&APwrfe", "behind SELECT holds `&` without"),
        ("SELECT \"Entwürfe\"", "behind SELECT holds octets that are not printable"),
    ]);
}

#[test]
fn mailboxes_are_made_with_uses_and_named_anew() {
    let create = |mailbox: &str, uses: &[Result<SpecialUse, String>]| Command::Create {
        mailbox: name(mailbox),
        said: None,
        special_uses: uses.to_vec(),
    };
    means([
        ("CREATE a/", create("a", &[])),
        ("CREATE /", create("/", &[])),
        ("CREATE a (USE (\\sent \\All))", create("a", &[Ok(SpecialUse::Sent), Err("\\All".into())])),
        ("CREATE a (USE ())", create("a", &[])),
        ("RENAME inbox b/", Command::Rename { from: name("INBOX"), to: name("b"), said: None }),
        ("DELETE a", Command::Delete { mailbox: name("a"), said: None }),
        ("SUBSCRIBE a", Command::Subscribe(name("a"))),
        ("UNSUBSCRIBE #news.a", Command::Unsubscribe(name("#news.a"))),
    ]);
    refused(&[
        ("CREATE a (USE \\Sent)", "special uses in parentheses"),
        ("CREATE a (USE (Sent))", "a special use"),
        ("CREATE a (PARTITION x)", "USE"),
        ("RENAME a", "the new name"),
        ("DELETE a b", "the end of the command"),
        ("DELETE a*", "the end of the command"),
    ]);
}

#[test]
fn list_has_selection_patterns_and_what_is_returned() {
    let plain = |reference: &str, pattern: &str| ListCommand {
        reference: reference.into(),
        patterns: vec![pattern.into()],
        ..ListCommand::default()
    };
    means([
        ("LIST \"\" *", Command::List(plain("", "*"))),
        ("LIST inbox/ %]x", Command::List(plain("INBOX/", "%]x"))),
        ("LIST \"\" \"a b*\"", Command::List(plain("", "a b*"))),
        ("LIST \"\" \"\"", Command::List(plain("", ""))),
        ("LIST \"\" &APw-*", Command::List(plain("", "ü*"))),
        (
            "LIST (SUBSCRIBED RECURSIVEMATCH REMOTE SUBSCRIBED) \"\" (a* \"b\") RETURN (CHILDREN STATUS (MESSAGES UNSEEN) CHILDREN)",
            Command::List(ListCommand {
                reference: String::new(),
                patterns: vec!["a*".into(), "b".into()],
                selection: vec![
                    ListSelection::Subscribed,
                    ListSelection::RecursiveMatch,
                    ListSelection::Remote,
                ],
                returns: vec![
                    ListReturn::Children,
                    ListReturn::Status(vec![StatusItem::Messages, StatusItem::Unseen]),
                ],
                is_extended: true,
            }),
        ),
        (
            "LIST () \"\" % RETURN (SPECIAL-USE SUBSCRIBED MYRIGHTS METADATA (/shared/Comment))",
            Command::List(ListCommand {
                returns: vec![
                    ListReturn::SpecialUse,
                    ListReturn::Subscribed,
                    ListReturn::MyRights,
                    ListReturn::Metadata(vec!["/shared/comment".into()]),
                ],
                is_extended: true,
                ..plain("", "%")
            }),
        ),
        ("LIST (SPECIAL-USE) \"\" * RETURN ()", {
            let selection = vec![ListSelection::SpecialUse];
            Command::List(ListCommand { selection, is_extended: true, ..plain("", "*") })
        }),
        ("LSUB \"\" news.*", Command::Lsub { reference: String::new(), pattern: "news.*".into() }),
    ]);
    refused(&[
        ("LIST *", "the name of a mailbox"),
        ("LIST \"\"", "a pattern"),
        ("LIST (RECURSIVEMATCH) \"\" *", "SUBSCRIBED beside RECURSIVEMATCH"),
        ("LIST (REMOTE RECURSIVEMATCH) \"\" *", "SUBSCRIBED beside RECURSIVEMATCH"),
        ("LIST (FOO) \"\" *", "SUBSCRIBED, REMOTE"),
        ("LIST \"\" ()", "the pattern of a mailbox"),
        ("LIST \"\" * RETURN", "return options"),
        ("LIST \"\" * RETURN (FOO)", "SUBSCRIBED, CHILDREN"),
        ("LIST \"\" * RETURN (STATUS ())", "an item like MESSAGES"),
        ("LIST \"\" * (SUBSCRIBED)", "the end of the command"),
        ("LSUB \"\" (a b)", "the pattern of a mailbox"),
    ]);
}

#[test]
fn status_has_items_once_each() {
    let all = "MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED DELETED-STORAGE SIZE HIGHESTMODSEQ APPENDLIMIT MAILBOXID";
    let Ok(Command::Status { items, .. }) = command(format!("STATUS a ({all} messages)").as_bytes()) else {
        panic!()
    };
    assert_eq!(items.len(), all.split(' ').count());
    means([(
        "STATUS blurdybloop (UIDNEXT MESSAGES uidnext)",
        Command::Status {
            mailbox: name("blurdybloop"),
            items: vec![StatusItem::UidNext, StatusItem::Messages],
        },
    )]);
    refused(&[
        ("STATUS a", "what to tell"),
        ("STATUS a ()", "an item"),
        ("STATUS a MESSAGES", "in parentheses"),
        ("STATUS a (FOO)", "an item"),
    ]);
}

#[test]
fn annotations_are_asked_for_with_options_in_either_place() {
    let asks = |mailbox: Option<&str>, size_max, depth, entries: &[&str]| Command::GetMetadata {
        mailbox: mailbox.map(name),
        size_max,
        depth,
        entries: entries.iter().map(|entry| (*entry).to_owned()).collect(),
    };
    let zero = MetadataDepth::Zero;
    means([
        ("GETMETADATA \"\" /shared/Comment", asks(None, None, zero, &["/shared/comment"])),
        (
            "GETMETADATA a (/shared/a \"/private/b c\")",
            asks(Some("a"), None, zero, &["/shared/a", "/private/b c"]),
        ),
        (
            "GETMETADATA (MAXSIZE 10 DEPTH infinity) a /shared/a",
            asks(Some("a"), Some(10), MetadataDepth::Infinity, &["/shared/a"]),
        ),
        ("GETMETADATA a (DEPTH 1) (/shared/a)", asks(Some("a"), None, MetadataDepth::One, &["/shared/a"])),
        (
            "SETMETADATA a (/private/x NIL /private/y {3}\r\na\r\n /shared/z ~{1}\r\n\0 /shared/q \"\")",
            Command::SetMetadata {
                mailbox: Some(name("a")),
                entries: vec![
                    ("/private/x".into(), None),
                    ("/private/y".into(), Some(b"a\r\n".to_vec())),
                    ("/shared/z".into(), Some(vec![0])),
                    ("/shared/q".into(), Some(Vec::new())),
                ],
            },
        ),
    ]);
    refused(&[
        ("GETMETADATA a", "names of annotations"),
        ("GETMETADATA a ()", "the name of an annotation"),
        ("GETMETADATA a comment", "/private/comment"),
        ("GETMETADATA a /shared/", "/private/comment"),
        ("GETMETADATA a /shared//a", "/private/comment"),
        ("GETMETADATA a /", "/private/comment"),
        ("GETMETADATA a \"/shared/*\"", "/private/comment"),
        ("GETMETADATA a \"/shared/ä\"", "/private/comment"),
        ("GETMETADATA a (DEPTH 2) /shared/a", "0, 1 or infinity"),
        ("GETMETADATA a (MAXSIZE) /shared/a", "a number of octets"),
        ("SETMETADATA a /shared/a NIL", "annotations in parentheses"),
        ("SETMETADATA a (/shared/a)", "the value of an annotation"),
        ("SETMETADATA a (/shared/a b)", "the value of an annotation"),
        ("SETMETADATA a (/shared/a {1}\r\n\0)", "without NUL"),
    ]);
}

#[test]
fn quota_and_rights_have_their_arguments() {
    means([
        ("GETQUOTA \"\"", Command::GetQuota(String::new())),
        ("GETQUOTAROOT INBOX", Command::GetQuotaRoot(name("INBOX"))),
        (
            "SETQUOTA root (storage 512 MESSAGE 1000)",
            Command::SetQuota {
                root: "root".into(),
                limits: vec![("STORAGE".into(), 512), ("MESSAGE".into(), 1000)],
            },
        ),
        ("SETQUOTA \"\" ()", Command::SetQuota { root: String::new(), limits: Vec::new() }),
        ("MYRIGHTS a", Command::MyRights(name("a"))),
        ("GETACL a", Command::GetAcl(name("a"))),
        ("LISTRIGHTS a ada", Command::ListRights { mailbox: name("a"), identifier: "ada".into() }),
        (
            "SETACL a ada +lr",
            Command::SetAcl { mailbox: name("a"), identifier: "ada".into(), rights: Some("+lr".into()) },
        ),
        ("DELETEACL a ada", Command::SetAcl { mailbox: name("a"), identifier: "ada".into(), rights: None }),
    ]);
    refused(&[
        ("GETQUOTA", "the name of a quota root"),
        ("SETQUOTA \"\" STORAGE 5", "limits in parentheses"),
        ("SETQUOTA \"\" (STORAGE)", "the limit of a resource"),
        ("SETQUOTA \"\" (STORAGE 9223372036854775808)", "the limit of a resource"),
        ("SETACL a ada", "rights"),
    ]);
}

#[test]
fn notify_asks_for_events_that_go_together() {
    let group = |filter, events: &[NotifyEvent]| EventGroup { filter, events: events.to_vec() };
    let new = NotifyEvent::MessageNew(Vec::new());
    means([
        ("NOTIFY NONE", Command::Notify(NotifyCommand::None)),
        (
            "NOTIFY SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge)) (subtree (a \"b\") none)",
            Command::Notify(NotifyCommand::Set {
                status: true,
                groups: vec![
                    group(
                        MailboxFilter::Selected,
                        &[
                            NotifyEvent::MessageNew(vec![FetchItem::Uid, FetchItem::Flags]),
                            NotifyEvent::MessageExpunge,
                        ],
                    ),
                    group(MailboxFilter::Subtree(vec![name("a"), name("b")]), &[]),
                ],
            }),
        ),
        (
            "NOTIFY SET (mailboxes inbox (MessageNew MessageExpunge FlagChange)) (personal (MailboxName SubscriptionChange))",
            Command::Notify(NotifyCommand::Set {
                status: false,
                groups: vec![
                    group(
                        MailboxFilter::Mailboxes(vec![name("INBOX")]),
                        &[new, NotifyEvent::MessageExpunge, NotifyEvent::FlagChange],
                    ),
                    group(
                        MailboxFilter::Personal,
                        &[NotifyEvent::MailboxName, NotifyEvent::SubscriptionChange],
                    ),
                ],
            }),
        ),
    ]);
    refused(&[
        ("NOTIFY", "SET or NONE"),
        ("NOTIFY SET", "mailboxes and events in parentheses"),
        ("NOTIFY SET STATUS", "mailboxes and events in parentheses"),
        ("NOTIFY SET (personal)", "events"),
        ("NOTIFY SET (everything NONE)", "mailboxes: SELECTED"),
        ("NOTIFY SET (personal ())", "an event"),
        ("NOTIFY SET (personal (MessageNew))", "both of them"),
        ("NOTIFY SET (personal (FlagChange))", "both of them"),
        ("NOTIFY SET (personal (MessageNew (UID) MessageExpunge))", "what to fetch only for the selected"),
        ("NOTIFY SET (selected (MailboxName))", "events of messages only"),
        ("NOTIFY SET (selected NONE) (selected-delayed NONE)", "SELECTED or SELECTED-DELAYED once"),
        ("NOTIFY SET (personal (FooEvent))", "One of the events is not known"),
    ]);
    let unknown = command(b"NOTIFY SET (personal (FooEvent))").unwrap_err();
    assert_eq!(unknown.response().0, imap::response::Response::BadEvent);
}
