//! One target, one attempt.

use crate::errno::ECONNREFUSED;
use crate::failure::{Phase, Unhealthy};
use crate::input::config::Options;
use crate::input::status;
use crate::input::target::{Check, Grpc, Http, Target};
use crate::net::connection::Connection;
use crate::net::deadline::Deadline;
use crate::net::dial;
use crate::print::{SHOWN, push, push_answer, push_escaped, push_number, push_quoted};
use crate::text::{Search, contains};
use crate::wire::grpc::{self, Answer};
use crate::wire::progress::Progress;
use crate::wire::request::{method, request};
use crate::wire::response::{BODY_MAX, NOT_HTTP, Response};
use crate::wire::tls::{ServerHello, client_hello};

/// Checks `target` once, within `deadline`. Appends to `detail` what is known of the server's
/// answer and, if another one was expected, which.
// Not inlined, nor are the functions that refer here: in one frame of several KB each access
// to the stack takes three more bytes of code, some 1,200 in all.
#[inline(never)]
pub fn attempt(
    target: &Target,
    options: &Options,
    deadline: &Deadline,
    detail: &mut Vec<u8>,
) -> Result<(), Unhealthy> {
    let endpoint = match options.unix_socket_for(target) {
        Some(unix_socket) => &unix_socket.endpoint,
        None => &target.endpoint,
    };
    let connection = dial::connect(endpoint, deadline)?;
    let mut attempt = Attempt { connection, options, deadline, received: Vec::new() };
    let outcome = match &target.check {
        Check::Http(http) => attempt.http(http, detail),
        // Any connection may do here, so this is asked first.
        Check::Stream if attempt.connection.is_to_itself() => Err(REFUSED),
        Check::Stream => attempt.stream(detail),
        Check::Grpc(grpc) => attempt.grpc(grpc, detail),
        Check::Tls(server_name) => attempt.tls(server_name.as_deref(), detail),
    };
    if outcome.is_err() && attempt.connection.is_to_itself() {
        detail.clear();
        return Err(REFUSED);
    }
    if let Err(Unhealthy::Foreign(problem, at)) = outcome {
        push_foreign(detail, problem, &attempt.received[at..]);
    }
    outcome
}

/// Nobody listens, though a connection to itself was made.
const REFUSED: Unhealthy = Unhealthy::Os(Phase::Connect, ECONNREFUSED);

/// The server hung up at once.
const NOTHING: Unhealthy = Unhealthy::Incomplete("connection closed without a response");
const NOTHING_TO_HTTP_1_0: Unhealthy =
    Unhealthy::Incomplete("connection closed without a response, try --http1.1");

/// An open connection, and the check that it is for.
struct Attempt<'a> {
    connection: Connection,
    options: &'a Options,
    deadline: &'a Deadline,
    /// All that has been received.
    received: Vec<u8>,
}

/// Reads on in everything that has been received.
type Parser<'a> = &'a mut dyn FnMut(&mut [u8]) -> Result<Progress, Unhealthy>;

impl Attempt<'_> {
    /// Sends `bytes`, and receives until `parse` says that the answer is complete, or the stream ends.
    fn exchange(&mut self, bytes: &[u8], parse: Parser) -> Result<(), Unhealthy> {
        self.connection.send(bytes, self.deadline)?;
        loop {
            let count = self.connection.receive(&mut self.received, self.deadline)?;
            match parse(&mut self.received)? {
                Progress::Complete => return Ok(()),
                Progress::Partial(_) if count > 0 => {}
                Progress::Partial(_) if self.received.is_empty() => return Err(NOTHING),
                Progress::Partial(problem) => return Err(Unhealthy::Incomplete(problem)),
            }
        }
    }

    /// Sends the request and reads the whole response: a server whose client hangs up in
    /// mid-write logs an error at every check.
    // A stack frame of its own, see `attempt`.
    #[inline(never)]
    fn http(&mut self, http: &Http, detail: &mut Vec<u8>) -> Result<(), Unhealthy> {
        let options = self.options;
        let request = request(http, options);
        let mut response = Response::to(method(options));
        let mut outcome = self.exchange(&request, &mut |received| response.read(received));
        if response.ends_with_stream() && matches!(outcome, Err(Unhealthy::Incomplete(_))) {
            outcome = Ok(());
        }
        if !response.has_header() {
            return match outcome {
                Err(NOTHING) if !options.http11 => Err(NOTHING_TO_HTTP_1_0),
                outcome => outcome,
            };
        }
        // An unwanted status says more than a failure later, in the body.
        judge_status(options, response.status, response.reason(&self.received), detail)?;
        outcome?;
        let content = response.content(&self.received);
        match options.expect.iter().find(|expect| !contains(content, &expect.text)) {
            None => Ok(()),
            Some(missing) => {
                push(detail, ", got ");
                push_answer(detail, content, &request);
                push(detail, ", expected ");
                push_quoted(detail, &missing.raw);
                push(detail, " in the body");
                Err(Unhealthy::WrongAnswer)
            }
        }
    }

    /// Sends the data, if there is any, and waits for the expected reply, if one is expected.
    // A stack frame of its own, see `attempt`.
    #[inline(never)]
    fn stream(&mut self, detail: &mut Vec<u8>) -> Result<(), Unhealthy> {
        let data = self.options.data.as_deref().unwrap_or_default();
        let expect = &self.options.expect;
        if expect.is_empty() {
            self.connection.send(data, self.deadline)?;
            push(detail, "connected");
            return Ok(());
        }
        let mut searches: Vec<Search> = expect.iter().map(|expect| Search::new(&expect.text)).collect();
        let mut searched = 0;
        let outcome = self.exchange(data, &mut |received| {
            let piece = &received[searched..];
            searched = received.len();
            searches.retain_mut(|search| !search.has_found(piece));
            match searches.is_empty() {
                true => Ok(Progress::Complete),
                false if searched >= BODY_MAX => Err(Unhealthy::WrongAnswer),
                // Never printed: what came is shown instead, or that nothing did.
                false => Ok(Progress::Partial("")),
            }
        });
        let received = &self.received;
        let Err(failure) = outcome else {
            push(detail, "replied");
            return Ok(());
        };
        if received.is_empty() {
            return outcome;
        }
        match failure {
            Unhealthy::WrongAnswer | Unhealthy::Incomplete(_) => push(detail, "connected"),
            failure => failure.push(detail, self.deadline.timeout()),
        }
        push(detail, ", got ");
        push_answer(detail, received, data);
        push(detail, ", expected ");
        if let Some(missing) = expect.iter().find(|expect| !contains(received, &expect.text)) {
            push_quoted(detail, &missing.raw);
        }
        Err(Unhealthy::WrongAnswer)
    }

    /// Asks for the health of a service.
    fn grpc(&mut self, grpc: &Grpc, detail: &mut Vec<u8>) -> Result<(), Unhealthy> {
        let mut answer = Answer::default();
        self.exchange(&grpc::request(&grpc.authority, &grpc.service), &mut |received| answer.read(received))?;
        push(detail, "SERVING");
        Ok(())
    }

    /// Sends a ClientHello and reads the ServerHello, and no more: the rest is encrypted.
    fn tls(&mut self, server_name: Option<&[u8]>, detail: &mut Vec<u8>) -> Result<(), Unhealthy> {
        let mut hello = ServerHello::default();
        self.exchange(&client_hello(server_name), &mut |received| hello.read(received))?;
        push(detail, "ServerHello");
        Ok(())
    }
}

