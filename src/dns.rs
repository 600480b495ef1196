//! The little of DNS that a health check needs: one question, its addresses,
//! and the two files that configure it. Bytes in, values out.
//!
//! std's resolver is the C library's getaddrinfo(3). It cannot be given a
//! deadline, so it needs a thread that may outlive the check; and in a static
//! binary it brings much of the C library along.

use std::net::IpAddr;

use crate::text::{cut, digits, ip, words};

/// Record type of an IPv4 address (RFC 1035, 3.2.2).
pub const A: u8 = 1;
/// Record type of an IPv6 address (RFC 3596, 2.1).
pub const AAAA: u8 = 28;

/// The header of a message (RFC 1035, 4.1.1).
const HEADER: usize = 12;

/// The longest label (RFC 1035, 2.3.4).
const LABEL_MAX: usize = 63;

/// The questions for both kinds of addresses that `name` has, each a whole
/// message. `None` if the name has an empty or overlong label, so that none
/// has such a name.
pub fn questions(name: &[u8], id: u16) -> Option<[Vec<u8>; 2]> {
    let mut labels = Vec::new();
    for label in name.strip_suffix(b".").unwrap_or(name).split(|&byte| byte == b'.') {
        if label.is_empty() || label.len() > LABEL_MAX {
            return None;
        }
        labels.push(label.len() as u8);
        labels.extend_from_slice(label);
    }
    // Recursion desired; one question, nothing else. Class IN.
    let question = |id: u16, kind| {
        let [high, low] = id.to_be_bytes();
        [&[high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], &labels[..], &[0, 0, kind, 0, 1]].concat()
    };
    Some([question(id, A), question(!id, AAAA)])
}

/// What a name server answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The name's addresses; none where it does not exist or has none.
    Addresses(Vec<IpAddr>),
    /// It could not tell: SERVFAIL, REFUSED and the like.
    Failure,
}

/// Reads `message` as the answer to `question`; `None` if it is none. The
/// addresses of all records count, since those of an alias follow it.
pub fn answer(message: &[u8], question: &[u8]) -> Option<Answer> {
    const NO_ERROR: u8 = 0;
    const NO_SUCH_NAME: u8 = 3;
    let (header, rest) = message.split_at_checked(HEADER)?;
    let is_response = header[2] & 0x80 != 0;
    let (asked, mut records) = rest.split_at_checked(question.len() - HEADER)?;
    if header[..2] != question[..2] || !is_response || !asked.eq_ignore_ascii_case(&question[HEADER..]) {
        return None;
    }
    let mut addresses = Vec::new();
    match header[3] & 15 {
        NO_ERROR => {}
        NO_SUCH_NAME => return Some(Answer::Addresses(addresses)),
        _ => return Some(Answer::Failure),
    }
    let count = u16::from_be_bytes([header[6], header[7]]);
    for _ in 0..count {
        // A truncated message still holds whole records before its end.
        let Some((record, rest)) = record(records) else { break };
        records = rest;
        addresses.extend(record);
    }
    Some(Answer::Addresses(addresses))
}

/// The address in the first of `records`, if that is one, and the records after it.
fn record(records: &[u8]) -> Option<(Option<IpAddr>, &[u8])> {
    let mut rest = records;
    // The owner's name: labels, and a zero or a pointer at their end (RFC 1035, 4.1.4).
    loop {
        let (&length, after) = rest.split_first()?;
        rest = match length {
            0 => {
                rest = after;
                break;
            }
            0xc0.. => {
                rest = after.get(1..)?;
                break;
            }
            _ => after.get(usize::from(length)..)?,
        };
    }
    // Type, class, time to live, length of data.
    let (fixed, rest) = rest.split_at_checked(10)?;
    let (data, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([fixed[8], fixed[9]])))?;
    let address = match fixed[1] {
        A => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
        AAAA => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
        _ => None,
    };
    Some((address.filter(|_| fixed[0] == 0), rest))
}

