//! Options, precedence, expansion, help, and bad usage.

mod support;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use support::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

fn server() -> String {
    format!("http://127.0.0.1:{}/", serve(answers(OK)))
}

#[test]
fn bad_usage_is_one_line_that_quotes_what_was_wrong_and_says_what_is_accepted() {
    let duration = "must be from 1ms to 1h, such as 500ms, 5s, 1m or 0.5 (seconds)";
    let statuses = "must be 101 or codes from 200 to 999: 200 or 200,204 or 200-299 or 2xx or any";
    let method = "must be a method such as GET, HEAD or POST";
    let host = "the host must be letters, digits, - . _";
    let header = "must be 'Name: value' without control characters";
    let https = "https is not supported; use tls://host:port to check that the server answers";
    let variable = "must be ${NAME}, ${NAME:-default}, ${/path} or ${0xff}; $${ is a literal ${";
    let signal = "must be TERM, INT, QUIT, HUP, ABRT, USR1 or USR2";
    let wait = "needs --wait DURATION, the time to be unhealthy before";
    let unset = "not set; set it, or give a default, as in ${PORT:-8080}";
    let missing = "target: missing; give one or set PROBE_TARGET";
    let port = "the port must be a number from 1 to 65535";
    let scheme = "unknown scheme; use http://, tcp://, tls://, grpc://, unix: or file:";
    let exit = "remove || exit 1: the exit code is 1 already";
    let others = "cannot be used with --install, --kill, --hold or --start-period";
    let max_age = "must be from 1ms to 10000h, such as 90s, 15m or 2h";
    let leave = "not needed; leave it out";
    let url_control = "contains a control character or a space; in a URL write %20";
    /// Arguments, environment, and the line without its beginning and end.
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], String);
    let cases: &[Case] = &[
        (&[], &[], missing.into()),
        (&[], &[("PROBE_TARGET", "")], missing.into()),
        (&[], &[("PROBE_TARGET", " \t")], missing.into()),
        (&["--frob", "x"], &[], "option \"--frob\": unknown".into()),
        (&["--frob=secret", "x"], &[], "option \"--frob\": unknown".into()),
        (&["-z", "x"], &[], "option \"-z\": unknown".into()),
        (&["-", "x"], &[], "option \"-\": unknown".into()),
        (&["-uadmin:S3cr3t", "x"], &[], "option \"-u\": unknown; write http://user:password@host".into()),
        (&["-fsS", "x"], &[], "option \"-f\": not needed; leave it out".into()),
        (&["-s", "x"], &[], "option \"-s\": not needed; leave it out".into()),
        (&["-k", "x"], &[], "option \"-k\": unknown; write tls://host:port".into()),
        (&["-I", "x"], &[], "option \"-I\": unknown; write --method HEAD".into()),
        (&["-timeout", "3s", "x"], &[], "option \"-timeout\": needs two dashes".into()),
        (&["-data", "S3cr3t", "x"], &[], "option \"-data\": needs two dashes".into()),
        (&["-data=S3cr3t", "x"], &[], "option \"-data\": needs two dashes".into()),
        (&["-data S3cr3t", "x"], &[], "option \"-data\": needs two dashes".into()),
        (&["-header=A: S3cr3t", "x"], &[], "option \"-header\": needs two dashes".into()),
        (&["--fail", "x"], &[], format!("option \"--fail\": {leave}")),
        (&["--spider", "x"], &[], format!("option \"--spider\": {leave}")),
        (&["-qO-", "x"], &[], format!("option \"-q\": {leave}")),
        (&["-nv", "x"], &[], format!("option \"-n\": {leave}")),
        (&["--no-verbose", "x"], &[], format!("option \"--no-verbose\": {leave}")),
        (&["-o", "/dev/null", "x"], &[], "option \"-o\": not needed; leave it and its value out".into()),
        (&["--tries=1", "x"], &[], "option \"--tries\": not needed; leave it and its value out".into()),
        (&["--connect-timeout", "3", "x"], &[], "option \"--connect-timeout\": unknown; write --timeout".into()),
        (&["--request", "GET", "x"], &[], "option \"--request\": unknown; write --method".into()),
        (&["--no-check-certificate", "x"], &[], "option \"--no-check-certificate\": unknown; write tls://host:port".into()),
        (&["--Timeout", "3s", "x"], &[], "option \"--Timeout\": unknown".into()),
        (&["-o/dev/null", "x"], &[], "option \"-o\": not needed; leave it and its value out".into()),
        (&["--max-time", "3", "x"], &[], "option \"--max-time\": unknown; write --timeout".into()),
        (&["-m3", "x"], &[], "option \"-m\": unknown; write --timeout".into()),
        (&["--user=u:S3cr3t", "x"], &[], "option \"--user\": unknown; write http://user:password@host".into()),
        (&["-t 3s http://x/"], &[], "option \"-t\": what follows must be an argument of its own".into()),
        (
            &["--timeout 3s", "x"],
            &[],
            "option \"--timeout\": what follows must be an argument of its own".into(),
        ),
        (
            &["--header Authorization: Bearer S3cr3t", "x"],
            &[],
            "option \"--header\": what follows must be an argument of its own".into(),
        ),
        (&["--data S3cr3t", "x"], &[], "option \"--data\": what follows must be an argument of its own".into()),
        (&["--token/S3cr3t", "x"], &[], "option \"--token\": unknown".into()),
        (&["--timeouts", "1s", "x"], &[], "option \"--timeouts\": unknown".into()),
        (&["x", "--timeout"], &[], "--timeout: needs a value".into()),
        (&["x", "-t"], &[], "--timeout: needs a value".into()),
        (&["--quiet=1", "x"], &[], "--quiet: does not take a value".into()),
        (&["-qx", "x"], &[], "--quiet: does not take a value".into()),
        (&["-t", "0", "x"], &[], format!("--timeout \"0\": {duration}")),
        (&["-t-1s", "x"], &[], format!("--timeout: {duration}")),
        (&["-t", "--data=S3cr3t", "x"], &[], format!("--timeout: {duration}")),
        (&["-t", "-dS3cr3t", "x"], &[], format!("--timeout: {duration}")),
        (&["-X", "Authorization: S3cr3t", "x"], &[], format!("--method: {method}")),
        (&["'--data=S3cr3t'", "x"], &[], "target 1: remove the quotes".into()),
        (&[], &[("PROBE_TARGET", "x --data=S3cr3t")], format!("target 2: {host}")),
        (&["--timeout5s", "x"], &[], "option \"--timeout\": what follows must be an argument of its own".into()),
        (&["--kill:TERM", "x"], &[], "option \"--kill\": what follows must be an argument of its own".into()),
        (&["--any http://x"], &[], "option \"--any\": what follows must be an argument of its own".into()),
        (&["--timeout=NaN", "x"], &[], format!("--timeout \"NaN\": {duration}")),
        (&["-t", "s", "x"], &[], format!("--timeout \"s\": {duration}")),
        (&["-t", "", "x"], &[], format!("--timeout \"\": {duration}")),
        (&["-w", "2h", "x"], &[], format!("--wait \"2h\": {duration}")),
        (&["x"], &[("PROBE_TIMEOUT", "soon")], format!("PROBE_TIMEOUT \"soon\": {duration}")),
        (&["x"], &[("PROBE_WAIT", "0")], format!("PROBE_WAIT \"0\": {duration}")),
        (&["--kill", "TERM", "x"], &[], format!("--kill: {wait}")),
        (&["x"], &[("PROBE_KILL", "TERM")], format!("--kill: {wait}")),
        (&["--kill", "TERM"], &[], missing.into()),
        (&["--kill", "KILL", "-w", "1s", "x"], &[], format!("--kill \"KILL\": {signal}")),
        (&["--kill", "sigstop", "-w", "1s", "x"], &[], format!("--kill \"sigstop\": {signal}")),
        (&["--kill=15", "-w", "1s", "x"], &[], format!("--kill \"15\": {signal}")),
        (&["--kill", "", "-w", "1s", "x"], &[], format!("--kill \"\": {signal}")),
        (&["--kill", "http://u:S3cr3t@x/"], &[], format!("--kill: {signal}")),
        (&["-w", "1s", "x"], &[("PROBE_KILL", "9")], format!("PROBE_KILL \"9\": {signal}")),
        (&["--any=1", "x"], &[], "--any: does not take a value".into()),
        (&["--http1.1=1", "x"], &[], "--http1.1: does not take a value".into()),
        (&["--status", "100", "x"], &[], format!("--status \"100\": {statuses}")),
        (&["--expect", "", "x"], &[], "--expect \"\": must not be empty".into()),
        (&["--expect=", "x"], &[], "--expect \"\": must not be empty".into()),
        (&["--expect", "${W}", "x"], &[("W", "")], "--expect \"${W}\": must not be empty".into()),
        (
            &["--expect", "a", "-X", "HEAD", "x"],
            &[],
            "--expect: tls://, grpc://, file: and HEAD have no body to search".into(),
        ),
        (
            &["--expect", "a", "x", "tls://x:1"],
            &[],
            "--expect: tls://, grpc://, file: and HEAD have no body to search".into(),
        ),
        (
            &["--expect", "a", "grpc://x:1"],
            &[],
            "--expect: tls://, grpc://, file: and HEAD have no body to search".into(),
        ),
        // The value was forgotten.
        (&["--timeout", "http://admin:S3cr3t@x/"], &[], format!("--timeout: {duration}")),
        (&["--unix-socket", "http://u:S3cr3t@x/"], &[], "--unix-socket: must be a path, not a target".into()),
        (&["--install", "http://u:S3cr3t@x/"], &[], "--install: must be a path, not a target".into()),
        (&["--status", "https://x/"], &[], format!("--status: {statuses}")),
        (&["--method", "admin:S3cr3t@x"], &[], format!("--method: {method}")),
        (&["--status", "2x", "x"], &[], format!("--status \"2x\": {statuses}")),
        (&["x"], &[("PROBE_STATUS", "20")], format!("PROBE_STATUS \"20\": {statuses}")),
        (&["-X", "GE T", "x"], &[], format!("--method \"GE T\": {method}")),
        (&["-X", "G\r\nX", "x"], &[], format!("--method \"G\\r\\nX\": {method}")),
        (&["x"], &[("PROBE_METHOD", "(")], format!("PROBE_METHOD \"(\": {method}")),
        (&["-H", "", "x"], &[], format!("--header: {header}")),
        (&["-H", "secret", "x"], &[], format!("--header: {header}")),
        (&["-H", "A: b\r\nC: secret", "x"], &[], format!("--header: {header}")),
        (&["-H", "A b: secret", "x"], &[], format!("--header: {header}")),
        (&["-H", ": secret", "x"], &[], format!("--header: {header}")),
        (
            &["--unix-socket", "", "x"],
            &[],
            "--unix-socket \"\": must be an absolute path, as in unix:/run/app.sock".into(),
        ),
        (&["--unix-socket", "a\nb", "x"], &[], format!("--unix-socket \"a\\nb\": {url_control}")),
        (&["https://x:1/"], &[], format!("target 1 \"https://x:1\": {https}")),
        (&["http://x:99999/"], &[], format!("target 1 \"http://x:99999\": {port}")),
        (&["http://${H}:99999/"], &[("H", "x")], format!("target 1: {port}")),
        (&["http://x:$PORT/"], &[], "target 1: write ${NAME}, with braces".into()),
        (&["x:$(PORT)/"], &[], "target 1: write ${NAME}, not $(NAME)".into()),
        (&["http://x:/"], &[], format!("target 1 \"http://x:\": {port}")),
        (&["tcp://x:1/path"], &[], "target 1 \"tcp://x:1\": takes no path".into()),
        (&["tls://localhost"], &[], "target 1 \"tls://localhost\": needs a port, as in :443".into()),
        (&["x", "grpc://x/y"], &[], "target 2 \"grpc://x\": needs a port, as in :443".into()),
        (&["grpc://x/${V}"], &[("V", "S3cr3t")], "target 1 \"grpc://x\": needs a port, as in :443".into()),
        (&["grpc://x:1?y"], &[], "target 1 \"grpc://x:1\": takes no path".into()),
        (&["http:host"], &[], "target 1: write http://host:port".into()),
        (&["\"http://x/\""], &[], "target 1 '\"http:': remove the quotes".into()),
        (&["a,b"], &[], "target 1 \"a,b\": separate targets by spaces".into()),
        (
            &["http://::1:80/"],
            &[],
            "target 1: write an IPv6 address in brackets, as in [::1]".into(),
        ),
        (
            &["http://user:pa/ss@x/"],
            &[],
            "target 1: in a user name or password write %2F for /, %3F for ?, %23 for #".into(),
        ),
        // An `@` or `||` further on is not the mistake.
        (&["https://x/?email=a@b.c"], &[], format!("target 1: {https}")),
        (&["http://x:99999/@y"], &[], format!("target 1: {port}")),
        (&["tls://x:1/@y"], &[], "target 1: takes no path".into()),
        (&["https://x/?q=a||b"], &[], format!("target 1 \"https://x\": {https}")),
        // An IPv6 address out of a variable is not the mistake either.
        (&["http://${H}:99999/"], &[("H", "::1")], format!("target 1: {port}")),
        (&["http://${H}:${P}/"], &[("H", "::1"), ("P", "")], format!("target 1: {port}")),
        (&["tcp://${H}"], &[("H", "::1")], "target 1: needs a port, as in :443".into()),
        (&["https://${H}:8443/"], &[("H", "::1")], format!("target 1: {https}")),
        (&["http://${H}/a b"], &[("H", "::1")], format!("target 1: {url_control}")),
        (&["http://${H}/\n"], &[("H", "::1")], format!("target 1: {url_control}")),
        (&["/run/app.sock"], &[], "target 1: no host; a Unix socket is unix:/run/app.sock".into()),
        (&["http://admin:S3cr3t"], &[], format!("target 1: {port}")),
        (&["http://admin:S3cr3t%40host"], &[], format!("target 1: {port}")),
        (&["--timeout", "${V}", "x"], &[("V", "S3cr3t")], format!("--timeout \"${{V}}\": {duration}")),
        (&["--status", "${V}", "x"], &[("V", "S3cr3t")], format!("--status \"${{V}}\": {statuses}")),
        (&["-X", "${V}", "x"], &[("V", "S3cr3t ")], format!("--method \"${{V}}\": {method}")),
        (
            &["8090"],
            &[],
            "target 1 \"8090\": a number is no host; write localhost:8090, or four numbers as in 127.0.0.1"
                .into(),
        ),
        (&["http://u:hunter2@x:y/"], &[], format!("target 1: {port}")),
        // A shell expanded a `$` without braces.
        (&["http://u:S3cr3t/"], &[], format!("target 1: {port}")),
        (
            &["http://${H}:8080/"],
            &[("H", "")],
            "variable \"H\": empty, which leaves no host; set it, or give a default, as in ${HOST:-localhost}".into(),
        ),
        (&["http//localhost:8090"], &[], "target 1 \"http\": write http://, with a colon".into()),
        (&["http://x/", "||", "exit", "1"], &[], format!("target 2 \"||\": {exit}")),
        (&["http://x/ || exit 1"], &[], format!("target 1 \"http://x\": {exit}")),
        (&["http://x/\r\nX: y"], &[], format!("target 1 \"http://x\": {url_control}")),
        (&["tcp://127.0.0.1:1", "ftp://x"], &[], format!("target 2 \"ftp://x\": {scheme}")),
        (&[], &[("PROBE_TARGET", "x y ftp://u:S3cr3t@x")], format!("target 3: {scheme}")),
        (&["x", "--"], &[], "--: needs a command after it".into()),
        (&["x", "--", ""], &[], "--: needs a command after it".into()),
        (&["--", "http://u:S3cr3t@x/"], &[], "--: begins the command; write targets before it".into()),
        (&["--", "app"], &[("PROBE_TARGET", "x")], "target: missing; give one before --".into()),
        (&["--install", "/x", "--", "app"], &[], format!("--: {others}")),
        (&["--kill", "TERM", "-w1s", "x", "--", "app"], &[], format!("--: {others}")),
        (&["--hold", "9s", "x", "--", "app"], &[], format!("--: {others}")),
        (&["--start-period", "9s", "x", "--", "app"], &[], format!("--: {others}")),
        (&["--expect", "a", "file:/x"], &[], "--expect: tls://, grpc://, file: and HEAD have no body to search".into()),
        (&["--max-age", "9s", "x"], &[], "--max-age: needs a target such as file:/run/app.alive".into()),
        (&["--max-age", "10001h", "file:/x"], &[], format!("--max-age \"10001h\": {max_age}")),
        (&["--max-age", "0", "file:/x"], &[], format!("--max-age \"0\": {max_age}")),
        (&["--start-period", "9s", "x"], &[], "--start-period: needs --kill SIGNAL".into()),
        (
            &["--start-period", "2h", "--kill", "TERM", "-w1s", "x"],
            &[],
            "--start-period \"2h\": must be from 0 to 1h, such as 90s or 2m".into(),
        ),
        (
            &["--kill", "TERM", "-w1s", "x"],
            &[("PROBE_START_PERIOD", "junk")],
            "PROBE_START_PERIOD \"junk\": must be from 0 to 1h, such as 90s or 2m".into(),
        ),
        (
            &["x"],
            &[("PROBE_KILL", "TERM"), ("PROBE_WAIT", "1s"), ("PROBE_START_PERIOD", "1y")],
            "PROBE_START_PERIOD \"1y\": must be from 0 to 1h, such as 90s or 2m".into(),
        ),
        (&["--hold", "0", "x"], &[], format!("--hold \"0\": {duration}")),
        (&["x"], &[("PROBE_HOLD", "soon")], format!("PROBE_HOLD \"soon\": {duration}")),
        (&["http://${NO_SUCH}/"], &[], format!("variable \"NO_SUCH\": {unset}")),
        (&["-H", "A: ${TOKEN}", "x"], &[], format!("variable \"TOKEN\": {unset}")),
        (&["http://${X/"], &[], format!("target: {variable}")),
        (&["-H", "A: secret${", "x"], &[], format!("--header: {variable}")),
        (&["x"], &[("PROBE_DATA", "${")], format!("PROBE_DATA: {variable}")),
        (&[], &[("PROBE_TARGET", "${")], format!("PROBE_TARGET: {variable}")),
        (&["http://${V}/"], &[("V", "x\r\nX: y")], format!("target 1: {url_control}")),
        (&["-H", "A: ${V}", "x"], &[("V", "b\nC: d")], format!("--header: {header}")),
    ];
    for (args, env, problem) in cases {
        probe_env(args, env).unhealthy(&format!("probe: {problem} (see probe --help)"));
    }
}

