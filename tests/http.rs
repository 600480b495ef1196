//! Verdicts on responses, and what is sent.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

use support::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn verdicts() {
    let healthy = true;
    let unhealthy = false;
    let cases: &[(&str, &str, &[&str], bool, &str)] = &[
        // name, response, options, exit, what follows the target
        ("length", OK, &[], healthy, "200 OK in "),
        ("until close", "HTTP/1.0 200 OK\r\n\r\nhello", &[], healthy, "200 OK in "),
        ("no reason", "HTTP/1.1 200\r\n\r\n", &[], healthy, "200 in "),
        ("empty reason", "HTTP/1.1 200 \r\n\r\n", &[], healthy, "200 in "),
        ("bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", &[], healthy, "200 OK in "),
        ("HTTP/1.9", "HTTP/1.9 200 OK\r\n\r\n", &[], healthy, "200 OK in "),
        ("redirect", "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://x/\r\n\r\n", &[], healthy, "307 "),
        (
            "no content",
            "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n",
            &[],
            healthy,
            "204 No Content in ",
        ),
        ("not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", &[], healthy, "304 "),
        ("head", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", &["-X", "HEAD"], healthy, "200 OK in "),
        (
            "interim",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            &[],
            healthy,
            "200 OK in ",
        ),
        (
            "interim only",
            "HTTP/1.1 100 Continue\r\n\r\n",
            &[],
            unhealthy,
            "receive: connection closed in the middle of the headers",
        ),
        (
            "interim length",
            "HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            &[],
            healthy,
            "200 OK in ",
        ),
        (
            "chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: x\r\n\r\n",
            &[],
            healthy,
            "200 OK in ",
        ),
        (
            "chunked over HTTP/1.0",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            &["--expect", "hello"],
            healthy,
            "200 OK in ",
        ),
        (
            "server error",
            "HTTP/1.1 503 Service Unavailable\r\n\r\n",
            &[],
            unhealthy,
            "503 Service Unavailable, expected 200-399",
        ),
        ("not found", "HTTP/1.1 404 Not Found\r\n\r\n", &[], unhealthy, "404 Not Found, expected 200-399"),
        (
            "status list",
            "HTTP/1.1 404 Not Found\r\n\r\n",
            &["--status", "200,404"],
            healthy,
            "404 Not Found in ",
        ),
        (
            "status class",
            "HTTP/1.1 301 Moved\r\n\r\n",
            &["--status=2xx"],
            unhealthy,
            "301 Moved, expected 2xx",
        ),
        ("status any", "HTTP/1.1 599 Odd\r\n\r\n", &["--status", "any"], healthy, "599 Odd in "),
        ("status 999", "HTTP/1.1 999\r\n\r\n", &["--status", "any"], healthy, "999 in "),
        ("expect", OK, &["--expect", "ell"], healthy, "200 OK in "),
        (
            "expect missing",
            OK,
            &["--expect", "ello!"],
            unhealthy,
            "200 OK, got \"hello\", expected \"ello!\" in the body",
        ),
        (
            "expect in header only",
            OK,
            &["--expect", "Content"],
            unhealthy,
            "200 OK, got \"hello\", expected \"Content\" in the body",
        ),
        (
            "expect over chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            &["--expect", "hello"],
            healthy,
            "200 OK in ",
        ),
        (
            "short body",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            &[],
            unhealthy,
            "200 OK, then receive: connection closed in the middle of the body",
        ),
        (
            "short body, found",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            &["--expect", "hello"],
            unhealthy,
            "200 OK, then receive: connection closed in the middle of the body",
        ),
        (
            "no last chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            &[],
            unhealthy,
            "200 OK, then receive: connection closed before the last chunk",
        ),
        (
            "no end of trailer",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            &[],
            unhealthy,
            "200 OK, then receive: connection closed before the last chunk",
        ),
        (
            "bad chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            &[],
            unhealthy,
            "200 OK, then receive: malformed chunked coding",
        ),
        (
            "cut header",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n",
            &[],
            unhealthy,
            "receive: connection closed in the middle of the headers",
        ),
        (
            "cut status-line",
            "HTTP/1.1 200",
            &[],
            unhealthy,
            "receive: connection closed in the middle of the headers",
        ),
        ("nothing", "", &[], unhealthy, "receive: connection closed without a response, try --http1.1"),
        (
            "nothing to HTTP/1.1",
            "",
            &["--http1.1"],
            unhealthy,
            "receive: connection closed without a response",
        ),
        (
            "an upgrade is required",
            "HTTP/1.1 426 Upgrade Required\r\n\r\n",
            &[],
            unhealthy,
            "426 Upgrade Required, expected 200-399, try --http1.1",
        ),
        (
            "an upgrade is required of HTTP/1.1",
            "HTTP/1.1 426 Upgrade Required\r\n\r\n",
            &["--http1.1"],
            unhealthy,
            "426 Upgrade Required, expected 200-399",
        ),
        (
            "version not supported",
            "HTTP/1.0 505 No\r\n\r\n",
            &["--status=2xx"],
            unhealthy,
            "505 No, expected 2xx, try --http1.1",
        ),
        (
            "switching protocols",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\0\0",
            &[],
            unhealthy,
            "101 Switching Protocols, expected 200-399",
        ),
        (
            "switching protocols, accepted",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            &["--status", "101"],
            healthy,
            "101 Switching Protocols in ",
        ),
        ("two texts", OK, &["--expect", "ell", "--expect", "hello"], healthy, "200 OK in "),
        (
            "the first of two texts is missing",
            OK,
            &["--expect", "nothere", "--expect", "hello"],
            unhealthy,
            "200 OK, got \"hello\", expected \"nothere\" in the body",
        ),
        (
            "the second of two texts is missing",
            OK,
            &["--expect", "hello", "--expect", "nothere"],
            unhealthy,
            "200 OK, got \"hello\", expected \"nothere\" in the body",
        ),
        (
            "JSON",
            "HTTP/1.1 200 OK\r\n\r\n{\"up\":\n\tfalse}",
            &["--expect", "\"up\":true"],
            unhealthy,
            "200 OK, got '{\"up\":\\n\\tfalse}', expected '\"up\":true' in the body",
        ),
        ("bytes", "HTTP/1.1 200 OK\r\n\r\na\0b", &["--expect", "${0x610062}"], healthy, "200 OK in "),
        (
            "an empty last element of a list",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,\r\n\r\n5\r\nhel",
            &[],
            unhealthy,
            "200 OK, then receive: connection closed before the last chunk",
        ),
        (
            "HTTP/2, a SETTINGS frame",
            "\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0",
            &[],
            unhealthy,
            "not an HTTP response: HTTP/2, try grpc://host:port",
        ),
        (
            "not HTTP",
            "SSH-2.0-OpenSSH_9.2\r\n",
            &[],
            unhealthy,
            "not an HTTP response: \"SSH-2.0-OpenSSH_9.2\\r\\n\"",
        ),
        (
            "TLS alert",
            "\x15\x03\x01\0\x02\x02F",
            &[],
            unhealthy,
            "not an HTTP response: TLS, try tls://host:port",
        ),
        (
            "HTTP/2",
            "HTTP/2 200\r\n\r\n",
            &["--status", "any"],
            unhealthy,
            "not an HTTP response: \"HTTP/2 200\\r\\n\\r\\n\"",
        ),
        (
            "status 99",
            "HTTP/1.1 099 Low\r\n\r\n",
            &["--status", "any"],
            unhealthy,
            "not an HTTP response: \"HTTP/1.1 099 Low\\r\\n\\r\\n\"",
        ),
        (
            "two spaces",
            "HTTP/1.1  200 OK\r\n\r\n",
            &[],
            unhealthy,
            "not an HTTP response: \"HTTP/1.1  200 OK\\r\\n\\r\\n\"",
        ),
        (
            "status of letters",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            &[],
            unhealthy,
            "not an HTTP response: \"HTTP/1.1 2x0 OK\\r\\n\\r\\n\"",
        ),
        (
            "no number",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            &[],
            unhealthy,
            "receive: malformed Content-Length",
        ),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            &[],
            unhealthy,
            "receive: malformed Content-Length",
        ),
        (
            "same length twice",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\nhello",
            &[],
            healthy,
            "200 OK in ",
        ),
        (
            "control characters",
            "HTTP/1.1 500 \x1b[2J\x07\r\n\r\n",
            &[],
            unhealthy,
            "500 \\x1b[2J\\x07, expected 200-399",
        ),
        (
            "bad status before bad body",
            "HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nhello",
            &[],
            unhealthy,
            "500 Oops, got \"hello\", expected 200-399",
        ),
        (
            "HTML says nothing in its first bytes",
            "HTTP/1.1 404 Not Found\r\n\r\n \n<!doctype html>",
            &[],
            unhealthy,
            "404 Not Found, expected 200-399",
        ),
        (
            "an unwanted status with a body that breaks off",
            "HTTP/1.1 503 Down\r\nContent-Length: 99\r\n\r\n{\"db\":\"down\"}",
            &[],
            unhealthy,
            "503 Down, got '{\"db\":\"down\"}', expected 200-399",
        ),
    ];
    for (name, response, options, is_healthy, line) in cases {
        let target = format!("http://127.0.0.1:{}/", serve(answers(*response)));
        let mut args = options.to_vec();
        args.push(&target);
        let run = probe(&args);
        println!("{name}: {}", run.text().trim_end());
        match is_healthy {
            true => run.healthy(&format!("healthy: {target}: {line}")),
            false => run.unhealthy(&format!("unhealthy: {target}: {line}")),
        }
    }
}

