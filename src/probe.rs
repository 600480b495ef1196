//! One target, one attempt.

use std::io::ErrorKind;
use std::time::Instant;

use crate::config::Options;
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::dial;
use crate::print::Print;
use crate::request::{method, request};
use crate::response::{self, Response};
use crate::search::Search;
use crate::target::{Check, Http, Target};
use crate::tls;
use crate::verdict::{
    Failure, Healthy, Phase, Unhealthy, body_lacks, fail, http_answer, reply_lacks, status_unwanted,
};

/// Checks `target` once, until `deadline` at the latest.
pub fn attempt(target: &Target, options: &Options, deadline: &Deadline) -> Result<Healthy, Failure> {
    let start = Instant::now();
    let mut connection = dial::connect(&target.endpoint, deadline)?;
    let answer = match &target.check {
        Check::Http(http) => ask(&mut connection, http, options, deadline)?,
        _ if connection.is_to_itself() => {
            return Err(fail(Unhealthy::Failed(Phase::Connect, ErrorKind::ConnectionRefused, 0)));
        }
        Check::Stream => converse(&mut connection, options, deadline)?,
        Check::Tls(server_name) => greet(&mut connection, server_name.as_deref(), deadline)?,
    };
    Ok(Healthy { answer, elapsed: start.elapsed() })
}

/// Sends the request and reads the whole response.
fn ask(
    connection: &mut Connection,
    http: &Http,
    options: &Options,
    deadline: &Deadline,
) -> Result<Vec<u8>, Failure> {
    connection.send(&request(http, options), deadline)?;

    let expect = options.expect.as_ref();
    let text = expect.map_or(&b""[..], |expect| &expect.text);
    let mut response = Response::new(method(options) == b"HEAD", text);
    let received = receive(connection, &mut response, deadline);

    // An unwanted status says more than what then went wrong with its body.
    let Some((status, reason)) = response.status() else {
        return Err(received.err().unwrap_or_else(|| response::Error::HeaderCutOff.into()));
    };
    let answer = http_answer(status, reason);
    if !options.status.contains(status) {
        return Err(status_unwanted(answer, options.status.text()));
    }
    received?;
    match expect {
        Some(expect) if !response.found() => Err(body_lacks(answer, &expect.written)),
        _ => Ok(answer),
    }
}

/// Reads until the response is complete, and not only to its status: a server
/// that is hung up on while it writes logs an error at every check.
fn receive(connection: &mut Connection, response: &mut Response, deadline: &Deadline) -> Result<(), Failure> {
    while !response.is_complete() {
        match connection.receive(deadline)? {
            [] => return Ok(response.end()?),
            piece => response.feed(piece)?,
        }
    }
    Ok(())
}

/// How much is shown of a reply that lacks the wanted text.
const SHOWN: usize = 80;

/// Sends the data, if there is any, and waits for the expected reply, if one is.
fn converse(connection: &mut Connection, options: &Options, deadline: &Deadline) -> Result<Vec<u8>, Failure> {
    connection.send(options.data.as_deref().unwrap_or_default(), deadline)?;
    let Some(expect) = &options.expect else {
        return Ok(b"connected".to_vec());
    };
    let mut search = Search::new(&expect.text);
    let mut got = Vec::new();
    let mut received = 0;
    while !search.found() {
        let piece = match connection.receive(deadline) {
            Ok(piece) => piece,
            Err(failure) if received > 0 && matches!(*failure, Unhealthy::TimedOut(..)) => {
                return Err(reply_lacks(failure.printed(), &got, &expect.written));
            }
            Err(failure) => return Err(failure),
        };
        received += piece.len() as u64;
        got.extend_from_slice(&piece[..piece.len().min(SHOWN - got.len())]);
        piece.iter().for_each(|&byte| search.feed(byte));
        if !search.found() && (piece.is_empty() || received >= response::BODY_MAX) {
            return Err(reply_lacks(b"connected".to_vec(), &got, &expect.written));
        }
    }
    Ok(b"replied".to_vec())
}

/// Sends a ClientHello and reads the ServerHello, and no more: what follows is
/// encrypted.
fn greet(
    connection: &mut Connection,
    server_name: Option<&[u8]>,
    deadline: &Deadline,
) -> Result<Vec<u8>, Failure> {
    connection.send(&tls::client_hello(server_name), deadline)?;
    let mut answer = Vec::new();
    loop {
        match connection.receive(deadline)? {
            [] => return Err(tls::end(&answer).into()),
            piece => answer.extend_from_slice(piece),
        }
        if let Some(minor) = tls::read(&answer)? {
            let mut version = Vec::new();
            tls::push_version(&mut version, minor);
            return Ok(version);
        }
    }
}
