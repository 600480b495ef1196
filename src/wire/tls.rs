//! TLS as far as it goes without cryptography: a ClientHello out, and of the
//! answer as much as its ServerHello.
//!
//! A server sends it before any secret exists, so nothing is verified,
//! decrypted or kept. Messages and terms are those of RFC 8446 (TLS 1.3), with
//! which RFC 5246 (1.2) agrees that far.

use crate::failure::Unhealthy;
use crate::wire::progress::Progress;

/// The most of an answer that is kept. Stops a ServerHello without end; real
/// ones have some hundred bytes.
pub const ANSWER_MAX: usize = 16 * 1024;

/// The header of a record: content type, version, length.
const RECORD_HEADER: usize = 5;

/// One byte more than a record may hold (RFC 8446, 5.1).
const FRAGMENT_TOO_LONG: usize = (1 << 14) + 1;

/// Longer than [`ANSWER_MAX`].
const TOO_LONG: Unhealthy = Unhealthy::Malformed("ServerHello longer than 16 KiB");
/// Not complete yet.
const PARTIAL: Progress = Progress::Partial("connection closed in the middle of the ServerHello");
/// Another message, or a malformed one.
const MALFORMED: Unhealthy = Unhealthy::Malformed("malformed ServerHello");

/// Content types, a message, an alert's level and description: the numbers of RFC
/// 8446, 5.1, 4 and 6, and of RFC 6066, 9.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const WARNING: u8 = 1;
const UNRECOGNIZED_NAME: u8 = 112;

/// A record with a ClientHello up to its random. The lengths are still zero; the
/// versions are those that old servers want to see (RFC 8446, 5.1 and 4.1.2).
const START: [u8; 11] = [HANDSHAKE, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3];

/// The random protects what follows a handshake. Nothing follows, so it tells the reader of a
/// capture who sent it.
const RANDOM: &[u8; 32] = b"scratch-probe: only a TLS check.";

/// No session, the cipher suites, no compression. These, the groups and the signature algorithms
/// below are all that OpenSSL's client offers by default, 3.0's and 4.0's together: a server that
/// curl can talk to is not refused for the offer. tests/system/servers/tls compares them.
const SUITES: &[u8] = b"\0\
    \0\x3e\
    \x13\x01\x13\x02\x13\x03\
    \xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9\xcc\xa8\
    \xc0\x09\xc0\x13\xc0\x0a\xc0\x14\xc0\x23\xc0\x27\xc0\x24\xc0\x28\
    \0\x9e\0\x9f\xcc\xaa\0\x33\0\x39\0\x67\0\x6b\
    \0\x9c\0\x9d\0\x2f\0\x35\0\x3c\0\x3d\0\xff\
    \x01\0";

/// In this order: extended_master_secret, supported_versions, supported_groups,
/// signature_algorithms, key_share. The share of x25519 is its base point, 9, a
/// public key as good as any (RFC 7748, 6.1); the secret to it is never needed.
/// A server that wants another group asks for its share (HelloRetryRequest).
const EXTENSIONS: &[u8] = b"\0\0\
    \0\x17\0\0\
    \0\x2b\0\x05\x04\x03\x04\x03\x03\
    \0\x0a\0\x1e\0\x1c\
    \0\x1d\0\x17\0\x18\0\x19\0\x1e\0\x29\x11\xec\x11\xeb\x11\xee\
    \x01\0\x01\x01\x01\x02\x01\x03\x01\x04\
    \0\x0d\0\x38\0\x36\
    \x04\x03\x05\x03\x06\x03\x08\x07\x08\x08\x08\x1a\x08\x1b\x08\x1c\
    \x08\x04\x08\x05\x08\x06\x08\x09\x08\x0a\x08\x0b\x04\x01\x05\x01\x06\x01\
    \x03\x01\x03\x02\x03\x03\x04\x02\x05\x02\x06\x02\x07\x08\x09\x04\x09\x05\x09\x06\
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

/// The answer to a ClientHello, as far as it has been received.
#[derive(Debug, Default)]
pub struct ServerHello {
    /// Where reading goes on.
    at: usize,
    /// The bytes of the current record that are still to come.
    left: usize,
    /// The handshake message, out of its records.
    message: Vec<u8>,
}

