//! The signals that `--kill` sends.

/// A signal's name without SIG, and its number, the same on every platform we build for.
pub type Signal = (&'static [u8], i32);

/// Each name, then its number as a byte: a table of texts takes more. Not KILL and STOP: the kernel
/// drops them where process 1 gets them from inside its container (pid_namespaces(7)).
const SIGNALS: &str = "TERM\x0fINT\x02QUIT\x03HUP\x01ABRT\x06USR1\x0aUSR2\x0c";

/// What a signal must be.
pub const EXPECTED: &str = "must be TERM, INT, QUIT, HUP, ABRT, USR1 or USR2";

/// The signal of this name, with or without SIG, in any case.
pub fn parse(name: &[u8]) -> Option<Signal> {
    let bare = match name.split_at_checked(3) {
        Some((sig, bare)) if sig.eq_ignore_ascii_case(b"SIG") => bare,
        _ => name,
    };
    SIGNALS
        .as_bytes()
        .split_inclusive(|&byte| byte < b' ')
        .filter_map(|signal| signal.split_last())
        .find(|(_, known)| bare.eq_ignore_ascii_case(known))
        .map(|(&number, known)| (known, number.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_or_without_sig_in_any_case() {
        for (text, signal) in [
            ("TERM", ("TERM", 15)),
            ("sigterm", ("TERM", 15)),
            ("SigInt", ("INT", 2)),
            ("quit", ("QUIT", 3)),
            ("HUP", ("HUP", 1)),
            ("SIGABRT", ("ABRT", 6)),
            ("usr1", ("USR1", 10)),
            ("SIGUSR2", ("USR2", 12)),
        ] {
            let (name, number): (&str, i32) = signal;
            assert_eq!(parse(text.as_bytes()), Some((name.as_bytes(), number)), "{text}");
        }
    }

    #[test]
    fn nothing_else() {
        for text in ["", "SIG", "KILL", "SIGKILL", "STOP", "9", "15", "SIGSIGTERM", "TERM ", "-TERM", "WINCH"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
