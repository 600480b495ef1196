//! One target after the other; waiting, and holding.

use std::thread;
use std::time::{Duration, Instant};

use crate::act::process_1;
use crate::answer::Detail;
use crate::failure::{Phase, Unhealthy};
use crate::input::config::Config;
use crate::input::target::Target;
use crate::net::deadline::Deadline;
use crate::probe;
use crate::verdict::Verdict;

/// The pause between two attempts of `--wait`, in milliseconds: doubled each time, from
/// what a fast start deserves to what a name server can bear for an hour.
const FIRST_PAUSE: u64 = 25;
const LAST_PAUSE: u64 = 1000;

/// The pause between two rounds of `--hold`.
const HOLD_PAUSE: Duration = Duration::from_secs(1);

/// The last attempt begins this many milliseconds before the wait ends, and as many more as the one before it took.
const LAST_ATTEMPT: u64 = 50;

/// Checks the targets in their order. With `--hold`, again and again while they are healthy. `report` is handed each
/// verdict: whether it is healthy, and its lines. Without a hold that is as soon as it stands. Returns whether all
/// are healthy.
pub fn run(config: &Config, report: &mut dyn FnMut(bool, Vec<u8>)) -> bool {
    // In a container that has just started one check will do: the engine waits for its outcome.
    let holds = |hold: &Duration| process_1::age(1).is_none_or(|age| age >= *hold);
    let Some(hold) = config.hold.filter(holds).map(Deadline::after) else {
        return check_all(config, report);
    };
    loop {
        let mut verdicts = Vec::new();
        let all_healthy = check_all(config, &mut |is_healthy, lines| verdicts.push((is_healthy, lines)));
        if !all_healthy || hold.left().is_none_or(|left| left < HOLD_PAUSE) {
            verdicts.into_iter().for_each(|(is_healthy, lines)| report(is_healthy, lines));
            return all_healthy;
        }
        thread::sleep(HOLD_PAUSE);
    }
}

/// Checks the targets once, all within one deadline. Returns whether all are healthy.
fn check_all(config: &Config, report: &mut dyn FnMut(bool, Vec<u8>)) -> bool {
    let deadline = Deadline::after(config.wait.unwrap_or(config.timeout));
    // --any: one group of all; else one per target. In each group one healthy target is enough.
    let size = if config.any { config.targets.len() } else { 1 };
    let mut all_healthy = true;
    for group in config.targets.chunks(size) {
        let (is_healthy, lines) = until_one_is_healthy(group, config, &deadline);
        report(is_healthy, lines);
        all_healthy &= is_healthy;
    }
    all_healthy
}

/// Tries the targets in turn until one is healthy, with `--wait` again and again. Returns whether one
/// is, and its line alone, or those of all.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
fn until_one_is_healthy(targets: &[Target], config: &Config, deadline: &Deadline) -> (bool, Vec<u8>) {
    let mut lines = Vec::new();
    let mut pause = FIRST_PAUSE;
    loop {
        let begin = Instant::now();
        let round = config.wait.map_or(*deadline, |_| deadline.within(config.timeout));
        let mut failed = Vec::new();
        let mut is_late = true;
        for (index, target) in targets.iter().enumerate() {
            // Several share the time left equally. A single one keeps `round`, whose timeout is the one asked for.
            let share = if targets.len() > 1 { round.share(targets.len() - index) } else { round };
            let verdict = try_once(target, config, &share);
            if verdict.outcome.is_ok() {
                lines.clear();
                verdict.push(&mut lines);
                return (true, lines);
            }
            is_late &= matches!(verdict.outcome, Err(Unhealthy::TimedOut(_) | Unhealthy::NotChecked));
            failed.push(verdict);
        }
        let took = begin.elapsed().as_millis() as u64;
        let left = config.wait.and(deadline.left()).unwrap_or_default().as_millis() as u64;
        let left = left.saturating_sub(LAST_ATTEMPT);
        thread::sleep(Duration::from_millis(pause.min(left.saturating_sub(took))));
        // On a loaded machine the pause may take all of the time: then this round was the last.
        let is_last = left == 0 || deadline.left().is_none();
        // A round that only ran out of time, since it had less than the one before it took, tells nothing new.
        if !is_late || lines.is_empty() {
            lines.clear();
            // Not before: a line reads /proc/net/tcp.
            if is_last || !is_late && left < took {
                failed.iter().for_each(|verdict| verdict.push(&mut lines));
            }
        }
        if is_last {
            return (false, lines);
        }
        pause = LAST_PAUSE.min(pause * 2);
    }
}

/// One attempt at one target.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
fn try_once<'a>(target: &'a Target, config: &'a Config, deadline: &Deadline) -> Verdict<'a> {
    let start = Instant::now();
    let mut detail = Detail { words: Vec::new(), target, config };
    let outcome = match deadline.left() {
        Some(_) => probe::attempt(deadline, &mut detail),
        // How long it waited is told at the end of the line.
        None if config.wait.is_some() => Err(Unhealthy::NotChecked),
        None => Err(Unhealthy::TimedOut(Phase::Turn)),
    };
    Verdict {
        target,
        detail: detail.words,
        outcome: outcome.map(|()| start.elapsed()),
        timeout: deadline.timeout,
        wait: config.wait,
    }
}
