//! BDAT (RFC 3030 §2 and §4.2).

use types::{Reply, ReplyKind};

use super::transaction::Chunks;
use super::{Message, Role, Session, State, Step};
use crate::codec::chunk::ChunkChecker;
use crate::codec::fault::Fault;
use crate::grammar::command::Chunk;

impl<R> Session<R> {
    /// The chunk follows at once, whatever the reply: where it is refused, its octets are passed over and are
    /// never read as commands, and the transaction is over.
    pub(super) fn bdat_command(&mut self, chunk: Chunk) {
        let role = self.config.role;
        let failed_recipients = self.failed_recipients.take();
        let mut chunks = match std::mem::replace(&mut self.state, State::Idle) {
            _ if self.needs_tls() => return self.discard(chunk, ReplyKind::TlsRequired.reply(), 1),
            _ if role == Role::OnDemand => {
                return self.discard(chunk, ReplyKind::CommandNotImplemented.with("BDAT"), 1);
            }
            State::InTransaction(transaction) => {
                if transaction.recipients.is_empty() {
                    // RFC 2033 §4.3: in LMTP the end of a message for nobody has no reply at all.
                    let replies = if chunk.last { transaction.replies(role) } else { 1 };
                    return self.discard(chunk, transaction.no_recipients(role), replies);
                }
                let checker = ChunkChecker::new(transaction.mail.parameters.body_type, self.config.message);
                Chunks { transaction, checker, body: Vec::new() }
            }
            State::BetweenChunks(chunks) => chunks,
            _ => {
                let replies = if chunk.last { failed_recipients.unwrap_or(1) } else { 1 };
                self.discard(chunk, ReplyKind::ChunkDiscarded.reply(), replies);
                self.failed_recipients = failed_recipients.filter(|_| !chunk.last);
                return;
            }
        };
        if chunks.checker.announce(chunk.size_bytes) {
            let reply = Fault::TooBig(self.config.message.message_bytes_max).reply();
            let replies = self.replies_of_failed(&chunks, chunk.last);
            return self.discard(chunk, reply, replies);
        }
        self.state = State::ReceivingChunk(chunks, chunk);
    }

    /// How many replies a chunk has that ends a transaction by its failure. In LMTP BDAT LAST still comes, and its
    /// client expects one for each recipient then.
    fn replies_of_failed(&mut self, chunks: &Chunks<R>, last: bool) -> usize {
        let replies = chunks.transaction.replies(self.config.role);
        if last {
            return replies;
        }
        self.failed_recipients = Some(replies);
        1
    }

    fn discard(&mut self, chunk: Chunk, reply: Reply, replies: usize) {
        if chunk.size_bytes > self.config.message.message_bytes_max.saturating_mul(2) {
            // Nobody waits for the end of that.
            return self.give_up(&reply);
        }
        self.state = State::DiscardingChunk(chunk.size_bytes, reply, replies);
    }

    pub(super) fn discard_chunk(&mut self, input: &[u8]) -> (usize, Option<Step>) {
        let State::DiscardingChunk(remaining, ..) = &mut self.state else { return (0, None) };
        let consumed = bite(input, *remaining);
        *remaining -= consumed as u64;
        if *remaining > 0 {
            return (consumed, Some(Step::Input));
        }
        if let State::DiscardingChunk(_, reply, replies) = std::mem::replace(&mut self.state, State::Idle) {
            // Not an error of its own: many may follow the failed one in the pipeline, and RFC 3030 §2 wants
            // them discarded. They count as idle commands.
            self.reply_each(&reply, replies);
        }
        (consumed, None)
    }

    pub(super) fn receive_chunk(&mut self, input: &[u8]) -> (usize, Option<Step>) {
        let body_chunk_bytes = self.config.body_chunk_bytes;
        let State::ReceivingChunk(chunks, chunk) = &mut self.state else { return (0, None) };
        // What is left of chunks before counts too: many small ones make no large one.
        let room = body_chunk_bytes.saturating_sub(chunks.body.len());
        if room == 0 && chunk.size_bytes > 0 {
            return (0, Some(Step::Body));
        }
        let consumed = bite(input, chunk.size_bytes).min(room);
        chunks.checker.check(&input[..consumed], &mut chunks.body);
        chunk.size_bytes -= consumed as u64;
        if chunk.size_bytes == 0 {
            self.end_chunk();
            return (consumed, None);
        }
        (consumed, if consumed < input.len() { None } else { Some(Step::Input) })
    }

    fn end_chunk(&mut self) {
        let State::ReceivingChunk(mut chunks, chunk) = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        if chunk.last {
            chunks.checker.end();
        }
        let size_bytes = chunks.checker.size_bytes();
        if let Some(fault) = chunks.checker.fault() {
            let replies = self.replies_of_failed(&chunks, chunk.last);
            self.reply_each(&fault.reply(), replies);
        } else if chunk.last {
            let Chunks { transaction, body, .. } = chunks;
            self.state = State::AskedMessage(Message { transaction, body, size_bytes });
        } else {
            self.state = State::BetweenChunks(chunks);
            self.reply(&ReplyKind::ChunkReceived.with(size_bytes));
        }
    }
}

/// How much of `input` belongs to the next `octets`.
fn bite(input: &[u8], octets: u64) -> usize {
    usize::try_from(octets).unwrap_or(usize::MAX).min(input.len())
}
