//! `${NAME}`, `${NAME:-default}`, `${/path}` and `${0x00ff}`, since an exec-form
//! HEALTHCHECK has no shell that would expand anything.

use std::ops::Range;

use crate::errno::{ENOENT, Errno};
use crate::text::{contains, cut};

/// Looks up a variable of the environment or, by a name that begins with `/`, a file: its value or
/// content, or the system's error, [`ENOENT`] if there is none of that name.
pub type Lookup<'a> = &'a dyn Fn(&[u8]) -> Result<Vec<u8>, Errno>;

/// The longest text that is expanded to. Stops a short one that names a long variable very often.
pub const TEXT_MAX: usize = 1024 * 1024;

/// Why a text could not be expanded.
#[derive(Debug, PartialEq, Eq)]
pub enum Error<'a> {
    /// There is no variable or file of this name, and no default; or the file cannot be read.
    /// With the system's error.
    Missing(&'a [u8], Errno),
    /// A `${` that begins none of the four forms.
    Malformed,
    /// Longer than [`TEXT_MAX`].
    TooLong,
}

/// A text whose variables are expanded, and the raw text. A variable's value may be a secret, so
/// the raw text is the one to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The text, with variables replaced by their values.
    pub text: Vec<u8>,
    /// The text as it was given.
    pub raw: Vec<u8>,
    /// For each byte of `text`, and for its end, its offset in the raw text; for a
    /// variable's value, that of its `$`.
    origins: Vec<usize>,
}

impl Expanded {
    /// Whether the byte at `index` of the text stands in the raw text, and
    /// does not come out of a variable.
    pub fn is_literal(&self, index: usize) -> bool {
        let from = self.raw_from(index);
        !from.starts_with(b"${") && !from.starts_with(b"$${")
    }

    /// The text with this part of it in brackets.
    pub fn in_brackets(&self, part: Range<usize>) -> Expanded {
        let mut expanded = self.clone();
        for (at, bracket) in [(part.end, b']'), (part.start, b'[')] {
            expanded.text.insert(at, bracket);
            expanded.origins.insert(at, self.origins[part.start]);
        }
        expanded
    }

    /// The raw text from the origin of the byte at `index` of the text on;
    /// for a byte of a variable's value, from its `${`.
    pub fn raw_from(&self, index: usize) -> &[u8] {
        &self.raw[self.origins[index]..]
    }
}

/// Replaces each `${NAME}` by the value that `lookup` has for it, and `${NAME:-default}`
/// by the default where NAME is unset or empty. `$${` stands for `${`; every
/// other `$` is literal. A default runs to the first `}` and holds no `${`.
/// One pass: a value is not expanded again.
pub fn expand<'a>(raw: &'a [u8], lookup: Lookup) -> Result<Expanded, Error<'a>> {
    let mut text = Vec::with_capacity(raw.len());
    let mut origins = Vec::with_capacity(raw.len() + 1);
    let mut rest = raw;
    while let Some((first, after)) = rest.split_first() {
        let origin = raw.len() - rest.len();
        if let Some(after) = rest.strip_prefix(b"$${") {
            text.extend_from_slice(b"${");
            rest = after;
        } else if let Some(after) = rest.strip_prefix(b"${") {
            let (inner, after) = cut(after, b'}');
            rest = after.ok_or(Error::Malformed)?;
            text.extend_from_slice(&value(inner, lookup)?);
            if text.len() > TEXT_MAX {
                return Err(Error::TooLong);
            }
        } else {
            text.push(*first);
            rest = after;
        }
        origins.resize(text.len(), origin);
    }
    origins.push(raw.len());
    Ok(Expanded { text, raw: raw.to_vec(), origins })
}

/// The value of the text between `${` and `}`.
fn value<'a>(inner: &'a [u8], lookup: Lookup) -> Result<Vec<u8>, Error<'a>> {
    if let Some(digits) = inner.strip_prefix(b"0x") {
        return bytes(digits).ok_or(Error::Malformed);
    }
    let (name, default) = match inner.windows(2).position(|pair| pair == b":-") {
        Some(at) => (&inner[..at], Some(&inner[at + 2..])),
        None => (inner, None),
    };
    let is_name = match name {
        [b'/', ..] => !name.iter().any(u8::is_ascii_control),
        [first, ..] => !first.is_ascii_digit() && name.iter().all(is_name_byte),
        [] => false,
    };
    if !is_name || contains(inner, b"${") {
        return Err(Error::Malformed);
    }
    let mut value = match (lookup(name), default) {
        (Err(ENOENT), Some(default)) => return Ok(default.to_vec()),
        (value, _) => value.map_err(|number| Error::Missing(name, number))?,
    };
    if name.starts_with(b"/") {
        // Without one line end at its end, which an editor puts there.
        let line = value.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        value.truncate(line.unwrap_or(&value).len());
    }
    Ok(default.filter(|_| value.is_empty()).map_or(value, <[u8]>::to_vec))
}

/// The bytes that pairs of hexadecimal digits stand for; at least one pair.
fn bytes(digits: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for pair in digits.chunks(2) {
        let [high, low] = pair else { return None };
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        bytes.push((digit(high)? << 4 | digit(low)?) as u8);
    }
    Some(bytes).filter(|bytes| !bytes.is_empty())
}

