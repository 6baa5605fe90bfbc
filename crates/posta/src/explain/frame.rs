//! The findings for people: a frame for each, what it is about at its head, then what it means, who acts and what
//! to do. Whatever comes from the bounce is made safe for the terminal first.

use std::io::IsTerminal as _;

use comfy_table::{Table, presets};
use types::explain::{
    CauseKind, Explanation, Finding, Language, Meaning, Text, Usage, actors, cause, labels,
};

use crate::terminal;

/// Columns of a page that is read from a file or through a pipe, and at most on a terminal: longer lines are
/// hard to read.
const WIDTH_MAX: u16 = 100;
/// Findings that are shown in full.
const SHOWN_MAX: usize = 8;
/// Recipients that are named.
const RECIPIENTS_SHOWN: usize = 3;
/// Characters of the words of a reply that are shown.
const WORDS_SHOWN: usize = 240;

/// As wide as the terminal, within bounds.
pub(super) fn width() -> u16 {
    Table::new().width().map_or(WIDTH_MAX, |width| width.clamp(40, WIDTH_MAX))
}

/// Whether codes stand out in bold, as they do on a terminal, but for `NO_COLOR` (no-color.org).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Bold,
}

impl Paint {
    /// What fits the standard output.
    pub(super) fn of_stdout() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !no_colour { Self::Bold } else { Self::Plain }
    }
}

/// All findings, one frame after the other.
pub(super) fn page(
    explained: &[(Finding, Explanation)],
    language: Language,
    width: u16,
    paint: Paint,
) -> String {
    let mut page = String::new();
    for (finding, explanation) in explained.iter().take(SHOWN_MAX) {
        if !page.is_empty() {
            page.push('\n');
        }
        for (index, line) in wrap(&head(finding, language), usize::from(width)).lines().enumerate() {
            match (paint, index) {
                (Paint::Bold, 0) => page.push_str(&format!("\x1b[1m{line}\x1b[0m\n")),
                _ => page.push_str(&format!("{line}\n")),
            }
        }
        page.push_str(&format!("{}\n", frame(explanation, language, width)));
    }
    let more = explained.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        page.push_str(&format!("+ {more}: --json\n"));
    }
    page
}

/// `550 5.7.26, said by mx.example.org, about ada@example.org`
fn head(finding: &Finding, language: Language) -> String {
    let code = finding.code.map(|code| code.to_string());
    let status = finding.status.map(|status| status.to_string());
    let codes: Vec<String> = [code, status].into_iter().flatten().collect();
    let mut parts = Vec::new();
    if !codes.is_empty() {
        parts.push(codes.join(" "));
    }
    if let Some(host) = &finding.host {
        parts.push(format!("{} {}", labels::SAID_BY.of(language), terminal::line(host)));
    }
    if !finding.recipients.is_empty() {
        let named: Vec<_> =
            finding.recipients.iter().take(RECIPIENTS_SHOWN).map(|address| terminal::line(address)).collect();
        let more = finding.recipients.len() - named.len() + finding.recipients_more;
        let more = if more == 0 { String::new() } else { format!(" + {more}") };
        parts.push(format!("{} {}{more}", labels::ABOUT.of(language), named.join(", ")));
    }
    let mut head = parts.join(", ");
    if !head.is_empty() {
        head.push('\n');
    }
    if !finding.text.is_empty() {
        head.push_str(&format!("«{}»\n", terminal::line(&cut(&finding.text))));
    }
    head
}

fn frame(explanation: &Explanation, language: Language, width: u16) -> Table {
    let of = |text: Text| text.of(language);
    let mut rows: Vec<(Text, String)> = Vec::new();
    for kind in &explanation.causes {
        let entry = cause(*kind);
        rows.push((labels::CAUSE, sourced(of(entry.meaning), entry.source, language)));
    }
    let meanings: Vec<_> = explanation.meanings.iter().map(|meaning| meant(meaning, language)).collect();
    if !meanings.is_empty() {
        rows.push((labels::MEANS, meanings.join("\n")));
    }
    rows.push((labels::ACTS, actors(&explanation.actors, language)));
    rows.push((labels::RETRY, of(explanation.retry.text()).to_owned()));
    if !explanation.steps.is_empty() {
        rows.push((labels::STEPS, numbered(&explanation.steps, language)));
    }
    if !explanation.usual_causes.is_empty() {
        rows.push((labels::USUAL_CAUSES, usual(&explanation.usual_causes, language)));
    }
    // Alike in all frames, so that the eye finds its way.
    let label_width = of(labels::USUAL_CAUSES).chars().count().max(of(labels::CAUSE).chars().count());
    let text_width = usize::from(width).saturating_sub(label_width + FRAME_COLUMNS);
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL.with_rounded_corners());
    for (label, text) in rows {
        table.add_row([format!("{:<label_width$}", of(label)), wrap(&text, text_width)]);
    }
    table
}

