//! One host at several addresses: which of them answers first.
//!
//! Standards: RFC 8305 §5. The next address is tried when the one before has had its head start, or as soon as one has
//! failed; the first that connects has won, and the others are closed without a word. The order, with the families in
//! turn (§4), is the route's. Only addresses of one host race: a host that is less preferred is not asked while one that
//! is more may still answer (RFC 5321 §5.1).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, Timeout, sleep_until, timeout};

/// How long an address is tried before the next one is tried beside it (RFC 8305 §8: 250 ms, and no less than 100).
pub(super) const HEAD_START: Duration = Duration::from_millis(250);

/// What became of the addresses, by their number.
#[derive(Debug)]
pub(super) struct Raced<S> {
    /// The one that connected, if any did.
    pub(super) won: Option<(usize, S)>,
    /// Those that failed, in that order.
    pub(super) failed: Vec<(usize, io::Error)>,
    /// Those that had a head start and had said nothing when another one connected.
    pub(super) outrun: Vec<usize>,
}

/// Connections that are being made.
struct Race<F> {
    /// In the order in which they began, so that of two that are ready the preferred one wins.
    running: Vec<(usize, Pin<Box<Timeout<F>>>)>,
    /// When the next one begins; none where there is no next one.
    next: Option<Pin<Box<Sleep>>>,
}

/// What happened next.
enum Heard<S> {
    /// The connection at this place is made, or has failed.
    Ended(usize, io::Result<S>),
    /// The last one has had its head start.
    Due,
}

/// Makes connections of which nobody has begun yet, each within `limit`.
pub(super) async fn race<S, F>(connections: Vec<F>, limit: Duration) -> Raced<S>
where
    F: Future<Output = io::Result<S>>,
{
    let mut raced = Raced { won: None, failed: Vec::new(), outrun: Vec::new() };
    let mut race = Race { running: Vec::new(), next: None };
    let mut waiting = connections.into_iter().enumerate();
    // Each turn of the loop is for the beginning of one more.
    loop {
        if let Some((number, connection)) = waiting.next() {
            race.running.push((number, Box::pin(timeout(limit, connection))));
            let has_next = waiting.len() > 0;
            race.next = has_next.then(|| Box::pin(sleep_until(Instant::now() + HEAD_START)));
        }
        if race.running.is_empty() {
            return raced;
        }
        match poll_fn(|context| race.poll(context)).await {
            Heard::Due => {}
            Heard::Ended(at, result) => {
                let (number, _) = race.running.remove(at);
                match result {
                    Ok(stream) => {
                        raced.won = Some((number, stream));
                        raced.outrun = race.running.iter().map(|(other, _)| *other).collect();
                        raced.outrun.retain(|other| *other < number);
                        return raced;
                    }
                    Err(error) => raced.failed.push((number, error)),
                }
            }
        }
    }
}

impl<S, F: Future<Output = io::Result<S>>> Race<F> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Heard<S>> {
        for (at, (_, connecting)) in self.running.iter_mut().enumerate() {
            if let Poll::Ready(result) = connecting.as_mut().poll(context) {
                let result = result.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                return Poll::Ready(Heard::Ended(at, result));
            }
        }
        let Some(next) = &mut self.next else { return Poll::Pending };
        ready!(next.as_mut().poll(context));
        self.next = None;
        Poll::Ready(Heard::Due)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::sleep;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const LIMIT: Duration = Duration::from_secs(8);

    /// How an address behaves.
    #[derive(Clone, Copy)]
    enum Address {
        AnswersAfter(u32),
        RefusesAfter(u32),
        IsSilent,
    }
    use Address::{AnswersAfter, IsSilent, RefusesAfter};

