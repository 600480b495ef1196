//! Opens connections.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::errno::{EAGAIN, EINPROGRESS, EINTR};
use crate::resolve::resolve;
use crate::socket::{self, Address};
use crate::target::{Endpoint, Host};
use crate::verdict::{Phase, Unhealthy};

/// Opens a connection to `endpoint` until `deadline`, to whatever address of it
/// accepts first. IPv4 comes first, but for what a hosts file says: what listens on
/// one family only mostly listens on that one.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
pub fn connect(endpoint: &Endpoint, deadline: &Deadline) -> Result<Connection, Unhealthy> {
    let mut addresses = Vec::new();
    match endpoint {
        Endpoint::Unix(path) => addresses.push(socket::unix(path)),
        Endpoint::Tcp(host, port) => {
            let mut add = |ip| addresses.push(socket::inet(SocketAddr::new(ip, *port)));
            match host {
                Host::Ip(ip) => add(*ip),
                Host::Localhost => {
                    add(Ipv4Addr::LOCALHOST.into());
                    add(Ipv6Addr::LOCALHOST.into());
                }
                Host::Name(name) => resolve(name, deadline)?.iter().for_each(|&ip| add(ip)),
            }
        }
    }
    connect_any(&addresses, deadline)
}

/// Tries every address until one connects. Each has an equal share of the time
/// that is left; those that hang are tried again, in the time that the others
/// did not use, until the deadline.
fn connect_any(addresses: &[Address], deadline: &Deadline) -> Result<Connection, Unhealthy> {
    let mut failures = vec![Unhealthy::TimedOut(Phase::Connect); addresses.len()];
    let hangs = |failure: &Unhealthy| matches!(failure, Unhealthy::TimedOut(_));
    loop {
        let mut hanging = failures.iter().filter(|failure| hangs(failure)).count();
        if hanging == 0 || deadline.left().is_none() {
            return Err(first_of_a_server(&failures));
        }
        for (address, failure) in addresses.iter().zip(&mut failures) {
            if hangs(failure)
                && let Some(share) = deadline.socket_timeout(hanging)
            {
                hanging -= 1;
                match Connection::open(socket::STREAM, address, share) {
                    Ok(connection) => return Ok(connection),
                    Err(error) if matches!(error.raw_os_error(), Some(EAGAIN | EINPROGRESS | EINTR)) => {}
                    Err(error) => *failure = Unhealthy::failed(Phase::Connect, &error),
                }
            }
        }
    }
}

/// The failure of the first address that could have been the server's; one of
/// a family that this host lacks could not.
fn first_of_a_server(failures: &[Unhealthy]) -> Unhealthy {
    *failures.iter().find(|failure| !failure.is_of_no_route()).unwrap_or(&failures[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failure_is_that_of_the_first_address_that_could_have_been_the_server() {
        // Errors of linux, by number: 99 address not available, 101 network
        // unreachable, 97 family not supported, 111 refused, 113 no route to host.
        for (numbers, first) in [
            (&[111, 99][..], 111),
            (&[99, 111], 111),
            (&[101, 97, 113, 111], 113),
            (&[99, 101], 99),
            (&[97], 97),
        ] {
            let failures: Vec<_> =
                numbers.iter().map(|&number| Unhealthy::Failed(Phase::Connect, number)).collect();
            assert_eq!(first_of_a_server(&failures), Unhealthy::Failed(Phase::Connect, first), "{numbers:?}");
        }
    }
}
