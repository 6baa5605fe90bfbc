//! What becomes of the octets after DATA, by searching all of them at once: no states, nothing carried from piece
//! to piece. From RFC 5321 §4.1.1.4 and §4.5.2.

use smtp::codec::LineEnding;
use smtp::codec::data::{DataDecoder, Progress};
use smtp::codec::fault::{Fault, MessageLimits};

/// How the data ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Not yet.
    Open,
    /// At CRLF.CRLF (or LF.LF in a hand-typed session).
    End,
    /// At a line with only a dot whose line ends are not those.
    Ambiguous,
    /// The decoder waits no longer.
    Endless,
}

/// What there is to know about the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub ending: Ending,
    /// Octets up to and with the end.
    pub consumed: usize,
    /// Without transparency; of use only where nothing is wrong with it.
    pub message: Vec<u8>,
    /// All that is wrong with it.
    pub faults: Vec<Fault>,
}

/// The verdict on `input`.
pub fn judge(line_ending: LineEnding, limits: MessageLimits, input: &[u8]) -> Verdict {
    let (ending, dot, consumed) = end_of_data(line_ending, input);
    let raw = &input[..dot];
    let eol: &[u8] = if line_ending == LineEnding::Crlf { b"\r\n" } else { b"\n" };
    let mut faults = Vec::new();
    if (0..raw.len()).any(|at| is_bare_cr(line_ending, &input[..consumed], at)) {
        faults.push(Fault::BareCr);
    }
    if line_ending == LineEnding::Crlf && (0..raw.len()).any(|at| is_bare_lf(raw, at)) {
        faults.push(Fault::BareLf);
    }
    if raw.contains(&0) {
        faults.push(Fault::Nul);
    }
    let mut message = Vec::new();
    for line in split_after(raw, eol) {
        let line = line.strip_prefix(b".").unwrap_or(line);
        match line.strip_suffix(eol) {
            Some(text) => message.extend([text, b"\r\n"].concat()),
            None => message.extend(line),
        }
    }
    // Any CR and LF parts lines here: where there are bare ones the message is at fault anyway.
    let longest = split_after(raw, eol)
        .into_iter()
        .map(|line| line.strip_prefix(b".").unwrap_or(line))
        .flat_map(|line| line.split(|b| matches!(b, b'\r' | b'\n')).map(<[u8]>::len).collect::<Vec<_>>())
        .max();
    if longest.is_some_and(|longest| longest + 2 > limits.line_bytes_max) {
        faults.push(Fault::LineTooLong(limits.line_bytes_max));
    }
    if message.len() as u64 > limits.message_bytes_max {
        faults.push(Fault::TooBig(limits.message_bytes_max));
    }
    Verdict { ending, consumed, message, faults }
}

/// The verdict of the product on `input` in pieces.
pub fn decode(line_ending: LineEnding, limits: MessageLimits, pieces: &[&[u8]]) -> Verdict {
    let mut decoder = DataDecoder::new(line_ending, limits);
    let mut verdict = Verdict { ending: Ending::Open, consumed: 0, message: Vec::new(), faults: Vec::new() };
    for piece in pieces {
        let (consumed, progress) = decoder.decode(piece, &mut verdict.message);
        verdict.consumed += consumed;
        verdict.ending = match progress {
            Progress::More => {
                assert_eq!(consumed, piece.len(), "more is wanted, and not all was taken");
                continue;
            }
            Progress::End => Ending::End,
            Progress::Ambiguous => Ending::Ambiguous,
            Progress::Endless => Ending::Endless,
        };
        break;
    }
    if decoder.fault().is_none() {
        assert_eq!(decoder.size_bytes(), verdict.message.len() as u64);
    }
    verdict.faults = decoder.fault().into_iter().collect();
    verdict
}

/// Panics where the product's verdict is not the oracle's. `Open` data may end in a CR or a dot whose meaning is
/// not known yet, so there only the ending counts.
pub fn compare(line_ending: LineEnding, limits: MessageLimits, input: &[u8], pieces: &[&[u8]]) {
    let expected = judge(line_ending, limits, input);
    let found = decode(line_ending, limits, pieces);
    if found.ending == Ending::Endless {
        assert!(input.len() as u64 > limits.message_bytes_max, "given up after {} octets", input.len());
        assert!(!expected.faults.is_empty());
        return;
    }
    assert_eq!((&found.ending, found.consumed), (&expected.ending, expected.consumed), "{input:?}");
    match (found.ending, found.faults.first()) {
        (Ending::End, None) => {
            assert_eq!((expected.faults, found.message), (vec![], expected.message), "{input:?}");
        }
        (Ending::End, Some(fault)) => {
            assert!(expected.faults.contains(fault), "{fault:?} of {:?}: {input:?}", expected.faults);
        }
        _ => {}
    }
}

/// The ending, where its dot stands, and the octets up to and with it.
fn end_of_data(line_ending: LineEnding, input: &[u8]) -> (Ending, usize, usize) {
    for dot in (0..input.len()).filter(|at| input[*at] == b'.') {
        let before = &input[..dot];
        let ends_a_line = match line_ending {
            LineEnding::Crlf => before.is_empty() || before.ends_with(b"\r\n"),
            LineEnding::Lf => before.is_empty() || before.ends_with(b"\n") && !before.ends_with(b"\r\n"),
        };
        if !before.is_empty() && !matches!(before.last(), Some(b'\r' | b'\n')) {
            continue;
        }
        match (line_ending, &input[dot + 1..]) {
            (LineEnding::Crlf, [b'\r', b'\n', ..]) if ends_a_line => return (Ending::End, dot, dot + 3),
            (LineEnding::Lf, [b'\n', ..]) if ends_a_line => return (Ending::End, dot, dot + 2),
            (_, [b'\n', ..]) => return (Ending::Ambiguous, dot, dot + 2),
            (_, [b'\r', _, ..]) => return (Ending::Ambiguous, dot, dot + 3),
            _ => {}
        }
    }
    (Ending::Open, input.len(), input.len())
}

fn is_bare_cr(line_ending: LineEnding, input: &[u8], at: usize) -> bool {
    input[at] == b'\r' && (line_ending == LineEnding::Lf || input.get(at + 1) != Some(&b'\n'))
}

fn is_bare_lf(input: &[u8], at: usize) -> bool {
    input[at] == b'\n' && (at == 0 || input[at - 1] != b'\r')
}

fn split_after<'a>(input: &'a [u8], eol: &[u8]) -> Vec<&'a [u8]> {
    let mut lines = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(eol.len()).position(|window| window == eol) {
        let (line, after) = rest.split_at(at + eol.len());
        lines.push(line);
        rest = after;
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}
