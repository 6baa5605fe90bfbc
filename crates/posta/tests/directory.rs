//! The directory on the command line: every command, what it prints, its JSON, and how it ends; with a server
//! and without one.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

mod common;

use common::{Dialogue, Posta, Server, code, data, json, path, run, stderr, stdout};
use rustix::process::Signal;
use serde_json::{Value, json as value};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn domains_on_a_stopped_folder() {
    let (_folder, data) = data();
    let posta = Posta(&data);
    let made = posta.text(&["domain", "add", "example.org"]);
    assert!(made.starts_with("domain example.org is made\n"), "{made}");
    assert_eq!(
        posta.json(&["domain", "add", "bücher.example"]),
        value!({"name": "xn--bcher-kva.example", "warnings": []})
    );
    posta.text(&["account", "add", "ada@example.org", "--password", "secret"]);
    posta.text(&[
        "domain",
        "set",
        "example.org",
        "--catch-all",
        "ada@example.org",
        "--subaddress-separator",
        "-",
    ]);
    let shown = value!({"domain": "example.org", "catch_all": "ada@example.org", "subaddress_separator": "-",
        "accounts": 1, "aliases": 0, "lists": 0, "dkim_active": 2, "dkim_next": 0});
    assert_eq!(posta.json(&["domain", "show", "example.org"]), shown);
    let list = posta.json(&["domain", "list"]);
    assert_eq!((&list[0], list.as_array().unwrap().len()), (&shown, 2));
    let table = posta.text(&["domain", "list"]);
    assert!(table.contains("to ada@example.org") && table.contains("user-tag"), "{table}");
    posta.text(&["domain", "set", "example.org", "--catch-all", "none", "--subaddress-separator", "none"]);
    let page = posta.text(&["domain", "show", "example.org"]);
    assert!(
        page.contains("unknown addresses  refused") && page.contains("subaddresses       none"),
        "{page}"
    );

    let (exit, text) = posta.fails(&["domain", "remove", "example.org"]);
    assert!(exit == 1 && text.contains("still has 1 account"), "{exit} {text}");
    posta.text(&["domain", "remove", "example.org", "--keep-addresses"]);
    let (exit, text) = posta.fails(&["domain", "show", "example.org"]);
    assert!(exit == 1 && text.contains("`posta domain add example.org`"), "{exit} {text}");
    assert_eq!(posta.fails(&["domain", "add", "bücher.example"]).0, 1);
    assert_eq!(posta.fails(&["domain", "set", "bücher.example"]).0, 64);
    assert_eq!(posta.fails(&["domain", "add", "no domain"]).0, 1);
    assert_eq!(posta.fails(&["domain", "set", "bücher.example", "--subaddress-separator", "++"]).0, 64);
}

/// What is shown of the mailboxes that an account begins with; what their UIDs are valid for is taken from what is shown.
fn new_mailboxes(shown: &Value) -> Vec<Value> {
    let expected = [
        ("INBOX", None),
        ("Archive", Some("archive")),
        ("Drafts", Some("drafts")),
        ("Junk", Some("junk")),
        ("Sent", Some("sent")),
        ("Trash", Some("trash")),
    ];
    let mailbox = |(at, (name, special_use)): (usize, &(&str, Option<&str>))| {
        value!({"name": name, "special_use": special_use, "uid_validity": shown["mailboxes"][at]["uid_validity"],
            "uid_next": 1, "messages": 0, "unseen": 0, "size_bytes": 0})
    };
    expected.iter().enumerate().map(mailbox).collect()
}

