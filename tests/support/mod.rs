//! What the black-box tests share: how the probe is run, and servers named by
//! their misdeed.
//!
//! `TEST_PROBE` names another binary than cargo's, with an emulator before it
//! if need be: `TEST_PROBE="qemu-arm-static dist/linux-arm-v7/probe" cargo test`.

#![allow(dead_code)] // Each test file uses its own part of this.

use std::env;
use std::ffi::c_int;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes on a loaded machine.
pub const GENEROUS: Duration = Duration::from_secs(20);

/// What a run of the probe came to.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
}

impl Run {
    /// Both streams; a run mostly writes to one of them.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Exit 0, one line that begins so on stdout and nothing on stderr.
    #[track_caller]
    pub fn healthy(&self, line: &str) {
        assert!(self.code == Some(0) && self.stdout.starts_with(line), "want {line:?}: {self:#?}");
        assert!(self.stdout.lines().count() == 1 && self.stderr.is_empty(), "{self:#?}");
    }

    /// Exit 1, nothing on stdout and exactly this line on stderr.
    #[track_caller]
    pub fn unhealthy(&self, line: &str) {
        assert_eq!((self.code, self.causes().trim_end_matches('\n')), (Some(1), line), "{self:#?}");
        assert!(self.stdout.is_empty(), "{self:#?}");
    }

    /// What is on stderr, without who listens here, since all tests do, and without the connection that
    /// waits where a server has not come to accept it: it may be slower than the probe's deadline.
    pub fn causes(&self) -> String {
        let mut parts = self.stderr.split("; listening here: ");
        let mut causes = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let listeners = part.find(", waited ").or_else(|| part.find('\n')).unwrap_or(part.len());
            causes += &part[listeners..];
        }
        causes.replace("; 1 connection waits to be accepted", "")
    }

    #[track_caller]
    pub fn within(&self, limit: Duration) -> &Run {
        assert!(self.elapsed < limit, "took longer than {limit:?}: {self:#?}");
        self
    }
}

/// The probe as a command, with an empty environment.
pub fn command() -> Command {
    let words = env::var("TEST_PROBE").unwrap_or_else(|_| env!("CARGO_BIN_EXE_probe").to_string());
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().expect("TEST_PROBE names a program"));
    command.args(words).env_clear().stdin(Stdio::null());
    command
}

pub fn finished(command: Command) -> Run {
    started(command).finished()
}

/// A probe that runs. It is killed if its test fails meanwhile.
pub struct Started {
    child: Option<Child>,
    start: Instant,
}

pub fn started(mut command: Command) -> Started {
    let start = Instant::now();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the probe runs");
    Started { child: Some(child), start }
}

impl Started {
    pub fn id(&self) -> c_int {
        self.child.as_ref().map_or(0, Child::id) as c_int
    }

    /// Waits until the kernel says that the process is in this state (proc(5)): `S` once it waits for
    /// anything, `T` once it is stopped.
    pub fn until(&self, state: char) {
        let stat = format!("/proc/{}/stat", self.id());
        let is_in_it = || {
            let stat = std::fs::read_to_string(&stat).expect("/proc");
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(state))
        };
        while !is_in_it() {
            assert!(self.start.elapsed() < GENEROUS, "it is never in state {state}");
            thread::yield_now();
        }
    }

    pub fn signal(&self, number: c_int) {
        assert_eq!(kill(self.id(), number), 0, "kill(2)");
    }

    pub fn finished(mut self) -> Run {
        let child = self.child.take().expect("it is waited for once");
        let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
        let string = |bytes| String::from_utf8(bytes).expect("ASCII");
        Run {
            code: status.code(),
            signal: status.signal(),
            stdout: string(stdout),
            stderr: string(stderr),
            elapsed: self.start.elapsed(),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

/// Runs the probe with these arguments and no environment.
pub fn probe<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Run {
    probe_env(args, &[])
}

pub fn probe_env<S: AsRef<std::ffi::OsStr>>(args: &[S], env: &[(&str, &str)]) -> Run {
    let mut command = command();
    command.args(args).envs(env.iter().copied());
    finished(command)
}

/// What a server does with a connection.
pub trait Deed: Fn(TcpStream) + Send + Sync + Clone + 'static {}
impl<F: Fn(TcpStream) + Send + Sync + Clone + 'static> Deed for F {}

/// A server on a port of 127.0.0.1 that does the same with every connection,
/// each in its own thread. It ends with the test process.
pub fn serve(misdeed: impl Deed) -> u16 {
    serve_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"), misdeed)
}

/// The same on ::1; `None` on a machine without IPv6.
pub fn serve_v6(misdeed: impl Deed) -> Option<u16> {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok().map(|listener| serve_on(listener, misdeed))
}

fn serve_on(listener: TcpListener, misdeed: impl Deed) -> u16 {
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let misdeed = misdeed.clone();
            thread::spawn(move || misdeed(stream));
        }
    });
    port
}

