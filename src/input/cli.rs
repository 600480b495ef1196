//! Options, their precedence, the help text and usage errors.
//!
//! The command line beats the environment, which beats the defaults. Options are
//! recognised before variables are expanded, so no variable's value can become one.

use std::time::Duration;

use crate::errno::push_message;
use crate::input::config::{Config, Job};
use crate::input::duration;
use crate::input::expand::{self, DATA_MAX, Expanded, Lookup, TEXT_MAX};
use crate::input::signal;
use crate::input::status;
use crate::input::target::{self, Check, Endpoint, Target};
use crate::print::{push, push_number, push_quoted};
use crate::text::{contains, cut, has_control, words};

/// `--version`'s text.
pub const VERSION: &str = concat!("probe ", env!("CARGO_PKG_VERSION"), "\n");

/// `--help`'s text.
pub const HELP: &str = include_str!("help.txt");

/// A usage error, as the one line that reports it: place, offending text unless it may be
/// secret, problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Error(pub Vec<u8>);

fn error(place: &[u8], text: Option<&[u8]>, problem: &str) -> Box<Error> {
    error_by(place, text, &|line| push(line, problem))
}

fn error_by(place: &[u8], text: Option<&[u8]>, push_problem: &dyn Fn(&mut Vec<u8>)) -> Box<Error> {
    let mut line = b"probe: ".to_vec();
    push(&mut line, place);
    if let Some(text) = text {
        push(&mut line, " ");
        push_quoted(&mut line, text);
    }
    push(&mut line, ": ");
    push_problem(&mut line);
    push(&mut line, " (see probe --help)\n");
    Box::new(Error(line))
}

/// An error if this mistake is made.
fn refuse_if(is_made: bool, place: &str, problem: &str) -> Result<(), Box<Error>> {
    if is_made { Err(error(place.as_bytes(), None, problem)) } else { Ok(()) }
}

/// The effect of an option.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Help,
    Version,
    Quiet,
    Any,
    Http11,
    Timeout,
    Status,
    Expect,
    Method,
    Header,
    Data,
    UnixSocket,
    Wait,
    Hold,
    MaxAge,
    Kill,
    StartPeriod,
    Install,
}

/// Each option: effect, letter (0 if none), name, and the variable that stands in for it ("" if none).
static OPTIONS: [(Effect, u8, &str, &str); 18] = [
    (Effect::Timeout, b't', "--timeout", "PROBE_TIMEOUT"),
    (Effect::Status, 0, "--status", "PROBE_STATUS"),
    (Effect::Expect, 0, "--expect", "PROBE_EXPECT"),
    (Effect::Method, b'X', "--method", "PROBE_METHOD"),
    (Effect::Header, b'H', "--header", ""),
    (Effect::Data, b'd', "--data", "PROBE_DATA"),
    (Effect::Http11, 0, "--http1.1", ""),
    (Effect::UnixSocket, 0, "--unix-socket", ""),
    (Effect::Any, 0, "--any", ""),
    (Effect::Wait, b'w', "--wait", "PROBE_WAIT"),
    (Effect::Hold, 0, "--hold", "PROBE_HOLD"),
    (Effect::MaxAge, 0, "--max-age", ""),
    (Effect::Kill, 0, "--kill", "PROBE_KILL"),
    (Effect::StartPeriod, 0, "--start-period", "PROBE_START_PERIOD"),
    (Effect::Install, 0, "--install", ""),
    (Effect::Quiet, b'q', "--quiet", ""),
    (Effect::Help, b'h', "--help", ""),
    (Effect::Version, b'V', "--version", ""),
];

/// Options of curl and wget that are none here, and what to write instead.
static HINTS: [(&str, &str); 7] = [
    (
        "-f -s -S -L -nv -qO- --fail --silent --show-error --location --spider --no-verbose",
        "not needed; leave it out",
    ),
    ("-o -O --output --tries", "not needed; leave it and its value out"),
    ("-m -T --max-time --connect-timeout", "unknown; write --timeout"),
    ("--request", "unknown; write --method"),
    ("-I --head", "unknown; write --method HEAD"),
    ("-k --insecure --no-check-certificate", "unknown; write tls://host:port"),
    ("-u --user", "unknown; write http://user:password@host"),
];

/// The variable that stands in for targets on the command line.
const TARGETS: &str = "PROBE_TARGET";

