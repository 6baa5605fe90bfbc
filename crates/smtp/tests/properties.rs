//! What holds for every input to the server side.

mod support;

use proptest::prelude::*;
use smtp::codec::LineEnding;
use smtp::codec::fault::MessageLimits;
use smtp::server::{Config, HandTyped, Role};
use support::data_oracle;
use support::dialogue::{self, Dialogue, config, config_of, play};
use support::pieces;
use support::write::is_read_as_written;

/// Lines that a client says, right and wrong.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "EHLO client.example\r\n",
        "HELO [192.0.2.1]\r\n",
        "EHLO bücher.example\r\n",
        "EHLO\r\n",
        "MAIL FROM:<a@example.com>\r\n",
        "MAIL FROM:<>\r\n",
        "MAIL FROM:<refused@example.com>\r\n",
        "MAIL FROM:<a@example.com> SIZE=300 BODY=8BITMIME\r\n",
        "MAIL FROM:<a@example.com> SIZE=99999999999999999999\r\n",
        "MAIL FROM:<a@example.com> BODY=BINARYMIME\r\n",
        "MAIL FROM:<用户@example.com> SMTPUTF8\r\n",
        "MAIL FROM:<a@example.com> FOO=BAR\r\n",
        "RCPT TO:<b@example.org>\r\n",
        "RCPT TO:<\"q \\\"x\"@[IPv6:2001:db8::1]>\r\n",
        "RCPT TO:<Postmaster>\r\n",
        "RCPT TO:<nobody@example.org>\r\n",
        "RCPT TO:<full@example.org>\r\n",
        "RCPT TO:<用户@example.org>\r\n",
        "RCPT TO:<nobody@例子.example>\r\n",
        "RCPT TO:b@example.org\r\n",
        "DATA\r\n",
        "data \r\n",
        "DATA x\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "VRFY fred\r\n",
        "EXPN staff\r\n",
        "HELP\r\n",
        "STARTTLS\r\n",
        "LHLO client.example\r\n",
        "AUTH PLAIN\r\n",
        "AUTH PLAIN =\r\n",
        "AUTH PLAIN AGFkYQBvcGVuIHNlc2FtZQ==\r\n",
        "AGFkYQBvcGVuIHNlc2FtZQ==\r\n",
        "*\r\n",
        "AUTH LOGIN\r\n",
        "XCLIENT ADDR=192.0.2.1\r\n",
        "VRFY fred SMTPUTF8\r\n",
        "ETRN mail.example.org\r\n",
        "ETRN @example.org\r\n",
        "ATRN\r\n",
        "ATRN example.org,example.com\r\n",
        "TURN\r\n",
        "MAIL FROM:<a@example.com> RET=HDRS ENVID=x AUTH=<> HOLDFOR=60 BY=60;R\r\n",
        "MAIL FROM:<a@example.com> MT-PRIORITY=3 XIDEMPOTENCY=x\r\n",
        "MAIL FROM:<a@example.com> REQUIRETLS\r\n",
        "RCPT TO:<c@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c@example.org\r\n",
        "RCPT TO:<c@example.org> NOTIFY=NEVER,DELAY\r\n",
        "FOO\r\n",
        "QUIT\r\n",
        "\r\n",
        "NOOP\n",
        "NO\rOP\r\n",
        "MAIL FROM:<a@example.com>\r\r\n",
    ]);
    prop_oneof![
        24 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => "[A-Za-z]{1,5}[ -~]{0,120}\r\n".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

/// Octets among which line ends and dots are common.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "\r\n",
        ".",
        "\r\n.",
        "..",
        "text",
        "Subject: x\r\n",
        "MAIL FROM:<evil@example.com>\r\n",
        "\n",
        "\r",
        "\0",
        "é",
    ]);
    let tame = "([ -~]{0,70}\r\n){0,8}".prop_map(String::into_bytes);
    let wild = prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![2 => tame, 1 => wild]
}

/// `BDAT n [LAST]` with its chunk.
fn chunk() -> impl Strategy<Value = Vec<u8>> {
    (content(), any::<bool>()).prop_map(|(content, last)| bdat(&content, last))
}

fn bdat(content: &[u8], last: bool) -> Vec<u8> {
    let marker = if last { " LAST" } else { "" };
    [format!("BDAT {}{marker}\r\n", content.len()).as_bytes(), content].concat()
}

