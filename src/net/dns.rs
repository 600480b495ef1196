//! The little of DNS that a health check needs: one question, its addresses,
//! and the two files that configure it. Bytes in, values out.
//!
//! std's resolver is the C library's getaddrinfo(3). It cannot be given a
//! deadline, so it needs a thread that may outlive the check; and in a static
//! binary it brings much of the C library along.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

use crate::text::{HOST_NAME_MAX, before, cut, digits, ip, words};

/// Record type of an IPv4 address (RFC 1035, 3.2.2).
pub const A: u8 = 1;
/// Record type of an IPv6 address (RFC 3596, 2.1).
pub const AAAA: u8 = 28;

/// The header of a message (RFC 1035, 4.1.1).
const HEADER: usize = 12;

/// Where name servers listen (RFC 1035, 4.2).
const PORT: u16 = 53;

/// The longest label (RFC 1035, 2.3.4).
const LABEL_MAX: usize = 63;

/// A whole message: recursion desired, one question of class IN, nothing else. `None` for a name that
/// has no wire format (RFC 1035, 3.1), and so cannot exist.
fn question(name: &[u8], id: u16, record_type: u8) -> Option<Vec<u8>> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let [high, low] = id.to_be_bytes();
    let mut message = vec![high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split(|&byte| byte == b'.') {
        if label.is_empty() || label.len() > LABEL_MAX || name.len() > HOST_NAME_MAX {
            return None;
        }
        message.push(label.len() as u8);
        message.extend_from_slice(label);
    }
    message.extend_from_slice(&[0, 0, record_type, 0, 1]);
    Some(message)
}

/// What a name server answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The name's addresses; none where it does not exist or has none.
    Addresses(Vec<IpAddr>),
    /// The answer did not fit into the message (RFC 1035, 4.1.1, `TC`).
    Truncated,
    /// The server failed (SERVFAIL) or refused (REFUSED).
    Failure,
}

/// Reads `message` as the answer to `question`; `None` if it is none. The
/// addresses of all records count, since those of an alias follow it.
pub fn answer(message: &[u8], question: &[u8]) -> Option<Answer> {
    const NOERROR: u8 = 0;
    const NXDOMAIN: u8 = 3;
    let (header, rest) = message.split_at_checked(HEADER)?;
    if header[..2] != question[..2] || header[2] & 0x80 == 0 {
        return None;
    }
    let is_failure = !matches!(header[3] & 15, NOERROR | NXDOMAIN);
    let (asked, mut records) = rest.split_at_checked(question.len() - HEADER).unwrap_or((b"", b""));
    // A refusal may omit the question, as unbound's access control does.
    let is_bare = is_failure && header[4..6] == [0, 0];
    if !is_bare && !asked.eq_ignore_ascii_case(&question[HEADER..]) {
        return None;
    }
    if is_failure {
        return Some(Answer::Failure);
    }
    if header[2] & 2 != 0 {
        return Some(Answer::Truncated);
    }
    let mut addresses = Vec::new();
    for _ in 0..u16::from_be_bytes([header[6], header[7]]) {
        // Stop at a truncated record; those before it count.
        let Some(address) = record(&mut records) else { break };
        addresses.extend(address);
    }
    Some(Answer::Addresses(addresses))
}

/// Takes the first of `records` off, and returns its address, if it is one.
fn record(records: &mut &[u8]) -> Option<Option<IpAddr>> {
    // The owner's name: labels, and a zero or a pointer at their end (RFC 1035, 4.1.4).
    while let [length @ 1..0xc0, ..] = **records {
        records.split_off(..=usize::from(length))?;
    }
    records.split_off(..if records.starts_with(&[0]) { 1 } else { 2 })?;
    // Type, class, time to live, length of data.
    let fixed = records.split_off(..10)?;
    let data = records.split_off(..usize::from(u16::from_be_bytes([fixed[8], fixed[9]])))?;
    let address = match fixed[..2] {
        [0, A] => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
        [0, AAAA] => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
        _ => None,
    };
    Some(address)
}

/// What resolv.conf(5) says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Conf {
    /// Where to ask.
    pub name_servers: Vec<SocketAddr>,
    /// The line that names the domains to append to a name: its words but the first.
    pub search: Vec<u8>,
    /// A name with fewer dots tries the search domains first. 1 if not set.
    pub ndots: Option<u64>,
    /// Whether to ask over TCP from the start, as behind something that lets no UDP through.
    pub use_vc: bool,
}

/// As many as resolv.conf(5) allows (`MAXNS`).
const NAME_SERVERS_MAX: usize = 3;

