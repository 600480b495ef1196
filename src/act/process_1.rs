//! What /proc says of process 1, or of another one in tests (proc(5)).

use std::fs;
use std::time::Duration;

use crate::file;
use crate::print::{push, push_number};
use crate::sys;
use crate::text::{digits, hex_digit, words};

/// The host's own pid namespace (`PROC_PID_INIT_INO` in the kernel's include/linux/proc_ns.h).
const HOST: &str = "pid:[4026531836]";

/// Whether process 1 is the host's own. Without /proc it is taken for a container's.
pub fn is_on_host() -> bool {
    fs::read_link("/proc/self/ns/pid").is_ok_and(|namespace| namespace.as_os_str() == HOST)
}

/// The time since a process started, if it can be told.
pub fn age(process: u32) -> Option<Duration> {
    let ticks = start(&read(process, "/stat")?)?;
    // USER_HZ is 100 on every platform we build for.
    sys::time_since_boot()?.checked_sub(Duration::from_millis(ticks.checked_mul(10)?))
}

/// Whether a process has no handler for a signal below 17, as far as /proc tells.
pub fn has_no_handler(process: u32, number: i32) -> bool {
    read(process, "/status").is_some_and(|status| lacks(&status, number))
}

fn read(process: u32, name: &str) -> Option<Vec<u8>> {
    let mut path = b"/proc/".to_vec();
    push_number(&mut path, process.into());
    push(&mut path, name);
    file::read(&path).ok()
}

/// The 22nd field of /proc/PID/stat: when the process started, in ticks since the system booted. The second one is
/// its name between parentheses, which may hold anything.
fn start(stat: &[u8]) -> Option<u64> {
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    words(&stat[name_end + 1..]).nth(22 - 3).and_then(digits)
}

/// Whether the process of this /proc/PID/status has no handler for a signal below 17 (proc(5)).
/// That is not for certain: tini waits in sigtimedwait(2), which no field shows.
fn lacks(status: &[u8], number: i32) -> bool {
    const CAUGHT: &[u8] = b"SigCgt:\t";
    let Some(at) = status.windows(CAUGHT.len()).position(|part| part == CAUGHT) else { return false };
    // Sixteen hexadecimal digits, the last of them for signals 1 to 4.
    let bit = number as usize - 1;
    let digit = status.get(at + CAUGHT.len() + 15 - bit / 4).and_then(|&digit| hex_digit(digit));
    digit.is_some_and(|bits| bits >> (bit % 4) & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_whatever_the_name_is() {
        for (stat, ticks) in [
            ("1 (a b) c) S 0 1 1 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 2100 100 200\n", Some(2100)),
            ("1 (init) S 0 1 1 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0", None),
            ("1 init", None),
            ("", None),
        ] {
            assert_eq!(start(stat.as_bytes()), ticks, "{stat}");
        }
    }

    #[test]
    fn a_child_is_younger_than_its_parent() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("it starts");
        let [young, old] = [child.id(), std::process::id()].map(|process| age(process).expect("an age"));
        child.kill().expect("a child");
        child.wait().expect("a child");
        assert!(young <= old && old < Duration::from_secs(600), "{young:?}, {old:?}");
        assert_eq!(age(u32::MAX), None);
    }

    #[test]
    fn a_handler_is_a_bit_of_sigcgt() {
        // HUP, QUIT, ABRT, USR2 and TERM; the other fields have all.
        let status =
            b"Name:\tx\nSigIgn:\tffffffffffffffff\nSigCgt:\t0000000000004825\nCapEff:\tffffffffffffffff\n";
        for (number, is_lacking) in
            [(15, false), (2, true), (3, false), (1, false), (6, false), (10, true), (12, false)]
        {
            assert_eq!(lacks(status, number), is_lacking, "{number}");
        }
    }

    #[test]
    fn nothing_is_said_of_a_status_that_does_not_tell() {
        for status in ["", "Name:\tx\n", "SigCgt:\t", "SigCgt:\t00000000", "SigCgt:\tgggggggggggggggg\n"] {
            assert!(!lacks(status.as_bytes(), 1), "{status:?}");
        }
    }
}
