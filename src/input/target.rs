//! The target grammar: `http://…`, `host:port/path`, `tcp://…`, `tls://…`, `grpc://…`, `unix:…`, `file:…`.
//!
//! Terms are those of RFC 3986. Everything is refused here that would be
//! harmful or ambiguous to send or to dial, so no later step checks again.

use std::net::IpAddr;
use std::ops::Range;

use crate::input::expand::Expanded;
use crate::print::{push, push_number};
use crate::sys::UNIX_PATH_MAX;
use crate::text::{HOST_NAME_MAX, after, before, contains, digits, has_control, hex_byte, ip};

/// A target: the endpoint, and the check to make there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The target as it is shown: host and port as they are dialled, all else
    /// as it was written, with `***` in place of user info.
    pub shown: Vec<u8>,
    /// The place to connect to.
    pub endpoint: Endpoint,
    /// The check to make there.
    pub check: Check,
    /// The Unix socket that stands in for the address of an http or grpc target, as it was written.
    pub unix_socket: Option<Vec<u8>>,
    /// What variables and files hold in the target, host and port apart.
    pub values: Vec<Vec<u8>>,
}

/// A place to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP port of a host.
    Tcp(Host, u16),
    /// A Unix stream socket's path.
    Unix(Vec<u8>),
    /// A regular file's path.
    File(Vec<u8>),
}

/// A host, as far as it is known without a resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An IP literal.
    Ip(IpAddr),
    /// `localhost` or a name below it: loopback, whatever a resolver says (RFC
    /// 6761, 6.3). So is every form that tells a server to listen on all addresses:
    /// `0.0.0.0`, `[::]`, `*`, `+`, and no host before a port.
    Localhost,
    /// A name to be resolved.
    Name(Vec<u8>),
}

/// A check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// An HTTP request.
    Http(Box<Http>),
    /// That it opens: a connection, and perhaps a reply; or a file, and its age.
    Open,
    /// The health of a gRPC service.
    Grpc {
        /// The Host field's text, for `:authority`.
        authority: Vec<u8>,
        /// The service's name; empty for the server as a whole.
        service: Vec<u8>,
    },
    /// A ClientHello, with the server's name if it has one.
    Tls(Option<Vec<u8>>),
}

/// The parts of an http target that the request is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The Host field: host, and port unless it is 80.
    pub host: Vec<u8>,
    /// The request-target in origin-form: absolute path and query.
    pub request_target: Vec<u8>,
    /// `user:password`, percent-decoded, if the target has user info.
    pub user_info: Option<Vec<u8>>,
}

/// The longest name of a gRPC service, so that its message fits into one frame (RFC 9113, 4.2).
pub const SERVICE_MAX: usize = 16_000;

/// The problem of a text with a character that could split a request or a line.
pub const CONTROL: &str = "contains a control character or a space; in a URL write %20";
const HTTPS: &str = "https is not supported; use tls://host:port to check that the server answers";
const SCHEME: &str = "unknown scheme; use http://, tcp://, tls://, grpc://, unix: or file:";
const HOST: &str = "the host must be letters, digits, - . _";
const NO_HOST: &str = "no host; a Unix socket is unix:/run/app.sock";
const NUMBER: &str = "a number is no host; write localhost:8090, or four numbers as in 127.0.0.1";
const IPV6: &str = "brackets must hold an IPv6 address, as in [::1]";
const PORT: &str = "the port must be a number from 1 to 65535";
const NO_PORT: &str = "needs a port, as in :443";
const NO_PATH: &str = "takes no path";
const SERVICE: &str = "the service must have at most 16,000 bytes";
/// The problem of a host that a variable left empty.
pub const EMPTIED: &str = "empty, which leaves no host; set it, or give a default, as in ${HOST:-localhost}";
const EXIT: &str = "remove || exit 1: the exit code is 1 already";
const COLON: &str = "write http://, with a colon";
const PASSWORD: &str = "in a user name or password write %2F for /, %3F for ?, %23 for #";
const UNIX: &str = "must be an absolute path, as in unix:/run/app.sock";
const FILE: &str = "must be an absolute path, as in file:/run/app.alive";
const UNIX_TOO_LONG: &str = "the path must have at most 107 bytes, the limit for Unix sockets";

/// Hints for host and port: what a wrong one contains, and what to write instead.
static HINTS: [(&str, &str); 8] = [
    ("||", EXIT),
    ("$(", "write ${NAME}, not $(NAME)"),
    ("$", "write ${NAME}, with braces"),
    ("\"", "remove the quotes"),
    ("'", "remove the quotes"),
    (",", "separate targets by spaces"),
    ("::", "write an IPv6 address in brackets, as in [::1]"),
    ("http:", "write http://host:port"),
];

