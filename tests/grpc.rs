//! `grpc://`: servers that answer a health check as gRPC ones do, and servers that do not.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use support::*;

const TIMEOUT: &str = "300ms";

const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
const SERVING: &[u8] = b"\0\0\0\0\x02\x08\x01";

/// Types of frames, and their flags.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END: u8 = 5;

fn frame(kind: u8, flags: u8, data: &[u8]) -> Vec<u8> {
    [&(data.len() as u32).to_be_bytes()[1..], &[kind, flags, 0, 0, 0, 1], data].concat()
}

fn trailers(code: &str) -> Vec<u8> {
    frame(HEADERS, END, &[b"\x40\x0bgrpc-status", &[code.len() as u8][..], code.as_bytes()].concat())
}

/// SETTINGS, HEADERS, these frames, and trailers.
fn answer(frames: &[&[u8]]) -> Vec<u8> {
    [SETTINGS, &frame(HEADERS, 4, b"\x88\x5f\x10application/grpc"), &frames.concat(), &trailers("0")].concat()
}

/// A block of fields that is all of the answer.
fn only(fields: &[u8]) -> Vec<u8> {
    [SETTINGS, &frame(HEADERS, END, fields)].concat()
}

/// Reads the call to the end of its DATA.
fn read_call(stream: &mut impl Read) -> Vec<u8> {
    let mut call = vec![0; 24];
    let _ = stream.read_exact(&mut call);
    loop {
        let mut header = [0; 9];
        if stream.read_exact(&mut header).is_err() {
            return call;
        }
        let mut data = vec![0; usize::from(u16::from_be_bytes([header[1], header[2]]))];
        let _ = stream.read_exact(&mut data);
        call.extend_from_slice(&header);
        call.extend_from_slice(&data);
        if header[3] == DATA {
            return call;
        }
    }
}

/// Reads the call, answers with these bytes and closes.
fn answers(answer: impl Into<Vec<u8>>) -> impl Fn(TcpStream) + Send + Sync + Clone {
    let answer = answer.into();
    move |mut stream| {
        read_call(&mut stream);
        let _ = stream.write_all(&answer);
    }
}

/// The same, but the connection stays open.
fn answers_and_waits(answer: impl Into<Vec<u8>>) -> impl Fn(TcpStream) + Send + Sync + Clone {
    let answer = answer.into();
    move |mut stream| {
        read_call(&mut stream);
        let _ = stream.write_all(&answer);
        let _ = stream.read(&mut [0; 1]);
    }
}

fn healthy(port: u16) {
    let target = format!("grpc://localhost:{port}/pkg.Service");
    probe(&["-t20s", &target]).healthy(&format!("healthy: {target}: SERVING in "));
}

/// Unhealthy long before the deadline.
fn unhealthy(port: u16, line: &str) {
    let target = format!("grpc://127.0.0.1:{port}");
    let run = probe(&["-t60s", &target]);
    run.within(GENEROUS).unhealthy(&format!("unhealthy: {target}: {line}"));
}

#[test]
fn healthy_when_it_serves_and_the_status_is_0() {
    healthy(serve(answers_and_waits(answer(&[&frame(DATA, 0, SERVING)]))));
    healthy(serve(answers(answer(&[&frame(DATA, 0, SERVING)]))));
    // What real servers send besides: WINDOW_UPDATE, PING, the ACK of SETTINGS.
    let others: [&[u8]; 3] = [
        b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x07",
        b"\0\0\x08\x06\0\0\0\0\0\x02\x04\x10\x10\x09\x0e\x07\x07",
        b"\0\0\0\x04\x01\0\0\0\0",
    ];
    healthy(serve(answers(answer(&[&others.concat(), &frame(DATA, 0, SERVING), &others.concat()]))));
    // A server that shuts down goes on with what it has taken on.
    let goaway = b"\0\0\x08\x07\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0";
    healthy(serve(answers(answer(&[goaway, &frame(DATA, 0, SERVING)]))));
}

#[test]
fn healthy_however_the_answer_is_cut_and_padded() {
    let bytewise = |mut stream: TcpStream| {
        read_call(&mut stream);
        let _ = stream.set_nodelay(true);
        for byte in answer(&[&frame(DATA, 0, SERVING)]) {
            let _ = stream.write_all(&[byte]);
            thread::sleep(Duration::from_millis(1));
        }
        let _ = stream.read(&mut [0; 1]);
    };
    healthy(serve(bytewise));
    healthy(serve(answers(answer(&[&frame(DATA, 0, &SERVING[..5]), &frame(DATA, 0, &SERVING[5..])]))));
    healthy(serve(answers(answer(&[&frame(DATA, 8, &[&[200], SERVING, &[0; 200]].concat())]))));
}

