//! The response parser: the same verdict however the bytes are cut, and the
//! one that a second implementation gives, which has all of them at once.
//!
//! Input: flags, length of the expected text, seed of the cuts, length of the
//! tail; the expected text; the stream. Flags: 1 answers HEAD; with no other bit
//! set, 2 repeats the tail until the header section's cap is passed, 4 until the
//! body's is.

use scratch_probe::response::{BODY_MAX, Error, HEADER_MAX, Response};

use super::{Numbers, assert_printable, take};

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
        4 if seed.is_multiple_of(8) => BODY_MAX as usize + 300,
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
    result: Result<(), Kind>,
    status: Option<(u16, Vec<u8>)>,
    found: bool,
}

/// An error without the bytes that came, which depend on the cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NotHttp,
    Field,
    HeaderTooLong,
    ContentLength,
    Chunk,
    Empty,
    HeaderCutOff,
    BodyCutOff(u64, u64),
    ChunksCutOff,
}

impl From<Error> for Kind {
    fn from(error: Error) -> Kind {
        let line = scratch_probe::print::Print::printed(&error);
        assert_printable(&line, 256);
        match error {
            Error::NotHttp(_) => Kind::NotHttp,
            Error::Field => Kind::Field,
            Error::HeaderTooLong => Kind::HeaderTooLong,
            Error::ContentLength => Kind::ContentLength,
            Error::Chunk => Kind::Chunk,
            Error::Empty => Kind::Empty,
            Error::HeaderCutOff => Kind::HeaderCutOff,
            Error::BodyCutOff(came, length) => Kind::BodyCutOff(came, length),
            Error::ChunksCutOff => Kind::ChunksCutOff,
        }
    }
}

/// Feeds the pieces as the product does: to completion, an error or the end.
fn fed<'a>(head: bool, expect: &[u8], pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut response = Response::new(head, expect);
    let mut result = Ok(());
    let mut cap = HEADER_MAX as u64 + BODY_MAX;
    for piece in pieces {
        if response.is_complete() {
            break;
        }
        assert!(cap > 0, "asks for more than both caps");
        cap = cap.saturating_sub(piece.len() as u64);
        result = response.feed(piece);
        if result.is_err() {
            break;
        }
    }
    if result.is_ok() && !response.is_complete() {
        result = response.end();
    }
    let status = response.status().map(|(status, reason)| (status, reason.to_vec()));
    assert!(status.is_some() || result.is_err(), "complete without a status");
    Outcome { result: result.map_err(Kind::from), status, found: response.found() }
}

