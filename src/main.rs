//! `probe`: std's arguments, environment and streams; everything else is in
//! the library.
//!
//! The system calls of a healthy http check of an IP address, as strace shows
//! them, and why each is there:
//!
//! | calls | made by | reason |
//! |---|---|---|
//! | `execve`, `arch_prctl`, `set_tid_address` | musl | a process, its thread-local storage |
//! | `poll`, `rt_sigaction` | std's start | closed standard streams; SIGPIPE becomes an error |
//! | `brk` twice, `mmap` twice | musl's malloc | its first page, and a guard before it |
//! | `socket`, `ioctl`, `connect`, `ioctl`, `poll` | `connect_timeout` | std connects without blocking to bound the wait |
//! | `setsockopt`, `sendto` | `Connection::send` | the deadline armed, the request |
//! | `setsockopt`, `recvfrom` | `Connection::receive` | the deadline armed, the response in one piece |
//! | `close` | `Connection` | the server sees the end before the report is written |
//! | `mmap`, `write`, `munmap` | std's stdout | its buffer of a kilobyte; with `--quiet` none of the three |
//! | `exit_group` | musl | the verdict |

#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsStr;
use std::io::{Write, stderr, stdout};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;

use scratch_probe::cli::{self, Command};
use scratch_probe::print::Print;
use scratch_probe::run;

fn main() -> ExitCode {
    let args = env::args_os().skip(1).map(OsStringExt::into_vec);
    let lookup = |name: &[u8]| env::var_os(OsStr::from_bytes(name)).map(OsStringExt::into_vec);

    match cli::parse(args, &lookup) {
        Ok(Command::Help) => print(cli::HELP.as_bytes()),
        Ok(Command::Version) => print(cli::VERSION.as_bytes()),
        Ok(Command::Check(config)) => return check(config),
        Err(error) => {
            complain(&error.printed());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Runs the check and reports one line a target, in the order given.
fn check(config: Box<cli::Config>) -> ExitCode {
    let quiet = config.quiet;
    let mut exit = ExitCode::SUCCESS;
    for verdict in run::run(config) {
        if verdict.outcome.is_err() {
            complain(&verdict.printed());
            exit = ExitCode::FAILURE;
        } else if !quiet {
            print(&verdict.printed());
        }
    }
    exit
}

/// A closed or full standard stream changes nothing about the verdict, so a
/// failed write is no failure of the check.
fn print(text: &[u8]) {
    let _ = stdout().write_all(text);
}

fn complain(text: &[u8]) {
    let _ = stderr().write_all(text);
}
