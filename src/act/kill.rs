//! A signal to process 1, so that a restart policy restarts the container.

use std::time::Duration;

use crate::act::process_1;
use crate::errno::push_message;
use crate::input::signal::Signal;
use crate::print::{push, push_age, push_duration};
use crate::sys;

const SIGCONT: i32 = 18;

/// Sends `signal` to a process: 1, but in tests. One that is younger than `start_period` is spared. `say` gets the line
/// that says so, or why not, and comes first: the kernel ends this process with process 1. Signal 0 tells whether
/// it may be sent.
pub fn kill(process: u32, signal: Signal, start_period: Duration, say: impl FnOnce(&[u8])) {
    let (name, number) = (signal.0, i32::from(signal.1));
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
        // As systemd does: a process that is stopped takes no signal before.
        let _ = sys::send_signal(id, SIGCONT);
    }
}
