//! SANS-1: protocol logic does no I/O, reads no clock and draws no random number, and imports no
//! ring (FLOOR-1).

use std::path::Path;

use super::judge;
use super::sources::{Source, read_all};
use crate::failure::Result;
use crate::steps::Outcome;

/// A module, by its path without `.rs`: the file, its folder, or both.
struct Room {
    module: &'static str,
    /// Modules in it that do the I/O for the others.
    except: &'static [&'static str],
}

const fn pure(module: &'static str) -> Room {
    Room { module, except: &[] }
}

/// The protocol rooms. Each must exist: a room that moved is moved here too.
const ROOMS: &[Room] = &[
    pure("engine/src/net/tls/session"),
    pure("backends/src/http/redirect"),
    Room {
        module: "backends/src/http1",
        except: &[
            "backends/src/http1/connection",
            "backends/src/http1/error",
            // Plain data, but of the connections too: it names the engine's own limits.
            "backends/src/http1/limits",
            "backends/src/http1/pool",
        ],
    },
    pure("backends/src/http1/pool/addresses"),
    Room {
        module: "backends/src/s3/credentials",
        except: &["backends/src/s3/credentials/io", "backends/src/s3/credentials/provider"],
    },
    pure("backends/src/s3/choice"),
    pure("backends/src/s3/encode"),
    pure("backends/src/s3/endpoint"),
    pure("backends/src/s3/ops"),
    pure("backends/src/s3/presign"),
    pure("backends/src/s3/request"),
    pure("backends/src/s3/retry"),
    pure("backends/src/s3/sign"),
    pure("backends/src/s3/time"),
    pure("backends/src/s3/xml"),
    pure("backends/src/pipeline/plan"),
];

/// What they may not name. The plain data of `std::net` and `std::time` (addresses, durations, an
/// instant that was handed in) is theirs to use; what opens, sends or asks the time is not.
const FORBIDDEN: &[&str] = &[
    "hydrant_engine",
    "io_uring",
    "libc",
    "tokio",
    "fs",
    "std::env",
    "std::process",
    "std::thread",
    "thread::sleep",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "ToSocketAddrs",
    "Instant::now",
    "SystemTime::now",
    "UNIX_EPOCH.elapsed",
    "RandomState",
    "random_u64",
];

/// Reads all sources.
pub fn check(root: &Path) -> Result<Outcome> {
    judge(&violations(&read_all(root)?))
}

fn violations(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for room in ROOMS {
        let mut files = sources.iter().filter(|source| room.holds(&source.path)).peekable();
        if files.peek().is_none() {
            found.push(format!(
                "{} is not there: if it moved, move it in rules/sans_io.rs",
                room.module
            ));
        }
        for source in files.filter(|source| !source.is_test()) {
            for word in FORBIDDEN {
                let lines = source.mentions(word).into_iter();
                found.extend(
                    lines.map(|line| format!("{}:{line} names {word} (SANS-1)", source.path)),
                );
            }
        }
    }
    found
}

impl Room {
    fn holds(&self, path: &str) -> bool {
        is_of(path, self.module) && !self.except.iter().any(|module| is_of(path, module))
    }
}

/// Whether the file at `path` belongs to `module`.
fn is_of(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One clean file for each room, then `extra`.
    fn house(extra: &[(&str, &str)]) -> Vec<Source> {
        let clean = ROOMS
            .iter()
            .map(|room| Source::new(format!("{}.rs", room.module), "use std::time::Duration;"));
        clean.chain(extra.iter().map(|(path, text)| Source::new(*path, text))).collect()
    }

    #[test]
    fn a_clean_house_passes_and_tests_and_connections_may_do_io() {
        let sources = house(&[
            ("backends/src/http1/connection.rs", "use hydrant_engine::TcpStream;"),
            ("backends/src/http1/tests.rs", "use std::fs;"),
            ("backends/src/s3/store.rs", "use hydrant_engine::Core;"),
            (
                "backends/src/s3/sign/key.rs",
                "// no Instant::now here\n#[cfg(test)]\nmod tests { use std::fs; }",
            ),
            ("backends/src/s3/endpoint/host.rs", "use std::net::Ipv6Addr;"),
        ]);
        assert!(violations(&sources).is_empty(), "{:?}", violations(&sources));
    }

    #[test]
    fn rings_clocks_files_and_sockets_are_found_however_they_are_imported() {
        let faults = [
            "use hydrant_engine::Core;",
            "let now = std::time::Instant::now();",
            "let now = SystemTime::now();",
            "use std::{fs, time::Duration};",
            "let text = std::fs::read(path);",
            "use std::net::{Ipv4Addr, TcpStream};",
            "use io_uring::opcode;",
        ];
        for fault in faults {
            let sources = house(&[("backends/src/http1/request.rs", fault)]);
            assert_eq!(violations(&sources).len(), 1, "{fault}");
        }
    }

    #[test]
    fn a_room_that_is_gone_fails() {
        let mut sources = house(&[]);
        sources.retain(|source| !source.path.contains("plan"));
        assert_eq!(violations(&sources).len(), 1);
    }

    #[test]
    fn a_neighbour_with_a_longer_name_is_no_part_of_a_room() {
        let sources = house(&[("backends/src/s3/signal.rs", "use std::fs;")]);
        assert!(violations(&sources).is_empty());
    }
}
