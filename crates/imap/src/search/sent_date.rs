//! The Date field (RFC 5322 §3.3, §4.3), read as well as can be.

use crate::date::{CivilDate, DAY_S, MONTHS};

/// When a message says that it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentDate {
    /// Seconds since 1970-01-01 UTC (RFC 5256 §2.2).
    pub seconds: i64,
    /// The day as written, disregarding time and zone (RFC 9051 §6.4.4), counted from 1970-01-01.
    pub day: i64,
}

impl SentDate {
    /// ```text
    /// date-time   = [ day-of-week "," ] date time [CFWS]
    /// date        = day month year
    /// time        = hour ":" minute [ ":" second ] zone
    /// zone        = (FWS ( "+" / "-" ) 4DIGIT) / obs-zone
    /// ```
    ///
    /// A time or zone that cannot be read is 00:00:00 and UTC (RFC 5256 §2.2); none where there is no day.
    #[must_use]
    pub fn of(raw: &[u8]) -> Option<Self> {
        let words = words(raw);
        let mut words = words.iter().map(String::as_str).peekable();
        // A day of the week, with its comma or without.
        words.next_if(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
        let first = words.next()?;
        let (day, month, year) = match first.split('-').collect::<Vec<_>>()[..] {
            [day, month, year] => (day, month, year),
            _ => (first, words.next()?, words.next()?),
        };
        let date = CivilDate::new(year_of(year)?, month_of(month)?, number(day)?.try_into().ok()?)?;
        let day = date.days();
        let time = words.next().and_then(time_of).unwrap_or(0);
        let zone = words.next().and_then(zone_of).unwrap_or(0);
        Some(Self { seconds: day * DAY_S + time - zone, day })
    }
}

/// Words without comments, commas between them taken off. At most those that a date has.
fn words(raw: &[u8]) -> Vec<String> {
    let (mut words, mut word, mut depth) = (Vec::new(), String::new(), 0_usize);
    for octet in raw.iter().take(DATE_BYTES_MAX) {
        match octet {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            b' ' | b'\t' | b'\r' | b'\n' | b',' => words.push(std::mem::take(&mut word)),
            other => word.push(char::from(*other)),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// RFC 5322 §4.3: years of two and three digits.
fn year_of(text: &str) -> Option<i64> {
    let year = number(text)?;
    match text.len() {
        2 if year < 50 => Some(2000 + year),
        2 | 3 => Some(1900 + year),
        4 => Some(year),
        _ => None,
    }
}

fn month_of(text: &str) -> Option<u8> {
    let short = text.get(..3)?;
    let place = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(short))?;
    u8::try_from(place + 1).ok()
}

/// Seconds of the day. A leap second is the last one before it.
fn time_of(text: &str) -> Option<i64> {
    let mut parts = text.split([':', '.']);
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second = parts.next().map_or(Some(0), number)?;
    (hour < 24 && minute < 60 && second <= 60).then(|| hour * 3600 + minute * 60 + second.min(59))
}

/// Seconds east of UTC. Military zones were once defined the wrong way round, so that they say nothing (RFC 5322 §4.3).
fn zone_of(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => {
            let hours = match text.to_ascii_uppercase().as_str() {
                "EDT" => -4,
                "EST" | "CDT" => -5,
                "CST" | "MDT" => -6,
                "MST" | "PDT" => -7,
                "PST" => -8,
                _ => 0,
            };
            return Some(hours * 3600);
        }
    };
    let digits = &text[1..];
    let (hours, minutes) = digits.split_at_checked(2).filter(|_| digits.len() == 4)?;
    Some(sign * (number(hours)? * 3600 + number(minutes)? * 60))
}

fn number(text: &str) -> Option<i64> {
    (text.len() <= 4 && text.bytes().all(|octet| octet.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Octets that are read of a Date field; one as RFC 5322 writes it has 31.
const DATE_BYTES_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_old_and_new_mail_are_read() {
        // Days and seconds by `date -u -d`.
        for (text, seconds, day) in [
            ("Sun, 31 Dec 2000 16:01:33 -0800", 978_307_293, 11_322),
            ("31 Dec 2000 16:01:33 PST", 978_307_293, 11_322),
            ("Fri, 21 Nov 1997 09:55:06 -0600", 880_127_706, 10_186),
            ("Fri, 21 Nov 97 (two digits) 09(comment):55:06 -0600", 880_127_706, 10_186),
            ("21 Nov 97 09:55:06 GMT", 880_106_106, 10_186),
            ("1 Jan 1970 00:00 +0000", 0, 0),
            ("Thu,1 Jan 1970 00:00:00 +0100 (CET)", -3600, 0),
            ("Thu 1-January-1970 00:00:00", 0, 0),
            ("29 Feb 2024 23:59:60 +0000", 1_709_251_199, 19_782),
            ("29 Feb 2024 25:00:00 nonsense", 1_709_164_800, 19_782),
        ] {
            assert_eq!(SentDate::of(text.as_bytes()), Some(SentDate { seconds, day }), "{text}");
        }
    }

    #[test]
    fn what_has_no_day_is_no_date() {
        for text in [
            "",
            "yesterday",
            "30 Feb 2024 00:00:00 +0000",
            "1 Foo 2024",
            "1 Jan",
            "(1 Jan 2024)",
            "1 Jan 20244",
        ] {
            assert_eq!(SentDate::of(text.as_bytes()), None, "{text}");
        }
        assert_eq!(SentDate::of(&b"(".repeat(1_000_000)), None);
        assert_eq!(SentDate::of("1 \u{e9}\u{e9}\u{e9} \u{e9}\u{e9}\u{e9}".as_bytes()), None);
    }
}
