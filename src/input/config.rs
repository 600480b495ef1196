//! The whole job, however it was written on the command line.

use std::time::Duration;

use crate::input::expand::Expanded;
use crate::input::signal::Signal;
use crate::input::target::{Check, Endpoint, Target};

/// A check, valid and complete; or where to install the probe.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The targets; at least one, unless the probe is to be installed.
    pub targets: Vec<Target>,
    /// The request for each, and the answers that count as healthy.
    pub options: Options,
    /// The timeout of one attempt at all targets, if it is not 5 seconds.
    pub timeout: Option<Duration>,
    /// How long to keep trying, if at all.
    pub wait: Option<Duration>,
    /// The signal to send to process 1 when unhealthy.
    pub kill: Option<Signal>,
    /// One healthy target is enough.
    pub any: bool,
    /// Say nothing when healthy.
    pub quiet: bool,
    /// Where to copy the probe to, instead of checking anything.
    pub install: Option<Expanded>,
}

/// The request, and the answers that count as healthy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The list of accepted status-codes, if one was given.
    pub status: Option<Expanded>,
    /// The texts that body or reply must contain, none of them empty.
    pub expect: Vec<Expanded>,
    /// The request method, if one was asked for.
    pub method: Option<Vec<u8>>,
    /// Request header fields, as given: `Name: value`.
    pub headers: Vec<Vec<u8>>,
    /// The request body, or what is sent on a plain connection.
    pub data: Option<Vec<u8>>,
    /// Send HTTP/1.1 instead of HTTP/1.0.
    pub http11: bool,
    /// The Unix socket to send http and grpc targets over, in place of their addresses.
    pub unix_socket: Option<UnixSocket>,
}

/// A Unix socket that stands in for the address of a target.
#[derive(Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// Its endpoint.
    pub endpoint: Endpoint,
    /// Its path as it was written.
    pub shown: Vec<u8>,
}

impl Options {
    /// The Unix socket that stands in for the target's address, if one does.
    pub fn unix_socket_for(&self, target: &Target) -> Option<&UnixSocket> {
        self.unix_socket.as_ref().filter(|_| matches!(target.check, Check::Http(_) | Check::Grpc(..)))
    }
}
