//! A GET whose bytes are compared with the checksum that the server keeps. What it may cost is what it
//! may cost without, and one pass of that checksum: what the floor takes more when it sums each piece
//! while it is warm.

use std::path::Path;

use super::super::contestant::{Contestant, Proof, Sample, Yardstick};
use super::super::server::{MISTOLD, OBJECT};
use super::super::stats::Estimate;
use super::super::variant::{Load, Variant};
use crate::failure::{Failure, Result};

/// The floor that sums nothing.
pub const UNSUMMED: &str = "no sum";

/// What the client may cost without a checksum, as a multiple of that floor.
pub const MOST_OF_UNSUMMED: f64 = 1.10;

/// The same load without the checksum.
pub fn unsummed(load: &Load) -> Load {
    Load { sum: None, ..load.clone() }
}

/// The cheapest floor of that.
pub fn floor(program: &Path, variant: &Variant, load: &Load) -> Contestant {
    Contestant::reporting(UNSUMMED, program, variant.arguments(&unsummed(load)), load.bytes)
}

/// A client that compares nothing would be cheap: it has to refuse an object whose checksum is told
/// wrong.
///
/// # Errors
/// When it does not.
pub fn notices(ours: &Contestant, yardstick: &Yardstick) -> Result<()> {
    let argument = |word: &String| match word.strip_suffix(OBJECT) {
        Some("--key=") => format!("--key={MISTOLD}"),
        _ => word.clone(),
    };
    let command = ours.command.iter().map(argument).collect();
    let proof = Proof::Says(String::new());
    match (Contestant { name: ours.name, command, proof }).run(yardstick) {
        Err(failure) if failure.to_string().contains("CRC64NVME") => Ok(()),
        Err(failure) => Err(failure),
        Ok(_) => Err(Failure::new("the client did not notice a checksum that was told wrong")),
    }
}

/// What ours cost as a multiple of what they may, pair by pair. In seconds of CPU, the same bytes each.
pub fn of_allowed(ours: &[Sample], summed: &[Sample], unsummed: &[Sample], seed: u64) -> Estimate {
    let cost = |samples: &[Sample]| samples.iter().map(|it| it.cpu_s).collect::<Vec<_>>();
    let allowed = cost(summed).into_iter().zip(cost(unsummed));
    let allowed = allowed.map(|(summed, unsummed)| {
        let pass = summed - unsummed;
        MOST_OF_UNSUMMED * unsummed + pass
    });
    Estimate::of_ratios(&cost(ours), &allowed.collect::<Vec<_>>(), seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_of_the_checksum_comes_on_top() {
        let runs = |cpu_s| vec![Sample { cpu_s, user_s: 0.0, wall_s: 1.0, bytes: 1 }; 15];
        let of = |ours| of_allowed(&runs(ours), &runs(1.5), &runs(1.0), 1).median;
        assert!((of(1.6) - 1.0).abs() < 1e-9, "{}", of(1.6));
        assert!(of(1.5) < 1.0 && of(1.7) > 1.0);
    }
}