#[test]
fn bad_usage_opens_no_socket() {
    let untouched = Untouched::new();
    let good = format!("tcp://127.0.0.1:{}", untouched.port());
    for mistake in [&["https://x"][..], &["-t", "0"], &["--kill", "TERM"], &["--install", "probe"]] {
        assert_eq!(probe(&[&[&good[..]], mistake].concat()).code, Some(1), "{mistake:?}");
    }
    untouched.assert();
}

#[test]
fn every_form_of_an_option() {
    let target = server();
    for args in [
        vec!["--status", "200", &target],
        vec!["--status=200", &target],
        vec![&target, "--status", "200"],
        vec!["-t", "9s", &target],
        vec!["-t9s", &target],
        vec!["--timeout=9", &target],
        vec![&target, "-X", "GET"],
        vec!["-XGET", &target],
        vec!["-t", "1ms", "-t", "9s", &target],
        vec!["-w", "9s", &target],
    ] {
        probe(&args).healthy(&format!("healthy: {target}: 200 OK in "));
    }
}

#[test]
fn the_command_line_beats_the_environment_which_beats_the_default() {
    let target = server();
    let (good, bad) = ("200", "500");
    probe_env(&[&target], &[("PROBE_STATUS", bad)])
        .unhealthy(&format!("unhealthy: {target}: 200 OK, got \"hello\", expected 500"));
    probe_env(&["--status", good, &target], &[("PROBE_STATUS", bad)]).healthy("healthy: ");
    probe_env(&["--status", good, &target], &[("PROBE_STATUS", "junk")]).healthy("healthy: ");
    probe_env(&[&target], &[("PROBE_STATUS", "")]).healthy("healthy: ");
    probe_env(&[&target], &[("PROBE_TARGET", "https://no/")]).healthy(&format!("healthy: {target}: "));
    // One of the image's, which says something only beside --kill.
    probe_env(&[&target], &[("PROBE_START_PERIOD", "junk")]).healthy("healthy: ");
}

