//! Opens connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use crate::connection::{Connection, failed};
use crate::deadline::Deadline;
use crate::resolve::resolve;
use crate::target::{Endpoint, Host};
use crate::verdict::{Failure, Phase, Unhealthy};

/// Opens a connection to `endpoint`, to whatever address of it accepts first.
///
/// The deadline bounds all of it but a Unix connect; see [`may_block`].
pub fn connect(endpoint: &Endpoint, deadline: &Deadline) -> Result<Connection, Failure> {
    match endpoint {
        Endpoint::Tcp(host, port) => connect_any(&addresses(host, deadline)?, *port, deadline),
        Endpoint::Unix(path) => match UnixStream::connect(path) {
            Ok(stream) => Ok(Connection::new(stream)),
            Err(error) => Err(failed(Phase::Connect, error, deadline)),
        },
    }
}

/// Whether [`connect`] may block past its deadline: connect(2) on a Unix
/// socket waits for a place in the listener's backlog, and std has no timeout for it.
pub fn may_block(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::Unix(_))
}

/// Every address of the host.
fn addresses(host: &Host, deadline: &Deadline) -> Result<Vec<IpAddr>, Failure> {
    match host {
        Host::Ip(ip) => Ok(vec![*ip]),
        Host::Localhost => Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
        Host::Name(name) => resolve(name, deadline),
    }
}

/// Tries every address until one connects, IPv4 first: what listens on one
/// family only mostly listens on that one. Each has an equal share of the time
/// that is left, so one that hangs does not use up the others'. Reports the
/// last failure.
fn connect_any(addresses: &[IpAddr], port: u16, deadline: &Deadline) -> Result<Connection, Failure> {
    let mut failure = Box::new(Unhealthy::NoSuchName);
    let mut untried = addresses.len();
    for is_ipv6 in [false, true] {
        for address in addresses {
            if address.is_ipv6() != is_ipv6 {
                continue;
            }
            let share = deadline.share(untried, Phase::Connect)?;
            untried -= 1;
            match TcpStream::connect_timeout(&SocketAddr::new(*address, port), share) {
                Ok(stream) => return Ok(Connection::new(stream)),
                Err(error) => failure = failed(Phase::Connect, error, deadline),
            }
        }
    }
    Err(failure)
}
