//! The same engine under smol: one executor of the program, cores of the engine's own.
//!
//! `cargo run -p hydrant-engine --example smol`

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::time::Duration;

use hydrant_engine::{Engine, Error};

/// Runs it.
pub fn main() -> Result<(), Error> {
    let engine = Engine::builder().cores(1).pool_bytes(8 << 20).start()?;
    let slept = smol::block_on(async {
        let nap = Duration::from_millis(5);
        let task = engine.on_core(0, move |core| async move {
            let began = core.now();
            core.sleep(nap).await;
            core.now() - began
        })?;
        smol::spawn(task).await
    })?;
    assert!(slept >= Duration::from_millis(5));
    println!("a core slept for {slept:?}");
    Ok(())
}
