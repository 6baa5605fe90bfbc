//! The base subject (RFC 5256 §2.1): what is left of a subject without `Re:`, `[list]`, `(fwd)` and their like.
//!
//! ```text
//! subject         = *subj-leader [subj-middle] *subj-trailer
//! subj-refwd      = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
//! subj-blob       = "[" *BLOBCHAR "]" *WSP
//! subj-fwd        = subj-fwd-hdr subject subj-fwd-trl
//! subj-fwd-hdr    = "[fwd:"
//! subj-fwd-trl    = "]"
//! subj-leader     = (*subj-blob subj-refwd) / WSP
//! subj-middle     = *subj-blob (subj-base / subj-fwd)
//! subj-trailer    = "(fwd)" / WSP
//! ```

/// What is left of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BaseSubject {
    /// It; not folded.
    pub text: String,
    /// Whether something was removed that says that the message answers another or sends it on (RFC 5256 §3).
    pub is_reply_or_forward: bool,
}

impl BaseSubject {
    /// Of a subject whose encoded words are decoded (step 1). Linear in its length.
    #[must_use]
    pub fn of(decoded: &str) -> Self {
        let text = with_single_spaces(decoded);
        let mut rest = text.as_str();
        let mut is_reply_or_forward = false;
        loop {
            let (trimmed, is_forward) = without_trailers(rest);
            let (leaderless, is_reply) = without_leaders(trimmed);
            is_reply_or_forward |= is_forward || is_reply;
            rest = leaderless;
            let Some(inner) = forwarded(rest) else { break };
            is_reply_or_forward = true;
            rest = inner;
        }
        Self { text: rest.to_owned(), is_reply_or_forward }
    }
}

/// Tabs and what is left of continuations become spaces, and several spaces one.
fn with_single_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let character = if matches!(character, '\t' | '\r' | '\n') { ' ' } else { character };
        if character != ' ' || !out.ends_with(' ') {
            out.push(character);
        }
    }
    out
}

/// Step 2; and whether `(fwd)` was among what went.
fn without_trailers(text: &str) -> (&str, bool) {
    let mut is_forward = false;
    let mut rest = text.trim_end_matches(' ');
    while let Some(before) = strip_suffix(rest, "(fwd)") {
        is_forward = true;
        rest = before.trim_end_matches(' ');
    }
    (rest, is_forward)
}

/// Steps 3 to 5; and whether `Re:` or its like was among what went.
fn without_leaders(text: &str) -> (&str, bool) {
    let mut is_reply = false;
    let mut rest = text.trim_start_matches(' ');
    loop {
        let (behind_blobs, last_blob) = behind_blobs(rest);
        if let Some(behind) = behind_refwd(behind_blobs) {
            is_reply = true;
            rest = behind.trim_start_matches(' ');
            continue;
        }
        // No leader: of the blobs goes what leaves something, and what is left begins with neither.
        let left = if behind_blobs.is_empty() { last_blob } else { behind_blobs };
        return (left, is_reply);
    }
}

/// What stands behind `*subj-blob`, and from the last of the blobs on.
fn behind_blobs(text: &str) -> (&str, &str) {
    let (mut rest, mut last) = (text, text);
    while let Some(behind) = behind_blob(rest) {
        last = rest;
        rest = behind;
    }
    (rest, last)
}

fn behind_blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    inner[end..].strip_prefix(']').map(|behind| behind.trim_start_matches(' '))
}

fn behind_refwd(text: &str) -> Option<&str> {
    let word = ["re", "fwd", "fw"].into_iter().find_map(|word| strip_prefix(text, word))?;
    let rest = word.trim_start_matches(' ');
    behind_blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// Step 6.
fn forwarded(text: &str) -> Option<&str> {
    strip_prefix(text, "[fwd:")?.strip_suffix(']')
}

fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn strip_suffix<'t>(text: &'t str, suffix: &str) -> Option<&'t str> {
    let (rest, tail) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    tail.eq_ignore_ascii_case(suffix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(subject: &str) -> (String, bool) {
        let BaseSubject { text, is_reply_or_forward } = BaseSubject::of(subject);
        (text, is_reply_or_forward)
    }

    #[test]
    fn artifacts_of_replies_and_lists_go() {
        for (subject, text, is_reply) in [
            ("Hello", "Hello", false),
            ("Re: Hello", "Hello", true),
            ("RE:re : FW: fwd: Hello", "Hello", true),
            ("Re[2]: Hello", "Hello", true),
            ("Re [2] : Hello", "Hello", true),
            ("[list] Re: Hello", "Hello", true),
            ("Re: [list] Hello", "Hello", true),
            ("[list] Hello", "Hello", false),
            ("[a][b] [c] Hello", "Hello", false),
            ("[list]", "[list]", false),
            ("[a] [b]", "[b]", false),
            ("Hello (fwd)", "Hello", true),
            ("Hello (FWD) (fwd)  ", "Hello", true),
            ("[fwd: Hello]", "Hello", true),
            ("[Fwd: Re: [list] Hello (fwd)] (fwd)", "Hello", true),
            ("[fwd: [fwd: Hello]]", "Hello", true),
            ("Re:", "", true),
            ("", "", false),
            ("  \t ", "", false),
            ("a \t  b", "a b", false),
            ("Regarding: this", "Regarding: this", false),
            ("Re Hello", "Re Hello", false),
            ("[unclosed Hello", "[unclosed Hello", false),
            ("[[x]] Hello", "[[x]] Hello", false),
            ("ré: Hello", "ré: Hello", false),
            ("Re: été (fwd)", "été", true),
        ] {
            assert_eq!(base(subject), (text.into(), is_reply), "{subject:?}");
        }
    }

    #[test]
    fn a_subject_of_many_blobs_is_read_in_linear_time() {
        // Squared, this would be some 10^11 steps.
        let many = "[a]".repeat(200_000);
        assert_eq!(base(&format!("{many}x")), ("x".into(), false));
        assert_eq!(base(&many), ("[a]".into(), false));
        let nested = format!("{}x{}", "[fwd:".repeat(50_000), "]".repeat(50_000));
        assert_eq!(base(&nested), ("x".into(), true));
    }
}
