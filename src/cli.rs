//! Options, their precedence, the help text and usage errors.
//!
//! The command line beats the environment, which beats the defaults. What is
//! an option is decided before variables are expanded, so that no variable's
//! value can become one.

use crate::config::{Config, Expect};
use crate::duration;
use crate::expand::{self, Expanded, Lookup};
use crate::print::{Print, push, push_number, push_quoted};
use crate::request::{is_field_line, is_token};
use crate::status::{self, StatusSet};
use crate::target::{self, Check, Endpoint};
use crate::text::words;

/// `--version`'s text.
pub const VERSION: &str = concat!("probe ", env!("CARGO_PKG_VERSION"), "\n");

/// `--help`'s text.
pub const HELP: &str = include_str!("help.txt");

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Check the targets.
    Check,
    /// Copy the probe to a path, which is shown as it was written.
    Install {
        /// The path, variables expanded.
        path: Vec<u8>,
        /// The path as it was written.
        written: Vec<u8>,
    },
    /// Print a text: [`HELP`] or [`VERSION`].
    Print(&'static str),
}

/// Bad usage: the line that says where, the offending text unless it may be a
/// secret, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Error(Vec<u8>);

impl Print for Error {
    fn print(&self, out: &mut Vec<u8>) {
        push(out, &self.0);
    }
}

#[inline(never)]
fn error(place: &[u8], text: Option<&[u8]>, problem: &str) -> Box<Error> {
    let mut line = b"probe: ".to_vec();
    push(&mut line, place);
    if let Some(text) = text {
        push(&mut line, " ");
        push_quoted(&mut line, text);
    }
    push(&mut line, ": ");
    push(&mut line, problem);
    push(&mut line, " (see probe --help)\n");
    Box::new(Error(line))
}

/// What an option does; all but the first three set a value.
#[derive(Clone, Copy)]
enum Sets {
    Help,
    Version,
    Quiet,
    Timeout,
    Status,
    Expect,
    Method,
    Header,
    Data,
    UnixSocket,
    Wait,
    Install,
}

/// The options with a value: letter, name, and the variable that stands in; NUL,
/// which no argument has, and the empty text where there is none.
static OPTIONS: [(Sets, u8, &str, &str); 12] = [
    (Sets::Timeout, b't', "--timeout", "PROBE_TIMEOUT"),
    (Sets::Status, 0, "--status", "PROBE_STATUS"),
    (Sets::Expect, 0, "--expect", "PROBE_EXPECT"),
    (Sets::Method, b'X', "--method", "PROBE_METHOD"),
    (Sets::Header, b'H', "--header", ""),
    (Sets::Data, b'd', "--data", "PROBE_DATA"),
    (Sets::UnixSocket, 0, "--unix-socket", ""),
    (Sets::Wait, b'w', "--wait", "PROBE_WAIT"),
    (Sets::Install, 0, "--install", ""),
    (Sets::Quiet, b'q', "--quiet", ""),
    (Sets::Help, b'h', "--help", ""),
    (Sets::Version, b'V', "--version", ""),
];

/// The variable that stands in for targets on the command line.
const TARGETS: &str = "PROBE_TARGET";

/// Reads arguments, the program's name not included, and those variables that
/// no argument overrules.
pub fn parse(
    args: &mut dyn Iterator<Item = Vec<u8>>,
    lookup: Lookup,
    config: &mut Config,
) -> Result<Command, Box<Error>> {
    let mut reader = Reader { lookup, config, unix_socket: None, install: None };
    let mut given = [false; OPTIONS.len()];
    let mut options_ended = false;
    while let Some(arg) = args.next() {
        if options_ended || !arg.starts_with(b"-") {
            reader.target("target", &arg)?;
            continue;
        }
        if arg == b"--" {
            options_ended = true;
            continue;
        }
        let (index, attached) = find(&arg)?;
        let (sets, _, name, _) = OPTIONS[index];
        given[index] = true;
        match (sets, attached) {
            (Sets::Help | Sets::Version | Sets::Quiet, Some(_)) => {
                return Err(error(name.as_bytes(), None, "takes no value"));
            }
            (Sets::Help, None) => return Ok(Command::Print(HELP)),
            (Sets::Version, None) => return Ok(Command::Print(VERSION)),
            (Sets::Quiet, None) => reader.config.quiet = true,
            (_, Some(value)) => reader.set(sets, name, value)?,
            (_, None) => match args.next() {
                Some(value) => reader.set(sets, name, &value)?,
                None => return Err(error(name.as_bytes(), None, "needs a value")),
            },
        }
    }
    // Variables are set for the checks of the same container.
    if let Some(install) = reader.install {
        if reader.config.targets.is_empty() && given.iter().filter(|given| **given).count() == 1 {
            return Ok(install);
        }
        return Err(error(b"--install", None, "takes no target, and no other option"));
    }
    for ((sets, _, _, variable), given) in OPTIONS.iter().zip(given) {
        if let (false, Some(value)) = (given, reader.variable(variable)) {
            reader.set(*sets, variable, &value)?;
        }
    }
    if reader.config.targets.is_empty() {
        // Split before variables are expanded: a password may have a space.
        for word in words(&reader.variable(TARGETS).unwrap_or_default()) {
            reader.target(TARGETS, word)?;
        }
    }
    reader.finish()
}

