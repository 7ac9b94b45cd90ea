//! The engine as its users see it, on all three drivers with the same test bodies. Every host ends with the checks of OWN-1 (nothing is written to memory that was given
//! back), OWN-2 (everything is drained) and POOL-2 (all memory is back).

mod authority;
mod batches;
mod counters;
mod driven;
mod dropped;
mod early;
mod files;
mod filesystems;
mod host;
mod huge_pages;
mod installed;
mod interrupted;
mod lengths;
mod line;
mod net;
mod refused;
mod registered;
mod service;
mod sockets;
mod stall;
mod stopping;
mod storm;
mod tasks;
mod tls;
mod veth;
