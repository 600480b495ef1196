//! From a name to its addresses: /etc/hosts, then the name servers of
//! /etc/resolv.conf, all within the deadline.

use std::net::IpAddr;
use std::time::Duration;

use crate::failure::{Phase, Unhealthy};
use crate::file;
use crate::net::connection::Connection;
use crate::net::deadline::Deadline;
use crate::net::dns::{self, Answer, Conf};
use crate::sys::{self, Address, DATAGRAM, STREAM};

/// The time to wait for an answer before the question is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// The time to listen to one of several name servers before the next one has its turn.
const TURN: Duration = Duration::from_millis(4);

/// All addresses of `name`, at least one. Errors: `HostNotFound`, `NameServerFailed`; `TimedOut` and `Os`, of
/// [`Phase::Resolve`].
pub fn resolve(name: &[u8], deadline: &Deadline) -> Result<Vec<IpAddr>, Unhealthy> {
    // An empty image has neither file. The deadline stops one without end.
    let mut addresses = Vec::new();
    file::each_line(b"/etc/hosts", &mut |line| {
        addresses.extend(dns::hosts_address(line, name));
        deadline.left().map(drop)
    });
    if !addresses.is_empty() {
        return Ok(addresses);
    }
    let mut conf = Conf::default();
    file::each_line(b"/etc/resolv.conf", &mut |line| {
        conf.read_line(line);
        deadline.left().map(drop)
    });
    ask_all(name, &conf, deadline)
}

/// A name server, with a connected socket of its own: only such a socket is told that nobody listens.
struct Server {
    address: Address,
    connection: Connection,
}

/// A question, and its answer.
struct Question {
    message: Vec<u8>,
    /// The answer, once there is one; empty if there is no such name.
    addresses: Option<Vec<IpAddr>>,
    /// The name servers that have nothing more to say, a bit each.
    done: u32,
}

impl Question {
    /// Whether one of these name servers may still answer.
    fn is_open(&self, servers: u32) -> bool {
        self.addresses.is_none() && self.done & servers != servers
    }
}

/// The resolver of one name, in all that it may stand for.
struct Resolver {
    servers: Vec<Server>,
    questions: Vec<Question>,
    /// The reason for no address: that of the last name server that could not tell.
    failure: Unhealthy,
}

/// Asks all name servers at once for everything that the name may stand for,
/// and again each second. The first candidate that has addresses wins, as in
/// the C library; those before it are waited for in the first half of the time,
/// so that one name server's silence does not take all of it.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
fn ask_all(name: &[u8], conf: &Conf, deadline: &Deadline) -> Result<Vec<IpAddr>, Unhealthy> {
    let mut resolver = Resolver::new(name, conf);
    let all = (1 << resolver.servers.len()) - 1;
    let first_half = Deadline::after(deadline.left().unwrap_or_default() / 2);
    let mut next_round = Deadline::after(Duration::ZERO);
    loop {
        let (until, awaited) = if first_half.left().is_some() { (first_half, all) } else { (*deadline, 0) };
        if let Some(addresses) = first_answered(&resolver.questions, awaited) {
            return Ok(addresses);
        }
        if !resolver.questions.iter().any(|question| question.is_open(all)) {
            let is_denied = resolver.questions.iter().all(|question| question.addresses.is_some());
            return Err(if is_denied { Unhealthy::HostNotFound } else { resolver.failure });
        }
        if deadline.left().is_none() {
            return Err(Unhealthy::TimedOut(Phase::Resolve));
        }
        let asks = next_round.left().is_none();
        if asks {
            next_round = Deadline::after(PAUSE);
        }
        let servers = resolver.servers.len();
        for index in 0..servers {
            if conf.use_vc {
                // As if it had answered that the answer is too long for UDP.
                resolver.accept(index, &|_| Some(Answer::Truncated), &until.share(servers - index));
                continue;
            }
            let turn = if all > 1 { Deadline::after(TURN) } else { next_round.min(until) };
            let mut asks = asks;
            // One of several may have sent answers to many questions.
            while resolver.exchange(index, asks, &turn, &until) && all > 1 {
                asks = false;
            }
        }
    }
}

