//! Why a check failed, and in which phase.

use std::time::Duration;

use crate::errno::{Errno, push_message};
use crate::print::{push, push_duration};

/// The phase of a check in which it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Checking the targets before this one.
    NotChecked,
    /// Looking up the addresses of a name.
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
    /// The operating system reported an error.
    Os(Phase, Errno),
    /// The name does not exist, or has no address.
    HostNotFound,
    /// Every name server failed or refused.
    NameServerFailed,
    /// Incomplete: if the connection has closed, this is wrong; while it is open, read on.
    Incomplete(&'static str),
    /// The answer is malformed or too long.
    Malformed(&'static str),
    /// The answer is another one than expected; the verdict's detail says it all.
    WrongAnswer,
}

impl Unhealthy {
    /// Appends phase and cause: `connect: connection refused`. `timeout` is that of the attempt.
    pub fn push(self, out: &mut Vec<u8>, timeout: Duration) {
        match self {
            Unhealthy::TimedOut(phase) => {
                push(out, phase.prefix());
                push(out, "timed out after ");
                push_duration(out, timeout);
            }
            Unhealthy::Os(phase, errno) => {
                push(out, phase.prefix());
                push_message(out, errno);
            }
            Unhealthy::Incomplete(problem) | Unhealthy::Malformed(problem) => {
                push(out, Phase::Receive.prefix());
                push(out, problem);
            }
            Unhealthy::HostNotFound => push(out, "resolve: host not found"),
            Unhealthy::NameServerFailed => push(out, "resolve: the name server failed or refused"),
            Unhealthy::WrongAnswer => {}
        }
    }
}

impl Phase {
    /// The phase's name, as it stands before a cause.
    fn prefix(self) -> &'static str {
        match self {
            Phase::NotChecked => "not checked: ",
            Phase::Resolve => "resolve: ",
            Phase::Connect => "connect: ",
            Phase::Send => "send: ",
            Phase::Receive => "receive: ",
        }
    }
}
