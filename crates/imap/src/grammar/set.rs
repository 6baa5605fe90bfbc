//! Sets of numbers, and dates.

use types::Timestamp;

use super::cursor::{Cursor, set_of};
use super::{GrammarError, Result};
use crate::command::{Numbering, PartialRange, RANGES_MAX, SequenceSet, SetRange, SetValue};
use crate::date::{CivilDate, DAY_S, MONTHS};

impl Cursor<'_> {
    /// ```text
    /// sequence-set = (seq-number / seq-range) ["," sequence-set]
    /// sequence-set =/ seq-last-command
    /// seq-range    = seq-number ":" seq-number
    /// seq-number   = nz-number / "*"
    /// ```
    pub(super) fn set(&mut self, numbering: Numbering) -> Result<SequenceSet> {
        let expected = set_of(numbering);
        if self.skip(b'$') {
            return Ok(SequenceSet::Saved);
        }
        let mut ranges = Vec::new();
        loop {
            if ranges.len() == RANGES_MAX {
                return Err(GrammarError::TooManyRanges(RANGES_MAX));
            }
            let from = self.set_value(expected)?;
            let to = if self.skip(b':') { self.set_value(expected)? } else { from };
            ranges.push(SetRange { from, to });
            if !self.skip(b',') {
                return Ok(SequenceSet::Ranges(ranges));
            }
        }
    }

    /// ```text
    /// seq-number = nz-number / "*"
    /// ```
    pub(super) fn set_value(&mut self, expected: &'static str) -> Result<SetValue> {
        if self.skip(b'*') {
            return Ok(SetValue::Largest);
        }
        self.nz_number(expected).map(SetValue::Number)
    }

    /// A set of RFC 7162 §3.2.5, in which neither `*` nor `$` may stand.
    pub(super) fn known_set(&mut self, expected: &'static str) -> Result<SequenceSet> {
        let start = self.at();
        let set = self.set(Numbering::Uid)?;
        let is_number = |value| matches!(value, SetValue::Number(_));
        match &set {
            SequenceSet::Ranges(ranges)
                if ranges.iter().all(|range| is_number(range.from) && is_number(range.to)) =>
            {
                Ok(set)
            }
            _ => self.expected_at(expected, start),
        }
    }

    /// RFC 9394 §4: `1:100`, or `-1:-100` from the end.
    ///
    /// ```text
    /// partial-range-first = nz-number ":" nz-number
    /// partial-range-last  = MINUS nz-number ":" MINUS nz-number
    /// ```
    pub(super) fn partial_range(&mut self) -> Result<PartialRange> {
        const EXPECTED: &str = "a range like 1:100 or -1:-100";
        let from_end = self.skip(b'-');
        let first = self.nz_number(EXPECTED)?;
        self.octet(b':', EXPECTED)?;
        if from_end {
            self.octet(b'-', EXPECTED)?;
        }
        let last = self.nz_number(EXPECTED)?;
        Ok(PartialRange { from_end, first: first.min(last), last: first.max(last) })
    }

    /// Days since 1970-01-01.
    ///
    /// ```text
    /// date      = date-text / DQUOTE date-text DQUOTE
    /// date-text = date-day "-" date-month "-" date-year
    /// date-day  = 1*2DIGIT
    /// ```
    pub(super) fn date(&mut self) -> Result<i64> {
        const EXPECTED: &str = "a date like 1-Feb-1994";
        let start = self.at();
        let is_quoted = self.skip(b'"');
        let date = self.date_text(start, EXPECTED)?;
        if is_quoted {
            self.octet(b'"', "`\"` behind the date")?;
        }
        Ok(date.days())
    }

    /// ```text
    /// date-time      = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
    /// date-day-fixed = (SP DIGIT) / 2DIGIT
    /// time           = 2DIGIT ":" 2DIGIT ":" 2DIGIT
    /// zone           = ("+" / "-") 4DIGIT
    /// ```
    /// What lies before 1970 becomes its first second. A leap second is the one before it.
    pub(super) fn date_time(&mut self) -> Result<Timestamp> {
        const EXPECTED: &str = "a date and time like \"17-Jul-1996 02:44:25 -0700\"";
        let start = self.at();
        self.octet(b'"', EXPECTED)?;
        let is_padded = self.skip(b' ');
        let day_at = self.at();
        let date = self.date_text(start, EXPECTED)?;
        let has_one_digit = self.octet_at(day_at + 1) == Some(b'-');
        if is_padded != has_one_digit {
            return self.expected_at(EXPECTED, start);
        }
        self.octet(b' ', EXPECTED)?;
        let hour = self.digits(2, EXPECTED)?;
        self.octet(b':', EXPECTED)?;
        let minute = self.digits(2, EXPECTED)?;
        self.octet(b':', EXPECTED)?;
        let second = self.digits(2, EXPECTED)?;
        self.octet(b' ', EXPECTED)?;
        let is_west = self.skip(b'-');
        if !is_west {
            self.octet(b'+', EXPECTED)?;
        }
        let (zone_hour, zone_minute) = (self.digits(2, EXPECTED)?, self.digits(2, EXPECTED)?);
        self.octet(b'"', EXPECTED)?;
        if hour > 23 || minute > 59 || second > 60 || zone_minute > 59 {
            return self.expected_at(EXPECTED, start);
        }
        let of_day = hour * 3600 + minute * 60 + second.min(59);
        let zone_s = (zone_hour * 60 + zone_minute) * 60;
        let seconds = date.days() * DAY_S + of_day + if is_west { zone_s } else { -zone_s };
        Ok(Timestamp::from_millis(u64::try_from(seconds).unwrap_or(0) * 1000))
    }

    fn date_text(&mut self, start: usize, expected: &'static str) -> Result<CivilDate> {
        let day = match self.octet_at(self.at() + 1) {
            Some(b'0'..=b'9') => self.digits(2, expected)?,
            _ => self.digits(1, expected)?,
        };
        self.octet(b'-', expected)?;
        let name = [self.any_octet(expected)?, self.any_octet(expected)?, self.any_octet(expected)?];
        let month = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month.as_bytes()));
        self.octet(b'-', expected)?;
        let year = self.digits(4, expected)?;
        let day = u8::try_from(day).unwrap_or(0);
        let date = month.and_then(|month| CivilDate::new(year, u8::try_from(month).ok()? + 1, day));
        match date {
            Some(date) => Ok(date),
            None => self.expected_at(expected, start),
        }
    }

    fn digits(&mut self, count: usize, expected: &'static str) -> Result<i64> {
        let mut number = 0;
        for _ in 0..count {
            let octet = self.any_octet(expected)?;
            if !octet.is_ascii_digit() {
                return self.expected_at(expected, self.at() - 1);
            }
            number = number * 10 + i64::from(octet - b'0');
        }
        Ok(number)
    }
}
