//! What surrounds the probe: its streams, arguments, variables and signals.
//! What needs root or limits is in `tests/system/servers/surroundings`.

mod support;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use support::*;

const OK: &str = "HTTP/1.0 200 OK\r\n\r\nhello";

/// A healthy and an unhealthy target, and the codes they exit with.
fn both() -> [(String, i32); 2] {
    [(format!("127.0.0.1:{}", serve(answers(OK))), 0), (format!("127.0.0.1:{}", closed_port()), 1)]
}

#[test]
fn closed_streams_change_nothing_about_the_exit_code() {
    for closed in ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"] {
        for (target, code) in both() {
            let probe = command();
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("exec \"$@\" {closed}"), "sh"]);
            shell.arg(probe.get_program()).args(probe.get_args()).arg(&target);
            assert_eq!(finished(shell).code, Some(code), "{closed} {target}");
        }
    }
}

#[test]
fn full_streams_change_nothing_about_the_exit_code() {
    let full = || Stdio::from(OpenOptions::new().write(true).open("/dev/full").expect("/dev/full"));
    for (target, code) in both() {
        let status = command().arg(&target).stdout(full()).stderr(full()).status();
        assert_eq!(status.expect("the probe runs").code(), Some(code), "{target}");
    }
    let status = command().arg("--help").stdout(full()).stderr(full()).status();
    assert_eq!(status.expect("the probe runs").code(), Some(0));
}

#[test]
fn a_pipe_that_nobody_reads_changes_nothing_about_the_exit_code() {
    // The answer comes only when the pipe's reader is gone.
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = Arc::new(Mutex::new(receiver));
    let port = serve(move |mut stream| {
        read_request(&mut stream);
        let _ = receiver.lock().expect("no panic").recv_timeout(GENEROUS);
        let _ = stream.write_all(OK.as_bytes());
    });
    let mut probe = command();
    let mut child = probe.arg(format!("127.0.0.1:{port}")).stdout(Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    sender.send(()).expect("the server waits");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn arguments_and_variables_that_are_not_utf_8() {
    let port = serve(answers("HTTP/1.0 200 OK\r\n\r\n\u{fc}"));
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let target = format!("http://127.0.0.1:{port}/");
    for (args, env, code, says) in [
        (vec![bytes(format!("{target}\u{e9}").as_bytes())], None, 0, "200 OK"),
        (vec![bytes(&[target.as_bytes(), b"\xff"].concat())], None, 0, "\\xff: 200 OK"),
        (vec![bytes(b"--expect"), bytes(b"\xc3"), bytes(target.as_bytes())], None, 0, "200 OK"),
        (vec![bytes(b"--expect"), bytes(b"\xff"), bytes(target.as_bytes())], None, 1, "expected \"\\xff\""),
        (vec![bytes(b"-H"), bytes(b"X: \xff"), bytes(target.as_bytes())], None, 0, "200 OK"),
        (vec![bytes(b"\xff://x")], None, 1, "target 1 \"\\xff:\": the port must"),
        (vec![bytes(b"--\xff=1")], None, 1, "option \"--\": unknown"),
        (vec![bytes(b"-t"), bytes(b"\xff")], None, 1, "--timeout \"\\xff\""),
        (vec![bytes(format!("{target}${{V}}").as_bytes())], Some(("V", bytes(b"\xfe"))), 0, "${V}: 200 OK"),
        (vec![bytes(target.as_bytes())], Some(("PROBE_STATUS", bytes(b"\xfe"))), 1, "PROBE_STATUS \"\\xfe\""),
        (vec![bytes(target.as_bytes())], Some(("UNUSED", bytes(b"\xfe"))), 0, "200 OK"),
        (vec![bytes(b"${\xff}")], None, 1, "must be ${NAME}"),
    ] {
        let mut probe = command();
        probe.args(&args).envs(env.clone());
        let run = finished(probe);
        assert!(run.code == Some(code) && run.text().contains(says), "{args:?} {env:?}: {run:?}");
    }
}

#[test]
fn an_argument_as_long_as_the_kernel_allows() {
    // MAX_ARG_STRLEN (execve(2)) less the final NUL.
    const MAX: usize = 131_071;
    let target = format!("http://127.0.0.1:{}/", serve(answers(OK)));
    let filled = |start: &str, fill: &str, end: &str| {
        let count = (MAX - start.len() - end.len()) / fill.len();
        format!("{start}{}{end}", fill.repeat(count))
    };
    for (args, code, says) in [
        (vec![target.clone() + &"p".repeat(60_000)], 0, "...: 200 OK"),
        (vec![filled(&target, "p", "")], 1, "target: must be at most 64 KiB"),
        (vec![target.clone() + &"${X:-y}".repeat(1000)], 0, "200 OK"),
        (vec![filled(&format!("{target}?"), "${X:-y}", "")], 0, "200 OK"),
        (vec!["-d".into(), filled("", "d", ""), target.clone()], 0, "200 OK"),
        (vec!["-H".into(), filled("X: ", "h", ""), target.clone()], 1, "--header: must be at most 64 KiB"),
        (vec!["--expect".into(), filled("", "e", ""), target.clone()], 1, "--expect: must be at most 64 KiB"),
        (vec!["--status".into(), filled("200", ",200", ""), target.clone()], 1, "must be at most 64 KiB"),
        (vec!["--status".into(), "2".repeat(60_000)], 1, "222...\": must be"),
        (vec![filled("--", "x", "")], 1, "xxx...\": unknown"),
        (vec!["x".repeat(60_000)], 1, "the host must"),
        (vec!["unix:/".to_string() + &"x".repeat(60_000)], 1, "107 bytes"),
        (vec![filled("", "${", "")], 1, "must be ${NAME}"),
        (vec![filled("${", "N", "}")], 1, "NNN...\": not set"),
        (vec!["-t".into(), "1".repeat(60_000)], 1, "must be from"),
        (
            vec![format!("http://u:{}@127.0.0.1:1/", "p".repeat(60_000))],
            1,
            "http://***@127.0.0.1:1/: connect:",
        ),
    ] {
        let run = probe(&args);
        let run = run.within(GENEROUS);
        assert!(run.code == Some(code) && run.text().contains(says), "{says}: {:.200}", run.text());
        assert!(run.text().len() < 1024);
    }
}

/// Whether SIGINT is ignored here, as by all that a script starts in the background (POSIX, sh, 2.11).
fn ignores_sigint(process: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).expect("a mask") & 2 != 0)
}