/// Appends what came in place of a protocol's answer.
fn push_foreign(detail: &mut Vec<u8>, problem: &str, foreign: &[u8]) {
    push(detail, problem);
    push(detail, ": ");
    match foreign {
        // A record of a TLS alert or handshake (RFC 8446, 5.1).
        [21 | 22, 3, ..] if problem == NOT_HTTP => push(detail, "TLS, try tls://host:port"),
        // A SETTINGS frame of the connection (RFC 9113, 3.4 and 6.5).
        [0, _, _, 4, 0, 0, 0, 0, 0, ..] if problem == NOT_HTTP => {
            push(detail, "HTTP/2, try grpc://host:port")
        }
        foreign => push_quoted(detail, foreign),
    }
}

/// Whether a status is accepted; appends it, and which ones are expected if it is not.
fn judge_status(
    options: &Options,
    status: u16,
    reason: &[u8],
    detail: &mut Vec<u8>,
) -> Result<(), Unhealthy> {
    push_number(detail, status.into());
    if !reason.is_empty() {
        push(detail, " ");
        push_escaped(detail, reason, SHOWN);
    }
    let (accepted, raw) = match &options.status {
        Some(list) => (&list.text[..], &list.raw[..]),
        None => (status::DEFAULT, status::DEFAULT),
    };
    if status::accepts(accepted, status) {
        return Ok(());
    }
    push(detail, ", expected ");
    push_escaped(detail, raw, SHOWN);
    // Upgrade Required, HTTP Version Not Supported: the answers of servers that refuse HTTP/1.0.
    if matches!(status, 426 | 505) && !options.http11 {
        push(detail, ", try --http1.1");
    }
    Err(Unhealthy::WrongAnswer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errno::ENOENT;
    use crate::input::expand::expand;
    use crate::sys::{self, DATAGRAM, STREAM};
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
                let address = sys::inet(server.local_addr().expect("an address"));
                let timeout = Duration::from_secs(20);
                let connection = Connection::open(DATAGRAM, &address, timeout).expect("connected");
                let expect = expand(expect, &|_| Err(ENOENT)).expect("no variable");
                let options =
                    Options { data: Some(b"PING".to_vec()), expect: vec![expect], ..Options::default() };
                let pieces = std::thread::spawn(move || {
                    let (_, client) = server.recv_from(&mut [0; 9]).expect("the data");
                    for piece in [&SENT[..cut], &SENT[cut..], b""] {
                        // Once the text is found, nothing more is read.
                        let _ = server.send_to(piece, client);
                    }
                });
                let mut detail = Vec::new();
                let mut attempt = Attempt {
                    connection,
                    options: &options,
                    deadline: &Deadline::after(timeout),
                    received: Vec::new(),
                };
                let outcome = attempt.stream(&mut detail);
                pieces.join().expect("sent");
                assert_eq!(outcome.is_ok(), found, "cut at {cut}: {}", String::from_utf8_lossy(&detail));
            }
        }
    }

    #[test]
    fn nothing_is_said_of_a_server_that_is_gone_before_the_data_is_sent() {
        let path = std::env::temp_dir().join(format!("probe-gone-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket");
        let address = sys::unix(path.as_os_str().as_encoded_bytes());
        let connection = Connection::open(STREAM, &address, Duration::from_secs(20)).expect("connected");
        drop(listener);
        std::fs::remove_file(path).expect("removed");
        let options = Options { data: Some(b"PING\r\n".to_vec()), ..Options::default() };
        let deadline = &Deadline::after(Duration::from_secs(20));
        let mut detail = Vec::new();
        let outcome =
            Attempt { connection, options: &options, deadline, received: Vec::new() }.stream(&mut detail);
        assert!(matches!(outcome, Err(Unhealthy::Os(Phase::Send, _))), "{outcome:?}");
        assert_eq!(detail, b"");
    }
}
