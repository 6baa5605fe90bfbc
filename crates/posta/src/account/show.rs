//! An account on a page.

use server::control::{AccountDetail, MailboxSummary};

use crate::directory::{number, properties, table, text};
use crate::password::app;
use crate::screen::{bar, size};

/// Everything about an account, for people.
pub(super) fn page(account: &AccountDetail) -> String {
    let rows = [
        ("status", status(account)),
        ("usage", usage(account)),
        ("password", password(account).to_owned()),
        ("sends as", sends_as(account)),
        ("limits", limits(account)),
        ("language", account.language.clone().unwrap_or_else(|| "the server's".to_owned())),
        ("reached by", reached_by(account)),
    ];
    let mut page = properties(&account.name, &rows);
    let mailbox = |mailbox: &MailboxSummary| {
        vec![text(&mailbox.name), number(mailbox.messages), number(size(mailbox.size_bytes))]
    };
    page.push('\n');
    page.push_str(&table(&["MAILBOX", "MESSAGES", "SIZE"], account.mailboxes.iter().map(mailbox)));
    if !account.app_passwords.is_empty() {
        page.push('\n');
        page.push_str(&table(&app::HEADER, account.app_passwords.iter().map(app::row)));
    }
    page
}

fn status(account: &AccountDetail) -> String {
    match &account.disabled {
        None => "active".to_owned(),
        Some(reason) if reason.is_empty() => "disabled".to_owned(),
        Some(reason) => format!("disabled: {reason}"),
    }
}

fn usage(account: &AccountDetail) -> String {
    let messages = if account.messages == 1 { "message" } else { "messages" };
    let used = format!("{} in {} {messages}", size(account.size_bytes), account.messages);
    match account.quota_bytes {
        None => format!("{used}, no quota"),
        Some(quota) => {
            let percent = account.size_bytes.saturating_mul(100).checked_div(quota).unwrap_or(100);
            format!("{}  {percent} % of {}: {used}", bar(account.size_bytes, quota), size(quota))
        }
    }
}

const fn password(account: &AccountDetail) -> &'static str {
    match (account.has_password, account.cram_md5, account.app_passwords.is_empty()) {
        (true, true, _) => "set; kept readable for CRAM-MD5 and APOP",
        (true, false, _) => "set",
        (false, _, false) => "only those for programs",
        (false, _, true) => "none: nobody can log in",
    }
}

fn sends_as(account: &AccountDetail) -> String {
    let others = account.send_as.iter().map(|right| match right.as_str() {
        "*" => "anybody",
        right => right,
    });
    [account.name.as_str()].into_iter().chain(others).collect::<Vec<_>>().join(", ")
}

fn limits(account: &AccountDetail) -> String {
    let limits: Vec<String> = [
        account.messages_per_hour_max.map(|number| format!("{number} messages an hour")),
        account.message_bytes_max.map(|bytes| format!("{} a message", size(bytes))),
        account.recipients_max.map(|number| format!("{number} recipients")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if limits.is_empty() { "the server's".to_owned() } else { limits.join(", ") }
}

fn reached_by(account: &AccountDetail) -> String {
    let domains = account.catch_all_of.iter().map(|domain| format!("unknown addresses of {domain}"));
    let ways: Vec<String> = account.reached_by.iter().cloned().chain(domains).collect();
    if ways.is_empty() { "its own address alone".to_owned() } else { ways.join(", ") }
}

#[cfg(test)]
mod tests {
    use server::control::AppPasswordSummary;

    use super::*;

    #[test]
    fn the_page_of_an_account_tells_everything() {
        let account = AccountDetail {
            name: "ada@example.org".to_owned(),
            disabled: Some("left".to_owned()),
            has_password: true,
            cram_md5: true,
            messages: 2,
            size_bytes: 512 << 10,
            quota_bytes: Some(1 << 20),
            messages_per_hour_max: Some(10),
            message_bytes_max: None,
            recipients_max: Some(5),
            language: Some("es-MX".to_owned()),
            send_as: vec!["sales@example.org".to_owned(), "*".to_owned()],
            mailboxes: vec![MailboxSummary {
                name: "INBOX".to_owned(),
                uid_validity: 1,
                uid_next: 3,
                messages: 2,
                size_bytes: 512 << 10,
                unseen: 1,
                special_use: None,
            }],
            app_passwords: vec![AppPasswordSummary {
                label: "phone".to_owned(),
                created_at: "2026-11-22T04:35:24.250Z".to_owned(),
                last_used_at: None,
            }],
            reached_by: vec!["info@example.org".to_owned()],
            catch_all_of: vec!["example.org".to_owned()],
        };
        let expected = "ada@example.org
  status      disabled: left
  usage       ██████████░░░░░░░░░░  50 % of 1.0 MiB: 512 KiB in 2 messages
  password    set; kept readable for CRAM-MD5 and APOP
  sends as    ada@example.org, sales@example.org, anybody
  limits      10 messages an hour, 5 recipients
  language    es-MX
  reached by  info@example.org, unknown addresses of example.org

 MAILBOX  MESSAGES  SIZE
 INBOX           2  512 KiB

 PASSWORD FOR  MADE              LAST USED
 phone         2026-11-22 04:35  never
";
        assert_eq!(page(&account), expected);
    }
}
