//! One target, one attempt.

use crate::config::Options;
use crate::connection::{BUFFER, Connection};
use crate::deadline::Deadline;
use crate::dial;
use crate::errno::{ECONNREFUSED, ENOMEM};
use crate::print::{SHOWN, push, push_escaped, push_number, push_quoted};
use crate::request::{method, request};
use crate::response::{self, BODY_MAX};
use crate::status;
use crate::target::{Check, Http, Target};
use crate::text::contains;
use crate::tls;
use crate::verdict::{Phase, Unhealthy};

/// Checks `target` once, until `deadline` at the latest. Appends to `said` what
/// it answered and, where that is not what was wanted, what was.
// Not inlined, as seven others are not that say so: in one stack frame of several KB
// each access takes three bytes more, 1,184 in all.
#[inline(never)]
pub fn attempt(
    target: &Target,
    options: &Options,
    deadline: &Deadline,
    said: &mut Vec<u8>,
) -> Result<(), Unhealthy> {
    let endpoint = match (&target.check, &options.unix_socket) {
        (Check::Http(_), Some(unix_socket)) => unix_socket,
        _ => &target.endpoint,
    };
    let connection = dial::connect(endpoint, deadline)?;
    let mut talk = Talk { connection, options, deadline };
    match &target.check {
        Check::Http(http) => talk.ask(http, said),
        _ if talk.connection.is_to_itself() => Err(Unhealthy::Failed(Phase::Connect, ECONNREFUSED)),
        Check::Stream => talk.converse(said),
        Check::Tls(server_name) => talk.greet(server_name.as_deref(), said),
    }
}

/// Makes room for so many bytes more. An answer is the one thing here that a server can make
/// large, so what std does where there is no memory, to end the process, will not do for it.
fn reserve(bytes: &mut Vec<u8>, count: usize) -> Result<(), Unhealthy> {
    bytes.try_reserve(count).or(Err(Unhealthy::Failed(Phase::Receive, ENOMEM)))
}

/// A connection to a server, and what it is to be asked.
struct Talk<'a> {
    connection: Connection,
    options: &'a Options,
    deadline: &'a Deadline,
}

/// Reads all that has been received, and is told whether the stream has ended.
type Read<'a> = &'a mut dyn FnMut(&[u8], bool) -> Result<(), Unhealthy>;

