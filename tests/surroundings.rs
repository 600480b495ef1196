//! What surrounds the probe: its streams, arguments, variables and signals.
//! What needs root or limits is in `tests/system/servers/surroundings`.

mod support;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use support::*;

const OK: &str = "HTTP/1.0 200 OK\r\n\r\nhello";

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;

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

/// The probe, once it waits for something. Its deadline is far away.
fn waiting(args: &[&str]) -> Started {
    let mut probe = command();
    if ignores_sigint("self") {
        let mut env = Command::new("env");
        env.arg("--default-signal=INT").arg(probe.get_program()).args(probe.get_args());
        probe = env;
    }
    probe.args(["-t", "60s"]).args(args);
    let probe = started(probe);
    probe.until('S');
    probe
}

/// A probe that waits to connect, one that waits to send and one that waits to receive, with the listener
/// that keeps it waiting.
fn in_each_phase(each: impl Fn(&str, Started, UnixListener)) {
    // More than the 208 KiB of a socket's buffer.
    let field = format!("X: {}", "x".repeat(60_000));
    let large = ["-H"; 16].map(|option| [option, &field]).concat();
    for (phase, args) in [("connect", &[][..]), ("send", &large), ("receive", &[])] {
        let (path, listener) = if phase == "connect" { full_backlog() } else { unix_listener() };
        let probe = waiting(&[&["--unix-socket", path.to_str().expect("UTF-8"), "http://x/"], args].concat());
        each(phase, probe, listener);
    }
}

#[test]
fn sigterm_and_sigint_end_it_at_once_in_each_phase() {
    for signal in [SIGINT, SIGTERM] {
        let ends = |phase: &str, probe: Started| {
            probe.signal(signal);
            let run = probe.finished();
            assert_eq!(run.within(GENEROUS).signal, Some(signal), "{phase}: {run:?}");
        };
        in_each_phase(|phase, probe, _| ends(phase, probe));
        ends("a pause", waiting(&["--wait", "60s", &format!("127.0.0.1:{}", closed_port())]));
    }
}

#[test]
fn one_that_is_stopped_and_continued_goes_on_in_each_phase() {
    in_each_phase(|phase, probe, listener| {
        probe.signal(SIGSTOP);
        probe.until('T');
        // The kernel now ends what it waits in with EINTR (signal(7)).
        probe.signal(SIGCONT);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                read_request(&mut stream);
                let _ = stream.write_all(OK.as_bytes());
            }
        });
        let run = probe.finished();
        assert_eq!(run.within(GENEROUS).code, Some(0), "{phase}: {run:?}");
    });
}

#[test]
fn a_wait_that_is_over_after_a_pause_tells_what_it_knew_before() {
    let (sender, attempts) = mpsc::channel();
    let port = serve(move |stream| {
        let _ = stream.shutdown(Shutdown::Write);
        // To the end of the attempt.
        silent(stream);
        let _ = sender.send(());
    });
    let wait = Duration::from_secs(4);
    let mut probe = command();
    probe.args(["--wait", "4s", &format!("tls://127.0.0.1:{port}")]);
    let probe = started(probe);
    // The fifth pause takes 400 ms.
    for _ in 0..5 {
        attempts.recv_timeout(GENEROUS).expect("an attempt");
    }
    probe.until('S');
    probe.signal(SIGSTOP);
    probe.until('T');
    thread::sleep(wait);
    probe.signal(SIGCONT);
    probe.finished().unhealthy(&format!(
        "unhealthy: tls://127.0.0.1:{port}: receive: connection closed without a response, waited 4s"
    ));
}

#[test]
fn an_answer_that_there_is_no_memory_for_is_unhealthy() {
    let small = format!("127.0.0.1:{}", serve(answers(OK)));
    let large = format!("127.0.0.1:{}", serve(answers(OK.to_string() + &"x".repeat(1 << 20))));
    let limited = |kilobytes: usize, target: &str| {
        let probe = command();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -v {kilobytes} && exec \"$@\""), "sh"]);
        shell.arg(probe.get_program()).args(probe.get_args()).arg(target);
        finished(shell)
    };
    // How little it can do with is the C library's choice.
    let (mut too_little, mut enough) = (0, 1 << 16);
    while enough - too_little > 64 {
        let middle = (too_little + enough) / 2;
        let is_enough = limited(middle, &small).code == Some(0);
        *(if is_enough { &mut enough } else { &mut too_little }) = middle;
    }
    limited(enough + 256, &large)
        .unhealthy(&format!("unhealthy: {large}: 200 OK, then receive: out of memory"));
}

#[test]
fn no_signal_is_sent_on_a_host() {
    let good = format!("127.0.0.1:{}", serve(answers(OK)));
    // As a healthy check, which sends none anywhere.
    let run = probe(&["--wait", "20s", "--kill", "HUP", &good]);
    match fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link.as_os_str() == "pid:[4026531836]") {
        true => run.unhealthy(
            "probe: --kill: must run in a container, process 1 here is the host's (see probe --help)",
        ),
        false => run.healthy(&format!("healthy: {good}: 200 OK in ")),
    }
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
    assert_eq!(uses.len(), 1, "{uses:?}");
}

#[test]
fn a_long_text_is_held_twice_and_no_more_often() {
    // 10 MiB of address space, of which a dynamic binary and its libraries take four.
    let target = format!("127.0.0.1:{}", serve(answers(OK)));
    let probe = command();
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -v 10240 && exec \"$@\"", "sh"])
        .arg(probe.get_program())
        .args(probe.get_args());
    limited.args(["-d", &"${X}".repeat(8), &target]).env("X", "x".repeat(120_000));
    finished(limited).healthy(&format!("healthy: {target}: 200 OK in "));
}
