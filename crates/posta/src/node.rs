//! Runs a node in this process until a signal stops it.

use std::process::ExitCode;
use std::sync::Arc;

use server::config::{Config, ListenAddress, Log};
use server::logging::{self, Logging};
use server::{Node, NodeError, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::LogArgs;
use crate::exit::{Exit, Failure, Outcome};

/// Threads that wait for the disk or hash passwords. Each keeps some of the memory that it has freed: without a bound,
/// a thousand sessions that write large messages to disk would have hundreds of them, and gigabytes.
const BLOCKING_THREADS_MAX: usize = 8;

/// Starts a node, calls `ready` when everything listens, and serves until SIGINT or SIGTERM. Why it fails stands in the log.
pub(crate) fn run(
    config: Config,
    logging: Logging,
    ready: impl AsyncFnOnce(&Node) -> Result<(), Failure>,
) -> Outcome {
    let internal = |error: std::io::Error| Failure::new(Exit::Internal, error);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(worker_threads())
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
        .map_err(internal)?;
    let served = runtime.block_on(async {
        // Before anything listens: a signal that comes early must stop cleanly too.
        let signals = Signals::new().map_err(internal)?;
        let node = Node::start(Arc::new(config)).await.map_err(|error| not_started(&error))?;
        ready(&node).await?;
        node.run_until(signals.stop()).await.map_err(|error| match error {
            NodeError::Store(_) => Failure::new(Exit::Internal, error),
        })
    });
    // What still runs is nobody's transaction: the node has finished those.
    runtime.shutdown_background();
    match served {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(failure) => {
            // By way of the log: a stream that nobody reads must not keep a server that has failed from being started again.
            logging.end_with(&format!("{:?}\n", failure.report));
            Ok(failure.exit.into())
        }
    }
}

/// Starts logging as the configuration says, except where the command line says otherwise.
pub(crate) fn start_logging(log: &mut Log, args: &LogArgs) -> Result<Logging, Failure> {
    log.format = args.log_format.unwrap_or(log.format);
    log.level = args.log_level.unwrap_or(log.level);
    logging::start(log).map_err(|error| Failure::new(Exit::Internal, error))
}

/// Threads that serve sessions: one fewer than there are processors, since the store commits and applies on threads of
/// its own, and work that moves between threads costs more than it gains (figures in docs/performance.md).
/// `TOKIO_WORKER_THREADS` sets another number.
fn worker_threads() -> usize {
    let wished = std::env::var("TOKIO_WORKER_THREADS").ok().and_then(|text| text.parse().ok());
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    wished.filter(|wished| *wished > 0).unwrap_or(processors - 1).max(1)
}

/// Listeners as one object: `{"smtp":"127.0.0.1:1025"}`. Where a service has several, the first.
pub(crate) fn listeners_json(
    listeners: &[(String, ListenAddress)],
) -> serde_json::Map<String, serde_json::Value> {
    let mut map = serde_json::Map::new();
    for (service, address) in listeners {
        map.entry(service.clone()).or_insert_with(|| address.to_string().into());
    }
    map
}

fn not_started(error: &StartError) -> Failure {
    let exit = match error {
        StartError::Folder { .. } => Exit::CannotCreate,
        StartError::Tls(_) | StartError::Secret(_) => Exit::Config,
        StartError::Store { .. } | StartError::Listen { .. } => Exit::Unavailable,
    };
    Failure::new(exit, error)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Ready at the first signal. A second one ends the process at once: what got `250` is safe even then.
    async fn stop(mut self) {
        self.next().await;
        tracing::info!("stopping; a second signal stops at once");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(Exit::Failed as i32);
        });
    }
}
