//! The call, taken apart; and the reader of its answer, which says after every byte what a second
//! implementation says, which lays out all frames, and all fields, before it looks at one.
//!
//! Input: flags, seed, the stream. The low bits of the flags: 0 takes the stream as it is, 1 for an
//! authority and a service, 2 for the fields of an answer, 3 for its message, in frames of the
//! seed's sizes. 4 repeats it until the cap is passed.

use std::time::Duration;

use scratch_probe::failure::Unhealthy;
use scratch_probe::input::target::SERVICE_MAX;
use scratch_probe::wire::grpc::{ANSWER_MAX, Answer, request};
use scratch_probe::wire::progress::Progress;

use super::{Numbers, take};

const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
const OK: &[u8] = b"\x40\x0bgrpc-status\x010";

pub fn check(data: &[u8]) {
    let mut stream = data;
    let [flags, seed] = [(); 2].map(|()| take(&mut stream));
    let mut numbers = Numbers::new(seed);
    let mut stream = match flags & 3 {
        0 => stream.to_vec(),
        1 => return call(stream, &mut numbers),
        2 => [SETTINGS, &frame(1, 4 | seed & 1, stream)].concat(),
        _ => in_frames(stream, &mut numbers),
    };
    if flags & 4 != 0 && !stream.is_empty() {
        stream = stream.repeat(ANSWER_MAX / stream.len() + 2);
    }
    let mut answer = Answer::default();
    let mut next = 0;
    for count in 0..=stream.len() {
        // Every prefix of a short stream, some of a long one.
        if count == next || count + 2 > stream.len() || (ANSWER_MAX - 1..ANSWER_MAX + 2).contains(&count) {
            next = count + 1 + if stream.len() < 2048 { 0 } else { numbers.below(1024) };
            let verdict = outcome(&mut answer, &stream[..count]);
            assert_eq!(verdict, model(&stream[..count]), "after {count} bytes");
            assert_eq!(outcome(&mut Answer::default(), &stream[..count]), verdict, "{count} bytes at once");
            if verdict.is_some() {
                return;
            }
        }
    }
}

fn frame(kind: u8, flags: u8, data: &[u8]) -> Vec<u8> {
    [&(data.len() as u32).to_be_bytes()[1..], &[kind, flags, 0, 0, 0, 1], data].concat()
}

/// An answer with this message, cut and padded.
fn in_frames(message: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut stream = [SETTINGS, &frame(1, 4, b"\x88")].concat();
    let mut rest = message;
    while !rest.is_empty() {
        let (data, after) = rest.split_at(rest.len().min(1 + numbers.below(9)));
        let padding = numbers.below(4);
        stream.extend(match padding {
            0 => frame(0, 0, data),
            _ => frame(0, 8, &[&[padding as u8], data, &vec![0; padding]].concat()),
        });
        rest = after;
    }
    [stream, frame(1, 5, OK)].concat()
}

/// Nothing yet, or the words.
type Verdict = Option<Result<(), String>>;

const NOT_HTTP: &str = "not an HTTP/2 response";
const TOO_LONG: &str = "gRPC answer longer than 16 KiB";
const MALFORMED: &str = "malformed gRPC answer";

fn is(words: &str) -> Verdict {
    Some(Err(words.to_owned()))
}

fn outcome(answer: &mut Answer, received: &[u8]) -> Verdict {
    match answer.read(received) {
        Ok(Progress::Complete) => Some(Ok(())),
        Ok(Progress::Partial(_)) => None,
        Err(Unhealthy::Malformed(words) | Unhealthy::Foreign(words, _)) => is(words),
        Err(failure) => {
            let mut words = Vec::new();
            failure.push(&mut words, Duration::ZERO);
            is(&String::from_utf8(words).expect("ASCII"))
        }
    }
}

/// A whole frame.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    data: Vec<u8>,
}

/// The whole frames of a stream, and whether one follows that is too long.
fn frames(mut rest: &[u8]) -> (Vec<Frame>, bool) {
    let mut frames = Vec::new();
    let mut room = ANSWER_MAX;
    while rest.len() >= 9 {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte));
        let size = 9 + number(&rest[..3]) as usize;
        if size > room {
            return (frames, true);
        }
        if rest.len() < size {
            return (frames, false);
        }
        frames.push(Frame {
            kind: rest[3],
            flags: rest[4],
            stream: number(&rest[5..9]) & 0x7fff_ffff,
            data: rest[9..size].to_vec(),
        });
        room -= size;
        rest = &rest[size..];
    }
    (frames, room < 9 && rest.len() >= room)
}

