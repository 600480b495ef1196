//! `probe`: std's arguments, environment and streams; everything else is in
//! the library.

#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsStr;
use std::io::{Write, stderr, stdout};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;

use scratch_probe::cli::{self, Command};
use scratch_probe::config::Config;
use scratch_probe::install;
use scratch_probe::print::Print;
use scratch_probe::run::run;

fn main() -> ExitCode {
    let mut args = env::args_os().map(OsStringExt::into_vec);
    args.next();
    let lookup = |name: &[u8]| env::var_os(OsStr::from_bytes(name)).map(OsStringExt::into_vec);
    match cli::parse(args, &lookup) {
        Ok(Command::Help) => print(cli::HELP.as_bytes()),
        Ok(Command::Version) => print(cli::VERSION.as_bytes()),
        Ok(Command::Check(config)) => return check(&config),
        Ok(Command::Install { path, written }) => return install(&path, &written),
        Err(error) => {
            complain(&error.printed());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Reports one line a target, and whether all of them are healthy.
fn check(config: &Config) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    run(config, |verdict| match verdict.outcome {
        Ok(_) if config.quiet => {}
        Ok(_) => print(&verdict.printed()),
        Err(_) => {
            complain(&verdict.printed());
            code = ExitCode::FAILURE;
        }
    });
    code
}

/// Copies the probe, and says where or why not.
fn install(path: &[u8], written: &[u8]) -> ExitCode {
    match install::install(path, written) {
        Ok(line) => {
            print(&line);
            ExitCode::SUCCESS
        }
        Err(line) => {
            complain(&line);
            ExitCode::FAILURE
        }
    }
}

/// A closed or full standard stream changes nothing about the verdict, so a
/// failed write is no failure of the check.
fn print(text: &[u8]) {
    let _ = stdout().write_all(text);
}

fn complain(text: &[u8]) {
    let _ = stderr().write_all(text);
}
