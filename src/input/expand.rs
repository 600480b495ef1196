//! `${NAME}`, `${NAME:-default}`, `${/path}` and `${0x00ff}`, since an exec-form
//! HEALTHCHECK has no shell that would expand anything.

use std::ops::Range;

use crate::errno::{ENOENT, Errno};
use crate::print::push;
use crate::text::{contains, cut, has_control, hex_byte};

/// Looks up a variable of the environment or, by a name that begins with `/`, a file: its value or
/// content, or the system's error, [`ENOENT`] if there is none of that name.
pub type Lookup<'a> = &'a dyn Fn(&[u8]) -> Result<Vec<u8>, Errno>;

/// The forms of a variable, for error messages.
pub const EXPECTED: &str = "must be ${NAME}, ${NAME:-default}, ${/path} or ${0xff}; $${ is a literal ${";

/// The longest expansion, except for `--data`. Stops a short text that names a long variable very often.
pub const TEXT_MAX: usize = 64 * 1024;

/// The same for `--data`.
pub const DATA_MAX: usize = 1024 * 1024;

/// Why a text could not be expanded.
#[derive(Debug, PartialEq, Eq)]
pub enum Error<'a> {
    /// There is no variable or file of this name, and no default; or the file cannot be read.
    /// With the system's error.
    Missing(&'a [u8], Errno),
    /// A `${` that begins none of the four forms.
    Malformed,
    /// Longer than it may be.
    TooLong,
}

/// A text whose variables are expanded, and the raw text. A variable's value may be a secret, so
/// the raw text is the one to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The text, with variables replaced by their values.
    pub text: Vec<u8>,
    /// The text as it was given.
    pub raw: Vec<u8>,
    /// What was replaced, in its order.
    spans: Vec<Span>,
}

/// A part of the raw text that was replaced: `${…}` or `$${`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    /// Where it stands in the raw text.
    raw: Range<usize>,
    /// Where its replacement stands in the text.
    text: Range<usize>,
    /// Whether the replacement came out of a variable or a file.
    is_value: bool,
}

impl Expanded {
    /// A text without variables.
    pub fn literal(text: &[u8]) -> Expanded {
        Expanded { text: text.to_vec(), raw: text.to_vec(), spans: Vec::new() }
    }

    /// Whether the byte at `index` of the text was typed, not produced by `${…}` or `$${`.
    pub fn is_literal(&self, index: usize) -> bool {
        !self.spans.iter().any(|span| span.text.contains(&index))
    }

    /// The raw text from the origin of the byte at `index` of the text on; for a byte that was
    /// produced, from its `${` or `$${`.
    pub fn raw_from(&self, index: usize) -> &[u8] {
        let origin = match self.spans.iter().rfind(|span| span.text.start <= index) {
            Some(span) if span.text.contains(&index) => span.raw.start,
            Some(span) => span.raw.end + (index - span.text.end),
            None => index,
        };
        &self.raw[origin..]
    }

    /// The name of the variable or file whose value, or default, is empty and stands at `index` of the text.
    pub fn emptied_at(&self, index: usize) -> Option<&[u8]> {
        let span = self.spans.iter().find(|span| span.text == (index..index))?;
        Some(name_and_default(&self.raw[span.raw.start + 2..span.raw.end - 1]).0)
    }

    /// Hands over the parts of `within` that came out of variables and files.
    pub fn each_value(&self, within: Range<usize>, found: &mut dyn FnMut(&[u8])) {
        for span in &self.spans {
            let part = span.text.start.max(within.start)..span.text.end.min(within.end);
            if span.is_value && !part.is_empty() {
                found(&self.text[part]);
            }
        }
    }
}

/// Replaces each `${NAME}` by the value that `lookup` has for it, and `${NAME:-default}`
/// by the default where NAME is unset or empty. `$${` stands for `${`; every
/// other `$` is literal. A default runs to the first `}` and holds no `${`.
/// One pass: a value is not expanded again. The outcome has at most `max` bytes.
pub fn expand<'a>(raw: &'a [u8], max: usize, lookup: Lookup) -> Result<Expanded, Error<'a>> {
    let mut text = Vec::new();
    let mut spans = Vec::new();
    let mut rest = raw;
    loop {
        // A variable from its brace on.
        let (literal, variable) = cut(rest, b'$');
        push(&mut text, literal);
        if text.len() > max {
            return Err(Error::TooLong);
        }
        let Some(variable) = variable else { return Ok(Expanded { text, raw: raw.to_vec(), spans }) };
        let start = text.len();
        let mut is_value = false;
        if let Some(after) = variable.strip_prefix(b"${") {
            push(&mut text, "${");
            rest = after;
        } else if let Some(after) = variable.strip_prefix(b"{") {
            let (inner, after) = cut(after, b'}');
            rest = after.ok_or(Error::Malformed)?;
            is_value = push_value(&mut text, inner, lookup)?;
        } else {
            push(&mut text, "$");
            rest = variable;
            continue;
        }
        let origin = raw.len() - variable.len() - 1;
        spans.push(Span { raw: origin..raw.len() - rest.len(), text: start..text.len(), is_value });
    }
}

