//! `-- COMMAND`: what becomes of the probe's process. As process 1, and what only musl's execvp(3) tells, is in
//! `tests/system/servers/command`.

mod support;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::*;

const OK: &str = "HTTP/1.0 200 OK\r\n\r\nhello";

fn healthy() -> String {
    format!("http://127.0.0.1:{}/", serve(answers(OK)))
}

fn unhealthy() -> String {
    format!("tcp://127.0.0.1:{}", closed_port())
}

/// What /proc tells of a program that runs behind `wrapper`: where it is, its environment and limits, what it has
/// open, its umask, and its signals.
fn surroundings(wrapper: &[&str], program: &[&OsStr]) -> Vec<(&'static str, String)> {
    let mut command = Command::new(wrapper[0]);
    command
        .args(&wrapper[1..])
        .args(program)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("PROBE_EXPECT", "${X");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    // An echo: cat runs, and what it is can be read.
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdin.write_all(b"echo\n").expect("it reads");
    let mut line = String::new();
    stdout.read_line(&mut line).expect("it answers");
    assert_eq!(line, "echo\n");
    // By the child's own id: it is the same process.
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let text = |name: &str| fs::read_to_string(process.join(name)).expect("of proc(5)");
    let status = text("status");
    let field = |name: &str| status.lines().find(|line| line.starts_with(name)).expect("a field").to_owned();
    let mut open: Vec<_> = fs::read_dir(process.join("fd"))
        .expect("of proc(5)")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a number"))
        .collect();
    open.sort();
    let told = vec![
        ("name", field("Name:")),
        ("umask", field("Umask:")),
        ("blocked", field("SigBlk:")),
        ("ignored", field("SigIgn:")),
        ("handled", field("SigCgt:")),
        ("limits", text("limits")),
        ("environment", text("environ")),
        ("directory", format!("{:?}", fs::read_link(process.join("cwd")).expect("a link"))),
        ("open", open.join(" ")),
    ];
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
    told
}

#[test]
fn the_command_is_the_same_process_in_the_same_surroundings() {
    // USR2 is blocked; INT is ignored, as with nohup.
    let wrapper = [
        "env",
        "--block-signal=USR2",
        "--ignore-signal=INT",
        "--default-signal=PIPE,TERM,QUIT,HUP",
        "sh",
        "-c",
        "umask 027; ulimit -n 77; cd /proc; exec \"$@\"",
        "sh",
    ];
    let probe = command();
    let target = healthy();
    let mut words = vec![probe.get_program()];
    words.extend(probe.get_args());
    words.extend(["-q", "--wait", "20s", &target, "--", "cat"].map(OsStr::new));
    let without = surroundings(&wrapper, &[OsStr::new("cat")]);
    let with = surroundings(&wrapper, &words);
    assert_eq!(with, without);
    for (name, part) in [
        ("name", "\tcat"),
        ("umask", "\t0027"),
        ("blocked", "0000000000000800"),
        ("handled", "0000000000000000"),
        ("limits", " 77 "),
        ("environment", "PROBE_EXPECT=${X\0"),
        ("directory", "\"/proc\""),
        ("open", "0 1 "),
    ] {
        let (_, value) = with.iter().find(|(other, _)| *other == name).expect("it is there");
        assert!(value.contains(part), "{name}: {value}");
    }
    // INT, and what the test's own surroundings ignore.
    let (_, ignored) = with.iter().find(|(name, _)| *name == "ignored").expect("it is there");
    assert!(ignored.ends_with(['2', '3', 'a', 'b']), "{ignored}");
}

#[test]
fn sigpipe_has_its_default_whatever_it_was() {
    const PIPE: u64 = 1 << 12;
    for option in ["--default-signal=PIPE", "--ignore-signal=PIPE"] {
        let probe = command();
        let mut env = Command::new("env");
        env.arg(option).arg(probe.get_program()).args(probe.get_args()).env_clear();
        env.args(["-q", &healthy(), "--", "grep", "SigIgn", "/proc/self/status"]);
        let run = finished(env);
        let mask = run.stdout.trim_start_matches("SigIgn:").trim();
        let mask = u64::from_str_radix(mask, 16).unwrap_or_else(|_| panic!("no mask: {run:?}"));
        assert_eq!(mask & PIPE, 0, "{option}: {run:?}");
    }
}

