//! Hostile and broken servers: unhealthy, within the deadline.

mod support;

use std::thread;
use std::time::Duration;

use support::*;

const TIMEOUT: &str = "300ms";

/// The deadline holds, where the line tells one; what else it tells has the time of a loaded machine.
fn unhealthy(port: u16, line: &str) {
    let target = format!("http://127.0.0.1:{port}/");
    let timeout = line.split_once("timed out after ").map_or("20s", |(_, timeout)| timeout);
    probe(&["-t", timeout, &target]).within(GENEROUS).unhealthy(&format!("unhealthy: {target}: {line}"));
}

#[test]
fn unhealthy_when_the_server_is_silent() {
    unhealthy(serve(silent), "receive: timed out after 300ms");
}

#[test]
fn unhealthy_when_the_server_drips_past_the_deadline() {
    // Long enough for the start of the answer, however busy the machine is; all at the same time.
    let late = "receive: timed out after 2s";
    let late_body = "200 OK, then receive: timed out after 2s";
    thread::scope(|scope| {
        for (start, line) in [
            // A dripped "x" is no start of a response: that one is unhealthy at once.
            ("", "not an HTTP response: \"x\""),
            ("H", "not an HTTP response: \"Hx\""),
            ("HTTP/1.1 200 ", late),
            ("HTTP/1.1 200 OK\r\nX: ", late),
            ("HTTP/1.1 200 OK\r\n\r\n", late_body),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", late_body),
        ] {
            scope.spawn(move || unhealthy(serve(drips(start)), line));
        }
    });
}

#[test]
fn unhealthy_when_the_server_closes_at_once() {
    let run = probe(&[format!("127.0.0.1:{}", serve(closes_at_once))]);
    // Whether the request or the close comes first is the kernel's choice.
    let causes = ["receive: connection closed without a response", "receive: connection reset", "send: "];
    assert!(run.code == Some(1) && causes.iter().any(|cause| run.stderr.contains(cause)), "{run:?}");
}

#[test]
fn unhealthy_when_the_server_resets() {
    unhealthy(serve(resets), "receive: connection reset");
}

#[test]
fn unhealthy_when_a_body_until_close_is_reset() {
    let port = serve(|mut stream| {
        use std::io::{Read, Write};
        // The rest of the request stays unread, so closing resets.
        let _ = stream.read(&mut [0; 1]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello");
    });
    unhealthy(port, "200 OK, then receive: connection reset");
}

#[test]
fn unhealthy_when_the_header_section_does_not_end() {
    let line = "receive: headers longer than 64 KiB";
    unhealthy(serve(floods("HTTP/1.1 200 OK\r\n", "X: y\r\n")), line);
    unhealthy(serve(floods("HTTP/1.1 200 OK\r\nX: ", "yyyyyyyy")), line);
    unhealthy(serve(floods("HTTP/1.1 200 ", "endless ")), line);
    unhealthy(serve(floods("", "HTTP/1.1 100 Continue\r\n\r\n")), line);
}

#[test]
fn a_body_without_end_is_read_for_a_mebibyte() {
    let response = "HTTP/1.1 200 OK\r\n\r\n";
    let target = format!("http://127.0.0.1:{}/", serve(floods(response, "0123456789")));
    probe(&["-t", "20s", &target]).healthy("healthy: ");
    probe(&["-t", "20s", "--expect", "901", &target]).healthy("healthy: ");
    let missing = probe(&["-t", "20s", "--expect", "902", &target]);
    let got = "0123456789".repeat(8);
    missing
        .unhealthy(&format!("unhealthy: {target}: 200 OK, got \"{got}...\", expected \"902\" in the body"));
}

#[test]
fn unhealthy_when_the_server_never_reads() {
    let target = format!("127.0.0.1:{}", serve(never_reads));
    // More than the buffers of both sides hold.
    let header = format!("X: {}", "x".repeat(60_000));
    let mut args = ["-H"; 20].map(|option| [option, &header]).concat();
    args.extend(["-t", TIMEOUT, &target]);
    let line = probe(&args).within(Duration::from_secs(5)).text();
    // Loopback's buffers may take it all; then nothing is ever answered.
    let phases =
        ["send", "receive"].map(|phase| format!("unhealthy: {target}: {phase}: timed out after 300ms\n"));
    assert!(phases.contains(&line), "{line}");
}

#[test]
fn unhealthy_when_a_unix_socket_takes_no_more() {
    // Nobody accepts; what is sent waits in the socket's buffer, of 208 KiB.
    let (path, _listener) = unix_listener();
    let header = format!("X: {}", "x".repeat(60_000));
    let mut args = ["-H"; 16].map(|option| [option, &header]).concat();
    args.extend(["-t", TIMEOUT, "--unix-socket", path.to_str().expect("ASCII"), "http://x/"]);
    let run = probe(&args);
    run.within(Duration::from_secs(5))
        .unhealthy(&format!("unhealthy: http://x/: send: timed out after 300ms, over {}", path.display()));
}

#[test]
fn lines_are_bounded_whatever_the_server_says() {
    let reason = "r".repeat(10_000);
    let port = serve(answers(format!("HTTP/1.1 500 {reason}\r\n\r\n")));
    let long_path = "p".repeat(10_000);
    let run = probe(&[format!("127.0.0.1:{port}/{long_path}")]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.len() < 512 && run.stderr.contains("...: 500 rrr"), "{}", run.stderr);
}
