//! One target, one attempt.

use std::io;
use std::time::Instant;

use crate::cli::Options;
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::dial;
use crate::request::request;
use crate::response::{self, Response};
use crate::search::Search;
use crate::target::{Check, Http, Target};
use crate::verdict::{Answer, Failure, Healthy, Phase, Unhealthy};

/// What most answers fit into. On the stack; each page of it costs a page fault.
const BUFFER: usize = 1024;

/// Checks `target` once, until `deadline` at the latest.
pub fn attempt(target: &Target, options: &Options, deadline: &Deadline) -> Result<Healthy, Failure> {
    let start = Instant::now();
    let connection = dial::connect(&target.endpoint, deadline)?;
    let answer = match &target.check {
        Check::Http(http) => ask(connection, http, options, deadline)?,
        Check::Stream => converse(connection, options, deadline)?,
    };
    Ok(Healthy { answer, elapsed: start.elapsed() })
}

/// Sends the request and reads the whole response.
fn ask(
    mut connection: Connection,
    http: &Http,
    options: &Options,
    deadline: &Deadline,
) -> Result<Answer, Failure> {
    connection.send(&request(http, options), deadline)?;

    let expect = options.expect.as_deref().unwrap_or_default();
    let mut response = Response::new(options.method() == b"HEAD", expect);
    let received = receive(&mut connection, &mut response, deadline);

    // An unwanted status says more than what then went wrong with its body.
    let Some((status, reason)) = response.status() else {
        return Err(received.err().unwrap_or_else(|| response::Error::HeaderCutOff.into()));
    };
    let answer = Answer::Http(status, reason.to_vec());
    if !options.status.contains(status) {
        return Err(Box::new(Unhealthy::Status(answer, options.status.text().to_vec())));
    }
    received?;
    if !response.found() {
        return Err(Box::new(Unhealthy::Lacks(answer, expect.to_vec())));
    }
    Ok(answer)
}

/// Reads until the response is complete, and not only to its status: a server
/// that is hung up on while it writes logs an error at every check.
fn receive(connection: &mut Connection, response: &mut Response, deadline: &Deadline) -> Result<(), Failure> {
    let mut buffer = [0; BUFFER];
    while !response.is_complete() {
        match connection.receive(&mut buffer, deadline)? {
            0 => return Ok(response.end()?),
            count => response.feed(&buffer[..count])?,
        }
    }
    Ok(())
}

/// Sends the data, if there is any, and waits for the expected reply, if one is.
fn converse(mut connection: Connection, options: &Options, deadline: &Deadline) -> Result<Answer, Failure> {
    if connection.is_to_itself() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        return Err(Box::new(Unhealthy::Failed(Phase::Connect, refused)));
    }
    connection.send(options.data.as_deref().unwrap_or_default(), deadline)?;
    let Some(expect) = &options.expect else {
        return Ok(Answer::Connected);
    };
    let mut search = Search::new(expect);
    let mut buffer = [0; BUFFER];
    let mut received = 0;
    while !search.found() {
        let count = connection.receive(&mut buffer, deadline)?;
        received += count as u64;
        buffer[..count].iter().for_each(|&byte| search.feed(byte));
        if !search.found() && (count == 0 || received >= response::BODY_MAX) {
            return Err(Box::new(Unhealthy::Lacks(Answer::Connected, expect.clone())));
        }
    }
    Ok(Answer::Replied)
}
