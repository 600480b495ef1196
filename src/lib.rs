//! The parts of `probe`, a health check for images that have nothing else.
//!
//! ```text
//! argv, env -> expand -> cli::Config { targets, options, timeout, wait }
//!           -> one probe per target -> Verdict -> report line -> exit code
//! ```
//!
//! `cli`, `expand`, `target`, `status`, `duration`, `request`, `response`,
//! `dns`, `search`, `text`, `print` and `verdict` are pure: bytes in, values out. `resolve` and
//! `dial` open sockets, `connection` reads and writes them, `run` starts threads.

#![forbid(unsafe_code)]

pub mod cli;
pub mod connection;
pub mod deadline;
pub mod dial;
pub mod dns;
pub mod duration;
pub mod expand;
pub mod print;
pub mod probe;
pub mod request;
pub mod resolve;
pub mod response;
pub mod run;
pub mod search;
pub mod status;
pub mod target;
pub mod text;
pub mod verdict;
