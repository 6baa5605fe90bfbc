//! Where links lead, beside where they say that they do.

use super::Letter;
use super::header::short;
use super::text::html_parts;
use crate::{Finding, Topic, Verdict};

pub(super) fn check(letter: &Letter<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut links = 0;
    for html in html_parts(letter) {
        for link in Links(html).take(LINKS_MAX) {
            links += 1;
            let Some(finding) = judge(&link) else { continue };
            let is_new =
                !findings.iter().any(|other| other.about == finding.about && other.says == finding.says);
            if is_new && findings.len() < FINDINGS_MAX {
                findings.push(finding);
            }
        }
    }
    if links > 0 && findings.is_empty() {
        let says = format!("{links} links lead where they say");
        findings.push(Finding::new(Topic::Link, "links", Verdict::Good, says));
    }
    findings
}

/// `<a href="…">text</a>`
#[derive(Debug, PartialEq, Eq)]
struct Link {
    target: String,
    text: String,
}

fn judge(link: &Link) -> Option<Finding> {
    let target = link.target.trim();
    let finding = |verdict, says: String, points| {
        Some(Finding::new(Topic::Link, short(target), verdict, says).points(points))
    };
    let scheme = target.split(':').next().unwrap_or_default().to_ascii_lowercase();
    if matches!(scheme.as_str(), "javascript" | "data" | "vbscript" | "file") {
        return finding(
            Verdict::Bad,
            format!("a link of the scheme {scheme}, which no mail program follows"),
            1.5,
        );
    }
    let host = host_of(target)?;
    if let Some(said) = host_of(link.text.trim()).filter(|said| !is_of_one(said, &host)) {
        return finding(
            Verdict::Bad,
            format!("the link says {said} and leads to {host}, as those of forgers do"),
            1.5,
        )
        .map(|finding| finding.mend("let the text of a link be words, or the host that it leads to"));
    }
    if host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok() {
        return finding(Verdict::Warning, "the link leads to an address in place of a name".to_owned(), 1.0);
    }
    if SHORTENERS.contains(&host.as_str()) {
        return finding(
            Verdict::Warning,
            format!("{host} hides where the link leads, and is on lists often"),
            0.7,
        )
        .map(|finding| finding.mend("link to the page itself"));
    }
    if scheme == "http" {
        return finding(Verdict::Notice, "the link is not encrypted".to_owned(), 0.1)
            .map(|finding| finding.mend("link to https"));
    }
    None
}

/// The host of a URL, or of a text that a reader takes for one.
fn host_of(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let rest = match lower.split_once("://") {
        Some(("http" | "https", rest)) => rest,
        Some(_) => return None,
        None if lower.contains(['@', ':']) || lower.contains(char::is_whitespace) => return None,
        None => &lower,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = if host.starts_with('[') {
        host.split_inclusive(']').next().unwrap_or_default()
    } else {
        host.split(':').next().unwrap_or_default()
    };
    let host = host.trim_end_matches('.').trim_start_matches("www.");
    let has_name =
        host.starts_with('[') || host.contains('.') && !host.contains(char::is_whitespace) && is_host(host);
    has_name.then(|| host.to_owned())
}

/// Of what people write, that which ends like a domain: `e.g` and `3.5` do not.
fn is_host(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_address = host.parse::<std::net::Ipv4Addr>().is_ok();
    let is_label =
        |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    is_address
        || last.len() >= 2
            && !last.bytes().all(|octet| octet.is_ascii_digit())
            && host.split('.').all(is_label)
}

/// Whether two names are of one owner, as far as names tell: one is within the other, or the last two labels are the same, or
/// three where the last two are of a country.
pub(super) fn is_of_one(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    let within = |name: &str, domain: &str| {
        name.strip_suffix(domain).is_some_and(|above| above.is_empty() || above.ends_with('.'))
    };
    within(&one, &other) || within(&other, &one) || owner(&one) == owner(&other)
}

fn owner(name: &str) -> Vec<&str> {
    let mut labels: Vec<&str> = name.rsplit('.').take(3).collect();
    let is_of_country = matches!(&labels[..], [country, kind, _] if country.len() == 2 && kind.len() <= 3);
    if !is_of_country {
        labels.truncate(2);
    }
    labels
}

/// The links of a page, as far as a reader of tags without a tree finds them.
struct Links<'h>(&'h str);

