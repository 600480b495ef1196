//! A whole command line and environment: refused in one line that tells no
//! secret, or accepted as requests and report lines that are sound.
//!
//! Input, separated by NUL as the kernel hands it over: the environment's
//! `NAME=value`, an empty item, the arguments. The first byte chooses the
//! secrets that are put before them.

use std::time::Duration;

use scratch_probe::cli::{Command, Config, parse};
use scratch_probe::print::Print;
use scratch_probe::request::request;
use scratch_probe::response;
use scratch_probe::target::{Check, Target};
use scratch_probe::verdict::{Answer, Failure, Healthy, Phase, Unhealthy, Verdict};

use super::expand::variable;
use super::{assert_printable, strict, take, target};

/// What is never printed. No input is that lucky.
const SECRET: &[u8] = b"Xq7-hunter2-Zw9";

/// Where a secret may be written, well or badly.
const PLACES: [&[u8]; 16] = [
    b"--quiet",
    b"--header=X-Key: %",
    b"--header=bad name: %",
    b"--header=X-Key: %\n",
    b"--header=%",
    b"--header=X-Key: %${",
    b"--data=%",
    b"--data=%${",
    b"-HAuthorization: Bearer %",
    b"-d%",
    b"http://u:%@h:8080/",
    b"http://u:%@h:x/",
    b"http://u:%/x@h/",
    b"u:%\x07@h",
    b"http://%@h/",
    b"ftp://u:%@h/",
];

pub fn check(data: &[u8]) {
    let mut rest = data;
    let places = take(&mut rest);
    if rest.windows(SECRET.len()).any(|window| window == SECRET) {
        return;
    }
    let mut items = rest.split(|&byte| byte == 0);
    let variables: Vec<_> = items.by_ref().take_while(|item| !item.is_empty()).filter_map(variable).collect();
    let mut args: Vec<Vec<u8>> =
        [places & 15, places >> 4].map(|place| secret(PLACES[usize::from(place)])).to_vec();
    args.extend(items.map(<[u8]>::to_vec));
    let lookup = |name: &[u8]| {
        let found = variables.iter().find(|variable| variable.0 == name);
        found.map(|variable| variable.1.to_vec())
    };
    match parse(args.into_iter(), &lookup) {
        Err(error) => line(&error.printed(), b"probe: "),
        Ok(Command::Check(config)) => accepted(&config),
        Ok(Command::Help | Command::Version) => {}
    }
}

fn secret(place: &[u8]) -> Vec<u8> {
    match place.iter().position(|&byte| byte == b'%') {
        Some(at) => [&place[..at], SECRET, &place[at + 1..]].concat(),
        None => place.to_vec(),
    }
}

/// One line, printable, bounded, without the secret.
fn line(text: &[u8], start: &[u8]) {
    let line = text.strip_suffix(b"\n").expect("a line ends");
    assert_printable(line, 2048);
    assert!(line.starts_with(start), "{:?}", String::from_utf8_lossy(line));
    let told = line.windows(SECRET.len()).any(|window| window == SECRET);
    assert!(!told, "the secret: {}", String::from_utf8_lossy(line));
}

fn accepted(config: &Config) {
    assert!(!config.targets.is_empty());
    for duration in [Some(config.timeout), config.wait].into_iter().flatten() {
        assert!((Duration::from_millis(1)..=Duration::from_secs(3600)).contains(&duration));
    }
    for target in &config.targets {
        target::endpoint(&target.endpoint);
        if let Check::Http(http) = &target.check {
            one_request(&request(http, &config.options), config);
        }
        reports(target, config);
    }
}

/// What is sent is one request, whatever the options were. A user who writes
/// the framing fields with their own hands has them sent as they are.
fn one_request(bytes: &[u8], config: &Config) {
    let request = strict::request(bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"));
    assert_eq!(request.method, config.options.method());
    let data = config.options.data.as_deref();
    assert_eq!(request.body, data.unwrap_or_default());
    let given = |name: &str| {
        let same = |header: &&Vec<u8>| {
            let name_end = header.iter().position(|&byte| byte == b':').expect("a colon");
            header[..name_end].eq_ignore_ascii_case(name.as_bytes())
        };
        config.options.headers.iter().filter(same).count()
    };
    for name in ["Host", "User-Agent", "Accept", "Connection"] {
        let count = request.values(name).len();
        assert!(count == 1 || given(name) > 0, "{count} times {name}");
    }
    if given("Content-Length") == 0 {
        let lengths = request.values("Content-Length");
        match lengths[..] {
            [] => assert!(data.is_none(), "a body without a length"),
            [length] => assert_eq!(length, request.body.len().to_string().as_bytes()),
            _ => panic!("several lengths"),
        }
    }
}

/// Every line that could be reported.
fn reports(target: &Target, config: &Config) {
    let bytes = config.options.expect.clone().unwrap_or_else(|| b"\x1b[2J\r\n\0\xff".to_vec());
    let want = config.options.status.text().to_vec();
    let answer = || Answer::Http(500, bytes.clone());
    let failures = [
        Unhealthy::TimedOut(Phase::Resolve, config.timeout),
        Unhealthy::Failed(Phase::Connect, std::io::ErrorKind::Other, 111),
        Unhealthy::NoSuchName,
        Unhealthy::Response(response::Error::NotHttp(bytes.clone())),
        Unhealthy::Status(answer(), want),
        Unhealthy::Lacks(answer(), bytes.clone()),
        Unhealthy::Lacks(Answer::Connected, bytes.clone()),
    ];
    let outcomes = failures.map(|failure| Err(Failure::from(failure)));
    let healthy = Ok(Healthy { answer: answer(), elapsed: config.timeout });
    for outcome in outcomes.into_iter().chain([healthy]) {
        let start: &[u8] = if outcome.is_ok() { b"healthy: " } else { b"unhealthy: " };
        let verdict = Verdict { target, outcome };
        line(&verdict.printed(), start);
    }
}