#[test]
fn every_argument_comes_byte_for_byte_and_nothing_is_expanded() {
    let script = "cat /proc/$$/cmdline";
    let args: [&[u8]; 12] = [
        b"",
        b"a b",
        b"\xff\xfe",
        b"\xc3\xa9\n\t",
        b"${HOME}",
        b"${NONE}",
        b"$${",
        b"${/no/file}",
        b"--",
        b"--help",
        b"-q",
        b"http://u:p@x/",
    ];
    let mut probe = command();
    probe
        .env("HOME", "/root")
        .args(["-q", &healthy(), "--", "sh", "-c", script])
        .args(args.map(OsStr::from_bytes));
    let output = probe.output().expect("the probe runs");
    let mut want = [&b"sh"[..], b"-c", script.as_bytes()].to_vec();
    want.extend(args);
    want.push(b"");
    assert_eq!(output.stdout, want.join(&b"\0"[..]), "{output:?}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_command_begins_once_every_target_is_healthy_or_one_with_any() {
    let (good, bad) = (healthy(), unhealthy());
    for (args, code, lines) in [
        (vec![good.as_str()], 7, vec!["healthy: ", "ran"]),
        (vec![&good, &good], 7, vec!["healthy: ", "healthy: ", "ran"]),
        (vec!["-q", &good, &good], 7, vec!["ran"]),
        (vec!["--any", &bad, &good], 7, vec!["healthy: ", "ran"]),
        (vec!["-q", "--any", &bad, &good], 7, vec!["ran"]),
        (vec!["--wait", "9s", &good], 7, vec!["healthy: ", "ran"]),
        (vec![&bad], 1, vec!["unhealthy: "]),
        (vec![&good, &bad], 1, vec!["healthy: ", "unhealthy: "]),
        (vec!["-q", &good, &bad], 1, vec!["unhealthy: "]),
        (vec!["-q", "--any", &bad, &bad], 1, vec!["unhealthy: ", "unhealthy: "]),
        (vec!["-q", "--wait", "100ms", &bad], 1, vec!["unhealthy: "]),
    ] {
        let run = probe(&[&args[..], &["--", "sh", "-c", "echo ran; exit 7"]].concat());
        let text = run.text();
        let is_due = |(line, want): (&str, &&str)| line.starts_with(want);
        assert!(
            run.code == Some(code)
                && text.lines().count() == lines.len()
                && text.lines().zip(&lines).all(is_due),
            "{args:?}: {run:?}, want {code} {lines:?}"
        );
        assert!(run.stdout.lines().all(|line| !line.starts_with("unhealthy")), "{args:?}: {run:?}");
    }
}

#[test]
fn a_command_begins_when_the_wait_is_over() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let port = serve(move |stream| {
        let is_first = count.fetch_add(1, Ordering::Relaxed) == 0;
        answers(if is_first { "HTTP/1.0 503 Service Unavailable\r\n\r\n" } else { OK })(stream);
    });
    let run = probe(&["--wait", "20s", &format!("127.0.0.1:{port}"), "--", "echo", "ran"]);
    assert!(run.code == Some(0) && run.stdout.ends_with("s\nran\n"), "{run:?}");
    assert_eq!(counted.load(Ordering::Relaxed), 2);
}

#[test]
fn a_commands_end_is_the_probes() {
    for (script, code, signal) in
        [("exit 0", Some(0), None), ("exit 143", Some(143), None), ("kill -9 $$", None, Some(9))]
    {
        let status = command().args(["-q", &healthy(), "--", "sh", "-c", script]).status().expect("it runs");
        assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
    }
}

