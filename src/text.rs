//! Small pieces of text, as all grammars here need them.

use std::net::IpAddr;

/// The longest host name (RFC 1035, 2.3.4, less the wire format's overhead).
pub const HOST_NAME_MAX: usize = 253;

/// Splits `text` at the first `byte`: the part before it, and the part after
/// it, if it is there.
pub fn cut(text: &[u8], byte: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&other| other == byte) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// The part before the first `byte`; all of the text if there is none.
pub fn before(text: &[u8], byte: u8) -> &[u8] {
    cut(text, byte).0
}

/// The part after the first `byte`, if there is one.
pub fn after(text: &[u8], byte: u8) -> Option<&[u8]> {
    cut(text, byte).1
}

/// The words of a text that are separated by white space.
pub fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A search for one text in a stream, by the method of Knuth, Morris and Pratt: linear in text
/// and stream, however the stream is cut. A plain search could read a server's repetitive answer
/// as many times as the text has bytes.
pub struct Search<'a> {
    text: &'a [u8],
    /// For each prefix of the text: the length of the longest shorter prefix that is also its suffix.
    shorter: Vec<u16>,
    matched: usize,
}

impl Search<'_> {
    /// A search for `text`, which is not empty and has at most 64 KiB.
    pub fn new(text: &[u8]) -> Search<'_> {
        let mut search = Search { text, shorter: vec![0, 0], matched: 0 };
        for &byte in &text[1..] {
            search.step(byte);
            search.shorter.push(search.matched as u16);
        }
        Search { matched: 0, ..search }
    }

    /// Takes the next bytes of the stream, until the text has been found.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.is_found() {
                break;
            }
            self.step(byte);
        }
    }

    /// Whether the text has been found.
    pub fn is_found(&self) -> bool {
        self.matched == self.text.len()
    }

    fn step(&mut self, byte: u8) {
        while self.text[self.matched] != byte {
            if self.matched == 0 {
                return;
            }
            self.matched = self.shorter[self.matched].into();
        }
        self.matched += 1;
    }
}

/// Whether `text` contains `part`, which is not empty.
pub fn contains(text: &[u8], part: &[u8]) -> bool {
    let mut search = Search::new(part);
    search.feed(text);
    search.is_found()
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

/// The value of a hexadecimal digit.
pub fn hex_digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

/// The byte that two hexadecimal digits stand for.
pub fn hex_byte(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    Some((hex_digit(*high)? << 4 | hex_digit(*low)?) as u8)
}

/// Whether the text has a control character, which could split a request or a line.
pub fn has_control(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_control)
}

/// An IP address, without brackets.
pub fn ip(text: &[u8]) -> Option<IpAddr> {
    // Latin-1: cannot fail, and the parser takes ASCII only.
    text.iter().copied().map(char::from).collect::<String>().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn a_part_is_found_wherever_it_is() {
        for (text, part, found) in [
            ("", "x", false),
            ("pong", "pong", true),
            ("+pong\r\n", "pong", true),
            ("popong", "pong", true),
            ("pon g", "pong", false),
            ("pong", "pong!", false),
            ("aabaabaaab", "aabaaab", true),
            ("aabaabaaab", "aabb", false),
        ] {
            assert_eq!(contains(text.as_bytes(), part.as_bytes()), found, "{part:?} in {text:?}");
        }
    }

    #[test]
    fn the_work_of_a_search_is_linear_in_text_and_stream() {
        // A plain search would compare 64 KiB at each of 40 million places.
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let text = [&[b'a'; 65_535][..], b"b"].concat();
            let stream = vec![b'a'; 40_000_000];
            let mut search = Search::new(&text);
            // In pieces of one byte, and whole.
            stream.chunks(1).for_each(|byte| search.feed(byte));
            let found = [search.is_found(), contains(&stream, &text)];
            search.feed(b"b");
            let _ = sender.send((found, search.is_found()));
        });
        let done = receiver.recv_timeout(Duration::from_secs(20)).expect("it takes a fraction of a second");
        assert_eq!(done, ([false, false], true));
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
