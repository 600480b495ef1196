//! The whole job, however it was written on the command line.

use std::time::Duration;

use crate::input::expand::Expanded;
use crate::input::signal::Signal;
use crate::input::target::Target;

/// What the command line asks for.
// There is one, and in a box it would be a system call and a page more.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, PartialEq, Eq)]
pub enum Job {
    /// To print this text, and nothing else.
    Print(&'static str),
    /// To copy the probe to this path, and nothing else.
    Install(Expanded),
    /// To check targets.
    Check(Config),
}

/// A check, valid and complete.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The targets; at least one.
    pub targets: Vec<Target>,
    /// The list of accepted status-codes.
    pub status: Expanded,
    /// The texts that body or reply must contain, none of them empty.
    pub expect: Vec<Expanded>,
    /// The request method, if one was asked for.
    pub method: Option<Vec<u8>>,
    /// Request header fields, as given: `Name: value`.
    pub headers: Vec<Expanded>,
    /// The request body, or what is sent on a plain connection.
    pub data: Option<Expanded>,
    /// Send HTTP/1.1 instead of HTTP/1.0.
    pub http11: bool,
    /// The greatest age of a file, if there is a limit.
    pub max_age: Option<Duration>,
    /// The timeout of one attempt at all targets.
    pub timeout: Duration,
    /// How long to keep trying, if at all.
    pub wait: Option<Duration>,
    /// How long to keep checking while healthy, if at all.
    pub hold: Option<Duration>,
    /// The signal to send to process 1 when unhealthy.
    pub kill: Option<Signal>,
    /// While process 1 is younger, no signal is sent.
    pub start_period: Duration,
    /// One healthy target is enough.
    pub any: bool,
    /// Say nothing when healthy.
    pub quiet: bool,
    /// The command to become once healthy, with its arguments; empty for none.
    pub command: Vec<Vec<u8>>,
}
