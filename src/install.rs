//! The probe copies itself: an image without a shell has no `cp` to do it with.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::print::{push, push_escaped, push_number};
use crate::verdict::push_os_error;

/// The running binary, also where its file has since been removed (proc(5)).
const SELF: &str = "/proc/self/exe";

/// The most of a path that is shown.
const SHOWN: usize = 256;

/// Copies the running binary to `path`, or into it as `probe` if it is a folder.
/// Returns the line that says so, or why not; it has the path as it was
/// `written`, and so not what a variable holds.
pub fn install(mut path: PathBuf, written: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    let mut shown = written.to_vec();
    if path.is_dir() {
        path.push("probe");
        push(&mut shown, if written.ends_with(b"/") { "probe" } else { "/probe" });
    }
    let (shown, result) = match fs::read(SELF) {
        Ok(binary) => (&*shown, put(&binary, &path)),
        Err(error) => (SELF.as_bytes(), Err(error)),
    };
    let mut line = Vec::new();
    push(&mut line, if result.is_ok() { "installed: " } else { "probe: " });
    push_escaped(&mut line, shown, SHOWN);
    if let Err(error) = &result {
        push(&mut line, ": ");
        push_os_error(&mut line, error.kind(), error.raw_os_error().unwrap_or_default());
    }
    push(&mut line, "\n");
    if result.is_ok() { Ok(line) } else { Err(line) }
}

/// Makes `path` a file of this content, whole or not at all: a temporary file
/// beside it takes its name at last. That replaces what had the name, a running
/// binary too, and a symbolic link rather than the file that it leads to.
fn put(content: &[u8], path: &Path) -> io::Result<()> {
    // Others may be at work, or were ended at it; each may be PID 1 of a container.
    let mut number = 0;
    let (temporary, mut file) = loop {
        let mut name = b".probe-".to_vec();
        push_number(&mut name, number);
        let temporary = path.with_file_name(OsStr::from_bytes(&name));
        match File::create_new(&temporary) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && number < 100 => number += 1,
            opened => break (temporary, opened?),
        }
    };
    let done = (|| {
        file.write_all(content)?;
        // Now, since the umask takes away from the mode of a new file.
        file.set_permissions(Permissions::from_mode(0o755))?;
        // So that no failure of power or of a server of files is after the rename.
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if done.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    done
}
