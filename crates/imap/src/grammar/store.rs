//! STORE, and flags wherever they stand.

use std::collections::HashSet;

use types::mailstore::{Flags, ModSeq};

use super::Result;
use super::cursor::{Cursor, Words, set_of};
use crate::command::{Command, FlagList, Numbering, StoreHow};
use crate::response::SYSTEM_FLAGS;

/// ```text
/// store           = "STORE" SP sequence-set [store-modifiers] SP store-att-flags
/// store-modifiers = SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"
/// store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
/// ```
pub(super) fn store(cursor: &mut Cursor<'_>, numbering: Numbering) -> Result<Command> {
    cursor.space(set_of(numbering))?;
    let set = cursor.set(numbering)?;
    let mut unchanged_since = None;
    if cursor.parameters_follow() {
        if !cursor.word("UNCHANGEDSINCE") {
            return cursor.expected("UNCHANGEDSINCE");
        }
        cursor.space("a modification sequence")?;
        unchanged_since = Some(ModSeq(cursor.number64("a modification sequence")?));
        cursor.octet(b')', "`)` behind the modification sequence")?;
    }
    cursor.space("FLAGS, +FLAGS or -FLAGS")?;
    let (how, silent) = cursor.words(HOW, "FLAGS, +FLAGS or -FLAGS")?;
    cursor.space("flags")?;
    let flags = if cursor.peek() == Some(b'(') {
        flag_list(cursor)?
    } else {
        let mut flags = vec![flag(cursor)?];
        while cursor.skip(b' ') {
            flags.push(flag(cursor)?);
        }
        gathered(flags)
    };
    Ok(Command::Store { numbering, set, unchanged_since, how, silent, flags })
}

const HOW: &Words<(StoreHow, bool)> = &[
    ("FLAGS", (StoreHow::Replace, false)),
    ("FLAGS.SILENT", (StoreHow::Replace, true)),
    ("+FLAGS", (StoreHow::Add, false)),
    ("+FLAGS.SILENT", (StoreHow::Add, true)),
    ("-FLAGS", (StoreHow::Remove, false)),
    ("-FLAGS.SILENT", (StoreHow::Remove, true)),
];

/// ```text
/// flag-list = "(" [flag *(SP flag)] ")"
/// ```
pub(super) fn flag_list(cursor: &mut Cursor<'_>) -> Result<FlagList> {
    cursor.list_or_none("flags in parentheses", flag).map(gathered)
}

enum Flag {
    System(Flags),
    Keyword(String),
}

/// ```text
/// flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension
/// ```
/// There is no flag-extension; `\Recent` is not the client's to set (RFC 3501 §2.3.2).
fn flag(cursor: &mut Cursor<'_>) -> Result<Flag> {
    const EXPECTED: &str = "a flag: \\Answered, \\Flagged, \\Deleted, \\Seen, \\Draft or a keyword";
    if !cursor.skip(b'\\') {
        return cursor.atom(EXPECTED).map(Flag::Keyword);
    }
    let start = cursor.at() - 1;
    let name = cursor.atom(EXPECTED)?;
    let known = SYSTEM_FLAGS.iter().find(|(_, flag)| flag[1..].eq_ignore_ascii_case(&name));
    match known {
        Some((flag, _)) => Ok(Flag::System(*flag)),
        None => cursor.expected_at(EXPECTED, start),
    }
}

fn gathered(flags: Vec<Flag>) -> FlagList {
    let mut list = FlagList::default();
    let mut seen = HashSet::new();
    for flag in flags {
        match flag {
            Flag::System(flag) => list.system = list.system.with(flag),
            Flag::Keyword(keyword) if seen.insert(keyword.to_ascii_lowercase()) => {
                list.keywords.push(keyword)
            }
            Flag::Keyword(_) => {}
        }
    }
    list
}
