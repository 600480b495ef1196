//! The response parser: bytes as they come in, a response out.
//!
//! It reads as a lenient client of HTTP/1.x (RFC 9112), does no I/O, and looks at each byte
//! once, however the stream is cut: it remembers where it stopped.

use std::ops::Range;

use crate::failure::Unhealthy;
use crate::text::{cut, digits, hex_digit};
use crate::wire::progress::Progress;

/// The most bytes of status-lines and fields, interim answers included. Stops
/// a server that sends header fields without end.
pub const HEADER_MAX: usize = 64 * 1024;

/// The most bytes that are read after the header section, chunk framing
/// included; the verdict stands on these. Stops a body without end.
pub const BODY_MAX: usize = 1024 * 1024;

/// The start of every status-line of HTTP/1.x.
const PREFIX: &[u8] = b"HTTP/1.";

/// After 101 the connection speaks another protocol (RFC 9110, 15.2.2), so this answer is final.
const SWITCHING_PROTOCOLS: u16 = 101;

/// The failure of what is no response at all.
pub const NOT_HTTP: &str = "not an HTTP response";

const IN_HEADERS: Progress = Progress::Partial("connection closed in the middle of the headers");
const IN_BODY: Progress = Progress::Partial("connection closed in the middle of the body");
const IN_CHUNKS: Progress = Progress::Partial("connection closed before the last chunk");

const TOO_LONG: Unhealthy = Unhealthy::Malformed("headers longer than 64 KiB");
const MALFORMED_FIELD: Unhealthy = Unhealthy::Malformed("malformed header field");
const MALFORMED_LENGTH: Unhealthy = Unhealthy::Malformed("malformed Content-Length");
const MALFORMED_CHUNK: Unhealthy = Unhealthy::Malformed("malformed chunked coding");

/// The part of a response that comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    StatusLine,
    Fields,
    /// A body of this many bytes.
    Length(u64),
    /// A body that ends with the stream.
    UntilClose,
    ChunkSize,
    /// The rest of a chunk, of this many bytes, and the end of its line.
    ChunkData(usize),
    Trailers,
    Nothing,
}

/// A response, as far as it has been received.
#[derive(Debug, Default)]
pub struct Response {
    /// The status-code of the final answer, 101 or from 200 to 999; below 200 before it is known.
    pub status: u16,
    reason: Range<usize>,
    /// From the end of the header section to the end of what has been decoded; empty before.
    content: Range<usize>,
    content_length: Option<u64>,
    is_chunked: bool,
    to_head: bool,
    next: Part,
    /// The start of the next part.
    at: usize,
    /// The bytes before this one have been searched for the end of a line.
    searched: usize,
}

impl Response {
    /// The response to a request of this method, of which nothing has been received.
    pub fn to(method: &[u8]) -> Response {
        Response { to_head: method == b"HEAD", ..Response::default() }
    }

    /// Whether the header section of the final answer is complete.
    pub fn has_header(&self) -> bool {
        self.content.start > 0
    }

