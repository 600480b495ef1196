//! `file:` targets: whether a file is there, and how old it is.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use support::*;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// Makes a file that was modified so long ago, or will be.
fn make(path: &Path, age: Duration, is_ahead: bool) -> SystemTime {
    let now = SystemTime::now();
    let modified = if is_ahead { now + age } else { now - age };
    File::create(path).expect("made").set_modified(modified).expect("a time");
    modified
}

#[test]
fn an_age_is_compared_and_told_in_whole_units() {
    let path = socket_path();
    let target = format!("file:{}", path.display());
    for (millis, is_ahead, max, limit, unit) in [
        (0, false, None, None, "ms"),
        (300, false, None, None, "ms"),
        (12_000, false, None, None, "s"),
        (119 * MINUTE * 1000, false, None, None, "s"),
        (5 * HOUR * 1000 + 1, false, None, None, "h"),
        (20_000 * HOUR * 1000, false, None, None, "h"),
        (0, false, Some("20s"), None, "ms"),
        (12_000, false, Some("90s"), None, "s"),
        (80_000, false, Some("1.5m"), None, "s"),
        (5 * HOUR * 1000, false, Some("6h"), None, "h"),
        (9_999 * HOUR * 1000, false, Some("10000h"), None, "h"),
        (95_000, false, Some("90s"), Some("90s"), "s"),
        // One and the same number on both sides would explain nothing.
        (90_001, false, Some("90s"), Some("90s"), "s"),
        (5_001, false, Some("5s"), Some("5s"), "s"),
        (1_600, false, Some("1.5s"), Some("1s"), "s"),
        (300, false, Some("1ms"), Some("1ms"), "ms"),
        (160 * MINUTE * 1000, false, Some("2.5h"), Some("2h"), "h"),
        (2 * HOUR * 1000 + 1, false, Some("2h"), Some("2h"), "h"),
        (2 * HOUR * 1000 + 1, false, Some("7199s"), Some("7199s"), "h"),
        (10_001 * HOUR * 1000, false, Some("10000h"), Some("10000h"), "h"),
        // The clock was set back.
        (30_000, true, None, None, "s"),
        (3 * HOUR * 1000, true, None, None, "h"),
        (80_000, true, Some("90s"), None, "s"),
        (200_000, true, Some("90s"), Some("90s"), "s"),
        (3 * HOUR * 1000, true, Some("1h"), Some("3600s"), "h"),
    ] {
        let modified = make(&path, Duration::from_millis(millis), is_ahead);
        let max_age = max.map(|max| format!("--max-age={max}"));
        let mut args = vec![target.as_str()];
        args.extend(max_age.as_deref());
        let distance = || match is_ahead {
            true => modified.duration_since(SystemTime::now()),
            false => SystemTime::now().duration_since(modified),
        };
        // The probe's own look was between these two.
        let first = distance().expect("on this side of now");
        let run = probe(&args);
        let last = distance().expect("on this side of now");
        let case = format!("{millis} {is_ahead} {max:?}: {run:?}");
        let suffix = if is_ahead { "in the future" } else { "old" };
        let text = match limit {
            None => {
                run.healthy(&format!("healthy: {target}: "));
                run.stdout.strip_prefix(&format!("healthy: {target}: ")).expect("it begins so")
            }
            Some(limit) => {
                assert!(run.code == Some(1) && run.stdout.is_empty(), "{case}");
                let line = run.stderr.strip_suffix(&format!(", expected at most {limit}\n"));
                let line = line.unwrap_or_else(|| panic!("no limit: {case}"));
                line.strip_prefix(&format!("unhealthy: {target}: ")).unwrap_or_else(|| panic!("{case}"))
            }
        };
        let age = text.trim_end().strip_suffix(suffix).unwrap_or_else(|| panic!("no age: {case}")).trim_end();
        let (low, high) = (first.min(last), first.max(last));
        // A loaded machine may take a second to start the probe.
        let is_late = unit == "ms" && high >= Duration::from_secs(1) && !age.ends_with(unit);
        let unit = if is_late { "s" } else { unit };
        let number: Option<u32> = age.strip_suffix(unit).and_then(|number| number.parse().ok());
        let number = number.unwrap_or_else(|| panic!("no {unit}: {case}"));
        let step = Duration::from_millis(match unit {
            "ms" => 1,
            "s" => 1000,
            _ => HOUR * 1000,
        });
        let told = step * number;
        // Rounded up where there is a limit, else down.
        let is_true = match limit {
            Some(_) => low <= told && told < high + step,
            None => told <= high && low < told + step,
        };
        assert!(is_true, "{low:?} to {high:?}: {case}");
    }
    fs::remove_file(path).expect("removed");
}

