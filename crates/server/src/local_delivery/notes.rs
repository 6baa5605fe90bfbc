//! What the trace is told of copies, and of those that there are not.

use types::EventStep;

use crate::timeline::Timeline;

/// What the trace is told of copies, and of those that there are not.
#[derive(Default)]
pub(crate) struct Notes {
    told: Vec<(EventStep, String, String)>,
    more: usize,
}

/// Copies that the trace names one by one; of more it has the number.
const TOLD_MAX: usize = 20;

impl Notes {
    pub(crate) fn add(&mut self, step: EventStep, address: impl ToString, what: impl Into<String>) {
        if self.told.len() < TOLD_MAX {
            self.told.push((step, address.to_string(), what.into()));
        } else {
            self.more += 1;
        }
    }

    /// Only what was stored is told as such: this comes after the commit.
    pub(crate) fn tell(self, timeline: &mut Timeline) {
        for (step, address, what) in self.told {
            timeline.note_about(step, address, what);
        }
        if self.more > 0 {
            timeline.note(EventStep::Delivered, format!("and {} more", self.more));
        }
    }

    /// For a timeline that is not a session's: what, about whom, and in which words.
    pub(crate) fn into_told(self) -> impl Iterator<Item = (EventStep, String, String)> {
        let more =
            (self.more > 0).then(|| (EventStep::Delivered, String::new(), format!("and {} more", self.more)));
        self.told.into_iter().chain(more)
    }
}
