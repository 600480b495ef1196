//! `--install`: the probe copies itself, whole or not at all.

mod support;

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use support::*;

/// The words of the command that runs the probe, which is the last of them.
fn words() -> Vec<String> {
    let words = env::var("TEST_PROBE").unwrap_or_else(|_| env!("CARGO_BIN_EXE_probe").to_string());
    words.split_whitespace().map(String::from).collect()
}

fn original() -> Vec<u8> {
    fs::read(words().last().expect("a program")).expect("the probe")
}

/// A copy of the probe as a command.
fn command_of(copy: &Path) -> Command {
    let mut words = words();
    *words.last_mut().expect("a program") = copy.display().to_string();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env_clear();
    command
}

/// An empty folder of its own, removed at last.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = socket_path();
        fs::create_dir(&path).expect("a folder");
        Folder(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("a folder").flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn installs(file: &Path) {
    let run = probe(&["--install", file.to_str().expect("UTF-8")]);
    run.healthy(&format!("installed: {}\n", file.display()));
    is_whole(file);
}

#[track_caller]
fn is_whole(file: &Path) {
    let metadata = fs::symlink_metadata(file).expect("a file");
    assert!(metadata.is_file() && metadata.permissions().mode() & 0o7777 == 0o755, "{metadata:?}");
    assert!(fs::read(file).expect("a file") == original(), "another content");
}

#[test]
fn the_copy_runs() {
    let folder = Folder::new();
    installs(&folder.join("check"));
    assert_eq!(folder.names(), ["check"]);
    let mut copy = command_of(&folder.join("check"));
    copy.arg("--version");
    assert!(finished(copy).stdout.starts_with("probe "));
}

#[test]
fn a_name_without_a_folder_is_one_in_the_current_directory() {
    let folder = Folder::new();
    installs(&folder.join("check"));
    let mut copy = command_of(&folder.join("check"));
    copy.args(["--install", "probe"]).current_dir(&folder.0);
    finished(copy).healthy("installed: probe\n");
    is_whole(&folder.join("probe"));
    assert_eq!(folder.names(), ["check", "probe"]);
}

#[test]
fn the_mode_is_that_of_a_program_whatever_the_umask() {
    let folder = Folder::new();
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077 && exec \"$@\"", "sh"]).args(words());
    command.arg("--install").arg(folder.join("probe"));
    assert_eq!(finished(command).code, Some(0));
    is_whole(&folder.join("probe"));
}

#[test]
fn what_is_not_whole_is_for_its_owner_only() {
    let folder = Folder::new();
    let mut command = Command::new("sh");
    // The kernel ends it in the middle, with SIGXFSZ (setrlimit(2)).
    command.args(["-c", "umask 0 && ulimit -c 0 && ulimit -f 1 && exec \"$@\"", "sh"]).args(words());
    command.arg("--install").arg(folder.join("probe"));
    let run = finished(command);
    assert_eq!(run.code, None, "{run:?}");
    let names = folder.names();
    assert!(names.len() == 1 && names[0].starts_with(".probe-"), "{names:?}");
    let mode = fs::metadata(folder.join(&names[0])).expect("a file").permissions().mode();
    assert_eq!(mode & 0o7777, 0o700, "{mode:o}");
}

#[test]
fn what_has_the_name_is_replaced() {
    let folder = Folder::new();
    let (file, link, elsewhere) = (folder.join("probe"), folder.join("link"), folder.join("elsewhere"));
    fs::write(&file, "older").expect("a file");
    installs(&file);
    // A link, and not what it leads to.
    fs::write(&elsewhere, "untouched").expect("a file");
    for target in ["elsewhere", "nowhere", "."] {
        let _ = fs::remove_file(&link);
        symlink(target, &link).expect("a link");
        installs(&link);
    }
    assert_eq!(fs::read(&elsewhere).expect("a file"), b"untouched");
    assert_eq!(folder.names(), ["elsewhere", "link", "probe"]);
}

