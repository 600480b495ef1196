//! Options, their precedence, the help text and usage errors.
//!
//! The command line beats the environment, which beats the defaults. What is
//! an option is decided before variables are expanded, so that no variable's
//! value can become one.

use std::path::PathBuf;
use std::time::Duration;

use crate::duration;
use crate::expand::{self, Lookup};
use crate::print::{Print, push, push_quoted};
use crate::status::{self, StatusSet};
use crate::target::{self, Check, Endpoint, Target};
use crate::text::{cut, words};

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

  -t, --timeout DURATION  deadline of the whole check [5s]
      --status LIST       200 or 200,204 or 200-299 or 2xx or any [200-399]
      --expect TEXT       the body or reply must contain TEXT
  -X, --method METHOD     request method [GET; POST with --data]
  -H, --header 'N: V'     request header, may be repeated
  -d, --data TEXT         request body (tcp, unix: what is sent)
      --unix-socket PATH  send http targets over this Unix socket
  -w, --wait DURATION     keep trying until healthy, at most this long
  -q, --quiet             say nothing when healthy
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
    /// Print [`HELP`].
    Help,
    /// Print [`VERSION`].
    Version,
}

/// The whole command, checked and complete.
#[derive(Debug, PartialEq, Eq)]
pub struct Config {
    /// What to check; at least one.
    pub targets: Vec<Target>,
    /// What to ask of each, and what counts as healthy.
    pub options: Options,
    /// How long one check may take.
    pub timeout: Duration,
    /// How long to keep trying, if at all.
    pub wait: Option<Duration>,
    /// Say nothing when healthy.
    pub quiet: bool,
}

/// What to ask, and what counts as healthy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The accepted status-codes.
    pub status: StatusSet,
    /// The text that body or reply must contain.
    pub expect: Option<Vec<u8>>,
    /// The request method, if one was asked for.
    pub method: Option<Vec<u8>>,
    /// Request headers, as given: `Name: value`.
    pub headers: Vec<Vec<u8>>,
    /// The request body, or what is sent on a plain connection.
    pub data: Option<Vec<u8>>,
}

impl Options {
    /// The request method: with data `POST`, without `GET`, unless another
    /// one was asked for.
    pub fn method(&self) -> &[u8] {
        match (&self.method, &self.data) {
            (Some(method), _) => method,
            (None, Some(_)) => b"POST",
            (None, None) => b"GET",
        }
    }
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

/// The options. Each has one row in [`OPTIONS`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Timeout,
    Status,
    Expect,
    Method,
    Header,
    Data,
    UnixSocket,
    Wait,
    Quiet,
    Help,
    Version,
}

/// How an option is written, and the variable that stands in for it; an empty
/// text where there is none. No argument has the NUL that stands for no letter.
struct Spec {
    name: Name,
    short: u8,
    long: &'static str,
    variable: &'static str,
}

const fn spec(name: Name, short: u8, long: &'static str, variable: &'static str) -> Spec {
    Spec { name, short, long, variable }
}

static OPTIONS: [Spec; 11] = [
    spec(Name::Timeout, b't', "--timeout", "PROBE_TIMEOUT"),
    spec(Name::Status, 0, "--status", "PROBE_STATUS"),
    spec(Name::Expect, 0, "--expect", "PROBE_EXPECT"),
    spec(Name::Method, b'X', "--method", "PROBE_METHOD"),
    spec(Name::Header, b'H', "--header", ""),
    spec(Name::Data, b'd', "--data", "PROBE_DATA"),
    spec(Name::UnixSocket, 0, "--unix-socket", ""),
    spec(Name::Wait, b'w', "--wait", "PROBE_WAIT"),
    spec(Name::Quiet, b'q', "--quiet", ""),
    spec(Name::Help, b'h', "--help", ""),
    spec(Name::Version, b'V', "--version", ""),
];

/// The variable that stands in for targets on the command line.
const TARGETS: &str = "PROBE_TARGET";

/// Reads arguments, the program's name not included, and those variables that
/// no argument overrules.
pub fn parse(args: impl Iterator<Item = Vec<u8>>, lookup: Lookup) -> Result<Command, Box<Error>> {
    let mut reader = Reader {
        config: Box::new(Config {
            targets: Vec::with_capacity(1),
            options: Options::default(),
            timeout: Duration::from_secs(5),
            wait: None,
            quiet: false,
        }),
        unix_socket: None,
        lookup,
    };
    let mut given = [false; OPTIONS.len()];
    let mut options_ended = false;
    let mut args = args;
    while let Some(arg) = args.next() {
        if options_ended || !arg.starts_with(b"-") {
            let text = reader.expanded("target", &arg)?;
            reader.target(&text)?;
            continue;
        }
        if arg == b"--" {
            options_ended = true;
            continue;
        }
        let (index, attached) = find(&arg)?;
        let option = &OPTIONS[index];
        given[index] = true;
        match (option.name, attached) {
            (Name::Quiet | Name::Help | Name::Version, Some(_)) => {
                return Err(error(option.long, None, "takes no value"));
            }
            (Name::Help, None) => return Ok(Command::Help),
            (Name::Version, None) => return Ok(Command::Version),
            (Name::Quiet, None) => reader.config.quiet = true,
            (_, attached) => match attached.map(<[u8]>::to_vec).or_else(|| args.next()) {
                Some(value) => reader.option(option.name, option.long, &value)?,
                None => return Err(error(option.long, None, "needs a value")),
            },
        }
    }
    for (option, given) in OPTIONS.iter().zip(given) {
        if !given && let Some(value) = reader.variable(option.variable) {
            reader.option(option.name, option.variable, &value)?;
        }
    }
    if reader.config.targets.is_empty() {
        let text = reader.variable(TARGETS).unwrap_or_default();
        for word in words(&reader.expanded(TARGETS, &text)?) {
            reader.target(word)?;
        }
    }
    reader.finish().map(Command::Check)
}

