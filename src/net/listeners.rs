//! Why a connection within this host was refused, or was not answered: who listens here, by
//! /proc/net/tcp and /proc/net/tcp6 (proc(5)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::errno::ECONNREFUSED;
use crate::failure::{Phase, Unhealthy};
use crate::file;
use crate::input::target::{Endpoint, Host};
use crate::print::{push, push_digits, push_number};
use crate::text::hex_digit;

/// The most that is read of a table, some 400 listeners.
const TABLE_MAX: usize = 64 * 1024;

/// The most listeners that are named.
const NAMED_MAX: usize = 8;

/// The longest explanation: Docker keeps 4,096 bytes of a check's output.
const LENGTH_MAX: usize = 400;

/// What stands for the listeners that are not named.
const MORE: &str = ", ...";

/// The name server that Docker puts into each container of a user-defined network.
const DOCKER_DNS: Ipv6Addr = Ipv4Addr::new(127, 0, 0, 11).to_ipv6_mapped();

/// Appends why `endpoint` failed, as far as the kernel knows; nothing for another host.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
pub fn push_explanation(out: &mut Vec<u8>, failure: Unhealthy, endpoint: &Endpoint) {
    let Endpoint::Tcp(host, port) = endpoint else { return };
    // Twice the same, where there is one.
    let addresses = match host {
        Host::Localhost => [Ipv4Addr::LOCALHOST.to_ipv6_mapped(), Ipv6Addr::LOCALHOST],
        Host::Ip(IpAddr::V4(ip)) => [ip.to_ipv6_mapped(); 2],
        Host::Ip(IpAddr::V6(ip)) => [*ip; 2],
        Host::Name(_) => return,
    };
    let is_refused = matches!(failure, Unhealthy::Os(Phase::Connect, ECONNREFUSED));
    let is_timed_out = matches!(failure, Unhealthy::TimedOut(Phase::Connect | Phase::Send | Phase::Receive));
    let is_here = addresses[0].to_canonical().is_loopback();
    let mut listeners = Vec::new();
    if !is_here || !(is_refused || is_timed_out) || !read_table(b"/proc/net/tcp", &mut listeners) {
        return;
    }
    // After those of IPv4, in which order `push_waiting` needs them. Not there on a host without IPv6.
    read_table(b"/proc/net/tcp6", &mut listeners);
    match is_refused {
        true => push_listening(out, &listeners, *port),
        false => push_waiting(out, &listeners, &addresses, *port),
    }
}

/// A socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listener {
    port: u16,
    is_ipv6: bool,
    /// That of an IPv4 socket as it is mapped into IPv6.
    ip: Ipv6Addr,
    /// The number of connections that wait to be accepted.
    queue: u32,
}

/// Appends the listeners of a table, which stand before all other sockets, of which there may be thousands.
/// Returns whether it can be read.
fn read_table(path: &[u8], listeners: &mut Vec<Listener>) -> bool {
    let mut length = 0;
    file::each_line(path, &mut |row| {
        length += row.len() + 1;
        // All but the header have one.
        if row.contains(&b':') {
            listeners.push(listener(row)?);
        }
        (length < TABLE_MAX).then_some(())
    });
    length > 0
}

/// The listener of a row, if the socket is one. `0: 0100007F:17AC 00000000:0000 0A 00000000:00000003 …` is
/// number, local and remote address, state, and two queues; here the second one is that of connections that
/// wait to be accepted (net/ipv4/tcp_ipv4.c, `get_tcp4_sock`).
fn listener(row: &[u8]) -> Option<Listener> {
    let mut fields = row.split(|byte| b" :".contains(byte)).filter(|field| !field.is_empty());
    let (address, port) = (fields.nth(1)?, fields.next()?);
    fields.nth(2).filter(|state| *state == b"0A")?;
    let queue = fields.nth(1)?;
    let is_ipv6 = address.len() > 8;
    let start = if is_ipv6 { 0 } else { 0xffff };
    // Each 32 bits of an address, in network order, are printed as if they were a number of this host's.
    let bits = address.chunks(8).fold(start, |bits, word| bits << 32 | u128::from(hex(word).to_be()));
    Some(Listener { port: hex(port) as u16, is_ipv6, ip: bits.into(), queue: hex(queue) })
}

fn hex(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, &byte| number << 4 | hex_digit(byte).unwrap_or_default())
}

