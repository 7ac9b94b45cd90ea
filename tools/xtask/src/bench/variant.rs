//! The ways to build the floor. Which is the cheapest depends on kernel and machine, so all are
//! tried.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::server::{BUCKET, OBJECT, UPLOAD};
use crate::sizes;

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Get,
    Put,
}

impl Direction {
    /// The subcommand of both programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
        }
    }

    /// The object that is read or written.
    pub fn key(self) -> &'static str {
        match self {
            Self::Get => OBJECT,
            Self::Put => UPLOAD,
        }
    }
}

/// What both sides of a pair have in common. Sizes are bytes.
#[derive(Clone, Debug)]
pub struct Load {
    pub direction: Direction,
    pub address: SocketAddr,
    pub bytes: u64,
    pub range_bytes: u64,
    pub connections: usize,
    pub cores: usize,
    /// The certificates to trust, if TLS is spoken.
    pub authority: Option<PathBuf>,
    /// The checksum of the object, if what arrives is to be compared with it: CRC-64/NVME in base64.
    pub sum: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Threads,
    Uring,
}

impl Load {
    /// As http://127.0.0.1:9000.
    pub fn endpoint(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

/// The two interfaces of `rustls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    Buffered,
    Unbuffered,
}

/// One way to build the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    pub engine: Engine,
    pub threads: usize,
    pub buffer_bytes: u64,
    pub wait_all: bool,
    /// How it speaks TLS, if it does.
    pub tls: Option<Interface>,
}

impl Variant {
    /// All that are worth a try: blocking threads (one a connection, and one a core) and a ring a
    /// core, with buffers of some sizes, each waiting for whole buffers or not.
    pub fn all(load: &Load) -> Vec<Self> {
        let mut layouts = vec![
            (Engine::Threads, load.connections),
            (Engine::Threads, load.cores),
            (Engine::Uring, load.cores),
        ];
        layouts.dedup();
        // A send is whole in any case.
        let waits: &[bool] =
            if load.direction == Direction::Get { &[false, true] } else { &[false] };
        let mut variants = Vec::new();
        for (engine, threads) in layouts {
            for (tls, buffer_bytes) in Self::buffers(load) {
                variants.extend(waits.iter().map(|&wait_all| Self {
                    engine,
                    threads,
                    buffer_bytes,
                    wait_all,
                    tls,
                }));
            }
        }
        variants
    }

    /// 256 KiB, 1 MiB and a part. With TLS or a checksum what is received is read once more, so smaller
    /// ones, which stay in the cache, are tried instead of the part; but not where `rustls` takes all of
    /// it into a buffer of its own first.
    fn buffers(load: &Load) -> Vec<(Option<Interface>, u64)> {
        let warm = [64 << 10, 128 << 10, 256 << 10, 1 << 20];
        if load.authority.is_some() {
            let unbuffered = warm.map(|bytes| (Some(Interface::Unbuffered), bytes));
            let buffered = (Some(Interface::Buffered), 256 << 10);
            return unbuffered.into_iter().chain([buffered]).collect();
        }
        let mut sizes = match load.sum {
            Some(_) => warm.to_vec(),
            None => vec![256 << 10, 1 << 20, load.range_bytes],
        };
        sizes.retain(|&bytes| bytes <= load.range_bytes);
        sizes.dedup();
        sizes.into_iter().map(|bytes| (None, bytes)).collect()
    }

    /// The arguments of `hydrant-floor`.
    pub fn arguments(&self, load: &Load) -> Vec<String> {
        let engine = match self.engine {
            Engine::Threads => "threads",
            Engine::Uring => "uring",
        };
        let mut arguments = vec![
            load.direction.word().to_owned(),
            format!("--engine={engine}"),
            format!("--address={}", load.address),
            format!("--path=/{BUCKET}/{}", load.direction.key()),
            format!("--bytes={}", load.bytes),
            format!("--range-bytes={}", load.range_bytes),
            format!("--buffer-bytes={}", self.buffer_bytes),
            format!("--connections={}", load.connections),
            format!("--threads={}", self.threads),
        ];
        if self.wait_all {
            arguments.push("--wait-all".to_owned());
        }
        arguments.extend(load.sum.as_ref().map(|sum| format!("--crc64nvme={sum}")));
        if let (Some(interface), Some(authority)) = (self.tls, &load.authority) {
            let interface = interface.word();
            arguments.push(format!("--interface={interface}"));
            arguments.push(format!("--ca={}", authority.display()));
        }
        arguments
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wait = if self.wait_all { ", MSG_WAITALL" } else { "" };
        let layout = match self.engine {
            Engine::Threads => "blocking thread(s)",
            Engine::Uring => "io_uring(s)",
        };
        write!(
            out,
            "{} {layout}, buffers of {}{wait}",
            self.threads,
            sizes::show(self.buffer_bytes)
        )?;
        match self.tls {
            Some(interface) => write!(out, ", rustls {}", interface.word()),
            None => Ok(()),
        }
    }
}

impl Interface {
    fn word(self) -> &'static str {
        match self {
            Self::Buffered => "buffered",
            Self::Unbuffered => "unbuffered",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(direction: Direction, range_bytes: u64, connections: usize) -> Load {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let bytes = 1 << 30;
        let (authority, sum) = (None, None);
        Load { direction, address, bytes, range_bytes, connections, cores: 1, authority, sum }
    }

    #[test]
    fn with_tls_both_interfaces_are_tried_and_told_what_to_trust() {
        let plain = load(Direction::Get, 8 << 20, 8);
        let load = Load { authority: Some("/memory/certificate.pem".into()), ..plain };
        let variants = Variant::all(&load);
        assert_eq!(variants.len(), 3 * (4 + 1) * 2);
        let trusting = |variant: &Variant| {
            variant.arguments(&load).contains(&"--ca=/memory/certificate.pem".to_owned())
        };
        assert!(variants.iter().all(trusting));
    }

    #[test]
    fn both_engines_three_buffers_and_no_variant_twice() {
        let variants = Variant::all(&load(Direction::Get, 8 << 20, 8));
        assert_eq!(variants.len(), 3 * 3 * 2);
        assert!(variants.iter().enumerate().all(|(at, variant)| !variants[..at].contains(variant)));
        assert_eq!(Variant::all(&load(Direction::Put, 8 << 20, 8)).len(), 3 * 3);
    }

    #[test]
    fn with_a_checksum_small_buffers_are_tried_and_told_what_to_find() {
        let load = Load { sum: Some("AAAA=".to_owned()), ..load(Direction::Get, 8 << 20, 8) };
        let variants = Variant::all(&load);
        assert_eq!(variants.len(), 3 * 4 * 2);
        let finds = |it: &Variant| it.arguments(&load).contains(&"--crc64nvme=AAAA=".to_owned());
        assert!(variants.iter().all(finds));
    }

    #[test]
    fn what_would_be_the_same_run_is_tried_once() {
        assert_eq!(Variant::all(&load(Direction::Put, 1 << 20, 1)).len(), 2 * 2);
        assert_eq!(Variant::all(&load(Direction::Put, 64 << 10, 1)).len(), 2);
    }
}
