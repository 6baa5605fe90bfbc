//! The findings as one JSON object.

use serde_json::{Value, json};
use types::explain::{CauseKind, Explanation, Finding, Language, Meaning, Text, Usage, cause, labels};

/// `{"language": …, "findings": […]}`; with `"error"` and `"advice"` where nothing was found.
pub(super) fn document(explained: &[(Finding, Explanation)], language: Language) -> Value {
    let findings: Vec<Value> =
        explained.iter().map(|(finding, explanation)| one(finding, explanation, language)).collect();
    let mut document = json!({ "language": language.tag(), "findings": findings });
    if explained.is_empty() {
        document["error"] = labels::NOTHING.of(language).into();
        document["advice"] = labels::ADVICE.of(language).into();
    }
    document
}

fn one(finding: &Finding, explanation: &Explanation, language: Language) -> Value {
    let causes = |kinds: &[CauseKind]| -> Vec<Value> {
        kinds.iter().map(|kind| cause_value(*kind, language)).collect()
    };
    json!({
        "code": finding.code,
        "status": finding.status.map(|status| status.to_string()),
        "host": finding.host,
        "recipients": finding.recipients,
        "recipients_more": finding.recipients_more,
        "action": finding.action.map(types::explain::Action::word),
        "text": finding.text,
        "meanings": explanation.meanings.iter().map(|meaning| meaning_value(meaning, language)).collect::<Vec<_>>(),
        "causes": causes(&explanation.causes),
        "usual_causes": causes(&explanation.usual_causes),
        "actors": explanation.actors.iter().map(|actor| actor.word()).collect::<Vec<_>>(),
        "retry": explanation.retry.word(),
        "steps": texts(&explanation.steps, language),
    })
}

fn meaning_value(meaning: &Meaning, language: Language) -> Value {
    let used_by = match meaning.usage {
        Usage::Standard => None,
        Usage::Only(who) => Some(who.of(language)),
    };
    json!({
        "about": meaning.about,
        "known": meaning.is_exact,
        "texts": texts(&meaning.texts, language),
        "used_only_by": used_by,
        "source": meaning.source,
    })
}

fn cause_value(kind: CauseKind, language: Language) -> Value {
    let entry = cause(kind);
    json!({
        "name": kind.word(),
        "text": entry.meaning.of(language),
        "actors": entry.actors.iter().map(|actor| actor.word()).collect::<Vec<_>>(),
        "steps": texts(entry.steps, language),
        "source": entry.source,
    })
}

fn texts(texts: &[Text], language: Language) -> Vec<&'static str> {
    texts.iter().map(|text| text.of(language)).collect()
}
