//! The session machine (RFC 9051 §3): what may be said when, and what is answered.

mod task;

pub use task::{
    AppendOutcome, AppendTask, FolderFacts, Login, Outcome, QuotaFacts, Refusal, SearchKind, Selected, Step,
    Task,
};
