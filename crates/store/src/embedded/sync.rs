//! Small things between threads.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. A thread that panicked with the lock held leaves a value that is whole: no lock in this module is
/// held over more than one change.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs something that may wait for the disk. On a runtime with several workers the others take over meanwhile;
/// elsewhere there is nobody to make room for.
pub(super) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let many =
        Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if many { tokio::task::block_in_place(work) } else { work() }
}
