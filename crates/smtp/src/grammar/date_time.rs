//! `date-time` of RFC 3339 §5.6 in UTC, as HOLDUNTIL= has it (RFC 4865 §3).

use types::Timestamp;

/// Reads `2027-01-31T12:00:00Z`. A fraction of a second is taken to the millisecond; the offset is `Z`, `+00:00` or
/// `-00:00`; a leap second counts as the second after it. Years before 1970 are no time to hold anything until.
pub(super) fn parse_utc(text: &str) -> Option<Timestamp> {
    let octets = text.as_bytes();
    let (head, tail) = octets.split_at_checked("2027-01-31T12:00:00".len())?;
    let is_shaped = head.iter().zip(b"dddd-dd-ddtdd:dd:dd").all(|(octet, shape)| match shape {
        b'd' => octet.is_ascii_digit(),
        b't' => matches!(octet, b'T' | b't'),
        _ => octet == shape,
    });
    if !is_shaped {
        return None;
    }
    let number = |from: usize, to: usize| {
        head[from..to].iter().fold(0_u64, |number, octet| number * 10 + u64::from(octet - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    let is_date = (1970..=YEAR_MAX).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let millis = fraction_and_offset(tail)?;
    let seconds = days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(Timestamp::from_millis(seconds * 1000 + millis))
}

/// The last year that [`Timestamp`] writes to its end.
const YEAR_MAX: u64 = 9998;

/// `["." 1*DIGIT] ("Z" / ("+" / "-") "00:00")`: the milliseconds.
fn fraction_and_offset(tail: &[u8]) -> Option<u64> {
    let (millis, offset) = match tail.strip_prefix(b".") {
        None => (0, tail),
        Some(fraction) => {
            let digits = fraction.iter().take_while(|octet| octet.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let padded = fraction[..digits].iter().copied().chain(std::iter::repeat(b'0'));
            let millis = padded.take(3).fold(0, |millis, octet| millis * 10 + u64::from(octet - b'0'));
            (millis, &fraction[digits..])
        }
    };
    matches!(offset, b"Z" | b"z" | b"+00:00" | b"-00:00").then_some(millis)
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

const fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the date.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let before = year - 1;
    // 1969 has 477 leap years before its end.
    let leap_days = before / 4 - before / 100 + before / 400 - 477;
    (year - 1970) * 365 + leap_days + (1..month).map(|month| days_in(year, month)).sum::<u64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_the_clock_writes_it() {
        for millis in [
            0,
            951_782_399_999,
            951_782_400_000,
            951_868_800_000,
            1_795_322_124_250,
            4_107_542_400_000,
            32_503_679_999_999,
            253_370_764_799_999,
        ] {
            let at = Timestamp::from_millis(millis);
            assert_eq!(parse_utc(&at.to_string()), Some(at), "{at}");
        }
    }

    #[test]
    fn fractions_and_offsets_of_utc_are_read() {
        // The expected values come from `date -u -d … +%s`.
        for (text, millis) in [
            ("2027-01-31T12:00:00Z", 1_801_396_800_000),
            ("2027-01-31t12:00:00z", 1_801_396_800_000),
            ("2027-01-31T12:00:00+00:00", 1_801_396_800_000),
            ("2027-01-31T12:00:00.5-00:00", 1_801_396_800_500),
            ("2027-01-31T12:00:00.123456Z", 1_801_396_800_123),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("2028-02-29T00:00:00Z", 1_835_395_200_000),
        ] {
            assert_eq!(parse_utc(text), Some(Timestamp::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_in_utc_is_refused() {
        for text in [
            "",
            "2027-01-31",
            "2027-01-31T12:00:00",
            "2027-01-31T12:00Z",
            "2027-01-31T12:00:00+01:00",
            "2027-01-31T12:00:00.Z",
            "2027-01-31T12:00:00Zx",
            "2027-13-01T00:00:00Z",
            "2027-00-01T00:00:00Z",
            "2027-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2027-04-31T00:00:00Z",
            "2027-01-00T00:00:00Z",
            "2027-01-31T24:00:00Z",
            "2027-01-31T12:60:00Z",
            "2027-01-31T12:00:61Z",
            "1969-12-31T23:59:59Z",
            "9999-01-01T00:00:00Z",
            "+027-01-31T12:00:00Z",
            "2027-01-31 12:00:00Z",
            "２027-01-31T12:00:00Z",
        ] {
            assert_eq!(parse_utc(text), None, "{text}");
        }
    }
}
