//! The call, taken apart; and the reader of its answer, which says after every byte what a second
//! implementation says, which lays out all frames, and all fields, before it looks at one.
//!
//! Input: flags, seed, the stream. The low bits of the flags: 0 takes the stream as it is, 1 for an
//! authority and a service, 2 for the fields of an answer, 3 for its message, in frames of the
//! seed's sizes. 4 repeats it until the cap is passed. 8 puts the message's length before it.
//! Of the seed of fields, 1 ends the stream with them, 2 lets them follow a message, 4 cuts them.

use std::time::Duration;

use scratch_probe::failure::Unhealthy;
use scratch_probe::input::target::SERVICE_MAX;
use scratch_probe::wire::grpc::{ANSWER_MAX, Reply, request};
use scratch_probe::wire::progress::Progress;

use super::hpack::{Bytes, Text, decode};
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
        2 => fields(stream, seed, &mut numbers),
        _ if flags & 8 == 0 => in_frames(stream, &mut numbers),
        _ => in_frames(&[&[0], &(stream.len() as u32).to_be_bytes()[..], stream].concat(), &mut numbers),
    };
    if flags & 4 != 0 && !stream.is_empty() {
        stream = stream.repeat(ANSWER_MAX / stream.len() + 2);
    }
    let mut answer = Reply::default();
    let mut next = 0;
    for count in 0..=stream.len() {
        // Every prefix of a short stream, some of a long one.
        if count == next || count + 2 > stream.len() || (ANSWER_MAX - 1..ANSWER_MAX + 2).contains(&count) {
            next = count + 1 + if stream.len() < 2048 { 0 } else { numbers.below(stream.len() / 16) };
            let verdict = outcome(&mut answer, &stream[..count]);
            assert_eq!(verdict, model(&stream[..count]), "after {count} bytes");
            assert_eq!(outcome(&mut Reply::default(), &stream[..count]), verdict, "{count} bytes at once");
            if verdict.is_some() {
                return;
            }
        }
    }
}

fn frame(kind: u8, flags: u8, data: &[u8]) -> Vec<u8> {
    [&(data.len() as u32).to_be_bytes()[1..], &[kind, flags, 0, 0, 0, 1], data].concat()
}

/// An answer with these fields, at its start or at its end, whole or in pieces.
fn fields(block: &[u8], seed: u8, numbers: &mut Numbers) -> Vec<u8> {
    let mut stream = SETTINGS.to_vec();
    if seed & 2 != 0 {
        stream.extend([frame(1, 4, b"\x88"), frame(0, 0, b"\0\0\0\0\x02\x08\x01")].concat());
    }
    let (mut kind, mut flags, mut rest) = (1, seed & 1, block);
    while seed & 4 != 0 && !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(numbers.below(20)));
        stream.extend(frame(kind, flags, piece));
        (kind, flags, rest) = (9, 0, after);
    }
    stream.extend(frame(kind, 4 | flags, rest));
    stream
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
const TOO_LONG: &str = "gRPC answer longer than 64 KiB";
const MALFORMED: &str = "malformed gRPC answer";

fn is(words: &str) -> Verdict {
    Some(Err(words.to_owned()))
}

fn outcome(answer: &mut Reply, received: &[u8]) -> Verdict {
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
struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    data: &'a [u8],
}

/// The whole frames of a stream, and whether one follows that is too long.
fn frames(mut rest: &[u8]) -> (Vec<Frame<'_>>, bool) {
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
            data: &rest[9..size],
        });
        room -= size;
        rest = &rest[size..];
    }
    (frames, room < 9 && rest.len() >= room)
}

/// What comes on our stream.
enum Event {
    Data(Vec<u8>),
    Fields(Vec<u8>),
    Refused(u32),
    Broken,
}

/// What comes on our stream, in order, each with whether it ends the stream. Nothing after what is broken.
fn events(frames: &[Frame<'_>]) -> Vec<(Event, bool)> {
    let mut events = Vec::new();
    let mut frames = frames.iter();
    while let Some(frame) = frames.next() {
        let event = match (frame.kind, frame.stream) {
            (0, 1) => unpadded(frame).map(|data| Event::Data(data.to_vec())),
            (1, 1) => match block(frame, &mut frames) {
                Some(Some(block)) => Some(Event::Fields(block)),
                Some(None) => break,
                None => None,
            },
            (3, 1) => number(frame.data).map(Event::Refused),
            (7, _) if number(frame.data).is_some_and(|last| last % (1 << 31) == 0) => {
                number(&frame.data[4..]).map(Event::Refused)
            }
            // Fields of another stream that go on, in what may not come between ours.
            (1, _) if frame.flags & 4 == 0 => None,
            (9, _) => None,
            _ => continue,
        };
        let is_broken = event.is_none();
        events.push((event.unwrap_or(Event::Broken), frame.flags & 1 == 1));
        if is_broken {
            break;
        }
    }
    events
}

/// The block that begins in this frame, if it is complete; `None` if it is broken.
fn block<'a>(first: &Frame<'_>, rest: &mut impl Iterator<Item = &'a Frame<'a>>) -> Option<Option<Vec<u8>>> {
    let priority = if first.flags & 0x20 == 0 { 0 } else { 5 };
    let mut block = unpadded(first)?.get(priority..)?.to_vec();
    let mut flags = first.flags;
    while flags & 4 == 0 {
        let Some(next) = rest.next() else { return Some(None) };
        if (next.kind, next.stream) != (9, 1) {
            return None;
        }
        block.extend_from_slice(next.data);
        flags = next.flags;
    }
    Some(Some(block))
}