    /// Tells when it is closed.
    struct Made<'a>(usize, &'a Mutex<Vec<usize>>);

    impl Drop for Made<'_> {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    /// What a race came to, all times from its beginning.
    #[derive(Debug, Default, PartialEq)]
    struct Told {
        won: Option<usize>,
        failed: Vec<usize>,
        outrun: Vec<usize>,
        took_ms: u128,
        began_ms: Vec<u128>,
        /// Connections that were given up or closed.
        closed: Vec<usize>,
    }

    async fn told(addresses: &[Address]) -> Told {
        let start = Instant::now();
        let began = Mutex::new(Vec::new());
        let closed = Mutex::new(Vec::new());
        let connection = |number: usize| {
            let (began, closed) = (&began, &closed);
            async move {
                began.lock().unwrap().push(start.elapsed().as_millis());
                let made = Made(number, closed);
                match addresses[number] {
                    AnswersAfter(after) => sleep(after * MS).await,
                    RefusesAfter(after) => {
                        sleep(after * MS).await;
                        return Err(io::ErrorKind::ConnectionRefused.into());
                    }
                    IsSilent => std::future::pending().await,
                }
                Ok(made)
            }
        };
        let raced = race((0..addresses.len()).map(connection).collect(), LIMIT).await;
        let took_ms = start.elapsed().as_millis();
        let closed = closed.lock().unwrap().clone();
        Told {
            won: raced.won.as_ref().map(|(number, _)| *number),
            failed: raced.failed.iter().map(|(number, _)| *number).collect(),
            outrun: raced.outrun,
            took_ms,
            began_ms: began.lock().unwrap().clone(),
            closed,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_answers_within_its_head_start_is_alone() {
        let told = told(&[AnswersAfter(240), AnswersAfter(0)]).await;
        assert_eq!(told, Told { won: Some(0), took_ms: 240, began_ms: vec![0], ..Told::default() });
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_is_silent_costs_its_head_start_and_no_more() {
        let told = told(&[IsSilent, AnswersAfter(20), AnswersAfter(0)]).await;
        let expected = Told {
            won: Some(1),
            outrun: vec![0],
            took_ms: 270,
            began_ms: vec![0, 250],
            closed: vec![0],
            ..Told::default()
        };
        assert_eq!(told, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_address_is_tried_as_soon_as_one_has_failed() {
        let told = told(&[RefusesAfter(5), RefusesAfter(5), AnswersAfter(5)]).await;
        let expected = Told {
            won: Some(2),
            failed: vec![0, 1],
            took_ms: 15,
            began_ms: vec![0, 5, 10],
            closed: vec![0, 1],
            ..Told::default()
        };
        assert_eq!(told, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_address_that_was_tried_first_wins_where_the_others_are_slower() {
        let told = told(&[AnswersAfter(400), AnswersAfter(400), AnswersAfter(400)]).await;
        let expected = Told {
            won: Some(0),
            took_ms: 400,
            began_ms: vec![0, 250],
            // The loser is no failure, and no word is lost about it.
            closed: vec![1],
            ..Told::default()
        };
        assert_eq!(told, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_beside_an_address_that_is_tried_does_not_end_that_one() {
        let told = told(&[AnswersAfter(600), RefusesAfter(10), AnswersAfter(1000)]).await;
        let expected = Told {
            won: Some(0),
            failed: vec![1],
            took_ms: 600,
            began_ms: vec![0, 250, 260],
            closed: vec![1, 2],
            ..Told::default()
        };
        assert_eq!(told, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_answers_each_address_has_had_its_time_and_all_are_told() {
        let told = told(&[IsSilent, RefusesAfter(100), IsSilent]).await;
        let expected = Told {
            failed: vec![1, 0, 2],
            took_ms: 8350,
            began_ms: vec![0, 250, 350],
            closed: vec![1, 0, 2],
            ..Told::default()
        };
        assert_eq!(told, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_has_nobody_to_race_with() {
        let silent = told(&[IsSilent]).await;
        assert_eq!((silent.won, silent.failed, silent.took_ms), (None, vec![0], LIMIT.as_millis()));
        assert_eq!(told(&[]).await, Told::default());
    }
}
