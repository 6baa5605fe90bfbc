//! What is wrong with a configuration file, all of it at once, each with its place and its mend.

use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// Faults as they are found, in any order.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where, in octets from the start of the file.
    pub span: Range<usize>,
    /// What is wrong.
    pub what: String,
    /// What to write instead; empty where that is plain.
    pub mend: String,
}

impl Findings {
    pub(crate) fn add(&mut self, span: Range<usize>, what: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Finding { span, what: what.into(), mend: mend.into() });
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As one error about the file `name` with the content `text`.
    pub(crate) fn into_error(mut self, name: &str, text: &str) -> InvalidConfig {
        self.0.sort_by_key(|finding| finding.span.start);
        InvalidConfig {
            source: NamedSource::new(name, text.to_owned()),
            text: text.to_owned(),
            findings: self.0,
        }
    }
}

/// A file that cannot be used.
pub struct InvalidConfig {
    source: NamedSource<String>,
    text: String,
    findings: Vec<Finding>,
}

impl InvalidConfig {
    /// The faults in the order of the file, each with its line (from 1).
    pub fn findings(&self) -> impl Iterator<Item = (usize, &Finding)> {
        self.findings.iter().map(|finding| (self.line(finding), finding))
    }

    fn line(&self, finding: &Finding) -> usize {
        let end = finding.span.start.min(self.text.len());
        1 + self.text.as_bytes()[..end].iter().filter(|octet| **octet == b'\n').count()
    }
}

impl std::error::Error for InvalidConfig {}

impl fmt::Debug for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvalidConfig").field("findings", &self.findings).finish_non_exhaustive()
    }
}

/// A line each: `posta.toml:7: unknown key …; did you mean …`.
impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (line, finding)) in self.findings().enumerate() {
            let (separator, name) = (if index == 0 { "" } else { "\n" }, self.source.name());
            write!(f, "{separator}{name}:{line}: {}", finding.what)?;
            if !finding.mend.is_empty() {
                write!(f, "; {}", finding.mend)?;
            }
        }
        Ok(())
    }
}

impl Diagnostic for InvalidConfig {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.findings.iter().map(|finding| {
            let label = if finding.mend.is_empty() { "here" } else { finding.mend.as_str() };
            LabeledSpan::new_with_span(Some(label.to_owned()), finding.span.clone())
        })))
    }
}

/// `did you mean …?` where one of `known` is near, else all of them.
pub(crate) fn suggestion(written: &str, known: &[&str]) -> String {
    // Whoever wrote less than the name knew how it begins.
    if let Some(name) = known.iter().find(|name| written.len() >= 3 && name.starts_with(written)) {
        return format!("did you mean `{name}`?");
    }
    let nearest = known.iter().map(|name| (distance(written, name), name)).min();
    match nearest {
        Some((distance, name)) if distance <= 1 + name.len() / 4 => format!("did you mean `{name}`?"),
        _ => format!("known here: {}", known.join(", ")),
    }
}

/// Letters to insert, remove or replace (Levenshtein), `-` and `_` being the same.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    // Keys are short; a name without end is far from all of them.
    for (index, letter) in from.chars().take(100).enumerate() {
        let letter = if letter == '-' { '_' } else { letter.to_ascii_lowercase() };
        let mut diagonal = row[0];
        row[0] = index + 1;
        for column in 0..to.len() {
            let replaced = diagonal + usize::from(letter != to[column]);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}