/// All of the stream at once.
fn model(stream: &[u8], head: bool, expect: &[u8]) -> Outcome {
    let contains =
        |body: &[u8]| expect.is_empty() || body.windows(expect.len()).any(|window| window == expect);
    let mut header = Header { window: &stream[..stream.len().min(HEADER_MAX)], whole: stream, at: 0 };
    let parsed = loop {
        match header.section() {
            Ok(section) if (100..200).contains(&section.status) => {}
            other => break other,
        }
    };
    let section = match parsed {
        Ok(section) => section,
        Err(kind) => return Outcome { result: Err(kind), status: None, found: expect.is_empty() },
    };
    let bytes = &stream[header.at..];
    let capped = bytes.len() as u64 >= BODY_MAX;
    let bytes = &bytes[..bytes.len().min(BODY_MAX as usize)];
    let (result, body) = if head || matches!(section.status, 204 | 304) {
        (Ok(()), Vec::new())
    } else if section.chunked {
        let (result, body) = dechunked(bytes);
        (if capped && result == Err(Kind::ChunksCutOff) { Ok(()) } else { result }, body)
    } else if let Some(length) = section.length {
        let came = bytes.len() as u64;
        let result = if came < length && !capped { Err(Kind::BodyCutOff(came, length)) } else { Ok(()) };
        (result, bytes[..came.min(length) as usize].to_vec())
    } else {
        (Ok(()), bytes.to_vec())
    };
    Outcome { result, status: Some((section.status, section.reason)), found: contains(&body) }
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
    fn missing(&self) -> Kind {
        match self.whole.len() {
            0 => Kind::Empty,
            length if length > HEADER_MAX => Kind::HeaderTooLong,
            _ => Kind::HeaderCutOff,
        }
    }

    /// Up to the next LF, which is taken and not returned. A NUL is an error of this `kind`.
    fn line(&mut self, kind: Kind) -> Result<&'a [u8], Kind> {
        let rest = &self.window[self.at..];
        let end = rest.iter().position(|byte| b"\n\0".contains(byte)).ok_or_else(|| self.missing())?;
        if rest[end] == 0 {
            return Err(kind);
        }
        self.at += end + 1;
        Ok(&rest[..end])
    }

    fn section(&mut self) -> Result<Section, Kind> {
        let start = &self.window[self.at..];
        let prefix = b"HTTP/1.";
        if start.iter().zip(prefix).any(|(byte, want)| byte != want) {
            return Err(Kind::NotHttp);
        }
        let line = without_cr(self.line(Kind::NotHttp)?);
        let shape = |line: &[u8]| {
            line.len() >= 12
                && line[7].is_ascii_digit()
                && line[8] == b' '
                && matches!(line[9], b'1'..=b'9')
                && line[10..12].iter().all(u8::is_ascii_digit)
                && line.get(12).is_none_or(|&byte| byte == b' ')
        };
        if !shape(line) {
            return Err(Kind::NotHttp);
        }
        let status = str::from_utf8(&line[9..12]).expect("digits").parse().expect("digits");
        let reason = line.get(13..).unwrap_or_default().to_vec();
        let mut section = Section { status, reason, length: None, chunked: false };
        loop {
            let mut field = self.line(Kind::Field)?.to_vec();
            if without_cr(&field).is_empty() {
                return Ok(section);
            }
            // A line that begins with white space continues the one before.
            while let b' ' | b'\t' = *self.window.get(self.at).ok_or_else(|| self.missing())? {
                while field.ends_with(b"\r") {
                    field.pop();
                }
                field.push(b' ');
                field.extend_from_slice(&self.line(Kind::Field)?[1..]);
            }
            section.field(without_cr(&field))?;
        }
    }
}

impl Section {
    fn field(&mut self, field: &[u8]) -> Result<(), Kind> {
        let colon = field.iter().position(|&byte| byte == b':').ok_or(Kind::Field)?;
        // As text where every byte is one character.
        let text = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
        let (name, value) = (text(&field[..colon]).to_ascii_lowercase(), text(&field[colon + 1..]));
        let mut words = value.split(',').map(|word| word.trim_matches([' ', '\t', '\n', '\r', '\x0c']));
        if name == "content-length" {
            for word in words {
                if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(Kind::ContentLength);
                }
                let number = word.parse().unwrap_or(u64::MAX);
                if self.length.is_some_and(|length| length != number) {
                    return Err(Kind::ContentLength);
                }
                self.length = Some(number);
            }
        } else if name == "transfer-encoding" {
            self.chunked = words.next_back().is_some_and(|word| word.eq_ignore_ascii_case("chunked"));
        }
        Ok(())
    }
}

/// The content of a chunked body, and how it ended.
fn dechunked(bytes: &[u8]) -> (Result<(), Kind>, Vec<u8>) {
    let mut content = Vec::new();
    let mut rest = bytes;
    let result = loop {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let cut_off = digits == rest.len();
        if digits == 0 && !cut_off {
            break Err(Kind::Chunk);
        }
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { break Err(Kind::ChunksCutOff) };
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
            Some(_) => break Err(Kind::Chunk),
            None => break Err(Kind::ChunksCutOff),
        }
    };
    (result, content)
}

/// The lines after the last chunk, up to an empty one.
fn trailers(bytes: &[u8]) -> Result<(), Kind> {
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let returns = line.iter().take_while(|&&byte| byte == b'\r').count();
        match line[returns..] {
            [] => return Ok(()),
            [b' ' | b'\t', ..] => {}
            _ if line.contains(&b':') => {}
            _ => return Err(Kind::Chunk),
        }
    }
    Err(Kind::ChunksCutOff)
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
