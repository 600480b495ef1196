//! `${NAME}` and `${NAME:-default}`, since an exec-form HEALTHCHECK has no
//! shell that would expand them.

use crate::text::cut;

/// Looks a variable up in the environment; `None` if it is not set.
pub type Lookup<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<u8>>;

/// Why a text could not be expanded.
#[derive(Debug, PartialEq, Eq)]
pub enum Error<'a> {
    /// `${NAME}` without a default, and NAME is not set.
    Unset(&'a [u8]),
    /// `${` that is neither `${NAME}` nor `${NAME:-default}`.
    Malformed,
}

/// A text whose variables are expanded, and how it was raw. What a variable
/// holds may be a secret, so the written text is the one to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The text, variables replaced by what they hold.
    pub text: Vec<u8>,
    /// The text as it was given.
    pub raw: Vec<u8>,
    /// For each byte of the text, and for its end, where it was written; a
    /// variable's value was written at its `$`.
    origins: Vec<usize>,
}

impl Expanded {
    /// Whether the byte at `index` of the text stands in the written text, and
    /// does not come out of a variable.
    pub fn is_literal(&self, index: usize) -> bool {
        let from = self.raw_from(index);
        !from.starts_with(b"${") && !from.starts_with(b"$${")
    }

    /// The written text from where the byte at `index` of the text comes from;
    /// for a byte of a variable's value, from its `${`.
    pub fn raw_from(&self, index: usize) -> &[u8] {
        &self.raw[self.origins[index]..]
    }
}

/// Replaces each `${NAME}` by what `lookup` has for it, and `${NAME:-default}`
/// by the default where NAME is unset or empty. `$${` stands for `${`; every
/// other `$` is literal. A default runs to the first `}` and holds no `${`.
/// One pass: what a variable holds is not expanded again.
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
            text.extend_from_slice(&variable(inner, lookup)?);
        } else {
            text.push(*first);
            rest = after;
        }
        origins.resize(text.len(), origin);
    }
    origins.push(raw.len());
    Ok(Expanded { text, raw: raw.to_vec(), origins })
}

/// The value of what stands between `${` and `}`.
fn variable<'a>(inner: &'a [u8], lookup: Lookup) -> Result<Vec<u8>, Error<'a>> {
    let end = inner.iter().position(|byte| !is_name_byte(byte)).unwrap_or(inner.len());
    let (name, default) = inner.split_at(end);
    if name.first().is_none_or(u8::is_ascii_digit) {
        return Err(Error::Malformed);
    }
    if default.is_empty() {
        return lookup(name).ok_or(Error::Unset(name));
    }
    match default.strip_prefix(b":-") {
        Some(default) if !default.windows(2).any(|pair| pair == b"${") => {
            let value = lookup(name).filter(|value| !value.is_empty());
            Ok(value.unwrap_or_else(|| default.to_vec()))
        }
        _ => Err(Error::Malformed),
    }
}

/// POSIX's characters of an environment variable's name.
fn is_name_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, Error<'_>> {
        let lookup = |name: &[u8]| match name {
            b"PORT" => Some(b"8090".to_vec()),
            b"EMPTY" => Some(Vec::new()),
            b"LOOP" => Some(b"${PORT}$${".to_vec()),
            b"_x1" => Some(b"low".to_vec()),
            _ => None,
        };
        expand(text.as_bytes(), &lookup)
            .map(|expanded| String::from_utf8(expanded.text).expect("UTF-8 in, UTF-8 out"))
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
        assert_eq!(expanded("x${NONE}"), Err(Error::Unset(b"NONE")));
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
        ] {
            assert_eq!(expanded(text), Err(Error::Malformed), "{text}");
        }
    }

    #[test]
    fn every_byte_knows_where_it_was_written() {
        let lookup = |name: &[u8]| Some(if name == b"E" { Vec::new() } else { b"value".to_vec() });
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
        let plain = expand(b"abc", &|_| None).expect("no variable");
        assert_eq!(plain.raw_from(1), b"bc");
    }
}
