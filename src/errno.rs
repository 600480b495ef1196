//! Linux's error numbers, the same on every platform we build for
//! (asm-generic/errno-base.h, asm-generic/errno.h), and words for the usual ones.
//!
//! std's kinds of errors and their words would bring its table, and the C
//! library's, of all errors into the binary.

use std::io;

use crate::print::{push, push_number};

/// An error of the operating system, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl From<io::Error> for Errno {
    /// The number of an error; 0 for one that is std's own.
    fn from(error: io::Error) -> Errno {
        Errno(error.raw_os_error().unwrap_or_default())
    }
}

/// A FIFO, a device or a folder where a file is to be read. No number of the kernel's says that.
pub const NOT_A_FILE: Errno = Errno(-1);
/// No file of that name.
pub const ENOENT: Errno = Errno(2);
/// A signal interrupted the call.
pub const EINTR: Errno = Errno(4);
/// It would take longer than the socket's timeout.
pub const EAGAIN: Errno = Errno(11);
/// No memory is left.
pub const ENOMEM: Errno = Errno(12);
/// Longer than the file may be.
pub const EFBIG: Errno = Errno(27);
/// The other end reads no more.
pub const EPIPE: Errno = Errno(32);
/// The host lacks IPv6.
pub const EAFNOSUPPORT: Errno = Errno(97);
/// The host has no address of this family.
pub const EADDRNOTAVAIL: Errno = Errno(99);
/// The host has no route of this family.
pub const ENETUNREACH: Errno = Errno(101);
/// The other end reset the connection.
pub const ECONNRESET: Errno = Errno(104);
/// Nobody listens.
pub const ECONNREFUSED: Errno = Errno(111);
/// A connection takes longer than the socket's timeout.
pub const EINPROGRESS: Errno = Errno(115);

/// Appends the error's message: that of strerror(3), in lower case and shorter.
pub fn push_message(out: &mut Vec<u8>, error: Errno) {
    let words = match error {
        // What open(2) says of a socket, too.
        NOT_A_FILE | Errno(6) => "not a regular file",
        ENOENT => "no such file",
        ENOMEM => "out of memory",
        Errno(1 | 13) => "permission denied",
        Errno(8) => "not a program for this machine",
        Errno(16) => "busy",
        Errno(17) => "file exists",
        Errno(20) => "not a directory",
        Errno(21) => "is a directory",
        Errno(22) => "invalid argument",
        Errno(23 | 24) => "too many open files",
        EFBIG => "file too large",
        Errno(28) => "no space left on device",
        Errno(30) => "read-only file system",
        EPIPE => "broken pipe",
        Errno(36) => "name too long",
        Errno(40) => "too many symbolic links",
        Errno(91) => "not a stream socket",
        EAFNOSUPPORT => "address family not supported",
        EADDRNOTAVAIL => "address not available",
        ENETUNREACH => "network unreachable",
        Errno(103) => "connection aborted",
        ECONNRESET => "connection reset",
        Errno(110) => "no reply, the kernel gave up",
        ECONNREFUSED => "connection refused",
        Errno(113) => "no route to host",
        Errno(number) => {
            push(out, "errno ");
            return push_number(out, u64::from(number.unsigned_abs()));
        }
    };
    push(out, words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_to_the_letter() {
        for (number, message) in [
            (1, "permission denied"),
            (2, "no such file"),
            (6, "not a regular file"),
            (8, "not a program for this machine"),
            (12, "out of memory"),
            (13, "permission denied"),
            (16, "busy"),
            (17, "file exists"),
            (20, "not a directory"),
            (21, "is a directory"),
            (22, "invalid argument"),
            (23, "too many open files"),
            (24, "too many open files"),
            (27, "file too large"),
            (28, "no space left on device"),
            (NOT_A_FILE.0, "not a regular file"),
            (30, "read-only file system"),
            (32, "broken pipe"),
            (36, "name too long"),
            (40, "too many symbolic links"),
            (71, "errno 71"),
            (91, "not a stream socket"),
            (97, "address family not supported"),
            (99, "address not available"),
            (101, "network unreachable"),
            (103, "connection aborted"),
            (104, "connection reset"),
            (110, "no reply, the kernel gave up"),
            (111, "connection refused"),
            (113, "no route to host"),
        ] {
            let mut out = Vec::new();
            push_message(&mut out, Errno(number));
            assert_eq!(String::from_utf8(out).as_deref(), Ok(message), "{number}");
        }
    }
}
