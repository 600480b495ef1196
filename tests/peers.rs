//! What microcheck's httpcheck and portcheck publish as their black-box cases,
//! in our words and with our options; where we decide otherwise, the row says
//! why. Left out: https, UDP, and variables whose name an option chooses
//! (`--port-env NAME`): `${NAME}` in any argument does that.

mod support;

use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use support::*;

const OK: &str = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n";

/// `{PORT}` in arguments and variables is the server's.
struct Case<'a> {
    name: &'a str,
    args: &'a [&'a str],
    env: &'a [(&'a str, &'a str)],
    /// Lines of the request; a line that begins with "!" must not be there.
    sent: &'a [&'a str],
}

const fn case<'a>(name: &'a str, args: &'a [&'a str], sent: &'a [&'a str]) -> Case<'a> {
    Case { name, args, env: &[], sent }
}

/// The probe's run, and the request that the server got.
fn run(args: &[&str], env: &[(&str, &str)]) -> (Run, String) {
    let (sender, receiver) = mpsc::channel();
    let port = serve(move |mut stream| {
        let request = read_request(&mut stream);
        let _ = sender.send(String::from_utf8_lossy(&request).into_owned());
        let _ = stream.write_all(OK.as_bytes());
    });
    let fill = |text: &str| text.replace("{PORT}", &port.to_string());
    let args: Vec<String> = args.iter().map(|arg| fill(arg)).collect();
    let env: Vec<(&str, String)> = env.iter().map(|(name, value)| (*name, fill(value))).collect();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let run = probe_env(&args, &env);
    (run, receiver.try_recv().unwrap_or_default().replace(&format!(":{port}"), ":{PORT}"))
}

