//! Which status-codes count as healthy.

use crate::text::{cut, digits};

/// The form of a list, for error messages.
pub const EXPECTED: &str = "must be 101 or codes from 200 to 999: 200 or 200,204 or 200-299 or 2xx or any";

/// Every answer that is no error.
pub const DEFAULT: &[u8] = b"200-399";

/// The lowest final status-code but for [`SWITCHING_PROTOCOLS`]: 1xx are interim (RFC 9110, 15.2).
const STATUS_MIN: u64 = 200;

/// After it no HTTP follows, so it is final too (RFC 9110, 15.2.2).
const SWITCHING_PROTOCOLS: u64 = 101;

/// Whether this is a list, separated by commas, of `200`, `200-299`, `2xx` and `any`.
pub fn is_list(text: &[u8]) -> bool {
    ranges(text).all(|range| range.is_some())
}

/// Whether such a list has this status-code.
pub fn accepts(list: &[u8], status: u16) -> bool {
    ranges(list).flatten().any(|(low, high)| (low..=high).contains(&u64::from(status)))
}

fn ranges(list: &[u8]) -> impl Iterator<Item = Option<(u64, u64)>> {
    list.split(|&byte| byte == b',').map(|item| range(item.trim_ascii()))
}

/// One item of the list as an inclusive range.
fn range(item: &[u8]) -> Option<(u64, u64)> {
    match item {
        b"any" => Some((SWITCHING_PROTOCOLS, 999)),
        b"101" => Some((SWITCHING_PROTOCOLS, SWITCHING_PROTOCOLS)),
        [class @ b'2'..=b'9', b'x' | b'X', b'x' | b'X'] => {
            let low = u64::from(class - b'0') * 100;
            Some((low, low + 99))
        }
        _ => {
            let (low, high) = cut(item, b'-');
            let (low, high) = (status_code(low)?, status_code(high.unwrap_or(low))?);
            (low <= high).then_some((low, high))
        }
    }
}

/// Three digits, from 200 to 999.
fn status_code(text: &[u8]) -> Option<u64> {
    digits(text).filter(|code| text.len() == 3 && *code >= STATUS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form() {
        for (list, accepted, refused) in [
            ("200", &[200][..], &[199, 201, 999][..]),
            ("200,204", &[200, 204], &[201, 203, 205]),
            ("200-299", &[200, 250, 299], &[199, 300]),
            ("200-399", &[200, 302, 399], &[199, 400, 503]),
            ("2xx", &[200, 299], &[199, 300]),
            ("4XX", &[400, 499], &[399, 500]),
            ("any", &[101, 200, 404, 500, 999], &[]),
            ("101", &[101], &[200]),
            ("101,2xx", &[101, 200], &[301]),
            ("200-399", &[200], &[101]),
            ("200, 3xx,500-501", &[200, 300, 399, 500, 501], &[201, 400, 502]),
        ] {
            assert!(is_list(list.as_bytes()), "{list}");
            let accepts = |&status| accepts(list.as_bytes(), status);
            assert!(accepted.iter().all(accepts), "{list}");
            assert!(!refused.iter().any(accepts), "{list}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for list in [
            "",
            ",",
            "200,",
            ",200",
            "99",
            "099",
            "100",
            "101-299",
            "199-200",
            "1xx",
            "1000",
            "20",
            "2000",
            "299-200",
            "200-",
            "-200",
            "200-299-300",
            "2x",
            "2xxx",
            "0xx",
            "xxx",
            "2x0",
            "20x",
            "ok",
            "200 204",
            "+200",
            "200;204",
            "2xx-3xx",
            "all",
            "*",
        ] {
            assert!(!is_list(list.as_bytes()), "{list}");
        }
    }
}
