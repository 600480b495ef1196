//! tcp and unix targets, addresses, several targets, waiting.

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use support::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const DOWN: &str = "HTTP/1.0 503 Down\r\n\r\n";

/// Redis, as far as a health check knows it: it does not close the connection.
fn pong(mut stream: impl Read + Write) {
    let mut request = [0; 6];
    if stream.read_exact(&mut request).is_ok() && &request == b"PING\r\n" {
        let _ = stream.write_all(b"+PO");
        let _ = stream.flush();
        thread::sleep(Duration::from_millis(20));
        let _ = stream.write_all(b"NG\r\n");
    }
    let _ = stream.read(&mut [0; 16]);
}

#[test]
fn tcp_is_healthy_when_the_connection_is_accepted() {
    let target = format!("tcp://127.0.0.1:{}", serve(silent));
    probe(&[&target]).healthy(&format!("healthy: {target}: connected in "));
    let target = format!("tcp://127.0.0.1:{}", closed_port());
    probe(&[&target]).unhealthy(&format!("unhealthy: {target}: connect: connection refused"));
}

#[test]
fn tcp_replies() {
    let redis = format!("tcp://127.0.0.1:{}", serve(pong));
    probe(&["-d", "PING\r\n", "--expect", "PONG", &redis]).healthy(&format!("healthy: {redis}: replied in "));
    probe(&["-t", "2s", "-d", "PING\r\n", "--expect", "PANG", &redis]).unhealthy(&format!(
        "unhealthy: {redis}: receive: timed out after 2s, got \"+PONG\\r\\n\", expected \"PANG\""
    ));
    let silent = format!("tcp://127.0.0.1:{}", serve(silent));
    probe(&["-t", "300ms", "--expect", "PONG", &silent])
        .unhealthy(&format!("unhealthy: {silent}: receive: timed out after 300ms"));
    probe(&["-d", "PING\r\n", &redis]).healthy(&format!("healthy: {redis}: connected in "));

    let banner = format!(
        "tcp://127.0.0.1:{}",
        serve(|mut stream| {
            let _ = stream.write_all(b"220 mail ESMTP\r\n");
        })
    );
    probe(&["--expect", "220 ", &banner]).healthy(&format!("healthy: {banner}: replied in "));
    probe(&["--expect", "221 ", &banner]).unhealthy(&format!(
        "unhealthy: {banner}: connected, got \"220 mail ESMTP\\r\\n\", expected \"221 \""
    ));
}

#[test]
fn a_reply_without_end_is_read_for_a_mebibyte() {
    let port = serve(|mut stream| while stream.write_all(b"0123456789").is_ok() {});
    let target = format!("tcp://127.0.0.1:{port}");
    probe(&["-t", "20s", "--expect", "x", &target]).unhealthy(&format!(
        "unhealthy: {target}: connected, got \"{}...\", expected \"x\"",
        "0123456789".repeat(8)
    ));
}

#[test]
fn unix_sockets() {
    let path = serve_unix(pong);
    let path = path.display();
    for target in [format!("unix:{path}"), format!("unix://{path}")] {
        probe(&[&target]).healthy(&format!("healthy: {target}: connected in "));
        probe(&["-d", "PING\r\n", "--expect", "PONG", &target])
            .healthy(&format!("healthy: {target}: replied in "));
    }
    let target = "unix:/no/such/socket";
    probe(&[target]).unhealthy(&format!("unhealthy: {target}: connect: no such file"));
}

#[test]
fn a_unix_socket_of_another_type_is_named() {
    let path = socket_path();
    let _datagrams = UnixDatagram::bind(&path).expect("a socket");
    let target = format!("unix:{}", path.display());
    probe(&[&target]).unhealthy(&format!("unhealthy: {target}: connect: not a stream socket"));
}

#[test]
fn http_over_a_unix_socket() {
    let path = serve_unix(|mut stream| {
        let request = read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
        let _ = stream.write_all(&request);
    });
    let socket = path.to_str().expect("ASCII");
    for target in ["http://no.such.host:81/x", "no.such.host:81/x"] {
        let run = probe(&[
            "--unix-socket",
            socket,
            "--expect",
            "GET /x HTTP/1.0\r\nHost: no.such.host:81\r\n",
            target,
        ]);
        run.healthy(&format!("healthy: {target}: 200 OK in "));
    }
    // Only http targets go that way.
    let tcp = format!("tcp://127.0.0.1:{}", closed_port());
    probe(&["--unix-socket", socket, &tcp])
        .unhealthy(&format!("unhealthy: {tcp}: connect: connection refused"));
}