#[test]
fn a_server_that_keeps_the_connection_open_costs_no_extra_time() {
    for response in [
        OK,
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ] {
        let target = format!("http://127.0.0.1:{}/", serve(keeps_open(response)));
        probe(&["-t", "30s", &target]).within(GENEROUS).healthy("healthy: ");
    }
}

#[test]
fn the_body_is_read_so_that_no_write_of_the_server_fails() {
    let (sender, written) = mpsc::channel();
    let port = serve(move |mut stream| {
        read_request(&mut stream);
        let body = vec![b'x'; 1_000_000];
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let result = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        sender.send(result.is_ok()).expect("the test listens");
    });
    probe(&[format!("127.0.0.1:{port}")]).healthy("healthy: ");
    assert!(written.recv_timeout(GENEROUS).expect("the server wrote"));
}

/// Runs the probe against a server that records what it is sent.
fn sent(options: &[&str], target: &str) -> String {
    let (sender, requests) = mpsc::channel();
    let port = serve(move |mut stream| {
        sender.send(read_request(&mut stream)).expect("the test listens");
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
    });
    let target = target.replace("PORT", &port.to_string());
    let mut args = options.to_vec();
    args.push(&target);
    probe(&args).healthy("healthy: ");
    let request = requests.recv_timeout(GENEROUS).expect("a request");
    String::from_utf8(request).expect("ASCII").replace(&port.to_string(), "PORT")
}

