//! Healthy, or unhealthy with phase and cause; and the line that says so.

use std::io;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::print::{Print, push, push_escaped, push_number, push_quoted};
use crate::response;
use crate::target::Target;
use crate::tls;

/// What was found out about one target.
#[derive(Debug)]
pub struct Verdict<'a> {
    /// The target.
    pub target: &'a Target,
    /// The answer of a healthy one, or what is wrong.
    pub outcome: Result<Healthy, Failure>,
}

/// What a healthy target answered.
#[derive(Debug)]
pub struct Healthy {
    /// The answer, to be shown.
    pub answer: Vec<u8>,
    /// How long the successful attempt took.
    pub elapsed: Duration,
}

/// What the probe was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Checking the targets before this one.
    NotChecked,
    /// Asking for a name's addresses.
    Resolve,
    /// Opening the connection.
    Connect,
    /// Sending the request or the data.
    Send,
    /// Waiting for the answer, or reading it.
    Receive,
}

/// Why a target is unhealthy.
#[derive(Debug)]
pub enum Unhealthy {
    /// The deadline passed; holds the timeout.
    TimedOut(Phase, Duration),
    /// The operating system reported an error of this kind and number.
    Failed(Phase, io::ErrorKind, i32),
    /// The name does not exist, or has no address.
    NoSuchName,
    /// The name servers do not answer to us.
    NameServerRefuses,
    /// The name servers answer, but cannot tell.
    NameServerFails,
    /// /etc/resolv.conf has only name servers with a zone that is no number.
    NoNameServer,
    /// The answer is not the wanted one: what came, and what was wanted.
    Wrong(Vec<u8>),
}

impl Unhealthy {
    /// Whether no address of this family can be reached from here, whoever
    /// listens: as for ::1 in a container without IPv6.
    pub fn is_of_no_route(&self) -> bool {
        use io::ErrorKind::{AddrNotAvailable, NetworkUnreachable};
        matches!(
            self,
            Unhealthy::Failed(_, AddrNotAvailable | NetworkUnreachable, _)
                | Unhealthy::Failed(.., EAFNOSUPPORT)
        )
    }
}

// The same on every platform that is built for (asm-generic/errno.h).
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const EAFNOSUPPORT: i32 = 97;

/// On the heap, since a result is returned from every step, and mostly good.
pub type Failure = Box<Unhealthy>;

/// A failure; in one place, since many make one.
#[inline(never)]
pub fn fail(unhealthy: Unhealthy) -> Failure {
    Box::new(unhealthy)
}

impl From<tls::Error> for Failure {
    fn from(error: tls::Error) -> Failure {
        wrong(&error, matches!(error, tls::Error::NotTls(_) | tls::Error::Version(_)))
    }
}

impl From<response::Error> for Failure {
    fn from(error: response::Error) -> Failure {
        wrong(&error, matches!(error, response::Error::NotHttp(_)))
    }
}

/// The failure of an answer that is none, unless it `came` while it was received.
fn wrong(error: &dyn Print, came: bool) -> Failure {
    let mut text = Vec::new();
    if !came {
        Phase::Receive.print(&mut text);
    }
    error.print(&mut text);
    fail(Unhealthy::Wrong(text))
}

/// An HTTP answer: status-code and reason-phrase.
pub fn http_answer(status: u16, reason: &[u8]) -> Vec<u8> {
    /// The longest reason-phrase worth reading.
    const REASON_MAX: usize = 80;
    let mut answer = Vec::new();
    push_number(&mut answer, status.into());
    if !reason.is_empty() {
        push(&mut answer, " ");
        push_escaped(&mut answer, reason, REASON_MAX);
    }
    answer
}

/// The failure of an answer with another status-code than those wanted.
pub fn status_unwanted(mut answer: Vec<u8>, want: &[u8]) -> Failure {
    push(&mut answer, ", want ");
    push_escaped(&mut answer, want, 80);
    fail(Unhealthy::Wrong(answer))
}

/// The failure of an answer whose body lacks a text, which is shown as it was written.
pub fn body_lacks(mut answer: Vec<u8>, want: &[u8]) -> Failure {
    push(&mut answer, ", want ");
    push_quoted(&mut answer, want);
    push(&mut answer, " in the body");
    fail(Unhealthy::Wrong(answer))
}

