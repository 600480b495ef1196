//! The response parser: the same verdict however the bytes are cut, and the
//! one that a second implementation gives, which has all of them at once.
//!
//! Input: flags, length of the expected text, seed of the cuts, length of the
//! tail; the expected text; the stream. Flags: 1 answers HEAD; with no other bit
//! set, 2 repeats the tail until the header section's cap is passed, 4 until the
//! body's is.

use scratch_probe::failure::Unhealthy;
use scratch_probe::text::contains;
use scratch_probe::wire::progress::Progress;
use scratch_probe::wire::response::{BODY_MAX, HEADER_MAX, Response};

use super::{Numbers, take};

pub fn check(data: &[u8]) {
    let mut stream = data;
    let [flags, length, seed, tail] = [(); 4].map(|()| take(&mut stream));
    let (expect, stream) = stream.split_at(stream.len().min(usize::from(length)));
    let stream = &repeated(stream, flags, seed, tail);
    let head = flags & 1 != 0;

    let want = model(stream, head, expect);
    let whole = fed(head, expect, [&stream[..]].into_iter());
    assert_eq!(whole, want, "whole, against the model");
    let mut numbers = Numbers::new(seed);
    let mut rest = &stream[..];
    let pieces = std::iter::from_fn(|| {
        // Mostly bytes, some pieces, and past a while longer ones.
        let limit = if rest.len() + 4096 < stream.len() { 4096 } else { 12 };
        let (piece, after) = rest.split_at(rest.len().min(1 + numbers.below(limit)));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    });
    assert_eq!(fed(head, expect, pieces), want, "in pieces, against the model");
    if stream.len() < 2048 {
        assert_eq!(fed(head, expect, stream.chunks(1)), want, "byte by byte, against the model");
    }
}

/// The stream, with its last `tail` bytes again and again if the flags say so.
fn repeated(stream: &[u8], flags: u8, seed: u8, tail: u8) -> Vec<u8> {
    let length = match flags & !1 {
        2 => HEADER_MAX + 300,
        // It takes long, so it is rare.
        4 if seed.is_multiple_of(8) => BODY_MAX + 300,
        _ => 0,
    };
    let tail = &stream[stream.len().saturating_sub(usize::from(tail))..];
    let mut out = stream.to_vec();
    while !tail.is_empty() && out.len() < length {
        out.extend_from_slice(tail);
    }
    out
}

/// What a reader learns: how it ended, status and reason, whether the text was found.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    result: Result<bool, Unhealthy>,
    status: Option<(u16, Vec<u8>)>,
}

const FIELD: Unhealthy = Unhealthy::Malformed("malformed header field");
const HEADER_TOO_LONG: Unhealthy = Unhealthy::Malformed("headers longer than 64 KiB");
const CONTENT_LENGTH: Unhealthy = Unhealthy::Malformed("malformed Content-Length");
const CHUNK: Unhealthy = Unhealthy::Malformed("malformed chunked coding");
const HEADER_INCOMPLETE: Unhealthy = Unhealthy::Incomplete("connection closed in the middle of the headers");
const BODY_INCOMPLETE: Unhealthy = Unhealthy::Incomplete("connection closed in the middle of the body");
const CHUNKS_INCOMPLETE: Unhealthy = Unhealthy::Incomplete("connection closed before the last chunk");

/// Reads after each piece as the product does: to completion, an error or the end.
fn fed<'a>(head: bool, expect: &[u8], pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut received = Vec::new();
    let mut response = Response::to(if head { b"HEAD" } else { b"GET" });
    let mut outcome = response.read(&mut received);
    for piece in pieces {
        if !matches!(outcome, Ok(Progress::Partial(_))) {
            break;
        }
        assert!(received.len() < HEADER_MAX + BODY_MAX, "asks for more than both caps");
        received.extend_from_slice(piece);
        outcome = response.read(&mut received);
    }
    let result = match outcome {
        Ok(Progress::Partial(problem)) if !response.ends_with_stream() => Err(Unhealthy::Incomplete(problem)),
        // From which byte on is said in response.rs.
        Err(Unhealthy::Foreign(problem, _)) => Err(Unhealthy::Foreign(problem, 0)),
        outcome => outcome.map(drop),
    };
    let found = result.map(|()| expect.is_empty() || contains(response.content(&received), expect));
    let status = response.has_header().then(|| (response.status, response.reason(&received).to_vec()));
    Outcome { result: found, status }
}

/// All of the stream at once.
fn model(stream: &[u8], head: bool, expect: &[u8]) -> Outcome {
    let mut header = Header { window: &stream[..stream.len().min(HEADER_MAX)], whole: stream, at: 0 };
    let parsed = loop {
        match header.section() {
            Ok(section) if (100..200).contains(&section.status) && section.status != 101 => {}
            other => break other,
        }
    };
    let section = match parsed {
        Ok(section) => section,
        Err(error) => return Outcome { result: Err(error), status: None },
    };
    let bytes = &stream[header.at..];
    let capped = bytes.len() >= BODY_MAX;
    let bytes = &bytes[..bytes.len().min(BODY_MAX)];
    let (result, body) = if head || matches!(section.status, 101 | 204 | 304) {
        (Ok(()), Vec::new())
    } else if section.chunked {
        let (result, body) = dechunked(bytes);
        (if capped && result == Err(CHUNKS_INCOMPLETE) { Ok(()) } else { result }, body)
    } else if let Some(length) = section.length {
        let came = bytes.len() as u64;
        let result = if came < length && !capped { Err(BODY_INCOMPLETE) } else { Ok(()) };
        (result, bytes[..came.min(length) as usize].to_vec())
    } else {
        (Ok(()), bytes.to_vec())
    };
    let found = expect.is_empty() || (0..body.len()).any(|start| body[start..].starts_with(expect));
    Outcome { result: result.map(|()| found), status: Some((section.status, section.reason)) }
}

