//! A stand-in for TorrServer on TS_PORT (8090) of all addresses, as far as a
//! check can tell: `/echo` (and `/health`), the play list with its login, forced HTTPS; on
//! TS_SSL_PORT a ServerHello, and 400 to plain HTTP. Anything else is 404. Prints its port: TS_PORT=0
//! takes a free one. `--port 9090` counts more, which is Torrlite's only way. SIGTERM ends it, unless
//! TS_DONTKILL is set. After a request for `/lock` it accepts, and answers nobody any more, as a server in Go
//! that is deadlocked.

use std::env;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

/// TLS 1.2's without what it may leave out: a record, a message, the version;
/// then follow 32 random bytes, no session, a cipher suite, no compression.
const SERVER_HELLO: [u8; 11] = [0x16, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3];
const REST: [u8; 36] = {
    let mut rest = [7; 36];
    (rest[32], rest[33], rest[34], rest[35]) = (0, 0xc0, 0x2f, 0);
    rest
};

const SIGTERM: i32 = 15;

unsafe extern "C" {
    safe fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    safe fn _exit(code: i32) -> !;
}

extern "C" fn end(_: i32) {
    _exit(1)
}

fn main() {
    if env::var_os("TS_DONTKILL").is_none() {
        signal(SIGTERM, end);
    }
    let port = |name| env::var(name).ok().and_then(|port| port.parse().ok());
    if let Some(port) = port("TS_SSL_PORT") {
        thread::spawn(move || serve(listen(port), |_| "400 Bad Request"));
    }
    let arguments: Vec<_> = env::args().collect();
    let last = arguments.windows(2).rfind(|pair| pair[0] == "--port").and_then(|pair| pair[1].parse().ok());
    let listener = listen(last.or(port("TS_PORT")).unwrap_or(8090));
    println!("{}", listener.local_addr().expect("it is bound").port());
    serve(listener, status);
}

fn listen(port: u16) -> TcpListener {
    let listener = TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port)));
    listener.expect("the port is free")
}

fn serve(listener: TcpListener, status: fn(&str) -> &'static str) {
    let (accepted, streams) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = accepted.send(stream);
        }
    });
    // One client after the other: a check is all that ever asks.
    for stream in streams {
        let _ = answer(stream, status);
    }
}

fn answer(mut stream: TcpStream, status: fn(&str) -> &'static str) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            count => request.extend_from_slice(&piece[..count]),
        }
        if request.starts_with(&SERVER_HELLO[..1]) {
            return stream.write_all(&[&SERVER_HELLO[..], &REST].concat());
        }
    }
    let status = status(&String::from_utf8_lossy(&request));
    let body = "MatriX.143";
    let length = body.len();
    let head = format!("HTTP/1.0 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n");
    // In one write, as servers do: with several, it is chance how often a client reads.
    stream.write_all((head + body).as_bytes())
}

fn status(request: &str) -> &'static str {
    // admin:secret
    let login = request.contains("Authorization: Basic YWRtaW46c2VjcmV0\r\n");
    let method_and_path = request.split(" HTTP/").next().unwrap_or_default();
    match method_and_path {
        _ if env::var("TS_FORCE_HTTPS_ENABLE").is_ok_and(|value| value == "1") => "307 Temporary Redirect",
        "GET /echo" | "GET /health" => "200 OK",
        "GET /lock" => loop {
            thread::park();
        },
        "GET /playlistall/all.m3u?category=_hc" if login => "200 OK",
        "GET /playlistall/all.m3u?category=_hc" => "401 Unauthorized",
        _ => "404 Not Found",
    }
}