#[test]
fn what_httpcheck_sends_is_sent() {
    let long = "a".repeat(500);
    let long_target = format!("http://127.0.0.1:{{PORT}}/{long}");
    let long_line = format!("GET /{long} HTTP/1.0");
    let long_header = format!("X-Long: {long}");
    let mut many = vec!["http://127.0.0.1:{PORT}/"];
    let headers: Vec<String> = (0..33).map(|number| format!("X-Header-{number}: value{number}")).collect();
    headers.iter().for_each(|header| many.extend(["-H", header]));
    let (long_path, long_path_line) = ([&long_target[..]], [&long_line[..]]);
    let (long_field, long_field_line) = (["-H", &long_header, "127.0.0.1:{PORT}"], [&long_header[..]]);
    let cases = [
        case("a plain GET", &["http://127.0.0.1:{PORT}/"], &["GET / HTTP/1.0", "Host: 127.0.0.1:{PORT}"]),
        case("a path", &["http://127.0.0.1:{PORT}/health"], &["GET /health HTTP/1.0"]),
        case("no path", &["http://127.0.0.1:{PORT}"], &["GET / HTTP/1.0"]),
        case("POST", &["-X", "POST", "http://127.0.0.1:{PORT}/api"], &["POST /api HTTP/1.0"]),
        case("HEAD", &["--method", "HEAD", "127.0.0.1:{PORT}"], &["HEAD / HTTP/1.0"]),
        case("DELETE", &["-XDELETE", "127.0.0.1:{PORT}/r/123"], &["DELETE /r/123 HTTP/1.0"]),
        case("PATCH", &["-X", "PATCH", "127.0.0.1:{PORT}"], &["PATCH / HTTP/1.0"]),
        case("OPTIONS", &["-X", "OPTIONS", "127.0.0.1:{PORT}"], &["OPTIONS / HTTP/1.0"]),
        Case {
            name: "the method from the environment",
            args: &["127.0.0.1:{PORT}"],
            env: &[("PROBE_METHOD", "PUT")],
            sent: &["PUT / HTTP/1.0"],
        },
        Case {
            name: "the method from a variable of any name",
            args: &["-X", "${HTTP_METHOD}", "127.0.0.1:{PORT}"],
            env: &[("HTTP_METHOD", "POST")],
            sent: &["POST / HTTP/1.0"],
        },
        case(
            "headers",
            &["-H", "X-Request-ID: 12345", "-H", "X-Client-Version: 1.0", "127.0.0.1:{PORT}"],
            &["X-Request-ID: 12345", "X-Client-Version: 1.0"],
        ),
        case("33 headers", &many, &["X-Header-0: value0", "X-Header-32: value32"]),
        // They keep the last in their test server's dictionary; both are sent.
        case("a header twice", &["-HX: 1", "-HX: 2", "127.0.0.1:{PORT}"], &["X: 1", "X: 2"]),
        case(
            "an own User-Agent",
            &["-H", "User-Agent: MyApp/2.0", "127.0.0.1:{PORT}"],
            &["User-Agent: MyApp/2.0"],
        ),
        Case {
            name: "a User-Agent from a variable",
            args: &["-H", "User-Agent: ${UA}", "127.0.0.1:{PORT}"],
            env: &[("UA", "EnvClient/1.0")],
            sent: &["User-Agent: EnvClient/1.0"],
        },
        // --basic-auth is user info here, as in curl and in any URL.
        case(
            "a login",
            &["http://username:password@127.0.0.1:{PORT}/"],
            &["Authorization: Basic dXNlcm5hbWU6cGFzc3dvcmQ="],
        ),
        Case {
            name: "a login from the environment",
            args: &["http://${AUTH}@127.0.0.1:{PORT}/"],
            env: &[("AUTH", "admin:secret123")],
            sent: &["Authorization: Basic YWRtaW46c2VjcmV0MTIz"],
        },
        case(
            "a login with @ and : in it",
            &["http://user%40domain:p@ss:word@127.0.0.1:{PORT}/"],
            &["Authorization: Basic dXNlckBkb21haW46cEBzczp3b3Jk"],
        ),
        case("an empty password", &["http://user:@127.0.0.1:{PORT}/"], &["Authorization: Basic dXNlcjo="]),
        case(
            "an empty user",
            &["http://:password@127.0.0.1:{PORT}/"],
            &["Authorization: Basic OnBhc3N3b3Jk"],
        ),
        // They refuse it; a user without a password is one to curl, with an empty one.
        case("a user alone", &["http://user@127.0.0.1:{PORT}/"], &["Authorization: Basic dXNlcjo="]),
        // Their --host and --port over a URL's own are variables in the URL here.
        Case {
            name: "host and port from the environment",
            args: &["http://${TARGET_HOST:-example.com}:${TARGET_PORT:-8080}/test"],
            env: &[("TARGET_HOST", "127.0.0.1"), ("TARGET_PORT", "{PORT}")],
            sent: &["GET /test HTTP/1.0", "Host: 127.0.0.1:{PORT}"],
        },
        // They send one slash of several, by accident of their URL parser.
        case("several slashes", &["127.0.0.1:{PORT}///a//b"], &["GET ///a//b HTTP/1.0"]),
        // They send the fragment; no client should (RFC 9110, 7.1).
        case("a fragment", &["127.0.0.1:{PORT}/path#fragment"], &["GET /path HTTP/1.0"]),
        case("escapes and a query", &["127.0.0.1:{PORT}/a%20b?k=v%26t"], &["GET /a%20b?k=v%26t HTTP/1.0"]),
        case("a long path", &long_path, &long_path_line),
        // They refuse more than 512 bytes; the kernel's limit on arguments is ours.
        case("a long header", &long_field, &long_field_line),
        // They refuse it; to curl it takes the header away, so it does here.
        case("an empty header", &["-H", "Accept: ", "127.0.0.1:{PORT}"], &["GET / HTTP/1.0", "!Accept"]),
        Case {
            name: "the timeout's option beats its variable",
            args: &["--timeout", "10", "127.0.0.1:{PORT}"],
            env: &[("PROBE_TIMEOUT", "abc")],
            sent: &["GET / HTTP/1.0"],
        },
    ];
    for Case { name, args, env, sent } in cases {
        let (run, request) = run(args, env);
        assert_eq!(run.code, Some(0), "{name}: {run:?}");
        for line in sent {
            match line.strip_prefix('!') {
                Some(start) => {
                    assert!(!request.lines().any(|line| line.starts_with(start)), "{name}: {request}")
                }
                None => {
                    assert!(request.lines().any(|sent| sent == *line), "{name}: no {line:?} in\n{request}")
                }
            }
        }
    }
}