/// Reads the arguments, without the program's name, and the variables of options they do not set.
pub fn parse(args: &mut dyn Iterator<Item = Vec<u8>>, lookup: Lookup) -> Result<Job, Box<Error>> {
    let mut reader = Reader {
        lookup,
        given: [false; OPTIONS.len()],
        config: Config::default(),
        targets: Vec::new(),
        unix_socket: None,
        install: None,
    };
    // All defaults that are not none.
    reader.config.timeout = Duration::from_secs(5);
    reader.config.start_period = Duration::from_secs(60);
    reader.config.status = Expanded::literal(status::DEFAULT);
    if let Some(text) = reader.arguments(args)? {
        return Ok(Job::Print(text));
    }
    if let Some(path) = reader.install {
        return match reader.targets.is_empty() {
            true => Ok(Job::Install(path)),
            false => Err(error(b"--install", None, "cannot be used with a target")),
        };
    }
    // With a command no variable is read: they are for the checks of the same container.
    if reader.config.command.is_empty() {
        reader.variables()?;
    }
    reader.parse_targets()?;
    reader.check_combinations()?;
    Ok(Job::Check(reader.config))
}

/// The index of the option that `arg` begins with, and the value that is
/// attached to it, as in `-t1s` and `--timeout=1s`.
fn find(arg: &[u8]) -> Result<(usize, Option<&[u8]>), Box<Error>> {
    let is_name_byte = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'-';
    for (index, (_, _, name, _)) in OPTIONS.iter().enumerate() {
        let name = name.as_bytes();
        match arg.strip_prefix(name) {
            Some([]) => return Ok((index, None)),
            Some([b'=', value @ ..]) => return Ok((index, Some(value))),
            Some([byte, ..]) if !is_name_byte(byte) => return Err(error(b"option", Some(name), AN_ARGUMENT)),
            _ => {}
        }
        // Else `-data=x` would be `-d ata=x`.
        if let Some([] | [b'=' | b' ', ..]) = arg.strip_prefix(&name[1..]) {
            return Err(error(b"option", Some(&name[1..]), "needs two dashes"));
        }
    }
    // Quote the name only: the rest was meant as a value, and may be secret.
    let end = match arg.starts_with(b"--") {
        true => arg.iter().position(|byte| !is_name_byte(byte)).unwrap_or(arg.len()),
        false => arg.len().min(2),
    };
    let name = &arg[..end];
    for (names, hint) in &HINTS {
        if words(names.as_bytes()).any(|other| other == name || other == arg) {
            return Err(error(b"option", Some(name), hint));
        }
    }
    if let [_, letter, value @ ..] = arg
        && let Some(index) = OPTIONS.iter().position(|(_, short, ..)| short == letter)
    {
        return match value {
            [] => Ok((index, None)),
            [b' ', ..] => Err(error(b"option", Some(name), AN_ARGUMENT)),
            value => Ok((index, Some(value))),
        };
    }
    Err(error(b"option", Some(name), "unknown"))
}

/// The problem of `--timeout 5s` in one argument, and of `--timeout5s`.
const AN_ARGUMENT: &str = "what follows must be an argument of its own";

/// What has been read so far.
struct Reader<'a> {
    lookup: Lookup<'a>,
    /// For each effect, whether the command line sets it.
    given: [bool; OPTIONS.len()],
    config: Config,
    /// The targets, which can be read only once `--unix-socket` is known.
    targets: Vec<Expanded>,
    unix_socket: Option<Expanded>,
    install: Option<Expanded>,
}

