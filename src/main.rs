//! `probe`: the process's arguments, environment and streams; everything else is in
//! the library.

#![forbid(unsafe_code)]

use std::env;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::process;

use scratch_probe::act::command::{become_command, end_on_stop};
use scratch_probe::act::install::install;
use scratch_probe::act::kill::kill;
use scratch_probe::act::process_1::is_on_host;
use scratch_probe::errno::{ENOENT, Errno};
use scratch_probe::file;
use scratch_probe::input::cli;
use scratch_probe::input::config::{Config, Job};
use scratch_probe::run::run;
use scratch_probe::sys::{exit, has_clock, standard_stream, variable};

// `cargo test` builds this file too, and its harness needs larger alignments.
#[cfg(not(test))]
#[global_allocator]
static HEAP: scratch_probe::sys::Heap = scratch_probe::sys::Heap;

fn main() -> ! {
    let mut args = env::args_os().skip(1).map(OsStringExt::into_vec);
    let job = cli::parse(&mut args, &value_of);
    let code = match &job {
        Ok(Job::Print(text)) => say(true, text.as_bytes()),
        Ok(Job::Install(path)) => {
            let mut line = Vec::new();
            say(install(path, &mut line), &line)
        }
        Ok(Job::Check(config)) => check(config),
        Err(error) => say(false, &error.0),
    };
    exit(code)
}

/// The value of a variable or, by a name that begins with `/`, the content of a file.
fn value_of(name: &[u8]) -> Result<Vec<u8>, Errno> {
    if name.starts_with(b"/") {
        return file::read(name);
    }
    variable(name).ok_or(ENOENT)
}

/// Checks all targets, prints a line for each, and sends the signal or becomes the command. Returns
/// the exit code.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
fn check(config: &Config) -> i32 {
    if config.kill.is_some() && is_on_host() {
        return say(
            false,
            b"probe: --kill: must run in a container, process 1 here is the host's (see probe --help)\n",
        );
    }
    if !has_clock() {
        return say(false, b"probe: the clock cannot be read; update libseccomp on the host\n");
    }
    if config.wait.is_some() && process::id() == 1 {
        end_on_stop();
    }
    let all_healthy = run(config, &mut |is_healthy, lines| {
        if !is_healthy || !config.quiet {
            say(is_healthy, &lines);
        }
    });
    if let Some(signal) = config.kill.filter(|_| !all_healthy) {
        kill(1, signal, config.start_period, |line| _ = say(false, line));
    }
    if all_healthy && !config.command.is_empty() {
        let (code, line) = become_command(&config.command);
        say(false, &line);
        return code;
    }
    i32::from(!all_healthy)
}

/// Prints to stdout if all is well, else to stderr; returns the exit code. A closed or full
/// stream changes nothing about the verdict, so a failed write is no failure.
fn say(is_well: bool, text: &[u8]) -> i32 {
    let _ = standard_stream(is_well).write_all(text);
    i32::from(!is_well)
}
