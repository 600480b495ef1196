//! gRPC's health check (grpc.health.v1) over cleartext HTTP/2: one call out, and of the answer
//! its message and its status.
//!
//! Frames are those of RFC 9113, fields those of RFC 7541. The call's SETTINGS forbid a dynamic table,
//! and of Huffman's code two names and the digits are enough.

use crate::failure::Unhealthy;
use crate::print::push;
use crate::text::digits;
use crate::wire::progress::Progress;

/// The most of an answer that is kept. Real ones have some hundred bytes; without the table, fields that
/// repeat are written in full.
pub const ANSWER_MAX: usize = 64 * 1024;

/// Longer than [`ANSWER_MAX`].
const TOO_LONG: Unhealthy = Unhealthy::Malformed("gRPC answer longer than 64 KiB");
/// Not complete yet.
const PARTIAL: Progress = Progress::Partial("connection closed before the gRPC status");
/// Against the rules of HTTP/2, or another message than a HealthCheckResponse.
const MALFORMED: Unhealthy = Unhealthy::Malformed("malformed gRPC answer");

/// Types of frames, and their flags.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

const FRAME_HEADER: usize = 9;

/// The connection preface, SETTINGS with a HEADER_TABLE_SIZE of 0, and HEADERS up to `:authority`, none
/// of them for a dynamic table: POST, http, path. Fields with a colon come first: otherwise Go's server
/// resets the stream.
const START: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
    \0\0\x06\x04\0\0\0\0\0\0\x01\0\0\0\0\
    \0\0\0\x01\x04\0\0\0\x01\
    \x83\x86\x04\x1c/grpc.health.v1.Health/Check\x01";

/// The end of the connection preface and of SETTINGS.
const HEADERS_AT: usize = 39;

/// The other fields, and DATA up to the message: not compressed, its length.
const MIDDLE: &[u8] = b"\0\x02te\x08trailers\x0f\x10\x10application/grpc\
    \0\0\0\0\x01\0\0\0\x01\
    \0\0\0\0\0";

/// The length of a frame's header and a message's.
const DATA_START: usize = FRAME_HEADER + 5;

/// `:status` and `grpc-status` with their lengths, plain, and in Huffman's code (RFC 7541, appendix B).
const HTTP_STATUS: [&[u8]; 2] = [b"\x07:status", b"\x85\xb8\x84\x8d\x36\xa3"];
const GRPC_STATUS: [&[u8]; 2] = [b"\x0bgrpc-status", b"\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f"];

/// The size of a dynamic table without SETTINGS.
const TABLE_SIZE: u64 = 4096;

/// The values of `:status` in the static table, from index 8 on.
const STATIC_STATUS: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
/// The last index of the static table.
const STATIC_MAX: u64 = 61;