#[test]
fn every_variable_stands_in_for_its_option() {
    let target = server();
    let silent_target = format!("127.0.0.1:{}", serve(silent));
    let echo = format!(
        "127.0.0.1:{}",
        serve(|mut stream| {
            let request = read_request(&mut stream);
            let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", request.len());
            let _ = std::io::Write::write_all(&mut stream, &[head.as_bytes(), &request].concat());
        })
    );
    probe_env::<&str>(&[], &[("PROBE_TARGET", &target)]).healthy(&format!("healthy: {target}: 200 OK in "));
    probe_env(&[&silent_target], &[("PROBE_TIMEOUT", "300ms")])
        .unhealthy(&format!("unhealthy: {silent_target}: receive: timed out after 300ms"));
    probe_env(&[&target], &[("PROBE_EXPECT", "world")])
        .unhealthy(&format!("unhealthy: {target}: 200 OK, got \"hello\", expected \"world\" in the body"));
    probe_env(&[echo.as_str(), "--expect", "PUT / HTTP"], &[("PROBE_METHOD", "PUT")]).healthy("healthy: ");
    probe_env(&[echo.as_str(), "--expect", "POST / HTTP"], &[("PROBE_DATA", "d")]).healthy("healthy: ");
    let closed = format!("127.0.0.1:{}", closed_port());
    probe_env(&[&closed], &[("PROBE_WAIT", "400ms")])
        .unhealthy(&format!("unhealthy: {closed}: connect: connection refused, waited 400ms"));
}

