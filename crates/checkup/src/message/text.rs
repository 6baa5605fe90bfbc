//! What is there to read: text beside HTML, and what HTML may not have in mail.

use mail_parser::decoders::html::html_to_text;
use mail_parser::{MessagePart, PartType};

use super::Letter;
use crate::{Finding, Topic, Verdict};

pub(super) fn check(letter: &Letter<'_>) -> Vec<Finding> {
    let html = html_parts(letter);
    let plain: usize = letter
        .parts()
        .iter()
        .filter_map(|part| match &part.body {
            PartType::Text(text) if !is_attachment(part) => Some(text.trim().len()),
            _ => None,
        })
        .sum();
    let mut findings = Vec::new();
    if html.is_empty() {
        if plain == 0 {
            let says = "there is nothing to read in it";
            findings.push(finding("body", Verdict::Warning, says, 0.7));
        }
        return findings;
    }
    let octets: usize = html.iter().map(|html| html.len()).sum();
    if plain == 0 {
        let says = "there is HTML alone, and no plain text beside it";
        findings.push(
            finding("text/plain", Verdict::Warning, says, 0.7)
                .mend("send multipart/alternative with the same text in text/plain first"),
        );
    }
    let read: usize = html.iter().map(|html| html_to_text(html).trim().len()).sum();
    let images: usize = html.iter().map(|html| count(html, "<img")).sum();
    if images > 0 && read < TEXT_BESIDE_IMAGES_MIN {
        let says = "it is made of images, with hardly any text that a filter or a blind reader could read";
        findings.push(finding("text/html", Verdict::Warning, says, 1.5).mend("write the text as text"));
    } else if octets > HTML_SMALL && read * HTML_TO_TEXT_MAX < octets {
        let says = format!("of {octets} octets of HTML {read} are text");
        findings.push(
            finding("text/html", Verdict::Warning, says, 0.5)
                .mend("send less markup; styles may stand once in the head"),
        );
    }
    if octets > CLIPPED {
        let says = format!(
            "{} KiB of HTML are cut off by some mail programs, the unsubscribe link with them",
            octets / 1024
        );
        findings.push(finding("text/html", Verdict::Notice, says, 0.2).mend("keep HTML below 100 KiB"));
    }
    findings.extend(ACTIVE.iter().filter(|(tag, _)| html.iter().any(|html| count(html, tag) > 0)).map(
        |(tag, what)| {
            let says = format!("{what} in it, which mail programs remove and filters hold against it");
            finding(format!("{tag}>"), Verdict::Warning, says, 0.7)
                .mend("leave it out, and link to a page in its place")
        },
    ));
    if findings.is_empty() {
        findings.push(finding(
            "body",
            Verdict::Good,
            "there is plain text beside HTML, and enough of it",
            0.0,
        ));
    }
    findings
}

fn finding(about: impl Into<String>, verdict: Verdict, says: impl Into<String>, points: f32) -> Finding {
    Finding::new(Topic::Content, about, verdict, says).points(points)
}

/// The HTML that a reader is shown, cut where it is very long.
pub(super) fn html_parts<'l>(letter: &'l Letter<'_>) -> Vec<&'l str> {
    let shown = letter.parts().iter().filter(|part| !is_attachment(part));
    let html = shown.filter_map(|part| match &part.body {
        PartType::Html(html) => Some(cut(html)),
        _ => None,
    });
    html.take(HTML_PARTS_MAX).collect()
}

fn is_attachment(part: &MessagePart<'_>) -> bool {
    use mail_parser::MimeHeaders as _;
    part.content_disposition().is_some_and(mail_parser::ContentType::is_attachment)
}

fn cut(html: &str) -> &str {
    let mut end = html.len().min(HTML_OCTETS_MAX);
    while !html.is_char_boundary(end) {
        end -= 1;
    }
    &html[..end]
}

/// How often a tag begins, whatever its case: the next character ends its name.
fn count(html: &str, tag: &str) -> usize {
    let octets = html.as_bytes();
    octets
        .windows(tag.len() + 1)
        .filter(|window| {
            let (name, next) = window.split_at(tag.len());
            name.eq_ignore_ascii_case(tag.as_bytes()) && !next[0].is_ascii_alphanumeric()
        })
        .count()
}

const ACTIVE: [(&str, &str); 6] = [
    ("<script", "there is a script"),
    ("<form", "there is a form"),
    ("<iframe", "there is a frame"),
    ("<object", "there is an object"),
    ("<embed", "there is an embedded object"),
    ("<meta http-equiv=\"refresh\"", "there is a page that leads on by itself"),
];

/// HTML below this has no ratio that means anything.
const HTML_SMALL: usize = 4 * 1024;
/// Octets of HTML for each of text.
const HTML_TO_TEXT_MAX: usize = 40;
const TEXT_BESIDE_IMAGES_MIN: usize = 100;
/// Where a large provider cuts.
const CLIPPED: usize = 102 * 1024;
/// HTML that is looked at, of each part.
const HTML_OCTETS_MAX: usize = 2 * 1024 * 1024;
const HTML_PARTS_MAX: usize = 10;
