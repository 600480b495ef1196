//! Text for people, built byte by byte.
//!
//! std's formatting machinery is large beside the rest of the binary, so this
//! stands in for it.

/// The most that is shown of most texts.
pub const SHOWN: usize = 80;

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
    if number >= 10 {
        push_number(out, number / 10);
    }
    out.push(b'0' + (number % 10) as u8);
}

/// Appends at most `max` of `bytes`: printable ASCII as it is, everything else
/// as `\xNN`, and `...` where something was left out. Control characters would
/// move a terminal's cursor; length would push other lines out of the 4,096
/// bytes that Docker keeps of a health check's output.
pub fn push_escaped(out: &mut Vec<u8>, bytes: &[u8], max: usize) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for &byte in bytes.iter().take(max) {
        if matches!(byte, b' '..=b'~') {
            out.push(byte);
        } else {
            push(out, "\\x");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        }
    }
    if bytes.len() > max {
        push(out, "...");
    }
}

/// Appends `bytes` in double quotes, escaped, and no more of them than it
/// takes to recognise a value.
pub fn push_quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    push_escaped(out, bytes, SHOWN);
    out.push(b'"');
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
    fn control_characters_and_high_bytes_are_hexadecimal() {
        let quoted = text(|out| push_quoted(out, b"a b~\n\x1b[2J\x7f\x80\xff\0"));
        assert_eq!(quoted, r#""a b~\x0a\x1b[2J\x7f\x80\xff\x00""#);
    }

    #[test]
    fn what_is_too_long_ends_in_dots() {
        assert_eq!(text(|out| push_escaped(out, b"abc", 3)), "abc");
        assert_eq!(text(|out| push_escaped(out, b"abc", 2)), "ab...");
        assert_eq!(text(|out| push_quoted(out, &[b'x'; 1000])).len(), 85);
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 9, 10, 4096, u64::MAX] {
            assert_eq!(text(|out| push_number(out, number)), number.to_string());
        }
    }
}