/// Appends the value of the text between `${` and `}`. Returns whether a variable or a file had it.
fn push_value<'a>(out: &mut Vec<u8>, inner: &'a [u8], lookup: Lookup) -> Result<bool, Error<'a>> {
    if let Some(digits @ [_, ..]) = inner.strip_prefix(b"0x") {
        for pair in digits.chunks(2) {
            out.push(hex_byte(pair).ok_or(Error::Malformed)?);
        }
        return Ok(false);
    }
    let (name, default) = name_and_default(inner);
    let is_name = match name {
        [] | [b'0'..=b'9', ..] => false,
        [b'/', ..] => !has_control(name),
        // POSIX's characters of an environment variable's name.
        name => name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'),
    };
    if !is_name || contains(inner, b"${") {
        return Err(Error::Malformed);
    }
    let held = match lookup(name) {
        Err(ENOENT) if default.is_some() => Vec::new(),
        held => held.map_err(|number| Error::Missing(name, number))?,
    };
    let mut value = &held[..];
    if name.starts_with(b"/") {
        // Without one line end at its end, which an editor puts there.
        let line = value.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        value = line.unwrap_or(value);
    }
    let is_value = !value.is_empty();
    push(out, if is_value { value } else { default.unwrap_or_default() });
    Ok(is_value)
}

/// `NAME`, or `NAME:-default`.
fn name_and_default(inner: &[u8]) -> (&[u8], Option<&[u8]>) {
    match inner.windows(2).position(|pair| pair == b":-") {
        Some(at) => (&inner[..at], Some(&inner[at + 2..])),
        None => (inner, None),
    }
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
        expand(text.as_bytes(), DATA_MAX, &lookup)
            .map(|expanded| expanded.text.into_iter().map(char::from).collect())
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
        assert_eq!(expanded("${LONG}${LONG}").map(|text| text.len()), Ok(DATA_MAX));
        assert_eq!(expanded("${LONG}${LONG}${PORT}"), Err(Error::TooLong));
        let value = |_: &[u8]| Ok(b"12".to_vec());
        for (text, length) in [
            ("abc", Ok(3)),
            ("abcd", Err(Error::TooLong)),
            ("a${X}", Ok(3)),
            ("${X}${X}", Err(Error::TooLong)),
        ] {
            assert_eq!(
                expand(text.as_bytes(), 3, &value).map(|expanded| expanded.text.len()),
                length,
                "{text}"
            );
        }
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
        let expanded = expand(written, TEXT_MAX, &lookup).expect("it expands");
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
        assert_eq!(Expanded::literal(b"abc").raw_from(1), b"bc");
    }

    #[test]
    fn values_are_what_variables_and_files_hold() {
        let lookup = |name: &[u8]| match name {
            b"X" => Ok(b"value".to_vec()),
            b"/f" => Ok(b"file\n".to_vec()),
            b"E" => Ok(Vec::new()),
            _ => Err(ENOENT),
        };
        let text = b"a${X}$${E}${E}${E:-default}${NONE:-x}${0x41}${/f}";
        let expanded = expand(text, TEXT_MAX, &lookup).expect("it expands");
        assert_eq!(expanded.text, b"avalue${E}defaultxAfile");
        let values = |within| {
            let mut values = Vec::new();
            expanded
                .each_value(within, &mut |value| values.push(String::from_utf8_lossy(value).into_owned()));
            values
        };
        assert_eq!(values(0..99), ["value", "file"]);
        assert_eq!(values(3..21), ["lue", "fi"]);
        assert_eq!(values(0..1), [""; 0]);
        assert_eq!((expanded.emptied_at(10), expanded.emptied_at(1)), (Some(&b"E"[..]), None));
    }
}