const AGENT: &str = concat!("User-Agent: probe/", env!("CARGO_PKG_VERSION"), "\r\n");

#[test]
fn the_request_to_the_letter() {
    let request = |line: &str, host: &str, rest: &str| {
        format!("{line} HTTP/1.0\r\nHost: {host}\r\n{AGENT}Accept: */*\r\nConnection: close\r\n{rest}")
    };
    let cases: &[(&[&str], &str, String)] = &[
        (&[], "http://127.0.0.1:PORT/a?b=c#d", request("GET /a?b=c", "127.0.0.1:PORT", "\r\n")),
        (&[], "localhost:PORT", request("GET /", "localhost:PORT", "\r\n")),
        (
            &[],
            "u:p@localhost:PORT?q",
            request("GET /?q", "localhost:PORT", "Authorization: Basic dTpw\r\n\r\n"),
        ),
        (
            &["-XOPTIONS"],
            "localhost:PORT",
            request("OPTIONS /", "localhost:PORT", "Content-Length: 0\r\n\r\n"),
        ),
        (
            &["-d", "a=b"],
            "localhost:PORT",
            request(
                "POST /",
                "localhost:PORT",
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b",
            ),
        ),
        (
            &["--http1.1"],
            "localhost:PORT/x",
            request("GET /x", "localhost:PORT", "\r\n").replace("HTTP/1.0", "HTTP/1.1"),
        ),
        (
            &["-d", "a${0x000d0a7e}b", "-H", "Content-Type:"],
            "localhost:PORT",
            request("POST /", "localhost:PORT", "Content-Length: 6\r\n\r\na\0\r\n~b"),
        ),
        (&[], ":PORT", request("GET /", "localhost:PORT", "\r\n")),
        (&[], "http://*:PORT", request("GET /", "localhost:PORT", "\r\n")),
        // Other clients make one slash of several, or one field of two.
        (
            &["-HX: 1", "-HX: 2", "-H", "Accept: "],
            "localhost:PORT///a//b%20c?d=e%26f",
            request("GET ///a//b%20c?d=e%26f", "localhost:PORT", "X: 1\r\nX: 2\r\n\r\n")
                .replace("Accept: */*\r\n", ""),
        ),
        (
            &["-H", "X-A: 1", "--header=x-b:2", "-HAccept: text/plain"],
            "localhost:PORT",
            format!(
                "GET / HTTP/1.0\r\nHost: localhost:PORT\r\n{AGENT}Connection: close\r\nX-A: 1\r\nx-b:2\r\nAccept: text/plain\r\n\r\n"
            ),
        ),
    ];
    for (options, target, want) in cases {
        assert_eq!(sent(options, target), *want, "{options:?} {target}");
    }
}

