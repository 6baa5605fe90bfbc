//! File descriptors: each connection takes one, and what keeps the mail must never be short of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{info, warn};

/// Descriptors that connections leave to the store, the listeners and the control socket.
const RESERVED: u64 = 128;

/// How many connections there can be at one time, of the `wanted` ones. Raises the process's own limit as far as
/// the system lets it: many systems begin at 1024, for the sake of programs that use `select`.
pub(crate) fn connections_max(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let limit = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
    // No number means no limit.
    let connections = limit.current.map_or(wanted, |descriptors| within(wanted, descriptors));
    if connections < wanted {
        warn!(wanted, connections, "fewer connections than configured: the limit of open files is too low");
    } else {
        info!(connections, "connections at one time, at most");
    }
    connections
}

fn within(wanted: usize, descriptors: u64) -> usize {
    let reserved = RESERVED.min(descriptors / 2);
    usize::try_from(descriptors - reserved).unwrap_or(usize::MAX).min(wanted).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_store() {
        for (wanted, descriptors, connections) in [
            (10_000, 1_048_576, 10_000),
            (10_000, 1024, 896),
            (10, 1024, 10),
            (10_000, 64, 32),
            (10_000, 1, 1),
            (10_000, 0, 1),
        ] {
            assert_eq!(within(wanted, descriptors), connections, "{descriptors}");
        }
    }
}
