//! Options, their precedence, the help text and usage errors.
//!
//! The command line beats the environment, which beats the defaults. What is
//! an option is decided before variables are expanded, so that no variable's
//! value can become one.

use crate::input::config::{Config, UnixSocket};
use crate::input::duration;
use crate::input::expand::{self, Expanded, Lookup};
use crate::input::status;
use crate::input::target::{self, Check, Endpoint, Target};
use crate::print::{push, push_number, push_quoted};
use crate::text::{is_field_line, is_token, words};

/// `--version`'s text.
pub const VERSION: &str = concat!("probe ", env!("CARGO_PKG_VERSION"), "\n");

/// `--help`'s text.
pub const HELP: &str = include_str!("help.txt");

/// The line that says what is bad usage: where, the offending text unless it may be a
/// secret, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Error(pub Vec<u8>);

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
enum Effect {
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

/// What an option does, its letter, its name, and the variable that stands in for
/// it; NUL, which no argument has, and the empty text where there is none.
static OPTIONS: [(Effect, u8, &str, &str); 12] = [
    (Effect::Timeout, b't', "--timeout", "PROBE_TIMEOUT"),
    (Effect::Status, 0, "--status", "PROBE_STATUS"),
    (Effect::Expect, 0, "--expect", "PROBE_EXPECT"),
    (Effect::Method, b'X', "--method", "PROBE_METHOD"),
    (Effect::Header, b'H', "--header", ""),
    (Effect::Data, b'd', "--data", "PROBE_DATA"),
    (Effect::UnixSocket, 0, "--unix-socket", ""),
    (Effect::Wait, b'w', "--wait", "PROBE_WAIT"),
    (Effect::Install, 0, "--install", ""),
    (Effect::Quiet, b'q', "--quiet", ""),
    (Effect::Help, b'h', "--help", ""),
    (Effect::Version, b'V', "--version", ""),
];

/// The variable that stands in for targets on the command line.
const TARGETS: &str = "PROBE_TARGET";

/// Reads arguments, the program's name not included, and those variables that
/// no argument overrules, into `config`. A text is to be printed, and nothing else done.
pub fn parse(
    args: &mut dyn Iterator<Item = Vec<u8>>,
    lookup: Lookup,
    config: &mut Config,
) -> Result<Option<&'static str>, Box<Error>> {
    let mut reader = Reader { lookup, config };
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
        let (effect, _, name, _) = OPTIONS[index];
        given[index] = true;
        match (effect, attached) {
            (Effect::Help | Effect::Version | Effect::Quiet, Some(_)) => {
                return Err(error(name.as_bytes(), None, "takes no value"));
            }
            (Effect::Help, None) => return Ok(Some(HELP)),
            (Effect::Version, None) => return Ok(Some(VERSION)),
            (Effect::Quiet, None) => reader.config.quiet = true,
            (_, Some(value)) => reader.set(effect, name, value)?,
            (_, None) => match args.next() {
                Some(value) => reader.set(effect, name, &value)?,
                None => return Err(error(name.as_bytes(), None, "needs a value")),
            },
        }
    }
    if reader.config.install.is_some() {
        // PROBE_TARGET is set for the checks of the same container.
        return match reader.config.targets.is_empty() {
            true => Ok(None),
            false => Err(error(b"--install", None, "takes no target")),
        };
    }
    for (index, (effect, _, _, variable)) in OPTIONS.iter().enumerate() {
        if !given[index]
            && !variable.is_empty()
            && let Some(value) = reader.variable(variable)
        {
            reader.set(*effect, variable, &value)?;
        }
    }
    if reader.config.targets.is_empty() {
        // Split before variables are expanded: a password may have a space.
        for word in words(&reader.variable(TARGETS).unwrap_or_default()) {
            reader.target(TARGETS, word)?;
        }
    }
    if reader.config.targets.is_empty() {
        return Err(error(b"target", None, "none given, and PROBE_TARGET is not set"));
    }
    // To ignore it would be to say healthy without what was asked for.
    let is_tls = |target: &Target| matches!(target.check, Check::Tls(_));
    if !reader.config.options.expect.is_empty() && reader.config.targets.iter().any(is_tls) {
        return Err(error(b"--expect", None, "a tls:// target has no reply to search"));
    }
    Ok(None)
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
}

impl Reader<'_> {
    /// A variable's value. Set to the empty text counts as not set.
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        (self.lookup)(name.as_bytes()).filter(|value| !value.is_empty())
    }

    /// A text with its variables expanded; `place` is where it was given.
    fn expanded(&self, place: &str, raw: &[u8]) -> Result<Expanded, Box<Error>> {
        expand::expand(raw, self.lookup).map_err(|problem| match problem {
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
    fn target(&mut self, place: &str, raw: &[u8]) -> Result<(), Box<Error>> {
        let expanded = self.expanded(place, raw)?;
        let targets = &mut self.config.targets;
        targets.push(target::parse(&expanded).map_err(|problem| {
            let mut place = b"target ".to_vec();
            push_number(&mut place, targets.len() as u64 + 1);
            error(&place, None, problem.0)
        })?);
        Ok(())
    }

    /// Sets what an option sets. `place`: its name, or the variable's.
    fn set(&mut self, effect: Effect, place: &str, raw: &[u8]) -> Result<(), Box<Error>> {
        let value = self.expanded(place, raw)?;
        let wants = |want| error(place.as_bytes(), Some(raw), want);
        let duration = || duration::parse(&value.text).ok_or_else(|| wants(duration::WANT));
        let Config { options, timeout, wait, install, .. } = self.config;
        match effect {
            Effect::Timeout => *timeout = Some(duration()?),
            Effect::Wait => *wait = Some(duration()?),
            Effect::Status if !status::is_list(&value.text) => return Err(wants(status::WANT)),
            Effect::Status => options.status = Some(value),
            // Every answer contains the empty text.
            Effect::Expect if value.text.is_empty() => return Err(wants("must not be empty")),
            Effect::Expect => options.expect.push(value),
            Effect::Method if !is_token(&value.text) => {
                return Err(wants("want a method such as GET, HEAD or POST"));
            }
            Effect::Method => options.method = Some(value.text),
            // Its value may be a secret, so the error does not show it.
            Effect::Header if !is_field_line(&value.text) => {
                return Err(error(place.as_bytes(), None, "want 'Name: value' without control characters"));
            }
            Effect::Header => options.headers.push(value.text),
            Effect::Data => options.data = Some(value.text),
            Effect::UnixSocket => {
                let path = target::unix_path(&value.text).map_err(|problem| wants(problem.0))?;
                let endpoint = Endpoint::Unix(path);
                options.unix_socket = Some(UnixSocket { endpoint, shown: value.raw });
            }
            Effect::Help | Effect::Version | Effect::Quiet => {}
            Effect::Install if value.text.is_empty() || value.text.ends_with(b"/") => {
                return Err(wants("want the path of a file"));
            }
            Effect::Install => *install = Some(value),
        }
        Ok(())
    }
}
