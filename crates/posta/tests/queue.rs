//! `posta queue` on a server whose mail goes to a host that takes some of it, and on the folder that it leaves.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use common::{Dialogue, Server, code, data, json, path, run, stderr, stdout};
use rustix::process::Signal;
use serde_json::Value;

/// A host that takes mail for all but `later@…`, whom it puts off, and tells whom it took mail for. For `slow@…` it says
/// so only when it is let, for `stuck@…` never.
struct Host {
    address: String,
    taken: Receiver<String>,
    gate: Arc<Barrier>,
}

impl Host {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, taken) = channel();
        let gate = Arc::new(Barrier::new(2));
        let inner = Arc::clone(&gate);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sender, gate) = (sender.clone(), Arc::clone(&inner));
                std::thread::spawn(move || converse(stream, &sender, &gate));
            }
        });
        Self { address, taken, gate }
    }

    fn next(&self) -> String {
        self.taken.recv_timeout(PATIENCE).expect("the host is sent a message")
    }
}

fn converse(stream: TcpStream, taken: &Sender<String>, gate: &Barrier) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    let mut say = |line: &str| writer.write_all(format!("{line}\r\n").as_bytes()).ok();
    say("220 host.test ESMTP")?;
    let mut recipient = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let verb = line.get(..4).unwrap_or_default().to_uppercase();
        match verb.as_str() {
            "EHLO" => say("250-host.test\r\n250 DSN")?,
            "RCPT" if line.contains("<later@") => say("451 4.2.2 Mailbox is busy \u{1b}[2J")?,
            "RCPT" => {
                recipient = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                say("250 2.1.5 ok")?;
            }
            "DATA" => {
                say("354 go on")?;
                while reader.read_line(&mut line).ok()? > 0 && !line.ends_with("\r\n.\r\n") {}
                taken.send(recipient.clone()).ok()?;
                if recipient.starts_with("slow@") {
                    gate.wait();
                }
                if recipient.starts_with("stuck@") {
                    while reader.read_line(&mut line).ok()? > 0 {}
                    return None;
                }
                say("250 2.0.0 taken")?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
}

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

struct House {
    _folder: tempfile::TempDir,
    data: PathBuf,
    host: Host,
    server: Option<Server>,
}

impl House {
    fn start() -> Self {
        let (folder, data) = data();
        let host = Host::start();
        let arguments =
            ["dev", "--port-offset", "auto", "--data", path(&data), "--relay", host.address.as_str()];
        let server = Server::start(&arguments);
        Self { _folder: folder, data, host, server: Some(server) }
    }

    fn start_again(&mut self) {
        let arguments = [
            "dev",
            "--port-offset",
            "auto",
            "--data",
            path(&self.data),
            "--relay",
            self.host.address.as_str(),
        ];
        self.server = Some(Server::start(&arguments));
    }

    fn stop(&mut self) {
        let (status, _) = self.server.take().unwrap().stop(Signal::TERM);
        assert_eq!(status.code(), Some(0));
    }

    /// Sends a message from the first account.
    fn send(&self, to: &[&str]) {
        let mut smtp = Dialogue::smtp(&self.server.as_ref().unwrap().address("smtp"));
        smtp.say("MAIL FROM:<dev@localhost>", "250");
        for to in to {
            smtp.say(&format!("RCPT TO:<{to}>"), "250");
        }
        smtp.say("DATA", "354");
        smtp.say("From: dev@localhost\r\nSubject: a gr\u{fc}\u{df}ing\r\n\r\nhello\r\n.", "250");
        smtp.say("QUIT", "221");
    }

    fn queue(&self, arguments: &[&str]) -> Output {
        queue(&self.data, arguments)
    }

    fn items(&self, arguments: &[&str]) -> Vec<Value> {
        let list = json(&self.queue(&[&["list", "--json"], arguments].concat()));
        list["items"].as_array().unwrap().clone()
    }

    /// The items, once each of them was tried.
    fn tried(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let items = self.items(&[]);
            if items.len() == count && items.iter().all(|item| item["attempts"].as_u64() > Some(0)) {
                return items;
            }
            assert!(Instant::now() < deadline, "{items:#?}");
        }
    }

    /// The subjects of mail of the first account, once there is some.
    fn reports(&self, count: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let list = json(&run(&["mailbox", "list", "--json", "--data", path(&self.data)]));
            let list = list.as_array().unwrap();
            if list.len() >= count {
                return list.iter().map(|mail| mail["subject"].as_str().unwrap().to_owned()).collect();
            }
            assert!(Instant::now() < deadline, "{list:#?}");
        }
    }
}

