//! Small pieces of text, as all grammars here need them.

/// Splits `text` at the first `byte`: what stands before it, and what after
/// it, if it is there.
#[inline(never)]
pub fn cut(text: &[u8], byte: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&other| other == byte) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// The pieces of `text` between all `byte`s; at least one, perhaps empty.
pub fn pieces(text: &[u8], byte: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let (piece, after) = cut(rest?, byte);
        rest = after;
        Some(piece)
    })
}

/// The words of a text that are separated by white space.
pub fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
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

/// Whether two texts are the same but for the case of ASCII letters.
#[inline(never)]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_the_first_byte_only() {
        assert_eq!(cut(b"a:b:c", b':'), (&b"a"[..], Some(&b"b:c"[..])));
        assert_eq!(cut(b":", b':'), (&b""[..], Some(&b""[..])));
        assert_eq!(cut(b"abc", b':'), (&b"abc"[..], None));
    }

    #[test]
    fn pieces_may_be_empty() {
        let all = |text: &'static [u8]| pieces(text, b',').collect::<Vec<_>>();
        assert_eq!(all(b"a,,b,"), [&b"a"[..], b"", b"b", b""]);
        assert_eq!(all(b""), [b""]);
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
