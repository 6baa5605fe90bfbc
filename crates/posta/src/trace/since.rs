//! `--since`: a time ago, or a point in time.

use std::str::FromStr;
use std::time::Duration;

use types::Timestamp;

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    Ago(Duration),
    At(Timestamp),
}

impl Since {
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => {
                let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
                Timestamp::from_millis(now.millis().saturating_sub(ago))
            }
        }
    }
}

/// Neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write how long ago (90s, 15m, 2h, 3d, 1w) or a time in UTC (2026-11-22, 2026-11-22T10:00)")]
pub(crate) struct SinceError;

impl FromStr for Since {
    type Err = SinceError;

    /// Without an offset a time is in UTC, as all times are that Posta shows.
    fn from_str(text: &str) -> Result<Self, SinceError> {
        if let Some(ago) = ago(text) {
            return Ok(Self::Ago(ago));
        }
        let at = match text.parse::<jiff::Timestamp>() {
            Ok(at) => at,
            Err(_) => {
                let at = text.parse::<jiff::civil::DateTime>().map_err(|_| SinceError)?;
                jiff::tz::Offset::UTC.to_timestamp(at).map_err(|_| SinceError)?
            }
        };
        let millis = u64::try_from(at.as_millisecond()).map_err(|_| SinceError)?;
        Ok(Self::At(Timestamp::from_millis(millis)))
    }
}

/// `2h`, `1h30m`.
fn ago(text: &str) -> Option<Duration> {
    let (mut rest, mut seconds) = (text, 0_u64);
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit())?;
        let unit = rest[unit_at..].chars().next()?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            'w' => 7 * 24 * 60 * 60,
            _ => return None,
        };
        seconds = seconds.checked_add(rest[..unit_at].parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = &rest[unit_at + unit.len_utf8()..];
    }
    (!text.is_empty()).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let ago = |seconds| Since::Ago(Duration::from_secs(seconds));
        let at = |millis| Since::At(Timestamp::from_millis(millis));
        let rows = [
            ("90s", ago(90)),
            ("15m", ago(900)),
            ("1h30m", ago(5400)),
            ("3d", ago(259_200)),
            ("1w", ago(604_800)),
            // The expected values come from `date -u -d … +%s`.
            ("2026-11-22", at(1_795_305_600_000)),
            ("2026-11-22T10:00", at(1_795_341_600_000)),
            ("2026-11-22 10:00:30", at(1_795_341_630_000)),
            ("2026-11-22T10:00:00Z", at(1_795_341_600_000)),
            ("2026-11-22T10:00:00-03:00", at(1_795_352_400_000)),
            ("2026-11-22T04:35:24.250Z", at(1_795_322_124_250)),
        ];
        for (text, since) in rows {
            assert_eq!(text.parse(), Ok(since), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "2", "h", "2y", "2h1", "-2h", "tomorrow", "1900-01-01", "99999999999999999999s", "é"]
        {
            assert_eq!(text.parse::<Since>(), Err(SinceError), "{text}");
        }
    }

    #[test]
    fn a_time_ago_is_counted_from_now_and_never_before_the_epoch() {
        let now = Timestamp::from_millis(10_000);
        assert_eq!(Since::Ago(Duration::from_secs(4)).from(now), Timestamp::from_millis(6000));
        assert_eq!(Since::Ago(Duration::MAX).from(now), Timestamp::from_millis(0));
    }
}
