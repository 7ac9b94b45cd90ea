//! What the C library costs a program that links it statically.

use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::{dist, shell, sizes};

/// Bytes of a stripped program at most, TLS included and nothing tuned: no `--gc-sections`, no LTO.
const STRIPPED_BYTES_MAX: u64 = 12 << 20;

/// Links an example against the archive of a release build, strips it, and looks at its size.
///
/// # Errors
/// A program that is larger than [`STRIPPED_BYTES_MAX`].
pub fn check(root: &Path, archive: &Path) -> Result<()> {
    let program = archive.with_file_name("footprint");
    let mut compiler = Command::new("cc");
    compiler.arg("-O2").arg("-I").arg(root.join("ffi/include"));
    compiler.arg(root.join("ffi/examples/put_get.c")).arg(archive).arg("-o").arg(&program);
    shell::run(compiler.args(dist::NATIVE.split(' ')))?;
    shell::run(Command::new("strip").arg(&program))?;
    let metadata = std::fs::metadata(&program);
    let bytes = metadata.map_err(|cause| Failure::io(program.display(), cause))?.len();
    println!("    a C program, statically linked and stripped: {bytes} bytes");
    if bytes > STRIPPED_BYTES_MAX {
        let most = sizes::show(STRIPPED_BYTES_MAX);
        return Err(Failure::new(format!("it has {bytes} bytes, and {most} are allowed")));
    }
    Ok(())
}
