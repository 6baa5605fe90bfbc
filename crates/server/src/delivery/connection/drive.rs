//! Octets between the machine and the channel.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use super::Connection;

/// How a step ended.
enum Step {
    /// Octets went or came.
    Moved,
    /// The connection is broken, or the other side has closed it.
    Lost,
    /// Nothing happened for too long.
    TimedOut,
}

impl Connection {
    /// Writes what goes and reads what has come; waits until one of them is possible, or until the time is over. While
    /// a host takes no octets it is listened to: it may have refused.
    pub(super) async fn step(&mut self) {
        let Some(wait) = self.client.wait() else {
            // Neither side has anything to do: this cannot go on.
            return self.client.abort();
        };
        self.timer.set(wait);
        match poll_fn(|context| self.poll_step(context)).await {
            Step::Moved => {}
            Step::Lost => self.lost(),
            Step::TimedOut => self.client.timed_out(),
        }
    }

    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        let mut step = Poll::Pending;
        while !self.client.transmit().is_empty() {
            match self.channel.poll_write(context, self.client.transmit()) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Step::Lost),
                Poll::Ready(Ok(count)) => {
                    self.client.transmitted(count);
                    self.timer.gone(count);
                    self.unflushed = true;
                    step = Poll::Ready(Step::Moved);
                }
                Poll::Pending => break,
            }
        }
        if self.unflushed {
            match self.channel.poll_flush(context) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => return Poll::Ready(Step::Lost),
                Poll::Pending => {}
            }
        }
        if let Poll::Ready(read) = self.poll_read(context) {
            return Poll::Ready(read);
        }
        if step.is_pending() && self.timer.poll(context).is_ready() {
            return Poll::Ready(Step::TimedOut);
        }
        step
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        let mut count = 0;
        let client = &mut self.client;
        let read = self.channel.poll_read(context, |octets| {
            count = octets.len();
            client.receive(octets);
        });
        read.map(|read| if read.is_ok() && count > 0 { Step::Moved } else { Step::Lost })
    }

    /// Takes in what has come, without waiting.
    pub(super) fn take_what_came(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while !self.client.is_closed() {
            match self.poll_read(&mut context) {
                Poll::Ready(Step::Moved) => {}
                Poll::Ready(_) => return self.client.lost(),
                Poll::Pending => return,
            }
        }
    }

    /// What the host said before it broke off may still be there.
    fn lost(&mut self) {
        self.take_what_came();
        self.client.lost();
    }
}
