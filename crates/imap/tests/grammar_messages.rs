//! What clients say of messages, and what it means: a table for each command, with the row one past each limit.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod grammar_common;

use grammar_common::{command, means, name, refused, set};
use imap::command::{
    BodyItem, Charset, Command, FetchItem, FlagList, MimePart, Numbering, PartSection, Partial, PartialRange,
    RANGES_MAX, ReturnOption, ReturnOptions, SearchKey, Section, SectionText, SequenceSet, SortCriterion,
    SortKey, StoreHow, ThreadAlgorithm,
};
use imap::grammar::{FETCH_ITEMS_MAX, GrammarError, HEADER_NAMES_MAX, SEARCH_DEPTH_MAX};
use imap::mime::PartPath;
use types::mailstore::{Flags, ModSeq};

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
    let named = |count: usize| {
        let names = vec!["X"; count].join(" ");
        command(format!("FETCH 1 BODY[HEADER.FIELDS ({names})]").as_bytes())
    };
    assert!(named(HEADER_NAMES_MAX).is_ok());
    assert!(named(HEADER_NAMES_MAX + 1).unwrap_err().to_string().contains("fewer names"));
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
    let flag = Key::Flag;
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
}

#[test]
fn what_is_no_search_key_is_refused() {
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
