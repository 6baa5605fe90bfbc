//! `posta send` with TLS and logins, against servers that follow a script.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use clap::Parser;
use net::tls::{Certificates, MinimumVersion, local_ca, server_config};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use smtp::client::{Cause, Event, Outcome, Unsupported};

use super::compose::compose;
use super::converse::{ConnectError, Told, deliver};
use super::{SendArgs, connect};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: SendArgs,
}

/// Octets both ways.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// When TLS begins.
#[derive(Clone, Copy, PartialEq)]
enum Begins {
    AtOnce,
    AfterStartTls,
}

/// What a server hears before the text that it answers with.
type Script = Vec<(&'static str, &'static str)>;

/// A certificate of 127.0.0.1, and the file of who vouches for it.
fn certificate(folder: &Path) -> (Arc<ServerConfig>, String) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let made = local_ca::open(folder, "localhost", i64::try_from(now.as_secs()).unwrap()).unwrap();
    let certificates = Arc::new(Certificates::load(vec![made.server]).unwrap());
    let config = server_config(certificates, MinimumVersion::default()).unwrap();
    (config, made.authority.display().to_string())
}

/// A server that follows a script as far as the client does; it hands back what it heard.
fn server(tls: Arc<ServerConfig>, begins: Begins, script: Script) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let within = |tcp| Box::new(StreamOwned::new(ServerConnection::new(tls).unwrap(), tcp));
        let mut heard = String::new();
        let (clear, rest) = match begins {
            Begins::AtOnce => (Vec::new(), script),
            Begins::AfterStartTls => {
                let (clear, rest) = script.split_at(3);
                (clear.to_vec(), rest.to_vec())
            }
        };
        if follow(&mut BufReader::new(&mut &tcp), clear, &mut heard) {
            let stream: Box<StreamOwned<ServerConnection, TcpStream>> = within(tcp);
            follow(&mut BufReader::new(stream), rest, &mut heard);
        }
        heard
    });
    (address, thread)
}

/// Whether the script was followed to its end.
fn follow<S: Stream>(stream: &mut BufReader<S>, script: Script, heard: &mut String) -> bool {
    for (awaited, text) in script {
        let mut line = String::new();
        while !line.starts_with(awaited) {
            line.clear();
            if !matches!(stream.read_line(&mut line), Ok(1..)) {
                return false;
            }
            heard.push_str(&line);
        }
        if stream.get_mut().write_all(text.as_bytes()).and_then(|()| stream.get_mut().flush()).is_err() {
            return false;
        }
    }
    true
}

/// What came of it, and all that was told meanwhile.
fn send(address: SocketAddr, words: &[&str]) -> (Result<Vec<Outcome>, ConnectError>, String) {
    let server = address.to_string();
    let words = [&["send", "--to", "b@example.org", "--body", "x", "--dialogue", "--server", &server], words];
    let args = Line::try_parse_from(words.concat()).unwrap().args;
    let mut told = String::new();
    let connect = connect(&args).unwrap();
    let outcomes = deliver(&connect, &compose(&args).unwrap(), |now| {
        match now {
            Told::Event(Event::Said { line, .. }) => told.push_str(line),
            Told::Event(event) => told.push_str(&format!("{event:?}")),
            Told::Secured(text) => told.push_str(text),
        }
        told.push('\n');
        Ok(())
    });
    (outcomes, format!("{told}{connect:?}"))
}

const CLEAR: [(&str, &str); 3] =
    [("", "220 x\r\n"), ("EHLO", "250-x\r\n250 STARTTLS\r\n"), ("STARTTLS", "220 go\r\n")];
const MESSAGE: [(&str, &str); 5] = [
    ("MAIL", "250 a\r\n"),
    ("RCPT", "250 b\r\n"),
    ("DATA", "354 c\r\n"),
    (".", "250 2.0.0 taken\r\n"),
    ("QUIT", "221 bye\r\n"),
];

#[test]
fn a_login_goes_by_starttls_to_the_server_of_the_certificate_and_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (tls, ca) = certificate(folder.path());
    let login = [("EHLO", "250-x\r\n250 AUTH PLAIN\r\n"), ("AUTH PLAIN", "235 2.7.0 welcome\r\n")];
    let (address, thread) = server(tls, Begins::AfterStartTls, [&CLEAR[..], &login, &MESSAGE].concat());
    let words = ["--tls", "required", "--ca", &ca, "--user", "ada", "--password", "open sesame"];
    let (outcomes, told) = send(address, &words);
    assert!(matches!(outcomes.unwrap()[..], [Outcome::Accepted(_)]), "{told}");
    // "\0ada\0open sesame", and nothing of it where a person can read.
    assert!(thread.join().unwrap().contains("AUTH PLAIN AGFkYQBvcGVuIHNlc2FtZQ=="));
    assert!(
        told.contains("AUTH PLAIN ****") && told.contains("the certificate is that of 127.0.0.1"),
        "{told}"
    );
    assert!(!told.contains("sesame") && !told.contains("AGFkYQ"), "{told}");
}