struct Section {
    status: u16,
    reason: Vec<u8>,
    length: Option<u64>,
    chunked: bool,
}

struct Header<'a> {
    window: &'a [u8],
    whole: &'a [u8],
    at: usize,
}

impl<'a> Header<'a> {
    /// The error where the next byte is missing, or beyond the cap.
    fn missing(&self) -> Unhealthy {
        if self.whole.len() > HEADER_MAX { HEADER_TOO_LONG } else { HEADER_INCOMPLETE }
    }

    /// Up to the next LF, which is taken and not returned.
    fn line(&mut self) -> Result<&'a [u8], Unhealthy> {
        let rest = &self.window[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or_else(|| self.missing())?;
        self.at += end + 1;
        Ok(&rest[..end])
    }

    fn section(&mut self) -> Result<Section, Unhealthy> {
        let start = &self.window[self.at..];
        let prefix = b"HTTP/1.";
        if start.iter().zip(prefix).any(|(byte, want)| byte != want) {
            return Err(Unhealthy::Foreign("not an HTTP response", 0));
        }
        let line = without_cr(self.line()?);
        let shape = |line: &[u8]| {
            line.len() >= 12
                && line[7].is_ascii_digit()
                && line[8] == b' '
                && matches!(line[9], b'1'..=b'9')
                && line[10..12].iter().all(u8::is_ascii_digit)
                && line.get(12).is_none_or(|&byte| byte == b' ')
                && !line.contains(&0)
        };
        if !shape(line) {
            return Err(Unhealthy::Foreign("not an HTTP response", 0));
        }
        let status = str::from_utf8(&line[9..12]).expect("digits").parse().expect("digits");
        let reason = line.get(13..).unwrap_or_default().to_vec();
        let mut section = Section { status, reason, length: None, chunked: false };
        loop {
            let mut field = self.line()?.to_vec();
            if without_cr(&field).is_empty() {
                return Ok(section);
            }
            // A line that begins with white space continues the one before.
            while let b' ' | b'\t' = *self.window.get(self.at).ok_or_else(|| self.missing())? {
                while field.ends_with(b"\r") {
                    field.pop();
                }
                field.push(b' ');
                field.extend_from_slice(&self.line()?[1..]);
            }
            section.field(without_cr(&field))?;
        }
    }
}

impl Section {
    fn field(&mut self, field: &[u8]) -> Result<(), Unhealthy> {
        if field.contains(&0) {
            return Err(FIELD);
        }
        let colon = field.iter().position(|&byte| byte == b':').ok_or(FIELD)?;
        // As text where every byte is one character.
        let text = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
        let (name, value) = (text(&field[..colon]).to_ascii_lowercase(), text(&field[colon + 1..]));
        // RFC 9110, 5.6.1.2: "A recipient MUST parse and ignore a reasonable number of empty list elements".
        let words = value.split(',').map(|word| word.trim_matches([' ', '\t', '\n', '\r', '\x0c']));
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        if name == "content-length" {
            if words.is_empty() && self.length.is_none() {
                return Err(CONTENT_LENGTH);
            }
            for word in words {
                if !word.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(CONTENT_LENGTH);
                }
                let number = word.parse().unwrap_or(u64::MAX);
                if self.length.is_some_and(|length| length != number) {
                    return Err(CONTENT_LENGTH);
                }
                self.length = Some(number);
            }
        } else if name == "transfer-encoding"
            && let Some(last) = words.last()
        {
            self.chunked = last.eq_ignore_ascii_case("chunked");
        }
        Ok(())
    }
}

/// The content of a chunked body, and how it ended.
fn dechunked(bytes: &[u8]) -> (Result<(), Unhealthy>, Vec<u8>) {
    let mut content = Vec::new();
    let mut rest = bytes;
    let result = loop {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let incomplete = digits == rest.len();
        if digits == 0 && !incomplete {
            break Err(CHUNK);
        }
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { break Err(CHUNKS_INCOMPLETE) };
        let size = str::from_utf8(&rest[..digits]).expect("digits");
        let size = u64::from_str_radix(size, 16).unwrap_or(u64::MAX);
        rest = &rest[end + 1..];
        if size == 0 {
            break trailers(rest);
        }
        let came = rest.len().min(usize::try_from(size).unwrap_or(usize::MAX));
        content.extend_from_slice(&rest[..came]);
        rest = &rest[came..];
        let returns = rest.iter().take_while(|&&byte| byte == b'\r').count();
        match rest.get(returns) {
            Some(b'\n') => rest = &rest[returns + 1..],
            Some(_) => break Err(CHUNK),
            None => break Err(CHUNKS_INCOMPLETE),
        }
    };
    (result, content)
}

/// The lines after the last chunk, up to an empty one. White space continues a line.
fn trailers(bytes: &[u8]) -> Result<(), Unhealthy> {
    let mut line: Option<Vec<u8>> = None;
    let mut rest = bytes;
    loop {
        let continues = rest.first().map(|byte| b" \t".contains(byte));
        match (&line, continues) {
            (_, None) => return Err(CHUNKS_INCOMPLETE),
            (Some(line), Some(false)) if !line.contains(&b':') => return Err(CHUNK),
            _ => {}
        }
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(CHUNKS_INCOMPLETE);
        };
        let next = &rest[..end];
        rest = &rest[end + 1..];
        line = match line {
            Some(line) if continues == Some(true) => Some([&line[..], next].concat()),
            _ if without_cr(next).is_empty() => return Ok(()),
            _ => Some(next.to_vec()),
        };
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
