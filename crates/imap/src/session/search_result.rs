//! How results of SEARCH, SORT and THREAD are told.
//!
//! Standards: RFC 3501 §7.2.5 (SEARCH), RFC 9051 §7.3.4 with RFC 4731 (ESEARCH), RFC 9394 §3.1 (PARTIAL), RFC 5256 §4 (SORT,
//! THREAD), RFC 7162 §3.1.6 and §3.1.10 (MODSEQ).

use types::mailstore::{ModSeq, Uid};

use super::fetch::places;
use super::search::ascending;
use crate::command::{Numbering, PartialRange, ReturnOption, ReturnOptions, Tag};
use crate::response::{number, number_set, quoted, untagged};
use crate::search::Thread;
use crate::view::View;

/// Messages that were found, in the order in which they are told.
pub(super) struct Result<'a> {
    pub(super) view: &'a View,
    pub(super) tag: &'a Tag,
    pub(super) uids: &'a [Uid],
    /// The highest of all of them, where MODSEQ was among the keys.
    pub(super) modseq: Option<ModSeq>,
    pub(super) numbering: Numbering,
}

impl Result<'_> {
    /// `* SEARCH 2 3 (MODSEQ 917162500)`, `* SORT 3 2`
    pub(super) fn write(&self, verb: &str, out: &mut Vec<u8>) {
        untagged(out, |out| {
            out.extend_from_slice(verb.as_bytes());
            for shown in self.numbers(self.uids) {
                out.push(b' ');
                number(u64::from(shown), out);
            }
            if let Some(modseq) = self.modseq.filter(|_| !self.uids.is_empty()) {
                out.extend_from_slice(b" (MODSEQ ");
                number(modseq.0, out);
                out.push(b')');
            }
        });
    }

    /// `* ESEARCH (TAG "a") UID MIN 2 COUNT 3`. Not at all where nothing but SAVE was asked (RFC 5182 §2.1).
    pub(super) fn write_extended(&self, options: &ReturnOptions, out: &mut Vec<u8>) {
        let options = &options.options;
        if !options.is_empty() && options.iter().all(|option| *option == ReturnOption::Save) {
            return;
        }
        let has = |option| options.contains(&option);
        let wants_all = has(ReturnOption::All) || options.is_empty();
        untagged(out, |out| {
            out.extend_from_slice(b"ESEARCH (TAG ");
            quoted(self.tag.0.as_bytes(), out);
            out.push(b')');
            if self.numbering == Numbering::Uid {
                out.extend_from_slice(b" UID");
            }
            let ends = [
                (ReturnOption::Min, " MIN ", self.uids.first()),
                (ReturnOption::Max, " MAX ", self.uids.last()),
            ];
            for (option, name, uid) in ends {
                if let Some(shown) = uid.and_then(|uid| self.number(*uid)).filter(|_| has(option)) {
                    out.extend_from_slice(name.as_bytes());
                    number(u64::from(shown), out);
                }
            }
            if has(ReturnOption::Count) {
                out.extend_from_slice(b" COUNT ");
                number(self.uids.len() as u64, out);
            }
            if wants_all && !self.uids.is_empty() {
                out.extend_from_slice(b" ALL ");
                number_set(self.numbers(self.uids), out);
            }
            for option in options {
                if let ReturnOption::Partial(partial) = option {
                    self.write_partial(*partial, out);
                }
            }
            if let Some(modseq) = self.told_modseq(options) {
                out.extend_from_slice(b" MODSEQ ");
                number(modseq.0, out);
            }
        });
    }

    /// ` PARTIAL (1:10 2,5)`, as it was asked (RFC 9394 §3.1).
    fn write_partial(&self, partial: PartialRange, out: &mut Vec<u8>) {
        out.extend_from_slice(b" PARTIAL (");
        for (index, place) in [partial.first, partial.last].into_iter().enumerate() {
            if index > 0 {
                out.push(b':');
            }
            if partial.from_end {
                out.push(b'-');
            }
            number(u64::from(place), out);
        }
        out.push(b' ');
        let part = part_of(self.uids, partial);
        if part.is_empty() {
            out.extend_from_slice(b"NIL");
        } else {
            number_set(self.numbers(part), out);
        }
        out.push(b')');
    }

    /// The highest of what is told: of all, unless ends alone were asked for (RFC 4731 §3.2). What is saved besides changes nothing
    /// of what is told (RFC 5182 §2.4).
    fn told_modseq(&self, options: &[ReturnOption]) -> Option<ModSeq> {
        let highest = self.modseq.filter(|_| !self.uids.is_empty())?;
        let is_end = |option: &ReturnOption| {
            matches!(option, ReturnOption::Min | ReturnOption::Max | ReturnOption::Save)
        };
        let told: Vec<Uid> = match options {
            [] => return Some(highest),
            options if options.iter().all(is_end) => ends(self.uids, options),
            _ => return Some(highest),
        };
        let modseq = |uid: &Uid| self.view.snapshot.find(*uid).map(|message| message.modseq);
        told.iter().filter_map(modseq).max().or(Some(highest))
    }

    fn numbers<'b>(&'b self, uids: &'b [Uid]) -> impl Iterator<Item = u32> + 'b {
        uids.iter().filter_map(|uid| self.number(*uid))
    }

    fn number(&self, uid: Uid) -> Option<u32> {
        shown(self.view, uid, self.numbering)
    }
}

