//! One question to the outside, for commands that ask for a single fact.

use super::outside::{DnsArgs, Manner, Real};
use crate::exit::{Exit, Failure};

/// Asks, and waits for the answer.
pub(crate) fn ask<T>(dns: &DnsArgs, work: impl AsyncFnOnce(&Real) -> T) -> Result<T, Failure> {
    let outside = Real::new(dns.resolver(None)?, &Manner::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Exit::Internal, format_args!("no runtime: {error}")))?;
    let answer = runtime.block_on(work(&outside));
    runtime.shutdown_background();
    Ok(answer)
}