    /// The reason-phrase, which may be empty; `received` are the bytes that were read.
    pub fn reason<'a>(&self, received: &'a [u8]) -> &'a [u8] {
        &received[self.reason.clone()]
    }

    /// The content, decoded, as far as it has been received.
    pub fn content<'a>(&self, received: &'a [u8]) -> &'a [u8] {
        &received[self.content.clone()]
    }

    /// Whether the end of the stream is the end of the body (RFC 9112, 6.3).
    pub fn ends_with_stream(&self) -> bool {
        self.next == Part::UntilClose
    }

    /// Continues with all that has been `received`, whose chunks are joined where they stand.
    /// Errors: `Foreign`, not HTTP; `Malformed`.
    pub fn read(&mut self, received: &mut [u8]) -> Result<Progress, Unhealthy> {
        while !self.has_header() {
            let header = &received[..received.len().min(HEADER_MAX)];
            if !self.header_line(header)? {
                return if received.len() <= HEADER_MAX { Ok(IN_HEADERS) } else { Err(TOO_LONG) };
            }
        }
        let end = received.len().min(self.content.start + BODY_MAX);
        match self.body(&mut received[..end]) {
            // The verdict stands on these.
            Ok(Progress::Partial(_)) if end == self.content.start + BODY_MAX => Ok(Progress::Complete),
            outcome => outcome,
        }
    }

    /// Reads one line of a header section. Returns whether it was whole.
    fn header_line(&mut self, received: &[u8]) -> Result<bool, Unhealthy> {
        if self.next == Part::StatusLine {
            let at = self.at;
            let foreign = Unhealthy::Foreign(NOT_HTTP, at as u32);
            let start = &received[at..];
            if !start.starts_with(PREFIX) && !PREFIX.starts_with(start) {
                return Err(foreign);
            }
            let Some(line) = self.line(received) else { return Ok(false) };
            let (status, reason) = status_line(line).ok_or(foreign)?;
            self.status = status;
            self.reason = at + reason.start..at + reason.end;
            (self.content_length, self.is_chunked, self.next) = (None, false, Part::Fields);
            return Ok(true);
        }
        let Some(line) = self.field_line(received) else { return Ok(false) };
        if !line.is_empty() {
            return self.field(line).map(|()| true);
        }
        let is_interim = self.status < 200 && self.status != SWITCHING_PROTOCOLS;
        if is_interim {
            self.next = Part::StatusLine;
            return Ok(true);
        }
        self.content = self.at..self.at;
        self.next = match self.content_length {
            _ if self.to_head || matches!(self.status, SWITCHING_PROTOCOLS | 204 | 304) => Part::Nothing,
            _ if self.is_chunked => Part::ChunkSize,
            Some(length) => Part::Length(length),
            None => Part::UntilClose,
        };
        Ok(true)
    }

    /// The next line with its end, if it is whole.
    fn line<'a>(&mut self, received: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.searched.max(self.at);
        let end = received[start..].iter().position(|&byte| byte == b'\n');
        self.searched = end.map_or(received.len(), |end| start + end + 1);
        end?;
        let line = &received[self.at..self.searched];
        self.at = self.searched;
        Some(line)
    }

    /// The next line of a header or trailer section, empty at the section's end. It goes on where the
    /// line after it begins with white space (obs-fold, RFC 9112, 5.2), so its end is known only
    /// with the byte after it.
    fn field_line<'a>(&mut self, received: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.at;
        loop {
            let line = self.line(received)?;
            match received.get(self.at) {
                _ if matches!(line, b"\n" | b"\r\n") => return Some(b""),
                Some(b' ' | b'\t') => self.at = start,
                Some(_) => return Some(line),
                None => {
                    // The line's end is looked at again, with the byte after it.
                    self.searched -= 1;
                    self.at = start;
                    return None;
                }
            }
        }
    }

    /// `field-name ":" OWS field-value OWS` (RFC 9112, 5). Only the two fields
    /// that say where the body ends matter.
    fn field(&mut self, line: &[u8]) -> Result<(), Unhealthy> {
        let (name, value) = cut(line, b':');
        let value = value.filter(|_| !line.contains(&0)).ok_or(MALFORMED_FIELD)?;
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        let is_coding = name.eq_ignore_ascii_case(b"transfer-encoding");
        // Empty elements of a list are none (RFC 9110, 5.6.1.2).
        let items = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        for item in items.filter(|item| !item.is_empty()) {
            if is_length {
                // One number, or the same several times (RFC 9110, 8.6).
                let same = |length: &u64| self.content_length.is_none_or(|other| other == *length);
                self.content_length = Some(digits(item).filter(same).ok_or(MALFORMED_LENGTH)?);
            } else if is_coding {
                // The last coding frames the message (RFC 9112, 6.1).
                self.is_chunked = item.eq_ignore_ascii_case(b"chunked");
            }
        }
        if is_length && self.content_length.is_none() { Err(MALFORMED_LENGTH) } else { Ok(()) }
    }

    /// Continues with the body (RFC 9112, 6.3 and 7.1): `chunk-size [ chunk-ext ] CRLF chunk-data CRLF`,
    /// and after the last chunk the trailer section and CRLF. Bare LF will do.
    fn body(&mut self, received: &mut [u8]) -> Result<Progress, Unhealthy> {
        loop {
            let rest = &received[self.at..];
            self.next = match self.next {
                Part::Length(length) if rest.len() as u64 >= length => {
                    self.content.end = self.at + length as usize;
                    Part::Nothing
                }
                Part::Length(_) | Part::UntilClose => {
                    self.content.end = received.len();
                    return Ok(IN_BODY);
                }
                Part::ChunkSize => {
                    if rest.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
                        return Err(MALFORMED_CHUNK);
                    }
                    let Some(line) = self.line(received) else { return Ok(IN_CHUNKS) };
                    let digits = line.iter().map_while(|&byte| hex_digit(byte));
                    // Saturates: a chunk of that size never ends.
                    match digits.fold(0, |size: usize, digit| size.saturating_mul(16) | digit as usize) {
                        0 => Part::Trailers,
                        size => Part::ChunkData(size),
                    }
                }
                Part::ChunkData(_) if rest.is_empty() => return Ok(IN_CHUNKS),
                Part::ChunkData(0) => {
                    self.at += 1;
                    match rest[0] {
                        b'\r' => Part::ChunkData(0),
                        b'\n' => Part::ChunkSize,
                        _ => return Err(MALFORMED_CHUNK),
                    }
                }
                Part::ChunkData(size) => {
                    let count = rest.len().min(size);
                    received.copy_within(self.at..self.at + count, self.content.end);
                    self.content.end += count;
                    self.at += count;
                    Part::ChunkData(size - count)
                }
                Part::Trailers => match self.field_line(received) {
                    None => return Ok(IN_CHUNKS),
                    Some(b"") => Part::Nothing,
                    Some(line) if line.contains(&b':') => Part::Trailers,
                    // It may be the rest of a malformed chunk-size such as `0x5`.
                    Some(_) => return Err(MALFORMED_CHUNK),
                },
                Part::StatusLine | Part::Fields | Part::Nothing => return Ok(Progress::Complete),
            };
        }
    }
}

