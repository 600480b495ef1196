//! Variables: the same as a second, plainer implementation says.
//!
//! Input: the text, then one `NAME=value` a variable, separated by NUL.

use scratch_probe::errno::ENOENT;
use scratch_probe::input::expand::{Error, Lookup, TEXT_MAX, expand};

pub fn check(data: &[u8]) {
    let mut parts = data.split(|&byte| byte == 0);
    let text = parts.next().unwrap_or_default();
    let variables: Vec<(&[u8], &[u8])> = parts.filter_map(variable).collect();
    let lookup = |name: &[u8]| {
        let found = variables.iter().find(|variable| variable.0 == name);
        found.map(|variable| variable.1.to_vec()).ok_or(ENOENT)
    };
    let expanded = expand(text, TEXT_MAX, &lookup);
    for index in 0..expanded.as_ref().map_or(0, |expanded| expanded.text.len()) {
        let from = expanded.as_ref().expect("it has a length");
        let (byte, written) = (from.text[index], from.raw_from(index));
        assert!(!from.is_literal(index) || written[0] == byte, "another byte was written");
        assert!(from.is_literal(index) || written.starts_with(b"$"), "no variable was written");
    }
    let expanded = expanded.map(|expanded| expanded.text);
    assert_eq!(expanded, model(text, &lookup));
    // Each "${" can bring in one value, and no value is expanded again.
    let places = text.windows(2).filter(|pair| pair == b"${").count();
    let longest = variables.iter().map(|variable| variable.1.len()).max().unwrap_or(0).max(text.len());
    if let Ok(out) = expanded {
        assert!(out.len() <= text.len() + places * longest);
        assert!(places > 0 || out == text, "a text without variables is left alone");
    }
}

pub fn variable(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = text.iter().position(|&byte| byte == b'=')?;
    Some((&text[..equals], &text[equals + 1..]))
}

/// Cuts the text at every `${`; what follows the first is a variable each,
/// unless a `$` stands before it.
fn model<'a>(text: &'a [u8], lookup: Lookup) -> Result<Vec<u8>, Error<'a>> {
    let mut pieces = split(text, b"${").into_iter();
    let mut out = pieces.next().unwrap_or_default().to_vec();
    // Whether a "$" right before the next "${" is one of the text's own.
    let mut dollar = out.last() == Some(&b'$');
    for piece in pieces {
        if dollar {
            out.push(b'{');
            out.extend_from_slice(piece);
            dollar = piece.last() == Some(&b'$');
            continue;
        }
        let close = piece.iter().position(|&byte| byte == b'}').ok_or(Error::Malformed)?;
        let (inner, rest) = (&piece[..close], &piece[close + 1..]);
        if let [b'0', b'x', digits @ ..] = inner {
            if digits.is_empty() || digits.len() % 2 != 0 || !digits.iter().all(u8::is_ascii_hexdigit) {
                return Err(Error::Malformed);
            }
            let digits = str::from_utf8(digits).expect("ASCII");
            let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
            out.extend((0..digits.len()).step_by(2).map(byte));
            out.extend_from_slice(rest);
            dollar = rest.last() == Some(&b'$');
            continue;
        }
        let (name, default) = match split(inner, b":-")[..] {
            [name] => (name, None),
            [name, ..] => (name, Some(&inner[name.len() + 2..])),
            [] => (&inner[..0], None),
        };
        let is_path = name.first() == Some(&b'/');
        if is_path && name.iter().any(|&byte| byte < b' ' || byte == 0x7f) {
            return Err(Error::Malformed);
        }
        let text = if is_path { "path" } else { str::from_utf8(name).map_err(|_| Error::Malformed)? };
        let mut chars = text.chars();
        let first = chars.next().is_some_and(|char| char == '_' || char.is_ascii_alphabetic());
        if !first || !chars.all(|char| char == '_' || char.is_ascii_alphanumeric()) {
            return Err(Error::Malformed);
        }
        let value = lookup(name).ok().map(|mut value| {
            if is_path && value.last() == Some(&b'\n') {
                value.pop();
                if value.last() == Some(&b'\r') {
                    value.pop();
                }
            }
            value
        });
        match (value, default) {
            (None, None) => return Err(Error::Missing(name, ENOENT)),
            (Some(value), None) => out.extend(value),
            (Some(value), Some(_)) if !value.is_empty() => out.extend(value),
            (_, Some(default)) => out.extend_from_slice(default),
        }
        out.extend_from_slice(rest);
        dollar = rest.last() == Some(&b'$');
    }
    if out.len() > TEXT_MAX { Err(Error::TooLong) } else { Ok(out) }
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while let Some(found) = text[start..].windows(at.len()).position(|window| window == at) {
        pieces.push(&text[start..start + found]);
        start += found + at.len();
    }
    pieces.push(&text[start..]);
    pieces
}
