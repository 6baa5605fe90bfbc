//! What `posta dev` says when everything listens, and sizes for people.

use std::path::Path;

use comfy_table::{Table, presets};
use server::config::{ListenAddress, Relay};

use crate::data;
use crate::first_password::FIRST_ACCOUNT;

/// What dev mode tells.
pub(crate) struct Dev<'a> {
    pub(crate) listeners: &'a [(String, ListenAddress)],
    pub(crate) password: &'a str,
    pub(crate) folder: &'a Path,
    pub(crate) authority: Option<&'a Path>,
    pub(crate) relay: Option<&'a Relay>,
}

/// The framed text of dev mode.
pub(crate) fn dev(facts: &Dev<'_>) -> String {
    let Dev { listeners, password, folder, authority, relay } = *facts;
    let mut frame = Table::new();
    frame.load_style(presets::UTF8_FULL.with_rounded_corners());
    let mode = match relay {
        None => "nothing leaves this machine".to_owned(),
        Some(relay) => format!("mail for others goes to {relay}"),
    };
    frame.add_row([format!("Posta {} in development mode: {mode}", env!("CARGO_PKG_VERSION"))]);
    let mut rows: Vec<(String, String)> =
        listeners.iter().map(|(service, address)| (service.to_uppercase(), address.to_string())).collect();
    rows.push(("account".to_owned(), FIRST_ACCOUNT.to_owned()));
    rows.push(("password".to_owned(), password.to_owned()));
    let others = match relay {
        None => format!("into {FIRST_ACCOUNT}"),
        Some(relay) => format!("to {relay}"),
    };
    rows.push(("mail to".to_owned(), format!("an account goes there, to any other address {others}")));
    rows.push(("data".to_owned(), folder.display().to_string()));
    if let Some(authority) = authority {
        rows.push(("TLS CA".to_owned(), authority.display().to_string()));
    }
    frame.add_row([rows
        .iter()
        .map(|(name, value)| format!("{name:<12} {value}"))
        .collect::<Vec<_>>()
        .join("\n")]);
    frame.add_row([hints(listeners, password, folder).join("\n")]);
    format!("{frame}\nStop with Ctrl-C.\n")
}

/// Lines to try at once.
fn hints(listeners: &[(String, ListenAddress)], password: &str, folder: &Path) -> Vec<String> {
    let address_of = |wanted: &str| {
        listeners.iter().find(|(service, _)| service == wanted).and_then(|(_, address)| address.tcp())
    };
    let posta = program();
    let data = match data::default_folder() {
        Some(default) if std::fs::canonicalize(&default).is_ok_and(|default| default == folder) => {
            String::new()
        }
        _ => format!(" --data {}", shell_word(&folder.display().to_string())),
    };
    let mut hints = vec![
        "Send, and see how the two sides talk:".to_owned(),
        format!("  {posta} send{data} --to ada@example.org --subject Hello --body Hi --dialogue"),
    ];
    if let Some(smtp) = address_of("smtp") {
        hints.push(
            "Type it yourself (EHLO me, MAIL FROM:<me@example.org>, RCPT TO:<ada@example.org>, DATA):"
                .to_owned(),
        );
        hints.push(format!("  nc {} {}", smtp.ip(), smtp.port()));
    }
    hints.push("Read what came:".to_owned());
    hints.push(format!("  {posta} mailbox list{data}"));
    let user = shell_word(&format!("{FIRST_ACCOUNT}:{password}"));
    if let Some(imap) = address_of("imap") {
        hints.push(format!("  curl --user {user} 'imap://{imap}/INBOX;MAILINDEX=1'"));
    }
    if let Some(pop3) = address_of("pop3") {
        hints.push(format!("  curl --user {user} pop3://{pop3}/1"));
    }
    if let Some(http) = address_of("http") {
        hints.push("See the figures:".to_owned());
        hints.push(format!("  curl http://{http}/metrics"));
    }
    hints
}

/// How to call this program again: `posta` where the shell finds it under that name, else its path.
fn program() -> String {
    let Ok(own) = std::env::current_exe().and_then(std::fs::canonicalize) else { return "posta".to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("posta"))
        .find(|candidate| candidate.is_file())
        .and_then(|candidate| std::fs::canonicalize(candidate).ok());
    if found.as_ref() == Some(&own) {
        return "posta".to_owned();
    }
    let here = std::env::current_dir().and_then(std::fs::canonicalize).unwrap_or_default();
    let shown = own.strip_prefix(&here).unwrap_or(&own).display().to_string();
    shell_word(if shown.is_empty() { "posta" } else { &shown })
}

