//! One target, one attempt.

use std::time::{Duration, SystemTime};

use crate::answer::Detail;
use crate::errno::{ECONNREFUSED, ECONNRESET, EPIPE};
use crate::failure::{Phase, Unhealthy};
use crate::file;
use crate::input::config::Config;
use crate::input::expand::Expanded;
use crate::input::status;
use crate::input::target::{Check, Endpoint, Http};
use crate::net::connection::Connection;
use crate::net::deadline::Deadline;
use crate::net::dial;
use crate::print::{SHOWN_MAX, push, push_age, push_escaped};
use crate::text::Search;
use crate::wire::grpc::{self, Reply};
use crate::wire::progress::Progress;
use crate::wire::request::{method, request};
use crate::wire::response::{BODY_MAX, Response};
use crate::wire::tls::{ServerHello, client_hello};

/// Checks the target of `detail` once, within `deadline`, and notes in it what is known of the server's
/// answer and, if another one was expected, which.
// Kept out of line, as are the functions that refer here: inlined into one frame of several KB, each
// access to the stack takes three more bytes of code.
#[inline(never)]
pub fn attempt(deadline: &Deadline, detail: &mut Detail) -> Result<(), Unhealthy> {
    let connection = match &detail.target.endpoint {
        Endpoint::Tcp(host, port) => dial::tcp(host, *port, deadline)?,
        Endpoint::Unix(path) => dial::unix(path, deadline)?,
        Endpoint::File(path) => return check_file(path, detail.config.max_age, &mut detail.words),
    };
    let mut attempt = Attempt { connection, deadline, received: Vec::new(), detail };
    let outcome = match &attempt.detail.target.check {
        Check::Http(http) => attempt.http(http),
        // A self-connection would pass, so test first.
        Check::Open if attempt.connection.is_self_connection() => Err(REFUSED),
        Check::Open => attempt.stream(),
        Check::Grpc { authority, service } => attempt.grpc(authority, service),
        Check::Tls(server_name) => attempt.tls(server_name.as_deref()),
    };
    if outcome.is_err() && attempt.connection.is_self_connection() {
        detail.words.clear();
        return Err(REFUSED);
    }
    if let Err(Unhealthy::Foreign(problem, at)) = outcome {
        attempt.detail.push_foreign(problem, &attempt.received[at as usize..]);
    }
    outcome
}

/// Opens a file, and compares its age.
fn check_file(path: &[u8], max_age: Option<Duration>, words: &mut Vec<u8>) -> Result<(), Unhealthy> {
    let modified = file::open(path).and_then(|file| Ok(file.metadata()?.modified()?));
    let modified = modified.map_err(|errno| Unhealthy::Os(Phase::File, errno))?;
    // After the clock was set back, a live worker's file is in the future until the worker touches it again.
    let (age, suffix) = match SystemTime::now().duration_since(modified) {
        Ok(age) => (age, " old"),
        Err(future) => (future.duration(), " in the future"),
    };
    let exceeded = max_age.filter(|max_age| age > *max_age);
    push_age(words, age, exceeded.is_some());
    push(words, suffix);
    let Some(max_age) = exceeded else { return Ok(()) };
    push(words, ", expected at most ");
    push_age(words, max_age, false);
    Err(Unhealthy::WrongAnswer)
}

/// A self-connection: nobody listens.
const REFUSED: Unhealthy = Unhealthy::Os(Phase::Connect, ECONNREFUSED);

/// The server hung up at once.
const NOTHING: Unhealthy = Unhealthy::Incomplete("connection closed without a response");
const NOTHING_TO_HTTP_1_0: Unhealthy =
    Unhealthy::Incomplete("connection closed without a response, try --http1.1");

/// An open connection, and the check that it is for.
struct Attempt<'a, 'b> {
    connection: Connection,
    deadline: &'b Deadline,
    /// All that has been received.
    received: Vec<u8>,
    detail: &'b mut Detail<'a>,
}

/// Continues with all that has been received.
type Parser<'a> = &'a mut dyn FnMut(&mut [u8]) -> Result<Progress, Unhealthy>;

