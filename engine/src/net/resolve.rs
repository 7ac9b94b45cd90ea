//! From a host and a port to addresses.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

use crate::cores::Core;
use crate::error::{Error, Result};

/// All addresses of a host. A literal address is parsed; a name is looked up on the control thread
/// (CORE-1), by [`Config::look_up`](crate::Config::look_up) and in the order that it gives.
///
/// An IPv6 address may stand in brackets, and may name its zone: `fe80::1%2`, `[fe80::1%eth0]`
/// (RFC 4007, section 11). A zone by name is a matter of the system, and goes the way of a name.
///
/// # Errors
/// [`Error::Resolve`] when there is no address; [`Error::ResolveTimedOut`] when the look-up has not
/// ended within `control.resolve`.
pub async fn resolve(core: &Core, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let no_address = |detail: String| Error::Resolve { host: host.to_owned(), detail };
    let name = unbracketed(host).map_err(|detail| no_address(detail.into()))?;
    if let Some(address) = literal(name, port) {
        return Ok(vec![address]);
    }
    let limit = core.engine().config().control.resolve;
    let found = core.timeout(limit, look_up(core, name, port)).await;
    let found = found.map_err(|_| Error::ResolveTimedOut { host: host.to_owned(), limit })??;
    match found {
        Ok(addresses) if addresses.is_empty() => Err(no_address("the name has no address".into())),
        Ok(addresses) => Ok(addresses),
        Err(error) => Err(no_address(error.to_string())),
    }
}

/// Takes the brackets off, in which only an IPv6 address may stand (RFC 3986, section 3.2.2).
fn unbracketed(host: &str) -> Result<&str, &'static str> {
    if !host.starts_with('[') && !host.ends_with(']') {
        return Ok(host);
    }
    let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inside = inside.ok_or("one of the brackets of an IPv6 address is missing")?;
    // Only an IPv6 address has a colon.
    if inside.contains(':') { Ok(inside) } else { Err("only an IPv6 address stands in brackets") }
}

/// An address that nobody has to be asked for.
fn literal(host: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, port));
    }
    // With the number of a zone, which the standard library reads in this form alone.
    let with_zone = host.contains('%').then(|| format!("[{host}]:{port}"))?;
    with_zone.parse::<SocketAddrV6>().ok().map(SocketAddr::V6)
}

/// Asks who knows names, on the control thread.
async fn look_up(core: &Core, name: &str, port: u16) -> Result<std::io::Result<Vec<SocketAddr>>> {
    let (name, ask) = (name.to_owned(), core.engine().config().look_up);
    // Goes with this future. Behind a look-up that hangs, those that nobody waits for any more must
    // not each take their time.
    let waiter = Arc::new(());
    let asked = Arc::downgrade(&waiter);
    let look_up = move || match asked.strong_count() {
        0 => Ok(Vec::new()),
        _ => ask(&name, port),
    };
    let found = core.blocking(look_up).await;
    drop(waiter);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(host: &str) -> Result<Option<String>, &'static str> {
        unbracketed(host).map(|name| literal(name, 80).map(|address| address.to_string()))
    }

    #[test]
    fn literals_are_read_without_asking_anybody() {
        for (host, address) in [
            ("127.0.0.1", "127.0.0.1:80"),
            ("::1", "[::1]:80"),
            ("[::1]", "[::1]:80"),
            ("[2001:DB8::7]", "[2001:db8::7]:80"),
            ("fe80::1%2", "[fe80::1%2]:80"),
            ("[fe80::1%2]", "[fe80::1%2]:80"),
            ("::ffff:192.0.2.1", "[::ffff:192.0.2.1]:80"),
        ] {
            assert_eq!(read(host), Ok(Some(address.to_owned())), "{host}");
        }
    }

    #[test]
    fn what_is_no_literal_is_a_name() {
        for host in ["localhost", "fe80::1%lo", "[fe80::1%lo]", "127.0.0.1:80", "1.2.3", "%1", ""] {
            assert_eq!(read(host), Ok(None), "{host}");
        }
    }

    #[test]
    fn brackets_are_for_ipv6_alone() {
        for host in ["[127.0.0.1]", "[localhost]", "[]", "[::1", "::1]", "[", "]"] {
            assert!(read(host).is_err(), "{host}");
        }
    }
}
