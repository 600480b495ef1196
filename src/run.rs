//! Several targets, and waiting; the one place that starts threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use std::{hint, mem};

use crate::cli::Config;
use crate::deadline::Deadline;
use crate::dial;
use crate::probe::{self, Attempt};
use crate::target::Target;
use crate::verdict::{Phase, Verdict, timed_out};

/// How long after the deadline a thread may take to report what it was doing.
const GRACE: Duration = Duration::from_millis(60);

/// Ample for a check. Only what is touched is resident; std's
/// 2 MiB would not fit into a limited address space many times.
const STACK: usize = 64 * 1024;

/// What a check usually takes of the heap at most.
const HEAP: usize = 8 * 1024;

/// The pause between two attempts of `--wait`: doubled each time, from a
/// server's quick start to what a name server can bear for an hour.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// How long before its end a wait begins its last attempt.
const LAST_ATTEMPT: Duration = Duration::from_millis(50);

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
            let outcome = check(target, config, deadline).map(|(healthy, connection)| {
                // The process ends next, and that closes it.
                mem::forget(connection);
                healthy
            });
            vec![Verdict { target, outcome }]
        }
        targets => check_in_threads(targets, config, deadline),
    }
}

/// Checks one target, with `--wait` until it is healthy or `deadline` passes.
fn check(target: &Target, config: &Config, deadline: Deadline) -> Attempt {
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

/// What the threads have found out.
struct Board {
    found: Mutex<Found>,
    changed: Condvar,
}

struct Found {
    /// One for each target, in their order: a timeout, until more is known.
    verdicts: Vec<Verdict<'static>>,
    /// Of so many nothing more is known yet.
    missing: usize,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, index: usize, attempt: Attempt) {
        let mut found = self.lock();
        // None are left once the deadline has passed and they are printed.
        if let Some(verdict) = found.verdicts.get_mut(index) {
            verdict.outcome = attempt.map(|(healthy, _)| healthy);
            found.missing -= 1;
            self.changed.notify_one();
        }
    }
}

/// Whether so many bytes could be allocated. Where they cannot, in the middle of
/// a check, std ends the process.
fn has_room(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    let result = room.try_reserve_exact(bytes);
    // Or else the compiler allocates nothing.
    hint::black_box(&room);
    result.is_ok()
}

/// Checks each target in a thread of its own. A thread that a full backlog
/// holds past the deadline is left behind; it ends with the process.
fn check_in_threads(
    targets: &'static [Target],
    config: &'static Config,
    deadline: Deadline,
) -> Vec<Verdict<'static>> {
    let mut verdicts = Vec::new();
    for target in targets {
        // What is not known in the end hangs in a Unix connect, or wants for a processor.
        let phase = if dial::may_block(&target.endpoint) { Phase::Connect } else { Phase::Receive };
        verdicts.push(Verdict { target, outcome: Err(timed_out(phase, &deadline)) });
    }
    let found = Mutex::new(Found { verdicts, missing: targets.len() });
    let board: &'static Board = Box::leak(Box::new(Board { found, changed: Condvar::new() }));

    for (index, target) in targets.iter().enumerate() {
        let work = move || board.set(index, check(target, config, deadline));
        let room = has_room(STACK + targets.len() * HEAP);
        if !room || thread::Builder::new().stack_size(STACK).spawn(work).is_err() {
            // A limit of memory or processes has been met: this one has its turn here.
            work();
        }
    }

    let waited =
        board.changed.wait_timeout_while(board.lock(), deadline.left() + GRACE, |found| found.missing > 0);
    let (mut found, _) = waited.unwrap_or_else(PoisonError::into_inner);
    mem::take(&mut found.verdicts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_too_late_changes_nothing() {
        let found = Mutex::new(Found { verdicts: Vec::new(), missing: 0 });
        let board = Board { found, changed: Condvar::new() };
        board.set(0, Err(timed_out(Phase::Receive, &Deadline::after(LAST_PAUSE))));
        assert_eq!(board.lock().missing, 0);
    }
}
