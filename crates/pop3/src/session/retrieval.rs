//! RETR (RFC 1939 §5) and TOP (RFC 1939 §7): a message on its way from the driver to the client.

use super::{Failure, Headers, Next, State};
use crate::maildrop::MarkedMaildrop;
use crate::surrogate::Surrogate;
use crate::{Excerpt, Flow, MultiLine, Response};

/// The message that is being streamed.
pub(super) struct Retrieval {
    what: What,
    /// Where the client takes no UTF-8 in a header section.
    surrogate: Option<Surrogate>,
    lines: MultiLine,
    octets: u64,
    has_begun: bool,
}

enum What {
    Whole { index: usize, size_bytes: u64 },
    Top(Excerpt),
}

impl Retrieval {
    /// RETR.
    pub(super) const fn whole(index: usize, size_bytes: u64, headers: Headers) -> Self {
        Self::new(What::Whole { index, size_bytes }, headers)
    }

    /// TOP.
    pub(super) const fn top(body_lines: u64, headers: Headers) -> Self {
        Self::new(What::Top(Excerpt::new(body_lines)), headers)
    }

    const fn new(what: What, headers: Headers) -> Self {
        let surrogate = match headers {
            Headers::Ascii => Some(Surrogate::new()),
            Headers::Utf8 => None,
        };
        Self { what, surrogate, lines: MultiLine::new(), octets: 0, has_begun: false }
    }

    /// Takes octets.
    pub(super) fn content(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Flow {
        if octets.is_empty() {
            return Flow::More;
        }
        self.begin(out);
        self.octets = self.octets.saturating_add(octets.len() as u64);
        match &mut self.surrogate {
            Some(surrogate) if !surrogate.is_past_header() => {
                let mut shown = Vec::new();
                surrogate.push(octets, &mut shown);
                self.send(&shown, out)
            }
            _ => self.send(octets, out),
        }
    }

    /// RFC 6858 §4: the lines that TOP wants are those of what is shown.
    fn send(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Flow {
        let (wanted, flow) = match &mut self.what {
            What::Whole { .. } => (octets.len(), Flow::More),
            What::Top(excerpt) => excerpt.measure(octets),
        };
        self.lines.push(&octets[..wanted], out);
        flow
    }

    /// Ends the response, or breaks it off.
    pub(super) fn end(
        mut self,
        mut maildrop: MarkedMaildrop,
        result: Result<(), Failure>,
        out: &mut Vec<u8>,
    ) -> Next {
        let result = match self.what {
            What::Whole { size_bytes, .. } if result.is_ok() && self.octets != size_bytes => {
                Err(Failure::Permanent)
            }
            _ => result,
        };
        let response = match result {
            Ok(()) => {
                self.begin(out);
                let mut rest = Vec::new();
                if let Some(surrogate) = self.surrogate.take() {
                    surrogate.finish(&mut rest);
                }
                self.send(&rest, out);
                if let What::Whole { index, .. } = self.what {
                    maildrop.retrieved(index);
                }
                self.lines.finish(out);
                return Next::State(State::Transaction(maildrop));
            }
            Err(_) if self.has_begun => return Next::State(State::Closed),
            Err(Failure::Temporary) => Response::MessageUnavailable,
            Err(Failure::Permanent) => Response::MessageDamaged,
            Err(Failure::Gone) => Response::MessageGone,
            Err(Failure::LoginEnded) => {
                Response::LoginEnded.write_to(out);
                return Next::State(State::Closed);
            }
        };
        // The client did nothing wrong, so this is none of its errors.
        response.write_to(out);
        Next::State(State::Transaction(maildrop))
    }

    /// The first line waits for the first octet: a message that cannot be read gets an error instead.
    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.has_begun {
            return;
        }
        self.has_begun = true;
        match self.what {
            What::Whole { size_bytes, .. } => Response::Message.write_with(size_bytes, out),
            What::Top(_) => Response::TopOfMessage.write_to(out),
        }
    }
}
