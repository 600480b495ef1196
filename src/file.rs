//! Opens files, all in one place and with short names: else std's way with paths of
//! any length and its words for wrong options would add 5 KB to the binary.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use crate::errno::ENAMETOOLONG;

/// More than any path has that is opened here.
const PATH_MAX: usize = 40;

/// `O_CREAT` and `O_EXCL`, the same on every platform that is built for.
const NEW: i32 = 0o300;

/// Opens the file to read it, or makes a new one of that name.
#[inline(never)]
pub fn open(path: &str, new: bool) -> io::Result<File> {
    if path.len() > PATH_MAX {
        return Err(io::Error::from_raw_os_error(ENAMETOOLONG));
    }
    let flags = if new { NEW } else { 0 };
    OpenOptions::new().read(true).write(new).custom_flags(flags).open(path)
}