impl Reader<'_> {
    /// Reads the arguments. Returns the text of an option that only prints one.
    fn arguments(
        &mut self,
        args: &mut dyn Iterator<Item = Vec<u8>>,
    ) -> Result<Option<&'static str>, Box<Error>> {
        while let Some(arg) = args.next() {
            if !arg.starts_with(b"-") {
                self.targets.push(self.expanded("target", &arg, TEXT_MAX)?);
                continue;
            }
            if arg == b"--" {
                self.config.command = args.collect();
                self.check_command()?;
                break;
            }
            let (index, attached) = find(&arg)?;
            let (effect, _, name, _) = OPTIONS[index];
            self.given[effect as usize] = true;
            match (effect, attached) {
                (Effect::Help, None) => return Ok(Some(HELP)),
                (Effect::Version, None) => return Ok(Some(VERSION)),
                (Effect::Quiet, None) => self.config.quiet = true,
                (Effect::Any, None) => self.config.any = true,
                (Effect::Http11, None) => self.config.http11 = true,
                (Effect::Help | Effect::Version | Effect::Quiet | Effect::Any | Effect::Http11, Some(_)) => {
                    return Err(error(name.as_bytes(), None, "does not take a value"));
                }
                (_, Some(value)) => self.set(effect, name, value)?,
                (_, None) => match args.next() {
                    Some(value) => self.set(effect, name, &value)?,
                    None => return Err(error(name.as_bytes(), None, "needs a value")),
                },
            }
        }
        Ok(None)
    }

    /// Reads the variables of options that are not given, and of targets if there is none.
    fn variables(&mut self) -> Result<(), Box<Error>> {
        for (effect, _, _, variable) in &OPTIONS {
            // A start period may be set for all checks of an image. It counts only for those with a signal.
            let is_idle = *effect == Effect::StartPeriod && self.config.kill.is_none();
            let is_asked = !self.given[*effect as usize] && !is_idle && !variable.is_empty();
            if is_asked && let Some(value) = self.variable(variable) {
                self.set(*effect, variable, &value)?;
            }
        }
        if self.targets.is_empty() {
            // Split before variables are expanded: a password may have a space.
            for word in words(&self.variable(TARGETS).unwrap_or_default()) {
                self.targets.push(self.expanded(TARGETS, word, TEXT_MAX)?);
            }
        }
        Ok(())
    }

    /// Reads the targets. An invalid one is reported by number.
    fn parse_targets(&mut self) -> Result<(), Box<Error>> {
        // `push` would make room for four; for more than is needed, musl's heap would ask the kernel.
        self.config.targets.reserve_exact(self.targets.len());
        for (index, text) in self.targets.iter().enumerate() {
            if let Some(name) = target::emptied_host(text) {
                return Err(error(b"variable", Some(name), target::EMPTIED));
            }
            let target = target::parse(text, self.unix_socket.as_ref()).map_err(|problem| {
                let mut place = b"target ".to_vec();
                push_number(&mut place, index as u64 + 1);
                let (problem, start) = target::explain(text, problem);
                error(&place, start, problem)
            });
            self.config.targets.push(target?);
        }
        Ok(())
    }

    /// Checks that there is a command, and that the targets and options go with one.
    fn check_command(&self) -> Result<(), Box<Error>> {
        let name = self.config.command.first().map_or(&b""[..], |name| name);
        let others = [Effect::Install, Effect::Kill, Effect::Hold, Effect::StartPeriod];
        let has_other = others.iter().any(|effect| self.given[*effect as usize]);
        refuse_if(name.is_empty(), "--", "needs a command after it")?;
        refuse_if(contains(name, b"://"), "--", "begins the command; write targets before it")?;
        refuse_if(has_other, "--", "cannot be used with --install, --kill, --hold or --start-period")?;
        refuse_if(self.targets.is_empty(), "target", "missing; give one before --")
    }

    /// Checks that there is a target, and that the options agree with all of them.
    fn check_combinations(&self) -> Result<(), Box<Error>> {
        let config = &self.config;
        let is_file = |target: &Target| matches!(target.endpoint, Endpoint::File(_));
        let has_no_body = |target: &Target| match target.check {
            Check::Http(_) => config.method.as_deref() == Some(b"HEAD"),
            Check::Open => is_file(target),
            Check::Grpc { .. } | Check::Tls(_) => true,
        };
        let searches_nothing = !config.expect.is_empty() && config.targets.iter().any(has_no_body);
        let ages_nothing = config.max_age.is_some() && !config.targets.iter().any(is_file);
        let spares_nothing = config.kill.is_none() && self.given[Effect::StartPeriod as usize];
        let kills_at_once = config.kill.is_some() && config.wait.is_none();
        refuse_if(config.targets.is_empty(), "target", "missing; give one or set PROBE_TARGET")?;
        // To ignore it would be to call a target healthy unchecked.
        refuse_if(searches_nothing, "--expect", "tls://, grpc://, file: and HEAD have no body to search")?;
        refuse_if(ages_nothing, "--max-age", "needs a target such as file:/run/app.alive")?;
        refuse_if(spares_nothing, "--start-period", "needs --kill SIGNAL")?;
        // Else one failed check would restart a container: Docker's retries do not hold a signal back.
        refuse_if(kills_at_once, "--kill", "needs --wait DURATION, the time to be unhealthy before")
    }

    /// A variable's value. Set to the empty text counts as not set.
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        (self.lookup)(name.as_bytes()).ok().filter(|value| !value.is_empty())
    }

    /// A text of at most `max` bytes with its variables expanded; `place` is where it was given.
    fn expanded(&self, place: &str, raw: &[u8], max: usize) -> Result<Expanded, Box<Error>> {
        // The text may be a header's value, and so a secret.
        let must = |problem| error(place.as_bytes(), None, problem);
        expand::expand(raw, max, self.lookup).map_err(|cause| match cause {
            expand::Error::Missing(path @ [b'/', ..], errno) => {
                error_by(b"file", Some(path), &|line| push_message(line, errno))
            }
            expand::Error::Missing(name, _) => {
                error(b"variable", Some(name), "not set; set it, or give a default, as in ${PORT:-8080}")
            }
            expand::Error::Malformed => must(expand::EXPECTED),
            expand::Error::TooLong if max == DATA_MAX => must("must be at most 1 MiB"),
            expand::Error::TooLong => must("must be at most 64 KiB"),
        })
    }

    /// Sets an option. `place`: its name, or the variable's.
    fn set(&mut self, effect: Effect, place: &str, raw: &[u8]) -> Result<(), Box<Error>> {
        let max = if effect == Effect::Data { DATA_MAX } else { TEXT_MAX };
        let value = self.expanded(place, raw, max)?;
        // A header may hold a secret, and so may a target or an option, where this one's value was forgotten.
        let may_be_secret =
            effect == Effect::Header || raw.starts_with(b"-") || contains(raw, b"@") || contains(raw, b":");
        let must = |problem| error(place.as_bytes(), Some(raw).filter(|_| !may_be_secret), problem);
        let within = |(range, expected)| duration::parse(&value.text, range).ok_or_else(|| must(expected));
        let config = &mut self.config;
        match effect {
            Effect::Timeout => config.timeout = within(duration::USUAL)?,
            Effect::Wait => config.wait = Some(within(duration::USUAL)?),
            Effect::Hold => config.hold = Some(within(duration::USUAL)?),
            Effect::MaxAge => config.max_age = Some(within(duration::AGE)?),
            Effect::StartPeriod => config.start_period = within(duration::START_PERIOD)?,
            Effect::Kill => {
                config.kill = Some(signal::parse(&value.text).ok_or_else(|| must(signal::EXPECTED))?)
            }
            Effect::Status if !status::is_list(&value.text) => return Err(must(status::EXPECTED)),
            Effect::Status => config.status = value,
            // Every answer contains the empty text.
            Effect::Expect if value.text.is_empty() => return Err(must("must not be empty")),
            Effect::Expect => config.expect.push(value),
            Effect::Method if !is_token(&value.text) => {
                return Err(must("must be a method such as GET, HEAD or POST"));
            }
            Effect::Method => config.method = Some(value.text),
            Effect::Header if !is_field_line(&value.text) => {
                return Err(must("must be 'Name: value' without control characters"));
            }
            Effect::Header => config.headers.push(value),
            Effect::Data => config.data = Some(value),
            Effect::UnixSocket | Effect::Install if contains(&value.text, b"://") => {
                return Err(must("must be a path, not a target"));
            }
            Effect::UnixSocket => {
                target::unix_path(&value.text).map_err(must)?;
                self.unix_socket = Some(value);
            }
            Effect::Install if has_control(&value.text) => return Err(must(target::CONTROL)),
            Effect::Install if value.text.is_empty() || value.text.ends_with(b"/") => {
                return Err(must("must be a file, such as /tools/probe, not a directory"));
            }
            Effect::Install => self.install = Some(value),
            Effect::Help | Effect::Version | Effect::Quiet | Effect::Any | Effect::Http11 => {}
        }
        Ok(())
    }
}

/// Whether the text is a `token`, as methods and field-names are (RFC 9110, 5.6.2).
fn is_token(text: &[u8]) -> bool {
    let token_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(token_byte)
}

/// Whether the text is a header field, without any control character:
/// `field-name ":" OWS field-value OWS` (RFC 9112, 5).
fn is_field_line(text: &[u8]) -> bool {
    let (name, value) = cut(text, b':');
    value.is_some() && is_token(name) && !has_control(text)
}
