//! Who runs beside the floor, and how each is called.

use std::path::Path;

use super::super::contestant::{Contestant, Proof};
use super::super::server::{BUCKET, OBJECT};
use super::super::variant::{Direction, Engine, Load, Variant};

/// Hydrant's client, with this pool or its default.
pub fn ours(client: &Path, pool_bytes: Option<u64>, load: &Load) -> Contestant {
    let mut arguments = vec![
        load.direction.word().to_owned(),
        format!("--endpoint={}", load.endpoint()),
        format!("--bucket={BUCKET}"),
        format!("--key={}", load.direction.key()),
        format!("--bytes={}", load.bytes),
        format!("--connections={}", load.connections),
        format!("--cores={}", load.cores),
        format!("--range-bytes={}", load.range_bytes),
    ];
    arguments.extend(pool_bytes.map(|bytes| format!("--pool-bytes={bytes}")));
    arguments.extend(load.sum.as_ref().map(|_| "--sum".to_owned()));
    arguments.extend(load.authority.as_ref().map(|path| format!("--ca={}", path.display())));
    Contestant::reporting("hydrant", client, arguments, load.bytes)
}

/// One connection, and nothing kept.
pub fn curl(load: &Load) -> Contestant {
    let url = format!("{}/{BUCKET}/{OBJECT}", load.endpoint());
    let words = ["curl", "-sS", "--fail", "-o", "/dev/null", "-w", "size %{size_download}\n", &url];
    let mut command = words.map(str::to_owned).to_vec();
    if let Some(authority) = &load.authority {
        command.extend(["--cacert".to_owned(), authority.display().to_string()]);
    }
    Contestant { name: "curl", command, proof: Proof::Says(format!("size {}", load.bytes)) }
}

/// The reference, set up like the floor that won: it knows blocking threads of one connection each,
/// and one ring.
pub fn reference(program: &Path, load: &Load, variant: &Variant) -> Contestant {
    let thread_each = variant.engine == Engine::Threads && variant.threads == load.connections;
    let (mode, layout) = match load.direction {
        Direction::Get if thread_each => ("recv", "-t"),
        Direction::Get => ("uring", "-c"),
        Direction::Put => ("putmem", "-t"),
    };
    let path = format!("/{BUCKET}/{}", load.direction.key());
    let mut command = vec![program.display().to_string(), "-m".to_owned(), mode.to_owned()];
    let options = [
        ("-p", u64::from(load.address.port())),
        (layout, load.connections as u64),
        ("-b", variant.buffer_bytes),
        ("-r", load.range_bytes),
        ("-s", load.bytes),
    ];
    command.extend(
        options.into_iter().flat_map(|(option, value)| [option.to_owned(), value.to_string()]),
    );
    command.extend(["-u".to_owned(), path]);
    if variant.wait_all {
        command.push("-W".to_owned());
    }
    let proof = Proof::Says(format!(" bytes {} ", load.bytes));
    Contestant { name: "reference", command, proof }
}
