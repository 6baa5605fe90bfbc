//! Points in time as the node's clock gave them. Nothing here reads a clock.

use std::fmt;
use std::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00 UTC, leap seconds not counted (POSIX time × 1000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The time from `earlier` to `self`; zero where the clock went backwards.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `self` plus `duration`, saturating.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        let millis = duration.as_secs().saturating_mul(1000).saturating_add(duration.subsec_millis() as u64);
        Self(self.0.saturating_add(millis))
    }

    /// The `date-time` of RFC 5322 §3.3 in UTC, for example `Sun, 22 Nov 2026 04:35:24 +0000`.
    #[must_use]
    pub fn rfc5322(self) -> String {
        let (year, month, day, weekday) = self.civil();
        let second_of_day = self.seconds() % 86_400;
        format!(
            "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} +0000",
            WEEKDAYS[weekday],
            MONTHS[month - 1],
            second_of_day / 3600,
            second_of_day / 60 % 60,
            second_of_day % 60,
        )
    }

    /// Year, month (1–12), day (1–31) and weekday (0 = Sunday) in UTC.
    fn civil(self) -> (i16, usize, i8, usize) {
        let seconds = i64::try_from(self.seconds()).unwrap_or(i64::MAX);
        let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
        let date = jiff::tz::Offset::UTC.to_datetime(at);
        (
            date.year(),
            usize::from(date.month().unsigned_abs()),
            date.day(),
            usize::from(date.weekday().to_sunday_zero_offset().unsigned_abs()),
        )
    }
}

/// RFC 3339 in UTC with milliseconds, for example `2026-11-22T04:35:24.250Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, _) = self.civil();
        let second_of_day = self.seconds() % 86_400;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            second_of_day / 3600,
            second_of_day / 60 % 60,
            second_of_day % 60,
            self.0 % 1000
        )
    }
}

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_rfc_5322_and_rfc_3339_ask() {
        // The expected values come from `date -u -d @N`.
        let rows = [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "Mon, 28 Feb 2000 23:59:59 +0000", "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 +0000", "2000-02-29T00:00:00.000Z"),
            (1_795_322_124_250, "Sun, 22 Nov 2026 04:35:24 +0000", "2026-11-22T04:35:24.250Z"),
        ];
        for (millis, rfc5322, rfc3339) in rows {
            let at = Timestamp::from_millis(millis);
            assert_eq!(at.rfc5322(), rfc5322);
            assert_eq!(at.to_string(), rfc3339);
        }
    }

    #[test]
    fn a_clock_at_the_end_of_time_does_not_panic() {
        assert!(!Timestamp::from_millis(u64::MAX).rfc5322().is_empty());
        assert_eq!(Timestamp::default().plus(Duration::MAX), Timestamp::from_millis(u64::MAX));
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(9)), Duration::ZERO);
    }
}