/// A folder of files that cannot be run, and its path.
fn folder() -> PathBuf {
    let folder = socket_path();
    fs::create_dir(&folder).expect("a folder");
    let file = |name: &str, content: &str, mode| {
        let path = folder.join(name);
        fs::write(&path, content).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    file("script", "#!/no/such/interpreter\n", 0o755);
    file("plain", "#!/bin/sh\n", 0o644);
    symlink("loop", folder.join("loop")).expect("a link");
    folder
}

#[test]
fn a_command_that_cannot_be_run_has_an_exit_code_and_a_line() {
    let folder = folder();
    let target = healthy();
    let within = |name: &str| folder.join(name).to_str().expect("ASCII").to_owned();
    let path = within("");
    let missing = "no such file, or its loader or interpreter is missing";
    for (name, path, code, shown, problem) in [
        ("app", Some("/usr/bin:/bin"), 127, "\"app\"", "not in PATH"),
        ("app", None, 127, "\"app\"", "not in PATH"),
        ("a\u{1b}\"\n", None, 127, "'a\\x1b\"\\n'", "not in PATH"),
        ("/no/such/app", None, 127, "\"/no/such/app\"", missing),
        ("./no-such-app", None, 127, "\"./no-such-app\"", missing),
        (&within("script"), None, 127, "script\"", missing),
        (&within("plain"), None, 126, "plain\"", "permission denied"),
        ("plain", Some(&path), 126, "\"plain\"", "permission denied"),
        ("/", None, 126, "\"/\"", "permission denied"),
        ("/dev/null/app", None, 126, "\"/dev/null/app\"", "not a directory"),
        (&within("loop"), None, 126, "loop\"", "too many symbolic links"),
    ] {
        let mut probe = command();
        probe.envs(path.map(|path| ("PATH", path))).args(["-q", &target, "--", name, "argument"]);
        let run = finished(probe);
        let line = run.stderr.strip_prefix("probe: command ").unwrap_or_default();
        assert!(
            run.code == Some(code)
                && line.ends_with(&format!("{shown}: {problem}\n"))
                && run.stdout.is_empty(),
            "{name:?}: {run:?}, want {code} {problem}"
        );
    }
    // Without PATH the C library has one of its own.
    assert_eq!(finished(with_args(&["-q", &target, "--", "true"])).code, Some(0));
    fs::remove_dir_all(folder).expect("removed");
}

fn with_args(args: &[&str]) -> Command {
    let mut probe = command();
    probe.args(args);
    probe
}

#[test]
fn nobody_who_reads_changes_nothing_about_that_exit_code() {
    let mut probe = with_args(&["-q", &healthy(), "--", "/no/such/app"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = probe.stderr(writer).status().expect("it runs");
    assert_eq!(status.code(), Some(127), "{status}");
}

#[test]
fn no_variable_of_the_probes_is_read() {
    let target = healthy();
    let junk = [
        ("PROBE_EXPECT", "UP"),
        ("PROBE_STATUS", "500"),
        ("PROBE_TARGET", "https://no/"),
        ("PROBE_TIMEOUT", "junk"),
        ("PROBE_METHOD", "${NONE}"),
        ("PROBE_DATA", "${"),
        ("PROBE_WAIT", "0"),
        ("PROBE_HOLD", "junk"),
        ("PROBE_KILL", "KILL"),
        ("PROBE_START_PERIOD", "junk"),
    ];
    let run = probe_env(&["-q", &target, "--", "sh", "-c", "echo $PROBE_TARGET"], &junk);
    assert_eq!((run.code, run.text().as_str()), (Some(0), "https://no/\n"), "{run:?}");
    let run = probe_env(&["--", "true"], &[("PROBE_TARGET", &target)]);
    run.unhealthy("probe: target: missing; give one before -- (see probe --help)");
    // Unless the command line names it.
    let run = probe_env(&["-q", "${PROBE_TARGET}", "--", "echo", "ran"], &[("PROBE_TARGET", "file:/bin/sh")]);
    assert_eq!(run.stdout, "ran\n", "{run:?}");
}

#[test]
fn bad_usage_comes_before_anything_is_checked() {
    let untouched = Untouched::new();
    let target = format!("127.0.0.1:{}", untouched.port());
    for args in [
        &["--"][..],
        &["--", ""],
        &["--", "http://x/"],
        &["--kill", "TERM", "--wait", "1s", "--", "true"],
        &["--hold", "1s", "--", "true"],
        &["--start-period", "1s", "--", "true"],
        &["--install", "/x", "--", "true"],
    ] {
        let run = probe(&[&[target.as_str()], args].concat());
        assert!(
            run.code == Some(1) && run.stderr.starts_with("probe: --: ") && run.stdout.is_empty(),
            "{args:?}: {run:?}"
        );
    }
    untouched.assert();
    assert!(!Path::new("/x").exists());
}