/// The statuses of a HealthCheckResponse (grpc/health/v1/health.proto); the last word stands for all others.
static HEALTH: [&str; 5] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN", "UNRECOGNIZED"];
const SERVING: usize = 1;

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
        Some(more) => push_varint(&mut bytes, 0x7f, more),
    }
    push(&mut bytes, authority);
    push(&mut bytes, MIDDLE);
    let message_at = bytes.len();
    if !service.is_empty() {
        push_varint(&mut bytes, 0x0a, service.len());
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

/// Appends a byte, and a number as both HPACK and protobuf go on with it.
fn push_varint(out: &mut Vec<u8>, first: u8, mut number: usize) {
    push(out, [first]);
    while number >= 0x80 {
        push(out, [number as u8 | 0x80]);
        number >>= 7;
    }
    push(out, [number as u8]);
}

/// The reply to a call, as far as it has been received.
#[derive(Debug, Default)]
pub struct Reply {
    /// The start of the first frame that has not been read.
    at: usize,
    /// The HTTP status; 0 before it has come.
    http: u64,
    /// `grpc-status` of the last frame, if it has one.
    status: Option<u64>,
    /// The message, out of its frames.
    message: Vec<u8>,
    /// The block of fields that is being received, out of its frames.
    block: Vec<u8>,
    /// The block goes on in a CONTINUATION.
    goes_on: bool,
    /// END_STREAM, if the last DATA or HEADERS had it.
    end: u8,
}

impl Reply {
    /// Continues with all of an `answer` that has been received. Complete: the service is serving.
    /// Errors: `Foreign`, not HTTP/2; `Refused`, reset; `NotGrpc`, `GrpcStatus`, `NotServing`; `Malformed`.
    pub fn read(&mut self, answer: &[u8]) -> Result<Progress, Unhealthy> {
        let answer = &answer[..answer.len().min(ANSWER_MAX)];
        // A server's first frame is SETTINGS (RFC 9113, 3.4).
        if answer.get(3).is_some_and(|&kind| kind != SETTINGS) {
            return Err(Unhealthy::Foreign("not an HTTP/2 response", 0));
        }
        loop {
            let Some((header, rest)) = answer[self.at..].split_first_chunk() else {
                return if answer.len() < ANSWER_MAX { Ok(PARTIAL) } else { Err(TOO_LONG) };
            };
            let &[high, middle, low, kind, flags, stream @ ..]: &[u8; FRAME_HEADER] = header;
            let length = u32::from_be_bytes([0, high, middle, low]) as usize;
            let end = self.at + FRAME_HEADER + length;
            if end > ANSWER_MAX {
                return Err(TOO_LONG);
            }
            let Some(data) = rest.get(..length) else { return Ok(PARTIAL) };
            self.at = end;
            // The highest bit is reserved.
            let is_ours = u32::from_be_bytes(stream) << 1 == 2;
            // Nothing else may come in between, on any stream (RFC 9113, 6.10).
            if self.goes_on != (kind == CONTINUATION) || self.goes_on && !is_ours {
                return Err(MALFORMED);
            }
            match (kind, data) {
                (DATA | HEADERS | CONTINUATION, _) if is_ours => {
                    self.frame(kind, flags, data).ok_or(MALFORMED)?;
                }
                // Its CONTINUATION would be on another stream.
                (HEADERS, _) if flags & END_HEADERS == 0 => return Err(MALFORMED),
                (RST_STREAM, code) if is_ours => return refused(code),
                // A server that names our stream goes on with it (RFC 9113, 6.8).
                (GOAWAY, [0 | 0x80, 0, 0, 0, code @ ..]) => return refused(code),
                _ => continue,
            }
            let health = match (self.http, self.status) {
                _ if self.goes_on => continue,
                // Interim responses do not end it either.
                (100..=200, _) if self.end == 0 => continue,
                (200, Some(0)) => health(&self.message).ok_or(MALFORMED)?,
                (200, Some(status)) => {
                    let last = STATUS_CODES.len() as u64;
                    return Err(Unhealthy::GrpcStatus(STATUS_CODES[status.min(last) as usize - 1]));
                }
                (..100, _) => return Err(MALFORMED),
                (http, _) => return Err(Unhealthy::NotGrpc(http)),
            };
            return match health {
                SERVING => Ok(Progress::Complete),
                other => Err(Unhealthy::NotServing(HEALTH[other.min(HEALTH.len() - 1)])),
            };
        }
    }

    /// Reads DATA, HEADERS or CONTINUATION; `None` if they are malformed, or come too early or too late
    /// (RFC 9113, 8.1).
    fn frame(&mut self, kind: u8, flags: u8, mut data: &[u8]) -> Option<()> {
        // CONTINUATION has one flag of its own.
        let flags = if kind == CONTINUATION { flags & END_HEADERS | self.end } else { flags };
        self.end = flags & END_STREAM;
        if flags & PADDED != 0 {
            let padding = data.split_off_first()?;
            data = data.get(..data.len().wrapping_sub((*padding).into()))?;
        }
        let is_final = self.http == 200;
        if kind == DATA {
            push(&mut self.message, data);
            self.status = None;
            return is_final.then_some(());
        }
        // Deprecated, but still to be skipped (RFC 9113, 6.2).
        if flags & PRIORITY != 0 {
            data = data.get(5..)?;
        }
        push(&mut self.block, data);
        self.goes_on = flags & END_HEADERS == 0;
        if self.goes_on {
            return Some(());
        }
        // Fields after the message are trailers.
        if is_final && self.end == 0 {
            return None;
        }
        self.status = fields(&self.block, &mut self.http)?;
        self.block.clear();
        Some(())
    }
}

/// Reads a whole block of fields. `http` becomes its `:status`, if it has one. Returns its `grpc-status`,
/// if it has one; `None` if the block is malformed.
fn fields(mut block: &[u8], http: &mut u64) -> Option<Option<u64>> {
    let mut status = None;
    let mut is_first = true;
    while let [first, ..] = *block {
        // One leading zero more for each kind: indexed, to be indexed, another size of the table, others.
        let kind = first.leading_zeros();
        let index = integer(&mut block, 0x7f >> kind.min(3))?;
        // At the start only (RFC 7541, 4.2): the encoders of most servers note our SETTINGS so. One that does
        // not know them yet keeps to the default.
        if kind == 2 && is_first && index <= TABLE_SIZE {
            continue;
        }
        if kind == 2 || index > STATIC_MAX || index == 0 && kind == 0 {
            return None;
        }
        let name = if index == 0 { string(&mut block)? } else { b"" };
        let value = if kind != 0 { string(&mut block)? } else { b"" };
        if matches!(index, 8..15) || HTTP_STATUS.contains(&name) {
            *http = match kind {
                // It comes before all others, and so once (RFC 9113, 8.3).
                _ if !is_first => return None,
                0 => STATIC_STATUS[index as usize - 8].into(),
                _ => number(value)?,
            };
        } else if GRPC_STATUS.contains(&name) {
            // The last one counts, as it does for gRPC's own clients.
            status = Some(number(value)?);
        }
        is_first = false;
    }
    Some(status)
}

/// The refusal whose code comes first in `data`.
fn refused(data: &[u8]) -> Result<Progress, Unhealthy> {
    let code = data.first_chunk().ok_or(MALFORMED)?;
    Err(Unhealthy::Refused("HTTP/2 error", u32::from_be_bytes(*code)))
}

/// The health in a message, which is one, whole and not compressed: field 1, a varint. As in all of
/// protobuf, the last one counts, unknown fields are skipped, and 0 is left out.
fn health(message: &[u8]) -> Option<usize> {
    let (&[0, length @ ..], mut fields) = message.split_first_chunk::<5>()? else { return None };
    if u32::from_be_bytes(length) as usize != fields.len() {
        return None;
    }
    let mut health = 0;
    while !fields.is_empty() {
        let tag = u32::try_from(varint(&mut fields)?).ok()?;
        let skipped = match tag & 7 {
            // There is no field 0.
            _ if tag < 8 => return None,
            0 => {
                let value = varint(&mut fields)?;
                if tag == 8 {
                    health = value as u32 as usize;
                }
                0
            }
            1 => 8,
            2 => varint(&mut fields)?,
            5 => 4,
            _ => return None,
        };
        fields = fields.get(usize::try_from(skipped).ok()?..)?;
    }
    Some(health)
}

/// Takes off a number that begins in the bits of `mask` (RFC 7541, 5.1).
fn integer(data: &mut &[u8], mask: u8) -> Option<u64> {
    let number = u64::from(data.split_off_first()? & mask);
    if number == mask.into() { varint(data)?.checked_add(number) } else { Some(number) }
}

/// Takes off a number of at most 64 bits: seven in a byte, the low ones first, the highest bit if more come.
fn varint(data: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    let mut shift = 0;
    while shift < 64 {
        let byte = data.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
    None
}

/// Takes off a string, with its length, which says by its highest bit if it is in Huffman's code.
fn string<'a>(data: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = *data;
    let length = integer(data, 0x7f)?;
    *data = data.get(usize::try_from(length).ok()?..)?;
    Some(&start[..start.len() - data.len()])
}

/// The number in a string. In Huffman's code 0 to 2 have five bits, the other digits six, and all of them
/// begin with 0; less than a byte of ones fills it up. Four bytes of it are looked at: no number has more.
fn number(string: &[u8]) -> Option<u64> {
    let text = match string {
        [(..=0x7e), text @ ..] => return digits(text),
        [0x81..=0xff, text @ ..] => text,
        _ => return None,
    };
    let mut left = text.len() * 8;
    let mut bits = text.iter().rev().fold(!0u32, |bits, byte| bits >> 8 | u32::from(*byte) << 24);
    let mut number = 0;
    while bits >> 31 == 0 {
        let (digit, width) = match bits >> 26 {
            digit @ 0..=5 => (digit >> 1, 5),
            digit @ 25.. => (digit - 22, 6),
            _ => return None,
        };
        number = number * 10 + u64::from(digit);
        left = left.checked_sub(width)?;
        bits = !(!bits << width);
    }
    (bits == !0 && left < 8).then_some(number)
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
        let words = |answer: &mut Reply, stream: &[u8]| match answer.read(stream) {
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
        let whole = words(&mut Reply::default(), stream);
        let mut bytewise = Reply::default();
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
            // The last one counts.
            (b"\0\x0bgrpc-status\x010\x10\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x0214", "UNAVAILABLE"),
            (b"\0\x0bgrpc-status\x1499999999999999999999", "UNKNOWN"),
            // No message, and so no health.
            (OK, "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x01x", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\0", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x80", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x81\xff", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x820\x7f", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x82\x06\x1f", "malformed gRPC answer"),
            // No digit that goes on in the padding, nor a whole byte of padding.
            (b"\0\x0bgrpc-status\x81\x0b", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x82\x0f\xff", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x85\x6f\xff\xff\xff\xff", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x020", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status", "malformed gRPC answer"),
            (b"\0\x7f\xff\xff\xff\xff\xff", "malformed gRPC answer"),
            (b"\0\x0bgrpc-status\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "malformed gRPC answer"),
            (b"", "200, not a gRPC answer"),
            (b"\x0f\x10\x09text/html", "200, not a gRPC answer"),
        ] {
            assert_eq!(read(&status(field)), words, "{field:x?}");
            if field != OK {
                assert_eq!(read(&answer(b"\x88", MESSAGE, field)), words, "{field:x?} after a message");
            }
        }
        // The length of the other is 175 in two bytes, of which the second is a digit.
        for (before, length, words) in
            [(&[126][..], 126, "UNKNOWN"), (b"\x7f0", 175, "malformed gRPC answer")]
        {
            let mut long = [b"\0\x0bgrpc-status", before].concat();
            long.resize(long.len() + length, b'3');
            assert_eq!(read(&status(&long)), words, "{length}");
        }
    }

    #[test]
    fn an_http_status_in_every_form_that_servers_give_it() {
        for (fields, words) in [
            // In Huffman's code; in full, by Dart; by C core, which ended the call itself.
            (&b"\x40\x85\xb8\x84\x8d\x36\xa3\x82\x10\x01"[..], "NOT_FOUND: no such service"),
            (b"\0\x07:status\x03200\0\x0ccontent-type\x10application/grpc", "NOT_FOUND: no such service"),
            (b"\x10\x07:status\x03200\0\x0ccontent-type\x10application/grpc", "NOT_FOUND: no such service"),
            // After the table's size, of Tomcat and of a server that does not know our SETTINGS yet.
            (b"\x20\x88", "NOT_FOUND: no such service"),
            (b"\x20\x3f\xe1\x1f\x88", "NOT_FOUND: no such service"),
            (b"\x88\x20", "malformed gRPC answer"),
            (b"\x20\x3f\xe2\x1f\x88", "malformed gRPC answer"),
            // The static table to its end, and no other.
            (b"\x88\xbd\x0f\x2e\x01x", "NOT_FOUND: no such service"),
            (b"\x88\x80", "malformed gRPC answer"),
            (b"\x88\x80\x01x", "malformed gRPC answer"),
            (b"\x88\xbe", "malformed gRPC answer"),
            (b"\x88\x7e\x01x", "malformed gRPC answer"),
            (b"\x88\x0f\x2f\x01x", "malformed gRPC answer"),
            (b"\x88\xff\x80\x80\x80\x80\x80\x80\x80\x80\x80\0", "malformed gRPC answer"),
            (b"\x88\0\x01x\x7f\x82\xff\xff\xff\xff\xff\xff\xff\xff\x01x", "malformed gRPC answer"),
            // It comes first and once.
            (b"\x88\x88", "malformed gRPC answer"),
            (b"\x8d\x08\x03200", "malformed gRPC answer"),
            (b"\0\0\0\x88", "malformed gRPC answer"),
            (b"\0\x07:status\x0220", "malformed gRPC answer"),
            (b"\0\x07:status\x032x0", "malformed gRPC answer"),
            (b"\x08\x0299", "malformed gRPC answer"),
            (b"\x08\x80", "malformed gRPC answer"),
            (b"\x08\x03100", "100, not a gRPC answer"),
            (b"\0\x07:status\x03999", "999, not a gRPC answer"),
            (b"\0\x07:Status\x03200", "malformed gRPC answer"),
        ] {
            assert_eq!(read(&only(&[fields, b"\0\x0bgrpc-status\x015"].concat())), words, "{fields:x?}");
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
            (b"\x3f\xe1\x1f", "malformed gRPC answer"),
        ] {
            assert_eq!(read(&only(fields)), words, "{fields:x?}");
        }
        // At once, whatever follows.
        assert_eq!(read(&[READY, &frame(HEADERS, END_HEADERS, b"\x8d")].concat()), "404, not a gRPC answer");
        let interim = frame(HEADERS, END_HEADERS, b"\x08\x03103");
        let good = answer(b"\x88", MESSAGE, OK);
        assert_eq!(read(&[READY, &interim, &interim, &good[READY.len()..]].concat()), "SERVING");
        // Its message is not one: the answer has not begun.
        let late = frame(HEADERS, END_HEADERS | END_STREAM, &[b"\x88", OK].concat());
        for early in [&interim[..], b""] {
            let data = frame(DATA, 0, MESSAGE);
            assert_eq!(read(&[READY, early, &data, &late].concat()), "malformed gRPC answer");
        }
    }

    #[test]
    fn the_message_is_one_and_says_serving() {
        for (message, words) in [
            (MESSAGE, "SERVING"),
            (b"\0\0\0\0\0", "UNKNOWN, expected SERVING"),
            (b"\0\0\0\0\x02\x08\0", "UNKNOWN, expected SERVING"),
            (b"\0\0\0\0\x02\x08\x02", "NOT_SERVING, expected SERVING"),
            (b"\0\0\0\0\x02\x08\x03", "SERVICE_UNKNOWN, expected SERVING"),
            (b"\0\0\0\0\x02\x08\x04", "UNRECOGNIZED, expected SERVING"),
            (b"\x01\0\0\0\x02\x08\x01", "malformed gRPC answer"),
            (b"\x02\0\0\0\x02\x08\x01", "malformed gRPC answer"),
            (b"\0\0\0\0\x03\x08\x01", "malformed gRPC answer"),
            (b"\0\0\0\0\x01\x08\x01", "malformed gRPC answer"),
            (b"\0\0\0\0\x02\x08\x01\0\0\0\0\x02\x08\x01", "malformed gRPC answer"),
            (b"\x08\x01", "malformed gRPC answer"),
            (b"", "malformed gRPC answer"),
        ] {
            assert_eq!(read(&answer(b"\x88", message, OK)), words, "{message:x?}");
        }
    }

    #[test]
    fn the_message_is_read_as_protobuf_is() {
        for (fields, words) in [
            // Of a repeated field the last one counts.
            (&b"\x08\x02\x08\x01"[..], "SERVING"),
            (b"\x08\x01\x08\x02", "NOT_SERVING, expected SERVING"),
            (b"\x08\x01\x08\0", "UNKNOWN, expected SERVING"),
            // Unknown ones, of every type, before and after it; and the known one of another type.
            (b"\x10\x96\x01\x08\x01\x18\0", "SERVING"),
            (b"\x11\x08\x02\x08\x02\x08\x02\x08\x02\x08\x01", "SERVING"),
            (b"\x12\x02\x08\x02\x08\x01\x12\0", "SERVING"),
            (b"\x15\x08\x02\x08\x02\x08\x01\xfd\xff\xff\xff\x0f\0\0\0\0", "SERVING"),
            (b"\x10\x01", "UNKNOWN, expected SERVING"),
            (b"\x0a\x01\x01", "UNKNOWN, expected SERVING"),
            (b"\x0d\x01\0\0\0", "UNKNOWN, expected SERVING"),
            (b"\x13\x14\x08\x01", "malformed gRPC answer"),
            (b"\x16\x01\x08\x01", "malformed gRPC answer"),
            (b"\x17\x01\x08\x01", "malformed gRPC answer"),
            (b"\0\x01\x08\x01", "malformed gRPC answer"),
            (b"\x80\x80\x80\x80\x10\x01\x08\x01", "malformed gRPC answer"),
            (b"\x88\x80\x80\x80\x10\x01", "malformed gRPC answer"),
            // Of an enum 32 bits count, however long it is.
            (b"\x88\0\x81\0", "SERVING"),
            (b"\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x01", "SERVING"),
            (b"\x08\x81\x80\x80\x80\x20", "SERVING"),
            (b"\x08\x81\x80\x80\x80\x08", "UNRECOGNIZED, expected SERVING"),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "UNRECOGNIZED, expected SERVING"),
            (b"\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\0", "malformed gRPC answer"),
            // It breaks off.
            (b"\x08", "malformed gRPC answer"),
            (b"\x08\x81", "malformed gRPC answer"),
            (b"\x08\x01\x88", "malformed gRPC answer"),
            (b"\x08\x01\x11\0\0\0\0\0\0\0", "malformed gRPC answer"),
            (b"\x08\x01\x15\0\0\0", "malformed gRPC answer"),
            (b"\x08\x01\x12\x02\0", "malformed gRPC answer"),
            (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x08\x01", "malformed gRPC answer"),
        ] {
            let message = [&[0, 0, 0, 0, fields.len() as u8], fields].concat();
            assert_eq!(read(&answer(b"\x88", &message, OK)), words, "{fields:x?}");
        }
    }

    #[test]
    fn fields_that_go_on_in_continuation() {
        let (headers, data, trailers) = (&b"\x88\x5f\x10application/grpc"[..], frame(DATA, 0, MESSAGE), OK);
        let cut = |flags: u8, block: &[u8], at: usize| {
            let (first, last) = block.split_at(at);
            [
                frame(HEADERS, flags, first),
                frame(CONTINUATION, 0, b""),
                frame(CONTINUATION, END_HEADERS, last),
            ]
            .concat()
        };
        for at in 0..=OK.len() {
            let stream = [READY, &cut(0, headers, at), &data, &cut(END_STREAM, trailers, at)].concat();
            assert_eq!(read(&stream), "SERVING", "cut at {at}");
            let padded = [&[3, 0, 0, 0, 0, 0], &headers[..at], &[0; 3]].concat();
            let first = frame(HEADERS, PADDED | PRIORITY, &padded);
            // These flags are HEADERS' alone (RFC 9113, 6.10).
            let rest = frame(CONTINUATION, END_HEADERS | END_STREAM | PADDED | PRIORITY, &headers[at..]);
            let stream = [READY, &first, &rest, &data, &cut(END_STREAM, trailers, at)].concat();
            assert_eq!(read(&stream), "SERVING", "padded, cut at {at}");
            // Nothing may come in between, nor a CONTINUATION of nothing.
            let mut other = frame(CONTINUATION, END_HEADERS, &headers[at..]);
            other[8] = 3;
            let good = answer(headers, MESSAGE, trailers);
            for between in [READY, &data, &frame(HEADERS, END_HEADERS, b""), &frame(0xff, 0, b""), &other] {
                let (first, rest) =
                    (frame(HEADERS, 0, &headers[..at]), frame(CONTINUATION, END_HEADERS, &headers[at..]));
                let stream = [READY, &first, between, &rest, &data, &cut(END_STREAM, trailers, at)].concat();
                assert_eq!(read(&stream), "malformed gRPC answer", "{between:x?} at {at}");
            }
            // Another stream's, which would have to go on as well.
            let mut open = frame(HEADERS, 0, b"");
            open[8] = 3;
            for stray in [frame(CONTINUATION, END_HEADERS, b""), other, open] {
                assert_eq!(read(&[READY, &stray, &good[READY.len()..]].concat()), "malformed gRPC answer");
            }
        }
        // Tomcat's, of a kilobyte; and of nearly as much as is kept.
        for length in [1_000, 64_000] {
            let mut block = headers.to_vec();
            push(&mut block, b"\0\x01x");
            push_varint(&mut block, 0x7f, length - 0x7f);
            block.resize(block.len() + length, b'y');
            let mut frames = vec![frame(HEADERS, 0, b"")];
            frames.extend(block.chunks(1015).map(|part| frame(CONTINUATION, 0, part)));
            frames.push(frame(CONTINUATION, END_HEADERS, b""));
            let stream =
                [READY, &frames.concat(), &data, &frame(HEADERS, END_HEADERS | END_STREAM, OK)].concat();
            assert_eq!(read(&stream), "SERVING", "{length}");
        }
        let endless =
            [READY, &frame(HEADERS, 0, headers), &frame(CONTINUATION, 0, b"").repeat(8000)].concat();
        let mut answer = Reply::default();
        assert_eq!(answer.read(&endless), Err(TOO_LONG));
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
            (
                vec![headers.clone(), data.clone(), frame(DATA, PADDED, &[9, 0]), trailers.clone()],
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
            // Fields after the message are trailers, and end the stream.
            (vec![headers.clone(), headers.clone(), data.clone(), trailers.clone()], "malformed gRPC answer"),
            (
                vec![
                    headers.clone(),
                    data.clone(),
                    frame(HEADERS, END_HEADERS, OK),
                    frame(DATA, END_STREAM, b""),
                ],
                "malformed gRPC answer",
            ),
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
            // All of the code, also where it is a server's own.
            (vec![frame(RST_STREAM, 0, &[0, 0, 1, 2])], "server refused with HTTP/2 error 258"),
            (vec![frame(RST_STREAM, 0, &[0xff; 4])], "server refused with HTTP/2 error 4294967295"),
            (vec![frame(RST_STREAM, 0, &[0; 3])], "malformed gRPC answer"),
            (
                vec![b"\0\0\x0a\x07\0\0\0\0\0\x80\0\0\0\x01\0\0\x0dhi".to_vec()],
                "server refused with HTTP/2 error 16777229",
            ),
            (vec![b"\0\0\x06\x07\0\0\0\0\0\0\0\0\0\0\0".to_vec()], "malformed gRPC answer"),
            // The last stream that it goes on with has a number of 256.
            (
                vec![
                    b"\0\0\x08\x07\0\0\0\0\0\0\0\x01\0\0\0\0\x02".to_vec(),
                    headers.clone(),
                    data.clone(),
                    trailers.clone(),
                ],
                "SERVING",
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
            (vec![READY.repeat(8000)], "gRPC answer longer than 64 KiB"),
            (vec![headers.clone(), frame(DATA, 0, &[0; 16_384]).repeat(4)], "gRPC answer longer than 64 KiB"),
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
        for (length, words) in [(65_536, "SERVING"), (65_537, "gRPC answer longer than 64 KiB")] {
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
                    (SETTINGS, 0, 0, [0, 1, 0, 0, 0, 0]),
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
                let name = match &data[5..] {
                    [] => &[][..],
                    [0x0a, length @ (..=0x7f), name @ ..] if name.len() == usize::from(*length) => name,
                    [0x0a, low @ 0x80..=0xff, high @ 1..=0x7f, name @ ..]
                        if name.len() == usize::from(low & 0x7f) + usize::from(*high) * 128 =>
                    {
                        name
                    }
                    data => panic!("{data:?}"),
                };
                assert_eq!(name, service);
            }
        }
    }
}
