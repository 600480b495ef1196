//! The parts of `probe`, a health check for images that have nothing else.
//!
//! ```text
//! argv, env -> cli -> Config { targets, options, timeout, wait }
//!           -> run: each target in turn -> Verdict -> report line -> exit code
//! ```
//!
//! Every import runs down README's map of the files. `socket` opens sockets,
//! `connection` reads and writes them, `dial`, `resolve` and `probe` talk over
//! these, `install` and `file` know files; all other code is pure: bytes in, values out.

#![deny(unsafe_code)]

pub mod cli;
pub mod config;
pub mod connection;
pub mod deadline;
pub mod dial;
pub mod dns;
pub mod duration;
pub mod errno;
pub mod expand;
pub mod file;
pub mod install;
pub mod print;
pub mod probe;
pub mod request;
pub mod resolve;
pub mod response;
pub mod run;
pub mod socket;
pub mod status;
pub mod target;
pub mod text;
pub mod tls;
pub mod verdict;