/// The first 32 bits.
fn number(data: &[u8]) -> Option<u32> {
    Some(data.get(..4)?.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}

fn model(stream: &[u8]) -> Verdict {
    let stream = &stream[..stream.len().min(ANSWER_MAX)];
    if stream.len() >= 4 && stream[3] != 4 {
        return is(NOT_HTTP);
    }
    let (frames, too_long) = frames(stream);
    let mut status = None;
    let mut message = Vec::new();
    for (event, ends) in events(&frames) {
        let mut code = None;
        match event {
            Event::Broken => return is(MALFORMED),
            Event::Refused(code) => return is(&format!("server refused with HTTP/2 error {code}")),
            Event::Data(_) if status != Some(200) => return is(MALFORMED),
            Event::Data(data) => message.extend(data),
            Event::Fields(_) if status == Some(200) && !ends => return is(MALFORMED),
            Event::Fields(block) => {
                let Some(fields) = decode(&block) else { return is(MALFORMED) };
                for (at, [name, value]) in fields.iter().enumerate() {
                    let number = digits(value).filter(|_| at == 0 || !name.is(":status"));
                    if name.is(":status") {
                        status = number;
                    } else if name.is("grpc-status") {
                        code = number;
                    } else {
                        continue;
                    }
                    if number.is_none() {
                        return is(MALFORMED);
                    }
                }
            }
        }
        match (status, code) {
            (None | Some(..100), _) => return is(MALFORMED),
            (Some(100..=200), _) if !ends => {}
            (Some(200), Some(0)) => {
                return match health(&message) {
                    Some(1) => Some(Ok(())),
                    Some(0) => is("UNKNOWN, expected SERVING"),
                    Some(2) => is("NOT_SERVING, expected SERVING"),
                    Some(3) => is("SERVICE_UNKNOWN, expected SERVING"),
                    Some(_) => is("UNRECOGNIZED, expected SERVING"),
                    None => is(MALFORMED),
                };
            }
            (Some(200), Some(code)) => return is(word(code)),
            (Some(status), _) => return is(&format!("{status}, not a gRPC answer")),
        }
    }
    if too_long { is(TOO_LONG) } else { None }
}

/// The number that a value is. Of so few digits that the length takes one byte, and in Huffman's code no
/// more than four.
fn digits(value: &Text) -> Option<u64> {
    let text = std::str::from_utf8(value.text.as_deref()?).ok()?;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let max = if value.is_coded { 4 } else { 126 };
    (is_number && value.sent <= max).then(|| text.parse().unwrap_or(u64::MAX))
}

/// The last field 1 of type varint in a message.
fn health(message: &[u8]) -> Option<u32> {
    let (prefix, fields) = message.split_at_checked(5)?;
    if prefix[0] != 0 || number(&prefix[1..])? as usize != fields.len() {
        return None;
    }
    let mut bytes = Bytes(fields);
    let mut varints = Vec::new();
    while !bytes.0.is_empty() {
        let tag = bytes.varint()?;
        match tag % 8 {
            0 => varints.push((tag / 8, bytes.varint()?)),
            1 => drop(bytes.take(8)?),
            2 => {
                let length = bytes.varint()?;
                bytes.take(usize::try_from(length).ok()?)?;
            }
            5 => drop(bytes.take(4)?),
            _ => return None,
        }
        if tag / 8 == 0 || tag >> 32 != 0 {
            return None;
        }
    }
    Some(varints.iter().rev().find(|(field, _)| *field == 1).map_or(0, |(_, value)| *value as u32))
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

fn unpadded<'a>(frame: &Frame<'a>) -> Option<&'a [u8]> {
    if frame.flags & 8 == 0 {
        return Some(frame.data);
    }
    let padding = usize::from(*frame.data.first()?);
    (padding < frame.data.len()).then(|| &frame.data[1..frame.data.len() - padding])
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
    let [(settings, settings_data), (headers, fields), (data, message)] = &mut sent[..] else {
        panic!("three frames")
    };
    assert_eq!(
        (&settings[..], settings_data.0),
        (&[4, 0, 0, 0, 0, 0][..], &[0, 1, 0, 0, 0, 0][..]),
        "HEADER_TABLE_SIZE: 0"
    );
    assert_eq!((&headers[..], &data[..]), (&[1, 4, 0, 0, 0, 1][..], &[0, 1, 0, 0, 0, 1][..]));
    assert_eq!(fields.take(2), Some(&[0x83, 0x86][..]), "POST, http");
    let mut literal = |index| {
        assert_eq!(fields.integer(4), Some(index));
        if index == 0 {
            assert!(fields.string().expect("a name").is("te"));
        }
        let value = fields.string().expect("a value");
        assert!(!value.is_coded);
        value.text.expect("plain")
    };
    assert_eq!(literal(4), b"/grpc.health.v1.Health/Check");
    assert_eq!(literal(1), authority);
    assert_eq!(literal(0), b"trailers");
    assert_eq!(literal(31), b"application/grpc", "content-type");
    assert_eq!(fields.0, b"");
    assert_eq!(message.take(1), Some(&[0][..]), "not compressed");
    let size =
        message.take(4).expect("a length").iter().fold(0, |size, &byte| size * 256 + usize::from(byte));
    assert_eq!(size, message.0.len());
    if !name.is_empty() {
        assert_eq!(message.take(1), Some(&[0x0a][..]));
        let before = message.0.len();
        assert_eq!(message.varint(), Some(name.len() as u64));
        assert_eq!(before - message.0.len(), if name.len() < 128 { 1 } else { 2 }, "the shortest");
    }
    assert_eq!(message.0, name);
}
