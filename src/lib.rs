//! The parts of `probe`, a health check for images that have nothing else.
//!
//! ```text
//! argv, env -> input::cli -> Job: a text to print, a path to install to, or a Config
//!           -> run: each target in turn -> Verdict -> report line -> exit code
//!           -> act: a signal to process 1, or another program, if one was asked for
//! ```
//!
//! docs/design.md has the map of the files; every import runs down it.

#![deny(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "probe is for Linux; where Docker is: docker build -f Dockerfile.example --target probe -t probe ."
);

/// From arguments and environment to a [`config::Config`](input::config::Config), without I/O: variables and
/// files are looked up by a function that `main` hands in.
pub mod input {
    pub mod cli;
    pub mod config;
    pub mod duration;
    pub mod expand;
    pub mod signal;
    pub mod status;
    pub mod target;
}

/// All that the probe does to its surroundings, but for connecting.
pub mod act {
    pub mod command;
    pub mod install;
    pub mod kill;
    pub mod process_1;
}

/// From an endpoint to bytes, in time.
pub mod net {
    pub mod connection;
    pub mod deadline;
    pub mod dial;
    pub mod dns;
    pub mod listeners;
    pub mod resolve;
}

/// The bytes of protocols, without I/O.
pub mod wire {
    pub mod grpc;
    pub mod progress;
    pub mod request;
    pub mod response;
    pub mod tls;
}

pub mod answer;
pub mod errno;
pub mod failure;
pub mod file;
pub mod print;
pub mod probe;
pub mod run;
pub mod sys;
pub mod text;
pub mod verdict;