impl Talk<'_> {
    /// Sends a request and receives until `read` has a whole answer or sees that none will come.
    fn exchange(&mut self, request: &[u8], received: &mut Vec<u8>, read: Read) -> Result<(), Unhealthy> {
        self.connection.send(request, self.deadline)?;
        let mut buffer = [0; BUFFER];
        loop {
            let piece = self.connection.receive(&mut buffer, self.deadline)?;
            reserve(received, piece.len())?;
            received.extend_from_slice(piece);
            match read(received, piece.is_empty()) {
                Err(Unhealthy::CutOff(_)) if !piece.is_empty() => {}
                Err(Unhealthy::CutOff(_)) if received.is_empty() => {
                    return Err(Unhealthy::CutOff("connection closed without an answer"));
                }
                outcome => return outcome,
            }
        }
    }

    /// Sends the request and reads the whole response, and not only its status: a
    /// server that is hung up on while it writes logs an error at every check.
    // A stack frame of its own, see `attempt`.
    #[inline(never)]
    fn ask(&mut self, http: &Http, said: &mut Vec<u8>) -> Result<(), Unhealthy> {
        let options = self.options;
        let to_head = method(options) == b"HEAD";
        let mut received = Vec::new();
        let outcome = self.exchange(&request(http, options), &mut received, &mut |received, ended| {
            response::read(received, said)?.content(to_head, ended, &mut |_| {})
        });
        let (accepted, written) = match &options.status {
            Some(status) => (&status.text[..], &status.written[..]),
            None => (status::DEFAULT, status::DEFAULT),
        };
        let Ok(response) = response::read(&received, &mut Vec::new()) else { return outcome };
        let is_accepted = status::accepts(accepted, response.status) == Some(true);
        if is_accepted && outcome.is_err() {
            return outcome;
        }
        let mut content = Vec::new();
        if options.expect.is_some() {
            reserve(&mut content, received.len())?;
            let _ = response.content(to_head, true, &mut |piece| content.extend_from_slice(piece));
        }
        // An unwanted status says more than what then went wrong with its body.
        push_number(said, response.status.into());
        if !response.reason.is_empty() {
            push(said, " ");
        }
        push_escaped(said, response.reason, SHOWN);
        if !is_accepted {
            push(said, ", want ");
            push_escaped(said, written, SHOWN);
            return Err(Unhealthy::Answer);
        }
        if let Some(expect) = &options.expect
            && !contains(&content, &expect.text)
        {
            push(said, ", want ");
            push_quoted(said, &expect.written);
            push(said, " in the body");
            return Err(Unhealthy::Answer);
        }
        Ok(())
    }

    /// Sends the data, if there is any, and waits for the expected reply, if one is.
    fn converse(&mut self, said: &mut Vec<u8>) -> Result<(), Unhealthy> {
        let data = self.options.data.as_deref().unwrap_or_default();
        let Some(expect) = self.options.expect.as_ref().filter(|expect| !expect.text.is_empty()) else {
            self.connection.send(data, self.deadline)?;
            push(said, "connected");
            return Ok(());
        };
        let mut received = Vec::new();
        let mut searched = 0;
        let outcome = self.exchange(data, &mut received, &mut |received, ended| {
            let start = usize::saturating_sub(searched, expect.text.len());
            searched = received.len();
            match contains(&received[start..], &expect.text) {
                true => Ok(()),
                false if ended || searched >= BODY_MAX => Err(Unhealthy::Answer),
                false => Err(Unhealthy::CutOff("connection closed before the reply")),
            }
        });
        match outcome {
            Ok(()) => {
                push(said, "replied");
                return outcome;
            }
            Err(Unhealthy::Answer) => push(said, "connected"),
            Err(_) if received.is_empty() => return outcome,
            Err(_) => {}
        }
        push(said, ", got ");
        push_quoted(said, &received);
        push(said, ", want ");
        push_quoted(said, &expect.written);
        outcome
    }

    /// Sends a ClientHello and reads the ServerHello, and no more: what follows is
    /// encrypted.
    fn greet(&mut self, server_name: Option<&[u8]>, said: &mut Vec<u8>) -> Result<(), Unhealthy> {
        let hello = tls::client_hello(server_name);
        self.exchange(&hello, &mut Vec::new(), &mut |received, _| tls::read(received, said))?;
        push(said, "ServerHello");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expand::expand;
    use crate::socket::{self, DATAGRAM, STREAM};
    use std::net::UdpSocket;
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    /// Each datagram is one piece for the reader, and an empty one the end of the stream.
    #[test]
    fn a_reply_is_found_wherever_it_is_cut() {
        const SENT: &[u8] = b"aabaabaaab";
        for (expect, found) in [(&b"aabaaab"[..], true), (SENT, true), (b"b", true), (b"aabb", false)] {
            for cut in 1..SENT.len() {
                let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
                let address = socket::inet(server.local_addr().expect("an address"));
                let timeout = Duration::from_secs(20);
                let connection = Connection::open(DATAGRAM, &address, timeout).expect("connected");
                let expect = expand(expect, &|_| None).expect("no variable");
                let options =
                    Options { data: Some(b"PING".to_vec()), expect: Some(expect), ..Options::default() };
                let pieces = std::thread::spawn(move || {
                    let (_, client) = server.recv_from(&mut [0; 9]).expect("the data");
                    for piece in [&SENT[..cut], &SENT[cut..], b""] {
                        // What was found already is read no further.
                        let _ = server.send_to(piece, client);
                    }
                });
                let mut said = Vec::new();
                let mut talk = Talk { connection, options: &options, deadline: &Deadline::after(timeout) };
                let outcome = talk.converse(&mut said);
                pieces.join().expect("sent");
                assert_eq!(outcome.is_ok(), found, "cut at {cut}: {}", String::from_utf8_lossy(&said));
            }
        }
    }

    #[test]
    fn nothing_is_said_of_a_server_that_is_gone_before_the_data_is_sent() {
        let path = std::env::temp_dir().join(format!("probe-gone-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket");
        let address = socket::unix(path.as_os_str().as_encoded_bytes());
        let connection = Connection::open(STREAM, &address, Duration::from_secs(20)).expect("connected");
        drop(listener);
        std::fs::remove_file(path).expect("removed");
        let options = Options { data: Some(b"PING\r\n".to_vec()), ..Options::default() };
        let deadline = &Deadline::after(Duration::from_secs(20));
        let mut said = Vec::new();
        let outcome = Talk { connection, options: &options, deadline }.converse(&mut said);
        assert!(matches!(outcome, Err(Unhealthy::Failed(Phase::Send, _))), "{outcome:?}");
        assert_eq!(said, b"");
    }
}
