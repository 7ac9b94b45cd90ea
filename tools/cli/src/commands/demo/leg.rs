//! One copy of the demo, and what it took.

use hydrant::{CopyOptions, Hydrant};

use crate::exit::Failure;
use crate::options::Options;
use crate::progress::Progress;
use crate::took::{Stopwatch, Took};

/// What one copy took.
#[derive(Debug, Clone)]
pub struct Leg {
    /// Payload.
    pub bytes: u64,
    /// Parts it went in.
    pub parts: u64,
    /// From the call to its result.
    pub took: Took,
}

/// Copies an object and measures it.
pub async fn copy(
    client: &Hydrant,
    from: &str,
    to: &str,
    label: &str,
    options: &Options,
) -> Result<Leg, Failure> {
    let (from, to) = (client.locate(from)?, client.locate(to)?);
    let progress = Progress::new(label, options.quiet);
    let how = CopyOptions { progress: Some(progress.listener()), ..CopyOptions::default() };
    let stopwatch = Stopwatch::start(client.engine())?;
    let report = progress.during(hydrant::copy(&from, &to, how)).await?;
    let took = stopwatch.stop(client.engine())?;
    Ok(Leg { bytes: report.bytes, parts: report.parts, took })
}
