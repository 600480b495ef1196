//! A connected socket, read and written within the deadline.

use std::ffi::c_int;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::errno::{EAGAIN, EINTR};
use crate::socket::{self, Address};
use crate::verdict::{Phase, Unhealthy};

/// What most answers fit into, and every datagram without EDNS (RFC 1035, 4.2.1).
pub const BUFFER: usize = 1024;

/// A connected socket of any kind.
pub struct Connection(TcpStream);

impl Connection {
    /// Connects as [`socket::connect_timeout`] does.
    pub fn open(kind: c_int, address: &Address, timeout: Duration) -> io::Result<Connection> {
        socket::connect_timeout(kind, address, timeout).map(Connection)
    }

    /// Whether this is a TCP connection to itself: where nobody listens on a port
    /// of the ephemeral range, the kernel may choose that very port for the
    /// connecting side, and TCP lets the two meet (RFC 9293, 3.5, figure 7).
    pub fn is_to_itself(&self) -> bool {
        let local = self.0.local_addr().ok();
        local.is_some() && local == self.0.peer_addr().ok()
    }

    /// Sends all of `bytes`. The deadline is armed anew before every write.
    pub fn send(&mut self, bytes: &[u8], deadline: &Deadline) -> Result<(), Unhealthy> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let sent = retry(Phase::Send, deadline, &mut |timeout| {
                self.0.set_write_timeout(Some(timeout))?;
                self.0.write(rest)
            })?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    /// Receives some bytes, none at the end of the stream. The deadline is
    /// armed anew before every read.
    pub fn receive<'a>(
        &mut self,
        buffer: &'a mut [u8; BUFFER],
        deadline: &Deadline,
    ) -> Result<&'a [u8], Unhealthy> {
        let count = retry(Phase::Receive, deadline, &mut |timeout| {
            self.0.set_read_timeout(Some(timeout))?;
            self.0.read(buffer)
        })?;
        Ok(&buffer[..count])
    }
}

/// Does an operation of `phase` until it succeeds, fails, or `deadline` has
/// passed. It is done again after its timeout, and when the process was
/// stopped and continued, for which the kernel interrupts it (signal(7)).
fn retry(
    phase: Phase,
    deadline: &Deadline,
    operation: &mut dyn FnMut(Duration) -> io::Result<usize>,
) -> Result<usize, Unhealthy> {
    while let Some(timeout) = deadline.socket_timeout(1) {
        match operation(timeout) {
            Ok(count) => return Ok(count),
            Err(error) if matches!(error.raw_os_error(), Some(EAGAIN | EINTR)) => {}
            Err(error) => return Err(Unhealthy::failed(phase, &error)),
        }
    }
    Err(Unhealthy::TimedOut(phase))
}
