//! FLOOR-1: an arrow between crates only ever points down.

use std::path::Path;

use super::judge;
use crate::failure::Result;
use crate::shell::{self, cargo};
use crate::steps::Outcome;

/// Each crate of the workspace, and the crates of the workspace that it may build on.
const MAY_USE: &[(&str, &[&str])] = &[
    ("hydrant-engine", &[]),
    ("hydrant", &["hydrant-engine"]),
    ("hydrant-ffi", &["hydrant"]),
    ("hydrant-server", &[]),
    ("hydrant-cli", &["hydrant", "hydrant-server"]),
    ("hydrant-floor", &["hydrant"]),
    ("hydrant-micro", &["hydrant", "hydrant-engine"]),
    ("hydrant-c-path", &["hydrant"]),
    ("xtask", &[]),
];

/// Looks at everything from above.
const EXEMPT: &[&str] = &["hydrant-tests"];

/// Reads the arrows of normal and build dependencies, with all features, for all platforms.
/// Development dependencies are tests.
pub fn check(root: &Path) -> Result<Outcome> {
    let tree = shell::read(&mut cargo(
        root,
        &[
            "tree",
            "--workspace",
            "--all-features",
            "--target",
            "all",
            "--edges",
            "normal,build",
            "--depth",
            "1",
            "--prefix",
            "depth",
            "--no-dedupe",
            "--format",
            "|{p}",
        ],
    ))?;
    judge(&violations(&tree))
}

/// `tree` has a line `0|name vX.Y.Z (path)` for each crate of the workspace, then `1|name …` for
/// what it uses.
fn violations(tree: &str) -> Vec<String> {
    let lines: Vec<(&str, &str)> =
        tree.lines().filter_map(|line| line.split_once('|')).map(name_first).collect();
    let members: Vec<&str> =
        lines.iter().filter(|(depth, _)| *depth == "0").map(|(_, name)| *name).collect();
    let (mut found, mut user) = (Vec::new(), "");
    for (depth, name) in lines {
        if depth == "0" {
            user = name;
            if !EXEMPT.contains(&user) && allowed(user).is_none() {
                found
                    .push(format!("{user} is a new crate: say in rules/arrows.rs what it may use"));
            }
        } else if members.contains(&name)
            && allowed(user).is_some_and(|names| !names.contains(&name))
        {
            found.push(format!("{user} uses {name}: that arrow does not point down (FLOOR-1)"));
        }
    }
    if members.is_empty() {
        found.push("cargo tree named no crate of the workspace".to_owned());
    }
    found
}

fn name_first<'a>((depth, package): (&'a str, &'a str)) -> (&'a str, &'a str) {
    (depth, package.split(' ').next().unwrap_or(package))
}

fn allowed(user: &str) -> Option<&'static [&'static str]> {
    MAY_USE.iter().find(|(name, _)| *name == user).map(|(_, names)| *names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_that_point_down_pass() {
        let tree = "0|hydrant-engine v0.1.0 (/w/engine)\n1|bytes v1.12.1\n\n0|hydrant v0.1.0 (/w/backends)\n\
                    1|hydrant-engine v0.1.0 (/w/engine)\n\n0|hydrant-tests v0.1.0\n1|hydrant v0.1.0 (/w/backends)";
        assert!(violations(tree).is_empty(), "{:?}", violations(tree));
    }

    #[test]
    fn an_arrow_that_points_up_fails() {
        let tree = "0|hydrant v0.1.0 (/w/backends)\n\n0|hydrant-engine v0.1.0 (/w/engine)\n1|hydrant v0.1.0";
        assert_eq!(
            violations(tree),
            ["hydrant-engine uses hydrant: that arrow does not point down (FLOOR-1)"]
        );
    }

    #[test]
    fn the_c_face_may_not_reach_past_the_crate() {
        let tree = "0|hydrant-engine v0.1.0\n\n0|hydrant v0.1.0\n\n0|hydrant-ffi v0.1.0\n1|hydrant-engine v0.1.0";
        assert_eq!(violations(tree).len(), 1);
    }

    #[test]
    fn a_crate_that_nobody_placed_fails_and_so_does_silence() {
        assert_eq!(violations("0|newcomer v0.1.0").len(), 1);
        assert_eq!(violations("").len(), 1);
    }
}