/// The failure of a reply that lacks a text: how it ended, and its first bytes.
pub fn reply_lacks(mut end: Vec<u8>, got: &[u8], want: &[u8]) -> Failure {
    push(&mut end, ", got ");
    push_quoted(&mut end, got);
    push(&mut end, ", want ");
    push_quoted(&mut end, want);
    fail(Unhealthy::Wrong(end))
}

/// The failure of an operation in `phase`.
pub fn failed(phase: Phase, error: &io::Error) -> Failure {
    fail(Unhealthy::Failed(phase, error.kind(), error.raw_os_error().unwrap_or_default()))
}

/// The failure of a `deadline` that passed in `phase`.
pub fn timed_out(phase: Phase, deadline: &Deadline) -> Failure {
    fail(Unhealthy::TimedOut(phase, deadline.timeout()))
}

/// The report line: `healthy: TARGET: 200 OK in 1.3ms` or
/// `unhealthy: TARGET: connect: connection refused`.
impl Print for Verdict<'_> {
    fn print(&self, out: &mut Vec<u8>) {
        push(out, if self.outcome.is_ok() { "healthy: " } else { "unhealthy: " });
        self.target.print(out);
        push(out, ": ");
        match &self.outcome {
            Ok(Healthy { answer, elapsed }) => {
                push(out, answer);
                push(out, " in ");
                elapsed.print(out);
            }
            Err(failure) => failure.print(out),
        }
        push(out, "\n");
    }
}

impl Print for Phase {
    fn print(&self, out: &mut Vec<u8>) {
        let name = match self {
            Phase::NotChecked => "not checked: ",
            Phase::Resolve => "resolve: ",
            Phase::Connect => "connect: ",
            Phase::Send => "send: ",
            Phase::Receive => "receive: ",
        };
        push(out, name);
    }
}

impl Print for Unhealthy {
    fn print(&self, out: &mut Vec<u8>) {
        match self {
            Unhealthy::TimedOut(phase, timeout) => {
                phase.print(out);
                push(out, "timed out after ");
                timeout.print(out);
            }
            Unhealthy::Failed(phase, kind, number) => {
                phase.print(out);
                push_os_error(out, *kind, *number);
            }
            Unhealthy::NoSuchName => push(out, "resolve: no such name"),
            Unhealthy::NameServerRefuses => push(out, "resolve: the name server refuses"),
            Unhealthy::NameServerFails => push(out, "resolve: the name server cannot tell"),
            Unhealthy::NoNameServer => {
                push(out, "resolve: a name server's zone wants a number, as in fe80::1%2")
            }
            Unhealthy::Wrong(text) => push(out, text),
        }
    }
}

/// The usual causes in the words of strerror(3), lower case; std's own words
/// would bring the C library's table of all errors into the binary.
pub fn push_os_error(out: &mut Vec<u8>, kind: io::ErrorKind, number: i32) {
    use io::ErrorKind;
    let words = match (kind, number) {
        (ErrorKind::ConnectionRefused, _) => "connection refused",
        (ErrorKind::ConnectionReset, _) => "connection reset",
        (ErrorKind::ConnectionAborted, _) => "connection aborted",
        (ErrorKind::BrokenPipe, _) => "broken pipe",
        (ErrorKind::HostUnreachable, _) => "no route to host",
        (ErrorKind::NetworkUnreachable, _) => "network unreachable",
        (ErrorKind::AddrNotAvailable, _) => "address not available",
        (ErrorKind::NotFound, _) => "no such file",
        (ErrorKind::NotADirectory, _) => "not a directory",
        (ErrorKind::IsADirectory, _) => "is a directory",
        (ErrorKind::ReadOnlyFilesystem, _) => "read-only file system",
        (ErrorKind::StorageFull, _) => "no space left",
        (ErrorKind::PermissionDenied, _) => "permission denied",
        (ErrorKind::OutOfMemory, _) => "out of memory",
        (ErrorKind::TimedOut, _) => "no answer from the network",
        (_, EMFILE | ENFILE) => "too many open files",
        (_, EAFNOSUPPORT) => "address family not supported",
        _ => "system error ",
    };
    push(out, words);
    if words.ends_with(' ') {
        push_number(out, number.unsigned_abs().into());
    }
}