impl Attempt<'_, '_> {
    /// Sends `bytes`, and receives until `parse` says that the answer is complete, or the stream ends. A complete
    /// answer is told as `words`.
    fn exchange(&mut self, bytes: &[u8], parse: Parser, words: &str) -> Result<(), Unhealthy> {
        let sent = self.connection.send(bytes, self.deadline);
        // What came before a reset can still be read: a server may answer before it has read all, and close.
        if !matches!(sent, Ok(()) | Err(Unhealthy::Os(_, ECONNRESET | EPIPE))) {
            return sent;
        }
        loop {
            let received = self.connection.receive(&mut self.received, self.deadline);
            let count = received.map_err(|failure| sent.err().unwrap_or(failure))?;
            match parse(&mut self.received)? {
                Progress::Complete => break,
                Progress::Partial(_) if count > 0 => {}
                Progress::Partial(_) if self.received.is_empty() => return sent.and(Err(NOTHING)),
                Progress::Partial(problem) => return Err(Unhealthy::Incomplete(problem)),
            }
        }
        self.detail.push(words);
        Ok(())
    }

    /// Sends the request and reads the whole response: a server whose client hangs up
    /// mid-write logs an error at every check.
    // A stack frame of its own, see `attempt`.
    #[inline(never)]
    fn http(&mut self, http: &Http) -> Result<(), Unhealthy> {
        let config = self.detail.config;
        let request = request(http, config);
        let mut response = Response::to(method(config));
        let mut outcome = self.exchange(&request, &mut |received| response.read(received), "");
        if response.ends_with_stream() && matches!(outcome, Err(Unhealthy::Incomplete(_))) {
            outcome = Ok(());
        }
        if !response.has_header() {
            return match outcome {
                Err(NOTHING) if !config.http11 => Err(NOTHING_TO_HTTP_1_0),
                outcome => outcome,
            };
        }
        let content = response.content(&self.received);
        self.detail.push_status(response.status, response.reason(&self.received));
        // An unwanted status says more than a failure later, in the body.
        if !status::accepts(&config.status.text, response.status) {
            // HTML says nothing in its first bytes.
            if !content.is_empty() && !content.trim_ascii_start().starts_with(b"<") {
                self.detail.push_got(content);
            }
            self.detail.push(", expected ");
            push_escaped(&mut self.detail.words, &config.status.raw, SHOWN_MAX);
            // Upgrade Required, HTTP Version Not Supported: the answers of servers that refuse HTTP/1.0.
            if matches!(response.status, 426 | 505) && !config.http11 {
                self.detail.push(", try --http1.1");
            }
            return Err(Unhealthy::WrongAnswer);
        }
        outcome?;
        let mut searches = searches(config);
        search(&mut searches, content, self.deadline)?;
        let Some(missing) = missing(config, &searches) else { return Ok(()) };
        self.detail.push_got(content);
        self.detail.push_expected(&missing.raw);
        self.detail.push(" in the body");
        Err(Unhealthy::WrongAnswer)
    }

    /// Sends the data, if there is any, and waits for the expected reply, if one is expected.
    // A stack frame of its own, see `attempt`.
    #[inline(never)]
    fn stream(&mut self) -> Result<(), Unhealthy> {
        let (config, deadline) = (self.detail.config, self.deadline);
        let data = config.data.as_ref().map_or(&b""[..], |data| &data.text);
        if config.expect.is_empty() {
            self.connection.send(data, deadline)?;
            self.detail.push("connected");
            return Ok(());
        }
        let mut searches = searches(config);
        let mut searched = 0;
        let mut parse = |received: &mut [u8]| {
            search(&mut searches, &received[searched..], deadline)?;
            searched = received.len();
            match missing(config, &searches) {
                None => Ok(Progress::Complete),
                Some(_) if searched >= BODY_MAX => Err(Unhealthy::WrongAnswer),
                // Never printed: what came is shown instead, or that nothing did.
                Some(_) => Ok(Progress::Partial("")),
            }
        };
        let outcome = self.exchange(data, &mut parse, "replied");
        let Err(failure) = outcome else { return outcome };
        if self.received.is_empty() {
            return outcome;
        }
        match failure {
            Unhealthy::WrongAnswer | Unhealthy::Incomplete(_) => self.detail.push("connected"),
            failure => failure.push(&mut self.detail.words, deadline.timeout),
        }
        self.detail.push_got(&self.received);
        if let Some(missing) = missing(config, &searches) {
            self.detail.push_expected(&missing.raw);
        }
        Err(Unhealthy::WrongAnswer)
    }

