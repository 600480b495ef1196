//! From a name to its addresses: /etc/hosts, then the name servers of
//! /etc/resolv.conf, all within the deadline.

use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::dns::{self, Answer, Conf};
use crate::file;
use crate::verdict::{Failure, Phase, Unhealthy, fail, failed, timed_out};

/// What is kept of a line: stops a file without line ends.
const LINE_MAX: usize = 4096;

/// How long an answer is waited for before its question is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// More than a datagram has without EDNS (RFC 1035, 4.2.1).
const DATAGRAM_MAX: usize = 1024;

/// All addresses of `name`, at least one.
pub fn resolve(name: &[u8], deadline: &Deadline) -> Result<Vec<IpAddr>, Failure> {
    let mut addresses = Vec::new();
    each_line("/etc/hosts", deadline, &mut |line| {
        if let Some(address) = dns::host(line, name) {
            addresses.push(address);
        }
    });
    if !addresses.is_empty() {
        return Ok(addresses);
    }
    let mut conf = Conf::default();
    each_line("/etc/resolv.conf", deadline, &mut |line| conf.line(line));
    look_up(name, &conf, deadline)
}

/// Hands over each line of a file; none where there is no file, as in an empty
/// image. The deadline stops a file without end.
fn each_line(path: &str, deadline: &Deadline, take: &mut dyn FnMut(&[u8])) {
    let Ok(mut file) = file::open(path, false) else { return };
    let mut line = Vec::new();
    let mut piece = [0; 1024];
    while let (Some(_), Ok(count @ 1..)) = (deadline.left(), file.read(&mut piece)) {
        for &byte in &piece[..count] {
            match byte {
                b'\n' => {
                    take(&line);
                    line.clear();
                }
                _ if line.len() < LINE_MAX => line.push(byte),
                _ => {}
            }
        }
    }
    take(&line);
}

/// One question, and what was answered.
struct Question {
    message: Vec<u8>,
    /// Whether a name server could tell. Then these are the addresses; none
    /// where there is no such name.
    answered: bool,
    addresses: Vec<IpAddr>,
    /// The name servers that could not tell, a bit each, and whether the last
    /// of them refused.
    failed: u32,
    refused: bool,
}

impl Question {
    /// Whether one of so many name servers may still answer.
    fn is_open(&self, servers: usize) -> bool {
        !self.answered && self.failed.count_ones() < servers as u32
    }

    /// Takes a message of a name server, if it is an answer to this question. What
    /// did not fit into a datagram is asked for again over TCP (RFC 7766).
    fn take(&mut self, message: &[u8], index: usize, server: SocketAddr, until: &Deadline) {
        let Some(mut answer) = dns::answer(message, &self.message) else { return };
        if matches!(answer, Answer::Truncated) {
            answer = ask_over_tcp(server, &self.message, until).unwrap_or(Answer::Failure);
        }
        if let Answer::Addresses(addresses) = answer {
            self.answered = true;
            self.addresses = addresses;
        } else {
            self.failed |= 1 << index;
            self.refused = matches!(answer, Answer::Refused);
        }
    }
}

/// Asks all name servers at once for everything that the name may stand for,
/// and again each second. The first candidate that has addresses wins, as in
/// the C library; those before it are waited for in the first half of the time,
/// so that one name server's silence does not take all of it.
fn look_up(name: &[u8], conf: &Conf, deadline: &Deadline) -> Result<Vec<IpAddr>, Failure> {
    let mut servers = conf.servers();
    if servers.is_empty() {
        return Err(fail(Unhealthy::NoNameServer));
    }
    let io_failure = |error: io::Error| failed(Phase::Resolve, &error);
    let socket = open(&mut servers).map_err(io_failure)?;
    let left = deadline.left().unwrap_or_default();
    // The kernel chooses a random port, and only name servers are heard, so the
    // identifier need not be a secret (RFC 5452, 9).
    let mut questions = Vec::new();
    for message in conf.questions(name, left.subsec_nanos() as u16) {
        let addresses = Vec::new();
        questions.push(Question { message, answered: false, addresses, failed: 0, refused: false });
    }
    let patience = Deadline::after(left / 2);
    let mut again = Deadline::after(Duration::ZERO);
    loop {
        let until = if patience.left().is_some() { &patience } else { deadline };
        if let Some(addresses) = found(&questions, servers.len(), until.timeout() < left) {
            return Ok(addresses);
        }
        if !questions.iter().any(|question| question.is_open(servers.len())) {
            return Err(nothing_found(&questions));
        }
        if deadline.left().is_none() {
            return Err(timed_out(Phase::Resolve, deadline));
        }
        if again.left().is_none() {
            again = Deadline::after(PAUSE);
            send(&socket, &questions, &servers).map_err(io_failure)?;
        }
        let mut datagram = [0; DATAGRAM_MAX];
        let (length, peer) = receive(&socket, &mut datagram, &until.or_sooner(again)).map_err(io_failure)?;
        if let Some(index) = servers.iter().position(|server| *server == peer) {
            for question in &mut questions {
                question.take(&datagram[..length], index, peer, until);
            }
        }
    }
}

