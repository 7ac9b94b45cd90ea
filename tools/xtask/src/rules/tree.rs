//! Someone who embeds the library reads its tree of dependencies: it stays small.

use std::path::Path;

use super::judge;
use crate::failure::Result;
use crate::shell::{self, cargo};
use crate::steps::Outcome;

/// Crates below each library, itself included, without TLS and with it. Raising one is a decision: say
/// why in the commit.
const MOST_CRATES: [(&str, &[&str], usize); 4] = [
    ("hydrant-engine", WITHOUT_TLS, 25),
    ("hydrant-engine", WITH_TLS, 30),
    ("hydrant", WITHOUT_TLS, 45),
    ("hydrant", WITH_TLS, 60),
];

const WITHOUT_TLS: &[&str] = &["--no-default-features"];
const WITH_TLS: &[&str] = &["--no-default-features", "--features", "tls"];

/// Counts what a program that uses a library must build and link on Linux.
pub fn check(root: &Path) -> Result<Outcome> {
    let mut found = Vec::new();
    for (library, features, most) in MOST_CRATES {
        let tree = tree(root, library, features)?;
        let library = format!("{library} {}", features.join(" "));
        println!("    {library}: {} crates of at most {most}", count(&tree));
        found.extend(violations(&library, most, &tree));
    }
    judge(&found)
}

fn tree(root: &Path, library: &str, features: &[&str]) -> Result<String> {
    let edges = ["--edges", "normal,build", "--prefix", "none", "--no-dedupe", "--format", "{p}"];
    let arguments = [&["tree", "-p", library], &edges[..], features].concat();
    shell::read(&mut cargo(root, &arguments))
}

fn violations(library: &str, most: usize, tree: &str) -> Vec<String> {
    match count(tree) {
        0 => vec!["cargo tree named no crate".to_owned()],
        crates if crates > most => {
            vec![format!(
                "{library} needs {crates} crates; the limit is {most}. `cargo tree -p {library}` shows who brought them"
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
        assert!(violations("library", 25, &tree(25)).is_empty());
        assert_eq!(violations("library", 25, &tree(26)).len(), 1);
        assert_eq!(violations("library", 25, "").len(), 1);
    }
}