#[test]
fn variables_are_expanded_in_every_argument_and_variable() {
    let port = serve(answers(OK)).to_string();
    let env = [("TS_PORT", port.as_str()), ("WORD", "hello"), ("BOTH", "127.0.0.1:${TS_PORT}")];
    let target = format!("http://127.0.0.1:{port}/");
    let line = format!("healthy: {target}: 200 OK in ");
    probe_env(&["http://127.0.0.1:${TS_PORT:-8090}/"], &env).healthy(&line);
    probe_env(&["http://${TS_IP:-127.0.0.1}:${TS_PORT}/", "--expect=${WORD}"], &env).healthy(&line);
    probe_env(&["--expect", "${WORD:-x}", &target], &env).healthy(&line);
    probe_env(&["--status", "${CODE:-200}", &target], &env).healthy(&line);
    probe_env(&["--expect", "$${WORD}", &target], &env).unhealthy(&format!(
        "unhealthy: {target}: 200 OK, got \"hello\", expected \"$${{WORD}}\" in the body"
    ));
    probe_env(&["--expect", "${TS_PORT}", &target], &env).unhealthy(&format!(
        "unhealthy: {target}: 200 OK, got \"hello\", expected \"${{TS_PORT}}\" in the body"
    ));

    let mut env = env.to_vec();
    env.push(("PROBE_TARGET", "http://127.0.0.1:${TS_PORT}/"));
    env.push(("PROBE_EXPECT", "${WORD}"));
    probe_env::<&str>(&[], &env).healthy(&line);

    // One pass: what BOTH holds is not expanded again.
    let run = probe_env(&["http://${BOTH}/"], &env);
    assert!(run.code == Some(1) && run.stderr.contains("target 1: write ${NAME}, with braces"), "{run:?}");
}

