//! The response parser: all that has been received in, a response out.
//!
//! It reads as a lenient client of HTTP/1.x (RFC 9112), does no I/O and keeps nothing: it is
//! asked again when more has come, as long as it says [`Unhealthy::CutOff`].

use crate::print::{push, push_quoted};
use crate::text::{cut, digits};
use crate::verdict::Unhealthy;

/// The most bytes of status-lines and fields, interim answers included. Stops
/// a server that sends header fields without end.
pub const HEADER_MAX: usize = 64 * 1024;

/// The most bytes that are read after the header section, chunk framing
/// included; what came until then decides. Stops a body without end.
pub const BODY_MAX: usize = 1024 * 1024;

/// What every status-line of HTTP/1.x begins with.
const PREFIX: &[u8] = b"HTTP/1.";

/// The header section of a final response, and what has come after it.
#[derive(Debug)]
pub struct Response<'a> {
    /// The status-code, from 200 to 999.
    pub status: u16,
    /// The reason-phrase, which may be empty.
    pub reason: &'a [u8],
    content_length: Option<u64>,
    chunked: bool,
    body: &'a [u8],
}

/// Reads the header section, interim answers before it included. `said` gets what
/// came instead of a response.
pub fn read<'a>(received: &'a [u8], said: &mut Vec<u8>) -> Result<Response<'a>, Unhealthy> {
    let cut_off = match received.len() {
        ..=HEADER_MAX => Unhealthy::CutOff("connection closed within the header section"),
        _ => Unhealthy::Malformed("header section longer than 64 KiB"),
    };
    let header = &received[..received.len().min(HEADER_MAX)];
    let mut rest = header;
    loop {
        let (line, after) = cut(rest, b'\n');
        if after.is_none() && (rest.starts_with(PREFIX) || PREFIX.starts_with(rest)) {
            return Err(cut_off);
        }
        let (Some((status, reason)), Some(mut fields)) = (status_line(line), after) else {
            push(said, "not an HTTP response: ");
            match rest {
                // A record of a TLS alert or handshake (RFC 8446, 5.1).
                [21 | 22, 3, ..] => push(said, "TLS, try tls://host:port"),
                _ => push_quoted(said, rest),
            }
            return Err(Unhealthy::Answer);
        };
        let mut response = Response { status, reason, content_length: None, chunked: false, body: b"" };
        loop {
            let (line, after) = field_line(fields).ok_or(cut_off)?;
            fields = after;
            if line.is_empty() {
                break;
            }
            response.field(line)?;
        }
        if status >= 200 {
            response.body = &received[header.len() - fields.len()..];
            return Ok(response);
        }
        rest = fields;
    }
}

/// `HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112, 4), with HTTP/1.x for
/// the version; the second space may be missing.
fn status_line(line: &[u8]) -> Option<(u16, &[u8])> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let [b'0'..=b'9', b' ', rest @ ..] = line.strip_prefix(PREFIX)? else { return None };
    let (status, reason) = cut(rest, b' ');
    let code = digits(status).filter(|code| *code >= 100 && status.len() == 3 && !line.contains(&0))?;
    Some((code as u16, reason.unwrap_or_default()))
}

/// A line of a header or trailer section, none of an empty one, and what follows it.
/// It goes on where the next line begins with white space (obs-fold, RFC 9112, 5.2), so
/// its end is known with the byte after it.
fn field_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if let [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] = bytes {
        return Some((b"", rest));
    }
    let is_end = |pair: &[u8]| pair[0] == b'\n' && !matches!(pair[1], b' ' | b'\t');
    let end = bytes.windows(2).position(is_end)? + 1;
    Some(bytes.split_at(end))
}

