//! The verdict on a target, and the line that reports it.

use std::time::Duration;

use crate::failure::Unhealthy;
use crate::input::target::{Endpoint, Target};
use crate::net::listeners;
use crate::print::{PLACE_SHOWN_MAX, push, push_duration, push_escaped};

/// The verdict on one target.
pub struct Verdict<'a> {
    /// The target.
    pub target: &'a Target,
    /// What is known of the server's answer, in words.
    pub detail: Vec<u8>,
    /// The duration of the successful attempt, or the failure of the last one.
    pub outcome: Result<Duration, Unhealthy>,
    /// The timeout of the last attempt.
    pub timeout: Duration,
    /// How long the check was to be tried, if it was with `--wait`.
    pub wait: Option<Duration>,
}

impl Verdict<'_> {
    /// Appends the report line: `healthy: TARGET: 200 OK in 1.3ms` or
    /// `unhealthy: TARGET: connect: connection refused`.
    pub fn push(&self, out: &mut Vec<u8>) {
        push(out, if self.outcome.is_ok() { "healthy: " } else { "unhealthy: " });
        push_escaped(out, &self.target.shown, PLACE_SHOWN_MAX);
        push(out, ": ");
        push(out, &self.detail);
        match self.outcome {
            // That of a file says nothing.
            Ok(_) if matches!(self.target.endpoint, Endpoint::File(_)) => {}
            Ok(elapsed) => {
                push(out, " in ");
                push_duration(out, elapsed);
            }
            Err(failure) => {
                let is_told = matches!(failure, Unhealthy::WrongAnswer | Unhealthy::Foreign(..));
                if !self.detail.is_empty() && !is_told {
                    push(out, ", then ");
                }
                failure.push(out, self.timeout);
                listeners::push_explanation(out, failure, &self.target.endpoint);
                if let Some(path) = &self.target.unix_socket {
                    push(out, ", over ");
                    push_escaped(out, path, PLACE_SHOWN_MAX);
                }
                if let Some(wait) = self.wait {
                    push(out, ", waited ");
                    push_duration(out, wait);
                }
            }
        }
        push(out, "\n");
    }
}
