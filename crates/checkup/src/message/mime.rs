//! The parts of a message (RFC 2045, RFC 2046): whether all readers see the same, and what is attached.

use mail_parser::{ContentType, MessagePart, MimeHeaders as _, PartType};

use super::Letter;
use super::header::short;
use super::letter::is_known_charset;
use crate::{Finding, Topic, Verdict};

pub(super) fn check(letter: &Letter<'_>) -> Vec<Finding> {
    let Some(parsed) = &letter.parsed else {
        let says = "it cannot be read as a message at all";
        return vec![Finding::new(Topic::Mime, "message", Verdict::Bad, says).points(5.0)];
    };
    let mut findings = Vec::new();
    let has_type = letter.named("Content-Type").next().is_some();
    if has_type && letter.named("MIME-Version").next().is_none() {
        let says = "Content-Type is there without MIME-Version, so that some read the message as plain text";
        findings.push(mime("MIME-Version", Verdict::Warning, says, 0.7).mend("add MIME-Version: 1.0"));
    }
    if parsed.parts.len() > PARTS_MAX {
        let says = format!("it has {} parts, more than any honest message", parsed.parts.len());
        findings.push(mime("message", Verdict::Warning, says, 1.0));
    }
    for part in parsed.parts.iter().take(PARTS_MAX) {
        findings.extend(structure(letter, part));
        findings.extend(text(letter, part));
        findings.extend(attachment(part));
        if findings.len() >= FINDINGS_MAX {
            break;
        }
    }
    if findings.is_empty() {
        findings.push(Finding::new(Topic::Mime, "message", Verdict::Good, "its parts are well formed"));
    }
    findings
}

fn mime(about: impl Into<String>, verdict: Verdict, says: impl Into<String>, points: f32) -> Finding {
    Finding::new(Topic::Mime, about, verdict, says).points(points)
}

/// Boundaries (RFC 2046 §5.1.1) and encodings (RFC 2045 §6).
fn structure(letter: &Letter<'_>, part: &MessagePart<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let content_type = part.content_type();
    let name = kind(content_type);
    let is_multipart = content_type.is_some_and(|found| found.ctype().eq_ignore_ascii_case("multipart"));
    if is_multipart {
        let boundary = content_type.and_then(|found| found.attribute("boundary")).unwrap_or_default();
        findings.extend(boundary_problem(letter.body_of(part), boundary).map(|says| {
            mime(short(&name), Verdict::Bad, says, 1.5)
                .mend("let a library make the parts, and nothing cut the message")
        }));
    }
    let encoding = part.content_transfer_encoding().map(|found| found.trim().to_ascii_lowercase());
    if let Some(encoding) = &encoding
        && !ENCODINGS.contains(&encoding.as_str())
    {
        let says = format!("its Content-Transfer-Encoding is not known: {}", short(encoding));
        findings.push(
            mime(short(&name), Verdict::Bad, says, 1.0).mend("use 7bit, 8bit, quoted-printable or base64"),
        );
    } else if part.is_encoding_problem && !is_multipart {
        let says = "it cannot be decoded as it says it is encoded";
        findings.push(mime(short(&name), Verdict::Warning, says, 1.0).mend("let a library encode it"));
    }
    let is_plain = encoding.as_deref().is_none_or(|encoding| encoding == "7bit");
    if is_plain && !is_multipart && !part.is_message() && !letter.body_of(part).is_ascii() {
        let says = "it holds octets beyond ASCII, and says neither 8bit nor an encoding";
        findings.push(
            mime(short(&name), Verdict::Warning, says, 0.7)
                .mend("encode it in quoted-printable or base64, or say 8bit"),
        );
    }
    findings
}

/// RFC 2045 §5.2: what says nothing is plain text.
fn kind(content_type: Option<&ContentType<'_>>) -> String {
    let Some(found) = content_type else { return "text/plain".to_owned() };
    format!("{}/{}", found.ctype(), found.subtype().unwrap_or("?")).to_ascii_lowercase()
}

