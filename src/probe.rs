//! One target, one attempt.

use crate::config::Options;
use crate::connection::{BUFFER, Connection};
use crate::deadline::Deadline;
use crate::dial;
use crate::errno::ECONNREFUSED;
use crate::print::{Print, push, push_escaped, push_number, push_quoted};
use crate::request::{method, request};
use crate::response::{self, BODY_MAX, Response};
use crate::search::Search;
use crate::status;
use crate::target::{Check, Http, Target};
use crate::tls;
use crate::verdict::{Phase, Unhealthy};

/// The most that is shown of a reason-phrase, of the wanted statuses, and of a
/// reply that lacks the wanted text.
const SHOWN: usize = 80;

/// Checks `target` once, until `deadline` at the latest. Appends to `said` what
/// it answered and, where that is not what was wanted, what was.
// Not inlined, as four others are not that say so: in one stack frame of several KB
// each access takes three bytes more, 928 in all.
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
    let mut talk = Talk { connection, options, deadline, said };
    match &target.check {
        Check::Http(http) => talk.ask(http),
        _ if talk.connection.is_to_itself() => Err(Unhealthy::Failed(Phase::Connect, ECONNREFUSED)),
        Check::Stream => talk.converse(),
        Check::Tls(server_name) => talk.greet(server_name.as_deref()),
    }
}

/// A connection to a server, and what it is to be asked.
struct Talk<'a> {
    connection: Connection,
    options: &'a Options,
    deadline: &'a Deadline,
    said: &'a mut Vec<u8>,
}

/// Takes what was received, nothing at the end of the stream; whether that is enough.
type Take<'a> = &'a mut dyn FnMut(&[u8]) -> Result<bool, Unhealthy>;

impl Talk<'_> {
    /// Sends a request and receives until `take` has enough.
    fn exchange(&mut self, request: &[u8], take: Take) -> Result<(), Unhealthy> {
        self.connection.send(request, self.deadline)?;
        let mut buffer = [0; BUFFER];
        while !take(self.connection.receive(&mut buffer, self.deadline)?)? {}
        Ok(())
    }

    /// Sends the request and reads the whole response, and not only its status: a
    /// server that is hung up on while it writes logs an error at every check.
    // A stack frame of its own, see `attempt`.
    #[inline(never)]
    fn ask(&mut self, http: &Http) -> Result<(), Unhealthy> {
        let options = self.options;
        let text = options.expect.as_ref().map_or(&b""[..], |expect| &expect.text);
        let (accepted, written) = match &options.status {
            Some(status) => (&status.text[..], &status.written[..]),
            None => (status::DEFAULT, status::DEFAULT),
        };
        let is_accepted = |status| status::accepts(accepted, status) == Some(true);
        let mut response = Response::new(method(options) == b"HEAD", text);
        let mut malformed = Ok(());
        let received = self.exchange(&request(http, options), &mut |piece| {
            malformed = if piece.is_empty() { response.end() } else { response.feed(piece) };
            let is_whole = piece.is_empty() || response.is_complete();
            if malformed.is_ok() { Ok(is_whole) } else { Err(Unhealthy::Answer) }
        });
        match response.status() {
            // An unwanted status says more than what then went wrong with its body.
            Some((status, reason)) if received.is_ok() || !is_accepted(status) => {
                push_number(self.said, status.into());
                push(self.said, if reason.is_empty() { "" } else { " " });
                push_escaped(self.said, reason, SHOWN);
                if !is_accepted(status) {
                    push(self.said, ", want ");
                    push_escaped(self.said, written, SHOWN);
                } else if let (false, Some(expect)) = (response.found(), &options.expect) {
                    push(self.said, ", want ");
                    push_quoted(self.said, &expect.written);
                    push(self.said, " in the body");
                } else {
                    return Ok(());
                }
            }
            _ => {
                if let Err(error) = &malformed {
                    self.instead(error, matches!(error, response::Error::NotHttp(_)));
                }
                received?;
            }
        }
        Err(Unhealthy::Answer)
    }

    /// Says what came instead of an answer: another one, or none that is whole.
    fn instead(&mut self, error: &dyn Print, is_another: bool) {
        push(self.said, if is_another { "" } else { "receive: " });
        error.print(self.said);
    }

    /// Sends the data, if there is any, and waits for the expected reply, if one is.
    fn converse(&mut self) -> Result<(), Unhealthy> {
        let data = self.options.data.as_deref().unwrap_or_default();
        let Some(expect) = self.options.expect.as_ref().filter(|expect| !expect.text.is_empty()) else {
            self.connection.send(data, self.deadline)?;
            push(self.said, "connected");
            return Ok(());
        };
        let mut search = Search::new(&expect.text);
        let mut got = Vec::new();
        let mut received = 0;
        let outcome = self.exchange(data, &mut |piece| {
            received += piece.len() as u64;
            got.extend_from_slice(&piece[..piece.len().min(SHOWN - got.len())]);
            piece.iter().for_each(|&byte| search.feed(byte));
            let is_last = piece.is_empty() || received >= BODY_MAX;
            if is_last && !search.found() { Err(Unhealthy::Answer) } else { Ok(search.found()) }
        });
        match outcome {
            Ok(()) => push(self.said, "replied"),
            Err(Unhealthy::Answer) => push(self.said, "connected"),
            Err(_) if received == 0 => return outcome,
            Err(_) => {}
        }
        if outcome.is_err() {
            push(self.said, ", got ");
            push_quoted(self.said, &got);
            push(self.said, ", want ");
            push_quoted(self.said, &expect.written);
        }
        outcome
    }

    /// Sends a ClientHello and reads the ServerHello, and no more: what follows is
    /// encrypted.
    fn greet(&mut self, server_name: Option<&[u8]>) -> Result<(), Unhealthy> {
        let mut answer = Vec::new();
        let mut version = Ok(None);
        let outcome = self.exchange(&tls::client_hello(server_name), &mut |piece| {
            answer.extend_from_slice(piece);
            version = if piece.is_empty() { Err(tls::end(&answer)) } else { tls::read(&answer) };
            version.as_ref().map(Option::is_some).or(Err(Unhealthy::Answer))
        });
        match version {
            Ok(Some(minor)) => tls::push_version(self.said, minor),
            Ok(None) => {}
            Err(error) => {
                self.instead(&error, matches!(error, tls::Error::NotTls(_) | tls::Error::Version(_)));
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{self, STREAM};
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

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
        let outcome = Talk { connection, options: &options, deadline, said: &mut said }.converse();
        assert!(matches!(outcome, Err(Unhealthy::Failed(Phase::Send, _))), "{outcome:?}");
        assert_eq!(said, b"");
    }
}
