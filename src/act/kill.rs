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
    use crate::input::signal;
    use std::io::Read;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, ExitStatus, Stdio};
    use std::time::{Duration, Instant};

    const SIGSTOP: i32 = 19;

    /// A process in place of process 1.
    struct One(Child);

    impl One {
        fn status(&self) -> String {
            fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("/proc")
        }

        /// What `read` finds before 20 s are over.
        fn within<T>(&mut self, mut read: impl FnMut(&mut One) -> Option<T>) -> T {
            let start = Instant::now();
            loop {
                if let Some(found) = read(self) {
                    return found;
                }
                assert!(start.elapsed() < Duration::from_secs(20), "{}", self.status());
                std::thread::yield_now();
            }
        }

        fn end(mut self) -> ExitStatus {
            self.within(|one| one.0.try_wait().expect("a child"))
        }
    }

    impl Drop for One {
        fn drop(&mut self) {
            let _ = self.0.kill().and_then(|()| self.0.wait());
        }
    }

    fn kill_by_term(one: &One, say: impl FnOnce(&str)) {
        let signal = signal::parse(b"TERM").expect("a signal");
        let mut is_said = false;
        kill(one.0.id(), signal, |line| {
            is_said = true;
            say(std::str::from_utf8(line).expect("ASCII"));
        });
        assert!(is_said);
    }

    #[test]
    fn one_that_is_stopped_gets_the_signal_after_the_line() {
        let mut one = One(Command::new("sleep").arg("60").spawn().expect("it runs"));
        sys::send_signal(one.0.id() as i32, SIGSTOP).expect("sent");
        one.within(|one| one.status().contains("State:\tT").then_some(()));
        kill_by_term(&one, |line| {
            assert_eq!(
                line,
                "sent SIGTERM to process 1; if it goes on, it has no handler: use docker run --init\n"
            );
            assert!(one.status().contains("ShdPnd:\t0000000000000000\n"), "sent before: {}", one.status());
        });
        assert_eq!(one.end().signal(), Some(15));
    }

    #[test]
    fn one_that_has_a_handler_runs_it() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap 'exit 7' TERM; echo; read line"]);
        let mut one = One(shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs"));
        let stdout = one.0.stdout.as_mut().expect("a pipe");
        stdout.read_exact(&mut [0]).expect("it has the handler");
        kill_by_term(&one, |line| assert_eq!(line, "sent SIGTERM to process 1\n"));
        assert_eq!(one.end().code(), Some(7));
    }

    #[test]
    fn a_signal_that_may_not_be_sent_has_its_cause() {
        let mut one = One(Command::new("true").spawn().expect("it runs"));
        one.0.wait().expect("it ends");
        kill_by_term(&one, |line| assert_eq!(line, "SIGTERM not sent to process 1: errno 3\n"));
    }

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
