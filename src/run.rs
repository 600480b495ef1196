//! One target after the other, and waiting.

use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Phase, Unhealthy};
use crate::input::config::Config;
use crate::input::target::Target;
use crate::net::deadline::Deadline;
use crate::probe;
use crate::verdict::Verdict;

/// The timeout of one attempt at all targets, unless another is given.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The pause between two attempts of `--wait`, in milliseconds: doubled each time, from
/// what a fast start deserves to what a name server can bear for an hour.
const FIRST_PAUSE: u64 = 25;
const LAST_PAUSE: u64 = 1000;

/// The last attempt begins this long before the wait ends.
const LAST_ATTEMPT: Duration = Duration::from_millis(50);

/// Checks the targets in their order, all within one deadline. `report` is handed each
/// verdict as soon as it stands: whether it is healthy, and its lines.
pub fn run(config: &Config, report: &mut dyn FnMut(bool, &[u8])) {
    let deadline = Deadline::after(config.wait.or(config.timeout).unwrap_or(TIMEOUT));
    // In each group one healthy target is enough.
    let size = if config.any { config.targets.len() } else { 1 };
    let mut lines = Vec::new();
    for group in config.targets.chunks(size) {
        let is_healthy = until_one_is_healthy(group, config, &deadline, &mut lines);
        report(is_healthy, &lines);
    }
}

/// Tries the targets in turn until one is healthy, with `--wait` again and again. `lines` becomes
/// the line of the healthy one alone, or those of all.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
fn until_one_is_healthy(
    targets: &[Target],
    config: &Config,
    deadline: &Deadline,
    lines: &mut Vec<u8>,
) -> bool {
    let mut pause = FIRST_PAUSE;
    let mut failures = Vec::new();
    lines.clear();
    loop {
        let round = Deadline::after(config.timeout.unwrap_or(TIMEOUT)).min(*deadline);
        failures.clear();
        for (index, target) in targets.iter().enumerate() {
            let verdict = try_once(target, config, &round.share(targets.len() - index));
            if verdict.outcome.is_ok() {
                verdict.push(lines);
                return true;
            }
            failures.push(verdict);
        }
        let left = deadline.left().unwrap_or_default().saturating_sub(LAST_ATTEMPT);
        if config.wait.is_none() || left.is_zero() {
            // Only here: a line asks the kernel for its explanation.
            failures.iter().for_each(|failure| failure.push(lines));
            return false;
        }
        thread::sleep(Duration::from_millis(pause).min(left));
        pause = LAST_PAUSE.min(pause * 2);
    }
}

/// One attempt at one target.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
fn try_once<'a>(target: &'a Target, config: &'a Config, attempt: &Deadline) -> Verdict<'a> {
    let start = Instant::now();
    let mut detail = Vec::new();
    let outcome = match attempt.left() {
        Some(_) => probe::attempt(target, &config.options, attempt, &mut detail),
        None => Err(Unhealthy::TimedOut(Phase::NotChecked)),
    };
    Verdict {
        target,
        detail,
        outcome: outcome.map(|()| start.elapsed()),
        timeout: attempt.timeout(),
        unix_socket: config.options.unix_socket_for(target).map(|socket| &socket.shown[..]),
        waited: config.wait,
    }
}
