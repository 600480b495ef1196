//! Opens connections.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::errno::{EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EINPROGRESS, EINTR, ENETUNREACH, Errno};
use crate::failure::{Phase, Unhealthy};
use crate::input::target::Host;
use crate::net::connection::Connection;
use crate::net::deadline::Deadline;
use crate::net::resolve::resolve;
use crate::sys::{self, Address};

/// Connects to a Unix socket, whose path has at most [`sys::UNIX_PATH_MAX`] bytes. Errors: `Os` and `TimedOut`, of
/// [`Phase::Connect`].
pub fn unix(path: &[u8], deadline: &Deadline) -> Result<Connection, Unhealthy> {
    connect_any(&[sys::unix(path)], true, deadline)
}

/// Connects to the first address of `host` that accepts. IPv4 goes first, unless a hosts file
/// orders otherwise: a server on one family only is mostly on that one. Errors: those of [`resolve`]; `Os` and
/// `TimedOut`, of [`Phase::Connect`].
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
pub fn tcp(host: &Host, port: u16, deadline: &Deadline) -> Result<Connection, Unhealthy> {
    let ips = match host {
        Host::Ip(ip) => vec![*ip],
        Host::Localhost => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Host::Name(name) => resolve(name, deadline)?,
    };
    let addresses: Vec<_> = ips.iter().map(|&ip| sys::inet(SocketAddr::new(ip, port))).collect();
    connect_any(&addresses, *host == Host::Localhost, deadline)
}

/// The error of an address that has taken longer than it was given, or that has not had its turn.
const HANGS: Errno = EINPROGRESS;

/// Tries every address until one connects. Each has an equal share of the time left; those that
/// hang are tried again until the deadline, in the time that the others did not use.
// A stack frame of its own, see `probe::attempt`.
#[inline(never)]
fn connect_any(addresses: &[Address], is_local: bool, deadline: &Deadline) -> Result<Connection, Unhealthy> {
    let mut errors = vec![HANGS; addresses.len()];
    loop {
        let mut hanging = errors.iter().filter(|&&error| error == HANGS).count();
        if hanging == 0 || deadline.left().is_none() {
            return Err(match likeliest_cause(&errors, is_local) {
                HANGS => Unhealthy::TimedOut(Phase::Connect),
                errno => Unhealthy::Os(Phase::Connect, errno),
            });
        }
        for (address, error) in addresses.iter().zip(&mut errors) {
            if *error == HANGS
                && let Some(share) = deadline.socket_timeout(hanging)
            {
                hanging -= 1;
                match Connection::open(sys::STREAM, address, share) {
                    Ok(connection) => return Ok(connection),
                    Err(EAGAIN | HANGS | EINTR) => {}
                    Err(errno) => *error = errno,
                }
            }
        }
    }
}

/// The error to report: that of the first address that this host can reach at all. One of a
/// family that it lacks says nothing about the server. Within this host only a full backlog hangs, so
/// somebody listens there.
fn likeliest_cause(errors: &[Errno], is_local: bool) -> Errno {
    if is_local && errors.contains(&HANGS) {
        return HANGS;
    }
    let has_no_route = |error: &Errno| matches!(*error, EADDRNOTAVAIL | ENETUNREACH | EAFNOSUPPORT);
    *errors.iter().find(|error| !has_no_route(error)).unwrap_or(&errors[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failure_is_that_of_the_first_address_that_could_have_been_the_server() {
        // 99 address not available, 101 network unreachable, 97 family not supported, 111 refused,
        // 113 no route to host.
        for (errors, cause) in [
            (&[111, 99][..], 111),
            (&[99, 111], 111),
            (&[101, 97, 113, 111], 113),
            (&[99, 101], 99),
            (&[97], 97),
            (&[101, HANGS.0, 111], HANGS.0),
        ] {
            let numbers: Vec<_> = errors.iter().map(|&number| Errno(number)).collect();
            assert_eq!(likeliest_cause(&numbers, false), Errno(cause), "{errors:?}");
        }
        assert_eq!(likeliest_cause(&[Errno(111), HANGS], false), Errno(111));
        assert_eq!(likeliest_cause(&[Errno(111), HANGS], true), HANGS);
    }
}
