//! Opens files by short names only: std's code for paths of any length, and its errors for
//! contradictory options, would add 5 KB.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use crate::errno::ENAMETOOLONG;

/// Longer than every path opened here; with a bound the compiler drops std's code for longer ones.
const PATH_MAX: usize = 40;

/// Opens a file to read it.
pub fn open(path: &str) -> io::Result<File> {
    with_flags(path, 0)
}

/// The content of a file of at most `max` bytes.
pub fn read(path: &[u8], max: usize) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut file = open(str::from_utf8(path).unwrap_or_default())?;
    let mut content = Vec::new();
    let mut piece = [0; 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(content),
            count => content.extend_from_slice(&piece[..count]),
        }
        if content.len() > max {
            return Err(io::Error::from_raw_os_error(27));
        }
    }
}

/// Makes a new file of this name, to write it.
pub fn create_new(path: &str) -> io::Result<File> {
    // `O_CREAT` and `O_EXCL`, the same on every platform that is built for.
    with_flags(path, 0o300)
}

#[inline(never)]
fn with_flags(path: &str, flags: i32) -> io::Result<File> {
    if path.len() > PATH_MAX {
        return Err(io::Error::from_raw_os_error(ENAMETOOLONG));
    }
    OpenOptions::new().read(true).write(flags != 0).custom_flags(flags).open(path)
}
