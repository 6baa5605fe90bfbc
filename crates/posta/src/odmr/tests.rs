//! `posta odmr fetch` between a provider and a server that follow scripts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: FetchArgs,
}

/// What is heard before a text is said: the beginning of a line, or a number of octets.
enum Turn {
    Line(&'static str, &'static str),
    Octets(usize, &'static str),
}
use Turn::{Line as L, Octets};

/// Follows a script on one connection; hands back what was heard. What is left of the script was not reached.
fn follow(stream: &TcpStream, script: Vec<Turn>) -> String {
    let mut reader = BufReader::new(stream);
    let mut heard = String::new();
    for turn in script {
        let text = match turn {
            L(awaited, text) => {
                let mut line = String::new();
                while !line.starts_with(awaited) {
                    line.clear();
                    if !matches!(reader.read_line(&mut line), Ok(1..)) {
                        return heard;
                    }
                    heard.push_str(&line);
                }
                text
            }
            Octets(count, text) => {
                let mut octets = vec![0; count];
                reader.read_exact(&mut octets).unwrap();
                heard.push_str(&String::from_utf8(octets).unwrap());
                text
            }
        };
        let mut writer = stream;
        writer.write_all(text.as_bytes()).unwrap();
    }
    let _until_the_end = reader.read_to_string(&mut heard);
    heard
}

fn peer(greeting: &'static str, script: Vec<Turn>) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut writer = &stream;
        writer.write_all(greeting.as_bytes()).unwrap();
        follow(&stream, script)
    });
    (address, thread)
}

/// A provider up to the reply to ATRN, then what it says as the client.
fn provider(atrn: &'static str, then: Vec<Turn>) -> (String, JoinHandle<String>) {
    let mut script = vec![
        L("EHLO", "250-provider.example\r\n250-AUTH PLAIN\r\n250 ATRN\r\n"),
        L("AUTH PLAIN", "235 2.7.0 OK\r\n"),
        L("ATRN", atrn),
    ];
    script.extend(then);
    peer("220 provider.example ready\r\n", script)
}

const LMTP: &str = "250-own.example\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-DSN\r\n250 CHUNKING\r\n";

fn fetch_args(provider: &str, to: &str, more: &[&str]) -> (FetchArgs, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "open sesame\n").unwrap();
    let mut line = vec!["fetch", "--host", provider, "--user", "ada@example.org", "--tls", "none"];
    line.extend(["--password-in-clear", "--password-file", password.to_str().unwrap()]);
    line.extend(["--deliver-to", to, "--helo", "own.example"]);
    line.extend(more);
    (Line::parse_from(line).args, folder)
}

fn outcome(args: &FetchArgs) -> (String, Tally, Exit) {
    let onward = Onward::open(target(args).unwrap(), args.helo.clone()).unwrap();
    let connect = connect(args).unwrap();
    match provider::ask(&connect, &args.domains) {
        Ok(Answer::NoMail(reply)) => (reply.to_string(), Tally::default(), Exit::Success),
        Ok(Answer::Reversed(channel)) => {
            let rules = reversed::Rules {
                host_name: Some("own.example".into()),
                domains: &args.domains,
                message_bytes_max: args.message_bytes_max,
            };
            let (tally, ended) = reversed::serve(channel, onward, &rules);
            let exit = if ended.is_ok() { Exit::Success } else { Exit::TryLater };
            (format!("{ended:?}"), tally, exit)
        }
        Err(trouble) => (trouble.to_string(), Tally::default(), Exit::Failed),
    }
}

#[test]
fn a_message_goes_from_the_provider_to_ones_own_server_and_its_word_goes_back() {
    let (provider, said) = provider(
        "250 OK now reversing the connection\r\n",
        vec![
            L("220 own.example", "EHLO provider.example\r\n"),
            L("250 HELP", "MAIL FROM:<a@example.net> SIZE=10 RET=HDRS\r\n"),
            L(
                "250",
                "RCPT TO:<ada@example.org> NOTIFY=NEVER\r\nRCPT TO:<x@other.example>\r\nRCPT TO:<nobody@example.org>\r\n",
            ),
            L("550 5.1.1", "BDAT 7 LAST\r\nhello\r\n"),
            L("250 2.0.0 stored", "QUIT\r\n"),
            L("221", ""),
        ],
    );
    let (own, heard) = peer(
        "220 own.example LMTP\r\n",
        vec![
            L("LHLO own.example", LMTP),
            L("MAIL FROM:<a@example.net> SIZE=10 RET=HDRS", "250 2.1.0 OK\r\n"),
            L("RCPT TO:<ada@example.org> NOTIFY=NEVER", "250 2.1.5 OK\r\n"),
            L("RCPT TO:<nobody@example.org>", "550 5.1.1 Nobody\r\n"),
            L("BDAT 7 LAST", ""),
            Octets(7, "250 2.0.0 stored as ID\r\n"),
            L("QUIT", "221 2.0.0 bye\r\n"),
        ],
    );
    let (args, _folder) =
        fetch_args(&provider, &format!("lmtp://{own}"), &["--domains", "example.org,example.com"]);
    let (ended, tally, exit) = outcome(&args);
    assert_eq!(exit, Exit::Success, "{ended}");
    assert_eq!(tally, Tally { fetched: 1, ..Tally::default() });
    let said = said.join().unwrap();
    assert!(said.contains("ATRN example.org,example.com\r\n220 own.example ESMTP"), "{said}");
    // Not for the domains that were asked for: it never reaches one's own server.
    assert!(said.contains("550 5.7.1"), "{said}");
    let heard = heard.join().unwrap();
    assert!(!heard.contains("other.example") && heard.contains("hello\r\nQUIT"), "{heard}");
}