#[test]
fn tls_from_the_first_octet_needs_no_starttls() {
    let folder = tempfile::tempdir().unwrap();
    let (tls, ca) = certificate(folder.path());
    let begin = [("", "220 x\r\n"), ("EHLO", "250-x\r\n250 STARTTLS\r\n")];
    let (address, thread) = server(tls, Begins::AtOnce, [&begin[..], &MESSAGE].concat());
    let (outcomes, told) = send(address, &["--tls", "implicit", "--ca", &ca]);
    assert!(matches!(outcomes.unwrap()[..], [Outcome::Accepted(_)]), "{told}");
    assert!(!thread.join().unwrap().contains("STARTTLS"));
}

#[test]
fn a_server_with_a_strangers_certificate_gets_neither_mail_nor_password_where_tls_is_required() {
    let (ours, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_, ca) = certificate(ours.path());
    for (how, begins, script) in [
        ("required", Begins::AfterStartTls, [&CLEAR[..], &[("EHLO", "250 x\r\n")]].concat()),
        ("implicit", Begins::AtOnce, vec![("", "220 x\r\n")]),
    ] {
        let (tls, _) = certificate(others.path());
        let (address, thread) = server(tls, begins, script);
        let words = ["--tls", how, "--ca", &ca, "--user", "ada", "--password", "open sesame"];
        match send(address, &words).0 {
            Ok(outcomes) => {
                assert!(matches!(outcomes[..], [Outcome::Temporary(_)]), "{outcomes:?}");
                assert!(outcomes[0].failure().unwrap().to_string().contains("certificate"), "{outcomes:?}");
            }
            Err(error) => assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}"),
        }
        let heard = thread.join().unwrap();
        assert!(!heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
    }
}

#[test]
fn a_password_does_not_go_to_anybody_who_has_a_certificate_but_a_message_does() {
    let (ours, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_, ca) = certificate(ours.path());
    let (tls, _) = certificate(others.path());
    let rest = [("EHLO", "250-x\r\n250 AUTH PLAIN LOGIN\r\n"), ("QUIT", "221 bye\r\n")];
    let (address, thread) = server(Arc::clone(&tls), Begins::AfterStartTls, [&CLEAR[..], &rest].concat());
    let words = ["--tls", "offered", "--ca", &ca, "--user", "ada", "--password", "open sesame"];
    let (outcomes, told) = send(address, &words);
    let cause = outcomes.unwrap()[0].failure().unwrap().cause.clone();
    assert_eq!(cause, Cause::Unsupported(Unsupported::AuthInClear), "{told}");
    assert!(!thread.join().unwrap().contains("AUTH"));
    let script = [&CLEAR[..], &[("EHLO", "250 x\r\n")], &MESSAGE].concat();
    let (address, thread) = server(tls, Begins::AfterStartTls, script);
    let (outcomes, told) = send(address, &["--tls", "offered", "--ca", &ca]);
    assert!(matches!(outcomes.unwrap()[..], [Outcome::Accepted(_)]), "{told}");
    assert!(told.contains("the certificate does not show that this is 127.0.0.1"), "{told}");
    thread.join().unwrap();
}

#[test]
fn a_server_that_lets_in_without_its_own_proof_gets_no_mail() {
    let folder = tempfile::tempdir().unwrap();
    let (tls, ca) = certificate(folder.path());
    let login =
        [("EHLO", "250-x\r\n250 AUTH PLAIN SCRAM-SHA-256\r\n"), ("AUTH SCRAM-SHA-256", "235 welcome\r\n")];
    let (address, thread) = server(tls, Begins::AfterStartTls, [&CLEAR[..], &login, &MESSAGE].concat());
    let words = ["--tls", "required", "--ca", &ca, "--user", "ada", "--password", "open sesame"];
    let (outcomes, told) = send(address, &words);
    let cause = outcomes.unwrap()[0].failure().unwrap().cause.clone();
    assert_eq!(cause, Cause::Unsupported(Unsupported::AuthExchange), "{told}");
    assert!(!thread.join().unwrap().contains("MAIL"));
}