    /// Asks for the health of a service.
    fn grpc(&mut self, authority: &[u8], service: &[u8]) -> Result<(), Unhealthy> {
        let call = grpc::request(authority, service);
        let mut reply = Reply::default();
        self.exchange(&call, &mut |received| reply.read(received), "SERVING")
    }

    /// Sends a ClientHello and reads the ServerHello, and no more: the rest is encrypted.
    fn tls(&mut self, server_name: Option<&[u8]>) -> Result<(), Unhealthy> {
        let mut hello = ServerHello::default();
        self.exchange(&client_hello(server_name), &mut |received| hello.read(received), "ServerHello")
    }
}

/// A search for each expected text.
fn searches(config: &Config) -> Vec<Search<'_>> {
    config.expect.iter().map(|text| Search::new(&text.text)).collect()
}

/// Feeds every search the next bytes of a stream. However many there are, this ends at the deadline.
fn search(searches: &mut [Search], bytes: &[u8], deadline: &Deadline) -> Result<(), Unhealthy> {
    for search in searches {
        deadline.left().ok_or(Unhealthy::TimedOut(Phase::Receive))?;
        search.feed(bytes);
    }
    Ok(())
}

/// The first text that has not been found.
fn missing<'a>(config: &'a Config, searches: &[Search]) -> Option<&'a Expanded> {
    searches.iter().position(|search| !search.is_found()).map(|index| &config.expect[index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::target;
    use crate::sys::{self, DATAGRAM, STREAM};
    use std::net::{Shutdown, UdpSocket};
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    /// A check of a plain connection: its outcome, and the words for the answer.
    fn stream(connection: Connection, config: &Config) -> (Result<(), Unhealthy>, String) {
        let target = target::parse(&Expanded::literal(b"tcp://h:1"), None).expect("a target");
        let deadline = &Deadline::after(Duration::from_secs(20));
        let detail = &mut Detail { words: Vec::new(), target: &target, config };
        let outcome = Attempt { connection, deadline, received: Vec::new(), detail }.stream();
        (outcome, String::from_utf8(detail.words.clone()).expect("ASCII"))
    }

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
                let expect = Expanded::literal(expect);
                let config = Config {
                    data: Some(Expanded::literal(b"PING")),
                    expect: vec![expect],
                    ..Config::default()
                };
                let pieces = std::thread::spawn(move || {
                    let (_, client) = server.recv_from(&mut [0; 9]).expect("the data");
                    for piece in [&SENT[..cut], &SENT[cut..], b""] {
                        // Once the text is found, nothing more is read.
                        let _ = server.send_to(piece, client);
                    }
                });
                let (outcome, words) = stream(connection, &config);
                pieces.join().expect("sent");
                assert_eq!(outcome.is_ok(), found, "cut at {cut}: {words}");
            }
        }
    }

    #[test]
    fn nothing_is_said_of_a_server_that_is_gone_before_the_data_is_sent() {
        let path = std::env::temp_dir().join(format!("probe-gone-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket");
        let address = sys::unix(path.as_os_str().as_encoded_bytes());
        let connection = Connection::open(STREAM, &address, Duration::from_secs(20)).expect("connected");
        // Not dropped: a process that another test starts may still have it for a moment.
        let (server, _) = listener.accept().expect("the connection");
        server.shutdown(Shutdown::Both).expect("shut down");
        std::fs::remove_file(path).expect("removed");
        let config = Config { data: Some(Expanded::literal(b"PING\r\n")), ..Config::default() };
        let (outcome, words) = stream(connection, &config);
        assert!(matches!(outcome, Err(Unhealthy::Os(Phase::Send, _))), "{outcome:?}");
        assert_eq!(words, "");
    }
}
