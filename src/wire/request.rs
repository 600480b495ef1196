//! The bytes of the HTTP/1.x request.

use crate::input::config::Config;
use crate::input::expand::Expanded;
use crate::input::target::Http;
use crate::print::{push, push_number};
use crate::text::{after, before};

/// The request method: with data `POST`, without `GET`, unless another one was
/// asked for.
pub fn method(config: &Config) -> &[u8] {
    let default: &[u8] = if config.data.is_some() { b"POST" } else { b"GET" };
    config.method.as_deref().unwrap_or(default)
}

/// The whole request, body included. Every part was checked when it was
/// parsed, so this is one well-formed request (RFC 9112, 2.1).
pub fn request(http: &Http, config: &Config) -> Vec<u8> {
    let mut out = Vec::with_capacity(200);
    push(&mut out, method(config));
    out.push(b' ');
    push(&mut out, &http.request_target);
    // HTTP/1.0: a conforming server closes the connection and sends no chunks.
    push(&mut out, if config.http11 { " HTTP/1.1\r\n" } else { " HTTP/1.0\r\n" });

    // A field that the request has unless the user gives one of that name.
    let mut default = |start: &str, value: &[u8]| {
        let name = before(start.as_bytes(), b':');
        let replaced = |header: &Expanded| before(&header.text, b':').eq_ignore_ascii_case(name);
        if !config.headers.iter().any(replaced) {
            push_line(&mut out, start.as_bytes(), value);
        }
    };
    default("Host: ", &http.host);
    default(concat!("User-Agent: probe/", env!("CARGO_PKG_VERSION")), b"");
    default("Accept: */*", b"");
    default("Connection: close", b"");
    if let Some(user_info) = &http.user_info {
        default("Authorization: Basic ", &base64(user_info));
    }
    if config.data.is_some() {
        // As curl's --data has it.
        default("Content-Type: application/x-www-form-urlencoded", b"");
    }
    let data = config.data.as_ref().map_or(&b""[..], |data| &data.text);
    if config.data.is_some() || !matches!(method(config), b"GET" | b"HEAD") {
        // Without it servers answer 411 to a POST in HTTP/1.0 (RFC 1945, 7.2.2).
        let mut length = Vec::new();
        push_number(&mut length, data.len() as u64);
        default("Content-Length: ", &length);
    }
    for Expanded { text: header, .. } in &config.headers {
        // As curl's -H has it, a field is sent as it was written, and an empty
        // value only takes a default away.
        if !after(header, b':').unwrap_or_default().trim_ascii().is_empty() {
            push_line(&mut out, header, b"");
        }
    }
    push(&mut out, b"\r\n");
    push(&mut out, data);
    out
}

fn push_line(out: &mut Vec<u8>, start: &[u8], value: &[u8]) {
    push(out, start);
    push(out, value);
    push(out, "\r\n");
}

/// The Base 64 encoding of `bytes` (RFC 4648, 4).
pub fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (24 - 8 * three.len());
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) as usize & 63;
            out.push(if digit > three.len() { b'=' } else { DIGITS[index] });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::target::{Check, parse};

    fn sent(target: &str, change: impl FnOnce(&mut Config)) -> String {
        let expanded = Expanded::literal(target.as_bytes());
        let Ok(Check::Http(http)) = parse(&expanded, None).map(|target| target.check) else {
            panic!("{target}");
        };
        let mut config = Config::default();
        change(&mut config);
        String::from_utf8(request(&http, &config)).expect("ASCII")
    }

    #[test]
    fn a_plain_get_to_the_letter() {
        let agent = concat!("User-Agent: probe/", env!("CARGO_PKG_VERSION"), "\r\n");
        let want = format!(
            "GET /echo?a HTTP/1.0\r\nHost: x:8090\r\n{agent}Accept: */*\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(sent("http://x:8090/echo?a#f", |_| ()), want);
    }

    #[test]
    fn data_makes_it_a_post_with_a_length() {
        let post = sent("x", |config| config.data = Some(Expanded::literal(b"{}\n")));
        assert!(post.starts_with("POST / HTTP/1.0\r\n"), "{post}");
        assert!(post.contains("\r\nContent-Type: application/x-www-form-urlencoded\r\n"), "{post}");
        assert!(post.ends_with("\r\nContent-Length: 3\r\n\r\n{}\n"), "{post}");
    }

    #[test]
    fn a_method_that_may_have_a_body_says_that_it_has_none() {
        for (method, length) in [("POST", true), ("PUT", true), ("HEAD", false), ("GET", false)] {
            let request = sent("x", |config| config.method = Some(method.into()));
            assert!(request.starts_with(&format!("{method} / ")));
            assert_eq!(request.contains("\r\nContent-Length: 0\r\n"), length, "{method}");
        }
    }

    #[test]
    fn a_header_replaces_the_default_of_its_name_and_an_empty_one_removes_it() {
        let request = sent("u:p@x", |config| {
            config.headers = ["host: y", "ACCEPT:", "X:1", "X: 2 ", "authorization: z"]
                .map(|line| Expanded::literal(line.as_bytes()))
                .to_vec();
        });
        assert!(!request.contains("Host: x") && request.contains("host: y\r\n"), "{request}");
        assert!(!request.to_lowercase().contains("accept"), "{request}");
        assert!(!request.contains("Basic") && request.contains("authorization: z\r\n"), "{request}");
        assert!(request.contains("\r\nX:1\r\nX: 2 \r\n"), "{request}");
    }

    #[test]
    fn user_info_becomes_basic_authorization() {
        // The example of RFC 7617, 2.
        let request = sent("http://Aladdin:open%20sesame@x/", |_| ());
        assert!(request.contains("\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{request}");
    }

    #[test]
    fn base64_of_the_rfc() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded.as_bytes());
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), b"+//+");
    }
}