impl ServerHello {
    /// Continues with all of an `answer` that has been received; a HelloRetryRequest is a ServerHello
    /// too. Errors: `Foreign`, not TLS; `Refused`, an alert; `Malformed`.
    pub fn read(&mut self, answer: &[u8]) -> Result<Progress, Unhealthy> {
        let answer = &answer[..answer.len().min(ANSWER_MAX)];
        let more = if answer.len() < ANSWER_MAX { Ok(PARTIAL) } else { Err(TOO_LONG) };
        loop {
            let rest = &answer[self.at..];
            if self.left > 0 && !rest.is_empty() {
                let data = &rest[..rest.len().min(self.left)];
                self.at += data.len();
                self.left -= data.len();
                self.message.extend_from_slice(data);
                match server_hello(&self.message)? {
                    Progress::Partial(_) => continue,
                    complete => return Ok(complete),
                }
            }
            // A record header that is incomplete counts as valid.
            let ([] | [ALERT | HANDSHAKE] | [ALERT | HANDSHAKE, 3] | [ALERT | HANDSHAKE, 3, 0..=4, ..]) =
                rest
            else {
                break;
            };
            let [kind, _, _, high, low, data @ ..] = rest else { return more };
            match (*kind, u16::from_be_bytes([*high, *low]).into(), data) {
                (_, FRAGMENT_TOO_LONG.., _) => return Err(TOO_LONG),
                // Empty fragments are refused: a message could go on in them for ever (RFC 8446, 5.1).
                (HANDSHAKE, length @ 1.., _) => {
                    self.at += RECORD_HEADER;
                    self.left = length;
                }
                (ALERT, 2, [] | [_]) => return more,
                // An old server warns that it has no such name, and goes on (RFC 6066, 3).
                (ALERT, 2, [WARNING, UNRECOGNIZED_NAME, ..]) => self.at += RECORD_HEADER + 2,
                (ALERT, 2, [_, description, ..]) => {
                    return Err(Unhealthy::Refused("TLS alert", (*description).into()));
                }
                _ => break,
            }
        }
        Err(Unhealthy::Foreign("not a TLS response", self.at as u32))
    }
}

