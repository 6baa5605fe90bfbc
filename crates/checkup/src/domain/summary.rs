//! How it is on the whole.

use serde::Serialize;

use crate::{Finding, Verdict};

/// How many findings there are of each verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// As it should be.
    pub good: usize,
    /// Good to know.
    pub notice: usize,
    /// Not found out.
    pub unknown: usize,
    /// To be mended some time.
    pub warning: usize,
    /// To be mended now.
    pub bad: usize,
}

impl Summary {
    /// Counts.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let mut summary = Self::default();
        for finding in findings {
            match finding.verdict {
                Verdict::Good => summary.good += 1,
                Verdict::Notice => summary.notice += 1,
                Verdict::Unknown => summary.unknown += 1,
                Verdict::Warning => summary.warning += 1,
                Verdict::Bad => summary.bad += 1,
            }
        }
        summary
    }

    /// Whether nothing at all could be found out.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.good + self.notice + self.warning + self.bad == 0
    }

    /// In one sentence, without a full stop.
    #[must_use]
    pub const fn in_words(&self) -> &'static str {
        match self {
            _ if self.is_empty() => "nothing could be found out",
            Self { bad: 1.., .. } => "mail is lost, refused or open to forgery",
            Self { warning: 1.., .. } => "mail gets through, less surely or less safely than it could",
            Self { unknown: 1.., .. } => "what could be found out is as it should be",
            _ => "all is as it should be",
        }
    }
}
