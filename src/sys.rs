//! What std cannot do, or only at more than 1 KB each; all `unsafe` is here.
//!
//! - connect(2) on a Unix socket waits for a place in the listener's backlog. A send timeout
//!   bounds that wait (socket(7), `SO_SNDTIMEO`), but std has no Unix socket that is not connected
//!   yet, on which it could be set. TCP and UDP are connected in the same way: std's own takes
//!   1 KB and two system calls more.
//! - std sends no signal but SIGKILL, and that to its own children only, and handles none.
//! - std reads no clock that goes on while the system is suspended.
//! - std's own exec brings code for all that it may set up before: 18 KB.
//! - std opens files with errors for contradictory options: 5 KB.
//! - std looks up variables with a lock, exits through code that flushes its stdout, and has no random number but
//!   in the seed of a hash map: from 1.4 to 6 KB each.
//! - std's heap aligns blocks to any boundary and grows them in place, for which the C library takes 2.3 KB.
//! - std's stdout has a buffer, which costs 1.4 KB of code, two system calls and two page faults.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{CStr, c_char, c_int, c_long, c_uint};
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use crate::errno::Errno;

/// The numbers of socket(2), the same on every platform we build for.
const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// A socket's type: a stream, as TCP is, or datagrams, as UDP.
pub const STREAM: c_int = 1;
/// See [`STREAM`].
pub const DATAGRAM: c_int = 2;

/// The longest path that a Unix socket address holds: 108 bytes with the
/// final NUL (unix(7)).
pub const UNIX_PATH_MAX: usize = 107;

/// A `sockaddr` as the kernel lays it out, and its length.
pub struct Address {
    bytes: [u8; ADDRESS_MAX],
    length: usize,
}

/// Family, path and NUL of a Unix socket: the longest address.
const ADDRESS_MAX: usize = 2 + UNIX_PATH_MAX + 1;

/// The `sockaddr_un` of a path, of at most [`UNIX_PATH_MAX`] bytes (unix(7)).
pub fn unix(path: &[u8]) -> Address {
    let mut bytes = [0; ADDRESS_MAX];
    bytes[..2].copy_from_slice(&AF_UNIX.to_ne_bytes());
    bytes[2..2 + path.len()].copy_from_slice(path);
    Address { bytes, length: ADDRESS_MAX }
}

/// The `sockaddr_in` (ip(7)) or `sockaddr_in6` (ipv6(7)) of an address and port.
pub fn inet(address: SocketAddr) -> Address {
    let mut bytes = [0; ADDRESS_MAX];
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(address) => {
            bytes[..2].copy_from_slice(&AF_INET.to_ne_bytes());
            bytes[4..8].copy_from_slice(&address.ip().octets());
            Address { bytes, length: 16 }
        }
        SocketAddr::V6(address) => {
            bytes[..2].copy_from_slice(&AF_INET6.to_ne_bytes());
            bytes[8..24].copy_from_slice(&address.ip().octets());
            bytes[24..28].copy_from_slice(&address.scope_id().to_ne_bytes());
            Address { bytes, length: 28 }
        }
    }
}

// SAFETY: the signatures are the C library's. A `safe` function takes no pointer, but for a reference to all that
// clock_gettime(2) writes. `signal` is private, and gets `SIG_DFL`, `SIG_IGN` or `exit_on` only.
unsafe extern "C" {
    /// Ends the process. Nothing is left to do: std's way would flush its stdout, which is not used.
    #[link_name = "_exit"]
    pub safe fn exit(code: c_int) -> !;
    safe fn kill(process: c_int, signal: c_int) -> c_int;
    safe fn clock_gettime(clock: c_int, time: &mut [c_long; 2]) -> c_int;
    safe fn signal(number: c_int, disposition: usize) -> usize;
    fn execvp(file: *const c_char, arguments: *const *const c_char) -> c_int;
    safe fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn malloc(size: usize) -> *mut u8;
    fn free(block: *mut u8);
    fn getenv(name: *const c_char) -> *const c_char;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn getrandom(buffer: *mut u64, length: usize, flags: c_uint) -> isize;
    fn connect(socket: c_int, address: *const u8, length: u32) -> c_int;
}