/// `HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112, 4), with HTTP/1.x for
/// the version; the second space may be missing. Returns the status-code, and where the
/// reason-phrase stands.
fn status_line(line: &[u8]) -> Option<(u16, Range<usize>)> {
    let end = line.len() - 1;
    let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
    let [b'0'..=b'9', b' ', rest @ ..] = line.strip_prefix(PREFIX)? else { return None };
    let (status, reason) = cut(rest, b' ');
    let code = digits(status).filter(|code| *code >= 100 && status.len() == 3 && !line.contains(&0))?;
    Some((code as u16, line.len() - reason.unwrap_or_default().len()..line.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::contains;

    /// Reads after each of the pieces, as long as more is wanted, and at the end of
    /// the stream; status and whether "hello" came.
    fn read_all(pieces: &[&[u8]], to_head: bool) -> Result<(u16, bool), Unhealthy> {
        let mut received = Vec::new();
        let mut response = Response::to(if to_head { b"HEAD" } else { b"GET" });
        let mut outcome = response.read(&mut received);
        for piece in pieces {
            if !matches!(outcome, Ok(Progress::Partial(_))) {
                break;
            }
            received.extend_from_slice(piece);
            outcome = response.read(&mut received);
        }
        match outcome? {
            Progress::Partial(problem) if !response.ends_with_stream() => Err(Unhealthy::Incomplete(problem)),
            _ => Ok((response.status, contains(response.content(&received), b"hello"))),
        }
    }

    const CUT_BODY: Unhealthy = Unhealthy::Incomplete("connection closed in the middle of the body");

    const WHOLE: [(&str, (u16, bool)); 11] = [
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
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", (101, false)),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,\r\nTransfer-Encoding:\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            (200, true),
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5,, 5,\r\n\r\nhello", (200, true)),
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
    fn every_prefix_of_a_response_is_incomplete() {
        for (text, _) in WHOLE {
            let header = text.find("\r\n\r\n").or(text.find("\n\n")).expect("a header section");
            let until_close =
                text.contains("hello, nobody") || text.contains("not hello") || text.ends_with("200\r\n\r\n");
            for end in 0..text.len() {
                if until_close && end > header + 1 && !text.contains("HTTP/1.1 100") {
                    continue;
                }
                let error = read_all(&[&text.as_bytes()[..end]], false).expect_err(&text[..end]);
                assert!(matches!(error, Unhealthy::Incomplete(_)), "{:?}: {error:?}", &text[..end]);
            }
        }
    }

    /// Chunks of one byte, many fields before a long body, and a long folded field, each byte by byte: the search
    /// for the end of a line never goes back by more than a byte.
    #[test]
    fn every_byte_is_looked_at_once_however_the_stream_is_cut() {
        let status = "HTTP/1.1 200 OK\r\n";
        let chunked =
            format!("{status}Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", "1\r\nx\r\n".repeat(100_000));
        let fields = format!(
            "{status}{}Content-Length: 500000\r\n\r\n{}",
            "A: b\r\n".repeat(10_000),
            "x".repeat(500_000)
        );
        let long = format!("{status}A: {}\r\n {}\r\n\r\n", "x".repeat(30_000), "y\r\n ".repeat(7_000));
        for stream in [chunked, fields, long] {
            let mut response = Response::to(b"GET");
            let mut stream = stream.into_bytes();
            for end in 0..stream.len() {
                let outcome = response.read(&mut stream[..end]);
                assert!(matches!(outcome, Ok(Progress::Partial(_))), "{outcome:?} at {end}");
                let searches = !matches!(response.next, Part::Length(_) | Part::UntilClose);
                let looked_at = response.searched.max(response.at);
                assert!(!searches || looked_at + 1 >= end, "{response:?} at {end}");
            }
            let outcome = response.read(&mut stream);
            assert!(outcome == Ok(Progress::Complete) || response.ends_with_stream(), "{outcome:?}");
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
            assert_eq!(error, Err(Unhealthy::Foreign(NOT_HTTP, 0)), "{line:?}");
        }
    }

    #[test]
    fn a_foreign_answer_begins_after_the_interim_ones() {
        for (stream, at) in
            [("SSH-2.0-x\r\n", 0), ("HTTP/1.1 100\n\nICY", 14), ("HTTP/1.1 103 x\n\nHTTP/1.1 x\n", 16)]
        {
            let outcome = Response::to(b"GET").read(&mut stream.as_bytes().to_vec());
            assert_eq!(outcome, Err(Unhealthy::Foreign(NOT_HTTP, at)), "{stream:?}");
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
            ("Content-Length: ,\r\n\r\n", LENGTH),
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
        assert_eq!(read_all(&[text.as_bytes()], false), Err(CUT_BODY));
        for size in ["ffffffffffffffff", "10000000000000001", &"f".repeat(40)] {
            let text =
                format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nhello\r\n0\r\n\r\n");
            assert_eq!(
                read_all(&[text.as_bytes()], false),
                Err(Unhealthy::Incomplete("connection closed before the last chunk"))
            );
        }
    }

    #[test]
    fn the_header_section_has_its_cap_to_the_byte() {
        let (start, end) = ("HTTP/1.1 200 OK\r\nX: ", "\r\n\r\n");
        for (excess, want) in
            [(0, Ok((200, false))), (1, Err(Unhealthy::Malformed("headers longer than 64 KiB")))]
        {
            let padding = "x".repeat(HEADER_MAX - start.len() - end.len() + excess);
            assert_eq!(read_all(&[format!("{start}{padding}{end}").as_bytes()], false), want);
        }
        let unfinished = format!("{start}{}", "x".repeat(HEADER_MAX - start.len()));
        assert_eq!(
            read_all(&[unfinished.as_bytes()], false),
            Err(Unhealthy::Incomplete("connection closed in the middle of the headers"))
        );
    }

    #[test]
    fn the_body_has_its_cap_to_the_byte() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n";
        let body = vec![b'x'; BODY_MAX];
        assert_eq!(read_all(&[head, &body], false), Ok((200, false)));
        assert_eq!(read_all(&[head, &body[1..]], false), Err(CUT_BODY));
        let found = [&body[5..], b"hello"].concat();
        assert_eq!(read_all(&[head, &found], false), Ok((200, true)));
        let too_late = [&body[4..], b"hello"].concat();
        assert_eq!(read_all(&[head, &too_late], false), Ok((200, false)));
    }
}
