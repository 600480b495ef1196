//! The response parser: bytes in, in any pieces; a verdict out.
//!
//! It reads as a lenient client of HTTP/1.x (RFC 9112), keeps one line at a
//! time, and gives the same answer however the bytes are cut.

use std::mem;

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
        let words = match self {
            // A record of a TLS alert or handshake (RFC 8446, 5.1).
            Error::NotHttp(start) if matches!(start[..], [21 | 22, 3, ..]) => {
                "not an HTTP response: TLS, try tls://host:port"
            }
            Error::NotHttp(start) => {
                push(out, "not an HTTP response: \"");
                push_escaped(out, start, SHOWN);
                "\""
            }
            Error::Field => "malformed header field",
            Error::HeaderTooLong => "header section longer than 64 KiB",
            Error::ContentLength => "malformed Content-Length",
            Error::Chunk => "malformed chunked coding",
            Error::Empty => "connection closed without an answer",
            Error::HeaderCutOff => "connection closed within the header section",
            Error::BodyCutOff(came, length) => {
                push(out, "connection closed after ");
                push_number(out, *came);
                push(out, " of ");
                push_number(out, *length);
                " bytes of the body"
            }
            Error::ChunksCutOff => "connection closed before the last chunk",
        };
        push(out, words);
    }
}

/// What the next byte belongs to, in the order in which the parts come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Default)]
enum State {
    /// The status-line.
    #[default]
    StatusLine,
    /// The field lines, up to the empty one.
    Fields,
    /// The content, as long as Content-Length says, else to the end of the stream.
    Content,
    /// The first digit of a chunk-size.
    ChunkStart,
    /// Its other digits, or what follows them.
    ChunkSize,
    /// A chunk extension, up to its LF.
    ChunkExtension,
    /// The data of a chunk.
    ChunkData,
    /// The line end after it.
    ChunkEnd,
    /// The first byte of a line of the trailer section.
    TrailerStart,
    /// What comes up to its colon.
    Trailer,
    /// What comes after the colon, or continues the line before.
    TrailerValue,
    /// The response is complete.
    Complete,
}

/// A response that is being read.
#[derive(Debug, Default)]
pub struct Response<'a> {
    state: State,
    /// The answer to HEAD has no body, whatever its fields say.
    head: bool,
    /// The line of the header section that is being read. A field line stays
    /// past its LF, since white space after that would continue it.
    line: Vec<u8>,
    /// How many bytes have come of the header section, then of the body.
    count: u64,
    status: u16,
    reason: Vec<u8>,
    content_length: Option<u64>,
    chunked: bool,
    /// How much of the chunk is still to come.
    chunk: u64,
    search: Search<'a>,
}

