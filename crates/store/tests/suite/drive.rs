//! A store without threads, driven by hand.

use std::future::Future;

use store::embedded::Embedded;

/// Runs one thing on a store without threads, and without a runtime: tokio would want to be yielded to.
pub fn manual<T>(store: &Embedded, asked: impl Future<Output = T>) -> T {
    let mut asked = std::pin::pin!(asked);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..256 {
        if let std::task::Poll::Ready(value) = asked.as_mut().poll(&mut cx) {
            return value;
        }
        store.commit_pending();
        store.apply_pending().unwrap();
    }
    panic!("no answer");
}

/// Gives up all segments that can be; returns how many.
pub fn reclaim_all(store: &Embedded) -> u64 {
    let mut reclaimed = 0;
    while store.reclaim().unwrap() {
        reclaimed += 1;
        assert!(reclaimed < 1000, "giving up segments never ends");
    }
    reclaimed
}
