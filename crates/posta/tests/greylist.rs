//! `posta greylist` and what `posta status` says of lists in the DNS, asked of a server that runs.

#![allow(clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

mod common;

use common::{Dialogue, Server, json, path, posta, run, stderr};
use rustix::process::Signal;

#[test]
fn who_waits_is_listed_until_it_is_forgotten_and_lists_that_do_not_answer_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("posta.toml");
    // Nothing answers on that port of UDP.
    let config = format!(
        "host_name = 'mail.example.org'\ndata = '{}'\ndomains = ['example.org']\n\
         [[listener]]\nservice = 'smtp'\naddress = '127.0.0.1:0'\nproxy_from = ['127.0.0.1']\n\
         [dns]\nservers = ['127.0.0.1:9']\n[authenticity]\nverify = 'off'\n[greylisting]\nmode = 'all'\n\
         [[dnsbl]]\nzone = 'bl.example.org'\n[reputation]\ntimeout_s = 1\n[log]\nlevel = 'error'\n",
        data.display()
    );
    std::fs::write(&file, config).unwrap();
    let nobody = run(&["greylist", "list", "--data", path(&data)]);
    assert_eq!(nobody.status.code(), Some(69), "{}", stderr(&nobody));
    let server = Server::spawn(&mut posta(&["serve", "--json", "--config", path(&file)]));
    let greylist = |arguments: &[&str]| run(&[&["greylist"], arguments, &["--data", path(&data)]].concat());
    assert_eq!(greylist(&["list"]).stdout, b"nobody is remembered\n");
    let added =
        run(&["account", "add", "ada@example.org", "--password", "open sesame", "--data", path(&data)]);
    assert!(added.status.success(), "{}", stderr(&added));
    let mut smtp = Dialogue::open(&server.address("smtp"));
    smtp.say("PROXY TCP4 192.0.2.1 198.51.100.7 56324 25", "220");
    smtp.say("HELO client.example", "250");
    smtp.say("MAIL FROM:<bob@sender.example>", "250");
    smtp.say("RCPT TO:<ada@example.org>", "250");
    smtp.say("DATA", "354");
    smtp.say("From: bob@sender.example\r\n\r\ntext\r\n.", "451 4.7.1 Greylisted");
    let listed = json(&greylist(&["list", "--with", "ADA@", "--json"]));
    assert_eq!(listed["total"], 1, "{listed}");
    assert_eq!(listed["entries"][0]["client"], "192.0.2.0/24");
    assert_eq!(listed["entries"][0]["passed"], 0);
    let shown = String::from_utf8(greylist(&["list"]).stdout).unwrap();
    assert!(shown.contains("bob@sender.example") && shown.contains("waits"), "{shown}");
    assert_eq!(greylist(&["forget", "bob@sender.example"]).stdout, b"forgotten: 1 of bob@sender.example\n");
    assert_eq!(greylist(&["forget", "bob@sender.example"]).status.code(), Some(1));
    let lists = json(&run(&["status", "--json", "--data", path(&data)]))["lists"].clone();
    assert_eq!(lists[0]["zone"], "bl.example.org");
    assert_ne!(lists[0]["works"], true, "{lists}");
    assert!(server.stop(Signal::TERM).0.success());
}
