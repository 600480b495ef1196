//! An instant, and the time left until it.

use std::time::{Duration, Instant};

/// The shortest timeout of a socket.
const SOCKET_TIMEOUT_MIN: Duration = Duration::from_millis(1);

/// The moment by which a whole check must have ended. A timeout is a duration,
/// a deadline an instant: reading again and again cannot stretch it. Only the
/// monotonic clock counts, so a clock that is set does not move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    at: Instant,
    /// The timeout that this was made from, for the report.
    pub timeout: Duration,
}

impl Deadline {
    /// The deadline that lies `timeout` from now.
    pub fn after(timeout: Duration) -> Deadline {
        Deadline { at: Instant::now() + timeout, timeout }
    }

    /// The deadline of an operation that may take `timeout`, but no longer than this. For the report,
    /// its timeout is rounded up to milliseconds.
    pub fn within(&self, timeout: Duration) -> Deadline {
        match self.left() {
            Some(left) if left > timeout => Deadline::after(timeout),
            left => {
                let millis = left.map_or(0, |left| left.as_millis() as u64 + 1);
                Deadline { at: self.at, timeout: Duration::from_millis(millis) }
            }
        }
    }

    /// The deadline of the first of `count` operations that share the time left equally, in milliseconds, rounded up.
    pub fn share(&self, count: usize) -> Deadline {
        let share = |left: Duration| Duration::from_millis(left.as_millis() as u64 / count as u64 + 1);
        self.left().map_or(*self, |left| self.within(share(left)))
    }

    /// The time left; `None` once the deadline has passed.
    pub fn left(&self) -> Option<Duration> {
        Some(self.at.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// A socket's timeout for its next operation: one of `count` equal shares of the time left,
    /// less an eighth, since the kernel may wake up 8/63 late, a quarter of a second in three
    /// (kernel/time/timer.c, "granularity"). Callers try again until the deadline. Never zero:
    /// std refuses it, and the kernel reads it as "wait for ever" (socket(7), `SO_RCVTIMEO`).
    pub fn socket_timeout(&self, count: usize) -> Option<Duration> {
        let share = self.left()? / count as u32;
        Some((share - share / 8).max(SOCKET_TIMEOUT_MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_remains_of_a_deadline_that_has_passed() {
        let deadline = Deadline::after(Duration::ZERO);
        assert_eq!((deadline.left(), deadline.socket_timeout(1)), (None, None));
    }

    #[test]
    fn never_more_remains_than_the_timeout() {
        let deadline = Deadline::after(Duration::from_secs(60));
        let left = deadline.left().expect("a minute");
        assert!(left <= Duration::from_secs(60) && left > Duration::from_secs(1));
        let share = deadline.socket_timeout(4).expect("a minute");
        assert!(share <= Duration::from_secs(15) && share > Duration::from_millis(250));
    }

    #[test]
    fn a_wait_that_the_kernel_ends_an_eighth_late_is_within_the_deadline() {
        for timeout in [10, 250, 3_000, 5_000, 3_600_000].map(Duration::from_millis) {
            let deadline = Deadline::after(timeout);
            let wait = deadline.socket_timeout(1).expect("time is left");
            assert!(wait + wait * 8 / 63 <= timeout && wait >= timeout / 2, "{timeout:?}: {wait:?}");
        }
    }

    #[test]
    fn a_share_is_never_below_a_millisecond() {
        let deadline = Deadline::after(Duration::from_secs(1));
        assert_eq!(deadline.socket_timeout(1_000_000), Some(SOCKET_TIMEOUT_MIN));
    }

    #[test]
    fn operations_share_the_time_and_the_only_one_has_all_of_it() {
        let deadline = Deadline::after(Duration::from_secs(60));
        assert_eq!(deadline.share(1).at, deadline.at);
        let quarter = deadline.share(4);
        assert!(quarter.timeout <= Duration::from_secs(15) && quarter < deadline);
        assert!(quarter.timeout > Duration::from_secs(1));
        let passed = Deadline::after(Duration::ZERO);
        assert_eq!(passed.share(4), passed);
    }

    #[test]
    fn an_operation_within_a_deadline_has_its_timeout_or_the_time_left() {
        let long = Deadline::after(Duration::from_secs(60));
        assert_eq!(long.within(Duration::from_secs(1)).timeout, Duration::from_secs(1));
        let rest = long.within(Duration::from_secs(90));
        assert_eq!(rest.at, long.at);
        assert_eq!(rest.timeout.subsec_micros() % 1000, 0);
        assert!(rest.timeout <= Duration::from_secs(60) && rest.timeout > Duration::from_secs(50));
        let passed = Deadline::after(Duration::ZERO);
        assert_eq!(passed.within(Duration::from_secs(1)).timeout, Duration::ZERO);
    }
}
