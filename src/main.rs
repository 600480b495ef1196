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
use scratch_probe::print::Print;
use scratch_probe::run::run;

fn main() {
    let mut args = env::args_os().map(OsStringExt::into_vec);
    args.next();
    let lookup = |name: &[u8]| env::var_os(OsStr::from_bytes(name)).map(OsStringExt::into_vec);
    let mut config = Config::default();
    let code = match cli::parse(&mut args, &lookup, &mut config) {
        Ok(Some(text)) => say(Ok(text.into())),
        Ok(None) => match &config.install {
            Some(path) => say(install(&path.text, &path.written)),
            None => check(&config),
        },
        Err(error) => say(Err(error.printed())),
    };
    // Without dropping what the end of the process takes anyway: 272 bytes less.
    exit(code)
}

/// Reports one line a target, and whether all of them are healthy.
fn check(config: &Config) -> i32 {
    let mut code = 0;
    run(config, &mut |verdict| match verdict.outcome {
        Ok(_) if config.quiet => {}
        Ok(_) => _ = say(Ok(verdict.printed())),
        Err(_) => code = say(Err(verdict.printed())),
    });
    code
}

/// Says what went well on stdout, else what is wrong on stderr; the exit code. A closed or full
/// stream changes nothing about the verdict, so a failed write is no failure.
fn say(text: Result<Vec<u8>, Vec<u8>>) -> i32 {
    match text {
        Ok(text) => {
            let _ = stdout().write_all(&text);
            0
        }
        Err(text) => {
            let _ = stderr().write_all(&text);
            1
        }
    }
}