/// The C library's heap, by malloc(3) and free(3) alone: a block that grows is copied.
pub struct Heap;

// SAFETY: malloc(3) returns null or a block that nothing else uses, aligned for all that is let through; neither
// function unwinds.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // That of max_align_t at least, everywhere.
        const ALIGNMENT: usize = 2 * size_of::<usize>();
        match layout.align() {
            // SAFETY: malloc(3) takes every size.
            ..=ALIGNMENT => unsafe { malloc(layout.size()) },
            _ => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: by the caller's contract the block is from `alloc`, and so from malloc(3), and no longer used.
        unsafe { free(block) }
    }
}

/// What the C library returned, or the error that it left.
fn checked(result: c_int) -> Result<c_int, Errno> {
    if result == -1 { Err(io::Error::last_os_error().into()) } else { Ok(result) }
}

/// The text, and the NUL that ends it in C. There is none within: an argument and a variable cannot
/// have one, and `${0x00}` is refused as a control character where a path is wanted.
fn c_text(text: &[u8]) -> Vec<u8> {
    [text, b"\0"].concat()
}

/// The value of a variable, if it is set.
pub fn variable(name: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: getenv(3) reads a name that ends with NUL and outlives the call; nothing changes the environment.
    let value = unsafe { getenv(c_text(name).as_ptr().cast()) };
    // SAFETY: a value that is not null ends with NUL, and is copied before anything could change it.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_bytes().to_vec())
}

/// Whether the monotonic clock can be read, which std's `Instant` takes for granted. On 32-bit platforms
/// that is a newer system call: an old libseccomp does not know it, and Docker's default profile forbids it.
pub fn has_clock() -> bool {
    const CLOCK_MONOTONIC: c_int = 1;
    cfg!(target_pointer_width = "64") || clock_gettime(CLOCK_MONOTONIC, &mut [0; 2]) == 0
}

/// The time since the system booted, suspended time included. A 32-bit platform's clock_gettime(2)
/// has seconds of 32 bits, enough for 68 years.
pub fn time_since_boot() -> Option<Duration> {
    const CLOCK_BOOTTIME: c_int = 7;
    let mut time = [0; 2];
    (clock_gettime(CLOCK_BOOTTIME, &mut time) == 0).then(|| Duration::new(time[0] as u64, time[1] as u32))
}

/// Dispositions of signal(2), which are no functions.
const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;

/// Ends the process at once with 128 and the number of the signal.
extern "C" fn exit_on(number: c_int) {
    exit(128 + number)
}

/// Has this signal end the process, also where the kernel drops what has no handler: as process 1.
/// One that is ignored stays so.
pub fn end_on(number: c_int) {
    if signal(number, exit_on as *const () as usize) == SIG_IGN {
        signal(number, SIG_IGN);
    }
}

/// Becomes a command, with its arguments; it is not empty, and looked for in PATH unless its name has a slash
/// (execvp(3)). Returns only if that cannot be done. A signal that has a handler here has its default there;
/// so has SIGPIPE, which std's runtime ignores.
pub fn become_command(command: &[Vec<u8>]) -> Errno {
    const SIGPIPE: c_int = 13;
    let texts: Vec<_> = command.iter().map(|text| c_text(text)).collect();
    let mut pointers: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr().cast()).collect();
    pointers.push(ptr::null());
    signal(SIGPIPE, SIG_DFL);
    // SAFETY: execvp(3) reads texts that end with NUL, up to the null pointer; all of them outlive the call.
    let result = checked(unsafe { execvp(pointers[0], pointers.as_ptr()) });
    // Else the line that says why could end the process.
    signal(SIGPIPE, SIG_IGN);
    result.err().unwrap_or(Errno(0))
}

