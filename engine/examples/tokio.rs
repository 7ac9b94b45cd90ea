//! A tokio program that leaves its file I/O to an engine: its tasks are futures like any other.
//!
//! `cargo run -p hydrant-engine --example tokio`

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use hydrant_engine::{Core, Engine, Error, File, OpenOptions};

const BYTES: usize = 64 << 10;

/// Runs on a core, where futures need not be `Send`.
async fn length_and_sum(core: Core, path: &str) -> Result<(usize, u64), Error> {
    let file = File::open(&core, path.as_ref(), &OpenOptions::new().read()).await?;
    let lease = core.pool().lease(BYTES, "example").await?;
    let (read, buf) = file.read_at(&core, lease, 0..BYTES, 0).await;
    let length = read?;
    // Memory belongs to whoever lent it: how much of it is valid is for the caller to say.
    let mut lease = buf.into_lease().expect("it went in as a lease");
    lease.set_len(length);
    let sum = lease.as_slice().iter().map(|byte| u64::from(*byte)).sum();
    Ok((length, sum))
}

/// Runs it.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> Result<(), Error> {
    let engine = Engine::builder().cores(2).pool_bytes(8 << 20).start()?;
    // A handle is `Send` and so are the tasks: this could be any of tokio's runtimes.
    let files = ["/etc/passwd", "/etc/group"];
    let tasks = files.map(|path| engine.on_any_core(move |core| length_and_sum(core, path)));
    for (path, task) in files.into_iter().zip(tasks) {
        let (length, sum) = tokio::spawn(task?).await.expect("the task does not panic")??;
        assert!(length > 0 && sum > 0);
        println!("{path}: {length} bytes, their sum is {sum}");
    }
    Ok(())
}