/// What resolv.conf(5) says.
#[derive(Debug, PartialEq, Eq)]
pub struct Conf<'a> {
    /// Where to ask, in this order.
    pub name_servers: Vec<IpAddr>,
    /// The port at which they listen.
    pub port: u16,
    /// Domains that are appended to short names, separated by white space.
    pub search: &'a [u8],
    /// A name with fewer dots is a short one.
    pub ndots: u64,
}

/// As many as resolv.conf(5) allows (`MAXNS`).
const NAME_SERVERS_MAX: usize = 3;

/// The port of name servers (RFC 1035, 4.2.1).
const PORT: u16 = 53;

/// Reads a resolv.conf(5). Without a name server in it there is one on this
/// host, as in the C library.
pub fn conf(text: &[u8]) -> Conf<'_> {
    let mut conf = Conf { name_servers: Vec::new(), port: PORT, search: b"", ndots: 1 };
    for line in lines(text) {
        let mut words = words(line);
        let keyword = words.next().unwrap_or_default();
        match keyword {
            b"nameserver" if conf.name_servers.len() < NAME_SERVERS_MAX => {
                conf.name_servers.extend(words.next().and_then(ip));
            }
            b"search" | b"domain" => conf.search = &line.trim_ascii_start()[keyword.len()..],
            b"options" => {
                for word in words {
                    if let Some(ndots) = word.strip_prefix(b"ndots:").and_then(digits) {
                        conf.ndots = ndots;
                    }
                }
            }
            _ => {}
        }
    }
    if conf.name_servers.is_empty() {
        conf.name_servers.push(IpAddr::from([127, 0, 0, 1]));
    }
    conf
}

/// Whether the search domains are tried for `name`.
pub fn is_short(name: &[u8], conf: &Conf) -> bool {
    let dots = name.iter().filter(|&&byte| byte == b'.').count() as u64;
    dots < conf.ndots && !name.ends_with(b".")
}

/// The addresses that a hosts(5) file has for `name`.
pub fn hosts(text: &[u8], name: &[u8]) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for line in lines(text) {
        let mut words = words(line);
        let address = words.next();
        if words.any(|word| word.eq_ignore_ascii_case(name)) {
            addresses.extend(address.and_then(ip));
        }
    }
    addresses
}

