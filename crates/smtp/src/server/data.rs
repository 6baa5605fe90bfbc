//! DATA (RFC 5321 §4.1.1.4).

use types::{BodyType, ReplyKind};

use super::{Message, Session, State, Step};
use crate::codec::data::{DataDecoder, Progress};

impl<R> Session<R> {
    pub(super) fn data_command(&mut self) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::InTransaction(transaction) => {
                if transaction.mail.parameters.body_type == BodyType::BinaryMime {
                    self.state = State::InTransaction(transaction);
                    return self.refuse(&ReplyKind::BinaryNeedsBdat.reply());
                }
                if transaction.recipients.is_empty() {
                    let reply = transaction.no_recipients(self.config.role);
                    self.state = State::InTransaction(transaction);
                    return self.reply(&reply);
                }
                self.reply(&ReplyKind::StartMailInput.reply());
                let decoder = DataDecoder::new(self.lines.line_ending(), self.config.message);
                self.state = State::ReceivingData(transaction, decoder, Vec::new());
            }
            State::BetweenChunks(chunks) => {
                // RFC 3030 §2: DATA and BDAT do not mix.
                self.state = State::BetweenChunks(chunks);
                self.bad_sequence("The message has begun with BDAT and must end with BDAT LAST");
            }
            state => {
                self.state = state;
                self.bad_sequence("Say MAIL FROM and RCPT TO first");
            }
        }
    }

    pub(super) fn receive_data(&mut self, input: &[u8]) -> (usize, Option<Step>) {
        let body_chunk_bytes = self.config.body_chunk_bytes;
        let State::ReceivingData(_, decoder, body) = &mut self.state else { return (0, None) };
        // A bounded bite, so that the body's buffer stays bounded too: what is typed by hand grows by up to an
        // octet for each, to CRLF.
        let room = body_chunk_bytes.saturating_sub(body.len()).max(1);
        let bite = &input[..input.len().min(room)];
        let (consumed, progress) = decoder.decode(bite, body);
        match progress {
            Progress::More if body.len() >= body_chunk_bytes => (consumed, Some(Step::Body)),
            Progress::More if consumed < input.len() => (consumed, None),
            Progress::More => (consumed, Some(Step::Input)),
            Progress::End => {
                self.end_of_data();
                (consumed, None)
            }
            Progress::Ambiguous => {
                self.state = State::Idle;
                self.give_up(&ReplyKind::AmbiguousEndOfData.reply());
                (consumed, None)
            }
            Progress::Endless => {
                let reply = decoder.fault().map(crate::codec::fault::Fault::reply);
                self.state = State::Idle;
                self.give_up(&reply.unwrap_or_else(|| ReplyKind::TooManyErrors.reply()));
                (consumed, None)
            }
        }
    }

    fn end_of_data(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Idle) {
            State::ReceivingData(transaction, decoder, body) => match decoder.fault() {
                None => State::AskedMessage(Message { transaction, body, size_bytes: decoder.size_bytes() }),
                Some(fault) => {
                    self.reply_each(&fault.reply(), transaction.replies(self.config.role));
                    State::Idle
                }
            },
            state => state,
        };
    }
}