/// A transaction as it should be, for dialogues that get far.
fn transaction() -> impl Strategy<Value = Vec<u8>> {
    (content(), any::<bool>()).prop_map(|(content, chunked)| {
        // Each role takes its own hello and refuses the other; AUTH is 502 where it is off.
        let begin = b"EHLO c.example\r\nLHLO c.example\r\nAUTH PLAIN AGFkYQBvcGVuIHNlc2FtZQ==\r\n\
            MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<full@example.org>\r\n";
        let begin = if content.len() % 2 == 0 {
            &begin[..begin.len() - "RCPT TO:<full@example.org>\r\n".len()]
        } else {
            &begin[..]
        };
        if chunked {
            [begin, &bdat(&content, false), b"BDAT 0 LAST\r\n"].concat()
        } else {
            [begin, b"DATA\r\n", &content, b"\r\n.\r\n"].concat()
        }
    })
}

fn dialogue() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![6 => line(), 2 => content(), 2 => chunk(), 3 => transaction()];
    prop::collection::vec(part, 0..20).prop_map(|parts| parts.concat())
}

fn listener() -> impl Strategy<Value = Config> {
    let role = prop::sample::select(vec![Role::Transfer, Role::Submission, Role::Lmtp]);
    (role, any::<bool>(), 1..64_usize).prop_map(|(role, hand_typed, body_chunk_bytes)| Config {
        hand_typed: if hand_typed { HandTyped::Allowed } else { HandTyped::Refused },
        body_chunk_bytes,
        ..config_of(role)
    })
}

