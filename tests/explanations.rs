//! What the kernel knows of a failure within this host, and the line tells.
//! Other tests listen here too, so those on the wanted port are looked at, which stand first.

mod support;

use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use support::*;

fn listener(ip: impl Into<IpAddr>, port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((ip.into(), port))
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("an address").port()
}

/// So many connections that nobody accepts.
fn wait_in_line(listener: &TcpListener, count: usize) -> Vec<TcpStream> {
    let address = listener.local_addr().expect("an address");
    (0..count).map(|_| TcpStream::connect(address).expect("it waits to be accepted")).collect()
}

/// Exit 1, and a line on stderr that begins so.
#[track_caller]
fn unhealthy(args: &[&str], line: &str) -> String {
    let run = probe(args);
    assert!(
        run.code == Some(1) && run.stdout.is_empty() && run.stderr.starts_with(line),
        "want {line:?}: {run:#?}"
    );
    assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
    run.stderr
}

#[test]
fn a_refusal_names_who_listens_on_another_address() {
    let here = listener(Ipv4Addr::LOCALHOST, 0).expect("a port");
    let address = format!("127.0.0.1:{}", port(&here));
    for host in ["127.0.0.2", "[::1]", "[::ffff:127.0.0.2]"] {
        let target = format!("tcp://{host}:{}", port(&here));
        let run = probe(&[&target]);
        // A host without IPv6 has no ::1.
        if !run.stderr.contains("address") {
            let line = format!("unhealthy: {target}: connect: connection refused; listening here: {address}");
            assert!(run.stderr.starts_with(&line), "want {line}: {run:#?}");
        }
    }
}

#[test]
fn a_refusal_on_ipv4_names_who_listens_on_ipv6_alone() {
    let Ok(here) = listener(std::net::Ipv6Addr::LOCALHOST, 0) else { return };
    let target = format!("http://127.0.0.1:{}/", port(&here));
    let line =
        format!("unhealthy: {target}: connect: connection refused; listening here: [::1]:{}", port(&here));
    unhealthy(&[&target], &line);
}

#[test]
fn of_nine_listeners_eight_are_named() {
    let first = listener([127, 0, 0, 2], 0).expect("a port");
    let port = port(&first);
    let all: Vec<_> =
        (3..11).map(|last| listener([127, 0, 0, last], port).expect("the port is free")).collect();
    let target = format!("tcp://127.0.0.1:{port}");
    let named: Vec<_> = (2..10).map(|last| format!("127.0.0.{last}:{port}")).collect();
    let line = format!(
        "unhealthy: {target}: connect: connection refused; listening here: {}, ...",
        named.join(", ")
    );
    assert_eq!(unhealthy(&[&target], &line), line.clone() + "\n");
    // Once, however often it was tried.
    assert_eq!(unhealthy(&["--wait", "400ms", &target], &line), line + ", waited 400ms\n");
    drop(all);
}

#[test]
fn a_time_out_counts_the_connections_that_wait() {
    for (others, host, explanation) in [
        (0, "127.0.0.1", "; 1 connection waits to be accepted"),
        (2, "127.0.0.1", "; 3 connections wait to be accepted"),
        (2, "localhost", "; 3 connections wait to be accepted"),
    ] {
        let frozen = listener(Ipv4Addr::LOCALHOST, 0).expect("a port");
        let _line = wait_in_line(&frozen, others);
        let target = format!("http://{host}:{}/", port(&frozen));
        let line = format!("unhealthy: {target}: receive: timed out after 300ms{explanation}\n");
        unhealthy(&["-t", "300ms", &target], &line);
    }
}

#[test]
fn a_time_out_counts_those_of_a_listener_on_every_address() {
    let frozen = listener(Ipv4Addr::UNSPECIFIED, 0).expect("a port");
    let target = format!("127.0.0.9:{}", port(&frozen));
    let line =
        format!("unhealthy: {target}: receive: timed out after 300ms; 1 connection waits to be accepted\n");
    unhealthy(&["-t", "300ms", &target], &line);
}

#[test]
fn a_server_that_accepts_is_not_told_by_the_line_at_another_address() {
    let slow = serve(silent);
    let frozen = listener([127, 0, 0, 2], slow).expect("the port is free");
    let _line = wait_in_line(&frozen, 2);
    let target = format!("http://localhost:{slow}/");
    unhealthy(&["-t", "2s", &target], &format!("unhealthy: {target}: receive: timed out after 2s\n"));
}

#[test]
fn a_full_backlog_is_counted_where_connect_times_out() {
    let frozen = listener(Ipv4Addr::LOCALHOST, 0).expect("a port");
    let target = format!("tcp://127.0.0.1:{}", port(&frozen));
    set_backlog(&frozen, 1);
    let _line = wait_in_line(&frozen, 2);
    let line = "connect: timed out after 300ms; 2 connections wait to be accepted\n";
    unhealthy(&["-t", "300ms", &target], &format!("unhealthy: {target}: {line}"));
}

#[test]
fn one_address_of_localhost_that_refuses_does_not_hide_a_full_backlog_at_the_other() {
    let Ok(frozen) = listener(std::net::Ipv6Addr::LOCALHOST, 0) else { return };
    let target = format!("tcp://localhost:{}", port(&frozen));
    set_backlog(&frozen, 1);
    let _line = wait_in_line(&frozen, 2);
    let line = "connect: timed out after 300ms; 2 connections wait to be accepted\n";
    unhealthy(&["-t", "300ms", &target], &format!("unhealthy: {target}: {line}"));
}

#[test]
fn a_unix_socket_has_no_such_explanation() {
    let (path, listener) = unix_listener();
    // Not dropped: a process that another test starts may still have it for a moment.
    TcpStream::from(OwnedFd::from(listener)).shutdown(Shutdown::Both).expect("shut down");
    let path = path.display();
    let line = format!("unhealthy: http://localhost/: connect: connection refused, over {path}\n");
    unhealthy(&["--unix-socket", &path.to_string(), "http://localhost/"], &line);
    let line = format!("unhealthy: unix:{path}: connect: connection refused\n");
    unhealthy(&[&format!("unix:{path}")], &line);
}
