//! A connected socket, read and written within the deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use crate::deadline::Deadline;
use crate::verdict::{Failure, Phase, Unhealthy, timed_out};

/// A connected socket of any kind: to read, to write and to set timeouts are
/// the same system calls for TCP, UDP and Unix sockets, so std's type for one
/// serves them all.
pub struct Connection(TcpStream);

impl Connection {
    /// Takes a connected socket.
    pub fn new(socket: impl Into<OwnedFd>) -> Connection {
        Connection(TcpStream::from(socket.into()))
    }

    /// Whether this is a TCP connection to itself: where nobody listens on a port
    /// of the ephemeral range, the kernel may choose that very port for the
    /// connecting side, and TCP lets the two meet (RFC 9293, 3.5, figure 7).
    pub fn is_to_itself(&self) -> bool {
        let ends = (self.0.local_addr(), self.0.peer_addr());
        matches!(ends, (Ok(local), Ok(peer)) if local == peer)
    }

    /// Sends all of `bytes`. The deadline is armed anew before every write.
    pub fn send(&mut self, bytes: &[u8], deadline: &Deadline) -> Result<(), Failure> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let wait = deadline.wait(Phase::Send)?;
            match self.0.set_write_timeout(Some(wait)).and_then(|()| self.0.write(rest)) {
                Ok(count) => rest = &rest[count..],
                Err(error) => goes_on(Phase::Send, error, deadline)?,
            }
        }
        Ok(())
    }

    /// Receives some bytes, none at the end of the stream. The deadline is
    /// armed anew before every read.
    pub fn receive(&mut self, buffer: &mut [u8], deadline: &Deadline) -> Result<usize, Failure> {
        loop {
            let wait = deadline.wait(Phase::Receive)?;
            match self.0.set_read_timeout(Some(wait)).and_then(|()| self.0.read(buffer)) {
                Ok(count) => return Ok(count),
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
        _ => Box::new(Unhealthy::Failed(phase, error)),
    }
}