#[test]
fn what_is_no_regular_file_is_unhealthy_and_never_waited_for() {
    let folder = socket_path();
    fs::create_dir(&folder).expect("a folder");
    let within = |name: &str| folder.join(name);
    assert!(Command::new("mkfifo").arg(within("fifo")).status().expect("mkfifo runs").success());
    symlink("loop", within("loop")).expect("a link");
    symlink("none", within("dangling")).expect("a link");
    File::create(within("file")).expect("made");
    let _socket = UnixListener::bind(within("socket")).expect("a socket");
    for (path, problem) in [
        (within("none"), "no such file"),
        (within("dangling"), "no such file"),
        (within("none/none"), "no such file"),
        (within("file/none"), "not a directory"),
        (within("fifo"), "not a regular file"),
        (within("socket"), "not a regular file"),
        (folder.clone(), "not a regular file"),
        ("/dev/zero".into(), "not a regular file"),
        (within("loop"), "too many symbolic links"),
        (within(&"x".repeat(256)), "name too long"),
    ] {
        let target = format!("file:{}", path.display());
        let line = |end| {
            let (shown, dots) =
                target.split_at_checked(256).map_or((target.as_str(), ""), |(cut, _)| (cut, "..."));
            format!("unhealthy: {shown}{dots}: {problem}{end}")
        };
        for max_age in [&[][..], &["--max-age", "1h"]] {
            probe(&[&[target.as_str()], max_age].concat()).within(GENEROUS).unhealthy(&line(""));
        }
        probe(&["-w", "200ms", &target]).within(GENEROUS).unhealthy(&line(", waited 200ms"));
    }
    fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn a_link_is_followed_to_the_file_and_its_age() {
    let (file, link) = (socket_path(), socket_path());
    make(&file, Duration::from_secs(5 * HOUR), false);
    symlink(&file, &link).expect("a link");
    let target = format!("file:{}", link.display());
    probe(&[&target]).healthy(&format!("healthy: {target}: 5h old\n"));
    probe(&[&target, "--max-age", "1h"])
        .unhealthy(&format!("unhealthy: {target}: 6h old, expected at most 3600s"));
    for path in [file, link] {
        fs::remove_file(path).expect("removed");
    }
}

#[test]
fn every_form_of_a_file_target_is_shown_as_it_was_written() {
    let path = socket_path();
    let path = path.as_path();
    make(path, Duration::from_secs(5 * HOUR), false);
    let (folder, name) = (path.parent().expect("a folder"), path.file_name().expect("a name"));
    let (folder, name) = (folder.to_str().expect("ASCII"), name.to_str().expect("ASCII"));
    let env = [("FOLDER", folder), ("NAME", name)];
    for target in [
        format!("file:{folder}/{name}"),
        format!("file://{folder}/{name}"),
        format!("FILE:{folder}/{name}"),
        format!("file:{folder}/${{NAME}}"),
        "file:${FOLDER}/${NAME}".into(),
    ] {
        probe_env(&[&target], &env).healthy(&format!("healthy: {target}: 5h old\n"));
        probe_env(&["-t5s"], &[&env[..], &[("PROBE_TARGET", &target)]].concat()).healthy("healthy: ");
    }
    let run = probe_env(&["-q", "file:${FOLDER}/${NAME}"], &env);
    assert_eq!((run.code, run.text().as_str()), (Some(0), ""));
    fs::remove_file(path).expect("removed");
    probe_env(&["file:${FOLDER}/${NAME}"], &env).unhealthy("unhealthy: file:${FOLDER}/${NAME}: no such file");
}

#[test]
fn a_wait_ends_when_the_file_appears() {
    let path = socket_path();
    let appears = path.clone();
    // With --any they are tried in turn: at the server's second connection, the file was missing once.
    let count = Arc::new(AtomicUsize::new(0));
    let port = serve(move |stream| {
        if count.fetch_add(1, Ordering::Relaxed) == 1 {
            File::create(&appears).expect("made");
        }
        answers("HTTP/1.0 503 Service Unavailable\r\n\r\n")(stream);
    });
    let (server, file) = (format!("127.0.0.1:{port}"), format!("file:{}", path.display()));
    probe(&["--wait", "20s", "--any", &server, &file]).healthy(&format!("healthy: {file}: "));
    fs::remove_file(path).expect("removed");
}

#[test]
fn a_wait_ends_when_the_file_is_touched() {
    let path = socket_path();
    make(&path, Duration::from_secs(5 * HOUR), false);
    let touched = path.clone();
    let count = Arc::new(AtomicUsize::new(0));
    let port = serve(move |stream| {
        if count.fetch_add(1, Ordering::Relaxed) == 1 {
            make(&touched, Duration::ZERO, false);
        }
        answers("HTTP/1.0 503 Service Unavailable\r\n\r\n")(stream);
    });
    let (server, file) = (format!("127.0.0.1:{port}"), format!("file:{}", path.display()));
    let args = ["--wait", "20s", "--max-age", "1h", "--any", &server, &file];
    probe(&args).healthy(&format!("healthy: {file}: "));
    fs::remove_file(path).expect("removed");
}

#[test]
fn a_file_is_one_target_among_others() {
    let path = socket_path();
    make(&path, Duration::from_secs(5 * HOUR), false);
    let file = format!("file:{}", path.display());
    let server = format!("127.0.0.1:{}", serve(answers("HTTP/1.0 200 OK\r\n\r\nhello")));
    let silent = format!("127.0.0.1:{}", serve(silent));
    let begins = |run: Run, code: i32, stdout: &[&str], stderr: &[&str]| {
        for (text, lines) in [(&run.stdout, stdout), (&run.stderr, stderr)] {
            assert_eq!(text.lines().count(), lines.len(), "{run:?}");
            let is_due = |(line, start): (&str, &&str)| line.starts_with(start);
            assert!(text.lines().zip(lines).all(is_due), "{run:?}, want {lines:?}");
        }
        assert_eq!(run.code, Some(code), "{run:?}");
    };
    let (up, old) = (format!("healthy: {server}: 200 OK"), format!("healthy: {file}: 5h old"));
    let too_old = format!("unhealthy: {file}: 6h old, expected at most 3600s");
    begins(probe(&[&server, &file]), 0, &[&up, &old], &[]);
    begins(probe(&[&file, &server]), 0, &[&old, &up], &[]);
    begins(probe(&["--max-age", "1h", &file, &server]), 1, &[&up], &[&too_old]);
    begins(probe(&["--max-age", "1h", "--any", &file, &server]), 0, &[&up], &[]);
    // A file has no socket to go over.
    begins(probe(&["--unix-socket", "/no/such", &file]), 0, &[&old], &[]);
    let late = format!("unhealthy: {silent}: receive: timed out after 300ms");
    let not_checked = format!("unhealthy: {file}: not checked: timed out after 300ms");
    begins(probe(&["-t", "300ms", &silent, &file]), 1, &[], &[&late, &not_checked]);
    fs::remove_file(path).expect("removed");
}
