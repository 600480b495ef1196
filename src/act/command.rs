//! Becoming another program, in an image that has no shell to start two programs one after the other.

use crate::errno::{ENOENT, Errno, push_message};
use crate::print::{push, push_quoted};
use crate::sys;

/// SIGINT, SIGQUIT and SIGTERM: what engines stop a container with, by default or by STOPSIGNAL.
const STOP_SIGNALS: [i32; 3] = [2, 3, 15];

/// Lets a stop end this process although it is process 1.
pub fn end_on_stop() {
    STOP_SIGNALS.iter().for_each(|&number| sys::end_on(number));
}

/// Becomes `command`, which is not empty. Returns only if that cannot be done: the exit code, as env(1) has it, and
/// the line that says why.
pub fn become_command(command: &[Vec<u8>]) -> (i32, Vec<u8>) {
    let errno = sys::become_command(command);
    let mut line = b"probe: command ".to_vec();
    push_quoted(&mut line, &command[0]);
    push(&mut line, ": ");
    push_problem(&mut line, errno, &command[0]);
    push(&mut line, "\n");
    (if errno == ENOENT { 127 } else { 126 }, line)
}

/// Appends why a command cannot be run.
fn push_problem(out: &mut Vec<u8>, errno: Errno, name: &[u8]) {
    match errno {
        ENOENT if !name.contains(&b'/') => push(out, "not in PATH"),
        // The kernel does not say which (execve(2)).
        ENOENT => push(out, "no such file, or its loader or interpreter is missing"),
        errno => push_message(out, errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_words() {
        for (errno, name, words) in [
            (ENOENT, "app", "not in PATH"),
            (ENOENT, "/app", "no such file, or its loader or interpreter is missing"),
            (ENOENT, "./app", "no such file, or its loader or interpreter is missing"),
            (Errno(13), "/app", "permission denied"),
            (Errno(8), "/app", "not a program for this machine"),
            (Errno(20), "/app/x", "not a directory"),
        ] {
            let mut out = Vec::new();
            push_problem(&mut out, errno, name.as_bytes());
            assert_eq!(out, words.as_bytes(), "{errno:?} {name}");
        }
    }
}
