//! Sockets: names to addresses, connecting to the first of several that answers, accepting, a
//! stream of bytes.
//!
//! A stream belongs to one core. Receives go into a lease at an offset; sends come from a lease or
//! `Bytes`. This room knows nothing of HTTP, and never resolves a name on a core (CORE-1).

mod connect;
mod listener;
mod order;
mod resolve;
mod stream;

pub use listener::TcpListener;
pub use resolve::resolve;
pub use stream::{RecvMode, TcpStream, ZeroCopyChoice};
