//! Several targets, and waiting; the one place that starts threads.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::cli::Config;
use crate::deadline::Deadline;
use crate::dial;
use crate::probe;
use crate::target::Target;
use crate::verdict::{Failure, Healthy, Phase, Verdict, timed_out};

/// How long after the deadline a thread may take to report what it was doing.
const GRACE: Duration = Duration::from_millis(60);

/// Ample for a check. Only what is touched is resident; std's
/// 2 MiB would not fit into a limited address space many times.
const STACK: usize = 64 * 1024;

/// The pause between two attempts of `--wait`: doubled each time, from a
/// server's quick start to what a name server can bear for an hour.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// How long before its end a wait begins its last attempt.
const LAST_ATTEMPT: Duration = Duration::from_millis(50);

type Outcome = Result<Healthy, Failure>;

/// Checks all targets at the same time; returns their verdicts in their order.
///
/// A thread may be held past the deadline, so what threads use lives as long
/// as the process.
pub fn run(config: Box<Config>) -> Vec<Verdict<'static>> {
    let config: &'static Config = Box::leak(config);
    let deadline = Deadline::after(config.wait.unwrap_or(config.timeout));
    match &config.targets[..] {
        // The usual case costs no thread.
        [target] if !dial::may_block(&target.endpoint) => {
            vec![Verdict { target, outcome: check(target, config, deadline) }]
        }
        targets => check_in_threads(targets, config, deadline),
    }
}

/// Checks one target, with `--wait` until it is healthy or `deadline` passes.
fn check(target: &Target, config: &Config, deadline: Deadline) -> Outcome {
    if config.wait.is_none() {
        return probe::attempt(target, &config.options, &deadline);
    }
    let mut pause = FIRST_PAUSE;
    loop {
        let attempt = Deadline::after(config.timeout).or_sooner(deadline);
        let outcome = probe::attempt(target, &config.options, &attempt);
        let left = deadline.left().saturating_sub(LAST_ATTEMPT);
        if outcome.is_ok() || left.is_zero() {
            return outcome;
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// What the threads have found out, in the order of the targets.
struct Board {
    outcomes: Mutex<Vec<Option<Outcome>>>,
    changed: Condvar,
}

impl Board {
    fn set(&self, index: usize, outcome: Outcome) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes[index] = Some(outcome);
        self.changed.notify_one();
    }
}

/// Checks each target in a thread of its own. A thread that a full backlog
/// holds past the deadline is left behind; it ends with the process.
fn check_in_threads(
    targets: &'static [Target],
    config: &'static Config,
    deadline: Deadline,
) -> Vec<Verdict<'static>> {
    let mut outcomes = Vec::new();
    outcomes.resize_with(targets.len(), || None);
    let board: &'static Board =
        Box::leak(Box::new(Board { outcomes: Mutex::new(outcomes), changed: Condvar::new() }));

    let mut threadless = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let work = move || board.set(index, check(target, config, deadline));
        if thread::Builder::new().stack_size(STACK).spawn(work).is_err() {
            threadless.push(index);
        }
    }
    // A process limit has been met: those without a thread have their turn here.
    for index in threadless {
        board.set(index, check(&targets[index], config, deadline));
    }

    let unknown = |outcomes: &mut Vec<Option<Outcome>>| outcomes.iter().any(Option::is_none);
    let outcomes = board.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = board.changed.wait_timeout_while(outcomes, deadline.left() + GRACE, unknown);
    let (mut outcomes, _) = waited.unwrap_or_else(PoisonError::into_inner);
    let mut verdicts = Vec::new();
    for (target, outcome) in targets.iter().zip(outcomes.iter_mut()) {
        // What is not known by now hangs in a Unix connect, or wants for a processor.
        let phase = if dial::may_block(&target.endpoint) { Phase::Connect } else { Phase::Receive };
        let outcome = outcome.take().unwrap_or_else(|| Err(timed_out(phase, &deadline)));
        verdicts.push(Verdict { target, outcome });
    }
    verdicts
}