/// The addresses of the first candidate that has some. The ones before it, and
/// the answer for its other family, are waited for with `patience`.
fn found(questions: &[Question], servers: usize, patience: bool) -> Option<Vec<IpAddr>> {
    for families in questions.chunks(2) {
        let mut addresses = Vec::new();
        for question in families {
            if patience && question.is_open(servers) {
                return None;
            }
            addresses.extend_from_slice(&question.addresses);
        }
        if !addresses.is_empty() {
            return Some(addresses);
        }
    }
    None
}

/// Why there are no addresses: a failure counts where there is one.
fn nothing_found(questions: &[Question]) -> Failure {
    fail(match questions.iter().find(|question| !question.answered) {
        Some(question) if question.refused => Unhealthy::NameServerRefuses,
        Some(_) => Unhealthy::NameServerFails,
        None => Unhealthy::NoSuchName,
    })
}

/// A socket for all name servers. One of IPv6 reaches both families (RFC 3493,
/// 3.7); where the host lacks it, those of IPv4 are left.
fn open(servers: &mut Vec<SocketAddr>) -> io::Result<UdpSocket> {
    let mut any = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    if servers.iter().any(SocketAddr::is_ipv6) {
        any = Ipv6Addr::UNSPECIFIED.into();
    }
    let socket = loop {
        match UdpSocket::bind(SocketAddr::new(any, 0)) {
            Err(_) if any.is_ipv6() => any = Ipv4Addr::UNSPECIFIED.into(),
            opened => break opened?,
        }
    };
    servers.retain(|server| server.is_ipv4() || any.is_ipv6());
    for server in &mut *servers {
        if let (IpAddr::V4(ip), true) = (server.ip(), any.is_ipv6()) {
            server.set_ip(ip.to_ipv6_mapped().into());
        }
    }
    // Only a connected socket is told that nobody listens there.
    if let [server] = servers[..] {
        socket.connect(server)?;
    }
    Ok(socket)
}

/// Sends what is not answered; an error where no name server can be reached.
fn send(socket: &UdpSocket, questions: &[Question], servers: &[SocketAddr]) -> io::Result<()> {
    let mut result = Ok(());
    for server in servers {
        let mut reached = Ok(());
        for question in questions {
            if reached.is_ok() && question.is_open(servers.len()) {
                reached = socket.send_to(&question.message, server).map(|_| ());
            }
        }
        if reached.is_ok() || result.is_ok() {
            result = reached;
        }
    }
    result
}

/// The next message and its sender; an empty one where none comes `until` then.
fn receive(socket: &UdpSocket, datagram: &mut [u8], until: &Deadline) -> io::Result<(usize, SocketAddr)> {
    let nothing = (0, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
    let Some(timeout) = until.socket_timeout() else { return Ok(nothing) };
    socket.set_read_timeout(Some(timeout))?;
    match socket.recv_from(datagram) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(nothing),
        received => received,
    }
}

