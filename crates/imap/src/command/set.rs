//! Sets of numbers (RFC 9051 §9 `sequence-set`, RFC 5182 `$`).

/// One number of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetValue {
    /// Never zero.
    Number(u32),
    /// `*`: the largest in use.
    Largest,
}

/// Numbers of a set; either end may be the larger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetRange {
    /// One end.
    pub from: SetValue,
    /// The other.
    pub to: SetValue,
}

/// A set of numbers as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SequenceSet {
    /// At least one range, and at most [`RANGES_MAX`].
    Ranges(Vec<SetRange>),
    /// `$`: what the last search saved (RFC 5182).
    Saved,
}

/// Ranges of one set that are read; a longer one is refused. A client that names 10,000 scattered messages has them.
pub const RANGES_MAX: usize = 20_000;

impl SequenceSet {
    /// The numbers as ascending ranges that neither touch nor overlap, where `largest` stands for `*`. A range to `*` has
    /// `largest` in it even where it begins above (RFC 9051 §9: `559:*` with 100). Nothing for [`SequenceSet::Saved`].
    #[must_use]
    pub fn ranges(&self, largest: u32) -> Vec<(u32, u32)> {
        let Self::Ranges(ranges) = self else { return Vec::new() };
        let number = |value| match value {
            SetValue::Number(number) => number,
            SetValue::Largest => largest,
        };
        let mut pairs: Vec<(u32, u32)> = ranges
            .iter()
            .map(|range| {
                let (from, to) = (number(range.from), number(range.to));
                (from.min(to), from.max(to))
            })
            .collect();
        pairs.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(pairs.len());
        for (from, to) in pairs {
            match merged.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        merged
    }
}