fn queue(data: &Path, arguments: &[&str]) -> Output {
    run(&[&["queue"], arguments, &["--data", path(data)]].concat())
}

fn id(item: &Value) -> &str {
    item["id"].as_str().unwrap()
}

#[test]
fn what_waits_is_listed_shown_and_counted_while_the_server_runs_and_after() {
    let mut house = House::start();
    assert_eq!(stdout(&house.queue(&["list"])), "nothing waits\n");
    house.send(&["later@one.test", "later@two.test", "now@one.test"]);
    assert_eq!(house.host.next(), "now@one.test");
    let items = house.tried(2);
    let two = items.iter().find(|item| item["destination"] == "two.test").unwrap();
    assert_eq!(two["recipients"][0]["address"], "later@two.test");
    let looks = |house: &House, when: &str| {
        let list = stdout(&house.queue(&["list"]));
        for part in ["ID", "NEXT", "later@one.test", "later@two.test", "Mailbox is busy", id(two)] {
            assert!(list.contains(part), "{when}: {part}\n{list}");
        }
        assert!(!list.contains("now@one.test") && !list.contains('\u{1b}'), "{when}: {list}");
        let found = house.items(&["--reply", "BUSY", "--to", "@two.test", "--older-than", "0s"]);
        assert_eq!(found.iter().map(id).collect::<Vec<_>>(), [id(two)], "{when}");
        let shown = stdout(&house.queue(&["show", id(two)]));
        for part in ["a gr\u{fc}\u{df}ing", "<dev@localhost>", "two.test", "451 4.2.2", "posta trace"] {
            assert!(shown.contains(part), "{when}: {part}\n{shown}");
        }
        let raw = stdout(&house.queue(&["show", "--raw", id(two)]));
        assert!(raw.ends_with("\r\n\r\nhello\r\n"), "{when}: {raw}");
        let stats = json(&house.queue(&["stats", "--json"]));
        let figures = ["waiting", "held", "destinations"].map(|name| stats[name].as_u64().unwrap());
        assert_eq!(figures, [2, 0, 2], "{when}");
        assert!(stdout(&house.queue(&["stats"])).starts_with("2 waiting, 0 held, for 2 destinations\n"));
    };
    looks(&house, "running");
    let sites = json(&house.queue(&["sites", "--json"]));
    let site = &sites.as_array().unwrap()[0];
    assert_eq!(site["relayed"], 1, "{site}");
    assert!(site["last_replies"][0].as_str().unwrap().contains("Mailbox is busy"), "{site}");
    assert!(stdout(&house.queue(&["sites"])).contains("CONNECTIONS"));
    house.stop();
    looks(&house, "stopped");
}

#[test]
fn many_items_are_asked_about_and_one_by_its_id_is_not() {
    let house = House::start();
    house.send(&["later@one.test", "later@two.test"]);
    let items = house.tried(2);
    let refused = house.queue(&["hold", "--from", "dev@localhost"]);
    assert_eq!(code(&refused), 64, "{}", stderr(&refused));
    assert!(stderr(&refused).contains("2 items would be held"), "{}", stderr(&refused));
    let shown = stdout(&house.queue(&["hold", "--from", "dev@localhost", "--dry-run"]));
    assert!(shown.contains("later@one.test") && shown.contains("later@two.test"), "{shown}");
    assert!(house.items(&["--held"]).is_empty());
    let held = stdout(&house.queue(&["hold", "--from", "dev@localhost", "--yes", "--reason", "looked at"]));
    assert_eq!(held, "2 items held\n");
    assert!(stdout(&house.queue(&["list"])).contains("looked at"));
    assert_eq!(house.items(&["--held"]).len(), 2);
    let one = id(&items[0]);
    assert_eq!(stdout(&house.queue(&["release", one])), "1 item released\n");
    assert_eq!(house.items(&["--held"]).len(), 1);
    let again = house.queue(&["release", one]);
    assert_eq!(code(&again), 1);
    assert!(stderr(&again).contains("it is not held"), "{}", stderr(&again));
    let (mail_id, _) = one.split_once('.').unwrap();
    let trace = stdout(&run(&["trace", mail_id, "--data", path(&house.data)]));
    assert!(trace.contains("holds it: looked at") && trace.contains("releases it"), "{trace}");
}

