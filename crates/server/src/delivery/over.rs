//! Mail over a connection whose direction was turned round (ATRN, RFC 2645; TURN, RFC 821 §3.8): the other side called
//! us, and we are its client now.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use mta::route::{Pattern, Protocol, Route, Transport};
use store::{Destination, QueueItemId};
use tracing::error;
use types::{Domain, Host, Timestamp, TlsParameters, Verdict};

use super::ReversalReport;
use super::attempt::{self, Handed, Line};
use super::board::Loaded;
use super::caution;
use super::conclude;
use super::connection::{Begin, Connection, Target, Terms};
use super::fate::Happened;
use super::loader::LEASE;
use super::runner::{Runner, Setup};
use super::world::{HopTerms, Routed, Stream, Way};
use crate::config::TransportRule;

/// Items that the other side may leave to us in one session: each costs a look for every later step.
const LEFT_MAX: usize = 1000;
/// Items that are claimed at once: they wait for nobody else meanwhile.
const ITEMS_PER_STEP: usize = 20;

/// Sends what waits for these domains, due or not. Who is at the other end has logged in.
pub(super) async fn over(
    runner: &Arc<Runner>,
    setup: &Setup,
    stream: Box<dyn Stream>,
    tls: Option<TlsParameters>,
    domains: &[Domain],
) -> ReversalReport {
    let mut report = ReversalReport::default();
    let rule = Arc::new(TransportRule::new(Pattern::Everything, Transport::OnDemand));
    let routed = Routed::new(rule, Way::Elsewhere(Route::OnDemand));
    let target = Target::Unix("the connection of its own host".into());
    let begin = tls.map_or(Begin::InClear, Begin::Encrypted);
    let terms = attempt::terms(setup, &routed.rule, &HopTerms::none(), Protocol::Smtp);
    let terms = Terms { begin, ..terms };
    let session = runner.new_id(setup);
    let mut line = match Connection::open(stream, &target, &terms).await {
        Ok(connection) => Line::over(connection, target, &routed, session, setup),
        Err(refused) => {
            setup.record(
                session,
                None,
                vec![attempt::note_of(&refused.log, "no session", Verdict::Deferred)],
            );
            return report;
        }
    };
    let mut tried = HashSet::new();
    report.is_complete = true;
    for domain in domains {
        let destination = Destination::of(&Host::Domain(domain.clone()));
        let mut is_settled = false;
        while line.is_open() {
            let items = claimed(runner, setup, &destination, &mut tried).await;
            if items.is_empty() {
                if is_settled {
                    break;
                }
                // What was accepted a moment ago is about to wait for this very connection.
                is_settled = true;
                runner.until_settled(&destination).await;
                continue;
            }
            for loaded in items {
                let Some(loaded) = caution::take_over(runner, setup, loaded).await else {
                    report.left += 1;
                    continue;
                };
                let one = attempt::over(runner, setup, &loaded, &routed, &mut line);
                let handed = AssertUnwindSafe(one).catch_unwind().await;
                let handed = match handed {
                    Ok(handed) => handed,
                    Err(_) => {
                        // As for a worker: a fault of ours counts against the message, and holds up no other for good.
                        line = Line::default();
                        let why = "the attempt came to an unexpected end".to_owned();
                        error!(item = %loaded.item.id, "an attempt to deliver has failed by a fault of this program");
                        let happened = Happened::Ours(why);
                        conclude::conclude(runner, setup, &loaded, None, happened, session).await;
                        Handed::Not
                    }
                };
                if handed == Handed::Whole {
                    tried.remove(&loaded.item.id);
                }
                if handed == Handed::Not { report.left += 1 } else { report.relayed += 1 }
            }
            if tried.len() >= LEFT_MAX {
                break;
            }
        }
        report.is_complete &= line.is_open();
    }
    line.close(setup).await;
    report
}

/// What waits and was not tried on this connection.
async fn claimed(
    runner: &Arc<Runner>,
    setup: &Setup,
    destination: &Destination,
    tried: &mut HashSet<QueueItemId>,
) -> Vec<Loaded> {
    let ever = Timestamp::from_millis(u64::MAX);
    let limit = ITEMS_PER_STEP + tried.len();
    let Ok(items) = setup.store.claim(destination, ever, limit, LEASE).await else { return Vec::new() };
    let loaded_at = setup.world.now();
    let mut fresh = Vec::new();
    let mut others = Vec::new();
    for item in items {
        if fresh.len() < ITEMS_PER_STEP && !tried.contains(&item.id) && runner.board().adopt(&item) {
            tried.insert(item.id);
            fresh.push(Loaded { item, fresh: None, loaded_at });
        } else if !runner.board().holds(item.id) {
            others.push(item.id);
        }
    }
    setup.store.release(&others);
    fresh
}
