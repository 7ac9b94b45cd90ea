//! From a host and a port to addresses.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::cores::Core;
use crate::error::{Error, Result};

/// All addresses of a host. A literal address is parsed; a name is looked up on the control thread
/// (CORE-1), in the order that the system's resolver gives.
///
/// # Errors
/// [`Error::Resolve`] when there is no address.
pub async fn resolve(core: &Core, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = literal.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let name = host.to_owned();
    let found = core
        .blocking(move || (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>))
        .await?;
    let no_address = |detail: String| Error::Resolve { host: host.to_owned(), detail };
    match found {
        Ok(addresses) if addresses.is_empty() => Err(no_address("the name has no address".into())),
        Ok(addresses) => Ok(addresses),
        Err(error) => Err(no_address(error.to_string())),
    }
}
