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
//! | `mmap` | `Connection` | its buffer; std's for stdout finds its place beside it |
//! | `setsockopt`, `sendto` | `Connection::send` | the deadline armed, the request |
//! | `setsockopt`, `recvfrom` | `Connection::receive` | the deadline armed, the response in one piece |
//! | `write` | std's stdout | the report |
//! | `exit_group` | musl | the verdict; it closes the connection too |

#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsStr;
use std::io::{Write, stderr, stdout};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::{self, ExitCode};

use scratch_probe::cli::{self, Command};
use scratch_probe::print::Print;
use scratch_probe::run;

fn main() -> ExitCode {
    let mut args = env::args_os();
    args.next();
    let mut args = args.map(OsStringExt::into_vec);
    let lookup = |name: &[u8]| env::var_os(OsStr::from_bytes(name)).map(OsStringExt::into_vec);

    // Lent, so that nothing of them is freed before the check.
    match cli::parse(&mut args, &lookup) {
        Ok(Command::Help) => print(cli::HELP.as_bytes()),
        Ok(Command::Version) => print(cli::VERSION.as_bytes()),
        Ok(Command::Check(config)) => check(config),
        Err(error) => {
            complain(&error.printed());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Runs the check, reports one line a target in the order given, and ends the
/// process, which gives back at once what the verdicts hold.
fn check(config: Box<cli::Config>) -> ! {
    let quiet = config.quiet;
    let mut code = 0;
    let verdicts = run::run(config);
    for verdict in &verdicts {
        if verdict.outcome.is_err() {
            complain(&verdict.printed());
            code = 1;
        } else if !quiet {
            print(&verdict.printed());
        }
    }
    process::exit(code)
}

/// A closed or full standard stream changes nothing about the verdict, so a
/// failed write is no failure of the check.
fn print(text: &[u8]) {
    let _ = stdout().write_all(text);
}

fn complain(text: &[u8]) {
    let _ = stderr().write_all(text);
}
