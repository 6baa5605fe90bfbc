//! What clients say, and what it means: a table for each command, with the row one past each limit.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod grammar_common;

use grammar_common::command;
use imap::command::{
    Access, BodyItem, Charset, Command, EventGroup, FetchItem, FlagList, ListCommand, ListReturn,
    ListSelection, MailboxFilter, MailboxName, MetadataDepth, MimePart, NotifyCommand, NotifyEvent,
    Numbering, PartSection, Partial, PartialRange, Qresync, RANGES_MAX, ReturnOption, ReturnOptions,
    SearchKey, Secret, Section, SectionText, SequenceSet, SetRange, SetValue, SortCriterion, SortKey,
    StatusItem, StoreHow, ThreadAlgorithm,
};
use imap::grammar::{FETCH_ITEMS_MAX, GrammarError, SEARCH_DEPTH_MAX};
use imap::mime::PartPath;
use types::mailstore::{Flags, ModSeq, SpecialUse, UidValidity};

fn name(text: &str) -> MailboxName {
    MailboxName(text.into())
}

/// Each line means its command.
fn means(rows: impl IntoIterator<Item = (&'static str, Command)>) {
    for (line, expected) in rows {
        assert_eq!(command(line.as_bytes()), Ok(expected), "{line}");
    }
}

/// Each line is refused, with a text that has this in it.
fn refused(rows: &[(&str, &str)]) {
    for (line, expected) in rows {
        let problem = command(line.as_bytes()).expect_err(line).to_string();
        assert!(problem.contains(expected), "{line}: {problem}");
    }
}

/// `1,3:*` and the like; 0 stands for `*`.
fn set(ranges: &[(u32, u32)]) -> SequenceSet {
    let value = |number| if number == 0 { SetValue::Largest } else { SetValue::Number(number) };
    SequenceSet::Ranges(
        ranges.iter().map(|(from, to)| SetRange { from: value(*from), to: value(*to) }).collect(),
    )
}

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
            Command::Select { mailbox: name("a"), access: Access::ReadOnly, condstore: false, qresync: None },
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
        special_uses: uses.to_vec(),
    };
    means([
        ("CREATE a/", create("a", &[])),
        ("CREATE /", create("/", &[])),
        ("CREATE a (USE (\\sent \\All))", create("a", &[Ok(SpecialUse::Sent), Err("\\All".into())])),
        ("CREATE a (USE ())", create("a", &[])),
        ("RENAME inbox b/", Command::Rename { from: name("INBOX"), to: name("b") }),
        ("DELETE a", Command::Delete(name("a"))),
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
fn sets_are_read_with_all_their_ends_and_at_most_so_many_ranges() {
    let copy = |set| Command::Copy { numbering: Numbering::Sequence, set, mailbox: name("a"), moves: false };
    means([
        ("COPY 1 a", copy(set(&[(1, 1)]))),
        ("COPY *:4,5:1,*,7 a", copy(set(&[(0, 4), (5, 1), (0, 0), (7, 7)]))),
        ("COPY 4294967295 a", copy(set(&[(u32::MAX, u32::MAX)]))),
        ("COPY $ a", copy(SequenceSet::Saved)),
        (
            "UID MOVE 1:* a",
            Command::Copy { numbering: Numbering::Uid, set: set(&[(1, 0)]), mailbox: name("a"), moves: true },
        ),
    ]);
    refused(&[
        ("COPY 0 a", "a set of sequence numbers behind COPY, at octet 8"),
        ("COPY 01 a", "a set of sequence numbers"),
        ("COPY 1:0 a", "a set of sequence numbers"),
        ("COPY 4294967296 a", "a set of sequence numbers"),
        ("COPY 99999999999999999999999999 a", "a set of sequence numbers"),
        ("COPY -1 a", "a set of sequence numbers"),
        ("COPY 1, a", "a set of sequence numbers"),
        ("COPY 1,,2 a", "a set of sequence numbers"),
        ("COPY 1:2:3 a", "the name of a mailbox"),
        ("COPY $,1 a", "the name of a mailbox"),
        ("UID COPY x a", "a set of UIDs"),
        ("MOVE 1", "the name of a mailbox"),
    ]);
    let many = |count: usize| command(format!("COPY {} a", vec!["*"; count].join(",")).as_bytes());
    assert!(many(RANGES_MAX).is_ok());
    assert_eq!(many(RANGES_MAX + 1), Err(GrammarError::TooManyRanges(RANGES_MAX)));
}

fn fetch(items: &[FetchItem]) -> Command {
    Command::Fetch {
        numbering: Numbering::Sequence,
        set: set(&[(1, 1)]),
        items: items.to_vec(),
        changed_since: None,
        vanished: false,
        partial: None,
    }
}

fn content(section: Section, peek: bool, shown_as: MimePart) -> FetchItem {
    FetchItem::Content(BodyItem { section, partial: None, peek, shown_as })
}

#[test]
fn fetch_resolves_macros_and_old_forms() {
    use FetchItem::{Body, BodyStructure, Envelope, Flags, InternalDate, Rfc822Size, Uid};
    let message = |text| Section::Message(text);
    means([
        ("FETCH 1 ALL", fetch(&[Flags, InternalDate, Rfc822Size, Envelope])),
        ("FETCH 1 fast", fetch(&[Flags, InternalDate, Rfc822Size])),
        ("FETCH 1 FULL", fetch(&[Flags, InternalDate, Rfc822Size, Envelope, Body])),
        ("FETCH 1 FLAGS", fetch(&[Flags])),
        ("FETCH 1 (UID FLAGS uid BODYSTRUCTURE BODY)", fetch(&[Uid, Flags, BodyStructure, Body])),
        ("FETCH 1 RFC822", fetch(&[content(message(SectionText::All), false, MimePart::Rfc822)])),
        (
            "FETCH 1 RFC822.HEADER",
            fetch(&[content(message(SectionText::Header), true, MimePart::Rfc822Header)]),
        ),
        ("FETCH 1 RFC822.TEXT", fetch(&[content(message(SectionText::Text), false, MimePart::Rfc822Text)])),
        (
            "FETCH 1 (MODSEQ EMAILID THREADID SAVEDATE PREVIEW PREVIEW (LAZY))",
            fetch(&[
                FetchItem::ModSeq,
                FetchItem::EmailId,
                FetchItem::ThreadId,
                FetchItem::SaveDate,
                FetchItem::Preview { lazy: false },
                FetchItem::Preview { lazy: true },
            ]),
        ),
    ]);
    refused(&[
        ("FETCH 1", "what to fetch behind FETCH"),
        ("FETCH 1 ()", "an item like FLAGS"),
        ("FETCH 1 (ALL)", "an item like FLAGS"),
        ("FETCH 1 FLAGS UID", "modifiers in parentheses"),
        ("FETCH 1 (FLAGS  UID)", "one space only"),
        ("FETCH 1 (FLAGS UID", "a space or `)`"),
        ("FETCH 1 FLAGSX", "an item like FLAGS"),
        ("FETCH 1 BODYSTRUCTURE[]", "the end of the command"),
        ("FETCH 1 RFC822.SIZE[]", "the end of the command"),
    ]);
    let many = |count: u32| {
        let items: Vec<String> = (1..=count).map(|part| format!("BODY[{part}]")).collect();
        command(format!("FETCH 1 ({})", items.join(" ")).as_bytes())
    };
    let max = u32::try_from(FETCH_ITEMS_MAX).unwrap();
    assert!(many(max).is_ok());
    assert!(many(max + 1).unwrap_err().to_string().contains("fewer items"));
}

#[test]
fn sections_have_parts_texts_and_partials() {
    let part = |path: &[u32], section| Section::Part(PartPath(path.to_vec()), section);
    let one = |section| fetch(&[content(section, false, MimePart::Body)]);
    let fields = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let partial = |section, start, count, peek, shown_as| {
        fetch(&[FetchItem::Content(BodyItem {
            section,
            partial: Some(Partial { start, count }),
            peek,
            shown_as,
        })])
    };
    means([
        ("FETCH 1 BODY[]", one(Section::Message(SectionText::All))),
        (
            "FETCH 1 body.peek[header]",
            fetch(&[content(Section::Message(SectionText::Header), true, MimePart::Body)]),
        ),
        ("FETCH 1 BODY[TEXT]", one(Section::Message(SectionText::Text))),
        (
            "FETCH 1 BODY[HEADER.FIELDS (Date \"From\" {2}\r\nTo)]",
            one(Section::Message(SectionText::HeaderFields(fields(&["Date", "From", "To"])))),
        ),
        (
            "FETCH 1 BODY[4.2.HEADER.FIELDS.NOT (X-Y)]",
            one(part(&[4, 2], PartSection::Message(SectionText::HeaderFieldsNot(fields(&["X-Y"]))))),
        ),
        ("FETCH 1 BODY[1]", one(part(&[1], PartSection::Content))),
        ("FETCH 1 BODY[1.2.3]", one(part(&[1, 2, 3], PartSection::Content))),
        ("FETCH 1 BODY[1.2.mime]", one(part(&[1, 2], PartSection::Mime))),
        ("FETCH 1 BODY[3.TEXT]", one(part(&[3], PartSection::Message(SectionText::Text)))),
        (
            "FETCH 1 BODY[]<0.1024>",
            partial(Section::Message(SectionText::All), 0, 1024, false, MimePart::Body),
        ),
        (
            "FETCH 1 BODY.PEEK[1]<9223372036854775807.1>",
            partial(part(&[1], PartSection::Content), i64::MAX as u64, 1, true, MimePart::Body),
        ),
        ("FETCH 1 BINARY[]", fetch(&[content(Section::Message(SectionText::All), false, MimePart::Binary)])),
        (
            "FETCH 1 BINARY.PEEK[1.2]<3.4>",
            partial(part(&[1, 2], PartSection::Content), 3, 4, true, MimePart::Binary),
        ),
        ("FETCH 1 BINARY.SIZE[2]", fetch(&[FetchItem::BinarySize(PartPath(vec![2]))])),
        ("FETCH 1 BINARY.SIZE[]", fetch(&[FetchItem::BinarySize(PartPath(Vec::new()))])),
    ]);
    refused(&[
        ("FETCH 1 BODY[", "`]` behind the section"),
        ("FETCH 1 BODY[0]", "the number of a part"),
        ("FETCH 1 BODY[1.0]", "the number of a part"),
        ("FETCH 1 BODY[1.]", "HEADER, HEADER.FIELDS"),
        ("FETCH 1 BODY[4294967296]", "the number of a part"),
        ("FETCH 1 BODY[MIME]", "HEADER, HEADER.FIELDS"),
        ("FETCH 1 BODY[HEADER.FIELDS]", "names of header fields"),
        ("FETCH 1 BODY[HEADER.FIELDS ()]", "the name of a header field"),
        ("FETCH 1 BODY[HEADER.FIELDS (a) ]", "`]` behind the section"),
        ("FETCH 1 BODY []", "modifiers in parentheses"),
        ("FETCH 1 BODY.PEEK", "a section in brackets"),
        ("FETCH 1 BODY[]<1>", "a range of octets"),
        ("FETCH 1 BODY[]<1.0>", "a range of octets"),
        ("FETCH 1 BODY[]<1.-1>", "a range of octets"),
        ("FETCH 1 BODY[]<9223372036854775808.1>", "a range of octets"),
        ("FETCH 1 BODY[]<18446744073709551617.1>", "a range of octets"),
        ("FETCH 1 BINARY[1.MIME]", "`]` behind the part"),
        ("FETCH 1 BINARY[1.]", "`]` behind the part"),
        ("FETCH 1 BINARY[TEXT]", "the number of a part"),
        ("FETCH 1 BINARY.SIZE[1]<0.1>", "the end of the command"),
    ]);
}

#[test]
fn fetch_has_modifiers() {
    let with = |numbering, changed_since: Option<u64>, vanished, partial| Command::Fetch {
        numbering,
        set: set(&[(1, 0)]),
        items: vec![FetchItem::Flags],
        changed_since: changed_since.map(ModSeq),
        vanished,
        partial,
    };
    let range = |from_end, first, last| Some(PartialRange { from_end, first, last });
    means([
        ("FETCH 1:* FLAGS (CHANGEDSINCE 12345)", with(Numbering::Sequence, Some(12345), false, None)),
        ("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)", with(Numbering::Uid, Some(1), true, None)),
        ("UID FETCH 1:* FLAGS (PARTIAL -1:-30)", with(Numbering::Uid, None, false, range(true, 1, 30))),
        ("UID FETCH 1:* FLAGS (PARTIAL 30:2)", with(Numbering::Uid, None, false, range(false, 2, 30))),
    ]);
    refused(&[
        ("FETCH 1 FLAGS (CHANGEDSINCE 0)", "a modification sequence"),
        ("FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)", "a modification sequence"),
        ("FETCH 1 FLAGS ()", "CHANGEDSINCE, VANISHED or PARTIAL"),
        ("UID FETCH 1 FLAGS (VANISHED)", "VANISHED only with CHANGEDSINCE"),
        ("FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", "VANISHED only with CHANGEDSINCE and UID FETCH"),
        ("FETCH 1 FLAGS (PARTIAL 1:2)", "PARTIAL only with UID FETCH"),
        ("UID FETCH 1 FLAGS (PARTIAL 1:-2)", "a range like"),
        ("UID FETCH 1 FLAGS (PARTIAL 0:2)", "a range like"),
        ("UID FETCH 1 FLAGS (PARTIAL 1)", "a range like"),
        ("UID FETCH 1 FLAGS (PARTIAL 1:*)", "a range like"),
    ]);
}

#[test]
fn store_has_flags_with_and_without_parentheses() {
    let store = |unchanged_since: Option<u64>, how, silent, system, keywords: &[&str]| Command::Store {
        numbering: Numbering::Sequence,
        set: set(&[(1, 1)]),
        unchanged_since: unchanged_since.map(ModSeq),
        how,
        silent,
        flags: FlagList { system, keywords: keywords.iter().map(|name| (*name).to_owned()).collect() },
    };
    means([
        ("STORE 1 FLAGS ()", store(None, StoreHow::Replace, false, Flags::NONE, &[])),
        ("STORE 1 +flags \\seen", store(None, StoreHow::Add, false, Flags::SEEN, &[])),
        (
            "STORE 1 -FLAGS.SILENT (\\Answered \\Flagged \\Deleted \\Draft $Junk $junk)",
            store(
                None,
                StoreHow::Remove,
                true,
                Flags::ANSWERED.with(Flags::FLAGGED).with(Flags::DELETED).with(Flags::DRAFT),
                &["$Junk"],
            ),
        ),
        ("STORE 1 FLAGS a \\Seen b", store(None, StoreHow::Replace, false, Flags::SEEN, &["a", "b"])),
        (
            "STORE 1 (UNCHANGEDSINCE 0) +FLAGS.SILENT (x)",
            store(Some(0), StoreHow::Add, true, Flags::NONE, &["x"]),
        ),
    ]);
    refused(&[
        ("STORE 1 FLAGS", "flags"),
        ("STORE 1 FLAGS ", "a flag"),
        ("STORE 1 FLAGS (\\Recent)", "a flag"),
        ("STORE 1 FLAGS (\\Foo)", "a flag"),
        ("STORE 1 FLAGS (\\*)", "a flag"),
        ("STORE 1 FLAGS (a]b)", "a space or `)`"),
        ("STORE 1 FLAGS (\"a\")", "a flag"),
        ("STORE 1 *FLAGS (a)", "FLAGS, +FLAGS or -FLAGS"),
        ("STORE 1 FLAGS.LOUD (a)", "FLAGS, +FLAGS or -FLAGS"),
        ("STORE 1 (UNCHANGEDSINCE x) FLAGS (a)", "a modification sequence"),
        ("STORE 1 (FOO 1) FLAGS (a)", "UNCHANGEDSINCE"),
    ]);
}

fn search(key: SearchKey) -> Command {
    Command::Search { numbering: Numbering::Sequence, options: None, charset: Charset::Utf8, key }
}

fn header(name: &str, value: &str) -> SearchKey {
    SearchKey::Header { name: name.into(), value: value.into() }
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

#[test]
fn search_keys_mean_what_rfc_9051_says() {
    use SearchKey as Key;
    let flag = |flag| Key::Flag(flag);
    means(
        [
            ("SEARCH ALL", Key::All),
            ("SEARCH ANSWERED", flag(Flags::ANSWERED)),
            ("SEARCH DELETED", flag(Flags::DELETED)),
            ("SEARCH DRAFT", flag(Flags::DRAFT)),
            ("SEARCH FLAGGED", flag(Flags::FLAGGED)),
            ("SEARCH SEEN", flag(Flags::SEEN)),
            ("SEARCH UNANSWERED", not(flag(Flags::ANSWERED))),
            ("SEARCH UNDELETED", not(flag(Flags::DELETED))),
            ("SEARCH UNDRAFT", not(flag(Flags::DRAFT))),
            ("SEARCH UNFLAGGED", not(flag(Flags::FLAGGED))),
            ("SEARCH UNSEEN", not(flag(Flags::SEEN))),
            ("SEARCH RECENT", Key::Recent),
            ("SEARCH OLD", not(Key::Recent)),
            ("SEARCH NEW", Key::And(vec![Key::Recent, not(flag(Flags::SEEN))])),
            ("SEARCH KEYWORD $Junk", Key::Keyword("$Junk".into())),
            ("SEARCH UNKEYWORD x", not(Key::Keyword("x".into()))),
            ("SEARCH FROM Smith", header("From", "Smith")),
            ("SEARCH BCC a", header("Bcc", "a")),
            ("SEARCH CC a", header("Cc", "a")),
            ("SEARCH TO a", header("To", "a")),
            ("SEARCH SUBJECT \"\"", header("Subject", "")),
            ("SEARCH HEADER x-y {2}\r\nab", header("x-y", "ab")),
            ("SEARCH BODY \"ä\"", Key::Body("ä".into())),
            ("SEARCH TEXT a", Key::Text("a".into())),
            ("SEARCH BEFORE 1-Jan-1970", Key::Before(0)),
            ("SEARCH ON \"02-jan-1970\"", Key::On(1)),
            ("SEARCH SINCE 31-Dec-1969", Key::Since(-1)),
            ("SEARCH SENTBEFORE 29-Feb-2000", Key::SentBefore(11_016)),
            ("SEARCH SENTON 22-Nov-2026", Key::SentOn(20_779)),
            ("SEARCH SENTSINCE 1-Feb-1994", Key::SentSince(8_797)),
            ("SEARCH SAVEDBEFORE 1-Jan-1970", Key::SavedBefore(0)),
            ("SEARCH SAVEDON 1-Jan-1970", Key::SavedOn(0)),
            ("SEARCH SAVEDSINCE 1-Jan-1970", Key::SavedSince(0)),
            ("SEARCH SAVEDATESUPPORTED", Key::SaveDateSupported),
            ("SEARCH OLDER 1", Key::Older(1)),
            ("SEARCH YOUNGER 4294967295", Key::Younger(u32::MAX)),
            ("SEARCH LARGER 0", Key::Larger(0)),
            ("SEARCH SMALLER 9223372036854775807", Key::Smaller(i64::MAX as u64)),
            ("SEARCH 1,3:*", Key::Sequence(set(&[(1, 1), (3, 0)]))),
            ("SEARCH *", Key::Sequence(set(&[(0, 0)]))),
            ("SEARCH $", Key::Sequence(SequenceSet::Saved)),
            ("SEARCH UID 1:5", Key::Uid(set(&[(1, 5)]))),
            ("SEARCH UID $", Key::Uid(SequenceSet::Saved)),
            ("SEARCH MODSEQ 620162338", Key::ModSeq(ModSeq(620_162_338))),
            ("SEARCH MODSEQ \"/flags/\\\\draft\" all 5", Key::ModSeq(ModSeq(5))),
            ("SEARCH EMAILID M6d99", Key::EmailId("M6d99".into())),
            ("SEARCH THREADID T-_9", Key::ThreadId("T-_9".into())),
            ("SEARCH (ALL)", Key::All),
            ("SEARCH SEEN 1", Key::And(vec![flag(Flags::SEEN), Key::Sequence(set(&[(1, 1)]))])),
            ("SEARCH NOT (SEEN DRAFT)", not(Key::And(vec![flag(Flags::SEEN), flag(Flags::DRAFT)]))),
            (
                "SEARCH OR NOT SEEN OR DRAFT ALL FLAGGED",
                Key::And(vec![
                    Key::Or(Box::new((
                        not(flag(Flags::SEEN)),
                        Key::Or(Box::new((flag(Flags::DRAFT), Key::All))),
                    ))),
                    flag(Flags::FLAGGED),
                ]),
            ),
        ]
        .map(|(line, key)| (line, search(key))),
    );
    refused(&[
        ("SEARCH", "a search key"),
        ("SEARCH ()", "a search key"),
        ("SEARCH FOO", "a search key"),
        ("SEARCH ALLX", "a search key"),
        ("SEARCH NOT", "a search key behind NOT"),
        ("SEARCH OR SEEN", "a search key"),
        ("SEARCH FROM", "a string behind FROM"),
        ("SEARCH HEADER a", "a string behind HEADER"),
        ("SEARCH KEYWORD \\Seen", "a keyword"),
        ("SEARCH KEYWORD \"a\"", "a keyword"),
        ("SEARCH BEFORE 30-Feb-2000", "a date"),
        ("SEARCH BEFORE 1-Foo-2000", "a date"),
        ("SEARCH BEFORE 1-Jan-99", "a date"),
        ("SEARCH BEFORE 001-Jan-1999", "a date"),
        ("SEARCH BEFORE \"1-Jan-1999", "behind the date"),
        ("SEARCH OLDER 0", "a number of seconds"),
        ("SEARCH LARGER 9223372036854775808", "a number of octets"),
        ("SEARCH LARGER -1", "a number of octets"),
        ("SEARCH MODSEQ \"/flags/x\" 5", "priv, shared or all"),
        ("SEARCH EMAILID a.b", "an object id"),
        ("SEARCH (SEEN", "a space or `)`"),
        ("SEARCH SEEN)", "the end of the command"),
        ("SEARCH 1:", "a set of sequence numbers"),
        ("SEARCH SEEN  ALL", "one space only"),
    ]);
    assert!(command(b"SEARCH TEXT {1}\r\n\xff").unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn search_keys_are_nested_only_so_deep() {
    let too_deep = Err(GrammarError::TooDeep(SEARCH_DEPTH_MAX));
    let nested: [(&str, &str, &str); 3] = [("(", "ALL", ")"), ("NOT ", "ALL", ""), ("OR SEEN ", "ALL", "")];
    for (before, key, after) in nested {
        let deep = |depth: usize| {
            let line = format!("SEARCH {}{key}{}", before.repeat(depth), after.repeat(depth));
            command(line.as_bytes())
        };
        assert!(deep(SEARCH_DEPTH_MAX).is_ok(), "{before}");
        assert_eq!(deep(SEARCH_DEPTH_MAX + 1), too_deep, "{before}");
        assert_eq!(deep(8000), too_deep, "{before}");
    }
    // Side by side they are not nested.
    let wide = format!("SEARCH{}", " (NOT SEEN)".repeat(2000));
    assert!(command(wide.as_bytes()).is_ok());
}

#[test]
fn search_has_options_and_a_character_set() {
    let with = |options: &[ReturnOption]| Some(ReturnOptions { options: options.to_vec() });
    let range = PartialRange { from_end: true, first: 1, last: 100 };
    means([
        (
            "UID SEARCH RETURN () ALL",
            Command::Search {
                numbering: Numbering::Uid,
                options: with(&[ReturnOption::All]),
                charset: Charset::Utf8,
                key: SearchKey::All,
            },
        ),
        (
            "SEARCH RETURN (MIN MAX COUNT SAVE min PARTIAL -1:-100) CHARSET us-ascii ALL",
            Command::Search {
                numbering: Numbering::Sequence,
                options: with(&[
                    ReturnOption::Min,
                    ReturnOption::Max,
                    ReturnOption::Count,
                    ReturnOption::Save,
                    ReturnOption::Partial(range),
                ]),
                charset: Charset::Utf8,
                key: SearchKey::All,
            },
        ),
        (
            "SORT (REVERSE DATE SUBJECT) UTF-8 SEEN",
            Command::Sort {
                numbering: Numbering::Sequence,
                options: None,
                criteria: vec![
                    SortCriterion { reverse: true, key: SortKey::Date },
                    SortCriterion { reverse: false, key: SortKey::Subject },
                ],
                charset: Charset::Utf8,
                key: SearchKey::Flag(Flags::SEEN),
            },
        ),
        (
            "UID SORT RETURN (COUNT) (DISPLAYFROM) \"utf-8\" ALL",
            Command::Sort {
                numbering: Numbering::Uid,
                options: with(&[ReturnOption::Count]),
                criteria: vec![SortCriterion { reverse: false, key: SortKey::DisplayFrom }],
                charset: Charset::Utf8,
                key: SearchKey::All,
            },
        ),
        (
            "THREAD references UTF-8 ALL",
            Command::Thread {
                numbering: Numbering::Sequence,
                algorithm: ThreadAlgorithm::References,
                charset: Charset::Utf8,
                key: SearchKey::All,
            },
        ),
    ]);
    // Where the character set is not known, what its strings mean does not matter.
    let unknown = command(b"SEARCH CHARSET KOI8-R TEXT {1}\r\n\xff");
    assert!(matches!(unknown, Ok(Command::Search { charset: Charset::Unknown, .. })), "{unknown:?}");
    refused(&[
        ("SEARCH RETURN ALL ALL", "return options in parentheses"),
        ("SEARCH RETURN (FOO) ALL", "MIN, MAX"),
        ("SEARCH RETURN (ALL PARTIAL 1:2) ALL", "PARTIAL once, and without ALL"),
        ("SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL", "PARTIAL once"),
        ("SEARCH RETURN (MIN)", "a search key"),
        ("SEARCH CHARSET UTF-8", "a search key"),
        ("SEARCH ALL CHARSET UTF-8", "a search key"),
        ("SORT DATE UTF-8 ALL", "criteria of SORT in parentheses"),
        ("SORT (REVERSE) UTF-8 ALL", "a criterion"),
        ("SORT (REVERSE REVERSE DATE) UTF-8 ALL", "a criterion"),
        ("SORT () UTF-8 ALL", "a criterion"),
        ("SORT (DATE) UTF-8", "a search key"),
        ("THREAD FOO UTF-8 ALL", "ORDEREDSUBJECT or REFERENCES"),
        ("THREAD REFERENCES UTF-8", "a search key"),
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
