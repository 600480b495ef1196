//! One target after the other, and waiting.

use std::thread;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::deadline::Deadline;
use crate::probe;
use crate::verdict::{Phase, Unhealthy, Verdict};

/// How long one attempt at all targets may take, unless it is said.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The pause between two attempts of `--wait`, in milliseconds: doubled each time, from
/// a server's quick start to what a name server can bear for an hour.
const FIRST_PAUSE: u64 = 25;
const LAST_PAUSE: u64 = 1000;

/// How long before its end a wait begins its last attempt.
const LAST_ATTEMPT: Duration = Duration::from_millis(50);

/// Checks the targets in their order, all within one deadline, each with `--wait`
/// until it is healthy; `report` is handed each verdict as soon as it is known.
pub fn run(config: &Config, report: &mut dyn FnMut(Verdict)) {
    let timeout = config.timeout.unwrap_or(TIMEOUT);
    let deadline = Deadline::after(config.wait.unwrap_or(timeout));
    for target in &config.targets {
        let outcome = Err(Unhealthy::TimedOut(Phase::NotChecked));
        let mut verdict = Verdict { target, said: Vec::new(), outcome, timeout: deadline.timeout() };
        let mut pause = FIRST_PAUSE;
        while deadline.left().is_some() {
            let start = Instant::now();
            let attempt = deadline.min(Deadline::after(timeout));
            verdict.said.clear();
            verdict.timeout = attempt.timeout();
            let outcome = probe::attempt(target, &config.options, &attempt, &mut verdict.said);
            verdict.outcome = outcome.map(|()| start.elapsed());
            let left = deadline.left().unwrap_or_default().saturating_sub(LAST_ATTEMPT);
            if outcome.is_ok() || config.wait.is_none() || left.is_zero() {
                break;
            }
            thread::sleep(Duration::from_millis(pause).min(left));
            pause = LAST_PAUSE.min(pause * 2);
        }
        report(verdict);
    }
}
