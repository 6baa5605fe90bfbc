//! The JSON of a report (RFC 8460 §4.4).

use serde_json::{Map, Value, json};
use types::{Domain, Timestamp};

use super::{Failure, PolicyKind, SECONDS_A_DAY, Tally};

/// Who reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reporter<'a> {
    /// The organisation.
    pub(crate) organization: &'a str,
    /// Where questions go.
    pub(crate) contact: &'a str,
    /// Of this report alone.
    pub(crate) report_id: &'a str,
}

pub(super) fn report(day: u64, domain: &Domain, tallies: &[Tally], by: &Reporter<'_>) -> Value {
    let policies: Vec<_> = tallies.iter().map(policy).collect();
    let begin = day.saturating_mul(SECONDS_A_DAY);
    json!({
        "organization-name": by.organization,
        "date-range": {
            "start-datetime": date_time(begin),
            "end-datetime": date_time(begin.saturating_add(SECONDS_A_DAY - 1)),
        },
        "contact-info": by.contact,
        "report-id": format!("{}_{}", by.report_id, domain.ascii()),
        "policies": policies,
    })
}

fn policy(tally: &Tally) -> Value {
    let applied = &tally.policy;
    let kind = match applied.kind {
        PolicyKind::Tlsa => "tlsa",
        PolicyKind::Sts => "sts",
        PolicyKind::NoPolicyFound => "no-policy-found",
    };
    let mut policy = Map::new();
    policy.insert("policy-type".to_owned(), json!(kind));
    if applied.kind != PolicyKind::NoPolicyFound {
        policy.insert("policy-string".to_owned(), json!(applied.lines));
    }
    policy.insert("policy-domain".to_owned(), json!(applied.domain.ascii()));
    if applied.kind == PolicyKind::Sts {
        policy.insert("mx-host".to_owned(), json!(applied.mx));
    }
    let mut details: Vec<_> = tally.details.iter().map(|(failure, count)| detail(failure, *count)).collect();
    // The same report whatever the order of the table.
    details.sort_by_key(Value::to_string);
    let mut whole = json!({
        "policy": policy,
        "summary": {
            "total-successful-session-count": tally.successes,
            "total-failure-session-count": tally.failures,
        },
    });
    if let (Some(whole), false) = (whole.as_object_mut(), details.is_empty()) {
        whole.insert("failure-details".to_owned(), Value::Array(details));
    }
    whole
}

fn detail(failure: &Failure, count: u64) -> Value {
    let mut detail = Map::new();
    detail.insert("result-type".to_owned(), json!(failure.result.name()));
    if let Some(mx) = &failure.mx {
        detail.insert("receiving-mx-hostname".to_owned(), json!(mx.ascii()));
    }
    if let Some(ip) = &failure.ip {
        detail.insert("receiving-ip".to_owned(), json!(ip.to_string()));
    }
    detail.insert("failed-session-count".to_owned(), json!(count));
    if let Some(reason) = &failure.reason {
        detail.insert("failure-reason-code".to_owned(), json!(reason));
    }
    Value::Object(detail)
}

/// RFC 3339 §5.6, of whole seconds.
fn date_time(seconds: u64) -> String {
    let text = Timestamp::from_millis(seconds.saturating_mul(1000)).to_string();
    text.replace(".000Z", "Z")
}
