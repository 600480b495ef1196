//! The response parser: bytes in, in any pieces; a verdict out.
//!
//! It reads as a lenient client of HTTP/1.x (RFC 9112), keeps one line at a
//! time, and gives the same answer however the bytes are cut.

use crate::print::{Print, push, push_escaped, push_number};
use crate::search::Search;
use crate::text::{cut, digits};

/// The most bytes of status-lines and fields, interim answers included. Stops
/// a server that sends header fields without end.
pub const HEADER_MAX: usize = 64 * 1024;

/// The most bytes that are read after the header section, chunk framing
/// included; what came until then decides. Stops a body without end.
pub const BODY_MAX: u64 = 1024 * 1024;

/// How much is shown of what is no response; the rest is not kept.
const SHOWN: usize = 32;

/// What most lines of a header section fit into; a longer one grows.
const LINE: usize = 100;

/// The most hexadecimal digits of a chunk-size: 64 bits.
const CHUNK_DIGITS_MAX: usize = 16;

/// Why bytes are no whole HTTP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// They do not begin as one; holds the first of them.
    NotHttp(Vec<u8>),
    /// A header field has no colon, or has a NUL.
    Field,
    /// More than [`HEADER_MAX`] bytes of header section.
    HeaderTooLong,
    /// A Content-Length that is no number, or two that differ.
    ContentLength,
    /// Chunked coding that does not parse.
    Chunk,
    /// The stream ended before the first byte.
    Empty,
    /// The stream ended within the header section.
    HeaderCutOff,
    /// The stream ended after this many bytes of a body of that length.
    BodyCutOff(u64, u64),
    /// The stream ended before the last chunk.
    ChunksCutOff,
}

impl Print for Error {
    fn print(&self, out: &mut Vec<u8>) {
        match self {
            // A record of a TLS alert or handshake (RFC 8446, 5.1).
            Error::NotHttp(start) if matches!(start[..], [21 | 22, 3, ..]) => {
                push(out, "not an HTTP response: TLS, try tls://host:port");
            }
            Error::NotHttp(start) => {
                push(out, "not an HTTP response: \"");
                push_escaped(out, start, SHOWN);
                push(out, "\"");
            }
            Error::Field => push(out, "malformed header field"),
            Error::HeaderTooLong => push(out, "header section longer than 64 KiB"),
            Error::ContentLength => push(out, "malformed Content-Length"),
            Error::Chunk => push(out, "malformed chunked coding"),
            Error::Empty => push(out, "connection closed without an answer"),
            Error::HeaderCutOff => push(out, "connection closed within the header section"),
            Error::BodyCutOff(came, length) => {
                push(out, "connection closed after ");
                push_number(out, *came);
                push(out, " of ");
                push_number(out, *length);
                push(out, " bytes of the body");
            }
            Error::ChunksCutOff => push(out, "connection closed before the last chunk"),
        }
    }
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The status-line, up to its LF.
    StatusLine,
    /// A field line. Its end is known only from the next line's first byte,
    /// since white space there would continue it (RFC 9112, 5.2).
    FieldLine,
    /// The first byte of the line after a status-line or a field line.
    LineStart,
    /// So many bytes of content are still to come, in all or of this chunk.
    Content(u64),
    /// The digits of a chunk-size, after so many of them.
    ChunkSize(u64, usize),
    /// What follows a chunk-size, up to its LF: chunk extensions.
    ChunkExtension(u64),
    /// The line end after a chunk's data.
    ChunkEnd,
    /// A line of the trailer section; whether anything is in it yet, and whether
    /// it may end: it has its colon, or continues the line before.
    Trailer(bool, bool),
    /// The response is complete.
    Complete,
}

/// A response that is being read.
#[derive(Debug)]
pub struct Response<'a> {
    state: State,
    /// The answer to HEAD has no body, whatever its fields say.
    head: bool,
    line: Vec<u8>,
    header_bytes: usize,
    body_bytes: u64,
    status: u16,
    reason: Vec<u8>,
    content_length: Option<u64>,
    chunked: bool,
    search: Search<'a>,
}

