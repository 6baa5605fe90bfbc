//! The grammar of commands beside that of another parser, smtp-proto, over the transcripts and generated lines.
//!
//! They differ on purpose; [`DIFFERENCES`] names each way and its reason. A line on which they differ otherwise
//! fails, and so does a row that no line needs. What an address is, the rows judge by a recognizer of their own,
//! so that a row cannot explain away a fault of the product.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod case;
mod differences;
mod lines;
mod readings;

use std::collections::BTreeMap;

use case::Case;
use differences::DIFFERENCES;
use lines::{PICKED, generated_lines, lines_of_the_transcripts};
use readings::{ours, theirs};

#[test]
fn each_difference_to_another_parser_has_a_reason() {
    let mut lines = lines_of_the_transcripts();
    assert!(lines.len() > 300, "only {} lines", lines.len());
    lines.extend(PICKED.iter().map(|line| line.as_bytes().to_vec()));
    lines.extend(generated_lines());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    let (mut same, mut taken_by_both) = (0, 0);
    for line in lines {
        let case = Case { ours: ours(&line), theirs: theirs(&line), line };
        taken_by_both += usize::from(case.both_take());
        if case.ours == case.theirs {
            same += 1;
            continue;
        }
        let rows: Vec<_> = DIFFERENCES.iter().filter(|row| (row.explains)(&case)).collect();
        if rows.is_empty() {
            let line = case.line.escape_ascii();
            unexplained.push(format!("{line}\n    ours:   {:?}\n    theirs: {:?}", case.ours, case.theirs));
        }
        rows.iter().for_each(|row| *counts.entry(row.name).or_default() += 1);
    }
    assert!(unexplained.is_empty(), "{} lines:\n{}", unexplained.len(), unexplained.join("\n"));
    for row in DIFFERENCES {
        assert!(counts.contains_key(row.name), "no line needs the row '{}': {}", row.name, row.reason);
    }
    // Otherwise there is nothing to compare.
    assert!(same > 1000 && taken_by_both > 1000, "{same} the same, {taken_by_both} taken by both");
}
