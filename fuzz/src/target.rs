//! The target grammar: any bytes are refused with a reason, or accepted as
//! what can be dialled, sent and printed.

use std::time::Duration;

use scratch_probe::errno::ENOENT;
use scratch_probe::failure::Unhealthy;
use scratch_probe::input::config::Config;
use scratch_probe::input::expand::{TEXT_MAX, expand};
use scratch_probe::input::target::{Check, Endpoint, Host, Target, parse};
use scratch_probe::sys::UNIX_PATH_MAX;
use scratch_probe::text::HOST_NAME_MAX;
use scratch_probe::verdict::Verdict;
use scratch_probe::wire::request::request;

use super::{assert_printable, strict};

/// A target without variables: what is shown of one that has some need not be a target again.
fn plain(text: &[u8]) -> Option<Target> {
    let has_variable = text.windows(2).any(|pair| pair == b"${");
    parse(&expand(text, TEXT_MAX, &|_| Err(ENOENT)).ok()?, None).ok().filter(|_| !has_variable)
}

pub fn check(data: &[u8]) {
    let Some(target) = plain(data) else { return };
    assert!(!data.iter().any(u8::is_ascii_control), "a control character was accepted");
    endpoint(&target);
    prints_back(data, &target);
    user_info_is_no_matter(data, &target);
    if let Check::Http(http) = &target.check {
        let bytes = request(http, &Config::default());
        let request = strict::request(&bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"));
        assert_eq!((request.method, request.target), (&b"GET"[..], &http.request_target[..]));
        assert_eq!(request.values("Host"), [&http.host[..]], "one Host field");
        assert_eq!(request.values("Authorization").len(), usize::from(http.user_info.is_some()));
        assert!(request.body.is_empty(), "something follows the request");
    }
}

/// Nothing that a system call or a question could not hold.
pub fn endpoint(target: &Target) {
    match &target.endpoint {
        Endpoint::Unix(path) => {
            assert!((1..=UNIX_PATH_MAX).contains(&path.len()));
            assert!(!path.contains(&0));
        }
        Endpoint::File(path) => assert!(path.starts_with(b"/") && !path.contains(&0)),
        Endpoint::Tcp(host, port) => {
            assert_ne!(*port, 0);
            if let Host::Name(name) = host {
                assert!((1..=HOST_NAME_MAX).contains(&name.len()));
                assert!(name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte)));
                assert!(!name.eq_ignore_ascii_case(b"localhost"));
            }
        }
    }
}

/// The target as a report line has it.
fn printed(target: &Target) -> Vec<u8> {
    let (outcome, timeout) = (Err(Unhealthy::WrongAnswer), Duration::ZERO);
    let mut line = Vec::new();
    Verdict { target, detail: Vec::new(), outcome, timeout, wait: None }.push(&mut line);
    let line = line.strip_prefix(b"unhealthy: ").expect("it is unhealthy");
    line.strip_suffix(b": \n").expect("nothing is said").to_vec()
}

/// What is kept of a target is the same target, but for its user info; and it
/// is printed as it is where a line can hold it.
fn prints_back(data: &[u8], target: &Target) {
    let printed = printed(target);
    assert_printable(&printed, 4 * 256 + 3);
    let again = plain(&target.shown).expect("what is kept of a target is one");
    assert_eq!(again.shown, target.shown);
    assert_eq!(again.endpoint, target.endpoint);
    match (&again.check, &target.check) {
        (Check::Http(again), Check::Http(http)) => {
            assert_eq!((&again.host, &again.request_target), (&http.host, &http.request_target));
            assert_eq!(again.user_info.is_some(), http.user_info.is_some());
            if http.user_info.is_none() {
                assert_eq!(target.shown, data);
            }
        }
        (Check::Grpc { .. }, Check::Grpc { .. }) => {
            assert_eq!((&again.check, &target.shown[..]), (&target.check, data))
        }
        (Check::Open, Check::Open) => assert_eq!(target.shown, data),
        (Check::Tls(again), Check::Tls(server_name)) => {
            assert_eq!((again, &target.shown[..]), (server_name, data));
            let Endpoint::Tcp(host, _) = &target.endpoint else { panic!("TLS is for TCP") };
            match host {
                Host::Ip(_) => assert_eq!(*server_name, None),
                Host::Name(name) => assert_eq!(server_name.as_ref(), Some(name)),
                Host::Localhost => {}
            }
        }
        _ => panic!("another kind of target"),
    }
    if target.shown.len() <= 256 && target.shown.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        assert_eq!(printed, target.shown);
    }
}

/// Another user and another password of another length change nothing that is
/// printed: so nothing of them is.
fn user_info_is_no_matter(data: &[u8], target: &Target) {
    let Check::Http(http) = &target.check else { return };
    if http.user_info.is_none() {
        return;
    }
    let start = if data.len() > 7 && data[..7].eq_ignore_ascii_case(b"http://") { 7 } else { 0 };
    let end =
        data[start..].iter().position(|byte| b"/?#".contains(byte)).map_or(data.len(), |end| start + end);
    let at = data[..end].iter().rposition(|&byte| byte == b'@').expect("user info ends in @");
    if at == start {
        return; // Empty user info is no secret, and is printed as it is.
    }
    let other = [&data[..start], b"root:qwertyuiop", &data[at..]].concat();
    let other = plain(&other).expect("another user");
    assert_eq!(printed(&other), printed(target));
}
