//! All that was asked for, however it was written.

use std::time::Duration;

use crate::expand::Expanded;
use crate::target::{Endpoint, Target};

/// A whole check, valid and complete; or where to install.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// What to check; at least one, unless the probe is to be installed.
    pub targets: Vec<Target>,
    /// What to ask of each, and what counts as healthy.
    pub options: Options,
    /// How long one attempt at all targets may take, if not 5 seconds.
    pub timeout: Option<Duration>,
    /// How long to keep trying, if at all.
    pub wait: Option<Duration>,
    /// Say nothing when healthy.
    pub quiet: bool,
    /// Where to copy the probe to, instead of checking anything.
    pub install: Option<Expanded>,
}

/// What to ask, and what counts as healthy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The list of accepted status-codes, if one was given.
    pub status: Option<Expanded>,
    /// The text that body or reply must contain.
    pub expect: Option<Expanded>,
    /// The request method, if one was asked for.
    pub method: Option<Vec<u8>>,
    /// Request header fields, as given: `Name: value`.
    pub headers: Vec<Vec<u8>>,
    /// The request body, or what is sent on a plain connection.
    pub data: Option<Vec<u8>>,
    /// Where http targets are connected to, if not where they say.
    pub unix_socket: Option<Endpoint>,
}
