//! The whole job, however it was written on the command line.

use std::time::Duration;

use crate::input::expand::Expanded;
use crate::input::signal::Signal;
use crate::input::status;
use crate::input::target::Target;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Job {
    /// To print this text, and nothing else.
    Print(&'static str),
    /// To copy the probe to this path, and nothing else.
    Install(Expanded),
    /// To check targets.
    Check(Box<Config>),
}

/// A check, valid and complete.
#[derive(Debug, PartialEq, Eq)]
pub struct Config {
    /// The targets; at least one.
    pub targets: Vec<Target>,
    /// The request for each, and the answers that count as healthy.
    pub options: Options,
    /// The timeout of one attempt at all targets.
    pub timeout: Duration,
    /// How long to keep trying, if at all.
    pub wait: Option<Duration>,
    /// The signal to send to process 1 when unhealthy.
    pub kill: Option<Signal>,
    /// One healthy target is enough.
    pub any: bool,
    /// Say nothing when healthy.
    pub quiet: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            targets: Vec::new(),
            options: Options::default(),
            timeout: Duration::from_secs(5),
            wait: None,
            kill: None,
            any: false,
            quiet: false,
        }
    }
}

/// The request, and the answers that count as healthy.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
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
}

impl Default for Options {
    fn default() -> Options {
        Options {
            status: Expanded::literal(status::DEFAULT),
            expect: Vec::new(),
            method: None,
            headers: Vec::new(),
            data: None,
            http11: false,
        }
    }
}
