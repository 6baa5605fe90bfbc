//! The words of a bounce: replies with the host that said them and the recipient they are about, as far as the
//! text around them tells.

use super::{Action, Finding};
use crate::explain::causes_in;
use crate::explain::lexer::{self, Token};

/// Octets before a code in which a host and a recipient are looked for.
const CONTEXT_BYTES: usize = 800;
/// Characters of the words of a reply that are kept.
const WORDS_CHARACTERS_MAX: usize = 400;

/// The replies in `text`, in their order.
pub(super) fn findings(text: &str) -> Vec<Finding> {
    let tokens = lexer::tokens(text);
    let mut findings = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let (finding, next) = reply(text, &tokens, index);
        findings.push(finding);
        index = next;
    }
    findings
}

/// One reply, which may hold several tokens: `550-5.1.1 … 550 5.1.1 …`, or `550 … (#5.1.1)`.
fn reply(text: &str, tokens: &[Token], first: usize) -> (Finding, usize) {
    let token = tokens[first];
    let mut finding = Finding { code: token.code, status: token.status, ..Finding::default() };
    let mut said = String::new();
    let mut last = token;
    let mut next = first + 1;
    loop {
        let limit = tokens.get(next).map_or(text.len(), |token| token.start);
        let end = end_of_words(text, last.end, limit);
        said.push_str(&text[last.end..end]);
        said.push(' ');
        let Some(following) = tokens.get(next) else { break };
        let is_next_line = last.continues && following.code == token.code;
        let is_status_of_it = finding.status.is_none()
            && end == limit
            && following.code.is_none()
            && following.status.zip(token.code).is_some_and(|(status, code)| lexer::agree(code, status));
        if !is_next_line && !is_status_of_it {
            break;
        }
        finding.status = finding.status.or(following.status);
        last = *following;
        next += 1;
    }
    finding.text = words(&said);
    let context = context(text, token.start);
    finding.host = host(context);
    finding.recipients = recipient(context).into_iter().collect();
    (finding, next)
}

/// Up to the end of the paragraph, to `limit`, or to where the sending server takes the word again.
fn end_of_words(text: &str, start: usize, limit: usize) -> usize {
    const MARKS: &[&str] = &["\n\n", "\n<", "\nDATA", "\n>>>", "\n<<<", "\n...", "\n   -----"];
    let words = &text[start..limit];
    MARKS.iter().filter_map(|mark| words.find(mark)).min().map_or(limit, |end| start + end)
}

/// What stands before a code, as far as it may belong to it.
fn context(text: &str, end: usize) -> &str {
    let mut start = end.saturating_sub(CONTEXT_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..end]
}

/// The host that is named last: `host mx.example.org[192.0.2.1] said:`, `relay=mx.example.org[192.0.2.1]:25`,
/// `while talking to mx.example.org.`, `mx.example.org gave this error:` and the like.
fn host(context: &str) -> Option<String> {
    const BEFORE: &[&str] = &[
        "host ",
        "relay=",
        "talking to ",
        "generating server:",
        "reporting server:",
        "remote server at ",
        "remote server ",
        "remote host ",
        "by the server for the recipient domain ",
        "remote-mta: dns;",
        " by ",
        "server ",
    ];
    const AFTER: &[&str] = &[" gave this error", " rejected your message", " said:", " returned "];
    let lower = context.to_ascii_lowercase();
    let from_before = BEFORE.iter().filter_map(|mark| {
        lower.rmatch_indices(mark).find_map(|(at, found)| {
            let place = at + found.len();
            host_at(&context[place..]).map(|host| (place, host))
        })
    });
    let from_after = AFTER.iter().filter_map(|mark| {
        let at = lower.rfind(mark)?;
        let word = context[..at].split_whitespace().next_back()?;
        host_at(word).map(|host| (at, host))
    });
    from_before.chain(from_after).max_by_key(|(place, _)| *place).map(|(_, host)| host)
}