/// Reads a target; http and grpc go over `unix_socket`, the path of one, if there is one. The error is
/// the problem, without a hint.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
pub fn parse(target: &Expanded, unix_socket: Option<&Expanded>) -> Result<Target, &'static str> {
    let text = &target.text[..];
    if has_control(text) {
        return Err(CONTROL);
    }
    let (scheme, path) = text.split_at_checked(5).unwrap_or_default();
    let is_file = scheme.eq_ignore_ascii_case(b"file:");
    if is_file || scheme.eq_ignore_ascii_case(b"unix:") {
        // `unix:///path` too. The authority must be empty, or `unix://run/x` would silently lose "run".
        let path = path.strip_prefix(b"//").unwrap_or(path);
        if !path.starts_with(b"/") {
            return Err(if is_file { FILE } else { UNIX });
        }
        let endpoint =
            if is_file { Endpoint::File(path.to_vec()) } else { Endpoint::Unix(unix_path(path)?.to_vec()) };
        let mut values = Vec::new();
        target.each_value(0..text.len(), &mut |value| values.push(value.to_vec()));
        let shown = target.raw.to_vec();
        return Ok(Target { shown, endpoint, check: Check::Open, unix_socket: None, values });
    }
    let Parts { authority_at, host_at, path_at } = Parts::of(target);
    let scheme = &text[..authority_at];
    let is = |name: &[u8]| scheme.eq_ignore_ascii_case(name);
    let is_http = scheme.is_empty() || is(b"http://");
    let (is_grpc, is_tls) = (is(b"grpc://"), is(b"tls://"));
    if !(is_http || is_grpc || is_tls || is(b"tcp://")) {
        return Err(if is(b"https://") { HTTPS } else { SCHEME });
    }
    // A fragment is not sent (RFC 9110, 4.1).
    let end = if is_http { path_at + before(&text[path_at..], b'#').len() } else { text.len() };
    let path = &text[path_at..end];
    if is_http && text[host_at..].contains(&b' ') {
        return Err(CONTROL);
    }
    if path.starts_with(b"//") && text[..path_at].eq_ignore_ascii_case(b"http") {
        return Err(COLON);
    }
    let service = match path {
        [] => path,
        _ if is_http => b"",
        [b'/', service @ ..] if is_grpc && service.len() > SERVICE_MAX => return Err(SERVICE),
        [b'/', service @ ..] if is_grpc => service,
        _ => return Err(NO_PATH),
    };
    // Only http has user info; elsewhere it is a malformed host.
    let host_at = if is_http { host_at } else { authority_at };
    let host_and_port = host_and_port(target, host_at..path_at);
    let authority = authority(&host_and_port)?;
    let check = match () {
        _ if is_http => {
            let user_info =
                (host_at > authority_at).then(|| user_info(target, authority_at..host_at - 1)).transpose()?;
            // A query may follow the host at once.
            let slash: &[u8] = if path.starts_with(b"/") { b"" } else { b"/" };
            let request_target = [slash, path].concat();
            Check::Http(Box::new(Http { host: authority.host_field(), request_target, user_info }))
        }
        _ if is_grpc => Check::Grpc { authority: authority.host_field(), service: service.to_vec() },
        _ if is_tls => Check::Tls(authority.server_name()),
        _ => Check::Open,
    };
    let unix_socket = unix_socket.filter(|_| is_http || is_grpc);
    let endpoint = match unix_socket {
        Some(path) => Endpoint::Unix(path.text.clone()),
        None => Endpoint::Tcp(authority.host, authority.port.or(is_http.then_some(80)).ok_or(NO_PORT)?),
    };
    let hidden: &[u8] = if host_at > authority_at + 1 { b"***@" } else { &text[authority_at..host_at] };
    let shown = [scheme, hidden, &host_and_port, target.raw_from(path_at)].concat();
    // Host and port are no secret.
    let mut values = Vec::new();
    for part in [authority_at..host_at, path_at..end] {
        target.each_value(part, &mut |value| values.push(value.to_vec()));
    }
    Ok(Target { shown, endpoint, check, unix_socket: unix_socket.map(|path| path.raw.clone()), values })
}

/// The name of the variable or file that left the host before a port or a path empty. Without a variable
/// that is the host itself; with one, a check of another server than was meant.
pub fn emptied_host(target: &Expanded) -> Option<&[u8]> {
    let parts = Parts::of(target);
    let is_empty = matches!(target.text[parts.host_at..parts.path_at], [] | [b':', ..]);
    target.emptied_at(parts.host_at).filter(|_| is_empty)
}

