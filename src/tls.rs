//! TLS as far as it goes without cryptography: a ClientHello out, and of the
//! answer as much as its ServerHello.
//!
//! A server sends it before any secret exists, so nothing is verified,
//! decrypted or kept. Messages and terms are those of RFC 8446 (TLS 1.3), with
//! which RFC 5246 (1.2) agrees that far.

use crate::print::{Print, push, push_escaped, push_number};

/// The most of an answer that is kept. Stops a ServerHello without end; real
/// ones have some hundred bytes.
pub const ANSWER_MAX: usize = 16 * 1024;

/// A record may hold 2^14 bytes, and not this many (RFC 8446, 5.1).
const FRAGMENT_TOO_LONG: usize = (1 << 14) + 1;

/// How much is shown of what is no TLS.
const SHOWN: usize = 32;

/// Content types, a message, an extension, an alert's level and description:
/// the numbers of RFC 8446, 5.1, 4, 4.2 and 6, and of RFC 6066, 9.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const SUPPORTED_VERSIONS: [u8; 2] = [0, 43];
const WARNING: u8 = 1;
const UNRECOGNIZED_NAME: u8 = 112;

/// A record with a ClientHello up to its random. The lengths are still zero; the
/// versions are those that old servers want to see (RFC 8446, 5.1 and 4.1.2).
const START: [u8; 11] = [HANDSHAKE, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3];

/// Randomness protects what follows a handshake, and nothing does; so it is a
/// text that tells whoever finds it in a capture where it comes from.
const RANDOM: &[u8; 32] = b"scratch-probe: only a TLS check.";

/// What every server knows one of: no session, the cipher suites, no compression.
const SUITES: &[u8] = b"\0\
    \0\x2e\
    \x13\x01\x13\x02\x13\x03\
    \xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9\xcc\xa8\
    \xc0\x09\xc0\x13\xc0\x0a\xc0\x14\xc0\x23\xc0\x27\
    \0\x9e\0\x9f\xcc\xaa\0\x9c\0\x9d\0\x2f\0\x35\0\xff\
    \x01\0";

/// In this order: extended_master_secret, supported_versions, supported_groups,
/// signature_algorithms, key_share. The share of x25519 is its base point, 9, a
/// public key as good as any (RFC 7748, 6.1); the secret to it is never needed.
const EXTENSIONS: &[u8] = b"\0\0\
    \0\x17\0\0\
    \0\x2b\0\x05\x04\x03\x04\x03\x03\
    \0\x0a\0\x08\0\x06\0\x1d\0\x17\0\x18\
    \0\x0d\0\x1c\0\x1a\
    \x04\x03\x05\x03\x06\x03\x08\x07\x08\x04\x08\x05\x08\x06\
    \x08\x09\x08\x0a\x08\x0b\x04\x01\x05\x01\x06\x01\
    \0\x33\0\x26\0\x24\0\x1d\0\x20\
    \x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A ClientHello (RFC 8446, 4.1.2) for TLS 1.3 and 1.2, in its record.
/// `server_name`: the host, where it is a name (RFC 6066, 3).
pub fn client_hello(server_name: Option<&[u8]>) -> Vec<u8> {
    let mut hello = [&START[..], RANDOM, SUITES, EXTENSIONS].concat();
    let end = hello.len();
    // Each of these lengths counts all that follows it; the last three are the name's.
    let lengths = [3, 7, end - EXTENSIONS.len(), end + 2, end + 4, end + 7];
    let mut count = 3;
    if let Some(name) = server_name {
        hello.extend_from_slice(&[0; 9]);
        hello.extend_from_slice(name.strip_suffix(b".").unwrap_or(name));
        count = 6;
    }
    for at in &lengths[..count] {
        let length = (hello.len() - at - 2) as u16;
        hello[*at..at + 2].copy_from_slice(&length.to_be_bytes());
    }
    hello
}

/// Why bytes are no ServerHello of TLS 1.3 or 1.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// They are no record of an alert or a handshake; holds what came of them.
    NotTls(Vec<u8>),
    /// The server refuses, with this AlertDescription (RFC 8446, 6).
    Alert(u8),
    /// A record or a ServerHello of more than [`ANSWER_MAX`] bytes.
    TooLong,
    /// Another message, or a ServerHello that does not parse.
    Hello,
    /// An older version, by its second number.
    Version(u8),
    /// The stream ended before the first byte.
    Empty,
    /// The stream ended within the records.
    CutOff,
}