impl Iterator for Links<'_> {
    type Item = Link;

    fn next(&mut self) -> Option<Link> {
        loop {
            let start = find(self.0, "<a")?;
            let after = &self.0[start + 2..];
            let Some(end) = after.find('>') else {
                self.0 = "";
                return None;
            };
            let (tag, rest) = (&after[..end], &after[end + 1..]);
            self.0 = rest;
            if !tag.starts_with(|c: char| c.is_ascii_whitespace()) {
                continue;
            }
            let Some(target) = attribute(tag, "href") else { continue };
            // A text of a link is short; what has no end is looked at no further than that.
            let near = prefix(rest, LINK_OCTETS_MAX);
            let text_ends = find(near, "</a").unwrap_or(0);
            return Some(Link { target: unescaped(target), text: visible(&near[..text_ends]) });
        }
    }
}

fn find(html: &str, wanted: &str) -> Option<usize> {
    html.as_bytes().windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

fn prefix(text: &str, octets_max: usize) -> &str {
    let mut end = text.len().min(octets_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let at = find(tag, name)?;
    let value = tag[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
    match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next(),
        _ => value.split_ascii_whitespace().next(),
    }
}

/// Without tags.
fn visible(html: &str) -> String {
    let mut text = String::new();
    for piece in html.split('<') {
        text.push_str(
            piece.split_once('>').map_or(if text.is_empty() { piece } else { "" }, |(_, after)| after),
        );
    }
    unescaped(&text).trim().to_owned()
}

fn unescaped(text: &str) -> String {
    text.replace("&amp;", "&").replace("&#x2F;", "/").replace("&nbsp;", " ").replace("&#47;", "/")
}

const SHORTENERS: [&str; 12] = [
    "bit.ly",
    "tinyurl.com",
    "t.co",
    "goo.gl",
    "ow.ly",
    "is.gd",
    "buff.ly",
    "rebrand.ly",
    "cutt.ly",
    "t.ly",
    "rb.gy",
    "s.id",
];

/// Links that are looked at, of each part.
const LINKS_MAX: usize = 1000;
const LINK_OCTETS_MAX: usize = 4096;
const FINDINGS_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(html: &str) -> Vec<Option<Verdict>> {
        Links(html).map(|link| judge(&link).map(|finding| finding.verdict)).collect()
    }

    #[test]
    fn links_that_say_another_host_are_found() {
        for (html, verdict) in [
            (r#"<a href="https://example.org/x">Read on</a>"#, None),
            (r#"<a href="https://example.org/x">https://www.example.org/x</a>"#, None),
            (r#"<A class=x HREF='https://click.example.org/1?a=b&amp;c'>example.org</A>"#, None),
            (r#"<a href="https://evil.example/x">https://bank.example.org/</a>"#, Some(Verdict::Bad)),
            (r#"<a href="https://evil.example/x"><b>www.bank</b>.com</a>"#, Some(Verdict::Bad)),
            (r#"<a href="https://bank.example.org@evil.example/">bank.example.org</a>"#, Some(Verdict::Bad)),
            (r#"<a href="https://shop.co.uk/">other.co.uk</a>"#, Some(Verdict::Bad)),
            (r#"<a href="https://example.org/">version 3.5</a>"#, None),
            (r#"<a href="https://example.org/">3.5</a>"#, None),
            (r#"<a href="javascript:alert(1)">x</a>"#, Some(Verdict::Bad)),
            (r#"<a href="https://192.0.2.1/">x</a>"#, Some(Verdict::Warning)),
            (r#"<a href="https://[2001:db8::1]/">x</a>"#, Some(Verdict::Warning)),
            (r#"<a href="https://bit.ly/x">x</a>"#, Some(Verdict::Warning)),
            (r#"<a href="http://example.org/">x</a>"#, Some(Verdict::Notice)),
            (r#"<a href="mailto:a@b.example">a@b.example</a>"#, None),
        ] {
            assert_eq!(verdicts(html), [verdict], "{html}");
        }
        assert!(verdicts("<abbr href=x>y</abbr><a name=x>y</a><a href").is_empty());
    }
}
