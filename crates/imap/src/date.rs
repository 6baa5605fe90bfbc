//! Days and dates (RFC 9051 §9 `date`, `date-time`), reckoned in the Gregorian calendar without tables of time zones.

use types::Timestamp;

/// As they are written, in order.
pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds of a day.
pub(crate) const DAY_S: i64 = 86_400;

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CivilDate {
    /// 0 and up.
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: u8,
    /// From 1.
    pub(crate) day: u8,
}

impl CivilDate {
    /// None where there is no such day.
    pub(crate) fn new(year: i64, month: u8, day: u8) -> Option<Self> {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=length).contains(&day).then_some(Self { year, month, day })
    }

    /// Days since 1970-01-01. A year is taken to begin in March, so that the day of a leap year is its last; 400 years
    /// have 146,097 days.
    pub(crate) fn days(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = if month <= 2 { self.year - 1 } else { self.year };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// The day that is so many days after 1970-01-01.
    pub(crate) fn from_days(days: i64) -> Self {
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march_month + 2) / 5 + 1;
        let month = (march_month + 2) % 12 + 1;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let small = |number: i64| u8::try_from(number).unwrap_or(1);
        Self { year, month: small(month), day: small(day) }
    }
}

/// The day of `at`, in UTC, and the second of it.
pub(crate) fn day_of(at: Timestamp) -> (CivilDate, i64) {
    let seconds = i64::try_from(at.seconds()).unwrap_or(i64::MAX);
    (CivilDate::from_days(seconds.div_euclid(DAY_S)), seconds.rem_euclid(DAY_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse_over_eight_centuries() {
        let mut before = CivilDate::from_days(-150_001);
        for days in -150_000..150_000 {
            let date = CivilDate::from_days(days);
            assert_eq!(CivilDate::new(date.year, date.month, date.day), Some(date));
            assert_eq!(date.days(), days);
            assert!((before.year, before.month, before.day) < (date.year, date.month, date.day));
            before = date;
        }
    }

    #[test]
    fn known_days_have_their_dates() {
        // By `date -u -d @N`.
        for (days, year, month, day) in [(0, 1970, 1, 1), (11_016, 2000, 2, 29), (20_779, 2026, 11, 22)] {
            assert_eq!(CivilDate::from_days(days), CivilDate { year, month, day });
        }
        for (year, month, day) in [(2023, 2, 29), (1900, 2, 29), (2024, 4, 31), (2024, 13, 1), (2024, 1, 0)] {
            assert_eq!(CivilDate::new(year, month, day), None);
        }
    }
}