impl Response<'_> {
    /// `field-name ":" OWS field-value OWS` (RFC 9112, 5). Only the two fields
    /// that say where the body ends matter.
    fn field(&mut self, line: &[u8]) -> Result<(), Unhealthy> {
        let (name, Some(value)) = cut(line, b':') else {
            return Err(Unhealthy::Malformed("malformed header field"));
        };
        if line.contains(&0) {
            return Err(Unhealthy::Malformed("malformed header field"));
        }
        for item in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            if name.eq_ignore_ascii_case(b"content-length") {
                // One number, or the same several times (RFC 9110, 8.6).
                let same = |length: &u64| self.content_length.is_none_or(|other| other == *length);
                let length = digits(item).filter(same);
                self.content_length = Some(length.ok_or(Unhealthy::Malformed("malformed Content-Length"))?);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                // The last coding frames the message (RFC 9112, 6.1).
                self.chunked = item.eq_ignore_ascii_case(b"chunked");
            }
        }
        Ok(())
    }

    /// Hands over the content that has come, decoded; whether it is whole (RFC 9112, 6.3).
    /// `to_head`: the request was HEAD. `ended`: nothing more will come.
    pub fn content(&self, to_head: bool, ended: bool, take: &mut dyn FnMut(&[u8])) -> Result<(), Unhealthy> {
        let body = &self.body[..self.body.len().min(BODY_MAX)];
        let outcome = match self.content_length {
            _ if to_head || matches!(self.status, 204 | 304) => Ok(()),
            _ if self.chunked => chunks(body, take),
            Some(length) if body.len() as u64 >= length => {
                take(&body[..length as usize]);
                Ok(())
            }
            length => {
                take(body);
                if ended && length.is_none() {
                    Ok(())
                } else {
                    Err(Unhealthy::CutOff("connection closed within the body"))
                }
            }
        };
        match outcome {
            Err(Unhealthy::CutOff(_)) if body.len() == BODY_MAX => Ok(()),
            outcome => outcome,
        }
    }
}