#[test]
fn a_full_backlog_of_a_unix_socket_obeys_the_deadline() {
    let (path, _listener) = full_backlog();
    let target = format!("unix:{}", path.display());
    probe(&["-t", "300ms", "-q", &target])
        .within(Duration::from_secs(5))
        .unhealthy(&format!("unhealthy: {target}: connect: timed out after 300ms"));
}

#[test]
fn localhost_is_both_families_without_a_resolver() {
    let v4 = serve(answers(OK));
    for host in ["localhost", "LOCALHOST", "localhost.", "api.localhost", "0.0.0.0", "127.0.0.1"] {
        probe(&[format!("http://{host}:{v4}/")]).healthy("healthy: ");
    }
    for host in ["localhost", "x.y.localhost", "[::]", "[::1]"] {
        // Somebody else may listen on the same port of 127.0.0.1, so there are three.
        let healthy = |_| {
            let port = serve_v6(answers(OK)).expect("IPv6 on loopback");
            probe(&[format!("http://{host}:{port}/")]).code == Some(0)
        };
        assert!((0..3).any(healthy), "{host}");
    }
}

#[test]
fn the_unspecified_addresses_are_the_host_itself() {
    let v4 = serve(answers(OK));
    for host in ["0.0.0.0", "[::]", "[0:0::0]"] {
        let target = format!("http://{host}:{v4}/");
        probe(&[&target]).healthy(&format!("healthy: {target}: 200 OK in "));
    }
    let target = format!("tcp://[::]:{}", closed_port());
    probe(&[&target]).unhealthy(&format!("unhealthy: {target}: connect: connection refused"));
}

#[test]
fn time_that_one_address_does_not_use_goes_back_to_one_that_hangs() {
    // The first address hangs, and the second one refuses at once.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    set_backlog(&listener, 1);
    (0..2).for_each(|_| drop(TcpStream::connect(address).expect("it waits to be accepted")));
    let target = format!("http://localhost:{}/", address.port());
    let mut command = command();
    // Half of it is less than the second after which the kernel asks a listener again.
    command.args(["-t2s", &target]);
    let probe = started(command);
    probe.until('S');
    thread::spawn(move || listener.incoming().flatten().for_each(answers(OK)));
    probe.finished().healthy(&format!("healthy: {target}: 200 OK in "));
}

#[test]
fn all_targets_must_be_healthy_and_are_reported_in_their_order() {
    let good = format!("127.0.0.1:{}", serve(answers(OK)));
    let bad = format!("127.0.0.1:{}", serve(answers("HTTP/1.0 500 No\r\n\r\n")));
    let closed = format!("tcp://127.0.0.1:{}", closed_port());
    let path = serve_unix(|_| ());
    let unix = format!("unix:{}", path.display());

    let run = probe(&["-t60s", &unix, &good, &unix]);
    assert_eq!(run.code, Some(0), "{run:?}");
    run.within(GENEROUS);
    let names: Vec<&str> = run.stdout.lines().map(|line| line.split(": ").nth(1).unwrap_or("")).collect();
    assert_eq!(names, [&unix, &good, &unix]);

    let run = probe(&[&closed, &good, &bad]);
    assert_eq!(run.code, Some(1));
    assert!(run.stdout.starts_with(&format!("healthy: {good}: 200 OK in ")), "{run:?}");
    let want = [
        format!("unhealthy: {closed}: connect: connection refused"),
        format!("unhealthy: {bad}: 500 No, expected 200-399"),
    ];
    assert_eq!(run.causes().lines().collect::<Vec<_>>(), want);
}

