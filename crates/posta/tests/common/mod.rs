#![allow(dead_code, reason = "each test program uses a part of this")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]
//! The program started as a process, asked on the command line and over its sockets.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The program on one data folder.
pub(crate) struct Posta<'a>(pub(crate) &'a Path);

impl Posta<'_> {
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run(&[arguments, &["--data", path(self.0)]].concat())
    }

    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        stdout(&self.run(arguments))
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        json(&self.run(&[arguments, &["--json"]].concat()))
    }

    /// Exit code, and what people are told.
    pub(crate) fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", stdout(&output));
        (code(&output), stderr(&output))
    }

    pub(crate) fn with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut process = posta(&[arguments, &["--data", path(self.0)]].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        process.wait_with_output().unwrap()
    }
}

/// A server that this test started; killed where the test forgets to stop it.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) stdout: BufReader<std::process::ChildStdout>,
    pub(crate) ready: Value,
}

impl Server {
    pub(crate) fn dev(data: &Path) -> Self {
        Self::start(&["dev", "--port-offset", "auto", "--data", path(data)])
    }

    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::spawn(posta(arguments).args(["--json", "--log-level", "error"]))
    }

    /// Starts a command that says with one line of JSON when it is ready.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        Self { process, stdout, ready }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap()
    }

    pub(crate) fn address(&self, service: &str) -> String {
        self.ready["listeners"][service].as_str().unwrap().to_owned()
    }

    pub(crate) fn password(&self) -> String {
        self.ready["password"].as_str().unwrap().to_owned()
    }

    pub(crate) fn stop(mut self, signal: Signal) -> (ExitStatus, String) {
        kill_process(self.pid(), signal).unwrap();
        let mut rest = String::new();
        while self.stdout.read_line(&mut rest).unwrap() > 0 {}
        (self.process.wait().unwrap(), rest)
    }

    /// Delivers a message by SMTP and returns when it is accepted.
    pub(crate) fn deliver(&self, message: &[u8]) {
        let mut smtp = Dialogue::smtp(&self.address("smtp"));
        let reply = smtp.data(message);
        assert!(reply.starts_with("250 "), "{reply}");
        smtp.say("QUIT", "221");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A conversation by lines.
pub(crate) struct Dialogue(pub(crate) BufReader<TcpStream>);

impl Dialogue {
    pub(crate) fn open(address: &str) -> Self {
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    /// The next line; empty at the end of the connection.
    pub(crate) fn reply(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    /// A whole message by DATA (already with transparency), and the reply to its end.
    pub(crate) fn data(&mut self, message: &[u8]) -> String {
        self.say("MAIL FROM:<bob@example.net>", "250");
        self.say("RCPT TO:<anybody@example.org>", "250");
        self.say("DATA", "354");
        self.0.get_mut().write_all(message).unwrap();
        self.0.get_mut().write_all(b".\r\n").unwrap();
        self.reply()
    }

    /// An SMTP session that has said HELO.
    pub(crate) fn smtp(address: &str) -> Self {
        let mut smtp = Self::open(address);
        let greeting = smtp.reply();
        assert!(greeting.starts_with("220 "), "{greeting:?}");
        smtp.say("HELO client.example", "250");
        smtp
    }

    pub(crate) fn say(&mut self, line: &str, expected: &str) {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        let reply = self.reply();
        assert!(reply.starts_with(expected), "{line}: {reply}");
    }
}

pub(crate) fn posta(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posta"));
    command.args(arguments).env_remove("POSTA_DATA").env("NO_COLOR", "1");
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    posta(arguments).stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What people are told, unfolded.
pub(crate) fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().map(|line| line.trim_start_matches([' ', '│', '×'])).collect::<Vec<_>>().join(" ")
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn data() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    (folder, data)
}
