//! A whole command line and environment: refused in one line that tells no
//! secret, or accepted as requests and report lines that are sound.
//!
//! Input, separated by NUL as the kernel hands it over: the environment's
//! `NAME=value`, an empty item, the arguments. The first byte chooses the
//! secret and the variable that are put before them.

use std::time::Duration;

use scratch_probe::errno::{ECONNREFUSED, ENOENT};
use scratch_probe::failure::{Phase, Unhealthy};
use scratch_probe::input::cli::parse;
use scratch_probe::input::config::{Config, Job};
use scratch_probe::input::expand::Expanded;
use scratch_probe::input::target::{Check, Target};
use scratch_probe::print::push_quoted;
use scratch_probe::verdict::Verdict;
use scratch_probe::wire::request::{method, request};

use super::expand::variable;
use super::{assert_printable, strict, take, target};

/// What is never printed. No input is that lucky.
const SECRET: &[u8] = b"Xq7-hunter2-Zw9";

/// A variable that holds [`SECRET`].
const VARIABLE: &[u8] = b"${Xq7_Zw9}";

/// Where a secret may be written, well or badly.
const PLACES: [&[u8]; 16] = [
    b"--quiet",
    b"--header=X-Key: %",
    b"--header=bad name: %",
    b"--header=X-Key: %\n",
    b"--header=%",
    b"--header X-Key: %",
    b"--data=%",
    b"--data=%${",
    b"-HAuthorization: Bearer %",
    b"-d%",
    b"http://u:%@h:8080/",
    b"http://u:%@h:x/",
    b"http://u:%/x@h/",
    b"u:%\x07@h",
    b"http://u:%",
    b"ftp://u:%@h/",
];

/// Where a variable may be written whose value is not to be shown.
const VARIABLE_PLACES: [&[u8]; 16] = [
    b"--quiet",
    b"http://h/?token=%",
    b"http://h:8080/%#%",
    b"http://u:%@h/",
    b"http://%@h/",
    b"%:x@h",
    b"http://u:%@h:x/",
    b"http://h h/%",
    b"unix:/%",
    b"unix:%",
    b"--expect=%",
    b"--timeout=%",
    b"--status=%",
    b"-X%(",
    b"--unix-socket=%\n",
    b"-HX-Key: %",
];

pub fn check(data: &[u8]) {
    let mut rest = data;
    let places = take(&mut rest);
    let has = |text: &[u8]| rest.windows(text.len()).any(|window| window == text);
    if has(SECRET) || has(&VARIABLE[2..VARIABLE.len() - 1]) {
        return;
    }
    let mut items = rest.split(|&byte| byte == 0);
    let variables: Vec<_> = items.by_ref().take_while(|item| !item.is_empty()).filter_map(variable).collect();
    let mut args = vec![
        filled(PLACES[usize::from(places & 15)], SECRET),
        filled(VARIABLE_PLACES[usize::from(places >> 4)], VARIABLE),
    ];
    args.extend(items.map(<[u8]>::to_vec));
    let lookup = |name: &[u8]| {
        let secret = (&VARIABLE[2..VARIABLE.len() - 1], SECRET);
        let found = variables.iter().chain([&secret]).find(|variable| variable.0 == name);
        found.map(|variable| variable.1.to_vec()).ok_or(ENOENT)
    };
    match parse(&mut args.into_iter(), &lookup) {
        Err(error) => line(&error.0, b"probe: "),
        Ok(Job::Print(_)) => {}
        Ok(Job::Install(path)) => assert!(!path.text.is_empty()),
        Ok(Job::Check(config)) => accepted(&config),
    }
}

/// The place with `text` for each `%`.
fn filled(place: &[u8], text: &[u8]) -> Vec<u8> {
    place.split(|&byte| byte == b'%').collect::<Vec<_>>().join(text)
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
        target::endpoint(target);
        if let Check::Http(http) = &target.check {
            one_request(&request(http, config), config);
        }
        reports(target, config);
    }
}

/// What is sent is one request, whatever the options were. A user who writes
/// the framing fields with their own hands has them sent as they are.
fn one_request(bytes: &[u8], config: &Config) {
    let request = strict::request(bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"));
    assert_eq!(request.method, method(config));
    let data = config.data.as_ref().map(|data| &data.text[..]);
    assert_eq!(request.body, data.unwrap_or_default());
    let given = |name: &str| {
        let same = |header: &&Expanded| {
            let header = &header.text;
            let name_end = header.iter().position(|&byte| byte == b':').expect("a colon");
            header[..name_end].eq_ignore_ascii_case(name.as_bytes())
        };
        config.headers.iter().filter(same).count()
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
    let raw = config.expect.first().map(|expect| expect.raw.clone());
    let bytes = raw.unwrap_or_else(|| b"\x1b[2J\r\n\0\xff".to_vec());
    let mut got = Vec::new();
    push_quoted(&mut got, &bytes);
    let details = [Vec::new(), [&got[..], &got].concat()];
    let timeout = config.timeout;
    let outcomes = [
        Ok(timeout),
        Err(Unhealthy::TimedOut(Phase::Resolve)),
        Err(Unhealthy::Os(Phase::Connect, ECONNREFUSED)),
        Err(Unhealthy::HostNotFound),
        Err(Unhealthy::WrongAnswer),
    ];
    for detail in details {
        for outcome in outcomes {
            let start: &[u8] = if outcome.is_ok() { b"healthy: " } else { b"unhealthy: " };
            let verdict = Verdict { target, detail: detail.clone(), outcome, timeout, wait: config.wait };
            let mut report = Vec::new();
            verdict.push(&mut report);
            line(&report, start);
        }
    }
}