#[test]
fn what_has_no_turn_before_the_deadline_is_not_checked() {
    let hangs = format!("127.0.0.1:{}", serve(silent));
    let untouched = Untouched::new();
    let never = format!("127.0.0.1:{}", untouched.port());
    let run = probe(&["-t300ms", &hangs, &never, "tcp://127.0.0.1:1"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let want = [
        format!("unhealthy: {hangs}: receive: timed out after 300ms"),
        format!("unhealthy: {never}: not checked: timed out after 300ms"),
        "unhealthy: tcp://127.0.0.1:1: not checked: timed out after 300ms".to_string(),
    ];
    assert_eq!(run.causes().lines().collect::<Vec<_>>(), want);
    untouched.assert();
}

#[test]
fn what_has_no_turn_within_the_wait_tells_the_wait_alone() {
    let hangs = format!("127.0.0.1:{}", serve(silent));
    let untouched = Untouched::new();
    let never = format!("tcp://127.0.0.1:{}", untouched.port());
    let run = probe(&["--wait", "300ms", &hangs, &never]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let line = format!("unhealthy: {never}: not checked, waited 300ms");
    assert_eq!(run.stderr.lines().last(), Some(&line[..]), "{run:?}");
    untouched.assert();
}

#[test]
fn a_wait_is_for_each_target_in_its_turn() {
    let start = Instant::now();
    let late = serve(move |stream| match start.elapsed() < Duration::from_millis(300) {
        true => answers("HTTP/1.0 503 Not yet\r\n\r\n")(stream),
        false => answers(OK)(stream),
    });
    let good = format!("127.0.0.1:{}", serve(answers(OK)));
    let run = probe(&["-w20s", &format!("127.0.0.1:{late}"), &good]);
    assert_eq!((run.code, run.stdout.lines().count()), (Some(0), 2), "{run:?}");

    let closed = format!("tcp://127.0.0.1:{}", closed_port());
    let run = probe(&["-w300ms", &closed, &good]);
    assert!(
        run.code == Some(1) && run.stderr.starts_with(&format!("unhealthy: {closed}: connect: ")),
        "{run:?}"
    );
}

#[test]
fn a_healthy_connection_is_closed_before_the_next_target_is_checked() {
    let (sender, receiver) = mpsc::channel();
    let first = serve(move |mut stream| {
        let _ = sender.send(stream.read(&mut [0; 1]).expect("its end"));
    });
    let receiver = Arc::new(Mutex::new(receiver));
    let second = serve(move |stream| {
        let ended = receiver.lock().expect("no panic").recv_timeout(GENEROUS);
        answers(if ended == Ok(0) { OK } else { "HTTP/1.0 500 Still open\r\n\r\n" })(stream);
    });
    let run = probe(&["-t20s", &format!("tcp://127.0.0.1:{first}"), &format!("127.0.0.1:{second}")]);
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[test]
fn waits_until_the_server_is_there() {
    let path = socket_path();
    let target = format!("unix:{}", path.display());
    let mut command = command();
    command.args(["--wait", "20s", &target]);
    let waiting = started(command);
    // It sleeps between two attempts, the first of which failed.
    waiting.until('S');
    let _listener = UnixListener::bind(&path).expect("a socket");
    waiting.finished().healthy(&format!("healthy: {target}: connected in "));
    std::fs::remove_file(path).expect("removed");
}

#[test]
fn waits_until_the_answer_is_right() {
    let start = Instant::now();
    let port = serve(move |stream| match start.elapsed() < Duration::from_millis(300) {
        true => answers("HTTP/1.0 503 Not yet\r\n\r\n")(stream),
        false => answers(OK)(stream),
    });
    let target = format!("127.0.0.1:{port}");
    probe(&["-w20s", &target]).healthy(&format!("healthy: {target}: 200 OK in "));
}

#[test]
fn a_wait_ends_with_the_last_cause() {
    let closed = format!("tcp://127.0.0.1:{}", closed_port());
    let run = probe(&["-w", "400ms", &closed]);
    run.unhealthy(&format!("unhealthy: {closed}: connect: connection refused, waited 400ms"));
    assert!(run.elapsed >= Duration::from_millis(300), "it did not wait: {run:?}");

    let silent_target = format!("127.0.0.1:{}", serve(silent));
    let run = probe(&["-w", "300ms", "-t", "20s", &silent_target]);
    run.within(Duration::from_secs(5))
        .unhealthy(&format!("unhealthy: {silent_target}: receive: timed out after 300ms, waited 300ms"));
}

/// A server that deals in one way with the first connection and in another with the rest, and their number.
fn serve_first(first: impl Deed, rest: impl Deed) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let port = serve(move |stream| match counted.fetch_add(1, Ordering::Relaxed) {
        0 => first(stream),
        _ => rest(stream),
    });
    (format!("127.0.0.1:{port}"), count)
}

#[test]
fn each_attempt_of_a_wait_has_the_timeout() {
    let (target, _) = serve_first(silent, answers(OK));
    probe(&["-w", "20s", "-t", "300ms", &target]).within(GENEROUS).healthy("healthy: ");
}

#[test]
fn the_pauses_of_a_wait_double() {
    let (target, count) = serve_first(answers(DOWN), answers(DOWN));
    let run = probe(&["-w", "700ms", &target]);
    // For its last attempt it had 50 ms, which may be too little.
    assert!(run.code == Some(1) && run.text().ends_with(", waited 700ms\n"), "{run:?}");
    // At 0, 25, 75, 175, 375 and 650 ms, and perhaps once more; fewer on a loaded machine.
    let count = count.load(Ordering::Relaxed);
    assert!(count <= 8, "{count}");
}

#[test]
fn a_slow_answer_is_not_lost_at_the_end_of_a_wait() {
    let port = serve(|stream| {
        thread::sleep(Duration::from_millis(800));
        answers("HTTP/1.0 503 Down\r\n\r\n")(stream);
    });
    let target = format!("http://127.0.0.1:{port}/");
    let line = format!("unhealthy: {target}: 503 Down, expected 200-399, waited 3s");
    probe(&["-w", "3s", &target]).unhealthy(&line);
}

#[test]
fn a_wait_tells_no_cause_that_another_one_followed() {
    let (path, listener) = unix_listener();
    let gone = path.clone();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        std::fs::remove_file(gone).expect("removed");
        read_request(&mut stream);
        thread::sleep(Duration::from_millis(1600));
        let _ = stream.write_all(DOWN.as_bytes());
    });
    let path = path.to_str().expect("ASCII");
    let line = format!("unhealthy: http://x/: connect: no such file, over {path}, waited 3s");
    probe(&["-w", "3s", "--unix-socket", path, "http://x/"]).unhealthy(&line);
}

#[test]
fn a_short_round_at_the_end_of_a_wait_hides_no_cause() {
    let closed = format!("tcp://127.0.0.1:{}", closed_port());
    let (path, _listener) = full_backlog();
    let hangs = format!("unix:{}", path.display());
    let mut args = vec!["--any", "-w", "2s", "-t", "600ms"];
    args.extend([hangs.as_str(); 20]);
    args.push(&closed);
    let line = format!("unhealthy: {closed}: connect: connection refused, waited 2s");
    // The last one's share of a whole round is 28 ms, which may be too little on a loaded machine.
    let is_told = || probe(&args).causes().lines().last() == Some(&line);
    assert!((0..5).any(|_| is_told()), "{:?}", probe(&args));
}

#[test]
fn with_any_one_healthy_target_is_enough_and_its_line_alone_is_printed() {
    let good = format!("127.0.0.1:{}", serve(answers(OK)));
    let closed = format!("tcp://127.0.0.1:{}", closed_port());
    let untouched = Untouched::new();
    let never = format!("tcp://127.0.0.1:{}", untouched.port());
    for args in
        [vec!["--any", &good, &never], vec!["--any", &closed, &good, &never], vec![&closed, &good, "--any"]]
    {
        let run = probe(&args);
        run.healthy(&format!("healthy: {good}: 200 OK in "));
        assert_eq!(run.text().lines().count(), 1, "{run:?}");
    }
    let run = probe(&["--any", "--quiet", &closed, &good]);
    assert_eq!((run.code, run.text().as_str()), (Some(0), ""));
    untouched.assert();
}

#[test]
fn with_any_every_unhealthy_target_has_its_line() {
    let closed = format!("tcp://127.0.0.1:{}", closed_port());
    let bad = format!("127.0.0.1:{}", serve(answers("HTTP/1.0 503 No\r\n\r\n")));
    for quiet in [&[][..], &["--quiet"]] {
        let run = probe(&[&["--any", &closed, &bad], quiet].concat());
        let lines = [
            format!("unhealthy: {closed}: connect: connection refused"),
            format!("unhealthy: {bad}: 503 No, expected 200-399"),
        ];
        assert_eq!(
            (run.code, run.causes().lines().collect::<Vec<_>>()),
            (Some(1), lines.iter().map(String::as_str).collect())
        );
    }
}

#[test]
fn with_any_a_target_that_hangs_leaves_the_others_their_share() {
    let hangs = format!("127.0.0.1:{}", serve(silent));
    let good = format!("127.0.0.1:{}", serve(answers(OK)));
    probe(&["--any", "-t", "2s", &hangs, &good])
        .within(GENEROUS)
        .healthy(&format!("healthy: {good}: 200 OK in "));
    // The last one has all that is left, which is not all there was.
    let run = probe(&["--any", "-t", "400ms", &hangs, &hangs]);
    let line = format!("unhealthy: {hangs}: receive: timed out after ");
    assert_eq!((run.code, run.stderr.matches(&line).count()), (Some(1), 2), "{run:?}");
    assert!(!run.stderr.contains("after 400ms"), "{run:?}");
    // All of them in turn, until one is healthy.
    let start = Instant::now();
    let late = serve(move |stream| match start.elapsed() < Duration::from_millis(300) {
        true => answers("HTTP/1.0 503 Not yet\r\n\r\n")(stream),
        false => answers(OK)(stream),
    });
    let late = format!("127.0.0.1:{late}");
    let run = probe(&["--any", "-w", "20s", "-t", "200ms", &late, &hangs]);
    run.within(GENEROUS).healthy(&format!("healthy: {late}: 200 OK in "));
}

#[test]
fn a_failure_over_a_unix_socket_names_it_as_it_was_written() {
    let path = socket_path();
    let name = path.to_str().expect("UTF-8");
    let line = "unhealthy: http://x/: connect: no such file, over ${SOCK}";
    probe_env(&["--unix-socket", "${SOCK}", "http://x/"], &[("SOCK", name)]).unhealthy(line);
    let line = "unhealthy: http://x/: connect: no such file, over ${SOCK}, waited 400ms";
    probe_env(&["-w400ms", "--unix-socket", "${SOCK}", "http://x/"], &[("SOCK", name)]).unhealthy(line);
}

#[test]
fn replies_are_searched_for_every_text() {
    let redis = format!("tcp://127.0.0.1:{}", serve(pong));
    let data = ["-d", "PING\r\n", "-t", "2s"];
    probe(&[&data[..], &["--expect", "PO", "--expect", "NG", &redis]].concat()).healthy("healthy: ");
    for texts in [["--expect", "PONG", "--expect", "PANG"], ["--expect", "PANG", "--expect", "PONG"]] {
        probe(&[&data[..], &texts, &[&redis]].concat()).unhealthy(&format!(
            "unhealthy: {redis}: receive: timed out after 2s, got \"+PONG\\r\\n\", expected \"PANG\""
        ));
    }
}

#[test]
fn an_echoed_secret_is_not_shown() {
    let echo = format!(
        "tcp://127.0.0.1:{}",
        serve(|mut stream| {
            use std::io::Read;
            let mut data = [0; 100];
            let count = stream.read(&mut data).unwrap_or(0);
            let _ = stream.write_all(&data[..count]);
        })
    );
    probe_env(&["-d", "AUTH ${PW}", "--expect", "OK", &echo], &[("PW", "hunter2")])
        .unhealthy(&format!("unhealthy: {echo}: connected, got \"***\", expected \"OK\""));
}

#[test]
fn bytes_are_sent_and_expected_with_their_nuls() {
    let port = serve(|mut stream| {
        use std::io::Read;
        let mut data = [0; 8];
        if stream.read_exact(&mut data).is_ok() && data == [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f] {
            let _ = stream.write_all(b"\0N\0");
        }
    });
    let target = format!("tcp://127.0.0.1:{port}");
    probe(&["--data", "${0x0000000804d2162f}", "--expect", "${0x00}N${0x00}", &target])
        .healthy(&format!("healthy: {target}: replied in "));
}
