//! Whether a directory's file system takes O_DIRECT, by trying it with the engine.

use std::fs;
use std::path::{Path, PathBuf};

use hydrant::engine::{Direct, Engine, File, OpenOptions};

use crate::exit::Failure;

/// Makes a file in `dir`, asks, and removes it.
pub async fn direct_io(engine: &Engine, dir: &Path) -> Result<Direct, Failure> {
    let probe = Probe(dir.join(format!(".hydrant-probe-{}", std::process::id())));
    let path = probe.0.clone();
    let asked = engine.on_core(0, |core| async move {
        let options = OpenOptions::new().read().write().create_new().direct(true);
        File::open(&core, &path, &options).await.map(|file| file.direct())
    })?;
    Ok(asked.await??)
}

/// What the answer means, for people.
pub fn spell(direct: Direct) -> String {
    match direct {
        Direct::Yes { memory_align, offset_align } => {
            format!("yes; memory in multiples of {memory_align}, offsets of {offset_align} bytes")
        }
        Direct::Refused => "refused by the file system; the page cache is used instead".to_owned(),
        Direct::Buffered => "not asked for".to_owned(),
    }
}

/// A file that is gone with its owner, whatever happens to the task that made it.
struct Probe(PathBuf);

impl Drop for Probe {
    fn drop(&mut self) {
        // It is not there when it could not be made, and that was reported.
        let _ = fs::remove_file(&self.0);
    }
}
