//! Whether the addresses take mail that each domain must have (RFC 5321 §4.5.1, RFC 2142), and one that was asked for. A mail
//! host is asked for them, and given no message.

use types::{Domain, Mailbox, Reply};

use super::mx::MailHost;
use super::{Question, RECIPIENTS_MAX, bad, good, unknown, warning};
use crate::{Finding, Outside, Topic};

/// Local parts that a domain with mail has to have, and what for.
const DUTIES: &[(&str, &str)] = &[("postmaster", "RFC 5321 §4.5.1"), ("abuse", "RFC 2142 §2")];

/// Those that were asked for and those of duty; none where none was asked for.
pub(super) async fn check(outside: &dyn Outside, question: &Question, hosts: &[MailHost]) -> Vec<Finding> {
    let Some(host) = hosts.first().filter(|_| !question.recipients.is_empty()) else { return Vec::new() };
    let mut recipients: Vec<Mailbox> = question.recipients.iter().take(RECIPIENTS_MAX).cloned().collect();
    for (local_part, _) in DUTIES {
        let Some(mailbox) = of_duty(local_part, &question.domain) else { continue };
        if !recipients.contains(&mailbox) {
            recipients.push(mailbox);
        }
    }
    let mut why = None;
    for ip in &host.addresses {
        match outside.ask_recipients(&host.name, *ip, question.port, &recipients).await {
            Ok(replies) => {
                return recipients
                    .iter()
                    .zip(&replies)
                    .map(|(recipient, reply)| judge(recipient, reply))
                    .collect();
            }
            Err(unmet) => why = Some(unmet),
        }
    }
    let why = why.map(|unmet| unmet.to_string()).unwrap_or_default();
    let says = format!("{} could not be asked which addresses take mail: {why}", host.name.ascii());
    vec![unknown(Topic::Recipient, question.domain.ascii(), says)]
}

fn of_duty(local_part: &str, domain: &Domain) -> Option<Mailbox> {
    format!("{local_part}@{}", domain.ascii()).parse().ok()
}

fn judge(recipient: &Mailbox, reply: &Reply) -> Finding {
    let about = recipient.to_string();
    let duty = DUTIES.iter().find(|(local_part, _)| about.starts_with(&format!("{local_part}@")));
    let by_whom = duty.map_or_else(String::new, |(_, source)| {
        format!(", which every domain with mail has to have ({source})")
    });
    match reply.code {
        200..300 => good(Topic::Recipient, &about, format!("{about} takes mail")),
        // RFC 6647: a stranger may be told to come again.
        400..500 => {
            let says = format!("{about} takes no mail at this moment: {reply}");
            unknown(Topic::Recipient, &about, says)
                .mend("try again in some minutes: strangers are often told so at first")
        }
        _ => {
            let says = format!("{about}{by_whom} takes no mail: {reply}");
            let judge = if duty.is_some() { warning } else { bad };
            judge(Topic::Recipient, &about, says)
                .mend(format!("make the address, or an alias of it: `posta alias add {about} …`"))
        }
    }
}
