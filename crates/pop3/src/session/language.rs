//! LANG (RFC 6856 §3): the one language that there are texts in.

use super::{Next, State};
use crate::Response;

/// Its tag, and what its speakers call it.
const LANGUAGES: &[(&str, &str)] = &[("en", "English")];

/// Lists languages, or chooses the one that fits `range`, a basic language range (RFC 4647 §2.1) or `*`.
pub(super) fn command(range: Option<&str>, state: State, out: &mut Vec<u8>) -> Next {
    let Some(range) = range else {
        Response::Languages.write_to(out);
        for (tag, name) in LANGUAGES {
            out.extend_from_slice(format!("{tag} {name}\r\n").as_bytes());
        }
        out.extend_from_slice(b".\r\n");
        return Next::State(state);
    };
    let found = LANGUAGES.iter().find(|(tag, _)| range == "*" || range.eq_ignore_ascii_case(tag));
    match found {
        Some((tag, _)) => {
            Response::LanguageChosen.write_with(tag, out);
            Next::State(state)
        }
        None => Next::Refuse(state, Response::LanguageUnknown, String::new()),
    }
}
