//! The probe copies itself: an image without a shell has no `cp` to do it with.
//!
//! Paths are bytes here, since std's own ways with them cost some kilobytes.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use crate::print::{push, push_escaped, push_number};
use crate::verdict::push_os_error;

/// The running binary, also where its file has since been removed (proc(5)).
const SELF: &str = "/proc/self/exe";

/// The most of a path that is shown.
const SHOWN: usize = 256;

/// Copies the running binary to `path`, or into it as `probe` if it is a folder.
/// Returns the line that says so, or why not; it has the path as it was
/// `written`, and so not what a variable holds.
pub fn install(path: &[u8], written: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    let inside = |path: &[u8]| [path.strip_suffix(b"/").unwrap_or(path), b"/probe"].concat();
    let (shown, result) = match File::open(SELF) {
        Err(error) => (SELF.into(), Err(error)),
        Ok(binary) => match put(&binary, &inside(path)) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                // So it is no folder.
                (written.to_vec(), put(&binary, path))
            }
            result => (inside(written), result),
        },
    };
    let mut line = Vec::new();
    push(&mut line, if result.is_ok() { "installed: " } else { "probe: " });
    push_escaped(&mut line, &shown, SHOWN);
    if let Err(error) = &result {
        push(&mut line, ": ");
        push_os_error(&mut line, error.kind(), error.raw_os_error().unwrap_or_default());
    }
    push(&mut line, "\n");
    if result.is_ok() { Ok(line) } else { Err(line) }
}

/// Makes `path` a copy of `binary`, whole or not at all: a temporary file beside
/// it takes its name at last. That replaces what had the name, a running binary
/// too, and a symbolic link rather than the file it leads to.
fn put(binary: &File, path: &[u8]) -> io::Result<()> {
    let folder = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    // Others may be at work, or were ended at it; each may be PID 1 of a container.
    let mut number = 0;
    let (temporary, mut file) = loop {
        let mut temporary = path[..folder].to_vec();
        push(&mut temporary, ".probe-");
        push_number(&mut temporary, number);
        match File::create_new(OsStr::from_bytes(&temporary)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && number < 100 => number += 1,
            opened => break (temporary, opened?),
        }
    };
    let temporary = OsStr::from_bytes(&temporary);
    // The umask has taken away from the mode of the new file.
    let done = fs::set_permissions(temporary, Permissions::from_mode(0o755))
        .and_then(|()| copy(binary, &mut file))
        .and_then(|()| fs::rename(temporary, OsStr::from_bytes(path)));
    if done.is_err() {
        let _ = fs::remove_file(temporary);
    }
    done
}

/// Fills a new file with the running binary.
fn copy(mut binary: &File, file: &mut File) -> io::Result<()> {
    let mut piece = [0; 4096];
    loop {
        match binary.read(&mut piece)? {
            0 => break,
            count => file.write_all(&piece[..count])?,
        }
    }
    // So that no failure of power, or of a server of files, comes after the rename.
    file.sync_all()
}
