//! A signal to process 1, so that a restart policy restarts the container.

use std::time::Duration;

use crate::act::process_1;
use crate::errno::push_message;
use crate::input::signal::Signal;
use crate::print::{push, push_age, push_duration};
use crate::sys;

const SIGCONT: i32 = 18;

/// Sends a signal to a process: 1, but in tests. One that is younger than `start_period` is spared. `say` gets the line
/// that says so, or why not, and comes first: the kernel ends this process with process 1. Signal 0 tells whether
/// it may be sent.
#[inline(never)]
pub fn kill(process: u32, (name, number): Signal, start_period: Duration, say: impl FnOnce(&[u8])) {
    let is_dropped = process_1::has_no_handler(process, number);
    let young = process_1::age(process).filter(|age| *age < start_period);
    let id = process as i32;
    let may_send = sys::send_signal(id, 0);
    let is_sent = young.is_none() && may_send.is_ok();
    let mut line = Vec::new();
    push(&mut line, if is_sent { "sent SIG" } else { "SIG" });
    push(&mut line, name);
    push(&mut line, if is_sent { " to process 1" } else { " not sent to process 1: " });
    match (young, may_send) {
        (Some(age), _) => {
            push(&mut line, "it started ");
            push_age(&mut line, age, false);
            push(&mut line, " ago, the start period is ");
            push_duration(&mut line, start_period);
        }
        (None, Err(errno)) => push_message(&mut line, errno),
        (None, Ok(())) if is_dropped => {
            push(&mut line, "; if it goes on, it has no handler: use docker run --init");
        }
        (None, Ok(())) => {}
    }
    push(&mut line, "\n");
    say(&line);
    if is_sent {
        let _ = sys::send_signal(id, number);
        // As systemd does: a process that is stopped takes no signal until it is continued.
        let _ = sys::send_signal(id, SIGCONT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::signal;
    use std::fs;
    use std::io::Read;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, ExitStatus, Stdio};
    use std::time::Instant;

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

    fn kill_by_term(one: &One, start_period: Duration, say: impl FnOnce(&str)) {
        let signal = signal::parse(b"TERM").expect("a signal");
        let mut is_said = false;
        kill(one.0.id(), signal, start_period, |line| {
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
        kill_by_term(&one, Duration::ZERO, |line| {
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
        kill_by_term(&one, Duration::ZERO, |line| assert_eq!(line, "sent SIGTERM to process 1\n"));
        assert_eq!(one.end().code(), Some(7));
    }

    #[test]
    fn one_that_is_younger_than_the_start_period_is_spared() {
        let mut one = One(Command::new("sh")
            .args(["-c", "read line; exit 7"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("it runs"));
        kill_by_term(&one, Duration::from_secs(3600), |line| {
            assert!(line.starts_with("SIGTERM not sent to process 1: it started "), "{line}");
            assert!(line.ends_with("s ago, the start period is 3600s\n"), "{line}");
        });
        drop(one.0.stdin.take());
        assert_eq!(one.end().code(), Some(7));
    }

    #[test]
    fn a_signal_that_may_not_be_sent_has_its_cause() {
        let mut one = One(Command::new("true").spawn().expect("it runs"));
        one.0.wait().expect("it ends");
        // Nothing tells its age any more, so it is not spared.
        kill_by_term(&one, Duration::from_secs(3600), |line| {
            assert_eq!(line, "SIGTERM not sent to process 1: errno 3\n")
        });
    }

    #[test]
    fn one_that_is_as_old_as_the_start_period_is_not_spared() {
        let mut one = One(Command::new("sleep").arg("60").spawn().expect("it runs"));
        let age = one.within(|one| process_1::age(one.0.id()).filter(|age| !age.is_zero()));
        kill_by_term(&one, age, |line| assert!(line.starts_with("sent SIGTERM to process 1"), "{line}"));
        assert_eq!(one.end().signal(), Some(15));
    }
}
