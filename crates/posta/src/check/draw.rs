//! Findings for people: by topic, each with its verdict in a word, and what is to be done on a line of its own that can be
//! pasted.

use checkup::domain::Summary;
use checkup::{Finding, Verdict};

use crate::terminal;
use crate::trace::draw::{BOLD, DIM, GREEN, Paint, RED, YELLOW, wrap};

/// Where the sentence begins behind the verdict.
const INDENT: usize = 11;

/// All findings below their topics, in the order of the first of each.
pub(crate) fn findings(findings: &[Finding], width: usize, paint: Paint) -> String {
    let mut topics = Vec::new();
    for finding in findings {
        if !topics.contains(&finding.topic) {
            topics.push(finding.topic);
        }
    }
    let mut page = String::new();
    for topic in topics {
        page.push_str(&format!("\n{}\n", paint.paint(topic.title(), BOLD)));
        for finding in findings.iter().filter(|finding| finding.topic == topic) {
            page.push_str(&one(finding, width, paint));
        }
    }
    page
}

/// One finding: the verdict and its sentence, what it rests on, and the mend.
pub(crate) fn one(finding: &Finding, width: usize, paint: Paint) -> String {
    let verdict = finding.verdict;
    let column = width.saturating_sub(INDENT).max(20);
    let indent = " ".repeat(INDENT);
    let mut lines = Vec::new();
    for (number, line) in wrap(&terminal::line(&finding.says), column).into_iter().enumerate() {
        lines.push(match number {
            0 => format!("  {}{line}", paint.paint(&format!("{:<9}", verdict.word()), colour(verdict))),
            _ => format!("{indent}{line}"),
        });
    }
    for detail in &finding.details {
        for line in wrap(&terminal::line(detail), column.saturating_sub(2)) {
            lines.push(format!("{indent}  {}", paint.paint(&line, DIM)));
        }
    }
    if let Some(mend) = &finding.mend {
        // In one line, however long, so that it can be pasted.
        lines.push(format!("{indent}> {}", terminal::line(mend)));
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// How many there are of each verdict, the worst first, and how it is on the whole.
pub(crate) fn summary(summary: &Summary, paint: Paint) -> String {
    let counts: Vec<String> = [
        (summary.bad, Verdict::Bad),
        (summary.warning, Verdict::Warning),
        (summary.unknown, Verdict::Unknown),
        (summary.notice, Verdict::Notice),
        (summary.good, Verdict::Good),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, verdict)| paint.paint(&format!("{count} {}", verdict.word()), colour(verdict)))
    .collect();
    format!("\n{}: {}\n", counts.join(", "), summary.in_words())
}

const fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => GREEN,
        Verdict::Notice => "",
        Verdict::Unknown => DIM,
        Verdict::Warning => YELLOW,
        Verdict::Bad => RED,
    }
}

#[cfg(test)]
mod tests {
    use checkup::Topic;

    use super::*;

    #[test]
    fn findings_stand_below_their_topics_with_a_mend_that_can_be_pasted() {
        let long = format!("x.example. IN TXT \"{}\"", "v".repeat(120));
        let found = [
            Finding::new(
                Topic::Spf,
                "x.example",
                Verdict::Bad,
                "the domain has no SPF record at all, which is bad",
            )
            .mend(&long),
            Finding::new(Topic::Mx, "x.example", Verdict::Good, "mail goes to 1 host")
                .detail("10 mx.x.example"),
            Finding::new(Topic::Spf, "x.example", Verdict::Notice, "an \x1b[2J escape"),
        ];
        let expected = format!(
            "
SPF
  bad      the domain has no SPF record
           at all, which is bad
           > {long}
  notice   an \\u{{1b}}[2J escape

Mail hosts (MX)
  good     mail goes to 1 host
             10 mx.x.example
"
        );
        assert_eq!(findings(&found, 40, Paint::Plain), expected);
        let summed = Summary::of(&found);
        assert_eq!(
            summary(&summed, Paint::Plain),
            "\n1 bad, 1 notice, 1 good: mail is lost, refused or open to forgery\n"
        );
    }
}