/// Reads a handshake message, as far as it has been received. A ServerHello begins with its version, for
/// which TLS 1.3 says 1.2 (RFC 8446, 4.1.3).
fn server_hello(message: &[u8]) -> Result<Progress, Unhealthy> {
    let [SERVER_HELLO, high, middle, low, body @ ..] = message else {
        return if matches!(message, [] | [SERVER_HELLO, ..]) { Ok(PARTIAL) } else { Err(MALFORMED) };
    };
    let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
    match body.get(..length) {
        _ if length > ANSWER_MAX => Err(TOO_LONG),
        None => Ok(PARTIAL),
        Some([3, 3, ..]) => Ok(Progress::Complete),
        Some([3, 0..=2, ..]) => Err(Unhealthy::Malformed("server offers no TLS newer than 1.1")),
        Some(_) => Err(MALFORMED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ServerHello message, with a session of three bytes.
    fn hello(version: [u8; 2], extensions: &[u8]) -> Vec<u8> {
        let body = [&version[..], &[7; 32], b"\x03abc", b"\x13\x01", b"\0", extensions].concat();
        [&[SERVER_HELLO, 0, 0, body.len() as u8], &body[..]].concat()
    }

    /// Bytes after their length, and what follows them.
    fn vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let (length, rest) = bytes.split_first_chunk()?;
        rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
    }

    /// A record for every fragment of at most `size` bytes.
    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |data: &[u8]| [&[HANDSHAKE, 3, 3, 0, data.len() as u8], data].concat();
        message.chunks(size).flat_map(record).collect()
    }

    /// The outcome of a stream read whole, and byte by byte.
    fn read_all(stream: &[u8]) -> Result<Progress, Unhealthy> {
        let whole = ServerHello::default().read(stream);
        let mut bytewise = ServerHello::default();
        let last = (0..=stream.len())
            .map(|end| bytewise.read(&stream[..end]))
            .find(|outcome| *outcome != Ok(PARTIAL));
        assert_eq!(last.unwrap_or(Ok(PARTIAL)), whole, "{stream:?} byte by byte");
        whole
    }

    const TLS_1_3: &[u8] = b"\0\x0a\0\x33\0\0\0\x2b\0\x02\x03\x04";
    const WARNED: &[u8] = &[ALERT, 3, 1, 0, 2, WARNING, UNRECOGNIZED_NAME];

    #[test]
    fn every_prefix_wants_more_and_what_follows_changes_nothing() {
        let old = Err(Unhealthy::Malformed("server offers no TLS newer than 1.1"));
        for (hello, outcome) in [
            (hello([3, 3], TLS_1_3), Ok(Progress::Complete)),
            (hello([3, 3], b""), Ok(Progress::Complete)),
            (hello([3, 2], b""), old),
            (hello([3, 0], b"\0\0"), old),
            (hello([3, 4], b""), Err(MALFORMED)),
            (hello([2, 3], b""), Err(MALFORMED)),
        ] {
            for size in [1, 2, 5, 255] {
                let stream = records(&hello, size);
                for stream in [[WARNED, WARNED, &stream].concat(), stream] {
                    for length in 0..stream.len() {
                        assert_eq!(read_all(&stream[..length]), Ok(PARTIAL), "{stream:?} up to {length}");
                    }
                    assert_eq!(read_all(&stream), outcome);
                    let more = [&stream[..], b"\0junk"].concat();
                    assert_eq!(read_all(&more), outcome);
                }
            }
        }
    }

    #[test]
    fn every_kind_of_answer_that_is_no_server_hello() {
        let long = [&[SERVER_HELLO, 0, 0x40, 1][..], &[0; 40]].concat();
        let foreign = |at| Err(Unhealthy::Foreign("not a TLS response", at));
        let alert = |number| Err(Unhealthy::Refused("TLS alert", number));
        for (stream, outcome) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], foreign(0)),
            (b"\x16\x02", foreign(0)),
            (b"\x16\x03\x05", foreign(0)),
            (b"\x17\x03\x03\0\x01", foreign(0)),
            (b"\x16\x03\x03\0\0", foreign(0)),
            (b"\x15\x03\x03\0\x03", foreign(0)),
            (&[WARNED, b"HTTP"].concat(), foreign(7)),
            (b"\x16\x03\x03\x40\0", Ok(PARTIAL)),
            (b"\x16\x03\x03\x40\x01", Err(TOO_LONG)),
            (b"\x15\x03\x03\xff\xff", Err(TOO_LONG)),
            (b"\x15\x03\x03\0\x02\x02\x28", alert(40)),
            (b"\x15\x03\x03\0\x02\x01\0", alert(0)),
            (b"\x15\x03\0\0\x02\x02\x70", alert(112)),
            (&WARNED.repeat(3000), Err(TOO_LONG)),
            // The cap lies in an alert.
            (
                &[&records(&[SERVER_HELLO], 1), &WARNED.repeat(2339)[..], b"\x15\x03\x03\0\x02"].concat(),
                Err(TOO_LONG),
            ),
            (&records(&long, 255), Err(TOO_LONG)),
            (&records(&[SERVER_HELLO, 1, 0, 0], 1), Err(TOO_LONG)),
            (&client_hello(None), Err(MALFORMED)),
            (&records(&hello([3, 3], b""), 255)[..39], Ok(PARTIAL)),
            (&records(&[SERVER_HELLO, 0, 0, 0], 255), Err(MALFORMED)),
            (b"\x02", foreign(0)),
        ] {
            assert_eq!(read_all(stream), outcome, "{stream:?}");
        }
    }

    #[test]
    fn an_answer_has_its_cap_to_the_byte() {
        for (extensions, length, outcome) in [(3, 16_384, Ok(Progress::Complete)), (4, 16_385, Err(TOO_LONG))]
        {
            let hello = records(&hello([3, 3], &vec![0; extensions]), 255);
            let stream = [WARNED.repeat(2333), hello].concat();
            assert_eq!((stream.len(), read_all(&stream)), (length, outcome));
        }
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
            assert_eq!((suites.len(), &rest[..2]), (62, &[1, 0][..]));
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

    /// The lists of cipher suites, groups and signature algorithms that `openssl s_client` 3.0
    /// sends, and what 4.0 has more.
    #[test]
    fn the_offer_is_that_of_openssl() {
        const SUITES: &str = "1302 1303 1301 c02c c030 009f cca9 cca8 ccaa c02b c02f 009e c024 c028 006b \
            c023 c027 0067 c00a c014 0039 c009 c013 0033 009d 009c 003d 003c 0035 002f 00ff";
        const GROUPS: &str = "001d 0017 001e 0019 0018 0100 0101 0102 0103 0104 11ec 11eb 11ee 0029";
        const SIGNATURES: &str = "0403 0503 0603 0807 0808 0809 080a 080b 0804 0805 0806 0401 0501 0601 \
            0303 0301 0302 0402 0502 0602 0905 0906 0904 081a 081b 081c 0708";
        let hello = client_hello(None);
        let (suites, rest) = vector(&hello[44..]).expect("cipher suites");
        let (mut extensions, _) = vector(&rest[2..]).expect("extensions");
        let mut lists = vec![suites];
        while let Some((kind, rest)) = extensions.split_first_chunk::<2>() {
            let (data, rest) = vector(rest).expect("an extension");
            if let [0, 10 | 13] = kind {
                lists.push(vector(data).expect("a list").0);
            }
            extensions = rest;
        }
        let sorted = |mut numbers: Vec<u16>| {
            numbers.sort_unstable();
            numbers
        };
        let numbers =
            |list: &[u8]| list.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        let theirs = |list: &str| {
            list.split_whitespace().map(|number| u16::from_str_radix(number, 16).expect("hex")).collect()
        };
        for (ours, list) in lists.iter().zip([SUITES, GROUPS, SIGNATURES]) {
            assert_eq!(sorted(numbers(ours)), sorted(theirs(list)));
        }
        assert_eq!(lists.len(), 3);
    }
}
