//! The end of data, from RFC 5321 §4.1.1.4, §4.5.2 and the smuggling attacks.

use super::*;

const LIMITS: MessageLimits = MessageLimits { line_bytes_max: 1000, message_bytes_max: 20_000 };

/// What becomes of `input`: the message, its fault, how it ended and what was left. Fed whole and cut in two at
/// every place, which must not matter.
fn decode(line_ending: LineEnding, input: &[u8]) -> (Vec<u8>, Option<Fault>, Progress, Vec<u8>) {
    let run = |pieces: &[&[u8]]| {
        let mut decoder = DataDecoder::new(line_ending, LIMITS);
        let (mut out, mut consumed, mut progress) = (Vec::new(), 0, Progress::More);
        for piece in pieces {
            if progress == Progress::More {
                let (n, p) = decoder.decode(piece, &mut out);
                consumed += n;
                progress = p;
            }
        }
        // Of a faulty message nothing is kept, so how much of it was appended does not count.
        out.truncate(if decoder.fault().is_none() { out.len() } else { 0 });
        (out, decoder.fault(), progress, input[consumed..].to_vec())
    };
    let whole = run(&[input]);
    for cut in (0..=input.len()).step_by(1 + input.len() / 1000) {
        assert!(run(&[&input[..cut], &input[cut..]]) == whole, "cut at {cut}");
    }
    whole
}

#[test]
fn only_crlf_dot_crlf_ends_the_data() {
    assert_eq!(
        decode(LineEnding::Crlf, b"a\r\n.\r\nQUIT\r\n"),
        (b"a\r\n".to_vec(), None, Progress::End, b"QUIT\r\n".to_vec())
    );
    assert_eq!(decode(LineEnding::Crlf, b".\r\n"), (vec![], None, Progress::End, vec![]));
    assert_eq!(
        decode(LineEnding::Crlf, b"a.\r\nb\r\n"),
        (b"a.\r\nb\r\n".to_vec(), None, Progress::More, vec![])
    );
}

#[test]
fn a_leading_dot_is_taken_off_where_more_follows() {
    assert_eq!(decode(LineEnding::Crlf, b"..\r\n.a\r\n...\r\n.\r\n").0, b".\r\na\r\n..\r\n");
}

#[test]
fn a_dot_between_any_other_line_ends_is_ambiguous_and_never_an_end() {
    let ends: [&[u8]; 4] = [b"\r\n", b"\n", b"\r", b"\r\r\n"];
    for before in ends {
        for after in ends {
            let input = [b"body", before, b".", after, b"MAIL FROM:<evil@example.org>\r\n"].concat();
            let (_, _, progress, _) = decode(LineEnding::Crlf, &input);
            // CR CRLF ends a line for everyone; the bare CR before it is the message's fault.
            let ends = before.ends_with(b"\r\n") && after == b"\r\n";
            let expected = if ends { Progress::End } else { Progress::Ambiguous };
            assert_eq!(progress, expected, "{before:?} . {after:?}");
        }
    }
}

#[test]
fn a_message_with_other_line_ends_or_nul_is_read_to_its_end_and_faulty() {
    for (input, fault) in [
        (&b"a\nb\r\n.\r\n"[..], Fault::BareLf),
        (b"a\rb\r\n.\r\n", Fault::BareCr),
        (b"a\r\r\n.\r\n", Fault::BareCr),
        (b"\n\r\n.\r\n", Fault::BareLf),
        (b"\r\r\r\n.\r\n", Fault::BareCr),
        (b"a\0b\r\n.\r\n", Fault::Nul),
        (b"\0\r\n.\r\n", Fault::Nul),
    ] {
        let (_, found, progress, rest) = decode(LineEnding::Crlf, input);
        assert_eq!((found, progress, rest), (Some(fault), Progress::End, vec![]), "{input:?}");
    }
    // NUL beside the dot: the line holds more than a dot.
    for input in [&b"a\r\n\0.\r\nb\r\n"[..], b"a\r\n.\0\r\nb\r\n", b"a\r\n.\r\0\nb\r\n"] {
        assert_ne!(decode(LineEnding::Crlf, input).2, Progress::End, "{input:?}");
    }
}

#[test]
fn a_hand_typed_session_ends_lines_in_lf_and_stores_crlf_and_refuses_cr() {
    assert_eq!(
        decode(LineEnding::Lf, b"a\n..\n.\nQUIT\n"),
        (b"a\r\n.\r\n".to_vec(), None, Progress::End, b"QUIT\n".to_vec())
    );
    assert_eq!(decode(LineEnding::Lf, b"a\r\nb\n.\n").1, Some(Fault::BareCr));
    for input in [&b"a\n.\r\nMAIL"[..], b"a\r\n.\nMAIL", b"a\r.\nMAIL", b"a\n.\rMAIL"] {
        assert_eq!(decode(LineEnding::Lf, input).2, Progress::Ambiguous, "{input:?}");
    }
}

#[test]
fn a_line_at_the_limit_is_taken_and_one_octet_more_is_not() {
    let message = |n: usize| [&vec![b'x'; n - 2][..], b"\r\n.\r\n"].concat();
    assert_eq!(decode(LineEnding::Crlf, &message(1000)).1, None);
    assert_eq!(decode(LineEnding::Crlf, &message(1001)).1, Some(Fault::LineTooLong(1000)));
    // The dot of transparency does not count (RFC 5321 §4.5.3.1.6).
    let stuffed = [b".", &message(1000)[..]].concat();
    assert_eq!(decode(LineEnding::Crlf, &stuffed).1, None);
}

#[test]
fn a_message_at_the_size_limit_is_taken_and_one_octet_more_is_not() {
    let message = |n: u64| {
        let mut out = b"x\r\n".repeat(usize::try_from(n / 3).unwrap());
        out.splice(0..0, vec![b'y'; usize::try_from(n % 3).unwrap()]);
        out.extend_from_slice(b".\r\n");
        out
    };
    let at_limit = decode(LineEnding::Crlf, &message(LIMITS.message_bytes_max));
    assert_eq!((at_limit.1, at_limit.0.len() as u64), (None, LIMITS.message_bytes_max));
    let past = decode(LineEnding::Crlf, &message(LIMITS.message_bytes_max + 1));
    assert_eq!((past.1, past.2), (Some(Fault::TooBig(LIMITS.message_bytes_max)), Progress::End));
}

#[test]
fn data_without_end_is_given_up_after_as_much_again_as_a_message_may_have() {
    let mut decoder = DataDecoder::new(LineEnding::Crlf, LIMITS);
    let mut out = Vec::new();
    let mut fed = 0;
    loop {
        let (n, progress) = decoder.decode(&b"x\r\n".repeat(1000), &mut out);
        fed += n as u64;
        assert!(fed <= 3 * LIMITS.message_bytes_max, "never given up");
        if progress == Progress::Endless {
            break;
        }
    }
    assert!(out.len() as u64 <= LIMITS.message_bytes_max);
    assert!(fed > 2 * LIMITS.message_bytes_max);
}
