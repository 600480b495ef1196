//! Options, their precedence, the help text and usage errors.
//!
//! The command line beats the environment, which beats the defaults. What is
//! an option is decided before variables are expanded, so that no variable's
//! value can become one.

use std::time::Duration;

use crate::config::{Config, Expect, Options};
use crate::duration;
use crate::expand::{self, Expanded, Lookup};
use crate::print::{Print, push, push_quoted};
use crate::request::{is_field_line, is_token};
use crate::status::{self, StatusSet};
use crate::target::{self, Check, Endpoint};
use crate::text::words;

/// `--version`'s text.
pub const VERSION: &str = concat!("probe ", env!("CARGO_PKG_VERSION"), "\n");

/// `--help`'s text.
pub const HELP: &str = "\
Usage: probe [OPTIONS] [TARGET]...
Exits 0 if every TARGET is healthy, else 1.

  [http://][user:password@]host[:port][/path][?query]
      a whole response arrives and its status is accepted
  tcp://host:port, unix:/path
      a connection is accepted
  tls://host:port
      a TLS server answers (nothing is verified or decrypted)

  -t, --timeout DURATION  deadline of the whole check [5s]
      --status LIST       200 or 200,204 or 200-299 or 2xx or any [200-399]
      --expect TEXT       the body or reply must contain TEXT
  -X, --method METHOD     request method [GET; POST with --data]
  -H, --header 'N: V'     request header, may be repeated
  -d, --data TEXT         request body (tcp, unix: what is sent)
      --unix-socket PATH  send http targets over this Unix socket
  -w, --wait DURATION     keep trying until healthy, at most this long
  -q, --quiet             say nothing when healthy
      --install PATH      copy the probe itself to PATH, and do nothing else
  -h, --help, -V, --version

DURATION: 500ms, 5s, 1m, 0.5 (seconds). Without TARGET: PROBE_TARGET. Options
also from PROBE_TIMEOUT, _STATUS, _EXPECT, _METHOD, _DATA, _WAIT. Variables are
expanded in all of them: ${NAME}, ${NAME:-default}; $${ is a literal ${.
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Check the targets.
    Check(Box<Config>),
    /// Copy the probe to a path, which is shown as it was written.
    Install {
        /// The path, variables expanded.
        path: Vec<u8>,
        /// The path as it was written.
        written: Vec<u8>,
    },
    /// Print [`HELP`].
    Help,
    /// Print [`VERSION`].
    Version,
}

/// Bad usage: what, the offending text unless it may be a secret, and what is
/// wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Error {
    place: &'static str,
    text: Option<Vec<u8>>,
    problem: &'static str,
}

impl Print for Error {
    fn print(&self, out: &mut Vec<u8>) {
        push(out, "probe: ");
        push(out, self.place);
        if let Some(text) = &self.text {
            push(out, " ");
            push_quoted(out, text);
        }
        push(out, ": ");
        push(out, self.problem);
        push(out, " (see probe --help)\n");
    }
}

fn error(place: &'static str, text: Option<&[u8]>, problem: &'static str) -> Box<Error> {
    let text = text.map(<[u8]>::to_vec);
    Box::new(Error { place, text, problem })
}

/// What an option does; all but the first three set a value.
#[derive(Clone, Copy)]
enum Effect {
    Help,
    Version,
    Quiet,
    Timeout,
    Wait,
    Status,
    Expect,
    Method,
    Header,
    Data,
    UnixSocket,
    Install,
}

/// What an option does, how it is written, and the variable that stands in for
/// it; an empty text where there is none. No argument has the NUL that stands for
/// no letter.
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
/// no argument overrules.
pub fn parse(args: &mut dyn Iterator<Item = Vec<u8>>, lookup: Lookup) -> Result<Command, Box<Error>> {
    let mut reader = Reader {
        config: Box::new(Config {
            targets: Vec::with_capacity(1),
            options: Options::default(),
            timeout: Duration::from_secs(5),
            wait: None,
            quiet: false,
        }),
        unix_socket: None,
        install: None,
        lookup,
    };
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
        let (effect, _, long, _) = OPTIONS[index];
        given[index] = true;
        match (effect, attached) {
            (Effect::Help | Effect::Version | Effect::Quiet, Some(_)) => {
                return Err(error(long, None, "takes no value"));
            }
            (Effect::Help, None) => return Ok(Command::Help),
            (Effect::Version, None) => return Ok(Command::Version),
            (Effect::Quiet, None) => reader.config.quiet = true,
            (_, Some(value)) => reader.set(effect, long, value)?,
            (_, None) => match args.next() {
                Some(value) => reader.set(effect, long, &value)?,
                None => return Err(error(long, None, "needs a value")),
            },
        }
    }
    // Variables are set for the checks of the same container.
    if let Some(install) = reader.install {
        if reader.config.targets.is_empty() && given.iter().filter(|given| **given).count() == 1 {
            return Ok(install);
        }
        return Err(error("--install", None, "takes no target, and no other option"));
    }
    for (&(effect, _, _, variable), given) in OPTIONS.iter().zip(given) {
        if let (false, Some(value)) = (given, reader.variable(variable)) {
            reader.set(effect, variable, &value)?;
        }
    }
    if reader.config.targets.is_empty() {
        // Split before variables are expanded: a password may have a space.
        for word in words(&reader.variable(TARGETS).unwrap_or_default()) {
            reader.target(TARGETS, word)?;
        }
    }
    reader.finish().map(Command::Check)
}

