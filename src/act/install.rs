//! The probe copies itself: an image without a shell has no `cp` to do it with.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use crate::errno::{self, EEXIST};
use crate::file;
use crate::input::expand::Expanded;
use crate::print::{push, push_escaped};

/// The running binary, also where its file has since been removed (proc(5)).
const SELF: &[u8] = b"/proc/self/exe";

/// A temporary file's name, or so much of it as no other file has.
const TEMPORARY: &str = ".probe-000000000000000000000000000000000";

/// The most of a path that is shown.
const SHOWN: usize = 256;

/// Copies the running binary to `path`. Whether that was done; `line` says so, or why
/// not. It has the path as it was written, and so not what a variable holds.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
pub fn install(path: &Expanded, line: &mut Vec<u8>) -> bool {
    let (shown, result) = match file::open(SELF) {
        Ok(binary) => (&path.raw[..], put(binary, &path.text)),
        Err(error) => (SELF, Err(error)),
    };
    push(line, if result.is_ok() { "installed: " } else { "probe: " });
    push_escaped(line, shown, SHOWN);
    if let Err(error) = &result {
        push(line, ": ");
        errno::push_message(line, error.raw_os_error().unwrap_or_default());
    }
    push(line, "\n");
    result.is_ok()
}

/// Makes `path` a copy of `binary`, whole or not at all: a temporary file beside
/// it takes its name at last. That replaces what had the name, a running binary
/// too, and a symbolic link rather than the file it leads to. All of it happens in
/// the folder itself, where names are short enough for [`file::open`].
fn put(binary: File, path: &[u8]) -> io::Result<()> {
    let name_at = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    if name_at > 0 {
        env::set_current_dir(OsStr::from_bytes(&path[..name_at]))?;
    }
    // Others may be at work, or were ended at it; each may be PID 1 of a container.
    let mut length = ".probe-0".len();
    let (temporary, file) = loop {
        let temporary = &TEMPORARY[..length];
        match file::create_new(temporary.as_bytes()) {
            Err(error) if error.raw_os_error() == Some(EEXIST) && length < TEMPORARY.len() => length += 1,
            opened => break (temporary, opened?),
        }
    };
    let done = copy(binary, file, temporary)
        .and_then(|()| fs::rename(temporary, OsStr::from_bytes(&path[name_at..])));
    if done.is_err() {
        let _ = fs::remove_file(temporary);
    }
    done
}

/// Fills a new file with the running binary.
fn copy(mut binary: File, mut file: File, temporary: &str) -> io::Result<()> {
    // The umask has taken away from the mode of the new file.
    fs::set_permissions(temporary, Permissions::from_mode(0o755))?;
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
