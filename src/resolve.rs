//! From a name to its addresses: /etc/hosts, then the name servers of
//! /etc/resolv.conf, all within the deadline.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::dns::{self, Answer, Conf};
use crate::text::words;
use crate::verdict::{Failure, Phase, Unhealthy, fail, failed, timed_out};

/// How much of a configuration file is read; stops a file without end.
const FILE_MAX: usize = 256 * 1024;

/// How often each name server is asked.
const ATTEMPTS: usize = 2;

/// The longest wait for one name server (resolv.conf(5), `timeout`).
const ATTEMPT_MAX: Duration = Duration::from_secs(5);

/// All addresses of `name`, at least one.
pub fn resolve(name: &[u8], deadline: &Deadline) -> Result<Vec<IpAddr>, Failure> {
    let addresses = dns::hosts(&read("/etc/hosts"), name);
    if !addresses.is_empty() {
        return Ok(addresses);
    }
    look_up(name, &dns::conf(&read("/etc/resolv.conf")), deadline)
}

/// The start of the file; nothing where there is none, as in an empty image.
fn read(path: &str) -> Vec<u8> {
    let mut text = Vec::new();
    let mut piece = [0; 1024];
    if let Ok(mut file) = File::open(path) {
        while let Ok(count @ 1..) = file.read(&mut piece)
            && text.len() < FILE_MAX
        {
            text.extend_from_slice(&piece[..count]);
        }
    }
    text
}

/// Asks for the name in each search domain, if it is a short one, and then for
/// itself, until there are addresses.
fn look_up(name: &[u8], conf: &Conf, deadline: &Deadline) -> Result<Vec<IpAddr>, Failure> {
    let mut domains = words(if dns::is_short(name, conf) { conf.search } else { b"" });
    loop {
        let domain = domains.next();
        let candidate = match domain {
            Some(domain) => &[name, b".", domain].concat(),
            None => name,
        };
        let addresses = ask_any(candidate, conf, deadline)?;
        if !addresses.is_empty() {
            return Ok(addresses);
        }
        if domain.is_none() {
            return Err(fail(Unhealthy::NoSuchName));
        }
    }
}

/// Asks one name server after the other, and all of them again, until one answers.
/// Each attempt has an equal share of the time that is left.
fn ask_any(name: &[u8], conf: &Conf, deadline: &Deadline) -> Result<Vec<IpAddr>, Failure> {
    // The kernel chooses a random port, and a connected socket hears only its
    // peer, so the identifier need not be a secret (RFC 5452, 9).
    let id = deadline.left().unwrap_or_default().subsec_nanos() as u16;
    let Some(questions) = dns::questions(name, id) else {
        return Ok(Vec::new());
    };
    let mut failure = fail(Unhealthy::NoNameServer);
    let attempts = conf.name_servers.len() * ATTEMPTS;
    for (tried, server) in conf.name_servers.iter().cycle().take(attempts).enumerate() {
        let Some(share) = deadline.share(attempts - tried) else { break };
        let share = share.min(ATTEMPT_MAX);
        match ask(SocketAddr::new(*server, conf.port), &questions, &Deadline::after(share)) {
            Ok(Some(addresses)) => return Ok(addresses),
            Ok(None) => {}
            Err(error) => {
                if let Unhealthy::Failed(_, kind, number) = *error {
                    failure = fail(Unhealthy::Failed(Phase::Resolve, kind, number));
                }
            }
        }
    }
    match deadline.left() {
        Some(_) => Err(failure),
        None => Err(timed_out(Phase::Resolve, deadline)),
    }
}

fn connect(server: SocketAddr) -> io::Result<Connection> {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(server)?;
    Ok(Connection::new(socket))
}

