//! Hosts that do what no host may (attacks.md 20).

use smtp::client::Transfer;

use super::peer::*;
use crate::delivery::connection::Fate;

const GROUP: &str = "C: MAIL FROM:<ada@example.org> SIZE=27
C: RCPT TO:<bob@example.net>
C: DATA
";

/// After 354: the message and its dot are taken.
const TAKEN: &str = "S: 250 ok\nS: 250 ok\nS: 354 go on\n...\n";

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_speak_smtp_is_passed_over() {
    let openings = [
        "S: HTTP/1.1 400 Bad Request",
        "S: 999 hello",
        "S: 100 hello",
        "S: 22",
        "S: 220-a\nS: 221 b",
        "LF: 220 bare",
        "S: 220 x\nC: EHLO relay.example.org\nS: +OK",
        // Two greetings: replies and commands do not fit together any more.
        "S: 220 x\nS: 220 y",
        // 354 where 250 is due.
        "S: 354 x",
        "S: 220 x\nC: EHLO relay.example.org\nS: 354 go on",
    ];
    for script in openings {
        let refused = refused(&terms(), script).await;
        assert_eq!(word(&refused.outcome), "deferred 4.5.0 next host, duplicate impossible", "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_and_a_reply_without_end_are_cut_off() {
    for piece in ["x".repeat(1000), "220-and so on\r\n".to_owned(), "220-\r\n".to_owned()] {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let mut peer = Peer::new(theirs);
        peer.say("220").await;
        if piece.starts_with("220") {
            peer.say(" x\r\n").await;
        }
        let script = async move {
            let mut said = 0_usize;
            while tokio::io::AsyncWriteExt::write_all(&mut peer.stream, piece.as_bytes()).await.is_ok() {
                said += piece.len();
                assert!(said < 1_000_000, "it listens for ever");
            }
        };
        let target = target();
        let terms = terms();
        let open = crate::delivery::connection::Connection::open(Box::new(ours), &target, &terms);
        let (refused, ()) = tokio::join!(async { open.await.unwrap_err() }, script);
        assert_eq!(word(&refused.outcome), "deferred 4.5.0 next host, duplicate impossible");
        assert!(refused.log.exchanges.iter().all(|exchange| exchange.reply.len() < 1000));
    }
}

#[tokio::test(start_paused = true)]
async fn replies_that_do_not_fit_their_command_decide_nothing_good() {
    let next_host = "deferred 4.5.0 next host, duplicate impossible";
    let scripts = [
        // 354 where 250 is due.
        (format!("{GROUP}S: 354 go on"), next_host),
        (format!("{GROUP}S: 250 ok\nS: 354 go on"), next_host),
        (format!("{GROUP}S: 250 ok\nS: 250 ok\nS: 250 ok"), next_host),
        (format!("{GROUP}{TAKEN}S: 354 go on"), "deferred 4.5.0 later, duplicate possible"),
        (format!("{GROUP}{TAKEN}S: 334 go on"), "deferred 4.5.0 later, duplicate possible"),
        (format!("{GROUP}{TAKEN}S: what?"), "deferred 4.5.0 later, duplicate possible"),
        // A 250 for a message that it has not got.
        (format!("{GROUP}S: 250 ok\nS: 250 ok\nS: 354 go on\nS: 250 taken"), next_host),
        // 354 for a message whose only recipient it has refused, and MAIL before it.
        (format!("{GROUP}S: 550 no\nS: 250 ok\nS: 354 go on"), "failed 5.0.0 Final"),
    ];
    for (script, outcome) in scripts {
        let sent = sent(mail(&["bob"]), &script).await;
        assert_eq!(told(&sent.outcomes), [outcome], "{script}");
        assert_eq!(sent.fate, Fate::Theirs);
        assert!(sent.log.end.is_some(), "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_is_a_duplicate_only_after_the_end_of_the_message() {
    let next_host = "deferred 4.4.2 next host, duplicate impossible";
    let scripts = [
        (String::new(), next_host),
        (format!("{GROUP}S: 250 ok"), next_host),
        (format!("{GROUP}S: 250 ok\nS: 250 ok\nS: 354 go on"), next_host),
        (format!("{GROUP}{TAKEN}"), "deferred 4.4.2 later, duplicate possible"),
        // Half-closed: it listens, and will never answer.
        (format!("{GROUP}half"), next_host),
        (format!("{GROUP}{TAKEN}half"), "deferred 4.4.2 later, duplicate possible"),
    ];
    for (script, outcome) in scripts {
        let sent = sent(mail(&["bob"]), &script).await;
        assert_eq!(told(&sent.outcomes), [outcome], "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_250_and_a_reset_after_it_is_a_250() {
    let sent = sent(mail(&["bob"]), &format!("{GROUP}{TAKEN}S: 250 2.0.0 taken")).await;
    assert_eq!(told(&sent.outcomes), ["relayed 2.0.0"]);
}

#[tokio::test(start_paused = true)]
async fn a_421_at_any_time_is_a_word_about_the_host() {
    for opening in ["", "S: 220 x\nC: EHLO relay.example.org\n"] {
        let refused = refused(&terms(), &format!("{opening}S: 421 4.3.2 stop")).await;
        assert_eq!(word(&refused.outcome), "deferred 4.3.2 next host, duplicate impossible");
    }
    let mut replies = vec!["S: 250 ok", "S: 250 ok", "S: 354 go on\n..."];
    for count in (0..=3).rev() {
        replies.truncate(count);
        let script = format!("{GROUP}{}\nS: 421 4.3.2 stop", replies.join("\n"));
        let sent = sent(mail(&["bob"]), &script).await;
        assert_eq!(told(&sent.outcomes), ["deferred 4.3.2 next host, duplicate impossible"], "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_while_the_message_goes_out_is_heard_though_nothing_more_is_taken() {
    let text = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(10_000);
    let (mut connection, mut peer) = open(&terms(), READY).await;
    let script = async {
        for _ in 0..3 {
            peer.line().await.unwrap();
        }
        peer.play("S: 250 ok\nS: 250 ok\nS: 354 go on").await;
        peer.octets(10_000).await;
        // It takes nothing more, and does not close either.
        peer.play("S: 552 5.3.4 too much\nhang").await;
    };
    let mail = mail_by(Transfer::Data, &["bob"], &text);
    let (sent, took) = tokio::select! {
        sent = timed(connection.send(mail)) => sent,
        () = script => unreachable!(),
    };
    assert_eq!(told(&sent.outcomes), ["failed 5.3.4 Final"]);
    assert_eq!(took, std::time::Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn long_and_strange_replies_are_cut_and_on_one_line_in_the_log() {
    let reply = format!("{}\u{202e}\u{7}", "very ".repeat(700));
    let script = format!("{GROUP}S: 250 ok\nS: 550-{reply}\nS: 550 end\nS: 554 no");
    let sent = sent(mail(&["bob"]), &script).await;
    let logged = &sent.log.exchanges[1].reply;
    assert!(logged.chars().count() <= 301 && logged.ends_with('…'), "{logged}");
    assert!(!logged.chars().any(char::is_control), "{logged}");
}

#[tokio::test(start_paused = true)]
async fn the_log_of_many_refusals_is_bounded_and_counts_what_it_leaves_out() {
    let names: Vec<String> = (0..90).map(|number| format!("r{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut connection, mut peer) = open(&terms(), READY).await;
    let script = async {
        for _ in 0..92 {
            peer.line().await.unwrap();
        }
        peer.play("S: 250 ok").await;
        for number in 0..90 {
            peer.say(&format!("550 5.1.1 no {number}\r\n")).await;
        }
        peer.play("S: 554 none").await;
    };
    let (sent, ()) = tokio::join!(connection.send(mail(&names)), script);
    assert!(sent.outcomes.iter().all(|outcome| word(outcome) == "failed 5.1.1 Final"));
    assert_eq!(sent.log.exchanges.len() + sent.log.left_out as usize, 92);
    assert!(sent.log.exchanges.len() <= 60);
}

/// Whatever a host says, in whatever pieces: one outcome for each recipient, none of them relayed without a 250 after the
/// dot, and an end.
#[tokio::test(start_paused = true)]
async fn whatever_a_host_says_there_is_one_outcome_for_each_recipient_and_an_end() {
    const MENU: [&str; 16] = [
        "250 ok\r\n",
        "250-a\r\n",
        "250 b\r\n",
        "354 go\r\n",
        "550 5.1.1 no\r\n",
        "451 wait\r\n",
        "421 bye\r\n",
        "552 many\r\n",
        "220 hi\r\n",
        "25",
        "0 ok\r\n",
        "\n",
        "\0",
        "999 x\r\n",
        "250 2.0.0 ok\r\n354 go\r\n",
        "é\r\n",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..2000 {
        let (mut connection, mut peer) = open(&terms(), READY).await;
        // Mostly replies that may come, so that some of the conversations get far.
        let says: Vec<&str> = (0..random(9))
            .map(|_| {
                let choices = if random(3) == 0 { MENU.len() } else { 6 };
                MENU[random(choices)]
            })
            .collect();
        let text = says.concat();
        let script = async move {
            for octets in text.as_bytes().chunks(7) {
                if tokio::io::AsyncWriteExt::write_all(&mut peer.stream, octets).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            peer.stream.shutdown_and_listen().await
        };
        let send = async move { connection.send(mail(&["a", "b"])).await };
        let (sent, heard) = tokio::join!(send, script);
        assert_eq!(sent.outcomes.len(), 2);
        let relayed = sent.outcomes.iter().any(|o| matches!(o, mta::outcome::Outcome::Relayed(_)));
        assert!(!sent.outcomes.contains(&mta::outcome::Outcome::GoOn));
        assert!(!relayed || heard.contains("\r\n.\r\n"), "{says:?}: {heard}");
    }
}

trait ShutdownAndListen {
    async fn shutdown_and_listen(self) -> String;
}

impl ShutdownAndListen for tokio::io::DuplexStream {
    /// Says nothing more, and takes what comes.
    async fn shutdown_and_listen(mut self) -> String {
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut self).await;
        let mut heard = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut self, &mut heard).await;
        String::from_utf8_lossy(&heard).into_owned()
    }
}
