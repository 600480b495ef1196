//! Healthy, or unhealthy with phase and cause; and the line that says so.

use std::io;
use std::time::Duration;

use crate::duration::push_duration;
use crate::errno::{self, EADDRNOTAVAIL, EAFNOSUPPORT, ENETUNREACH};
use crate::print::{push, push_escaped};
use crate::target::Target;

/// How much is shown of a target: ten lines fit into what Docker keeps of the output.
const TARGET_MAX: usize = 256;

/// What was found out about one target.
#[derive(Debug)]
pub struct Verdict<'a> {
    /// The target.
    pub target: &'a Target,
    /// What it answered, to be shown.
    pub said: Vec<u8>,
    /// How long the successful attempt took, or what is wrong.
    pub outcome: Result<Duration, Unhealthy>,
    /// The timeout of the last attempt.
    pub timeout: Duration,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unhealthy {
    /// The deadline passed.
    TimedOut(Phase),
    /// The operating system reported the error of this number.
    Failed(Phase, i32),
    /// The name does not exist, or has no address.
    NoSuchName,
    /// The name servers answer, but cannot or will not tell.
    NameServerCannotTell,
    /// The connection was closed too early, as these words say; while it is open, more is wanted.
    CutOff(&'static str),
    /// What came is malformed or too long, as these words say.
    Malformed(&'static str),
    /// The answer is not the wanted one.
    Answer,
}

impl Unhealthy {
    /// The failure of an operation in `phase`.
    pub fn failed(phase: Phase, error: &io::Error) -> Unhealthy {
        Unhealthy::Failed(phase, error.raw_os_error().unwrap_or_default())
    }

    /// Whether no address of this family can be reached from here, whoever
    /// listens: as for ::1 in a container without IPv6.
    pub fn is_of_no_route(self) -> bool {
        matches!(self, Unhealthy::Failed(_, EADDRNOTAVAIL | ENETUNREACH | EAFNOSUPPORT))
    }
}

impl Verdict<'_> {
    /// Appends the report line: `healthy: TARGET: 200 OK in 1.3ms` or
    /// `unhealthy: TARGET: connect: connection refused`.
    pub fn push(&self, out: &mut Vec<u8>) {
        push(out, if self.outcome.is_ok() { "healthy: " } else { "unhealthy: " });
        push_escaped(out, &self.target.shown, TARGET_MAX);
        push(out, ": ");
        match self.outcome {
            Ok(_) | Err(Unhealthy::Answer) => {}
            Err(Unhealthy::TimedOut(phase)) => {
                push(out, phase.name());
                push(out, "timed out after ");
                push_duration(out, self.timeout);
            }
            Err(Unhealthy::Failed(phase, number)) => {
                push(out, phase.name());
                errno::push_words(out, number);
            }
            Err(Unhealthy::CutOff(words) | Unhealthy::Malformed(words)) => {
                push(out, "receive: ");
                push(out, words);
            }
            Err(Unhealthy::NoSuchName) => push(out, "resolve: no such name"),
            Err(Unhealthy::NameServerCannotTell) => push(out, "resolve: the name server cannot tell"),
        }
        push(out, &self.said);
        if let Ok(elapsed) = self.outcome {
            push(out, " in ");
            push_duration(out, elapsed);
        }
        push(out, "\n");
    }
}

impl Phase {
    /// Its name, to be put before a cause.
    fn name(self) -> &'static str {
        match self {
            Phase::NotChecked => "not checked: ",
            Phase::Resolve => "resolve: ",
            Phase::Connect => "connect: ",
            Phase::Send => "send: ",
            Phase::Receive => "receive: ",
        }
    }
}