/// The probe, at work with a deadline that is far away.
fn started(args: &[&str]) -> Child {
    let mut probe = command();
    if ignores_sigint("self") {
        let mut env = Command::new("env");
        env.arg("--default-signal=INT").arg(probe.get_program()).args(probe.get_args());
        probe = env;
    }
    probe.args(["-t", "60s"]).args(args).stdout(Stdio::null()).stderr(Stdio::null());
    let child = probe.spawn().expect("the probe runs");
    // A signal that came before env has done its work would be lost.
    let start = Instant::now();
    while ignores_sigint(&child.id().to_string()) && start.elapsed() < GENEROUS {
        std::thread::yield_now();
    }
    child
}

/// Sends a signal, which must end it at once.
fn ended_by(mut child: Child, signal: i32) {
    let start = Instant::now();
    // The shell's own, since a small machine may have no program of that name.
    let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status();
    assert!(kill.expect("sh runs").success());
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(signal), "{status}");
    assert!(start.elapsed() < GENEROUS);
}

#[test]
fn sigterm_and_sigint_end_it_at_once_in_each_phase() {
    let full = socket_path();
    let _streams = full_backlog(&full);
    let full = format!("unix:{}", full.display());
    let data = "x".repeat(120_000);
    for signal in [2, 15] {
        // Whoever connects is announced before anything else happens.
        let (sender, connected) = mpsc::channel();
        let accepts = move |stream| {
            sender.send(()).expect("the test waits");
            silent(stream);
        };
        let (sender, refused) = mpsc::channel();
        let closes = move |stream| {
            drop(stream);
            let _ = sender.send(());
        };
        let silent = format!("127.0.0.1:{}", serve(accepts));
        let closes = format!("127.0.0.1:{}", serve(closes));

        let child = started(&[&silent]);
        connected.recv_timeout(GENEROUS).expect("it receives");
        ended_by(child, signal);

        let child = started(&["-d", &data, "--expect", "x", &format!("tcp://{silent}")]);
        connected.recv_timeout(GENEROUS).expect("it sends or receives");
        ended_by(child, signal);

        let child = started(&["--wait", "60s", &closes]);
        refused.recv_timeout(GENEROUS).expect("it waits for the next attempt");
        ended_by(child, signal);

        ended_by(started(&[&full]), signal);
    }
}

/// A listener that never accepts, and streams that fill its backlog.
fn full_backlog(path: &Path) -> impl Sized {
    use std::os::unix::net::{UnixListener, UnixStream};
    let listener = UnixListener::bind(path).expect("a socket");
    let (sender, receiver) = mpsc::channel();
    let path = path.to_path_buf();
    // It blocks in connect once the backlog is full, for as long as the test runs.
    thread::spawn(move || {
        while let Ok(stream) = UnixStream::connect(&path) {
            let _ = sender.send(stream);
        }
    });
    let mut streams = Vec::new();
    while let Ok(stream) = receiver.recv_timeout(Duration::from_millis(500)) {
        streams.push(stream);
    }
    (listener, streams)
}

#[test]
fn only_the_age_of_a_file_depends_on_the_wall_clock() {
    // No test may set this machine's clock, so the source has to show it: one function reads it.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut uses = Vec::new();
    let mut folders = vec![folder];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = fs::read_to_string(path).expect("source");
            let other_clock = |line: &&str| line.contains("SystemTime::") || line.contains("UNIX_EPOCH");
            uses.extend(text.lines().filter(other_clock).map(|line| line.trim().to_string()));
        }
    }
    assert!(files > 20, "{files} files");
    assert_eq!(uses, ["let (age, suffix) = match SystemTime::now().duration_since(modified) {"]);
}

#[test]
fn a_long_text_is_held_twice_and_no_more_often() {
    // 20 MiB of address space, of which a dynamic binary and its libraries take some.
    let target = format!("127.0.0.1:{}", serve(answers(OK)));
    let probe = command();
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -v 20480 && exec \"$@\"", "sh"])
        .arg(probe.get_program())
        .args(probe.get_args());
    limited.args(["-d", &"${X}".repeat(8), &target]).env("X", "x".repeat(120_000));
    finished(limited).healthy(&format!("healthy: {target}: 200 OK in "));
}