#[test]
fn an_account_with_its_rights_and_limits() {
    let (_folder, data) = data();
    let posta = Posta(&data);
    let made =
        posta.json(&["account", "add", "Ada@example.org", "--quota", "5GiB", "--send-as", "@example.net"]);
    assert_eq!(keys(&made), ["name", "password", "warnings"]);
    assert_eq!(made["name"], "ada@example.org");
    assert!(made["password"].as_str().unwrap().len() >= 16);
    let set = ["account", "set", "ada@example.org", "--messages-per-hour", "50", "--message-size", "10MiB"];
    assert_eq!(posta.text(&set), "account ada@example.org is changed\n");
    posta.text(&[
        "account",
        "set",
        "ada@example.org",
        "--recipients",
        "7",
        "--send-as",
        "*",
        "--disable",
        "left",
        "--language",
        "es-mx",
    ]);
    posta.text(&["alias", "add", "info@example.org", "ada@example.org"]);
    let shown = posta.json(&["account", "show", "ada@example.org"]);
    let mailboxes = new_mailboxes(&shown);
    assert_eq!(
        shown,
        value!({"name": "ada@example.org", "disabled": "left", "has_password": true, "cram_md5": false,
            "messages": 0, "size_bytes": 0, "quota_bytes": 5_u64 << 30, "messages_per_hour_max": 50,
            "message_bytes_max": 10 << 20, "recipients_max": 7, "language": "es-MX", "send_as": ["@example.net", "*"],
            "mailboxes": mailboxes, "app_passwords": [], "reached_by": ["info@example.org"], "catch_all_of": []})
    );
    let page = posta.text(&["account", "show", "ada@example.org"]);
    for part in [
        "disabled: left",
        "░░░░  0 % of 5.0 GiB",
        "@example.net, anybody",
        "50 messages an hour",
        "info@",
        "es-MX",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let list = posta.text(&["account", "list"]);
    assert!(list.contains("LANGUAGE") && list.contains("es-MX"), "{list}");
    let (exit, error) = posta.fails(&["account", "set", "ada@example.org", "--language", "tlh"]);
    assert!(exit != 0 && error.contains("en (English), es (español), de (Deutsch)"), "{exit} {error}");
    let clear = [
        "--language",
        "default",
        "--quota",
        "none",
        "--messages-per-hour",
        "default",
        "--enable",
        "--no-send-as",
        "*",
    ];
    posta.text(&[&["account", "set", "ada@example.org"][..], &clear].concat());
    let list = posta.json(&["account", "list"]);
    assert_eq!(
        list,
        value!([{"name": "ada@example.org", "has_password": true, "messages": 0, "size_bytes": 0,
            "quota_bytes": null, "disabled": null, "app_passwords": 0, "language": null}])
    );
    assert_eq!(posta.fails(&["account", "set", "ada@example.org"]).0, 64);
    assert_eq!(posta.fails(&["account", "set", "ada@example.org", "--quota", "much"]).0, 64);
    assert_eq!(posta.fails(&["account", "set", "bob@example.org", "--enable"]).0, 1);
    let removed = posta.json(&["account", "remove", "ada@example.org"]);
    assert_eq!(removed["warnings"], value!(["info@example.org still leads to ada@example.org"]));
    assert_eq!(
        posta.text(&["account", "list"]),
        "there is no account yet; `posta account add NAME` makes one\n"
    );
}

#[test]
fn passwords_of_an_account_and_of_its_programs() {
    let (_folder, data) = data();
    let posta = Posta(&data);
    posta.text(&["account", "add", "ada@example.org", "--password", "first"]);
    let made = posta.json(&["password", "ada@example.org"]);
    assert!(made["password"].as_str().unwrap().len() >= 16, "{made}");
    let given =
        posta.with_input(&["password", "ada@example.org", "--password-stdin", "--json"], "open sesame\n");
    assert_eq!(json(&given), value!({"name": "ada@example.org", "password": null, "warnings": []}));
    let cram = || posta.json(&["account", "show", "ada@example.org"])["cram_md5"].clone();
    assert_eq!(cram(), false);
    let allowed = posta.run(&["password", "ada@example.org", "--password", "x", "--allow-cram-md5"]);
    assert!(stderr(&allowed).contains("itself is kept"), "{}", stderr(&allowed));
    assert_eq!(cram(), true);
    let forbidden = posta.text(&["password", "ada@example.org", "--forbid-cram-md5"]);
    assert!(forbidden.contains("its password is as it was"), "{forbidden}");
    assert_eq!(cram(), false);

    let app = posta.json(&["password", "app", "add", "ada@example.org", "phone"]);
    assert_eq!(keys(&app), ["label", "name", "password"]);
    let printed = posta.text(&["password", "app", "add", "ada@example.org", "old printer"]);
    assert!(printed.starts_with("ada@example.org logs in from old printer with the password "), "{printed}");
    let list = posta.json(&["password", "app", "list", "ada@example.org"]);
    assert_eq!(keys(&list[0]), ["created_at", "label", "last_used_at"]);
    assert_eq!((&list[0]["label"], &list[0]["last_used_at"]), (&value!("phone"), &Value::Null));
    assert!(!list.to_string().contains(app["password"].as_str().unwrap()));
    assert_eq!(posta.fails(&["password", "app", "add", "ada@example.org", "phone"]).0, 1);
    posta.text(&["password", "app", "revoke", "ada@example.org", "phone"]);
    let (exit, text) = posta.fails(&["password", "app", "revoke", "ada@example.org", "phone"]);
    assert!(exit == 1 && text.contains("`posta password app list ada@example.org`"), "{exit} {text}");
    assert_eq!(posta.json(&["password", "app", "list", "ada@example.org"]).as_array().unwrap().len(), 1);

    for wrong in
        [&["password"][..], &["password", "ada@example.org", "--allow-cram-md5", "--forbid-cram-md5"]]
    {
        assert_eq!(posta.fails(wrong).0, 64, "{wrong:?}");
    }
    assert_eq!(posta.fails(&["password", "bob@example.org"]).0, 1);
    assert_eq!(posta.fails(&["password", "ada@example.org", "--password", ""]).0, 1);
}

#[test]
fn aliases_and_users_who_have_moved() {
    let (_folder, data) = data();
    let posta = Posta(&data);
    assert_eq!(
        posta.text(&["alias", "add", "Info@example.org", "a@example.net", "b@example.net"]),
        "alias info@example.org is made\n"
    );
    posta.text(&["alias", "add", "old@example.org", "--moved-to", "ada@example.net"]);
    posta.text(&["alias", "add", "older@example.org", "--moved-to", "ada@example.net", "--refuse"]);
    let alias = value!({"address": "info@example.org", "kind": "alias", "targets": ["a@example.net", "b@example.net"]});
    let old = value!({"address": "old@example.org", "kind": "moved", "to": "ada@example.net", "handling": "forward"});
    let older = value!({"address": "older@example.org", "kind": "moved", "to": "ada@example.net", "handling": "refuse"});
    assert_eq!(posta.json(&["alias", "list"]), value!([alias, old, older]));
    assert_eq!(posta.json(&["alias", "show", "INFO@example.org"]), alias);
    let table = posta.text(&["alias", "list"]);
    assert!(table.contains("a@example.net, b@example.net") && table.contains("(551)"), "{table}");
    assert!(posta.text(&["alias", "show", "old@example.org"]).contains("mail goes on (251)"));
    posta.text(&["alias", "set", "old@example.org", "c@example.net"]);
    assert_eq!(posta.json(&["alias", "show", "old@example.org"])["targets"], value!(["c@example.net"]));

    let (exit, text) = posta.fails(&["alias", "set", "info@example.org", "info@example.org"]);
    assert!(exit == 1 && text.contains("would run in a circle"), "{exit} {text}");
    let (exit, text) = posta.fails(&["alias", "add", "info@example.org", "x@example.net"]);
    assert!(exit == 1 && text.contains("`posta alias set info@example.org`"), "{exit} {text}");
    assert_eq!(posta.fails(&["alias", "add", "info@example.org", "no address"]).0, 1);
    let senseless: [&[&str]; 3] = [
        &["alias", "add", "x@example.org"],
        &["alias", "add", "x@example.org", "y@example.org", "--refuse"],
        &["alias", "add", "x@example.org", "y@example.org", "--moved-to", "z@example.org"],
    ];
    for arguments in senseless {
        assert_eq!(posta.fails(arguments).0, 64, "{arguments:?}");
    }
    posta.text(&["alias", "remove", "info@example.org"]);
    assert_eq!(posta.fails(&["alias", "show", "info@example.org"]).0, 1);
}

#[test]
fn a_list_and_thousands_in_it() {
    let (_folder, data) = data();
    let posta = Posta(&data);
    let team = "team@example.org";
    let add = [
        "list",
        "add",
        team,
        "--owner",
        "ada@example.org",
        "--member",
        "bob@example.net",
        "--description",
        "The team",
    ];
    assert_eq!(posta.text(&add), "list team@example.org is made\n");
    let shown = posta.json(&["list", "show", team]);
    assert_eq!(
        shown,
        value!({"address": team, "kind": "list", "owner": "ada@example.org", "member_count": 1, "posters": "members",
            "bounces": "verp", "description": "The team", "expandable": "never", "from": "if_needed", "members": ["bob@example.net"]})
    );
    let set = [
        "list",
        "set",
        team,
        "--posters",
        "a@example.org,b@example.org",
        "--bounces",
        "owner",
        "--expandable",
        "members",
        "--from",
        "always",
    ];
    posta.text(&set);
    let list = posta.json(&["list", "list"]);
    assert_eq!(
        list,
        value!([{"address": team, "kind": "list", "owner": "ada@example.org", "member_count": 1,
            "posters": {"listed": ["a@example.org", "b@example.org"]}, "bounces": "owner", "description": "The team",
            "expandable": "to_members", "from": "always"}])
    );
    assert!(posta.text(&["list", "list"]).contains("a@example.org, b@example.org"));
    assert!(posta.text(&["list", "show", team]).contains("member       bob@example.net"));

    let many: String = (0..3000).map(|number| format!("m{number}@example.net\n")).collect();
    let joined = posta.with_input(&["list", "member", "add", team, "-", "bob@example.net"], &many);
    assert_eq!(stdout(&joined), "3000 joined; team@example.org has 3001 members now\n");
    assert!(stderr(&joined).contains("bob@example.net is in it already"), "{}", stderr(&joined));
    assert_eq!(posta.text(&["list", "member", "list", team]), format!("bob@example.net\n{many}"));
    assert_eq!(posta.json(&["list", "member", "list", team]).as_array().unwrap().len(), 3001);
    let left = posta.json(&["list", "member", "remove", team, "m0@example.net"]);
    assert_eq!(
        left,
        value!({"name": team, "changed": 1, "unchanged": 0, "unchanged_first": [], "member_count": 3000, "warnings": []})
    );
    let slip = posta.run(&["list", "member", "remove", team, "m0@example.net", "m1@example.net"]);
    assert_eq!(code(&slip), 1);
    assert!(stderr(&slip).contains("m0@example.net is not in it"), "{}", stderr(&slip));
    assert!(posta.with_input(&["list", "set", team, "--member", "-"], "only@example.net\n").status.success());
    assert_eq!(posta.json(&["list", "member", "list", team]), value!(["only@example.net"]));

    assert_eq!(posta.fails(&["list", "member", "add", team, "no address"]).0, 1);
    assert_eq!(posta.fails(&["list", "set", team]).0, 64);
    assert_eq!(posta.fails(&["list", "set", team, "--posters", "friends"]).0, 64);
    let (exit, text) = posta.fails(&["list", "add", "other@example.org"]);
    assert!(exit == 1 && text.contains("--owner ADDRESS"), "{exit} {text}");
    assert_eq!(posta.fails(&["alias", "remove", team]).0, 1);
    posta.text(&["list", "remove", team]);
    assert_eq!(posta.json(&["list", "list"]), value!([]));
}

#[test]
fn a_running_server_takes_every_change_at_once_and_a_stopped_folder_says_the_same() {
    let (_folder, data) = data();
    let posta = Posta(&data);
    let server = Server::dev(&data);
    posta.text(&["domain", "add", "example.org"]);
    posta.text(&["account", "add", "ada@example.org", "--password", "open sesame"]);
    posta.text(&["alias", "add", "info@example.org", "ada@example.org"]);
    posta.text(&[
        "list",
        "add",
        "team@example.org",
        "--owner",
        "ada@example.org",
        "--member",
        "info@example.org",
    ]);
    posta.text(&["password", "app", "add", "ada@example.org", "phone"]);
    let mut pop3 = Dialogue::open(&server.address("pop3"));
    assert!(pop3.reply().starts_with("+OK"));
    pop3.say("USER ada@example.org", "+OK");
    pop3.say("PASS open sesame", "+OK");
    pop3.say("QUIT", "+OK");
    let look = || {
        [
            posta.json(&["domain", "list"]),
            posta.json(&["account", "list"]),
            posta.json(&["account", "show", "ada@example.org"]),
            posta.json(&["alias", "list"]),
            posta.json(&["list", "show", "team@example.org"]),
            posta.json(&["password", "app", "list", "ada@example.org"]),
        ]
    };
    let running = look();
    assert!(server.stop(Signal::TERM).0.success());
    assert_eq!(look(), running);
}

#[test]
fn mail_keeps_an_account_from_being_removed_unless_it_is_said() {
    let (_folder, data) = data();
    let posta = Posta(&data);
    let server = Server::dev(&data);
    server.deliver(b"Subject: one\r\n\r\n1\r\n");
    let (exit, text) = posta.fails(&["account", "remove", "dev@localhost"]);
    assert!(exit == 1 && text.contains("--with-mail"), "{exit} {text}");
    assert!(posta.text(&["account", "show", "dev@localhost"]).contains("in 1 message, no quota"));
    posta.text(&["account", "remove", "dev@localhost", "--with-mail"]);
    assert_eq!(posta.json(&["account", "list"]), value!([]));
}

#[test]
fn a_domain_that_takes_no_mail_is_a_warning_beside_a_production_server() {
    let (folder, data) = data();
    let posta = Posta(&data);
    let file = folder.path().join("posta.toml");
    let listener = "[[listener]]\nservice = 'smtp'\naddress = '127.0.0.1:0'\n";
    std::fs::write(&file, format!("data = '{}'\ndomains = ['example.org']\n{listener}", data.display()))
        .unwrap();
    let _server = Server::start(&["serve", "--config", path(&file)]);
    assert_eq!(posta.json(&["account", "add", "ada@example.org"])["warnings"], value!([]));
    let warned = posta.run(&["account", "add", "ada@example.com", "--password", "secret"]);
    assert_eq!(stdout(&warned), "account ada@example.com is made\n");
    let text = stderr(&warned);
    assert!(
        text.starts_with("warning: ") && text.contains("`posta domain add example.com` makes it"),
        "{text}"
    );
    let warned = posta.json(&["alias", "add", "info@example.org", "nobody@example.org"]);
    assert!(
        warned["warnings"][0].as_str().unwrap().contains("nobody@example.org does not exist"),
        "{warned}"
    );
}

#[test]
fn the_next_command_of_a_session_knows_of_every_change() {
    let (folder, data) = data();
    let posta = Posta(&data);
    let file = folder.path().join("posta.toml");
    let listener = "[[listener]]\nservice = 'smtp'\naddress = '127.0.0.1:0'\n";
    std::fs::write(&file, format!("data = '{}'\n{listener}", data.display())).unwrap();
    let server = Server::start(&["serve", "--config", path(&file)]);
    let mut smtp = Dialogue::smtp(&server.address("smtp"));
    smtp.say("MAIL FROM:<bob@example.net>", "250");
    smtp.say("RCPT TO:<ada@example.org>", "550 5.7.1");
    posta.text(&["domain", "add", "example.org"]);
    smtp.say("RCPT TO:<ada@example.org>", "550 5.1.1");
    posta.text(&["account", "add", "ada@example.org", "--password", "secret"]);
    smtp.say("RCPT TO:<ada@example.org>", "250");
    smtp.say("RCPT TO:<ada+tag@example.org>", "250");
    posta.text(&["domain", "set", "example.org", "--subaddress-separator", "none"]);
    smtp.say("RCPT TO:<ada+tag@example.org>", "550 5.1.1");
    posta.text(&["alias", "add", "info@example.org", "ada@example.org"]);
    smtp.say("RCPT TO:<info@example.org>", "250");
    posta.text(&["alias", "set", "info@example.org", "--moved-to", "new@example.net", "--refuse"]);
    smtp.say("RCPT TO:<info@example.org>", "551 5.1.6");
    posta.text(&["alias", "remove", "info@example.org"]);
    smtp.say("RCPT TO:<info@example.org>", "550 5.1.1");
    posta.text(&["domain", "set", "example.org", "--catch-all", "ada@example.org"]);
    smtp.say("RCPT TO:<info@example.org>", "250");
    posta.text(&[
        "list",
        "add",
        "team@example.org",
        "--owner",
        "ada@example.org",
        "--member",
        "ada@example.org",
    ]);
    smtp.say("RCPT TO:<team@example.org>", "550 5.7.2");
    posta.text(&["list", "set", "team@example.org", "--posters", "anyone"]);
    smtp.say("RCPT TO:<team@example.org>", "250");
    posta.text(&["account", "set", "ada@example.org", "--disable", "left"]);
    smtp.say("RCPT TO:<ada@example.org>", "550 5.2.1");
}

#[test]
fn nothing_from_the_directory_steers_the_terminal() {
    let (_folder, data) = data();
    let posta = Posta(&data);
    let right_to_left = "\u{202e}gro.elpmaxe";
    posta.text(&["account", "add", "ada@example.org", "--password", "x", "--disable", right_to_left]);
    posta.text(&[
        "list",
        "add",
        "l@example.org",
        "--owner",
        "ada@example.org",
        "--description",
        right_to_left,
    ]);
    for arguments in [
        &["account", "list"][..],
        &["account", "show", "ada@example.org"],
        &["list", "list"],
        &["list", "show", "l@example.org"],
    ] {
        for output in [posta.text(arguments), stdout(&posta.run(&[arguments, &["--json"]].concat()))] {
            assert!(output.contains("gro.elpmaxe") && !output.contains('\u{202e}'), "{output}");
        }
    }
}

#[test]
fn help_of_every_command_shows_examples() {
    for command in [
        &["domain"][..],
        &["account"],
        &["password"],
        &["password", "app"],
        &["alias"],
        &["list"],
        &["list", "member"],
    ] {
        let help = stdout(&run(&[command, &["--help"]].concat()));
        assert!(help.contains("Examples:\n  posta "), "{help}");
    }
}
