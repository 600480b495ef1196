//! A stand-in for TorrServer: answers `GET /echo` with 200 and a bare version,
//! anything else with 404, on TS_PORT (8090) of all addresses.

use std::env;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() {
    let port = env::var("TS_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8090);
    let listener = TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port)));
    for stream in listener.expect("the port is free").incoming().flatten() {
        // One client after the other: a check is all that ever asks.
        let _ = answer(stream);
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            count => request.extend_from_slice(&piece[..count]),
        }
    }
    let (status, body) = match request.starts_with(b"GET /echo ") {
        true => ("200 OK", "MatriX.143"),
        false => ("404 Not Found", "404 page not found"),
    };
    let length = body.len();
    write!(stream, "HTTP/1.0 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}")
}
