//! The tree of records, as lines and as JSON.

use mailauth::spf::{Branch, SpfProblem, SpfResult, Term, TermKind};
use serde_json::{Value, json};

use crate::terminal;
use crate::trace::draw::{DIM, GREEN, Paint, RED, YELLOW, wrap};

/// The record, and below it its terms.
pub(super) fn lines(branch: &Branch, width: usize, paint: Paint) -> Vec<String> {
    let mut drawn = Drawn { lines: Vec::new(), width, paint };
    drawn.branch(branch, "");
    drawn.lines
}

struct Drawn {
    lines: Vec<String>,
    width: usize,
    paint: Paint,
}

impl Drawn {
    fn branch(&mut self, branch: &Branch, before: &str) {
        match &branch.record {
            Some(record) => self.text(before, record, DIM),
            None if branch.problem.is_none() => self.text(before, "there is no SPF record", RED),
            None => {}
        }
        if let Some(problem) = &branch.problem {
            let text = match problem {
                SpfProblem::TooManyLookups => "this leads back to where it was, or without end".to_owned(),
                problem => problem.to_string(),
            };
            self.text(before, &text, RED);
        }
        for (place, term) in branch.terms.iter().enumerate() {
            let is_last = place + 1 == branch.terms.len();
            let (mark, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.term(term, &format!("{before}{mark}"), &format!("{before}{below}"));
        }
    }

    fn term(&mut self, term: &Term, head: &str, before: &str) {
        let place = term.place.map_or_else(|| "   ".to_owned(), |place| format!("{place:>2} "));
        let match_mark = match term.is_match {
            Some(true) => self.paint.paint(" ← matches", GREEN),
            _ => String::new(),
        };
        let words = terminal::line(&term.text).into_owned();
        let said = if term.kind == TermKind::All {
            format!("   everybody else: {}", term.qualifier)
        } else {
            String::new()
        };
        self.lines.push(format!("{head}{place}{words}{said}{match_mark}"));
        let inner = format!("{before}   ");
        match (&term.target, term.depends_on_client) {
            (Some(target), true) => self.text(&inner, &format!("asks for {target}"), ""),
            (None, true) if term.place.is_some() => {
                self.text(&inner, "depends on who connects: say it with --ip", DIM);
            }
            (None, false) if term.place.is_some() => self.text(&inner, "no name that the DNS can have", RED),
            _ => {}
        }
        if term.kind != TermKind::Ip {
            for found in &term.found {
                self.text(&inner, found, "");
            }
        }
        if term.is_void {
            self.text(&inner, "finds nothing", YELLOW);
        }
        if let Some(trouble) = term.trouble {
            self.text(&inner, &trouble.to_string(), RED);
        }
        if term.kind == TermKind::Ptr {
            self.text(&inner, "ptr is slow, and not to be used any more (RFC 7208 §5.5)", YELLOW);
        }
        if let Some(branch) = &term.branch {
            self.branch(branch, &inner);
        }
    }

    fn text(&mut self, before: &str, text: &str, colour: &str) {
        let room = self.width.saturating_sub(before.chars().count()).max(20);
        for line in wrap(&terminal::line(text), room) {
            self.lines.push(format!("{before}{}", self.paint.paint(&line, colour)));
        }
    }
}

/// Whether a record cannot be used, here or below.
pub(super) fn has_problem(branch: &Branch) -> bool {
    branch.problem.is_some() || below(branch).any(|inner| inner.record.is_none() || has_problem(inner))
}

/// Whether the DNS did not answer somewhere.
pub(super) fn has_trouble(branch: &Branch) -> bool {
    matches!(branch.problem, Some(SpfProblem::NoAnswer { .. }))
        || branch.terms.iter().any(|term| term.trouble.is_some())
        || below(branch).any(has_trouble)
}

fn below(branch: &Branch) -> impl Iterator<Item = &Branch> {
    branch.terms.iter().filter_map(|term| term.branch.as_ref())
}

/// For programs.
pub(super) fn value(branch: &Branch) -> Value {
    json!({
        "domain": branch.domain,
        "text": branch.record,
        "problem": branch.problem.as_ref().map(ToString::to_string),
        "result": branch.result.map(SpfResult::keyword),
        "terms": branch.terms.iter().map(term_value).collect::<Vec<_>>(),
    })
}

fn term_value(term: &Term) -> Value {
    json!({
        "term": term.text,
        "qualifier": term.qualifier.keyword(),
        "lookup": term.place,
        "target": term.target,
        "found": term.found,
        "void": term.is_void,
        "trouble": term.trouble.map(|trouble| trouble.to_string()),
        "match": term.is_match,
        "record": term.branch.as_ref().map(value),
    })
}