/// A line with parameters of all extensions, most of them well-formed.
fn line_with_parameters() -> impl Strategy<Value = String> {
    let parameter = prop_oneof![
        "SIZE=[0-9]{1,20}",
        "(BODY=(7BIT|8bitmime|BINARYMIME)|SMTPUTF8|REQUIRETLS)",
        "RET=(FULL|hdrs)",
        "(ENVID|XIDEMPOTENCY)=([!-*,-<>-~]|\\+[2-7][0-9A-E]){1,20}",
        "AUTH=(<>|[a-zü.]{1,5}(\\+(2B|3D|C3\\+BC)){0,2}@[a-zü]{1,5}|[!-~ü]{1,8})",
        "HOLDFOR=[0-9]{1,9}",
        "HOLDUNTIL=[0-9]{4}-[01][0-9]-[0-3][0-9][Tt][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,4})?(Z|[+-]00:00)",
        "BY=[+-]?[0-9]{1,9};[NnRr][Tt]?",
        "MT-PRIORITY=-?[0-9]",
        "NOTIFY=(NEVER|(SUCCESS|failure|DELAY)(,(SUCCESS|FAILURE|delay)){0,3})",
        "ORCPT=(rfc822|utf-8|x400);([!-*,-<>-~ü]|\\+[2-7][0-9A-E]){0,20}",
    ];
    let parameters = prop::collection::vec(parameter, 0..4).prop_map(|all| all.join(" "));
    let attribute = prop_oneof![
        "(NAME|HELO)=[a-z]{1,4}(\\.[a-z]{1,4})?",
        "(ADDR|DESTADDR)=([1-9]\\.[0-9]\\.[0-9]\\.[0-9]|IPV6:[0-9a-f]{1,4}::[0-9a-f]{1,4})",
        "(PORT|DESTPORT)=[0-9]{1,5}",
        "(PROTO=E?SMTP|NAME=\\[TEMPUNAVAIL\\])",
        "LOGIN=([a-zü@.]|\\+20|\\+2B){1,12}",
        "(NAME|ADDR|PORT|HELO|LOGIN)=\\[unavailable\\]",
    ];
    let attributes = prop::collection::vec(attribute, 1..4).prop_map(|all| all.join(" "));
    prop_oneof![
        3 => parameters.clone().prop_map(|parameters| format!("MAIL FROM:<a@b.example> {parameters}")),
        3 => parameters.prop_map(|parameters| format!("RCPT TO:<a@b.example> {parameters}")),
        1 => attributes.prop_map(|attributes| format!("XCLIENT {attributes}")),
        1 => "AUTH [A-Za-z0-9_-]{1,21} ([A-Za-z0-9+/]{4}){0,4}={0,2}",
        1 => "(VRFY|EXPN) [ -~ü]{1,12}( SMTPUTF8)?",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_command_written_again_is_read_as_the_same_one(line in line_with_parameters()) {
        is_read_as_written(line.as_bytes());
    }
}

/// The fuzzer's: the check itself took the mechanism's name for a leak of the response.
#[test]
fn a_mechanism_that_begins_like_its_response_is_no_leak() {
    is_read_as_written(b"AUTH PLAINTPHrP PLAINTPHrLgAINTH ");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replies_and_messages_do_not_depend_on_how_the_input_is_cut(
        input in dialogue(),
        listener in listener(),
        lengths in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        let whole = play(&listener, &[&input]);
        prop_assert!(whole.output.starts_with(b"220 "));
        prop_assert_eq!(&play(&listener, &pieces(&input, &[0])), &whole);
        prop_assert_eq!(&play(&listener, &pieces(&input, &lengths)), &whole);
    }

    #[test]
    fn a_hand_typed_dialogue_does_not_depend_on_how_it_is_cut(
        input in dialogue(),
        lengths in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        let typed = [b"NOOP\n", &input[..]].concat();
        let typed = typed.split(|b| *b == b'\r').collect::<Vec<_>>().concat();
        let listener = Config { hand_typed: HandTyped::Allowed, ..config() };
        let whole = play(&listener, &[&typed]);
        prop_assert_eq!(&play(&listener, &pieces(&typed, &[0])), &whole);
        prop_assert_eq!(&play(&listener, &pieces(&typed, &lengths)), &whole);
    }

    #[test]
    fn after_the_end_of_data_or_the_last_chunk_nothing_of_the_transaction_is_left(
        content in content(),
        chunked in any::<bool>(),
        recipient in prop::sample::select(vec!["b", "full"]),
    ) {
        let mut dialogue = Dialogue::new(config());
        for line in ["EHLO c.example", "MAIL FROM:<a@example.com>", &format!("RCPT TO:<{recipient}@example.org>")] {
            let reply = dialogue.feed(format!("{line}\r\n").as_bytes());
            prop_assert!(reply.starts_with("250"), "{}: {}", line, reply);
        }
        let reply = if chunked {
            dialogue.feed(&bdat(&content, true))
        } else {
            prop_assert!(dialogue.feed(b"DATA\r\n").starts_with("354 "));
            dialogue.feed(&[&content[..], b"\r\n.\r\n"].concat())
        };
        if dialogue.outcome.is_closed {
            return Ok(());
        }
        // Where the content ends the data itself, the rest was commands.
        prop_assume!(reply.lines().count() == 1);
        prop_assert_eq!(dialogue.outcome.messages.len(), usize::from(reply.starts_with("250 ")));
        prop_assert!(dialogue.feed(b"RCPT TO:<b@example.org>\r\n").starts_with("503 "));
        prop_assert!(dialogue.feed(b"DATA\r\n").starts_with("503 "));
        prop_assert!(dialogue.feed(b"BDAT 1 LAST\r\nx").starts_with("503 "));
        prop_assert!(dialogue.feed(b"MAIL FROM:<c@example.com>\r\n").starts_with("250 "));
        prop_assert!(dialogue.feed(b"DATA\r\n").starts_with("503 "), "a recipient was left");
    }

    #[test]
    fn the_decoder_agrees_with_a_search_for_the_end_of_data(
        input in content(),
        hand_typed in any::<bool>(),
        lengths in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        let line_ending = if hand_typed { LineEnding::Lf } else { LineEnding::Crlf };
        let limits = MessageLimits { line_bytes_max: 72, message_bytes_max: 200 };
        data_oracle::compare(line_ending, limits, &input, &[&input]);
        data_oracle::compare(line_ending, limits, &input, &pieces(&input, &lengths));
    }
}

#[test]
fn nothing_but_crlf_dot_crlf_ends_the_data_for_all_streams_of_up_to_eight_octets() {
    const ALPHABET: &[u8] = b"\r\n.\0a";
    const LENGTH_MAX: u32 = 8;
    let limits = MessageLimits { line_bytes_max: 1000, message_bytes_max: 1000 };
    let mut streams: usize = 0;
    let mut ends = 0;
    for length in 0..=LENGTH_MAX {
        for number in 0..ALPHABET.len().pow(length) {
            let mut rest = number;
            let stream: Vec<u8> = (0..length)
                .map(|_| {
                    let octet = ALPHABET[rest % ALPHABET.len()];
                    rest /= ALPHABET.len();
                    octet
                })
                .collect();
            for line_ending in [LineEnding::Crlf, LineEnding::Lf] {
                data_oracle::compare(line_ending, limits, &stream, &[&stream]);
                data_oracle::compare(line_ending, limits, &stream, &pieces(&stream, &[0]));
            }
            let is_end =
                data_oracle::judge(LineEnding::Crlf, limits, &stream).ending == data_oracle::Ending::End;
            let from_the_start = [b"\r\n", &stream[..]].concat();
            assert!(!is_end || from_the_start.windows(5).any(|octets| octets == b"\r\n.\r\n"));
            streams += 1;
            ends += usize::from(is_end);
        }
    }
    assert_eq!(streams, (0..=LENGTH_MAX).map(|length| 5_usize.pow(length)).sum());
    assert!(ends > 0);
}

#[test]
fn many_chunks_in_one_segment_never_gather_more_than_the_driver_asked_for() {
    // The driver of these tests checks the size of each piece that it takes.
    let config = Config {
        message: MessageLimits { line_bytes_max: 80, message_bytes_max: 100_000 },
        idle_commands_max: 10,
        ..config()
    };
    let mut dialogue = Dialogue::new(config);
    let begin = b"EHLO c.example\r\nMAIL FROM:<a@example.com> BODY=BINARYMIME\r\nRCPT TO:<b@example.org>\r\n";
    let replies =
        dialogue.feed(&[&begin[..], &bdat(&[b'x'; 1024], false).repeat(60), b"BDAT 0 LAST\r\n"].concat());
    assert!(replies.ends_with("250 2.0.0 Message accepted and stored as ID\r\n"), "{replies}");
    assert_eq!(dialogue.outcome.messages[0].2.len(), 60 * 1024);
}

#[test]
fn recipients_and_chunks_are_no_idle_commands_and_endless_tiny_chunks_are() {
    let config = Config {
        message: MessageLimits { line_bytes_max: 80, message_bytes_max: 100_000 },
        recipients_max: 100,
        idle_commands_max: 10,
        ..config()
    };
    let begin = b"EHLO c.example\r\nMAIL FROM:<a@example.com>\r\n";
    let recipients = b"RCPT TO:<b@example.org>\r\n".repeat(100);
    let mut dialogue = Dialogue::new(config);
    let tiny = bdat(b"x", false);
    dialogue.feed(&[&begin[..], &recipients, &tiny.repeat(5), b"BDAT 0 LAST\r\n"].concat());
    assert_eq!(dialogue.outcome.messages.len(), 1);
    let replies = dialogue.feed(&[&begin[..], &recipients, &tiny.repeat(1000)].concat());
    assert!(replies.ends_with("421 4.7.0 Too many commands without mail; closing the connection\r\n"));
    assert!(dialogue.outcome.is_closed);
}

#[test]
fn a_line_without_end_gets_the_same_reply_whole_and_in_pieces() {
    for (length, hears) in [(200, "500 5.5.2"), (60_000, "500 5.5.2"), (200_000, "500 5.5.2")] {
        let line = [&vec![b'x'; length][..], b"\r\nNOOP\r\n"].concat();
        let whole = play(&config(), &[&line]);
        assert!(String::from_utf8_lossy(&whole.output).contains(hears));
        assert_eq!(whole.is_closed, length == 200_000);
        assert_eq!(play(&config(), &pieces(&line, &[0, 250])), whole);
    }
}

#[test]
fn data_that_is_only_bare_line_ends_is_given_up_too() {
    for octet in [b'\n', b'\r'] {
        let begin = b"EHLO c.example\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n";
        let outcome = play(&config(), &[begin, &vec![octet; 2000]]);
        assert!(outcome.is_closed, "{octet}");
    }
}

#[test]
fn the_dialogues_of_these_tests_do_get_messages_through() {
    let outcome = dialogue::play(
        &config(),
        &[b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n..x\r\n.\r\nQUIT\r\n"],
    );
    assert_eq!(outcome.messages, [("<>".to_owned(), vec!["<b@example.org>".to_owned()], b".x\r\n".to_vec())]);
    assert!(outcome.is_closed);
    for role in [Role::Transfer, Role::Submission, Role::Lmtp] {
        let hello = if role == Role::Lmtp { "LHLO" } else { "EHLO" };
        let auth = if role == Role::Submission { "AUTH PLAIN AGFkYQBvcGVuIHNlc2FtZQ==\r\n" } else { "" };
        let said = format!(
            "{hello} c.example\r\n{auth}MAIL FROM:<> ENVID=x\r\nRCPT TO:<b@example.org>\r\n\
             RCPT TO:<c@example.org> NOTIFY=NEVER\r\nDATA\r\n.\r\nQUIT\r\n"
        );
        let outcome = dialogue::play(&config_of(role), &[said.as_bytes()]);
        assert_eq!(outcome.messages.len(), 1, "{role:?}");
        let output = String::from_utf8(outcome.output).unwrap();
        assert_eq!(output.matches("stored as").count(), if role == Role::Lmtp { 2 } else { 1 });
    }
}
