//! Memory that was used for a moment goes back to the system.
//!
//! The allocator keeps freed memory for a second and gives it back when it is next asked for much. A node that is
//! idle never asks: without a hint, the 19 MiB of one password hash would be held until the next one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longer than the allocator keeps what was freed.
const DELAY: Duration = Duration::from_millis(1500);
/// Enough to be served apart from small allocations. It is never written to, so it takes no memory.
const HINT_BYTES: usize = 32 * 1024 * 1024;

/// Gives back, a little later, what was freed just now. Calls meanwhile share one hint.
pub(crate) fn give_back_later() {
    static WAITING: AtomicBool = AtomicBool::new(false);
    if WAITING.swap(true, Ordering::Relaxed) {
        return;
    }
    tokio::spawn(async {
        tokio::time::sleep(DELAY).await;
        WAITING.store(false, Ordering::Relaxed);
        drop(std::hint::black_box(Vec::<u8>::with_capacity(HINT_BYTES)));
    });
}
