//! Someone who embeds the library reads its tree of dependencies: it stays small.

use std::path::Path;

use super::judge;
use crate::failure::Result;
use crate::shell::{self, cargo};
use crate::steps::Outcome;

/// Crates below `hydrant` with default features, itself included. Raising it is a decision: say why
/// in the commit.
const MOST_CRATES: usize = 60;

/// Counts what a program that uses the crate `hydrant` must build and link on Linux.
pub fn check(root: &Path) -> Result<Outcome> {
    let tree = shell::read(&mut cargo(
        root,
        &[
            "tree",
            "-p",
            "hydrant",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--no-dedupe",
            "--format",
            "{p}",
        ],
    ))?;
    println!("    {} crates of at most {MOST_CRATES}", count(&tree));
    judge(&violations(&tree))
}

fn violations(tree: &str) -> Vec<String> {
    match count(tree) {
        0 => vec!["cargo tree named no crate".to_owned()],
        crates if crates > MOST_CRATES => {
            vec![format!(
                "hydrant needs {crates} crates; the limit is {MOST_CRATES}. `cargo tree -p hydrant` shows who brought them"
            )]
        }
        _ => Vec::new(),
    }
}

/// The same crate in two versions counts twice.
fn count(tree: &str) -> usize {
    let mut crates: Vec<String> =
        tree.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    crates.retain(|name| !name.trim().is_empty());
    crates.sort_unstable();
    crates.dedup();
    crates.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_of_a_crate_counts_once() {
        assert_eq!(count("hydrant v0.1.0 (/w)\nbytes v1.12.1\nbytes v1.12.1\nbytes v0.5.0\n\n"), 3);
    }

    #[test]
    fn a_tree_over_the_limit_fails_and_so_does_none() {
        let tree =
            |crates: usize| (0..crates).map(|i| format!("crate{i} v1.0.0\n")).collect::<String>();
        assert!(violations(&tree(MOST_CRATES)).is_empty());
        assert_eq!(violations(&tree(MOST_CRATES + 1)).len(), 1);
        assert_eq!(violations("").len(), 1);
    }
}
