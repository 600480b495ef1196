//! The probe copies itself: an image without a shell has no `cp` to do it with.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use crate::errno::{Errno, push_message};
use crate::file;
use crate::input::expand::Expanded;
use crate::print::{PLACE_SHOWN_MAX, push, push_escaped, push_number};
use crate::sys;

/// The running binary, also where its file has since been removed (proc(5)).
const SELF: &[u8] = b"/proc/self/exe";

/// Copies the running binary to `path`, whose folder becomes the process's directory. Returns whether that was done;
/// `line` says so, or why not. It has the path as it was written, and so not what a variable holds.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
pub fn install(path: &Expanded, line: &mut Vec<u8>) -> bool {
    let (shown, result) = match file::open(SELF) {
        Ok(binary) => (&path.raw[..], put(binary, &path.text)),
        Err(errno) => (SELF, Err(errno)),
    };
    push(line, if result.is_ok() { "installed: " } else { "probe: " });
    push_escaped(line, shown, PLACE_SHOWN_MAX);
    if let Err(errno) = result {
        push(line, ": ");
        push_message(line, errno);
    }
    push(line, "\n");
    result.is_ok()
}

/// Makes `path` a copy of `binary`, whole or not at all: a temporary file beside
/// it takes its name at last. That replaces what had the name, a running binary
/// too, and a symbolic link rather than the file it leads to. All of it happens in
/// the folder itself: where another user may write, he can change what a longer path leads to.
///
/// That user can neither foresee the temporary name nor open the file, and its mode is that of a
/// program only once it is whole. Only the rename is by name. A sticky folder, as /tmp is, keeps
/// him from giving that name to another file; in any other one he could as well replace the
/// installed probe.
fn put(binary: File, path: &[u8]) -> Result<(), Errno> {
    let name_at = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    if name_at > 0 {
        env::set_current_dir(OsStr::from_bytes(&path[..name_at]))?;
    }
    let mut temporary = b".probe-".to_vec();
    push_number(&mut temporary, sys::random());
    let file = file::create_new(&temporary)?;
    let name = OsStr::from_bytes(&path[name_at..]);
    let done = copy(binary, file).and_then(|()| Ok(fs::rename(OsStr::from_bytes(&temporary), name)?));
    if done.is_err() {
        let _ = fs::remove_file(OsStr::from_bytes(&temporary));
    }
    done
}

/// Fills a new file with the running binary.
fn copy(mut binary: File, mut file: File) -> Result<(), Errno> {
    let mut piece = [0; 4096];
    loop {
        match binary.read(&mut piece)? {
            0 => break,
            count => file.write_all(&piece[..count])?,
        }
    }
    file.set_permissions(Permissions::from_mode(0o755))?;
    // On disk before the rename: neither a power failure nor a file server's late error can leave a part of a program
    // under that name.
    Ok(file.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_copy_that_may_not_be_on_the_disk_is_none() {
        // fsync(2) is all that a socket does not take.
        let (socket, mut other) = UnixStream::pair().expect("a pair");
        let binary = File::open("/proc/self/status").expect("a file");
        let result = copy(binary, File::from(OwnedFd::from(socket)));
        const EINVAL: Errno = Errno(22);
        assert_eq!(result, Err(EINVAL));
        let mut start = [0; 5];
        other.read_exact(&mut start).expect("what was copied");
        assert_eq!(&start, b"Name:");
    }
}