/// As one word of a shell, quoted only where it must be.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Octets for people: `512 B`, `4.0 KiB`, `17 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut rest, mut unit) = (bytes, 0, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        (rest, whole, unit) = (whole % 1024, whole / 1024, unit + 1);
    }
    if unit == 0 || whole >= 10 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{} {}", rest * 10 / 1024, UNITS[unit])
    }
}

/// Reads what [`size`] writes, and what people write: `5GiB`, `5 GiB`, `5G`, `5242880`. Units are powers of 1024.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim();
    let unit = unit.strip_suffix("iB").filter(|unit| !unit.is_empty()).unwrap_or(unit);
    let power = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << (10 * power))
}

/// How much of a whole is used, in 20 cells; full is full, and something is never nothing.
pub(crate) fn bar(used: u64, whole: u64) -> String {
    const CELLS: u64 = 20;
    let filled = match used.saturating_mul(CELLS).checked_div(whole) {
        Some(0) if used > 0 => 1,
        Some(filled) => filled.min(CELLS),
        None => CELLS,
    };
    (0..CELLS).map(|cell| if cell < filled { '█' } else { '░' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let rows = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10 * 1024, "10 KiB"),
            (52_428_800, "50 MiB"),
            (u64::MAX, "16777215 TiB"),
        ];
        for (bytes, shown) in rows {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        let rows = [
            ("0", Some(0)),
            ("5242880", Some(5 << 20)),
            ("5GiB", Some(5 << 30)),
            ("5 GiB", Some(5 << 30)),
            ("5g", Some(5 << 30)),
            ("64KiB", Some(64 << 10)),
            ("1T", Some(1 << 40)),
            ("17B", Some(17)),
            ("", None),
            ("GiB", None),
            ("-1", None),
            ("1.5GiB", None),
            ("5 gigabytes", None),
            ("99999999999999999999", None),
            ("99999999999T", None),
        ];
        for (text, bytes) in rows {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }

    #[test]
    fn a_bar_shows_a_part_of_a_whole() {
        for (used, whole, filled) in [
            (0, 100, 0),
            (1, 1000, 1),
            (50, 100, 10),
            (99, 100, 19),
            (100, 100, 20),
            (500, 100, 20),
            (0, 0, 20),
        ] {
            let bar = bar(used, whole);
            assert_eq!(bar.chars().filter(|&cell| cell == '█').count(), filled, "{used} of {whole}");
            assert_eq!(bar.chars().count(), 20);
        }
    }

    #[test]
    fn a_shell_reads_back_the_word_that_was_meant() {
        for (word, shell) in
            [("a/b-c", "a/b-c"), ("", "''"), ("two words", "'two words'"), ("it's", "'it'\\''s'")]
        {
            assert_eq!(shell_word(word), shell);
        }
    }

    #[test]
    fn the_screen_names_everything_that_a_newcomer_needs() {
        let listeners = [
            ("smtp".to_owned(), "127.0.0.1:1025".parse().unwrap()),
            ("submissions".to_owned(), "127.0.0.1:1465".parse().unwrap()),
            ("lmtp".to_owned(), "unix:/somewhere/else/lmtp.sock".parse().unwrap()),
            ("imap".to_owned(), "127.0.0.1:1143".parse().unwrap()),
            ("pop3".to_owned(), "127.0.0.1:1110".parse().unwrap()),
            ("http".to_owned(), "127.0.0.1:8025".parse().unwrap()),
        ];
        let facts = Dev {
            listeners: &listeners,
            password: "secret-word",
            folder: Path::new("/somewhere/else"),
            authority: Some(Path::new("/somewhere/else/tls/ca.pem")),
            relay: None,
        };
        let text = dev(&facts);
        let relay = "localhost:2525".parse().unwrap();
        let relaying = dev(&Dev { relay: Some(&relay), ..facts });
        assert!(text.contains("nothing leaves this machine") && !relaying.contains("nothing leaves"));
        assert!(relaying.contains("mail for others goes to localhost:2525"), "{relaying}");
        assert!(relaying.contains("to any other address to localhost:2525"), "{relaying}");
        for part in [
            "SMTP         127.0.0.1:1025",
            "POP3         127.0.0.1:1110",
            "SUBMISSIONS  127.0.0.1:1465",
            "LMTP         unix:/somewhere/else/lmtp.sock",
            "http://127.0.0.1:8025/metrics",
            "dev@localhost",
            "secret-word",
            "into dev@localhost",
            "/somewhere/else",
            "TLS CA       /somewhere/else/tls/ca.pem",
            "nc 127.0.0.1 1025",
            "mailbox list --data /somewhere/else",
            "'imap://127.0.0.1:1143/INBOX;MAILINDEX=1'",
            "pop3://127.0.0.1:1110/1",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