#[test]
fn the_statuses_that_httpcheck_tests() {
    for (status, options, code) in [
        (200, &[][..], 0),
        (201, &[], 0),
        (204, &[], 0),
        (299, &[], 0),
        // They want 2xx only. A redirect is an answer of a server that works,
        // and most checks accept it; --status 2xx is their rule.
        (300, &[], 0),
        (301, &[], 0),
        (300, &["--status", "2xx"], 1),
        (301, &["--status", "2xx"], 1),
        (299, &["--status", "2xx"], 0),
        (400, &[], 1),
        (401, &[], 1),
        (403, &[], 1),
        (404, &[], 1),
        (500, &[], 1),
        (502, &[], 1),
        (503, &[], 1),
    ] {
        let port = serve(answers(format!("HTTP/1.0 {status} Some Reason\r\n\r\n")));
        let target = format!("http://127.0.0.1:{port}/");
        let mut args = options.to_vec();
        args.push(&target);
        assert_eq!(probe(&args).code, Some(code), "{status} {options:?}");
    }
}

#[test]
fn a_slow_server_within_and_beyond_the_timeout() {
    let port = serve(|mut stream| {
        read_request(&mut stream);
        thread::sleep(Duration::from_millis(300));
        let _ = stream.write_all(OK.as_bytes());
    });
    let target = format!("127.0.0.1:{port}");
    assert_eq!(probe(&["--timeout", "20", &target]).code, Some(0));
    assert_eq!(probe_env(&[&target], &[("PROBE_TIMEOUT", "20")]).code, Some(0));
    // They wait whole seconds at least; a connect timeout of its own is not
    // wanted, since one deadline covers it.
    probe(&["--timeout", "0.1", &target])
        .unhealthy(&format!("unhealthy: {target}: receive: timed out after 100ms"));
}

