//! Small pieces of text, as all grammars here need them.

use std::net::IpAddr;

/// Splits `text` at the first `byte`: what stands before it, and what after
/// it, if it is there.
#[inline(never)]
pub fn cut(text: &[u8], byte: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&other| other == byte) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// The words of a text that are separated by white space.
pub fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// Whether `text` has `part` in it; the empty one is in every text.
pub fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// A decimal number, `u64::MAX` where it is larger; `None` unless it is one or
/// more digits and nothing else.
pub fn digits(text: &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    for byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
    }
    (!text.is_empty()).then_some(number)
}

/// An IP address, without brackets.
pub fn ip(text: &[u8]) -> Option<IpAddr> {
    // Latin-1: cannot fail, and the parser takes ASCII only.
    text.iter().copied().map(char::from).collect::<String>().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_wherever_it_is() {
        for (text, part, found) in [
            ("", "", true),
            ("pong", "", true),
            ("", "x", false),
            ("pong", "pong", true),
            ("+pong\r\n", "pong", true),
            ("popong", "pong", true),
            ("pon g", "pong", false),
            ("pong", "pong!", false),
        ] {
            assert_eq!(contains(text.as_bytes(), part.as_bytes()), found, "{part:?} in {text:?}");
        }
    }

    #[test]
    fn a_text_is_cut_at_the_first_byte_only() {
        assert_eq!(cut(b"a:b:c", b':'), (&b"a"[..], Some(&b"b:c"[..])));
        assert_eq!(cut(b":", b':'), (&b""[..], Some(&b""[..])));
        assert_eq!(cut(b"abc", b':'), (&b"abc"[..], None));
    }

    #[test]
    fn words_are_never_empty() {
        assert_eq!(words(b" \ta\r\nbc \n").collect::<Vec<_>>(), [&b"a"[..], b"bc"]);
        assert_eq!(words(b" ").count(), 0);
    }

    #[test]
    fn digits_are_a_number_and_nothing_else_is() {
        assert_eq!(digits(b"0042"), Some(42));
        assert_eq!(digits(b"99999999999999999999"), Some(u64::MAX));
        for text in [&b""[..], b"+1", b"-1", b" 1", b"1a", b"\xd9\xa1"] {
            assert_eq!(digits(text), None);
        }
    }
}