#[test]
fn healthy_whatever_form_fields_and_message_have() {
    let data = frame(DATA, 0, SERVING);
    // As Dart's server writes them: all names in full.
    let dart = frame(HEADERS, 4, b"\0\x07:status\x03200\0\x0ccontent-type\x10application/grpc");
    let status = frame(HEADERS, END, b"\0\x0bgrpc-status\x010");
    healthy(serve(answers([SETTINGS, &dart, &data, &status].concat())));
    // Fields of 60 KB, in frames of 16.
    let long = [&b"\x88\0\x01x\x7f\xe1\xd3\x03"[..], &[b'x'; 60_000]].concat();
    let mut frames = frame(HEADERS, 0, b"");
    for piece in long.chunks(16_384) {
        frames.extend(frame(CONTINUATION, 0, piece));
    }
    frames.extend(frame(CONTINUATION, 4, b""));
    healthy(serve(answers([SETTINGS, &frames, &data, &status].concat())));
    // A field that is new, and the known one twice.
    let message = b"\0\0\0\0\x07\x10\x96\x01\x08\x02\x08\x01";
    healthy(serve(answers([SETTINGS, &dart, &frame(DATA, 0, message), &status].concat())));
}

#[test]
fn the_call_names_authority_and_service() {
    let long = format!("{}.localhost", ["a"; 60].concat());
    let very_long = format!("{0}.{0}.{0}.localhost", ["a"; 60].concat());
    // The shortest lengths: gRPC's own client writes no others.
    for (host, service, length) in [
        ("localhost", "", &[][..]),
        (&long, "x", b"\x0a\x01"),
        (&long, &"s".repeat(127), b"\x0a\x7f"),
        (&long, &"s".repeat(128), b"\x0a\x80\x01"),
        (&very_long, &"s".repeat(300), b"\x0a\xac\x02"),
    ] {
        let (sender, receiver) = mpsc::channel();
        let port = serve(move |mut stream| {
            let _ = sender.send(read_call(&mut stream));
            let _ = stream.write_all(&answer(&[&frame(DATA, 0, SERVING)]));
        });
        let target = format!("grpc://{host}:{port}/{service}");
        assert_eq!(probe(&["-t20s", &target]).code, Some(0), "{target}");
        let call = receiver.recv().expect("a call");
        assert!(call.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x01\0\0\0\0"));
        let authority = format!("{host}:{port}");
        assert!(call.windows(authority.len()).any(|part| part == authority.as_bytes()), "{call:?}");
        assert!(
            call.ends_with(
                &[&[length.len() as u8 + service.len() as u8], length, service.as_bytes()].concat()
            )
        );
    }
}

#[test]
fn over_a_unix_socket_without_a_port() {
    let path = serve_unix(|mut stream| {
        let call = read_call(&mut stream);
        let is_told = call.windows(11).any(|part| part == b"\x01\x09localhost");
        let _ = stream.write_all(&answer(&[&frame(DATA, 0, if is_told { SERVING } else { b"" })]));
    });
    let path = path.to_str().expect("ASCII");
    for target in ["grpc://localhost", "grpc://localhost:80/x"] {
        probe(&["--unix-socket", path, target]).healthy(&format!("healthy: {target}: SERVING in "));
    }
    let line = format!("unhealthy: grpc://other: receive: malformed gRPC answer, over {path}");
    probe(&["--unix-socket", path, "grpc://other"]).unhealthy(&line);
}

#[test]
fn unhealthy_by_name() {
    let health = |message: &[u8]| serve(answers_and_waits(answer(&[&frame(DATA, 0, message)])));
    unhealthy(health(b"\0\0\0\0\x02\x08\x02"), "NOT_SERVING, expected SERVING");
    unhealthy(health(b"\0\0\0\0\x02\x08\x03"), "SERVICE_UNKNOWN, expected SERVING");
    unhealthy(health(b"\0\0\0\0\0"), "UNKNOWN, expected SERVING");
    unhealthy(health(b"\x01\0\0\0\x02\x08\x01"), "receive: malformed gRPC answer");
    unhealthy(health(b""), "receive: malformed gRPC answer");
    let status = |fields: &[u8]| serve(answers_and_waits(only(&[b"\x88", fields].concat())));
    unhealthy(status(b"\x40\x0bgrpc-status\x015"), "NOT_FOUND: no such service");
    unhealthy(status(b"\x40\x0bgrpc-status\x0212"), "UNIMPLEMENTED: no health service");
    unhealthy(status(b"\x40\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x82\x0b\x5f"), "UNAVAILABLE");
    unhealthy(status(b"\x40\x0bgrpc-status\x03999"), "UNKNOWN");
    // It serves, and then the status is another one; or it is told in a message only.
    let frames = answer(&[&frame(DATA, 0, SERVING)]);
    let end = frames.len() - trailers("0").len();
    unhealthy(serve(answers([&frames[..end], &trailers("13")].concat())), "INTERNAL");
    unhealthy(status(b"\0\x0cgrpc-message\x0e\x0bgrpc-status\x010\0\x0bgrpc-status\x0214"), "UNAVAILABLE");
    // The last status counts, also by a name of the table that the call forbids.
    let trailers = |fields: &[u8]| serve(answers([&frames[..end], &frame(HEADERS, END, fields)].concat()));
    unhealthy(trailers(b"\x40\x0bgrpc-status\x010\0\x0bgrpc-status\x0214"), "UNAVAILABLE");
    unhealthy(trailers(b"\x40\x0bgrpc-status\x010\x7e\x0214"), "receive: malformed gRPC answer");
    // A message before the answer has begun.
    for early in [&frame(HEADERS, 4, b"\x08\x03103")[..], b""] {
        let late = frame(HEADERS, END, b"\x88\0\x0bgrpc-status\x010");
        let stream = [SETTINGS, early, &frame(DATA, 0, SERVING), &late].concat();
        unhealthy(serve(answers_and_waits(stream)), "receive: malformed gRPC answer");
    }
}

#[test]
fn unhealthy_with_what_came_instead() {
    let http = |fields: &[u8]| serve(answers_and_waits(only(fields)));
    unhealthy(http(b"\x8d"), "404, not a gRPC answer");
    unhealthy(http(b"\x48\x03502"), "502, not a gRPC answer");
    unhealthy(http(b"\x88\x0f\x10\x09text/html"), "200, not a gRPC answer");
    let page = [SETTINGS, &frame(HEADERS, 4, b"\x88"), &frame(DATA, 1, b"<html>")].concat();
    unhealthy(serve(answers_and_waits(page)), "200, not a gRPC answer");
    let reset = [SETTINGS, &frame(3, 0, b"\0\0\0\x08")].concat();
    unhealthy(serve(answers_and_waits(reset)), "server refused with HTTP/2 error 8");
    let reset = [SETTINGS, &frame(3, 0, b"\0\0\x01\x02")].concat();
    unhealthy(serve(answers_and_waits(reset)), "server refused with HTTP/2 error 258");
    let goaway = [SETTINGS, b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b"].concat();
    unhealthy(serve(answers_and_waits(goaway)), "server refused with HTTP/2 error 11");
    unhealthy(
        serve(answers(*b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        r#"not an HTTP/2 response: "HTTP/1.1 400 Bad Request\r\n\r\n""#,
    );
    unhealthy(serve(answers(*b"\x1b[2J")), r#"not an HTTP/2 response: "\x1b[2J""#);
    unhealthy(serve(answers(*b"")), "receive: connection closed without a response");
    unhealthy(serve(resets), "receive: connection reset");
    unhealthy(closed_port(), "connect: connection refused");
}

#[test]
fn healthy_or_not_as_real_servers_are() {
    for line in include_str!("grpc-answers.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [server, said, bytes] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        // Printed only when a check fails.
        println!("{server}: {said}");
        let digits: Vec<u8> = bytes.chars().map(|digit| digit.to_digit(16).expect("a digit") as u8).collect();
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        let port = serve(answers_and_waits(bytes));
        match said {
            "SERVING" => healthy(port),
            _ => unhealthy(port, said),
        }
    }
}

#[test]
fn unhealthy_wherever_the_answer_ends() {
    let whole = answer(&[&frame(DATA, 0, SERVING)]);
    for end in 1..whole.len() {
        unhealthy(serve(answers(whole[..end].to_vec())), "receive: connection closed before the gRPC status");
    }
}

#[test]
fn unhealthy_at_the_deadline() {
    let whole = answer(&[&frame(DATA, 0, SERVING)]);
    let pings = |mut stream: TcpStream| {
        read_call(&mut stream);
        let _ = stream.write_all(SETTINGS);
        while stream.write_all(b"\0\0\x08\x06\0\0\0\0\0\0\0\0\0\0\0\0\0").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    };
    // It serves, but never says that the call is over.
    let unended = whole[..whole.len() - trailers("0").len()].to_vec();
    // At the same time, since each takes 300 ms.
    thread::scope(|scope| {
        for port in [
            serve(silent),
            serve(answers_and_waits(SETTINGS)),
            serve(answers_and_waits(unended)),
            serve(pings),
        ] {
            scope.spawn(move || {
                let target = format!("grpc://127.0.0.1:{port}");
                let run = probe(&["-t", TIMEOUT, &target]);
                run.within(GENEROUS)
                    .unhealthy(&format!("unhealthy: {target}: receive: timed out after 300ms"));
            });
        }
    });
}

#[test]
fn what_is_kept_of_an_answer_is_bounded() {
    for piece in [SETTINGS, &frame(DATA, 0, b""), &frame(DATA, 0, &[0; 999])[..]] {
        let piece = piece.to_vec();
        let floods = move |mut stream: TcpStream| {
            read_call(&mut stream);
            let _ = stream.write_all(&[SETTINGS, &frame(HEADERS, 4, b"\x88")].concat());
            while stream.write_all(&piece).is_ok() {}
        };
        unhealthy(serve(floods), "receive: gRPC answer longer than 64 KiB");
    }
    let announces = [SETTINGS, b"\xff\xff\xff\0\0\0\0\0\x01"].concat();
    unhealthy(serve(answers_and_waits(announces)), "receive: gRPC answer longer than 64 KiB");
}
