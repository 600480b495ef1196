//! One target after the other, and waiting.

use std::thread;
use std::time::Duration;

use crate::config::Config;
use crate::deadline::Deadline;
use crate::probe;
use crate::target::Target;
use crate::verdict::{Failure, Healthy, Phase, Verdict, timed_out};

/// The pause between two attempts of `--wait`: doubled each time, from a
/// server's quick start to what a name server can bear for an hour.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// How long before its end a wait begins its last attempt.
const LAST_ATTEMPT: Duration = Duration::from_millis(50);

/// Checks the targets in their order, all within one deadline; `report` is
/// handed each verdict as soon as it is known.
pub fn run(config: &Config, report: &mut dyn FnMut(Verdict)) {
    let deadline = Deadline::after(config.wait.unwrap_or(config.timeout));
    for target in &config.targets {
        let mut outcome = Err(timed_out(Phase::NotChecked, &deadline));
        if deadline.left().is_some() {
            outcome = check(target, config, deadline);
        }
        report(Verdict { target, outcome });
    }
}

/// Checks one target, with `--wait` until it is healthy or `deadline` passes.
fn check(target: &Target, config: &Config, deadline: Deadline) -> Result<Healthy, Failure> {
    let mut pause = FIRST_PAUSE;
    loop {
        let attempt = Deadline::after(config.timeout).or_sooner(deadline);
        let outcome = probe::attempt(target, &config.options, &attempt);
        let left = deadline.left().unwrap_or_default().saturating_sub(LAST_ATTEMPT);
        if outcome.is_ok() || config.wait.is_none() || left.is_zero() {
            return outcome;
        }
        thread::sleep(pause.min(left));
        pause = (pause + pause).min(LAST_PAUSE);
    }
}