/// Lines without their comments.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').map(|line| cut(cut(line, b'#').0, b';').0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// An answer to `question`: flags' low byte, then (owner, type, data) records.
    fn message(question: &[u8], code: u8, records: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
        let mut message = question.to_vec();
        message[2..4].copy_from_slice(&[0x81, 0x80 | code]);
        message[7] = records.len() as u8;
        for (owner, kind, data) in records {
            message.extend_from_slice(owner);
            message.extend_from_slice(&[0, *kind, 0, 1, 0, 0, 0, 9, 0, data.len() as u8]);
            message.extend_from_slice(data);
        }
        message
    }

    fn question(id: u16, name: &[u8], kind: u8) -> Vec<u8> {
        let [a, aaaa] = questions(name, if kind == A { id } else { !id }).expect("a name");
        if kind == A { a } else { aaaa }
    }

    const POINTER: &[u8] = &[0xc0, 12];

    #[test]
    fn a_question_to_the_letter() {
        let want = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03api\x03lan\0\0\x1c\0\x01";
        assert_eq!(questions(b"api.lan", !0x1234).expect("a name")[1], want);
        assert_eq!(questions(b"api.lan.", !0x1234).expect("a name")[1], want);
    }

    #[test]
    fn no_question_for_a_name_that_dns_cannot_hold() {
        for name in [&b"a..b"[..], b".a", b"", b".", &[b'x'; 64]] {
            assert_eq!(questions(name, 1), None, "{name:?}");
        }
        assert!(questions(&[b'x'; 63], 1).is_some());
    }

    #[test]
    fn the_addresses_of_an_alias_count() {
        let question = question(7, b"www.lan", A);
        let records: &[(&[u8], u8, &[u8])] = &[
            (POINTER, 5, b"\x03api\xc0\x10"),
            (b"\x03api\xc0\x10", A, &[10, 0, 0, 1]),
            (b"\x03api\x03lan\0", A, &[10, 0, 0, 2]),
            (POINTER, AAAA, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            (POINTER, A, &[10, 0, 0]),
        ];
        let want = Answer::Addresses(vec![ip("10.0.0.1"), ip("10.0.0.2"), ip("::1")]);
        assert_eq!(answer(&message(&question, 0, records), &question), Some(want));
    }

    #[test]
    fn no_such_name_is_an_answer_and_a_failure_is_none() {
        let question = question(7, b"x", A);
        let answered = |code| answer(&message(&question, code, &[]), &question);
        assert_eq!(answered(0), Some(Answer::Addresses(vec![])));
        assert_eq!(answered(3), Some(Answer::Addresses(vec![])));
        for code in [1, 2, 4, 5] {
            assert_eq!(answered(code), Some(Answer::Failure), "code {code}");
        }
    }

    #[test]
    fn another_questions_answer_is_not_taken() {
        let asked = question(7, b"x", A);
        for other in [question(8, b"x", A), question(7, b"y", A), question(7, b"x", AAAA)] {
            assert_eq!(answer(&message(&other, 0, &[]), &asked), None);
        }
        assert_eq!(answer(&asked, &asked), None, "a question is no answer");
        let mixed_case = question(7, b"X", A);
        assert!(answer(&message(&mixed_case, 0, &[]), &asked).is_some());
    }

    #[test]
    fn every_prefix_of_an_answer_gives_what_is_whole_in_it_or_nothing() {
        let question = question(7, b"x.y", A);
        let whole = message(&question, 0, &[(POINTER, A, &[10, 0, 0, 1]), (POINTER, A, &[10, 0, 0, 2])]);
        for end in 0..whole.len() {
            let addresses = match answer(&whole[..end], &question) {
                None => {
                    assert!(end < question.len());
                    continue;
                }
                Some(Answer::Addresses(addresses)) => addresses,
                Some(Answer::Failure) => panic!("no failure in it"),
            };
            assert_eq!(addresses.len(), (end - question.len()) / 16, "{end} bytes");
        }
    }

    #[test]
    fn resolv_conf_as_containers_have_it() {
        let docker = conf(
            b"# made by Docker\nsearch lan  corp.example\nnameserver 127.0.0.11\noptions edns0 ndots:0\n",
        );
        assert_eq!(docker.name_servers, [ip("127.0.0.11")]);
        assert_eq!(words(docker.search).collect::<Vec<_>>(), [&b"lan"[..], b"corp.example"]);
        assert_eq!(docker.ndots, 0);

        let four = conf(
            b"nameserver ::1\r\nnameserver x\nnameserver 1.1.1.1;c\nnameserver 2.2.2.2\nnameserver 3.3.3.3",
        );
        let want = [ip("::1"), ip("1.1.1.1"), ip("2.2.2.2")];
        assert_eq!(four.name_servers, want);

        assert_eq!(conf(b"").name_servers, [ip("127.0.0.1")]);
        assert_eq!(conf(b"options ndots:99999999999").ndots, 99_999_999_999);
        assert_eq!(conf(b"options ndots:x ndots").ndots, 1);
        assert_eq!(conf(b"domain a\nsearch b c").search, b" b c");
    }

    #[test]
    fn hosts_of_all_matching_lines() {
        let text = b"127.0.0.1 localhost\n10.0.0.1\tapi API.lan # x other\n::5 api\nbad api\n10.0.0.2 apis";
        assert_eq!(hosts(text, b"Api"), [ip("10.0.0.1"), ip("::5")]);
        assert_eq!(hosts(text, b"api.lan"), [ip("10.0.0.1")]);
        assert!(hosts(text, b"other").is_empty());
        assert!(hosts(text, b"10.0.0.1").is_empty());
    }

    #[test]
    fn a_short_name_has_fewer_dots_than_ndots_and_does_not_end_in_one() {
        for (name, ndots, short) in
            [("x", 1, true), ("x.y", 1, false), ("x.y", 5, true), ("x.", 5, false), ("x", 0, false)]
        {
            let conf = Conf { name_servers: vec![], port: 53, search: b"a b.c", ndots };
            assert_eq!(is_short(name.as_bytes(), &conf), short, "{name} {ndots}");
        }
    }
}
