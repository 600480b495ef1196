//! gRPC's health check (grpc.health.v1) over cleartext HTTP/2: one call out, and of the answer
//! its message and its status.
//!
//! Frames are those of RFC 9113, fields those of RFC 7541. No dynamic table and no decoder of Huffman's code
//! is needed: the first answer on a connection names `grpc-status` literally, in one of two forms, and
//! its numbers have few digits.

use crate::failure::Unhealthy;
use crate::print::push;
use crate::text::digits;
use crate::wire::progress::Progress;

/// The most of an answer that is kept. Real ones have some hundred bytes.
pub const ANSWER_MAX: usize = 16 * 1024;

/// Longer than [`ANSWER_MAX`].
const TOO_LONG: Unhealthy = Unhealthy::Malformed("gRPC answer longer than 16 KiB");
/// Not complete yet.
const INCOMPLETE: Progress = Progress::Partial("connection closed before the gRPC status");
/// Against the rules of HTTP/2, or another message than a HealthCheckResponse.
const MALFORMED: Unhealthy = Unhealthy::Malformed("malformed gRPC answer");

/// Types of frames, and their flags.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// No `grpc-status`.
const NONE: u64 = u64::MAX;

const FRAME_HEADER: usize = 9;

/// The connection preface, empty SETTINGS, and HEADERS up to `:authority`, none of them for a dynamic
/// table: POST, http, path. Fields with a colon come first: Go's server resets the stream else.
const START: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
    \0\0\0\x04\0\0\0\0\0\
    \0\0\0\x01\x04\0\0\0\x01\
    \x83\x86\x04\x1c/grpc.health.v1.Health/Check\x01";

/// The end of the connection preface and of SETTINGS.
const HEADERS_AT: usize = 33;

/// The other fields, and DATA up to the message: not compressed, its length.
const MIDDLE: &[u8] = b"\0\x02te\x08trailers\x0f\x10\x10application/grpc\
    \0\0\0\0\x01\0\0\0\x01\
    \0\0\0\0\0";

/// The length of a frame's header and a message's.
const DATA_START: usize = FRAME_HEADER + 5;

/// `grpc-status` with its length, plain, and in Huffman's code.
const STATUS: [&[u8]; 2] = [b"\x0bgrpc-status", b"\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f"];

/// The values of `:status` in the static table, from index 8 on.
const STATIC_STATUS: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];

/// The statuses of a HealthCheckResponse (grpc/health/v1/health.proto).
static HEALTH: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const SERVING: u8 = 1;

/// gRPC's status codes from 1 on (grpc/doc/statuscodes.md); the last word stands for all others.
static STATUS_CODES: [&str; 17] = [
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND: no such service",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED: no health service",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
    "UNKNOWN",
];

/// The call that asks `authority` for the health of a service, of at most 16,000 bytes; without a
/// name, of the server as a whole.
pub fn request(authority: &[u8], service: &[u8]) -> Vec<u8> {
    let mut bytes = START.to_vec();
    match authority.len().checked_sub(0x7f) {
        None => push(&mut bytes, [authority.len() as u8]),
        Some(more) => push_long(&mut bytes, 0x7f, more),
    }
    push(&mut bytes, authority);
    push(&mut bytes, MIDDLE);
    let message_at = bytes.len();
    if !service.is_empty() {
        push_long(&mut bytes, 0x0a, service.len());
        push(&mut bytes, service);
    }
    let message = bytes.len() - message_at;
    let mut set = |end: usize, length: usize| {
        bytes[end - 1] = length as u8;
        bytes[end - 2] = (length >> 8) as u8;
    };
    set(HEADERS_AT + 3, message_at - HEADERS_AT - FRAME_HEADER - DATA_START);
    set(message_at - DATA_START + 3, message + 5);
    set(message_at, message);
    bytes
}

/// Appends a byte, and a number in two, the low one first, as both HPACK and protobuf do.
#[inline(never)]
fn push_long(out: &mut Vec<u8>, first: u8, number: usize) {
    push(out, [first, number as u8 | 0x80, (number >> 7) as u8]);
}

