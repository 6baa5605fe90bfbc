//! SEARCH, SORT and THREAD.

use types::mailstore::{Flags, ModSeq};

use super::cursor::{Cursor, Words};
use super::{GrammarError, Result};
use crate::command::{
    Charset, Command, Numbering, ReturnOption, ReturnOptions, SearchKey, SortCriterion, SortKey,
    ThreadAlgorithm,
};

/// Search keys within search keys: parentheses, NOT and OR. Some clients write a list of alternatives as a chain of OR,
/// one within the other.
pub const SEARCH_DEPTH_MAX: usize = 200;

/// ```text
/// search         = "SEARCH" [search-return-opts] SP search-program
/// search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
/// ```
pub(super) fn search(cursor: &mut Cursor<'_>, numbering: Numbering) -> Result<Command> {
    let options = return_options(cursor)?;
    let mut charset = Charset::Utf8;
    if cursor.word_follows("CHARSET") {
        charset = self::charset(cursor)?;
    }
    let key = keys(cursor, charset)?;
    Ok(Command::Search { numbering, options, charset, key })
}

/// ```text
/// sort          = "SORT" [search-return-opts] SP sort-criteria SP charset 1*(SP search-key)
/// sort-criteria = "(" sort-criterion *(SP sort-criterion) ")"
/// ```
pub(super) fn sort(cursor: &mut Cursor<'_>, numbering: Numbering) -> Result<Command> {
    let options = return_options(cursor)?;
    cursor.space("criteria of SORT")?;
    let criteria = cursor.list("criteria of SORT in parentheses", sort_criterion)?;
    let charset = charset(cursor)?;
    let key = keys(cursor, charset)?;
    Ok(Command::Sort { numbering, options, criteria, charset, key })
}

/// ```text
/// sort-criterion = ["REVERSE" SP] sort-key
/// ```
fn sort_criterion(cursor: &mut Cursor<'_>) -> Result<SortCriterion> {
    const EXPECTED: &str = "a criterion like DATE, SUBJECT or REVERSE SIZE";
    let reverse = cursor.word("REVERSE");
    if reverse {
        cursor.space(EXPECTED)?;
    }
    Ok(SortCriterion { reverse, key: cursor.words(SORT_KEYS, EXPECTED)? })
}

/// RFC 5256 §5, RFC 5957 §3.
const SORT_KEYS: &Words<SortKey> = &[
    ("ARRIVAL", SortKey::Arrival),
    ("CC", SortKey::Cc),
    ("DATE", SortKey::Date),
    ("FROM", SortKey::From),
    ("SIZE", SortKey::Size),
    ("SUBJECT", SortKey::Subject),
    ("TO", SortKey::To),
    ("DISPLAYFROM", SortKey::DisplayFrom),
    ("DISPLAYTO", SortKey::DisplayTo),
];

/// ```text
/// thread     = "THREAD" SP thread-alg SP charset 1*(SP search-key)
/// thread-alg = "ORDEREDSUBJECT" / "REFERENCES" / thread-alg-ext
/// ```
pub(super) fn thread(cursor: &mut Cursor<'_>, numbering: Numbering) -> Result<Command> {
    const EXPECTED: &str = "ORDEREDSUBJECT or REFERENCES";
    cursor.space(EXPECTED)?;
    let algorithm = cursor.words(ALGORITHMS, EXPECTED)?;
    let charset = charset(cursor)?;
    let key = keys(cursor, charset)?;
    Ok(Command::Thread { numbering, algorithm, charset, key })
}

const ALGORITHMS: &Words<ThreadAlgorithm> =
    &[("ORDEREDSUBJECT", ThreadAlgorithm::OrderedSubject), ("REFERENCES", ThreadAlgorithm::References)];

/// ```text
/// search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
/// ```
fn return_options(cursor: &mut Cursor<'_>) -> Result<Option<ReturnOptions>> {
    if !cursor.word_follows("RETURN") {
        return Ok(None);
    }
    cursor.space("return options")?;
    let start = cursor.at();
    let mut options = Vec::new();
    for option in cursor.list_or_none("return options in parentheses", |cursor| {
        cursor.words(RETURNS, "MIN, MAX, ALL, COUNT, SAVE or PARTIAL")?(cursor)
    })? {
        if !options.contains(&option) {
            options.push(option);
        }
    }
    let partials = options.iter().filter(|option| matches!(option, ReturnOption::Partial(_))).count();
    // RFC 9394 §3.1: one PARTIAL, and no ALL beside it.
    if partials > 1 || partials == 1 && options.contains(&ReturnOption::All) {
        return cursor.expected_at("PARTIAL once, and without ALL", start);
    }
    if options.is_empty() {
        options.push(ReturnOption::All);
    }
    Ok(Some(ReturnOptions { options }))
}

