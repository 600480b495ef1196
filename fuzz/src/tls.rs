//! The ClientHello, taken apart; and the reader of its answer, which says after
//! every byte what a second implementation says, which takes one at a time.
//!
//! Input: flags, seed, the stream. Flags: 1 takes the stream for a server's name,
//! 2 puts it into records of the seed's sizes, 4 repeats it until the cap is passed.

use scratch_probe::failure::Unhealthy;
use scratch_probe::wire::progress::Progress;
use scratch_probe::wire::tls::{ANSWER_MAX, ServerHello, client_hello};

use super::{Numbers, take};

pub fn check(data: &[u8]) {
    let mut stream = data;
    let [flags, seed] = [(); 2].map(|()| take(&mut stream));
    if flags & 1 != 0 {
        return hello(stream);
    }
    let mut stream = stream.to_vec();
    let mut numbers = Numbers::new(seed);
    if flags & 2 != 0 {
        stream = in_records(&stream, &mut numbers);
    }
    if flags & 4 != 0 && !stream.is_empty() {
        stream = stream.repeat(ANSWER_MAX / stream.len() + 2);
    }
    let mut model = Model::default();
    let mut hello = ServerHello::default();
    let mut next = 0;
    for count in 0..=stream.len() {
        if count > 0 {
            model.byte(stream[count - 1]);
        }
        // Every prefix of a short stream, some of a long one.
        if count == next || count + 2 > stream.len() || (ANSWER_MAX - 1..ANSWER_MAX + 2).contains(&count) {
            next = count + 1 + if stream.len() < 2048 { 0 } else { numbers.below(1024) };
            let verdict = outcome(&mut hello, &stream[..count]);
            assert_eq!(verdict, model.verdict, "after {count} bytes");
            assert_eq!(
                outcome(&mut ServerHello::default(), &stream[..count]),
                verdict,
                "{count} bytes at once"
            );
            if verdict.is_some() {
                return;
            }
        }
    }
}

fn in_records(message: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let (data, after) = rest.split_at(rest.len().min(1 + numbers.below(300)));
        stream.extend_from_slice(&[22, 3, 3, (data.len() >> 8) as u8, data.len() as u8]);
        stream.extend_from_slice(data);
        rest = after;
    }
    stream
}

/// Nothing yet, or what it is instead of a ServerHello.
type Verdict = Option<Result<(), String>>;

const NOT_TLS: &str = "not a TLS response";
const TOO_LONG: &str = "ServerHello longer than 16 KiB";
const MALFORMED: &str = "malformed ServerHello";
const OLD: &str = "server offers no TLS newer than 1.1";

fn is(words: &str) -> Verdict {
    Some(Err(words.to_owned()))
}

fn outcome(hello: &mut ServerHello, answer: &[u8]) -> Verdict {
    match hello.read(answer) {
        Ok(Progress::Complete) => Some(Ok(())),
        Ok(Progress::Partial(_)) => None,
        Err(Unhealthy::Malformed(words) | Unhealthy::Foreign(words, _)) => is(words),
        Err(Unhealthy::Refused(kind, code)) => is(&format!("{kind} {code}")),
        Err(failure) => panic!("{failure:?}"),
    }
}

/// Takes one byte at a time, and keeps its verdict once it has one.
#[derive(Default)]
struct Model {
    count: usize,
    /// A record's header, as far as it has come.
    header: Vec<u8>,
    /// How much of its fragment is still to come.
    left: usize,
    /// The alert of this record, as far as it has come, if it is one.
    alert: Option<Vec<u8>>,
    message: Vec<u8>,
    verdict: Verdict,
}

impl Model {
    fn byte(&mut self, byte: u8) {
        self.count += 1;
        if self.verdict.is_none() {
            self.verdict = if self.left == 0 { self.header(byte) } else { self.fragment(byte) };
        }
        if self.verdict.is_none() && self.count == ANSWER_MAX {
            self.verdict = is(TOO_LONG);
        }
    }