/// Appends who listens: first those on `port`, then by port and address.
fn push_listening(out: &mut Vec<u8>, listeners: &[Listener], port: u16) {
    let place = |one: &Listener| (one.port != port, one.port, one.is_ipv6, one.ip.to_bits());
    let mut named: Vec<&Listener> = Vec::new();
    for listener in listeners.iter().filter(|one| one.ip != DOCKER_DNS) {
        // There is a row for each process that shares one.
        if let Err(at) = named.binary_search_by_key(&place(listener), |one| place(one)) {
            named.insert(at, listener);
        }
    }
    if named.is_empty() {
        push(out, "; no TCP port is open here");
    }
    let start = out.len();
    for (index, listener) in named.iter().enumerate() {
        let end = out.len();
        push(out, if index == 0 { "; listening here: " } else { ", " });
        push_ip(out, listener.ip, listener.is_ipv6);
        push(out, ":");
        push_number(out, listener.port.into());
        if index == NAMED_MAX || out.len() - start > LENGTH_MAX - MORE.len() {
            out.truncate(end);
            return push(out, MORE);
        }
    }
}

/// Appends how many connections wait where one to `addresses` and `port` could have gone.
fn push_waiting(out: &mut Vec<u8>, listeners: &[Listener], addresses: &[Ipv6Addr], port: u16) {
    const EVERY_IPV4: u128 = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().to_bits();
    const EVERY_IPV6: u128 = Ipv6Addr::UNSPECIFIED.to_bits();
    let is_ipv4 = |ip: Ipv6Addr| ip.to_bits() >> 32 == EVERY_IPV4 >> 32;
    let mut waiting = 0;
    let mut has_ipv4 = false;
    for listener in listeners.iter().filter(|listener| listener.port == port) {
        let takes = |&address: &Ipv6Addr| match listener.ip.to_bits() {
            EVERY_IPV4 => is_ipv4(address),
            // It takes IPv4 too, unless it was told not to, as it must be beside a listener on IPv4.
            EVERY_IPV6 => !is_ipv4(address) || !has_ipv4,
            ip => ip == address.to_bits(),
        };
        if addresses.iter().any(takes) {
            waiting += u64::from(listener.queue);
        }
        has_ipv4 |= is_ipv4(listener.ip);
    }
    if waiting > 0 {
        push(out, "; ");
        push_number(out, waiting);
        let words = match waiting {
            1 => " connection waits to be accepted",
            _ => " connections wait to be accepted",
        };
        push(out, words);
    }
}

/// Appends an address as it stands before a port: `127.0.0.1`, `[::1]`, `[::ffff:127.0.0.1]`.
fn push_ip(out: &mut Vec<u8>, ip: Ipv6Addr, is_ipv6: bool) {
    push(out, if is_ipv6 { "[" } else { "" });
    match ip.to_ipv4_mapped() {
        Some(ip) => {
            push(out, if is_ipv6 { "::ffff:" } else { "" });
            for (index, octet) in ip.octets().into_iter().enumerate() {
                push(out, if index > 0 { "." } else { "" });
                push_number(out, octet.into());
            }
        }
        None => push_ipv6(out, ip),
    }
    push(out, if is_ipv6 { "]" } else { "" });
}