impl Print for Error {
    fn print(&self, out: &mut Vec<u8>) {
        let words = match self {
            Error::NotTls(start) => {
                push(out, "not a TLS response: \"");
                push_escaped(out, start, SHOWN);
                "\""
            }
            Error::Alert(description) => {
                push(out, "TLS alert ");
                push_number(out, u64::from(*description));
                ""
            }
            Error::TooLong => "ServerHello longer than 16 KiB",
            Error::Hello => "malformed ServerHello",
            Error::Version(minor) => {
                push_version(out, *minor);
                ", want TLS 1.2 or 1.3"
            }
            Error::Empty => "connection closed without an answer",
            Error::CutOff => "connection closed within the ServerHello",
        };
        push(out, words);
    }
}

/// Appends a version's name. TLS 1.3 counts itself as 3.4 (RFC 8446, 4.1.2).
pub fn push_version(out: &mut Vec<u8>, minor: u8) {
    push(out, "TLS 1.");
    push_number(out, u64::from(minor - 1));
}

/// What the `answer` says that has come so far: the second number of the
/// server's version, or nothing yet. A HelloRetryRequest is a ServerHello too.
pub fn read(answer: &[u8]) -> Result<Option<u8>, Error> {
    let mut rest = &answer[..answer.len().min(ANSWER_MAX)];
    let mut message = Vec::new();
    loop {
        // What has not come yet passes for good.
        let ([] | [ALERT | HANDSHAKE] | [ALERT | HANDSHAKE, 3] | [ALERT | HANDSHAKE, 3, 0..=4, ..]) = rest
        else {
            return Err(Error::NotTls(rest.to_vec()));
        };
        let [kind, _, _, high, low, after @ ..] = rest else { break };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (data, next) = after.split_at(after.len().min(length));
        match (*kind, length, data) {
            (_, FRAGMENT_TOO_LONG.., _) => return Err(Error::TooLong),
            // In no bytes at all a message could go on for ever (RFC 8446, 5.1).
            (HANDSHAKE, 1.., _) => {
                message.extend_from_slice(data);
                if let Some(version) = server_hello(&message)? {
                    return Ok(Some(version));
                }
            }
            // An old server warns that it has no such name, and goes on (RFC 6066, 3).
            (ALERT, 2, [] | [_] | [WARNING, UNRECOGNIZED_NAME]) => {}
            (ALERT, 2, [_, description, ..]) => return Err(Error::Alert(*description)),
            _ => return Err(Error::NotTls(rest.to_vec())),
        }
        rest = next;
    }
    if answer.len() < ANSWER_MAX { Ok(None) } else { Err(Error::TooLong) }
}

/// What it means that the stream has ended after the `answer`, of which
/// [`read`] wanted more.
pub fn end(answer: &[u8]) -> Error {
    if answer.is_empty() { Error::Empty } else { Error::CutOff }
}

/// The version in a handshake message, once all of it has come.
fn server_hello(message: &[u8]) -> Result<Option<u8>, Error> {
    match message {
        [SERVER_HELLO, high, middle, low, body @ ..] => {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            match body.get(..length).map(version) {
                _ if length > ANSWER_MAX => Err(Error::TooLong),
                Some(Some(minor @ 3..)) => Ok(Some(minor)),
                Some(Some(minor)) => Err(Error::Version(minor)),
                Some(None) => Err(Error::Hello),
                None => Ok(None),
            }
        }
        [] | [SERVER_HELLO, ..] => Ok(None),
        _ => Err(Error::Hello),
    }
}