/// The answer to a call, as far as it has been received.
#[derive(Debug, Default)]
pub struct Answer {
    /// The start of the first frame that has not been read.
    at: usize,
    /// The HTTP status; 0 before it has come.
    http: u64,
    /// `grpc-status` of the last frame, if it has one, or [`NONE`].
    status: u64,
    /// The message, out of its frames.
    message: Vec<u8>,
}

impl Answer {
    /// Reads on in all of an `answer` that has been received. Complete: the service is serving.
    /// Errors: `Foreign`, not HTTP/2; `Refused`, reset; `NotGrpc`, `GrpcStatus`, `NotServing`; `Malformed`.
    pub fn read(&mut self, answer: &[u8]) -> Result<Progress, Unhealthy> {
        let answer = &answer[..answer.len().min(ANSWER_MAX)];
        // A server's first frame is SETTINGS (RFC 9113, 3.4).
        if answer.get(3).is_some_and(|&kind| kind != SETTINGS) {
            return Err(Unhealthy::Foreign("not an HTTP/2 response", 0));
        }
        loop {
            let Some((header, rest)) = answer[self.at..].split_first_chunk() else {
                return if answer.len() < ANSWER_MAX { Ok(INCOMPLETE) } else { Err(TOO_LONG) };
            };
            let &[high, middle, low, kind, flags, stream @ ..]: &[u8; FRAME_HEADER] = header;
            let length = u32::from_be_bytes([0, high, middle, low]) as usize;
            let end = self.at + FRAME_HEADER + length;
            if end > ANSWER_MAX {
                return Err(TOO_LONG);
            }
            let Some(data) = rest.get(..length) else { return Ok(INCOMPLETE) };
            self.at = end;
            // The highest bit is reserved.
            let is_ours = u32::from_be_bytes(stream) << 1 == 2;
            if kind <= HEADERS && is_ours {
                self.frame(kind, flags, data).ok_or(MALFORMED)?;
            } else {
                let code = match data {
                    [_, _, _, code] if kind == RST_STREAM && is_ours => *code,
                    // A server that names our stream goes on with it (RFC 9113, 6.8).
                    [_, _, _, 0, _, _, _, code, ..] if kind == GOAWAY => *code,
                    _ => continue,
                };
                return Err(Unhealthy::Refused("HTTP/2 error", code.into()));
            }
            let health = match (self.http, self.status) {
                // Interim responses do not end it either.
                (100..=200, _) if flags & END_STREAM == 0 => continue,
                (200, 0) => match self.message.strip_prefix(&[0; 4]) {
                    // Protobuf leaves a 0 out.
                    Some([0]) => 0,
                    Some([2, 8, health @ (..=3)]) => *health,
                    _ => return Err(MALFORMED),
                },
                (200, status) if status != NONE => {
                    let last = STATUS_CODES.len() as u64;
                    return Err(Unhealthy::GrpcStatus(STATUS_CODES[status.min(last) as usize - 1]));
                }
                (0, _) => return Err(MALFORMED),
                (http, _) => return Err(Unhealthy::NotGrpc(http)),
            };
            return match health {
                SERVING => Ok(Progress::Complete),
                other => Err(Unhealthy::NotServing(HEALTH[usize::from(other)])),
            };
        }
    }

