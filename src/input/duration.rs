//! Durations as a user writes and reads them: `500ms`, `5s`, `1m`, `0.5`.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::text::{cut, digits};

/// What an option takes: the shortest and the longest duration, and how an error says that.
pub type Limits = (RangeInclusive<Duration>, &'static str);

/// What most options take.
pub const USUAL: Limits =
    (MILLISECOND..=HOUR, "must be from 1ms to 1h, such as 500ms, 5s, 1m or 0.5 (seconds)");
/// What the age of a file may be.
pub const AGE: Limits =
    (MILLISECOND..=HOUR.saturating_mul(10_000), "must be from 1ms to 10000h, such as 90s, 15m or 2h");
/// What a start period may be.
pub const START_PERIOD: Limits = (Duration::ZERO..=HOUR, "must be from 0 to 1h, such as 90s or 2m");

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Reads `digits[.digits]` and a unit: `ms`, `s`, `m`, `h`, or none for
/// seconds. Returns `None` for anything else, and outside of `range`.
pub fn parse(text: &[u8], range: RangeInclusive<Duration>) -> Option<Duration> {
    let end = text.iter().rposition(|byte| !byte.is_ascii_lowercase()).map_or(0, |last| last + 1);
    let (number, unit) = text.split_at(end);
    // In microseconds.
    let mut unit = match unit {
        b"ms" => 1_000,
        b"" | b"s" => 1_000_000,
        b"m" => 60_000_000,
        b"h" => 3_600_000_000,
        _ => return None,
    };
    let (whole, fraction) = cut(number, b'.');
    let mut micros = digits(whole)?.saturating_mul(unit);
    digits(fraction.unwrap_or(b"0"))?;
    for digit in fraction.unwrap_or_default() {
        unit /= 10;
        micros = micros.saturating_add(u64::from(digit - b'0') * unit);
    }
    Some(Duration::from_micros(micros)).filter(|duration| range.contains(duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form() {
        for (text, millis) in [
            ("500ms", 500),
            ("5s", 5_000),
            ("1m", 60_000),
            ("5", 5_000),
            ("0.5", 500),
            ("1.5m", 90_000),
            ("0.25s", 250),
            ("1ms", 1),
            ("0.001", 1),
            ("1h", 3_600_000),
            ("3600", 3_600_000),
            ("60m", 3_600_000),
            ("0005s", 5_000),
        ] {
            let want = Some(Duration::from_millis(millis));
            assert_eq!(parse(text.as_bytes(), MILLISECOND..=HOUR), want, "{text}");
        }
    }

    #[test]
    fn junk_and_out_of_range_are_refused() {
        for text in [
            "",
            "0",
            "0s",
            "0ms",
            "0.0",
            "-1",
            "-1s",
            "+5",
            "NaN",
            "nan",
            "inf",
            "s",
            "ms",
            ".",
            ".5",
            "5.",
            "1.2.3",
            "1e3",
            "5 s",
            " 5",
            "5 ",
            "5S",
            "1m30s",
            "1d",
            "5us",
            "0.0009",
            "0.9ms",
            "3600.1",
            "61m",
            "1.1h",
            "99999999999999999999",
            "0x5",
            "5\n",
            "\u{665}",
        ] {
            assert_eq!(parse(text.as_bytes(), MILLISECOND..=HOUR), None, "{text:?}");
        }
    }
}