/// A hint for a target with this problem, or the problem; and the start of the target up to the end of
/// its authority, unless that may be secret: where there is user info, a variable's value, or after a
/// colon anything but a port, which could be a password whose host was forgotten.
pub fn explain<'a>(target: &'a Expanded, problem: &'static str) -> (&'static str, Option<&'a [u8]>) {
    let Parts { host_at, path_at, .. } = Parts::of(target);
    let (start, path) = target.text.split_at(path_at);
    let authority = host_and_port(target, host_at..path_at);
    let unbracketed = after(&authority, b']').unwrap_or(&authority);
    let is_made = |(mistake, _): &&(&str, &str)| contains(unbracketed, mistake.as_bytes());
    let is_port = after(unbracketed, b':').unwrap_or_default().iter().all(u8::is_ascii_digit);
    let problem = match HINTS.iter().find(is_made) {
        _ if contains(path, b" ||") => EXIT,
        // What should be the port is the start of a password.
        _ if !is_port && path.contains(&b'@') => PASSWORD,
        Some((_, hint)) => hint,
        None => problem,
    };
    // `'--data=…'` holds what was meant as an option's value.
    let is_option = matches!(start, [b'-', ..] | [_, b'-', ..]);
    let is_public = is_port && !is_option && target.raw.starts_with(start) && !target.raw.contains(&b'@');
    (problem, Some(start).filter(|start| is_public && !start.is_empty()))
}

/// Where the parts of a target begin.
struct Parts {
    /// The authority, after the scheme.
    authority_at: usize,
    /// The host, after the user info.
    host_at: usize,
    /// The path, after the authority.
    path_at: usize,
}

impl Parts {
    fn of(target: &Expanded) -> Parts {
        let text = &target.text[..];
        let authority_at = scheme(text).len();
        let host_at = host_start(target, authority_at);
        let end = text[host_at..].iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        Parts { authority_at, host_at, path_at: end.map_or(text.len(), |end| host_at + end) }
    }
}

/// `scheme "://"` at the start (RFC 3986, 3.1), which is case-insensitive; empty for
/// `host/?u=http://x`.
fn scheme(text: &[u8]) -> &[u8] {
    let scheme_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let end = text.iter().position(|byte| !scheme_byte(byte)).unwrap_or(text.len());
    if text[end..].starts_with(b"://") { &text[..end + 3] } else { b"" }
}

/// A path that fits into a Unix socket address and has no control character.
pub fn unix_path(path: &[u8]) -> Result<&[u8], &'static str> {
    match path {
        [] => Err(UNIX),
        path if path.len() > UNIX_PATH_MAX => Err(UNIX_TOO_LONG),
        path if has_control(path) => Err(CONTROL),
        path => Ok(path),
    }
}

/// Where the host begins: after the last "@" of an authority that begins at `start`, as in curl, so
/// that a password may hold one. If that "@" is literal, delimiters in a variable's value
/// do not count: a password may hold any character.
fn host_start(target: &Expanded, start: usize) -> usize {
    let end = target.text.len();
    let find = |only_literal: bool| {
        let is = |index: &usize, bytes: &[u8]| {
            bytes.contains(&target.text[*index]) && (!only_literal || target.is_literal(*index))
        };
        let end = (start..end).find(|index| is(index, b"/?#")).unwrap_or(end);
        (start..end).rfind(|index| is(index, b"@"))
    };
    find(true).or_else(|| find(false)).map_or(start, |at| at + 1)
}

/// Host and port as they are dialled. An IPv6 address that comes out of a variable gets its brackets: only a
/// literal colon after it begins a port.
fn host_and_port(target: &Expanded, part: Range<usize>) -> Vec<u8> {
    let mut text = target.text[part.clone()].to_vec();
    let is_port = |&at: &usize| target.text[at] == b':' && target.is_literal(at);
    let end = part.clone().rfind(is_port).unwrap_or(part.end) - part.start;
    if !target.is_literal(part.start) && ip(&text[..end]).is_some_and(|ip| ip.is_ipv6()) {
        text.insert(end, b']');
        text.insert(0, b'[');
    }
    text
}

/// `host [ ":" port ]`, without user info.
struct Authority<'a> {
    host: Host,
    /// The host as a server is told it.
    name: &'a [u8],
    port: Option<u16>,
}

impl Authority<'_> {
    /// The Host field: host, and port unless it is 80.
    fn host_field(&self) -> Vec<u8> {
        let mut field = self.name.to_vec();
        if let Some(port) = self.port.filter(|port| *port != 80) {
            push(&mut field, ":");
            push_number(&mut field, port.into());
        }
        field
    }

    /// The host where it is a name, as TLS sends it.
    fn server_name(&self) -> Option<Vec<u8>> {
        (!self.name.starts_with(b"[") && ip(self.name).is_none()).then(|| self.name.to_vec())
    }
}