    /// Reads DATA or HEADERS; `None` if they are malformed. Fields that go on in a CONTINUATION are
    /// longer than a frame may be, and so than all that is kept.
    fn frame(&mut self, kind: u8, flags: u8, mut data: &[u8]) -> Option<()> {
        self.status = NONE;
        if flags & PADDED != 0 {
            let (padding, rest) = data.split_first()?;
            data = rest.get(..rest.len().wrapping_sub((*padding).into()))?;
        }
        if kind == DATA {
            push(&mut self.message, data);
            return Some(());
        }
        if flags & END_HEADERS == 0 {
            return None;
        }
        // Deprecated, and still read over (RFC 9113, 6.2).
        if flags & PRIORITY != 0 {
            data = data.get(5..)?;
        }
        while let [first, ..] = *data {
            // One leading zero more for each kind: indexed, to be indexed, another size of the table, others.
            let kind = first.leading_zeros();
            let index = integer(&mut data, 0x7f >> kind.min(3))?;
            let strings = if matches!(kind, 0 | 2) { 0 } else { 1 + u8::from(index == 0) };
            let [mut name, mut value] = [&b""[..]; 2];
            for _ in 0..strings {
                name = value;
                value = string(&mut data)?;
            }
            if matches!(index, 8..15) && kind != 2 {
                self.http = match kind {
                    0 => STATIC_STATUS[index - 8].into(),
                    _ => number(value)?,
                };
            } else if STATUS.contains(&name) {
                self.status = number(value)?;
            }
        }
        Some(())
    }
}

/// Takes a number off that begins in the bits of `mask` (RFC 7541, 5.1).
fn integer(data: &mut &[u8], mask: u8) -> Option<usize> {
    let (first, mut rest) = data.split_first()?;
    let mut number = usize::from(first & mask);
    if number == mask.into() {
        let mut shift = 0;
        let mut more = 0x80;
        while more >= 0x80 {
            (more, rest) = rest.split_first().filter(|_| shift <= 14).map(|(byte, rest)| (*byte, rest))?;
            number += usize::from(more & 0x7f) << shift;
            shift += 7;
        }
    }
    *data = rest;
    Some(number)
}

/// Takes a string off, with its length, which says by its highest bit if it is in Huffman's code.
fn string<'a>(data: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = *data;
    let length = integer(data, 0x7f)?;
    *data = data.get(length..)?;
    Some(&start[..start.len() - data.len()])
}

