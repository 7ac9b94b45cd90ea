//! The world driven through the `Driver` trait and the table of ops, without cores.

mod cancel;
mod crash;
mod files;
mod machine;
mod sockets;
mod stepping;
mod zero_copy;

use machine::{Machine, lease, pool, run, run_alone};

use super::{SimConfig, World};

/// The three weathers, by seed.
fn weather(seed: u64) -> SimConfig {
    match seed % 3 {
        0 => SimConfig::calm(),
        1 => SimConfig::choppy(),
        _ => SimConfig::stormy(),
    }
}