/// Asks over TCP: each way, a message follows its length (RFC 1035, 4.2.2).
/// `None` where that fails.
fn ask_over_tcp(server: SocketAddr, question: &[u8], until: &Deadline) -> Option<Answer> {
    let mut connection = Connection::new(TcpStream::connect_timeout(&server, until.left()?).ok()?);
    connection.send(&[&(question.len() as u16).to_be_bytes(), question].concat(), until).ok()?;
    let mut received = Vec::new();
    loop {
        if let Some((length, message)) = received.split_first_chunk()
            && let Some(message) = message.get(..u16::from_be_bytes(*length).into())
        {
            return dns::answer(message, question);
        }
        match connection.receive(until).ok()? {
            [] => return None,
            piece => received.extend_from_slice(piece),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::Print;
    use std::thread;

    type Reply = fn(&[u8]) -> Option<Vec<u8>>;

    /// Answers `count` questions with what `reply` makes of each.
    fn serve(socket: UdpSocket, count: usize, reply: Reply) {
        thread::spawn(move || {
            let mut message = [0; 512];
            for _ in 0..count {
                let (length, peer) = socket.recv_from(&mut message).expect("a question");
                if let Some(answer) = reply(&message[..length]) {
                    socket.send_to(&answer, peer).expect("sent");
                }
            }
            // Open until the process ends: a closed port would refuse.
            thread::park();
        });
    }

    /// Name servers on loopback, one for each of `replies`.
    fn servers(replies: &[(usize, Reply)]) -> Conf {
        let mut conf = Conf { search: vec![b"a".to_vec(), b"b".to_vec()], ..Conf::default() };
        for (count, reply) in replies {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            conf.name_servers.push(socket.local_addr().ok());
            serve(socket, *count, *reply);
        }
        conf
    }

    fn silent(_: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn fails(question: &[u8]) -> Option<Vec<u8>> {
        let mut message = question.to_vec();
        message[2..4].copy_from_slice(&[0x81, 0x82]);
        Some(message)
    }

    /// 10.0.0.1 for the A question; nothing, but an answer, for AAAA.
    fn answers(question: &[u8]) -> Option<Vec<u8>> {
        let mut message = question.to_vec();
        message[2..4].copy_from_slice(&[0x81, 0x80]);
        if question[question.len() - 3] == dns::A {
            message[7] = 1;
            message.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 1]);
        }
        Some(message)
    }

    fn answers_only_a(question: &[u8]) -> Option<Vec<u8>> {
        answers(question).filter(|_| question[question.len() - 3] == dns::A)
    }

    /// Knows `x.b` and nothing else.
    fn knows_one_name(question: &[u8]) -> Option<Vec<u8>> {
        let mut message = answers(question)?;
        if &question[12..17] != b"\x01x\x01b\0" {
            message.truncate(question.len());
            message[3] = 0x83;
            message[7] = 0;
        }
        Some(message)
    }

    fn asked(conf: &Conf, timeout: Duration) -> Result<Vec<IpAddr>, Failure> {
        look_up(b"x", conf, &Deadline::after(timeout))
    }

    fn failure(conf: &Conf, timeout: Duration) -> String {
        let failure = asked(conf, timeout).expect_err("no addresses");
        String::from_utf8(failure.printed()).expect("ASCII")
    }

    const LONG: Duration = Duration::from_secs(20);
    const FOUND: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))];

    /// An answer that names code and flags, and no question.
    fn refuses(question: &[u8]) -> Option<Vec<u8>> {
        Some([&question[..2], &[0x81, 0x85, 0, 0, 0, 0, 0, 0, 0, 0]].concat())
    }

    fn nothing(question: &[u8]) -> Option<Vec<u8>> {
        let mut message = question.to_vec();
        message[2..4].copy_from_slice(&[0x81, 0x83]);
        Some(message)
    }

    #[test]
    fn the_first_search_domain_that_has_the_name_wins() {
        assert_eq!(asked(&servers(&[(9, knows_one_name)]), LONG).expect("found"), FOUND);
    }

    #[test]
    fn a_silent_a_failing_and_a_refusing_name_server_do_not_hide_a_live_one() {
        let conf = servers(&[(9, silent), (9, fails), (9, refuses), (9, answers)]);
        assert_eq!(asked(&conf, LONG).expect("found"), FOUND);
    }

    #[test]
    fn an_answer_counts_whenever_it_comes() {
        fn late(question: &[u8]) -> Option<Vec<u8>> {
            thread::sleep(Duration::from_millis(400));
            answers(question)
        }
        let mut conf = servers(&[(9, late), (9, silent)]);
        conf.search.clear();
        assert_eq!(asked(&conf, LONG).expect("found"), FOUND);
    }

    #[test]
    fn addresses_of_one_kind_are_enough() {
        assert_eq!(asked(&servers(&[(99, answers_only_a)]), Duration::from_secs(2)).expect("found"), FOUND);
    }

    #[test]
    fn a_question_that_was_lost_is_asked_again() {
        fn deaf_at_first(question: &[u8]) -> Option<Vec<u8>> {
            use std::sync::atomic::{AtomicUsize, Ordering};
            static ASKED: AtomicUsize = AtomicUsize::new(0);
            answers(question).filter(|_| ASKED.fetch_add(1, Ordering::Relaxed) >= 6)
        }
        assert_eq!(asked(&servers(&[(99, deaf_at_first)]), LONG).expect("found"), FOUND);
    }

    #[test]
    fn failure_and_silence_in_one_search_domain_do_not_end_the_look_up() {
        fn in_domain_a(question: &[u8], reply: Reply) -> Option<Vec<u8>> {
            if &question[12..17] == b"\x01x\x01a\0" { reply(question) } else { knows_one_name(question) }
        }
        let cases: [Reply; 3] = [
            |question| in_domain_a(question, silent),
            |question| in_domain_a(question, fails),
            |question| in_domain_a(question, refuses),
        ];
        for reply in cases {
            assert_eq!(asked(&servers(&[(99, reply)]), Duration::from_secs(4)).expect("found"), FOUND);
        }
    }

    #[test]
    fn a_failure_is_reported_where_nothing_was_found() {
        fn fails_in_a(question: &[u8]) -> Option<Vec<u8>> {
            if &question[12..17] == b"\x01x\x01a\0" { fails(question) } else { nothing(question) }
        }
        assert_eq!(failure(&servers(&[(9, fails_in_a)]), LONG), "resolve: the name server cannot tell");
    }

    #[test]
    fn a_truncated_answer_is_asked_for_again_over_tcp() {
        fn truncated(question: &[u8]) -> Option<Vec<u8>> {
            let mut message = question.to_vec();
            message[2..4].copy_from_slice(&[0x83, 0x80]);
            Some(message)
        }
        // The same port for both: chosen by one, and free for the other but for bad luck.
        let (listener, socket) = (0..100)
            .find_map(|_| {
                let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
                let socket = UdpSocket::bind(listener.local_addr().expect("an address")).ok()?;
                Some((listener, socket))
            })
            .expect("a port");
        let conf = Conf { name_servers: vec![socket.local_addr().ok()], ..Conf::default() };
        serve(socket, 9, truncated);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut length = [0; 2];
                stream.read_exact(&mut length).expect("a length");
                let mut question = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut question).expect("a question");
                let answer = answers(&question).expect("an answer");
                let length = (answer.len() as u16).to_be_bytes();
                // In two pieces, the first of which ends within the length.
                use std::io::Write;
                stream.write_all(&length[..1]).expect("sent");
                stream.write_all(&[&length[1..], &answer].concat()).expect("sent");
            }
        });
        assert_eq!(asked(&conf, LONG).expect("found"), FOUND);
    }

    #[test]
    fn a_silent_name_server_is_a_timeout_in_the_resolve_phase() {
        let timeout = Duration::from_millis(200);
        assert_eq!(failure(&servers(&[(99, silent)]), timeout), "resolve: timed out after 200ms");
    }

    #[test]
    fn failures_have_their_words() {
        let nobody = "127.0.0.99:53".parse().ok();
        let nobody_there = Conf { name_servers: vec![nobody], ..Conf::default() };
        let zone = Conf { name_servers: vec![None], ..Conf::default() };
        for (conf, words) in [
            (servers(&[(9, fails)]), "resolve: the name server cannot tell"),
            (servers(&[(9, refuses)]), "resolve: the name server refuses"),
            (servers(&[(9, nothing)]), "resolve: no such name"),
            (nobody_there, "resolve: connection refused"),
            (zone, "resolve: a name server's zone wants a number, as in fe80::1%2"),
        ] {
            assert_eq!(failure(&conf, LONG), words);
        }
    }

    #[test]
    fn a_file_is_read_to_its_end_whatever_its_length() {
        let path = std::env::temp_dir().join(format!("probe-lines-{}", std::process::id()));
        let long_line = [b'x'; 2 * LINE_MAX];
        let text = [&long_line[..], b"\n", &b"0.0.0.0 blocked\n".repeat(40_000), b"10.0.0.1 x"].concat();
        std::fs::write(&path, text).expect("written");
        let (mut count, mut longest, mut found) = (0, 0, Vec::new());
        each_line(path.to_str().expect("UTF-8"), &Deadline::after(LONG), &mut |line| {
            count += 1;
            longest = longest.max(line.len());
            found.extend(dns::host(line, b"x"));
        });
        std::fs::remove_file(&path).expect("removed");
        assert_eq!((count, longest, &found[..]), (40_002, LINE_MAX, &FOUND[..]));
    }
}
