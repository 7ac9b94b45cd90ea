//! `cargo xtask check`: everything that can be judged by reading, without running a test.

use std::path::Path;

use crate::failure::{Failure, Result};
use crate::shell::{self, cargo};
use crate::steps::{self, Outcome, Selection, Step};
use crate::{deny, rules};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Install cargo-deny first when it is missing.
    #[arg(long)]
    install: bool,
}

/// The workspace of the other runtimes.
const COMPARE: &str = "benches/compare";
const PIPELINES: &str = "benches/pipelines";
/// That of the fuzz targets.
const FUZZ: &str = "tests/fuzz";

/// Ahead of them where it is asked for.
pub const INSTALL: Step =
    Step { name: "install", about: "cargo-deny, once: some minutes", run: deny::install };

/// The steps, the quick ones first.
pub const STEPS: &[Step] = &[
    Step {
        name: "arrows",
        about: "crates depend downwards only (FLOOR-1)",
        run: rules::arrows::check,
    },
    Step {
        name: "tree",
        about: "the library's tree of dependencies stays small",
        run: rules::tree::check,
    },
    Step {
        name: "sans-io",
        about: "protocol rooms touch no ring, clock or file (SANS-1)",
        run: rules::sans_io::check,
    },
    Step { name: "unsafe", about: "unsafe code stays in its rooms", run: rules::unsafety::check },
    Step { name: "format", about: "rustfmt", run: format },
    Step { name: "clippy", about: "lints of all crates and targets, warnings denied", run: clippy },
    Step { name: "doc", about: "the documentation builds, warnings denied", run: doc },
    Step { name: "deny", about: "licences, advisories, sources of dependencies", run: deny::check },
];

/// Steps that run when they are named: these lints build five other runtimes, other clients of S3,
/// and the library anew.
const ON_REQUEST: &[Step] = &[
    Step {
        name: "compare",
        about: "lints of benches/compare",
        run: |root| clippy_apart(root, COMPARE),
    },
    Step {
        name: "pipelines",
        about: "lints of benches/pipelines",
        run: |root| clippy_apart(root, PIPELINES),
    },
    Step { name: "fuzz", about: "lints of tests/fuzz", run: |root| clippy_apart(root, FUZZ) },
];

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let first = if args.install { &[INSTALL][..] } else { &[] };
    let on_request = if args.selection.is_everything() { &[] } else { ON_REQUEST };
    steps::run(root, &[first, STEPS, on_request].concat(), &args.selection)
}

/// Names the files; the differences would hide the names.
fn format(root: &Path) -> Result<Outcome> {
    // The last three are workspaces of their own.
    for folder in [root, &root.join(COMPARE), &root.join(PIPELINES), &root.join(FUZZ)] {
        let mends = format!("`cargo fmt --all` in {} mends it", folder.display());
        shell::run(&mut cargo(folder, &["fmt", "--all", "--", "--check", "-l"]))
            .map_err(|failure| Failure::new(format!("{failure}; {mends}")))?;
    }
    Ok(Outcome::Passed)
}

fn clippy(root: &Path) -> Result<Outcome> {
    shell::run(&mut cargo(
        root,
        &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"],
    ))?;
    Ok(Outcome::Passed)
}

fn clippy_apart(root: &Path, folder: &str) -> Result<Outcome> {
    let words =
        ["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    shell::run(&mut cargo(&root.join(folder), &words))?;
    Ok(Outcome::Passed)
}

/// Libraries only: the program and the library are both named `hydrant`, and one page can have the
/// name.
fn doc(root: &Path) -> Result<Outcome> {
    let mut command = cargo(
        root,
        &["doc", "--quiet", "--workspace", "--exclude", "hydrant-ffi", "--no-deps", "--lib"],
    );
    shell::run(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::Passed)
}