/// The index of the option that `arg` begins with, and the value that is
/// attached to it, as in `-t1s` and `--timeout=1s`.
fn find(arg: &[u8]) -> Result<(usize, Option<&[u8]>), Box<Error>> {
    for (index, (_, letter, long, _)) in OPTIONS.iter().enumerate() {
        match arg.strip_prefix(long.as_bytes()) {
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
    Err(error("option", Some(&arg[..end]), "unknown"))
}

/// What has been read so far.
struct Reader<'a> {
    config: Box<Config>,
    unix_socket: Option<Vec<u8>>,
    install: Option<Command>,
    lookup: Lookup<'a>,
}

impl Reader<'_> {
    /// A variable's value. Set to the empty text counts as not set.
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        (self.lookup)(name.as_bytes()).filter(|value| !value.is_empty())
    }

    /// A text with its variables expanded; `place` is where it was given.
    fn expanded<'a>(&self, place: &'static str, written: &'a [u8]) -> Result<Expanded<'a>, Box<Error>> {
        expand::expand(written, self.lookup).map_err(|problem| match problem {
            expand::Error::Unset(name) => {
                error("variable", Some(name), "not set, and no ${NAME:-default} given")
            }
            // The text may be a header's value, and so a secret.
            expand::Error::Malformed => {
                error(place, None, "want ${NAME} or ${NAME:-default}, or $${ for a literal ${")
            }
        })
    }

    fn target(&mut self, place: &'static str, written: &[u8]) -> Result<(), Box<Error>> {
        let expanded = self.expanded(place, written)?;
        match target::parse(&expanded) {
            Ok(target) => self.config.targets.push(target),
            Err(problem) => return Err(error("target", Some(&target::redacted(&expanded)), problem.text())),
        }
        Ok(())
    }

    /// Sets what an option with a value sets. `place`: the option or the variable.
    fn set(&mut self, effect: Effect, place: &'static str, written: &[u8]) -> Result<(), Box<Error>> {
        let value = self.expanded(place, written)?.text;
        let wants = |want| error(place, Some(written), want);
        let Config { options, timeout, wait, .. } = &mut *self.config;
        match effect {
            Effect::Timeout => *timeout = duration::parse(&value).ok_or_else(|| wants(duration::WANT))?,
            Effect::Wait => *wait = Some(duration::parse(&value).ok_or_else(|| wants(duration::WANT))?),
            Effect::Status => {
                options.status = StatusSet::parse(&value, written).ok_or_else(|| wants(status::WANT))?;
            }
            Effect::Method if !is_token(&value) => {
                return Err(wants("want a method such as GET, HEAD or POST"));
            }
            Effect::Method => options.method = Some(value),
            // Its value may be a secret, so the error does not show it.
            Effect::Header if !is_field_line(&value) => {
                return Err(error(place, None, "want 'Name: value' without control characters"));
            }
            Effect::Header => options.headers.push(value),
            Effect::UnixSocket => {
                self.unix_socket = Some(target::unix_path(&value).map_err(|problem| wants(problem.text()))?);
            }
            Effect::Help | Effect::Version | Effect::Quiet => {}
            Effect::Expect => options.expect = Some(Expect { text: value, written: written.to_vec() }),
            Effect::Data => options.data = Some(value),
            Effect::Install if value.is_empty() => return Err(wants("want a path")),
            Effect::Install => {
                self.install = Some(Command::Install { path: value, written: written.to_vec() });
            }
        }
        Ok(())
    }

    /// The whole command. HTTP over a Unix socket is another endpoint for the
    /// same check.
    fn finish(mut self) -> Result<Box<Config>, Box<Error>> {
        if self.config.targets.is_empty() {
            return Err(error("target", None, "none given, and PROBE_TARGET is not set"));
        }
        // To ignore it would be to say healthy without what was asked for.
        let has_tls = self.config.targets.iter().any(|target| matches!(target.check, Check::Tls(_)));
        if has_tls && self.config.options.expect.is_some() {
            return Err(error("--expect", None, "a tls:// target has no reply to search"));
        }
        for target in &mut self.config.targets {
            if let (Check::Http(_), Some(path)) = (&target.check, &self.unix_socket) {
                target.endpoint = Endpoint::Unix(path.clone());
            }
        }
        Ok(self.config)
    }
}