const RETURNS: &Words<fn(&mut Cursor<'_>) -> Result<ReturnOption>> = &[
    ("MIN", |_| Ok(ReturnOption::Min)),
    ("MAX", |_| Ok(ReturnOption::Max)),
    ("ALL", |_| Ok(ReturnOption::All)),
    ("COUNT", |_| Ok(ReturnOption::Count)),
    ("SAVE", |_| Ok(ReturnOption::Save)),
    ("PARTIAL", |cursor| {
        cursor.space("a range")?;
        cursor.partial_range().map(ReturnOption::Partial)
    }),
];

/// ```text
/// charset = atom / quoted
/// ```
fn charset(cursor: &mut Cursor<'_>) -> Result<Charset> {
    cursor.space("a character set")?;
    let name = cursor.text("a character set")?;
    let is_known = ["UTF-8", "US-ASCII"].iter().any(|known| known.eq_ignore_ascii_case(&name));
    Ok(if is_known { Charset::Utf8 } else { Charset::Unknown })
}

fn keys(cursor: &mut Cursor<'_>, charset: Charset) -> Result<SearchKey> {
    let mut reader = KeyReader { cursor, charset, depth: 0 };
    let mut keys = Vec::new();
    while keys.is_empty() || reader.cursor.peek() == Some(b' ') {
        reader.cursor.space("a search key")?;
        keys.push(reader.key()?);
    }
    Ok(all_of(keys))
}

fn all_of(mut keys: Vec<SearchKey>) -> SearchKey {
    match keys.pop() {
        Some(only) if keys.is_empty() => only,
        last => {
            keys.extend(last);
            SearchKey::And(keys)
        }
    }
}

struct KeyReader<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    charset: Charset,
    depth: usize,
}

impl KeyReader<'_, '_> {
    fn key(&mut self) -> Result<SearchKey> {
        match self.cursor.peek() {
            Some(b'(') => {
                self.deeper()?;
                self.cursor.skip(b'(');
                let mut keys = vec![self.key()?];
                while !self.cursor.skip(b')') {
                    self.cursor.space("a space or `)`")?;
                    keys.push(self.key()?);
                }
                self.depth -= 1;
                Ok(all_of(keys))
            }
            Some(b'0'..=b'9' | b'*' | b'$') => self.cursor.set(Numbering::Sequence).map(SearchKey::Sequence),
            _ => self.cursor.words(KEYS, "a search key like ALL, UNSEEN or FROM")?(self),
        }
    }

    /// A key behind NOT or OR.
    fn inner_key(&mut self) -> Result<SearchKey> {
        self.deeper()?;
        self.cursor.space("a search key")?;
        let key = self.key()?;
        self.depth -= 1;
        Ok(key)
    }

    const fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > SEARCH_DEPTH_MAX { Err(GrammarError::TooDeep(SEARCH_DEPTH_MAX)) } else { Ok(()) }
    }

    /// A string to look for; where its character set is not known, the command ends before it matters.
    fn string(&mut self) -> Result<String> {
        self.cursor.space("a string")?;
        if self.charset == Charset::Utf8 {
            return self.cursor.text("a string");
        }
        Ok(String::from_utf8_lossy(&self.cursor.astring("a string")?).into_owned())
    }

    fn field(&mut self, name: &str) -> Result<SearchKey> {
        Ok(SearchKey::Header { name: name.to_owned(), value: self.string()? })
    }

    fn date(&mut self) -> Result<i64> {
        self.cursor.space("a date")?;
        self.cursor.date()
    }

    fn keyword(&mut self) -> Result<SearchKey> {
        self.cursor.space("a keyword")?;
        self.cursor.atom("a keyword").map(SearchKey::Keyword)
    }

    fn size(&mut self) -> Result<u64> {
        self.cursor.space("a number of octets")?;
        self.cursor.number64("a number of octets")
    }

    /// RFC 5032 §3: seconds, not zero.
    fn interval(&mut self) -> Result<u32> {
        self.cursor.space("a number of seconds")?;
        self.cursor.nz_number("a number of seconds")
    }

    /// RFC 8474 §7: `objectid = 1*255(ALPHA / DIGIT / "_" / "-")`.
    fn object_id(&mut self) -> Result<String> {
        self.cursor.space("an object id")?;
        let start = self.cursor.at();
        let id = self.cursor.text("an object id")?;
        let is_id = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-');
        if (1..=255).contains(&id.len()) && id.bytes().all(is_id) {
            return Ok(id);
        }
        self.cursor.expected_at("an object id", start)
    }

    /// RFC 7162 §7: `"MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer`.
    fn mod_seq(&mut self) -> Result<SearchKey> {
        const EXPECTED: &str = "a modification sequence";
        self.cursor.space(EXPECTED)?;
        if self.cursor.peek() == Some(b'"') {
            self.cursor.string("the name of an entry")?;
            self.cursor.space("priv, shared or all")?;
            self.cursor.words(&[("priv", ()), ("shared", ()), ("all", ())], "priv, shared or all")?;
            self.cursor.space(EXPECTED)?;
        }
        self.cursor.number64(EXPECTED).map(|modseq| SearchKey::ModSeq(ModSeq(modseq)))
    }
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

