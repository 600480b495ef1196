//! `probe`: std's arguments, environment and streams; everything else is in
//! the library.

#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsStr;
use std::io::{Write, stderr, stdout};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::exit;

use scratch_probe::cli;
use scratch_probe::config::Config;
use scratch_probe::install::install;
use scratch_probe::run::run;

fn main() {
    let mut args = env::args_os().map(OsStringExt::into_vec);
    args.next();
    let lookup = |name: &[u8]| env::var_os(OsStr::from_bytes(name)).map(OsStringExt::into_vec);
    let mut config = Config::default();
    let code = match cli::parse(&mut args, &lookup, &mut config) {
        Ok(Some(text)) => say(true, text.as_bytes()),
        Ok(None) => match &config.install {
            Some(path) => {
                let mut line = Vec::new();
                say(install(path, &mut line), &line)
            }
            None => check(&config),
        },
        Err(error) => say(false, &error.0),
    };
    // Without dropping what the end of the process takes anyway: 608 bytes less.
    exit(code)
}

/// Reports one line a target, and whether all of them are healthy.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
fn check(config: &Config) -> i32 {
    let mut code = 0;
    run(config, &mut |verdict| {
        let is_healthy = verdict.outcome.is_ok();
        if !is_healthy || !config.quiet {
            let mut line = Vec::new();
            verdict.push(&mut line);
            code |= say(is_healthy, &line);
        }
    });
    code
}

/// Says what went well on stdout, else what is wrong on stderr; the exit code. A closed or full
/// stream changes nothing about the verdict, so a failed write is no failure.
fn say(is_good: bool, text: &[u8]) -> i32 {
    let _ = if is_good { stdout().write_all(text) } else { stderr().write_all(text) };
    i32::from(!is_good)
}