    fn header(&mut self, byte: u8) -> Verdict {
        self.header.push(byte);
        let good = match self.header.len() {
            1 => byte == 21 || byte == 22,
            2 => byte == 3,
            3 => byte < 5,
            4 => true,
            _ => {
                self.left = usize::from(self.header[3]) * 256 + usize::from(byte);
                if self.left > 16384 {
                    return is(TOO_LONG);
                }
                let alert = self.header[0] == 21;
                self.header.clear();
                self.alert = alert.then(Vec::new);
                if alert { self.left == 2 } else { self.left > 0 }
            }
        };
        if good { None } else { is(NOT_TLS) }
    }

    fn fragment(&mut self, byte: u8) -> Verdict {
        self.left -= 1;
        if let Some(alert) = &mut self.alert {
            alert.push(byte);
            return match alert[..] {
                [_] | [1, 112] => None,
                _ => is(&format!("TLS alert {byte}")),
            };
        }
        self.message.push(byte);
        let message = &self.message[..];
        if message[0] != 2 {
            return is(MALFORMED);
        }
        if message.len() < 4 {
            return None;
        }
        let length = message[1..4].iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        if length > ANSWER_MAX {
            return is(TOO_LONG);
        }
        if message.len() < 4 + length {
            return None;
        }
        match message[4..] {
            [3, 3, ..] => Some(Ok(())),
            [3, 0..=2, ..] => is(OLD),
            _ => is(MALFORMED),
        }
    }
}

/// Bytes that are taken from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.0.get(..count)?;
        self.0 = &self.0[count..];
        Some(taken)
    }

    /// As much as a length of so many bytes before it says.
    fn vector(&mut self, width: usize) -> Option<Bytes<'a>> {
        let length = self.take(width)?.iter().fold(0, |length, &byte| length * 256 + usize::from(byte));
        self.take(length).map(Bytes)
    }
}

/// A ClientHello in which every length is right and nothing is left over.
fn hello(name: &[u8]) {
    let name = &name[..name.len().min(253)];
    for server_name in [None, Some(name)] {
        let stream = client_hello(server_name);
        assert_eq!(outcome(&mut ServerHello::default(), &stream), is(MALFORMED), "an echo is no answer");
        let sent = server_name.map(|name| name.strip_suffix(b".").unwrap_or(name));
        assert_eq!(names(&stream), Some(sent.into_iter().collect()), "{stream:?}");
    }
}

/// The names in a ClientHello, if it parses.
fn names(stream: &[u8]) -> Option<Vec<&[u8]>> {
    let mut stream = Bytes(stream);
    let mut names = Vec::new();
    assert_eq!(stream.take(3)?, [22, 3, 1]);
    let mut record = stream.vector(2)?;
    assert_eq!(record.take(1)?, [1]);
    let mut hello = record.vector(3)?;
    assert_eq!(hello.take(2)?, [3, 3]);
    hello.take(32)?;
    assert_eq!(hello.vector(1)?.0, b"", "a session");
    assert_eq!(hello.vector(2)?.0.len() % 2, 0, "cipher suites");
    assert_eq!(hello.vector(1)?.0, [0], "compression methods");
    let mut extensions = hello.vector(2)?;
    while !extensions.0.is_empty() {
        let kind = extensions.take(2)?;
        let mut data = extensions.vector(2)?;
        let mut list = match kind {
            [0, 23] => Bytes(b""),
            [0, 43] => data.vector(1)?,
            _ => data.vector(2)?,
        };
        match kind {
            [0, 0] => {
                assert_eq!(list.take(1)?, [0], "a host_name");
                names.push(list.vector(2)?.0);
            }
            [0, 51] => {
                assert_eq!(list.take(2)?, [0, 29], "x25519");
                assert_eq!(list.vector(2)?.0.len(), 32);
            }
            _ => assert_eq!(list.take(list.0.len())?.len() % 2, 0),
        }
        assert!(data.0.is_empty() && list.0.is_empty(), "left over in {kind:?}");
    }
    assert!(stream.0.is_empty() && record.0.is_empty() && hello.0.is_empty(), "left over");
    Some(names)
}
