//! Runs what is asked of a store without a runtime and without threads: whoever drives decides when is committed
//! and when is applied.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use store::embedded::Embedded;

/// Something that is asked of a store, in progress.
pub type Asked<'s, T> = Pin<Box<dyn Future<Output = T> + Send + 's>>;

/// Goes on with what is asked as far as it can go by itself.
pub fn poll<T>(asked: &mut Asked<'_, T>) -> Option<T> {
    match asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Commits several things in one batch. `None` for what got no answer, as after a power cut.
pub fn commit<T>(store: &Embedded, mut asked: Vec<Asked<'_, T>>) -> Vec<Option<T>> {
    // What needs no commit is answered at once, and the rest is in the queue after this.
    let mut done: Vec<Option<T>> = asked.iter_mut().map(poll).collect();
    store.commit_pending();
    for (asked, done) in asked.iter_mut().zip(&mut done) {
        if done.is_none() {
            *done = poll(asked);
        }
    }
    done
}

/// Does one thing with everything that it needs: commit, and the view brought up.
pub fn run<T>(store: &Embedded, asked: impl Future<Output = T> + Send) -> Option<T> {
    let mut asked: Asked<'_, T> = Box::pin(asked);
    // A read waits for the view, a change for the commit; a view that fails tells the reader why.
    for _ in 0..STEPS_MAX {
        if let Some(value) = poll(&mut asked) {
            return Some(value);
        }
        store.commit_pending();
        let _ = store.apply_pending();
    }
    None
}

/// Nothing that is asked of a store takes more than a few steps.
const STEPS_MAX: usize = 16;