/// What SAVE keeps (RFC 5182 §2.4, RFC 9394 §3.1): the ends or the part alone where nothing more was asked for.
pub(super) fn saved(uids: &[Uid], options: &ReturnOptions) -> Vec<Uid> {
    let options = &options.options;
    if options.iter().any(|option| matches!(option, ReturnOption::All | ReturnOption::Count)) {
        return ascending(uids.to_vec());
    }
    let mut kept = ends(uids, options);
    let mut is_whole = kept.is_empty();
    for option in options {
        if let ReturnOption::Partial(partial) = option {
            is_whole = false;
            kept.extend_from_slice(part_of(uids, *partial));
        }
    }
    ascending(if is_whole { uids.to_vec() } else { kept })
}

/// `* THREAD (2)(3 6 (4 23)(44 7 96))`, without recursion: threads are as deep as people write.
pub(super) fn write_threads(view: &View, threads: &[Thread], numbering: Numbering, out: &mut Vec<u8>) {
    enum Piece<'a> {
        Open(&'a Thread),
        /// The members behind one: on the same level where there is one answer, in parentheses where there are more.
        Go(&'a Thread),
        Close,
    }
    untagged(out, |out| {
        out.extend_from_slice(b"THREAD");
        if !threads.is_empty() {
            out.push(b' ');
        }
        let mut pieces: Vec<Piece<'_>> = threads.iter().rev().map(Piece::Open).collect();
        while let Some(piece) = pieces.pop() {
            let thread = match piece {
                Piece::Close => {
                    out.push(b')');
                    continue;
                }
                Piece::Open(thread) => {
                    out.push(b'(');
                    pieces.push(Piece::Close);
                    thread
                }
                Piece::Go(thread) => {
                    out.push(b' ');
                    thread
                }
            };
            let number_shown = thread.uid.and_then(|uid| shown(view, uid, numbering));
            if let Some(shown) = number_shown {
                number(u64::from(shown), out);
            }
            match (&thread.children[..], number_shown) {
                ([], _) => {}
                ([child], Some(_)) => pieces.push(Piece::Go(child)),
                (children, number_shown) => {
                    if number_shown.is_some() {
                        out.push(b' ');
                    }
                    pieces.extend(children.iter().rev().map(Piece::Open));
                }
            }
        }
    });
}

fn shown(view: &View, uid: Uid, numbering: Numbering) -> Option<u32> {
    match numbering {
        Numbering::Uid => Some(uid.0),
        Numbering::Sequence => view.seq_of(uid),
    }
}

fn part_of(uids: &[Uid], partial: PartialRange) -> &[Uid] {
    let count = u32::try_from(uids.len()).unwrap_or(u32::MAX);
    match places(count, partial) {
        Some((first, last)) => &uids[first as usize - 1..last as usize],
        None => &[],
    }
}

fn ends(uids: &[Uid], options: &[ReturnOption]) -> Vec<Uid> {
    let min = uids.first().filter(|_| options.contains(&ReturnOption::Min));
    let max = uids.last().filter(|_| options.contains(&ReturnOption::Max));
    min.into_iter().chain(max).copied().collect()
}