/// The index of the option that `arg` begins with, and the value that is
/// attached to it, as in `-t1s` and `--timeout=1s`.
fn find(arg: &[u8]) -> Result<(usize, Option<&[u8]>), Box<Error>> {
    for (index, option) in OPTIONS.iter().enumerate() {
        match arg.strip_prefix(option.long.as_bytes()) {
            Some([]) => return Ok((index, None)),
            Some([b'=', value @ ..]) => return Ok((index, Some(value))),
            _ => {}
        }
        if let [_, short, value @ ..] = arg
            && *short == option.short
        {
            return Ok((index, Some(value).filter(|value| !value.is_empty())));
        }
    }
    // What follows "=" was meant as a value, perhaps a secret one.
    Err(error("option", Some(cut(arg, b'=').0), "unknown"))
}

/// What has been read so far.
struct Reader<'a> {
    config: Box<Config>,
    unix_socket: Option<PathBuf>,
    lookup: Lookup<'a>,
}

impl Reader<'_> {
    /// A variable's value. Set to the empty text counts as not set.
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        (self.lookup)(name.as_bytes()).filter(|value| !value.is_empty())
    }

    /// `text` with its variables expanded; `place` is where it was given.
    fn expanded(&self, place: &'static str, text: &[u8]) -> Result<Vec<u8>, Box<Error>> {
        expand::expand(text, self.lookup).map_err(|problem| match problem {
            expand::Error::Unset(name) => {
                error("variable", Some(&name), "not set, and no ${NAME:-default} given")
            }
            // The text may be a header's value, and so a secret.
            expand::Error::Malformed => {
                error(place, None, "want ${NAME} or ${NAME:-default}, or $${ for a literal ${")
            }
        })
    }

    fn target(&mut self, text: &[u8]) -> Result<(), Box<Error>> {
        match target::parse(text) {
            Ok(target) => self.config.targets.push(target),
            Err(problem) => return Err(error("target", Some(&target::redacted(text)), problem.text())),
        }
        Ok(())
    }

    /// Sets an option that takes a value. `place`: the option or the variable.
    fn option(&mut self, name: Name, place: &'static str, value: &[u8]) -> Result<(), Box<Error>> {
        let value = self.expanded(place, value)?;
        let wants = |want| Err(error(place, Some(&value), want));
        let Config { options, timeout, wait, .. } = &mut *self.config;
        match name {
            Name::Timeout | Name::Wait => match duration::parse(&value) {
                Some(duration) if name == Name::Wait => *wait = Some(duration),
                Some(duration) => *timeout = duration,
                None => return wants(duration::WANT),
            },
            Name::Status => match StatusSet::parse(&value) {
                Some(status) => options.status = status,
                None => return wants(status::WANT),
            },
            Name::Method if !is_token(&value) => return wants("want a method such as GET, HEAD or POST"),
            Name::Method => options.method = Some(value),
            // Its value may be a secret, so the error does not show it.
            Name::Header if !is_header(&value) => {
                return Err(error(place, None, "want 'Name: value' without control characters"));
            }
            Name::Header => options.headers.push(value),
            Name::UnixSocket => match target::unix_path(&value) {
                Ok(path) => self.unix_socket = Some(path),
                Err(problem) => return wants(problem.text()),
            },
            Name::Expect => options.expect = Some(value),
            Name::Data => options.data = Some(value),
            Name::Quiet | Name::Help | Name::Version => {}
        }
        Ok(())
    }

    /// The whole command. HTTP over a Unix socket is another endpoint for the
    /// same check.
    fn finish(mut self) -> Result<Box<Config>, Box<Error>> {
        if self.config.targets.is_empty() {
            return Err(error("target", None, "none given, and PROBE_TARGET is not set"));
        }
        if let Some(path) = self.unix_socket {
            for target in &mut self.config.targets {
                if let Check::Http(_) = target.check {
                    target.endpoint = Endpoint::Unix(path.clone());
                }
            }
        }
        Ok(self.config)
    }
}

/// `token` (RFC 9110, 5.6.2).
fn is_token(text: &[u8]) -> bool {
    let token_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(token_byte)
}

/// `field-name ":" OWS field-value OWS` (RFC 9112, 5), without any control character.
fn is_header(text: &[u8]) -> bool {
    let (name, value) = cut(text, b':');
    value.is_some() && is_token(name) && !text.iter().any(u8::is_ascii_control)
}
