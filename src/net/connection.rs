//! A connected socket, read and written within the deadline.

use std::ffi::c_int;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::errno::{EAGAIN, EINTR, ENOMEM, Errno};
use crate::failure::{Phase, Unhealthy};
use crate::net::deadline::Deadline;
use crate::sys::{self, Address};

/// The room for the first piece of an answer. Most answers fit, and so does every datagram without
/// EDNS (RFC 1035, 4.2.1). For 1,024 bytes musl's allocator would make a mapping.
const FIRST_ROOM: usize = 1000;

/// The upper bound of one read: few calls for a flood, and cheap to fill with zeros. And of one write: a longer
/// one on a Unix socket goes in pieces, of about 36 KB each, and the kernel waits for each of them as long as
/// the timeout says (unix_stream_sendmsg in net/unix/af_unix.c).
const PIECE_MAX: usize = 32 * FIRST_ROOM;

/// A connected socket of any kind.
pub struct Connection(TcpStream);

impl Connection {
    /// Connects as [`sys::connect_timeout`] does, within `timeout`, which is not zero, and with its errors.
    pub fn open(kind: c_int, address: &Address, timeout: Duration) -> Result<Connection, Errno> {
        sys::connect_timeout(kind, address, timeout).map(Connection)
    }

    /// Whether this is a TCP connection to itself: where nobody listens on a port
    /// of the ephemeral range, the kernel may choose that very port for the
    /// connecting side, and TCP lets the two meet (RFC 9293, 3.5, figure 7).
    pub fn is_self_connection(&self) -> bool {
        // For a Unix socket std returns an error here.
        matches!((self.0.local_addr(), self.0.peer_addr()), (Ok(here), Ok(there)) if here == there)
    }

    /// Sends all of `bytes`. The deadline is re-armed before every write.
    pub fn send(&mut self, bytes: &[u8], deadline: &Deadline) -> Result<(), Unhealthy> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let sent = retry(Phase::Send, deadline, &mut |timeout| {
                self.0.set_write_timeout(Some(timeout))?;
                Ok(self.0.write(&rest[..rest.len().min(PIECE_MAX)])?)
            })?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    /// Appends the next bytes to `received`, and returns their number: 0 at the end of the stream.
    /// The deadline is re-armed before every read. Where memory runs out std would end the process,
    /// but the size of an answer is the server's choice, so here it is a failure.
    pub fn receive(&mut self, received: &mut Vec<u8>, deadline: &Deadline) -> Result<usize, Unhealthy> {
        let start = received.len();
        if start == received.capacity() {
            let room = start.clamp(FIRST_ROOM, PIECE_MAX);
            // Not doubled to the end: a block that grows is copied, and is there twice meanwhile.
            received.try_reserve_exact(room).or(Err(Unhealthy::Os(Phase::Receive, ENOMEM)))?;
        }
        received.resize(received.capacity().min(start + PIECE_MAX), 0);
        let count = retry(Phase::Receive, deadline, &mut |timeout| {
            self.0.set_read_timeout(Some(timeout))?;
            Ok(self.0.read(&mut received[start..])?)
        });
        received.truncate(start + count.unwrap_or_default());
        count
    }
}

/// Runs `operation`, which is handed its timeout, until it succeeds, fails, or `deadline` passes. It is repeated
/// when its timeout ends, and when the kernel interrupted it because the process was stopped and continued
/// (signal(7)). Returns its count of bytes. Errors: `Os` and `TimedOut`, of `phase`.
fn retry(
    phase: Phase,
    deadline: &Deadline,
    operation: &mut dyn FnMut(Duration) -> Result<usize, Errno>,
) -> Result<usize, Unhealthy> {
    while let Some(timeout) = deadline.socket_timeout(1) {
        match operation(timeout) {
            Ok(count) => return Ok(count),
            Err(EAGAIN | EINTR) => {}
            Err(errno) => return Err(Unhealthy::Os(phase, errno)),
        }
    }
    Err(Unhealthy::TimedOut(phase))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::time::Instant;

    fn is_self_connection(socket: impl Into<OwnedFd>) -> bool {
        Connection(TcpStream::from(socket.into())).is_self_connection()
    }

    #[test]
    fn a_piece_is_bounded_however_much_room_there_is() {
        let (stream, mut server) = UnixStream::pair().expect("a pair");
        let sent = [b'x'; PIECE_MAX + 1];
        std::thread::spawn(move || server.write_all(&sent));
        let mut connection = Connection(TcpStream::from(OwnedFd::from(stream)));
        let mut received = Vec::with_capacity(4 * PIECE_MAX);
        while received.len() < sent.len() {
            let count = connection.receive(&mut received, &Deadline::after(Duration::from_secs(20)));
            assert!(matches!(count, Ok(1..=PIECE_MAX)), "{count:?}");
        }
        assert_eq!(received, sent);
    }

    #[test]
    fn a_server_that_reads_slowly_does_not_stretch_the_deadline() {
        let (stream, mut server) = UnixStream::pair().expect("a pair");
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 37_000];
            while server.read(&mut piece).is_ok_and(|count| count > 0) {
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        let mut connection = Connection(TcpStream::from(OwnedFd::from(stream)));
        let begin = Instant::now();
        let sent = connection.send(&[0; 1 << 20], &Deadline::after(Duration::from_millis(300)));
        let took = begin.elapsed();
        drop(connection);
        reader.join().expect("it reads to the end");
        assert!(matches!(sent, Err(Unhealthy::TimedOut(Phase::Send))), "{sent:?}");
        // All of it in one write took 4.5 s.
        assert!(took < Duration::from_secs(3), "{took:?}");
    }

    #[test]
    fn a_connection_to_itself_is_known_in_every_family() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // What the kernel's choice of a port does by chance, a datagram socket does at will.
            // A container may lack IPv6.
            let Ok(socket) = UdpSocket::bind(address) else { continue };
            socket.connect(socket.local_addr().expect("an address")).expect("connected");
            assert!(is_self_connection(socket), "{address}");
            let listener = TcpListener::bind(address).expect("a port");
            let stream = TcpStream::connect(listener.local_addr().expect("an address"));
            assert!(!is_self_connection(stream.expect("connected")), "{address}");
            assert!(!is_self_connection(UdpSocket::bind(address).expect("a port")), "not connected");
        }
        let path = std::env::temp_dir().join(format!("probe-ends-{}", std::process::id()));
        let _listener = UnixListener::bind(&path).expect("a socket");
        let stream = UnixStream::connect(&path);
        std::fs::remove_file(&path).expect("removed");
        assert!(!is_self_connection(stream.expect("connected")), "unix");
    }
}