fn model(stream: &[u8]) -> Verdict {
    let stream = &stream[..stream.len().min(ANSWER_MAX)];
    if stream.len() >= 4 && stream[3] != 4 {
        return is(NOT_HTTP);
    }
    let (frames, too_long) = frames(stream);
    let mut status = None;
    let mut message = Vec::new();
    for frame in &frames {
        let ends = frame.flags & 1 == 1;
        let mut trailer = None;
        match (frame.kind, frame.stream) {
            (0, 1) => match unpadded(frame) {
                Some(data) => message.extend_from_slice(data),
                None => return is(MALFORMED),
            },
            (1, 1) => {
                let fields = unpadded(frame)
                    .filter(|_| frame.flags & 4 == 4)
                    .and_then(|data| data.get(if frame.flags & 0x20 == 0 { 0 } else { 5 }..))
                    .and_then(fields);
                let Some(fields) = fields else { return is(MALFORMED) };
                for (name, value) in fields {
                    let Some(number) = value.number() else { return is(MALFORMED) };
                    match name {
                        Name::Status => status = Some(number),
                        Name::GrpcStatus => trailer = Some(number),
                    }
                }
            }
            (3, 1) if frame.data.len() == 4 => {
                return is(&format!("server refused with HTTP/2 error {}", frame.data[3]));
            }
            // By the lowest byte of the last stream's number.
            (7, _) if frame.data.len() >= 8 && frame.data[3] == 0 => {
                return is(&format!("server refused with HTTP/2 error {}", frame.data[7]));
            }
            _ => continue,
        }
        let health = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
        match (status, ends, trailer) {
            (None | Some(0), ..) => return is(MALFORMED),
            (Some(100..=200), false, _) => {}
            (Some(200), true, Some(0)) => {
                let value = match message[..] {
                    [0, 0, 0, 0, 0] => 0,
                    [0, 0, 0, 0, 2, 8, value] if value < 4 => value,
                    _ => return is(MALFORMED),
                };
                return match value {
                    1 => Some(Ok(())),
                    _ => is(&format!("{}, expected SERVING", health[usize::from(value)])),
                };
            }
            (Some(200), true, Some(code)) if code < u64::MAX => return is(word(code)),
            (Some(status), ..) => return is(&format!("{status}, not a gRPC answer")),
        }
    }
    if too_long { is(TOO_LONG) } else { None }
}

fn word(code: u64) -> &'static str {
    match code {
        1 => "CANCELLED",
        3 => "INVALID_ARGUMENT",
        4 => "DEADLINE_EXCEEDED",
        5 => "NOT_FOUND: no such service",
        6 => "ALREADY_EXISTS",
        7 => "PERMISSION_DENIED",
        8 => "RESOURCE_EXHAUSTED",
        9 => "FAILED_PRECONDITION",
        10 => "ABORTED",
        11 => "OUT_OF_RANGE",
        12 => "UNIMPLEMENTED: no health service",
        13 => "INTERNAL",
        14 => "UNAVAILABLE",
        15 => "DATA_LOSS",
        16 => "UNAUTHENTICATED",
        _ => "UNKNOWN",
    }
}

fn unpadded(frame: &Frame) -> Option<&[u8]> {
    if frame.flags & 8 == 0 {
        return Some(&frame.data);
    }
    let padding = usize::from(*frame.data.first()?);
    (padding < frame.data.len()).then(|| &frame.data[1..frame.data.len() - padding])
}

/// The two fields that count.
enum Name {
    Status,
    GrpcStatus,
}

/// A value as a number, or as it is written, in Huffman's code or not.
enum Value {
    Static(u64),
    Text(bool, Vec<u8>),
}

impl Value {
    fn number(&self) -> Option<u64> {
        match self {
            Value::Static(number) => Some(*number),
            Value::Text(false, text) => {
                let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
                let text = String::from_utf8_lossy(text);
                is_number.then(|| text.parse().unwrap_or(u64::MAX))
            }
            Value::Text(true, text) => {
                // RFC 7541, appendix B.
                let codes = [
                    "00000", "00001", "00010", "011001", "011010", "011011", "011100", "011101", "011110",
                    "011111",
                ];
                if !(1..=4).contains(&text.len()) {
                    return None;
                }
                // More ones than a byte has room for are no error here.
                let bits: String =
                    text.iter().chain(&[0xff; 3]).take(4).map(|byte| format!("{byte:08b}")).collect();
                let mut bits = &bits[..];
                let mut digits = String::new();
                while bits.contains('0') {
                    let bits_padded = format!("{bits}11111");
                    let (digit, code) =
                        codes.iter().enumerate().find(|(_, code)| bits_padded.starts_with(**code))?;
                    digits.push_str(&digit.to_string());
                    bits = bits.get(code.len()..).unwrap_or_default();
                }
                digits.parse().ok()
            }
        }
    }
}

