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
    /// The answer.
    pub answer: Answer,
    /// How long the successful attempt took.
    pub elapsed: Duration,
}

/// An answer, good or bad.
#[derive(Debug)]
pub enum Answer {
    /// A whole HTTP response: status-code and reason-phrase.
    Http(u16, Vec<u8>),
    /// An accepted connection.
    Connected,
    /// A reply that contains the expected text.
    Replied,
    /// A ServerHello, with the second number of its version.
    Tls(u8),
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
    /// The answer is no whole HTTP response.
    Response(response::Error),
    /// The answer is no ServerHello of a good version.
    Tls(tls::Error),
    /// Another status-code than those wanted: what came, and the wanted ones.
    Status(Answer, Vec<u8>),
    /// The body of this answer lacks a text, as it was written.
    BodyLacks(Answer, Vec<u8>),
    /// The reply on a plain connection lacks a text.
    ReplyLacks(Reply),
}

/// A reply that lacks what it must contain.
#[derive(Debug)]
pub struct Reply {
    /// The timeout that ended it; `None` where the server did, or was stopped.
    pub timeout: Option<Duration>,
    /// Its first bytes.
    pub got: Vec<u8>,
    /// The wanted text, as it was written.
    pub want: Vec<u8>,
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
        fail(Unhealthy::Tls(error))
    }
}

impl From<response::Error> for Failure {
    fn from(error: response::Error) -> Failure {
        fail(Unhealthy::Response(error))
    }
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
                answer.print(out);
                push(out, " in ");
                elapsed.print(out);
            }
            Err(failure) => failure.print(out),
        }
        push(out, "\n");
    }
}

impl Print for Answer {
    fn print(&self, out: &mut Vec<u8>) {
        /// The longest reason-phrase worth reading.
        const REASON_MAX: usize = 80;
        match self {
            Answer::Http(status, reason) => {
                push_number(out, u64::from(*status));
                if !reason.is_empty() {
                    push(out, " ");
                    push_escaped(out, reason, REASON_MAX);
                }
            }
            Answer::Connected => push(out, "connected"),
            Answer::Replied => push(out, "replied"),
            Answer::Tls(minor) => tls::push_version(out, *minor),
        }
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
            Unhealthy::TimedOut(phase, timeout) => push_timed_out(out, *phase, *timeout),
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
            Unhealthy::Response(error) => {
                if !matches!(error, response::Error::NotHttp(_)) {
                    Phase::Receive.print(out);
                }
                error.print(out);
            }
            Unhealthy::Tls(error) => {
                if !matches!(error, tls::Error::NotTls(_) | tls::Error::Version(_)) {
                    Phase::Receive.print(out);
                }
                error.print(out);
            }
            Unhealthy::Status(answer, want) => {
                answer.print(out);
                push(out, ", want ");
                push_escaped(out, want, 80);
            }
            Unhealthy::BodyLacks(answer, want) => {
                answer.print(out);
                push(out, ", want ");
                push_quoted(out, want);
                push(out, " in the body");
            }
            Unhealthy::ReplyLacks(reply) => {
                match reply.timeout {
                    Some(timeout) => push_timed_out(out, Phase::Receive, timeout),
                    None => push(out, "connected"),
                }
                push(out, ", got ");
                push_quoted(out, &reply.got);
                push(out, ", want ");
                push_quoted(out, &reply.want);
            }
        }
    }
}

fn push_timed_out(out: &mut Vec<u8>, phase: Phase, timeout: Duration) {
    phase.print(out);
    push(out, "timed out after ");
    timeout.print(out);
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
