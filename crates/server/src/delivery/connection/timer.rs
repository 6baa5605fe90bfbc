//! How long is waited: RFC 5321 §4.5.3.2 for each reply, and an end to all of it that dripping octets cannot put off.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use smtp::client::{Wait, WaitFor};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a connection may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// Takes the place of the standard's timeouts where it is shorter.
    pub(crate) reply_max: Option<Duration>,
    /// A TLS handshake.
    pub(crate) handshake: Duration,
    /// Everything before the first message.
    pub(crate) opening: Duration,
    /// One message to one recipient.
    pub(crate) message: Duration,
    /// More of it for each further recipient.
    pub(crate) recipient: Duration,
    /// More of it for the size of the message.
    pub(crate) bytes_per_s_min: u64,
    /// QUIT and its reply.
    pub(crate) parting: Duration,
}

/// The timeout that runs.
#[derive(Debug)]
pub(super) struct Timer {
    reply_max: Option<Duration>,
    /// The end of all.
    end: Instant,
    running: Option<Wait>,
    deadline: Instant,
    /// Octets that have gone since the deadline was set.
    gone_bytes: usize,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// While a message goes out, so many octets at least begin a new [`WaitFor::DataBlock`]: a server that takes one octet
/// at a time gains no time by it.
const BLOCK_BYTES_MIN: usize = 16 * 1024;

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            reply_max: None,
            handshake: Duration::from_secs(60),
            // The greeting may take 5 minutes, and EHLO as long (RFC 5321 §4.5.3.2.1).
            opening: Duration::from_secs(15 * 60),
            // MAIL 5 minutes, RCPT 5, DATA 2, a block 3, the end 10.
            message: Duration::from_secs(30 * 60),
            recipient: Duration::from_secs(30),
            bytes_per_s_min: 1024,
            parting: Duration::from_secs(5),
        }
    }
}

impl Timeouts {
    /// A message to so many recipients.
    pub(super) fn transaction(&self, recipients: usize, size_bytes: u64) -> Duration {
        let more = u32::try_from(recipients.saturating_sub(1)).unwrap_or(u32::MAX);
        let by_size = Duration::from_secs(size_bytes / self.bytes_per_s_min.max(1));
        self.message.saturating_add(self.recipient.saturating_mul(more)).saturating_add(by_size)
    }
}

impl Timer {
    pub(super) fn new(timeouts: &Timeouts, end_after: Duration) -> Self {
        let now = Instant::now();
        Self {
            reply_max: timeouts.reply_max,
            end: now + end_after,
            running: None,
            deadline: now,
            gone_bytes: 0,
            sleep: None,
        }
    }

    /// Another part begins, which is to be over after that time.
    pub(super) fn restart(&mut self, end_after: Duration) {
        self.end = Instant::now() + end_after;
        self.running = None;
    }

    /// When all has to be over.
    pub(super) const fn end(&self) -> Instant {
        self.end
    }

    /// Octets went.
    pub(super) const fn gone(&mut self, count: usize) {
        self.gone_bytes = self.gone_bytes.saturating_add(count);
    }

    /// What is waited for now.
    pub(super) fn set(&mut self, wait: Wait) {
        let goes_on = self.running.is_some_and(|running| {
            let is_same_block = running.wait_for == WaitFor::DataBlock
                && wait.wait_for == WaitFor::DataBlock
                && self.gone_bytes < BLOCK_BYTES_MIN;
            running.number == wait.number || is_same_block
        });
        self.running = Some(wait);
        if goes_on {
            return;
        }
        let limit = wait.wait_for.limit();
        let limit = self.reply_max.map_or(limit, |max| max.min(limit));
        self.deadline = (Instant::now() + limit).min(self.end);
        self.gone_bytes = 0;
    }

    /// Ready when the time is over. To be asked when nothing else can be done.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // A timer that is too early is set right when it fires, which is rare; most replies come long before.
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