impl Resolver {
    /// Opens the sockets and writes the questions.
    fn new(name: &[u8], conf: &Conf) -> Resolver {
        let mut resolver =
            Resolver { servers: Vec::new(), questions: Vec::new(), failure: Unhealthy::HostNotFound };
        for server in conf.servers() {
            let address = sys::inet(*server);
            match Connection::open(DATAGRAM, &address, PAUSE) {
                Ok(connection) => resolver.servers.push(Server { address, connection }),
                Err(errno) => resolver.failure = Unhealthy::Os(Phase::Resolve, errno),
            }
        }
        // Random, as the port is that the kernel chooses (RFC 5452, 9.2).
        conf.questions(name, sys::random() as u16, &mut |message| {
            resolver.questions.push(Question { message, addresses: None, done: 0 });
        });
        resolver
    }

    /// Sends a name server every question that it may still answer, if it is time to, and listens for its `turn`.
    /// Returns whether it sent something and may send more.
    fn exchange(&mut self, index: usize, asks: bool, turn: &Deadline, until: &Deadline) -> bool {
        let connection = &mut self.servers[index].connection;
        let mut open = self.questions.iter().filter(|question| asks && question.is_open(1 << index));
        let asked = open.try_for_each(|question| connection.send(&question.message, until));
        let mut message = Vec::new();
        match asked.and_then(|()| connection.receive(&mut message, turn)) {
            Ok(_) => {
                self.accept(index, &|question| dns::answer(&message, question), until);
                return self.questions.iter().any(|question| question.is_open(1 << index));
            }
            // Nobody listens there, or no route leads there.
            Err(Unhealthy::Os(_, errno)) => {
                self.failure = Unhealthy::Os(Phase::Resolve, errno);
                self.questions.iter_mut().for_each(|question| question.done |= 1 << index);
            }
            Err(_) => {}
        }
        false
    }

    /// Gives a name server's answer to each open question that it answers. A truncated one is asked for again over
    /// TCP (RFC 7766).
    // A stack frame of its own, see `probe::attempt`.
    #[inline(never)]
    fn accept(&mut self, index: usize, answer: &dyn Fn(&[u8]) -> Option<Answer>, until: &Deadline) {
        for question in self.questions.iter_mut().filter(|question| question.is_open(1 << index)) {
            let mut answer = answer(&question.message);
            if answer == Some(Answer::Truncated) {
                answer = ask_over_tcp(&self.servers[index].address, &question.message, until)
                    .or_else(|| until.left().map(|_| Answer::Failure));
            }
            match answer {
                None => {}
                Some(Answer::Addresses(addresses)) => question.addresses = Some(addresses),
                Some(_) => {
                    question.done |= 1 << index;
                    self.failure = Unhealthy::NameServerFailed;
                }
            }
        }
    }
}

/// The addresses of the first candidate that has any, once no candidate before it, nor its other
/// family, can still be answered by `servers`.
fn first_answered(questions: &[Question], servers: u32) -> Option<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for families in questions.chunks(2) {
        for question in families {
            if question.is_open(servers) {
                return None;
            }
            addresses.extend_from_slice(question.addresses.as_deref().unwrap_or_default());
        }
        if !addresses.is_empty() {
            return Some(addresses);
        }
    }
    None
}