#[test]
fn proxy_variables_are_ignored() {
    let target = format!("http://127.0.0.1:{}/", serve(answers(OK)));
    let proxy = format!("http://127.0.0.1:{}/", closed_port());
    let env = ["http_proxy", "HTTP_PROXY", "ALL_PROXY"].map(|name| (name, proxy.as_str()));
    probe_env(&[&target], &env).healthy("healthy: ");
}

#[test]
fn what_was_sent_and_is_secret_is_not_shown_wherever_the_server_puts_it() {
    let echoes = |before: &'static str| {
        serve(move |mut stream| {
            let request = read_request(&mut stream);
            let _ = stream.write_all(&[before.as_bytes(), &request[..]].concat());
        })
    };
    for (before, words) in [
        ("", "not an HTTP response: \"GET /?token=*** HTTP/1.0\\r\\nHost: "),
        ("HTTP/1.0 200 OK\r\n\r\n", "200 OK, got \"GET /?token=*** HTTP/1.0\\r\\nHost: "),
        ("HTTP/1.0 400 Bad request: ", "400 Bad request: GET /?token=*** HTTP/1.0, expected"),
    ] {
        let target = format!("http://127.0.0.1:{}/?token=${{KEY}}", echoes(before));
        let run = probe_env(&["--expect", "no such text", &target], &[("KEY", "S3cr3t")]);
        assert!(run.stderr.starts_with(&format!("unhealthy: {target}: {words}")), "{run:?}");
        assert!(!run.stderr.contains("S3cr3t"), "{run:?}");
    }
}

#[test]
fn the_search_for_secrets_and_texts_ends_with_the_deadline() {
    let body = "x".repeat(1_000_000);
    let target = format!("127.0.0.1:{}", serve(answers(format!("HTTP/1.0 200 OK\r\n\r\n{body}"))));
    // One search for each line would take some ten seconds.
    let data = "a line\n".repeat(15_000);
    let run = probe(&["-t", "1s", "-d", &data, "--expect", "y", &target]);
    run.within(GENEROUS).unhealthy(&format!(
        "unhealthy: {target}: 200 OK, got \"{}...\", expected \"y\" in the body",
        "x".repeat(80)
    ));
    // And so would these.
    let texts = (0..9_000).flat_map(|number| ["--expect".to_string(), format!("xxxxx{number}")]);
    let run = probe(&texts.chain(["-t".to_string(), "1s".to_string(), target.clone()]).collect::<Vec<_>>());
    run.within(GENEROUS).unhealthy(&format!("unhealthy: {target}: 200 OK, then receive: timed out after 1s"));
}

#[test]
fn an_answer_that_came_before_a_reset_is_read() {
    // It reads a part of the request, answers and closes; the kernel resets what is still on its way.
    let refuses = |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 1000]);
        let _ = stream.write_all(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n");
    };
    let target = format!("127.0.0.1:{}", serve(refuses));
    let value = "x".repeat(120_000);
    for _ in 0..20 {
        let run = probe_env(&["-d", "${X}${X}${X}${X}${X}${X}${X}${X}", &target], &[("X", &value)]);
        run.within(GENEROUS)
            .unhealthy(&format!("unhealthy: {target}: 413 Payload Too Large, expected 200-399"));
    }
}
