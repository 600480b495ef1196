//! A signal to process 1, so that a restart policy restarts the container.

use std::fs;

use crate::errno::push_message;
use crate::file;
use crate::input::signal::Signal;
use crate::print::{push, push_number};
use crate::sys;

const SIGCONT: i32 = 18;

/// The host's own pid namespace (`PROC_PID_INIT_INO` in the kernel's include/linux/proc_ns.h).
const HOST: &str = "pid:[4026531836]";

/// The longest /proc/1/status that is read: it lists every group.
const STATUS_MAX: usize = 64 * 1024;

/// Whether process 1 is the host's own. Without /proc it is taken for a container's.
pub fn is_on_host() -> bool {
    fs::read_link("/proc/self/ns/pid").is_ok_and(|namespace| namespace.as_os_str() == HOST)
}

/// Sends `signal` to a process: 1, but in tests. `say` gets the line that says so, or why not, and comes
/// first: the kernel ends this process with process 1. Signal 0 tells whether it may be sent.
pub fn kill(process: u32, signal: Signal, say: impl FnOnce(&[u8])) {
    let (name, number) = (signal.0, i32::from(signal.1));
    let mut status = b"/proc/".to_vec();
    push_number(&mut status, process.into());
    push(&mut status, "/status");
    let is_dropped = file::read(&status, STATUS_MAX).is_ok_and(|status| has_no_handler(&status, number));
    let process = process as i32;
    let may_send = sys::send_signal(process, 0);
    let mut line = Vec::new();
    push(&mut line, if may_send.is_ok() { "sent SIG" } else { "SIG" });
    push(&mut line, name);
    match may_send {
        Ok(()) => {
            push(&mut line, " to process 1");
            if is_dropped {
                push(&mut line, "; if it goes on, it has no handler: use docker run --init");
            }
        }
        Err(errno) => {
            push(&mut line, " not sent to process 1: ");
            push_message(&mut line, errno);
        }
    }
    push(&mut line, "\n");
    say(&line);
    if may_send.is_ok() {
        let _ = sys::send_signal(process, number);
        // As systemd does: a process that is stopped takes no signal before.
        let _ = sys::send_signal(process, SIGCONT);
    }
}

/// Whether the process of this /proc/PID/status has no handler for a signal below 17 (proc(5)).
/// That is not for certain: tini waits in sigtimedwait(2), which no field shows.
fn has_no_handler(status: &[u8], number: i32) -> bool {
    const CAUGHT: &[u8] = b"SigCgt:\t";
    let Some(at) = status.windows(CAUGHT.len()).position(|part| part == CAUGHT) else { return false };
    // Sixteen hexadecimal digits, the last of them for signals 1 to 4.
    let bit = number as usize - 1;
    let digit =
        status.get(at + CAUGHT.len() + 15 - bit / 4).and_then(|&digit| char::from(digit).to_digit(16));
    digit.is_some_and(|bits| bits >> (bit % 4) & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_a_bit_of_sigcgt() {
        // HUP, QUIT, ABRT, USR2 and TERM; the other fields have all.
        let status =
            b"Name:\tx\nSigIgn:\tffffffffffffffff\nSigCgt:\t0000000000004825\nCapEff:\tffffffffffffffff\n";
        for (number, is_lacking) in
            [(15, false), (2, true), (3, false), (1, false), (6, false), (10, true), (12, false)]
        {
            assert_eq!(has_no_handler(status, number), is_lacking, "{number}");
        }
    }

    #[test]
    fn nothing_is_said_of_a_status_that_does_not_tell() {
        for status in ["", "Name:\tx\n", "SigCgt:\t", "SigCgt:\t00000000", "SigCgt:\tgggggggggggggggg\n"] {
            assert!(!has_no_handler(status.as_bytes(), 1), "{status:?}");
        }
    }
}
