//! Connects a Unix socket within a timeout: the one `unsafe` function.
//!
//! connect(2) on a Unix socket waits for a place in the listener's backlog. A
//! send timeout bounds that wait (socket(7), `SO_SNDTIMEO`), but std has no Unix
//! socket that is not connected yet, on which it could be set.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::target::UNIX_PATH_MAX;

const AF_UNIX: u16 = 1;
const SOCK_STREAM: c_int = 1;

/// `sockaddr_un` (unix(7)).
#[repr(C)]
struct Address {
    family: u16,
    path: [u8; UNIX_PATH_MAX + 1],
}

unsafe extern "C" {
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn connect(socket: c_int, address: *const Address, length: u32) -> c_int;
}

/// Connects to the stream socket at `path`, of at most [`UNIX_PATH_MAX`] bytes.
/// Without a place in the backlog until `timeout`, not zero, has passed the
/// error is `EAGAIN`.
pub fn connect_timeout(path: &[u8], timeout: Duration) -> io::Result<UnixStream> {
    let mut address = Address { family: AF_UNIX, path: [0; UNIX_PATH_MAX + 1] };
    address.path[..path.len()].copy_from_slice(path);
    // SAFETY: socket(2) has no pointer. What it returns is open and ours alone,
    // unless it is -1. connect(2) reads an address that lives until it returns,
    // and no more of it than its size.
    unsafe {
        let number = socket(AF_UNIX.into(), SOCK_STREAM, 0);
        if number == -1 {
            return Err(io::Error::last_os_error());
        }
        let stream = UnixStream::from(OwnedFd::from_raw_fd(number));
        stream.set_write_timeout(Some(timeout))?;
        match connect(number, &address, size_of::<Address>() as u32) {
            0 => Ok(stream),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
