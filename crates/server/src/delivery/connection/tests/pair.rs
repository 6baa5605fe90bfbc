//! Our own server machine at the other end: both must have understood the same.

#[allow(dead_code, unreachable_pub, reason = "the machine's own tests use all of it")]
#[path = "../../../../../smtp/tests/support/dialogue.rs"]
mod dialogue;

use mta::outcome::Outcome;
use mta::route::Protocol;
use smtp::client::Transfer;
use smtp::codec::fault::MessageLimits;
use smtp::server::{Config, Role};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use types::BodyType;

use super::peer::*;
use crate::delivery::connection::{Connection, Outgoing, Terms};
use dialogue::Dialogue;

/// What goes over a connection: recipients, and a message.
struct Case {
    recipients: Vec<&'static str>,
    text: Vec<u8>,
    body_type: BodyType,
}

/// Serves until the client closes or is sent away; returns what was taken.
async fn serve(mut stream: DuplexStream, role: Role) -> dialogue::Outcome {
    let message = MessageLimits { line_bytes_max: 1000, message_bytes_max: 100_000 };
    let base = dialogue::config();
    let config = Config {
        role,
        message,
        idle_commands_max: 1000,
        errors_max: 1000,
        command_line_bytes_max: 512,
        ..base
    };
    let mut server = Dialogue::new(config);
    let greeting = server.outcome.output.clone();
    stream.write_all(&greeting).await.unwrap();
    let mut buffer = [0; 700];
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        if count == 0 {
            return server.outcome;
        }
        let said = server.feed(&buffer[..count]);
        if stream.write_all(said.as_bytes()).await.is_err() || server.outcome.is_closed {
            return server.outcome;
        }
    }
}

/// Sends all of them over one connection whose pipes hold so many octets.
async fn converse(cases: &[Case], protocol: Protocol, transfer: Transfer, pipe_bytes: usize) {
    let (ours, theirs) = tokio::io::duplex(pipe_bytes);
    let role = if protocol == Protocol::Lmtp { Role::Lmtp } else { Role::Transfer };
    let terms = Terms { protocol, ..terms() };
    let target = target();
    let send = async {
        let mut connection = Connection::open(Box::new(ours), &target, &terms).await.unwrap();
        let mut all = Vec::new();
        for case in cases {
            let mut envelope = envelope(&case.recipients);
            envelope.parameters.body_type = case.body_type;
            let mail = Outgoing { envelope, ..mail_by(transfer, &[], &case.text) };
            all.push(connection.send(mail).await);
            assert!(connection.is_reusable());
        }
        connection.quit().await;
        all
    };
    let (all, server) = tokio::join!(send, serve(theirs, role));
    let mut taken = server.messages.into_iter();
    for (case, sent) in cases.iter().zip(all) {
        let relayed: Vec<String> = case
            .recipients
            .iter()
            .zip(&sent.outcomes)
            .filter(|(_, outcome)| matches!(outcome, Outcome::Relayed(_)))
            .map(|(name, _)| format!("<{name}@example.net>"))
            .collect();
        for (name, outcome) in case.recipients.iter().zip(&sent.outcomes) {
            match *name {
                "nobody" => assert_eq!(word(outcome), "failed 5.1.1 Final"),
                _ => {
                    assert!(matches!(outcome, Outcome::Relayed(_) | Outcome::Deferred { .. }), "{outcome:?}")
                }
            }
        }
        if relayed.is_empty() {
            continue;
        }
        let (reverse_path, forward_paths, body) = taken.next().unwrap();
        assert_eq!(reverse_path, "<ada@example.org>");
        assert_eq!(forward_paths, relayed);
        assert!(body == case.text || body == [case.text.as_slice(), b"\r\n"].concat(), "another message");
    }
    assert_eq!(taken.next(), None, "a message that nobody knows of");
}

fn cases() -> Vec<Case> {
    let text = |text: &str| text.as_bytes().to_vec();
    let eight = BodyType::EightBitMime;
    vec![
        Case { recipients: vec!["a"], text: text("Subject: x\r\n\r\n.\r\n..\r\nx\r\n"), body_type: eight },
        Case { recipients: vec!["nobody"], text: text("x\r\n"), body_type: eight },
        Case { recipients: vec!["a", "nobody", "b"], text: text("é\r\nwithout an end"), body_type: eight },
        Case { recipients: vec!["a", "full"], text: text(".\r\n"), body_type: eight },
        Case { recipients: vec!["a"], text: b"\0\r\n.\r\n\n.\n\r".to_vec(), body_type: BodyType::BinaryMime },
        Case {
            recipients: vec!["a"],
            text: b"0123456789abc\r\n".repeat(6_000),
            body_type: BodyType::SevenBit,
        },
        Case { recipients: vec!["a"], text: Vec::new(), body_type: BodyType::SevenBit },
    ]
}

#[tokio::test(start_paused = true)]
async fn client_and_server_have_understood_the_same() {
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        for transfer in [Transfer::Data, Transfer::ChunksWhereOffered, Transfer::OneFlightWhereOffered] {
            for pipe_bytes in [1, 7, 100, PIPE_BYTES] {
                converse(&cases(), protocol, transfer, pipe_bytes).await;
            }
        }
    }
}
