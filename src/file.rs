//! Reads and makes regular files.

use std::fs::File;
use std::io::Read;

use crate::errno::{EFBIG, Errno, NOT_A_FILE};
use crate::sys;
use crate::text::cut;

/// The most of a file that is kept. One that is read whole may not be longer; a longer line is handed over in
/// pieces, so that a file without line ends fills no memory.
const KEPT_MAX: usize = 64 * 1024;

/// Flags of open(2), the same on every platform we build for.
const O_RDONLY: i32 = 0;
const O_WRONLY: i32 = 1;
const O_CREAT: i32 = 0o100;
const O_EXCL: i32 = 0o200;
const O_NONBLOCK: i32 = 0o4000;

/// Opens a regular file to read it. Anything else is refused, and never waited for.
pub fn open(path: &[u8]) -> Result<File, Errno> {
    let file = sys::open_file(path, O_RDONLY | O_NONBLOCK)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(NOT_A_FILE) }
}

/// The content of a regular file, of at most 64 KiB, else [`EFBIG`]: that of a `${/path}`, or of /proc, where status
/// lists every group.
pub fn read(path: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut file = open(path)?;
    let mut content = Vec::new();
    let mut piece = [0; 1024];
    // std's `read_to_end` would add 1.7 KB.
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(content),
            count => content.extend_from_slice(&piece[..count]),
        }
        if content.len() > KEPT_MAX {
            return Err(EFBIG);
        }
    }
}

/// Hands each line of a regular file to `accept`, as far as it can be read, until that returns `None`. Returns `None`
/// then, and where the file cannot be read to its end.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
pub fn each_line(path: &[u8], accept: &mut dyn FnMut(&[u8]) -> Option<()>) -> Option<()> {
    let mut file = open(path).ok()?;
    let mut text = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let count = file.read(&mut piece).ok()?;
        text.extend_from_slice(&piece[..count]);
        let mut rest = &text[..];
        while let (line, Some(after)) = cut(rest, b'\n') {
            accept(line)?;
            rest = after;
        }
        // The last piece is not full (read(2), fs/seq_file.c). To see the end of /proc/net/tcp beyond it, the
        // kernel would go through its whole hash table of connections.
        if count < piece.len() {
            return accept(rest);
        }
        if rest.len() >= KEPT_MAX {
            accept(rest)?;
            rest = b"";
        }
        text = rest.to_vec();
    }
}

/// Makes a new file of this name, to write it. Only its owner may open it.
pub fn create_new(path: &[u8]) -> Result<File, Errno> {
    sys::open_file(path, O_WRONLY | O_CREAT | O_EXCL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;

    #[test]
    fn a_fifo_a_folder_and_a_device_are_refused_and_never_waited_for() {
        let fifo = std::env::temp_dir().join(format!("probe-fifo-{}", std::process::id()));
        assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
        let refused = open(fifo.as_os_str().as_bytes()).err();
        std::fs::remove_file(&fifo).expect("removed");
        assert_eq!(refused, Some(NOT_A_FILE));
        for path in [&b"/"[..], b"/dev/null", b"/dev/zero"] {
            assert_eq!(open(path).err(), Some(NOT_A_FILE), "{path:?}");
        }
    }

    #[test]
    fn files_of_the_kernel_are_read() {
        assert!(read(b"/proc/1/status").expect("it is read").starts_with(b"Name:"));
        // A link to this test's binary.
        assert_eq!(read(b"/proc/self/exe").err(), Some(EFBIG));
        let mut start = [0; 4];
        open(b"/proc/self/exe").and_then(|mut file| Ok(file.read_exact(&mut start)?)).expect("it is read");
        assert_eq!(&start, b"\x7fELF");
    }

    #[test]
    fn a_file_has_its_cap_to_the_byte() {
        let path = std::env::temp_dir().join(format!("probe-read-{}", std::process::id()));
        let path = path.as_os_str().as_bytes();
        let content: Vec<u8> = (0..=KEPT_MAX).map(|index| (index % 251) as u8).collect();
        let read = |content: &[u8]| {
            std::fs::write(OsStr::from_bytes(path), content).expect("written");
            read(path)
        };
        let whole = read(&content[..KEPT_MAX]);
        let too_large = read(&content);
        std::fs::remove_file(OsStr::from_bytes(path)).expect("removed");
        assert_eq!(whole.expect("it is read"), content[..KEPT_MAX]);
        assert_eq!(too_large.err(), Some(EFBIG));
    }

    #[test]
    fn a_file_is_read_to_its_end_whatever_its_length() {
        let path = std::env::temp_dir().join(format!("probe-lines-{}", std::process::id()));
        let long_line = [b'x'; 2 * KEPT_MAX];
        let text = [&long_line[..], b"\n", &b"0.0.0.0 blocked\n".repeat(40_000), b"10.0.0.1 x"].concat();
        std::fs::write(&path, text).expect("written");
        let (mut count, mut longest, mut last) = (0, 0, Vec::new());
        let outcome = each_line(path.as_os_str().as_bytes(), &mut |line| {
            count += 1;
            longest = longest.max(line.len());
            last = line.to_vec();
            Some(())
        });
        std::fs::remove_file(&path).expect("removed");
        // The long line is two, and what is left of it.
        assert_eq!((outcome, count, longest, &last[..]), (Some(()), 40_004, KEPT_MAX, &b"10.0.0.1 x"[..]));
    }
}