impl<'a> Response<'a> {
    /// A response of which nothing has come yet. `head`: it answers a HEAD
    /// request. `expect`: the text to be searched for in the body.
    pub fn new(head: bool, expect: &'a [u8]) -> Response<'a> {
        Response {
            state: State::StatusLine,
            head,
            line: Vec::with_capacity(LINE),
            header_bytes: 0,
            body_bytes: 0,
            status: 0,
            reason: Vec::new(),
            content_length: None,
            chunked: false,
            search: Search::new(expect),
        }
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes.iter();
        while !self.is_complete()
            && let Some(&byte) = rest.next()
        {
            let mut taken = self.byte(byte);
            if let Err(Error::NotHttp(start)) = &mut taken {
                start.append(&mut self.line);
                start.push(byte);
                start.extend(rest.take(SHOWN));
                return taken;
            }
            taken?;
        }
        Ok(())
    }

    /// The stream has ended: complete, or cut short?
    pub fn end(&self) -> Result<(), Error> {
        match (self.state, self.content_length) {
            (State::Complete, _) => Ok(()),
            (State::StatusLine, _) if self.header_bytes == 0 => Err(Error::Empty),
            _ if self.in_header() => Err(Error::HeaderCutOff),
            (State::Content(left), Some(length)) if !self.chunked => {
                Err(Error::BodyCutOff(length - left, length))
            }
            (State::Content(_), None) if !self.chunked => Ok(()),
            _ => Err(Error::ChunksCutOff),
        }
    }

    /// Whether nothing more is to be read.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete) || self.body_bytes >= BODY_MAX
    }

    /// Status-code and reason-phrase, once the final header section has come.
    pub fn status(&self) -> Option<(u16, &[u8])> {
        (!self.in_header()).then_some((self.status, &self.reason))
    }

    fn in_header(&self) -> bool {
        matches!(self.state, State::StatusLine | State::FieldLine | State::LineStart)
    }

    /// Whether the expected text has come in the body.
    pub fn found(&self) -> bool {
        self.search.found()
    }

    /// Takes a byte of the header section.
    fn header_byte(&mut self, byte: u8) -> Result<(), Error> {
        self.header_bytes += 1;
        if self.header_bytes > HEADER_MAX {
            return Err(Error::HeaderTooLong);
        }
        match (self.state, byte) {
            (State::StatusLine, b'\n') => {
                self.status_line()?;
                self.state = State::LineStart;
            }
            (State::FieldLine, b'\n') if trim_cr(&self.line).is_empty() => self.end_of_header(),
            (State::FieldLine, b'\n') => self.state = State::LineStart,
            (State::LineStart, b' ' | b'\t') if !self.line.is_empty() => {
                // The line goes on (obs-fold); its own line end becomes a space.
                self.line.truncate(trim_cr(&self.line).len());
                self.line.push(b' ');
                self.state = State::FieldLine;
            }
            (State::LineStart, _) => {
                self.field_line()?;
                self.line.clear();
                self.state = State::FieldLine;
                if byte == b'\n' {
                    self.end_of_header();
                } else {
                    self.line.push(byte);
                }
            }
            _ => {
                let expected = PREFIX.get(self.line.len());
                if matches!(self.state, State::StatusLine)
                    && expected.is_some_and(|expected| *expected != byte)
                {
                    return Err(Error::NotHttp(Vec::new()));
                }
                self.line.push(byte);
            }
        }
        Ok(())
    }

    /// `HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112, 4), with
    /// HTTP/1.x for the version; the second space may be missing.
    fn status_line(&mut self) -> Result<(), Error> {
        let line = trim_cr(&self.line);
        let (status, reason) = match line.strip_prefix(PREFIX) {
            Some([b'0'..=b'9', b' ', a, b, c]) => ([*a, *b, *c], &b""[..]),
            Some([b'0'..=b'9', b' ', a, b, c, b' ', reason @ ..]) if !reason.contains(&0) => {
                ([*a, *b, *c], reason)
            }
            _ => return Err(Error::NotHttp(Vec::new())),
        };
        match digits(&status) {
            Some(status @ 100..) => self.status = status as u16,
            _ => return Err(Error::NotHttp(Vec::new())),
        }
        self.reason = reason.to_vec();
        self.line.clear();
        Ok(())
    }

