//! Opens connections.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};

use crate::connection::{Connection, retry};
use crate::deadline::Deadline;
use crate::resolve::resolve;
use crate::target::{Endpoint, Host};
use crate::unix;
use crate::verdict::{Failure, Phase, Unhealthy, failed, timed_out};

/// Opens a connection to `endpoint` until `deadline`, to whatever address of it
/// accepts first.
pub fn connect(endpoint: &Endpoint, deadline: &Deadline) -> Result<Connection, Failure> {
    match endpoint {
        Endpoint::Tcp(host, port) => connect_any(&addresses(host, deadline)?, *port, deadline),
        Endpoint::Unix(path) => {
            let mut connection = Err(timed_out(Phase::Connect, deadline));
            retry(Phase::Connect, deadline, &mut |timeout| {
                connection = Ok(Connection::new(unix::connect_timeout(path, timeout)?));
                Ok(0)
            })?;
            connection
        }
    }
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
/// that is left; those that hang are tried again, in the time that the others
/// did not use, until the deadline.
fn connect_any(addresses: &[IpAddr], port: u16, deadline: &Deadline) -> Result<Connection, Failure> {
    let mut failures: Vec<_> = addresses.iter().map(|_| timed_out(Phase::Connect, deadline)).collect();
    loop {
        let hangs = |failure: &&mut Failure| matches!(***failure, Unhealthy::TimedOut(..));
        let mut hanging = failures.iter_mut().filter(hangs).count();
        if hanging == 0 {
            return Err(first_of_a_server(failures));
        }
        for (&ip, failure) in addresses.iter().zip(&mut failures).filter(|(_, failure)| hangs(failure)) {
            let Some(share) = deadline.share(hanging) else {
                return Err(first_of_a_server(failures));
            };
            hanging -= 1;
            match TcpStream::connect_timeout(&SocketAddr::new(ip, port), share) {
                Ok(stream) => return Ok(Connection::new(stream)),
                // std's own error for a timeout; `ETIMEDOUT` is the network's word.
                Err(error) if error.kind() == ErrorKind::TimedOut && error.raw_os_error().is_none() => {}
                Err(error) => *failure = failed(Phase::Connect, &error),
            }
        }
    }
}

/// The failure of the first address that could have been the server's; one of
/// a family that this host lacks could not.
fn first_of_a_server(mut failures: Vec<Failure>) -> Failure {
    let first = failures.iter().position(|failure| !failure.is_of_no_route()).unwrap_or(0);
    failures.swap_remove(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::Print;
    use std::io::Error;

    #[test]
    fn the_failure_is_that_of_the_first_address_that_could_have_been_the_server() {
        // Errors of linux, by number: 99 address not available, 101 network
        // unreachable, 97 family not supported, 111 refused, 113 no route to host.
        for (numbers, said) in [
            (&[111, 99][..], "connect: connection refused"),
            (&[99, 111], "connect: connection refused"),
            (&[101, 97, 113, 111], "connect: no route to host"),
            (&[99, 101], "connect: address not available"),
            (&[97], "connect: address family not supported"),
        ] {
            let failures =
                numbers.iter().map(|&number| failed(Phase::Connect, &Error::from_raw_os_error(number)));
            assert_eq!(first_of_a_server(failures.collect()).printed(), said.as_bytes(), "{numbers:?}");
        }
    }
}
