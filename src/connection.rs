//! A connected socket, read and written within the deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use crate::deadline::Deadline;
use crate::verdict::{Failure, Phase, Unhealthy, fail, timed_out};

/// A connected socket of any kind: to read, to write and to set timeouts are
/// the same system calls for TCP, UDP and Unix sockets, so std's type for one
/// serves them all.
pub struct Connection {
    socket: TcpStream,
    buffer: Box<[u8; BUFFER]>,
}

/// What most answers fit into, and every DNS message over UDP (RFC 1035,
/// 4.2.1). On the heap, and as large as std's buffer for stdout, which then
/// finds its place in the same pages of musl's.
const BUFFER: usize = 1024;

impl Connection {
    /// Takes a connected socket.
    pub fn new(socket: impl Into<OwnedFd>) -> Connection {
        Connection { socket: TcpStream::from(socket.into()), buffer: Box::new([0; BUFFER]) }
    }

    /// Whether this is a TCP connection to itself: where nobody listens on a port
    /// of the ephemeral range, the kernel may choose that very port for the
    /// connecting side, and TCP lets the two meet (RFC 9293, 3.5, figure 7).
    pub fn is_to_itself(&self) -> bool {
        let local = self.socket.local_addr().ok();
        local.is_some() && local == self.socket.peer_addr().ok()
    }

    /// Sends all of `bytes`. The deadline is armed anew before every write.
    pub fn send(&mut self, bytes: &[u8], deadline: &Deadline) -> Result<(), Failure> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let wait = deadline.wait(Phase::Send)?;
            match self.socket.set_write_timeout(Some(wait)).and_then(|()| self.socket.write(rest)) {
                Ok(count) => rest = &rest[count..],
                Err(error) => goes_on(Phase::Send, error, deadline)?,
            }
        }
        Ok(())
    }

    /// Receives some bytes, none at the end of the stream. The deadline is
    /// armed anew before every read.
    pub fn receive(&mut self, deadline: &Deadline) -> Result<&[u8], Failure> {
        loop {
            let wait = deadline.wait(Phase::Receive)?;
            match self.socket.set_read_timeout(Some(wait)).and_then(|()| self.socket.read(&mut *self.buffer))
            {
                Ok(count) => return Ok(&self.buffer[..count]),
                Err(error) => goes_on(Phase::Receive, error, deadline)?,
            }
        }
    }
}

/// Whether a read or write is to be tried again: after its wait (`EAGAIN`), as
/// long as the deadline allows; and when the process was stopped and continued,
/// for which the kernel interrupts a call that has a timeout (signal(7)).
fn goes_on(phase: Phase, error: io::Error, deadline: &Deadline) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(()),
        _ => Err(failed(phase, error, deadline)),
    }
}

/// The failure of an operation that had `deadline`. A connect's timeout is an
/// error of std's own; `ETIMEDOUT` is the network's word, and stays an error.
pub fn failed(phase: Phase, error: io::Error, deadline: &Deadline) -> Failure {
    match error.kind() {
        ErrorKind::TimedOut if error.raw_os_error().is_none() => timed_out(phase, deadline),
        kind => fail(Unhealthy::Failed(phase, kind, error.raw_os_error().unwrap_or_default())),
    }
}