/// Behind the name of a key.
type Key = fn(&mut KeyReader<'_, '_>) -> Result<SearchKey>;

/// RFC 9051 §6.4.4, with RECENT, OLD and NEW of RFC 3501 §6.4.4.
const KEYS: &Words<Key> = &[
    ("ALL", |_| Ok(SearchKey::All)),
    ("ANSWERED", |_| Ok(SearchKey::Flag(Flags::ANSWERED))),
    ("BCC", |reader| reader.field("Bcc")),
    ("BEFORE", |reader| reader.date().map(SearchKey::Before)),
    ("BODY", |reader| reader.string().map(SearchKey::Body)),
    ("CC", |reader| reader.field("Cc")),
    ("DELETED", |_| Ok(SearchKey::Flag(Flags::DELETED))),
    ("DRAFT", |_| Ok(SearchKey::Flag(Flags::DRAFT))),
    ("EMAILID", |reader| reader.object_id().map(SearchKey::EmailId)),
    ("FLAGGED", |_| Ok(SearchKey::Flag(Flags::FLAGGED))),
    ("FROM", |reader| reader.field("From")),
    ("HEADER", |reader| {
        let name = reader.string()?;
        Ok(SearchKey::Header { name, value: reader.string()? })
    }),
    ("KEYWORD", |reader| reader.keyword()),
    ("LARGER", |reader| reader.size().map(SearchKey::Larger)),
    ("MODSEQ", |reader| reader.mod_seq()),
    ("NEW", |_| Ok(SearchKey::And(vec![SearchKey::Recent, not(SearchKey::Flag(Flags::SEEN))]))),
    ("NOT", |reader| reader.inner_key().map(not)),
    ("OLD", |_| Ok(not(SearchKey::Recent))),
    ("OLDER", |reader| reader.interval().map(SearchKey::Older)),
    ("ON", |reader| reader.date().map(SearchKey::On)),
    ("OR", |reader| {
        let first = reader.inner_key()?;
        Ok(SearchKey::Or(Box::new((first, reader.inner_key()?))))
    }),
    ("RECENT", |_| Ok(SearchKey::Recent)),
    ("SAVEDATESUPPORTED", |_| Ok(SearchKey::SaveDateSupported)),
    ("SAVEDBEFORE", |reader| reader.date().map(SearchKey::SavedBefore)),
    ("SAVEDON", |reader| reader.date().map(SearchKey::SavedOn)),
    ("SAVEDSINCE", |reader| reader.date().map(SearchKey::SavedSince)),
    ("SEEN", |_| Ok(SearchKey::Flag(Flags::SEEN))),
    ("SENTBEFORE", |reader| reader.date().map(SearchKey::SentBefore)),
    ("SENTON", |reader| reader.date().map(SearchKey::SentOn)),
    ("SENTSINCE", |reader| reader.date().map(SearchKey::SentSince)),
    ("SINCE", |reader| reader.date().map(SearchKey::Since)),
    ("SMALLER", |reader| reader.size().map(SearchKey::Smaller)),
    ("SUBJECT", |reader| reader.field("Subject")),
    ("TEXT", |reader| reader.string().map(SearchKey::Text)),
    ("THREADID", |reader| reader.object_id().map(SearchKey::ThreadId)),
    ("TO", |reader| reader.field("To")),
    ("UID", |reader| {
        reader.cursor.space("a set of UIDs")?;
        reader.cursor.set(Numbering::Uid).map(SearchKey::Uid)
    }),
    ("UNANSWERED", |_| Ok(not(SearchKey::Flag(Flags::ANSWERED)))),
    ("UNDELETED", |_| Ok(not(SearchKey::Flag(Flags::DELETED)))),
    ("UNDRAFT", |_| Ok(not(SearchKey::Flag(Flags::DRAFT)))),
    ("UNFLAGGED", |_| Ok(not(SearchKey::Flag(Flags::FLAGGED)))),
    ("UNKEYWORD", |reader| reader.keyword().map(not)),
    ("UNSEEN", |_| Ok(not(SearchKey::Flag(Flags::SEEN)))),
    ("YOUNGER", |reader| reader.interval().map(SearchKey::Younger)),
];