#[test]
fn of_several_lmtp_replies_the_worst_is_given() {
    let (provider, said) = provider(
        "250 OK\r\n",
        vec![
            L("220", "EHLO provider.example\r\n"),
            L("250 HELP", "MAIL FROM:<>\r\n"),
            L("250", "RCPT TO:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n"),
            L("250", ""),
            L("250", "DATA\r\n"),
            L("354", "text\r\n.\r\n"),
            L("452", "QUIT\r\n"),
        ],
    );
    let (own, heard) = peer(
        "220 own.example LMTP\r\n",
        vec![
            L("LHLO", "250-own.example\r\n250 8BITMIME\r\n"),
            L("MAIL FROM:<>", "250 OK\r\n"),
            L("RCPT", "250 OK\r\n"),
            L("RCPT", "250 OK\r\n"),
            L("DATA", "354 go\r\n"),
            L(".", "250 OK\r\n452 4.2.2 full\r\n"),
            L("QUIT", "221 bye\r\n"),
        ],
    );
    let (args, _folder) = fetch_args(&provider, &format!("lmtp://{own}"), &[]);
    let (ended, tally, exit) = outcome(&args);
    assert_eq!((exit, tally.put_off, tally.fetched), (Exit::Success, 1, 0), "{ended}");
    assert!(said.join().unwrap().contains("ATRN\r\n"));
    assert!(heard.join().unwrap().contains("text\r\n.\r\n"));
}

#[test]
fn a_server_of_ones_own_that_goes_away_makes_the_provider_keep_its_mail() {
    let (provider, said) = provider(
        "250 OK\r\n",
        vec![
            L("220", "EHLO provider.example\r\n"),
            L("250 HELP", "MAIL FROM:<>\r\n"),
            L("250", "RCPT TO:<a@example.org>\r\n"),
            L("451", "QUIT\r\n"),
        ],
    );
    let (own, _heard) = peer(
        "220 own.example ESMTP\r\n",
        vec![L("EHLO", "250 own.example\r\n"), L("MAIL", "250 OK\r\n"), L("RCPT", "421 4.3.2 stopping\r\n")],
    );
    let (args, _folder) = fetch_args(&provider, &own, &[]);
    let (ended, tally, _) = outcome(&args);
    assert_eq!(tally, Tally { put_off: 1, ..Tally::default() }, "{ended}");
    assert!(said.join().unwrap().contains("451 4.3.0"));
}

#[test]
fn what_the_provider_says_to_atrn_is_told() {
    for (atrn, expected) in [
        ("453 You have no mail\r\n", "453 You have no mail"),
        ("450 4.7.1 Not yours\r\n", "refuses: 450 4.7.1 Not yours"),
        ("502 What?\r\n", "refuses: 502 What?"),
        // Whoever speaks before the greeting may put words into our mouth.
        ("250 OK\r\nEHLO provider.example\r\n", "before it was greeted"),
        ("nonsense\r\n", "does not begin with a code"),
    ] {
        let (provider, _) = provider(atrn, vec![]);
        let (own, _) = peer("220 own.example\r\n", vec![L("EHLO", "250 own.example\r\n")]);
        let (args, _folder) = fetch_args(&provider, &own, &[]);
        let (told, tally, _) = outcome(&args);
        assert!(told.contains(expected), "{told}");
        assert_eq!(tally, Tally::default());
    }
}

#[test]
fn a_refused_login_is_told_with_the_reply() {
    let script = vec![
        L("EHLO", "250-provider.example\r\n250-AUTH PLAIN\r\n250 ATRN\r\n"),
        L("AUTH PLAIN", "535 5.7.8 No\r\n"),
    ];
    let (provider, heard) = peer("220 provider.example\r\n", script);
    let (own, _) = peer("220 own.example\r\n", vec![L("EHLO", "250 own.example\r\n")]);
    let (args, _folder) = fetch_args(&provider, &own, &[]);
    let (told, ..) = outcome(&args);
    assert!(told.contains("the login failed") && told.contains("535 5.7.8 No"), "{told}");
    assert!(!heard.join().unwrap().contains("ATRN"));
}

#[test]
fn where_mail_goes_is_named_in_one_of_three_ways() {
    for (text, expected) in [
        ("127.0.0.1:25", Ok(Target::Smtp("127.0.0.1:25".into()))),
        ("[::1]:25", Ok(Target::Smtp("[::1]:25".into()))),
        ("lmtp://localhost:24", Ok(Target::Lmtp("localhost:24".into()))),
        ("lmtp:/run/lmtp.sock", Ok(Target::LmtpSocket("/run/lmtp.sock".into()))),
        ("lmtp:lmtp.sock", Err(())),
        ("localhost", Err(())),
        (":25", Err(())),
        ("localhost:0", Err(())),
    ] {
        assert_eq!(text.parse::<Target>().map_err(drop), expected, "{text}");
    }
}