/// Appends an address, `::` for the first of its longest runs of zeros, of at least two (RFC 5952, 4.2).
/// std's own would bring its formatting machinery, 3 KB.
fn push_ipv6(out: &mut Vec<u8>, ip: Ipv6Addr) {
    let segments = ip.segments();
    // Without such a run, one behind the end.
    let (mut start, mut length, mut run) = (segments.len(), 1, 0);
    for (index, &segment) in segments.iter().enumerate() {
        run = if segment == 0 { run + 1 } else { 0 };
        if run > length {
            (start, length) = (index + 1 - run, run);
        }
    }
    for (index, &segment) in segments.iter().enumerate() {
        if index == start {
            push(out, "::");
        } else if !(start..start + length).contains(&index) {
            push(out, if index > 0 && index != start + length { ":" } else { "" });
            push_digits(out, segment.into(), 16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::unix::ffi::OsStrExt;

    /// Both tables of one little-endian machine, with fewer spaces at the ends of the first one's rows.
    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 171003 1 00000000dee15a97 100 0 0 10 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 171002 1 0000000075b18065 100 0 0 10 0
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 170999 1 00000000f52bbab7 100 0 0 10 0
   3: 0B00007F:97FF 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 171001 1 00000000e19c9044 100 0 0 10 0
   4: 0100007F:17AC 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 171000 3 00000000e236fc91 100 0 0 10 0
   5: 0100007F:B924 0100007F:0016 01 00000000:00000000 00:00000000 00000000     0        0 171013 2 00000000bfe7b37b 20 0 0 10 -1
   6: 0100007F:0016 0100007F:B924 01 00000000:00000000 00:00000000 00000000     0        0 171014 1 000000006a81a1ad 20 0 0 10 -1
";
    const TCP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000001 00:00000000 00000000     0        0 171005 2 00000000f483c993 100 0 0 10 0
   1: B80D0120010000000100010001000100:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 171007 1 00000000efd95ec8 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:1F45 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 171006 1 00000000d8d2f68f 100 0 0 10 0
   3: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 171008 1 00000000b0ef0b92 100 0 0 10 0
   4: 00000000000000000000000000000000:2382 00000000000000000000000000000000:0000 0A 00000000:00000001 00:00000000 00000000     0        0 171004 2 00000000ec858751 100 0 0 10 0
   5: 0000000000000000FFFF00000100007F:2382 0000000000000000FFFF00000100007F:9AA4 01 00000000:00000000 00:00000000 00000000     0        0 0 1 0000000092ff7f39 20 0 0 10 -1
";

    /// `0.0.0.0:80 [::]:80=3`: listeners, and how many connections wait there.
    fn listeners(text: &str) -> Vec<Listener> {
        let listener = |word: &str| {
            let (address, queue) = word.split_once('=').unwrap_or((word, "0"));
            let address: std::net::SocketAddr = address.parse().expect("an address");
            let (ip, is_ipv6) = match address.ip() {
                IpAddr::V4(ip) => (ip.to_ipv6_mapped(), false),
                IpAddr::V6(ip) => (ip, true),
            };
            Listener { port: address.port(), is_ipv6, ip, queue: queue.parse().expect("a number") }
        };
        text.split_whitespace().map(listener).collect()
    }

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"connection refused".to_vec();
        push(&mut out);
        String::from_utf8(out.split_off("connection refused".len())).expect("ASCII")
    }

    /// Whether this table can be read, and its listeners.
    fn read_file(name: &str, content: &str) -> (bool, Vec<Listener>) {
        let path = std::env::temp_dir().join(format!("probe-{name}-{}", std::process::id()));
        std::fs::write(&path, content).expect("written");
        let mut listeners = Vec::new();
        let is_read = read_table(path.as_os_str().as_bytes(), &mut listeners);
        std::fs::remove_file(&path).expect("removed");
        (is_read, listeners)
    }

    #[test]
    fn the_listeners_of_both_tables_are_read_wherever_they_are_cut() {
        for (table, rows) in [
            (TCP, "0.0.0.0:8080 0.0.0.0:8080 0.0.0.0:22 127.0.0.11:38911 127.0.0.1:6060=2"),
            (
                TCP6,
                "[::1]:8080=1 [2001:db8:0:1:1:1:1:1]:443 [::ffff:127.0.0.1]:8005 [2001:db8::1]:80 [::]:9090=1",
            ),
        ] {
            // Lines that say nothing move the end of the first piece through all of it.
            for before in 0..1100 {
                let read = read_file("cut", &("\n".repeat(before) + table));
                assert_eq!(read, (true, listeners(rows)), "{before} before");
            }
        }
    }

    #[test]
    fn the_first_socket_that_does_not_listen_ends_the_table() {
        let listeners_alone = TCP.find("   5: ").expect("a connection");
        let row = TCP.lines().nth(1).expect("a listener");
        for table in [
            &TCP[..listeners_alone],
            &TCP[..listeners_alone + 100],
            TCP,
            &format!("{TCP}{row}\n"),
            &format!("{TCP}\n{}", format!("{row}\n").repeat(100)),
        ] {
            assert_eq!(read_file("end", table).1.len(), 5);
        }
    }

    #[test]
    fn a_table_that_is_not_there_is_told_from_one_without_listeners_and_a_long_one_has_its_cap() {
        let read_file = |content: &str| {
            let (is_read, listeners) = read_file("long", content);
            (is_read, listeners.len())
        };
        assert!(!read_table(b"/proc/net/none", &mut Vec::new()));
        // Can be opened, and not be read.
        assert!(!read_table(b"/proc/self/mem", &mut Vec::new()));
        let header = TCP.lines().next().expect("a header");
        assert_eq!(read_file(""), (true, 0));
        assert_eq!(read_file(&format!("{header}\n")), (true, 0));
        assert_eq!(read_file(TCP), (true, 5));
        // At most 64 KiB of it.
        let row = format!("{:<149}\n", TCP.lines().nth(1).expect("a listener"));
        let (is_read, count) = read_file(&format!("{header:<149}\n{}", row.repeat(1000)));
        assert!(is_read && (300..=436).contains(&count), "{count}");
    }

    #[test]
    fn listeners_are_named_by_port_the_wanted_one_first_and_each_once() {
        for (rows, said) in [
            ("", "; no TCP port is open here"),
            ("127.0.0.11:40000", "; no TCP port is open here"),
            ("[::]:9090 127.0.0.11:8090 127.0.0.1:6060", "; listening here: 127.0.0.1:6060, [::]:9090"),
            ("0.0.0.0:1 [::1]:8090 10.0.0.2:8090", "; listening here: 10.0.0.2:8090, [::1]:8090, 0.0.0.0:1"),
            ("[::]:80 0.0.0.0:80 0.0.0.0:80 [::]:80", "; listening here: 0.0.0.0:80, [::]:80"),
            ("[::ffff:127.0.0.1]:80 127.0.0.1:80", "; listening here: 127.0.0.1:80, [::ffff:127.0.0.1]:80"),
            (
                "127.0.0.2:80 127.0.0.1:80 9.9.9.9:80",
                "; listening here: 9.9.9.9:80, 127.0.0.1:80, 127.0.0.2:80",
            ),
            (
                "1.0.0.0:8 1.0.0.0:65535 1.0.0.0:3 1.0.0.0:1 1.0.0.0:6 1.0.0.0:5 1.0.0.0:4 1.0.0.0:7",
                "; listening here: 1.0.0.0:1, 1.0.0.0:3, 1.0.0.0:4, 1.0.0.0:5, 1.0.0.0:6, 1.0.0.0:7, 1.0.0.0:8, 1.0.0.0:65535",
            ),
            (
                "1.0.0.0:8 1.0.0.0:9 1.0.0.0:8090 1.0.0.0:3 1.0.0.0:2 1.0.0.0:1 1.0.0.0:6 1.0.0.0:5 1.0.0.0:4 1.0.0.0:7",
                "; listening here: 1.0.0.0:8090, 1.0.0.0:1, 1.0.0.0:2, 1.0.0.0:3, 1.0.0.0:4, 1.0.0.0:5, 1.0.0.0:6, 1.0.0.0:7, ...",
            ),
        ] {
            assert_eq!(text(|out| push_listening(out, &listeners(rows), 8090)), said, "{rows}");
        }
    }

    #[test]
    fn an_explanation_adds_at_most_400_bytes() {
        let long = |count| -> String {
            let listener = |port| format!("[1111:2222:3333:4444:5555:6666:7777:8888]:{} ", 10_000 + port);
            (0..count).map(listener).collect()
        };
        // What begins it, seven, and dots.
        let eight = text(|out| push_listening(out, &listeners(&long(8)), 1));
        assert_eq!(
            (eight.len(), eight.ends_with("]:10006, ...")),
            (18 + 7 * 47 + 6 * 2 + 5, true),
            "{eight}"
        );
        assert_eq!(text(|out| push_listening(out, &listeners(&long(400)), 1)), eight);
        // An eighth of 35 bytes would leave no room for dots.
        let tight = long(7) + "[1111:2222:3333:4444:5555:6666::]:20000 1.1.1.1:30000";
        assert!(text(|out| push_listening(out, &listeners(&tight), 1)).len() <= 400);
        let many = format!("127.0.0.1:1={} ", u32::MAX).repeat(500);
        assert!(text(|out| push_waiting(out, &listeners(&many), &[LOCALHOST[0]; 2], 1)).len() < 60);
    }

    const LOCALHOST: [Ipv6Addr; 2] = [Ipv4Addr::LOCALHOST.to_ipv6_mapped(), Ipv6Addr::LOCALHOST];

    #[test]
    fn connections_wait_where_this_one_could_have_gone() {
        let ipv4 = [LOCALHOST[0]; 2];
        let ipv6 = [LOCALHOST[1]; 2];
        for (rows, addresses, waiting) in [
            ("", LOCALHOST, 0),
            ("127.0.0.1:80 0.0.0.0:80 [::]:80", LOCALHOST, 0),
            ("127.0.0.1:80=1", LOCALHOST, 1),
            ("[::1]:80=2", LOCALHOST, 2),
            ("127.0.0.1:80=1 [::1]:80=2", LOCALHOST, 3),
            // Another port, and other addresses.
            ("127.0.0.1:81=9 127.0.0.2:80=9 10.0.0.2:80=9 [fe80::1]:80=9 127.0.0.1:80", LOCALHOST, 0),
            // Every address.
            ("0.0.0.0:80=3", LOCALHOST, 3),
            ("0.0.0.0:80=3", ipv4, 3),
            ("0.0.0.0:80=3", ipv6, 0),
            ("[::]:80=4", LOCALHOST, 4),
            ("[::]:80=4", ipv6, 4),
            ("[::]:80=4", ipv4, 4),
            // [::] is for IPv6 alone here.
            ("0.0.0.0:80=3 [::]:80=4", ipv4, 3),
            ("127.0.0.1:80 [::]:80=4", ipv4, 0),
            ("0.0.0.0:80=3 [::]:80=4", ipv6, 4),
            ("0.0.0.0:80=3 [::]:80=4", LOCALHOST, 7),
            // Java's.
            ("[::ffff:127.0.0.1]:80=5", LOCALHOST, 5),
            ("[::ffff:127.0.0.1]:80=5", ipv4, 5),
            ("[::ffff:127.0.0.1]:80=5", ipv6, 0),
            // Several processes.
            ("0.0.0.0:80=1 0.0.0.0:80=2 0.0.0.0:80 0.0.0.0:80=4", ipv4, 7),
        ] {
            let said = text(|out| push_waiting(out, &listeners(rows), &addresses, 80));
            let want = match waiting {
                0 => String::new(),
                1 => "; 1 connection waits to be accepted".to_owned(),
                _ => format!("; {waiting} connections wait to be accepted"),
            };
            assert_eq!(said, want, "{rows} for {addresses:?}");
        }
    }

    #[test]
    fn addresses_are_printed_as_std_does() {
        let mut ips = Vec::new();
        for pattern in 0..256_u16 {
            // Segments that are zero, or have one to four digits.
            let segment =
                |index: u16| if pattern >> index & 1 == 0 { 0 } else { 0x9abc_u16 >> (index % 4 * 4) };
            ips.push(Ipv6Addr::from(std::array::from_fn(|index| segment(index as u16))));
        }
        ips.extend(
            ["::ffff:10.200.0.99", "::ffff:0:0", "1::ffff:7f00:1"]
                .map(|ip| ip.parse::<Ipv6Addr>().expect("an address")),
        );
        for ip in ips {
            assert_eq!(text(|out| push_ip(out, ip, true)), format!("[{ip}]"));
        }
        assert_eq!(text(|out| push_ip(out, LOCALHOST[0], false)), "127.0.0.1");
    }

    #[test]
    fn only_failures_within_this_host_are_explained() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let _waits =
            std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let tcp = |host: &str| match host {
            "localhost" => Endpoint::Tcp(Host::Localhost, port),
            name if name.parse::<IpAddr>().is_err() => Endpoint::Tcp(Host::Name(name.into()), port),
            ip => Endpoint::Tcp(Host::Ip(ip.parse().expect("an address")), port),
        };
        let refused = Unhealthy::Os(Phase::Connect, ECONNREFUSED);
        let listening = format!("; listening here: 127.0.0.1:{port}");
        let timed_out = Unhealthy::TimedOut(Phase::Receive);
        let waiting = "; 1 connection waits to be accepted";
        for (failure, endpoint, said) in [
            (refused, tcp("localhost"), &listening[..]),
            (refused, tcp("127.0.0.9"), &listening),
            (refused, tcp("::1"), &listening),
            (refused, tcp("::ffff:127.0.0.1"), &listening),
            (refused, tcp("10.0.0.1"), ""),
            (refused, tcp("::ffff:10.0.0.1"), ""),
            (refused, tcp("app"), ""),
            (refused, Endpoint::Unix(b"/run/app.sock".into()), ""),
            (timed_out, tcp("localhost"), waiting),
            (timed_out, tcp("127.0.0.1"), waiting),
            (timed_out, tcp("::ffff:127.0.0.1"), waiting),
            (timed_out, tcp("::1"), ""),
            (timed_out, tcp("app"), ""),
            (Unhealthy::TimedOut(Phase::Connect), tcp("localhost"), waiting),
            (Unhealthy::TimedOut(Phase::Send), tcp("localhost"), waiting),
            (Unhealthy::TimedOut(Phase::Turn), tcp("localhost"), ""),
            (Unhealthy::TimedOut(Phase::Resolve), tcp("localhost"), ""),
            (Unhealthy::Os(Phase::Resolve, ECONNREFUSED), tcp("localhost"), ""),
            (Unhealthy::Os(Phase::Connect, crate::errno::EADDRNOTAVAIL), tcp("localhost"), ""),
            (Unhealthy::WrongAnswer, tcp("localhost"), ""),
        ] {
            let explained = text(|out| push_explanation(out, failure, &endpoint));
            // More of them listen here.
            let begins = !said.is_empty() && explained.starts_with(said);
            assert!(begins || explained == said, "{failure:?} of {endpoint:?}: {explained:?}, want {said:?}");
        }
    }
}