/// Asks one name server both questions at the same time; `None` if it does not
/// answer until `share` ends, or cannot tell. Addresses of one kind are
/// enough: some servers do not answer for the other.
fn ask(
    server: SocketAddr,
    questions: &[Vec<u8>; 2],
    share: &Deadline,
) -> Result<Option<Vec<IpAddr>>, Failure> {
    let mut server = connect(server).map_err(|error| failed(Phase::Resolve, &error))?;
    for question in questions {
        server.send(question, share)?;
    }
    let mut answers = [None, None];
    while answers.iter().any(Option::is_none) {
        let message = match server.receive(share) {
            Ok(message) => message,
            Err(failure) if matches!(*failure, Unhealthy::TimedOut(..)) => break,
            Err(failure) => return Err(failure),
        };
        for (answer, question) in answers.iter_mut().zip(questions) {
            *answer = dns::answer(message, question).or(answer.take());
        }
    }
    let mut addresses = Vec::new();
    let mut whole = true;
    for answer in answers {
        match answer {
            Some(Answer::Addresses(more)) => addresses.extend(more),
            _ => whole = false,
        }
    }
    Ok(Some(addresses).filter(|addresses| whole || !addresses.is_empty()))
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

    /// Name servers on loopback, one address for each of `replies`, and the
    /// same free port.
    fn servers(replies: &[(usize, Reply)]) -> Conf<'static> {
        let addresses = (1..).map(|last| IpAddr::from([127, 0, 0, last]));
        loop {
            let mut conf = Conf { name_servers: Vec::new(), port: 0, search: b"a b", ndots: 1 };
            let mut sockets = Vec::new();
            for (address, _) in addresses.clone().zip(replies) {
                // Another test may have taken the port in between.
                let Ok(socket) = UdpSocket::bind((address, conf.port)) else { break };
                conf.port = socket.local_addr().expect("an address").port();
                conf.name_servers.push(address);
                sockets.push(socket);
            }
            if sockets.len() == replies.len() {
                sockets
                    .into_iter()
                    .zip(replies)
                    .for_each(|(socket, (count, reply))| serve(socket, *count, *reply));
                return conf;
            }
        }
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

    #[test]
    fn the_first_search_domain_that_has_the_name_wins() {
        assert_eq!(asked(&servers(&[(4, knows_one_name)]), LONG).expect("found"), FOUND);
    }

    #[test]
    fn a_silent_and_a_failing_name_server_do_not_hide_a_live_one() {
        let conf = servers(&[(9, silent), (9, fails), (2, answers)]);
        assert_eq!(asked(&conf, Duration::from_secs(2)).expect("found"), FOUND);
    }

    #[test]
    fn addresses_of_one_kind_are_enough() {
        assert_eq!(asked(&servers(&[(2, answers_only_a)]), Duration::from_secs(1)).expect("found"), FOUND);
    }

    #[test]
    fn a_question_that_was_lost_is_asked_again() {
        fn deaf_at_first(question: &[u8]) -> Option<Vec<u8>> {
            use std::sync::atomic::{AtomicUsize, Ordering};
            static ASKED: AtomicUsize = AtomicUsize::new(0);
            answers(question).filter(|_| ASKED.fetch_add(1, Ordering::Relaxed) >= 2)
        }
        assert_eq!(asked(&servers(&[(4, deaf_at_first)]), Duration::from_secs(1)).expect("found"), FOUND);
    }

    #[test]
    fn a_silent_name_server_is_a_timeout_in_the_resolve_phase() {
        let timeout = Duration::from_millis(200);
        assert_eq!(failure(&servers(&[(9, silent)]), timeout), "resolve: timed out after 200ms");
    }

    #[test]
    fn failures_have_their_words() {
        let mut nobody_there = servers(&[(0, silent)]);
        nobody_there.name_servers = vec![IpAddr::from([127, 0, 0, 2])];
        for (conf, words) in [
            (servers(&[(9, fails)]), "resolve: the name servers do not answer, or cannot tell"),
            (nobody_there, "resolve: connection refused"),
        ] {
            assert_eq!(failure(&conf, LONG), words);
        }
    }

    #[test]
    fn a_name_that_nobody_has() {
        fn nothing(question: &[u8]) -> Option<Vec<u8>> {
            let mut message = question.to_vec();
            message[2..4].copy_from_slice(&[0x81, 0x83]);
            Some(message)
        }
        assert_eq!(failure(&servers(&[(6, nothing)]), LONG), "resolve: no such name");
    }
}
