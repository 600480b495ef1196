//! Opens connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use crate::connection::{Connection, failed};
use crate::deadline::Deadline;
use crate::resolve::resolve;
use crate::target::{Endpoint, Host};
use crate::verdict::{Failure, Phase, Unhealthy, fail};

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

/// Every address of the host. IPv4 comes first, but for what a hosts file says:
/// what listens on one family only mostly listens on that one.
fn addresses(host: &Host, deadline: &Deadline) -> Result<Vec<IpAddr>, Failure> {
    match host {
        Host::Ip(ip) => Ok(vec![*ip]),
        Host::Localhost => Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
        Host::Name(name) => resolve(name, deadline),
    }
}

/// Tries every address until one connects. Each has an equal share of the time
/// that is left, so one that hangs does not use up the others'. Reports the
/// last failure.
fn connect_any(addresses: &[IpAddr], port: u16, deadline: &Deadline) -> Result<Connection, Failure> {
    let mut failure = fail(Unhealthy::NoSuchName);
    for (tried, address) in addresses.iter().enumerate() {
        let share = deadline.share(addresses.len() - tried, Phase::Connect)?;
        match TcpStream::connect_timeout(&SocketAddr::new(*address, port), share) {
            Ok(stream) => return Ok(Connection::new(stream)),
            Err(error) => failure = failed(Phase::Connect, error, deadline),
        }
    }
    Err(failure)
}