#[test]
fn what_is_redirected_goes_out_and_what_is_removed_does_not() {
    let house = House::start();
    house.send(&["later@one.test", "later@two.test"]);
    house.tried(2);
    let redirect = ["redirect", "--domain", "one.test", "--new-address", "now@three.test", "--yes"];
    assert_eq!(stdout(&house.queue(&redirect)), "1 item redirected\n");
    assert_eq!(house.host.next(), "now@three.test");
    let deadline = Instant::now() + PATIENCE;
    while house.items(&[]).len() > 1 {
        assert!(Instant::now() < deadline);
    }
    let stats = stdout(&house.queue(&["stats"]));
    assert!(stats.starts_with("1 waiting, 0 held, for 1 destination\n"), "{stats}");
    let removed = json(&house.queue(&["remove", "--all", "--yes", "--json"]));
    assert_eq!(removed, serde_json::json!({ "matched": 1, "done": 1, "left": [] }));
    assert!(house.items(&[]).is_empty());
    assert_eq!(stdout(&house.queue(&["stats"])), "nothing waits\n");
    let nothing = house.queue(&["remove", "--all", "--yes"]);
    assert_eq!(code(&nothing), 1);
    assert!(stderr(&nothing).contains("nothing in the queue matches"), "{}", stderr(&nothing));
}

#[test]
fn who_sent_what_is_given_up_is_told() {
    let house = House::start();
    house.send(&["later@one.test"]);
    let item = house.tried(1).remove(0);
    assert_eq!(stdout(&house.queue(&["expire", id(&item)])), "1 item given up\n");
    let subjects = house.reports(1);
    assert_eq!(subjects.len(), 1, "{subjects:?}");
    house.send(&["later@two.test"]);
    let item = house.tried(1).remove(0);
    assert_eq!(stdout(&house.queue(&["remove", "--bounce", id(&item)])), "1 item removed\n");
    assert_eq!(house.reports(2).len(), 2);
    let (mail_id, _) = id(&item).split_once('.').unwrap();
    let trace = stdout(&run(&["trace", mail_id, "--data", path(&house.data)]));
    assert!(trace.contains("removes it; its sender is told"), "{trace}");
    assert!(house.items(&[]).is_empty());
}

#[test]
fn a_retry_is_an_attempt_more() {
    let house = House::start();
    house.send(&["later@one.test"]);
    house.tried(1);
    for (number, arguments) in [
        &["retry", "--all"][..],
        &["retry", "--domain", "one.test"],
        &["retry", "--to", "@one.test", "--yes"],
    ]
    .iter()
    .enumerate()
    {
        assert!(stdout(&house.queue(arguments)).contains("tried now"));
        let deadline = Instant::now() + PATIENCE;
        while house.items(&[])[0]["attempts"].as_u64() < Some(number as u64 + 2) {
            assert!(Instant::now() < deadline, "{arguments:?}");
        }
    }
}

/// Else an operator would be told that a message is removed which the other host has.
#[test]
fn what_is_being_sent_is_not_said_to_be_removed() {
    let house = House::start();
    house.send(&["slow@one.test"]);
    assert_eq!(house.host.next(), "slow@one.test");
    let item = house.items(&[]).remove(0);
    for arguments in [&["remove", "--all", "--yes"][..], &["hold", id(&item)]] {
        let output = house.queue(arguments);
        assert_eq!(code(&output), 1, "{arguments:?}");
        assert!(stderr(&output).contains("being sent just now"), "{}", stderr(&output));
    }
    house.host.gate.wait();
    let deadline = Instant::now() + PATIENCE;
    while !house.items(&[]).is_empty() {
        assert!(Instant::now() < deadline);
    }
    let (mail_id, _) = id(&item).split_once('.').unwrap();
    let trace = json(&run(&["trace", mail_id, "--json", "--data", path(&house.data)]));
    let steps: Vec<_> = trace["events"].as_array().unwrap().iter().map(|event| &event["step"]).collect();
    assert!(steps.iter().any(|step| *step == "relayed"), "{trace:#}");
    assert!(!steps.iter().any(|step| *step == "discarded" || *step == "held"), "{trace:#}");
}

