//! `${NAME}` and `${NAME:-default}`, since an exec-form HEALTHCHECK has no
//! shell that would expand them.

use crate::text::cut;

/// Looks a variable up in the environment; `None` if it is not set.
pub type Lookup<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<u8>>;

/// Why a text could not be expanded.
#[derive(Debug, PartialEq, Eq)]
pub enum Error {
    /// `${NAME}` without a default, and NAME is not set.
    Unset(Vec<u8>),
    /// `${` that is neither `${NAME}` nor `${NAME:-default}`.
    Malformed,
}

/// Replaces each `${NAME}` by what `lookup` has for it, and `${NAME:-default}`
/// by the default where NAME is unset or empty. `$${` stands for `${`; every
/// other `$` is literal. A default runs to the first `}` and holds no `${`.
/// One pass: what a variable holds is not expanded again.
pub fn expand(text: &[u8], lookup: Lookup) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"$${") {
            out.extend_from_slice(b"${");
            rest = after;
        } else if let Some(after) = rest.strip_prefix(b"${") {
            let (inner, after) = cut(after, b'}');
            rest = after.ok_or(Error::Malformed)?;
            out.extend_from_slice(&variable(inner, lookup)?);
        } else {
            out.push(first);
            rest = after;
        }
    }
    Ok(out)
}

/// The value of what stands between `${` and `}`.
fn variable(inner: &[u8], lookup: Lookup) -> Result<Vec<u8>, Error> {
    let end = inner.iter().position(|byte| !is_name_byte(byte)).unwrap_or(inner.len());
    let (name, default) = inner.split_at(end);
    if name.first().is_none_or(u8::is_ascii_digit) {
        return Err(Error::Malformed);
    }
    if default.is_empty() {
        return lookup(name).ok_or_else(|| Error::Unset(name.to_vec()));
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

    fn expanded(text: &str) -> Result<String, Error> {
        let lookup = |name: &[u8]| match name {
            b"PORT" => Some(b"8090".to_vec()),
            b"EMPTY" => Some(Vec::new()),
            b"LOOP" => Some(b"${PORT}$${".to_vec()),
            b"_x1" => Some(b"low".to_vec()),
            _ => None,
        };
        expand(text.as_bytes(), &lookup).map(|out| String::from_utf8(out).expect("UTF-8 in, UTF-8 out"))
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
        assert_eq!(expanded("x${NONE}"), Err(Error::Unset(b"NONE".to_vec())));
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
}