/// A domain name with a dot, or an IP address in brackets, at the beginning of `text`.
fn host_at(text: &str) -> Option<String> {
    let text = text.trim_start();
    if let Some(literal) = text.strip_prefix('[') {
        let (address, _) = literal.split_once(']')?;
        return address.parse::<std::net::IpAddr>().ok().map(|address| address.to_string());
    }
    let name: String = text.chars().take_while(|c| c.is_ascii_alphanumeric() || ".-_".contains(*c)).collect();
    let follows = text[name.len()..].chars().next();
    let name = name.trim_end_matches(['.', '-']);
    let is_name = name.contains('.')
        && name.len() <= 253
        && follows != Some('@')
        && name.split('.').all(|label| !label.is_empty())
        && !name.rsplit('.').next().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    is_name
        .then(|| name.to_owned())
        .or_else(|| name.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_string()))
}

/// The address that is named last, in angle brackets or alone; not that of `MAIL FROM`.
fn recipient(context: &str) -> Option<String> {
    context
        .split(|c: char| c.is_whitespace() || "<>()[]\"',;=".contains(c))
        .filter(|word| !word.is_empty())
        .scan("", |previous, word| {
            let before = std::mem::replace(previous, word);
            Some((before, word))
        })
        .filter(|(before, _)| !before.to_ascii_uppercase().ends_with("FROM:") && !before.ends_with("from"))
        .map(|(_, word)| word.trim_matches([':', '.', '\u{201c}', '\u{201d}']))
        .filter(|word| is_address(word))
        .last()
        .map(str::to_owned)
}

fn is_address(word: &str) -> bool {
    word.len() <= 254
        && word.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.contains('@')
                && domain.contains('.')
                && domain.chars().all(|c| c.is_alphanumeric() || ".-".contains(c))
        })
}

/// On one line, without what codes and quoting leave at its ends, and cut where it is long.
pub(super) fn words(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Here Postfix takes the word again.
    let said = joined.split(" (in reply to ").next().unwrap_or_default();
    let trimmed =
        said.trim_start_matches(['>', '|', ' ']).trim_matches([' ', '-', ':', ';', '#', '(', '\'', '"']);
    let trimmed = if trimmed.contains('(') { trimmed } else { trimmed.trim_end_matches(')') };
    match trimmed.char_indices().nth(WORDS_CHARACTERS_MAX) {
        None => trimmed.to_owned(),
        Some((end, _)) => format!("{}…", trimmed[..end].trim_end()),
    }
}

/// What the words around the replies say became of the message.
pub(super) fn action(text: &str) -> Option<Action> {
    const DELAYED: &[&str] = &[
        "will be retried",
        "will retry",
        "will be attempted",
        "warning message only",
        "do not need to resend",
        "has not yet been delivered",
        "delivery is delayed",
        "delivery delayed",
        "delayed mail",
        "delivery incomplete",
        "temporary problem delivering",
        "status=deferred",
        "still being retried",
    ];
    const FAILED: &[&str] = &[
        "undelivered mail returned",
        "returned to sender",
        "could not be delivered",
        "couldn't be delivered",
        "wasn't delivered",
        "permanent error",
        "permanent failure",
        "permanent fatal errors",
        "delivery has failed",
        "delivery failed",
        "failed permanently",
        "delivery to the following recipient",
        "undeliverable",
        "status=bounced",
        "given up",
    ];
    // One reply alone may say of itself that it could not be delivered; what is done about it, it cannot know.
    if text.lines().filter(|line| !line.trim().is_empty()).count() < 3 {
        return None;
    }
    let text = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    if says(DELAYED) { Some(Action::Delayed) } else { says(FAILED).then_some(Action::Failed) }
}

/// A text without any code that names a cause all the same, as Exim's `Unrouteable address`.
pub(super) fn cause(text: &str) -> Option<Finding> {
    let line = text.lines().find(|line| !causes_in(line).is_empty());
    let words_of = line.map_or_else(|| words(text), words);
    if causes_in(&words_of).is_empty() {
        return None;
    }
    let before = line.and_then(|line| text.find(line)).unwrap_or(text.len());
    let context = context(text, before);
    let recipients = recipient(context).into_iter().collect();
    Some(Finding { host: host(context), recipients, text: words_of, ..Finding::default() })
}