impl<'a> Response<'a> {
    /// A response of which nothing has come yet. `head`: it answers a HEAD
    /// request. `expect`: the text to be searched for in the body.
    pub fn new(head: bool, expect: &'a [u8]) -> Response<'a> {
        Response { head, search: Search::new(expect), ..Response::default() }
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes;
        while !self.is_complete()
            && let [byte, after @ ..] = rest
        {
            self.count += 1;
            if !self.in_header() {
                self.body_byte(*byte)?;
            } else if self.count > HEADER_MAX as u64 {
                return Err(Error::HeaderTooLong);
            } else {
                self.header_byte(*byte, after)?;
            }
            rest = after;
        }
        Ok(())
    }

    /// The stream has ended: complete, or cut short?
    pub fn end(&self) -> Result<(), Error> {
        match (self.state, self.content_length) {
            _ if self.is_complete() => Ok(()),
            (State::Content, None) => Ok(()),
            (State::Content, Some(length)) => Err(Error::BodyCutOff(self.count, length)),
            _ if !self.in_header() => Err(Error::ChunksCutOff),
            _ if self.count == 0 => Err(Error::Empty),
            _ => Err(Error::HeaderCutOff),
        }
    }

    /// Whether nothing more is to be read.
    pub fn is_complete(&self) -> bool {
        let all_came = self.state == State::Content && self.content_length == Some(self.count);
        all_came || self.state == State::Complete || self.count >= BODY_MAX
    }

    /// Status-code and reason-phrase, once the final header section has come.
    pub fn status(&self) -> Option<(u16, &[u8])> {
        (!self.in_header()).then_some((self.status, &self.reason))
    }

    fn in_header(&self) -> bool {
        self.state <= State::Fields
    }

    /// Whether the expected text has come in the body.
    pub fn found(&self) -> bool {
        self.search.found()
    }

    /// Takes a byte of the header section; `after` it come others.
    fn header_byte(&mut self, byte: u8, after: &[u8]) -> Result<(), Error> {
        if let Some(end @ b'\n') = self.line.last_mut() {
            if let b' ' | b'\t' = byte {
                // The line goes on (obs-fold, RFC 9112, 5.2).
                *end = b' ';
            } else {
                self.field_line()?;
                self.line.clear();
            }
        }
        self.line.push(byte);
        if self.state == State::StatusLine {
            if !self.status_line(byte) {
                self.line.extend_from_slice(&after[..after.len().min(SHOWN)]);
                return Err(Error::NotHttp(mem::take(&mut self.line)));
            }
        } else if byte == 0 {
            return Err(Error::Field);
        } else if let b"\n" | b"\r\n" = &self.line[..] {
            self.end_of_header();
        }
        Ok(())
    }

    /// `HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112, 4), with
    /// HTTP/1.x for the version; the second space may be missing. Whether the
    /// line is one, as far as it has come.
    fn status_line(&mut self, byte: u8) -> bool {
        if byte == 0 || PREFIX.get(self.line.len() - 1).is_some_and(|want| *want != byte) {
            return false;
        }
        if byte != b'\n' {
            return true;
        }
        let [_, _, _, _, _, _, _, b'0'..=b'9', b' ', rest @ .., _] = &self.line[..] else { return false };
        let (status, reason) = cut(rest.strip_suffix(b"\r").unwrap_or(rest), b' ');
        let (3, Some(code @ 100..)) = (status.len(), digits(status)) else { return false };
        self.status = code as u16;
        self.reason = reason.unwrap_or_default().to_vec();
        self.line.clear();
        self.content_length = None;
        self.chunked = false;
        self.state = State::Fields;
        true
    }

    /// `field-name ":" OWS field-value OWS` (RFC 9112, 5). Only the two fields
    /// that say where the body ends matter.
    fn field_line(&mut self) -> Result<(), Error> {
        let (name, mut list) = cut(&self.line, b':');
        if list.is_none() {
            return Err(Error::Field);
        }
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        let is_coding = name.eq_ignore_ascii_case(b"transfer-encoding");
        while let Some(items) = list {
            let (item, others) = cut(items, b',');
            let item = item.trim_ascii();
            list = others;
            if is_length {
                // One number, or the same several times (RFC 9110, 8.6).
                let Some(length) = digits(item) else { return Err(Error::ContentLength) };
                if self.content_length.replace(length).is_some_and(|other| other != length) {
                    return Err(Error::ContentLength);
                }
            } else if is_coding {
                // The last coding frames the message (RFC 9112, 6.1).
                self.chunked = item.eq_ignore_ascii_case(b"chunked");
            }
        }
        Ok(())
    }

    /// How the body ends (RFC 9112, 6.3); after an interim answer, the next
    /// status-line.
    fn end_of_header(&mut self) {
        self.line.clear();
        self.state = match self.status {
            ..200 => State::StatusLine,
            204 | 304 => State::Complete,
            _ if self.head => State::Complete,
            _ if self.chunked => State::ChunkStart,
            _ => State::Content,
        };
        if !self.in_header() {
            self.count = 0;
        }
    }

    /// Takes a byte of the body. Chunked coding: `chunk-size [ chunk-ext ] CRLF chunk-data
    /// CRLF`, and after the last chunk the trailer section and CRLF (RFC 9112,
    /// 7.1). Bare LF will do.
    fn body_byte(&mut self, byte: u8) -> Result<(), Error> {
        use State::*;
        if let Content | ChunkData = self.state {
            self.search.feed(byte);
        }
        self.state = match (self.state, byte, char::from(byte).to_digit(16)) {
            (ChunkStart | ChunkSize, _, Some(digit)) => {
                // What is too large for a number is also too large for us.
                self.chunk = self.chunk.saturating_mul(16) | u64::from(digit);
                ChunkSize
            }
            (ChunkSize | ChunkExtension, b'\n', _) if self.chunk == 0 => TrailerStart,
            (ChunkSize | ChunkExtension, b'\n', ..) => ChunkData,
            (ChunkSize, ..) => ChunkExtension,
            (ChunkData, ..) => {
                self.chunk -= 1;
                if self.chunk > 0 { ChunkData } else { ChunkEnd }
            }
            (ChunkEnd | TrailerStart, b'\r', ..) => self.state,
            (ChunkEnd, b'\n', ..) => ChunkStart,
            (ChunkStart | ChunkEnd, ..) | (Trailer, b'\n', _) => return Err(Error::Chunk),
            (TrailerStart, b'\n', ..) => Complete,
            (TrailerValue, b'\n', ..) => TrailerStart,
            (TrailerStart, b' ' | b'\t', _) | (TrailerStart | Trailer, b':', _) => TrailerValue,
            (TrailerStart, ..) => Trailer,
            (same, ..) => same,
        };
        Ok(())
    }
}

/// What every status-line of HTTP/1.x begins with.
const PREFIX: &[u8] = b"HTTP/1.";

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
             00000000000000002;a=\"b\"\r\nhe\r\n3 \nllo\n000\r\nA: b\r\n folded\r\n\r\n",
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
            ("Nul: \0", Error::Field),
            (" first: folded\r\nbut no colon\r\n\r\n", Error::Field),
            ("Transfer-Encoding: chunked\r\n\r\n\r\n", Error::Chunk),
            ("Transfer-Encoding: chunked\r\n\r\n-5\r\n", Error::Chunk),
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
        for size in ["ffffffffffffffff", "10000000000000001", &"f".repeat(40)] {
            let text =
                format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nhello\r\n0\r\n\r\n");
            assert_eq!(read(&[text.as_bytes()], false), Err(Error::ChunksCutOff));
        }
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