#[test]
fn what_both_refuse_is_refused() {
    let long_name = format!("http://{}.com/", "a".repeat(251));
    for (args, says) in [
        (&[][..], "missing; give one"),
        (&["ftp://127.0.0.1:{PORT}/"], "unknown scheme"),
        (&["--timeout", "0", "{T}"], "--timeout \"0\": must be from"),
        (&["--timeout", "-1", "{T}"], "--timeout \"-1\": must be from"),
        (&["--timeout", "3601", "{T}"], "--timeout \"3601\": must be from"),
        (&["--timeout", "99999", "{T}"], "--timeout \"99999\": must be from"),
        (&["--timeout", "abc", "{T}"], "--timeout \"abc\": must be from"),
        (&["--timeout", "0.5abc", "{T}"], "--timeout \"0.5abc\": must be from"),
        (&["--timeout"], "--timeout: needs a value"),
        (&["--method"], "--method: needs a value"),
        (&["--unknown-flag", "{T}"], "\"--unknown-flag\": unknown"),
        (&["-H", "InvalidHeader", "{T}"], "--header: must be 'Name: value'"),
        (&["-H", "", "{T}"], "--header: must be 'Name: value'"),
        (&["-H", "Bad Header: value", "{T}"], "--header: must be 'Name: value'"),
        (&["-H", "X: value\r\nInjected: header", "{T}"], "--header: must be 'Name: value'"),
        (&["-H", "User-Agent: a\r\nInjected: header", "{T}"], "--header: must be 'Name: value'"),
        (&["-X", "GET\r\nInjected: header", "{T}"], "must be a method"),
        (&["{T}test\r\nInjected: header"], "control character"),
        (&["{T}test\nInjected: header"], "control character"),
        (&["http://test\r\nhost.com:{PORT}/"], "control character"),
        (&["http://test\rhost.com:{PORT}/"], "control character"),
        (&[&long_name], "the host must"),
        (&["http://127.0.0.1:0/"], "the port must"),
        (&["http://127.0.0.1:65536/"], "the port must"),
        (&["http://127.0.0.1:70000/"], "the port must"),
        (&["http://127.0.0.1:80abc/"], "the port must"),
        (&["http://127.0.0.1:-1/"], "the port must"),
        (&["tcp://127.0.0.1"], "needs a port"),
        (&["tcp://127.0.0.1:0"], "the port must"),
        (&["tcp://127.0.0.1:abc"], "the port must"),
        (&["tcp://127.0.0.1:8080abc"], "the port must"),
    ] {
        let args: Vec<String> =
            args.iter().map(|arg| arg.replace("{T}", "http://127.0.0.1:{PORT}/")).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (run, request) = run(&args, &[]);
        assert_eq!(run.code, Some(1), "{args:?}");
        assert!(run.stderr.starts_with("probe: ") && run.stderr.contains(says), "{args:?}: {}", run.stderr);
        assert!(request.is_empty(), "{args:?} was sent");
    }
    // They ignore a method from the environment that is none, and check with
    // GET: a typing error then hides for ever. It is an error here.
    let (run, request) = run(&["127.0.0.1:{PORT}"], &[("PROBE_METHOD", "HEAD\r\nInjected: header")]);
    assert!(run.code == Some(1) && run.stderr.contains("PROBE_METHOD") && request.is_empty(), "{run:?}");
}

#[test]
fn portcheck_s_ports() {
    let open = serve(silent);
    let closed = closed_port();
    for (args, env, code) in [
        (&["tcp://127.0.0.1:{OPEN}"][..], &[][..], 0),
        (&["tcp://localhost:{OPEN}"], &[], 0),
        (&["-t", "2", "tcp://127.0.0.1:{OPEN}"], &[], 0),
        (&["--timeout", "3600", "tcp://127.0.0.1:{OPEN}"], &[], 0),
        (&["tcp://127.0.0.1:{CLOSED}"], &[], 1),
        (&["tcp://127.0.0.1:1"], &[], 1),
        (&["tcp://127.0.0.1:65535"], &[], 1),
        // Their CHECK_HOST, CHECK_PORT and CHECK_TIMEOUT.
        (&[], &[("PROBE_TARGET", "tcp://127.0.0.1:{OPEN}")], 0),
        (&["tcp://${HOST:-127.0.0.1}:${PORT}"], &[("PORT", "{OPEN}"), ("HOST", "")], 0),
        (&["tcp://127.0.0.1:{OPEN}"], &[("PROBE_TIMEOUT", "3")], 0),
        (&["-t", "5", "tcp://127.0.0.1:{OPEN}"], &[("PROBE_TIMEOUT", "invalid")], 0),
        (&["tcp://127.0.0.1:{OPEN}"], &[("PROBE_TIMEOUT", "invalid")], 1),
        (&["tcp://127.0.0.1:{OPEN}"], &[("PROBE_TARGET", "invalid://")], 0),
        (&[], &[("PROBE_TARGET", "")], 1),
    ] {
        let fill =
            |text: &str| text.replace("{OPEN}", &open.to_string()).replace("{CLOSED}", &closed.to_string());
        let args: Vec<String> = args.iter().map(|arg| fill(arg)).collect();
        let env: Vec<(&str, String)> = env.iter().map(|(name, value)| (*name, fill(value))).collect();
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(probe_env(&args, &env).code, Some(code), "{args:?} {env:?}");
    }
    for help in ["-h", "--help"] {
        assert_eq!(probe(&[help]).code, Some(0));
    }
}