#[test]
fn a_variables_value_never_becomes_an_option() {
    let run = probe_env(&["${X}"], &[("X", "--help")]);
    assert!(run.code == Some(1) && run.stderr.starts_with("probe: target 1"), "{run:?}");
}

#[test]
fn several_targets_in_the_variable_are_separated_by_white_space() {
    let (one, two) = (server(), server());
    let run = probe_env::<&str>(&[], &[("PROBE_TARGET", &format!(" {one}\n\t{two} "))]);
    assert_eq!(run.code, Some(0));
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains(&one) && lines[1].contains(&two), "{run:?}");
}

#[test]
fn help_and_version_are_on_stdout() {
    for option in ["-h", "--help"] {
        let run = probe(&["x", option, "--frob"]);
        assert!(run.code == Some(0) && run.stderr.is_empty(), "{run:?}");
        assert_eq!(run.stdout, include_str!("../src/input/help.txt"));
        assert!(run.stdout.lines().all(|line| line.len() <= 80), "{}", run.stdout);
    }
    for option in ["-V", "--version"] {
        assert_eq!(probe(&[option]).stdout, concat!("probe ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[test]
fn quiet_says_nothing_when_healthy() {
    for option in ["-q", "--quiet"] {
        let run = probe(&[option, &server()]);
        assert_eq!((run.code, run.text().as_str()), (Some(0), ""));
    }
    let target = format!("tcp://127.0.0.1:{}", closed_port());
    probe(&["-q", &target]).unhealthy(&format!("unhealthy: {target}: connect: connection refused"));
}

#[test]
fn secrets_are_never_printed() {
    let port = serve(answers("HTTP/1.1 500 No\r\n\r\n"));
    let target = format!("http://user:hunter2@127.0.0.1:{port}/");
    let run = probe(&["-H", "Authorization: hunter2", "-d", "hunter2", &target]);
    run.unhealthy(&format!("unhealthy: http://***@127.0.0.1:{port}/: 500 No, expected 200-399"));
}

#[test]
fn what_a_variable_holds_is_printed_for_host_and_port_only() {
    let port = serve(answers("HTTP/1.1 500 No\r\n\r\n")).to_string();
    let env = [("PORT", port.as_str()), ("KEY", "hunter2")];
    probe_env(&["http://127.0.0.1:${PORT}/?token=${KEY}&p=${PORT}"], &env).unhealthy(&format!(
        "unhealthy: http://127.0.0.1:{port}/?token=${{KEY}}&p=${{PORT}}: 500 No, expected 200-399"
    ));
    let url = format!("http://u:hunter2@127.0.0.1:{port}/hunter2");
    probe_env(&["${URL}"], &[("URL", &url)])
        .unhealthy(&format!("unhealthy: http://***@127.0.0.1:{port}${{URL}}: 500 No, expected 200-399"));
    probe_env(&["unix:/${KEY}"], &env).unhealthy("unhealthy: unix:/${KEY}: connect: no such file");
}

#[test]
fn an_ipv6_address_may_begin_in_a_variable_and_end_in_the_target() {
    // Nothing listens there, and a name server would be asked for no address.
    for (target, shown) in [
        ("tcp://${V}2:1", "tcp://[2001:db8::2]:1"),
        ("http://${V}2", "http://[2001:db8::2]"),
        ("grpc://${V}2:1/svc", "grpc://[2001:db8::2]:1/svc"),
        ("grpc://${V}2:1/${V}", "grpc://[2001:db8::2]:1/${V}"),
        ("tcp://${NO_SUCH:-2001:db8::}2:1", "tcp://[2001:db8::2]:1"),
    ] {
        let run = probe_env(&["-t300ms", target], &[("V", "2001:db8::")]);
        assert_eq!(run.code, Some(1), "{target}: {run:?}");
        assert!(run.stderr.starts_with(&format!("unhealthy: {shown}: connect: ")), "{target}: {run:?}");
    }
}

#[test]
fn of_a_value_the_part_that_is_sent_is_a_secret() {
    let echo = serve(|mut stream| {
        let request = read_request(&mut stream);
        let token = request.split(|byte| b"= ".contains(byte)).nth(2).unwrap_or_default().to_vec();
        let answer = [b"HTTP/1.0 403 No\r\n\r\n", &token[..], b" is no token"].concat();
        let _ = std::io::Write::write_all(&mut stream, &answer);
    });
    let target = format!("http://127.0.0.1:{echo}/?token=${{T}}");
    let line = format!("unhealthy: {target}: 403 No, got \"*** is no token\", expected 200-399");
    probe_env(&[&target], &[("T", "S3cr3t")]).unhealthy(&line);
    probe_env(&[&target], &[("T", "S3cr3t#Tok")]).unhealthy(&line);
}

#[test]
fn a_variable_in_user_info_is_that_text_whatever_it_holds() {
    let echo = serve(|mut stream| {
        let request = read_request(&mut stream);
        let _ = std::io::Write::write_all(&mut stream, &[b"HTTP/1.0 200 OK\r\n\r\n", &request[..]].concat());
    });
    let target = format!("http://admin:${{PW}}@127.0.0.1:{echo}/");
    // "admin:" and then the password.
    for (password, coded) in [
        ("a/b", "YWRtaW46YS9i"),
        ("a#b?", "YWRtaW46YSNiPw=="),
        ("a@b", "YWRtaW46YUBi"),
        ("%41", "YWRtaW46JTQx"),
        ("a b", "YWRtaW46YSBi"),
    ] {
        let line = format!("healthy: http://***@127.0.0.1:{echo}/: 200 OK in ");
        let expect = format!("--expect=Basic {coded}\r\n");
        probe_env(&[&expect, &target], &[("PW", password)]).healthy(&line);
        probe_env(&[expect], &[("PW", password), ("PROBE_TARGET", &target)]).healthy(&line);
    }
    let run = probe_env(&[&target], &[("PW", "a\nb")]);
    assert!(run.code == Some(1) && run.stderr.contains("control character"), "{run:?}");
}

#[test]
fn arguments_need_not_be_utf8() {
    let latin1 = |text: &[u8]| OsString::from_vec(text.to_vec());
    let port = serve(answers("HTTP/1.0 200 OK\r\n\r\ngr\u{fc}n"));
    let target = format!("127.0.0.1:{port}");
    let run = probe(&[latin1(target.as_bytes()), latin1(b"--expect"), latin1(b"gr\xc3\xbcn")]);
    run.healthy("healthy: ");
    let run = probe(&[latin1(target.as_bytes()), latin1(b"--expect"), latin1(b"gr\xfcn")]);
    run.unhealthy(&format!(
        "unhealthy: {target}: 200 OK, got \"gr\\xc3\\xbcn\", expected \"gr\\xfcn\" in the body"
    ));
}

#[test]
fn a_file_stands_for_its_content() {
    let folder = std::env::temp_dir().join(format!("probe-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let folder = folder.to_str().expect("UTF-8").to_string();
    let file = |name: &str, content: &[u8]| {
        let path = format!("{folder}/{name}");
        std::fs::write(&path, content).expect("written");
        path
    };
    let (word, full, over) =
        (file("word", b"hello\n"), file("full", &[b'x'; 65536]), file("over", &[b'x'; 65537]));
    let target = server();
    probe(&["--expect", &format!("${{{word}}}"), &target]).healthy("healthy: ");
    probe(&["--expect", &format!("${{{folder}/none:-ell}}"), &target]).healthy("healthy: ");
    probe(&["-d", &format!("${{{full}}}"), &target]).healthy("healthy: ");
    let shown = format!("http://127.0.0.1:1/?token=${{{word}}}");
    probe(&[&shown]).unhealthy(&format!("unhealthy: {shown}: connect: connection refused"));
    let fifo = format!("{folder}/fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let cut = |path: &str| if path.len() > 80 { format!("{}...", &path[..80]) } else { path.to_string() };
    for (path, problem) in [
        (format!("{folder}/none"), "no such file"),
        (over, "file too large"),
        (fifo, "not a regular file"),
        ("/dev/zero".into(), "not a regular file"),
        ("/dev/null".into(), "not a regular file"),
        (folder.clone(), "not a regular file"),
    ] {
        let run = probe(&["-d", &format!("${{{path}}}"), &target]);
        run.within(GENEROUS)
            .unhealthy(&format!("probe: file \"{}\": {problem} (see probe --help)", cut(&path)));
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn a_text_is_expanded_to_a_mebibyte_at_most() {
    let long = "x".repeat(100_000);
    let env = [("B", long.as_str())];
    probe_env(&["-d", &"${B}".repeat(2000), "x"], &env)
        .unhealthy("probe: --data: must be at most 1 MiB (see probe --help)");
}