    /// `field-name ":" OWS field-value OWS` (RFC 9112, 5). Only the two fields
    /// that say where the body ends matter.
    fn field_line(&mut self) -> Result<(), Error> {
        let line = trim_cr(&self.line);
        if line.is_empty() {
            return Ok(());
        }
        let (name, Some(value)) = cut(line, b':') else { return Err(Error::Field) };
        if line.contains(&0) {
            return Err(Error::Field);
        }
        let mut items = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        if name.eq_ignore_ascii_case(b"content-length") {
            // One number, or the same several times (RFC 9110, 8.6).
            for number in items {
                let number = digits(number).ok_or(Error::ContentLength)?;
                if self.content_length.is_some_and(|length| length != number) {
                    return Err(Error::ContentLength);
                }
                self.content_length = Some(number);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            // The last coding frames the message (RFC 9112, 6.1).
            self.chunked = items.next_back().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        }
        Ok(())
    }

    /// How the body ends (RFC 9112, 6.3); after an interim answer, the next
    /// status-line.
    fn end_of_header(&mut self) {
        self.line.clear();
        self.state = match self.status {
            100..=199 => {
                self.content_length = None;
                self.chunked = false;
                State::StatusLine
            }
            204 | 304 => State::Complete,
            _ if self.head => State::Complete,
            _ if self.chunked => State::ChunkSize(0, 0),
            _ if self.content_length == Some(0) => State::Complete,
            _ => State::Content(self.content_length.unwrap_or(u64::MAX)),
        };
    }

    /// Takes a byte. Chunked coding: `chunk-size [ chunk-ext ] CRLF chunk-data
    /// CRLF`, and after the last chunk the trailer section and CRLF (RFC 9112,
    /// 7.1). Bare LF will do.
    fn byte(&mut self, byte: u8) -> Result<(), Error> {
        if self.in_header() {
            return self.header_byte(byte);
        }
        self.body_bytes += 1;
        self.state = match self.state {
            State::Content(left) => {
                self.search.feed(byte);
                match left - 1 {
                    0 if self.chunked => State::ChunkEnd,
                    0 => State::Complete,
                    left => State::Content(left),
                }
            }
            State::ChunkSize(size, count) => match (char::from(byte).to_digit(16), count) {
                (Some(digit), ..CHUNK_DIGITS_MAX) => {
                    State::ChunkSize(size << 4 | u64::from(digit), count + 1)
                }
                (Some(_), _) | (None, 0) => return Err(Error::Chunk),
                (None, _) => chunk_extension(size, byte),
            },
            State::ChunkExtension(size) => chunk_extension(size, byte),
            State::ChunkEnd if byte == b'\n' => State::ChunkSize(0, 0),
            State::ChunkEnd if byte == b'\r' => State::ChunkEnd,
            State::ChunkEnd => return Err(Error::Chunk),
            State::Trailer(false, _) if byte == b'\n' => State::Complete,
            State::Trailer(true, false) if byte == b'\n' => return Err(Error::Chunk),
            State::Trailer(true, true) if byte == b'\n' => State::Trailer(false, false),
            State::Trailer(false, _) if byte == b'\r' => State::Trailer(false, false),
            State::Trailer(false, _) => State::Trailer(true, b" \t:".contains(&byte)),
            State::Trailer(true, may_end) => State::Trailer(true, may_end || byte == b':'),
            header_or_complete => header_or_complete,
        };
        Ok(())
    }
}

/// What `byte` means after a chunk-size.
fn chunk_extension(size: u64, byte: u8) -> State {
    match (byte, size) {
        (b'\n', 0) => State::Trailer(false, false),
        (b'\n', _) => State::Content(size),
        _ => State::ChunkExtension(size),
    }
}

/// What every status-line of HTTP/1.x begins with.
const PREFIX: &[u8] = b"HTTP/1.";

fn trim_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the pieces, then ends the stream; status and whether "hello" came.
    fn read(pieces: &[&[u8]], head: bool) -> Result<(u16, bool), Error> {
        let mut response = Response::new(head, b"hello");
        for piece in pieces {
            response.feed(piece)?;
        }
        if !response.is_complete() {
            response.end()?;
        }
        let (status, _) = response.status().expect("a complete response has a status");
        Ok((status, response.found()))
    }

