//! Why a check failed, and in which phase.

use std::time::Duration;

use crate::errno::{Errno, push_message};
use crate::print::{push, push_duration, push_number};

/// The phase of a check in which it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for its turn, while the targets before it are checked.
    Turn,
    /// Looking up the addresses of a name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// Sending the request or the data.
    Send,
    /// Waiting for the answer, or reading it.
    Receive,
    /// Opening a file, which is all that there is to do with it.
    File,
}

/// Why a target is unhealthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unhealthy {
    /// The wait ended before its turn came.
    NotChecked,
    /// The deadline passed.
    TimedOut(Phase),
    /// The operating system reported an error.
    Os(Phase, Errno),
    /// The name does not exist, or has no address.
    HostNotFound,
    /// Every name server failed or refused.
    NameServerFailed,
    /// The stream ended before the answer did.
    Incomplete(&'static str),
    /// The answer is malformed or too long.
    Malformed(&'static str),
    /// Not the protocol's bytes: the problem, and the offset of the first foreign byte.
    // In 32 bits: with a word more in each result the code would be 0.4 KB larger.
    Foreign(&'static str, u32),
    /// The server refused: the protocol's kind of code, and the code.
    Refused(&'static str, u32),
    /// A gRPC status other than OK.
    GrpcStatus(&'static str),
    /// A health other than SERVING.
    NotServing(&'static str),
    /// An HTTP response without a gRPC status.
    NotGrpc(u64),
    /// Not the expected answer; the verdict's detail says it all.
    WrongAnswer,
}

impl Unhealthy {
    /// Appends phase and cause: `connect: connection refused`. `timeout` is that of the attempt.
    pub fn push(self, out: &mut Vec<u8>, timeout: Duration) {
        match self {
            Unhealthy::NotChecked => push(out, "not checked"),
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
            Unhealthy::Refused(kind, code) => {
                push(out, "server refused with ");
                push(out, kind);
                push(out, " ");
                push_number(out, code.into());
            }
            Unhealthy::GrpcStatus(word) => push(out, word),
            Unhealthy::NotServing(word) => {
                push(out, word);
                push(out, ", expected SERVING");
            }
            Unhealthy::NotGrpc(status) => {
                push_number(out, status);
                push(out, ", not a gRPC answer");
            }
            Unhealthy::HostNotFound => push(out, "resolve: host not found"),
            Unhealthy::NameServerFailed => push(out, "resolve: the name server failed or refused"),
            Unhealthy::Foreign(..) | Unhealthy::WrongAnswer => {}
        }
    }
}

impl Phase {
    /// The phase's name, as it stands before a cause.
    fn prefix(self) -> &'static str {
        match self {
            Phase::Turn => "not checked: ",
            Phase::Resolve => "resolve: ",
            Phase::Connect => "connect: ",
            Phase::Send => "send: ",
            Phase::Receive => "receive: ",
            Phase::File => "",
        }
    }
}
