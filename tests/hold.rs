//! `--hold`: one process checks each second. Process 1 has to be older than each hold here: what a young one
//! changes, and `--kill`, is in `tests/system/servers/hold`.

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use support::*;

/// Rounds after 0, 1 and 2 seconds, however slow the machine is; 0.9 seconds may get lost.
const THREE_ROUNDS: &str = "2900ms";

/// A server that gives these status-codes in turn, then the last one for ever; 0 is no answer. It remembers when it
/// was asked.
struct Server {
    target: String,
    asked: Arc<Mutex<Vec<Instant>>>,
}

fn gives(statuses: &'static [u16]) -> Server {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let shared = asked.clone();
    let port = serve(move |mut stream| {
        read_request(&mut stream);
        let mut asked = shared.lock().expect("no panic");
        let status = statuses[asked.len().min(statuses.len() - 1)];
        asked.push(Instant::now());
        drop(asked);
        match status {
            0 => silent(stream),
            _ => _ = stream.write_all(format!("HTTP/1.0 {status} Said\r\n\r\n").as_bytes()),
        }
    });
    Server { target: format!("127.0.0.1:{port}"), asked }
}

impl Server {
    /// Whether it was asked so often.
    #[track_caller]
    fn was_asked(&self, times: usize, run: &Run) {
        assert_eq!(self.asked.lock().expect("no panic").len(), times, "{run:#?}");
    }
}

/// The targets' status-codes; options; exit code; how often each target is asked; the lines, those on stdout first.
type Case = (&'static [&'static [u16]], &'static [&'static str], i32, &'static [usize], &'static str);

const CASES: &[Case] = &[
    // Healthy: the last round's lines.
    (&[&[200, 201, 202]], &["--hold", THREE_ROUNDS], 0, &[3], "healthy: A: 202 Said"),
    (
        &[&[200, 201, 202], &[202, 201, 200]],
        &["--hold", THREE_ROUNDS],
        0,
        &[3, 3],
        "healthy: A: 202 Said\nhealthy: B: 200 Said",
    ),
    (&[&[200]], &["--hold", THREE_ROUNDS, "--quiet"], 0, &[3], ""),
    (&[&[503], &[200, 201, 202]], &["--hold", THREE_ROUNDS, "--any"], 0, &[3, 3], "healthy: B: 202 Said"),
    (&[&[503, 200], &[200]], &["--hold", THREE_ROUNDS, "--any"], 0, &[3, 1], "healthy: A: 200 Said"),
    // Below a second, and as long as that: no second round would begin in time.
    (&[&[200]], &["--hold", "1ms"], 0, &[1], "healthy: A: 200 Said"),
    (&[&[200]], &["--hold", "999ms"], 0, &[1], "healthy: A: 200 Said"),
    (&[&[200]], &["--hold", "1s"], 0, &[1], "healthy: A: 200 Said"),
    // A round that fails is neither lost nor checked again.
    (&[&[503, 200]], &["--hold", "9s"], 1, &[1], "unhealthy: A: 503 Said, expected 200-399"),
    (&[&[200, 503, 200]], &["--hold", "9s"], 1, &[2], "unhealthy: A: 503 Said, expected 200-399"),
    (
        &[&[200, 201], &[200, 503, 200]],
        &["--hold", "9s"],
        1,
        &[2, 2],
        "healthy: A: 201 Said\nunhealthy: B: 503 Said, expected 200-399",
    ),
    (
        &[&[200, 503], &[200, 201]],
        &["--hold", "9s", "--quiet"],
        1,
        &[2, 2],
        "unhealthy: A: 503 Said, expected 200-399",
    ),
    (
        &[&[503], &[200, 500, 200]],
        &["--hold", "9s", "--any"],
        1,
        &[2, 2],
        "unhealthy: A: 503 Said, expected 200-399\nunhealthy: B: 500 Said, expected 200-399",
    ),
    (
        &[&[200, 0]],
        &["--hold", "9s", "--timeout", "2s"],
        1,
        &[2],
        "unhealthy: A: receive: timed out after 2s",
    ),
    // Each round may wait.
    (&[&[200, 503, 201, 202]], &["--hold", THREE_ROUNDS, "--wait", "1h"], 0, &[4], "healthy: A: 202 Said"),
    (
        &[&[200, 0]],
        &["--hold", "9s", "--wait", "2s"],
        1,
        &[2],
        "unhealthy: A: receive: timed out after 2s, waited 2s",
    ),
];

#[test]
fn every_round_counts() {
    // At once, since each takes seconds.
    thread::scope(|scope| {
        for case in CASES {
            scope.spawn(|| check(case));
        }
    });
}

fn check((targets, options, code, asked, lines): &Case) {
    let servers: Vec<_> = targets.iter().map(|statuses| gives(statuses)).collect();
    let targets = servers.iter().map(|server| server.target.as_str());
    let run = probe(&options.iter().copied().chain(targets).collect::<Vec<_>>());
    let mut said = run.text();
    for (server, name) in servers.iter().zip(["A", "B"]) {
        said = said.replace(&server.target, name);
    }
    // Without what differs from run to run: how long it took.
    let said: Vec<_> = said.lines().map(|line| line.split(" in ").next().unwrap_or(line)).collect();
    assert_eq!((run.code, said.join("\n").as_str()), (Some(*code), *lines), "{options:?} {run:#?}");
    for (server, times) in servers.iter().zip(*asked) {
        server.was_asked(*times, &run);
    }
    run.within(GENEROUS);
}

#[test]
fn a_second_is_between_two_rounds() {
    let server = gives(&[200]);
    let run = probe_env(&[&server.target], &[("PROBE_HOLD", THREE_ROUNDS)]);
    run.healthy(&format!("healthy: {}: 200 Said in ", server.target));
    server.was_asked(3, &run);
    let asked = server.asked.lock().expect("no panic");
    let pauses: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause >= Duration::from_secs(1)), "{pauses:?}");
}

#[test]
fn the_option_beats_the_variable() {
    let server = gives(&[200]);
    let run = probe_env(&["--hold", "1ms", &server.target], &[("PROBE_HOLD", "9s")]);
    run.healthy("healthy: ");
    server.was_asked(1, run.within(GENEROUS));
}
