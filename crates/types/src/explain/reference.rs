//! The reference of replies in Markdown: what Posta answers, then what each code means. `docs/replies.md` is this
//! text, and a test compares them.

use std::fmt::Write as _;

use super::{Actor, Entry, Key, Language, Text, Usage, causes, codes, labels, statuses};
use crate::REPLIES;

/// The whole document.
#[must_use]
pub fn reference(language: Language) -> String {
    let mut out = String::with_capacity(128 * 1024);
    let of = |text: Text| text.of(language);
    push(&mut out, &format!("# {}\n\n{}\n\n", of(TITLE), of(INTRODUCTION)));
    push(&mut out, &format!("## {}\n\n{}\n\n", of(OWN_TITLE), of(OWN)));
    own_replies(&mut out, language);
    push(&mut out, &format!("\n## {}\n\n{}\n", of(CODES_TITLE), of(CODES)));
    for entry in codes() {
        section(&mut out, entry, language);
    }
    push(&mut out, &format!("\n## {}\n\n{}\n", of(STATUSES_TITLE), of(STATUSES)));
    for entry in statuses() {
        section(&mut out, entry, language);
    }
    push(&mut out, &format!("\n## {}\n\n{}\n", of(CAUSES_TITLE), of(CAUSES)));
    for entry in causes() {
        section(&mut out, entry, language);
    }
    out
}

fn own_replies(out: &mut String, language: Language) {
    let [code, text, source] = [OWN_CODE, OWN_TEXT, SOURCE].map(|column| column.of(language));
    push(out, &format!("| {code} | {text} | {source} |\n| --- | --- | --- |\n"));
    let mut replies: Vec<_> = REPLIES.iter().collect();
    replies.sort_by_key(|reply| reply.code);
    for reply in replies {
        let status = reply.enhanced.map(|status| format!(" {status}")).unwrap_or_default();
        push(
            out,
            &format!("| {}{status} | {} | {} |\n", reply.code, reply.text.replace("{}", "…"), reply.source),
        );
    }
}

fn section(out: &mut String, entry: &Entry, language: Language) {
    let of = |text: Text| text.of(language);
    push(out, &format!("\n### {}\n\n{}.", entry.key, capitalized(of(entry.meaning))));
    if let Usage::Only(who) = entry.usage {
        push(out, &format!(" ({}: {}.)", capitalized(of(labels::ONLY)), of(who)));
    }
    let actors = actors(entry.actors, language);
    let source = entry.source.unwrap_or(of(labels::NO_RFC));
    push(out, &format!("\n{}: {actors}. {}: {source}.\n", of(labels::ACTS), of(SOURCE)));
    if !entry.steps.is_empty() {
        push(out, "\n");
    }
    for step in entry.steps {
        push(out, &format!("- {}\n", of(*step)));
    }
    if !entry.causes.is_empty() {
        let links = entry.causes.iter().map(|kind| format!("[{0}](#{0})", kind.word()));
        push(out, &format!("\n{}: {}\n", of(labels::USUAL_CAUSES), links.collect::<Vec<_>>().join(", ")));
    }
    debug_assert!(!matches!(entry.key, Key::Cause(_)) || entry.causes.is_empty(), "causes have no causes");
}

/// Those who can act, in a sentence.
#[must_use]
pub fn actors(actors: &[Actor], language: Language) -> String {
    let or = format!(" {} ", labels::OR.of(language));
    let names =
        |actors: &[Actor]| actors.iter().map(|actor| actor.name().of(language)).collect::<Vec<_>>().join(&or);
    match actors {
        [Actor::Nobody, others @ ..] if !others.is_empty() => {
            format!("{} {}", labels::IF_IT_LASTS.of(language), names(others))
        }
        actors => names(actors),
    }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

fn push(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = out.write_str(text);
}

crate::texts! {
    /// All texts of the page itself.
    pub(super) TEXTS;
    TITLE = "Replies" / "Respuestas";
    INTRODUCTION = "What Posta answers, and what the replies of any mail server mean. `posta explain 550`, `posta explain 5.7.1`, or a whole bounce after `posta explain --file`, shows the same for one case, also in other languages (`--language es`) and for programs (`--json`). This page is written by `posta explain --markdown` from the same tables; do not edit it."
        / "Lo que responde Posta, y lo que significan las respuestas de cualquier servidor de correo. `posta explain 550`, `posta explain 5.7.1`, o un rebote entero con `posta explain --file`, muestra lo mismo para un caso, también en otros idiomas (`--language en`) y para programas (`--json`). Esta página la escribe `posta explain --markdown --language es` a partir de las mismas tablas; no la edite.";
    OWN_TITLE = "What Posta answers" / "Lo que responde Posta";
    OWN = "Every reply on SMTP and LMTP; `…` stands for what depends on the case. The replies stay in English, as RFC 5321 has them."
        / "Todas las respuestas en SMTP y LMTP; `…` representa lo que depende del caso. Las respuestas se dan en inglés.";
    OWN_CODE = "Code" / "Código";
    OWN_TEXT = "Text" / "Texto";
    SOURCE = "Source" / "Fuente";
    CODES_TITLE = "Reply codes" / "Códigos de respuesta";
    CODES = "The first digit says what became of it: 2 done, 3 go on, 4 not now (a mail server keeps the message and tries again for days), 5 no (RFC 5321 §4.2.1). A code that is not below is explained by its digits."
        / "La primera cifra dice qué ocurrió: 2 hecho, 3 continúe, 4 ahora no (un servidor de correo guarda el mensaje y reintenta durante días), 5 no (RFC 5321 §4.2.1). Un código que no esté abajo se explica por sus cifras.";
    STATUSES_TITLE = "Enhanced status codes" / "Códigos de estado ampliados";
    STATUSES = "`X` stands for 2 (done), 4 (not now) or 5 (no); the second number says what it is about, the third what happened (RFC 3463). Those of the IANA registry come first, then those that only some servers use."
        / "`X` representa 2 (hecho), 4 (ahora no) o 5 (no); el segundo número dice de qué se trata, el tercero qué ocurrió (RFC 3463). Primero van los del registro de IANA, después los que solo usan algunos servidores.";
    CAUSES_TITLE = "Causes" / "Causas";
    CAUSES = "What servers say in words and not by code. `posta explain` finds them in the text."
        / "Lo que los servidores dicen con palabras y no con un código. `posta explain` las encuentra en el texto.";
}
