//! A connected socket, read and written within the deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::verdict::{Failure, Phase, failed, timed_out};

/// A connected socket of any kind: to read, to write and to set timeouts are
/// the same system calls for TCP, UDP and Unix sockets, so std's type for one
/// serves them all.
pub struct Connection {
    socket: TcpStream,
    buffer: [u8; BUFFER],
}

/// What most answers fit into.
const BUFFER: usize = 1024;

impl Connection {
    /// Takes a connected socket.
    pub fn new(socket: impl Into<OwnedFd>) -> Connection {
        Connection { socket: TcpStream::from(socket.into()), buffer: [0; BUFFER] }
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
            let sent = retry(Phase::Send, deadline, &mut |timeout| {
                self.socket.set_write_timeout(Some(timeout))?;
                self.socket.write(rest)
            })?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    /// Receives some bytes, none at the end of the stream. The deadline is
    /// armed anew before every read.
    pub fn receive(&mut self, deadline: &Deadline) -> Result<&[u8], Failure> {
        let count = retry(Phase::Receive, deadline, &mut |timeout| {
            self.socket.set_read_timeout(Some(timeout))?;
            self.socket.read(&mut self.buffer)
        })?;
        Ok(&self.buffer[..count])
    }
}

/// Does an operation of `phase` until it succeeds, fails, or `deadline` has
/// passed. It is done again after its timeout (`EAGAIN`), and when the process was
/// stopped and continued, for which the kernel interrupts it (signal(7)).
pub fn retry(
    phase: Phase,
    deadline: &Deadline,
    operation: &mut dyn FnMut(Duration) -> io::Result<usize>,
) -> Result<usize, Failure> {
    while let Some(timeout) = deadline.socket_timeout() {
        match operation(timeout) {
            Ok(count) => return Ok(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(failed(phase, &error)),
        }
    }
    Err(timed_out(phase, deadline))
}
