//! RETR (RFC 1939 §5) and TOP (RFC 1939 §7): a message on its way from the driver to the client.

use super::{Failure, Next, State};
use crate::maildrop::MarkedMaildrop;
use crate::{Excerpt, Flow, MultiLine, Response};

/// The message that is being streamed.
pub(super) struct Retrieval {
    what: What,
    lines: MultiLine,
    octets: u64,
    has_begun: bool,
}

enum What {
    Whole { size_bytes: u64 },
    Top(Excerpt),
}

impl Retrieval {
    /// RETR.
    pub(super) const fn whole(size_bytes: u64) -> Self {
        Self::new(What::Whole { size_bytes })
    }

    /// TOP.
    pub(super) const fn top(body_lines: u64) -> Self {
        Self::new(What::Top(Excerpt::new(body_lines)))
    }

    const fn new(what: What) -> Self {
        Self { what, lines: MultiLine::new(), octets: 0, has_begun: false }
    }

    /// Takes octets.
    pub(super) fn content(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Flow {
        if octets.is_empty() {
            return Flow::More;
        }
        self.begin(out);
        self.octets = self.octets.saturating_add(octets.len() as u64);
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
        maildrop: MarkedMaildrop,
        result: Result<(), Failure>,
        out: &mut Vec<u8>,
    ) -> Next {
        let result = match self.what {
            What::Whole { size_bytes } if result.is_ok() && self.octets != size_bytes => {
                Err(Failure::Permanent)
            }
            _ => result,
        };
        let response = match result {
            Ok(()) => {
                self.begin(out);
                self.lines.finish(out);
                return Next::State(State::Transaction(maildrop));
            }
            Err(_) if self.has_begun => return Next::State(State::Closed),
            Err(Failure::Temporary) => Response::MessageUnavailable,
            Err(Failure::Permanent) => Response::MessageDamaged,
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
            What::Whole { size_bytes } => Response::Message.write_with(size_bytes, out),
            What::Top(_) => Response::TopOfMessage.write_to(out),
        }
    }
}