/// A Unix socket's path, in a place of its own and short enough for one.
pub fn socket_path() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = env::temp_dir().join(format!("probe-test-{}-{number}", std::process::id()));
    // An earlier process of this number may have left a socket or a folder.
    let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
    path
}

/// A server on a Unix socket.
pub fn serve_unix(deed: impl Fn(UnixStream) + Send + 'static) -> PathBuf {
    let (path, listener) = unix_listener();
    thread::spawn(move || listener.incoming().flatten().for_each(deed));
    path
}

/// A listener that shows whether anybody has connected to it.
pub struct Untouched(TcpListener);

impl Untouched {
    pub fn new() -> Untouched {
        Untouched(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"))
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }

    /// Panics if somebody has: nobody accepts, so even a connection that is over waits here.
    #[track_caller]
    pub fn assert(self) {
        self.0.set_nonblocking(true).expect("a listener");
        assert!(self.0.accept().is_err(), "somebody connected");
    }
}

unsafe extern "C" {
    safe fn listen(socket: c_int, backlog: c_int) -> c_int;
    safe fn kill(process: c_int, signal: c_int) -> c_int;
}

/// Sets a listener's backlog, which std makes as large as the kernel lets it be. Linux takes one more.
pub fn set_backlog(listener: &impl AsRawFd, backlog: c_int) {
    assert_eq!(listen(listener.as_raw_fd(), backlog), 0, "listen(2)");
}

/// A Unix socket that nobody accepts from.
pub fn unix_listener() -> (PathBuf, UnixListener) {
    let path = socket_path();
    let listener = UnixListener::bind(&path).expect("a socket");
    (path, listener)
}

/// The same, and its backlog is full.
pub fn full_backlog() -> (PathBuf, UnixListener) {
    let (path, listener) = unix_listener();
    set_backlog(&listener, 0);
    // It keeps its place though it is closed.
    UnixStream::connect(&path).expect("it waits to be accepted");
    (path, listener)
}

/// A port on which nobody listens. It stays bound, so nobody else gets it.
pub fn closed_port() -> u16 {
    // Bound by the connecting side of a connection: connecting to it is refused.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let stream = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    let port = stream.local_addr().expect("an address").port();
    std::mem::forget((listener, stream));
    port
}

/// Reads a request to the end of its header section and of its body.
pub fn read_request(stream: &mut impl Read) -> Vec<u8> {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    let (mut searched, mut end) = (0, None);
    loop {
        if end.is_none() {
            let found = request[searched..].windows(4).position(|four| four == b"\r\n\r\n");
            end = found.map(|at| searched + at + 4);
            searched = request.len().saturating_sub(3);
        }
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if request.len() >= end + length.unwrap_or(0) {
                return request;
            }
        }
        match stream.read(&mut piece) {
            Ok(count @ 1..) => request.extend_from_slice(&piece[..count]),
            _ => return request,
        }
    }
}

/// Reads the request, answers with these bytes, and closes politely.
pub fn answers(response: impl Into<Vec<u8>>) -> impl Fn(TcpStream) + Send + Sync + Clone {
    let response = response.into();
    move |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(&response);
    }
}

/// Answers with these bytes and keeps the connection open until the client closes.
pub fn keeps_open(response: impl Into<Vec<u8>>) -> impl Fn(TcpStream) + Send + Sync + Clone {
    let response = response.into();
    move |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(&response);
        let _ = stream.read(&mut [0; 16]);
    }
}

/// Accepts and says nothing until the client goes away.
pub fn silent(mut stream: TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

pub fn closes_at_once(stream: TcpStream) {
    drop(stream);
}

/// Closes with the request unread, which the kernel reports as a reset.
pub fn resets(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 1]);
}

/// Sends the start of an answer, then a byte every 20 ms for as long as anybody reads.
pub fn drips(start: &'static str) -> impl Fn(TcpStream) + Send + Sync + Clone {
    move |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(start.as_bytes());
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Sends `start`, then `flood` again and again for as long as anybody reads.
pub fn floods(start: &'static str, flood: &'static str) -> impl Fn(TcpStream) + Send + Sync + Clone {
    move |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(start.as_bytes());
        while stream.write_all(flood.as_bytes()).is_ok() {}
    }
}

/// Never reads, so that a long request fills the buffers and blocks.
pub fn never_reads(stream: TcpStream) {
    thread::sleep(GENEROUS * 2);
    drop(stream);
}
