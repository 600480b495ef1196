//! All that was asked for, however it was written.

use std::time::Duration;

use crate::target::{Endpoint, Target};

/// A whole check, valid and complete; or where to install.
#[derive(Debug, PartialEq, Eq)]
pub struct Config {
    /// What to check; at least one, unless the probe is to be installed.
    pub targets: Vec<Target>,
    /// What to ask of each, and what counts as healthy.
    pub options: Options,
    /// How long one attempt at all targets may take.
    pub timeout: Duration,
    /// How long to keep trying, if at all.
    pub wait: Option<Duration>,
    /// Say nothing when healthy.
    pub quiet: bool,
    /// Where to copy the probe to, instead of checking anything.
    pub install: Option<Text>,
}

/// No target, and the defaults.
impl Default for Config {
    fn default() -> Config {
        let timeout = Duration::from_secs(5);
        let (targets, options) = (Vec::new(), Options::default());
        Config { targets, options, timeout, wait: None, quiet: false, install: None }
    }
}

/// What to ask, and what counts as healthy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The list of accepted status-codes, if one was given.
    pub status: Option<Text>,
    /// The text that body or reply must contain.
    pub expect: Option<Text>,
    /// The request method, if one was asked for.
    pub method: Option<Vec<u8>>,
    /// Request header fields, as given: `Name: value`.
    pub headers: Vec<Vec<u8>>,
    /// The request body, or what is sent on a plain connection.
    pub data: Option<Vec<u8>>,
    /// Where http targets are connected to, if not where they say.
    pub unix_socket: Option<Endpoint>,
}

/// A text, variables expanded.
#[derive(Debug, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: Vec<u8>,
    /// As it was written, variables and all, to be shown.
    pub written: Vec<u8>,
}
