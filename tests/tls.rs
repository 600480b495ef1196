//! `tls://`: servers that answer as TLS ones do, and servers that do not.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use support::*;

/// A whole record with a ServerHello of this version and these extensions.
fn server_hello(minor: u8, extensions: &[u8]) -> Vec<u8> {
    let body = [&[3, minor], &[7; 32][..], b"\0\x13\x01\0", extensions].concat();
    let length = body.len() as u8;
    [&[22, 3, 3, 0, length + 4, 2, 0, 0, length], &body[..]].concat()
}

fn tls_1_3() -> Vec<u8> {
    server_hello(3, b"\0\x06\0\x2b\0\x02\x03\x04")
}

/// Reads one record: the ClientHello.
fn read_hello(stream: &mut TcpStream) -> Vec<u8> {
    let mut record = vec![0; 5];
    let _ = stream.read_exact(&mut record);
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + length, 0);
    let _ = stream.read_exact(&mut record[5..]);
    record
}

/// Reads the ClientHello, answers with these bytes and closes.
fn greets(answer: impl Into<Vec<u8>>) -> impl Fn(TcpStream) + Send + Sync + Clone {
    let answer = answer.into();
    move |mut stream| {
        read_hello(&mut stream);
        let _ = stream.write_all(&answer);
    }
}

fn healthy(port: u16) {
    let target = format!("tls://localhost:{port}");
    probe(&["-t20s", &target]).healthy(&format!("healthy: {target}: ServerHello in "));
}

fn unhealthy(port: u16, line: &str) {
    let target = format!("tls://127.0.0.1:{port}");
    let timeout = line.split_once("timed out after ").map_or("20s", |(_, timeout)| timeout);
    probe(&["-t", timeout, &target]).within(GENEROUS).unhealthy(&format!("unhealthy: {target}: {line}"));
}

#[test]
fn healthy_when_a_server_hello_comes() {
    healthy(serve(greets(tls_1_3())));
    healthy(serve(greets(server_hello(3, b""))));
    healthy(serve(greets([&tls_1_3()[..], b"\x14\x03\x03\0\x01\x01junk"].concat())));
    // It does not know the name and says so, and goes on.
    healthy(serve(greets([b"\x15\x03\x03\0\x02\x01\x70", &tls_1_3()[..]].concat())));
}

#[test]
fn healthy_however_the_server_hello_is_cut() {
    let bytewise = |mut stream: TcpStream| {
        read_hello(&mut stream);
        let _ = stream.set_nodelay(true);
        for byte in tls_1_3() {
            let _ = stream.write_all(&[byte]);
            thread::sleep(Duration::from_millis(1));
        }
        let _ = stream.read(&mut [0; 1]);
    };
    healthy(serve(bytewise));
    let records: Vec<u8> = tls_1_3()[5..].iter().flat_map(|&byte| [22, 3, 3, 0, 1, byte]).collect();
    healthy(serve(greets(records)));
}

#[test]
fn the_client_hello_has_the_server_name_of_a_name_only() {
    for (host, sent) in [("localhost", true), ("a.localhost.", true), ("127.0.0.1", false)] {
        let (sender, receiver) = mpsc::channel();
        let port = serve(move |mut stream| {
            let _ = sender.send(read_hello(&mut stream));
            let _ = stream.write_all(&tls_1_3());
        });
        let target = format!("tls://{host}:{port}");
        probe(&[&target]).healthy(&format!("healthy: {target}: ServerHello in "));
        let hello = receiver.recv().expect("a ClientHello");
        let name = host.trim_end_matches('.').as_bytes();
        assert_eq!(hello.ends_with(name) && hello[hello.len() - name.len() - 1] == name.len() as u8, sent);
    }
}

#[test]
fn unhealthy_with_what_came_instead() {
    let old = |minor| serve(greets(server_hello(minor, b"")));
    unhealthy(serve(greets(*b"\x15\x03\x03\0\x02\x02\x28")), "server refused with TLS alert 40");
    unhealthy(old(2), "receive: server offers no TLS newer than 1.1");
    unhealthy(old(0), "receive: server offers no TLS newer than 1.1");
    unhealthy(old(9), "receive: malformed ServerHello");
    unhealthy(
        serve(greets(*b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")),
        r#"not a TLS response: "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n""#,
    );
    unhealthy(serve(greets(*b"\x1b[2J")), r#"not a TLS response: "\x1b[2J""#);
    unhealthy(serve(greets(*b"\x16\x03\x03\x40\x01")), "receive: ServerHello longer than 16 KiB");
    unhealthy(serve(greets(*b"\x16\x03\x03\x00\x04\x02\x01\0\0")), "receive: ServerHello longer than 16 KiB");
    unhealthy(
        serve(greets(tls_1_3()[..9].to_vec())),
        "receive: connection closed in the middle of the ServerHello",
    );
    unhealthy(serve(greets(*b"")), "receive: connection closed without a response");
    unhealthy(serve(resets), "receive: connection reset");
    unhealthy(closed_port(), "connect: connection refused");
    // An echo is alive, and no TLS server.
    let echo = |mut stream: TcpStream| {
        let hello = read_hello(&mut stream);
        let _ = stream.write_all(&hello);
    };
    unhealthy(serve(echo), "receive: malformed ServerHello");
}

#[test]
fn unhealthy_at_the_deadline() {
    unhealthy(serve(silent), "receive: timed out after 300ms");
    let drips = |mut stream: TcpStream| {
        read_hello(&mut stream);
        while stream.write_all(b"\x15\x03\x03\0\x02\x01\x70").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    };
    unhealthy(serve(drips), "receive: timed out after 300ms");
}

#[test]
fn what_is_kept_of_an_answer_is_bounded() {
    let floods = |mut stream: TcpStream| {
        read_hello(&mut stream);
        let _ = stream.write_all(b"\x16\x03\x03\0\x04\x02\0\x3f\xff");
        while stream.write_all(b"\x16\x03\x03\0\x01x").is_ok() {}
    };
    let target = format!("tls://127.0.0.1:{}", serve(floods));
    let line = format!("unhealthy: {target}: receive: ServerHello longer than 16 KiB");
    probe(&["-t20s", &target]).unhealthy(&line);
}

#[test]
fn an_http_target_that_gets_tls_says_so() {
    for start in [b"\x15\x03\x01\0\x02\x02\x46".to_vec(), tls_1_3()] {
        let target = format!("http://127.0.0.1:{}/", serve(answers(start)));
        let line = format!("unhealthy: {target}: not an HTTP response: TLS, try tls://host:port");
        probe(&[&target]).unhealthy(&line);
    }
}

#[test]
fn a_reply_cannot_be_expected_of_tls() {
    let line = "probe: --expect: tls://, grpc://, file: and HEAD have no body to search (see probe --help)";
    probe(&["--expect", "x", "http://127.0.0.1:1/", "tls://127.0.0.1:1"]).unhealthy(line);
    probe_env(&["tls://127.0.0.1:1"], &[("PROBE_EXPECT", "x")]).unhealthy(line);
}