/// The number in a string. In Huffman's code (RFC 7541, appendix B) 0 to 2 have five bits, the other
/// digits six, and all of them begin with 0; it ends in ones.
fn number(string: &[u8]) -> Option<u64> {
    let text = match string {
        [(..=0x7f), text @ ..] => return digits(text),
        [0x81..=0x84, (..=0x7f), ..] => &string[1..],
        _ => return None,
    };
    let mut bits = text.iter().rev().fold(!0u32, |bits, byte| bits >> 8 | u32::from(*byte) << 24);
    let mut number = 0;
    while bits >> 31 == 0 {
        let (digit, width) = match bits >> 26 {
            digit @ 0..=5 => (digit >> 1, 5),
            digit @ 25.. => (digit - 22, 6),
            _ => return None,
        };
        number = number * 10 + u64::from(digit);
        bits = !(!bits << width);
    }
    (bits == !0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const READY: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    const MESSAGE: &[u8] = b"\0\0\0\0\x02\x08\x01";
    const OK: &[u8] = b"\x40\x0bgrpc-status\x010";

    fn frame(kind: u8, flags: u8, data: &[u8]) -> Vec<u8> {
        [&(data.len() as u32).to_be_bytes()[1..], &[kind, flags, 0, 0, 0, 1], data].concat()
    }

    /// SETTINGS, HEADERS, a message, trailers.
    fn answer(headers: &[u8], message: &[u8], trailers: &[u8]) -> Vec<u8> {
        let headers = frame(HEADERS, END_HEADERS, headers);
        let trailers = frame(HEADERS, END_HEADERS | END_STREAM, trailers);
        [READY, &headers, &frame(DATA, 0, message), &trailers].concat()
    }

    /// SETTINGS, and a block of fields that is all of the answer.
    fn only(fields: &[u8]) -> Vec<u8> {
        [READY, &frame(HEADERS, END_HEADERS | END_STREAM, fields)].concat()
    }

    fn status(field: &[u8]) -> Vec<u8> {
        only(&[b"\x88", field].concat())
    }

    /// The outcome in words of a stream read whole, and byte by byte.
    fn read(stream: &[u8]) -> String {
        let words = |answer: &mut Answer, stream: &[u8]| match answer.read(stream) {
            Ok(Progress::Complete) => "SERVING".to_owned(),
            Ok(Progress::Partial(_)) => "more".to_owned(),
            Err(Unhealthy::Malformed(problem)) => problem.to_owned(),
            Err(Unhealthy::Foreign(problem, at)) => format!("{problem} from {at} on"),
            Err(failure) => {
                let mut words = Vec::new();
                failure.push(&mut words, Duration::ZERO);
                String::from_utf8(words).expect("ASCII")
            }
        };
        let whole = words(&mut Answer::default(), stream);
        let mut bytewise = Answer::default();
        let mut pieces = (0..=stream.len()).map(|end| words(&mut bytewise, &stream[..end]));
        let last = pieces.find(|words| words != "more").unwrap_or_else(|| "more".to_owned());
        assert_eq!(last, whole, "{stream:?} byte by byte");
        whole
    }

    #[test]
    fn every_prefix_wants_more_and_what_follows_changes_nothing() {
        let stream = answer(b"\x88\x5f\x10application/grpc", MESSAGE, OK);
        for end in 0..stream.len() {
            assert_eq!(read(&stream[..end]), "more", "up to {end}");
        }
        assert_eq!(read(&stream), "SERVING");
        assert_eq!(read(&[&stream, &b"junk"[..]].concat()), "SERVING");
    }

    #[test]
    fn a_status_in_every_form_that_servers_give_it() {
        for (field, words) in [
            (&b"\x40\x0bgrpc-status\x015"[..], "NOT_FOUND: no such service"),
            (b"\0\x0bgrpc-status\x0212", "UNIMPLEMENTED: no health service"),
            (b"\x10\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x0214", "UNAVAILABLE"),
            (b"\x40\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x81\x6f", "NOT_FOUND: no such service"),
            (b"\x40\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x82\x08\xbf", "UNIMPLEMENTED: no health service"),
            (b"\0\x0bgrpc-status\x011", "CANCELLED"),
            (b"\0\x0bgrpc-status\x0216", "UNAUTHENTICATED"),
            (b"\0\x0bgrpc-status\x0217", "UNKNOWN"),
            (b"\0\x0bgrpc-status\x0299", "UNKNOWN"),
            (b"\0\x0cgrpc-message\x0e\x0bgrpc-status\x010\0\x0bgrpc-status\x013", "INVALID_ARGUMENT"),
            (b"\0\x0bgrpc-status\x013\0\x0cgrpc-message\x0e\x0bgrpc-status\x010", "INVALID_ARGUMENT"),
            (b"\x3f\xe1\x1f\0\x0bgrpc-status\x014", "DEADLINE_EXCEEDED"),
            // No message, and so no health.
            (OK, "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x01x", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\0", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x80", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x81\xff", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x820\x7f", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x82\x06\x1f", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x020", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status", "malformed gRPC answer"),
            (b"\0\x7f\xff\xff\xff\xff\xff", "malformed gRPC answer"),
            (b"", "200, not a gRPC answer"),
            (b"\x0f\x10\x09text/html", "200, not a gRPC answer"),
        ] {
            assert_eq!(read(&status(field)), words, "{field:x?}");
        }
    }

    #[test]
    fn another_http_status_comes_first() {
        for (fields, words) in [
            (&b"\x8d"[..], "404, not a gRPC answer"),
            (b"\x8e\x0f\x10\x01x", "500, not a gRPC answer"),
            (b"\x48\x03502", "502, not a gRPC answer"),
            (b"\x08\x82\x68\x01", "401, not a gRPC answer"),
            (b"\x09\x82\x6c\x19", "malformed gRPC answer"),
            (b"\x40\x0bgrpc-status\x010", "malformed gRPC answer"),
            (b"\x28\x87", "malformed gRPC answer"),
        ] {
            assert_eq!(read(&only(fields)), words, "{fields:x?}");
        }
        // At once, whatever follows.
        assert_eq!(read(&[READY, &frame(HEADERS, END_HEADERS, b"\x8d")].concat()), "404, not a gRPC answer");
        let interim = frame(HEADERS, END_HEADERS, b"\x08\x03103");
        let good = answer(b"\x88", MESSAGE, OK);
        assert_eq!(read(&[READY, &interim, &good[READY.len()..]].concat()), "SERVING");
    }

    #[test]
    fn the_message_is_one_and_says_serving() {
        for (message, words) in [
            (MESSAGE, "SERVING"),
            (b"\0\0\0\0\0", "UNKNOWN, expected SERVING"),
            (b"\0\0\0\0\x02\x08\0", "UNKNOWN, expected SERVING"),
            (b"\0\0\0\0\x02\x08\x02", "NOT_SERVING, expected SERVING"),
            (b"\0\0\0\0\x02\x08\x03", "SERVICE_UNKNOWN, expected SERVING"),
            (b"\0\0\0\0\x02\x08\x04", "malformed gRPC answer"),
            (b"\0\0\0\0\x02\x10\x01", "malformed gRPC answer"),
            (b"\x01\0\0\0\x02\x08\x01", "malformed gRPC answer"),
            (b"\0\0\0\0\x03\x08\x01", "malformed gRPC answer"),
            (b"\0\0\0\0\x02\x08\x01\0\0\0\0\x02\x08\x01", "malformed gRPC answer"),
            (b"\x08\x01", "malformed gRPC answer"),
            (b"", "malformed gRPC answer"),
        ] {
            assert_eq!(read(&answer(b"\x88", message, OK)), words, "{message:x?}");
        }
    }

    #[test]
    fn frames_as_servers_and_proxies_may_send_them() {
        let headers = frame(HEADERS, END_HEADERS, b"\x88");
        let trailers = frame(HEADERS, END_HEADERS | END_STREAM, OK);
        let reserved = |mut frame: Vec<u8>| {
            frame[5] |= 0x80;
            frame
        };
        let data = frame(DATA, 0, MESSAGE);
        for (frames, words) in [
            (
                vec![
                    headers.clone(),
                    frame(DATA, 0, &MESSAGE[..3]),
                    frame(DATA, 0, &MESSAGE[3..]),
                    trailers.clone(),
                ],
                "SERVING",
            ),
            (
                vec![
                    headers.clone(),
                    frame(DATA, PADDED, &[&[2], MESSAGE, &[0; 2]].concat()),
                    trailers.clone(),
                ],
                "SERVING",
            ),
            (
                vec![headers.clone(), frame(DATA, PADDED, &[9, 0, 0, 0]), trailers.clone()],
                "malformed gRPC answer",
            ),
            (vec![headers.clone(), frame(DATA, PADDED, b""), trailers.clone()], "malformed gRPC answer"),
            (
                vec![frame(HEADERS, END_HEADERS | PADDED, b"\x01\x88\0"), data.clone(), trailers.clone()],
                "SERVING",
            ),
            (
                vec![
                    frame(HEADERS, END_HEADERS | PRIORITY, b"\0\0\0\0\x10\x88"),
                    data.clone(),
                    trailers.clone(),
                ],
                "SERVING",
            ),
            (vec![frame(HEADERS, END_HEADERS | PRIORITY, b"\0\0\0\x88")], "malformed gRPC answer"),
            (vec![frame(HEADERS, 0, b"\x88")], "malformed gRPC answer"),
            (vec![reserved(headers.clone()), reserved(data.clone()), reserved(trailers.clone())], "SERVING"),
            (
                vec![
                    // WINDOW_UPDATE, two settings, PING; WINDOW_UPDATE of this stream, RST_STREAM of another.
                    b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01".to_vec(),
                    b"\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\0\xff\xff".to_vec(),
                    b"\0\0\x08\x06\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
                    headers.clone(),
                    frame(8, 0, &[0, 0, 0, 1]),
                    b"\0\0\x04\x03\0\0\0\0\x03\0\0\0\x08".to_vec(),
                    data.clone(),
                    READY.to_vec(),
                    trailers.clone(),
                ],
                "SERVING",
            ),
            // The status counts where the stream ends, and only there.
            (
                vec![frame(HEADERS, END_HEADERS, &[b"\x88", OK].concat()), frame(DATA, END_STREAM, MESSAGE)],
                "200, not a gRPC answer",
            ),
            (vec![data.clone()], "malformed gRPC answer"),
            (
                vec![headers.clone(), frame(RST_STREAM, 0, &[0, 0, 0, 11])],
                "server refused with HTTP/2 error 11",
            ),
            (
                vec![b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0d".to_vec()],
                "server refused with HTTP/2 error 13",
            ),
            // It goes on with this stream, and takes no other.
            (
                vec![
                    b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0".to_vec(),
                    headers.clone(),
                    data.clone(),
                    trailers.clone(),
                ],
                "SERVING",
            ),
            (vec![READY.repeat(3000)], "gRPC answer longer than 16 KiB"),
            (vec![headers.clone(), frame(DATA, 0, &[0; 16_400])], "gRPC answer longer than 16 KiB"),
        ] {
            assert_eq!(read(&[READY, &frames.concat()].concat()), words, "{frames:x?}");
        }
        // Another stream is another's.
        let mut other = answer(b"\x88", MESSAGE, OK);
        let at = other.len() - OK.len() - 1;
        other[at] = 3;
        assert_eq!(read(&other), "more");
    }

    #[test]
    fn an_answer_has_its_cap_to_the_byte() {
        let good = answer(b"\x88", MESSAGE, OK);
        for (length, words) in [(16_384, "SERVING"), (16_385, "gRPC answer longer than 16 KiB")] {
            // A frame of a kind that is not known (RFC 9113, 4.1).
            let unknown = frame(0xff, 0, &vec![0; length - good.len() - FRAME_HEADER]);
            assert_eq!(read(&[READY, &unknown, &good[READY.len()..]].concat()), words, "{length}");
        }
    }

    #[test]
    fn an_answer_that_is_no_http_2() {
        for (stream, words) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], "not an HTTP/2 response from 0 on"),
            (b"\x15\x03\x03\0\x02\x02F", "not an HTTP/2 response from 0 on"),
            (&request(b"localhost", b""), "not an HTTP/2 response from 0 on"),
            (b"HTT", "more"),
        ] {
            assert_eq!(read(stream), words);
        }
    }

    #[test]
    fn every_length_of_the_call_counts_what_follows() {
        for authority in [1, 126, 127, 128, 254, 255, 259] {
            for service in [0, 1, 127, 128, 255, 256, 16_000] {
                let [authority, service] = [authority, service].map(|length| vec![b'x'; length]);
                let call = request(&authority, &service);
                let (mut rest, mut frames) = (&call[24..], Vec::new());
                while let [0, high, low, kind, flags, 0, 0, 0, stream, after @ ..] = rest {
                    let (data, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
                    frames.push((*kind, *flags, *stream, data));
                    rest = after;
                }
                let [
                    (SETTINGS, 0, 0, b""),
                    (HEADERS, END_HEADERS, 1, mut fields),
                    (DATA, END_STREAM, 1, data),
                ] = frames[..]
                else {
                    panic!("{frames:?}");
                };
                assert_eq!(rest, b"");
                let mut values = Vec::new();
                while !fields.is_empty() {
                    let kind = fields[0];
                    let index =
                        integer(&mut fields, if kind < 0x80 { 0x0f } else { 0x7f }).expect("an index");
                    for _ in 0..if kind >= 0x80 { 0 } else { 1 + u8::from(index == 0) } {
                        values.push(string(&mut fields).expect("a string"));
                    }
                }
                assert!(values[1].ends_with(&authority));
                assert_eq!(values.len(), 5);
                assert_eq!(data[0], 0);
                assert_eq!(u32::from_be_bytes([data[1], data[2], data[3], data[4]]) as usize, data.len() - 5);
                match &data[5..] {
                    [] => assert!(service.is_empty()),
                    [0x0a, low, high, name @ ..] => {
                        assert_eq!(
                            (name, usize::from(low & 0x7f) + usize::from(*high) * 128),
                            (&service[..], service.len())
                        );
                    }
                    data => panic!("{data:?}"),
                }
            }
        }
    }
}