/// Columns of the frame itself: three lines, and a space on both sides of two cells.
const FRAME_COLUMNS: usize = 7;
/// Breaks lines at spaces, and words only where they are longer than a line. What follows the first line of a
/// step stands below its first word.
fn wrap(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let indent = paragraph.len() - paragraph.trim_start_matches(' ').len();
        let hanging = " ".repeat(indent + marker_width(paragraph.trim_start()));
        let mut line = " ".repeat(indent);
        let mut used = indent;
        for (index, word) in paragraph.split_whitespace().enumerate() {
            if index > 0 && used + 1 + word.chars().count() > width {
                lines.push(std::mem::replace(&mut line, hanging.clone()));
                used = hanging.len();
            } else if index > 0 {
                line.push(' ');
                used += 1;
            }
            for character in word.chars() {
                if used >= width {
                    lines.push(std::mem::replace(&mut line, hanging.clone()));
                    used = hanging.len();
                }
                line.push(character);
                used += 1;
            }
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// Of `1. `, `• ` or `– ` at the beginning of a line.
fn marker_width(line: &str) -> usize {
    match line.split_once(' ') {
        Some(("•" | "–", _)) => 2,
        Some((number, _)) if number.ends_with('.') && number.starts_with(|c: char| c.is_ascii_digit()) => {
            number.len() + 1
        }
        _ => 0,
    }
}

/// `5.7.26: several checks failed (RFC 7372 §3.4)`
fn meant(meaning: &Meaning, language: Language) -> String {
    let texts: Vec<_> = meaning.texts.iter().map(|text| text.of(language)).collect();
    let mut line = format!("{}: ", meaning.about);
    if !meaning.is_exact {
        line.push_str(&format!("{}: ", labels::BY_DIGITS.of(language)));
    }
    line.push_str(&texts.join("; "));
    if let Usage::Only(who) = meaning.usage {
        line.push_str(&format!("; {} {}", labels::ONLY.of(language), who.of(language)));
    }
    sourced(&line, meaning.source, language)
}

fn sourced(text: &str, source: Option<&str>, language: Language) -> String {
    format!("{text} ({})", source.unwrap_or(labels::NO_RFC.of(language)))
}

fn numbered(steps: &[Text], language: Language) -> String {
    let lines: Vec<_> = steps
        .iter()
        .enumerate()
        .map(|(index, step)| format!("{}. {}", index + 1, step.of(language)))
        .collect();
    lines.join("\n")
}

/// Each cause with what to do about it.
fn usual(kinds: &[CauseKind], language: Language) -> String {
    let mut lines = Vec::new();
    for kind in kinds {
        let entry = cause(*kind);
        lines.push(format!("• {}", sourced(entry.meaning.of(language), entry.source, language)));
        lines.extend(entry.steps.iter().map(|step| format!("  – {}", step.of(language))));
    }
    lines.join("\n")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WORDS_SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use types::explain::{explain, find};

    use super::*;

    fn shown(text: &str, language: Language) -> String {
        let explained: Vec<_> =
            find(text).into_iter().map(|finding| (finding.clone(), explain(&finding))).collect();
        page(&explained, language, WIDTH_MAX, Paint::Plain)
    }

    #[test]
    fn a_code_is_shown_with_all_that_is_known_of_it() {
        let page = shown("550 5.7.26", Language::English);
        for part in
            ["550 5.7.26\n", "RFC 7372 §3.4", "RFC 5321 §4.2.3", "the sender's postmaster", "DKIM", "1. "]
        {
            assert!(page.contains(part), "{part}\n{page}");
        }
        let page = shown("451 4.7.1 greylisted", Language::Spanish);
        for part in ["451 4.7.1", "«greylisted»", "El texto dice", "nadie por ahora", "Espere"] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        for text in ["5.7.1", "550", "421 4.7.0 Too many connections", &format!("550 {} y", "x".repeat(200))]
        {
            for width in [40, 80, WIDTH_MAX] {
                let explained: Vec<_> =
                    find(text).into_iter().map(|finding| (finding.clone(), explain(&finding))).collect();
                let page = page(&explained, Language::Spanish, width, Paint::Plain);
                let widest = page.lines().map(|line| line.chars().count()).max();
                assert!(widest <= Some(usize::from(width)), "{widest:?} of {width}\n{page}");
            }
        }
    }

    #[test]
    fn lines_are_broken_at_spaces_and_steps_hang() {
        assert_eq!(wrap("1. one two three\n  – four five", 11), "1. one two\n   three\n  – four\n    five");
        assert_eq!(wrap("abcdefgh", 4), "abcd\nefgh");
        assert_eq!(wrap("", 10), "");
    }

    #[test]
    fn nothing_in_a_bounce_steers_the_terminal() {
        let page = shown(
            "<a\u{9b}31m@b.example>: host mx\u{202e}.example said: 550 5.1.1 \x1b]0;title\x07 \u{9b}2J gone",
            Language::English,
        );
        assert!(page.contains("gone"), "{page}");
        assert!(!page.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{page:?}");
    }

    #[test]
    fn of_many_findings_the_first_are_shown() {
        let text: String = (0..20).map(|n| format!("said: 550 5.1.{n} x\n\n")).collect();
        let page = shown(&text, Language::English);
        assert_eq!(page.matches('╭').count(), SHOWN_MAX);
        assert!(page.ends_with("+ 12: --json\n"), "{page}");
    }
}
