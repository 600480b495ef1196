//! Text for people, built byte by byte.
//!
//! std's formatting machinery is large beside the rest of the binary, so this
//! stands in for it.

use std::time::Duration;

/// The most of a text that is shown, unless it is a target or a path.
pub const SHOWN_MAX: usize = 80;

/// The most of a target or a path that is shown: ten lines fit into Docker's 4,096 bytes of output.
pub const PLACE_SHOWN_MAX: usize = 256;

/// Appends `text` as it is.
pub fn push(out: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    append(out, text.as_ref());
}

#[inline(never)]
fn append(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
}

/// Appends `number` in decimal.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
    push_digits(out, number, 10);
}

/// Appends `number` in the digits of `base`, which is at most 16.
pub fn push_digits(out: &mut Vec<u8>, number: u64, base: u64) {
    if number >= base {
        push_digits(out, number / base, base);
    }
    out.push(b"0123456789abcdef"[(number % base) as usize]);
}

/// Appends at most `max` of `bytes`: printable ASCII as it is, line ends and tabs by their names,
/// everything else as `\xNN`, and `...` where something was left out. Control characters would
/// move a terminal's cursor; length would push other lines out of the 4,096
/// bytes that Docker keeps of a health check's output.
pub fn push_escaped(out: &mut Vec<u8>, bytes: &[u8], max: usize) {
    for &byte in bytes.iter().take(max) {
        match byte {
            b' '..=b'~' => out.push(byte),
            b'\r' => push(out, "\\r"),
            b'\n' => push(out, "\\n"),
            b'\t' => push(out, "\\t"),
            _ => {
                push(out, "\\x");
                push_digits(out, u64::from(byte >> 4), 16);
                push_digits(out, u64::from(byte & 15), 16);
            }
        }
    }
    if bytes.len() > max {
        push(out, "...");
    }
}

/// Appends `bytes` in quotes, escaped, and no more of them than it takes to recognise a value.
/// A text that holds `"` stands between `'`, so that JSON can be read.
pub fn push_quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    push_escaped(out, bytes, SHOWN_MAX);
    quote(out, start);
}

/// Puts the end of `out`, from `start` on, between quotes: `'` where it holds `"`, so that JSON can be read.
pub fn quote(out: &mut Vec<u8>, start: usize) {
    let quote = if out[start..].contains(&b'"') { b'\'' } else { b'"' };
    out.insert(start, quote);
    out.push(quote);
}

/// Appends a duration: tenths of a millisecond below a second (`1.3ms`),
/// thousandths of a second above (`5s`, `1.25s`), no trailing zeros.
pub fn push_duration(out: &mut Vec<u8>, duration: Duration) {
    let tenths = duration.subsec_micros() / 100;
    let (whole, mut fraction, unit) = match duration.as_secs() {
        0 => (u64::from(tenths / 10), tenths % 10 * 100, "ms"),
        seconds => (seconds, tenths / 10, "s"),
    };
    push_number(out, whole);
    if fraction > 0 {
        push(out, ".");
    }
    while fraction > 0 {
        push_number(out, u64::from(fraction / 100));
        fraction = fraction % 100 * 10;
    }
    push(out, unit);
}

/// Appends an age in whole units: milliseconds (`300ms`), from a second on seconds (`95s`), from two hours on hours
/// (`2h`). Rounded down, or up.
pub fn push_age(out: &mut Vec<u8>, age: Duration, up: bool) {
    let (unit, suffix) = match age.as_secs() {
        0 => (1_000_000, "ms"),
        1..7200 => (1_000_000_000, "s"),
        _ => (3_600_000_000_000, "h"),
    };
    // Enough for 584 years.
    let nanos = age.as_nanos() as u64;
    push_number(out, if up { nanos.div_ceil(unit) } else { nanos / unit });
    push(out, suffix);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn control_characters_and_high_bytes_are_escaped() {
        let quoted = text(|out| push_quoted(out, b"a b~\n\x1b[2J\x7f\x80\xff\0"));
        assert_eq!(quoted, r#""a b~\n\x1b[2J\x7f\x80\xff\x00""#);
        assert_eq!(text(|out| push_quoted(out, b"\r\t{\"up\":true}")), r#"'\r\t{"up":true}'"#);
    }

    #[test]
    fn a_text_that_is_too_long_ends_in_dots() {
        assert_eq!(text(|out| push_escaped(out, b"abc", 3)), "abc");
        assert_eq!(text(|out| push_escaped(out, b"abc", 2)), "ab...");
        assert_eq!(text(|out| push_quoted(out, &[b'x'; 1000])).len(), 85);
    }

    #[test]
    fn ages_are_whole_and_rounded_to_either_side() {
        for (nanos, down, up) in [
            (0, "0ms", "0ms"),
            (1, "0ms", "1ms"),
            (300_000_000, "300ms", "300ms"),
            (999_000_001, "999ms", "1000ms"),
            (1_000_000_000, "1s", "1s"),
            (1_000_000_001, "1s", "2s"),
            (94_500_000_000, "94s", "95s"),
            (7_199_999_999_999, "7199s", "7200s"),
            (7_200_000_000_000, "2h", "2h"),
            (7_200_000_000_001, "2h", "3h"),
            (36_000_000_000_000_000, "10000h", "10000h"),
        ] {
            let age = Duration::from_nanos(nanos);
            let words = [false, true].map(|rounds_up| text(|out| push_age(out, age, rounds_up)));
            assert_eq!(words, [down, up], "{nanos}");
        }
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 9, 10, 4096, u64::MAX] {
            assert_eq!(text(|out| push_number(out, number)), number.to_string());
        }
    }

    #[test]
    fn printed_short_and_without_trailing_zeros() {
        for (micros, want) in [
            (1_337, "1.3ms"),
            (40, "0ms"),
            (999, "0.9ms"),
            (500_000, "500ms"),
            (999_999, "999.9ms"),
            (1_000_000, "1s"),
            (5_000_000, "5s"),
            (1_250_000, "1.25s"),
            (1_005_000, "1.005s"),
            (3_600_000_000, "3600s"),
        ] {
            let mut out = Vec::new();
            push_duration(&mut out, Duration::from_micros(micros));
            assert_eq!(out, want.as_bytes(), "{want}");
        }
    }
}