/// The version in a ServerHello (RFC 8446, 4.1.3): that of `supported_versions`,
/// else the legacy one. Before TLS 1.3 there may be no extensions at all.
fn version(hello: &[u8]) -> Option<u8> {
    let ([major, minor, ..], rest) = hello.split_first_chunk::<34>()?;
    let mut version = [*major, *minor];
    let (&session, rest) = rest.split_first().filter(|(session, _)| **session <= 32)?;
    // The session, a cipher suite and a compression method.
    let rest = rest.get(usize::from(session) + 3..)?;
    let (mut extensions, after) = if rest.is_empty() { (rest, rest) } else { vector(rest)? };
    while let Some((kind, next)) = extensions.split_first_chunk() {
        let (data, next) = vector(next)?;
        if *kind == SUPPORTED_VERSIONS {
            version = data.try_into().ok()?;
        }
        extensions = next;
    }
    match version {
        [3, minor @ 1..=4] if extensions.is_empty() && after.is_empty() => Some(minor),
        _ => None,
    }
}

/// Bytes after their length, and what follows them.
fn vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ServerHello message, with a session of three bytes.
    fn hello(version: [u8; 2], extensions: &[u8]) -> Vec<u8> {
        let body = [&version[..], &[7; 32], b"\x03abc", b"\x13\x01", b"\0", extensions].concat();
        [&[SERVER_HELLO, 0, 0, body.len() as u8], &body[..]].concat()
    }

    /// A record for every fragment of at most `size` bytes.
    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |data: &[u8]| [&[HANDSHAKE, 3, 3, 0, data.len() as u8], data].concat();
        message.chunks(size).flat_map(record).collect()
    }

    const TLS_1_3: &[u8] = b"\0\x0a\0\x33\0\0\0\x2b\0\x02\x03\x04";
    const WARNED: &[u8] = &[ALERT, 3, 1, 0, 2, WARNING, UNRECOGNIZED_NAME];

    #[test]
    fn every_prefix_wants_more_and_what_follows_changes_nothing() {
        for (hello, version) in [
            (hello([3, 3], TLS_1_3), Ok(Some(4))),
            (hello([3, 3], b""), Ok(Some(3))),
            (hello([3, 3], b"\0\0"), Ok(Some(3))),
            (hello([3, 3], b"\0\x05\xff\x01\0\x01\0"), Ok(Some(3))),
            (hello([3, 2], b""), Err(Error::Version(2))),
            (hello([3, 1], b"\0\0"), Err(Error::Version(1))),
            (hello([3, 0], b""), Err(Error::Hello)),
        ] {
            for size in [1, 2, 5, 255] {
                let stream = records(&hello, size);
                for stream in [[WARNED, WARNED, &stream].concat(), stream] {
                    for length in 0..stream.len() {
                        assert_eq!(read(&stream[..length]), Ok(None), "{stream:?} up to {length}");
                    }
                    assert_eq!(read(&stream), version);
                    assert_eq!(read(&[&stream[..], b"\0junk"].concat()), version);
                }
            }
        }
    }

    #[test]
    fn errors_and_their_words() {
        let long = [&[SERVER_HELLO, 0, 0x40, 1][..], &[0; 40]].concat();
        for (stream, words) in [
            (
                &b"HTTP/1.1 400 Bad Request\r\n"[..],
                r#"not a TLS response: "HTTP/1.1 400 Bad Request\x0d\x0a""#,
            ),
            (&[b'x'; 33], &*format!("not a TLS response: \"{}...\"", "x".repeat(32))),
            (b"\x16\x02", r#"not a TLS response: "\x16\x02""#),
            (b"\x16\x03\x05", r#"not a TLS response: "\x16\x03\x05""#),
            (b"\x17\x03\x03\0\x01", r#"not a TLS response: "\x17\x03\x03\x00\x01""#),
            (b"\x16\x03\x03\0\0", r#"not a TLS response: "\x16\x03\x03\x00\x00""#),
            (b"\x15\x03\x03\0\x03", r#"not a TLS response: "\x15\x03\x03\x00\x03""#),
            (&[WARNED, b"HTTP"].concat(), r#"not a TLS response: "HTTP""#),
            (b"\x16\x03\x03\x40\x01", "ServerHello longer than 16 KiB"),
            (b"\x15\x03\x03\xff\xff", "ServerHello longer than 16 KiB"),
            (b"\x15\x03\x03\0\x02\x02\x28", "TLS alert 40"),
            (b"\x15\x03\x03\0\x02\x01\0", "TLS alert 0"),
            (b"\x15\x03\0\0\x02\x02\x70", "TLS alert 112"),
            (&WARNED.repeat(3000), "ServerHello longer than 16 KiB"),
            (&records(&long, 255), "ServerHello longer than 16 KiB"),
            (&records(&[SERVER_HELLO, 1, 0, 0], 1), "ServerHello longer than 16 KiB"),
            (&client_hello(None), "malformed ServerHello"),
            (&records(&hello([3, 4], b""), 255)[..20], "more"),
            (&records(&hello([3, 5], b""), 255), "malformed ServerHello"),
            (&records(&hello([2, 3], b""), 255), "malformed ServerHello"),
            (&records(&hello([3, 3], b"\0"), 255), "malformed ServerHello"),
            (&records(&hello([3, 3], b"\0\x01x"), 255), "malformed ServerHello"),
            (&records(&hello([3, 3], b"\0\x04\0\x2b\0\x02"), 255), "malformed ServerHello"),
            (&records(&hello([3, 3], b"\0\x05\0\x2b\0\x01\x03"), 255), "malformed ServerHello"),
            (&records(&hello([3, 3], b"\0\0\0"), 255), "malformed ServerHello"),
            (&records(&[SERVER_HELLO, 0, 0, 0], 255), "malformed ServerHello"),
            (&records(&[&[SERVER_HELLO, 0, 0, 71][..], &[33; 71]].concat(), 255), "malformed ServerHello"),
            (&records(&hello([3, 3], b"")[..39], 255), "more"),
            (b"\x02", r#"not a TLS response: "\x02""#),
        ] {
            let said = match read(stream) {
                Ok(version) => version.map_or("more".into(), |minor| vec![minor]),
                Err(error) => error.printed(),
            };
            assert_eq!(String::from_utf8_lossy(&said), words, "{stream:?}");
        }
        assert_eq!(end(b"").printed(), b"connection closed without an answer");
        assert_eq!(end(b"\x16").printed(), b"connection closed within the ServerHello");
        assert_eq!(Error::Version(1).printed(), b"TLS 1.0, want TLS 1.2 or 1.3");
        assert_eq!(Error::Version(2).printed(), b"TLS 1.1, want TLS 1.2 or 1.3");
    }

    #[test]
    fn every_length_of_the_client_hello_counts_what_follows() {
        let long = [b'x'; 253];
        for (name, sent) in [
            (None, None),
            (Some(&b"localhost"[..]), Some(&b"localhost"[..])),
            (Some(b"a.example."), Some(b"a.example")),
            (Some(&long), Some(&long)),
        ] {
            let hello = client_hello(name);
            let (record, []) = vector(&hello[3..]).expect("a record") else { panic!("one record") };
            assert_eq!(record[..2], [1, 0]);
            let (body, []) = vector(&record[2..]).expect("a message") else { panic!("one message") };
            let (suites, rest) = vector(&body[35..]).expect("cipher suites");
            assert_eq!((suites.len(), &rest[..2]), (46, &[1, 0][..]));
            let (mut extensions, []) = vector(&rest[2..]).expect("extensions") else { panic!("no more") };
            let mut kinds = Vec::new();
            while let Some((kind, rest)) = extensions.split_first_chunk::<2>() {
                let (data, rest) = vector(rest).expect("an extension");
                kinds.push(u16::from_be_bytes(*kind));
                match kind {
                    [0, 0] => {
                        let (list, []) = vector(data).expect("a list") else { panic!("one list") };
                        assert_eq!(list[0], 0);
                        assert_eq!(vector(&list[1..]).map(|(name, _)| name), sent);
                    }
                    // Lists in a list of 8 or 16 bits; nothing is left over.
                    [0, 0x2b] => assert_eq!(usize::from(data[0]), data.len() - 1),
                    [0, 0x17] => assert_eq!(data, b""),
                    _ => assert_eq!(vector(data).expect("a list").1, b""),
                }
                extensions = rest;
            }
            let names: &[u16] = if sent.is_some() { &[0] } else { &[] };
            assert_eq!(kinds, [&[23, 43, 10, 13, 51], names].concat());
        }
    }
}
