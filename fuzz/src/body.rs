//! Body search: a body is sent in any chunks and any pieces, and the text is
//! found in it if and only if it is there.
//!
//! Input: length of the text, seed of the chunks, coding; the text; the body.
//! Coding: 1 chunked, 2 length, otherwise until close.

use scratch_probe::text::contains;
use scratch_probe::wire::progress::Progress;
use scratch_probe::wire::response::Response;

use super::{Numbers, take};

pub fn check(data: &[u8]) {
    let mut body = data;
    let [length, seed, coding] = [(); 3].map(|()| take(&mut body));
    let (text, body) = body.split_at(body.len().min(usize::from(length)));
    if !text.is_empty() {
        let want = (0..=body.len()).any(|start| body[start..].starts_with(text));
        assert_eq!(contains(body, text), want, "the search alone");
    }

    let mut numbers = Numbers::new(seed);
    let mut stream = b"HTTP/1.1 200 OK\r\n".to_vec();
    match coding & 3 {
        1 => {
            stream.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            chunked(body, &mut numbers, &mut stream);
        }
        2 => {
            stream.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            stream.extend_from_slice(body);
        }
        _ => {
            stream.extend_from_slice(b"\r\n");
            stream.extend_from_slice(body);
        }
    }
    let mut received = Vec::new();
    let mut response = Response::to(b"GET");
    cut(&stream, &mut numbers, |piece| {
        received.extend_from_slice(piece);
        let outcome = response.read(&mut received);
        let is_whole = received.len() == stream.len() && matches!(coding & 3, 1 | 2);
        assert_eq!(matches!(outcome, Ok(Progress::Partial(_))), !is_whole, "{outcome:?}");
    });
    assert_eq!(response.ends_with_stream(), !matches!(coding & 3, 1 | 2));
    assert_eq!(response.content(&received), body);
}

/// Hands out the bytes in pieces of any length.
fn cut(bytes: &[u8], numbers: &mut Numbers, mut feed: impl FnMut(&[u8])) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(1 + numbers.below(40)));
        feed(piece);
        rest = after;
    }
}

/// Chunks of any length, with extensions, trailers and both line ends.
fn chunked(body: &[u8], numbers: &mut Numbers, out: &mut Vec<u8>) {
    let mut rest = body;
    let mut end = |out: &mut Vec<u8>| {
        let ends: [&[u8]; 5] = [b"\r\n", b"\n", b";name=value\r\n", b" \r\n", b"; a=\"b c\"\n"];
        let end = numbers.below(ends.len());
        out.extend_from_slice(ends[end]);
        numbers.below(30)
    };
    let mut size = 7;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(rest.len().min(1 + size));
        out.extend_from_slice(format!("{:03X}", chunk.len()).as_bytes());
        size = end(out);
        out.extend_from_slice(chunk);
        out.extend_from_slice(if size % 2 == 0 { b"\r\n" } else { b"\n" });
        rest = after;
    }
    out.push(b'0');
    let trailers: [&[u8]; 3] = [b"\r\n", b"X: 0\r\n\r\n", b"\n"];
    let trailer = end(out) % 3;
    out.extend_from_slice(trailers[trailer]);
}