    const WHOLE: [(&str, (u16, bool)); 8] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", (200, true)),
        ("HTTP/1.0 404 Not Found\n\nhello, nobody", (404, true)),
        ("HTTP/1.1 204 \r\nA: b\r\n\r\n", (204, false)),
        ("HTTP/1.1 100\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n c\r\n\r\nHTTP/1.1 200\r\n\r\n", (200, false)),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\t5\r\n\r\nhello", (200, true)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\nA:\r\n\r\nhello", (200, true)),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: x, chunked\r\n\r\n\
             02;a=\"b\"\r\nhe\r\n3 \nllo\n000\r\nA: b\r\n\r\n",
            (200, true),
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nnot hello", (200, true)),
    ];

    #[test]
    fn the_verdict_is_the_same_wherever_the_bytes_are_cut() {
        for (text, want) in WHOLE {
            let bytes = text.as_bytes();
            assert_eq!(read(&[bytes], false), Ok(want), "{text:?}");
            for cut in 0..=bytes.len() {
                let (start, end) = bytes.split_at(cut);
                assert_eq!(read(&[start, end], false), Ok(want), "{text:?} cut at {cut}");
            }
            let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(read(&bytewise, false), Ok(want), "{text:?} byte by byte");
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
                let error = read(&[&text.as_bytes()[..end]], false).expect_err(&text[..end]);
                let cut_off = matches!(
                    error,
                    Error::Empty | Error::HeaderCutOff | Error::BodyCutOff(..) | Error::ChunksCutOff
                );
                assert!(cut_off && (error == Error::Empty) == (end == 0), "{:?}: {error:?}", &text[..end]);
            }
        }
    }

    #[test]
    fn what_follows_a_complete_response_is_not_looked_at() {
        for text in ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\njunk", "HTTP/1.1 304 x\r\n\r\n\0"] {
            assert!(read(&[text.as_bytes()], false).is_ok(), "{text:?}");
        }
        assert_eq!(read(&[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"], true), Ok((200, false)));
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
            let error = read(&[line.as_bytes(), b"\r\n\r\n"], false);
            assert!(matches!(error, Err(Error::NotHttp(_))), "{line:?}: {error:?}");
        }
    }

    #[test]
    fn of_what_is_no_response_only_the_start_is_kept() {
        for start in ["", "HTTP/1.1 2", "HTTP/1.1 2x0 \n"] {
            let text = [start.as_bytes(), &[b'x'; 100_000]].concat();
            let Err(Error::NotHttp(kept)) = read(&[&text[..60_000], &text[60_000..]], false) else {
                assert!(!start.ends_with('\n') && !start.is_empty(), "{start:?}");
                continue;
            };
            assert!(kept.len() <= start.len() + SHOWN + 1, "{} bytes of {start:?}", kept.len());
        }
    }

    #[test]
    fn malformed_fields_and_chunks() {
        for (rest, want) in [
            ("Content-Length: \r\n\r\n", Error::ContentLength),
            ("Content-Length: -1\r\n\r\n", Error::ContentLength),
            ("Content-Length: 1 2\r\n\r\n", Error::ContentLength),
            ("Content-Length: 0x5\r\n\r\n", Error::ContentLength),
            ("Content-Length: 1, 2\r\n\r\n", Error::ContentLength),
            ("Content-Length: 1\r\nContent-Length: 2\r\n\r\n", Error::ContentLength),
            ("Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n", Error::ContentLength),
            ("No colon\r\n\r\n", Error::Field),
            ("Nul: \0\r\n\r\n", Error::Field),
            (" first: folded\r\nbut no colon\r\n\r\n", Error::Field),
            ("Transfer-Encoding: chunked\r\n\r\n\r\n", Error::Chunk),
            ("Transfer-Encoding: chunked\r\n\r\n-5\r\n", Error::Chunk),
            ("Transfer-Encoding: chunked\r\n\r\n00000000000000005\r\n", Error::Chunk),
            ("Transfer-Encoding: chunked\r\n\r\n1\r\nhello", Error::Chunk),
            ("Transfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n", Error::Chunk),
            ("Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", Error::Chunk),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{rest}");
            assert_eq!(read(&[text.as_bytes()], false), Err(want), "{text:?}");
        }
    }

    #[test]
    fn a_length_beyond_all_numbers_is_only_never_reached() {
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\nhello", "9".repeat(40));
        assert_eq!(read(&[text.as_bytes()], false), Err(Error::BodyCutOff(5, u64::MAX)));
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello";
        assert_eq!(read(&[text.as_bytes()], false), Err(Error::ChunksCutOff));
    }

    #[test]
    fn the_header_section_has_its_cap_to_the_byte() {
        let (start, end) = ("HTTP/1.1 200 OK\r\nX: ", "\r\n\r\n");
        for (excess, want) in [(0, Ok((200, false))), (1, Err(Error::HeaderTooLong))] {
            let padding = "x".repeat(HEADER_MAX - start.len() - end.len() + excess);
            assert_eq!(read(&[format!("{start}{padding}{end}").as_bytes()], false), want);
        }
    }

    #[test]
    fn the_body_has_its_cap_to_the_byte() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n";
        let body = vec![b'x'; BODY_MAX as usize];
        assert_eq!(read(&[head, &body], false), Ok((200, false)));
        let came = BODY_MAX - 1;
        assert_eq!(read(&[head, &body[1..]], false), Err(Error::BodyCutOff(came, 99_999_999)));
        let found = [&body[5..], b"hello"].concat();
        assert_eq!(read(&[head, &found], false), Ok((200, true)));
        let too_late = [&body[4..], b"hello"].concat();
        assert_eq!(read(&[head, &too_late], false), Ok((200, false)));
    }
}