/// Reads an authority without user info.
fn authority(text: &[u8]) -> Result<Authority<'_>, &'static str> {
    let end = match text {
        [b'[', ..] => text.iter().position(|&byte| byte == b']').ok_or(IPV6)? + 1,
        _ => before(text, b':').len(),
    };
    let (host, port) = text.split_at(end);
    let port = match port {
        [] => None,
        [b':', port @ ..] => match digits(port) {
            Some(number @ 1..=65535) => Some(number as u16),
            _ => return Err(PORT),
        },
        _ => return Err(IPV6),
    };
    let name = match host {
        b"" if port.is_none() => return Err(NO_HOST),
        // `+` is ASP.NET's form.
        b"" | b"*" | b"+" => b"localhost",
        name => name,
    };
    Ok(Authority { host: parse_host(name)?, name, port })
}

fn parse_host(text: &[u8]) -> Result<Host, &'static str> {
    if let [b'[', address @ .., b']'] = text {
        return ip(address).filter(IpAddr::is_ipv6).map(literal).ok_or(IPV6);
    }
    let name_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    // A leading "-" is a misplaced option.
    if text.len() > HOST_NAME_MAX || text.starts_with(b"-") || !text.iter().all(name_byte) {
        return Err(HOST);
    }
    if text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        // "8090" and "127.1" are addresses to inet_aton(3), and typing errors to people.
        return ip(text).map(literal).ok_or(NUMBER);
    }
    let name = text.strip_suffix(b".").unwrap_or(text);
    match name.rsplit(|&byte| byte == b'.').next() {
        Some(label) if label.eq_ignore_ascii_case(b"localhost") => Ok(Host::Localhost),
        _ => Ok(Host::Name(text.to_vec())),
    }
}

fn literal(address: IpAddr) -> Host {
    if address.is_unspecified() { Host::Localhost } else { Host::Ip(address) }
}