impl Conf {
    /// Reads a line of the file.
    pub fn read_line(&mut self, line: &[u8]) {
        let line = before(before(line, b'#'), b';');
        let mut words = words(line);
        let keyword = words.next().unwrap_or_default();
        if keyword == b"nameserver" && self.name_servers.len() < NAME_SERVERS_MAX {
            // An invalid address is skipped, as in the C library.
            if let Some(server) = words.next().and_then(name_server) {
                self.name_servers.push(server);
            }
        } else if keyword == b"search" || keyword == b"domain" {
            // The last one counts.
            self.search = line.to_vec();
        } else if keyword == b"options" {
            for word in words {
                self.ndots = word.strip_prefix(b"ndots:").and_then(digits).or(self.ndots);
                self.use_vc |= word == b"use-vc";
            }
        }
    }

    /// The name servers; this host if the file names none, as in the C library.
    pub fn servers(&self) -> &[SocketAddr] {
        const HERE: [SocketAddr; 1] = [SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT)];
        if self.name_servers.is_empty() { &HERE } else { &self.name_servers }
    }

    /// Hands over the questions for all that `name` may stand for, the likeliest
    /// first, two for each, identified by `id` and the numbers after it. With enough
    /// dots it is the name itself and then its search domains, else the other
    /// way round; with a dot at its end it is only itself.
    // A stack frame of its own, see `probe::attempt`.
    #[inline(never)]
    pub fn questions(&self, name: &[u8], mut id: u16, ask: &mut dyn FnMut(Vec<u8>)) {
        let mut domains = Vec::new();
        let relative = name.strip_suffix(b".");
        if relative.is_none() {
            domains.extend(words(&self.search).skip(1));
        }
        let dots = name.iter().filter(|&&byte| byte == b'.').count() as u64;
        let is_first = dots >= self.ndots.unwrap_or(1);
        domains.insert(if is_first { 0 } else { domains.len() }, b"");
        for domain in domains {
            let candidate = [relative.unwrap_or(name), b".", domain].concat();
            for record_type in [A, AAAA] {
                if let Some(question) = question(&candidate, id, record_type) {
                    ask(question);
                    id = id.wrapping_add(1);
                }
            }
        }
    }
}

/// A name server's address, with its port (RFC 1035, 4.2.1). An IPv6 one may have a zone,
/// `fe80::1%2`; a zone that is an interface's name is ignored.
fn name_server(word: &[u8]) -> Option<SocketAddr> {
    let (address, zone) = cut(word, b'%');
    let zone = zone.and_then(digits).unwrap_or(0);
    Some(match ip(address)? {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), PORT),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, PORT, 0, zone as u32).into(),
    })
}