/// Hands over the content of a chunked body, as far as it came: `chunk-size [ chunk-ext ]
/// CRLF chunk-data CRLF`, and after the last chunk the trailer section and CRLF (RFC
/// 9112, 7.1). Bare LF will do.
fn chunks(body: &[u8], take: &mut dyn FnMut(&[u8])) -> Result<(), Unhealthy> {
    let cut_off = Unhealthy::CutOff("connection closed before the last chunk");
    let malformed = Unhealthy::Malformed("malformed chunked coding");
    let mut rest = body;
    loop {
        if rest.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
            return Err(malformed);
        }
        let digits = rest.iter().map_while(|&byte| char::from(byte).to_digit(16));
        // What is too large for a number is also too large for us.
        let size = digits.fold(0, |size: usize, digit| size.saturating_mul(16) | digit as usize);
        rest = cut(rest, b'\n').1.ok_or(cut_off)?;
        if size == 0 {
            break;
        }
        take(&rest[..rest.len().min(size)]);
        rest = rest.get(size..).ok_or(cut_off)?;
        let end = rest.iter().position(|&byte| byte != b'\r').ok_or(cut_off)?;
        rest = rest[end..].strip_prefix(b"\n").ok_or(malformed)?;
    }
    loop {
        let (line, after) = field_line(rest).ok_or(cut_off)?;
        if line.is_empty() {
            return Ok(());
        }
        // Without a colon it may be what a wrong chunk-size left, as of `0x5`.
        cut(line, b':').1.ok_or(malformed)?;
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::contains;

    /// Reads after each of the pieces, as long as more is wanted, and at the end of
    /// the stream; status and whether "hello" came.
    fn read_all(pieces: &[&[u8]], to_head: bool) -> Result<(u16, bool), Unhealthy> {
        let mut received = Vec::new();
        let mut said = Vec::new();
        for (count, piece) in pieces.iter().chain([&&b""[..]]).enumerate() {
            received.extend_from_slice(piece);
            let mut content = Vec::new();
            let ended = count == pieces.len();
            let outcome = read(&received, &mut said).and_then(|response| {
                response
                    .content(to_head, ended, &mut |piece| content.extend_from_slice(piece))
                    .map(|()| (response.status, contains(&content, b"hello")))
            });
            match outcome {
                Err(Unhealthy::CutOff(_)) if !ended => {}
                outcome => return outcome,
            }
        }
        unreachable!("the end of the stream decides");
    }

    const WITHIN_BODY: Unhealthy = Unhealthy::CutOff("connection closed within the body");

    const WHOLE: [(&str, (u16, bool)); 8] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", (200, true)),
        ("HTTP/1.0 404 Not Found\n\nhello, nobody", (404, true)),
        ("HTTP/1.1 204 \r\nA: b\r\n\r\n", (204, false)),
        ("HTTP/1.1 100\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n c\r\n\r\nHTTP/1.1 200\r\n\r\n", (200, false)),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\t5\r\n\r\nhello", (200, true)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\nA:\r\n\r\nhello", (200, true)),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: x, chunked\r\n\r\n\
             00000000000000002;a=\"b\"\r\nhe\r\n3 \nllo\n000\r\nA: b\r\n folded\r\n\r\n",
            (200, true),
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nnot hello", (200, true)),
    ];

    #[test]
    fn the_verdict_is_the_same_wherever_the_bytes_are_cut() {
        for (text, want) in WHOLE {
            let bytes = text.as_bytes();
            assert_eq!(read_all(&[bytes], false), Ok(want), "{text:?}");
            for cut in 0..=bytes.len() {
                let (start, end) = bytes.split_at(cut);
                assert_eq!(read_all(&[start, end], false), Ok(want), "{text:?} cut at {cut}");
            }
            let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(read_all(&bytewise, false), Ok(want), "{text:?} byte by byte");
        }
    }

    #[test]
    fn every_prefix_of_a_response_is_cut_off() {
        for (text, _) in WHOLE {
            let header = text.find("\r\n\r\n").or(text.find("\n\n")).expect("a header section");
            let until_close =
                text.contains("hello, nobody") || text.contains("not hello") || text.ends_with("200\r\n\r\n");
            for end in 0..text.len() {
                if until_close && end > header + 1 && !text.contains("HTTP/1.1 100") {
                    continue;
                }
                let error = read_all(&[&text.as_bytes()[..end]], false).expect_err(&text[..end]);
                assert!(matches!(error, Unhealthy::CutOff(_)), "{:?}: {error:?}", &text[..end]);
            }
        }
    }

    #[test]
    fn what_follows_a_complete_response_is_not_looked_at() {
        for text in ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\njunk", "HTTP/1.1 304 x\r\n\r\n\0"] {
            assert!(read_all(&[text.as_bytes()], false).is_ok(), "{text:?}");
        }
        assert_eq!(read_all(&[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"], true), Ok((200, false)));
    }

    #[test]
    fn what_is_no_status_line_is_not_http() {
        for line in [
            "http/1.1 200 OK",
            "HTTP/1.x 200 OK",
            "HTTP/1. 200 OK",
            "HTTP/1.10 200 OK",
            "HTTP/1.1\t200 OK",
            "HTTP/1.1 20",
            "HTTP/1.1 2000 OK",
            "HTTP/1.1 200OK",
            "HTTP/1.1 +20 OK",
            "HTTP/1.1 099 OK",
            "HTTP/1.1 -99 OK",
            "HTTP/1.1 ",
            "HTTP/1.1",
            "HTTP/2.0 200 OK",
            " HTTP/1.1 200 OK",
            "ICY 200 OK",
            "HTTP/1.1 200 O\0K",
            "\r",
            "",
        ] {
            let error = read_all(&[line.as_bytes(), b"\r\n\r\n"], false);
            assert_eq!(error, Err(Unhealthy::Answer), "{line:?}");
        }
    }

    #[test]
    fn of_what_is_no_response_the_start_is_shown() {
        for (stream, words) in [
            (&b"SSH-2.0-x\r\n"[..], r#"not an HTTP response: "SSH-2.0-x\x0d\x0a""#),
            (b"HTTP/1.1 100\n\nICY", r#"not an HTTP response: "ICY""#),
            (&[b'x'; 81], &format!("not an HTTP response: \"{}...\"", "x".repeat(80))),
            (b"\x15\x03\x01\0\x02\x02\x46", "not an HTTP response: TLS, try tls://host:port"),
            (b"\x16\x03", "not an HTTP response: TLS, try tls://host:port"),
            (b"\x16", r#"not an HTTP response: "\x16""#),
        ] {
            let mut said = Vec::new();
            assert_eq!(read(stream, &mut said).err(), Some(Unhealthy::Answer), "{stream:?}");
            assert_eq!(String::from_utf8_lossy(&said), words, "{stream:?}");
        }
    }

    #[test]
    fn malformed_fields_and_chunks() {
        const FIELD: &str = "malformed header field";
        const LENGTH: &str = "malformed Content-Length";
        const CHUNK: &str = "malformed chunked coding";
        for (rest, want) in [
            ("Content-Length: \r\n\r\n", LENGTH),
            ("Content-Length: -1\r\n\r\n", LENGTH),
            ("Content-Length: 1 2\r\n\r\n", LENGTH),
            ("Content-Length: 0x5\r\n\r\n", LENGTH),
            ("Content-Length: 1, 2\r\n\r\n", LENGTH),
            ("Content-Length: 1\r\nContent-Length: 2\r\n\r\n", LENGTH),
            ("Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n", LENGTH),
            ("No colon\r\n\r\n", FIELD),
            ("Nul: \0\r\n\r\n", FIELD),
            (" first: folded\r\nbut no colon\r\n\r\n", FIELD),
            ("Transfer-Encoding: chunked\r\n\r\n\r\n", CHUNK),
            ("Transfer-Encoding: chunked\r\n\r\n-5\r\n", CHUNK),
            ("Transfer-Encoding: chunked\r\n\r\n1\r\nhello", CHUNK),
            ("Transfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n", CHUNK),
            ("Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", CHUNK),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{rest}");
            assert_eq!(read_all(&[text.as_bytes()], false), Err(Unhealthy::Malformed(want)), "{text:?}");
        }
    }

    #[test]
    fn a_length_beyond_all_numbers_is_only_never_reached() {
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\nhello", "9".repeat(40));
        assert_eq!(read_all(&[text.as_bytes()], false), Err(WITHIN_BODY));
        for size in ["ffffffffffffffff", "10000000000000001", &"f".repeat(40)] {
            let text =
                format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nhello\r\n0\r\n\r\n");
            assert_eq!(
                read_all(&[text.as_bytes()], false),
                Err(Unhealthy::CutOff("connection closed before the last chunk"))
            );
        }
    }

    #[test]
    fn the_header_section_has_its_cap_to_the_byte() {
        let (start, end) = ("HTTP/1.1 200 OK\r\nX: ", "\r\n\r\n");
        for (excess, want) in
            [(0, Ok((200, false))), (1, Err(Unhealthy::Malformed("header section longer than 64 KiB")))]
        {
            let padding = "x".repeat(HEADER_MAX - start.len() - end.len() + excess);
            assert_eq!(read_all(&[format!("{start}{padding}{end}").as_bytes()], false), want);
        }
    }

    #[test]
    fn the_body_has_its_cap_to_the_byte() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n";
        let body = vec![b'x'; BODY_MAX];
        assert_eq!(read_all(&[head, &body], false), Ok((200, false)));
        assert_eq!(read_all(&[head, &body[1..]], false), Err(WITHIN_BODY));
        let found = [&body[5..], b"hello"].concat();
        assert_eq!(read_all(&[head, &found], false), Ok((200, true)));
        let too_late = [&body[4..], b"hello"].concat();
        assert_eq!(read_all(&[head, &too_late], false), Ok((200, false)));
    }
}