/// The user info in this part of a target. Literal percent-encoding is decoded; a
/// variable stands for its value as it is. A control character would be
/// one in the credentials, which RFC 7617 forbids.
fn user_info(target: &Expanded, part: Range<usize>) -> Result<Vec<u8>, &'static str> {
    let text = &target.text[..part.end];
    let mut out = Vec::with_capacity(part.len() + 1);
    let mut index = part.start;
    while index < part.end {
        let is_escape = text[index] == b'%' && (index..index + 3).all(|index| target.is_literal(index));
        let decoded = text.get(index + 1..index + 3).filter(|_| is_escape).and_then(hex_byte);
        let byte = decoded.unwrap_or(text[index]);
        if byte.is_ascii_control() {
            return Err(CONTROL);
        }
        out.push(byte);
        index += if decoded.is_some() { 3 } else { 1 };
    }
    if !text[part.start..].contains(&b':') {
        // A user without a password: RFC 7617 wants the colon all the same.
        out.push(b':');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errno::ENOENT;
    use crate::input::expand::{TEXT_MAX, expand};

    /// A target without variables.
    fn plain(text: &str) -> Result<Target, &'static str> {
        parse(&expand(text.as_bytes(), TEXT_MAX, &|_| Err(ENOENT)).expect(text), None)
    }

    fn http_parts(text: &str) -> (Endpoint, String, String, Option<String>) {
        let target = plain(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let Check::Http(http) = target.check else { panic!("{text} is no http target") };
        let string = |bytes| String::from_utf8(bytes).expect("ASCII");
        (target.endpoint, string(http.host), string(http.request_target), http.user_info.map(string))
    }

    fn name(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp(Host::Name(host.into()), port)
    }

    fn ip(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp(Host::Ip(host.parse().expect("an address")), port)
    }

    const LOCAL: fn(u16) -> Endpoint = |port| Endpoint::Tcp(Host::Localhost, port);

    #[test]
    fn http_targets_with_their_endpoint_host_field_and_request_target() {
        for (text, endpoint, host, request_target) in [
            ("http://localhost:8090/echo", LOCAL(8090), "localhost:8090", "/echo"),
            ("HTTP://LocalHost/", LOCAL(80), "LocalHost", "/"),
            ("http://localhost", LOCAL(80), "localhost", "/"),
            ("http://localhost:80/", LOCAL(80), "localhost", "/"),
            ("http://localhost.:81", LOCAL(81), "localhost.:81", "/"),
            ("http://api.localhost", LOCAL(80), "api.localhost", "/"),
            ("localhost:8090/echo", LOCAL(8090), "localhost:8090", "/echo"),
            ("localhost", LOCAL(80), "localhost", "/"),
            ("http://my_app-1.lan:8080?q=1", name("my_app-1.lan", 8080), "my_app-1.lan:8080", "/?q=1"),
            ("http://x/a/b?c=d&e=/f?g#frag?h", name("x", 80), "x", "/a/b?c=d&e=/f?g"),
            ("http://x#frag", name("x", 80), "x", "/"),
            ("x/?u=http://y/", name("x", 80), "x", "/?u=http://y/"),
            ("http://127.0.0.1:1", ip("127.0.0.1", 1), "127.0.0.1:1", "/"),
            ("http://0.0.0.0:65535/", LOCAL(65535), "0.0.0.0:65535", "/"),
            ("http://[::1]:8090/", ip("::1", 8090), "[::1]:8090", "/"),
            ("[::]/x", LOCAL(80), "[::]", "/x"),
            ("http://x:0080/", name("x", 80), "x", "/"),
            ("http://x/\u{e9}?\u{20ac}", name("x", 80), "x", "/\u{e9}?\u{20ac}"),
            ("http://x/%20%0a..//./", name("x", 80), "x", "/%20%0a..//./"),
            ("http://mylocalhost", name("mylocalhost", 80), "mylocalhost", "/"),
            ("http://1a.2", name("1a.2", 80), "1a.2", "/"),
        ] {
            let want = (endpoint, host.to_string(), request_target.to_string(), None);
            assert_eq!(http_parts(text), want, "{text}");
        }
    }

    #[test]
    fn user_info_is_decoded_and_its_password_never_printed() {
        for (text, user_info, printed) in [
            ("http://u:p@h/", "u:p", "http://***@h/"),
            ("http://u@h/", "u:", "http://***@h/"),
            ("http://u:@h/", "u:", "http://***@h/"),
            ("http://@h/", ":", "http://@h/"),
            ("u:p@h", "u:p", "***@h"),
            ("http://u:p@ss:w@h:1/@", "u:p@ss:w", "http://***@h:1/@"),
            ("http://u:%70%2f%40%C3@h/", "u:p/@\u{c3}", "http://***@h/"),
            ("http://u:100%@h/", "u:100%", "http://***@h/"),
            ("http://u:%zz@h/", "u:%zz", "http://***@h/"),
        ] {
            let target = plain(text).expect(text);
            let Check::Http(http) = &target.check else { panic!("{text}") };
            let latin1: Vec<u8> = user_info.chars().map(|char| char as u8).collect();
            assert_eq!(http.user_info.as_deref(), Some(&latin1[..]), "{text}");
            assert_eq!(target.shown, printed.as_bytes());
        }
    }

    #[test]
    fn tcp_and_unix_targets() {
        let long = format!("unix:/{}", "x".repeat(UNIX_PATH_MAX - 1));
        let long_name = "x".repeat(HOST_NAME_MAX);
        for (text, endpoint) in [
            (&*format!("tcp://{long_name}:1"), name(&long_name, 1)),
            ("tcp://db:5432", name("db", 5432)),
            ("TCP://[::1]:22", ip("::1", 22)),
            ("tcp://localhost:1", LOCAL(1)),
            ("unix:/run/a b.sock", Endpoint::Unix("/run/a b.sock".into())),
            ("unix:///run/a?b#c", Endpoint::Unix("/run/a?b#c".into())),
            ("unix:////x", Endpoint::Unix("//x".into())),
            (&long, Endpoint::Unix(long[5..].into())),
        ] {
            let target = plain(text).expect(text);
            assert_eq!(target.endpoint, endpoint, "{text}");
            assert_eq!(target.check, Check::Open);
            assert_eq!(target.shown, text.as_bytes());
        }
    }

    #[test]
    fn tls_targets_have_a_server_name_where_the_host_is_one() {
        for (text, endpoint, server_name) in [
            ("tls://db:5432", name("db", 5432), Some("db")),
            ("TLS://a.example.:443", name("a.example.", 443), Some("a.example.")),
            ("tls://localhost:1", LOCAL(1), Some("localhost")),
            ("tls://0.0.0.0:1", LOCAL(1), None),
            ("tls://[::]:1", LOCAL(1), None),
            ("tls://[::1]:22", ip("::1", 22), None),
            ("tls://127.0.0.1:8443", ip("127.0.0.1", 8443), None),
        ] {
            let target = plain(text).expect(text);
            let server_name = server_name.map(|name| name.as_bytes().to_vec());
            assert_eq!((target.endpoint, target.check), (endpoint, Check::Tls(server_name)), "{text}");
            assert_eq!(target.shown, text.as_bytes());
        }
    }

    #[test]
    fn grpc_targets_with_their_authority_and_service() {
        let longest = "x".repeat(SERVICE_MAX);
        for (text, endpoint, authority, service) in [
            ("grpc://localhost:50051", LOCAL(50051), "localhost:50051", ""),
            ("GRPC://a.example.:80/", name("a.example.", 80), "a.example.", ""),
            ("grpc://[::1]:9/pkg.v1.Service", ip("::1", 9), "[::1]:9", "pkg.v1.Service"),
            ("grpc://:50051/x", LOCAL(50051), "localhost:50051", "x"),
            ("grpc://x:1/a/b%20?c#d e@f:g", name("x", 1), "x:1", "a/b%20?c#d e@f:g"),
            (&format!("grpc://x:1/{longest}"), name("x", 1), "x:1", &longest),
        ] {
            let target = plain(text).expect(text);
            let grpc = Check::Grpc { authority: authority.into(), service: service.into() };
            assert_eq!((target.endpoint, target.check), (endpoint, grpc), "{text}");
            assert_eq!(target.shown, text.as_bytes());
        }
    }

    #[test]
    fn http_and_grpc_go_over_a_unix_socket_and_need_no_port_there() {
        let socket = expand(b"${S}", TEXT_MAX, &|_| Ok(b"/run/x.sock".to_vec())).expect("a path");
        for (text, is_over) in [
            ("grpc://localhost/x", true),
            ("grpc://localhost:1", true),
            ("http://x/", true),
            ("tcp://x:1", false),
            ("tls://x:1", false),
            ("unix:/run/y.sock", false),
        ] {
            let target = parse(&Expanded::literal(text.as_bytes()), Some(&socket)).expect(text);
            assert_eq!(target.endpoint == Endpoint::Unix(socket.text.clone()), is_over, "{text}");
            assert_eq!(target.unix_socket, is_over.then(|| socket.raw.clone()), "{text}");
        }
        assert_eq!(plain("grpc://localhost/x"), Err(NO_PORT));
    }

    #[test]
    fn a_host_that_a_variable_left_empty_is_named() {
        let lookup = |name: &[u8]| match name {
            b"E" | b"/run/e" => Ok(Vec::new()),
            b"GO" => Ok(b":8080".to_vec()),
            _ => Err(ENOENT),
        };
        for (text, name) in [
            ("http://${E}:8080/", Some("E")),
            ("http://${NONE:-}:8080/", Some("NONE")),
            ("http://${/run/e}/", Some("/run/e")),
            ("${E}:8080", Some("E")),
            ("tcp://${E}:1", Some("E")),
            ("grpc://${E}:1/x", Some("E")),
            ("http://u:p@${E}:1/", Some("E")),
            ("http://${GO}/", None),
            ("http://:8080/", None),
            ("http://${E}x:1/", None),
            ("http://x:1/${E}", None),
            ("http://${E}@x:1/", None),
            ("unix:${E}/x", None),
        ] {
            let target = expand(text.as_bytes(), TEXT_MAX, &lookup).expect(text);
            assert_eq!(emptied_host(&target), name.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        let long_name = "x".repeat(HOST_NAME_MAX + 1);
        let long_service = format!("grpc://x:1/{}", "x".repeat(SERVICE_MAX + 1));
        let long_path = format!("unix:/{}", "x".repeat(UNIX_PATH_MAX));
        for (text, error) in [
            ("http://x/\r\nX: y", CONTROL),
            ("http://x/\0", CONTROL),
            ("http://x/\t", CONTROL),
            ("http://x/\x7f", CONTROL),
            ("http://x/a b", CONTROL),
            ("http://u:%0a@x/", CONTROL),
            ("unix:/a\nb", CONTROL),
            ("https://x/", HTTPS),
            ("HTTPS://x", HTTPS),
            ("ftp://x/", SCHEME),
            ("udp://x:53", SCHEME),
            ("http+unix://x", SCHEME),
            ("", NO_HOST),
            ("http://", NO_HOST),
            ("http:///x", NO_HOST),
            ("://x", SCHEME),
            ("/run/app.sock", NO_HOST),
            ("-", HOST),
            ("--timeout", HOST),
            ("http://a%41/", HOST),
            ("http://b\u{fc}cher/", HOST),
            (&long_name, HOST),
            ("8090", NUMBER),
            ("http://8090/", NUMBER),
            ("127.1:80", NUMBER),
            ("1.2.3.4.5", NUMBER),
            ("256.0.0.1", NUMBER),
            ("127.0.0.1.", NUMBER),
            ("010.0.0.1", NUMBER),
            (".", NUMBER),
            ("http://[::1", "write an IPv6 address in brackets, as in [::1]"),
            ("http://[::1]:99999/", PORT),
            ("http://[]/", IPV6),
            ("http://[1.2.3.4]/", IPV6),
            ("http://[fe80::1%25eth0]/", IPV6),
            ("http://[::1]x/", IPV6),
            ("http://[::1]x:80/", IPV6),
            ("http://x:/", PORT),
            ("http://x:0/", PORT),
            ("http://x:65536/", PORT),
            ("http://x:99999999999999999999/", PORT),
            ("http://x:80a/", PORT),
            ("http://x:+80/", PORT),
            ("http://x:-1/", PORT),
            ("x:y:80", PORT),
            ("tcp://x", NO_PORT),
            ("tcp://x:", PORT),
            ("tcp://x:1/", NO_PATH),
            ("tcp://u@x:1", HOST),
            ("tls://localhost", NO_PORT),
            ("tls://x:1/", NO_PATH),
            ("tls://u@x:1", HOST),
            ("grpc://u@x:1", HOST),
            ("grpc://x:1?y", NO_PATH),
            ("grpc://x:0", PORT),
            ("grpc://x:", PORT),
            ("grpc://", NO_HOST),
            (&long_service, SERVICE),
            ("tls://x y:1", HOST),
            ("http://x:$PORT/", "write ${NAME}, with braces"),
            ("http://x:$(PORT)/", "write ${NAME}, not $(NAME)"),
            ("\"http://x/\"", "remove the quotes"),
            ("'http://x/'", "remove the quotes"),
            ("http://a,http://b", "separate targets by spaces"),
            ("a,b", "separate targets by spaces"),
            ("http://::1/", "write an IPv6 address in brackets, as in [::1]"),
            ("::1", "write an IPv6 address in brackets, as in [::1]"),
            ("http:host", "write http://host:port"),
            ("http//localhost:8090", COLON),
            ("HTTP//x", COLON),
            ("||", EXIT),
            ("http://x/ || exit 1", EXIT),
            ("http://user:pa/ss@host/", PASSWORD),
            ("unix:", UNIX),
            ("unix:x", UNIX),
            ("unix://x/y", UNIX),
            ("unix://", UNIX),
            (&long_path, UNIX_TOO_LONG),
            ("file:", FILE),
            ("file:x", FILE),
            ("file://x/y", FILE),
            ("file:/x\ny", CONTROL),
        ] {
            let expanded = expand(text.as_bytes(), TEXT_MAX, &|_| Err(ENOENT)).expect(text);
            let problem = parse(&expanded, None).expect_err(text);
            assert_eq!(explain(&expanded, problem).0, error, "{text:?}");
        }
    }

    #[test]
    fn the_wrong_part_is_quoted_unless_it_could_be_a_password() {
        for (text, start) in [
            ("http://x:99999/", Some("http://x:99999")),
            ("http://x:$PORT/", None),
            ("http://u:$SECRET/", None),
            ("8090/x", Some("8090")),
            ("http://::1:80/x", None),
            ("http://[::1]:99999/", Some("http://[::1]:99999")),
            ("https://x/y", Some("https://x")),
            ("tls://localhost", Some("tls://localhost")),
            ("/run/app.sock", None),
            ("http://admin:S3cr3t", None),
            ("http://admin:S3cr$t", None),
            ("http://u:S3cr3t@x:y", None),
        ] {
            let expanded = expand(text.as_bytes(), TEXT_MAX, &|_| Err(ENOENT)).expect(text);
            let problem = parse(&expanded, None).expect_err(text);
            assert_eq!(explain(&expanded, problem).1, start.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn whatever_a_server_listens_on_is_the_host_itself() {
        let lookup = |name: &[u8]| {
            Ok(match name {
                b"ALL6" => b"::".to_vec(),
                b"ALL4" => b"0.0.0.0".to_vec(),
                b"ONE6" => b"::1".to_vec(),
                b"GO" => b":8080".to_vec(),
                b"GO6" => b"[::]:8080".to_vec(),
                b"NAME" => b"db".to_vec(),
                b"PORT" => b"8080".to_vec(),
                _ => return Err(ENOENT),
            })
        };
        let one6 = |port| ip("::1", port);
        for (text, endpoint, host, shown) in [
            (":8080", LOCAL(8080), "localhost:8080", ":8080"),
            ("http://:8080/x", LOCAL(8080), "localhost:8080", "http://:8080/x"),
            ("*:8080", LOCAL(8080), "localhost:8080", "*:8080"),
            ("http://+:5000", LOCAL(5000), "localhost:5000", "http://+:5000"),
            ("http://*/", LOCAL(80), "localhost", "http://*/"),
            ("http://${GO}/", LOCAL(8080), "localhost:8080", "http://:8080/"),
            ("http://${GO6}/", LOCAL(8080), "[::]:8080", "http://[::]:8080/"),
            ("http://${ALL6}:${PORT}/", LOCAL(8080), "[::]:8080", "http://[::]:8080/"),
            ("http://${ALL4}:${PORT}/", LOCAL(8080), "0.0.0.0:8080", "http://0.0.0.0:8080/"),
            ("http://${ONE6}:${PORT}/", one6(8080), "[::1]:8080", "http://[::1]:8080/"),
            ("http://u:p@${ONE6}", one6(80), "[::1]", "http://***@[::1]"),
            ("http://[${ONE6}]:${PORT}/", one6(8080), "[::1]:8080", "http://[::1]:8080/"),
            ("http://${NAME}:${PORT}/", name("db", 8080), "db:8080", "http://db:8080/"),
        ] {
            let target = parse(&expand(text.as_bytes(), TEXT_MAX, &lookup).expect(text), None).expect(text);
            let Check::Http(http) = target.check else { panic!("{text}") };
            assert_eq!((target.endpoint, &http.host[..]), (endpoint, host.as_bytes()), "{text}");
            assert_eq!(String::from_utf8_lossy(&target.shown), shown);
        }
        let target = expand(b"tcp://${ONE6}:1", TEXT_MAX, &lookup).expect("it expands");
        let target = parse(&target, None).expect("a target");
        assert_eq!((target.endpoint, &target.shown[..]), (one6(1), &b"tcp://[::1]:1"[..]));
    }

    const SECRET: &[u8] = b"p/a#s?s@w%41 rd";

    /// A text with `${PW}`, which holds [`SECRET`], and `${URL}` and `${PORT}`.
    fn expanded(text: &str) -> Expanded {
        let lookup = |name: &[u8]| {
            Ok(match name {
                b"PW" => SECRET.to_vec(),
                b"HEX" => b"41bc".to_vec(),
                b"URL" => b"http://u:pw@h:81/path?token=1".to_vec(),
                b"PORT" => b"8090".to_vec(),
                _ => return Err(ENOENT),
            })
        };
        expand(text.as_bytes(), TEXT_MAX, &lookup).expect(text)
    }

    fn with_variables(text: &str) -> Target {
        parse(&expanded(text), None).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    }

    #[test]
    fn a_variable_in_user_info_stands_for_its_value_whatever_that_holds() {
        let user = |text: &[u8]| [text, SECRET].concat();
        for (text, user_info, endpoint) in [
            ("http://admin:${PW}@h/", user(b"admin:"), name("h", 80)),
            ("http://a%3Ab:${PW}@h:${PORT}", user(b"a:b:"), name("h", 8090)),
            ("u:${PW}@h?@", user(b"u:"), name("h", 80)),
            ("${URL}", b"u:pw".to_vec(), name("h", 81)),
            ("http://u:100%${HEX}@h", b"u:100%41bc".to_vec(), name("h", 80)),
            ("http://u:%4${HEX}@h", b"u:%441bc".to_vec(), name("h", 80)),
        ] {
            let target = with_variables(text);
            assert_eq!(target.endpoint, endpoint, "{text}");
            let Check::Http(http) = target.check else { panic!("{text}") };
            assert_eq!(http.user_info, Some(user_info), "{text}");
        }
    }

    #[test]
    fn no_host_out_of_a_variable_becomes_user_info() {
        let target = expand(b"http://u:p@${HOST}/", TEXT_MAX, &|_| Ok(b"h@other".to_vec())).expect("a value");
        assert_eq!(parse(&target, None), Err(HOST));
    }

    #[test]
    fn what_a_variable_holds_is_shown_for_host_and_port_only() {
        for (text, shown) in [
            ("http://admin:${PW}@h/", "http://***@h/"),
            ("http://h:${PORT}/?port=${PORT}&x=$${", "http://h:8090/?port=${PORT}&x=$${"),
            ("h:${PORT}${NONE:-/echo}", "h:8090${NONE:-/echo}"),
            ("${URL}", "http://***@h:81${URL}"),
            ("${URL}&x", "http://***@h:81${URL}&x"),
            ("tcp://${NONE:-h}:${PORT}", "tcp://h:8090"),
            ("unix:/run/${PORT}.sock", "unix:/run/${PORT}.sock"),
        ] {
            assert_eq!(String::from_utf8_lossy(&with_variables(text).shown), shown, "{text}");
        }
    }
}