/// POSIX's characters of an environment variable's name.
fn is_name_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, Error<'_>> {
        let lookup = |name: &[u8]| {
            Ok(match name {
                b"PORT" => b"8090".to_vec(),
                b"EMPTY" => Vec::new(),
                b"LOOP" => b"${PORT}$${".to_vec(),
                b"_x1" => b"low".to_vec(),
                b"/run/secrets/pw" => b"hunter2\n".to_vec(),
                b"/dos" => b"hunter2\r\n".to_vec(),
                b"/two" => b"a\n\n".to_vec(),
                b"LINE" => b"a\n".to_vec(),
                b"/empty" => Vec::new(),
                b"/secret" => return Err(Errno(13)),
                b"LONG" => vec![b'x'; 512 * 1024],
                _ => return Err(ENOENT),
            })
        };
        expand(text.as_bytes(), &lookup).map(|expanded| expanded.text.into_iter().map(char::from).collect())
    }

    #[test]
    fn variables_and_defaults() {
        for (text, want) in [
            ("", ""),
            ("plain", "plain"),
            ("${PORT}", "8090"),
            ("a${PORT}b${PORT}c", "a8090b8090c"),
            ("${_x1}", "low"),
            ("${PORT:-1}", "8090"),
            ("${NONE:-1}", "1"),
            ("${EMPTY:-1}", "1"),
            ("${NONE:-}", ""),
            ("${EMPTY}", ""),
            ("${NONE:-a:-b/c?d}", "a:-b/c?d"),
            ("${NONE:-{\"a\":1}}", "{\"a\":1}"),
            ("AUTH ${/run/secrets/pw}!", "AUTH hunter2!"),
            ("${/run/secrets/pw:-x}", "hunter2"),
            ("${/dos}", "hunter2"),
            ("${/two}", "a\n"),
            ("${LINE}", "a\n"),
            ("${/none:-a b}", "a b"),
            ("${/empty:-x}", "x"),
            ("${/empty}", ""),
            ("a${0x00ff7e}b${0x41}", "a\0\u{ff}~bA"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn every_other_dollar_is_literal() {
        for (text, want) in [
            ("$", "$"),
            ("$$", "$$"),
            ("$PORT", "$PORT"),
            ("$${PORT}", "${PORT}"),
            ("$$${PORT}", "$${PORT}"),
            ("$$PORT", "$$PORT"),
            ("{PORT}", "{PORT}"),
            ("a}b", "a}b"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn what_a_variable_holds_is_not_expanded_again() {
        assert_eq!(expanded("${LOOP}").as_deref(), Ok("${PORT}$${"));
    }

    #[test]
    fn unset_without_default_names_the_variable() {
        assert_eq!(expanded("x${NONE}"), Err(Error::Missing(b"NONE", ENOENT)));
        assert_eq!(expanded("x${/none}"), Err(Error::Missing(b"/none", ENOENT)));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_also_with_a_default() {
        for text in ["${/secret}", "${/secret:-x}"] {
            assert_eq!(expanded(text), Err(Error::Missing(b"/secret", Errno(13))), "{text}");
        }
    }

    #[test]
    fn a_text_has_its_cap_to_the_byte() {
        assert_eq!(expanded("${LONG}${LONG}").map(|text| text.len()), Ok(1024 * 1024));
        assert_eq!(expanded("${LONG}${LONG}${PORT}"), Err(Error::TooLong));
    }

    #[test]
    fn malformed_variables_are_refused_and_not_guessed() {
        for text in [
            "${",
            "${}",
            "${PORT",
            "${:-x}",
            "${1}",
            "${1A}",
            "${PO RT}",
            "${PORT-1}",
            "${PORT:1}",
            "${PORT:=1}",
            "${PORT:+1}",
            "${#PORT}",
            "${PORT:-${NONE}}",
            "${NONE:-${PORT:-1}}",
            "${P\u{f6}RT}",
            "${0x}",
            "${0x1}",
            "${0x123}",
            "${0xgg}",
            "${0x41:-1}",
            "${/a\nb}",
            "${/a${PORT}}",
            "${/a:-${PORT}}",
        ] {
            assert_eq!(expanded(text), Err(Error::Malformed), "{text}");
        }
    }

    #[test]
    fn every_byte_knows_its_origin() {
        let lookup = |name: &[u8]| Ok(if name == b"E" { Vec::new() } else { b"value".to_vec() });
        let written = b"a${X}b$${c}${E}d${X:-1}";
        let expanded = expand(written, &lookup).expect("it expands");
        assert_eq!(expanded.text, b"avalueb${c}dvalue");
        for (index, is_literal, from) in [
            (0, true, &b"a${X}b$${c}${E}d${X:-1}"[..]),
            (1, false, b"${X}b$${c}${E}d${X:-1}"),
            (5, false, b"${X}b$${c}${E}d${X:-1}"),
            (6, true, b"b$${c}${E}d${X:-1}"),
            (7, false, b"$${c}${E}d${X:-1}"),
            (9, true, b"c}${E}d${X:-1}"),
            (11, true, b"d${X:-1}"),
            (12, false, b"${X:-1}"),
            (17, true, b""),
        ] {
            assert_eq!(expanded.is_literal(index), is_literal, "{index}");
            assert_eq!(expanded.raw_from(index), from, "{index}");
        }
        let plain = expand(b"abc", &|_| Err(ENOENT)).expect("no variable");
        assert_eq!(plain.raw_from(1), b"bc");
    }
}
