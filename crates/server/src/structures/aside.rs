//! Work that takes long, away from the threads that serve everybody.

use std::future::Future;

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does something on a thread of its own, where the runtime has several: whoever waits for the disk, or computes, keeps nobody
/// from being served. None where the runtime stops. Who drops what is returned leaves the work to end by itself, so it is
/// bounded by who gives it.
pub(crate) async fn aside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let handle = Handle::current();
    if handle.runtime_flavor() != RuntimeFlavor::MultiThread {
        return Some(work.await);
    }
    tokio::task::spawn_blocking(move || handle.block_on(work)).await.ok()
}