#[test]
fn a_message_on_whose_way_the_server_ends_again_and_again_is_set_aside_and_the_rest_goes_out() {
    // attacks.md 23: an abort or the end of memory is a panic that nobody catches.
    let mut house = House::start();
    house.send(&["stuck@one.test"]);
    // The first end is not expected; then as many as `own_failures_max` are counted.
    for _ in 0..6 {
        assert_eq!(house.host.next(), "stuck@one.test");
        house.server.take().unwrap().process.kill().unwrap();
        house.start_again();
    }
    let deadline = Instant::now() + PATIENCE;
    while house.items(&["--held"]).is_empty() {
        assert!(Instant::now() < deadline, "{:#?}", house.items(&[]));
    }
    let held = house.items(&["--held"]).remove(0);
    assert_eq!(held["reason"], "set aside: the server ended 5 times while this was on its way");
    let trace = stdout(&run(&["trace", held["mail_id"].as_str().unwrap(), "--data", path(&house.data)]));
    assert!(trace.contains("the server ended 5 times"), "{trace}");
    house.send(&["now@two.test"]);
    assert_eq!(house.host.next(), "now@two.test");
    // Who looked at it has the last word.
    assert_eq!(stdout(&house.queue(&["release", id(&held)])), "1 item released\n");
    assert_eq!(house.host.next(), "stuck@one.test");
}

#[test]
fn a_question_that_makes_no_sense_has_its_exit_code() {
    let house = House::start();
    for (arguments, expected) in [
        (&["hold"][..], 64),
        (&["remove", "--bounce"], 64),
        (&["list", "--older-than", "soon"], 64),
        (&["list", "--held", "--waiting"], 64),
        (&["redirect", "--all"], 64),
        (&["list", "--from", "nobody"], 1),
        (&["list", "--domain", "a..b"], 1),
        (&["show", "nonsense"], 1),
        (&["show", "00000000000000000007.1"], 1),
        (&["retry", "00000000000000000007.1"], 1),
        (&["remove", "--from", "nobody@one.test", "--yes"], 1),
    ] {
        let output = house.queue(arguments);
        assert_eq!(code(&output), expected, "{arguments:?}: {}", stderr(&output));
    }
    let json = house.queue(&["remove", "--from", "nobody@one.test", "--yes", "--json"]);
    assert_eq!((code(&json), &json.stdout[..]), (1, &b"{\"done\":0,\"left\":[],\"matched\":0}\n"[..]));
}

#[test]
fn the_folder_of_a_server_that_is_stopped_is_asked_and_changed_the_same_way() {
    let mut house = House::start();
    house.send(&["later@one.test", "later@two.test"]);
    let items = house.tried(2);
    house.stop();
    let House { data, host, .. } = &house;
    let list = stdout(&queue(data, &["list"]));
    assert!(items.iter().all(|item| list.contains(id(item))), "{list}");
    assert_eq!(stdout(&queue(data, &["hold", "--domain", "one.test", "--yes"])), "1 item held\n");
    let sites = queue(data, &["sites"]);
    assert_eq!(code(&sites), 69, "{}", stderr(&sites));
    let expired = queue(data, &["expire", id(&items[0])]);
    assert_eq!(code(&expired), 69, "{}", stderr(&expired));
    let redirect = ["redirect", "--domain", "two.test", "--new-address", "now@three.test", "--yes"];
    assert_eq!(stdout(&queue(data, &redirect)), "1 item redirected\n");
    // The next start sends what may be sent.
    let arguments = ["dev", "--port-offset", "auto", "--data", path(data), "--relay", host.address.as_str()];
    let server = Server::start(&arguments);
    assert_eq!(host.next(), "now@three.test");
    let held = json(&queue(data, &["list", "--held", "--json"]));
    assert_eq!(held["items"][0]["destination"], "one.test");
    drop(server);
}