/// The address on a line of hosts(5), if it is one for `name`.
pub fn hosts_address(line: &[u8], name: &[u8]) -> Option<IpAddr> {
    let mut words = words(before(line, b'#'));
    let address = words.next()?;
    words.any(|word| word.eq_ignore_ascii_case(name)).then(|| ip(address))?
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
        for (owner, record_type, data) in records {
            message.extend_from_slice(owner);
            message.extend_from_slice(&[0, *record_type, 0, 1, 0, 0, 0, 9, 0, data.len() as u8]);
            message.extend_from_slice(data);
        }
        message
    }

    fn question(id: u16, name: &[u8], record_type: u8) -> Vec<u8> {
        super::question(name, id, record_type).expect("a name")
    }

    const POINTER: &[u8] = &[0xc0, 12];

    #[test]
    fn a_question_to_the_letter() {
        let want = b"\x12\x35\x01\0\0\x01\0\0\0\0\0\0\x03api\x03lan\0\0\x1c\0\x01";
        assert_eq!(question(0x1235, b"api.lan", AAAA), want);
        assert_eq!(question(0x1235, b"api.lan.", AAAA), want);
    }

    #[test]
    fn no_question_for_a_name_that_dns_cannot_hold() {
        for name in [&b"a..b"[..], b".a", b"", b".", &[b'x'; 64]] {
            assert_eq!(super::question(name, 7, A), None, "{name:?}");
        }
        assert!(super::question(&[b'x'; 63], 7, A).is_some());
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
        let mut bare = message(&question, 5, &[]);
        bare.truncate(HEADER);
        bare[4..6].fill(0);
        assert_eq!(answer(&bare, &question), Some(Answer::Failure), "without the question");
        bare[3] = 0x80;
        assert_eq!(answer(&bare, &question), None, "an answer without the question");
        let mut truncated = message(&question, 0, &[(POINTER, A, &[10, 0, 0, 1])]);
        truncated[2] |= 2;
        assert_eq!(answer(&truncated, &question), Some(Answer::Truncated));
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
                Some(other) => panic!("{other:?}"),
            };
            assert_eq!(addresses.len(), (end - question.len()) / 16, "{end} bytes");
        }
    }

    fn conf(text: &str) -> Conf {
        let mut conf = Conf::default();
        text.lines().for_each(|line| conf.read_line(line.as_bytes()));
        conf
    }

    fn domains(conf: &Conf) -> Vec<&[u8]> {
        words(&conf.search).skip(1).collect()
    }

    #[test]
    fn resolv_conf_as_containers_have_it() {
        let docker = conf(
            "# made by Docker\nsearch lan  corp.example\nnameserver 127.0.0.11\noptions edns0 ndots:0\n",
        );
        let at = |text: &str| SocketAddr::new(ip(text), 53);
        assert_eq!(docker.name_servers, [at("127.0.0.11")]);
        assert_eq!(domains(&docker), [&b"lan"[..], b"corp.example"]);
        assert_eq!(docker.ndots, Some(0));

        let four = conf(
            "nameserver ::1\r\nnameserver 1.1.1.1;c\n;nameserver x\nnameserver 2.2.2.2\nnameserver 3.3.3.3",
        );
        assert_eq!(four.name_servers, [at("::1"), at("1.1.1.1"), at("2.2.2.2")]);

        assert_eq!(conf("").servers(), [SocketAddr::new(ip("127.0.0.1"), 53)]);
        assert_eq!(conf("options ndots:99999999999").ndots, Some(99_999_999_999));
        assert_eq!(conf("options ndots:2 x\noptions ndots:x ndots").ndots, Some(2));
        assert_eq!(domains(&conf("domain a\nsearch b c # d")), [b"b", b"c"]);
        assert_eq!(domains(&conf("search a\nsearch")), [b""; 0]);
        assert!(conf("options edns0 use-vc").use_vc && !docker.use_vc);
    }

    #[test]
    fn a_name_server_with_a_zone_is_asked_where_that_is_a_number() {
        let zone = SocketAddrV6::new("fe80::1".parse().expect("an address"), 53, 0, 2);
        assert_eq!(conf("nameserver fe80::1%2\n").servers(), [zone.into()]);
        let unknown = SocketAddr::new(ip("fe80::1"), 53);
        assert_eq!(conf("nameserver fe80::1%eth0\n").servers(), [unknown]);
        assert_eq!(conf("nameserver x\nnameserver\n").servers(), conf("").servers());
    }

    #[test]
    fn hosts_of_all_matching_lines() {
        let text = b"127.0.0.1 localhost\n10.0.0.1\tapi API.lan # x other\n::5 api;\n::6 api\nbad api\n10.0.0.2 apis";
        let hosts = |name: &[u8]| {
            text.split(|&byte| byte == b'\n').filter_map(|line| hosts_address(line, name)).collect::<Vec<_>>()
        };
        assert_eq!(hosts(b"Api"), [ip("10.0.0.1"), ip("::6")]);
        assert_eq!(hosts(b"api.lan"), [ip("10.0.0.1")]);
        assert_eq!(hosts(b"api;"), [ip("::5")], "only # begins a comment");
        assert!(hosts(b"other").is_empty());
        assert!(hosts(b"10.0.0.1").is_empty());
    }

    #[test]
    fn candidates_in_the_order_of_resolv_conf() {
        let long = "x".repeat(63);
        let overlong = format!("{long}.{long}.{long}.{long}");
        for (name, ndots, want) in [
            ("x", 1, &["x.a", "x.b.c", "x"][..]),
            ("x.y", 1, &["x.y", "x.y.a", "x.y.b.c"]),
            ("x.y", 5, &["x.y.a", "x.y.b.c", "x.y"]),
            ("x.", 5, &["x"]),
            ("x", 0, &["x", "x.a", "x.b.c"]),
            // With a domain after it there would be more than 253 bytes.
            (&overlong[..250], 1, &[&overlong[..250], &format!("{}.a", &overlong[..250])]),
            (&overlong[..253], 1, &[&overlong[..253]]),
        ] {
            let conf = Conf { search: b"search a b.c".to_vec(), ndots: Some(ndots), ..Conf::default() };
            let mut id = 7;
            let mut asked = Vec::new();
            for name in want {
                for record_type in [A, AAAA] {
                    asked.push(question(id, name.as_bytes(), record_type));
                    id += 1;
                }
            }
            let mut questions = Vec::new();
            conf.questions(name.as_bytes(), 7, &mut |question| questions.push(question));
            assert_eq!(questions, asked, "{name} {ndots}");
        }
    }
}