/// Opens a file with these flags of open(2). Only its owner may open one that is made.
pub fn open_file(path: &[u8], flags: c_int) -> Result<File, Errno> {
    let path = c_text(path);
    // SAFETY: open(2) reads a path that ends with NUL and outlives the call, and a mode.
    let number = checked(unsafe { open(path.as_ptr().cast(), flags, 0o700) })?;
    // SAFETY: it has just been opened, and nobody else has it.
    Ok(unsafe { File::from_raw_fd(number) })
}

/// Sends a signal to a process (kill(2)).
pub fn send_signal(process: c_int, signal: c_int) -> Result<(), Errno> {
    checked(kill(process, signal)).map(drop)
}

/// A number that nobody can foresee. Where the system has none to give, Linux before 3.17 or soon
/// after boot, the stack's address remains, which it also chooses at random.
pub fn random() -> u64 {
    const GRND_NONBLOCK: c_uint = 1;
    let mut number = 0;
    number = &raw const number as u64;
    // SAFETY: getrandom(2) writes at most the eight bytes of `number`, and any eight are a number.
    unsafe { getrandom(&mut number, size_of::<u64>(), GRND_NONBLOCK) };
    number
}

/// Connects a socket of the type `kind` to `address`. If that takes longer than
/// `timeout`, which is not zero, the error is `EINPROGRESS`, or `EAGAIN` for a Unix socket.
/// Reads, writes and timeouts are the same system calls for every kind of socket, so std's
/// `TcpStream` serves for all.
pub fn connect_timeout(kind: c_int, address: &Address, timeout: Duration) -> Result<TcpStream, Errno> {
    let [low, high, ..] = address.bytes;
    let number = checked(socket(u16::from_ne_bytes([low, high]).into(), kind, 0))?;
    // SAFETY: it has just been opened, and nobody else has it.
    let socket = TcpStream::from(unsafe { OwnedFd::from_raw_fd(number) });
    socket.set_write_timeout(Some(timeout))?;
    // SAFETY: connect(2) reads `length` bytes, at most all of them, of an address that outlives the call.
    checked(unsafe { connect(number, address.bytes.as_ptr(), address.length as u32) })?;
    Ok(socket)
}

/// Standard output or standard error, without std's buffer. std's runtime has made sure that it is open.
pub fn standard_stream(is_stdout: bool) -> ManuallyDrop<File> {
    let number = if is_stdout { 1 } else { 2 };
    // SAFETY: the descriptor is open, and stays so: a file that is never dropped is never closed.
    ManuallyDrop::new(unsafe { File::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddrV6;

    fn bytes(address: &Address) -> &[u8] {
        &address.bytes[..address.length]
    }

    #[test]
    fn every_bit_of_a_random_number_is_random() {
        let numbers: Vec<_> = (0..64).map(|_| random()).collect();
        let has_ones = numbers.iter().fold(0, |bits, number| bits | number);
        let has_zeros = numbers.iter().fold(0, |bits, number| bits | !number);
        assert_eq!((has_ones, has_zeros), (u64::MAX, u64::MAX));
    }

    #[test]
    fn addresses_as_the_kernel_has_them() {
        let family = |number: u16| number.to_ne_bytes();
        let v4 = [&family(2)[..], &[0x1f, 0x9a, 127, 0, 0, 1], &[0; 8]].concat();
        assert_eq!(bytes(&inet("127.0.0.1:8090".parse().expect("an address"))), v4);
        let ip = "fe80::1".parse().expect("an address");
        let v6 = [&family(10)[..], &[0, 53, 0, 0, 0, 0, 0xfe, 0x80], &[0; 13], &[1], &2u32.to_ne_bytes()];
        assert_eq!(bytes(&inet(SocketAddrV6::new(ip, 53, 0, 2).into())), v6.concat());
        let path = [b'x'; UNIX_PATH_MAX];
        assert_eq!(bytes(&unix(&path)), [&family(1)[..], &path, b"\0"].concat());
    }
}