#[test]
fn installs_over_itself_and_over_a_running_probe() {
    let folder = Folder::new();
    let file = folder.join("probe");
    installs(&file);
    let mut running = command_of(&file);
    running.args(["-t", "20s", &format!("127.0.0.1:{}", serve(silent))]);
    let mut running = running.spawn().expect("the copy runs");
    let mut itself = command_of(&file);
    itself.arg("--install").arg(&file);
    finished(itself).healthy(&format!("installed: {}\n", file.display()));
    is_whole(&file);
    assert!(running.try_wait().expect("a child").is_none(), "it was ended");
    running.kill().and_then(|()| running.wait()).expect("a child");
}

#[test]
fn many_at_a_time_do_not_disturb_each_other() {
    let folder = Folder::new();
    let file = folder.join("probe");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| installs(&file));
        }
    });
    assert_eq!(folder.names(), ["probe"]);
}

#[test]
fn left_over_files_do_not_matter_however_many() {
    let folder = Folder::new();
    let left: Vec<_> = (1..100).map(|zeros| format!(".probe-{}", "0".repeat(zeros))).collect();
    for name in &left {
        fs::write(folder.join(name), "left").expect("a file");
    }
    installs(&folder.join("probe"));
    assert_eq!(folder.names(), [&left[..], &["probe".into()]].concat());
    for name in &left {
        assert_eq!(fs::read(folder.join(name)).expect("a file"), b"left");
    }
}

#[test]
fn a_failure_has_its_cause_and_leaves_nothing_behind() {
    let folder = Folder::new();
    fs::write(folder.join("file"), "untouched").expect("a file");
    fs::create_dir(folder.join("folder")).expect("a folder");
    for (path, cause) in
        [("none/probe", "no such file"), ("file/probe", "not a directory"), ("folder", "is a directory")]
    {
        let path = folder.join(path).display().to_string();
        probe(&["--install", &path]).unhealthy(&format!("probe: {path}: {cause}"));
    }
    assert_eq!(folder.names(), ["file", "folder"]);
    assert_eq!(fs::read_dir(folder.join("folder")).expect("a folder").count(), 0);
    assert_eq!(fs::read(folder.join("file")).expect("a file"), b"untouched");
}

#[test]
fn takes_the_path_of_a_file_and_no_target() {
    let folder = Folder::new();
    let file = folder.join("probe");
    let path = file.to_str().expect("UTF-8");
    let line = "probe: --install: cannot be used with a target (see probe --help)";
    for args in [&["--install", path, "http://x/"][..], &["http://x/", "--install", path]] {
        probe(args).unhealthy(line);
    }
    probe(&["--install"]).unhealthy("probe: --install: needs a value (see probe --help)");
    for path in ["", "/tmp/"] {
        let line = format!(
            "probe: --install \"{path}\": must be a file, such as /tools/probe, not a directory (see probe --help)"
        );
        probe(&["--install", path]).unhealthy(&line);
    }
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn variables_are_expanded_and_not_shown_and_those_of_a_check_do_not_matter() {
    let folder = Folder::new();
    let path = folder.0.to_str().expect("UTF-8");
    let env = [("TOOLS", path), ("PROBE_TARGET", "http://x/"), ("PROBE_TIMEOUT", "soon")];
    probe_env(&["--install", "${TOOLS}/probe"], &env).healthy("installed: ${TOOLS}/probe\n");
    let control = "contains a control character or a space; in a URL write %20 (see probe --help)";
    for path in ["${TOOLS}/a\x1b[2J", "${TOOLS}/a${0x00}b"] {
        let shown = path.replace('\x1b', "\\x1b");
        probe_env(&["--install", path], &env).unhealthy(&format!("probe: --install \"{shown}\": {control}"));
    }
    assert_eq!(folder.names(), ["probe"]);
    is_whole(&folder.join("probe"));
}
