//! What all machines of a seed's world share: the plan, the ledger, and the tape of everything that reached a disk or
//! the network.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::{MailboxId, Uid};
use types::MailId;

use super::Summary;
use super::gate::Operation;
use super::ledger::Ledger;
use super::plan::Plan;
use crate::random::Random;

/// What all share.
#[derive(Debug)]
pub(super) struct World {
    pub(super) plan: Plan,
    state: Mutex<State>,
}

/// What changes.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) ledger: Ledger,
    pub(super) summary: Summary,
    /// The first promise that was found broken.
    pub(super) failure: Option<String>,
    /// Which message each UID was given to: node, mailbox, UID.
    pub(super) uids: BTreeMap<(usize, MailboxId, Uid), MailId>,
    /// The time, as long as no machine runs that has it.
    pub(super) elapsed: Duration,
    /// All operations on disks and the network.
    tape: Vec<Entry>,
    digest: u64,
}

/// An operation on a disk or the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, by the world's time.
    pub at: Duration,
    /// Of which node.
    pub node: usize,
    /// Which.
    pub operation: Operation,
    /// How many octets it is about, and a sum of them.
    pub octets: (usize, u64),
    /// The first of them.
    pub beginning: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, node, operation, octets: (count, _), beginning } = self;
        write!(f, "{at:?} node {node} {operation:?} of {count}: {beginning}")
    }
}

/// Octets of an operation that are shown.
const BEGINNING_BYTES: usize = 160;

impl World {
    pub(super) fn new(plan: Plan) -> Arc<Self> {
        Arc::new(Self { plan, state: Mutex::default() })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since the beginning, that no wall clock shows.
    pub(super) fn elapsed(&self) -> Duration {
        turmoil::sim_elapsed().unwrap_or_else(|| self.state().elapsed)
    }

    pub(super) fn is_healed(&self) -> bool {
        self.elapsed() >= self.plan.heals_at
    }

    /// A promise is broken. The first one counts.
    pub(super) fn fail(&self, what: impl Into<String>) {
        self.state().failure.get_or_insert(what.into());
    }

    /// Random numbers of one machine, connection or message.
    pub(super) fn random(&self, of: u64) -> Random {
        let mut random = Random::new(self.plan.seed ^ of.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Random::new(random.number())
    }

    /// Puts an operation on the tape.
    pub(super) fn tape(&self, node: usize, operation: Operation, octets: &[u8]) {
        // FNV-1a: one multiplication an octet, and nothing to depend on.
        let mut sum = 0xcbf2_9ce4_8422_2325_u64 ^ (node as u64) << 8 ^ operation as u64;
        for octet in octets {
            sum = (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
        }
        let at = self.elapsed();
        let mut state = self.state();
        state.digest = Random::new(state.digest ^ sum).number();
        let beginning = octets[..octets.len().min(BEGINNING_BYTES)].escape_ascii().to_string();
        state.tape.push(Entry { at, node, operation, octets: (octets.len(), sum), beginning });
        state.summary.operations += 1;
    }

    /// What is on the tape, and a digest of it.
    pub(super) fn taped(&self) -> (Vec<Entry>, u64) {
        let mut state = self.state();
        (std::mem::take(&mut state.tape), state.digest)
    }
}