fn boundary_problem(body: &[u8], boundary: &str) -> Option<&'static str> {
    if boundary.is_empty() {
        return Some("it is made of parts, and names no boundary between them");
    }
    if boundary.len() > BOUNDARY_OCTETS_MAX {
        return Some("its boundary is longer than 70 characters");
    }
    let line = format!("--{boundary}");
    let mut lines = body.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii_end);
    let begins = body.split(|octet| *octet == b'\n').any(|found| found.trim_ascii_end() == line.as_bytes());
    if !begins {
        return Some("its boundary is nowhere in it, so that it has no parts");
    }
    let end = format!("{line}--");
    (!lines.any(|found| found == end.as_bytes())).then_some("it has no end: the last boundary is missing")
}

/// The charset of text (RFC 2046 §4.1.2).
fn text(letter: &Letter<'_>, part: &MessagePart<'_>) -> Option<Finding> {
    if !matches!(part.body, PartType::Text(_) | PartType::Html(_)) {
        return None;
    }
    let content_type = part.content_type();
    let name = kind(content_type);
    let charset = content_type.and_then(|found| found.attribute("charset"));
    let is_ascii = letter.body_of(part).is_ascii();
    match charset {
        Some(charset) => (!is_known_charset(charset)).then(|| {
            mime(name, Verdict::Warning, format!("its charset is not known: {}", short(charset)), 0.5)
                .mend("write it in UTF-8 and say charset=utf-8")
        }),
        None => (!is_ascii || part.content_transfer_encoding().is_some_and(is_encoded)).then(|| {
            mime(name, Verdict::Notice, "it is text without a charset, and read as ASCII by some", 0.2)
                .mend("say charset=utf-8 in Content-Type")
        }),
    }
}

fn is_encoded(encoding: &str) -> bool {
    let encoding = encoding.trim();
    encoding.eq_ignore_ascii_case("base64") || encoding.eq_ignore_ascii_case("quoted-printable")
}

/// What receivers refuse by its name.
fn attachment(part: &MessagePart<'_>) -> Option<Finding> {
    let name = part.attachment_name()?;
    if name.chars().any(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')) {
        let says = "the name of the file turns the direction of reading, which hides what it is";
        return Some(mime(short(name), Verdict::Bad, says, 3.0));
    }
    let lower = name.trim().trim_end_matches('.').to_ascii_lowercase();
    let (_, extension) = lower.rsplit_once('.')?;
    if DANGEROUS.contains(&extension) {
        let says = format!("a file of type .{extension} runs as a program, and is refused by most receivers");
        let mend = "send a link to where it can be had";
        return Some(mime(short(name), Verdict::Bad, says, 3.0).mend(mend));
    }
    if SUSPICIOUS.contains(&extension) {
        let says =
            format!("a file of type .{extension} is refused by some receivers, since programs hide in it");
        return Some(
            mime(short(name), Verdict::Warning, says, 0.7)
                .mend("send a PDF, or a link to where it can be had"),
        );
    }
    None
}

const ENCODINGS: [&str; 5] = ["7bit", "8bit", "binary", "quoted-printable", "base64"];

/// As large providers publish them.
const DANGEROUS: [&str; 40] = [
    "ade", "adp", "apk", "appx", "bat", "cab", "chm", "cmd", "com", "cpl", "dll", "dmg", "exe", "hta", "ins",
    "isp", "iso", "jar", "js", "jse", "lib", "lnk", "mde", "msc", "msi", "msp", "mst", "nsh", "pif", "ps1",
    "scr", "sct", "shb", "sys", "vb", "vbe", "vbs", "vhd", "wsc", "wsf",
];
const SUSPICIOUS: [&str; 13] =
    ["docm", "dotm", "xlsm", "xltm", "pptm", "one", "html", "htm", "svg", "img", "rar", "ace", "reg"];

/// RFC 2046 §5.1.1.
const BOUNDARY_OCTETS_MAX: usize = 70;
/// Parts that are looked at.
const PARTS_MAX: usize = 200;
/// Findings about parts.
const FINDINGS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_begin_and_end_parts() {
        for (body, boundary, is_right) in [
            ("--b\r\n\r\nx\r\n--b--\r\n", "b", true),
            ("pre\r\n--b  \r\n\r\nx\r\n--b--", "b", true),
            ("--b\r\n\r\nx\r\n", "b", false),
            ("--bb\r\n\r\nx\r\n--bb--\r\n", "b", false),
            ("x", "", false),
            ("", "b", false),
        ] {
            assert_eq!(boundary_problem(body.as_bytes(), boundary).is_none(), is_right, "{body:?}");
        }
        assert!(boundary_problem(b"", &"x".repeat(71)).is_some());
    }
}
