//! The black-box cases that microcheck's httpcheck and portcheck publish, with
//! our options, as far as no other file here has them. Where we decide otherwise,
//! the row says why. Left out: https, UDP, and variables whose name an option
//! chooses (`--port-env NAME`): `${NAME}` in any argument does that.

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
        Case {
            name: "the method from a variable of any name",
            args: &["-X", "${HTTP_METHOD}", "127.0.0.1:{PORT}"],
            env: &[("HTTP_METHOD", "POST")],
            sent: &["POST / HTTP/1.0"],
        },
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
        case("escapes and a query", &["127.0.0.1:{PORT}/a%20b?k=v%26t"], &["GET /a%20b?k=v%26t HTTP/1.0"]),
        case("a long path", &long_path, &long_path_line),
        // They refuse more than 512 bytes; the kernel's limit on arguments is ours.
        case("a long header", &long_field, &long_field_line),
        // They refuse it; to curl it takes the header away, so it does here.
        case("an empty header", &["-H", "Accept: ", "127.0.0.1:{PORT}"], &["GET / HTTP/1.0", "!Accept"]),
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
fn a_slow_server_within_the_timeout() {
    let port = serve(|mut stream| {
        read_request(&mut stream);
        thread::sleep(Duration::from_millis(300));
        let _ = stream.write_all(OK.as_bytes());
    });
    let target = format!("127.0.0.1:{port}");
    assert_eq!(probe(&["--timeout", "20", &target]).code, Some(0));
    assert_eq!(probe_env(&[&target], &[("PROBE_TIMEOUT", "20")]).code, Some(0));
}

#[test]
fn what_both_refuse_is_refused() {
    let long_name = format!("http://{}.com/", "a".repeat(251));
    for (args, says) in [
        (&["--timeout", "3601", "{T}"][..], "--timeout \"3601\": must be from"),
        (&["--timeout", "0.5abc", "{T}"], "--timeout \"0.5abc\": must be from"),
        (&["-H", "", "{T}"], "--header: must be 'Name: value'"),
        (&["-H", "User-Agent: a\r\nInjected: header", "{T}"], "--header: must be 'Name: value'"),
        (&["{T}test\nInjected: header"], "control character"),
        (&["http://test\rhost.com:{PORT}/"], "control character"),
        (&[&long_name], "the host must"),
        (&["http://127.0.0.1:0/"], "the port must"),
        (&["http://127.0.0.1:65536/"], "the port must"),
        (&["http://127.0.0.1:80abc/"], "the port must"),
        (&["http://127.0.0.1:-1/"], "the port must"),
        (&["tcp://127.0.0.1"], "needs a port"),
        (&["tcp://127.0.0.1:0"], "the port must"),
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
    let open = serve(silent).to_string();
    probe(&["--timeout", "3600", &format!("tcp://127.0.0.1:{open}")]).healthy("healthy: ");
    // Their CHECK_HOST and CHECK_PORT; an empty one is as good as none.
    let target = "tcp://${HOST:-127.0.0.1}:${PORT}";
    probe_env(&[target], &[("PORT", open.as_str()), ("HOST", "")]).healthy("healthy: ");
    for port in [1, 65535] {
        let target = format!("tcp://127.0.0.1:{port}");
        probe(&[&target]).unhealthy(&format!("unhealthy: {target}: connect: connection refused"));
    }
}