/// Asks over TCP, where each way a message follows its length (RFC 1035, 4.2.2). `None` if something goes wrong.
fn ask_over_tcp(server: &Address, question: &[u8], until: &Deadline) -> Option<Answer> {
    let mut connection = Connection::open(STREAM, server, until.socket_timeout(1)?).ok()?;
    connection.send(&[&(question.len() as u16).to_be_bytes(), question].concat(), until).ok()?;
    let mut received = Vec::new();
    loop {
        if let Some((length, message)) = received.split_first_chunk()
            && let Some(message) = message.get(..u16::from_be_bytes(*length).into())
        {
            return dns::answer(message, question);
        }
        if connection.receive(&mut received, until).ok()? == 0 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errno::{ECONNREFUSED, Errno};
    use std::io::Read;
    use std::net::{Ipv4Addr, UdpSocket};
    use std::thread;
    use std::time::Instant;

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
        let mut conf = Conf { search: b"search a b".to_vec(), ..Conf::default() };
        for (count, reply) in replies {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            conf.name_servers.push(socket.local_addr().expect("an address"));
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

    fn asked(conf: &Conf, timeout: Duration) -> Result<Vec<IpAddr>, Unhealthy> {
        ask_all(b"x", conf, &Deadline::after(timeout))
    }

    fn failure(conf: &Conf, timeout: Duration) -> Unhealthy {
        asked(conf, timeout).expect_err("no addresses")
    }

    /// A link-local address without its zone.
    const EINVAL: Errno = Errno(22);

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
    fn the_first_candidate_wins_though_its_answer_comes_last() {
        /// 10.0.0.1 in the first domain, and late; in the others another address.
        fn late_in_domain_a(question: &[u8]) -> Option<Vec<u8>> {
            let mut message = answers(question)?;
            if &question[12..17] == b"\x01x\x01a\0" {
                thread::sleep(Duration::from_millis(200));
            } else if let Some(last) = message.last_mut() {
                *last = 9;
            }
            Some(message)
        }
        // One knows the first domain, the other one the rest, so that no answer waits for another.
        fn in_domain_a(question: &[u8]) -> Option<Vec<u8>> {
            late_in_domain_a(question).filter(|_| &question[12..17] == b"\x01x\x01a\0")
        }
        fn elsewhere(question: &[u8]) -> Option<Vec<u8>> {
            if &question[12..17] == b"\x01x\x01a\0" { None } else { late_in_domain_a(question) }
        }
        let conf = servers(&[(99, in_domain_a), (99, elsewhere)]);
        assert_eq!(asked(&conf, LONG).expect("found"), FOUND);
    }

    #[test]
    fn a_stall_while_asking_leaves_no_question_unsent() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        server.set_read_timeout(Some(LONG)).expect("set");
        let conf = Conf { name_servers: vec![server.local_addr().expect("an address")], ..Conf::default() };
        let turn_is_over = Deadline::after(Duration::ZERO);
        Resolver::new(b"x", &conf).exchange(0, true, &turn_is_over, &Deadline::after(LONG));
        for _ in [dns::A, dns::AAAA] {
            server.recv(&mut [0; 512]).expect("a question");
        }
    }

    #[test]
    fn answers_do_not_wait_for_the_turns_of_silent_name_servers() {
        let mut conf = servers(&[(999, silent), (999, silent), (999, nothing)]);
        conf.search = [b"search".to_vec(), b" a".repeat(100)].concat();
        let begin = Instant::now();
        // Each of 202 answers took two turns of 4 ms, or of twice that where the kernel's ticks are long.
        assert!(matches!(asked(&conf, LONG), Err(Unhealthy::HostNotFound)));
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    }

    #[test]
    fn the_identifiers_of_questions_are_hard_to_guess() {
        use std::sync::Mutex;
        static ASKED: Mutex<Vec<u16>> = Mutex::new(Vec::new());
        fn remembers(question: &[u8]) -> Option<Vec<u8>> {
            ASKED.lock().expect("a list").push(u16::from_be_bytes([question[0], question[1]]));
            answers(question)
        }
        let conf = servers(&[(999, remembers)]);
        (0..20).for_each(|_| assert_eq!(asked(&conf, LONG).expect("found"), FOUND));
        let mut ids = ASKED.lock().expect("a list");
        ids.sort();
        // Twenty random ones lie within a quarter of all once in 10 million million times.
        assert!(ids[ids.len() - 1] - ids[0] > u16::MAX / 4, "{ids:?}");
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
            assert_eq!(asked(&servers(&[(99, reply)]), Duration::from_secs(2)).expect("found"), FOUND);
        }
    }

    #[test]
    fn a_failure_is_reported_where_nothing_was_found() {
        fn fails_in_a(question: &[u8]) -> Option<Vec<u8>> {
            if &question[12..17] == b"\x01x\x01a\0" { fails(question) } else { nothing(question) }
        }
        assert_eq!(failure(&servers(&[(9, fails_in_a)]), LONG), Unhealthy::NameServerFailed);
    }

    /// A name server whose UDP answers are what `reply` makes of questions, and which knows everything over TCP.
    fn server_with_tcp(reply: Reply) -> Conf {
        // The same port for both: chosen by one, and free for the other but for bad luck.
        let (listener, socket) = (0..100)
            .find_map(|_| {
                let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
                let socket = UdpSocket::bind(listener.local_addr().expect("an address")).ok()?;
                Some((listener, socket))
            })
            .expect("a port");
        let conf = Conf { name_servers: vec![socket.local_addr().expect("an address")], ..Conf::default() };
        serve(socket, 9, reply);
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
        conf
    }

    #[test]
    fn a_truncated_answer_is_asked_for_again_over_tcp() {
        fn truncated(question: &[u8]) -> Option<Vec<u8>> {
            let mut message = question.to_vec();
            message[2..4].copy_from_slice(&[0x83, 0x80]);
            Some(message)
        }
        assert_eq!(asked(&server_with_tcp(truncated), LONG).expect("found"), FOUND);
    }

    #[test]
    fn use_vc_asks_over_tcp_from_the_start() {
        // Over UDP the name would not exist.
        let mut conf = Conf { use_vc: true, ..server_with_tcp(nothing) };
        assert_eq!(asked(&conf, LONG).expect("found"), FOUND);
        // One whose backlog takes the connection, and nobody, are before it.
        let silent = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        conf.name_servers.insert(0, silent.local_addr().expect("an address"));
        conf.name_servers.insert(0, "127.0.0.99:53".parse().expect("an address"));
        assert_eq!(asked(&conf, Duration::from_secs(2)).expect("found"), FOUND);
        conf.name_servers.truncate(2);
        let timed_out = Unhealthy::TimedOut(Phase::Resolve);
        assert_eq!(failure(&conf, Duration::from_millis(400)), timed_out);
        conf.name_servers.truncate(1);
        assert_eq!(failure(&conf, LONG), Unhealthy::NameServerFailed);
    }

    #[test]
    fn a_silent_name_server_is_a_timeout_in_the_resolve_phase() {
        let timeout = Duration::from_millis(200);
        assert_eq!(failure(&servers(&[(99, silent)]), timeout), Unhealthy::TimedOut(Phase::Resolve));
    }

    #[test]
    fn failures_have_their_words() {
        let conf = |server: &str| Conf {
            name_servers: vec![server.parse().expect("an address")],
            ..Conf::default()
        };
        let nobody_there = conf("127.0.0.99:53");
        let of_no_zone = conf("[fe80::1]:53");
        for (conf, why) in [
            (servers(&[(9, fails)]), Unhealthy::NameServerFailed),
            (servers(&[(9, refuses)]), Unhealthy::NameServerFailed),
            (servers(&[(9, nothing)]), Unhealthy::HostNotFound),
            (nobody_there, Unhealthy::Os(Phase::Resolve, ECONNREFUSED)),
            (of_no_zone, Unhealthy::Os(Phase::Resolve, EINVAL)),
        ] {
            assert_eq!(failure(&conf, LONG), why);
        }
    }
}