/// The index of the option that `arg` begins with, and the value that is
/// attached to it, as in `-t1s` and `--timeout=1s`.
fn find(arg: &[u8]) -> Result<(usize, Option<&[u8]>), Box<Error>> {
    for (index, (_, letter, name, _)) in OPTIONS.iter().enumerate() {
        match arg.strip_prefix(name.as_bytes()) {
            Some([]) => return Ok((index, None)),
            Some([b'=', value @ ..]) => return Ok((index, Some(value))),
            _ => {}
        }
        if let [_, short, value @ ..] = arg
            && short == letter
        {
            return Ok((index, Some(value).filter(|value| !value.is_empty())));
        }
    }
    // What follows a name was meant as a value, perhaps a secret one.
    let name_byte = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'-';
    let end = match arg.starts_with(b"--") {
        true => arg.iter().position(|byte| !name_byte(byte)).unwrap_or(arg.len()),
        false => arg.len().min(2),
    };
    Err(error(b"option", Some(&arg[..end]), "unknown"))
}

/// What has been read so far.
struct Reader<'a> {
    lookup: Lookup<'a>,
    config: &'a mut Config,
    unix_socket: Option<Vec<u8>>,
    install: Option<Command>,
}

impl Reader<'_> {
    /// A variable's value. Set to the empty text counts as not set.
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        (self.lookup)(name.as_bytes()).filter(|value| !value.is_empty())
    }

    /// A text with its variables expanded; `place` is where it was given.
    fn expanded<'a>(&self, place: &str, written: &'a [u8]) -> Result<Expanded<'a>, Box<Error>> {
        expand::expand(written, self.lookup).map_err(|problem| match problem {
            expand::Error::Unset(name) => {
                error(b"variable", Some(name), "not set, and no ${NAME:-default} given")
            }
            // The text may be a header's value, and so a secret.
            expand::Error::Malformed => {
                error(place.as_bytes(), None, "want ${NAME} or ${NAME:-default}, or $${ for a literal ${")
            }
        })
    }

    /// Takes a target. A wrong one is counted and not shown: any part of it could
    /// be one of a password.
    fn target(&mut self, place: &str, written: &[u8]) -> Result<(), Box<Error>> {
        let expanded = self.expanded(place, written)?;
        let targets = &mut self.config.targets;
        targets.push(target::parse(&expanded).map_err(|problem| {
            let mut place = b"target ".to_vec();
            push_number(&mut place, targets.len() as u64 + 1);
            error(&place, None, problem.text())
        })?);
        Ok(())
    }

    /// Sets what an option sets. `place`: its name, or the variable's.
    fn set(&mut self, sets: Sets, place: &str, written: &[u8]) -> Result<(), Box<Error>> {
        let value = self.expanded(place, written)?.text;
        let wants = |want| error(place.as_bytes(), Some(written), want);
        let duration = || duration::parse(&value).ok_or_else(|| wants(duration::WANT));
        let Config { options, timeout, wait, .. } = self.config;
        match sets {
            Sets::Timeout => *timeout = duration()?,
            Sets::Wait => *wait = Some(duration()?),
            Sets::Status => {
                options.status = StatusSet::parse(&value, written).ok_or_else(|| wants(status::WANT))?;
            }
            Sets::Expect => options.expect = Some(Expect { text: value, written: written.to_vec() }),
            Sets::Method if !is_token(&value) => {
                return Err(wants("want a method such as GET, HEAD or POST"));
            }
            Sets::Method => options.method = Some(value),
            // Its value may be a secret, so the error does not show it.
            Sets::Header if !is_field_line(&value) => {
                return Err(error(place.as_bytes(), None, "want 'Name: value' without control characters"));
            }
            Sets::Header => options.headers.push(value),
            Sets::Data => options.data = Some(value),
            Sets::UnixSocket => {
                self.unix_socket = Some(target::unix_path(&value).map_err(|problem| wants(problem.text()))?);
            }
            Sets::Help | Sets::Version | Sets::Quiet => {}
            Sets::Install if value.is_empty() => return Err(wants("want a path")),
            Sets::Install => self.install = Some(Command::Install { path: value, written: written.to_vec() }),
        }
        Ok(())
    }

    /// The whole command. HTTP over a Unix socket is another endpoint for the
    /// same check.
    fn finish(self) -> Result<Command, Box<Error>> {
        if self.config.targets.is_empty() {
            return Err(error(b"target", None, "none given, and PROBE_TARGET is not set"));
        }
        // To ignore it would be to say healthy without what was asked for.
        let has_tls = self.config.targets.iter().any(|target| matches!(target.check, Check::Tls(_)));
        if has_tls && self.config.options.expect.is_some() {
            return Err(error(b"--expect", None, "a tls:// target has no reply to search"));
        }
        for target in &mut self.config.targets {
            if let (Check::Http(_), Some(path)) = (&target.check, &self.unix_socket) {
                target.endpoint = Endpoint::Unix(path.clone());
            }
        }
        Ok(Command::Check)
    }
}