/// Those fields of a block that count, if all of it is well-formed.
fn fields(block: &[u8]) -> Option<Vec<(Name, Value)>> {
    let mut bytes = Bytes(block);
    let mut fields = Vec::new();
    while let Some(&first) = bytes.0.first() {
        if first >= 128 {
            let index = bytes.integer(7)?;
            let statuses = [200, 204, 206, 304, 400, 404, 500];
            if (8..15).contains(&index) {
                fields.push((Name::Status, Value::Static(statuses[index - 8])));
            }
        } else if (32..64).contains(&first) {
            bytes.integer(5)?;
        } else {
            let index = bytes.integer(if first >= 64 { 6 } else { 4 })?;
            let name = if index == 0 { Some(bytes.string()?) } else { None };
            let (coded, text) = bytes.string()?;
            let value = Value::Text(coded, text);
            match name {
                None if (8..15).contains(&index) => fields.push((Name::Status, value)),
                Some((false, name)) if name == b"grpc-status" => fields.push((Name::GrpcStatus, value)),
                Some((true, name)) if name == [0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34, 0xda, 0x8f] => {
                    fields.push((Name::GrpcStatus, value));
                }
                _ => {}
            }
        }
    }
    Some(fields)
}

/// Bytes that are taken from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.0.get(..count)?;
        self.0 = &self.0[count..];
        Some(taken)
    }

    /// An integer whose first byte has so many bits of it, with three bytes more at most.
    fn integer(&mut self, bits: u32) -> Option<usize> {
        let most = (1 << bits) - 1;
        let start = usize::from(self.take(1)?[0]) & most;
        if start < most {
            return Some(start);
        }
        let size = 1 + self.0.iter().take(3).position(|&byte| byte < 128)?;
        let more = self.take(size)?.iter().rev().fold(0, |more, &byte| more * 128 + usize::from(byte) % 128);
        Some(most + more)
    }

    fn string(&mut self) -> Option<(bool, Vec<u8>)> {
        let coded = *self.0.first()? >= 128;
        let length = self.integer(7)?;
        Some((coded, self.take(length)?.to_vec()))
    }
}

/// A call in which every length is right and nothing is left over.
fn call(data: &[u8], numbers: &mut Numbers) {
    let (authority, name) = data.split_at(numbers.below(260).min(data.len()));
    let name = name.repeat(if numbers.below(4) == 0 { 50 } else { 1 });
    let name = &name[..name.len().min(SERVICE_MAX)];
    let call = request(authority, name);
    let rest = call.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("the preface");
    let mut sent = Vec::new();
    let mut bytes = Bytes(rest);
    while !bytes.0.is_empty() {
        let header = bytes.take(9).expect("a frame");
        let size = header[..3].iter().fold(0, |size, &byte| size * 256 + usize::from(byte));
        assert!(size <= 16_384, "a frame of {size} bytes");
        sent.push((header[3..].to_vec(), Bytes(bytes.take(size).expect("its data"))));
    }
    let [(settings, empty), (headers, fields), (data, message)] = &mut sent[..] else {
        panic!("three frames")
    };
    assert_eq!((&settings[..], empty.0), (&[4, 0, 0, 0, 0, 0][..], &b""[..]));
    assert_eq!((&headers[..], &data[..]), (&[1, 4, 0, 0, 0, 1][..], &[0, 1, 0, 0, 0, 1][..]));
    assert_eq!(fields.take(2), Some(&[0x83, 0x86][..]), "POST, http");
    for (index, value) in [(4, &b"/grpc.health.v1.Health/Check"[..]), (1, authority)] {
        assert_eq!(fields.integer(4), Some(index));
        assert_eq!(fields.string(), Some((false, value.to_vec())));
    }
    assert_eq!(fields.integer(4), Some(0));
    assert_eq!(fields.string(), Some((false, b"te".to_vec())));
    assert_eq!(fields.string(), Some((false, b"trailers".to_vec())));
    assert_eq!(fields.integer(4), Some(31), "content-type");
    assert_eq!(fields.string(), Some((false, b"application/grpc".to_vec())));
    assert_eq!(fields.0, b"");
    assert_eq!(message.take(1), Some(&[0][..]), "not compressed");
    let size =
        message.take(4).expect("a length").iter().fold(0, |size, &byte| size * 256 + usize::from(byte));
    assert_eq!(size, message.0.len());
    if !name.is_empty() {
        assert_eq!(message.take(1), Some(&[0x0a][..]));
        let low = message.take(2).expect("a length");
        assert!(low[0] >= 128 && low[1] < 128);
        assert_eq!(usize::from(low[0]) - 128 + usize::from(low[1]) * 128, name.len());
    }
    assert_eq!(message.0, name);
}
